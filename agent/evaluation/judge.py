"""Open-ended answers judged by a language model, and the agreement of judges.

A judge only supplements other metrics: report it with the model that judged, and its agreement (Cohen's kappa) with another
judge, with itself asked again, or with people.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from ...prompts import render
from ...tools.errors import AnswerFormatError, QueryError
from ...tools.llm.protocol import TokenUsage, VideoLLM
from ...tools.llm.structured import ask_structured
from ...tools.records import Record, Text
from ..composing.model_input import quoted
from .records import Prediction, Question

__all__ = ["Judged", "Judgement", "cohens_kappa", "judge", "judge_all"]

_REASON_CHARACTERS = 600


class _Draft(BaseModel):
    model_config = ConfigDict(extra="ignore")

    reason: str = Field(max_length=_REASON_CHARACTERS, description="What agrees or differs, in one sentence.")
    verdict: Literal["correct", "incorrect"]


class Judgement(Record):
    """The verdict on one answer."""

    question_id: str = Field(description="Id of the question.")
    correct: bool | None = Field(
        description="Whether the answer is correct; None: no usable verdict, which counts as wrong."
    )
    reason: Text = Field(description="Reason of the verdict. Untrusted.")


class Judged(Record):
    """Verdicts of one model on many answers."""

    judge: str = Field(description="The model.")
    judgements: tuple[Judgement, ...] = Field(description="Verdicts on the questions with a known answer.")
    accuracy: float | None = Field(description="Share of correct answers; None: no question has a known answer.")
    unusable: int = Field(description="Number of questions without a usable verdict.")
    usage: TokenUsage = Field(description="Cost of judging.")


def judge(llm: VideoLLM, question: Question, prediction: Prediction) -> tuple[Judgement, TokenUsage]:
    """Judge whether an answer agrees with the reference, as VideoEval-Pro does (Ma et al. 2025, section 3).

    A prediction without words is wrong without asking the judge.

    Raises:
        QueryError: The question has no known answer.
        ServerError: The judge does not answer.
    """
    if question.answer is None:
        raise QueryError(f"question {question.question_id} has no known answer to judge by")
    if prediction.status in ("failed", "insufficient") or not prediction.answer:
        return Judgement(question_id=question.question_id, correct=False, reason="no answer was given"), TokenUsage()
    asked = "\n".join(
        (
            f"Question: {quoted(question.question)}",
            f"Reference: {quoted(question.answer)}",
            f"Answer: {quoted(prediction.answer)}",
        )
    )
    try:
        draft, usage = ask_structured(llm, [asked], _Draft, instructions=render("judge"), max_tokens=300)
    except AnswerFormatError as error:
        lost = Judgement(question_id=question.question_id, correct=None, reason=f"no usable verdict: {error}")
        return lost, error.usage or TokenUsage()
    correct = draft.verdict == "correct"
    return Judgement(question_id=question.question_id, correct=correct, reason=draft.reason), usage


def judge_all(llm: VideoLLM, questions: Sequence[Question], predictions: Mapping[str, Prediction]) -> Judged:
    """Judge the answers to all questions with a known answer; a question without a prediction counts as wrong.

    Raises:
        ServerError: The judge does not answer.
    """
    found, usage = [], TokenUsage()
    for question in questions:
        if question.answer is None:
            continue
        missing = Prediction(question_id=question.question_id, status="failed")
        judgement, cost = judge(llm, question, predictions.get(question.question_id, missing))
        found.append(judgement)
        usage += cost
    return Judged(
        judge=llm.source,
        judgements=tuple(found),
        accuracy=sum(bool(one.correct) for one in found) / len(found) if found else None,
        unusable=sum(one.correct is None for one in found),
        usage=usage,
    )


def cohens_kappa(first: Sequence[object], second: Sequence[object]) -> float | None:
    """Agreement of two judges beyond chance, -1 to 1 (Cohen 1960); None without items.

    If both judges give all items the same label, kappa is undefined; this function returns 1, because they agree.

    Raises:
        ValueError: The numbers of verdicts differ.
    """
    if len(first) != len(second):
        raise ValueError(f"got {len(first)} and {len(second)} verdicts: both judges must judge the same items")
    if not first:
        return None
    count = len(first)
    agreed = sum(a == b for a, b in zip(first, second, strict=True)) / count
    ours, theirs = Counter(first), Counter(second)
    by_chance = sum(ours[label] * theirs[label] for label in ours) / count**2
    return 1.0 if by_chance == 1 else (agreed - by_chance) / (1 - by_chance)
