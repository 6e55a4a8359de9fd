"""The graph's nodes that plan a question and find evidence. Rules plan; a large model refines the plan, and any model translates."""

import time
from collections.abc import Mapping, Sequence

from ...index.records import Evidence, VideoRecord
from ...tools.errors import QueryError, ServerError
from ...tools.extractors.registry import modality_names
from ...tools.llm.protocol import TokenUsage
from ..answering.anchors import located
from ..answering.computed.lengths import with_length
from ..answering.computed.moving import moving_claims
from ..answering.computed.slides import on_slide
from ..answering.matching import held_terms
from ..answering.retrieval import choose_videos, retrieve
from ..answering.scopes import at_second, corrected_question, is_within
from ..answering.summary import outline, quote_sections
from ..composing.memory import hinted
from ..composing.translation import translated
from ..question.file_names import scoped_by_names
from ..question.follow_ups import plan_in_thread
from ..question.motions import with_motion
from ..question.refinement import refined
from ..question.speakers import with_person, with_speaker
from ..question.spelling import is_english
from ..question.wall_clock import at_wall_clock
from ..records import Plan
from .events import ClaimsDrafted, EvidenceFound, PlanMade
from .state import Context, Running, State, seconds_left, traced, usage_of

__all__ = ["outline_node", "plan_node", "retrieve_node"]

# Fields of a plan that stay when its question is translated, where they are set.
_KEPT_IF_SET = ("question", "place", "speaker", "person", "motion", "more", "planner")
# Fields that limit its time, beside a span.
_TIME_LIMITS = ("from_end", "part", "clock", "anchor", "ordinal")


def plan_node(state: State, runtime: Running) -> State:
    """Question → plan: by rules; a video LLM refines it with what may have been said, written and shown."""
    began = time.perf_counter()
    question, turns, llm = state["question"], state["turns"], runtime.context.llm
    typed, corrections = corrected_question(question, runtime.context.search)
    plan = plan_in_thread(typed, turns, state["video_ids"], state["between"], state["options"])
    plan = _in_named_videos(plan, state["video_ids"], runtime.context.search.records)
    if state["between"] is None and (timed := at_wall_clock(plan, runtime.context.search.records)):
        plan, understood = timed
        corrections = (*corrections, understood)
    plan = on_slide(at_second(plan, runtime.context.search), runtime.context.search)
    plan = with_speaker(plan, runtime.context.search.speaker_titles)
    plan = with_person(plan, runtime.context.search.person_titles)
    if moving_claims(moving := with_motion(plan), runtime.context.search):
        plan = moving
    usage, note = TokenUsage(), ""
    if llm is not None and not runtime.context.is_small:
        try:
            plan, usage = refined(llm, plan, turns, seconds_left(runtime.context))
        except ServerError as error:
            usage, note = usage_of(error, runtime.context), "; the video LLM gave no usable plan"
    runtime.stream_writer(PlanMade(question=question, plan=plan))
    return {
        "plan": plan,
        "among": plan.video_ids,
        "corrections": list(corrections),
        "tokens": usage,
        "trace": traced("plan", _understood(plan, question) + note, began),
    }


def retrieve_node(state: State, runtime: Running) -> State:
    """Plan → evidence, in addition to earlier rounds; with many videos the most relevant ones are chosen first."""
    began = time.perf_counter()
    search, among = runtime.context.search, state["among"]
    known = {one.evidence_id: one for one in state["evidence"]}
    plan, note = _located(choose_videos(state["plan"].model_copy(update={"video_ids": among}), search), runtime.context)
    found = [one for one in retrieve(plan, search) if one.evidence_id not in known]
    usage = TokenUsage()
    if runtime.context.llm is not None and not known and _is_in_another_language(plan, found, runtime.context):
        plan, usage, words = _in_the_librarys_language(
            plan.model_copy(update={"video_ids": among}), state, runtime.context
        )
        among = plan.video_ids
        plan, note = _located(choose_videos(plan, search), runtime.context)
        found, note = retrieve(plan, search), words + note
    hints: list[Evidence] = []
    if runtime.context.memory is not None and not known:
        asked = plan.model_copy(update={"video_ids": among})
        hints = [one for one in hinted(plan.question, runtime.context.memory, search) if is_within(one, asked, search)]
        ids = {one.evidence_id for one in found}
        found = [*(one for one in hints if one.evidence_id not in ids), *found]
    message = f"{note}{len(found)} {'more ' if known else ''}pieces of evidence"
    if plan.video_ids != state["plan"].video_ids:
        message += f" in the {len(plan.video_ids or ())} likeliest of {len(search.records)} videos"
    message += f"; {len(hints)} of them answered a similar question before" if hints else ""
    runtime.stream_writer(EvidenceFound(round=state["rounds"] + 1, evidence=tuple(found)))
    return {
        "plan": plan,
        "among": among,
        "hints": hints,
        "rounds": state["rounds"] + 1,
        "searched": [*state["searched"], plan.query, *(query.text for query in plan.more)],
        "new": [one.evidence_id for one in found] if known else [],
        "evidence": [*known.values(), *found],
        "tokens": usage,
        "trace": traced("retrieve", message, began),
    }


def outline_node(state: State, runtime: Running) -> State:
    """Plan → the chapters of its videos; without a video LLM also quotes that represent each."""
    began = time.perf_counter()
    sections = outline(state["plan"], runtime.context.search)
    message = f"{len(sections)} chapters of {len({one.video_id for one in sections})} videos"
    changes: State = {"sections": sections, "rounds": state["rounds"] + 1}
    if runtime.context.llm is None:
        claims = quote_sections(sections)
        cited = {citation.evidence_id for claim in claims for citation in claim.citations}
        texts = (text for one in sections for text in (*one.rows, *filter(None, [one.heading])))
        evidence = {text.evidence_id: text for text in texts if text.evidence_id in cited}
        changes |= {"claims": claims, "evidence": list(evidence.values()), "confidence": 0.5 if claims else 0.0}
        runtime.stream_writer(EvidenceFound(round=state["rounds"] + 1, evidence=tuple(evidence.values())))
        runtime.stream_writer(ClaimsDrafted(claims=tuple(claims)))
    return changes | {"trace": traced("outline", message, began)}


def _in_named_videos(plan: Plan, given: Sequence[str] | None, records: Mapping[str, VideoRecord]) -> Plan:
    """Limit a plan to the videos that its question names; otherwise to those of the question that it follows.

    Raises:
        QueryError: The videos of the question that it follows were removed, or indexed again with another content.
    """

    def named(one: Plan) -> Plan:
        return scoped_by_names(with_length(one, records), records)

    if given is not None or plan.video_ids is None:
        return named(plan)
    chosen = named(plan.model_copy(update={"video_ids": None}))
    taken = [one for one in plan.video_ids if one in records]
    if chosen.video_ids is not None:
        both = tuple(one for one in chosen.video_ids if one in taken)
        return chosen.model_copy(update={"video_ids": both or chosen.video_ids})
    if not taken:
        raise QueryError("the earlier question was about a video that is no longer in the library: name a video")
    return named(plan.model_copy(update={"video_ids": tuple(taken)}))


def _is_in_another_language(plan: Plan, found: Sequence[Evidence], context: Context) -> bool:
    """Whether a question is in another language than the library, and no line holds half of its words.

    A library is in English where its language is not set. In another one, only an English question is in another language.
    """
    is_of_english = context.settings.language in (None, "en")
    if plan.translation or plan.is_moment or not plan.terms or is_english(plan.question) == is_of_english:
        return False
    return all(2 * len(held_terms(plan.terms, one.text)) < len(plan.terms) for one in found)


def _in_the_librarys_language(plan: Plan, state: State, context: Context) -> tuple[Plan, TokenUsage, str]:
    """Take the words of a plan from the translated question, and the limits that the plan lacks.

    Args:
        plan: The question, limited to its videos.
        state: The earlier questions: only its translation may show that the question follows one of them.
        context: The model and the library.
    """
    assert context.llm is not None
    language = context.settings.language or "English"
    try:
        words, usage = translated(context.llm, plan.question, language, seconds_left(context))
    except ServerError as error:
        return plan, usage_of(error, context), "the question could not be translated; "
    asked = plan_in_thread(words, state["turns"], plan.video_ids, state["between"], plan.options)
    asked = _in_named_videos(asked, plan.video_ids, context.search.records)
    kept = [name for name in _KEPT_IF_SET if getattr(plan, name)]
    if plan.modalities != modality_names():
        kept.append("modalities")
    if plan.between != state["between"] or plan.scopes is not None or any(getattr(plan, name) for name in _TIME_LIMITS):
        kept += ["between", "scopes", "is_moment", *_TIME_LIMITS]
    changes = {name: getattr(plan, name) for name in kept} | {"translation": asked.question}
    return asked.model_copy(update=changes), usage, f"translated to “{words}”; "


def _located(plan: Plan, context: Context) -> tuple[Plan, str]:
    """Return the plan limited by its event, and a note for the trace.

    If the event is not found, nothing is searched without a video LLM. A video LLM may recognise the event in other
    words, and compares times itself.
    """
    if plan.anchor is None or plan.scopes is not None:
        return plan, ""
    event = plan.anchor.event
    if found := located(plan, context.search, context.reader):
        return found, f"{plan.anchor.relation} “{event.query}” {', '.join(str(s.span) for s in found.scopes or ())}: "
    if context.llm is not None:
        return plan, f"“{event.query}” was not found: "
    terms = tuple(dict.fromkeys([*plan.terms, *event.terms]))
    return plan.model_copy(update={"scopes": (), "terms": terms}), f"“{event.query}” was not found: "


def _understood(plan: Plan, question: str) -> str:
    """Describe a plan in words."""
    message = f"understood as “{plan.question}”; " if plan.question != question else ""
    message += f"{plan.planner}: {plan.kind}; look for “{plan.query}” in {', '.join(plan.modalities)}"
    message += "".join(f"; “{query.text}” in {', '.join(query.modalities)}" for query in plan.more)
    if plan.between:
        message += f", {'from the end' if plan.from_end else 'between'} {plan.between}"
    if plan.clock:
        message += f", {plan.clock}"
    if plan.speaker:
        message += f", said by {plan.speaker}"
    if plan.motion:
        message += f", {plan.motion}"
    if plan.part:
        message += f", at the {plan.part}"
    if plan.anchor:
        message += f", {plan.anchor.relation} “{plan.anchor.event.query}”"
    if plan.ordinal:
        message += f", occurrence {plan.ordinal}"
    if plan.place:
        message += f", {plan.place.relation} in the picture"
    named = ", ".join(term.text for term in plan.terms)
    return f"{message}; an answer is about: {named or 'nothing that rules can name'}"
