"""How the numbers of stored unit vectors are written: as float16, or as one byte each."""

from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ....tools.embedding.protocol import Vectors
from ...byte_vectors import from_bytes, largest

__all__ = ["Bits", "decoded", "faiss_kind", "faiss_parameters"]

Bits = Literal[8, 16]  # of each number


def faiss_kind(faiss: Any, bits: Bits) -> int:
    """Return FAISS's number of the coding."""
    # FAISS's `QT_8bit_direct_signed` rounds the query to whole numbers, too, where 64 divides the dimensions.
    return int(faiss.ScalarQuantizer.QT_8bit_uniform if bits == 8 else faiss.ScalarQuantizer.QT_fp16)


def faiss_parameters(bits: Bits, dimensions: int) -> npt.NDArray[np.float32]:
    """Return what FAISS would learn from the vectors: the least value, and the range."""
    limit = largest(dimensions)
    return np.array([-limit, 2 * limit] if bits == 8 else [], np.float32)


def decoded(codes: npt.NDArray[Any], bits: Bits, dimensions: int) -> Vectors:
    """Return stored vectors as FAISS reads them, float32, shape `(n, dimensions)`."""
    if bits == 16:
        return codes.view(np.float16).reshape(-1, dimensions).astype(np.float32)
    return from_bytes(codes.view(np.uint8).reshape(-1, dimensions))
