"""Chooses the encoder of pictures that the settings name."""

from ..errors import WeightsError
from ..settings import Settings
from .clip import ClipEncoder
from .conse import ConseEncoder
from .protocol import ImageEncoder, TextEncoder

__all__ = ["compared_by", "image_encoder"]


def image_encoder(settings: Settings, text: TextEncoder | None) -> ImageEncoder:
    """The encoder that `image_model` names: ConSE over the vectors of `text`, or a SigLIP or CLIP.

    Raises:
        WeightsError: The weights are not available, or ConSE has no text encoder.
        MissingExtraError: A library is not installed.
    """
    if settings.model_for("image_model") == "efficientnet-lite2":
        if text is None:
            raise WeightsError("efficientnet-lite2 mixes vectors of a text model: text_model is needed first")
        return ConseEncoder(settings, text)
    return ClipEncoder(settings)


def compared_by(embedding_id: str) -> str:
    """Say what pictures have in common whose vectors are near: text for the user."""
    if embedding_id.startswith("conse("):
        return "the kinds of things in a picture, by ImageNet's 1,000 labels: neither who or which one, nor its colours"
    return f"what {embedding_id} sees in a whole picture"
