"""The encoders of queries, loaded when first wanted; what cannot be searched by meaning is told once, with the way out."""

import logging
from collections.abc import Set

from ...tools.embedding.images import image_encoder
from ...tools.embedding.protocol import ImageEncoder, TextEncoder
from ...tools.embedding.texts import SentenceEncoder
from ...tools.errors import MissingExtraError, WeightsError
from ...tools.settings import Settings

__all__ = ["QueryEncoders"]

logger = logging.getLogger(__name__)


class QueryEncoders:
    """The encoders of a library's queries. Not for several threads at once."""

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
        self._text_embedding_ids: Set[str] = frozenset()
        self._image_embedding_ids: Set[str] = frozenset()
        self._told: set[str] = set()

    def serve(self, text_embedding_ids: Set[str], image_embedding_ids: Set[str]) -> None:
        """Know the spaces in which the library's texts and pictures lie; the empty name stands for none."""
        self._text_embedding_ids, self._image_embedding_ids = text_embedding_ids - {""}, image_embedding_ids - {""}

    def texts(self) -> TextEncoder | None:
        """The encoder of queries for texts; None, told once, where it cannot be had."""
        if self._texts is None and self._text_embedding_ids and "texts" not in self._told:
            try:
                self._texts = SentenceEncoder(self._settings)
            except (WeightsError, MissingExtraError) as error:
                self._tell("texts", f"texts are searched by their words only: {error}")
        if self._texts is not None:
            self._tell_others(self._text_embedding_ids - {self._texts.embedding_id}, "text_model")
        return self._texts

    def images(self) -> ImageEncoder | None:
        """The encoder of queries for pictures; None, told once, where it cannot be had."""
        if self._images is None and self._image_embedding_ids and "images" not in self._told:
            try:
                self._images = image_encoder(self._settings, self.texts())
            except (WeightsError, MissingExtraError) as error:
                self._tell("images", f"pictures are searched by their labels only: {error}")
        if self._images is not None:
            self._tell_others(self._image_embedding_ids - {self._images.embedding_id}, "image_model")
        return self._images

    def _tell_others(self, embedding_ids: Set[str], setting: str) -> None:
        for embedding_id in sorted(embedding_ids):
            self._tell(
                embedding_id,
                f"some videos were embedded with another model ({embedding_id}) and are searched by their words only: "
                f"set {setting} as it was, or index the videos again",
            )

    def _tell(self, key: str, message: str) -> None:
        if key not in self._told:
            self._told.add(key)
            logger.warning(message)
