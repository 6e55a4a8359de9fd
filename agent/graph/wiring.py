"""The graph `plan → retrieve → (look) → answer → check → (verify) → judge → (retrieve | done)`: its wiring.

Without a video LLM nothing is looked at, evidence is quoted, and one round is all there is. With one, claims
are verified side by side, and a round without a supported claim is followed by another that looks for
what was missing, within the budgets. A question about whole videos goes through their chapters instead.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.runtime import Runtime
from langgraph.types import Send

from ..answering.tally import is_tallied
from .model_nodes import CHAPTER_FRAMES, chapter_node, compose_node, gather_node, look_node, verify_node
from .nodes import check_node, judge_node, outline_node, plan_node, quote_node, retrieve_node, tally_node
from .state import Context, OneClaim, OneSection, State, claims_by_key, key_of

__all__ = ["compiled"]


def compiled(checkpointer: Any) -> CompiledStateGraph:
    """The graph, ready to run with a checkpointer of LangGraph."""
    return _builder().compile(checkpointer=checkpointer)


def _to_evidence(state: State) -> str:
    return "outline" if state["plan"].kind == "whole" else "retrieve"


def _to_answerer(state: State, runtime: Runtime[Context]) -> str:
    """What can be computed is; the video LLM is asked where rows do not tell."""
    if is_tallied(state["plan"]) and state["rounds"] == 1:
        return "tally"
    return "quote" if runtime.context.llm is None else "look"


def _after_tally(state: State, runtime: Runtime[Context]) -> str:
    if state["claims"]:
        return "check"
    if runtime.context.llm is not None:
        return "look"
    return "quote" if state["plan"].place else "judge"


def _to_chapters(state: State, runtime: Runtime[Context]) -> Any:
    if runtime.context.llm is None:
        return "check"
    sections, most = state["sections"], runtime.context.settings.max_frames
    sends = []
    for number, section in enumerate(sections):
        share = most * (number + 1) // len(sections) - most * number // len(sections)
        frames = min(CHAPTER_FRAMES, share)
        one = OneSection(key=key_of(state, number), question=state["question"], section=section, frames=frames)
        sends.append(Send("chapter", one))
    return sends or "gather"


def _to_verifiers(state: State, runtime: Runtime[Context]) -> Any:
    if runtime.context.llm is None:
        return "judge"
    sends = [
        Send("verify", OneClaim(key=key, claim=claim))
        for key, claim in claims_by_key(state).items()
        if claim.basis == "quote"  # what was computed was computed anew by the check
    ]
    return sends or "judge"


def _to_next_round(state: State, runtime: Runtime[Context]) -> str:
    """Another round where nothing stands, something more was wanted, and the budgets allow it."""
    settings = runtime.context.settings
    # Where what was computed did not stand, the video LLM looks for itself.
    wants = bool(state["wanted"]) or (is_tallied(state["plan"]) and state["rounds"] == 1)
    may = runtime.context.llm is not None and not state["claims"] and wants
    if may and not state["over_budget"] and state["rounds"] < settings.max_rounds:
        return "retrieve"
    return END


@lru_cache(maxsize=1)
def _builder() -> Any:
    graph = StateGraph(State, context_schema=Context)
    nodes: tuple[tuple[str, Callable[..., State]], ...] = (
        ("plan", plan_node),
        ("outline", outline_node),
        ("chapter", chapter_node),
        ("gather", gather_node),
        ("retrieve", retrieve_node),
        ("look", look_node),
        ("quote", quote_node),
        ("tally", tally_node),
        ("compose", compose_node),
        ("check", check_node),
        ("verify", verify_node),
        ("judge", judge_node),
    )
    for name, node in nodes:
        graph.add_node(name, node)
    for before, after in (
        (START, "plan"),
        ("chapter", "gather"),
        ("gather", "check"),
        ("look", "compose"),
        ("compose", "check"),
        ("quote", "check"),
        ("verify", "judge"),
    ):
        graph.add_edge(before, after)
    graph.add_conditional_edges("plan", _to_evidence, ["outline", "retrieve"])
    graph.add_conditional_edges("outline", _to_chapters, ["chapter", "gather", "check"])
    graph.add_conditional_edges("retrieve", _to_answerer, ["tally", "quote", "look"])
    graph.add_conditional_edges("tally", _after_tally, ["check", "look", "quote", "judge"])
    graph.add_conditional_edges("check", _to_verifiers, ["verify", "judge"])
    graph.add_conditional_edges("judge", _to_next_round, ["retrieve", END])
    return graph
