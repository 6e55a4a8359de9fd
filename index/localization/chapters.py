"""A video as a tree: chapters, where it turns to something else, and in each its scenes, where the picture does.

Valleys of similarity between what came before and what comes after are borders, the deeper the surer: TextTiling
(Hearst 1997, section 5.3) on embeddings, as SceneTilling does with frames (VideoLLaMB, Wang et al. 2024, section 3.2).
Chapters look at all that was said, written and shown in long windows, scenes at pictures in short ones. Nothing is
trained.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from ...tools.embedding.protocol import Vectors
from ...tools.records import Span

__all__ = ["Chapter", "Strand", "chapters", "scene_tree"]

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
# In talks made of known subjects a border was found to a tenth of a window or so: a turn of the picture within a
# quarter is the same border, and seen to the frame.
_SAME_BORDER = 0.25
# Nothing shorter is a scene: nobody could follow it.
SHORTEST_SCENE_SECONDS = 2.0
# Moving film has a still every two seconds: two or three of them are compared, and faces shot in turn are one scene.
_SCENE_WINDOW_SECONDS = 5.0
# Of the way from what is the same to what any two moments of the video have in common: encoders differ in how alike
# they find strangers. The paper's bar, mean and deviation of all valleys, is for frames at a steady rate, of which most
# are like the next; each still begins because the picture changed.
_UNALIKE = 0.5


@dataclass(frozen=True)
class Strand:
    """What one extractor perceived, in order.

    Attributes:
        spans: When each row is.
        vectors: Its unit vector, shape `(len(spans), dimensions)`; zeros where it was not embedded.
    """

    spans: Sequence[Span]
    vectors: Vectors


@dataclass(frozen=True)
class Chapter:
    """A chapter and its scenes.

    Attributes:
        span: When.
        scenes: They cover it, in order.
    """

    span: Span
    scenes: tuple[Span, ...]


def scene_tree(
    whole: Span, strands: Sequence[Strand], edges: Sequence[float] = (), pictures: Strand | None = None
) -> list[Chapter]:
    """The chapters of a stretch of a video and the scenes of each, in order; they cover it.

    A border of scenes is where a picture begins. One that lies near a border of chapters is that border.

    Args:
        whole: The stretch.
        strands: What was perceived in it: see `chapters`.
        edges: Seconds at which the picture changed or somebody began to speak.
        pictures: What was shown: the stills; or, where pictures were not embedded, what stands for them, such as
            captions. None: each chapter is one scene.

    Raises:
        ValueError: A strand has not one vector a span.
    """
    turns = _turns(whole, pictures) if pictures is not None else []
    return [Chapter(span, _scenes(span, turns)) for span in chapters(whole, strands, edges, turns)]


def chapters(
    whole: Span, strands: Sequence[Strand], edges: Sequence[float] = (), turns: Sequence[float] = ()
) -> list[Span]:
    """The chapters of a stretch of a video, in order; they cover it.

    Args:
        whole: The stretch.
        strands: What was perceived in it. Each is compared in its own space; what they say is added.
        edges: Seconds at which the picture changed or somebody began to speak: a border is moved to the nearest
            one. Without any it stays where it is.
        turns: Seconds at which the picture turned to something else: one that is very near goes before any edge.

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
        place = float(at[peak])
        cut = _nearest(place, turns, _SAME_BORDER * window)
        cut = _nearest(place, edges, window / 2) if cut is None else cut
        cut = place if cut is None else cut
        fits = all(abs(cut - other) >= shortest for other in [whole.start, *cuts, whole.end])
        if depth[peak] >= bound and fits and len(cuts) < MOST_CHAPTERS - 1:
            cuts.append(cut)
    places = [whole.start, *sorted(cuts), whole.end]
    return [Span(start=start, end=end) for start, end in pairwise(places)]


def _likeness(strand: Strand, at: Numbers, window: float) -> Numbers:
    """How alike the windows before and behind each place are: the cosine of their mean vectors; 1 where one is empty."""
    vectors = _checked(strand)
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


def _nearest(second: float, edges: Sequence[float], most: float) -> float | None:
    near = min(edges, key=lambda edge: (abs(edge - second), edge), default=None)
    return near if near is not None and abs(near - second) <= most else None


def _scenes(span: Span, turns: Sequence[float]) -> tuple[Span, ...]:
    inside = [
        turn
        for turn in turns
        if turn - span.start >= SHORTEST_SCENE_SECONDS and span.end - turn >= SHORTEST_SCENE_SECONDS
    ]
    return tuple(Span(start=start, end=end) for start, end in pairwise([span.start, *inside, span.end]))


def _turns(whole: Span, pictures: Strand) -> list[float]:
    """Where a picture begins that is not like those before, in order."""
    shown = _Shown(whole, pictures)
    starts = sorted({span.start for span in pictures.spans if whole.start < span.start < whole.end})
    # Between two places at which pictures begin, one is looked at where nothing does: the hill beside the valley.
    at = [second for a, b in pairwise([whole.start, *starts, whole.end]) for second in ((a + b) / 2, b)][:-1]
    alike = np.array([shown.likeness(second) for second in at])
    depth = (_climbed(alike) + _climbed(alike[::-1])[::-1] - 2 * alike) / 2
    bound = max(_RIPPLE, _UNALIKE * shown.distance_of_strangers())
    lowest = [n for n in range(1, len(at), 2) if alike[n] <= min(alike[n - 1], alike[n + 1]) and depth[n] >= bound]
    turns: list[float] = []
    for n in sorted(lowest, key=lambda n: (-depth[n], n)):
        if all(abs(at[n] - other) >= SHORTEST_SCENE_SECONDS for other in turns):
            turns.append(at[n])
    return sorted(turns)


class _Shown:
    """Pictures of a stretch by time; each counts as long as it is shown."""

    def __init__(self, whole: Span, pictures: Strand) -> None:
        vectors = _checked(pictures)
        order = sorted(range(len(vectors)), key=lambda n: pictures.spans[n].start)
        order = [n for n in order if vectors[n].any()]
        self._whole, self._vectors = whole, vectors[order]
        self._starts = np.array([pictures.spans[n].start for n in order])
        self._ends = np.array([pictures.spans[n].end for n in order])
        self._last_ends = np.maximum.accumulate(self._ends) if order else self._ends

    def likeness(self, second: float) -> float:
        """The cosine of the mean pictures before and behind a second; 1 where nothing is shown on one side."""
        left = self._summed(second - _SCENE_WINDOW_SECONDS, second)
        right = self._summed(second, second + _SCENE_WINDOW_SECONDS)
        lengths = float(np.linalg.norm(left) * np.linalg.norm(right))
        return float(left @ right) / lengths if lengths > 0 else 1.0

    def distance_of_strangers(self) -> float:
        """1 less the mean cosine of any two moments: 0 where all is alike."""
        weights = self._weights(slice(None), self._whole.start, self._whole.end)
        total = float(weights.sum())
        mean = weights @ self._vectors / total if total > 0 else np.ones(1)
        return 1.0 - float(mean @ mean)

    def _summed(self, start: float, end: float) -> Numbers:
        start, end = max(start, self._whole.start), min(end, self._whole.end)
        first = int(np.searchsorted(self._last_ends, start, side="right"))
        near = slice(first, int(np.searchsorted(self._starts, end)))
        return self._weights(near, start, end) @ self._vectors[near]

    def _weights(self, rows: slice, start: float, end: float) -> Numbers:
        overlap = np.minimum(self._ends[rows], end) - np.maximum(self._starts[rows], start)
        return np.maximum(overlap, 0.0)


def _checked(strand: Strand) -> Numbers:
    vectors = np.asarray(strand.vectors, np.float64)
    if vectors.ndim != 2 or len(vectors) != len(strand.spans):
        raise ValueError(f"{len(strand.spans)} vectors expected, got an array of shape {vectors.shape}")
    return vectors
