"""How the numbers of stored unit vectors are written: as float16, or as one byte each."""

import math
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ....tools.embedding.protocol import Vectors

__all__ = ["Bits", "decoded", "faiss_kind", "faiss_parameters"]

Bits = Literal[8, 16]  # of each number

# A byte is one of 256 equal steps from minus to plus this number, over the root of the dimensions; larger numbers are cut.
# The largest of 54,000 texts by MiniLM is 5.3. It is the same for all files, so that rows are merged without loss.
_LARGEST = 6.0


def faiss_kind(faiss: Any, bits: Bits) -> int:
    """Return FAISS's number of the coding."""
    # FAISS's `QT_8bit_direct_signed` rounds the query to whole numbers, too, where 64 divides the dimensions.
    return int(faiss.ScalarQuantizer.QT_8bit_uniform if bits == 8 else faiss.ScalarQuantizer.QT_fp16)


def faiss_parameters(bits: Bits, dimensions: int) -> npt.NDArray[np.float32]:
    """Return what FAISS would learn from the vectors: the least value, and the range."""
    limit = _limit(dimensions)
    return np.array([-limit, 2 * limit] if bits == 8 else [], np.float32)


def decoded(codes: npt.NDArray[Any], bits: Bits, dimensions: int) -> Vectors:
    """Return stored vectors as FAISS reads them, float32, shape `(n, dimensions)`."""
    if bits == 16:
        return codes.view(np.float16).reshape(-1, dimensions).astype(np.float32)
    least, extent = faiss_parameters(bits, dimensions)
    numbers = codes.view(np.uint8).reshape(-1, dimensions).astype(np.float32)
    return (numbers + np.float32(0.5)) * (extent / np.float32(255)) + least


def _limit(dimensions: int) -> float:
    return min(1.0, _LARGEST / math.sqrt(dimensions))
