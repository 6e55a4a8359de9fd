"""A part of a vector index: rows that were written together, without those that were removed since."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from ....tools.embedding.protocol import Vectors
from .segments import Ids, VectorSegment, load_faiss

__all__ = ["Bitmap", "Part"]

Bitmap = npt.NDArray[np.uint8]  # one bit for each id


@dataclass(frozen=True, eq=False)
class Part:
    """Rows, and the positions of those that were removed, in order.

    Attributes:
        segment: All rows in one cell.
        short: Their short vectors in many cells; None: there are few rows.
    """

    segment: VectorSegment
    short: VectorSegment | None = None
    removed: Ids = field(default_factory=lambda: np.zeros(0, np.int64))

    def __len__(self) -> int:
        return len(self.segment) - len(self.removed)

    def kept(self) -> Ids:
        """Positions of the rows that are not removed."""
        return np.delete(np.arange(len(self.segment)), self.removed)

    def search(self, query: Vectors, k: int, cells: Any, bits: Bitmap | None) -> tuple[Ids, Vectors]:
        """Return the `k` nearest rows, or more if equal vectors are stored once, best first.

        Args:
            query: One vector, float32, shape `(1, dimensions)`; rotated if the part has short vectors.
            k: Number of rows.
            cells: From `segments.chosen_cells`; None for a part without short vectors.
            bits: Only ids whose bit is set; None: all.
        """
        scanned = self._scanned
        ids, scores = scanned.search(query, k, cells, self._selector if bits is None else self._selector_within(bits))
        if not scanned.shares:
            return ids, scores
        ids, scores = scanned.with_equals(ids, scores)
        stays = ~np.isin(ids, scanned.ids[self.removed])
        if bits is not None:
            stays &= _is_set(bits, ids)
        return ids[stays], scores[stays]

    @property
    def _scanned(self) -> VectorSegment:
        return self.short or self.segment

    @cached_property
    def _selector(self) -> Any:
        """A FAISS selector without the removed rows."""
        return self._scanned.all_but(self.removed)

    def _selector_within(self, bits: Bitmap) -> Any:
        """A FAISS selector of the vectors of rows that are not removed and whose bit is set."""
        faiss = load_faiss()
        if self._scanned.shares:
            kept = self.kept()
            allowed = kept[_is_set(bits, self._scanned.ids[kept])]
            return faiss.IDSelectorBatch(np.unique(self._scanned.stored_under(allowed)))
        if len(self.removed):
            bits = bits.copy()
            gone = self._scanned.ids[self.removed]
            gone = gone[gone < 8 * len(bits)]
            np.bitwise_and.at(bits, gone >> 3, ~(1 << (gone & 7)).astype(np.uint8))
        selector = faiss.IDSelectorBitmap(bits)
        selector.kept_alive = bits
        return selector


def _is_set(bits: Bitmap, ids: Ids) -> npt.NDArray[np.bool_]:
    """Whether the bit of each id is set."""
    near = np.minimum(ids >> 3, len(bits) - 1)
    return np.asarray((ids < 8 * len(bits)) & ((bits[near] >> (ids & 7)) & 1).astype(bool))
