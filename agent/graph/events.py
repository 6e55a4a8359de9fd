"""Typed events of answering a question. Each node writes its own events to the graph's stream."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from ...index.records import Evidence
from ...tools.records import Record, Seconds, Span
from ..records import Answer, Claim, Plan

__all__ = [
    "AnswerWeighed",
    "AnswerWritten",
    "Answered",
    "ChapterRead",
    "ClaimJudged",
    "ClaimsDrafted",
    "Event",
    "EvidenceFound",
    "FramesLookedAt",
    "LookedFrame",
    "PlanMade",
]


class PlanMade(Record):
    """The question was understood."""

    kind: Literal["plan"] = "plan"
    question: str = Field(description="As asked.")
    plan: Plan = Field(description="What is looked for, and where.")


class EvidenceFound(Record):
    """A round of search ended."""

    kind: Literal["evidence"] = "evidence"
    round: int = Field(ge=1, description="Which round.")
    evidence: tuple[Evidence, ...] = Field(description="What it found in addition to earlier rounds, best first.")


class LookedFrame(Record):
    """One frame that the video LLM is shown."""

    video_id: str = Field(description="The video's content hash.")
    video: str = Field(description="Absolute path of the video's file.")
    seconds: Seconds = Field(description="The frame's true time.")

    @property
    def name(self) -> str:
        """The file's name, for display."""
        return Path(self.video).name


class FramesLookedAt(Record):
    """Frames were chosen for the video LLM."""

    kind: Literal["frames"] = "frames"
    frames: tuple[LookedFrame, ...] = Field(description="Those that it is shown with the question.")
    inspected: int = Field(ge=0, description="How many small ones it was shown in grids to choose them.")


class ChapterRead(Record):
    """A chapter was read for a question about the whole of a video."""

    kind: Literal["chapter"] = "chapter"
    video_id: str = Field(description="The video's content hash.")
    span: Span = Field(description="When the chapter is.")
    notes: tuple[Claim, ...] = Field(description="What the video LLM noted of it.")


class AnswerWritten(Record):
    """The model wrote some more words of its answer. Nothing of it is checked: the draft replaces it."""

    kind: Literal["text"] = "text"
    text: str = Field(description="The new words. Untrusted.")


class ClaimsDrafted(Record):
    """An answer was drafted; nothing of it is checked."""

    kind: Literal["draft"] = "draft"
    claims: tuple[Claim, ...] = Field(description="Its statements; none: nothing that was found answers the question.")


class ClaimJudged(Record):
    """A statement of the draft was checked."""

    kind: Literal["verdict"] = "verdict"
    claim: Claim = Field(description="The statement with its verdict.")


class AnswerWeighed(Record):
    """Only with a small model: the probability that the answer from one passage is right was estimated."""

    kind: Literal["weighed"] = "weighed"
    score: float = Field(ge=0, le=1, description="The reader's score of the best passage.")
    is_first: bool = Field(description="Whether it is the first passage that was read.")
    cites_writing: bool = Field(description="Whether the answer cites a line of text that is seen in the picture.")
    log_odds: float | None = Field(
        description="The model's log-odds that the passage answers the question; None: it was not asked, or gives none."
    )
    probability: float = Field(ge=0, le=1, description="That the answer is right; without log-odds the reader's score.")
    is_given: bool = Field(description="Whether the answer is given; if not, the next passage is read.")


class Answered(Record):
    """The end, always."""

    kind: Literal["answer"] = "answer"
    answer: Answer = Field(description="The answer.")


# A line of `playhead ask --events` is one of these as JSON: read it with `pydantic.TypeAdapter(Event).validate_json`.
Event = Annotated[
    PlanMade
    | EvidenceFound
    | FramesLookedAt
    | ChapterRead
    | AnswerWritten
    | ClaimsDrafted
    | ClaimJudged
    | AnswerWeighed
    | Answered,
    Field(discriminator="kind"),
]
