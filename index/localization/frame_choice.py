"""Choose the frames for a video LLM and their sizes: relevance and coverage under a token budget.

Input: times, relevances, vectors and picture sizes. No files, models or questions.
"""

import heapq
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ...tools.errors import QueryError
from ...tools.records import Span

__all__ = ["Candidate", "Picture", "assign_sizes", "choose_frames", "size_at", "stretched"]

Floats = npt.NDArray[np.floating]
Indices = npt.NDArray[np.intp]

# Tolerance of the unit norm: stored vectors are float16.
_UNIT_TOLERANCE = 0.01
# Keeps identical frames similar: without it no cosine exceeds the mean of all.
_SIMILARITY_MARGIN = 0.001
# Number of candidates whose gains are computed at once: a trade of memory for time.
_BLOCK = 64
# Gains are rounded to this many digits: rounding errors differ between machines.
_DIGITS = 9
# Step between sizes in pixels: Qwen3-VL makes one token of a square with this side.
_STEP = 32


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """A frame that may be shown.

    Attributes:
        seconds: True time of the frame.
        relevance: Probability that it shows the queried content, 0 to 1. For cosines see `stretched`.
        span: The segment that the frame represents.
        vector: Unit vector of the picture; may be missing.
    """

    seconds: float
    relevance: float
    span: Span
    vector: npt.NDArray[np.floating] | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.seconds < math.inf:
            raise ValueError(f"the time of a candidate must be at least 0 seconds, got {self.seconds}")
        if not 0 <= self.relevance <= 1:
            raise ValueError(f"the relevance of a candidate must be 0 to 1, got {self.relevance}: use stretched()")
        if self.vector is not None and not abs(float(np.linalg.norm(self.vector)) - 1) <= _UNIT_TOLERANCE:
            raise ValueError(
                f"the vector of a candidate must have length 1, got {float(np.linalg.norm(self.vector)):.3f}"
            )


@dataclass(frozen=True, slots=True)
class Picture:
    """A chosen frame before decoding.

    Attributes:
        relevance: Probability that it shows the queried content, 0 to 1.
        width: Width of the upright video in pixels.
        height: Height in pixels.
    """

    relevance: float
    width: int
    height: int

    def __post_init__(self) -> None:
        if not 0 <= self.relevance <= 1:
            raise ValueError(f"the relevance of a picture must be 0 to 1, got {self.relevance}: use stretched()")
        if self.width < 1 or self.height < 1:
            raise ValueError(f"a picture must have at least 1×1 pixels, got {self.width}×{self.height}")


def stretched(scores: Sequence[float]) -> list[float]:
    """Scale similarities to relevances: the minimum becomes 0, the maximum 1; if all are equal, all become 0."""
    if not all(math.isfinite(score) for score in scores):
        raise ValueError("scores must be finite numbers")
    least, most = min(scores, default=0.0), max(scores, default=0.0)
    # Halves avoid overflow of the difference.
    span = most / 2 - least / 2
    return [(score / 2 - least / 2) / span if span > 0 else 0.0 for score in scores]


def choose_frames(candidates: Sequence[Candidate], k: int, relevance_weight: float = 0.4) -> tuple[Candidate, ...]:
    """Return the `k` frames that are relevant and cover the video, in order of time; fewer if there are fewer candidates.

    Maximises, over sets S of `k` frames, `w · mean relevance of S + (1 - w) · coverage(S)`, where coverage is
    the share (0 to 1) of the candidates' time that S represents: each candidate, weighted by the length of its
    span, counts as much as the chosen frame that represents it best. A frame represents another by nearness in time (1
    within its own span, falling to 0 over a k-th of the total time) and, if there are vectors, by visual similarity;
    each counts half.

    The mean is modular, both kinds of coverage are facility locations, so the sum is monotone and submodular,
    and choosing greedily reaches at least 1 - 1/e = 63 % of the best possible (Nemhauser, Wolsey, Fisher
    1978; lazy evaluation: Minoux 1978). For video frames: Huang and Zhu 2026, Adaptive
    Greedy Frame Selection (arXiv 2603.20180); for summaries: Lin and Bilmes 2011. Preferred to maximal
    marginal relevance, which has no guarantee, and to determinants, which need vectors and choose no more
    frames than these have dimensions. Coverage does not depend on relevance, so a chosen frame
    is also chosen with a higher relevance.

    Args:
        candidates: Of one video, in any order. For equal times the most relevant counts. Up to a few
            thousand: with vectors, memory grows with the square (3,600 take 52 MB).
        k: Number of frames, at least 1.
        relevance_weight: `w`. 0: coverage only. 1: relevance only. At 0.4, of 32 frames for an hour with one relevant
            minute (0.9 against 0.1), 17 lie in that minute and the widest gap is 230 s.

    Raises:
        QueryError: `k` or `relevance_weight` is out of range, or the vectors have different shapes.
    """
    if k < 1:
        raise QueryError(f"k={k}: at least 1 frame must be chosen")
    if not 0 <= relevance_weight <= 1:
        raise QueryError(f"relevance_weight={relevance_weight}: 0 (only coverage) to 1 (only relevance) is allowed")
    by_time = {c.seconds: c for c in sorted(candidates, key=lambda c: (c.seconds, c.relevance))}
    distinct = list(by_time.values())
    if len(distinct) <= k:
        return tuple(distinct)
    coverage = _Coverage(distinct, k)

    def ranked(i: int, covers: float) -> tuple[float, float, int]:
        """Sort key: greatest gain first, then relevance, then time."""
        relevance = distinct[i].relevance
        gain = relevance_weight * relevance / k + (1 - relevance_weight) * covers
        return (-round(gain, _DIGITS), -relevance, i)

    # Gains only decrease while frames are added: a candidate that is first after its update is the best.
    waiting = [ranked(i, covers) for i, covers in enumerate(coverage.first_gains())]
    heapq.heapify(waiting)
    chosen: list[int] = []
    while len(chosen) < k:
        i = heapq.heappop(waiting)[-1]
        renewed = ranked(i, coverage.gain(i))
        if waiting and renewed > waiting[0]:
            heapq.heappush(waiting, renewed)
        else:
            chosen.append(i)
            coverage.add(i)
    return tuple(distinct[i] for i in sorted(chosen))


def assign_sizes(
    pictures: Sequence[Picture],
    budget_tokens: int,
    tokens_of: Callable[[int, int], int],
    floor: int = 256,
    ceiling: int = 768,
) -> tuple[int, ...]:
    """Return the longest side of each picture in pixels; all pictures together cost at most `budget_tokens`.

    Every picture gets the floor. Further tokens are distributed by the square of relevance, so sides are proportional to it
    (QuoTA, Luo et al. 2025, arXiv 2503.08689: tokens by frame relevance within a fixed budget; the square is that
    of its released pipeline, github.com/fzm121516/QuoTA). QuoTA pools tokens inside the model, rounds shares down,
    drops frames that round to 0 and enlarges others beyond their own resolution; here the pictures are resized
    instead. Each step goes to the picture with the fewest tokens for its relevance, as D'Hondt's method distributes
    seats, until no step fits. Tokens are whole numbers, and of two pictures of the same size the more relevant is
    never smaller.

    Args:
        pictures: The chosen frames.
        budget_tokens: Token budget for all pictures together.
        tokens_of: Number of tokens of a picture by width and height in pixels. The sizes come from `size_at`: resize
            with the same function.
        floor: Minimum longest side, or the picture's own if that is smaller.
        ceiling: Maximum longest side; pictures are never enlarged.

    Returns:
        One longest side for each picture, in the same order.

    Raises:
        QueryError: The floor alone exceeds the budget, or the range is not valid.
    """
    if not 1 <= floor <= ceiling:
        raise QueryError(
            f"floor={floor} and ceiling={ceiling}: the floor must be at least 1 pixel and at most the ceiling"
        )
    steps = [_steps(picture, tokens_of, floor, ceiling) for picture in pictures]
    left = budget_tokens - sum(tokens for tokens, _ in (own[0] for own in steps))
    if left < 0:
        raise QueryError(
            f"{len(pictures)} pictures of {floor} pixels cost {budget_tokens - left} tokens, and {budget_tokens} are "
            "allowed: show fewer frames, lower the floor, or allow more tokens"
        )
    level = [0] * len(pictures)

    def ranked(i: int) -> tuple[float, float, int]:
        """Sort key: fewest tokens for its relevance first, then relevance, then position."""
        relevance = pictures[i].relevance
        tokens = steps[i][level[i] + 1][0]
        return (tokens / relevance**2 if relevance**2 > 0 else math.inf, -relevance, i)

    waiting = [ranked(i) for i in range(len(pictures)) if len(steps[i]) > 1]
    heapq.heapify(waiting)
    while waiting:
        i = heapq.heappop(waiting)[-1]
        cost = steps[i][level[i] + 1][0] - steps[i][level[i]][0]
        if cost <= left:
            left -= cost
            level[i] += 1
            if level[i] + 1 < len(steps[i]):
                heapq.heappush(waiting, ranked(i))
    return tuple(own[at][1] for own, at in zip(steps, level, strict=True))


def size_at(width: int, height: int, longest_side: int) -> tuple[int, int]:
    """Return width and height in whole pixels with the given longest side; never enlarged."""
    longest = max(width, height)
    if longest_side >= longest:
        return width, height
    # Integer rounding, halves up.
    wide, high = ((2 * side * longest_side + longest) // (2 * longest) for side in (width, height))
    return max(1, wide), max(1, high)


def _steps(picture: Picture, tokens_of: Callable[[int, int], int], floor: int, ceiling: int) -> list[tuple[int, int]]:
    """Return tokens and longest side of each possible size of a picture, both increasing.

    Models round to whole patches: of sizes with the same cost only the largest is kept, and none that costs more than a
    larger one.
    """
    most = min(ceiling, max(picture.width, picture.height))
    sides = [*range(min(floor, most), most, _STEP), most]
    rising: list[tuple[int, int]] = []
    for side in reversed(sides):
        tokens = tokens_of(*size_at(picture.width, picture.height, side))
        if not rising or tokens < rising[-1][0]:
            rising.append((tokens, side))
    return rising[::-1]


class _Coverage:
    """Share of the candidates' time that the chosen frames represent."""

    def __init__(self, candidates: Sequence[Candidate], k: int) -> None:
        self._starts = np.array([c.span.start for c in candidates])
        self._ends = np.array([c.span.end for c in candidates])
        self._lengths = self._ends - self._starts
        self._weights = self._lengths / self._lengths.sum()
        self._reach = float(self._lengths.sum()) / k
        self._near = np.zeros(len(candidates))
        self._similar = np.zeros(len(candidates))
        self._similarities = _similarities(candidates)

    def first_gains(self) -> list[float]:
        """Return the gain of each candidate."""
        count = len(self._weights)
        blocks = [self._gains(np.arange(i, min(i + _BLOCK, count))) for i in range(0, count, _BLOCK)]
        return [float(gain) for block in blocks for gain in block]

    def gain(self, i: int) -> float:
        """Return the gain of candidate `i`."""
        return float(self._gains(np.array([i]))[0])

    def add(self, i: int) -> None:
        """Add candidate `i` to the chosen frames."""
        at = np.array([i])
        within = self._within_reach(at)
        self._near[within] = np.maximum(self._near[within], self._nearness(within, at)[:, 0])
        if self._similarities is not None:
            self._similar = np.maximum(self._similar, self._similarities[i])

    def _gains(self, at: Indices) -> Floats:
        within = self._within_reach(at)
        more = np.maximum(self._nearness(within, at) - self._near[within, None], 0)
        near: Floats = self._weights[within] @ more
        if self._similarities is None:
            return near
        similar: Floats = np.maximum(self._similarities[at] - self._similar, 0) @ self._weights
        return (near + similar) / 2

    def _within_reach(self, at: Indices) -> Indices:
        """Return the candidates within reach of any of those at `at`."""
        first, last = self._starts[at].min() - self._reach, self._ends[at].max() + self._reach
        return np.flatnonzero((self._ends > first) & (self._starts < last))

    def _nearness(self, within: Indices, at: Indices) -> Floats:
        """Return the mean nearness of the spans at `within` to those at `at`: 0 to 1, one row for each of `within`."""
        until_end, until_start = (self._covered_until(edges[within, None], at) for edges in (self._ends, self._starts))
        return np.clip((until_end - until_start) / self._lengths[within, None], 0, 1)

    def _covered_until(self, moment: Floats, at: Indices) -> Floats:
        """Return the integral up to `moment` of the nearness to the spans at `at`: 1 inside, 0 beyond reach."""
        starts, ends = self._starts[at], self._ends[at]
        before = np.clip(starts - moment, 0, self._reach)
        after = np.clip(moment - ends, 0, self._reach)
        inside = np.clip(moment, starts, ends) - starts
        outside: Floats = (after - before) - (after**2 - before**2) / (2 * self._reach)
        return inside + outside


def _similarities(candidates: Sequence[Candidate]) -> Floats | None:
    """Return the visual similarity of all pairs, 0 to 1: the cosine above the mean cosine of all; None without vectors.

    A candidate without a vector is similar only to itself.
    """
    given = [c.vector for c in candidates if c.vector is not None]
    if not given:
        return None
    shapes = {vector.shape for vector in given}
    if len(shapes) > 1 or given[0].ndim != 1:
        raise QueryError(f"vectors must have one dimension and equal lengths, got shapes {sorted(shapes)}")
    nothing = np.zeros(shapes.pop())
    rows = np.array([nothing if c.vector is None else c.vector for c in candidates], np.float32)
    mean = rows.sum(axis=0) / len(given)
    usual = min(1.0, float(mean @ mean)) - _SIMILARITY_MARGIN
    similarities: Floats = rows @ rows.T
    similarities -= usual
    similarities /= 1 - usual
    np.clip(similarities, 0, 1, out=similarities)
    np.fill_diagonal(similarities, 1)
    return similarities
