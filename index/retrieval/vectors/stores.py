"""Chooses the store of vectors: FAISS files in the library's folder, or LanceDB. Both follow the same protocol."""

import json
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from ....tools.embedding.protocol import Vectors
from .codings import Bits
from .faiss_index import VectorIndex
from .lance_index import LanceIndex
from .segments import Ids

__all__ = ["AnyIndex", "new_index", "open_index"]


class AnyIndex(Protocol):
    """Unit vectors under integer ids; `VectorIndex` describes the methods.

    Attributes:
        dimensions: Length of a vector.
    """

    dimensions: int

    def __len__(self) -> int: ...

    def add(self, vectors: npt.NDArray[np.floating], ids: Ids) -> None:
        """Add vectors under new ids."""

    def remove(self, ranges: Ids) -> None:
        """Remove all ids in ranges."""

    def search(self, query: Vectors, k: int, ranges: Ids | None = None) -> tuple[Ids, Vectors]:
        """Return the nearest ids with their inner products."""

    def vectors_of(self, ids: Ids) -> tuple[Ids, Vectors]:
        """Return the vectors of ids."""

    def save(self) -> str:
        """Write added rows; returns what `open_index` needs."""

    def maintain(self) -> bool:
        """Merge or train once, if it is due."""

    def files(self, saved: str) -> set[str]:
        """Names of the files in the library's folder."""


def new_index(dimensions: int, prefix: Path, address: str, bits: Bits) -> AnyIndex:
    """Make an empty index.

    Args:
        dimensions: Length of a vector.
        prefix: Start of the paths of files in the library; its name is also the name of the LanceDB table.
        address: Folder or URL of a LanceDB database; empty: the library's folder.
        bits: Of each stored number, in the library's folder; LanceDB stores float16.
    """
    return LanceIndex(dimensions, address, prefix.name) if address else VectorIndex(dimensions, prefix, bits)


def open_index(prefix: Path, saved: str, previous: AnyIndex | None, *, for_writing: bool = False) -> AnyIndex:
    """Open what `save` noted.

    Args:
        prefix: As for `new_index`.
        saved: The result of `save`.
        previous: The index as opened before.
        for_writing: For the publisher.

    Raises:
        LibraryError: A file is missing or damaged, or the address cannot be opened.
    """
    if "address" in json.loads(saved):
        return LanceIndex.load(saved, for_writing=for_writing)
    return VectorIndex.load(prefix, saved, previous if isinstance(previous, VectorIndex) else None)
