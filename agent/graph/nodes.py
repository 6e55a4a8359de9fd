"""The graph's nodes that need no model: each takes the state and returns what it changes."""

import time

from langgraph.runtime import Runtime

from ...tools.errors import ServerError
from ...tools.extractors.registry import modality_names
from ...tools.llm.protocol import TokenUsage
from ..answering.anchors import located
from ..answering.citation_check import check_claims
from ..answering.evidence import choose_videos, retrieve
from ..answering.options import chosen_option
from ..answering.quotes import closest, quote_evidence
from ..answering.ranking import Scored, ranked
from ..answering.summary import outline, quote_sections
from ..answering.tally import tally
from ..question.file_names import scoped_by_names
from ..question.follow_ups import plan_in_thread
from ..question.refinement import refined
from ..question.spelling import corrected
from ..records import Plan, SubQuery
from .state import Context, State, claims_by_key, over_budget, seconds_left, traced, usage_of

__all__ = ["check_node", "judge_node", "outline_node", "plan_node", "quote_node", "retrieve_node", "tally_node"]


def plan_node(state: State, runtime: Runtime[Context]) -> State:
    """Question → plan: by rules; a video LLM refines it with what may have been said, written and shown."""
    began = time.perf_counter()
    question, turns, llm = state["question"], state["turns"], runtime.context.llm
    typed, corrections = corrected(question, runtime.context.search)
    plan = plan_in_thread(typed, turns, state["video_ids"], state["between"], state["options"])
    plan = scoped_by_names(plan, runtime.context.search.records)
    usage, note = TokenUsage(), ""
    if llm is not None:
        try:
            plan, usage = refined(llm, plan, turns, seconds_left(runtime.context))
        except ServerError as error:
            usage, note = usage_of(error, runtime.context), "; the video LLM gave no usable plan"
    return {
        "plan": plan,
        "corrections": list(corrections),
        "tokens": usage,
        "trace": traced("plan", _understood(plan, question) + note, began),
    }


def retrieve_node(state: State, runtime: Runtime[Context]) -> State:
    """Plan → evidence, beside that of earlier rounds; of many videos the likeliest are chosen first."""
    began = time.perf_counter()
    search = runtime.context.search
    known = {one.evidence_id: one for one in state["evidence"]}
    plan = choose_videos(state["plan"], search)
    plan, note = _located(plan, runtime.context)
    found = [one for one in retrieve(plan, search) if one.evidence_id not in known]
    told = f"{note}{len(found)} {'more ' if known else ''}pieces of evidence"
    if plan.video_ids != state["plan"].video_ids:
        told += f" in the {len(plan.video_ids or ())} likeliest of {len(search.records)} videos"
    return {
        "plan": plan,
        "rounds": state["rounds"] + 1,
        "evidence": [*known.values(), *found],
        "trace": traced("retrieve", told, began),
    }


def outline_node(state: State, runtime: Runtime[Context]) -> State:
    """Plan → the chapters of its videos; without a video LLM also what stands for each, quoted."""
    began = time.perf_counter()
    sections = outline(state["plan"], runtime.context.search)
    told = f"{len(sections)} chapters of {len({one.video_id for one in sections})} videos"
    changes: State = {"sections": sections, "rounds": state["rounds"] + 1}
    if runtime.context.llm is None:
        evidence = {e.evidence_id: e for one in sections for e in (*one.rows[:1], *filter(None, [one.heading]))}
        claims = quote_sections(sections)
        changes |= {"claims": claims, "evidence": list(evidence.values()), "confidence": 0.5 if claims else 0.0}
    return changes | {"trace": traced("outline", told, began)}


def tally_node(state: State, runtime: Runtime[Context]) -> State:
    """Plan → claims computed from stored rows: how often, which came first, where in the picture."""
    began = time.perf_counter()
    counted = tally(state["plan"], runtime.context.search, runtime.context.reader)
    evidence = {one.evidence_id: one for one in state["evidence"]}
    cited = [runtime.context.search.evidence(c.evidence_id) for claim in counted.claims for c in claim.citations]
    evidence |= {one.evidence_id: one for one in cited if one is not None}
    return {
        "claims": list(counted.claims),
        "missing": list(counted.missing),
        "reason": "" if counted.claims else counted.told,
        "option": chosen_option(state["plan"], counted.claims),
        "confidence": counted.confidence,
        "evidence": list(evidence.values()),
        "trace": traced("answer", f"computed: {counted.told}", began),
    }


def quote_node(state: State, runtime: Runtime[Context]) -> State:
    """Evidence → claims that quote what the reader scores as an answer; else the closest passages."""
    began = time.perf_counter()
    plan, search, reader = state["plan"], runtime.context.search, runtime.context.reader
    least = runtime.context.threshold
    scored = ranked(plan, state["evidence"], search, reader)
    claims = quote_evidence(plan, scored, least)
    best = scored[0].score if scored else 0.0
    detail = f"quotes: the best of {len(scored)} passages scores {best:.2f}, {least:.2f} is needed"
    return {
        "claims": claims,
        "closest": [] if claims else closest(scored),
        "missing": _missing(plan, scored),
        "option": chosen_option(plan, claims),
        "confidence": round(best, 3) if claims else 0.0,
        "trace": traced("answer", f"{detail}; {len(claims)} quoted", began),
    }


def check_node(state: State, runtime: Runtime[Context]) -> State:
    """Claims → those of which a citation resolves."""
    began = time.perf_counter()
    checked = check_claims(state["claims"], runtime.context.search.evidence)
    kept = [claim for claim in checked if claim.verdict != "refuted"]
    told = f"citations of {len(kept)} of {len(checked)} claims resolve"
    return {"claims": kept, "trace": traced("check", told, began)}


def judge_node(state: State, runtime: Runtime[Context]) -> State:
    """Verdicts → the claims that stand, and what the next round looks for if none does."""
    began = time.perf_counter()
    context = runtime.context
    if context.llm is None:
        claims = state["claims"]
        told = f"{len(claims)} claims stand"
        return {"confidence": state["confidence"] if claims else 0.0, "trace": traced("judge", told, began)}
    judged = list(claims_by_key(state).values())
    supported = sum(claim.verdict == "supported" for claim in judged)
    standing = [claim for claim in judged if claim.verdict != "refuted"] if supported else []
    over = state["over_budget"] or ("" if standing else over_budget(state, context))
    told = f"{supported} of {len(judged)} claims supported" + (f"; {over}" if over else "")
    next_plan = state["plan"]
    if not standing:
        more = tuple(SubQuery(text=text, modalities=modality_names()) for text in state["wanted"])
        next_plan = next_plan.model_copy(update={"more": more, "modalities": modality_names()})
    return {
        "plan": next_plan,
        "claims": standing,
        "confidence": round(supported / len(judged), 3) if judged else 0.0,
        "over_budget": over,
        "trace": traced("judge", told, began),
    }


def _located(plan: Plan, context: Context) -> tuple[Plan, str]:
    """The plan where its event leaves it to look, and a note.

    Without a video LLM nothing is looked for beside an event that is not there; a video LLM reads the times of what
    is found, and may know the event by other words.
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
    """A plan in words."""
    told = f"understood as “{plan.question}”; " if plan.question != question else ""
    told += f"{plan.planner}: {plan.kind}; look for “{plan.query}” in {', '.join(plan.modalities)}"
    told += "".join(f"; “{query.text}” in {', '.join(query.modalities)}" for query in plan.more)
    if plan.between:
        told += f", {'last' if plan.from_end else 'between'} {plan.between}"
    if plan.part:
        told += f", at the {plan.part}"
    if plan.anchor:
        told += f", {plan.anchor.relation} “{plan.anchor.event.query}”"
    if plan.ordinal:
        told += f", occurrence {plan.ordinal}"
    if plan.place:
        told += f", {plan.place.relation} in the picture"
    named = ", ".join(term.text for term in plan.terms)
    return f"{told}; an answer is about: {named or 'nothing that rules can name'}"


def _missing(plan: Plan, scored: list[Scored]) -> list[str]:
    """The terms of a question that nothing which was found holds: names, numbers and codes only, if there are some."""
    held = {word for one in scored for word in one.evidence.matched}
    missing = [term for term in plan.terms if term.required and term.text not in held]
    return [term.text for term in missing if term.exact] or [term.text for term in missing]
