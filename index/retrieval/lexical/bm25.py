"""Ranking by words: candidates from SQLite FTS5, scores by BM25 (Robertson and Zaragoza 2009, section 3.5).

FTS5 scores every row that holds any query term, so a common word makes a query slow. Here the rarest terms select rows,
within a budget of index entries: their lists, and the lengths of the rows, give a score without the texts. The texts of the
best of these decide, by all terms. This is MaxScore's idea (Turtle and Flood 1995): a row with common terms only cannot
outrank rows with rare ones. If even the rarest term exceeds the budget, the rows with
several terms are taken, and the newest rows with the rarest term; their scores hardly differ.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..search_index.catalog import Catalog
from ..search_index.catalog_queries import Ranges
from ..search_index.rows import Filter
from .counting import counts_in
from .tokenizer import QueryTerm

__all__ = ["WeightedTerm", "bm25", "candidates", "highest_bm25", "weighted_terms"]

Numbers = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]

# BM25's constants, as SQLite's FTS5 has them.
_K1, _B = 1.2, 0.75
# Index entries that a query may visit with scores: about 15 ms of CPU. Of 1,000 results of queries of three common words at
# 200 hours, against 1,000 scored candidates without a limit, 657 are lost with 60,000 entries, 613 with 120,000 and 610 with more.
_BUDGET = 100_000
# Rows whose texts are read, for each candidate that is wanted.
_READ_FOR_EACH = 4
# With 1,000 instead, as many results are lost, and a query takes 50 ms more.
_UNSCORED = 100
_MAX_RANGES = 512
_LAST_ROW = (1 << 63) - 1
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
    norm = _norm(lengths, average_lengths)[:, None]
    return np.asarray((idf * counts * (_K1 + 1) / (counts + norm)).sum(axis=1))


def _norm(lengths: npt.NDArray[np.number], average_lengths: Numbers | float) -> Numbers:
    return np.asarray(_K1 * (1 - _B + _B * lengths / np.maximum(average_lengths, 1.0)))


def highest_bm25(terms: Sequence[WeightedTerm]) -> float:
    """The limit of `bm25` for a text that contains all terms often."""
    return sum(one.idf for one in terms) * (_K1 + 1)


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
        chosen.append(one)
    if chosen:
        rows = _scored_once(catalog, where, chosen, ranges, _READ_FOR_EACH * limit)
        return _best_by_text(catalog, where, possible, rows)[:limit]
    together = " AND ".join(f"({one.term.expression})" for one in possible[:_CONJUNCTION])
    found = _newest(catalog, where, together, ranges) if len(possible) > 1 else []
    found += _newest(catalog, where, possible[0].term.expression, ranges)
    return list(dict.fromkeys(found))


def _scored_once(
    catalog: Catalog, where: Filter, terms: Sequence[WeightedTerm], ranges: Ranges | None, limit: int
) -> list[int]:
    """The best rows by BM25, each term counted once in a row.

    FTS5's own `bm25` takes 1 µs of CPU for an entry; lists of rows as text, added up here, 0.16 µs.
    """
    lists, weights = [], []
    for one in terms:
        parts = one.term.expressions
        for part in parts:
            lists.append(_rows_with(catalog, where, part, ranges))
            weights.append(np.full(len(lists[-1]), one.idf / len(parts)))
    every, weight = np.concatenate(lists), np.concatenate(weights)
    order = np.argsort(every, kind="stable")  # merges lists that are sorted
    every, weight = every[order], weight[order]
    firsts = np.flatnonzero(np.diff(every, prepend=-1))
    rows, idf = every[firsts], np.add.reduceat(weight, firsts) if len(firsts) else weight
    scores = idf * (_K1 + 1) / (1 + _norm(catalog.lengths_of(rows), _average_length(catalog, where)))
    if len(rows) > limit:
        least = np.partition(scores, len(rows) - limit)[len(rows) - limit]
        rows, scores = rows[scores >= least], scores[scores >= least]
    best: list[int] = rows[np.argsort(-scores, kind="stable")][:limit].tolist()
    return best


def _best_by_text(catalog: Catalog, where: Filter, terms: Sequence[WeightedTerm], rows: Sequence[int]) -> list[int]:
    """Rows by the BM25 of their texts, best first."""
    texts = catalog.texts_near(where.modality, rows, 0)
    counts, lengths = counts_in([one.term for one in terms], [texts[row][1] for row in rows])
    scores = bm25(terms, counts, lengths, np.full(len(rows), _average_length(catalog, where)))
    return [rows[place] for place in np.lexsort((np.array(rows), -scores)).tolist()]


def _average_length(catalog: Catalog, where: Filter) -> float:
    rows, length = catalog.size_of(where.modality)
    return length / max(rows, 1)


def _rows_with(catalog: Catalog, where: Filter, expression: str, ranges: Ranges | None) -> Rows:
    """The rows that match an FTS5 expression, in order."""
    table, condition, values = _matching(where, expression)
    if ranges is not None:
        condition += " AND rowid BETWEEN ? AND ?"
        values += [int(ranges[0, 0]), int(ranges[-1, 1])]
    ((text,),) = catalog.all(f"SELECT group_concat(rowid) FROM {table} WHERE {condition}", values)  # noqa: S608
    rows = np.sort(np.fromstring(text or "", np.int64, sep=","), kind="stable")  # fast, for FTS5 lists them in order
    return rows if ranges is None else rows[_is_inside(rows, ranges)]


def _newest(catalog: Catalog, where: Filter, expression: str, ranges: Ranges | None) -> list[int]:
    """The last rows that match an FTS5 expression."""
    if ranges is not None and len(ranges) > _MAX_RANGES:
        return _rows_with(catalog, where, expression, ranges)[: -_UNSCORED - 1 : -1].tolist()
    table, condition, values = _matching(where, expression)
    statement = f"SELECT rowid FROM {table} WHERE {condition} AND rowid BETWEEN ? AND ? ORDER BY rowid DESC LIMIT ?"  # noqa: S608
    within = [(0, _LAST_ROW)] if ranges is None else ranges[::-1].tolist()
    found = [row for a, b in within for (row,) in catalog.all(statement, [*values, a, b, _UNSCORED])]
    return found[:_UNSCORED]


def _matching(where: Filter, expression: str) -> tuple[str, str, list[object]]:
    """The table of a modality, a condition on it, and the condition's values."""
    table = f"terms_{where.modality}"
    condition, values = f"{table} MATCH ?", [expression]  # type: tuple[str, list[object]]
    if where.between is not None:
        condition += f' AND (SELECT "end" FROM rows WHERE row = {table}.rowid) > ?'  # noqa: S608 (our own names)
        values.append(where.between.start)
    return table, condition, values


def _is_inside(rows: Rows, ranges: Ranges) -> npt.NDArray[np.bool_]:
    place = np.searchsorted(ranges[:, 0], rows, side="right") - 1
    return np.asarray((place >= 0) & (rows <= ranges[np.maximum(place, 0), 1]))
