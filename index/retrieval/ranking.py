"""Ranking of rows of one modality by their neighbourhood: words (BM25) and meaning (cosines) at several widths.

One sentence rarely contains everything that a question asks for. Each candidate row is compared alone and together with
its neighbours of the same run (3, 5 and 7 rows); the score is the mean over the widths. Candidates come from both words
and vectors, so the cost of a query does not depend on the size of the library. A neighbourhood's vector is the mean of
its rows' vectors. The texts of metadata have no vectors: the share of the query's terms that one holds takes the place of the
cosine, so that a title with all words of the query ranks with the rows that answer it.
"""

import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from itertools import compress
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from ...tools.background import meanwhile
from ...tools.embedding.protocol import Vectors
from ...tools.extractors.registry import spec_of
from ...tools.records import Modality
from .lexical.bm25 import WeightedTerm, bm25, candidates, highest_bm25, weighted_terms
from .lexical.counting import counts_in
from .lexical.tokenizer import QueryTerm
from .search_index.catalog import Catalog
from .search_index.rows import Filter
from .vectors.stores import AnyIndex

__all__ = ["WIDTHS", "Encoded", "RankedRow", "rank_rows", "reach"]

# Rows of a neighbourhood. Chosen on one half of TutorialVQA's videos.
WIDTHS = (1, 3, 5, 7)
reach = WIDTHS[-1] // 2
_DIGITS = 6  # sums differ by rounding with the order of rows

Numbers = npt.NDArray[np.float64]
_Float = TypeVar("_Float", np.float32, np.float64)


@dataclass(frozen=True)
class Encoded:
    """A query in the vector space of one modality.

    Attributes:
        index: The vectors of the modality.
        embed: Returns the query's unit vector, shape `(dimensions,)`.
        floor: Cosine from which a row is a candidate.
    """

    index: AnyIndex
    embed: Callable[[], Vectors]
    floor: float

    @cached_property
    def vector(self) -> Vectors:
        """The query's unit vector; embedded at first use, because words are ranked without it."""
        return self.embed()


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
    catalog: Catalog,
    filters: Sequence[Filter],
    terms: Sequence[QueryTerm],
    encoded: Mapping[Modality, Encoded | None],
    depth: int,
) -> tuple[list[RankedRow], bool]:
    """Rank the rows that filters let through, best first in each modality; and whether these are all candidates.

    Args:
        catalog: The catalogue, in a read transaction.
        filters: One for each modality that is searched.
        terms: Of the query.
        encoded: The query as a vector of each modality; None: the modality is searched by words only.
        depth: Candidates of a modality from words, and as many from vectors.
    """
    rankings = [
        _Ranking(catalog, where, terms, encoded.get(where.modality), depth)
        for where in filters
        if catalog.size_of(where.modality)[0]
    ]
    # Another thread embeds the query, which takes 6 ms, and searches vectors. This one ranks by words, then helps to search.
    vectors = _VectorSearch(rankings)
    with meanwhile(vectors.begin) as ended:
        for ranking in rankings:
            ranking.rank_words()
        vectors.help()
    ended()
    found: list[RankedRow] = []
    is_all = True
    for ranking in rankings:
        some, is_all_of_it = ranking.ranked()
        found += some
        is_all = is_all and is_all_of_it
    return found, is_all


class _Ranking:
    """The ranking of one modality, in three steps: by vectors, by words, and together."""

    def __init__(
        self, catalog: Catalog, where: Filter, terms: Sequence[QueryTerm], encoded: Encoded | None, depth: int
    ) -> None:
        self._catalog, self._where, self._encoded, self._depth = catalog, where, encoded, depth
        self._ranges = None if where.is_open else catalog.ranges(where)
        self._terms = weighted_terms(catalog, where, terms)
        self._scorer = _Scorer(catalog, where, self._terms, encoded)
        self._by_words: list[int] = []
        self._by_meaning: list[int] = []

    def embed(self) -> None:
        """Embed the query."""
        if self._encoded is not None:
            _ = self._encoded.vector

    def search_vectors(self) -> None:
        """Find the rows whose vectors are nearest to the query. Reads nothing from the catalogue: another thread may call it."""
        if self._encoded is not None:
            rows, cosines = self._encoded.index.search(self._encoded.vector, self._depth, self._ranges)
            self._by_meaning = rows[cosines >= self._encoded.floor].tolist()

    def rank_words(self) -> None:
        """Find the rows with the words of the query, and read them."""
        self._by_words = candidates(self._catalog, self._where, self._terms, self._ranges, self._depth)
        self._scorer.read(self._by_words)

    def ranked(self) -> tuple[list[RankedRow], bool]:
        """The rows of both, best first; and whether these are all candidates."""
        self._scorer.read(self._by_meaning)
        is_all = max(len(self._by_words), len(self._by_meaning)) < self._depth
        found = self._scorer.score(list(dict.fromkeys([*self._by_words, *self._by_meaning])))
        near = set(self._by_meaning)
        found = [one for one in found if one.bm25 > 0 or one.row in near]  # candidates may share only parts of a word
        _note_ranks(found)
        # Equal rows are ordered by content, so that a catalogue built again ranks as before.
        often = Counter(one.score for one in found)
        equal = self._catalog.in_order(one.row for one in found if often[one.score] > 1)
        order = {row: place for place, row in enumerate(equal)}
        found.sort(key=lambda one: (-one.score, order.get(one.row, 0)))
        return found, is_all


class _VectorSearch:
    """Searches the vectors of several modalities in two threads. The thread that is free takes the next modality."""

    def __init__(self, rankings: Sequence[_Ranking]) -> None:
        self._rankings = rankings
        self._waiting = deque(rankings)
        self._embedded = threading.Event()

    def begin(self) -> None:
        """Embed the query, and search until nothing waits."""
        try:
            for ranking in self._rankings:
                ranking.embed()
        finally:
            self._embedded.set()
        self._search()

    def help(self) -> None:
        """Search in this thread, too, as soon as the query is embedded."""
        self._embedded.wait()
        self._search()

    def _search(self) -> None:
        while (ranking := self._next()) is not None:
            ranking.search_vectors()

    def _next(self) -> _Ranking | None:
        with suppress(IndexError):  # the other thread took the last one
            return self._waiting.popleft()
        return None


class _Scorer:
    def __init__(self, catalog: Catalog, where: Filter, terms: Sequence[WeightedTerm], encoded: Encoded | None) -> None:
        self._catalog, self._terms, self._encoded = catalog, terms, encoded
        self._width = reach if spec_of(where.modality).holds == "sentences" else 0  # a label has no neighbourhood
        self._modality = where.modality
        rows, length = catalog.size_of(where.modality)
        self._average = length / rows if rows else 1.0
        self._highest = max(highest_bm25(terms), 1e-9)
        self._idf = np.array([one.idf for one in terms])
        self._has_vectors = spec_of(where.modality).reads != "metadata"
        self._video_of: dict[int, int] = {}  # of each row that was read, in the order of the counts
        self._counts: list[tuple[Numbers, Numbers]] = []

    def read(self, rows: Sequence[int]) -> None:
        """Count the query's terms in rows and their neighbours that were not read before."""
        texts = self._catalog.texts_near(self._modality, rows, self._width)
        new = [row for row in texts if row not in self._video_of]
        self._video_of |= {row: texts[row][0] for row in new}
        self._counts.append(counts_in([one.term for one in self._terms], [texts[row][1] for row in new]))

    def score(self, rows: Sequence[int]) -> list[RankedRow]:
        """The rows with their features; rows that were not found by `read` are left out."""
        rows = [row for row in rows if row in self._video_of]
        if not rows:
            return []
        order = np.argsort([*self._video_of])
        counts, lengths = (np.concatenate(some)[order] for some in zip(*self._counts, strict=True))
        every = sorted(self._video_of)
        near = self._near(rows, every, [self._video_of[row] for row in every])
        lexical, cosines, held = [], [], counts[near[:, self._width]]
        summed = [_growing_sums(values, near) for values in (counts, lengths[:, None], self._vectors(every))]
        for width, (held, length, vector) in zip(WIDTHS, zip(*summed, strict=True), strict=False):
            window = near[:, self._width - width // 2 : self._width + width // 2 + 1]
            average = self._average * (window >= 0).sum(axis=1)
            lexical.append(bm25(self._terms, held, length[:, 0], average))
            cosines.append(self._cosines(vector))
        own = counts[near[:, self._width]]
        coverage, passage_coverage = self._coverage(own), self._coverage(held)
        meaning = np.stack(cosines) if self._has_vectors else coverage[None]
        by_width = np.stack(lexical) / self._highest + np.maximum(meaning, 0)
        scores = np.clip(by_width.mean(axis=0) / 2, 0, 1).round(_DIGITS)
        columns = {
            "score": scores,
            "bm25": lexical[0],
            "passage_bm25": lexical[-1],
            "cosine": cosines[0],
            "passage_cosine": cosines[-1],
            "coverage": coverage,
            "passage_coverage": passage_coverage,
        }
        values = np.stack(list(columns.values()), axis=1).tolist()
        matched, passage_matched, places = self._matched(own), self._matched(held), near.tolist()
        return [
            RankedRow(
                row=row,
                **dict(zip(columns, values[i], strict=True)),
                matched=matched[i],
                passage_matched=passage_matched[i],
                neighbours=tuple(every[place] for place in places[i] if place >= 0),
            )
            for i, row in enumerate(rows)
        ]

    def _near(self, rows: Sequence[int], every: Sequence[int], runs: Sequence[int]) -> npt.NDArray[np.intp]:
        """The places in `every` of each row and its neighbours of the same run, shape `(rows, 2 * width + 1)`; -1: none."""
        numbers, run_of = np.array(every), np.array(runs)
        wanted = np.array(rows)[:, None] + np.arange(-self._width, self._width + 1)
        near = np.minimum(np.searchsorted(numbers, wanted), len(every) - 1)
        own = run_of[near[:, self._width]]
        return np.where((numbers[near] == wanted) & (run_of[near] == own[:, None]), near, -1)

    def _vectors(self, rows: Sequence[int]) -> Vectors:
        """The vectors of rows, zeros where there is none; no columns: none."""
        if self._encoded is None:
            return np.zeros((len(rows), 0), np.float32)
        found = np.zeros((len(rows), self._encoded.index.dimensions), np.float32)
        ids, vectors = self._encoded.index.vectors_of(np.array(rows, np.int64))
        found[np.searchsorted(rows, ids)] = vectors
        return found

    def _cosines(self, sums: Vectors) -> Numbers:
        if self._encoded is None:
            return np.zeros(len(sums))
        sums = sums.astype(np.float64)  # the products of equal rows differ by less than is rounded
        lengths = np.linalg.norm(sums, axis=1)
        cosines = sums @ self._encoded.vector.astype(np.float64) / np.where(lengths > 0, lengths, 1)
        return np.asarray(cosines.round(_DIGITS))

    def _coverage(self, counts: Numbers) -> Numbers:
        total = float(self._idf.sum())
        return (self._idf * np.minimum(counts, 1)).sum(axis=1) / (total if total > 0 else 1.0)

    def _matched(self, counts: Numbers) -> list[tuple[str, ...]]:
        texts = [one.term.text for one in self._terms]
        return [tuple(compress(texts, is_there)) for is_there in (counts > 0).tolist()]


def _note_ranks(found: Sequence[RankedRow]) -> None:
    by_words = sorted((one for one in found if one.bm25 > 0), key=lambda one: -one.bm25)
    for rank, one in enumerate(by_words, 1):
        one.lexical_rank = rank
    by_meaning = sorted((one for one in found if one.cosine > 0), key=lambda one: -one.cosine)
    for rank, one in enumerate(by_meaning, 1):
        one.dense_rank = rank


def _growing_sums(values: npt.NDArray[_Float], near: npt.NDArray[np.intp]) -> Iterator[npt.NDArray[_Float]]:
    """Yield the sums of the values at the places in the middle of each row, and one, two, … to each side; -1 adds nothing."""
    padded = np.concatenate([values, np.zeros((1, values.shape[1]), values.dtype)])
    middle = near.shape[1] // 2
    total = padded[near[:, middle]]
    yield total
    for distance in range(1, middle + 1):
        total = total + padded[near[:, middle - distance]] + padded[near[:, middle + distance]]
        yield total
