"""Belief over time: whether something is there, bin by bin, from evidence in the bins of the same scene.

A chain with two states, absent and present, that starts anew at every cut. It knows no video and no target.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

__all__ = ["Chain", "log_odds"]

Numbers = npt.NDArray[np.float64]


class Chain:
    """What evidence in some bins says of the others."""

    def __init__(self, seconds: Sequence[float], scenes: Sequence[int], base: float, stays_seconds: float) -> None:
        """Set up the transitions.

        Args:
            seconds: Where each bin is, in order.
            scenes: The number of each bin's scene: nothing is carried from one to the next.
            base: How likely it is in a bin, without any evidence; more than 0, less than 1.
            stays_seconds: How long it usually stays.
        """
        self.base = base
        # How much of a bin's state the next one shares. Leaving at a rate of 1 / stays_seconds, and entering so
        # often that `base` of the time it is there, the chain forgets at the sum of both rates.
        fades = np.exp(-np.diff(seconds) / (stays_seconds * (1 - base)))
        self._fades = [0.0, *np.where(np.diff(scenes) == 0, fades, 0.0).tolist()]

    def posteriors(self, evidence: Numbers) -> Numbers:
        """How likely it is in each bin, from all evidence of the bin's scene.

        Forward and backward recursions (Rabiner 1989, section III.A), with one number a bin each: the belief
        from the evidence so far, and the ratio of likelihoods of the evidence that follows.

        Args:
            evidence: What is added to each bin's log odds, shape `(bins,)`.
        """
        base, weights = self.base, np.exp(evidence).tolist()
        prefetch, posterior = [], base
        for weight, fade in zip(weights, self._fades, strict=True):
            expected = base + (posterior - base) * fade
            posterior = expected * weight / (expected * weight + 1 - expected)
            prefetch.append(posterior)
        found, behind = [], 1.0
        for posterior, weight, fade in zip(reversed(prefetch), reversed(weights), reversed(self._fades), strict=True):
            found.append(posterior * behind / (posterior * behind + 1 - posterior))
            rest = weight * behind
            stays, enters = base + (1 - base) * fade, base * (1 - fade)
            behind = (stays * rest + 1 - stays) / (enters * rest + 1 - enters)
        return np.array(found[::-1])


def log_odds(posterior: npt.ArrayLike) -> Numbers:
    """The logarithm of the odds of a belief of more than 0 and less than 1."""
    given = np.asarray(posterior, np.float64)
    return np.log(given / (1 - given))
