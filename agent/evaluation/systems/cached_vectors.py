"""Caches text vectors on disk, so that a benchmark embeds its captions once."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ....tools.embedding.protocol import TextEncoder, Vectors
from ....tools.settings import cache_folder

__all__ = ["CachedVectors"]


class CachedVectors:
    """A text encoder with a cache of batches in a folder."""

    def __init__(self, encoder: TextEncoder, folder: Path | None = None) -> None:
        """Wrap an encoder; nothing is encoded yet.

        Args:
            encoder: The text encoder.
            folder: Cache folder; None: in the user's cache folder.
        """
        self.embedding_id, self.floor = encoder.embedding_id, encoder.floor
        self._encoder = encoder
        self._folder = folder or cache_folder() / "evaluation"
        self._known: dict[str, Vectors] = {}

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Return unit vectors, float32, shape `(len(texts), dimensions)`; texts of earlier batches are reused."""
        if len(texts) == 1 and texts[0] in self._known:
            return self._known[texts[0]][None]
        if len(texts) < 2:
            return self._encoder.encode(texts)
        name = hashlib.blake2b("\n".join([self.embedding_id, *texts]).encode(), digest_size=8).hexdigest()
        path = self._folder / f"texts-{name}.npy"
        if not path.exists():
            self._folder.mkdir(parents=True, exist_ok=True)
            staged = path.with_suffix(".part.npy")
            np.save(staged, self._encoder.encode(texts))
            staged.replace(path)
        vectors: Vectors = np.load(path, allow_pickle=False)
        self._known.update(zip(texts, vectors, strict=True))
        return vectors

    def by_text(self, texts: Sequence[str]) -> dict[str, Vectors]:
        """Return the vector of each distinct text, shape `(dimensions,)`."""
        different = sorted(set(texts))
        return dict(zip(different, self.encode(different), strict=True))
