"""Nearest vectors by inner product, over segments that are written once: adding a video does not rewrite the index.

Added rows become a small segment; four segments of similar size are merged (log-structured merge, O'Neil et al. 1996), up
to a size that bounds memory. Removed rows are masked until they are a quarter of their segment.

Up to 131,072 rows each row is compared. Beyond, rows lie in cells around centroids, and a search reads the nearest
cells (IVF, Jégou et al. 2011, section IV). There it reads short vectors, one bit for each number of the rotated row
(RaBitQ, Gao and Long 2024), and then compares the whole vectors of the best rows. `tests/benchmarks/bench_scale.py` measures
what this finds. Centroids are trained again, and all rows assigned again, when there are four times as many rows. `save` writes
added rows only; `maintain` merges and trains.
A search within few rows compares each of them; within many, FAISS gets them as a bitmap. On a GPU (`faiss-gpu`) a
search without a filter compares all rows.
"""

import json
import math
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ....tools.background import meanwhile
from ....tools.device import cores
from ....tools.embedding.protocol import Vectors
from .centroids import Training, random_rotation, trained
from .codings import Bits
from .parts import Bitmap, Part
from .segments import (
    Cells,
    Halves,
    Ids,
    VectorSegment,
    as_halves,
    chosen_cells,
    load_faiss,
    one_thread,
)

__all__ = ["VectorIndex", "faiss_state"]

_MAX_COMPARED = 131_072
_GROWTH = 4  # of the number of rows since the centroids were trained
_SMALLEST_WITH_CELLS = 4_096
_MERGED = 4  # segments of similar size
_MERGED_BYTES = 1 << 30  # of vectors in one segment: what merging needs in memory
_MAX_REMOVED = 0.25
_CELLS_BY_ROOT = 4.0  # number of cells over the square root of the number of rows
_ROWS_FOR_CENTROID = 20  # that k-means sees
_SEED = 0
# Cells that a search reads: recall@10 and time over this number are in the benchmark's results.
_PROBES = 256
# Cosine by which a cell's centroid may be farther from the query than the nearest one: with 1,663 cells of texts a third
# fewer rows are read, and 999 of 1,000 of the ten best are found, as without this limit.
_FARTHEST_CELL = 0.2
_MAX_PROBE_FACTOR = 8  # for a filter that lets little through
_SCANNED_PER_RESULT = 100
# Whole vectors that are compared after the search of short ones.
_COMPARED_PER_RESULT = 20
_LEAST_COMPARED = 1000
_EXACT_WITHIN = 1 << 16
_CHUNK = 1 << 15
_MAX_PENDING = 1 << 16
_MAX_ON_GPU = 2048  # results that FAISS returns on a GPU


class VectorIndex:
    """Unit vectors of one embedding model under integer ids. Not for several threads at once."""

    def __init__(self, dimensions: int, prefix: Path, bits: Bits = 16) -> None:
        """Make an empty index.

        Args:
            dimensions: Length of a vector.
            prefix: Start of the paths of its files.
            bits: With 16, files hold what is added, which is float16. With 8, cosines are off in the fourth decimal.
        """
        self.dimensions = dimensions
        self.bits = bits
        self.prefix = prefix
        self._parts: list[Part] = []
        self._pending: list[tuple[Ids, Halves]] = []
        self._training: Training | None = None
        self._trained_on = 0
        self._on_gpu: tuple[Any, Ids] | None = None

    @classmethod
    def load(cls, prefix: Path, saved: str, previous: "VectorIndex | None" = None) -> "VectorIndex":
        """Open what `save` wrote.

        Args:
            prefix: As it was then.
            saved: The result of `save`.
            previous: The index as opened before: files that did not change are not opened again.

        Raises:
            LibraryError: A file is missing, or damaged.
        """
        noted = json.loads(saved)
        opened = {segment.path: segment for segment in previous.segments} if previous else {}

        def segment(name: str, bits: Bits) -> VectorSegment:
            path = prefix.with_name(name)
            return opened.get(path) or VectorSegment.opened(path, bits, noted["dimensions"])

        made = cls(noted["dimensions"], prefix, noted["bits"])
        made._trained_on = noted["trained_on"]
        if noted["centroids"]:
            made._training = Training(segment(noted["centroids"], 16), segment(noted["rotation"], 16))
            if previous and previous._training == made._training:
                made._training = previous._training  # with what it has computed
        for name, short, runs in noted["segments"]:
            removed = [np.arange(first, last) for first, last in runs]
            gone = np.concatenate([*removed, np.zeros(0, np.int64)])
            made._parts.append(Part(segment(name, made.bits), segment(short, 1) if short else None, gone))
        return made

    def save(self) -> str:
        """Write added rows; returns the names of all files as JSON. Old files stay.

        Raises:
            OSError: The disk does not take it.
        """
        self._write_pending()
        noted = {
            "dimensions": self.dimensions,
            "bits": self.bits,
            "trained_on": self._trained_on,
            "centroids": _name(self._training.centroids if self._training else None),
            "rotation": _name(self._training.rotation if self._training else None),
            "segments": [[_name(part.segment), _name(part.short), _runs(part.removed)] for part in self._parts],
        }
        return json.dumps(noted)

    def maintain(self) -> bool:
        """Merge or train once, if it is due; returns whether something changed and `save` should follow.

        Merging holds one segment in memory (at most 1 GiB of vectors), training a sample and one segment.

        Raises:
            OSError: The disk does not take it.
        """
        self._write_pending()
        rows = len(self)
        if rows > _MAX_COMPARED and rows >= _GROWTH * self._trained_on:
            self._train(rows)
            self._parts = [self._merged(some, keeps_cells=False) for some in self._batches()]
            return True
        if due := self._due():
            others = [part for part in self._parts if part not in due]
            self._parts = [*others, self._merged(due, keeps_cells=True)]
            return True
        return False

    @staticmethod
    def files(saved: str) -> set[str]:
        """Names of the files that `save` noted."""
        noted = json.loads(saved)
        parts = [name for whole, short, _ in noted["segments"] for name in (whole, short)]
        return {*parts, noted["centroids"], noted["rotation"]} - {""}

    @property
    def segments(self) -> list[VectorSegment]:
        """All files: the rows' segments, those of short vectors, of the centroids and of the rotation."""
        parts = [segment for part in self._parts for segment in (part.segment, part.short)]
        common = [self._training.centroids, self._training.rotation] if self._training else []
        return [segment for segment in (*parts, *common) if segment]

    def __len__(self) -> int:
        return sum(map(len, self._parts)) + sum(len(ids) for ids, _ in self._pending)

    def add(self, vectors: npt.NDArray[np.floating], ids: Ids) -> None:
        """Add vectors, shape `(n, dimensions)`, under new ids."""
        self._check(vectors)
        if ids.shape != (len(vectors),):
            raise ValueError(f"{len(vectors)} ids expected, got an array of shape {ids.shape}")
        if not len(ids):
            return
        self._on_gpu = None
        self._pending.append((np.array(ids, np.int64), as_halves(vectors)))
        if sum(len(ids) for ids, _ in self._pending) >= _MAX_PENDING:
            self._write_pending()

    def remove(self, ranges: Ids) -> None:
        """Remove all ids in ranges, first and last, shape `(n, 2)`; unknown ids are ignored."""
        self._on_gpu = None
        pending = [(ids, vectors, ~_is_in(ids, ranges)) for ids, vectors in self._pending]
        self._pending = [(ids[stays], vectors[stays]) for ids, vectors, stays in pending if stays.any()]
        parts = [
            replace(part, removed=np.union1d(part.removed, part.segment.positions_between(ranges)))
            for part in self._parts
        ]
        self._parts = [part for part in parts if len(part)]

    def search(self, query: Vectors, k: int, ranges: Ids | None = None) -> tuple[Ids, Vectors]:
        """Return the `k` nearest, best first; fewer if there are no more.

        Args:
            query: One unit vector, shape `(dimensions,)`.
            k: Number of results.
            ranges: Only ids in these ranges, first and last, sorted, without overlaps, shape `(n, 2)`; None: all.

        Returns:
            Ids, and inner products (cosines, -1 to 1).
        """
        self._check(query[None])
        within = len(self) if ranges is None else int((ranges[:, 1] - ranges[:, 0] + 1).sum())
        k = min(k, len(self), within)
        if k < 1:
            return np.zeros(0, np.int64), np.zeros(0, np.float32)
        row = np.ascontiguousarray(query[None], np.float32)
        with one_thread():
            found = self._in_pending(row, ranges)
            if ranges is not None and within <= _EXACT_WITHIN:
                found += self._compared(row, k, ranges)
            elif ranges is None and k <= _MAX_ON_GPU and _gpu_count():
                found += self._by_gpu(row, k)
            else:
                found += self._by_cells(row, k, ranges)
        return _best(found, k)

    def vectors_of(self, ids: Ids) -> tuple[Ids, Vectors]:
        """Return the ids that have a vector, and their vectors, float32, shape `(n, dimensions)`."""
        wanted = np.unique(ids)
        found = [(np.zeros(0, np.int64), np.zeros((0, self.dimensions), np.float32))]
        for part in self._parts:
            positions = np.setdiff1d(part.segment.positions(wanted), part.removed, assume_unique=True)
            found.append((part.segment.ids[positions], part.segment.vectors(positions)))
        for pending, vectors in self._pending:
            chosen = np.isin(pending, wanted)
            found.append((pending[chosen], vectors[chosen].astype(np.float32)))
        return np.concatenate([some for some, _ in found]), np.concatenate([some for _, some in found])

    def _by_cells(self, query: Vectors, k: int, ranges: Ids | None) -> list[tuple[Ids, Vectors]]:
        bits = None if ranges is None else _bitmap(ranges)
        found = _scanned([part for part in self._parts if not part.short], query, k, None, bits)
        in_cells = [part for part in self._parts if part.short]
        if not in_cells:
            return found
        assert self._training is not None
        rotated = self._training.rotated(query)
        most = max(k * _COMPARED_PER_RESULT, _LEAST_COMPARED)
        cells = self._nearest_cells(self._training.quantizer, rotated, k, ranges)
        best, _ = _best(_scanned(in_cells, rotated, most, cells, bits), most)
        ids, vectors = self.vectors_of(best)
        return [*found, (ids, vectors @ query[0])]

    def _nearest_cells(self, quantizer: Any, rotated: Vectors, k: int, ranges: Ids | None) -> Any:
        """The cells to read, found once for all segments.

        Without a filter, cells that are much farther than the nearest one are left out (SPANN, Chen et al. 2021,
        section 3.3), as long as the others hold enough rows.
        """
        share = 1.0
        if ranges is not None:
            share = max(int((ranges[:, 1] - ranges[:, 0] + 1).sum()) / max(len(self), 1), 1 / _MAX_PROBE_FACTOR)
        count = quantizer.ntotal
        least = -(-count * _SCANNED_PER_RESULT * k // len(self))
        scores, cells = quantizer.search(rotated, min(count, int(max(_PROBES, least) / share)))
        near = cells[0]
        if ranges is None:
            close = int((scores[0] >= scores[0, 0] - _FARTHEST_CELL).sum())
            near = near[: max(close, least)]
        return chosen_cells(near, quantizer.reconstruct_batch(near))

    def _compared(self, query: Vectors, k: int, ranges: Ids) -> list[tuple[Ids, Vectors]]:
        found: list[tuple[Ids, Vectors]] = []
        for part in self._parts:
            positions = np.setdiff1d(part.segment.positions_between(ranges), part.removed, assume_unique=True)
            for some in _chunks(positions):
                cosines = part.segment.vectors(some) @ query[0]
                found.append(_best([(part.segment.ids[some], cosines)], k))
        return found

    def _in_pending(self, query: Vectors, ranges: Ids | None) -> list[tuple[Ids, Vectors]]:
        found = []
        for ids, vectors in self._pending:
            chosen = np.ones(len(ids), bool) if ranges is None else _is_in(ids, ranges)
            found.append((ids[chosen], vectors[chosen].astype(np.float32) @ query[0]))
        return found

    def _by_gpu(self, query: Vectors, k: int) -> list[tuple[Ids, Vectors]]:
        """All rows lie on the GPU, and each is compared."""
        if self._on_gpu is None:
            faiss = load_faiss()
            config = faiss.GpuIndexFlatConfig()
            config.useFloat16 = True
            flat = faiss.GpuIndexFlatIP(faiss.StandardGpuResources(), self.dimensions, config)
            ids = [np.zeros(0, np.int64)]
            for part in self._parts:
                for some in _chunks(part.kept()):
                    flat.add(part.segment.vectors(some))
                    ids.append(part.segment.ids[some])
            self._on_gpu = flat, np.concatenate(ids)
        flat, all_ids = self._on_gpu
        scores, places = flat.search(query, k)
        return [(all_ids[places[0]], scores[0])]

    def _due(self) -> list[Part]:
        """Parts to merge: one with many removed rows, or several of similar size."""
        most = _MERGED_BYTES // (self.dimensions * self.bits // 8)
        levels: dict[int, list[Part]] = {}
        for part in self._parts:
            if len(part.removed) > _MAX_REMOVED * len(part.segment):
                return [part]
            level = max(0, math.ceil(math.log(len(part) / _SMALLEST_WITH_CELLS, _MERGED)))
            levels.setdefault(level, []).append(part)
        for parts in levels.values():
            if len(parts) >= _MERGED and sum(map(len, parts)) <= most:
                return parts
        return []

    def _batches(self) -> list[list[Part]]:
        """All parts, in groups that fit in one segment each."""
        most = _MERGED_BYTES // (self.dimensions * self.bits // 8)
        batches: list[list[Part]] = []
        for part in self._parts:
            if not batches or sum(map(len, batches[-1])) + len(part) > most:
                batches.append([])
            batches[-1].append(part)
        return batches

    def _write_pending(self) -> None:
        if self._pending:
            pending = self._pending
            rows = sum(len(ids) for ids, _ in pending)
            cells = [self._cells_of(vectors.astype(np.float32), rows) for _, vectors in pending]
            self._parts.append(
                self._new_part(np.concatenate(cells), lambda: ((ids, v.astype(np.float32)) for ids, v in pending))
            )
            self._pending = []

    def _merged(self, parts: Sequence[Part], keeps_cells: bool) -> Part:
        """One segment of the kept rows of several; `keeps_cells`: their cells are those of the current centroids."""
        rows = sum(map(len, parts))
        chunks = [(part, some) for part in parts for some in _chunks(part.kept())]
        cells = [
            part.short.cells(some) if keeps_cells and part.short else self._cells_of(part.segment.vectors(some), rows)
            for part, some in chunks
        ]
        is_whole = len(parts) == 1 and not len(parts[0].removed)
        return self._new_part(
            np.concatenate(cells),
            lambda: ((part.segment.ids[some], part.segment.vectors(some)) for part, some in chunks),
            parts[0].segment if is_whole else None,
        )

    def _new_part(
        self, cells: Cells, rows: Callable[[], Iterable[tuple[Ids, Vectors]]], whole: VectorSegment | None = None
    ) -> Part:
        """Write rows, a part of them at a time; `rows` is called once or twice. `whole` is a segment that holds them already."""
        if whole is None:
            whole = self._written(self.bits, np.zeros_like(cells), np.zeros((1, self.dimensions), np.float32), rows())
        training = self._training_for(len(cells))
        if training is None:
            return Part(whole)
        rotated = ((ids, training.rotated(vectors)) for ids, vectors in rows())
        return Part(whole, self._written(1, cells, training.vectors, rotated))

    def _written(
        self, bits: Bits, cells: Cells, centroids: Vectors, rows: Iterable[tuple[Ids, Vectors]]
    ) -> VectorSegment:
        path = self.prefix.with_name(f"{self.prefix.name}-{uuid.uuid4().hex[:12]}.faiss")
        return VectorSegment.written(path, bits, self.dimensions, cells, centroids, rows)

    def _train(self, rows: int) -> None:
        """Train centroids on a sample of all rows."""
        count = math.ceil(_CELLS_BY_ROOT * math.sqrt(rows))
        random = np.random.default_rng(_SEED)
        share = min(1.0, count * _ROWS_FOR_CENTROID / rows)
        sample = []
        for part in self._parts:
            kept = part.kept()
            chosen = np.sort(random.choice(kept, math.ceil(share * len(kept)), replace=False))
            sample.append(part.segment.vectors(chosen))
        rotation = random_rotation(self.dimensions)
        centroids = trained(np.concatenate(sample), count) @ rotation.T
        self._training = Training(self._common(centroids), self._common(rotation))
        self._trained_on = rows

    def _common(self, vectors: Vectors) -> VectorSegment:
        """Write vectors of length 1 that all segments use: the centroids, the rotation."""
        cells, only = np.zeros(len(vectors), np.int32), np.zeros((1, self.dimensions), np.float32)
        return self._written(16, cells, only, [(np.arange(len(vectors)), vectors)])

    def _training_for(self, rows: int) -> Training | None:
        """The centroids of a segment with this number of rows; None: it has no short vectors."""
        return self._training if rows >= _SMALLEST_WITH_CELLS else None

    def _cells_of(self, vectors: Vectors, rows: int) -> Cells:
        """The cells of vectors, in a segment with this number of rows."""
        training = self._training_for(rows)
        return training.cells_of(vectors) if training else np.zeros(len(vectors), np.int32)

    def _check(self, vectors: npt.NDArray[np.floating]) -> None:
        if vectors.ndim != 2 or vectors.shape[1] != self.dimensions:
            raise ValueError(f"vectors of {self.dimensions} dimensions expected, got an array of shape {vectors.shape}")


def faiss_state() -> str:
    """Return the installed FAISS version, for `doctor`.

    Raises:
        MissingExtraError: FAISS is not installed.
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
    """Return the `k` best of several results, best first."""
    ids = np.concatenate([np.zeros(0, np.int64), *(some for some, _ in found)])
    scores = np.concatenate([np.zeros(0, np.float32), *(some for _, some in found)])
    order = np.argsort(-scores, kind="stable")[:k]
    return ids[order], scores[order]


def _name(segment: VectorSegment | None) -> str:
    return segment.path.name if segment else ""


def _chunks(positions: Ids) -> Iterator[Ids]:
    """Some at a time, because they become float32."""
    return (positions[first : first + _CHUNK] for first in range(0, len(positions), _CHUNK))


def _is_in(ids: Ids, ranges: Ids) -> npt.NDArray[np.bool_]:
    if not len(ranges):
        return np.zeros(len(ids), bool)
    ordered = ranges[np.argsort(ranges[:, 0])]
    place = np.searchsorted(ordered[:, 0], ids, side="right") - 1
    return np.asarray((place >= 0) & (ids <= ordered[np.maximum(place, 0), 1]))


def _bitmap(ranges: Ids) -> Bitmap:
    """One bit for each id up to the last one in the ranges."""
    edges = np.zeros(int(ranges[:, 1].max()) + 2, np.int8)
    np.add.at(edges, ranges[:, 0], 1)
    np.add.at(edges, ranges[:, 1] + 1, -1)
    return np.packbits(np.cumsum(edges, dtype=np.int8).astype(bool), bitorder="little")


def _scanned(
    parts: Sequence[Part], query: Vectors, k: int, cells: Any, bits: Bitmap | None
) -> list[tuple[Ids, Vectors]]:
    """Return the nearest rows of each part, by two threads if there are many rows; see `Part.search`."""

    def found_in(some: Sequence[Part]) -> list[tuple[Ids, Vectors]]:
        with one_thread():
            return [part.search(query, k, cells, bits) for part in some]

    if sum(map(len, parts)) <= _MAX_COMPARED or cores() == 1:
        return found_in(parts)
    here, there = _halves_of(parts)
    with meanwhile(lambda: found_in(there)) as others:
        found = found_in(here)
    return found + others()


def _halves_of(parts: Sequence[Part]) -> tuple[list[Part], list[Part]]:
    """Two groups of about as many rows."""
    halves: tuple[list[Part], list[Part]] = [], []
    for part in sorted(parts, key=len, reverse=True):
        min(halves, key=lambda half: sum(map(len, half))).append(part)
    return halves


def _runs(positions: Ids) -> list[tuple[int, int]]:
    """Return sorted positions as ranges: 3, 4, 5, 9 are (3, 6), (9, 10)."""
    ends = np.flatnonzero(np.diff(positions) != 1)
    firsts = positions[np.concatenate([[0], ends + 1])] if len(positions) else positions
    lasts = positions[np.concatenate([ends, [-1]])] + 1 if len(positions) else positions
    return list(zip(firsts.tolist(), lasts.tolist(), strict=True))
