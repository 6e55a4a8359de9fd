"""Pictures in the space of a text encoder, by ConSE over an ImageNet classifier.

"Zero-Shot Learning by Convex Combination of Semantic Embeddings" (Norouzi et al. 2013, section 3.2):
a picture's vector is the sum of its likeliest labels' text vectors, weighted by their probability.
It needs no model hub, and sees only what ImageNet has a word for: a person, for one, it has not.
"""

import importlib.util
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ..device import inferring, moved, resolve_device
from ..errors import MissingExtraError
from ..records import Observation, Pixels, Segment
from ..settings import Settings
from ..weights import find
from .protocol import TextEncoder, Vectors, unit

if TYPE_CHECKING:
    import torch

__all__ = ["ConseEncoder"]

LABELS_MIXED = 10  # the paper's T
# A label below this share is a guess; it still counts in the vector, but is not called seen.
LIKELY = 0.1
# Cosines of a query with a picture, and with its likeliest label, from which the picture shows it:
# "a cup of coffee" and espresso 0.48, animal and Egyptian cat 0.48; dog and Egyptian cat 0.39.
SURE_PICTURE = 0.45
SURE_LABEL = 0.47
_SIDE = 260  # EfficientNet-Lite2's input
_BATCH = 16


class ConseEncoder:
    """EfficientNet-Lite2 (ImageNet, 1000 labels) into the space of a text encoder."""

    # Measured by tests/benchmarks/bench_floors.py: it keeps 95 % of short queries for what is in no picture out.
    floor = 0.35

    def __init__(self, settings: Settings, text: TextEncoder) -> None:
        """Find the weights; the model loads at first use.

        Raises:
            WeightsError: The weights cannot be had.
            MissingExtraError: A library is not installed.
        """
        for module in ("efficientnet_lite_pytorch", "torchvision"):
            if importlib.util.find_spec(module) is None:
                raise MissingExtraError("picture embedding by ConSE", module, "local")
        weights = find("efficientnet-lite2", "image_model", offline=settings.offline)
        self.source = weights.source
        self.embedding_id = f"conse({weights.source})+{text.embedding_id}"
        self._file = weights.path
        self._device = resolve_device(settings)
        self._text = text
        self._loaded: tuple[torch.nn.Module, list[str], Vectors] | None = None

    def observe(self, segments: Sequence[Segment]) -> tuple[list[Observation], Vectors]:
        """One observation a still, its text the labels that are likely; and the ConSE vectors."""
        _, labels, label_vectors = self._load()
        observations, vectors = [], []
        for first in range(0, len(segments), _BATCH):
            batch = segments[first : first + _BATCH]
            for segment, shares in zip(batch, self._classify([s.frame.pixels for s in batch]), strict=True):
                best = np.argsort(-shares, kind="stable")[:LABELS_MIXED]
                vectors.append(shares[best] @ label_vectors[best])
                observations.append(
                    Observation(
                        modality="frame",
                        span=segment.span,
                        text=", ".join(labels[i] for i in best if shares[i] >= LIKELY),
                        score=float(min(1.0, shares[best[0]])),
                        source=self.source,
                        frame_seconds=segment.frame.seconds,
                    )
                )
        return observations, unit(np.reshape(vectors, (len(segments), label_vectors.shape[1])))

    def encode_queries(self, queries: Sequence[str]) -> Vectors:
        """The queries as the text encoder sees them: the space is its own."""
        return self._text.encode(queries)

    def shows(self, query: str, text: str, cosine: float) -> bool:
        """Whether the likeliest label means the query, too: a mixture of unlikely labels lies near anything."""
        if not text or cosine < SURE_PICTURE:
            return False
        wanted, label = self._text.encode([query, text.split(", ")[0]])
        return float(wanted @ label) >= SURE_LABEL

    def _classify(self, pictures: Sequence[Pixels]) -> npt.NDArray[np.float32]:
        """Probabilities of the labels, shape `(len(pictures), 1000)`."""
        import torch

        net, _, _ = self._load()
        batch = moved(torch.from_numpy(np.stack([_prepared(pixels) for pixels in pictures])), self._device)
        with inferring(self._device):
            shares: npt.NDArray[np.float32] = net(batch).float().softmax(-1).cpu().numpy()
        return shares

    def _load(self) -> "tuple[torch.nn.Module, list[str], Vectors]":
        if self._loaded is None:
            import torch
            from efficientnet_lite_pytorch import EfficientNet
            from torchvision.models import EfficientNet_B0_Weights

            net = EfficientNet.from_name("efficientnet-lite2")
            net.load_state_dict(torch.load(self._file, map_location="cpu", weights_only=True))
            labels = list(EfficientNet_B0_Weights.IMAGENET1K_V1.meta["categories"])
            self._loaded = (net.eval().to(self._device), labels, self._text.encode(labels))
        return self._loaded


def _prepared(pixels: Pixels) -> npt.NDArray[np.float32]:
    """The whole picture squashed to a square, `(3, 260, 260)`, scaled as the network was trained: (x - 127) / 128."""
    from PIL import Image

    square = Image.fromarray(pixels).resize((_SIDE, _SIDE), Image.Resampling.BICUBIC)
    return (np.asarray(square, np.float32).transpose(2, 0, 1) - 127.0) / 128.0
