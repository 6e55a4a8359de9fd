"""Ranking of rows of one modality by their neighbourhood: words (BM25) and meaning (cosines) at several widths.

One sentence rarely contains everything that a question asks for. Each candidate row is compared alone and together with
its neighbours of the same run (3, 5 and 7 rows); the score is the mean over the widths. Candidates come from both words
and vectors, so the cost of a query does not depend on the size of the library. A neighbourhood's vector is the mean of
its rows' vectors.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from ...tools.embedding.protocol import Vectors
from ...tools.extractors.registry import spec_of
from .catalog import Catalog, Filter
from .lexical import WeightedTerm, bm25, candidates, counts_in, highest_bm25, weighted_terms
from .tokenizer import QueryTerm, TextTerms
from .vector_stores import AnyIndex

__all__ = ["WIDTHS", "Encoded", "RankedRow", "rank_rows", "reach"]

# Rows of a neighbourhood. Chosen on one half of TutorialVQA's videos.
WIDTHS = (1, 3, 5, 7)
reach = WIDTHS[-1] // 2

Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Encoded:
    """A query in the vector space of one modality.

    Attributes:
        index: The vectors of the modality.
        vector: The query's unit vector, shape `(dimensions,)`.
        floor: Cosine from which a row is a candidate.
    """

    index: AnyIndex
    vector: Vectors
    floor: float


@dataclass
class RankedRow:
    """A row with its features; see `index.retrieval.passages.PassageFeatures`."""

    row: int
    score: float
    bm25: float = 0.0
    passage_bm25: float = 0.0
    cosine: float = 0.0
    passage_cosine: float = 0.0
    coverage: float = 0.0
    passage_coverage: float = 0.0
    lexical_rank: int | None = None
    dense_rank: int | None = None
    matched: tuple[str, ...] = ()
    passage_matched: tuple[str, ...] = ()
    neighbours: tuple[int, ...] = field(default_factory=tuple)


def rank_rows(
    catalog: Catalog, where: Filter, terms: Sequence[QueryTerm], encoded: Encoded | None, depth: int
) -> tuple[list[RankedRow], bool]:
    """Rank the rows of one modality that a filter lets through, best first; and whether these are all candidates.

    Args:
        catalog: The catalogue, in a read transaction.
        where: The filter.
        terms: Of the query.
        encoded: The query as a vector; None: words only.
        depth: Candidates from words, and as many from vectors.
    """
    ranges = None if where.is_open else catalog.ranges(where)
    weighted = weighted_terms(catalog, where, terms)
    by_words = candidates(catalog, where, weighted, ranges, depth)
    by_meaning: list[int] = []
    if encoded is not None:
        rows, cosines = encoded.index.search(encoded.vector, depth, ranges)
        by_meaning = rows[cosines >= encoded.floor].tolist()
    is_all = max(len(by_words), len(by_meaning)) < depth
    found = _Scorer(catalog, where, weighted, encoded).score(list(dict.fromkeys([*by_words, *by_meaning])))
    near = set(by_meaning)
    found = [one for one in found if one.bm25 > 0 or one.row in near]  # candidates may share only parts of a word
    _note_ranks(found)
    # Equal rows are ordered by content, so that a catalogue built again ranks as before.
    order = {row: place for place, row in enumerate(catalog.in_order(one.row for one in found))}
    found.sort(key=lambda one: (-round(one.score, 6), order.get(one.row, 0)))
    return found, is_all


class _Scorer:
    def __init__(self, catalog: Catalog, where: Filter, terms: Sequence[WeightedTerm], encoded: Encoded | None) -> None:
        self._catalog, self._terms, self._encoded = catalog, terms, encoded
        self._width = reach if spec_of(where.modality).holds == "sentences" else 0  # a label has no neighbourhood
        rows, length = catalog.size_of(where.modality)
        self._average = length / rows if rows else 1.0
        self._highest = max(highest_bm25(terms), 1e-9)
        self._idf = np.array([one.idf for one in terms])

    def score(self, rows: Sequence[int]) -> list[RankedRow]:
        texts = self._catalog.texts_near(rows, self._width)
        cut = {row: TextTerms(text) for row, (_, text) in texts.items()}
        counts = {row: np.array(counts_in(self._terms, terms)) for row, terms in cut.items()}
        vectors = self._vectors(list(texts))
        found = []
        for row in rows:
            if row in texts:
                near = self._near(row, texts)
                found.append(self._ranked(row, near, counts, {r: len(cut[r]) for r in near}, vectors))
        return found

    def _near(self, row: int, texts: Mapping[int, tuple[int, str]]) -> list[int]:
        run = texts[row][0]
        return [r for r in range(row - self._width, row + self._width + 1) if r in texts and texts[r][0] == run]

    def _vectors(self, rows: Sequence[int]) -> Mapping[int, Vectors]:
        if self._encoded is None or not rows:
            return {}
        ids, vectors = self._encoded.index.vectors_of(np.array(sorted(rows), np.int64))
        return dict(zip(ids.tolist(), vectors, strict=True))

    def _ranked(
        self,
        row: int,
        near: Sequence[int],
        counts: Mapping[int, Numbers],
        lengths: Mapping[int, int],
        vectors: Mapping[int, Vectors],
    ) -> RankedRow:
        by_width, lexical, cosines = [], [], []
        for width in WIDTHS if self._width else WIDTHS[:1]:
            window = [r for r in near if abs(r - row) <= width // 2]
            held = sum((counts[r] for r in window), np.zeros(len(self._terms)))
            length = sum(lengths[r] for r in window)
            lexical.append(bm25(self._terms, held.tolist(), length, self._average * len(window)))
            cosines.append(self._cosine([vectors[r] for r in window if r in vectors]))
            by_width.append(lexical[-1] / self._highest + max(0.0, cosines[-1]))
        whole = sum((counts[r] for r in near), np.zeros(len(self._terms)))
        return RankedRow(
            row=row,
            score=float(np.clip(np.mean(by_width) / 2, 0, 1)),
            bm25=lexical[0],
            passage_bm25=lexical[-1],
            cosine=cosines[0],
            passage_cosine=cosines[-1],
            coverage=self._coverage(counts[row]),
            passage_coverage=self._coverage(whole),
            matched=self._matched(counts[row]),
            passage_matched=self._matched(whole),
            neighbours=tuple(near),
        )

    def _cosine(self, vectors: Sequence[Vectors]) -> float:
        if self._encoded is None or not vectors:
            return 0.0
        mean = np.sum(vectors, axis=0)
        length = float(np.linalg.norm(mean))
        return float(mean @ self._encoded.vector) / length if length > 0 else 0.0

    def _coverage(self, counts: Numbers) -> float:
        total = float(self._idf.sum())
        return float((self._idf * np.minimum(counts, 1)).sum()) / total if total > 0 else 0.0

    def _matched(self, counts: Numbers) -> tuple[str, ...]:
        return tuple(one.term.text for one, count in zip(self._terms, counts, strict=True) if count > 0)


def _note_ranks(found: Sequence[RankedRow]) -> None:
    by_words = sorted((one for one in found if one.bm25 > 0), key=lambda one: -one.bm25)
    for rank, one in enumerate(by_words, 1):
        one.lexical_rank = rank
    by_meaning = sorted((one for one in found if one.cosine > 0), key=lambda one: -one.cosine)
    for rank, one in enumerate(by_meaning, 1):
        one.dense_rank = rank
