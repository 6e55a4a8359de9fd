"""Systems that find the span of a video from captions that others wrote: no model but the sentence encoder, no LLM."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from ....index.localization.grounding import Channel, GroundingQuery, Mode, span_posterior, word_match
from ....tools.errors import QueryError
from ....tools.records import Span, clean_text
from ...question.time_expressions import grounding_query
from ...records import Usage
from ..datasets.base import rows_of
from ..records import Budget, Prediction, Question, ScoredSpan
from .cached_vectors import KeptVectors

__all__ = ["CaptionGrounder", "Captioned", "Reading", "read_captions"]

# What is read of the question: nothing but its words; where in the video it points; that, and its order of clauses.
Reading = Literal["words", "place", "all"]


@dataclass(frozen=True)
class Captioned:
    """The captions of one video.

    Attributes:
        whole: The video.
        spans: When each caption is.
        captions: In order of time.
    """

    whole: Span
    spans: tuple[Span, ...]
    captions: tuple[str, ...]


def read_captions(folder: Path) -> dict[str, Captioned]:
    """The captions of videos by their name, from `captions.jsonl` or `captions.jsonl.gz` in a folder.

    A row is `{"video_id": …, "duration": seconds, "captions": [[second, text], …]}`: one caption describes the
    second that it names, as those published with VideoTree (Wang et al. 2025).

    Raises:
        QueryError: The file is missing or of another form.
    """
    path = next((folder / name for name in ("captions.jsonl.gz", "captions.jsonl") if (folder / name).exists()), None)
    if path is None:
        raise QueryError(f"{folder} holds no captions.jsonl or captions.jsonl.gz: name the folder with the captions")
    try:
        return {
            video["video_id"]: Captioned(
                Span(start=0, end=video["duration"]),
                tuple(Span(start=second, end=second + 1) for second, _ in video["captions"]),
                tuple(clean_text(text) for _, text in video["captions"]),
            )
            for video in rows_of(path)
        }
    except (ValueError, KeyError, TypeError) as error:
        raise QueryError(f"{path} is not of the form that is known ({error}): see read_captions") from error


class CaptionGrounder:
    """Finds the span a question is about from its video's captions; see `index.localization.grounding`."""

    def __init__(
        self,
        captions: Mapping[str, Captioned],
        questions: Sequence[Question],
        vectors: KeptVectors,
        mode: Mode = "balanced",
        shortest_seconds: float = 2.0,
    ) -> None:
        """Embed all captions and questions.

        Args:
            captions: By the name of the video.
            questions: All that will be asked: they are embedded together.
            vectors: Where vectors come from.
            mode: `balanced` for IoU, `precise` for IoP.
            shortest_seconds: Of a precise span.
        """
        self.name = f"captions-{mode}" + (f"-{shortest_seconds:g}s" if mode == "precise" else "")
        self.fingerprint = f"{vectors.embedding_id} {mode} {shortest_seconds:g}"
        self._captions, self._mode, self._shortest = captions, mode, shortest_seconds
        self._asked = {question.question: grounding_query(question.question) for question in questions}
        texts = {
            text for question, asked in self._asked.items() for text in (question, asked.text, asked.anchor) if text
        }
        self._vectors = vectors.by_text([caption for video in captions.values() for caption in video.captions])
        self._vectors |= vectors.by_text(list(texts))
        self._compared: dict[tuple[str, str], list[Channel]] = {}

    def answer(self, question: Question, budget: Budget) -> Prediction:
        """The best span; `insufficient` where the video has no captions."""
        del budget  # it shows nothing to anybody
        if question.video not in self._captions:
            return Prediction(question_id=question.question_id, status="insufficient")
        span, score = self.locate(question.question, question.video, self._mode, self._shortest)
        return Prediction(
            question_id=question.question_id,
            spans=(ScoredSpan.of(span, score),),
            confidence=score,
            usage=Usage(rounds=1, evidence=len(self._captions[question.video].captions)),
        )

    def locate(
        self,
        question: str,
        video: str,
        mode: Mode = "balanced",
        shortest_seconds: float = 2.0,
        reading: Reading = "all",
        channels: int = 2,
    ) -> tuple[Span, float]:
        """The span that is expected to score best, and that score, 0 to 1.

        Args:
            question: One of those that were given.
            video: One of those with captions.
            mode: What the score is: IoU or IoP.
            shortest_seconds: Of a precise span.
            reading: What is read of the question.
            channels: 2: meaning and words of the captions; 1: meaning only; 0: no caption is read.
        """
        asked = self._read(question, reading)
        there = self.channels(video, asked.text)[:channels]
        anchors = self.channels(video, asked.anchor)[:channels] if asked.anchor else []
        posterior = span_posterior(self._captions[video].whole, there, asked, anchors)
        best = posterior.best(mode, shortest_seconds=shortest_seconds) if mode == "precise" else posterior.best()
        return best[0].span, best[0].score

    def channels(self, video: str, text: str) -> list[Channel]:
        """A video's captions compared with a text: by meaning, and by words."""
        if (video, text) not in self._compared:
            captioned = self._captions[video]
            rows = np.stack([self._vectors[caption] for caption in captioned.captions])
            self._compared[video, text] = [
                Channel(captioned.spans, rows @ self._vectors[text]),
                Channel(captioned.spans, word_match(text, captioned.captions)),
            ]
        return self._compared[video, text]

    def _read(self, question: str, reading: Reading) -> GroundingQuery:
        asked = self._asked[question]
        if reading == "all":
            return asked
        if reading == "place":
            return GroundingQuery(text=question, place=asked.place, place_width=asked.place_width)
        return GroundingQuery(text=question)
