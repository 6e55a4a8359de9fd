"""The graph's nodes that ask the video LLM: it looks, writes, notes chapters, and verifies claims.

A small model only composes: one plain request with the best lines.
"""

import time
from collections.abc import Callable

from ...index.records import Evidence
from ...tools.errors import AnswerFormatError, ServerError
from ...tools.extractors.registry import cited_as_text
from ...tools.llm.openai_server.streaming import AnswerText
from ...tools.llm.protocol import TokenUsage
from ..answering.ranking import ranked
from ..composing.compose import Asked, Draft, Task, compose, gather, verify, write_sentence
from ..composing.passages import moments, passages_of
from ..composing.reading import lines_to_read
from ..looking.model_frames import frames_cited, frames_within, look
from ..records import Claim
from .budget import TokensSpentError
from .events import AnswerWritten, ChapterRead, ClaimJudged, ClaimsDrafted, FramesLookedAt, LookedFrame
from .state import Context, OneClaim, OneSection, Running, State, over_budget, seconds_left, traced, usage_of

__all__ = ["CHAPTER_FRAMES", "chapter_node", "compose_node", "digest_node", "gather_node", "look_node", "verify_node"]

# Most lines and keyframes of one chapter for the model, the most representative first.
CHAPTER_ROWS, CHAPTER_FRAMES = 24, 2
# A third of the remaining frames is reserved for later rounds.
LATER_ROUNDS = 3
# Notes may take this share of the tokens and of the time: the rest is for the answer, and for verifying it.
CHAPTERS_SHARE = 0.7
# Lines of one request. A small model on two cores reads 67 tokens a second: ten lines take 4 to 6 s.
SMALL_LINES, LINES, MANY_LINES = 12, 30, 60
# Passages that a small model reads one after the other. Of 117 questions about narrated talks the first holds the answer to 109,
# the first three to all.
PASSAGES = 3
# Sentences and slides for a small model that reads them all at once, because it chooses among answers or is shown frames.
SMALL_MOMENTS = 10


def look_node(state: State, runtime: Running) -> State:
    """Evidence → the lines and keyframes for the video LLM; a model without vision gets lines only."""
    began = time.perf_counter()
    context = runtime.context
    assert context.llm is not None
    can = context.llm.capabilities
    most = MANY_LINES if state["plan"].kind != "needle" else LINES
    hinted = {one.evidence_id for one in state["hints"]}
    scored = ranked(state["plan"], state["evidence"], context.search, context.reader)
    best_first = [*state["hints"], *(one.evidence for one in scored if one.evidence.evidence_id not in hinted)]
    passages: list[list[Evidence]] = []
    if can.is_small:
        found = passages_of(state["plan"], best_first, context.search)
        passages = found[:PASSAGES] if _reads_passages(state, context) else []
        rows = moments(found, SMALL_MOMENTS)
    else:
        rows = lines_to_read(best_first, context.search, most, frozenset(state["new"]))
    if not can.sees_pictures:
        read = f"{len(passages)} passages" if passages else f"{len(rows)} lines"
        detail = f"{read} to read; {context.llm.source} reads text only and sees no frames"
        runtime.stream_writer(FramesLookedAt(frames=(), inspected=0))
        return {"rows": rows, "passages": passages, "read": 0, "frames": [], "trace": traced("look", detail, began)}
    left = max(0, context.settings.max_frames - state["frames_seen"])
    if state["rounds"] < context.settings.max_rounds:
        left -= left // LATER_ROUNDS  # another round looks elsewhere
    try:
        looked = look(
            state["plan"], state["evidence"], context.search, context.settings, context.llm, left, seconds_left(context)
        )
    except ServerError as error:
        usage = usage_of(error, context)
        detail = f"no frames were chosen: {error}"
        return {"rows": rows, "frames": [], "tokens": usage, "trace": traced("look", detail, began)}
    frames = tuple(
        LookedFrame(video_id=f.evidence.video_id, video=f.evidence.video, seconds=f.seconds) for f in looked.frames
    )
    runtime.stream_writer(FramesLookedAt(frames=frames, inspected=looked.inspected))
    detail = f"{len(rows)} lines and {len(looked.frames)} frames to show, {looked.inspected} seen in grids"
    if looked.unread:
        detail += f"; frames left out: {'; '.join(looked.unread)}"
    return {
        "rows": rows,
        "frames": list(looked.frames),
        "frames_seen": looked.inspected,
        "tokens": looked.usage,
        "trace": traced("look", detail, began),
    }


def compose_node(state: State, runtime: Running) -> State:
    """Lines and keyframes → the video LLM's claims; a failure if its answer is not usable."""
    began = time.perf_counter()
    context = runtime.context
    assert context.llm is not None
    task: Task = "answer" if _writes_a_sentence(state, context) else "claims"
    if not state["rows"] and not state["frames"]:
        return _drafted(Draft(claims=(), is_found=False, missing=(), dropped=0, usage=TokenUsage()), runtime, began)
    asked = Asked(state["plan"].question, state["turns"], state["plan"].options)
    passage = state["passages"][state["read"]] if state["passages"] else []
    seconds = seconds_left(context)
    try:
        if passage:
            words = runtime.stream_writer
            draft = write_sentence(
                context.llm, asked, passage, seconds=seconds, on_text=lambda new: words(AnswerWritten(text=new))
            )
        else:
            draft = compose(
                context.llm,
                asked,
                state["rows"],
                state["frames"],
                task=task,
                decoder=context.settings.decoder,
                seconds=seconds,
                on_text=_words_of(runtime),
            )
    except ServerError as error:
        return _unusable(error, state, runtime, began)
    read: State = {"rows": passage, "read": state["read"] + 1} if passage else {}
    return {**_drafted(draft, runtime, began), **read}


def digest_node(state: State, runtime: Running) -> State:
    """Chapters → a small model's summary, in one request with the heading and the most representative lines of each."""
    began = time.perf_counter()
    context = runtime.context
    assert context.llm is not None
    rows = []
    for place in range(SMALL_LINES):
        for section in state["sections"]:
            telling = [one for one in (section.heading, *section.rows) if one is not None]
            rows += telling[place : place + 1]
    rows = list({one.evidence_id: one for one in rows}.values())[: 2 * SMALL_LINES]
    if not rows:
        return _drafted(Draft(claims=(), is_found=False, missing=(), dropped=0, usage=TokenUsage()), runtime, began)
    try:
        draft = compose(
            context.llm,
            Asked(state["plan"].question, state["turns"], state["plan"].options),
            rows,
            task="claims",
            seconds=seconds_left(context),
            on_text=_words_of(runtime),
        )
    except ServerError as error:
        return _unusable(error, state, runtime, began)
    return {**_drafted(draft, runtime, began), "rows": rows}


def chapter_node(state: OneSection, runtime: Running) -> State:
    """One chapter → notes on it, in parallel with the others; no notes if the video LLM's answer is not usable."""
    began = time.perf_counter()
    context, section = runtime.context, state["section"]
    assert context.llm is not None
    if limit := _used_up(context):
        detail = f"{section.span} left out: {CHAPTERS_SHARE:.0%} of {limit} are used"
        return {"notes": {state["key"]: None}, "trace": traced("chapter", detail, began)}
    rows = [one for one in (section.heading, *section.rows) if one is not None][:CHAPTER_ROWS]
    scenes = section.scenes or (section.span,)
    sees = context.llm.capabilities.sees_pictures
    frames = frames_within(section.video_id, scenes, context.search, state["frames"]) if sees else []
    try:
        draft = compose(
            context.llm,
            Asked(state["question"]),
            list(dict.fromkeys(rows)),
            frames,
            task="chapter",
            decoder=context.settings.decoder,
            seconds=seconds_left(context),
        )
    except ServerError as error:
        detail = f"no notes on {section.span}: {error}"
        usage = usage_of(error, context)
        # None: the budget has no room for this chapter.
        is_over = isinstance(error, TokensSpentError) or time.time() >= context.deadline
        notes: list[Claim] | None = None if is_over else []
        runtime.stream_writer(ChapterRead(video_id=section.video_id, span=section.span, notes=()))
        return {"notes": {state["key"]: notes}, "tokens": usage, "trace": traced("chapter", detail, began)}
    runtime.stream_writer(ChapterRead(video_id=section.video_id, span=section.span, notes=draft.claims))
    return {
        "notes": {state["key"]: list(draft.claims)},
        "frames_seen": draft.frames,
        "tokens": draft.usage,
        "trace": traced("chapter", f"{len(draft.claims)} notes on {section.span}", began),
    }


def gather_node(state: State, runtime: Running) -> State:
    """Notes on all chapters → the video LLM's claims about the whole."""
    began = time.perf_counter()
    context = runtime.context
    assert context.llm is not None
    ours = sorted(key for key in state["notes"] if key.startswith(f"{state['asked_at']:.6f}/"))
    notes = [note for key in ours for note in state["notes"][key] or ()]
    left_out = sum(state["notes"][key] is None for key in ours)
    limit = _used_up(context) or f"max_tokens={context.settings.max_tokens}"
    over = f"{limit} left no room for {left_out} chapters" if left_out else ""
    notes.sort(key=lambda note: (note.citations[0].video, min(c.start for c in note.citations)))
    if not notes:
        failure = "" if left_out == len(ours) else f"{context.llm.source} gave no usable notes on any chapter"
        runtime.stream_writer(ClaimsDrafted(claims=()))
        return {
            "claims": [],
            "wanted": [],
            "over_budget": over,
            "failure": failure if ours else "",
            "trace": traced("answer", "no notes to answer from", began),
        }
    try:
        draft = gather(
            context.llm,
            Asked(state["plan"].question, state["turns"], state["plan"].options),
            notes,
            seconds=seconds_left(context),
            on_text=_words_of(runtime),
        )
    except ServerError as error:
        return _unusable(error, state, runtime, began)
    return {**_drafted(draft.model_copy(update={"missing": ()}), runtime, began), "over_budget": over}


def verify_node(state: OneClaim, runtime: Running) -> State:
    """One claim → its verdict from the cited evidence, in parallel with the others; without a verdict: unverified."""
    began = time.perf_counter()
    context, claim = runtime.context, state["claim"]
    assert context.llm is not None
    cited = [one for one in (context.search.evidence(c.evidence_id) for c in claim.citations) if one]
    failure = ""
    try:
        verdict, usage = verify(
            context.llm,
            state["question"],
            claim,
            [one for one in cited if one.modality in cited_as_text()],
            frames_cited(cited),
            decoder=context.settings.decoder,
            seconds=seconds_left(context),
        )
        detail = f"{verdict}: {claim.text}"
    except ServerError as error:
        usage = usage_of(error, context)
        verdict, detail = "unverified", f"no verdict on “{claim.text}”: {error}"
        failure = f"{context.llm.source} gave no usable verdict"
    runtime.stream_writer(ClaimJudged(claim=claim.model_copy(update={"verdict": verdict})))
    return {
        "verdicts": {state["key"]: verdict},
        "unjudged": [failure] if failure else [],
        "tokens": usage,
        "trace": traced("verify", detail, began),
    }


def _writes_a_sentence(state: State, context: Context) -> bool:
    """Whether a small model answers in one sentence."""
    return context.is_small and state["plan"].kind in ("needle", "count")


def _reads_passages(state: State, context: Context) -> bool:
    """Whether a model reads one passage after the other: it neither chooses among answers nor sees frames."""
    assert context.llm is not None
    can = context.llm.capabilities
    return _writes_a_sentence(state, context) and not state["plan"].options and not can.sees_pictures


def _used_up(context: Context) -> str:
    """The budget, of tokens or of time, of which the chapters have used their share; empty: neither."""
    settings = context.settings
    if context.spent >= CHAPTERS_SHARE:
        return f"max_tokens={settings.max_tokens}"
    if context.deadline - time.time() <= (1 - CHAPTERS_SHARE) * settings.max_seconds:
        return f"max_seconds={settings.max_seconds:g}"
    return ""


def _words_of(running: Running) -> Callable[[str], None]:
    """Return a callback that emits the answer's words as events while the JSON is being written."""
    return AnswerText(lambda words: running.stream_writer(AnswerWritten(text=words))).add


def _drafted(draft: Draft, runtime: Running, began: float) -> State:
    context = runtime.context
    assert context.llm is not None
    detail = f"{context.llm.source}: {len(draft.claims)} claims"
    if not draft.is_found:
        detail += "; it says that the evidence does not answer the question"
    if draft.unread:
        detail += f"; frames left out: {'; '.join(draft.unread)}"
    if draft.left_out:
        detail += f"; {draft.left_out} notes left out: the model's context has no room for them"
    if draft.dropped:
        detail += f"; {draft.dropped} without a citation that exists left out"
    if draft.missing:
        detail += f"; wants {', '.join(draft.missing)}"
    # A larger model's decision is final; a small model's is compared with retrieval in `judge`.
    claims = draft.claims if draft.is_found or context.is_small else ()
    runtime.stream_writer(ClaimsDrafted(claims=claims))
    return {
        "claims": list(claims),
        "is_found": draft.is_found,
        "wanted": list(draft.missing),
        "option": draft.option if draft.is_found else None,
        "frames_seen": draft.frames,
        "failure": "",
        "tokens": draft.usage,
        "trace": traced("answer", detail, began),
    }


def _unusable(error: ServerError, state: State, runtime: Running, began: float) -> State:
    context = runtime.context
    assert context.llm is not None
    usage = usage_of(error, context)  # raises errors of the server; only errors in the model's answer continue
    over = "" if isinstance(error, AnswerFormatError) else over_budget(state, context)
    if isinstance(error, TokensSpentError):
        over = str(error)
    runtime.stream_writer(ClaimsDrafted(claims=()))
    return {
        "claims": [],
        "is_found": False,
        "wanted": [],
        "tokens": usage,
        "over_budget": over,
        "failure": "" if over else f"{context.llm.source} gave no usable answer: {error}",
        "trace": traced("answer", f"{context.llm.source} gave no usable answer: {error}", began),
    }
