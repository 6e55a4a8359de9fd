"""Improves a plan with a language model. Only checked parts of its answer are used.

The model writes descriptions and chooses the kind of answer. It sets no times and no videos: rules parse these from
the question. An inconsistent plan is sent back once with the reason, as VURF does with programs that fail
(Mahmood et al. 2024, section 3.3).
"""

from collections.abc import Sequence
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ...prompts import render
from ...tools.extractors.registry import asked_as, labels, sentences
from ...tools.llm.protocol import TokenUsage, VideoLLM
from ...tools.llm.structured import ask_structured
from ...tools.records import Modality
from ..composing.model_input import quoted_question
from ..records import Anchor, Kind, Plan, SubQuery, Turn
from .terms import names_something, subject_of

__all__ = ["refined"]

_FEWEST_SUBJECTS: dict[Kind, int] = {"count": 1, "order": 2, "compare": 2}


class _PlanDraft(BaseModel):
    model_config = ConfigDict(extra="ignore")

    kind: Kind = Field(default="needle", description="What form the answer has.")
    subjects: list[str] = Field(default_factory=list, max_length=6, description="What is counted, compared or ordered.")
    relation: Literal["after", "before", "during"] | None = None
    event: str = Field(default="", max_length=200, description="What it happens after, before or during.")
    said: list[str] = Field(default_factory=list, max_length=3)
    written: list[str] = Field(default_factory=list, max_length=3)
    shown: list[str] = Field(default_factory=list, max_length=3)
    described: list[str] = Field(default_factory=list, max_length=3)

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        wanted = _FEWEST_SUBJECTS.get(self.kind, 0)
        named = [text for text in self.subjects if names_something(text)]
        if len(named) < wanted:
            raise ValueError(
                f"kind {self.kind!r} needs {wanted} or more subjects that name something, got {self.subjects}: name "
                "them, or choose kind 'needle'"
            )
        if self.relation and not names_something(self.event):
            raise ValueError(
                f"relation {self.relation!r} needs an event that names something, got {self.event!r}: describe the "
                "event, or leave the relation out"
            )
        return self


def refined(
    llm: VideoLLM, plan: Plan, turns: Sequence[Turn] = (), seconds: float | None = None
) -> tuple[Plan, TokenUsage]:
    """Add a model's descriptions of possible evidence to a plan, and its kind of answer.

    One query per modality is the method of Video-RAG (Luo et al. 2024, section 3.2). Only a plain needle changes its
    kind; all other kinds from the rules stay.

    Args:
        llm: The language model.
        plan: The plan made by rules.
        turns: Earlier questions of the conversation.
        seconds: Time limit.

    Raises:
        AnswerFormatError: The model did not answer in the requested form, twice.
        ServerError: The server gave no usable answer within the time limit.
    """
    draft, usage = ask_structured(
        llm,
        [quoted_question(plan.question, turns)],
        _PlanDraft,
        instructions=render("plan"),
        max_tokens=512,
        seconds=seconds,
    )
    shown = asked_as("shown")
    kinds: tuple[tuple[list[str], tuple[Modality, ...]], ...] = (
        (draft.said, asked_as("said")),
        (draft.written, asked_as("written")),
        (draft.shown, tuple(one for one in shown if one in labels())),
        (draft.described, tuple(one for one in shown if one in sentences())),
    )
    queries = [SubQuery(text=text, modalities=where) for texts, where in kinds for text in texts]
    changes: dict[str, object] = {"more": tuple(query for query in queries if query.text), "planner": llm.source}
    is_plain = plan.kind == "needle" and not (plan.anchor or plan.place or plan.ordinal or plan.is_moment)
    if is_plain and draft.kind != "needle":
        changes["kind"] = draft.kind
        changes["subjects"] = tuple(subject_of(text, plan.question) for text in draft.subjects if names_something(text))
        changes["ordinal"] = 1 if draft.kind == "order" else None
    if is_plain and draft.relation:
        changes["anchor"] = Anchor(relation=draft.relation, event=subject_of(draft.event, plan.question))
    return plan.model_copy(update=changes), usage
