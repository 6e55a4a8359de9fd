"""Texts as unit vectors. BERT encoders (MiniLM) run in CTranslate2 on the CPU; all others in sentence-transformers.

The only module that imports sentence-transformers. It is the reference: both runtimes give vectors of the same
embedding id, with a cosine of at least 0.9999 between them.
"""

import logging
import threading
from collections import OrderedDict
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from ..device import resolve_device
from ..errors import MissingExtraError, WeightsError
from ..settings import Settings
from ..weights import find
from .bert_runtime import BertRuntime, is_bert
from .protocol import Vectors, unit

__all__ = ["SentenceEncoder"]

# Attention's cost grows with the longest text of a batch: small batches, texts sorted by length. On CPU 64 at once take
# a quarter longer than 8, and 240 MB more.
_BATCH = {"cpu": 8, "cuda": 64}
# The cache of words and short phrases: 16,384 vectors of MiniLM are 25 MB.
_MOST_REMEMBERED = 16_384
_SHORT = 64  # characters


class SentenceEncoder:
    """A text encoder: a sentence-transformers model, run by CTranslate2 or by sentence-transformers."""

    # Unrelated English sentences have a lower cosine: see tests/benchmarks/bench_floors.py.
    floor = 0.2

    def __init__(self, settings: Settings) -> None:
        """Find the weights; the model loads at first use.

        Raises:
            WeightsError: The weights are not available.
            MissingExtraError: sentence-transformers is not installed.
        """
        weights = find(settings.model_for("text_model"), "text_model", offline=settings.offline)
        self.embedding_id = weights.source
        self._folder = weights.path
        self._device = resolve_device(settings)
        self._remembered: OrderedDict[str, npt.NDArray[np.float32]] = OrderedDict()
        self._lock = threading.Lock()

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Unit vectors of the texts; text after the model's window (MiniLM: 256 tokens) is ignored.

        Single texts and short ones are cached: all rankings of a search encode the same query, and
        questions about one video share words.
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
        """As `CorpusEncoder.encode_all`; nothing is cached."""
        return self._runtime.encode(texts)

    @cached_property
    def _runtime(self) -> "_Runtime":
        if self._device == "cpu" and is_bert(self._folder):
            return BertRuntime(self._folder)
        return _SentenceTransformers(self._folder, self._device)


class _Runtime(Protocol):
    def encode(self, texts: Sequence[str]) -> Vectors: ...


class _SentenceTransformers:
    """The reference runtime, and the one for CUDA and for models that are not BERT."""

    def __init__(self, folder: Path, device: str) -> None:
        try:
            from sentence_transformers import SentenceTransformer
        except ModuleNotFoundError as error:
            raise MissingExtraError("text embedding", "sentence_transformers", "local") from error
        from transformers.utils import logging as transformers_logging

        logging.getLogger("sentence_transformers").setLevel(logging.WARNING)
        transformers_logging.disable_progress_bar()
        try:
            model = SentenceTransformer(str(folder), device=device, local_files_only=True)
        except (OSError, ValueError, KeyError) as error:
            raise WeightsError(f"{folder} holds no sentence-transformers model ({error}): check text_model") from error
        self._model = model.half() if device == "cuda" else model
        self._batch = _BATCH[device]

    def encode(self, texts: Sequence[str]) -> Vectors:
        if not texts:
            return np.zeros((0, self._model.get_embedding_dimension() or 0), np.float32)
        return unit(
            self._model.encode(list(texts), batch_size=self._batch, show_progress_bar=False, convert_to_numpy=True)
        )
