"""Published methods to choose frames, reproduced with their flaws, as baselines for `frames` and `temporal`.

`uniform`, `top_k` and `aks` choose from scored frames; `t_star` inspects frames itself. Only the evaluation uses
them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from pydantic import Field

from ....index.localization.frame_choice import Candidate, stretched
from ....index.localization.temporal_search import Look
from ....tools.errors import MissingExtraError, QueryError
from ....tools.records import Record

__all__ = ["Chooser", "TStarGoal", "TStarSearched", "aks", "t_star", "top_k", "uniform"]

# Candidates of one video and how many to choose → the chosen in order of time; also `frames.choose_frames`.
Chooser = Callable[[Sequence[Candidate], int], tuple[Candidate, ...]]
Floats = npt.NDArray[np.float64]

# Constants of T*: neighbours on each side whose scores a hit raises; weight of a cue relative to a target; percentile
# of the frames that are propagated and sampled; smoothing of the spline as a sum of squared residuals.
_WINDOW = 5
_CUE_WEIGHT = 0.5
_PERCENTILE = 75
_SMOOTHING = 0.5


def uniform(candidates: Sequence[Candidate], k: int) -> tuple[Candidate, ...]:
    """Return the middle of each of `k` equal groups of candidates, in order of time, without using relevance.

    As Temporal Segment Networks sample at test time (Wang et al. 2016; `dataset.py` of github.com/yjxiong/tsn-pytorch).
    The `linspace` from the first to the last frame that many video LLMs use spends two frames on the edges, and
    takes the very first for `k` = 1.

    Raises:
        QueryError: `k` is less than 1.
    """
    ordered = _in_order(candidates, k)
    count = len(ordered)
    if count <= k:
        return ordered
    return tuple(ordered[(2 * i + 1) * count // (2 * k)] for i in range(k))


def top_k(candidates: Sequence[Candidate], k: int) -> tuple[Candidate, ...]:
    """Return the `k` most relevant candidates in order of time; ties go to the earlier one.

    The strategy TOP in AKS (Tang et al. 2025). In a cluster of good scores all chosen frames are neighbours.

    Raises:
        QueryError: `k` is less than 1.
    """
    ordered = _in_order(candidates, k)
    return tuple(ordered[i] for i in sorted(_best([c.relevance for c in ordered], range(len(ordered)), k)))


def aks(candidates: Sequence[Candidate], k: int, threshold: float = 0.8, depth: int = 5) -> tuple[Candidate, ...]:
    """Adaptive Keyframe Sampling: Tang et al. 2025 (CVPR, arXiv 2502.21271), strategy ADA, "judge and split".

    Scores are stretched to 0 to 1 over the video. A piece whose `k` best scores are on average more than
    `threshold` above the mean of all its scores gives its best frames; any other is split in two halves, down to
    `depth`. A piece at depth d gives ⌊k / 2^d⌋ frames.

    After `frame_select.py` of github.com/ncTimTang/AKS, with its defaults. Its flaws are kept:
    - ⌊k / 2^d⌋ is 0 for small `k`: at depth 5 nothing at all is chosen for `k` < 32, and 32 frames for `k` = 63.
    - The `k` best of the whole are asked for in each piece, however small (issue 20 there: the paper means
      k / 2^d); where a piece has no more than `k` frames their mean is the mean, and it is always split.
    - So nearly all pieces end at the greatest depth (issue 20: all of VideoMME's do): 32 equal bins.
    - What a short piece lacks is given to no other.
    Only a video whose scores are all equal, where the original divides by 0, is taken to score 0.

    Raises:
        QueryError: `k` is less than 1.
    """
    ordered = _in_order(candidates, k)
    if len(ordered) < k:
        return ordered
    scores = stretched([c.relevance for c in ordered])
    chosen: list[int] = []
    pieces = [(range(len(scores)), 0)]
    while pieces:
        piece, level = pieces.pop()
        best = [scores[i] for i in _best(scores, piece, k)]
        exceeds = len(piece) > 0 and np.mean(best) - np.mean([scores[i] for i in piece]) > threshold
        if exceeds or level == depth:
            chosen += _best(scores, piece, k // 2**level)
        else:
            half = len(piece) // 2
            pieces += [(piece[:half], level + 1), (piece[half:], level + 1)]
    return tuple(ordered[i] for i in sorted(chosen))


class TStarGoal(Record):
    """The target of a T* search, and its limits."""

    k: int = Field(ge=1, description="How many frames it chooses in the end.")
    budget: int = Field(
        ge=1, description="No new grid starts after this number of inspected frames (the last grid may exceed it)."
    )
    targets: int = Field(
        default=1, ge=1, description="Number of columns of scores that are targets; the others are cues."
    )
    grid: int = Field(default=8, ge=2, description="Rows, and columns, of frames that are looked at together.")
    threshold: float = Field(default=0.5, gt=0, lt=1, description="A score above it confirms a target.")
    seed: int = Field(default=0, ge=0, description="Seed of the sampling; the original has none.")


@dataclass(frozen=True)
class TStarSearched:
    """The result of a T* search.

    Attributes:
        chosen: Seconds of the chosen frames, in order of time.
        found: For each target the second where it was confirmed, None if it was not.
        looked: Seconds looked at in grids, in the order of looking; a second may come again.
        verified: Seconds looked at again, alone.
    """

    chosen: tuple[float, ...]
    found: tuple[float | None, ...]
    looked: tuple[float, ...]
    verified: tuple[float, ...]

    @property
    def inspected(self) -> int:
        """The number of distinct inspected frames."""
        return len(set(self.looked))


def t_star(seconds: Sequence[float], look: Look, goal: TStarGoal) -> TStarSearched:
    """T*: Ye et al. 2025 (CVPR, arXiv 2504.02259), Re-thinking Temporal Search for Long-Form Video Understanding.

    Rounds of: sample a grid of frames; let a detector look at it; note each frame's best weighted score; raise the
    scores around the best quarter; lay a smoothing spline through the scores of visited frames, its sigmoid being
    the next distribution; look again, alone, at each frame where a missing target was seen, and drop the target
    if confirmed. Ends when no target is missing or the budget is spent; chooses the `k` best scores.

    After `TStar/interface_searcher.py` of github.com/mll-lab-nu/TStar (commit 8c0d496). Its flaws are kept:
    - The distribution is flat: a sigmoid maps scores 0..1 to 0.5..0.73, and grid² / n is added to probabilities of
      about 1 / n. After a hit of 0.9 in an hour, weights differ by 0.2 %: what steers at all is that only the
      upper quarter is sampled. With a detector that never errs it finds ten seconds in an hour no
      sooner than frames in random order do (tests/benchmarks/bench_looks.py).
    - The spline may miss by a sum of squares of 0.5: one hit of up to 0.7 is smoothed into a cubic over all.
    - Scores raised around a hit lie on unvisited frames, which the spline leaves out. They only count in the end:
      of the `k` chosen most are unseen neighbours of a hit.
    - A target is given up once it was seen: what comes after, and how often, is not searched.
    - A frame's score is the best of all objects: a sure cue confirms an unsure target.
    - One frame confirms one target a round.
    - The first grid takes every ⌊n / grid²⌋-th frame: of 127 frames, only the first 64.
    - Where nothing was seen, the last `k` frames are chosen.
    What differs: sampling is seeded; equal scores are ordered by time; a video shorter than a grid is looked at
    whole, and the search ends when all was looked at, where the original fails.

    Args:
        seconds: Where it may look, in order; the original has one frame a second.
        look: As for `temporal.search`; a score above 0 is a detection. Several seconds are a grid (small pictures),
            a single one is a verification.
        goal: What to search for.

    Raises:
        MissingExtraError: SciPy, which lays the spline, is not installed.
        QueryError: There is nowhere to look.
    """
    if not seconds:
        raise QueryError("T* needs at least one second to look at, got none")
    state = _TStar(seconds, look, goal)
    while None in state.found and len(state.looked) < goal.budget and not state.visited.all():
        state.round()
    best = np.argsort(state.scores, kind="stable")[-goal.k :]
    return TStarSearched(
        chosen=tuple(seconds[i] for i in sorted(best.tolist())),
        found=tuple(None if i is None else seconds[i] for i in state.found),
        looked=tuple(seconds[i] for i in state.looked),
        verified=tuple(seconds[i] for i in state.verified),
    )


class _TStar:
    """The state of one search by T*; frames are known by their place in `seconds`."""

    def __init__(self, seconds: Sequence[float], look: Look, goal: TStarGoal) -> None:
        self._seconds, self._look, self._goal = seconds, look, goal
        self._random = np.random.default_rng(goal.seed)
        self.scores = np.zeros(len(seconds))
        self.visited = np.zeros(len(seconds), bool)
        self.found: list[int | None] = [None] * goal.targets
        self.looked: list[int] = []
        self.verified: list[int] = []

    def round(self) -> None:
        """One grid: sample, look, update, verify."""
        sampled = self._sampled(min(self._goal.grid**2, len(self._seconds)))
        self.looked += sampled
        seen = self._seen(sampled)
        self.visited[sampled] = True
        self.scores[sampled] = self._weighted(seen)
        self._propagate(sampled)
        for i, row in zip(sampled, seen, strict=True):
            self._verify(i, row)

    def _seen(self, frames: Sequence[int]) -> Floats:
        scores = np.asarray(self._look([self._seconds[i] for i in frames]), np.float64)
        if scores.ndim != 2 or len(scores) != len(frames) or scores.shape[1] < self._goal.targets:
            raise ValueError(
                f"look returned scores of shape {scores.shape}: one row a frame ({len(frames)}) and one column a "
                f"target (at least {self._goal.targets}) are wanted"
            )
        return scores

    def _weighted(self, seen: Floats) -> Floats:
        """Return a frame's score: the highest score of its objects, with cues at half weight."""
        weights = np.where(np.arange(seen.shape[1]) < self._goal.targets, 1.0, _CUE_WEIGHT)
        best: Floats = (seen * weights).max(axis=1)
        return best

    def _propagate(self, sampled: Sequence[int]) -> None:
        """Raise the scores of the neighbours of the best quarter, less with more distance."""
        own = self.scores[sampled]
        least = np.percentile(own, _PERCENTILE)
        for i in [i for i, score in zip(sampled, own, strict=True) if score >= least]:
            near = np.arange(max(0, i - _WINDOW), min(len(self.scores), i + _WINDOW + 1))
            self.scores[near] = np.maximum(self.scores[near], self.scores[i] / (np.abs(near - i) + 1))

    def _verify(self, i: int, row: Floats) -> None:
        """Look at a frame alone for each missing target seen in it, until one is confirmed."""
        for target, where in enumerate(self.found):
            if where is None and row[target] > 0:
                alone = self._seen([i])
                self.verified.append(i)
                self.scores[i] = self._weighted(alone)[0]
                if alone[0, target] > 0 and self.scores[i] > self._goal.threshold:
                    self.found[target] = i
                    return

    def _sampled(self, count: int) -> list[int]:
        """The frames of the next grid."""
        total = len(self._seconds)
        if not self.visited.any():
            return list(range(0, total, total // count))[:count]
        spread = self._distribution() + count / total
        fresh = spread * ~self.visited
        fresh *= fresh >= np.percentile(fresh, _PERCENTILE)
        # Too few frames are left: the original then samples from all, visited or not.
        weights = fresh if np.count_nonzero(fresh) >= count else spread
        drawn: list[int] = self._random.choice(total, count, replace=False, p=weights / weights.sum()).tolist()
        return drawn

    def _distribution(self) -> Floats:
        """The sigmoid of a smoothing spline through the scores of visited frames."""
        try:
            from scipy.interpolate import UnivariateSpline  # type: ignore[import-untyped]
        except ModuleNotFoundError as error:
            raise MissingExtraError("the T* baseline", "scipy", "eval") from error
        total = len(self._seconds)
        visited = np.flatnonzero(self.visited)
        spline = UnivariateSpline(visited, self.scores[visited], s=_SMOOTHING)
        flat: Floats = 1 / (1 + np.exp(-np.maximum(1 / total, spline(np.arange(total)))))
        return flat / flat.sum()


def _in_order(candidates: Sequence[Candidate], k: int) -> tuple[Candidate, ...]:
    if k < 1:
        raise QueryError(f"k={k}: at least 1 frame must be chosen")
    return tuple(sorted(candidates, key=lambda c: c.seconds))


def _best(scores: Sequence[float], of: Sequence[int], k: int) -> list[int]:
    """Return the indices of the `k` greatest scores; ties go to the earlier one."""
    return sorted(of, key=lambda i: (-scores[i], i))[:k]
