"""The protocols of encoders: unit vectors of texts and pictures, and their normalisation.

Vectors with the same `embedding_id` are comparable; others are never compared.
"""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from ..records import Observation, Segment

__all__ = ["CorpusEncoder", "ImageEncoder", "TextEncoder", "Vectors", "unit"]

Vectors = npt.NDArray[np.float32]


class TextEncoder(Protocol):
    """Turns texts into comparable unit vectors; texts with a cosine below `floor` are unrelated."""

    embedding_id: str
    floor: float

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Unit vectors, float32, shape `(len(texts), dimensions)`."""


class CorpusEncoder(TextEncoder, Protocol):
    """A text encoder that also embeds stored texts."""

    def encode_all(self, texts: Sequence[str]) -> Vectors:
        """As `encode`, of many texts at once. The same list gives the same bits, whatever was encoded before."""


class ImageEncoder(Protocol):
    """Turns pictures, and queries for pictures, into comparable unit vectors.

    A picture whose cosine with a query is below `floor` does not show it.
    """

    embedding_id: str
    source: str
    floor: float

    def observe(self, segments: Sequence[Segment]) -> tuple[list[Observation], Vectors]:
        """One `frame` observation a segment, and its unit vector, float32, shape `(len(segments), dimensions)`."""

    def encode_queries(self, queries: Sequence[str]) -> Vectors:
        """Unit vectors of the queries, comparable with those of the pictures."""

    def shows(self, query: str, text: str, cosine: float) -> bool:
        """Whether a picture, with this observation's text and cosine to the query, shows what the query describes."""


def unit(vectors: npt.ArrayLike) -> Vectors:
    """Rows scaled to length 1, as float32; a row of zeros stays as it is."""
    rows = np.asarray(vectors, dtype=np.float32)
    lengths = np.linalg.norm(rows, axis=-1, keepdims=True)
    return np.ascontiguousarray(rows / np.where(lengths > 0, lengths, 1.0), dtype=np.float32)
