"""Unit vectors with one byte a number, as committed files and the search index hold them."""

import math

import numpy as np
import numpy.typing as npt

__all__ = ["as_bytes", "from_bytes", "largest"]

Bytes = npt.NDArray[np.uint8]

# Over the root of the dimensions; larger numbers are cut. The largest of 54,000 texts by MiniLM is 5.3.
_LARGEST = 6.0


def largest(dimensions: int) -> float:
    """The largest number that a byte stands for: a byte is one of 256 equal steps from minus to plus this number.

    It depends on nothing else, so that rows of different files are merged without loss.
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
