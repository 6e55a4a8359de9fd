"""The graph's nodes that answer without a model, check claims, and judge what is given."""

import time
from collections.abc import Sequence

from ...index.records import Evidence
from ...tools.errors import ServerError
from ...tools.extractors.registry import modality_names
from ...tools.llm.protocol import TokenUsage
from ..answering.answer_options import chosen_option
from ..answering.citation_check import check_claims
from ..answering.computed.tally import tally
from ..answering.quotes import closest, quote_evidence
from ..answering.ranking import Scored, ranked
from ..answering.reader import WEAK_SHARE
from ..composing.grounding import grounded
from ..composing.weighing import Signs, composed_weights, probability, yes_log_odds
from ..question.spelling import is_english
from ..records import Claim, Plan, SubQuery
from .events import AnswerWeighed, ClaimJudged, ClaimsDrafted, EvidenceFound
from .state import Context, Running, State, claims_by_key, over_budget, seconds_left, traced, usage_of

__all__ = ["check_node", "judge_node", "quote_node", "tally_node"]

_NOT_ENGLISH = (
    "The question seems not to be in English: without a language model (`playhead model list`) it is not translated"
)


def tally_node(state: State, runtime: Running) -> State:
    """Plan → claims computed from stored observations: counts, orders, positions in the picture."""
    began = time.perf_counter()
    counted = tally(state["plan"], runtime.context.search, runtime.context.reader)
    evidence = {one.evidence_id: one for one in state["evidence"]}
    cited = [runtime.context.search.evidence(c.evidence_id) for claim in counted.claims for c in claim.citations]
    more = {one.evidence_id: one for one in cited if one is not None and one.evidence_id not in evidence}
    if more:
        runtime.stream_writer(EvidenceFound(round=max(1, state["rounds"]), evidence=tuple(more.values())))
    evidence |= more
    runtime.stream_writer(ClaimsDrafted(claims=counted.claims))
    return {
        "claims": list(counted.claims),
        "missing": list(counted.missing),
        "reason": "" if counted.claims else counted.summary,
        "option": chosen_option(state["plan"], counted.claims),
        "confidence": counted.confidence,
        "evidence": list(evidence.values()),
        "trace": traced("answer", f"computed: {counted.summary}", began),
    }


def quote_node(state: State, runtime: Running) -> State:
    """Evidence → claims that quote the passages that the reader accepts; otherwise the closest passages."""
    began = time.perf_counter()
    plan, search, reader = state["plan"], runtime.context.search, runtime.context.reader
    least = runtime.context.threshold
    scored = ranked(plan, state["evidence"], search, reader)
    claims = quote_evidence(plan, scored, least)
    runtime.stream_writer(ClaimsDrafted(claims=tuple(claims)))
    best = scored[0].score if scored else 0.0
    detail = f"quotes: the best of {len(scored)} passages scores {best:.2f}, {least:.2f} is needed"
    changes: State = {"missing": _missing(plan, scored)}
    if not claims and not is_english(state["question"]):
        changes = {"missing": [], "reason": _NOT_ENGLISH}
    return changes | {
        "claims": claims,
        "closest": [] if claims else closest(scored),
        "option": chosen_option(plan, claims),
        "confidence": round(best, 3) if claims else 0.0,
        "trace": traced("answer", f"{detail}; {len(claims)} quoted", began),
    }


def check_node(state: State, runtime: Running) -> State:
    """Claims → those with a citation that resolves; for a model's claims also with words from the lines that it read."""
    began = time.perf_counter()
    context = runtime.context
    kept: list[Claim] = []
    notes: list[str] = []
    checked = check_claims(state["claims"], context.search.evidence)
    for claim in checked:
        left: Claim | None = claim if claim.verdict != "refuted" else None
        if left is not None and context.llm is not None and claim.basis == "quote":
            same_language = context.is_small and not state["plan"].translation
            result = grounded(left, state["plan"].question, _read(state, left, context), same_language=same_language)
            left = result.claim
            notes.append(result.detail)
        if left is None:
            runtime.stream_writer(ClaimJudged(claim=claim.model_copy(update={"verdict": "refuted"})))
        else:
            kept.append(left)
    detail = f"citations of {sum(claim.verdict != 'refuted' for claim in checked)} of {len(checked)} claims resolve"
    option = _option(state, kept, len(checked))
    return {"claims": kept, "option": option, "trace": traced("check", "; ".join([detail, *notes]), began)}


def judge_node(state: State, runtime: Running) -> State:
    """Verdicts → the claims to keep, or the queries of the next round if none is left."""
    began = time.perf_counter()
    context = runtime.context
    if context.llm is None:
        claims = state["claims"]
        for claim in claims:
            runtime.stream_writer(ClaimJudged(claim=claim))
        detail = f"{len(claims)} claims are kept"
        return {"confidence": state["confidence"] if claims else 0.0, "trace": traced("judge", detail, began)}
    judged = claims_by_key(state)
    for key, claim in judged.items():  # claims without a verification node
        if key not in state["verdicts"]:
            runtime.stream_writer(ClaimJudged(claim=claim))
    supported = sum(claim.verdict in ("supported", "verbatim") for claim in judged.values())
    kept = [claim for claim in judged.values() if claim.verdict != "refuted"] if supported else []
    confidence = round(supported / len(judged), 3) if judged else 0.0
    weighed: State = {}
    note = ""
    if kept and _are_computed(state):
        confidence = state["confidence"]
    elif context.is_small and state["plan"].kind != "whole":
        weighed, note = _weighed(state, runtime, list(judged.values()))
        kept = weighed["claims"]
    over = state["over_budget"] or ("" if kept else over_budget(state, context))
    detail = f"{supported} of {len(judged)} claims supported{note}" + (f"; {over}" if over else "")
    wanted = _wanted(state) if not kept else []
    next_plan = state["plan"]
    if wanted:
        more = tuple(SubQuery(text=text, modalities=modality_names()) for text in wanted)
        next_plan = next_plan.model_copy(update={"more": more, "modalities": modality_names()})
    return {
        "plan": next_plan,
        "wanted": wanted,
        "claims": kept,
        "option": _option(state, kept, len(judged)),
        "closest": [],
        "confidence": confidence,
        "over_budget": over,
        "failure": state["failure"] or ("" if kept or over or not state["unjudged"] else state["unjudged"][0]),
        "trace": traced("judge", detail, began),
        **weighed,
    }


def _are_computed(state: State) -> bool:
    """Whether the claims are computed from observations: the model has read nothing from which it could have written them."""
    return not (state["rows"] or state["frames"] or state["sections"])


def _option(state: State, kept: Sequence[Claim], before: int) -> int | None:
    """The answer option to give: the one chosen with the claims if all of them are kept, else the one that the rest names."""
    if len(kept) == before and state["option"] is not None:
        return state["option"]
    return chosen_option(state["plan"], kept)


def _read(state: State, claim: Claim, context: Context) -> list[Evidence]:
    """Return the lines behind a claim: those that the model read, and those that its citations name."""
    cited = [one for one in (context.search.evidence(c.evidence_id) for c in claim.citations) if one]
    lines = {one.evidence_id: one for one in (*state["rows"], *cited) if one.text}
    return list(lines.values())


def _weighed(state: State, runtime: Running, claims: Sequence[Claim]) -> tuple[State, str]:
    """Return a small model's claims if they are likely right, else the closest passages.

    A small model also writes answers that no line supports: the reader, and the model's own yes or no, decide. The text
    is for the trace.
    """
    plan, context = state["plan"], runtime.context
    scored = ranked(plan, state["evidence"], context.search, context.reader)
    composed = [claim for claim in claims if claim.verdict != "refuted"] if state["is_found"] else []
    spent, note = TokenUsage(), ""
    done: State = {}
    if composed:
        weighed, spent, failure = _probability(state, composed, scored, context)
        runtime.stream_writer(weighed)
        by = (
            f"log-odds of yes {weighed.log_odds:+.2f}" if weighed.log_odds is not None else f"the reader alone{failure}"
        )
        note = f"; {weighed.probability:.0%} likely right ({by})"
        if weighed.is_given:
            confidence = round(weighed.probability, 3)
            return {"claims": composed, "confidence": confidence, "closest": [], "tokens": spent}, note
        if weighed.log_odds is None:  # the reader would say the same of the other passages
            done = {"read": len(state["passages"])}
    return {"claims": [], "confidence": 0.0, "closest": closest(scored), "tokens": spent, **done}, note


def _probability(
    state: State, claims: Sequence[Claim], scored: Sequence[Scored], context: Context
) -> tuple[AnswerWeighed, TokenUsage, str]:
    """Return the probability that claims are right, what asking the model cost, and why it gave no log-odds."""
    assert context.llm is not None
    best = max((one.score for one in scored), default=0.0)
    lines = [one for one in state["rows"] if one.text]
    is_first = state["read"] <= 1
    cites_writing = any(citation.modality == "text" for claim in claims for citation in claim.citations)
    odds, usage, failure, weights = None, TokenUsage(), "", composed_weights()
    if context.llm.capabilities.log_probabilities:
        try:
            odds, usage = yes_log_odds(context.llm, state["plan"].question, lines, seconds=seconds_left(context))
        except ServerError as error:
            usage, failure = usage_of(error, context), f": {error}"
    if odds is None:
        likely, least = best, WEAK_SHARE * context.threshold
    else:
        likely, least = probability(Signs(odds, is_first, cites_writing, best), weights), weights.threshold
    weighed = AnswerWeighed(
        score=best,
        log_odds=odds,
        is_first=is_first,
        cites_writing=cites_writing,
        probability=likely,
        is_given=likely >= least,
    )
    return weighed, usage, failure


def _wanted(state: State) -> list[str]:
    """Return the queries of the next round: what the model missed, else the parts of the question; no query twice."""
    parts = state["wanted"] or [subject.query for subject in state["plan"].subjects]
    return [text for text in dict.fromkeys(parts) if text.strip() and text not in state["searched"]]


def _missing(plan: Plan, scored: list[Scored]) -> list[str]:
    """Return the terms that no evidence contains: only names, numbers and codes if any of these is missing."""
    held = {word for one in scored for word in one.evidence.matched}
    missing = [
        one
        for one in plan.terms
        if one.required and one.text not in held and not any(held.issuperset(other) for other in one.alternatives)
    ]
    return [term.text for term in missing if term.exact] or [term.text for term in missing]
