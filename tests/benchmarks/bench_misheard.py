"""Counts of spoken words: how often recognition misses a mention, and how often the answer names the place as doubtful.

An eSpeak voice says each of 48 words two to six times, each time in another sentence, in three recordings with other sentences
between them; Whisper base transcribes them. "How often does the speaker mention a …?" is asked of the recording. The limits of
`agent.answering.computed.misheard` were chosen on the words for tuning and on the speech of the composed hours of the seeds 1 and 2;
the held-out words and their sentences were not looked at before.

- exact: the number is the true one, and no doubtful place is named.
- hedged: the number is the true one, and a doubtful place is named without need.
- within: fewer are counted than there were, and the true number is between the two that are given: `2 times, perhaps 3`.
- wrong: all other numbers. declined: no number.
"""

import random
import tempfile
import wave
from collections import Counter
from pathlib import Path

import numpy as np
from report import Figures

from playhead import Library, Settings
from playhead.agent.evaluation.haystack.needles import Asked
from playhead.agent.evaluation.haystack.questions import HaystackQuestion
from playhead.agent.evaluation.haystack.voice import RATE, speak

WORDS = {
    "tuning": (
        "harbor lantern elephant guitar compass bakery dragon tunnel violin mushroom ladder submarine pillow sandwich cathedral "
        "butterfly hammer kitchen glacier trumpet parrot tractor satellite mirror cactus helicopter blanket orchestra pumpkin "
        "microscope squirrel barrel chandelier fountain hedgehog balcony walnut anchor magnet scissors pigeon treasure dinosaur "
        "kettle waterfall necklace cricket windmill"
    ).split(),
    "held out": (
        "dolphin bicycle candle monastery bridge blueberry captain diamond festival garage hospital island jacket kangaroo lemon "
        "monument needle octopus painter raincoat sailor sculpture turtle village wagon zebra accordion bracelet carrot dentist "
        "engine feather giraffe hurricane journal ketchup library marathon notebook oyster passport quarry ribbon saddle teapot "
        "uniform vampire whistle"
    ).split(),
}
SENTENCES = {
    "tuning": (
        "Last week somebody left a {} at the station.", "The new teacher talked about a {} for an hour.",
        "There was an old {} behind the door.", "In the end he bought the {} and went home.",
        "A {} like this is hard to find in winter.", "They could not agree whose {} it was.",
    ),
    "held out": (
        "My cousin once wrote a song about a {}.", "We could see the {} from our window.",
        "The whole plan depends on the {} and nothing else.", "Nobody asked why the {} was so expensive.",
        "She remembered the {} when it was too late.", "On the second day the {} disappeared.",
    ),
}  # fmt: skip
OTHERS = (
    "The weather was better than expected.", "Most of the guests left before midnight.", "We will continue after the break.",
    "He never answered the letter.", "The price has doubled since last year.", "She opened the window and listened.",
    "Nobody in the village knew the reason.", "The train was twenty minutes late.",
)  # fmt: skip
PARTS = 3
PAUSE = 0.7  # seconds


def record(path, lines):
    """Write the sentences, one after the other."""
    pause = np.zeros(round(PAUSE * RATE), np.int16)
    sound = np.concatenate([piece for one in speak(lines) for piece in (pause, (0.8 * one).astype(np.int16))])
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(sound.tobytes())


def outcome(word, count, answer):
    """What came of one question."""
    if answer.status != "answered":
        return "declined"
    question = HaystackQuestion(
        question_id=word, video="", kind="count", detail="said", question=word, spans=(), count=count
    )
    asked = Asked(question, answer, 0.0)
    if not asked.is_right:
        return "wrong"
    if not asked.is_hedged:
        return "exact"
    return "hedged" if answer.text.startswith(f"{count} time") else "within"


def counted(folder, role):
    """Record, index and ask."""
    rng, outcomes = random.Random(5), Counter()
    words = WORDS[role]
    size = len(words) // PARTS
    settings = Settings(offline=True, ocr="off", objects_model="off", answerer="extractive")
    with Library(folder / "library", settings) as library:
        for part in range(PARTS):
            counts = {word: rng.randint(2, 6) for word in words[part * size : (part + 1) * size]}
            lines = [
                one.format(word) for word, count in counts.items() for one in rng.sample(SENTENCES[role], count)
            ] + list(OTHERS)
            rng.shuffle(lines)
            path = folder / f"part_{part + 1}.wav"
            record(path, lines)
            for done in library.index(path):
                assert done.state == "indexed", done
            for word, count in counts.items():
                asked = library.ask(f"How often does the speaker mention a {word}?", videos=path)
                outcomes[outcome(word, count, asked)] += 1
    return {"words": role, "questions": len(words)} | {
        name: outcomes[name] for name in ("exact", "hedged", "within", "wrong", "declined")
    }


def measure() -> Figures:
    rows = []
    for role in WORDS:
        with tempfile.TemporaryDirectory() as folder:
            rows.append(counted(Path(folder), role))
    return {"Counts of spoken words": rows}
