"""Nearest vectors by exact inner product: the one owner of FAISS.

Flat indexes: similarities of pictures differ in the third decimal, and quantised indexes lose the
very hits one wants. Searches without a filter run on the GPU where `faiss-gpu` is installed and one is there.
Shapes are checked here, for FAISS fails on a wrong one with an empty message.
"""

import hashlib
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..tools.embed import Vectors
from ..tools.errors import LibraryError, MissingExtraError

__all__ = ["VectorIndex", "faiss_state"]

Ids = npt.NDArray[np.int64]

_MOST_ON_GPU = 2048  # results that FAISS gives on a GPU
_DIGEST_BYTES = 16


class VectorIndex:
    """Unit vectors of one space under integer ids. Not for several threads at once while it changes."""

    def __init__(self, dimensions: int) -> None:
        faiss = _faiss()
        self._index: Any = faiss.IndexIDMap2(faiss.IndexFlatIP(dimensions))
        self._on_gpu: Any = None

    @classmethod
    def load(cls, path: Path) -> "VectorIndex":
        """Read an index that `save` wrote.

        Raises:
            LibraryError: The file is no such index, or damaged.
        """
        faiss = _faiss()
        try:
            data = np.memmap(path, np.uint8, "r")
        except (OSError, ValueError) as error:
            raise LibraryError(f"{path} cannot be read: delete it, it is made again") from error
        body = data[:-_DIGEST_BYTES]
        if _digest(body) != data[-_DIGEST_BYTES:].tobytes():
            raise LibraryError(f"{path} is damaged: delete it, it is made again")
        made = cls.__new__(cls)
        made._index = faiss.deserialize_index(body)
        made._on_gpu = None
        return made

    def save(self, path: Path) -> None:
        """Write the index in one step: as FAISS does, and a digest behind it."""
        staged = path.with_name(f"{path.name}.{uuid.uuid4().hex}")
        body = _faiss().serialize_index(self._index)
        try:
            # FAISS reports a full disk as RuntimeError: have Python write the bytes.
            with staged.open("wb") as file:
                file.write(body)
                file.write(_digest(body))
            staged.replace(path)
        finally:
            staged.unlink(missing_ok=True)

    @property
    def dimensions(self) -> int:
        """Length of a vector."""
        return int(self._index.d)

    def __len__(self) -> int:
        return int(self._index.ntotal)

    def add(self, vectors: Vectors, ids: Ids) -> None:
        """Add vectors, shape `(n, dimensions)`, under ids that are not in use."""
        self._check(vectors)
        if ids.shape != (len(vectors),):
            raise ValueError(f"{len(vectors)} ids expected, got an array of shape {ids.shape}")
        self._on_gpu = None
        self._index.add_with_ids(np.ascontiguousarray(vectors, np.float32), np.ascontiguousarray(ids, np.int64))

    def remove(self, ids: Ids) -> None:
        """Take out ids; those that are not there are passed over."""
        self._on_gpu = None
        self._index.remove_ids(np.ascontiguousarray(ids, np.int64))

    def search(self, query: Vectors, k: int, among: Ids | None = None) -> tuple[Ids, Vectors]:
        """The `k` nearest, best first; fewer if there are no more.

        Args:
            query: One unit vector, shape `(dimensions,)`.
            k: How many.
            among: Only these ids; None: all.

        Returns:
            Ids, and inner products (cosines, -1 to 1).
        """
        faiss = _faiss()
        self._check(query[None])
        k = min(k, len(self) if among is None else len(among))
        if k < 1:
            return np.zeros(0, np.int64), np.zeros(0, np.float32)
        row = np.ascontiguousarray(query[None], np.float32)
        with _one_thread(faiss):
            if among is not None:
                selector = faiss.IDSelectorBatch(np.ascontiguousarray(among, np.int64))
                scores, ids = self._index.search(row, k, params=faiss.SearchParameters(sel=selector))
            else:
                scores, ids = self._whole(k).search(row, k)
        found = ids[0] >= 0
        return ids[0][found], scores[0][found]

    def _whole(self, k: int) -> Any:
        """The index on the GPU if there is one (selectors work on the CPU only), else as it is."""
        faiss = _faiss()
        if k > _MOST_ON_GPU or not hasattr(faiss, "StandardGpuResources") or faiss.get_num_gpus() < 1:
            return self._index
        if self._on_gpu is None:
            self._on_gpu = faiss.index_cpu_to_gpu(faiss.StandardGpuResources(), 0, self._index)
        return self._on_gpu

    def _check(self, vectors: Vectors) -> None:
        if vectors.ndim != 2 or vectors.shape[1] != self.dimensions:
            raise ValueError(f"vectors of {self.dimensions} dimensions expected, got an array of shape {vectors.shape}")


def _digest(body: npt.NDArray[np.uint8]) -> bytes:
    """Of a damaged file FAISS takes lengths as they are: the memory they ask for ended the process in a test."""
    return hashlib.blake2b(body.data, digest_size=_DIGEST_BYTES).digest()


def faiss_state() -> str:
    """What FAISS is installed, for `doctor`.

    Raises:
        MissingExtraError: None is.
    """
    faiss = _faiss()
    if not hasattr(faiss, "StandardGpuResources"):
        return f"{faiss.__version__}, CPU"
    count = faiss.get_num_gpus()
    return f"{faiss.__version__}, GPU build, {count} GPU{'' if count == 1 else 's'}"


@contextmanager
def _one_thread(faiss: Any) -> Iterator[None]:
    """For one query FAISS gains nothing from threads, and they wait for each other.

    10,000 vectors on a busy machine with 2 cores: 44 ms with two threads, 0.5 ms with one.
    """
    threads = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(threads)


def _faiss() -> Any:
    try:
        import faiss
    except ModuleNotFoundError as error:
        raise MissingExtraError("vector search", "faiss", "local") from error
    return faiss
