"""Real transcripts as lines with a place, and a library made of them through the index's public seam."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from report import real_data

from playhead.index.records import StageReport, VideoRecord
from playhead.index.store import Store
from playhead.index.table import Perceived, write
from playhead.tools.embed import Vectors
from playhead.tools.records import MODALITIES, Observation, Span, VideoInfo, clean_text

__all__ = ["Line", "Question", "build", "football", "tutorial_questions", "tutorials", "video_id"]


class Line(NamedTuple):
    """A line of a transcript, in seconds."""

    start: float
    end: float
    text: str


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


def video_id(name: str) -> str:
    """The id under which `build` files a transcript."""
    return hashlib.blake2b(name.encode(), digest_size=16).hexdigest()


def build(folder: Path, transcripts: Mapping[str, Iterable[Line]], vectors: Mapping[str, Vectors], space: str) -> Store:
    """A library that holds each transcript as the speech of one video.

    Args:
        folder: Where it is made.
        transcripts: Lines by the transcript's name.
        vectors: Unit vectors of the lines, by the transcript's name.
        space: Their vector space.
    """
    store = Store(folder)
    store.create()
    for name, lines in transcripts.items():
        heard = [
            Observation(
                modality="speech", span=Span(start=line.start, end=line.end), text=line.text, score=1, source="given@1"
            )
            for line in lines
        ]
        end = max(observation.span.end for observation in heard)
        record = VideoRecord(
            video_id=video_id(name),
            commit=video_id(name),
            paths=(name,),
            info=VideoInfo(path=Path(name), format="transcript", duration=end, video=None, sound=None),
            duration=end,
            stages=tuple(
                StageReport(modality=modality, state="done" if modality == "speech" else "skipped")
                for modality in MODALITIES
            ),
            text_space=space,
            indexed_at="2000-01-01T00:00:00+00:00",
        )
        with store.staged(record.video_id) as staged:
            write(staged, Perceived(heard, vectors[name].astype(np.float16)))
            store.commit(staged, record)
    return store
