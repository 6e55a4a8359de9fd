"""The encoders of queries, loaded when first wanted; what cannot be searched by meaning is told once, with the way out."""

import logging
from collections.abc import Set

from ..tools.embed import ImageEncoder, SentenceEncoder, TextEncoder, image_encoder
from ..tools.errors import MissingExtraError, WeightsError
from ..tools.settings import Settings

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
        self._text_spaces: Set[str] = frozenset()
        self._image_spaces: Set[str] = frozenset()
        self._told: set[str] = set()

    def serve(self, text_spaces: Set[str], image_spaces: Set[str]) -> None:
        """Know the spaces in which the library's texts and pictures lie; the empty name stands for none."""
        self._text_spaces, self._image_spaces = text_spaces - {""}, image_spaces - {""}

    def texts(self) -> TextEncoder | None:
        """The encoder of queries for texts; None, told once, where it cannot be had."""
        if self._texts is None and self._text_spaces and "texts" not in self._told:
            try:
                self._texts = SentenceEncoder(self._settings)
            except (WeightsError, MissingExtraError) as error:
                self._tell("texts", f"texts are searched by their words only: {error}")
        if self._texts is not None:
            self._tell_others(self._text_spaces - {self._texts.space}, "text_model")
        return self._texts

    def images(self) -> ImageEncoder | None:
        """The encoder of queries for pictures; None, told once, where it cannot be had."""
        if self._images is None and self._image_spaces and "images" not in self._told:
            try:
                self._images = image_encoder(self._settings, self.texts())
            except (WeightsError, MissingExtraError) as error:
                self._tell("images", f"pictures are searched by their labels only: {error}")
        if self._images is not None:
            self._tell_others(self._image_spaces - {self._images.space}, "image_model")
        return self._images

    def _tell_others(self, spaces: Set[str], setting: str) -> None:
        for space in sorted(spaces):
            self._tell(
                space,
                f"some videos were embedded with another model ({space}) and are searched by their words only: "
                f"set {setting} as it was, or run `playhead index` again",
            )

    def _tell(self, key: str, message: str) -> None:
        if key not in self._told:
            self._told.add(key)
            logger.warning(message)
