"""Temporal search: where in a video to look next, and when to stop. It sees no picture: a callback looks.

A video is cut into bins that never reach over a scene cut. Each target has its own belief in each bin, by a
chain that starts anew at every cut (`chain`), so what was seen in one scene says nothing of the next. Stored
evidence sets the belief before the first look (`Prior`); each round looks at the bins that promise most, and
updates the belief in each target by that target's own score.
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
# Seconds to look at → how surely each target is there, 0 to 1: shape `(len(seconds), targets)`.
Look = Callable[[Sequence[float]], npt.ArrayLike]
Posteriors = npt.NDArray[np.float64]
Bins = npt.NDArray[np.bool_]

# A look that shows nothing lets this much of the odds stand: detectors miss.
_MISSED = 0.05
# No look and no clue is certain, so that a later one can still say otherwise.
_CERTAIN = 0.999
# Clues are hints, however many agree: their odds for one bin end at this belief.
_MOST_BY_CLUES = 0.9
# What the widest gap without a look is worth, against a bin whose target is there with certainty.
_COVERAGE = 0.05
_SHORTEST_SCENE = 0.001  # seconds
# A moment reaches as far as the belief is this share of its peak, and its peak is so many times the base.
_EDGE = 0.5
_STANDS_OUT = 2.0
_MOST_MOMENTS = 20


class Prior(Record):
    """Stored evidence that a target is somewhere: a search result, a detection."""

    target: int = Field(ge=0, description="Which target, by its place in `Goal.targets`.")
    span: Span = Field(description="Where; padded by whoever knows how far off it may be.")
    weight: float = Field(ge=0, le=1, description="How likely the target is there, by this alone.")


class Goal(Record):
    """What to search for, and how much it may cost."""

    kind: Kind = Field(
        description="`needle`: any target, once. `order`, `compare`: each target, once. `count`: all there are. "
        "`first`, `last`: none may lie before, or after, what was found."
    )
    targets: tuple[str, ...] = Field(min_length=1, description="What is looked for, each with its own belief.")
    frames: int = Field(default=32, ge=1, description="Look at no more frames than these.")
    seconds: float = Field(default=math.inf, gt=0, description="Start no round that is likely to end later than this.")
    frames_a_round: int = Field(default=4, ge=1, description="Frames that one call of `look` gets, at most.")
    sure: float = Field(default=0.7, gt=0, lt=1, description="A look's score from which on the target is there.")
    moment_seconds: float = Field(default=6.0, gt=0, description="How long a target usually stays.")
    seed: int = Field(default=0, ge=0, description="Decides between bins of the same worth.")


@dataclass(frozen=True)
class Timeline:
    """A video's bins, in order, not overlapping.

    Attributes:
        bins: Their spans.
        scenes: The number of each bin's scene; equal neighbours have no cut between them.
        seconds: Where to look, one second inside each bin.
        holds_seconds: How long a scene's picture stays alike; None: as long as a moment (`Goal.moment_seconds`).
    """

    bins: tuple[Span, ...]
    scenes: tuple[int, ...]
    seconds: tuple[float, ...]
    holds_seconds: float | None = None

    def __post_init__(self) -> None:
        if not len(self.bins) == len(self.scenes) == len(self.seconds) > 0:
            raise ValueError(
                f"{len(self.bins)} bins, {len(self.scenes)} scenes and {len(self.seconds)} seconds: "
                "there must be as many of each, and at least one"
            )
        if any(after.start < before.end for before, after in pairwise(self.bins)):
            raise ValueError("the bins of a timeline are in order and do not overlap: sort them, and cut overlaps")
        for span, second in zip(self.bins, self.seconds, strict=True):
            if not span.start <= second < span.end:
                raise ValueError(f"the bin {span.start} to {span.end} cannot be looked at in second {second}")

    @classmethod
    def even(cls, duration: float, cuts: Sequence[float] = (), bin_seconds: float = 2.0) -> Self:
        """Each scene in equal bins, as long as they may be; looked at in the middle.

        Args:
            duration: Of the video, in seconds.
            cuts: Where a new scene begins, in any order; those outside the video, or within a millisecond of
                another or of its ends, are left out.
            bin_seconds: Longest bin.
        """
        if not (0 < duration < math.inf and 0 < bin_seconds < math.inf):
            raise ValueError(f"duration={duration} and bin_seconds={bin_seconds} must be finite and more than 0")
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
    def of_stills(cls, segments: Sequence[Span], bin_seconds: float = 2.0) -> Self:
        """Pictures that stay the same up to noise, each a scene in equal bins.

        One look tells of all of a still, so the first looks go to different stills; but a detector that sees nothing
        in one frame may see it in the next, so a still that promises much is looked at again before one that does not.

        Args:
            segments: In order; where one overlaps the one before, it is cut.
            bin_seconds: Longest bin.
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
    """A stretch of time where a target may be."""

    target: int = Field(ge=0, description="Which target, by its place in `Goal.targets`.")
    span: Span = Field(description="Where: up to a cut, a look that says no, or half of the peak's belief.")
    posterior: float = Field(ge=0, le=1, description="How likely the target is there.")
    mass: float = Field(ge=0, le=1, description="The share of the target's posterior over time that lies here.")
    sure: bool = Field(description="Whether a look at a frame of it was sure.")
    looked: tuple[Seconds, ...] = Field(description="The seconds of it that were looked at, in order of time.")


@dataclass(frozen=True)
class Searched:
    """What a search found.

    Attributes:
        moments: Best first: sure ones, by time where the first or last is wanted; then by belief.
        posterior: Each target's own distribution over the bins, shape `(targets, bins)`; each row sums to 1.
        looked: The seconds looked at, in the order of looking.
        scores: What each look said, shape `(len(looked), targets)`.
        rounds: How often `look` was called.
        stopped: Why it ended: what was wanted was `found`; all of the time that matters was `covered`; or the
            budget of `frames` or `seconds` was spent before.
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
    """Look at frames in rounds until what the aim wants is found, or the budget is spent.

    The plan is that of search theory: look where finding is likeliest for the effort, update, go on (Stone
    1975, Theory of Optimal Search, chapter 2), with a part for coverage so that a wrong prior costs only some
    of the looks, as AKS joins relevance and coverage (Tang et al. 2025, arXiv 2502.21271). It follows T* (Ye et
    al. 2025, arXiv 2504.02259) in looking at real frames in rounds, but no sigmoid flattens the belief, a
    target keeps its belief after a hit, and each has its own score.

    Args:
        timeline: The video's bins.
        priors: What is known beforehand; may be empty.
        look: Scores the frames of a round, given in order of time. A score is taken at its word: 0.9 is "there, nine times in ten".
        goal: What to search for.
        clock: Tells seconds.

    Returns:
        The same for the same input, as long as `look` says the same and time does not run out.

    Raises:
        ValueError: A clue names no target, or `look` returns something else than a score of 0 to 1 a frame and target.
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
    """How likely each target is in each bin before any look, shape `(targets, bins)`."""
    return _SearchState(timeline, priors, goal).posterior


class _SearchState:
    """The state of one search."""

    def __init__(self, timeline: Timeline, priors: Sequence[Prior], goal: Goal) -> None:
        self.timeline, self.goal = timeline, goal
        self._at = np.array(timeline.seconds)
        self._scenes = np.array(timeline.scenes)
        self._start, self._end = timeline.bins[0].start, timeline.bins[-1].end
        # One moment of the usual length is expected.
        self._base = min(0.5, goal.moment_seconds / (self._end - self._start))
        self._holds = goal.moment_seconds if timeline.holds_seconds is None else timeline.holds_seconds
        self._chain = Chain(timeline.seconds, timeline.scenes, self._base, self._holds)
        self._ties = np.random.default_rng(goal.seed).random(len(self._at)) * 1e-9
        self._evidence = self._from_priors(priors)
        self.scores = np.full((len(goal.targets), len(self._at)), np.nan)
        self.order: list[int] = []
        # Seconds to the nearest look, where a video's edge counts half as far as it is; and how much a look at each
        # bin would show of what was seen already.
        self._gap = 2 * np.minimum(self._at - self._start, self._end - self._at)
        self._same = np.zeros(len(self._at))
        self.posterior = np.stack([self._chain.posteriors(row) for row in self._evidence])

    def reached(self) -> StopReason | None:
        """Why the search may end, budgets aside."""
        sure = self._sure()
        if self.goal.kind == "needle" and sure.any():
            return "found"
        if self.goal.kind in ("order", "compare") and sure.any(axis=1).all():
            return "found"
        return None if self._open().any() else "covered"

    def choose(self, count: int) -> list[int]:
        """The bins to look at next, most promising first; none was looked at before."""
        worth = 1 - np.prod(1 - self.posterior * self._matters(), axis=0)
        open_, gap, same = self._open(), self._gap, self._same
        here = np.zeros(len(self._at))  # as `same`, by this round alone: of the others the belief knows
        chosen: list[int] = []
        while len(chosen) < count and open_.any():
            uncovered = gap * (1 - same)
            covering = uncovered / max(float(uncovered[open_].max()), 1e-9)
            value = worth * (1 - here) + _COVERAGE * covering + self._ties
            best = int(np.argmax(np.where(open_, value, -np.inf)))
            chosen.append(best)
            open_[best] = False
            gap, same = self._with_look(best, gap, same)
            here = np.maximum(here, self._alike(best))
        return chosen

    def learn(self, chosen: Sequence[int], scores: Posteriors) -> None:
        """Take in what was seen in some bins."""
        self.order += chosen
        self.scores[:, chosen] = scores.T
        self._evidence[:, chosen] += self._by_sight(scores.T)
        self.posterior = np.stack([self._chain.posteriors(row) for row in self._evidence])
        for b in chosen:
            self._gap, self._same = self._with_look(b, self._gap, self._same)

    def result(self, rounds: int, stopped: StopReason) -> Searched:
        """What is known now."""
        shares = self.posterior / self.posterior.sum(axis=1, keepdims=True)
        moments = [moment for target in range(len(self.goal.targets)) for moment in self._moments(target, shares)]
        by_time = {"first": 1, "last": -1}.get(self.goal.kind, 0)
        moments.sort(key=lambda m: (not m.sure, by_time * m.sure * m.span.start, -m.posterior, m.span.start, m.target))
        return Searched(
            tuple(moments[:_MOST_MOMENTS]),
            shares,
            tuple(self.timeline.seconds[b] for b in self.order),
            self.scores[:, self.order].T.copy(),
            rounds,
            stopped,
        )

    def _from_priors(self, priors: Sequence[Prior]) -> Posteriors:
        """Log odds that clues add, shape `(targets, bins)`.

        A clue's weight is dealt out to the scenes that it spans, by their share of it, and a scene's part to its
        bins. What is perceived fills its span: the middle counts most, the edges nothing (a triangle), so that one
        look there tells most, and a clue that only grazes a scene says next to nothing of it.
        """
        base = float(log_odds(self._base))
        starts = np.array([span.start for span in self.timeline.bins])
        ends = np.array([span.end for span in self.timeline.bins])
        evidence = np.zeros((len(self.goal.targets), len(starts)))
        for prior in priors:
            if prior.target >= len(self.goal.targets):
                raise ValueError(f"a clue is for target {prior.target}: there are {len(self.goal.targets)}, from 0")
            within = np.flatnonzero((starts < prior.span.end) & (ends > prior.span.start))
            if not len(within):
                continue
            share = _below(ends[within], prior.span) - _below(starts[within], prior.span)
            _, scene = np.unique(self._scenes[within], return_inverse=True)
            whole = np.bincount(scene, share)
            likely = np.clip(whole * min(prior.weight, _MOST_BY_CLUES), self._base, None)
            lifts = (log_odds(likely) - base) / np.maximum(whole, 1e-9)
            evidence[prior.target, within] += lifts[scene] * share
        return np.minimum(evidence, float(log_odds(_MOST_BY_CLUES)) - base)

    def _by_sight(self, scores: Posteriors) -> Posteriors:
        """Log odds that looks add. `sure` lifts the base to `sure` by itself, half of it says nothing, less speaks against."""
        base, sure, nothing = (float(log_odds(x)) for x in (self._base, self.goal.sure, self.goal.sure / 2))
        seen = log_odds(np.clip(scores, 1 - _CERTAIN, _CERTAIN)) - nothing
        lifted = seen * np.where(seen > 0, max(1.0, (sure - base) / (sure - nothing)), 1.0)
        return np.clip(lifted, math.log(_MISSED), float(log_odds(_CERTAIN)) - base)

    def _sure(self) -> Bins:
        return np.nan_to_num(self.scores) >= self.goal.sure

    def _matters(self) -> Bins:
        """Which bins may still change the answer, for each target."""
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
        """Bins that may be looked at: they matter, and were neither looked at nor, where covering is wanted, covered."""
        open_ = np.asarray(self._matters().any(axis=0), bool)
        open_[self.order] = False
        if self.goal.kind in ("count", "first", "last"):
            for b in self.order:
                near = np.abs(self._at - self._at[b]) <= self._holds / 2
                open_ &= ~(near & (self._scenes == self._scenes[b]))
        return open_

    def _alike(self, b: int) -> Posteriors:
        """How much a look at each bin would show of what a look at this one shows."""
        away = np.abs(self._at - self._at[b])
        return np.where(self._scenes == self._scenes[b], np.exp(-away / self._holds), 0.0)

    def _with_look(self, b: int, gap: Posteriors, same: Posteriors) -> tuple[Posteriors, Posteriors]:
        """What `_gap` and `_same` become by one more look."""
        return np.minimum(gap, np.abs(self._at - self._at[b])), np.maximum(same, self._alike(b))

    def _moments(self, target: int, shares: Posteriors) -> list[Moment]:
        """Peaks of a target's belief, each with the bins around it, none twice."""
        posterior, sure = self.posterior[target], self._sure()[target]
        free, looked = np.ones(len(posterior), bool), set(self.order)
        found: list[Moment] = []
        for peak in np.lexsort((np.arange(len(posterior)), -posterior, ~sure)).tolist():
            if len(found) == _MOST_MOMENTS or not (sure[peak] or posterior[peak] >= _STANDS_OUT * self._base):
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
                    mass=min(1.0, float(shares[target, first : last + 1].sum())),
                    sure=bool(sure[first : last + 1].any()),
                    looked=tuple(self.timeline.seconds[b] for b in inside if b in looked),
                )
            )
        return found


def _below(seconds: npt.NDArray[np.float64], span: Span) -> npt.NDArray[np.float64]:
    """The share of a triangle over a span that lies before each second."""
    at = np.clip((seconds - span.start) / span.duration, 0.0, 1.0)
    return np.where(at < 0.5, 2 * at**2, 1 - 2 * (1 - at) ** 2)


def _checked(scores: npt.ArrayLike, shape: tuple[int, int]) -> Posteriors:
    given = np.asarray(scores, np.float64)
    if given.shape != shape:
        raise ValueError(f"look returned scores of shape {given.shape}: one a frame and target is wanted, {shape}")
    if not (np.isfinite(given).all() and (given >= 0).all() and (given <= 1).all()):
        raise ValueError("look returned a score that is not a number from 0 to 1")
    return given
