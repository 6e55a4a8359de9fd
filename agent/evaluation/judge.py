"""Open-ended answers judged by a language model, and how far judges agree.

A judge only supplements: it is given with the model that judged, and with its agreement (Cohen's kappa) with another
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
    """One answer, judged."""

    question_id: str = Field(description="Of the question.")
    correct: bool | None = Field(description="None: the judge gave no usable verdict; it counts as wrong.")
    reason: Text = Field(description="Why. Untrusted.")


class Judged(Record):
    """Many answers, judged by one model."""

    judge: str = Field(description="The model.")
    judgements: tuple[Judgement, ...] = Field(description="Of the questions with a known answer.")
    accuracy: float | None = Field(description="Share that is correct; None: no question has a known answer.")
    unusable: int = Field(description="Questions without a usable verdict.")
    usage: TokenUsage = Field(description="What judging cost.")


def judge(llm: VideoLLM, question: Question, prediction: Prediction) -> tuple[Judgement, TokenUsage]:
    """Whether an answer says what the reference says: correct or not, as VideoEval-Pro judges (Ma et al. 2025, section 3).

    A prediction without words is wrong; the judge is not asked.

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
    """Judge the answers to all questions that have a known one; a question without a prediction is wrong.

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

    Where both give all items one and the same label, chance explains everything and kappa is not defined: it is 1
    there, for they agree.

    Raises:
        ValueError: They did not judge as many items.
    """
    if len(first) != len(second):
        raise ValueError(f"two judges of the same items are compared, got {len(first)} and {len(second)} verdicts")
    if not first:
        return None
    count = len(first)
    agreed = sum(a == b for a, b in zip(first, second, strict=True)) / count
    ours, theirs = Counter(first), Counter(second)
    by_chance = sum(ours[label] * theirs[label] for label in ours) / count**2
    return 1.0 if by_chance == 1 else (agreed - by_chance) / (1 - by_chance)
