"""Text and pictures as unit vectors: the one owner of sentence-transformers, and the only normalisation.

Each model has its own vector space, named by `space`; vectors of different spaces are never compared.
"""

import logging
import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

from .device import resolve_device
from .errors import MissingExtraError, WeightsError
from .records import Observation, Still
from .settings import Settings
from .weights import find

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

__all__ = ["CorpusEncoder", "ImageEncoder", "SentenceEncoder", "TextEncoder", "Vectors", "image_encoder", "unit"]

Vectors = npt.NDArray[np.float32]

# Attention's cost grows with the longest text of a batch: small batches, texts sorted by length. On CPU 64 at once take
# a quarter longer than 8, and 240 MB more.
_BATCH = {"cpu": 8, "cuda": 64}
# Words and short phrases are remembered: so many vectors of MiniLM are 25 MB.
_MOST_REMEMBERED = 16_384
_SHORT = 64  # characters


class TextEncoder(Protocol):
    """Turns texts into unit vectors of one space; texts with a cosine below `floor` are not alike."""

    space: str
    floor: float

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Unit vectors, float32, shape `(len(texts), dimensions)`."""


class CorpusEncoder(TextEncoder, Protocol):
    """A text encoder that embeds what is stored, too."""

    def encode_all(self, texts: Sequence[str]) -> Vectors:
        """As `encode`, of many texts at once: the same bits for the same texts, whatever was asked before."""


class ImageEncoder(Protocol):
    """Turns pictures, and queries for pictures, into unit vectors of one space.

    A picture whose cosine with a query is below `floor` does not show it.
    """

    space: str
    source: str
    floor: float

    def observe(self, stills: Sequence[Still]) -> tuple[list[Observation], Vectors]:
        """One `frame` observation a still, and its unit vector, float32, shape `(len(stills), dimensions)`."""

    def encode_queries(self, queries: Sequence[str]) -> Vectors:
        """Unit vectors of the queries, in the space of the pictures."""

    def shows(self, query: str, text: str, cosine: float) -> bool:
        """Whether a picture, with this observation's text and cosine to the query, shows what the query describes."""


def unit(vectors: npt.ArrayLike) -> Vectors:
    """Rows scaled to length 1, as float32; a row of zeros stays one."""
    rows = np.asarray(vectors, dtype=np.float32)
    lengths = np.linalg.norm(rows, axis=-1, keepdims=True)
    return np.ascontiguousarray(rows / np.where(lengths > 0, lengths, 1.0), dtype=np.float32)


class SentenceEncoder:
    """A sentence-transformers model."""

    # Unrelated English sentences lie below: see tests/benchmarks.
    floor = 0.2

    def __init__(self, settings: Settings) -> None:
        """Find the weights; the model loads at first use.

        Raises:
            WeightsError: The weights cannot be had.
            MissingExtraError: sentence-transformers is not installed.
        """
        weights = find(settings.model_for("text_model"), "text_model", offline=settings.offline)
        self.space = weights.source
        self._folder = weights.path
        self._device = resolve_device(settings)
        self._model: SentenceTransformer | None = None
        self._remembered: OrderedDict[str, npt.NDArray[np.float32]] = OrderedDict()
        self._lock = threading.Lock()

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Unit vectors of the texts; what lies past the model's window (MiniLM: 256 tokens) is not seen.

        Single texts and short ones are remembered: every ranking of a search asks for the same query, and every
        question of a video for its words.
        """
        if not texts:
            return self.encode_all(texts)
        with self._lock:
            known = {text: self._remembered[text] for text in texts if text in self._remembered}
            for text in known:
                self._remembered.move_to_end(text)
        new = [text for text in dict.fromkeys(texts) if text not in known]
        if new:
            known |= zip(new, self.encode_all(new), strict=True)
            with self._lock:
                self._remembered |= {t: known[t].copy() for t in new if len(texts) == 1 or len(t) <= _SHORT}
                while len(self._remembered) > _MOST_REMEMBERED:
                    self._remembered.popitem(last=False)
        return np.stack([known[text] for text in texts])

    def encode_all(self, texts: Sequence[str]) -> Vectors:
        """As `CorpusEncoder.encode_all`; nothing is remembered."""
        model = self._loaded()
        if not texts:
            return np.zeros((0, model.get_embedding_dimension() or 0), np.float32)
        vectors = model.encode(
            list(texts), batch_size=_BATCH[self._device], show_progress_bar=False, convert_to_numpy=True
        )
        return unit(vectors)

    def _loaded(self) -> "SentenceTransformer":
        if self._model is None:
            try:
                from sentence_transformers import SentenceTransformer
            except ModuleNotFoundError as error:
                raise MissingExtraError("text embedding", "sentence_transformers", "local") from error
            from transformers.utils import logging as transformers_logging

            logging.getLogger("sentence_transformers").setLevel(logging.WARNING)
            transformers_logging.disable_progress_bar()
            try:
                model = SentenceTransformer(str(self._folder), device=self._device, local_files_only=True)
                self._model = model.half() if self._device == "cuda" else model
            except (OSError, ValueError, KeyError) as error:
                raise WeightsError(
                    f"{self._folder} holds no sentence-transformers model ({error}): check text_model"
                ) from error
        return self._model


def image_encoder(settings: Settings, text: TextEncoder | None) -> ImageEncoder:
    """The encoder that `image_model` names: ConSE over `text`'s space, or a SigLIP or CLIP of its own space.

    Raises:
        WeightsError: The weights cannot be had, or ConSE has no text encoder.
        MissingExtraError: A library is not installed.
    """
    from .clip import ClipEncoder
    from .conse import ConseEncoder

    if settings.model_for("image_model") == "efficientnet-lite2":
        if text is None:
            raise WeightsError("efficientnet-lite2 embeds pictures in a text model's space: get text_model first")
        return ConseEncoder(settings, text)
    return ClipEncoder(settings)
