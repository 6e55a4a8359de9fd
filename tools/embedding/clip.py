"""Pictures and queries as vectors of a CLIP or SigLIP model.

"Learning Transferable Visual Models From Natural Language Supervision" (Radford et al. 2021),
"SigLIP 2" (Tschannen et al. 2025). The text window is short (CLIP 77, SigLIP 64 tokens).
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..device import resolve_device, to_device, torch_inference
from ..errors import MissingExtraError, WeightsError
from ..records import Observation, Segment
from ..settings import Settings
from ..weights import find
from .protocol import Vectors, unit

if TYPE_CHECKING:
    import torch

__all__ = ["ClipEncoder"]

_BATCH = 16
# CLIP's cosines of pictures with their own captions lie around 0.3, with others' below 0.2.
SURE_CLIP = 0.25


class ClipEncoder:
    """A CLIP or SigLIP model in transformers' form."""

    # SigLIP's cosines are small and even negative: only their order has a meaning.
    floor = -1.0

    def __init__(self, settings: Settings) -> None:
        """Find the weights; the model loads at first use.

        Raises:
            WeightsError: The weights are not available.
            MissingExtraError: transformers is not installed.
        """
        MissingExtraError.raise_if_missing("picture embedding", "transformers", extra="local")
        weights = find(settings.model_for("image_model"), "image_model", offline=settings.offline)
        self.source = self.embedding_id = weights.source
        self._folder = weights.path
        self._device = resolve_device(settings)
        self._loaded: tuple[Any, Any] | None = None

    def observe(self, segments: Sequence[Segment]) -> tuple[list[Observation], Vectors]:
        """One observation a segment, without text: the vector carries its content."""
        model, processor = self._load()
        rows = []
        for first in range(0, len(segments), _BATCH):
            pictures = [segment.frame.pixels for segment in segments[first : first + _BATCH]]
            inputs = processor(images=pictures, return_tensors="pt", input_data_format="channels_last")
            rows.append(self._run(model.get_image_features, inputs))
        observations = [
            Observation(
                modality="frame",
                span=segment.span,
                text="",
                score=1.0,
                source=self.source,
                frame_seconds=segment.frame.seconds,
            )
            for segment in segments
        ]
        return observations, _stacked(rows, model)

    def encode_queries(self, queries: Sequence[str]) -> Vectors:
        """Unit vectors of the queries, cut to the model's text window."""
        model, processor = self._load()
        if not queries:
            return _stacked([], model)
        window = model.config.text_config.max_position_embeddings
        # SigLIP was trained on texts padded to its window.
        inputs = processor.tokenizer(
            list(queries), padding="max_length", truncation=True, max_length=window, return_tensors="pt"
        )
        return _stacked([self._run(model.get_text_features, inputs)], model)

    def shows(self, query: str, text: str, cosine: float) -> bool:  # noqa: ARG002 (the vector is all it has)
        """Whether SigLIP's own head gives a probability of 0.5 or more; for CLIP, whether the cosine is `SURE_CLIP` or more."""
        model, _ = self._load()
        bias = getattr(model, "logit_bias", None)
        if bias is None:
            return cosine >= SURE_CLIP
        return cosine >= float(-bias.detach() / model.logit_scale.detach().exp())

    def _run(self, features: Any, inputs: Any) -> Vectors:
        with torch_inference(self._device):
            output = features(**{name: to_device(given, self._device) for name, given in inputs.items()}).pooler_output
        vectors: Vectors = output.float().cpu().numpy()
        return vectors

    def _load(self) -> tuple[Any, Any]:
        if self._loaded is None:
            from transformers import AutoModel, AutoProcessor

            try:
                model: torch.nn.Module = AutoModel.from_pretrained(self._folder, local_files_only=True)
                processor = AutoProcessor.from_pretrained(self._folder, local_files_only=True)
            except (OSError, ValueError, KeyError) as error:
                raise WeightsError(f"{self._folder} holds no model of transformers: check image_model") from error
            if not (hasattr(model, "get_image_features") and hasattr(model, "get_text_features")):
                raise WeightsError(
                    f"{self._folder} holds a {type(model).__name__}: image_model wants a CLIP or SigLIP, "
                    "whose vectors of pictures and texts are comparable"
                )
            self._loaded = (model.eval().to(self._device), processor)
        return self._loaded


def _stacked(rows: list[Vectors], model: Any) -> Vectors:
    dimensions = getattr(model.config, "projection_dim", None) or model.config.text_config.projection_size
    return unit(np.concatenate(rows) if rows else np.zeros((0, dimensions), np.float32))
