"""Texts as unit vectors by sentence-transformers. The only module that imports sentence-transformers."""

import logging
import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ..device import resolve_device
from ..errors import MissingExtraError, WeightsError
from ..settings import Settings
from ..weights import find
from .protocol import Vectors, unit

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

__all__ = ["SentenceEncoder"]

# Attention's cost grows with the longest text of a batch: small batches, texts sorted by length. On CPU 64 at once take
# a quarter longer than 8, and 240 MB more.
_BATCH = {"cpu": 8, "cuda": 64}
# Words and short phrases are remembered: so many vectors of MiniLM are 25 MB.
_MOST_REMEMBERED = 16_384
_SHORT = 64  # characters


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
        self.embedding_id = weights.source
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
