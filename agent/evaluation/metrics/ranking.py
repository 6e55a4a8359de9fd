"""Metrics of ranked moments and highlights, as the official code of QVHighlights and MomentSeeker has them."""

import math
from collections.abc import Sequence
from itertools import accumulate

import numpy as np
import numpy.typing as npt

from ..records import Prediction, Question, ScoredSpan
from .spans import Stretch, best_iou, iou, is_span

__all__ = ["average_precision", "highlights", "map_at_5", "moment_retrieval"]

Numbers = npt.NDArray[np.float64]

# IoU thresholds of moment retrieval: 0.5, 0.55 … 0.95.
_THRESHOLDS = tuple(round(0.5 + 0.05 * step, 2) for step in range(10))
_MOST_WINDOWS = 10
# Classes of true windows by length in seconds; the lower edge is exclusive.
_LENGTHS = {"short": (0, 10), "middle": (10, 30), "long": (30, 150), "full": (0, 150)}
_CLIP_SECONDS = 2
_GRADES = {"Fair": 2, "Good": 3, "VeryGood": 4}


def average_precision(
    predicted: Sequence[ScoredSpan], truths: Sequence[Stretch], thresholds: Sequence[float] = _THRESHOLDS
) -> Numbers:
    """Average precision of one query's spans at each IoU threshold, shape `(len(thresholds),)`.

    Interpolated as in the later devkit of Pascal VOC and in ActivityNet: in the order of falling score, each span
    takes the free true span with the highest IoU. An invalid span keeps its rank and is no hit; a NaN score comes last.
    There must be at least one true span.
    """
    ranked = sorted(predicted, key=lambda one: -one.score if one.score == one.score else math.inf)
    # The overlapping true spans of each span, best first. Plain lists are faster than arrays for ten spans a query.
    fits = []
    for one in ranked:
        shares = [(iou(one, true), place) for place, true in enumerate(truths)]
        fits.append(sorted((pair for pair in shares if pair[0] > 0), reverse=True))
    return np.array([_interpolated(_hits(fits, threshold), len(truths)) for threshold in thresholds])


def moment_retrieval(questions: Sequence[Question], predictions: Sequence[Prediction]) -> dict[str, float]:
    """`MR-…` of QVHighlights (Lei et al. 2021, section 5.1), as fractions, not rounded to two digits of a percent.

    As `standalone_eval/eval.py` of github.com/jayleicn/moment_detr: `MR-full-mAP` is the mean over IoU 0.5 to 0.95,
    of the ten first spans; `MR-full-R1@0.5` is of the first span as given. `short`, `middle` and `long` hold the
    true windows of up to 10, 30 and 150 s; a query counts where it has one.

    Args:
        questions: Those without true spans are left out.
        predictions: One per question, in the same order.
    """
    found: dict[str, float] = {}
    for name, (least, most) in _LENGTHS.items():
        precisions, firsts = [], []
        for question, prediction in zip(questions, predictions, strict=True):
            truths = [one for one in question.spans if name == "full" or least < one.duration <= most]
            if truths:
                precisions.append(average_precision(prediction.spans[:_MOST_WINDOWS], truths))
                firsts.append(best_iou(next(iter(prediction.spans), None), truths))
        if not precisions:
            continue
        at = dict(zip(_THRESHOLDS, np.mean(precisions, axis=0).tolist(), strict=True))
        found[f"MR-{name}-mAP"] = float(np.mean(list(at.values())))
        found |= {f"MR-{name}-mAP@{threshold:g}": value for threshold, value in at.items()}
        found |= {f"MR-{name}-R1@{t:g}": float(np.mean(np.array(firsts) >= t)) for t in _THRESHOLDS}
    return found


def highlights(questions: Sequence[Question], predictions: Sequence[Prediction]) -> dict[str, float]:
    """`HL-min-…` of QVHighlights, as fractions: mAP over the annotators, and whether the best clip is one (Hit1).

    A clip of two seconds is a highlight for an annotator who gave it 2 (Fair), 3 (Good) or 4 (VeryGood) at least.
    As the official code: missing clips score 0, those beyond the video are cut off, no clip at all hits nothing.

    Args:
        questions: Those without saliency or duration are left out.
        predictions: One per question, in the same order.
    """
    found: dict[str, float] = {}
    pairs = [
        (_grades(question), np.nan_to_num(np.array(prediction.saliency, float), nan=-np.inf, posinf=np.inf))
        for question, prediction in zip(questions, predictions, strict=True)
        if question.saliency and question.duration
    ]
    if not pairs:
        return found
    for name, least in _GRADES.items():
        hits, precisions = [], []
        for grades, saliency in pairs:
            is_true = grades >= least
            best = int(np.argmax(saliency)) if len(saliency) else len(is_true)
            hits.append(bool(best < len(is_true) and is_true[best].any()))
            scores = np.zeros(len(is_true))
            scores[: len(saliency)] = saliency[: len(scores)]
            precisions.append(np.mean([_precision_of_scores(column, scores) for column in is_true.T]))
        found[f"HL-min-{name}-mAP"] = float(np.mean(precisions))
        found[f"HL-min-{name}-Hit1"] = float(np.mean(hits))
    return found


def map_at_5(questions: Sequence[Question], predictions: Sequence[Prediction]) -> float | None:
    """`mAP@5` of MomentSeeker (Yuan et al. 2025, section 4), a sum that can exceed 1; None without true spans.

    As `evaluate_map` of github.com/yhy-2000/MomentSeeker, flaws included: all true spans are stretched to one,
    from the first start to the last end; each of the first five results adds its IoU times the mean IoU so far,
    over the length of both with what lies between them, and the sum is divided by nothing.
    """
    sums = []
    for question, prediction in zip(questions, predictions, strict=True):
        if not question.spans:
            continue
        start, end = min(one.start for one in question.spans), max(one.end for one in question.spans)
        relevance = total = 0.0
        for rank, one in enumerate(prediction.spans[:5], start=1):
            if not is_span(one):
                continue
            shared = max(0.0, min(one.end, end) - max(one.start, start))
            share = shared / (max(one.end, end) - min(one.start, start))
            relevance += share
            total += relevance / rank * share
        sums.append(total)
    return float(np.mean(sums)) if sums else None


def _hits(fits: Sequence[Sequence[tuple[float, int]]], threshold: float) -> list[bool]:
    """Whether each span, best first, matches a free true span; `fits` are IoUs and indices of true spans, best first."""
    taken: set[int] = set()
    hits = []
    for fit in fits:
        free = next((place for share, place in fit if share >= threshold and place not in taken), None)
        hits.append(free is not None)
        if free is not None:
            taken.add(free)
    return hits


def _interpolated(hits: Sequence[bool], truths: int) -> float:
    """Area under the precision envelope over recall: each hit counts with the best precision from it on."""
    right = list(accumulate(hits))
    best = total = 0.0
    for rank in range(len(hits), 0, -1):
        best = max(best, right[rank - 1] / rank)
        total += best * hits[rank - 1]
    return total / truths


def _grades(question: Question) -> Numbers:
    """Each annotator's grade of each clip, shape `(clips, annotators)`; 0 for irrelevant clips."""
    assert question.duration is not None
    grades = np.zeros((int(question.duration / _CLIP_SECONDS), len(question.saliency[0][1])))
    for clip, given in question.saliency:
        grades[clip] = given
    return grades


def _precision_of_scores(is_true: npt.NDArray[np.bool_], scores: Numbers) -> float:
    """Interpolated average precision at each recall step; 0 if no clip is true, 1 if all are."""
    if is_true.all() or not is_true.any():
        return float(is_true.all())
    order = np.argsort(-scores, kind="stable")
    last_of_equals = np.append(np.diff(scores[order]) != 0, True)
    right = np.cumsum(is_true[order])[last_of_equals]
    precision = right / (np.flatnonzero(last_of_equals) + 1)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    recalled = np.diff(right, prepend=0) > 0
    return float(envelope[recalled].mean())
