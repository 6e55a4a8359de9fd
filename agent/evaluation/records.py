"""The records of an evaluation: a question with its truth, a prediction with its cost, and what can be asked.

A data set gives `Question`s, a `System` gives a `Prediction` for each within a `Budget`, metrics compare the two.
A prediction keeps what a system said, nonsense included: the metrics say what nonsense is worth.
"""

from pathlib import Path
from typing import Literal, NamedTuple, Protocol

from pydantic import ConfigDict, Field, model_validator

from ...tools.records import Record, Seconds, Span, Text
from ..records import Answer, TraceStep, Usage

__all__ = ["Budget", "Line", "Prediction", "Question", "ScoredSpan", "Status", "System", "letter", "without_truth"]

# `answered`: with words, an option or a span. `insufficient`: the system declined. `failed`: it raised an error.
Status = Literal["answered", "insufficient", "truncated", "failed"]


class Line(NamedTuple):
    """A line of a transcript, or a caption, in seconds."""

    start: float
    end: float
    text: str


class Question(Record):
    """One question of a data set, with what its authors hold true."""

    question_id: str = Field(min_length=1, description="Unique within its data set.")
    question: Text = Field(description="As its authors ask it; a query or description, where moments are searched.")
    video: str = Field(description="The authors' name of the video.")
    options: tuple[Text, ...] = Field(default=(), description="Choices without their letters; empty: open-ended.")
    answer: Text | None = Field(default=None, description="The right words; None: kept secret, or a span answers.")
    option: int | None = Field(default=None, ge=0, description="Place of the right choice in `options`, from 0.")
    spans: tuple[Span, ...] = Field(default=(), description="True spans, any of which answers, in seconds.")
    frames: tuple[Seconds, ...] = Field(default=(), description="True keyframes, in seconds.")
    saliency: tuple[tuple[int, tuple[int, ...]], ...] = Field(
        default=(), description="Of relevant two-second clips: number and each annotator's score (QVHighlights)."
    )
    duration: Seconds | None = Field(default=None, description="Length of the video in seconds; None: unknown.")
    kind: str = Field(default="", description="The authors' type of the question.")
    file: Path | None = Field(default=None, description="The video's file; None: it is not here.")
    subtitles: Path | None = Field(default=None, description="The authors' subtitles; None: there are none here.")

    @model_validator(mode="after")
    def _option_exists(self) -> "Question":
        if self.option is not None and self.option >= len(self.options):
            raise ValueError(f"question {self.question_id}: option {self.option} of {len(self.options)} does not exist")
        return self


class ScoredSpan(Record):
    """A span as a system gave it: also one that is empty, reversed, outside of the video, or no number."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")

    start: float = Field(description="First second.")
    end: float = Field(description="First second after it.")
    score: float = Field(default=1.0, description="How sure the system is; higher is surer, in any unit.")
    video: str | None = Field(default=None, description="Where, if a whole library was searched; None: as asked.")

    @classmethod
    def of(cls, span: Span, score: float = 1.0, video: str | None = None) -> "ScoredSpan":
        """From a span that is one."""
        return cls(start=span.start, end=span.end, score=score, video=video)


class Prediction(Record):
    """What a system said to one question, how it got there, and what that cost."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")

    question_id: str = Field(description="Of the question.")
    status: Status = Field(default="answered", description="How it ended.")
    answer: Text = Field(default="", description="In words. Untrusted.")
    option: int | None = Field(default=None, ge=0, description="The chosen option, from 0; None: none was chosen.")
    spans: tuple[ScoredSpan, ...] = Field(default=(), description="Where the answer is, best first.")
    cited: tuple[ScoredSpan, ...] = Field(default=(), description="Spans that the answer cites.")
    frames: tuple[float, ...] = Field(default=(), description="Seconds of the frames that were chosen and shown.")
    saliency: tuple[float, ...] = Field(default=(), description="A score for each two-second clip (QVHighlights).")
    confidence: float = Field(default=0.0, description="0 to 1; what risk–coverage ranks by.")
    usage: Usage = Field(default_factory=Usage, description="What it cost.")
    trace: tuple[TraceStep, ...] = Field(default=(), description="How it was found.")
    error: Text = Field(default="", description="Why it failed.")

    @classmethod
    def of(cls, question: Question, answer: Answer) -> "Prediction":
        """From an answer of the agent: its citations are the spans, those of supported claims first."""
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
    """What a system may spend on one question. The same for all systems of a comparison."""

    frames: int = Field(default=32, ge=0, description="Frames that a video LLM is shown.")
    tokens: int = Field(default=60_000, ge=1, description="Tokens read and written by a language model.")
    seconds: float = Field(default=300.0, gt=0, description="Wall time.")
    rounds: int = Field(default=3, ge=1, description="Rounds of search.")


class System(Protocol):
    """What is evaluated: it gets a question without its truth, and gives a prediction.

    Attributes:
        name: Short, unique in a comparison: `blind`, `uniform`, `agent`.
        fingerprint: Hash of all settings, models and versions that its predictions depend on.
    """

    name: str
    fingerprint: str

    def answer(self, question: Question, budget: Budget) -> Prediction:
        """Answer one question within a budget.

        Args:
            question: As `without_truth` gives it: `answer`, `option`, `spans`, `frames` and `saliency` are empty.
            budget: What it may spend.

        Raises:
            PlayheadError: The system cannot work at all (no server, no weights); a question that it cannot
                answer is a prediction `insufficient` instead.
        """


def letter(option: int) -> str:
    """The letter of an option: 0 is A."""
    return chr(ord("A") + option)


def without_truth(question: Question) -> Question:
    """The question as a system may see it."""
    return question.model_copy(update={"answer": None, "option": None, "spans": (), "frames": (), "saliency": ()})
