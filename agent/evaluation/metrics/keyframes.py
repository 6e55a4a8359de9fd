"""Metrics of chosen frames against true keyframes, as in LV-Haystack: by time and by picture content.

Ye et al. 2025 (Re-thinking Temporal Search for Long-Form Video Understanding, CVPR, arXiv 2504.02259, section 3.3);
`LVHaystackBench/val_tstar_results.py` of github.com/mll-lab-nu/TStar. Unlike there, a question without a chosen
frame scores 0 and stays in the mean, and its frames are looked up by their second, never by `index / fps`.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ....tools.records import Pixels

__all__ = ["Quality", "mean_quality", "ssim", "temporal_quality", "visual_quality"]

Numbers = npt.NDArray[np.float64]

# Largest distance in seconds between a chosen frame and the true keyframe that it finds.
NEAR_SECONDS = 5.0
# Of SSIM: Wang et al. 2004, section III-C, with pixels from 0 to 1.
_WINDOW, _SIGMA = 11, 1.5
_C1, _C2 = 0.01**2, 0.03**2


class Quality(NamedTuple):
    """Precision, recall and their harmonic mean, 0 to 1."""

    precision: float
    recall: float
    f1: float


def temporal_quality(chosen: Sequence[float], true: Sequence[float], near: float = NEAR_SECONDS) -> Quality | None:
    """Return the shares of chosen frames near a true one and of true frames near a chosen one; None without truth.

    Args:
        chosen: Seconds of the chosen frames; NaN matches nothing.
        true: Seconds of the true keyframes.
        near: Largest distance of a match, in seconds.
    """
    if not true:
        return None
    if not chosen:
        return Quality(0.0, 0.0, 0.0)
    apart = np.abs(np.subtract.outer(np.array(chosen, float), np.array(true, float)))
    is_near = apart <= near  # a comparison with NaN is false
    return _quality(float(is_near.any(axis=1).mean()), float(is_near.any(axis=0).mean()))


def visual_quality(chosen: Sequence[Pixels], true: Sequence[Pixels]) -> Quality | None:
    """Similarity (SSIM) of the chosen frames to the true keyframes, and of the true keyframes to the chosen; None without truth.

    Args:
        chosen: RGB pictures, all of the same size as those of `true`.
        true: The true keyframes.

    Raises:
        ValueError: Pictures differ in size.
    """
    if not true:
        return None
    if not chosen:
        return Quality(0.0, 0.0, 0.0)
    alike = np.array([[ssim(one, other) for other in true] for one in chosen])
    return _quality(float(alike.max(axis=1).mean()), float(alike.max(axis=0).mean()))


def mean_quality(each: Sequence[Quality], prefix: str, f1_of_means: bool = False) -> dict[str, float]:
    """`<prefix>Precision`, `…Recall` and `…F1` over questions; empty without any.

    Args:
        each: One value per question.
        prefix: For example `T-` for time, `V-` for picture content.
        f1_of_means: F1 of the mean precision and recall, as the official code computes it for SSIM; else the mean F1.
    """
    if not each:
        return {}
    precision, recall, f1 = np.mean(np.array(each), axis=0).tolist()
    return {
        f"{prefix}Precision": precision,
        f"{prefix}Recall": recall,
        f"{prefix}F1": _quality(precision, recall).f1 if f1_of_means else f1,
    }


def ssim(one: Pixels, other: Pixels) -> float:
    """Structural similarity of two pictures, -1 to 1: the mean over pixels and colours.

    Wang et al. 2004; as T*'s code: Gaussian window of 11 pixels, sigma 1.5, zeros beyond the edges.

    Raises:
        ValueError: They differ in size.
    """
    if one.shape != other.shape:
        raise ValueError(f"pictures of one size are compared, got {one.shape} and {other.shape}")
    first, second = one.astype(np.float64) / 255, other.astype(np.float64) / 255
    mean_1, mean_2 = _blurred(first), _blurred(second)
    spread_1 = _blurred(first**2) - mean_1**2
    spread_2 = _blurred(second**2) - mean_2**2
    together = _blurred(first * second) - mean_1 * mean_2
    alike = (2 * mean_1 * mean_2 + _C1) * (2 * together + _C2)
    return float((alike / ((mean_1**2 + mean_2**2 + _C1) * (spread_1 + spread_2 + _C2))).mean())


def _blurred(picture: Numbers) -> Numbers:
    """Each colour under the Gaussian window, shape as given."""
    reach = _WINDOW // 2
    kernel = np.exp(-((np.arange(_WINDOW) - reach) ** 2) / (2 * _SIGMA**2))
    kernel /= kernel.sum()
    for axis in (0, 1):
        padding = [(reach, reach) if i == axis else (0, 0) for i in range(picture.ndim)]
        padded = np.pad(picture, padding)
        length = picture.shape[axis]
        picture = np.sum([w * padded.take(range(i, i + length), axis) for i, w in enumerate(kernel)], axis=0)
    return picture


def _quality(precision: float, recall: float) -> Quality:
    both = precision + recall
    f1 = 2 * precision * recall / both if both > 0 and math.isfinite(both) else 0.0
    return Quality(precision, recall, f1)
