"""What the graph's nodes hand on, and what they work with."""

import math
import operator
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Protocol, TypedDict

from ...index.records import Evidence
from ...index.retrieval.search import Search
from ...tools.errors import AnswerFormatError, ServerError
from ...tools.llm.protocol import TokenUsage, VideoLLM
from ...tools.records import Box, Span, Word
from ...tools.settings import Settings
from ..answering.reader import Reader, feature_reader
from ..answering.summary import Section
from ..composing.model_input import SizedFrame
from ..records import (
    Anchor,
    Citation,
    Claim,
    Correction,
    Place,
    Plan,
    Scope,
    Subject,
    SubQuery,
    Term,
    TraceStep,
    Turn,
    Verdict,
)
from .budget import Metered, TokensSpentError

if TYPE_CHECKING:
    from .events import Event

__all__ = [
    "REDUCERS",
    "STORED_RECORDS",
    "Context",
    "OneClaim",
    "OneSection",
    "Running",
    "State",
    "claims_by_key",
    "key_of",
    "over_budget",
    "seconds_left",
    "start_state",
    "traced",
    "usage_of",
]

# What a checkpoint may hold besides plain data.
STORED_RECORDS = (
    Box,
    Anchor,
    Citation,
    Claim,
    Correction,
    Evidence,
    Place,
    Plan,
    Scope,
    Section,
    SizedFrame,
    Span,
    SubQuery,
    Subject,
    Term,
    TokenUsage,
    TraceStep,
    Turn,
    Word,
)


# How the updates of nodes that run in parallel are put together; any other key is replaced.
REDUCERS: dict[str, Callable[[Any, Any], Any]] = {
    "frames_seen": operator.add,
    "notes": operator.or_,
    "unjudged": operator.add,
    "verdicts": operator.or_,
    "tokens": operator.add,
    "trace": operator.add,
}


class State(TypedDict, total=False):
    """What the nodes hand on; a checkpoint holds it."""

    question: str
    video_ids: tuple[str, ...] | None
    between: Span | None
    options: tuple[str, ...]
    turns: list[Turn]  # earlier questions of the thread, the oldest first
    asked_at: float  # of the system's clock; tells the questions of a thread apart
    answerer: str  # who answers, as it was when the question was asked
    rounds: int
    among: tuple[str, ...] | None  # the videos that are asked about, before the likeliest of them are chosen
    searched: list[str]  # descriptions that were searched for already
    hints: list[Evidence]  # what answered a similar question before
    new: list[str]  # ids of the evidence that the last round found
    plan: Plan
    evidence: list[Evidence]
    rows: list[Evidence]
    frames: list[SizedFrame]
    frames_seen: Annotated[int, operator.add]
    sections: list[Section]
    notes: Annotated[dict[str, list[Claim] | None], operator.or_]
    claims: list[Claim]
    option: int | None
    is_found: bool  # whether the model says that the evidence answers the question
    wanted: list[str]
    missing: list[str]
    closest: list[Evidence]  # where there is no answer
    corrections: list[Correction]  # words of the question that were corrected
    reason: str  # why nothing could be computed
    confidence: float
    over_budget: str
    failure: str  # why the model gave no usable answer; empty: it did
    unjudged: Annotated[list[str], operator.add]  # why verdicts on claims are missing
    verdicts: Annotated[dict[str, Verdict], operator.or_]
    tokens: Annotated[TokenUsage, operator.add]
    trace: Annotated[list[TraceStep], operator.add]


class OneClaim(TypedDict):
    """What the check of one claim is given."""

    key: str
    question: str
    claim: Claim


class OneSection(TypedDict):
    """What the notes on one chapter are made of."""

    key: str
    question: str
    section: Section
    frames: int


@dataclass(frozen=True)
class Context:
    """What the nodes work with; no checkpoint holds it.

    Attributes:
        search: The library.
        settings: Budgets.
        llm: The video LLM; None: evidence is quoted.
        memory: The folder that keeps what earlier answers rested on; None: nothing is remembered.
        reader: Scores how likely evidence answers the question.
        deadline: When the question's time is over, by the system's clock.
    """

    search: Search
    settings: Settings
    llm: VideoLLM | None = None
    memory: Path | None = None
    deadline: float = math.inf
    reader: Reader = field(default_factory=feature_reader)

    @property
    def threshold(self) -> float:
        """The score from which on evidence is an answer: as set, else as the reader was calibrated."""
        chosen = self.settings.answer_threshold
        return self.reader.threshold if chosen is None else chosen

    @property
    def is_small(self) -> bool:
        """Whether the model is asked to compose only: it neither plans nor verifies."""
        return self.llm is not None and self.llm.capabilities.is_small

    @property
    def spent(self) -> float:
        """How much of the token budget is spent: 1 is all of it."""
        return self.llm.share if isinstance(self.llm, Metered) else 0.0

    @property
    def answerer(self) -> str:
        """Who answers."""
        return "extractive" if self.llm is None else self.llm.source


class Running(Protocol):
    """What a node is given beside the state: LangGraph's `Runtime`, or the runner's own where there is no model."""

    @property
    def context(self) -> Context:
        """What the nodes work with."""
        ...

    @property
    def stream_writer(self) -> "Callable[[Event], None]":
        """Takes the events of a node."""
        ...


def start_state(
    question: str,
    video_ids: tuple[str, ...] | None = None,
    between: Span | None = None,
    *,
    options: tuple[str, ...] = (),
    turns: Sequence[Turn] = (),
    answerer: str = "extractive",
) -> State:
    """The state in which a question begins, also where its thread holds an earlier one."""
    return {
        "question": question,
        "video_ids": video_ids,
        "between": between,
        "options": options,
        "turns": list(turns),
        "asked_at": time.time(),
        "answerer": answerer,
        "rounds": 0,
        "searched": [],
        "hints": [],
        "new": [],
        "evidence": [],
        "rows": [],
        "frames": [],
        "frames_seen": 0,
        "sections": [],
        "notes": {},
        "claims": [],
        "option": None,
        "is_found": False,
        "wanted": [],
        "missing": [],
        "closest": [],
        "corrections": [],
        "reason": "",
        "confidence": 0.0,
        "over_budget": "",
        "failure": "",
        "unjudged": [],
        "verdicts": {},
        "tokens": TokenUsage(),
        "trace": [],
    }


def key_of(state: State, number: int) -> str:
    """What tells a claim or chapter from those of other questions and rounds."""
    return f"{state['asked_at']:.6f}/{state['rounds']}/{number}"


def claims_by_key(state: State) -> dict[str, Claim]:
    """The claims under their keys in `verdicts` (question, round, number), each with its verdict as far as there is one."""
    keys = (key_of(state, number) for number in range(len(state["claims"])))
    return {
        key: claim.model_copy(update={"verdict": state["verdicts"].get(key, claim.verdict)})
        for key, claim in zip(keys, state["claims"], strict=True)
    }


def seconds_left(context: Context) -> float:
    """Until the deadline; a second at least, so that a request fails by itself and not by a senseless limit."""
    return max(1.0, context.deadline - time.time())


def usage_of(error: ServerError, context: Context) -> TokenUsage:
    """What a failed request cost. A form that is wrong is no answer, nor is one that came too late; other failures rise.

    Raises:
        ServerError: The server failed, and not because the question's time is over.
    """
    if isinstance(error, AnswerFormatError):
        return error.usage or TokenUsage(requests=1)
    if isinstance(error, TokensSpentError):
        return TokenUsage()
    if time.time() < context.deadline:
        raise error
    return TokenUsage(requests=1)


def over_budget(state: State, context: Context) -> str:
    """Which budget is spent; empty: none."""
    settings = context.settings
    if time.time() >= context.deadline:
        return f"max_seconds={settings.max_seconds:g} are over"
    used = (state["tokens"].prompt_tokens or 0) + (state["tokens"].completion_tokens or 0)
    if used >= settings.max_tokens:
        return f"max_tokens={settings.max_tokens} are used"
    return ""


def traced(step: str, detail: str, began: float) -> list[TraceStep]:
    """A line of the trace: what a node did since it began, by the performance counter."""
    return [TraceStep(step=step, detail=detail, seconds=round(time.perf_counter() - began, 4))]
