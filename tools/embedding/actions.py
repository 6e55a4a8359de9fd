"""Clips and queries as vectors of a video-text model: what happens over several frames, which one picture does not show.

X-CLIP, "Expanding Language-Image Pretrained Models for General Video Recognition" (Ni et al. 2022); VideoPrism (Zhao et al. 2024).
X-CLIP's prompts that depend on the video are not used: a query is embedded once, before any video is compared.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..device import resolve_device, to_device, torch_inference
from ..errors import MissingExtraError, WeightsError
from ..records import Clip, Observation
from ..settings import Settings
from ..weights import find
from .protocol import Vectors, unit

__all__ = ["ActionEncoder"]

_BATCH = 4


class ActionEncoder:
    """A video-text model of transformers. It loads at first use."""

    # The cosines of such models are small and may be negative: only their order has a meaning.
    floor = -1.0

    def __init__(self, settings: Settings) -> None:
        """Find the weights.

        Raises:
            WeightsError: The weights are not available.
            MissingExtraError: transformers is not installed.
        """
        MissingExtraError.raise_if_missing("clip embedding", "transformers", extra="local")
        weights = find(settings.actions_model, "actions_model", offline=settings.offline)
        self.source = self.embedding_id = weights.source
        self._folder = weights.path
        self._device = resolve_device(settings)
        self._loaded: tuple[Any, Any] | None = None

    @property
    def frames(self) -> int:
        """How many frames of a clip the model reads. Loads the model."""
        return int(self._load()[0].config.vision_config.num_frames)

    def observe(self, clips: Sequence[Clip]) -> list[Observation]:
        """Return one observation for each clip, without text: its vector carries the content.

        Raises:
            WeightsError: The model cannot be loaded.
        """
        model, _ = self._load()
        found = []
        for first in range(0, len(clips), _BATCH):
            batch = clips[first : first + _BATCH]
            vectors = self._run(model.get_video_features, self._pixels(batch)).astype(np.float16)
            found += [
                Observation(
                    modality="action",
                    span=clip.span,
                    text="",
                    score=1.0,
                    source=self.source,
                    frame_seconds=clip.frames[len(clip.frames) // 2].seconds,
                    vector=tuple(map(float, vector)),
                )
                for clip, vector in zip(batch, vectors, strict=True)
            ]
        return found

    def encode_queries(self, queries: Sequence[str]) -> Vectors:
        """Return unit vectors of the queries, cut to the model's text window, shape `(n, dimensions)`."""
        model, processor = self._load()
        window = model.config.text_config.max_position_embeddings
        inputs = processor.tokenizer(
            list(queries), padding="max_length", truncation=True, max_length=window, return_tensors="pt"
        )
        return self._run(model.get_text_features, inputs)

    def _pixels(self, clips: Sequence[Clip]) -> dict[str, Any]:
        """The model's own input, shape `(clips, frames, 3, height, width)`."""
        model, processor = self._load()
        videos = [np.stack([frame.pixels for frame in clip.frames]) for clip in clips]
        if model.config.model_type == "xclip":  # a processor of pictures, not of videos
            flat = [pixels for video in videos for pixels in video]
            given = processor.image_processor(flat, return_tensors="pt", input_data_format="channels_last")
            return {"pixel_values": given["pixel_values"].unflatten(0, (len(clips), -1))}
        given = processor.video_processor(videos=videos, do_sample_frames=False, return_tensors="pt")
        return {"pixel_values_videos": given["pixel_values_videos"]}

    def _run(self, features: Any, inputs: Any) -> Vectors:
        with torch_inference(self._device):
            output = features(**{name: to_device(given, self._device) for name, given in inputs.items()}).pooler_output
        return unit(output.flatten(0, -2).float().cpu().numpy())

    def _load(self) -> tuple[Any, Any]:
        if self._loaded is None:
            from transformers import AutoModel, AutoProcessor

            try:
                model = AutoModel.from_pretrained(self._folder, local_files_only=True)
                processor = AutoProcessor.from_pretrained(self._folder, local_files_only=True)
            except (OSError, ValueError, KeyError) as error:
                raise WeightsError(f"{self._folder} holds no model of transformers: check actions_model") from error
            if not (hasattr(model, "get_video_features") and hasattr(model, "get_text_features")):
                raise WeightsError(
                    f"{self._folder} holds a {type(model).__name__}: actions_model wants an X-CLIP or a VideoPrism with a text "
                    "model, whose vectors of clips and texts are comparable"
                )
            self._loaded = (model.eval().to(self._device), processor)
        return self._loaded
