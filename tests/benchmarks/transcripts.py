"""Real transcripts as lines with a place; `build` makes a library of them."""

import json
from collections.abc import Sequence
from typing import NamedTuple

from report import real_data

from playhead.agent.evaluation.records import Line
from playhead.agent.evaluation.systems.transcripts import text_library as build
from playhead.agent.evaluation.systems.transcripts import text_video_id as video_id
from playhead.tools.records import clean_text

__all__ = ["Line", "Question", "build", "football", "tutorial_questions", "tutorials", "video_id"]


class Question(NamedTuple):
    """A question, its video, and the first and last line that answer it."""

    text: str
    video: str
    first: int
    last: int


def football() -> dict[str, list[Line]]:
    """SoccerNet-Echoes: automatic transcripts of fourteen first halves, by match.

    Raises:
        Skipped: They are not here.
    """
    found = {}
    for path in sorted(real_data("echoes").glob("*.json")):
        segments = json.loads(path.read_text(encoding="utf-8"))["segments"]
        found[path.stem] = [Line(start, end, clean_text(text)) for start, end, text in segments.values()]
    return found


def tutorials() -> dict[str, list[Line]]:
    """TutorialVQA (Colas et al. 2020): the transcripts of screencasts; a sentence's number stands for its second.

    Raises:
        Skipped: They are not here.
    """
    videos = json.loads(real_data("tutorialvqa/videos.json").read_text(encoding="utf-8"))
    return {
        video["video_id"]: [Line(n, n + 1, clean_text(text)) for n, text in enumerate(video["transcript"])]
        for video in videos
    }


def tutorial_questions(splits: Sequence[str]) -> list[Question]:
    """The questions of some splits (`train`, `dev`, `test`) of TutorialVQA.

    Raises:
        Skipped: They are not here.
    """
    with real_data("tutorialvqa/questions.jsonl").open(encoding="utf-8") as lines:
        asked = [json.loads(line) for line in lines]
    return [
        Question(q["question"], q["video_id"], q["answer_start"], q["answer_end"])
        for q in asked
        if q["split"] in splits and q["question"].strip()
    ]
