"""Temporal search: choose which frames of a video to inspect next, and when to stop. A callback inspects them.

A video is divided into bins. No bin crosses a shot boundary. Each target has its own posterior in each bin, computed
by a two-state chain that is reset at every shot boundary (`two_state_chain`), so evidence from one shot does not
affect another. Stored evidence sets the prior (`Prior`). Each round inspects the bins with the highest value and
updates the posterior of each target by that target's own score.
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import Field

from ...tools.records import Record, Seconds, Span
from .two_state_chain import Chain, log_odds

__all__ = ["Goal", "Kind", "Look", "Moment", "Prior", "Searched", "StopReason", "Timeline", "posteriors", "search"]

Kind = Literal["needle", "order", "compare", "count", "first", "last"]
StopReason = Literal["found", "covered", "frames", "seconds"]
# Seconds to inspect → probability that each target is visible, 0 to 1: shape `(len(seconds), targets)`.
Look = Callable[[Sequence[float]], npt.ArrayLike]
Posteriors = npt.NDArray[np.float64]
Bins = npt.NDArray[np.bool_]

# A negative look multiplies the odds by this at least: detectors miss objects.
_MISSED = 0.05
# No look is taken as certain, so that a later look can correct it.
_CERTAIN = 0.999
# Upper limit of the posterior that priors alone can give a bin.
_MAX_PRIOR = 0.9
# Value of the widest gap without a look, relative to a bin with posterior 1.
_COVERAGE = 0.05
_SHORTEST_SCENE = 0.001  # seconds
# A moment extends while the posterior is at least this share of its peak; its peak is at least this many times the base.
_EDGE = 0.5
_PEAK_OVER_BASE = 2.0
_MOST_MOMENTS = 20


class Prior(Record):
    """Stored evidence that a target occurs in a span: a search result, a detection."""

    target: int = Field(ge=0, description="Which target, by its place in `Goal.targets`.")
    span: Span = Field(description="When; the caller adds padding for the uncertainty of the span.")
    weight: float = Field(ge=0, le=1, description="Probability that the target is there, given this evidence alone.")


class Goal(Record):
    """What to search for, and the budget."""

    kind: Kind = Field(
        description="`needle`: any target, once. `order`, `compare`: each target, once. `count`: all there are. "
        "`first`, `last`: search everything before, or after, the found moment."
    )
    targets: tuple[str, ...] = Field(min_length=1, description="What to search for. Each has its own posterior.")
    frames: int = Field(default=32, ge=1, description="Maximum number of frames to inspect.")
    seconds: float = Field(
        default=math.inf, gt=0, description="Time budget: no round starts that is likely to end later."
    )
    frames_a_round: int = Field(default=4, ge=1, description="Maximum number of frames for one call of `look`.")
    sure: float = Field(default=0.7, gt=0, lt=1, description="Score from which a look confirms the target.")
    moment_seconds: float = Field(default=6.0, gt=0, description="Typical duration of a target's appearance.")
    seed: int = Field(default=0, ge=0, description="Seed for breaking ties between bins of equal value.")


@dataclass(frozen=True)
class Timeline:
    """A video's bins, in order, not overlapping.

    Attributes:
        bins: Their spans.
        scenes: The shot number of each bin; neighbours with the same number have no shot boundary between them.
        seconds: The time to inspect in each bin.
        holds_seconds: How long the picture within a shot stays similar; None: as long as a moment (`Goal.moment_seconds`).
    """

    bins: tuple[Span, ...]
    scenes: tuple[int, ...]
    seconds: tuple[float, ...]
    holds_seconds: float | None = None

    def __post_init__(self) -> None:
        if not len(self.bins) == len(self.scenes) == len(self.seconds) > 0:
            raise ValueError(
                f"{len(self.bins)} bins, {len(self.scenes)} scenes and {len(self.seconds)} seconds: "
                "give the same number of each, at least one"
            )
        if any(after.start < before.end for before, after in pairwise(self.bins)):
            raise ValueError("the bins of a timeline must be sorted and must not overlap")
        for span, second in zip(self.bins, self.seconds, strict=True):
            if not span.start <= second < span.end:
                raise ValueError(f"second {second} is outside its bin, {span.start} to {span.end}")

    @classmethod
    def even(cls, duration: float, cuts: Sequence[float] = (), bin_seconds: float = 2.0) -> Self:
        """Divide each shot into equal bins; each bin is inspected in the middle.

        Args:
            duration: Of the video, in seconds.
            cuts: Shot boundaries, in any order; those outside the video, or within a millisecond of
                another or of its ends, are ignored.
            bin_seconds: Maximum length of a bin.
        """
        if not (0 < duration < math.inf and 0 < bin_seconds < math.inf):
            raise ValueError(f"duration={duration} and bin_seconds={bin_seconds} must be finite and greater than 0")
        edges = [0.0]
        for cut in sorted(float(cut) for cut in cuts):
            if edges[-1] + _SHORTEST_SCENE <= cut <= duration - _SHORTEST_SCENE:
                edges.append(cut)
        edges.append(float(duration))
        bins, scenes = [], []
        for scene, (start, end) in enumerate(pairwise(edges)):
            marks = np.linspace(start, end, math.ceil((end - start) / bin_seconds) + 1).tolist()
            bins += [Span(start=a, end=b) for a, b in pairwise(marks)]
            scenes += [scene] * (len(marks) - 1)
        return cls(tuple(bins), tuple(scenes), tuple((span.start + span.end) / 2 for span in bins))

    @classmethod
    def of_segments(cls, segments: Sequence[Span], bin_seconds: float = 2.0) -> Self:
        """Divide segments without visible change into equal bins; each segment counts as a shot.

        One look represents a whole segment, so the first looks go to different segments. A detector may miss an
        object in one frame and find it in the next, so a segment with a high posterior is inspected again before
        one with a low posterior.

        Args:
            segments: In order; an overlap with the previous segment is removed.
            bin_seconds: Maximum length of a bin.
        """
        bins: list[Span] = []
        scenes: list[int] = []
        for scene, segment in enumerate(segments):
            start = max(segment.start, bins[-1].end) if bins else segment.start
            if segment.end - start < _SHORTEST_SCENE:
                continue
            marks = np.linspace(start, segment.end, math.ceil((segment.end - start) / bin_seconds) + 1).tolist()
            bins += [Span(start=a, end=b) for a, b in pairwise(marks)]
            scenes += [scene] * (len(marks) - 1)
        return cls(tuple(bins), tuple(scenes), tuple((span.start + span.end) / 2 for span in bins), math.inf)


class Moment(Record):
    """A span in which a target may occur."""

    target: int = Field(ge=0, description="Which target, by its place in `Goal.targets`.")
    span: Span = Field(
        description="From the peak to a shot boundary, a negative look, or half of the peak's posterior."
    )
    posterior: float = Field(ge=0, le=1, description="Probability that the target occurs there.")
    mass: float = Field(ge=0, le=1, description="Share of the target's posterior mass inside the span.")
    sure: bool = Field(description="Whether a look confirmed the target inside the span.")
    looked: tuple[Seconds, ...] = Field(description="The inspected seconds inside the span, in order of time.")


@dataclass(frozen=True)
class Searched:
    """The result of a search.

    Attributes:
        moments: Best first: confirmed ones, by time for `first` and `last`; then by posterior.
        posterior: Each target's own distribution over the bins, shape `(targets, bins)`; each row sums to 1.
        looked: The inspected seconds, in the order of inspection.
        scores: The score of each look, shape `(len(looked), targets)`.
        rounds: Number of calls of `look`.
        stopped: Why the search ended: the goal was `found`; all relevant time was `covered`; or the budget of
            `frames` or `seconds` was spent.
    """

    moments: tuple[Moment, ...]
    posterior: Posteriors
    looked: tuple[float, ...]
    scores: Posteriors
    rounds: int
    stopped: StopReason


def search(
    timeline: Timeline,
    priors: Sequence[Prior],
    look: Look,
    goal: Goal,
    clock: Callable[[], float] = time.monotonic,
) -> Searched:
    """Inspect frames in rounds until the goal is reached or the budget is spent.

    The method is search theory: inspect the place with the highest probability of detection per effort, update,
    repeat (Stone 1975, Theory of Optimal Search, chapter 2). A coverage term limits the cost of a wrong prior, as AKS
    combines relevance and coverage (Tang et al. 2025, arXiv 2502.21271). Like T* (Ye et al. 2025, arXiv 2504.02259) it
    inspects real frames in rounds. Unlike T*, no sigmoid flattens the posterior, a target keeps its posterior after a
    hit, and each target has its own score.

    Args:
        timeline: The video's bins.
        priors: Stored evidence; may be empty.
        look: Scores the frames of a round, in order of time. A score is a probability: 0.9 means present in nine of ten cases.
        goal: What to search for.
        clock: Returns seconds.

    Returns:
        The same result for the same input, if `look` is deterministic and the time budget is not reached.

    Raises:
        ValueError: A prior names an unknown target, or `look` does not return one score of 0 to 1 for each frame and target.
    """
    began = clock()
    state = _SearchState(timeline, priors, goal)
    slowest, rounds = 0.0, 0
    while (stopped := state.reached()) is None:
        if len(state.order) == goal.frames:
            stopped = "frames"
            break
        if (asked := clock()) - began + slowest >= goal.seconds:
            stopped = "seconds"
            break
        chosen = sorted(state.choose(min(goal.frames - len(state.order), goal.frames_a_round)))
        state.learn(chosen, _checked(look([timeline.seconds[b] for b in chosen]), (len(chosen), len(goal.targets))))
        slowest = max(slowest, clock() - asked)
        rounds += 1
    return state.result(rounds, stopped)


def posteriors(timeline: Timeline, priors: Sequence[Prior], goal: Goal) -> Posteriors:
    """Probability of each target in each bin before any look, shape `(targets, bins)`."""
    return _SearchState(timeline, priors, goal).posterior


class _SearchState:
    """The state of one search."""

    def __init__(self, timeline: Timeline, priors: Sequence[Prior], goal: Goal) -> None:
        self.timeline, self.goal = timeline, goal
        self._at = np.array(timeline.seconds)
        self._scenes = np.array(timeline.scenes)
        self._start, self._end = timeline.bins[0].start, timeline.bins[-1].end
        # Base rate: one moment of typical length in the video.
        self._base = min(0.5, goal.moment_seconds / (self._end - self._start))
        self._holds = goal.moment_seconds if timeline.holds_seconds is None else timeline.holds_seconds
        self._chain = Chain(timeline.seconds, timeline.scenes, self._base, self._holds)
        self._ties = np.random.default_rng(goal.seed).random(len(self._at)) * 1e-9
        self._evidence = self._from_priors(priors)
        self.scores = np.full((len(goal.targets), len(self._at)), np.nan)
        self.order: list[int] = []
        # Seconds to the nearest look (the distance to the video's ends counts double), and the similarity of each bin
        # to the inspected bins.
        self._gap = 2 * np.minimum(self._at - self._start, self._end - self._at)
        self._same = np.zeros(len(self._at))
        self.posterior = np.stack([self._chain.posteriors(row) for row in self._evidence])

    def reached(self) -> StopReason | None:
        """Why the search may end, apart from budgets."""
        sure = self._sure()
        if self.goal.kind == "needle" and sure.any():
            return "found"
        if self.goal.kind in ("order", "compare") and sure.any(axis=1).all():
            return "found"
        return None if self._open().any() else "covered"

    def choose(self, count: int) -> list[int]:
        """Return the bins to inspect next, highest value first; none of them was inspected before."""
        promise = 1 - np.prod(1 - self.posterior * self._matters(), axis=0)
        open_, gap, same = self._open(), self._gap, self._same
        here = np.zeros(len(self._at))  # as `same`, for this round only: earlier rounds are in the posterior
        chosen: list[int] = []
        while len(chosen) < count and open_.any():
            uncovered = gap * (1 - same)
            covering = uncovered / max(float(uncovered[open_].max()), 1e-9)
            value = promise * (1 - here) + _COVERAGE * covering + self._ties
            best = int(np.argmax(np.where(open_, value, -np.inf)))
            chosen.append(best)
            open_[best] = False
            gap, same = self._with_look(best, gap, same)
            here = np.maximum(here, self._similarity_to(best))
        return chosen

    def learn(self, chosen: Sequence[int], scores: Posteriors) -> None:
        """Update the posteriors with the scores of some bins."""
        self.order += chosen
        self.scores[:, chosen] = scores.T
        self._evidence[:, chosen] += self._from_looks(scores.T)
        self.posterior = np.stack([self._chain.posteriors(row) for row in self._evidence])
        for b in chosen:
            self._gap, self._same = self._with_look(b, self._gap, self._same)

    def result(self, rounds: int, stopped: StopReason) -> Searched:
        """Return the current result."""
        posterior = self.posterior / self.posterior.sum(axis=1, keepdims=True)
        moments = [moment for target in range(len(self.goal.targets)) for moment in self._moments(target, posterior)]
        by_time = {"first": 1, "last": -1}.get(self.goal.kind, 0)
        moments.sort(key=lambda m: (not m.sure, by_time * m.sure * m.span.start, -m.posterior, m.span.start, m.target))
        return Searched(
            tuple(moments[:_MOST_MOMENTS]),
            posterior,
            tuple(self.timeline.seconds[b] for b in self.order),
            self.scores[:, self.order].T.copy(),
            rounds,
            stopped,
        )

    def _from_priors(self, priors: Sequence[Prior]) -> Posteriors:
        """Return the log odds that priors add, shape `(targets, bins)`.

        A prior's weight is distributed over the shots that its span covers, by their share of a triangle over the span,
        and within a shot over its bins. The middle of a span counts most and its edges count nothing, so that the
        first look goes to the middle and a prior that only touches a shot hardly affects it.
        """
        base = float(log_odds(self._base))
        starts = np.array([span.start for span in self.timeline.bins])
        ends = np.array([span.end for span in self.timeline.bins])
        evidence = np.zeros((len(self.goal.targets), len(starts)))
        for prior in priors:
            if prior.target >= len(self.goal.targets):
                raise ValueError(
                    f"a prior is for target {prior.target}: there are {len(self.goal.targets)} targets, numbered from 0"
                )
            within = np.flatnonzero((starts < prior.span.end) & (ends > prior.span.start))
            if not len(within):
                continue
            share = _below(ends[within], prior.span) - _below(starts[within], prior.span)
            _, scene = np.unique(self._scenes[within], return_inverse=True)
            whole = np.bincount(scene, share)
            likely = np.clip(whole * min(prior.weight, _MAX_PRIOR), self._base, None)
            lifts = (log_odds(likely) - base) / np.maximum(whole, 1e-9)
            evidence[prior.target, within] += lifts[scene] * share
        return np.minimum(evidence, float(log_odds(_MAX_PRIOR)) - base)

    def _from_looks(self, scores: Posteriors) -> Posteriors:
        """Return the log odds that looks add: the score `sure` alone lifts the base to `sure`, half of it adds 0, less is negative."""
        base, sure, nothing = (float(log_odds(x)) for x in (self._base, self.goal.sure, self.goal.sure / 2))
        seen = log_odds(np.clip(scores, 1 - _CERTAIN, _CERTAIN)) - nothing
        lifted = seen * np.where(seen > 0, max(1.0, (sure - base) / (sure - nothing)), 1.0)
        return np.clip(lifted, math.log(_MISSED), float(log_odds(_CERTAIN)) - base)

    def _sure(self) -> Bins:
        return np.nan_to_num(self.scores) >= self.goal.sure

    def _matters(self) -> Bins:
        """Which bins can change the result, for each target."""
        sure = self._sure()
        matters = np.ones_like(sure)
        for target, hits in enumerate(sure):
            if not hits.any():
                continue
            if self.goal.kind in ("order", "compare"):
                matters[target] = False
            elif self.goal.kind == "first":
                matters[target, int(np.argmax(hits)) :] = False
            elif self.goal.kind == "last":
                matters[target, : len(hits) - int(np.argmax(hits[::-1]))] = False
        return matters

    def _open(self) -> Bins:
        """Bins that may be inspected: relevant, not inspected and, for kinds that need coverage, not covered."""
        open_ = np.asarray(self._matters().any(axis=0), bool)
        open_[self.order] = False
        if self.goal.kind in ("count", "first", "last"):
            for b in self.order:
                near = np.abs(self._at - self._at[b]) <= self._holds / 2
                open_ &= ~(near & (self._scenes == self._scenes[b]))
        return open_

    def _similarity_to(self, b: int) -> Posteriors:
        """Similarity of each bin to this one, 0 to 1."""
        away = np.abs(self._at - self._at[b])
        return np.where(self._scenes == self._scenes[b], np.exp(-away / self._holds), 0.0)

    def _with_look(self, b: int, gap: Posteriors, same: Posteriors) -> tuple[Posteriors, Posteriors]:
        """Return `_gap` and `_same` after one more look."""
        return np.minimum(gap, np.abs(self._at - self._at[b])), np.maximum(same, self._similarity_to(b))

    def _moments(self, target: int, mass: Posteriors) -> list[Moment]:
        """Return the peaks of a target's posterior with the bins around each; no bin twice."""
        posterior, sure = self.posterior[target], self._sure()[target]
        free, looked = np.ones(len(posterior), bool), set(self.order)
        found: list[Moment] = []
        for peak in np.lexsort((np.arange(len(posterior)), -posterior, ~sure)).tolist():
            if len(found) == _MOST_MOMENTS or not (sure[peak] or posterior[peak] >= _PEAK_OVER_BASE * self._base):
                break
            shoulder = posterior[peak] < posterior[max(0, peak - 1) : peak + 2].max() and not sure[peak]
            if shoulder or not free[peak]:
                continue
            reaches = free & (posterior >= _EDGE * posterior[peak])
            first = last = peak
            while first > 0 and reaches[first - 1]:
                first -= 1
            while last + 1 < len(posterior) and reaches[last + 1]:
                last += 1
            free[first : last + 1] = False
            inside = range(first, last + 1)
            found.append(
                Moment(
                    target=target,
                    span=Span(start=self.timeline.bins[first].start, end=self.timeline.bins[last].end),
                    posterior=float(posterior[peak]),
                    mass=min(1.0, float(mass[target, first : last + 1].sum())),
                    sure=bool(sure[first : last + 1].any()),
                    looked=tuple(self.timeline.seconds[b] for b in inside if b in looked),
                )
            )
        return found


def _below(seconds: npt.NDArray[np.float64], span: Span) -> npt.NDArray[np.float64]:
    """Return the share of a triangle over a span that lies before each second."""
    at = np.clip((seconds - span.start) / span.duration, 0.0, 1.0)
    return np.where(at < 0.5, 2 * at**2, 1 - 2 * (1 - at) ** 2)


def _checked(scores: npt.ArrayLike, shape: tuple[int, int]) -> Posteriors:
    given = np.asarray(scores, np.float64)
    if given.shape != shape:
        raise ValueError(
            f"look returned scores of shape {given.shape}: one for each frame and target is expected, {shape}"
        )
    if not (np.isfinite(given).all() and (given >= 0).all() and (given <= 1).all()):
        raise ValueError("look returned a score outside 0 to 1")
    return given
