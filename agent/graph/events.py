"""What happens while a question is answered, step by step, as typed events told by the graph's own updates."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from ...index.records import Evidence
from ...tools.records import Record, Seconds, Span
from ..records import Answer, Claim, Plan
from .state import State, claims_by_key, key_of

__all__ = [
    "Answered",
    "ChapterRead",
    "ClaimJudged",
    "ClaimsDrafted",
    "Event",
    "EvidenceFound",
    "FramesLookedAt",
    "LookedFrame",
    "PlanMade",
    "Teller",
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
    evidence: tuple[Evidence, ...] = Field(description="What it found beside that of earlier rounds, best first.")


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


class ClaimsDrafted(Record):
    """An answer was drafted; nothing of it is checked."""

    kind: Literal["draft"] = "draft"
    claims: tuple[Claim, ...] = Field(description="Its statements; none: nothing that was found answers the question.")


class ClaimJudged(Record):
    """A statement of the draft was checked."""

    kind: Literal["verdict"] = "verdict"
    claim: Claim = Field(description="The statement with its verdict.")


class Answered(Record):
    """The end, always."""

    kind: Literal["answer"] = "answer"
    answer: Answer = Field(description="What leaves.")


# A line of `playhead ask --events` is one of these as JSON: read it with `pydantic.TypeAdapter(Event).validate_json`.
Event = Annotated[
    PlanMade | EvidenceFound | FramesLookedAt | ChapterRead | ClaimsDrafted | ClaimJudged | Answered,
    Field(discriminator="kind"),
]


class Teller:
    """Turns what the graph's nodes return into events."""

    def __init__(self, state: State) -> None:
        """Begin.

        Args:
            state: Where the graph stands; of a new question, an empty one.
        """
        self._state = state
        self._judged: set[str] = set()

    def reached(self, state: State) -> None:
        """Know where the graph stands after a step."""
        self._state = state

    def returned(self, node: str, update: State) -> Iterator[Event]:
        """The events in what one node returned."""
        if node == "plan":
            yield PlanMade(question=self._state["question"], plan=update["plan"])
        if "evidence" in update:
            known = {one.evidence_id for one in self._state.get("evidence", ())}
            found = tuple(one for one in update["evidence"] if one.evidence_id not in known)
            if found or node == "retrieve":
                yield EvidenceFound(round=update.get("rounds", self._state.get("rounds", 1)), evidence=found)
        if node == "look":
            frames = tuple(
                LookedFrame(video_id=f.evidence.video_id, video=f.evidence.video, seconds=f.seconds)
                for f in update["frames"]
            )
            yield FramesLookedAt(frames=frames, inspected=update["frames_seen"] - len(frames))
        if node == "chapter":
            sections = {key_of(self._state, number): one for number, one in enumerate(self._state["sections"])}
            for key, notes in update["notes"].items():
                yield ChapterRead(video_id=sections[key].video_id, span=sections[key].span, notes=tuple(notes or ()))
        if "claims" in update and node not in ("check", "judge"):
            yield ClaimsDrafted(claims=tuple(update["claims"]))
        if node == "check":
            yield from self._dropped(update["claims"])
        if node == "verify":
            for key, verdict in update["verdicts"].items():
                self._judged.add(key)
                claim = claims_by_key(self._state)[key]
                yield ClaimJudged(claim=claim.model_copy(update={"verdict": verdict}))
        if node == "judge":  # those that no node of its own judged, and those judged before an interruption
            for key, claim in claims_by_key(self._state).items():
                if key not in self._judged:
                    yield ClaimJudged(claim=claim)

    def _dropped(self, kept: Sequence[Claim]) -> Iterator[ClaimJudged]:
        """Statements that cite nothing which exists: nobody judges them further."""
        texts = {claim.text for claim in kept}
        for claim in self._state["claims"]:
            if claim.text not in texts:
                yield ClaimJudged(claim=claim.model_copy(update={"verdict": "refuted"}))
