"""Unit vectors with one byte a number, as committed files and the search index hold them."""

import math

import numpy as np
import numpy.typing as npt

__all__ = ["as_bytes", "from_bytes", "largest"]

Bytes = npt.NDArray[np.uint8]

# The end of the range, times the root of the dimensions; larger numbers are clipped. The largest of 54,000 texts by MiniLM is 5.3.
_LARGEST = 6.0


def largest(dimensions: int) -> float:
    """Return the end of the range that a byte covers: 256 equal steps from minus this number to plus this number.

    It depends on the dimensions only, so rows of different files can be merged without loss.
    """
    return min(1.0, _LARGEST / math.sqrt(dimensions))


def as_bytes(vectors: npt.NDArray[np.floating]) -> Bytes:
    """Return vectors, shape `(n, dimensions)`, as FAISS's `QT_8bit_uniform` writes them."""
    limit = largest(vectors.shape[1])
    steps = (vectors.astype(np.float32) + np.float32(limit)) * np.float32(255 / (2 * limit))
    return np.clip(steps, 0, 255).astype(np.uint8)


def from_bytes(codes: Bytes) -> npt.NDArray[np.float32]:
    """Return the vectors of `as_bytes`, float32: the middle of each step."""
    limit = largest(codes.shape[1])
    numbers = codes.astype(np.float32) + np.float32(0.5)
    return numbers * np.float32(2 * limit / 255) - np.float32(limit)
