"""Builds the answer from the final state of the graph."""

from collections.abc import Sequence
from pathlib import Path

from ...index.records import VideoRecord
from ...tools.embedding.conse import knows_labels_only
from ...tools.extractors.registry import modality_names, participle, spec_of
from ...tools.records import Modality, Span, clock
from ...tools.settings import Settings
from ..question.time_expressions import FAR
from ..records import Answer, Plan, Status, Usage
from .state import State

__all__ = ["final_answer"]

# What most questions are about: a missing stage among these is named, also if the question could be about anything.
_NAMED = 3
_WORDS: tuple[Modality, ...] = ("speech", "text")
# Of Latin, Chinese and Japanese, Arabic, Urdu and Indic scripts.
_SENTENCE_ENDS = (".", "?", "!", "…", "。", "！", "？", "؟", "۔", "।")


def final_answer(
    state: State, records: Sequence[VideoRecord], settings: Settings, thread_id: str, seconds: float
) -> Answer:
    """Build the answer; its status is `answered` only if a claim is left, `failed` if the model failed.

    Args:
        state: The final state.
        records: The videos of the question.
        settings: The settings of the run.
        thread_id: The conversation.
        seconds: Wall time.
    """
    claims, plan = tuple(state["claims"]), state["plan"]
    if claims:
        text = " ".join(claim.text if claim.text.endswith(_SENTENCE_ENDS) else f"{claim.text}." for claim in claims)
    elif state["failure"]:
        text = f"The model failed, not the search: {state['failure']}."
    elif state["over_budget"]:
        text = f"No answer was found within the budget: {state['over_budget']}."
    elif plan.kind == "whole" and state["sections"]:
        text = "The model's summary is not supported by the videos."
    else:
        text = _refusal(plan, state["missing"], state["reason"], records)
    tokens = state["tokens"]
    option = state["option"] if claims else None
    return Answer(
        question=state["question"],
        status=_status(state, bool(claims)),
        text=text,
        confidence=state["confidence"] if claims else 0.0,
        claims=claims,
        closest=() if claims else tuple(state["closest"]),
        corrections=tuple(state["corrections"]),
        option=option,
        option_text="" if option is None else f"{chr(ord('A') + option)}) {plan.options[option]}",
        usage=Usage(
            seconds=round(seconds, 4),
            rounds=state["rounds"],
            evidence=len(state["evidence"]),
            frames=state["frames_seen"],
            prompt_tokens=tokens.prompt_tokens,
            completion_tokens=tokens.completion_tokens,
        ),
        trace=tuple(state["trace"]),
        settings_fingerprint=settings.fingerprint(),
        thread_id=thread_id,
    )


def _status(state: State, has_claims: bool) -> Status:
    if state["over_budget"]:
        return "truncated"
    if has_claims:
        return "answered"
    return "failed" if state["failure"] else "insufficient"


def _refusal(plan: Plan, missing: Sequence[str], reason: str, records: Sequence[VideoRecord]) -> str:
    """Return the reason for a missing answer, and the modalities that are not indexed."""
    longest = max(records, key=lambda one: one.duration, default=None)
    if longest and plan.between and plan.between.start >= longest.duration:
        name, end = Path(longest.paths[0]).name, clock(longest.duration)[:-2]
        which = f"the video {name}" if len(records) == 1 else f"the longest of {len(records)} videos, {name},"
        if plan.from_end:
            return f"The question asks about {clock(plan.between.end)[:-2]} before the end, and {which} lasts {end}."
        return f"The question asks about {clock(plan.between.start)[:-2]}, and {which} ends at {end}."
    if plan.kind == "whole":
        return "Nothing that could be summarised was said, written or described in the indexed videos."
    if plan.planner == "rules" and not (plan.terms or plan.is_moment or reason):
        return (
            "The question names nothing that could be looked for: ask about something that is said, written or shown."
        )
    text = "Nothing in the indexed videos answers this for certain."
    if missing:
        text += f" Not found: {', '.join(missing)}."
    elif reason:
        text += f" {reason[0].upper()}{reason[1:].rstrip('.')}."
    if plan.between and not plan.is_moment:  # a follow-up keeps the time of the question before
        text += f" Only {_stretch(plan.between, plan.from_end)} was searched."
    blind = sorted({participle(modality) for record in records for modality in _blind(record, plan.modalities)})
    if blind:
        text += f" Not every video was indexed for what is {', '.join(blind)}: `playhead show VIDEO` names the reason."
    if _asks_for_pictures(plan) and any(knows_labels_only(record.image_embedding_id) for record in records):
        text += (
            " The picture model of the index knows 1,000 things: `playhead index FOLDER --profile laptop` takes one that "
            "sees more."
        )
    parts = [
        f"{Path(one.paths[0]).name} ({', '.join(str(window)[1:-1] for window in one.info.windows)})"
        for one in records
        if one.info.windows
    ]
    if parts:
        more = f" and {len(parts) - _NAMED} more" if len(parts) > _NAMED else ""
        text += f" Indexed in part only: {', '.join(parts[:_NAMED])}{more}."
    return text


def _stretch(between: Span, from_end: bool) -> str:
    if from_end:
        end = clock(between.end)[:-2]
        return f"the second that is {end} before the end" if between.start else f"the last {end}"
    start = clock(between.start)[:-2]
    return f"what comes after {start}" if between.end >= FAR else f"{start} to {clock(between.end)[:-2]}"


def _asks_for_pictures(plan: Plan) -> bool:
    return all(spec_of(modality).asked_as == "shown" for modality in plan.modalities)


def _blind(record: VideoRecord, modalities: Sequence[Modality]) -> list[Modality]:
    wanted = set(modalities)
    if wanted.issuperset(modality_names()):  # nothing in the question points to a picture
        wanted = {*_WORDS}
    return [stage.modality for stage in record.missing_stages if stage.modality in wanted]
