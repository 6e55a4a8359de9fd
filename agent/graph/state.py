"""The state of the graph, and the context of its nodes."""

import math
import operator
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Protocol, TypedDict

from ...index.records import Evidence
from ...index.retrieval.search import Search
from ...tools.errors import AnswerFormatError, PicturesRefusedError, RequestTooLongError, ServerError
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

# Types that a checkpoint may contain besides plain data.
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


# Reducers for keys that parallel nodes update; any other key is replaced.
REDUCERS: dict[str, Callable[[Any, Any], Any]] = {
    "frames_seen": operator.add,
    "notes": operator.or_,
    "unjudged": operator.add,
    "verdicts": operator.or_,
    "tokens": operator.add,
    "trace": operator.add,
}


class State(TypedDict, total=False):
    """The state that nodes pass on; a checkpoint stores it."""

    question: str
    video_ids: tuple[str, ...] | None
    between: Span | None
    options: tuple[str, ...]
    turns: list[Turn]  # earlier questions of the thread, the oldest first
    asked_at: float  # system clock; distinguishes the questions of a thread
    answerer: str  # the answering model when the question was asked
    rounds: int
    among: tuple[str, ...] | None  # the videos of the question, before the most relevant ones are chosen
    searched: list[str]  # descriptions that were already searched
    hints: list[Evidence]  # evidence that answered a similar question before
    new: list[str]  # ids of the evidence that the last round found
    plan: Plan
    evidence: list[Evidence]
    rows: list[Evidence]
    passages: list[list[Evidence]]  # a small model reads one after the other until an answer is likely right
    read: int  # how many of them it has read
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
    """Input of the node that verifies one claim."""

    key: str
    question: str
    claim: Claim


class OneSection(TypedDict):
    """Input of the node that writes notes on one chapter."""

    key: str
    question: str
    section: Section
    frames: int


@dataclass(frozen=True)
class Context:
    """The models, settings and library of the nodes; not stored in checkpoints.

    Attributes:
        search: The library.
        settings: Budgets.
        llm: The video LLM; None: evidence is quoted.
        folder: The library's folder; None: no answer is remembered.
        reader: Scores how likely evidence answers the question.
        deadline: End of the question's time limit, system clock.
    """

    search: Search
    settings: Settings
    llm: VideoLLM | None = None
    folder: Path | None = None
    deadline: float = math.inf
    reader: Reader = field(default_factory=feature_reader)

    @property
    def threshold(self) -> float:
        """Lowest score of an answer: from the settings, else from the reader's calibration."""
        chosen = self.settings.answer_threshold
        return self.reader.threshold if chosen is None else chosen

    @property
    def is_small(self) -> bool:
        """Whether the model only composes, and neither plans nor verifies."""
        return self.llm is not None and self.llm.capabilities.is_small

    @property
    def memory(self) -> Path | None:
        """The folder of remembered answers, hints for similar questions; None: no answer is remembered."""
        chosen = self.settings.remember_answers
        is_wanted = not self.is_small if chosen is None else chosen
        return self.folder if self.llm is not None and is_wanted else None

    @property
    def spent(self) -> float:
        """The used share of the token budget, 0 to 1."""
        return self.llm.share if isinstance(self.llm, Metered) else 0.0

    @property
    def answerer(self) -> str:
        """Name of the answering model."""
        return "extractive" if self.llm is None else self.llm.source


class Running(Protocol):
    """The second argument of a node: LangGraph's `Runtime`, or that of `run_plain`."""

    @property
    def context(self) -> Context:
        """The context of the nodes."""
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
        "passages": [],
        "read": 0,
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
    """Return a key of a claim or chapter that is unique over questions and rounds."""
    return f"{state['asked_at']:.6f}/{state['rounds']}/{number}"


def claims_by_key(state: State) -> dict[str, Claim]:
    """Return the claims by their keys in `verdicts` (question, round, number), each with its verdict if it has one."""
    keys = (key_of(state, number) for number in range(len(state["claims"])))
    return {
        key: claim.model_copy(update={"verdict": state["verdicts"].get(key, claim.verdict)})
        for key, claim in zip(keys, state["claims"], strict=True)
    }


def seconds_left(context: Context) -> float:
    """Return the seconds until the deadline; at least 1, because a request needs a positive timeout."""
    return max(1.0, context.deadline - time.time())


def usage_of(error: ServerError, context: Context) -> TokenUsage:
    """Return the cost of a request that failed by its form, its length, its pictures or the deadline; raise all other errors.

    Raises:
        ServerError: The server failed before the question's deadline.
    """
    if isinstance(error, AnswerFormatError):
        return error.usage or TokenUsage(requests=1)
    if isinstance(error, TokensSpentError):
        return TokenUsage()
    if isinstance(error, RequestTooLongError | PicturesRefusedError):
        return TokenUsage(requests=1)
    if time.time() < context.deadline:
        raise error
    return TokenUsage(requests=1)


def over_budget(state: State, context: Context) -> str:
    """Return the exceeded budget; empty: none."""
    settings = context.settings
    if time.time() >= context.deadline:
        return f"max_seconds={settings.max_seconds:g} are over"
    # The state holds what servers report, a `Metered` model also what they do not.
    reported = (state["tokens"].prompt_tokens or 0) + (state["tokens"].completion_tokens or 0)
    if reported >= settings.max_tokens or context.spent >= 1:
        return f"max_tokens={settings.max_tokens} are used"
    return ""


def traced(step: str, detail: str, began: float) -> list[TraceStep]:
    """Return a trace step: the action of a node, and its time since `began` (performance counter)."""
    return [TraceStep(step=step, detail=detail, seconds=round(time.perf_counter() - began, 4))]
