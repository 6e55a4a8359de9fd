"""Ranking by words: candidates from SQLite FTS5, scores by BM25 (Robertson and Zaragoza 2009, section 3.5).

FTS5 scores every row that holds any query term, so a common word makes a query slow. Here the rarest terms select the
candidates, within a budget of index entries, and all terms score them. This is MaxScore's idea (Turtle and Flood 1995):
a row with common terms only cannot outrank rows with rare ones. If even the rarest term exceeds the budget, the rows with
several terms are taken, and the newest rows with the rarest term; their scores hardly differ.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..search_index.catalog import Catalog, Filter, Ranges
from .tokenizer import QueryTerm, TextTerms

__all__ = ["WeightedTerm", "bm25", "candidates", "counts_in", "highest_bm25", "weighted_terms"]

Numbers = npt.NDArray[np.float64]

# BM25's constants, as SQLite's FTS5 has them.
_K1, _B = 1.2, 0.75
# Index entries that a query may visit with scores: about 23 ms of CPU. Measured at a tenth of it in a tenth of 120 hours: real
# questions lose none of their first ten rows, queries of three common words 3 %; with a third of the budget 2 % and 50 %.
_BUDGET = 60_000
# With 1,000 instead, as many results are lost, and a query takes 50 ms more.
_UNSCORED = 100
_MAX_RANGES = 512
_CONJUNCTION = 3


@dataclass(frozen=True)
class WeightedTerm:
    """A query term and its frequency in one modality.

    Attributes:
        term: What the query names.
        rows: Number of rows that may contain it (an upper bound for sequences of terms).
        idf: Inverse document frequency.
    """

    term: QueryTerm
    rows: int
    idf: float


def weighted_terms(catalog: Catalog, where: Filter, terms: Sequence[QueryTerm]) -> list[WeightedTerm]:
    """Return the terms of a query with their weight in one modality, rarest first; a term without rows comes last."""
    total, _ = catalog.size_of(where.modality)
    parts = {part for term in terms for form in term.forms for part in form}
    counts = catalog.row_counts(where.modality, parts)
    found = []
    for term in terms:
        per_form = [min(counts.get(part, 0) for part in form) for form in term.forms]
        rows = min(total, sum(per_form))
        if term.is_run and not rows:
            rows = max((counts.get(part, 0) for part in term.forms[0]), default=0)
        found.append(WeightedTerm(term, rows, math.log(1 + (total - rows + 0.5) / (rows + 0.5))))
    return sorted(found, key=lambda one: (one.rows == 0, one.rows))


def bm25(terms: Sequence[WeightedTerm], counts: Numbers, lengths: Numbers, average_lengths: Numbers) -> Numbers:
    """BM25 of texts, shape `(texts,)`.

    Args:
        terms: Of the query.
        counts: How often each text contains each term, shape `(texts, terms)`.
        lengths: Of the texts, in terms.
        average_lengths: The average length for each text.
    """
    idf = np.array([one.idf for one in terms])
    norm = _K1 * (1 - _B + _B * lengths / np.maximum(average_lengths, 1.0))
    return np.asarray((idf * counts * (_K1 + 1) / (counts + norm[:, None])).sum(axis=1))


def highest_bm25(terms: Sequence[WeightedTerm]) -> float:
    """The limit of `bm25` for a text that contains all terms often."""
    return sum(one.idf for one in terms) * (_K1 + 1)


def counts_in(terms: Sequence[WeightedTerm], texts: Sequence[TextTerms]) -> Numbers:
    """How often each text contains each term, shape `(texts, terms)`."""
    counts = np.zeros((len(texts), len(terms)))
    columns = {one.term.word: column for column, one in enumerate(terms)}
    for row, text in enumerate(texts):
        for word in (*text.words, *text.names):
            if word in columns:
                counts[row, columns[word]] += 1
    for column, one in enumerate(terms):
        if one.term.word is None:
            counts[:, column] = [text.count(one.term) for text in texts]
    return counts


def candidates(
    catalog: Catalog, where: Filter, terms: Sequence[WeightedTerm], ranges: Ranges | None, limit: int
) -> list[int]:
    """Rows that contain terms of a query, the most promising first.

    Args:
        catalog: The catalogue.
        where: The modality and, for times, the exact span; rows must overlap it.
        terms: From `weighted_terms`.
        ranges: From `Catalog.ranges`; None: all rows.
        limit: At most this many; up to 200 where common words are not scored.
    """
    if not catalog.has_terms(where.modality) or (ranges is not None and not len(ranges)):
        return []
    possible = [one for one in terms if one.rows or one.term.is_run]
    if not possible:
        return []
    chosen, cost = [], 0
    for one in possible:
        cost += one.rows * (len(one.term.forms[0]) if one.term.is_run else 1)
        if cost > _BUDGET:
            break
        chosen.append(one.term.expression)
    if chosen:
        return _matching(catalog, where, " OR ".join(chosen), ranges, limit, scored=True)
    together = " AND ".join(f"({one.term.expression})" for one in possible[:_CONJUNCTION])
    found = _matching(catalog, where, together, ranges, _UNSCORED, scored=False) if len(possible) > 1 else []
    found += _matching(catalog, where, possible[0].term.expression, ranges, _UNSCORED, scored=False)
    return list(dict.fromkeys(found))


def _matching(
    catalog: Catalog, where: Filter, expression: str, ranges: Ranges | None, limit: int, *, scored: bool
) -> list[int]:
    table = f"terms_{where.modality}"
    order = f"bm25({table})" if scored else "-rowid"
    condition, values = "1", []
    if where.between is not None:
        condition = f'(SELECT "end" FROM rows WHERE row = {table}.rowid) > ?'  # noqa: S608 (our own names)
        values.append(where.between.start)
    select = f"SELECT rowid, {order} FROM {table} WHERE {table} MATCH ?"  # noqa: S608 (our own names)
    by_rank = f"ORDER BY {order if scored else 'rowid DESC'} LIMIT ?"
    if ranges is None:
        found = catalog.all(f"{select} AND {condition} {by_rank}", [expression, *values, limit])
    elif len(ranges) <= _MAX_RANGES:
        within = f"{select} AND rowid BETWEEN ? AND ? AND {condition} {by_rank}"
        found = [
            row
            for first, last in ranges.tolist()
            for row in catalog.all(within, [expression, first, last, *values, limit])
        ]
    else:
        found = _inside(catalog.all(f"{select} AND {condition}", [expression, *values]), ranges)
    found.sort(key=lambda row: (row[1], row[0]))
    return [row for row, _ in found[:limit]]


def _inside(found: Sequence[tuple[int, float]], ranges: Ranges) -> list[tuple[int, float]]:
    rows = np.array([row for row, _ in found], np.int64)
    place = np.searchsorted(ranges[:, 0], rows, side="right") - 1
    inside = (place >= 0) & (rows <= ranges[np.maximum(place, 0), 1])
    return [one for one, is_in in zip(found, inside.tolist(), strict=True) if is_in]
