"""Metrics of localization: compare predicted spans with true spans.

Degenerate cases have one meaning everywhere in this package:

- No prediction scores 0 and stays in the mean. (NExT-GQA's own script leaves such questions out.)
- An empty or reversed span, or one with NaN, is no span. (NExT-GQA's own script gives a point inside of the
  truth an IoP of 1, which a system could exploit.)
- A span may exceed the video: the part outside overlaps nothing.
- With several true spans the best match counts, unless a metric says otherwise.
- A question without true spans has no score: it is left out of the mean, and of the reported count.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Protocol

import numpy as np

__all__ = [
    "Stretch",
    "acc_at_gqa",
    "acc_at_iou",
    "best_iop",
    "best_iou",
    "citation_precision",
    "grounding",
    "iop",
    "iou",
    "is_span",
    "recall_at",
    "union_iou",
]

# Thresholds of CG-Bench; the mean over them is its rec.@IoU and acc.@IoU.
_CG_THRESHOLDS = (0.1, 0.2, 0.3, 0.4, 0.5)


class Stretch(Protocol):
    """Anything with a start and an end in seconds: `Span`, `ScoredSpan`."""

    @property
    def start(self) -> float: ...

    @property
    def end(self) -> float: ...


def is_span(one: Stretch) -> bool:
    """Whether a span is valid: its edges are numbers, and the end is greater than the start."""
    return math.isfinite(one.start) and math.isfinite(one.end) and one.end > one.start


def iou(predicted: Stretch, true: Stretch) -> float:
    """Temporal intersection over union, 0 to 1; 0 for an invalid span."""
    if not is_span(predicted) or not is_span(true):
        return 0.0
    shared = _shared(predicted, true)
    return shared / ((predicted.end - predicted.start) + (true.end - true.start) - shared)


def iop(predicted: Stretch, true: Stretch) -> float:
    """Intersection over prediction, 0 to 1: the share of the predicted span that lies in the true one.

    NExT-GQA (Xiao et al. 2024, section 3.3; `code/TempGQA/eval_ground.py` of github.com/doc-doc/NExT-GQA).
    """
    if not is_span(predicted) or not is_span(true):
        return 0.0
    return _shared(predicted, true) / (predicted.end - predicted.start)


def best_iou(predicted: Stretch | None, truths: Sequence[Stretch]) -> float:
    """IoU with the true span that fits best; 0 without a prediction."""
    return max((iou(predicted, true) for true in truths), default=0.0) if predicted else 0.0


def best_iop(predicted: Stretch | None, truths: Sequence[Stretch]) -> float:
    """IoP with the true span that fits best; 0 without a prediction."""
    return max((iop(predicted, true) for true in truths), default=0.0) if predicted else 0.0


def union_iou(predicted: Sequence[Stretch], truths: Sequence[Stretch]) -> float:
    """IoU of two sets of spans, each merged first, 0 to 1: CG-Bench's (Chen et al. 2025, section 4.1).

    As `calculate_intervals_iou` in github.com/CG-Bench/CG-Bench (`run/utils.py`). 0 where either set is empty.
    """
    ours, theirs = _merged(predicted), _merged(truths)
    shared = sum(max(0.0, min(a[1], b[1]) - max(a[0], b[0])) for a in ours for b in theirs)
    together = _length(ours) + _length(theirs) - shared
    return shared / together if together > 0 else 0.0


def grounding(
    predicted: Sequence[Stretch | None], truths: Sequence[Sequence[Stretch]], thresholds: Sequence[float] = (0.3, 0.5)
) -> dict[str, float]:
    """`mIoU`, `IoU@t`, `mIoP`, `IoP@t` of one span a question, as fractions; empty without a true span.

    As NExT-GQA reports them; `IoU@t` is recall at one at this threshold, `R1@t` elsewhere.

    Args:
        predicted: The first span of each prediction.
        truths: The true spans of each question.
        thresholds: Smallest IoU of a hit.
    """
    pairs = [(one, true) for one, true in zip(predicted, truths, strict=True) if any(map(is_span, true))]
    if not pairs:
        return {}
    found = {}
    for name, score in (("IoU", best_iou), ("IoP", best_iop)):
        scores = np.array([score(one, true) for one, true in pairs])
        found[f"m{name}"] = float(scores.mean())
        found |= {f"{name}@{threshold:g}": float((scores >= threshold).mean()) for threshold in thresholds}
    return found


def recall_at(
    k: int,
    predicted: Sequence[Sequence[Stretch]],
    truths: Sequence[Sequence[Stretch]],
    threshold: float | None = None,
) -> float | None:
    """Share of questions with a hit among the first `k` spans; None if no question has a true span.

    "R@n, IoU=m" of Gao et al. 2017 (TALL, section 4.2).

    Args:
        k: Number of spans that count.
        predicted: The spans of each prediction, best first.
        truths: The true spans of each question.
        threshold: Smallest IoU of a hit with a true span; None: any overlap is a hit.
    """
    hits = [
        any(
            _shared(one, true) > 0 if threshold is None else iou(one, true) >= threshold
            for one in filter(is_span, ranked[:k])
            for true in filter(is_span, true_ones)
        )
        for ranked, true_ones in zip(predicted, truths, strict=True)
        if any(map(is_span, true_ones))
    ]
    return sum(hits) / len(hits) if hits else None


def acc_at_gqa(
    correct: Sequence[bool], predicted: Sequence[Stretch | None], truths: Sequence[Sequence[Stretch]]
) -> float | None:
    """`Acc@GQA`: share of questions answered right with a span whose IoP is 0.5 or above (NExT-GQA, section 3.3)."""
    scored = [
        right and best_iop(one, true) >= 0.5
        for right, one, true in zip(correct, predicted, truths, strict=True)
        if any(map(is_span, true))
    ]
    return sum(scored) / len(scored) if scored else None


def acc_at_iou(
    correct: Sequence[bool], predicted: Sequence[Sequence[Stretch]], truths: Sequence[Sequence[Stretch]]
) -> dict[str, float]:
    """`rec@IoU` and `acc@IoU` of CG-Bench (Chen et al. 2025, section 4.1); empty without a true span.

    Recall is the share of questions whose spans together have an IoU above a threshold with all clue spans together;
    for accuracy the answer must be right, too. Both are means over the thresholds 0.1, 0.2, 0.3, 0.4 and 0.5.
    """
    scored = [
        (right, union_iou(ours, true))
        for right, ours, true in zip(correct, predicted, truths, strict=True)
        if any(map(is_span, true))
    ]
    if not scored:
        return {}
    right, shares = np.array([one for one, _ in scored]), np.array([share for _, share in scored])
    above = np.array([shares > threshold for threshold in _CG_THRESHOLDS])
    return {"rec@IoU": float(above.mean()), "acc@IoU": float((above & right).mean())}


def citation_precision(cited: Iterable[Sequence[Stretch]], truths: Iterable[Sequence[Stretch]]) -> float | None:
    """Share of cited spans that overlap a true one, over all questions with truth; None without citations.

    The precision of ALCE (Gao et al. 2023, section 3.3) with overlap in time in place of entailment.
    An invalid cited span counts as wrong.
    """
    hits = [
        is_span(one) and any(_shared(one, true) > 0 for true in filter(is_span, true_ones))
        for ours, true_ones in zip(cited, truths, strict=True)
        if any(map(is_span, true_ones))
        for one in ours
    ]
    return sum(hits) / len(hits) if hits else None


def _shared(one: Stretch, other: Stretch) -> float:
    return max(0.0, min(one.end, other.end) - max(one.start, other.start))


def _merged(spans: Iterable[Stretch]) -> list[tuple[float, float]]:
    merged: list[tuple[float, float]] = []
    for start, end in sorted((one.start, one.end) for one in spans if is_span(one)):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))
    return merged


def _length(merged: Sequence[tuple[float, float]]) -> float:
    return sum(end - start for start, end in merged)
