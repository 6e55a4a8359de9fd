"""Computes all metrics that the truth of the questions allows, and the cost of the predictions.

A metric that is a mean over questions is computed question by question first (`question_scores`), so that two runs can
be compared in pairs; the others (`mAP`, risk–coverage) are computed over all predictions.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from pydantic import Field

from ....tools.records import Record
from ..records import Prediction, Question, ScoredSpan
from .abstention import aurc, excess_aurc, selective
from .choices import above_blind, chance, is_correct
from .keyframes import temporal_quality
from .ranking import highlights, map_at_5, moment_retrieval
from .spans import acc_at_iou, best_iop, best_iou, citation_precision, iou, is_span, union_iou

__all__ = ["Cost", "Scores", "cost_of", "question_scores", "rows_of_scores", "score"]

_DEPTHS = (1, 5, 10)
_NO_SPAN = ScoredSpan(start=0.0, end=0.0)


class Cost(Record):
    """Cost of predictions: the mean per question, and the total. None: the server does not report tokens."""

    frames: float = Field(description="Frames shown to a video LLM, mean per question.")
    prompt_tokens: float | None = Field(description="Tokens read, mean per question.")
    completion_tokens: float | None = Field(description="Tokens written, mean per question.")
    seconds: float = Field(description="Wall time, mean per question.")
    rounds: float = Field(description="Rounds of search, mean per question.")
    total_tokens: int | None = Field(description="Tokens read and written, total.")
    total_seconds: float = Field(description="Wall time, total.")


class Scores(Record):
    """The metrics of a set of predictions."""

    questions: int = Field(description="Number of questions.")
    failed: int = Field(description="Number of failed questions; they count as wrong.")
    metrics: dict[str, float] = Field(description="Metrics under their usual names, as fractions.")
    counted: dict[str, int] = Field(description="By metric, the number of questions with the truth that it needs.")
    cost: Cost = Field(description="Cost of the predictions.")


def score(
    questions: Sequence[Question], predictions: Mapping[str, Prediction], blind: Mapping[str, Prediction] | None = None
) -> Scores:
    """Score predictions.

    Args:
        questions: Questions with their truth.
        predictions: By question id; a question without a prediction counts as wrong.
        blind: Predictions of the blind baseline, if it ran.
    """
    given = [_own(one, predictions.get(one.question_id)) for one in questions]
    columns: dict[str, list[float]] = {}
    for row in rows_of_scores(questions, predictions):
        for name, value in row.items():
            columns.setdefault(name, []).append(value)
    metrics = {name: float(np.mean(values)) for name, values in columns.items()}
    metrics |= _of_the_whole(questions, given)
    if blind is not None:
        metrics |= above_blind(questions, given, [_own(one, blind.get(one.question_id)) for one in questions])
    return Scores(
        questions=len(questions),
        failed=sum(one.status == "failed" for one in given),
        metrics=metrics,
        counted={name: len(values) for name, values in columns.items()},
        cost=cost_of(given),
    )


def rows_of_scores(questions: Sequence[Question], predictions: Mapping[str, Prediction]) -> list[dict[str, float]]:
    """Return `question_scores` of each question, in order."""
    return [question_scores(one, _own(one, predictions.get(one.question_id))) for one in questions]


def question_scores(question: Question, prediction: Prediction) -> dict[str, float]:
    """Return the scores of one question in the metrics that are means, if its truth allows them.

    `accuracy`; of the first span `mIoU`, `IoU@t`, `mIoP`, `IoP@t`; `R@k` (one of the first k spans overlaps the
    truth) and `R@k,IoU=0.5`; `Acc@GQA`; of all spans together `union_IoU`; of the chosen frames `T-Precision`,
    `T-Recall`, `T-F1` at 5 s.
    """
    found: dict[str, float] = {}
    right = is_correct(question, prediction)
    if right is not None:
        found["accuracy"] = float(right)
    truths = [one for one in question.spans if is_span(one)]
    if truths:
        first = next(iter(prediction.spans), None)
        overlap, inside = best_iou(first, truths), best_iop(first, truths)
        found |= {"mIoU": overlap, "IoU@0.3": float(overlap >= 0.3), "IoU@0.5": float(overlap >= 0.5)}
        found |= {"mIoP": inside, "IoP@0.3": float(inside >= 0.3), "IoP@0.5": float(inside >= 0.5)}
        each = [max(iou(one, true) for true in truths) for one in prediction.spans[: max(_DEPTHS)]]
        for depth in _DEPTHS:
            best = max(each[:depth], default=0.0)
            found |= {f"R@{depth}": float(best > 0), f"R@{depth},IoU=0.5": float(best >= 0.5)}
        found["union_IoU"] = union_iou(prediction.spans, truths)
        if right is not None:
            found["Acc@GQA"] = float(right and inside >= 0.5)
    near = temporal_quality(prediction.frames, question.frames)
    if near:
        found |= {"T-Precision": near.precision, "T-Recall": near.recall, "T-F1": near.f1}
    return found


def cost_of(predictions: Sequence[Prediction]) -> Cost:
    """Return the total and the mean cost of predictions."""
    usages = [one.usage for one in predictions]
    count = max(1, len(usages))
    read = [usage.prompt_tokens for usage in usages if usage.prompt_tokens is not None]
    written = [usage.completion_tokens for usage in usages if usage.completion_tokens is not None]
    known = len(read) == len(written) == len(usages)
    return Cost(
        frames=sum(usage.frames for usage in usages) / count,
        prompt_tokens=sum(read) / count if known else None,
        completion_tokens=sum(written) / count if known else None,
        seconds=sum(usage.seconds for usage in usages) / count,
        rounds=sum(usage.rounds for usage in usages) / count,
        total_tokens=sum(read) + sum(written) if known else None,
        total_seconds=sum(usage.seconds for usage in usages),
    )


def _of_the_whole(questions: Sequence[Question], given: Sequence[Prediction]) -> dict[str, float]:
    """Return the metrics that are not means over questions."""
    found: dict[str, float] = {}
    guess = chance(questions)
    if guess is not None:
        found["chance"] = guess
    known = [
        (question, prediction)
        for question, prediction in zip(questions, given, strict=True)
        if question.option is not None
    ]
    if known:
        right = [float(is_correct(question, prediction) or False) for question, prediction in known]
        answered = [prediction.option is not None for _, prediction in known]
        # A prediction without an answer has the lowest confidence: it is covered last.
        sure = [p.confidence if is_sure else float("-inf") for (_, p), is_sure in zip(known, answered, strict=True)]
        found |= selective(right, answered)
        found |= {
            name: value
            for name, value in (("AURC", aurc(right, sure)), ("E-AURC", excess_aurc(right, sure)))
            if value is not None
        }
        found |= acc_at_iou([one == 1 for one in right], [p.spans for _, p in known], [q.spans for q, _ in known])
    cited = citation_precision([p.cited for p in given], [q.spans for q in questions])
    if cited is not None:
        found["citation_precision"] = cited
    if any(question.saliency for question in questions):
        found |= moment_retrieval(questions, given) | highlights(questions, given)
    elif any(len(prediction.spans) > 1 for prediction in given) and (ranked := map_at_5(questions, given)) is not None:
        found["mAP@5"] = ranked
    return found


def _own(question: Question, prediction: Prediction | None) -> Prediction:
    """Return the prediction, or a failed one if it is missing; a span in another video is invalid but keeps its rank."""
    if prediction is None:
        return Prediction(question_id=question.question_id, status="failed", error="there is no prediction")

    def own(spans: tuple[ScoredSpan, ...]) -> tuple[ScoredSpan, ...]:
        return tuple(one if one.video in (None, question.video) else _NO_SPAN for one in spans)

    if all(one.video is None for one in (*prediction.spans, *prediction.cited)):
        return prediction
    return prediction.model_copy(update={"spans": own(prediction.spans), "cited": own(prediction.cited)})
