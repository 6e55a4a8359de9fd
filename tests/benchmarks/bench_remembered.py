"""What remembered answers save: tokens and seconds on repeated and on similar questions, and whether wrong answers are gained.

The narrated talk "river" (`narrated_talks.py`) and Qwen2.5-Coder-1.5B (4 bits, llama.cpp). First, each question is asked of a library
that remembers nothing. Then all are asked of one that remembers verified answers (`remember_answers`): for the first time, again,
and twelve of them in other words, with three similar questions that nothing answers. Right: the words asked for, and a citation
of the scene. Wrong: an answer that is not right, to any of them.
"""

import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench_model import model_settings
from narrated import library_of_talk
from narrated_talks import TALKS, Asked, Scenes
from report import Figures

from playhead import Answer, Library

_SIMILAR = (
    Asked("similar", "How many salmon did they count in 2023?", r"515", 2),
    Asked("similar", "what is the boats' speed limit", r"\b6\b|six", 5),
    Asked("similar", "How high did the flood get?", r"4\.6", 3),
    Asked("similar", "Who was the auditor?", r"reed", 6),
    Asked("similar", "How much does a licence for a boat cost?", r"25", 5),
    Asked("similar", "What is the length of the path?", r"12", 8),
    Asked("similar", "Which things did volunteers find?", r"piano|bicycle", 4),
    Asked("similar", "Where exactly is the water still bad?", r"sugar|factory", 1),
    Asked("similar", "What was the path covered with?", r"gravel", 8),
    Asked("similar", "How do the teachers send results?", r"phone", 7),
    Asked("similar", "Why is there no asphalt on the path?", r"expensive", 8),
    Asked("similar", "why was there a flood in january", r"rain|snow|melt", 3),
    Asked("never", "How many salmon were counted in 2017?"),
    Asked("never", "What is the speed limit for cars?"),
    Asked("never", "How high was the church tower?"),
)

Row = dict[str, str | float | None]


def measure() -> Figures:
    """The figures."""
    talk = next(one for one in TALKS if one.name == "river")
    rows: list[Row] = []
    for remembers in (False, True):
        with tempfile.TemporaryDirectory() as folder:
            settings = model_settings().model_copy(update={"remember_answers": remembers})
            library, scenes = library_of_talk(Path(folder), talk, settings)
            library.ask("What is this about?")  # loads the model
            passes = {"first time": talk.questions, "again": talk.questions if remembers else (), "similar": _SIMILAR}
            rows += [_row(remembers, name, library, asked, scenes) for name, asked in passes.items() if asked]
    return {"Remembered answers": rows}


def _row(remembers: bool, name: str, library: Library, questions: Sequence[Asked], scenes: Scenes) -> Row:
    answers: list[Answer] = []
    right = 0
    for asked in questions:
        answers.append(library.ask(asked.question))
        is_right = asked.checked_on(scenes)(answers[-1].claims)
        right += is_right
        print(f"{remembers} | {name} | {asked.kind} | {asked.question} | {is_right} | {answers[-1]}", flush=True)
    given = sum(bool(answer.claims) for answer in answers)
    return {
        "remembers": "yes" if remembers else "no",
        "asked": name,
        "questions": len(questions),
        "of these, answerable": sum(asked.kind != "never" for asked in questions),
        "right": right,
        "wrong": given - right,
        "tokens read": round(statistics.mean(answer.usage.prompt_tokens or 0 for answer in answers)),
        "tokens written": round(statistics.mean(answer.usage.completion_tokens or 0 for answer in answers)),
        "median s": round(statistics.median(answer.usage.seconds for answer in answers), 2),
    }
