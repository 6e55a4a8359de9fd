"""Vectors in immutable files: the one owner of FAISS.

A segment holds float16 vectors under integer ids, in one list (scanned whole) or in many (inverted lists around
the same centres, of which a search reads the nearest). float16 is what a video's folder holds, so nothing is lost:
similarities of pictures differ in the third decimal, and quantised indexes lose the very hits one wants.

A segment's file is a FAISS index, read where the system maps it, and behind it, sorted by id, where each row lies;
then a digest of each block of all this, and of the digests. FAISS takes the lengths in a damaged file as they are
and asks for all memory, so those of the head are always checked; the rest is checked whole up to 32 MiB, and in 16
blocks spread evenly beyond, where a wrong byte can only make a wrong cosine or an id that is in no catalogue.
"""

import hashlib
import os
import struct
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from ...tools.embedding.protocol import Vectors
from ...tools.errors import LibraryError, MissingExtraError

__all__ = [
    "Halves",
    "Ids",
    "Lists",
    "VectorSegment",
    "as_halves",
    "load_faiss",
    "nearest_centres",
    "one_thread",
    "trained",
]

Halves = npt.NDArray[np.float16]
Ids = npt.NDArray[np.int64]
Lists = npt.NDArray[np.int32]

# The last bytes of a file: this mark, length of the FAISS index, of its head, rows, digest of these and of the digests.
_TAIL = struct.Struct("<8sQQQ16s")
_MARK = b"playvec1"
_BLOCK = 1 << 20
_DIGEST_BYTES = 8
_CHECKED_WHOLE = 32 << 20
_BLOCKS_CHECKED = 16
# k-means: rounds, and the rows a centre is learnt from.
_ROUNDS = 8
_SEED = 0


class VectorSegment:
    """Rows that never change, in one or more lists."""

    def __init__(self, body: npt.NDArray[np.uint8], ids: Ids, places: Ids, lists: Lists, path: Path | None) -> None:
        """Take what `written` or `opened` found; they are how segments are made."""
        faiss = load_faiss()
        self.path = path
        self.ids, self._places, self._lists = ids, places, lists
        self._body = body  # FAISS reads from it, without a copy
        self._index: Any = faiss.read_index(faiss.ZeroCopyIOReader(faiss.swig_ptr(body), body.size))
        self.dimensions = int(self._index.d)

    @classmethod
    def written(
        cls,
        path: Path | None,
        dimensions: int,
        lists: Lists,
        list_count: int,
        chunks: Iterable[tuple[Ids, Halves]],
    ) -> "VectorSegment":
        """Write rows, in one step, and open what was written.

        Args:
            path: The file; None keeps it in memory.
            dimensions: Length of a vector.
            lists: The list of each row, in the order of the chunks.
            list_count: How many lists there are.
            chunks: Ids and vectors, a part of the rows at a time. No id twice.

        Raises:
            OSError: The disk does not take it.
        """
        faiss = load_faiss()
        index, ids = _filled(dimensions, lists, list_count, chunks)
        if path is None:
            body = faiss.serialize_index(index)
            return cls(body, *_sorted_places(body, index, ids, lists), None)
        staged = path.with_name(f"{path.name}.{uuid.uuid4().hex}")
        try:
            with staged.open("wb+") as file:
                _write(file, index, ids, lists)
            staged.replace(path)
        finally:
            staged.unlink(missing_ok=True)
        return cls.opened(path)

    @classmethod
    def opened(cls, path: Path) -> "VectorSegment":
        """Map a file into memory.

        Raises:
            LibraryError: It is no such file, or damaged.
        """
        try:
            data = np.memmap(path, np.uint8, "r")
        except (OSError, ValueError) as error:
            raise LibraryError(f"{path} cannot be read: delete it, it is made again") from error
        sizes = _checked(data)
        if sizes is None:
            raise LibraryError(f"{path} is damaged: delete it, it is made again")
        length, rows = sizes
        first = _aligned(length)
        ids = data[first : first + 8 * rows].view(np.int64)
        places = data[first + 8 * rows : first + 16 * rows].view(np.int64)
        lists = data[first + 16 * rows : first + 20 * rows].view(np.int32)
        return cls(data[:length], ids, places, lists, path)

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def list_count(self) -> int:
        """How many lists there are."""
        return int(self._index.nlist)

    def search(self, query: Vectors, k: int, lists: Ids, others: Any = None) -> tuple[Ids, Vectors]:
        """The `k` nearest in some lists, best first.

        Args:
            query: One vector, float32, shape `(1, dimensions)`.
            k: How many, at least 1.
            lists: Which lists, shape `(1, n)`; -1: none.
            others: What `all_but` made; None: all.
        """
        faiss = load_faiss()
        k = min(k, len(self))
        scores, ids = np.empty((1, k), np.float32), np.empty((1, k), np.int64)
        chosen = faiss.SearchParametersIVF(nprobe=lists.shape[1], sel=others)
        near = np.zeros(lists.shape, np.float32)
        arrays = [faiss.swig_ptr(array) for array in (lists, near, scores, ids)]
        self._index.search_preassigned_c(1, faiss.swig_ptr(query), k, *arrays, False, chosen)
        found = ids[0] >= 0
        return ids[0][found], scores[0][found]

    def all_but(self, positions: Ids) -> Any:
        """What has a search leave out the rows at some positions; None if there are none."""
        faiss = load_faiss()
        return faiss.IDSelectorNot(faiss.IDSelectorBatch(self.ids[positions])) if len(positions) else None

    def positions(self, ids: Ids) -> Ids:
        """Where some ids stand among the sorted ids; those that are not here are left out."""
        places = np.minimum(np.searchsorted(self.ids, ids), len(self) - 1)
        return places[self.ids[places] == ids]

    def codes(self, positions: Ids) -> Halves:
        """The vectors at some positions."""
        code = 2 * self.dimensions
        anywhere = np.ndarray((max(0, self._body.size - code + 1),), f"V{code}", self._body, strides=(1,))
        return anywhere[self._places[positions]].view(np.float16).reshape(-1, self.dimensions)

    def vectors(self, positions: Ids) -> Vectors:
        """The same as float32."""
        return self.codes(positions).astype(np.float32)

    def lists(self, positions: Ids) -> Lists:
        """The lists in which rows lie."""
        return self._lists[positions]


def as_halves(vectors: npt.NDArray[np.floating]) -> Halves:
    """Vectors as they are kept; of those from a video's folder no bit changes."""
    return np.ascontiguousarray(vectors, np.float16)


def trained(sample: Vectors, count: int) -> Vectors:
    """Centres of vectors, of length 1 (spherical k-means, Dhillon and Modha 2001)."""
    faiss = load_faiss()
    means = faiss.Kmeans(sample.shape[1], count, niter=_ROUNDS, spherical=True, seed=_SEED, min_points_per_centroid=1)
    means.train(sample)
    centres: Vectors = means.centroids
    return centres


def nearest_centres(centres: Vectors, vectors: Vectors) -> Lists:
    """The number of the nearest centre of each vector."""
    faiss = load_faiss()
    flat = faiss.IndexFlatIP(centres.shape[1])
    flat.add(centres)
    return flat.search(vectors, 1)[1][:, 0].astype(np.int32)


def _filled(dimensions: int, lists: Lists, list_count: int, chunks: Iterable[tuple[Ids, Halves]]) -> tuple[Any, Ids]:
    """A FAISS index with the rows in their lists, each list as long as it becomes; and the ids in their order."""
    faiss = load_faiss()
    kind = faiss.ScalarQuantizer.QT_fp16
    none = faiss.IndexFlatIP(dimensions)  # which lists are near is known without FAISS
    index = faiss.IndexIVFScalarQuantizer(none, dimensions, list_count, kind, faiss.METRIC_INNER_PRODUCT, False)
    index.is_trained = True
    index.ntotal = len(lists)
    filled = np.zeros(list_count, np.int64)
    for number, rows in enumerate(np.bincount(lists, minlength=list_count).tolist()):
        index.invlists.resize(number, rows)
    all_ids = []
    done = 0
    for ids, vectors in chunks:
        part = lists[done : done + len(ids)]
        order = np.argsort(part, kind="stable")
        ordered, codes = np.ascontiguousarray(ids[order]), as_halves(vectors)[order].view(np.uint8)
        numbers, firsts = np.unique(part[order], return_index=True)
        for number, first, last in zip(
            numbers.tolist(), firsts.tolist(), [*firsts[1:].tolist(), len(ids)], strict=True
        ):
            index.invlists.update_entries(
                number,
                int(filled[number]),
                last - first,
                faiss.swig_ptr(ordered[first:last]),
                faiss.swig_ptr(codes[first:last]),
            )
            filled[number] += last - first
        done += len(ids)
        all_ids.append(ids)
    return index, np.concatenate(all_ids) if all_ids else np.zeros(0, np.int64)


def _sorted_places(body: npt.NDArray[np.uint8], index: Any, ids: Ids, lists: Lists) -> tuple[Ids, Ids, Lists]:
    """Ids in order, the byte of the body at which each one's vector starts, and its list."""
    faiss = load_faiss()
    read = faiss.read_index(faiss.ZeroCopyIOReader(faiss.swig_ptr(body), body.size))
    counts = np.bincount(lists, minlength=read.nlist)
    starts = np.array([int(read.invlists.get_codes(n)) if c else 0 for n, c in enumerate(counts.tolist())], np.int64)
    starts -= body.ctypes.data
    order = np.argsort(lists, kind="stable")  # as they lie in the body
    within = np.arange(len(lists)) - np.repeat(np.cumsum(counts) - counts, counts)
    places = np.empty(len(lists), np.int64)
    places[order] = starts[lists[order]] + within * index.code_size
    by_id = np.argsort(ids, kind="stable")
    return ids[by_id], places[by_id], lists[by_id]


def _write(file: BinaryIO, index: Any, ids: Ids, lists: Lists) -> None:
    """The FAISS index, padding, where each row lies, the digests, the tail."""
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
    file.flush()
    length = file.tell()
    body = np.memmap(file, np.uint8, "r", shape=(length,))
    by_id, places, of_lists = _sorted_places(body, index, ids, lists)
    head = int(places.min()) if len(places) else length
    file.write(b"\0" * (_aligned(length) - length))
    for part in (by_id, places, of_lists):
        file.write(part.data)
    file.flush()
    data = np.memmap(file, np.uint8, "r", shape=(file.tell(),))
    digests = b"".join(_digest(data, number) for number in range(_block_count(data.size)))
    file.write(digests)
    file.write(_TAIL.pack(_MARK, length, head, len(ids), _tail_digest(digests, length, head, len(ids))))
    file.flush()
    if data.size > _CHECKED_WHOLE:  # what a power cut took would not be noticed
        os.fsync(file.fileno())


def _checked(data: npt.NDArray[np.uint8]) -> tuple[int, int] | None:
    """Length of the FAISS index and number of rows; None if the file is damaged."""
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
    return hashlib.blake2b(part.data, digest_size=_DIGEST_BYTES).digest()


def _tail_digest(digests: bytes, *numbers: int) -> bytes:
    return hashlib.blake2b(digests + repr(numbers).encode(), digest_size=16).digest()


def _block_count(size: int) -> int:
    return -(-size // _BLOCK)


def _aligned(length: int) -> int:
    return -(-length // 8) * 8


@contextmanager
def one_thread() -> Iterator[None]:
    """For one query FAISS gains nothing from threads, and they wait for each other.

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
    """The library.

    Raises:
        MissingExtraError: It is not installed.
    """
    try:
        import faiss
    except ModuleNotFoundError as error:
        raise MissingExtraError("vector search", "faiss", "local") from error
    return faiss
