"""The uncertainty of scores: random halves of the videos, and confidence intervals by resampling videos. All seeded."""

import random
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from ....tools.records import Record

__all__ = ["Interval", "halves", "interval", "paired_difference"]

_DRAWS = 2000
_LEVEL = (2.5, 97.5)


class Interval(Record):
    """A mean with its 95 % confidence interval."""

    mean: float
    low: float
    high: float


def halves(videos: Iterable[str], seed: int = 0) -> tuple[frozenset[str], frozenset[str]]:
    """Split the videos at random into two halves: one for tuning, one for reporting."""
    names = sorted(set(videos))
    random.Random(seed).shuffle(names)  # noqa: S311 (not secret)
    return frozenset(names[: len(names) // 2]), frozenset(names[len(names) // 2 :])


def interval(values: Sequence[float], videos: Sequence[str], seed: int = 0, draws: int = _DRAWS) -> Interval:
    """The mean of some questions' scores with its 95 % interval.

    Percentile bootstrap (Efron and Tibshirani 1993, chapter 13) over videos, not questions: questions on one video
    are right or wrong together (cluster bootstrap, Field and Welsh 2007).

    Args:
        values: One per question.
        videos: The video of each question.
        seed: Seed of the resampling.
        draws: Number of resamplings.

    Raises:
        ValueError: There is no value, or the number of videos is different.
    """
    if not values or len(values) != len(videos):
        raise ValueError(
            f"{len(videos)} videos for {len(values)} values: give one video for each value, and at least one value"
        )
    cluster = np.unique(np.asarray(videos), return_inverse=True)[1]
    sums, counts = np.bincount(cluster, np.asarray(values, float)), np.bincount(cluster)
    drawn = np.random.default_rng(seed).integers(0, len(counts), (draws, len(counts)))
    means: npt.NDArray[np.float64] = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    low, high = np.percentile(means, _LEVEL)
    return Interval(mean=float(np.mean(values)), low=float(low), high=float(high))


def paired_difference(
    first: Sequence[float], second: Sequence[float], videos: Sequence[str], seed: int = 0, draws: int = _DRAWS
) -> Interval:
    """How much higher the second's mean is on the same questions, with its 95 % interval.

    Raises:
        ValueError: The numbers of values are different, or 0.
    """
    if len(first) != len(second):
        raise ValueError(f"got {len(first)} and {len(second)} values: give the same number of each")
    return interval([b - a for a, b in zip(first, second, strict=True)], videos, seed, draws)
