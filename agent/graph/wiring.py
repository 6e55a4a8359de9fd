"""The graph `plan → retrieve → (look) → answer → check → (verify) → judge → (retrieve | answer | done)`: its wiring.

Without a video LLM there is one round that quotes evidence and inspects no frames. With a video LLM, claims are
verified in parallel, and a round without a supported claim is followed by another round that searches for missing
facts, within the budgets. A small model only composes: it reads one passage after the other until an answer is likely right.
A question about whole videos goes through their chapters instead.

LangGraph runs it. A question without a model and without a thread is a straight line: `run_plain` walks the same nodes
along the same edges, and saves the second that LangGraph takes to import.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

from ...tools.tracing import traced_span
from ..answering.computed.tally import is_tallied
from .events import Event
from .model_nodes import (
    CHAPTER_FRAMES,
    chapter_node,
    compose_node,
    digest_node,
    gather_node,
    look_node,
    verify_node,
)
from .nodes import check_node, judge_node, quote_node, tally_node
from .search_nodes import outline_node, plan_node, retrieve_node
from .state import REDUCERS, Context, OneClaim, OneSection, Running, State, claims_by_key, key_of

if TYPE_CHECKING:
    from langgraph.graph.state import CompiledStateGraph

__all__ = ["compiled", "run_plain"]


def _to_evidence(state: State, runtime: Running) -> str:  # noqa: ARG001 (as all choices)
    return "outline" if state["plan"].kind == "whole" else "retrieve"


def _to_answerer(state: State, runtime: Running) -> str:
    """Compute the answer if possible; otherwise ask the video LLM."""
    if is_tallied(state["plan"]) and state["rounds"] == 1:
        return "tally"
    return "quote" if runtime.context.llm is None else "look"


def _after_tally(state: State, runtime: Running) -> str:
    if state["claims"]:
        return "check"
    if runtime.context.llm is not None:
        return "look"
    return "quote" if state["plan"].place else "judge"


def _to_chapters(state: State, runtime: Running) -> Any:
    if runtime.context.llm is None:
        return "check"
    if runtime.context.is_small:
        return "digest"
    from langgraph.types import Send

    sections, most = state["sections"], runtime.context.settings.max_frames
    sends = []
    for number, section in enumerate(sections):
        share = most * (number + 1) // len(sections) - most * number // len(sections)
        frames = min(CHAPTER_FRAMES, share)
        one = OneSection(key=key_of(state, number), question=state["plan"].question, section=section, frames=frames)
        sends.append(Send("chapter", one))
    return sends or "gather"


def _to_verifiers(state: State, runtime: Running) -> Any:
    if runtime.context.llm is None or runtime.context.is_small:
        return "judge"
    from langgraph.types import Send

    sends = [
        Send("verify", OneClaim(key=key, question=state["plan"].question, claim=claim))
        for key, claim in claims_by_key(state).items()
        if claim.basis == "quote"  # the check has already recomputed computed claims
    ]
    return sends or "judge"


def _to_next_round(state: State, runtime: Running) -> str | None:
    """If no claim is left and the budgets allow it, start another round with new queries. A small model reads the next passage."""
    settings, context = runtime.context.settings, runtime.context
    if context.llm is None or state["claims"] or state["over_budget"] or state["failure"]:
        return None
    if context.is_small:
        return "compose" if state["read"] < len(state["passages"]) else None
    # If a computed claim was wrong, the video LLM answers instead.
    wants = bool(state["wanted"]) or (is_tallied(state["plan"]) and state["rounds"] == 1)
    return "retrieve" if wants and state["rounds"] < settings.max_rounds else None


_Node = Callable[[Any, Running], State]
NODES: dict[str, _Node] = {
    "plan": plan_node,
    "outline": outline_node,
    "chapter": chapter_node,
    "digest": digest_node,
    "gather": gather_node,
    "retrieve": retrieve_node,
    "look": look_node,
    "quote": quote_node,
    "tally": tally_node,
    "compose": compose_node,
    "check": check_node,
    "verify": verify_node,
    "judge": judge_node,
}
# After each node another one, or a choice of several; None: the end.
EDGES: dict[str, str | tuple[Callable[[State, Running], Any], tuple[str | None, ...]]] = {
    "plan": (_to_evidence, ("outline", "retrieve")),
    "outline": (_to_chapters, ("chapter", "digest", "gather", "check")),
    "chapter": "gather",
    "digest": "check",
    "gather": "check",
    "retrieve": (_to_answerer, ("tally", "quote", "look")),
    "look": "compose",
    "quote": "check",
    "tally": (_after_tally, ("check", "look", "quote", "judge")),
    "compose": "check",
    "check": (_to_verifiers, ("verify", "judge")),
    "verify": "judge",
    "judge": (_to_next_round, ("retrieve", "compose", None)),
}


@dataclass(frozen=True)
class _Plain:
    """The runtime of nodes in `run_plain`."""

    context: Context
    stream_writer: Callable[[Event], None]


def run_plain(state: State, context: Context) -> Iterator[tuple[str, Any]]:
    """Run the graph without LangGraph: for a question without a model and without a thread.

    Yields:
        The same as LangGraph's stream: `("custom", event)`, and `("values", state)` after each node.
    """
    events: list[Event] = []
    runtime = _Plain(context, events.append)
    node: str | None = "plan"
    while node is not None:
        with traced_span(f"ask.{node}"):
            update = NODES[node](state, runtime)
        yield from (("custom", event) for event in events)
        events.clear()
        merged: dict[str, Any] = dict(state)
        for key, value in update.items():
            merged[key] = REDUCERS[key](merged[key], value) if key in REDUCERS else value
        state = cast(State, merged)
        yield "values", state
        edge = EDGES[node]
        node = edge if isinstance(edge, str) else edge[0](state, runtime)


def compiled(checkpointer: Any) -> "CompiledStateGraph":
    """The graph, ready to run with a checkpointer of LangGraph."""
    return cast("CompiledStateGraph", _builder().compile(checkpointer=checkpointer))


@lru_cache(maxsize=1)
def _builder() -> Any:
    from langgraph.graph import END, START, StateGraph
    from langgraph.runtime import Runtime

    def running(name: str, node: _Node) -> Callable[..., State]:
        def run(state: Any, runtime: Runtime[Context]) -> State:
            with traced_span(f"ask.{name}"):
                return node(state, cast(Running, runtime))

        return run

    def choosing(choose: Callable[[State, Running], Any]) -> Callable[..., Any]:
        def chosen(state: Any, runtime: Runtime[Context]) -> Any:
            return choose(state, cast(Running, runtime)) or END

        return chosen

    graph = StateGraph(State, context_schema=Context)
    graph.add_edge(START, "plan")
    for name, node in NODES.items():
        graph.add_node(name, running(name, node))
        edge = EDGES[name]
        if isinstance(edge, str):
            graph.add_edge(name, edge)
        else:
            graph.add_conditional_edges(name, choosing(edge[0]), [END if one is None else one for one in edge[1]])
    return graph
