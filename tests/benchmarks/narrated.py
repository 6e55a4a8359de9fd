"""A narrated slide talk of about three minutes, and what people ask about it: each question with its answer and scene.

Made with `examples/make_sample.py`, from sentences of its own. What is asked was written before any model saw the talk.
"""

import re
import sys
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "examples"))

from make_sample import Scene, Slide, Voice, plan, write_film

__all__ = ["QUESTIONS", "Asked", "make_talk"]

TALK = (
    Scene(
        Slide("Harbour Foods", ("Annual review", "Presented by Helen Marsh"), cover=True),
        ("Welcome to the annual review of our company.", "My name is Helen, and I run the kitchens."),
    ),
    Scene(
        Slide("Revenue", ("2024: 3.2 million", "2025: 4.1 million", "Strongest region: Norway")),
        ("Our revenue grew by almost a third.", "Norway sold more than all other regions together."),
    ),
    Scene(
        Slide("Delivery vans", ("18 electric vans", "Range 240 km", "Depot: Hall 7"), "VAN-PLAN-18"),
        ("We replaced the old diesel vans with electric ones.", "The drivers charge them at night, because power is cheap then."),
    ),
    Scene(
        Slide("Outage in May", ("19 May, 06:10 to 09:40", "Cause: freezer fuse", "Loss: 12,000 euros")),
        ("In May the large freezer stopped working for three hours.", "We had to throw away all of the fish."),
    ),
    Scene(
        Slide("Hiring", ("Five bakers", "One food chemist", "Apply before 30 June")),
        ("We are looking for five bakers and one chemist.", "The chemist will test our bread for salt."),
    ),
    Scene(
        Slide("New recipe", ("Bread without sugar", "Oven 230 degrees", "Bake for 42 minutes")),
        ("Our new bread has no sugar in it.", "Customers asked for it, since many of them must not eat sweet things."),
    ),
    Scene(
        Slide("Prices", ("Rye bread: $4", "Fish soup: $9", "Catering: $310 a day")),
        ("We raised the prices only once this year.", "The reason was the price of wheat, which doubled."),
    ),
    Scene(
        Slide("Safety", ("Wear gloves", "Emergency number 5512", "Meeting point: north gate")),
        ("If there is a fire, leave by the north gate.", "Please call the emergency number before you do anything else."),
    ),
    Scene(
        Slide("Questions", ("helen@harbour.example", "Office 3, every Friday"), cover=True),
        ("That was all for today.", "You can find me in the office every Friday."),
    ),
)  # fmt: skip


class Asked(NamedTuple):
    """A question.

    Attributes:
        kind: `spoken`, `written`, `paraphrase`, `why`, or `never` for what does not happen.
        question: As typed.
        answer: A pattern that the answer's text must match; empty for `never`.
        scene: In which scene the answer is, from 0.
    """

    kind: str
    question: str
    answer: str = ""
    scene: int = -1

    def is_right(self, text: str) -> bool:
        """Whether an answer's text has what is asked for."""
        return re.search(self.answer, text, re.IGNORECASE) is not None


QUESTIONS = (
    Asked("spoken", "How long was the freezer broken?", r"three hours|3 hours|06:10", 3),
    Asked("spoken", "When do the drivers charge the vans?", r"night", 2),
    Asked("spoken", "What will the chemist do?", r"salt", 4),
    Asked("spoken", "Where should people go if there is a fire?", r"north gate", 7),
    Asked("spoken", "What did they have to throw away?", r"fish", 3),
    Asked("spoken", "How many bakers do they want to hire?", r"five|\b5\b", 4),
    Asked("written", "What was the revenue in 2025?", r"4\.1", 1),
    Asked("written", "How much is catering a day?", r"310", 6),
    Asked("written", "What is the emergency number?", r"5512", 7),
    Asked("written", "How far can a van drive?", r"240", 2),
    Asked("written", "How hot must the oven be?", r"230", 5),
    Asked("written", "What is the price of the fish soup?", r"\$?9", 6),
    Asked("paraphrase", "What was the reason for the breakdown of the fridge?", r"fuse", 3),
    Asked("paraphrase", "Which country brought in the most money?", r"norway", 1),
    Asked("paraphrase", "By when must applicants send in their papers?", r"30 June|June 30", 4),
    Asked("paraphrase", "Who is the speaker?", r"helen", 0),
    Asked("paraphrase", "What was the damage in euros?", r"12,?000", 3),
    Asked("why", "Why are the vans charged at night?", r"cheap", 2),
    Asked("why", "Why did they raise the prices?", r"wheat", 6),
    Asked("why", "Why is there no sugar in the new bread?", r"customers|sweet|asked", 5),
    Asked("why", "Why did the freezer stop working?", r"fuse", 3),
    Asked("never", "Who won the football match?"),
    Asked("never", "What does Helen say about the new website?"),
    Asked("never", "How many people died in the accident?"),
    Asked("never", "When was the restaurant in Paris opened?"),
    Asked("never", "What colour is the airplane?"),
    Asked("never", "How much does the beef burger cost?"),
)


def make_talk(folder: Path) -> tuple[Path, list[tuple[float, float]]]:
    """Write the talk; returns its path, and when each scene starts and ends."""
    voice = Voice()
    shots = plan(TALK, voice)
    folder.mkdir(parents=True, exist_ok=True)
    film = folder / "review.mp4"
    write_film(film, shots, voice.rate)
    return film, [(float(shot.start), float(shot.end)) for shot in shots]
