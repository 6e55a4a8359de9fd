"""Unit vectors with one byte a number, as committed files and the search index hold them."""

import math

import numpy as np
import numpy.typing as npt

__all__ = ["as_bytes", "as_even_bytes", "from_bytes", "largest"]

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
    return np.clip(_steps(vectors), 0, 255).astype(np.uint8)


def as_even_bytes(vectors: npt.NDArray[np.floating]) -> Bytes:
    """Return vectors as the nearest even bytes, which `from_bytes` reads: compressed they take a seventh less."""
    return (2 * np.clip(np.rint((_steps(vectors) - np.float32(0.5)) / 2), 0, 127)).astype(np.uint8)


def from_bytes(codes: Bytes) -> npt.NDArray[np.float32]:
    """Return the vectors of `as_bytes`, float32: the middle of each step."""
    limit = largest(codes.shape[1])
    numbers = codes.astype(np.float32) + np.float32(0.5)
    return numbers * np.float32(2 * limit / 255) - np.float32(limit)


def _steps(vectors: npt.NDArray[np.floating]) -> npt.NDArray[np.float32]:
    """The numbers of vectors in steps of a byte, from the start of the range."""
    limit = largest(vectors.shape[1])
    steps: npt.NDArray[np.float32] = (vectors.astype(np.float32) + np.float32(limit)) * np.float32(255 / (2 * limit))
    return steps
