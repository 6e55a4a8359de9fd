"""Metrics of abstention: risk and coverage.

A prediction without an answer (`insufficient`) has the lowest confidence: it is covered only at full coverage.
"""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

__all__ = ["aurc", "excess_aurc", "risk_coverage", "selective"]

Numbers = npt.NDArray[np.float64]


def risk_coverage(correct: Sequence[float], confidence: Sequence[float]) -> tuple[Numbers, Numbers]:
    """Coverage and selective risk if the n most confident predictions are answered, for each n, shape `(questions,)` each.

    El-Yaniv and Wiener 2010; Geifman and El-Yaniv 2017, section 2. Predictions of equal confidence count as their mean,
    so that their order does not matter.

    Args:
        correct: 1 right, 0 wrong; values between are allowed.
        confidence: Higher is more confident; NaN is the lowest.
    """
    right = np.array(correct, float)
    sure = np.array([value if not math.isnan(value) else -math.inf for value in confidence], float)
    if right.shape != sure.shape:
        raise ValueError(f"{len(right)} answers need as many confidences, got {len(sure)}")
    if not len(right):
        return np.zeros(0), np.zeros(0)
    order = np.argsort(-sure, kind="stable")
    _, group = np.unique(-sure, return_inverse=True)
    mean = np.bincount(group, right) / np.bincount(group)
    counts = np.arange(1, len(right) + 1)
    return counts / len(right), 1 - np.cumsum(mean[group[order]]) / counts


def aurc(correct: Sequence[float], confidence: Sequence[float]) -> float | None:
    """Area under the risk–coverage curve, 0 (best) to 1: the mean of the selective risks; None without questions.

    Geifman, Uziel and El-Yaniv 2019 (Bias-Reduced Uncertainty Estimation, section 3).
    """
    _, risk = risk_coverage(correct, confidence)
    return float(risk.mean()) if len(risk) else None


def excess_aurc(correct: Sequence[float], confidence: Sequence[float]) -> float | None:
    """The AURC minus that of a perfect ranking of the same answers (E-AURC, ibid.); None without questions."""
    ours, best = aurc(correct, confidence), aurc(correct, correct)
    return None if ours is None or best is None else ours - best


def selective(correct: Sequence[float], answered: Sequence[bool]) -> dict[str, float]:
    """Return `coverage` (share answered) and `selective_accuracy` (share of those right). Empty without questions."""
    if len(correct) != len(answered):
        raise ValueError(f"{len(correct)} answers need as many flags, got {len(answered)}")
    if not correct:
        return {}
    kept = [one for one, is_answered in zip(correct, answered, strict=True) if is_answered]
    found = {"coverage": len(kept) / len(correct)}
    return found | {"selective_accuracy": sum(kept) / len(kept)} if kept else found
