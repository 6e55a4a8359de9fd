"""A video as a tree: chapters, topical parts of it, and their scenes, in which the picture shows one thing.

If slides with titles fill most of a video, they are its chapters. Else a border is a minimum of the similarity between the
window before and the window after; a deeper minimum is a more reliable border: TextTiling (Hearst 1997, section 5.3) on embeddings, as
SceneTilling does with frames (VideoLLaMB, Wang et al. 2024, section 3.2). Chapters compare all observations in long
windows, scenes compare frames in short ones. Nothing is trained.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from ...tools.embedding.protocol import Vectors
from ...tools.records import Span

__all__ = ["Chapter", "EmbeddedSeries", "chapters", "scene_tree", "slide_chapters", "slides_fill"]

Numbers = npt.NDArray[np.float64]

# Most chapters of a video, and the shortest, unless the whole video is shorter.
MOST_CHAPTERS = 12
SHORTEST_SECONDS = 20.0
# Slides are the chapters of a video if they fill this share of it.
_SLIDE_SHARE = 0.6
# Length of the windows before and after a place that are compared: a share of the video, and the least seconds.
_WINDOW_SHARE, _WINDOW_SECONDS = 0.04, 20.0
_POINTS = 600  # places that are compared
_SMOOTH = 4  # this many on each side are averaged: a single sentence is not a topic
# A valley is a border if it has this share of the deepest one's depth, and 0.1 of a cosine for each series.
_DEEP, _RIPPLE = 0.4, 0.1
# In talks made of known subjects borders were found to a tenth of a window: another picture that begins within a quarter
# is the same border, and exact to the frame.
_SAME_BORDER = 0.25
# Nothing shorter is a scene: a viewer could not follow it.
SHORTEST_SCENE_SECONDS = 2.0
# Moving film has a segment every two seconds: two or three are compared, and alternating faces are one scene.
_SCENE_WINDOW_SECONDS = 5.0
# A share of the distance between two random moments of the video: encoders differ in the similarity of unrelated pictures.
# The paper's threshold, mean and deviation of all valleys, is for frames at a steady rate, most of which resemble the
# next; each segment begins because the picture changed.
_UNALIKE = 0.5


@dataclass(frozen=True)
class EmbeddedSeries:
    """The embedded observations of one modality, in order.

    Attributes:
        spans: Span of each observation.
        vectors: Unit vectors, shape `(len(spans), dimensions)`; zeros where an observation was not embedded.
    """

    spans: Sequence[Span]
    vectors: Vectors


@dataclass(frozen=True)
class Chapter:
    """A chapter and its scenes.

    Attributes:
        span: Its span.
        scenes: Its scenes, in order; they cover the span.
    """

    span: Span
    scenes: tuple[Span, ...]


def scene_tree(
    whole: Span,
    series: Sequence[EmbeddedSeries],
    edges: Sequence[float] = (),
    pictures: EmbeddedSeries | None = None,
    slides: Sequence[Span] = (),
    named: Sequence[float] = (),
    jingles: Sequence[float] = (),
) -> list[Chapter]:
    """Return the chapters of a video part and the scenes of each, in order; they cover it.

    Scenes begin where a picture begins. A border of scenes near a border of chapters is that border.

    Args:
        whole: The video part.
        series: Its observations: see `chapters`.
        edges: Seconds at which the picture changed or a sentence began.
        pictures: The frames; or, where frames were not embedded, captions or texts. None: each chapter is one scene.
        slides: Spans of slides with titles (`index.localization.slides`), in order.
        named: Seconds at which the chapters that the source names begin, in order; they replace all others.
        jingles: Seconds at which short music ends: see `chapters`.

    Raises:
        ValueError: A series does not have one vector for each span.
    """
    starts = _picture_starts(whole, pictures) if pictures is not None else []
    if named:
        inside = [second for second in named if whole.start < second < whole.end]
        spans = [Span(start=start, end=end) for start, end in pairwise([whole.start, *inside, whole.end])]
    elif slides_fill(slides, whole):
        spans = slide_chapters(whole, slides)
        if len(spans) > MOST_CHAPTERS:
            slide_starts = [slide.start for slide in slides]
            spans = chapters(whole, series, slide_starts, slide_starts)
    else:
        spans = chapters(whole, series, edges, starts, jingles)
    return [Chapter(span, _scenes(span, starts)) for span in spans]


def slide_chapters(whole: Span, slides: Sequence[Span]) -> list[Span]:
    """Return the chapters of a video part that shows slides: each begins with a slide; together they cover it.

    A slide that is shorter than the shortest chapter belongs to the one before it.

    Args:
        whole: The video part.
        slides: Spans of its slides, in order.
    """
    cuts = [whole.start]
    for slide in slides:
        if slide.start - cuts[-1] >= SHORTEST_SECONDS and min(slide.end, whole.end) - slide.start >= SHORTEST_SECONDS:
            cuts.append(slide.start)
    return [Span(start=start, end=end) for start, end in pairwise([*cuts, whole.end])]


def chapters(
    whole: Span,
    series: Sequence[EmbeddedSeries],
    edges: Sequence[float] = (),
    picture_starts: Sequence[float] = (),
    jingles: Sequence[float] = (),
) -> list[Span]:
    """Return the chapters of a video part, in order; they cover it.

    Args:
        whole: The video part.
        series: Its observations. Vectors of one series are compared with each other; the depths of all are added.
        edges: Seconds at which the picture changed or a sentence began: a border is moved to the nearest one. Without any
            it stays.
        picture_starts: Seconds at which another picture began: a very near one is preferred to other edges.
        jingles: Seconds at which short music ends: one within half a window is preferred to all other edges.

    Raises:
        ValueError: A series does not have one vector for each span.
    """
    at = whole.start + (np.arange(1, _POINTS) / _POINTS) * whole.duration
    window = max(_WINDOW_SECONDS, _WINDOW_SHARE * whole.duration)
    alike = [_similarity(one, at, window) for one in series if len(one.spans) > 1]
    if not alike or whole.duration < 2 * SHORTEST_SECONDS:
        return [whole]
    shortest = max(SHORTEST_SECONDS, whole.duration / (3 * MOST_CHAPTERS))
    depth = np.sum([_depths(one) for one in alike], axis=0)
    # Near the ends no chapter may begin or end, and windows are cut short.
    depth[(at < whole.start + shortest) | (at > whole.end - shortest)] = 0.0
    peaks = [n for n in range(len(at)) if depth[n] > 0 and depth[n] == depth[max(0, n - 1) : n + 2].max()]
    if not peaks:
        return [whole]
    bound = max(_DEEP * float(depth.max()), _RIPPLE * len(alike))
    cuts: list[float] = []
    for peak in sorted(peaks, key=lambda n: (-depth[n], n)):
        place = float(at[peak])
        cut = _nearest(place, jingles, window / 2)
        cut = _nearest(place, picture_starts, _SAME_BORDER * window) if cut is None else cut
        cut = _nearest(place, edges, window / 2) if cut is None else cut
        cut = place if cut is None else cut
        fits = all(abs(cut - other) >= shortest for other in [whole.start, *cuts, whole.end])
        if depth[peak] >= bound and fits and len(cuts) < MOST_CHAPTERS - 1:
            cuts.append(cut)
    places = [whole.start, *sorted(cuts), whole.end]
    return [Span(start=start, end=end) for start, end in pairwise(places)]


def _similarity(series: EmbeddedSeries, at: Numbers, window: float) -> Numbers:
    """Return the cosine of the mean vectors of the windows before and after each place; 1 where one is empty."""
    vectors = _checked(series)
    middles = np.array([(span.start + span.end) / 2 for span in series.spans])
    order = np.argsort(middles, kind="stable")
    summed = np.concatenate([np.zeros((1, vectors.shape[1])), np.cumsum(vectors[order], axis=0)])
    before, here, behind = (np.searchsorted(middles[order], at + shift) for shift in (-window, 0.0, window))
    left, right = summed[here] - summed[before], summed[behind] - summed[here]
    lengths = np.linalg.norm(left, axis=1) * np.linalg.norm(right, axis=1)
    return np.where(lengths > 0, (left * right).sum(axis=1) / np.maximum(lengths, 1e-12), 1.0)


def _depths(alike: Numbers) -> Numbers:
    """Return how far each place lies below the peaks on both sides of it."""
    smooth = np.convolve(np.pad(alike, _SMOOTH, mode="edge"), np.full(2 * _SMOOTH + 1, 1 / (2 * _SMOOTH + 1)), "valid")
    return _climbed(smooth) + _climbed(smooth[::-1])[::-1] - 2 * smooth


def _climbed(values: Numbers) -> Numbers:
    """Return the value that is reached from each place by going back while values rise."""
    tops = values.copy()
    for n in range(1, len(values)):
        if values[n - 1] >= values[n]:
            tops[n] = tops[n - 1]
    return tops


def _nearest(second: float, edges: Sequence[float], most: float) -> float | None:
    near = min(edges, key=lambda edge: (abs(edge - second), edge), default=None)
    return near if near is not None and abs(near - second) <= most else None


def slides_fill(slides: Sequence[Span], whole: Span, share: float = _SLIDE_SHARE) -> bool:
    """Whether two slides or more fill this share of a video part."""
    inside = [slide.overlap(whole) for slide in slides]
    return sum(seconds > 0 for seconds in inside) > 1 and sum(inside) >= share * whole.duration


def _scenes(span: Span, starts: Sequence[float]) -> tuple[Span, ...]:
    inside = [
        start
        for start in starts
        if start - span.start >= SHORTEST_SCENE_SECONDS and span.end - start >= SHORTEST_SCENE_SECONDS
    ]
    return tuple(Span(start=start, end=end) for start, end in pairwise([span.start, *inside, span.end]))


def _picture_starts(whole: Span, pictures: EmbeddedSeries) -> list[float]:
    """Return the seconds at which a picture begins that is unlike those before, in order."""
    shown = _ShownPictures(whole, pictures)
    starts = sorted({span.start for span in pictures.spans if whole.start < span.start < whole.end})
    # Between two starts of pictures one more place is compared: the peak next to the valley.
    at = [second for a, b in pairwise([whole.start, *starts, whole.end]) for second in ((a + b) / 2, b)][:-1]
    alike = np.array([shown.similarity(second) for second in at])
    depth = (_climbed(alike) + _climbed(alike[::-1])[::-1] - 2 * alike) / 2
    bound = max(_RIPPLE, _UNALIKE * shown.mean_distance())
    lowest = [n for n in range(1, len(at), 2) if alike[n] <= min(alike[n - 1], alike[n + 1]) and depth[n] >= bound]
    found: list[float] = []
    for n in sorted(lowest, key=lambda n: (-depth[n], n)):
        if all(abs(at[n] - other) >= SHORTEST_SCENE_SECONDS for other in found):
            found.append(at[n])
    return sorted(found)


class _ShownPictures:
    """The pictures of a video part by time; each counts as long as it is shown."""

    def __init__(self, whole: Span, pictures: EmbeddedSeries) -> None:
        vectors = _checked(pictures)
        order = sorted(range(len(vectors)), key=lambda n: pictures.spans[n].start)
        order = [n for n in order if vectors[n].any()]
        self._whole, self._vectors = whole, vectors[order]
        self._starts = np.array([pictures.spans[n].start for n in order])
        self._ends = np.array([pictures.spans[n].end for n in order])
        self._last_ends = np.maximum.accumulate(self._ends) if order else self._ends

    def similarity(self, second: float) -> float:
        """Return the cosine of the mean pictures before and after a second; 1 where nothing is shown on one side."""
        left = self._summed(second - _SCENE_WINDOW_SECONDS, second)
        right = self._summed(second, second + _SCENE_WINDOW_SECONDS)
        lengths = float(np.linalg.norm(left) * np.linalg.norm(right))
        return float(left @ right) / lengths if lengths > 0 else 1.0

    def mean_distance(self) -> float:
        """Return 1 minus the mean cosine of two moments: 0 where all pictures are alike."""
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


def _checked(series: EmbeddedSeries) -> Numbers:
    vectors = np.asarray(series.vectors, np.float64)
    if vectors.ndim != 2 or len(vectors) != len(series.spans):
        raise ValueError(f"{len(series.spans)} vectors expected, got an array of shape {vectors.shape}")
    return vectors
