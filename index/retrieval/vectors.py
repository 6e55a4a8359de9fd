"""Nearest vectors by inner product, over segments that are written once: a video more never rebuilds all.

What is added becomes a small segment; four of like size become one (a log-structured merge, O'Neil et al. 1996), so
a row is written a few times while the index grows a thousandfold. What is removed is masked until a quarter of its
segment is.

Up to 131,072 rows each is looked at. Beyond, rows lie in lists around centres learnt from them, and a search
looks into the nearest lists (IVF, Jégou et al. 2011, section IV): measured in `tests/benchmarks/bench_scale.py`.
Centres are learnt again, and all rows put into new lists, when there are four times as many.
A search among given ids looks at each of them; one without a filter does so, too, on a GPU (`faiss-gpu`).
"""

import json
import math
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ...tools.embedding.protocol import Vectors
from .vector_segments import (
    Halves,
    Ids,
    Lists,
    VectorSegment,
    as_halves,
    load_faiss,
    nearest_centres,
    one_thread,
    trained,
)

__all__ = ["VectorIndex", "faiss_state"]

_MOST_LOOKED_AT = 131_072
_GROWTH = 4  # times the rows from which the centres were learnt
_SMALLEST_LISTED = 4_096
_ALIKE = 4  # segments of like size that are merged
_MOST_GONE = 0.25
_LISTS_BY_ROOT = 2.0  # lists over the root of the number of rows
_ROWS_A_CENTRE = 40  # that k-means sees
_SEED = 0
# Lists a search looks into: recall@10 and time over this number are in the benchmark's results.
_PROBES = 256
_SCANNED_PER_RESULT = 100
_ROWS_AT_ONCE = 1 << 15
_MOST_FRESH = 1 << 16
_MOST_ON_GPU = 2048  # results that FAISS gives on a GPU


@dataclass(frozen=True, eq=False)
class _Part:
    """A segment, and the positions of those of its rows that were removed, in order."""

    segment: VectorSegment
    gone: Ids = field(default_factory=lambda: np.zeros(0, np.int64))

    def __len__(self) -> int:
        return len(self.segment) - len(self.gone)

    @cached_property
    def others(self) -> Any:
        """What has a search leave out the removed rows."""
        return self.segment.all_but(self.gone)

    def kept(self) -> Ids:
        """Positions of the other rows."""
        return np.delete(np.arange(len(self.segment)), self.gone)


class VectorIndex:
    """Unit vectors of one space under integer ids, kept as float16. Not for several threads at once."""

    def __init__(self, dimensions: int, prefix: Path | None = None) -> None:
        """Begin an empty index.

        Args:
            dimensions: Length of a vector.
            prefix: How its files' paths begin; None keeps it in memory.
        """
        self.dimensions = dimensions
        self.prefix = prefix
        self._parts: list[_Part] = []
        self._fresh: list[tuple[Ids, Halves]] = []
        self._centres: VectorSegment | None = None
        self._trained_on = 0
        self._on_gpu: tuple[Any, Ids] | None = None

    @classmethod
    def load(cls, prefix: Path, saved: str, before: "VectorIndex | None" = None) -> "VectorIndex":
        """Open what `save` wrote.

        Args:
            prefix: As it was then.
            saved: What `save` returned.
            before: The index as it was opened before: the files that stayed are not opened again.

        Raises:
            LibraryError: A file is missing, or damaged.
        """
        noted = json.loads(saved)
        opened = {segment.path: segment for segment in before.segments} if before else {}

        def segment(name: str) -> VectorSegment:
            path = prefix.with_name(name)
            return opened.get(path) or VectorSegment.opened(path)

        made = cls(noted["dimensions"], prefix)
        made._trained_on = noted["trained_on"]
        made._centres = segment(noted["centres"]) if noted["centres"] else None
        for name, runs in noted["segments"]:
            gone = [np.arange(first, last) for first, last in runs]
            made._parts.append(_Part(segment(name), np.concatenate([*gone, np.zeros(0, np.int64)])))
        return made

    def save(self) -> str:
        """Write what is not in a file yet; returns, as JSON, which files it is. Old files are left where they are.

        Raises:
            OSError: The disk does not take it.
        """
        self._settle()
        noted = {
            "dimensions": self.dimensions,
            "trained_on": self._trained_on,
            "centres": _name(self._centres) if self._centres else "",
            "segments": [[_name(part.segment), _runs(part.gone)] for part in self._parts],
        }
        return json.dumps(noted)

    @staticmethod
    def files(saved: str) -> set[str]:
        """Names of the files that `save` noted."""
        noted = json.loads(saved)
        return {name for name, _ in noted["segments"]} | ({noted["centres"]} - {""})

    @property
    def segments(self) -> list[VectorSegment]:
        """All that it is made of: the rows' segments, and that of the centres."""
        return [part.segment for part in self._parts] + ([self._centres] if self._centres else [])

    def __len__(self) -> int:
        return sum(map(len, self._parts)) + sum(len(ids) for ids, _ in self._fresh)

    def add(self, vectors: npt.NDArray[np.floating], ids: Ids) -> None:
        """Add vectors, shape `(n, dimensions)`, under ids that are not in use."""
        self._check(vectors)
        if ids.shape != (len(vectors),):
            raise ValueError(f"{len(vectors)} ids expected, got an array of shape {ids.shape}")
        if not len(ids):
            return
        self._on_gpu = None
        self._fresh.append((np.array(ids, np.int64), as_halves(vectors)))
        if sum(len(ids) for ids, _ in self._fresh) >= _MOST_FRESH:
            self._keep_fresh()

    def remove(self, ids: Ids) -> None:
        """Take out ids; those that are not there are passed over."""
        self._on_gpu = None
        fresh = [(some, vectors, ~np.isin(some, ids)) for some, vectors in self._fresh]
        self._fresh = [(some[stays], vectors[stays]) for some, vectors, stays in fresh if stays.any()]
        parts = [_Part(p.segment, np.union1d(p.gone, p.segment.positions(np.unique(ids)))) for p in self._parts]
        self._parts = [part for part in parts if len(part)]

    def search(self, query: Vectors, k: int, among: Ids | None = None) -> tuple[Ids, Vectors]:
        """The `k` nearest, best first; fewer if there are no more.

        Args:
            query: One unit vector, shape `(dimensions,)`.
            k: How many.
            among: Only these ids, each of which is looked at; None: all.

        Returns:
            Ids, and inner products (cosines, -1 to 1).
        """
        self._check(query[None])
        self._settle()
        k = min(k, len(self) if among is None else len(among))
        if k < 1:
            return np.zeros(0, np.int64), np.zeros(0, np.float32)
        row = np.ascontiguousarray(query[None], np.float32)
        with one_thread():
            if among is not None:
                found = self._among(row, k, np.unique(among))
            elif k <= _MOST_ON_GPU and _gpu_count():
                found = self._by_gpu(row, k)
            else:
                found = self._by_lists(row, k)
        return _best(found, k)

    def _by_lists(self, query: Vectors, k: int) -> list[tuple[Ids, Vectors]]:
        whole, near = np.zeros((1, 1), np.int64), np.zeros((1, 0), np.int64)
        if self._centres:
            count = len(self._centres)
            probes = max(_PROBES, -(-count * _SCANNED_PER_RESULT * k // len(self)))
            near = self._centres.search(query, min(count, probes), whole)[0][None]
        return [
            part.segment.search(query, k, whole if part.segment.list_count == 1 else near, part.others)
            for part in self._parts
        ]

    def _among(self, query: Vectors, k: int, ids: Ids) -> list[tuple[Ids, Vectors]]:
        found: list[tuple[Ids, Vectors]] = []
        for part in self._parts:
            positions = np.setdiff1d(part.segment.positions(ids), part.gone, assume_unique=True)
            for some in _pieces(positions):
                cosines = part.segment.vectors(some) @ query[0]
                found.append(_best([(part.segment.ids[some], cosines)], k))
        return found

    def _by_gpu(self, query: Vectors, k: int) -> list[tuple[Ids, Vectors]]:
        """All rows lie on the GPU, and each is looked at."""
        if self._on_gpu is None:
            faiss = load_faiss()
            config = faiss.GpuIndexFlatConfig()
            config.useFloat16 = True
            flat = faiss.GpuIndexFlatIP(faiss.StandardGpuResources(), self.dimensions, config)
            ids = [np.zeros(0, np.int64)]
            for part in self._parts:
                for some in _pieces(part.kept()):
                    flat.add(part.segment.vectors(some))
                    ids.append(part.segment.ids[some])
            self._on_gpu = flat, np.concatenate(ids)
        flat, all_ids = self._on_gpu
        scores, places = flat.search(query, k)
        return [(all_ids[places[0]], scores[0])]

    def _settle(self) -> None:
        """Have all rows in segments, few of them, and in lists where they are many."""
        self._keep_fresh()
        rows = len(self)
        if rows > _MOST_LOOKED_AT and rows >= _GROWTH * self._trained_on:
            self._train(rows)
            self._parts = [self._merged(self._parts, are_listed=False)]
        while merged := self._to_merge():
            others = [part for part in self._parts if part not in merged]
            self._parts = [*others, self._merged(merged, are_listed=True)]

    def _to_merge(self) -> list[_Part]:
        alike: dict[int, list[_Part]] = {}
        for part in self._parts:
            if len(part.gone) > _MOST_GONE * len(part.segment):
                return [part]
            level = max(0, math.ceil(math.log(len(part) / _SMALLEST_LISTED, _ALIKE)))
            alike.setdefault(level, []).append(part)
        return next((parts for parts in alike.values() if len(parts) >= _ALIKE), [])

    def _keep_fresh(self) -> None:
        if self._fresh:
            count = self._list_count(sum(len(ids) for ids, _ in self._fresh))
            lists = [self._nearest(vectors.astype(np.float32), count) for _, vectors in self._fresh]
            self._parts.append(_Part(self._written(np.concatenate(lists), count, self._fresh)))
            self._fresh = []

    def _merged(self, parts: Sequence[_Part], are_listed: bool) -> _Part:
        """One segment of what is left of several; `are_listed`: those in lists are so around the centres of now."""
        count = self._list_count(sum(map(len, parts)))
        pieces = [(part.segment, some) for part in parts for some in _pieces(part.kept())]
        lists = [
            segment.lists(some)
            if are_listed and segment.list_count == count
            else self._nearest(segment.vectors(some), count)
            for segment, some in pieces
        ]
        rows = ((segment.ids[some], segment.codes(some)) for segment, some in pieces)
        return _Part(self._written(np.concatenate(lists), count, rows))

    def _written(self, lists: Lists, count: int, rows: Iterable[tuple[Ids, Halves]]) -> VectorSegment:
        path = self.prefix and self.prefix.with_name(f"{self.prefix.name}-{uuid.uuid4().hex[:12]}.faiss")
        return VectorSegment.written(path, self.dimensions, lists, count, rows)

    def _train(self, rows: int) -> None:
        """Learn centres from a sample of all rows."""
        count = math.ceil(_LISTS_BY_ROOT * math.sqrt(rows))
        random = np.random.default_rng(_SEED)
        share = min(1.0, count * _ROWS_A_CENTRE / rows)
        sample = []
        for part in self._parts:
            kept = part.kept()
            chosen = np.sort(random.choice(kept, math.ceil(share * len(kept)), replace=False))
            sample.append(part.segment.vectors(chosen))
        centres = as_halves(trained(np.concatenate(sample), count))
        whole, numbers = np.zeros(count, np.int32), np.arange(count)
        self._centres = self._written(whole, 1, [(numbers, centres)])
        self._trained_on = rows

    def _list_count(self, rows: int) -> int:
        """Of a segment with so many rows."""
        return len(self._centres) if self._centres and rows >= _SMALLEST_LISTED else 1

    def _nearest(self, vectors: Vectors, count: int) -> Lists:
        if self._centres is None or count == 1:
            return np.zeros(len(vectors), np.int32)
        return nearest_centres(self._centres.vectors(np.arange(count)), vectors)

    def _check(self, vectors: npt.NDArray[np.floating]) -> None:
        if vectors.ndim != 2 or vectors.shape[1] != self.dimensions:
            raise ValueError(f"vectors of {self.dimensions} dimensions expected, got an array of shape {vectors.shape}")


def faiss_state() -> str:
    """What FAISS is installed, for `doctor`.

    Raises:
        MissingExtraError: None is.
    """
    faiss = load_faiss()
    if not hasattr(faiss, "StandardGpuResources"):
        return f"{faiss.__version__}, CPU"
    count = _gpu_count()
    return f"{faiss.__version__}, GPU build, {count} GPU{'' if count == 1 else 's'}"


def _gpu_count() -> int:
    faiss = load_faiss()
    return int(faiss.get_num_gpus()) if hasattr(faiss, "StandardGpuResources") else 0


def _best(found: Sequence[tuple[Ids, Vectors]], k: int) -> tuple[Ids, Vectors]:
    """The `k` best of several results, best first."""
    ids = np.concatenate([np.zeros(0, np.int64), *(some for some, _ in found)])
    scores = np.concatenate([np.zeros(0, np.float32), *(some for _, some in found)])
    order = np.argsort(-scores, kind="stable")[:k]
    return ids[order], scores[order]


def _pieces(positions: Ids) -> Iterator[Ids]:
    """A few at a time, for they become float32."""
    return (positions[first : first + _ROWS_AT_ONCE] for first in range(0, len(positions), _ROWS_AT_ONCE))


def _runs(positions: Ids) -> list[tuple[int, int]]:
    """Positions in order as ranges: 3, 4, 5, 9 are (3, 6), (9, 10)."""
    ends = np.flatnonzero(np.diff(positions) != 1)
    firsts = positions[np.concatenate([[0], ends + 1])] if len(positions) else positions
    lasts = positions[np.concatenate([ends, [-1]])] + 1 if len(positions) else positions
    return list(zip(firsts.tolist(), lasts.tolist(), strict=True))


def _name(segment: VectorSegment) -> str:
    assert segment.path is not None
    return segment.path.name
