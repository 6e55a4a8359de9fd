"""How many frames are looked at until a needle is found, in SIMULATED hours: there is no video, no picture, no model.

120 hours (seeds 0 to 119), each with 300 shots of random length and one target of 10 s anywhere, cuts or not. Every
way to search may look at the same 3600 frames, one a second, and gets the same score for the same frame. Drawn are:

- A perfect detector: 1 on the target, 0 elsewhere. A noisy one: of the target's frames it is sure of 60 % (0.7 to
  1), half sure of 25 % (0.35 to 0.7) and misses the rest; elsewhere it is wrongly sure of one frame in 2000 (about
  two an hour) and half sure of 2 %. Frames err independently of each other, which real detectors do not.
- Priors such as a retrieval gives: 20 spans of 12 s, the one at rank r with weight 0.6 × 0.9^r. The target's own, up
  to 4 s off, is among the first five in 70 % of the hours, lower in 20 %, and not there in 10 %; the rest is wrong.

A search ends at the first score of 0.7 or more, and has found the target if that frame shows it; a wrong one ends it
too. What is looked at in one round counts whole. The ways:

- `temporal`: `index.localization.temporal_search.search` in rounds of 4 (its default), of 16 (one grid, as the agent asks) and, where
  there are priors, of 1.
- `uniform`: every 2048th second, then every 1024th and so on. `random`: a shuffled order.
- `prior middles`: one frame in the middle of each prior, best first, then `uniform`. These hours suit it: the middle
  of the right prior always shows the target.
- `top-k`, k growing by one, and `AKS` with its defaults, k = 32 (below it chooses nothing), 64 and so on, new frames
  in order of time; a frame's score is its strongest prior's weight. Without priors they have nothing to choose by.
- `T*` in grids of 8 × 8 as published, and of 4 × 4; it takes no priors.

Not found counts as endless in median and 90th percentile ("–"); the mean is over what was looked at, found or not.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
import numpy.typing as npt
from report import Figures, percent

from playhead.agent.evaluation.systems.frame_choosers import TStarGoal, aks, t_star
from playhead.index.localization.frame_choice import Candidate
from playhead.index.localization.temporal_search import Goal, Prior, Timeline, search
from playhead.tools.records import Span

_HOURS = 120
_SECONDS = 3600
_SHOTS = 300
_TARGET = 10.0
_SURE = 0.7
_PRIORS = 20
_PRIOR_SECONDS = 12.0
_BUDGETS = (16, 64, 256)

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Hour:
    """One simulated hour; frame i is in the middle of second i."""

    seed: int
    target: Span
    scenes: tuple[int, ...]
    priors: tuple[Prior, ...]
    scores: Floats

    def look(self, seconds: Sequence[float]) -> Floats:
        return self.scores[[int(second) for second in seconds], None]

    def shows(self, second: float) -> bool:
        return bool(self.target.start <= second < self.target.end)


@dataclass(frozen=True)
class Ended:
    """How many different frames a search looked at, and whether it found the target."""

    looks: int
    found: bool


_AT = np.arange(_SECONDS) + 0.5
_BINS = tuple(Span(start=i, end=i + 1) for i in range(_SECONDS))


def measure() -> Figures:
    tables: dict[str, list[dict[str, str | float | None]]] = {}
    for detector in ("perfect", "noisy"):
        for hinted in (False, True):
            hours = [_hour(seed, detector, hinted) for seed in range(_HOURS)]
            title = f"Simulated hours: {detector} detector, {'noisy' if hinted else 'no'} priors"
            tables[title] = [_row(way, [find(hour) for hour in hours]) for way, find in _ways(hinted).items()]
    return tables


def _ways(hinted: bool) -> dict[str, Callable[[Hour], Ended]]:
    ways = {
        "temporal, rounds of 4": lambda hour: _temporal(hour, 4),
        "temporal, rounds of 16": lambda hour: _temporal(hour, 16),
        "uniform, finer and finer": lambda hour: _in_turn(hour, finer()),
        "random order": lambda hour: _in_turn(hour, _drawing("order", hour.seed).permutation(_SECONDS)),
        "T*, grids of 8 × 8": lambda hour: _t_star(hour, 8),
        "T*, grids of 4 × 4": lambda hour: _t_star(hour, 4),
    }
    if hinted:
        ways["temporal, one by one"] = lambda hour: _temporal(hour, 1)
        ways["prior middles, then uniform"] = lambda hour: _in_turn(hour, chain(_middles(hour), finer()))
        ways["top-k by prior"] = lambda hour: _in_turn(hour, np.argsort(-_relevance(hour), kind="stable"))
        ways["AKS by prior"] = lambda hour: _in_turn(hour, _by_aks(hour))
    return ways


def _row(way: str, ended: Sequence[Ended]) -> dict[str, str | float | None]:
    looks = np.array([one.looks if one.found else np.inf for one in ended])
    return {
        "way": way,
        "hours": len(ended),
        "found_percent": percent(np.mean(np.isfinite(looks))),
        **{f"found_in_{budget}_percent": percent(np.mean(looks <= budget)) for budget in _BUDGETS},
        "median_looks": _finite(np.percentile(looks, 50, method="higher")),
        "p90_looks": _finite(np.percentile(looks, 90, method="higher")),
        "mean_looks": round(float(np.mean([one.looks for one in ended])), 1),
    }


def _finite(looks: float) -> float | None:
    return int(looks) if np.isfinite(looks) else None


def _hour(seed: int, detector: str, hinted: bool) -> Hour:
    """The same target, shot boundaries, priors and errors for the same seed, each from a generator of its own."""
    rng = _drawing("hour", seed)
    start = rng.uniform(0, _SECONDS - _TARGET)
    cuts = np.sort(rng.uniform(0, _SECONDS, _SHOTS - 1))
    target = Span(start=start, end=start + _TARGET)
    there = (target.start <= _AT) & (target.end > _AT)
    return Hour(
        seed=seed,
        target=target,
        scenes=tuple(np.searchsorted(cuts, _AT).tolist()),
        priors=_priors(_drawing("priors", seed), target) if hinted else (),
        scores=there.astype(float) if detector == "perfect" else _noisy(_drawing("errors", seed), there),
    )


def _drawing(what: str, seed: int) -> np.random.Generator:
    """Of its own, and none of the searches': `default_rng([5, 0])` is `default_rng(5)`, which T* draws its frames from."""
    return np.random.default_rng([*what.encode(), seed])


def _noisy(rng: np.random.Generator, there: npt.NDArray[np.bool_]) -> Floats:
    chance = rng.random(_SECONDS)
    sure, half_sure = np.where(there, 0.6, 1 / 2000), np.where(there, 0.25, 0.02)
    drawn = rng.random(_SECONDS)
    return np.select([chance < sure, chance < sure + half_sure], [0.7 + 0.3 * drawn, 0.35 + 0.35 * drawn], 0.0)


def _priors(rng: np.random.Generator, target: Span) -> tuple[Prior, ...]:
    starts = rng.uniform(0, _SECONDS - _PRIOR_SECONDS, _PRIORS)
    chance = rng.random()
    if chance < 0.9:
        rank = rng.integers(5) if chance < 0.7 else rng.integers(5, _PRIORS)
        middle = (target.start + target.end) / 2 + rng.uniform(-4, 4)
        starts[rank] = np.clip(middle - _PRIOR_SECONDS / 2, 0, _SECONDS - _PRIOR_SECONDS)
    return tuple(
        Prior(target=0, span=Span(start=at, end=at + _PRIOR_SECONDS), weight=0.6 * 0.9**rank)
        for rank, at in enumerate(starts.tolist())
    )


def _temporal(hour: Hour, round_: int) -> Ended:
    timeline = Timeline(bins=_BINS, scenes=hour.scenes, seconds=tuple(_AT.tolist()))
    goal = Goal(kind="needle", targets=("target",), frames=_SECONDS, frames_a_round=round_, sure=_SURE, seed=hour.seed)
    searched = search(timeline, hour.priors, hour.look, goal)
    surest = searched.looked[int(np.argmax(searched.scores[:, 0]))]
    return Ended(len(searched.looked), searched.stopped == "found" and hour.shows(surest))


def _t_star(hour: Hour, grid: int) -> Ended:
    goal = TStarGoal(k=8, budget=_SECONDS, grid=grid, threshold=_SURE, seed=hour.seed)
    searched = t_star(_AT.tolist(), hour.look, goal)
    where = searched.found[0]
    return Ended(searched.inspected, where is not None and hour.shows(where))


def _in_turn(hour: Hour, order: Iterable[int]) -> Ended:
    """One frame after the other; what comes again costs nothing."""
    looked: set[int] = set()
    for i in order:
        looked.add(int(i))
        if hour.scores[i] >= _SURE:
            return Ended(len(looked), hour.shows(_AT[i]))
    return Ended(len(looked), False)


def finer() -> Iterator[int]:
    """Each step's frames lie between those of the steps before: 1024, 3072; 512, 1536, 2560, 3584; 256 …; at last 0."""
    step = 2048
    while step > 1:
        yield from range(step // 2, _SECONDS, step)
        step //= 2
    yield 0


def _middles(hour: Hour) -> list[int]:
    return [int((one.span.start + one.span.end) / 2) for one in sorted(hour.priors, key=lambda one: -one.weight)]


def _by_aks(hour: Hour) -> Iterator[int]:
    frames = [
        Candidate(seconds=float(at), relevance=float(worth), span=span)
        for at, worth, span in zip(_AT, _relevance(hour), _BINS, strict=True)
    ]
    k = 32
    while k < 2 * _SECONDS:
        yield from (int(one.seconds) for one in aks(frames, min(k, _SECONDS)))
        k *= 2


def _relevance(hour: Hour) -> Floats:
    relevance = np.zeros(_SECONDS)
    for prior in hour.priors:
        within = (prior.span.start <= _AT) & (prior.span.end > _AT)
        relevance[within] = np.maximum(relevance[within], prior.weight)
    return relevance
