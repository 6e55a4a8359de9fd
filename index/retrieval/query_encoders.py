"""The encoders of queries, loaded at first use; each reason why vectors are not searched is logged once."""

import logging
import threading
from collections.abc import Set
from contextlib import suppress

from ...tools.embedding.actions import ActionEncoder
from ...tools.embedding.images import image_encoder
from ...tools.embedding.protocol import ImageEncoder, TextEncoder
from ...tools.embedding.texts import SentenceEncoder
from ...tools.errors import MissingExtraError, WeightsError
from ...tools.settings import Settings

__all__ = ["QueryEncoders"]

logger = logging.getLogger(__name__)


class QueryEncoders:
    """The encoders of a library's queries."""

    def __init__(
        self, settings: Settings, texts: TextEncoder | None = None, images: ImageEncoder | None = None
    ) -> None:
        """Load nothing yet.

        Args:
            settings: Which encoders.
            texts: A text encoder that is loaded already.
            images: A picture encoder that is loaded already.
        """
        self._settings = settings
        self._texts = texts
        self._images = images
        self._actions: ActionEncoder | None = None
        self._lock = threading.RLock()
        self._text_embedding_ids: Set[str] = frozenset()
        self._image_embedding_ids: Set[str] = frozenset()
        self._reported: set[str] = set()

    def serve(self, text_embedding_ids: Set[str], image_embedding_ids: Set[str]) -> None:
        """Set the embedding models of the library's texts and pictures; the empty name means not embedded."""
        self._text_embedding_ids, self._image_embedding_ids = text_embedding_ids - {""}, image_embedding_ids - {""}

    def texts(self) -> TextEncoder | None:
        """Return the encoder of queries for texts; None, with one warning, if it cannot be loaded."""
        with self._lock:
            if self._texts is None and self._text_embedding_ids and "texts" not in self._reported:
                try:
                    self._texts = SentenceEncoder(self._settings)
                except (WeightsError, MissingExtraError) as error:
                    self._report("texts", f"texts are searched by their words only: {error}")
            if self._texts is not None:
                self._report_others(self._text_embedding_ids - {self._texts.embedding_id}, "text_model")
            return self._texts

    def images(self) -> ImageEncoder | None:
        """Return the encoder of queries for pictures; None, with one warning, if it cannot be loaded."""
        with self._lock:
            if self._images is None and self._image_embedding_ids and "images" not in self._reported:
                try:
                    self._images = image_encoder(self._settings, self.texts() or self._text_encoder_for_pictures())
                except (WeightsError, MissingExtraError) as error:
                    self._report("images", f"pictures are searched by their labels only: {error}")
            if self._images is not None:
                self._report_others(self._image_embedding_ids - {self._images.embedding_id}, "image_model")
            return self._images

    def actions(self) -> ActionEncoder | None:
        """Return the encoder of queries for clips; None, with one warning, if it cannot be loaded."""
        with self._lock:
            if self._actions is None and "actions" not in self._reported:
                try:
                    if self._settings.actions_model == "off":
                        raise WeightsError("set actions_model as it was when they were indexed")
                    self._actions = ActionEncoder(self._settings)
                except (WeightsError, MissingExtraError) as error:
                    self._report("actions", f"clips are not searched: {error}")
            return self._actions

    def report_other_clips(self, embedding_id: str) -> None:
        """Warn once that no clip was embedded with the model of the settings."""
        message = f"no clips were embedded with {embedding_id}: set actions_model as it was, or index the videos again"
        self._report(f"clips of {embedding_id}", message)

    def _text_encoder_for_pictures(self) -> TextEncoder | None:
        """Return a text encoder where only pictures are embedded: ConSE needs one, SigLIP and CLIP do not."""
        with suppress(WeightsError, MissingExtraError):
            return None if self._text_embedding_ids else SentenceEncoder(self._settings)
        return None

    def _report_others(self, embedding_ids: Set[str], setting: str) -> None:
        for embedding_id in sorted(embedding_ids):
            self._report(
                embedding_id,
                f"some videos were embedded with another model ({embedding_id}) and are searched by their words only: "
                f"set {setting} as it was, or index the videos again",
            )

    def _report(self, key: str, message: str) -> None:
        if key not in self._reported:
            self._reported.add(key)
            logger.warning(message)
