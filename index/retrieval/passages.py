"""Passages: stretches of neighbouring rows (sentences, captions) that answer a question together.

One sentence seldom holds all that a question asks for. Each row is compared alone and with its neighbours, by words
and by meaning; a passage is the neighbourhood of a row that all of these agree on. Kept in memory: for transcripts.
"""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from ...tools.embedding.protocol import Vectors
from ...tools.errors import QueryError
from ...tools.records import Span
from ...tools.words import STOP_WORDS, stem, tokens
from ..records import Evidence

__all__ = ["WIDTHS", "Passage", "Passages"]

# A row is compared alone, and as the middle of so many rows. Chosen on one half of TutorialVQA's videos.
WIDTHS = (1, 3, 5, 7)
# BM25's constants as SQLite's FTS5 has them (Robertson and Zaragoza 2009, section 3.5).
_K1, _B = 1.2, 0.75

Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Passage:
    """Neighbouring rows of one video.

    Attributes:
        rows: In order of time.
        score: How well they fit the question, in standard deviations of all passages; several compare.
    """

    rows: tuple[Evidence, ...]
    score: float

    @property
    def span(self) -> Span:
        """From the first row's start to the last one's end."""
        return Span(start=self.rows[0].start, end=max(row.end for row in self.rows))


class Passages:
    """The passages of some videos, to be searched."""

    def __init__(self, rows: Sequence[Evidence], encode: Callable[[Sequence[str]], Vectors]) -> None:
        """Embed and count all passages.

        Args:
            rows: Of one modality, by video and time.
            encode: Texts → unit vectors; called once for the passages of each width, and for each question.
        """
        self._rows = list(rows)
        self._encode = encode
        edges = [i for i, (a, b) in enumerate(pairwise(self._rows), 1) if a.video_id != b.video_id]
        starts = [0, *edges]
        self._first, self._end = np.zeros(len(self._rows), int), np.zeros(len(self._rows), int)
        for start, end in zip(starts, [*edges, len(self._rows)], strict=True):
            self._first[start:end], self._end[start:end] = start, end
        self._words = [_Words([self._terms(i, width) for i in range(len(self._rows))]) for width in WIDTHS]
        places = range(len(self._rows))
        self._vectors = [encode([self._text(i, width) for i in places]) for width in WIDTHS] if self._rows else []

    def find(self, question: str, k: int = 10, video_ids: Sequence[str] | None = None) -> list[Passage]:
        """The passages that fit a question best, best first; none shares a row with another.

        Each width's cosines and BM25 scores are standardised over all passages and added up, so that no scale
        counts more than another; the widest neighbourhood of the best rows is given.

        Args:
            question: In plain words.
            k: At most this many.
            video_ids: Only of these videos; None: all.

        Raises:
            QueryError: `k` is less than 1.
        """
        if k < 1:
            raise QueryError(f"k={k}: at least 1 passage must be asked for")
        if not self._rows:
            return []
        scores = self._scores(question)
        if video_ids is not None:
            within = set(video_ids)
            scores[[row.video_id not in within for row in self._rows]] = -math.inf
        found: list[Passage] = []
        free = np.ones(len(self._rows), bool)
        for i in np.argsort(-scores, kind="stable").tolist():
            first, end = self._reach(i, WIDTHS[-1])
            if not math.isfinite(scores[i]) or len(found) == k:
                break
            if free[first:end].all():
                free[first:end] = False
                found.append(Passage(tuple(self._rows[first:end]), float(scores[i])))
        return found

    def _scores(self, question: str) -> Numbers:
        asked = self._encode([question])[0]
        terms = _terms(question)
        by_width = [
            _standardised(vectors @ asked) + _standardised(words.scores(terms))
            for vectors, words in zip(self._vectors, self._words, strict=True)
        ]
        return np.asarray(np.mean(by_width, axis=0))

    def _reach(self, i: int, width: int) -> tuple[int, int]:
        """First row of the passage around a row, and the one after its last; it never leaves the video."""
        return max(int(self._first[i]), i - width // 2), min(int(self._end[i]), i + width // 2 + 1)

    def _text(self, i: int, width: int) -> str:
        first, end = self._reach(i, width)
        return " ".join(row.text for row in self._rows[first:end])

    def _terms(self, i: int, width: int) -> list[str]:
        return _terms(self._text(i, width))


class _Words:
    """BM25 over short texts."""

    def __init__(self, documents: Sequence[Sequence[str]]) -> None:
        lengths = np.array([len(document) for document in documents], float)
        usual = lengths.mean() if len(lengths) and lengths.any() else 1.0
        held: dict[str, list[tuple[int, int]]] = {}
        for i, document in enumerate(documents):
            for term, count in Counter(document).items():
                held.setdefault(term, []).append((i, count))
        self._count = len(documents)
        self._postings: dict[str, tuple[npt.NDArray[np.intp], Numbers]] = {}
        for term, postings in held.items():
            where, counts = np.array([i for i, _ in postings]), np.array([count for _, count in postings], float)
            rarity = math.log(1 + (self._count - len(where) + 0.5) / (len(where) + 0.5))
            damped = counts + _K1 * (1 - _B + _B * lengths[where] / usual)
            self._postings[term] = where, rarity * counts * (_K1 + 1) / damped

    def scores(self, terms: Sequence[str]) -> Numbers:
        """Each document's score, shape `(documents,)`."""
        total = np.zeros(self._count)
        for term in sorted(set(terms) & self._postings.keys()):
            where, weights = self._postings[term]
            total[where] += weights
        return total


def _terms(text: str) -> list[str]:
    return [stem(word) for word in tokens(text) if word not in STOP_WORDS]


def _standardised(values: npt.ArrayLike) -> Numbers:
    scores = np.asarray(values, np.float64)
    spread = scores.std()
    return (scores - scores.mean()) / spread if spread > 1e-9 else np.zeros_like(scores)
