"""The graph `plan → retrieve → answer → check`: what each node reads and writes, and the wiring."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypedDict

from ..index.records import Evidence
from ..index.search import Search
from ..tools.records import Box, Span, Word
from .act import retrieve
from .answer import quote_evidence
from .check import check_claims
from .plan import make_plan
from .records import Citation, Claim, Plan, Term, TraceStep
from .support import Support, supports

if TYPE_CHECKING:
    from langgraph.graph.state import CompiledStateGraph
    from langgraph.runtime import Runtime

__all__ = ["STORED_RECORDS", "Context", "State", "compiled"]

# What a checkpoint may hold besides plain data.
STORED_RECORDS = (Box, Citation, Claim, Evidence, Plan, Span, Term, TraceStep, Word)


class State(TypedDict, total=False):
    """What the nodes hand on; a checkpoint holds it."""

    question: str
    video_ids: tuple[str, ...] | None
    between: Span | None
    plan: Plan
    evidence: list[Evidence]
    claims: list[Claim]
    confidence: float
    missing: list[str]
    trace: list[TraceStep]


@dataclass(frozen=True)
class Context:
    """What the nodes work with; no checkpoint holds it.

    Attributes:
        search: The library.
    """

    search: Search


def plan_node(state: State) -> State:
    """Question → plan."""
    began = time.perf_counter()
    plan = make_plan(state["question"], state["video_ids"], state["between"])
    told = f"{plan.planner}: look for “{plan.query}” in {', '.join(plan.modalities)}"
    if plan.between:
        told += f", {'last' if plan.from_end else 'between'} {plan.between}"
    told += f"; an answer is about: {', '.join(term.text for term in plan.terms) or 'nothing that rules can name'}"
    return {"plan": plan, "trace": _told(state, "plan", told, began)}


def retrieve_node(state: State, runtime: "Runtime[Context]") -> State:
    """Plan → evidence."""
    began = time.perf_counter()
    found = retrieve(state["plan"], runtime.context.search)
    return {"evidence": found, "trace": _told(state, "retrieve", f"{len(found)} pieces of evidence", began)}


def answer_node(state: State, runtime: "Runtime[Context]") -> State:
    """Evidence → claims that quote it; none where no evidence holds."""
    began = time.perf_counter()
    plan, search = state["plan"], runtime.context.search
    found = supports(plan, state["evidence"], search.embed, search.nearby, search.shows)
    claims = quote_evidence(plan, found)
    missing = [term.text for term in _never_found(plan, found)]
    told = f"extractive: {sum(one.holds for one in found)} hold, {len(claims)} quoted"
    if missing:
        told += f"; nowhere: {', '.join(missing)}"
    return {
        "claims": claims,
        "missing": missing,
        "confidence": _confidence(claims, found),
        "trace": _told(state, "answer", told, began),
    }


def check_node(state: State, runtime: "Runtime[Context]") -> State:
    """Claims → the claims whose citations resolve, each with its verdict."""
    began = time.perf_counter()
    checked = check_claims(state["claims"], runtime.context.search.evidence)
    kept = [claim for claim in checked if claim.verdict != "refuted"]
    told = f"{sum(claim.verdict == 'supported' for claim in kept)} of {len(checked)} claims supported"
    return {
        "claims": kept,
        "confidence": state["confidence"] if kept else 0.0,
        "trace": _told(state, "check", told, began),
    }


def _told(state: State, step: str, detail: str, began: float) -> list[TraceStep]:
    return [*state["trace"], TraceStep(step=step, detail=detail, seconds=round(time.perf_counter() - began, 4))]


def _never_found(plan: Plan, found: list[Support]) -> list[Term]:
    return [term for term in plan.terms if all(term not in (*one.literal, *one.alike, *one.topic) for one in found)]


def _confidence(claims: list[Claim], found: list[Support]) -> float:
    """Agreement: how much of the question the best quote holds itself, and whether words and meaning both found it."""
    if not claims:
        return 0.0
    first = claims[0].citations[0].evidence_id
    best = next(one for one in found if one.evidence.evidence_id == first)
    return round(min(1.0, 0.5 * best.strength + 0.5 * best.evidence.score), 3)


@lru_cache(maxsize=1)
def _builder() -> Any:
    from langgraph.graph import END, START, StateGraph

    graph = StateGraph(State, context_schema=Context)
    nodes: tuple[tuple[str, Callable[..., State]], ...] = (
        ("plan", plan_node),
        ("retrieve", retrieve_node),
        ("answer", answer_node),
        ("check", check_node),
    )
    before = START
    for name, node in nodes:
        graph.add_node(name, node)
        graph.add_edge(before, name)
        before = name
    graph.add_edge(before, END)
    return graph


def compiled(checkpointer: Any) -> "CompiledStateGraph":
    """The graph, ready to run with a checkpointer of LangGraph."""
    return _builder().compile(checkpointer=checkpointer)
