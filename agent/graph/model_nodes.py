"""The graph's nodes that ask the video LLM: it looks, writes, notes chapters, and has each claim checked."""

import time

from langgraph.runtime import Runtime

from ...tools.errors import ServerError
from ...tools.extractors.registry import cited_as_text
from ..answering.compose import Draft, compose, gather, verify
from ..looking.model_frames import frames_cited, frames_within, look
from .state import Context, OneClaim, OneSection, State, seconds_left, traced, usage_of

__all__ = ["CHAPTER_FRAMES", "chapter_node", "compose_node", "gather_node", "look_node", "verify_node"]

# Of each chapter the model reads so many rows, the most telling ones, and is shown so many stills at most.
CHAPTER_ROWS, CHAPTER_FRAMES = 24, 2
# A third of the frames that are left is kept for the rounds that may follow.
LATER_ROUNDS = 3
# Notes may take so much of the token budget: the rest is for the answer, and for checking it.
CHAPTERS_SHARE = 0.7


def look_node(state: State, runtime: Runtime[Context]) -> State:
    """Evidence → the rows and stills that the video LLM is given; none where time is over before they are chosen."""
    began = time.perf_counter()
    context = runtime.context
    assert context.llm is not None
    left = max(0, context.settings.max_frames - state["frames_seen"])
    if state["rounds"] < context.settings.max_rounds:
        left -= left // LATER_ROUNDS  # another round looks elsewhere
    try:
        looked = look(
            state["plan"], state["evidence"], context.search, context.settings, context.llm, left, seconds_left(context)
        )
    except ServerError as error:
        usage = usage_of(error, context)
        told = f"nothing was chosen in time: {error}"
        return {"rows": [], "frames": [], "frames_seen": 0, "tokens": usage, "trace": traced("look", told, began)}
    told = f"{len(looked.rows)} rows and {len(looked.frames)} frames to show, {looked.inspected} seen in grids"
    return {
        "rows": list(looked.rows),
        "frames": list(looked.frames),
        "frames_seen": len(looked.frames) + looked.inspected,
        "tokens": looked.usage,
        "trace": traced("look", told, began),
    }


def compose_node(state: State, runtime: Runtime[Context]) -> State:
    """Rows and stills → the video LLM's claims; none where it gives no usable answer."""
    began = time.perf_counter()
    context = runtime.context
    assert context.llm is not None
    try:
        draft = compose(
            context.llm,
            state["question"],
            state["rows"],
            state["frames"],
            turns=state["turns"],
            options=state["plan"].options,
            decoder=context.settings.decoder,
            seconds=seconds_left(context),
        )
    except ServerError as error:
        return _unusable(error, context, began)
    return _drafted(draft, context, began)


def chapter_node(state: OneSection, runtime: Runtime[Context]) -> State:
    """One chapter → notes on it, beside the others; none where the video LLM gives no usable ones."""
    began = time.perf_counter()
    context, section = runtime.context, state["section"]
    assert context.llm is not None
    if context.spent >= CHAPTERS_SHARE:
        told = f"{section.span} left out: {context.spent:.0%} of max_tokens are used"
        return {"notes": {state["key"]: None}, "trace": traced("chapter", told, began)}
    telling = [one for one in (section.heading, *section.rows) if one is not None][:CHAPTER_ROWS]
    rows = sorted(dict.fromkeys(telling), key=lambda one: one.start)
    scenes = section.scenes or (section.span,)
    frames = frames_within(section.video_id, scenes, context.search, state["frames"])
    try:
        draft = compose(
            context.llm,
            state["question"],
            rows,
            frames,
            task="chapter",
            decoder=context.settings.decoder,
            seconds=seconds_left(context),
        )
    except ServerError as error:
        told = f"no notes on {section.span}: {error}"
        return {
            "notes": {state["key"]: []},
            "tokens": usage_of(error, context),
            "trace": traced("chapter", told, began),
        }
    return {
        "notes": {state["key"]: list(draft.claims)},
        "frames_seen": len(frames),
        "tokens": draft.usage,
        "trace": traced("chapter", f"{len(draft.claims)} notes on {section.span}", began),
    }


def gather_node(state: State, runtime: Runtime[Context]) -> State:
    """Notes on all chapters → the video LLM's claims about the whole."""
    began = time.perf_counter()
    context = runtime.context
    assert context.llm is not None
    ours = sorted(key for key in state["notes"] if key.startswith(f"{state['asked_at']:.6f}/"))
    notes = [note for key in ours for note in state["notes"][key] or ()]
    left_out = sum(state["notes"][key] is None for key in ours)
    over = f"max_tokens={context.settings.max_tokens} left no room for {left_out} chapters" if left_out else ""
    notes.sort(key=lambda note: (note.citations[0].video, min(c.start for c in note.citations)))
    if not notes:
        return {
            "claims": [],
            "wanted": [],
            "over_budget": over,
            "trace": traced("answer", "no notes to answer from", began),
        }
    try:
        draft = gather(
            context.llm,
            state["question"],
            notes,
            turns=state["turns"],
            options=state["plan"].options,
            seconds=seconds_left(context),
        )
    except ServerError as error:
        return _unusable(error, context, began)
    return {**_drafted(draft.model_copy(update={"missing": ()}), context, began), "over_budget": over}


def verify_node(state: OneClaim, runtime: Runtime[Context]) -> State:
    """One claim against what it cites, beside the others; where no verdict comes, it stays unverified."""
    began = time.perf_counter()
    context, claim = runtime.context, state["claim"]
    assert context.llm is not None
    cited = [one for one in (context.search.evidence(c.evidence_id) for c in claim.citations) if one]
    try:
        verdict, usage = verify(
            context.llm,
            claim,
            [one for one in cited if one.modality in cited_as_text()],
            frames_cited(cited),
            decoder=context.settings.decoder,
            seconds=seconds_left(context),
        )
        told = f"{verdict}: {claim.text}"
    except ServerError as error:
        usage = usage_of(error, context)
        verdict, told = "unverified", f"no verdict on “{claim.text}”: {error}"
    return {
        "verdicts": {state["key"]: verdict},
        "tokens": usage,
        "trace": traced("verify", told, began),
    }


def _drafted(draft: Draft, context: Context, began: float) -> State:
    assert context.llm is not None
    told = f"{context.llm.source}: {len(draft.claims)} claims"
    if draft.dropped:
        told += f"; {draft.dropped} without a citation that exists left out"
    if draft.missing:
        told += f"; wants {', '.join(draft.missing)}"
    return {
        "claims": list(draft.claims),
        "wanted": list(draft.missing),
        "option": draft.option,
        "tokens": draft.usage,
        "trace": traced("answer", told, began),
    }


def _unusable(error: ServerError, context: Context, began: float) -> State:
    assert context.llm is not None
    return {
        "claims": [],
        "wanted": [],
        "tokens": usage_of(error, context),
        "trace": traced("answer", f"{context.llm.source} gave no usable answer: {error}", began),
    }
