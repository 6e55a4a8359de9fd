"""Pictures as vectors of a text encoder, by ConSE over an ImageNet classifier.

"Zero-Shot Learning by Convex Combination of Semantic Embeddings" (Norouzi et al. 2013, section 3.2):
a picture's vector is the sum of its most likely labels' text vectors, weighted by their probability.
It needs no model hub. It recognises only things with a label in ImageNet; there is none for a person, for example.
"""

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from ..device import resolve_device
from ..errors import MissingExtraError
from ..records import Observation, Segment
from ..settings import Settings
from ..weights import find
from .label_network import LabelNetwork, label_network
from .protocol import TextEncoder, Vectors, unit

__all__ = ["ConseEncoder", "knows_labels_only"]

LABELS_MIXED = 10  # the paper's T
# A label below this share is a guess: it counts in the vector, but is not part of the observation's text.
LIKELY = 0.1
# Cosines of a query with a picture, and with its likeliest label, from which the picture shows it:
# "a cup of coffee" and espresso 0.48, animal and Egyptian cat 0.48; dog and Egyptian cat 0.39.
SURE_PICTURE = 0.45
SURE_LABEL = 0.47
_BATCH = 16
_PREFIX = "conse("


def knows_labels_only(embedding_id: str) -> bool:
    """Whether these picture vectors are mixed from labels: what has no label in ImageNet is not found by them."""
    return embedding_id.startswith(_PREFIX)


class ConseEncoder:
    """EfficientNet-Lite2 (ImageNet, 1000 labels) with the vectors of a text encoder."""

    # Measured by tests/benchmarks/bench_floors.py: it rejects 95 % of short queries for what is in no picture.
    floor = 0.35

    def __init__(self, settings: Settings, text: TextEncoder) -> None:
        """Find the weights; the model loads at first use.

        Raises:
            WeightsError: The weights are not available.
            MissingExtraError: A library is not installed.
        """
        MissingExtraError.raise_if_missing(
            "picture embedding by ConSE", "efficientnet_lite_pytorch", "torchvision", extra="local"
        )
        weights = find("efficientnet-lite2", "image_model", offline=settings.offline)
        self.source = weights.source
        self.embedding_id = f"{_PREFIX}{weights.source})+{text.embedding_id}"
        self._file = weights.path
        self._device = resolve_device(settings)
        self._text = text

    def observe(self, segments: Sequence[Segment]) -> tuple[list[Observation], Vectors]:
        """One observation a segment, its text the likely labels; and the ConSE vectors."""
        labels, label_vectors = self._network.labels, self._label_vectors
        observations, vectors = [], []
        for first in range(0, len(segments), _BATCH):
            batch = segments[first : first + _BATCH]
            for segment, shares in zip(batch, self._network.classify([s.frame.pixels for s in batch]), strict=True):
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
        """The queries as the text encoder embeds them."""
        return self._text.encode(queries)

    def shows(self, query: str, text: str, cosine: float) -> bool:
        """Whether the picture and its most likely label are both similar to the query. A mix of unlikely labels is not enough."""
        if not text or cosine < SURE_PICTURE:
            return False
        wanted, label = self._text.encode([query, text.split(", ")[0]])
        return float(wanted @ label) >= SURE_LABEL

    @cached_property
    def _network(self) -> LabelNetwork:
        return label_network(self._file, self._device)

    @cached_property
    def _label_vectors(self) -> Vectors:
        return self._text.encode(self._network.labels)
