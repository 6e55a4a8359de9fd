"""Chooses the encoder of pictures that the settings name."""

from ..errors import WeightsError
from ..settings import Settings
from .clip import ClipEncoder
from .conse import ConseEncoder
from .protocol import ImageEncoder, TextEncoder

__all__ = ["alike_from", "compared_by", "image_encoder"]

# Cosine of two pictures from which they are alike, for the picture and text models that `tests/benchmarks/bench_alike.py`
# measured: 95 % of other frames of the same video lie above it, 4 % of the nearest frames to unrelated photographs.
_ALIKE = {("conse(efficientnet-lite2@", "+all-MiniLM-L6-v2@"): 0.8}


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


def alike_from(embedding_id: str) -> float | None:
    """Return the cosine of two pictures from which they are alike; None: it was not measured for this encoder."""
    measured = (
        floor for (picture, text), floor in _ALIKE.items() if embedding_id.startswith(picture) and text in embedding_id
    )
    return next(measured, None)
