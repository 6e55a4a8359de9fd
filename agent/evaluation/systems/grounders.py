"""Systems that ground a question in given captions with a sentence encoder, without an LLM."""

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
from .cached_vectors import CachedVectors

__all__ = ["CaptionGrounder", "Captioned", "Reading", "read_captions"]

# Parts of the question that are used: its words only; also its position in the video; also its order of clauses.
Reading = Literal["words", "place", "all"]


@dataclass(frozen=True)
class Captioned:
    """The captions of one video.

    Attributes:
        whole: Span of the whole video.
        spans: Span of each caption.
        captions: Captions in order of time.
    """

    whole: Span
    spans: tuple[Span, ...]
    captions: tuple[str, ...]


def read_captions(folder: Path) -> dict[str, Captioned]:
    """Read the captions of videos, by name, from `captions.jsonl` or `captions.jsonl.gz` in a folder.

    A row is `{"video_id": …, "duration": seconds, "captions": [[second, text], …]}`: a caption describes the given
    second, as in the captions of VideoTree (Wang et al. 2025).

    Raises:
        QueryError: The file is missing or has an unknown form.
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
        raise QueryError(f"{path} has an unknown form ({error}): see read_captions") from error


class CaptionGrounder:
    """Finds the span of a question in the captions of its video; see `index.localization.grounding`."""

    def __init__(
        self,
        captions: Mapping[str, Captioned],
        questions: Sequence[Question],
        vectors: CachedVectors,
        mode: Mode = "balanced",
        shortest_seconds: float = 2.0,
    ) -> None:
        """Embed all captions and questions.

        Args:
            captions: Captions by name of the video.
            questions: All questions; they are embedded together.
            vectors: The encoder.
            mode: `balanced` for IoU, `precise` for IoP.
            shortest_seconds: Shortest precise span.
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
        """Return the best span; `insufficient` if the video has no captions."""
        del budget  # uses no frames and no tokens
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
        """Return the span with the best expected score, and that score, 0 to 1.

        Args:
            question: One of the embedded questions.
            video: A video with captions.
            mode: Kind of score: IoU or IoP.
            shortest_seconds: Shortest precise span.
            reading: Parts of the question that are used.
            channels: 2: embeddings and words of the captions; 1: embeddings only; 0: no captions.
        """
        asked = self._read(question, reading)
        there = self.channels(video, asked.text)[:channels]
        anchors = self.channels(video, asked.anchor)[:channels] if asked.anchor else []
        posterior = span_posterior(self._captions[video].whole, there, asked, anchors)
        best = posterior.best(mode, shortest_seconds=shortest_seconds) if mode == "precise" else posterior.best()
        return best[0].span, best[0].score

    def channels(self, video: str, text: str) -> list[Channel]:
        """Compare a video's captions with a text, by embeddings and by words."""
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
