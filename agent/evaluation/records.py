"""The records of an evaluation: questions with their truth, predictions with their cost, and the protocol of systems.

A data set gives `Question`s, a `System` gives a `Prediction` for each within a `Budget`, metrics compare the two.
A prediction stores a system's output unchanged, invalid spans included: the metrics define how these count.
"""

from pathlib import Path
from typing import Literal, NamedTuple, Protocol

from pydantic import ConfigDict, Field, model_validator

from ...tools.records import Record, Seconds, Span, Text
from ..records import Answer, TraceStep, Usage

__all__ = ["Budget", "Line", "Prediction", "Question", "ScoredSpan", "Status", "System", "letter", "without_truth"]

# `answered`: words, an option or a span. `insufficient`: the system declined. `failed`: it raised an error.
Status = Literal["answered", "insufficient", "truncated", "failed"]


class Line(NamedTuple):
    """A line of a transcript, or a caption, in seconds."""

    start: float
    end: float
    text: str


class Question(Record):
    """One question of a data set, with the truth of its authors."""

    question_id: str = Field(min_length=1, description="Unique within its data set.")
    question: Text = Field(description="The authors' question; for moment retrieval a query or description.")
    video: str = Field(description="The authors' name of the video.")
    options: tuple[Text, ...] = Field(
        default=(), description="Answer options without their letters; empty: open-ended."
    )
    answer: Text | None = Field(default=None, description="The right words; None: not published, or a span answers.")
    option: int | None = Field(default=None, ge=0, description="Index of the right option, from 0.")
    spans: tuple[Span, ...] = Field(default=(), description="True spans, any of which answers, in seconds.")
    frames: tuple[Seconds, ...] = Field(default=(), description="True keyframes, in seconds.")
    saliency: tuple[tuple[int, tuple[int, ...]], ...] = Field(
        default=(), description="Relevant two-second clips: index and each annotator's score (QVHighlights)."
    )
    duration: Seconds | None = Field(default=None, description="Length of the video in seconds; None: unknown.")
    kind: str = Field(default="", description="The authors' type of the question.")
    file: Path | None = Field(default=None, description="The video's file; None: missing.")
    subtitles: Path | None = Field(default=None, description="The authors' subtitles; None: missing.")

    @model_validator(mode="after")
    def _option_exists(self) -> "Question":
        if self.option is not None and self.option >= len(self.options):
            raise ValueError(f"question {self.question_id}: option {self.option} of {len(self.options)} does not exist")
        return self


class ScoredSpan(Record):
    """A span as a system returned it; it may be empty, reversed, outside the video, or NaN."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")

    start: float = Field(description="First second.")
    end: float = Field(description="First second after it.")
    score: float = Field(default=1.0, description="Confidence of the system in any unit; higher is more confident.")
    video: str | None = Field(
        default=None, description="The video, if a whole library was searched; None: the video of the question."
    )

    @classmethod
    def of(cls, span: Span, score: float = 1.0, video: str | None = None) -> "ScoredSpan":
        """Convert a valid span."""
        return cls(start=span.start, end=span.end, score=score, video=video)


class Prediction(Record):
    """A system's answer to one question, with its trace and cost."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")

    question_id: str = Field(description="Of the question.")
    status: Status = Field(default="answered", description="How it ended.")
    answer: Text = Field(default="", description="Answer in words. Untrusted.")
    option: int | None = Field(default=None, ge=0, description="Index of the chosen option, from 0; None: no choice.")
    spans: tuple[ScoredSpan, ...] = Field(default=(), description="Spans of the answer, best first.")
    cited: tuple[ScoredSpan, ...] = Field(default=(), description="Spans that the answer cites.")
    frames: tuple[float, ...] = Field(default=(), description="Seconds of the frames that the model saw.")
    saliency: tuple[float, ...] = Field(default=(), description="A score for each two-second clip (QVHighlights).")
    confidence: float = Field(default=0.0, description="Confidence from 0 to 1; risk–coverage ranks by it.")
    usage: Usage = Field(default_factory=Usage, description="What it cost.")
    trace: tuple[TraceStep, ...] = Field(default=(), description="Steps to the answer.")
    error: Text = Field(default="", description="Why it failed.")

    @classmethod
    def of(cls, question: Question, answer: Answer) -> "Prediction":
        """Convert an answer of the agent: its citations are the spans, those of supported claims first."""
        cited = [
            ScoredSpan(start=one.start, end=one.end, score=1.0 if claim.verdict == "supported" else 0.5)
            for claim in answer.claims
            for one in claim.citations
        ]
        cited.sort(key=lambda one: -one.score)
        return cls(
            question_id=question.question_id,
            status=answer.status,
            answer=answer.text,
            option=answer.option,
            spans=tuple(cited),
            cited=tuple(cited),
            confidence=answer.confidence,
            usage=answer.usage,
            trace=answer.trace,
        )


class Budget(Record):
    """The budget of one question, the same for all systems of a comparison."""

    frames: int = Field(default=32, ge=0, description="Frames shown to a video LLM.")
    tokens: int = Field(default=60_000, ge=1, description="Tokens read and written by a language model.")
    seconds: float = Field(default=300.0, gt=0, description="Wall time.")
    rounds: int = Field(default=3, ge=1, description="Rounds of search.")


class System(Protocol):
    """A system under evaluation: receives a question without its truth and returns a prediction.

    Attributes:
        name: Short, unique in a comparison: `blind`, `uniform`, `agent`.
        fingerprint: Hash of all settings, models and versions that its predictions depend on.
    """

    name: str
    fingerprint: str

    def answer(self, question: Question, budget: Budget) -> Prediction:
        """Answer one question within a budget.

        Args:
            question: Output of `without_truth`: `answer`, `option`, `spans`, `frames` and `saliency` are empty.
            budget: Limits for this question.

        Raises:
            PlayheadError: The system cannot work at all (no server, no weights). For a question without an answer it
                returns a prediction `insufficient` instead.
        """


def letter(option: int) -> str:
    """Return the letter of an option: 0 is A."""
    return chr(ord("A") + option)


def without_truth(question: Question) -> Question:
    """Return the question without its truth, as a system may see it."""
    return question.model_copy(update={"answer": None, "option": None, "spans": (), "frames": (), "saliency": ()})
