"""Which frames a video LLM is shown, and how large: relevance and coverage together, under a token budget.

It knows times, relevances, vectors and picture sizes; nothing of files, models and questions.
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

# Stored vectors are float16: their length is 1 to about this.
_UNIT_TOLERANCE = 0.01
# Where all frames are the same picture, no cosine lies over the mean of all: this keeps them alike.
_ALIKE_MARGIN = 0.001
# Gains of so many neighbours are computed at once: more take more memory, fewer more time.
_BLOCK = 64
# Gains that differ less are equal: sums differ by rounding with the machine.
_DIGITS = 9
# Sizes are tried so many pixels apart: the side of the square that Qwen3-VL makes one token of.
_STEP = 32


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """A frame that may be shown.

    Attributes:
        seconds: Its true time.
        relevance: How surely it shows what is asked for, 0 to 1. Cosines are no such measure: see `stretched`.
        span: How long the picture stays like this.
        vector: Unit vector of the picture; None if it has none.
    """

    seconds: float
    relevance: float
    span: Span
    vector: npt.NDArray[np.floating] | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.seconds < math.inf:
            raise ValueError(f"a candidate's time is at least 0 seconds, got {self.seconds}")
        if not 0 <= self.relevance <= 1:
            raise ValueError(f"a candidate's relevance is 0 to 1, got {self.relevance}: stretched() makes it so")
        if self.vector is not None and not abs(float(np.linalg.norm(self.vector)) - 1) <= _UNIT_TOLERANCE:
            raise ValueError(f"a candidate's vector has length 1, got {float(np.linalg.norm(self.vector)):.3f}")


@dataclass(frozen=True, slots=True)
class Picture:
    """A frame that will be shown, before it is decoded.

    Attributes:
        relevance: How surely it shows what is asked for, 0 to 1.
        width: In pixels, upright, as the video has it.
        height: In pixels.
    """

    relevance: float
    width: int
    height: int

    def __post_init__(self) -> None:
        if not 0 <= self.relevance <= 1:
            raise ValueError(f"a picture's relevance is 0 to 1, got {self.relevance}: stretched() makes it so")
        if self.width < 1 or self.height < 1:
            raise ValueError(f"a picture has at least 1×1 pixels, got {self.width}×{self.height}")


def stretched(scores: Sequence[float]) -> list[float]:
    """One list of similarities as relevances: the least becomes 0, the greatest 1; where all are equal, all are 0."""
    if not all(math.isfinite(score) for score in scores):
        raise ValueError("a score is not finite: scores must be numbers")
    least, most = min(scores, default=0.0), max(scores, default=0.0)
    # Halves: the difference of two great numbers would be infinite.
    span = most / 2 - least / 2
    return [(score / 2 - least / 2) / span if span > 0 else 0.0 for score in scores]


def choose_frames(candidates: Sequence[Candidate], k: int, relevance_weight: float = 0.4) -> tuple[Candidate, ...]:
    """The `k` frames that are relevant and cover the video, in order of time; fewer only if there are fewer.

    Maximises, over sets S of `k` frames, `w · mean relevance of S + (1 - w) · coverage(S)`, where coverage is
    the share (0 to 1) of the candidates' time that S stands for: each candidate, weighted by the length of its
    span, counts as far as the chosen frame that stands for it best does. A frame stands for another as far as
    it is near in time (1 within its own span, falling to 0 over a k-th of all the time) and, where there are
    vectors, as far as it looks alike; the two count half each.

    The mean is modular, both kinds of coverage are facility locations, so the sum is monotone and submodular,
    and choosing greedily reaches at least 1 - 1/e = 63 % of the best possible (Nemhauser, Wolsey, Fisher
    1978; evaluated lazily as by Minoux 1978). This form for video frames: Huang and Zhu 2026, Adaptive
    Greedy Frame Selection (arXiv 2603.20180); for summaries: Lin and Bilmes 2011. Preferred to maximal
    marginal relevance, which has no guarantee, and to determinants, which need vectors and choose no more
    frames than these have dimensions. Coverage does not depend on relevance, hence a frame that is chosen
    stays chosen when its relevance rises.

    Args:
        candidates: Of one video, in any order. Of those with the same time the most relevant counts. Up to a few
            thousand: where there are vectors, memory grows with the square (3,600 take 52 MB).
        k: How many, 1 or more.
        relevance_weight: `w`. 0 only covers, 1 only takes the most relevant. At 0.4, of 32 frames for an hour with
            one minute that stands out (0.9 against 0.1), 17 lie in that minute and the widest gap is 230 s.

    Raises:
        QueryError: `k` or `relevance_weight` is out of range, or the vectors are of different spaces.
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
        """What sorts first: the greatest gain, then the most relevant, then the earliest."""
        relevance = distinct[i].relevance
        gain = relevance_weight * relevance / k + (1 - relevance_weight) * covers
        return (-round(gain, _DIGITS), -relevance, i)

    # Gains only fall while frames are added: what is still first after its gain was renewed is the best.
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
    """The longest side of each picture in pixels, so that all together cost at most `budget_tokens`.

    Every picture gets the floor; above it, tokens go by the square of relevance, so that sides go by relevance
    (QuoTA, Luo et al. 2025, arXiv 2503.08689: tokens by frame relevance within a fixed budget; the square is that
    of its released pipeline, github.com/fzm121516/QuoTA). QuoTA pools tokens inside the model, rounds shares down,
    drops frames that round to 0 and enlarges others beyond their own resolution; here it is the picture that
    shrinks. The step that is next taken is the one with the fewest tokens for its
    relevance, as seats are given by D'Hondt's method, until no further step of any picture fits: whole tokens,
    nothing rounded, and of two pictures of the same size the more relevant is never smaller.

    Args:
        pictures: What will be shown.
        budget_tokens: For all pictures together.
        tokens_of: What the model makes of a picture of so many pixels in width and height: its tokens. It is
            asked about sizes by `size_at`: shrink with the same function.
        floor: Longest side that each picture gets at least, or its own if that is smaller.
        ceiling: Longest side that none exceeds; none is enlarged either.

    Returns:
        One longest side a picture, in their order.

    Raises:
        QueryError: The floor alone costs more than the budget, or floor and ceiling are no range.
    """
    if not 1 <= floor <= ceiling:
        raise QueryError(f"floor={floor} and ceiling={ceiling}: the floor is at least 1 pixel and at most the ceiling")
    steps = [_steps(picture, tokens_of, floor, ceiling) for picture in pictures]
    left = budget_tokens - sum(tokens for tokens, _ in (own[0] for own in steps))
    if left < 0:
        raise QueryError(
            f"{len(pictures)} pictures of {floor} pixels cost {budget_tokens - left} tokens, and {budget_tokens} are "
            "allowed: show fewer frames, lower the floor, or allow more tokens"
        )
    level = [0] * len(pictures)

    def ranked(i: int) -> tuple[float, float, int]:
        """What sorts first: the fewest tokens for its relevance, then the most relevant, then the first."""
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
    """Width and height in whole pixels when the longer of them becomes `longest_side`; never enlarged."""
    longest = max(width, height)
    if longest_side >= longest:
        return width, height
    # Rounded by whole numbers, halves up.
    wide, high = ((2 * side * longest_side + longest) // (2 * longest) for side in (width, height))
    return max(1, wide), max(1, high)


def _steps(picture: Picture, tokens_of: Callable[[int, int], int], floor: int, ceiling: int) -> list[tuple[int, int]]:
    """Tokens and longest side of each size that a picture may get, both rising.

    Models round to whole patches: of sizes that cost the same the largest stays, and none that a larger undercuts.
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
    """How much of the candidates' time the chosen ones stand for."""

    def __init__(self, candidates: Sequence[Candidate], k: int) -> None:
        self._starts = np.array([c.span.start for c in candidates])
        self._ends = np.array([c.span.end for c in candidates])
        self._lengths = self._ends - self._starts
        self._weights = self._lengths / self._lengths.sum()
        self._reach = float(self._lengths.sum()) / k
        self._near = np.zeros(len(candidates))
        self._alike = np.zeros(len(candidates))
        self._likeness = _likeness(candidates)

    def first_gains(self) -> list[float]:
        """What each candidate would add."""
        count = len(self._weights)
        blocks = [self._gains(np.arange(i, min(i + _BLOCK, count))) for i in range(0, count, _BLOCK)]
        return [float(gain) for block in blocks for gain in block]

    def gain(self, i: int) -> float:
        """What candidate `i` would add."""
        return float(self._gains(np.array([i]))[0])

    def add(self, i: int) -> None:
        """Choose candidate `i`."""
        at = np.array([i])
        within = self._within_reach(at)
        self._near[within] = np.maximum(self._near[within], self._nearness(within, at)[:, 0])
        if self._likeness is not None:
            self._alike = np.maximum(self._alike, self._likeness[i])

    def _gains(self, at: Indices) -> Floats:
        within = self._within_reach(at)
        more = np.maximum(self._nearness(within, at) - self._near[within, None], 0)
        near: Floats = self._weights[within] @ more
        if self._likeness is None:
            return near
        alike: Floats = np.maximum(self._likeness[at] - self._alike, 0) @ self._weights
        return (near + alike) / 2

    def _within_reach(self, at: Indices) -> Indices:
        """The candidates that those at `at`, all together, may be near to."""
        first, last = self._starts[at].min() - self._reach, self._ends[at].max() + self._reach
        return np.flatnonzero((self._ends > first) & (self._starts < last))

    def _nearness(self, within: Indices, at: Indices) -> Floats:
        """How near the spans at `within` lie to those at `at`, over all their moments: 0 to 1, a row each `within`."""
        until_end, until_start = (self._covered_until(edges[within, None], at) for edges in (self._ends, self._starts))
        return np.clip((until_end - until_start) / self._lengths[within, None], 0, 1)

    def _covered_until(self, moment: Floats, at: Indices) -> Floats:
        """Integral over time, up to `moment`, of how near it lies to the spans at `at`: 1 inside, 0 beyond reach."""
        starts, ends = self._starts[at], self._ends[at]
        before = np.clip(starts - moment, 0, self._reach)
        after = np.clip(moment - ends, 0, self._reach)
        inside = np.clip(moment, starts, ends) - starts
        beside: Floats = (after - before) - (after**2 - before**2) / (2 * self._reach)
        return inside + beside


def _likeness(candidates: Sequence[Candidate]) -> Floats | None:
    """How alike any two candidates look, 0 to 1, by what their cosine has over the mean cosine of all; None without vectors.

    One without a vector is like itself only.
    """
    given = [c.vector for c in candidates if c.vector is not None]
    if not given:
        return None
    shapes = {vector.shape for vector in given}
    if len(shapes) > 1 or given[0].ndim != 1:
        raise QueryError(f"vectors of one space, in one dimension, are wanted; got shapes {sorted(shapes)}")
    nothing = np.zeros(shapes.pop())
    rows = np.array([nothing if c.vector is None else c.vector for c in candidates], np.float32)
    mean = rows.sum(axis=0) / len(given)
    usual = min(1.0, float(mean @ mean)) - _ALIKE_MARGIN
    likeness: Floats = rows @ rows.T
    likeness -= usual
    likeness /= 1 - usual
    np.clip(likeness, 0, 1, out=likeness)
    np.fill_diagonal(likeness, 1)
    return likeness
