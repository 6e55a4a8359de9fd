"""Vector files that never change: the one owner of FAISS.

A segment holds vectors under integer ids, in one IVF cell (scanned whole) or in many cells around shared centroids, of
which a search reads the nearest. `codings` says how a vector is stored. With one bit a number, vectors can be searched but not read.

A segment's file is a FAISS index, read through a memory map, followed by a table sorted by id: ids, the byte at which
each vector starts, and its cell. Equal vectors that are written together are stored once, under the lowest of their ids. With the table, rows of a filter are read directly: an exact search among the 3,600
rows of an hour takes 2 ms at 1,000 hours, against a scan of all cells with a FAISS selector. Then come a digest of each
block and of the digests. FAISS trusts the lengths in a damaged file and asks for any amount of memory, so the blocks
of the head are always checked. All blocks are checked up to 32 MiB, and beyond that 16 blocks spread evenly.
"""

import hashlib
import os
import struct
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from ....tools.embedding.protocol import Vectors
from ....tools.errors import LibraryError, MissingExtraError
from .codings import Bits, decoded, empty_index, search_parameters

__all__ = [
    "Cells",
    "Halves",
    "Ids",
    "VectorSegment",
    "as_halves",
    "chosen_cells",
    "load_faiss",
    "one_thread",
    "quantizer_of",
]

Halves = npt.NDArray[np.float16]
Ids = npt.NDArray[np.int64]
Cells = npt.NDArray[np.int32]

# The last bytes of a file: mark, length of the FAISS index, of its head, rows, digest of these and of the digests.
_TAIL = struct.Struct("<8sQQQ16s")
_MARK = b"playvec2"
_BLOCK = 1 << 20
_DIGEST_BYTES = 8
_CHECKED_WHOLE = 32 << 20
_BLOCKS_CHECKED = 16
_ID_BYTES = 8
_LAST_ID = np.int64((1 << 63) - 1)
_started = 0  # the process that imported FAISS


class VectorSegment:
    """Rows that never change, in one or more IVF cells."""

    def __init__(
        self,
        body: npt.NDArray[np.uint8],
        ids: Ids,
        places: Ids,
        cells: Cells,
        path: Path,
        bits: Bits,
        dimensions: int,
    ) -> None:
        """Use the parts of a file; segments are made by `written` and `opened`."""
        self.path = path
        self.bits = bits
        self.dimensions = dimensions
        self.ids, self._places, self._cells = ids, places, cells
        self._body = body  # FAISS reads from it, without a copy
        self._quantizer: Any = None

    @cached_property
    def _index(self) -> Any:
        """The FAISS index. Segments that are not searched do without: FAISS reads all pages of a large one."""
        faiss = load_faiss()
        return faiss.read_index(faiss.ZeroCopyIOReader(faiss.swig_ptr(self._body), self._body.size))

    @classmethod
    def written(
        cls,
        path: Path,
        bits: Bits,
        dimensions: int,
        cells: Cells,
        centroids: Vectors,
        chunks: Iterable[tuple[Ids, Vectors]],
    ) -> "VectorSegment":
        """Write rows in one step, and open the file.

        Args:
            path: The file.
            bits: Of each stored number.
            dimensions: Length of a vector.
            cells: The cell of each row, in the order of the chunks.
            centroids: Of the cells, shape `(cells, dimensions)`.
            chunks: Ids and vectors, a part of the rows at a time. No id twice.

        Raises:
            OSError: The disk does not take it.
        """
        index, ids, stored = _filled(bits, dimensions, cells, centroids, chunks)
        staged = path.with_name(f"{path.name}.{uuid.uuid4().hex}")
        try:
            with staged.open("wb+") as file:
                _write(file, index, ids, cells, stored)
            staged.replace(path)
        finally:
            staged.unlink(missing_ok=True)
        return cls.opened(path, bits, dimensions)

    @classmethod
    def opened(cls, path: Path, bits: Bits, dimensions: int) -> "VectorSegment":
        """Map a file into memory, with the bits and dimensions that it was written with.

        Raises:
            LibraryError: The file is missing or damaged.
        """
        try:
            data = np.memmap(path, np.uint8, "r")
        except (OSError, ValueError) as error:
            raise LibraryError(f"{path} cannot be read: delete it and run `playhead optimize`") from error
        sizes = _checked(data)
        if sizes is None:
            raise LibraryError(f"{path} is damaged: delete it and run `playhead optimize`")
        length, rows = sizes
        first = _aligned(length)
        ids = data[first : first + 8 * rows].view(np.int64)
        places = data[first + 8 * rows : first + 16 * rows].view(np.int64)
        cells = data[first + 16 * rows : first + 20 * rows].view(np.int32)
        return cls(data[:length], ids, places, cells, path, bits, dimensions)

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def cell_count(self) -> int:
        """Number of cells."""
        return int(self._index.nlist)

    def search(self, query: Vectors, k: int, cells: Any = None, selector: Any = None) -> tuple[Ids, Vectors]:
        """Return the `k` nearest vectors, best first. With one bit, the inner products are estimates.

        Args:
            query: One vector, float32, shape `(1, dimensions)`.
            k: Number of rows, at least 1.
            cells: From `chosen_cells`: the cells to read. None: the only one.
            selector: A FAISS `IDSelector`; None: all rows.

        Returns:
            The ids that the vectors are stored under (`with_equals` adds the others), and the inner products.
        """
        faiss = load_faiss()
        only = np.zeros(1, np.int64)
        self._quantizer = chosen_cells(only, np.zeros((1, self.dimensions), np.float32)) if cells is None else cells
        self._index.own_fields = False  # the centroids are shared by all segments
        self._index.quantizer = self._quantizer
        params = search_parameters(faiss, self.bits, self._quantizer.ntotal, selector)
        scores, ids = self._index.search(query, min(k, len(self)), params=params)
        found = ids[0] >= 0
        return ids[0][found], scores[0][found]

    def all_but(self, positions: Ids) -> Any:
        """Return a selector without the rows at some positions; a vector stays if another row has it, too. None: no positions."""
        if not len(positions):
            return None
        gone = self.ids[positions]
        if self.shares:
            kept = np.delete(np.arange(len(self)), positions)
            gone = np.setdiff1d(self.stored_under(positions), self.stored_under(kept))
        faiss = load_faiss()
        return faiss.IDSelectorNot(faiss.IDSelectorBatch(gone))

    @property
    def shares(self) -> bool:
        """Whether a vector is that of several rows."""
        return int(self._index.ntotal) < len(self)

    @cached_property
    def _by_place(self) -> tuple[Ids, Ids]:
        """Positions of all rows by the place of their vector, then by id; and these places."""
        order = np.argsort(self._places, kind="stable")
        return order, self._places[order]

    def stored_under(self, positions: Ids) -> Ids:
        """Return the ids that the vectors of rows are stored under: of rows with equal vectors, the lowest."""
        order, places = self._by_place
        return self.ids[order[np.searchsorted(places, self._places[positions])]]

    def with_equals(self, ids: Ids, scores: Vectors) -> tuple[Ids, Vectors]:
        """Return the results of `search` for all rows with these vectors."""
        order, places = self._by_place
        found = self._places[self.positions(ids)]
        firsts = np.searchsorted(places, found)
        counts = np.searchsorted(places, found, side="right") - firsts
        return self.ids[order[_stretches(firsts, counts)]], np.repeat(scores, counts)

    def positions(self, ids: Ids) -> Ids:
        """Return the positions of ids among the sorted ids; unknown ids are left out."""
        places = np.minimum(np.searchsorted(self.ids, ids), len(self) - 1)
        return places[self.ids[places] == ids]

    def positions_between(self, ranges: Ids) -> Ids:
        """Return the positions of all ids in ranges, first and last, shape `(n, 2)`, in order."""
        firsts = np.searchsorted(self.ids, ranges[:, 0])
        return _stretches(firsts, np.maximum(np.searchsorted(self.ids, ranges[:, 1], side="right") - firsts, 0))

    def vectors(self, positions: Ids) -> Vectors:
        """Return the vectors at some positions, float32; not of a segment with one bit a number."""
        code = self.dimensions * self.bits // 8
        anywhere = np.ndarray((max(0, self._body.size - code + 1),), f"V{code}", self._body, strides=(1,))
        return decoded(anywhere[self._places[positions]], self.bits, self.dimensions)

    def cells(self, positions: Ids) -> Cells:
        """Return the cells of rows."""
        return self._cells[positions]


def as_halves(vectors: npt.NDArray[np.floating]) -> Halves:
    """Return vectors as float16; stored vectors are not changed."""
    return np.ascontiguousarray(vectors, np.float16)


def quantizer_of(centroids: Vectors) -> Any:
    """Return a FAISS index over centroids."""
    faiss = load_faiss()
    flat = faiss.IndexFlatIP(centroids.shape[1])
    flat.add(np.ascontiguousarray(centroids, np.float32))
    return flat


def chosen_cells(cells: Ids, centroids: Vectors) -> Any:
    """Return the cells that `VectorSegment.search` reads: a FAISS quantizer with their centroids alone, shape `(cells, dimensions)`."""
    faiss = load_faiss()
    some = faiss.IndexIDMap2(faiss.IndexFlatIP(centroids.shape[1]))
    some.add_with_ids(np.ascontiguousarray(centroids, np.float32), cells)
    return some


def _filled(
    bits: Bits, dimensions: int, cells: Cells, centroids: Vectors, chunks: Iterable[tuple[Ids, Vectors]]
) -> tuple[Any, Ids, Ids]:
    """Return a FAISS index with the rows in their cells, the ids in the order of the chunks, and the number of each row's vector in it."""
    faiss = load_faiss()
    from faiss.contrib.ivf_tools import add_preassigned

    quantizer = quantizer_of(centroids)
    index = empty_index(faiss, bits, quantizer, dimensions, len(centroids))
    all_ids, stored = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    done = 0
    for ids, vectors in chunks:
        own = np.ascontiguousarray(cells[done : done + len(ids)], np.int64)
        rows = np.ascontiguousarray(vectors, np.float32)
        # Short vectors are not compared: each takes fewer bytes than its row of the table.
        firsts, numbers = _different(rows) if len(centroids) == 1 else (np.arange(len(ids)), np.arange(len(ids)))
        lowest = np.full(len(firsts), _LAST_ID)
        np.minimum.at(lowest, numbers, ids)
        stored.append(index.ntotal + numbers)
        add_preassigned(index, np.ascontiguousarray(rows[firsts]), np.ascontiguousarray(own[firsts]), lowest)
        done += len(ids)
        all_ids.append(ids)
    quantizer.reset()  # the file does not hold the centroids
    return index, np.concatenate(all_ids), np.concatenate(stored)


def _different(rows: Vectors) -> tuple[Ids, Ids]:
    """Return the places of the different rows, in order, and for each row the number of its like among these."""
    keys = rows.view(np.dtype((np.void, rows.shape[1] * rows.itemsize))).ravel()
    _, firsts, numbers = np.unique(keys, return_index=True, return_inverse=True)
    order = np.argsort(firsts)
    return firsts[order], np.argsort(order)[numbers]


def _stretches(firsts: Ids, counts: Ids) -> Ids:
    """Return the numbers of stretches, one after the other."""
    offsets = np.repeat(firsts - (np.cumsum(counts) - counts), counts)
    return offsets + np.arange(len(offsets))


def _places(length: int, code_bytes: int, cells: Cells, cell_count: int) -> tuple[Ids, int]:
    """Return the byte at which the vector of each row starts in a FAISS file of some length, and that of the first cell.

    The cells end the file, one after the other: codes, then ids, of each cell that is not empty.
    """
    counts = np.bincount(cells, minlength=cell_count)
    sizes = counts * (code_bytes + _ID_BYTES)
    starts = length - sizes.sum() + np.cumsum(sizes) - sizes
    order = np.argsort(cells, kind="stable")  # as they lie in the file
    within = np.arange(len(cells)) - np.repeat(np.cumsum(counts) - counts, counts)
    places = np.empty(len(cells), np.int64)
    places[order] = starts[cells[order]] + within * code_bytes
    return places, int(length - sizes.sum())


def _write(file: BinaryIO, index: Any, ids: Ids, cells: Cells, stored: Ids) -> None:
    """Write the FAISS index, padding, the table sorted by id, the digests, the tail.

    Args:
        file: The file.
        index: The FAISS index.
        ids: Of the rows.
        cells: Of the rows.
        stored: The number of each row's vector in the index.
    """
    faiss = load_faiss()
    failed: list[OSError] = []

    def take(part: bytes) -> int:
        if not failed:  # FAISS would report a full disk as RuntimeError
            try:
                file.write(part)
            except OSError as error:
                failed.append(error)
        return len(part)

    faiss.write_index(index, faiss.PyCallbackIOWriter(take, _BLOCK))
    if failed:
        raise failed[0]
    length = file.tell()
    own_cells = np.zeros(int(index.ntotal), cells.dtype)
    own_cells[stored] = cells
    places, head = _places(length, int(index.code_size), own_cells, int(index.nlist))
    _check_layout(file, index, places, own_cells)
    places = places[stored]
    by_id = np.argsort(ids, kind="stable")
    file.write(b"\0" * (_aligned(length) - length))
    for part in (ids[by_id], places[by_id], cells[by_id].astype(np.int32)):
        file.write(part.data)
    file.flush()
    data = np.memmap(file, np.uint8, "r", shape=(file.tell(),))
    digests = b"".join(_digest(data, number) for number in range(_block_count(data.size)))
    file.write(digests)
    file.write(_TAIL.pack(_MARK, length, head, len(ids), _tail_digest(digests, length, head, len(ids))))
    file.flush()
    if data.size > _CHECKED_WHOLE:  # a power cut could go unnoticed
        os.fsync(file.fileno())


def _check_layout(file: BinaryIO, index: Any, places: Ids, cells: Cells) -> None:
    """Compare the first vector of a cell with FAISS's own reading, because another version of FAISS may write another layout."""
    from faiss.contrib.inspect_tools import get_invlist

    if not len(cells):
        return
    _, codes = get_invlist(index.invlists, int(cells[-1]))
    file.flush()
    end = file.tell()
    file.seek(int(places[np.flatnonzero(cells == cells[-1])[0]]))
    stored = file.read(int(index.code_size))
    file.seek(end)
    if stored != codes[0].tobytes():
        raise LibraryError("this version of FAISS writes files of another layout: install faiss-cpu 1.15")


def _checked(data: npt.NDArray[np.uint8]) -> tuple[int, int] | None:
    """Return the length of the FAISS index and the number of rows; None if the file is damaged."""
    if data.size < _TAIL.size:
        return None
    mark, length, head, rows, digest = _TAIL.unpack(data[-_TAIL.size :].tobytes())
    size = _aligned(length) + 20 * rows
    blocks = _block_count(size)
    if mark != _MARK or data.size != size + blocks * _DIGEST_BYTES + _TAIL.size:
        return None
    digests = data[size : size + blocks * _DIGEST_BYTES].tobytes()
    if digest != _tail_digest(digests, length, head, rows):
        return None
    checked: Sequence[int] = range(blocks)
    if size > _CHECKED_WHOLE:
        spread = np.linspace(0, blocks - 1, _BLOCKS_CHECKED).astype(int).tolist()
        checked = sorted({*range(_block_count(head)), *spread})
    for number in checked:
        if _digest(data[:size], number) != digests[number * _DIGEST_BYTES : (number + 1) * _DIGEST_BYTES]:
            return None
    return length, rows


def _digest(data: npt.NDArray[np.uint8], block: int) -> bytes:
    part = data[block * _BLOCK : (block + 1) * _BLOCK]
    return hashlib.sha256(part.data).digest()[:_DIGEST_BYTES]  # half the time of BLAKE2b, with the CPU's instructions


def _tail_digest(digests: bytes, *numbers: int) -> bytes:
    return hashlib.blake2b(digests + repr(numbers).encode(), digest_size=16).digest()


def _block_count(size: int) -> int:
    return -(-size // _BLOCK)


def _aligned(length: int) -> int:
    return -(-length // 8) * 8


@contextmanager
def one_thread() -> Iterator[None]:
    """Use one of FAISS's threads: a single query gains nothing from more, because they wait for each other.

    10,000 vectors on a busy machine with 2 cores: 44 ms with two threads, 0.5 ms with one.
    """
    faiss = load_faiss()
    threads = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(threads)


def load_faiss() -> Any:
    """Import FAISS.

    Raises:
        MissingExtraError: FAISS is not installed.
    """
    global _started
    try:
        import faiss
    except ModuleNotFoundError as error:
        raise MissingExtraError("vector search", "faiss", "local") from error
    if _started != os.getpid():
        if _started:  # OpenMP's threads do not survive a fork, and a child that waits for them hangs
            faiss.omp_set_num_threads(1)
        _started = os.getpid()
    return faiss
