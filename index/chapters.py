"""Scenes into chapters: where a video turns to something else, by what was said, written and shown. Nothing is trained.

Valleys of similarity between what came before and what comes after are borders, the deeper the surer: TextTiling
(Hearst 1997, section 5.3) on embeddings, as SceneTilling does with frames (VideoLLaMB, Wang et al. 2024, section 3.2).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from ..tools.embed import Vectors
from ..tools.records import Span

__all__ = ["Strand", "chapters"]

Numbers = npt.NDArray[np.float64]

# At most so many chapters, and none shorter than this, unless the whole is.
MOST_CHAPTERS = 12
SHORTEST_SECONDS = 20.0
# What lies so far before and behind a place is compared, as a share of the video; some seconds at least.
_WINDOW_SHARE, _WINDOW_SECONDS = 0.04, 20.0
_POINTS = 600  # places that are looked at
_SMOOTH = 4  # of these on each side are averaged: a single sentence makes no hill
# A valley is a border if it is not much less deep than the deepest, and no ripple: 0.1 of a cosine for each strand.
_DEEP, _RIPPLE = 0.4, 0.1


@dataclass(frozen=True)
class Strand:
    """What one instrument perceived, in order.

    Attributes:
        spans: When each row is.
        vectors: Its unit vector, shape `(len(spans), dimensions)`; zeros where it was not embedded.
    """

    spans: Sequence[Span]
    vectors: Vectors


def chapters(whole: Span, strands: Sequence[Strand], edges: Sequence[float] = ()) -> list[Span]:
    """The chapters of a stretch of a video, in order; they cover it.

    Args:
        whole: The stretch.
        strands: What was perceived in it. Each is compared in its own space; what they say is added.
        edges: Seconds at which the picture changed or somebody began to speak: a border is moved to the nearest
            one. Without any it stays where it is.

    Raises:
        ValueError: A strand has not one vector a span.
    """
    at = whole.start + (np.arange(1, _POINTS) / _POINTS) * whole.duration
    window = max(_WINDOW_SECONDS, _WINDOW_SHARE * whole.duration)
    alike = [_likeness(strand, at, window) for strand in strands if len(strand.spans) > 1]
    if not alike or whole.duration < 2 * SHORTEST_SECONDS:
        return [whole]
    shortest = max(SHORTEST_SECONDS, whole.duration / (3 * MOST_CHAPTERS))
    depth = np.sum([_depths(one) for one in alike], axis=0)
    # So near to an edge no chapter may begin or end, and the windows are cut short.
    depth[(at < whole.start + shortest) | (at > whole.end - shortest)] = 0.0
    peaks = [n for n in range(len(at)) if depth[n] > 0 and depth[n] == depth[max(0, n - 1) : n + 2].max()]
    if not peaks:
        return [whole]
    bound = max(_DEEP * float(depth.max()), _RIPPLE * len(alike))
    cuts: list[float] = []
    for peak in sorted(peaks, key=lambda n: (-depth[n], n)):
        cut = _moved(float(at[peak]), edges, window / 2)
        fits = all(abs(cut - other) >= shortest for other in [whole.start, *cuts, whole.end])
        if depth[peak] >= bound and fits and len(cuts) < MOST_CHAPTERS - 1:
            cuts.append(cut)
    places = [whole.start, *sorted(cuts), whole.end]
    return [Span(start=start, end=end) for start, end in pairwise(places)]


def _likeness(strand: Strand, at: Numbers, window: float) -> Numbers:
    """How alike the windows before and behind each place are: the cosine of their mean vectors; 1 where one is empty."""
    vectors = np.asarray(strand.vectors, np.float64)
    if vectors.ndim != 2 or len(vectors) != len(strand.spans):
        raise ValueError(f"{len(strand.spans)} vectors expected, got an array of shape {vectors.shape}")
    middles = np.array([(span.start + span.end) / 2 for span in strand.spans])
    order = np.argsort(middles, kind="stable")
    summed = np.concatenate([np.zeros((1, vectors.shape[1])), np.cumsum(vectors[order], axis=0)])
    before, here, behind = (np.searchsorted(middles[order], at + shift) for shift in (-window, 0.0, window))
    left, right = summed[here] - summed[before], summed[behind] - summed[here]
    lengths = np.linalg.norm(left, axis=1) * np.linalg.norm(right, axis=1)
    return np.where(lengths > 0, (left * right).sum(axis=1) / np.maximum(lengths, 1e-12), 1.0)


def _depths(alike: Numbers) -> Numbers:
    """How far each place lies below the tops of the hills on both sides of it."""
    smooth = np.convolve(np.pad(alike, _SMOOTH, mode="edge"), np.full(2 * _SMOOTH + 1, 1 / (2 * _SMOOTH + 1)), "valid")
    return _climbed(smooth) + _climbed(smooth[::-1])[::-1] - 2 * smooth


def _climbed(values: Numbers) -> Numbers:
    """The top that is reached from each place by going back as long as it goes up."""
    tops = values.copy()
    for n in range(1, len(values)):
        if values[n - 1] >= values[n]:
            tops[n] = tops[n - 1]
    return tops


def _moved(second: float, edges: Sequence[float], most: float) -> float:
    near = min(edges, key=lambda edge: (abs(edge - second), edge), default=second)
    return near if abs(near - second) <= most else second
