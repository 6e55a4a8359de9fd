"""A Markov chain with two states, absent and present, over the bins of a timeline.

It is reset at every shot boundary. It knows no video and no target.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

__all__ = ["Chain", "log_odds"]

Numbers = npt.NDArray[np.float64]


class Chain:
    """Posterior of presence in each bin, from evidence in the bins of the same shot."""

    def __init__(self, seconds: Sequence[float], scenes: Sequence[int], base: float, stays_seconds: float) -> None:
        """Set up the transitions.

        Args:
            seconds: Time of each bin, in order.
            scenes: The shot number of each bin: the chain is reset between shots.
            base: Probability of presence without evidence; greater than 0, less than 1.
            stays_seconds: Typical duration of presence.
        """
        self.base = base
        # Correlation of neighbouring bins. The rate of leaving is 1 / stays_seconds, the rate of entering follows from
        # `base`, and the correlation decays with the sum of both rates.
        fades = np.exp(-np.diff(seconds) / (stays_seconds * (1 - base)))
        self._fades = [0.0, *np.where(np.diff(scenes) == 0, fades, 0.0).tolist()]

    def posteriors(self, evidence: Numbers) -> Numbers:
        """Return the probability of presence in each bin, from all evidence of the bin's shot.

        Forward and backward recursions (Rabiner 1989, section III.A) with one number for each bin: the posterior
        given the evidence so far, and the likelihood ratio of the evidence that follows.

        Args:
            evidence: Log odds to add to each bin, shape `(bins,)`.
        """
        base, weights = self.base, np.exp(evidence).tolist()
        forward, posterior = [], base
        for weight, fade in zip(weights, self._fades, strict=True):
            expected = base + (posterior - base) * fade
            posterior = expected * weight / (expected * weight + 1 - expected)
            forward.append(posterior)
        smoothed, backward = [], 1.0
        for posterior, weight, fade in zip(reversed(forward), reversed(weights), reversed(self._fades), strict=True):
            smoothed.append(posterior * backward / (posterior * backward + 1 - posterior))
            rest = weight * backward
            stays, enters = base + (1 - base) * fade, base * (1 - fade)
            backward = (stays * rest + 1 - stays) / (enters * rest + 1 - enters)
        return np.array(smoothed[::-1])


def log_odds(posterior: npt.ArrayLike) -> Numbers:
    """Return the log odds of probabilities greater than 0 and less than 1."""
    given = np.asarray(posterior, np.float64)
    return np.log(given / (1 - given))
