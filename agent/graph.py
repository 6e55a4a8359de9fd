"""The graph `plan → retrieve → (look) → answer → check → (verify) → judge → (retrieve | done)`, and its wiring.

Without a video LLM nothing is looked at, evidence is quoted, and one round is all there is. With one, claims
are verified side by side, and a round without a supported claim is followed by another that looks for
what was missing, within the budgets.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Any, TypedDict

from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.runtime import Runtime
from langgraph.types import Send

from ..index.records import Evidence
from ..index.search import Search
from ..tools.errors import AnswerFormatError, ServerError
from ..tools.records import MODALITIES, Box, Span, Word
from ..tools.settings import Settings
from ..tools.video_llm import TokenUsage, VideoLLM
from .act import retrieve
from .answer import quote_evidence
from .brief import SizedFrame
from .check import check_claims
from .compose import compose, describe, verify
from .look import frames_cited, look
from .plan import make_plan
from .records import Citation, Claim, Plan, SubQuery, Term, TraceStep, Verdict
from .support import Support, supports

__all__ = ["STORED_RECORDS", "Context", "State", "compiled", "start_state"]

# What a checkpoint may hold besides plain data.
STORED_RECORDS = (Box, Citation, Claim, Evidence, Plan, SizedFrame, Span, SubQuery, Term, TokenUsage, TraceStep, Word)


def _together(known: dict[str, Verdict], more: dict[str, Verdict]) -> dict[str, Verdict]:
    return known | more


def _summed(known: TokenUsage, more: TokenUsage | None) -> TokenUsage:
    return TokenUsage() if more is None else known + more


def _appended(known: list[TraceStep], more: list[TraceStep] | None) -> list[TraceStep]:
    return [] if more is None else [*known, *more]


class State(TypedDict, total=False):
    """What the nodes hand on; a checkpoint holds it."""

    question: str
    video_ids: tuple[str, ...] | None
    between: Span | None
    deadline: float  # of the system's clock
    rounds: int
    plan: Plan
    evidence: list[Evidence]
    rows: list[Evidence]
    frames: list[SizedFrame]
    frames_seen: int
    claims: list[Claim]
    wanted: list[str]
    missing: list[str]
    confidence: float
    over_budget: str
    verdicts: Annotated[dict[str, Verdict], _together]
    tokens: Annotated[TokenUsage, _summed]  # None begins anew
    trace: Annotated[list[TraceStep], _appended]  # None begins anew


class _OneClaim(TypedDict):
    """What the check of one claim is given."""

    key: str
    claim: Claim
    deadline: float


@dataclass(frozen=True)
class Context:
    """What the nodes work with; no checkpoint holds it.

    Attributes:
        search: The library.
        settings: Budgets.
        llm: The video LLM; None: evidence is quoted.
    """

    search: Search
    settings: Settings
    llm: VideoLLM | None = None


def start_state(question: str, video_ids: tuple[str, ...] | None, between: Span | None, max_seconds: float) -> State:
    """The state in which a question begins, also where its thread holds an earlier one."""
    return {
        "question": question,
        "video_ids": video_ids,
        "between": between,
        "deadline": time.time() + max_seconds,
        "rounds": 0,
        "evidence": [],
        "rows": [],
        "frames": [],
        "frames_seen": 0,
        "claims": [],
        "wanted": [],
        "missing": [],
        "confidence": 0.0,
        "over_budget": "",
        "tokens": None,  # type: ignore[typeddict-item]
        "trace": None,  # type: ignore[typeddict-item]
    }


def plan_node(state: State, runtime: Runtime[Context]) -> State:
    """Question → plan: by rules; a video LLM adds descriptions of what may have been said, written and shown."""
    began = time.perf_counter()
    plan = make_plan(state["question"], state["video_ids"], state["between"])
    usage, note = TokenUsage(), ""
    if runtime.context.llm is not None:
        try:
            more, usage = describe(runtime.context.llm, plan.question, _seconds_left(state))
            plan = plan.model_copy(update={"more": more, "planner": runtime.context.llm.source})
        except ServerError as error:
            usage, note = _usage_of(error, state), "; the video LLM gave no usable plan"
    told = f"{plan.planner}: look for “{plan.query}” in {', '.join(plan.modalities)}"
    told += "".join(f"; “{query.text}” in {', '.join(query.modalities)}" for query in plan.more)
    if plan.between:
        told += f", {'last' if plan.from_end else 'between'} {plan.between}"
    told += (
        f"; an answer is about: {', '.join(term.text for term in plan.terms) or 'nothing that rules can name'}{note}"
    )
    return {"plan": plan, "tokens": usage, "trace": _told("plan", told, began)}


def retrieve_node(state: State, runtime: Runtime[Context]) -> State:
    """Plan → evidence, beside that of earlier rounds."""
    began = time.perf_counter()
    known = {one.evidence_id: one for one in state["evidence"]}
    found = [one for one in retrieve(state["plan"], runtime.context.search) if one.evidence_id not in known]
    told = f"{len(found)} {'more ' if known else ''}pieces of evidence"
    return {
        "rounds": state["rounds"] + 1,
        "evidence": [*known.values(), *found],
        "trace": _told("retrieve", told, began),
    }


def look_node(state: State, runtime: Runtime[Context]) -> State:
    """Evidence → the rows and stills that the video LLM is given."""
    began = time.perf_counter()
    context = runtime.context
    assert context.llm is not None
    looked = look(state["plan"], state["evidence"], context.search, context.settings, context.llm, _seconds_left(state))
    told = f"{len(looked.rows)} rows and {len(looked.frames)} frames to show, {looked.inspected} seen in grids"
    return {
        "rows": list(looked.rows),
        "frames": list(looked.frames),
        "frames_seen": state["frames_seen"] + len(looked.frames) + looked.inspected,
        "tokens": looked.usage,
        "trace": _told("look", told, began),
    }


def quote_node(state: State, runtime: Runtime[Context]) -> State:
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
        "confidence": _agreement(claims, found),
        "trace": _told("answer", told, began),
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
            decoder=context.settings.decoder,
            seconds=_seconds_left(state),
        )
    except ServerError as error:
        return {
            "claims": [],
            "wanted": [],
            "tokens": _usage_of(error, state),
            "trace": _told("answer", f"{context.llm.source} gave no usable answer: {error}", began),
        }
    told = f"{context.llm.source}: {len(draft.claims)} claims"
    if draft.dropped:
        told += f"; {draft.dropped} without a citation that exists left out"
    if draft.missing:
        told += f"; wants {', '.join(draft.missing)}"
    return {
        "claims": list(draft.claims),
        "wanted": list(draft.missing),
        "tokens": draft.usage,
        "trace": _told("answer", told, began),
    }


def check_node(state: State, runtime: Runtime[Context]) -> State:
    """Claims → those of which a citation resolves."""
    began = time.perf_counter()
    checked = check_claims(state["claims"], runtime.context.search.evidence)
    kept = [claim for claim in checked if claim.verdict != "refuted"]
    told = f"citations of {len(kept)} of {len(checked)} claims resolve"
    return {"claims": kept, "trace": _told("check", told, began)}


def verify_node(state: _OneClaim, runtime: Runtime[Context]) -> State:
    """One claim against what it cites, beside the others; where no verdict comes, it stays unverified."""
    began = time.perf_counter()
    context, claim = runtime.context, state["claim"]
    assert context.llm is not None
    cited = [one for one in (context.search.evidence(c.evidence_id) for c in claim.citations) if one]
    try:
        verdict, usage = verify(
            context.llm,
            claim,
            [one for one in cited if one.modality != "frame"],
            frames_cited(cited),
            decoder=context.settings.decoder,
            seconds=_seconds_left(state),
        )
        told = f"{verdict}: {claim.text}"
    except ServerError as error:
        usage = _usage_of(error, state)
        verdict, told = "unverified", f"no verdict on “{claim.text}”: {error}"
    return {
        "verdicts": {state["key"]: verdict},
        "tokens": usage,
        "trace": _told("verify", told, began),
    }


def judge_node(state: State, runtime: Runtime[Context]) -> State:
    """Verdicts → the claims that stand, and what the next round looks for if none does."""
    began = time.perf_counter()
    context = runtime.context
    if context.llm is None:
        claims = state["claims"]
        supported = sum(claim.verdict == "supported" for claim in claims)
        told = f"{supported} of {len(claims)} claims supported"
        return {"confidence": state["confidence"] if claims else 0.0, "trace": _told("judge", told, began)}
    judged = [
        claim.model_copy(update={"verdict": state["verdicts"].get(_key(state, number), "unverified")})
        for number, claim in enumerate(state["claims"])
    ]
    supported = sum(claim.verdict == "supported" for claim in judged)
    standing = [claim for claim in judged if claim.verdict != "refuted"] if supported else []
    over = "" if standing else _over_budget(state, context.settings)
    told = f"{supported} of {len(judged)} claims supported" + (f"; {over}" if over else "")
    next_plan = state["plan"]
    if not standing:
        more = tuple(SubQuery(text=text, modalities=MODALITIES) for text in state["wanted"])
        next_plan = next_plan.model_copy(update={"more": more, "modalities": MODALITIES})
    return {
        "plan": next_plan,
        "claims": standing,
        "confidence": round(supported / len(judged), 3) if judged else 0.0,
        "over_budget": over,
        "trace": _told("judge", told, began),
    }


def _to_answerer(_: State, runtime: Runtime[Context]) -> str:
    return "quote" if runtime.context.llm is None else "look"


def _to_verifiers(state: State, runtime: Runtime[Context]) -> Any:
    if runtime.context.llm is None or not state["claims"]:
        return "judge"
    return [
        Send("verify", _OneClaim(key=_key(state, number), claim=claim, deadline=state["deadline"]))
        for number, claim in enumerate(state["claims"])
    ]


def _to_next_round(state: State, runtime: Runtime[Context]) -> str:
    """Another round where nothing stands, something more was wanted, and the budgets allow it."""
    settings = runtime.context.settings
    may = runtime.context.llm is not None and not state["claims"] and bool(state["wanted"])
    if may and not state["over_budget"] and state["rounds"] < settings.max_rounds:
        return "retrieve"
    return END


def _key(state: State, number: int) -> str:
    """A claim's place: its question, round and number."""
    return f"{state['deadline']:.6f}/{state['rounds']}/{number}"


def _seconds_left(state: State | _OneClaim) -> float:
    """Until the deadline; a second at least, so that a request fails by itself and not by a senseless limit."""
    return max(1.0, state["deadline"] - time.time())


def _usage_of(error: ServerError, state: State | _OneClaim) -> TokenUsage:
    """What a failed request cost. A form that is wrong is no answer, nor is one that came too late; other failures rise.

    Raises:
        ServerError: The server failed, and not because the question's time is over.
    """
    if isinstance(error, AnswerFormatError):
        return error.usage or TokenUsage()
    if time.time() < state["deadline"]:
        raise error
    return TokenUsage()


def _over_budget(state: State, settings: Settings) -> str:
    """Which budget is spent; empty: none."""
    if time.time() >= state["deadline"]:
        return f"max_seconds={settings.max_seconds:g} are over"
    used = (state["tokens"].prompt_tokens or 0) + (state["tokens"].completion_tokens or 0)
    if used >= settings.max_tokens:
        return f"max_tokens={settings.max_tokens} are used"
    return ""


def _told(step: str, detail: str, began: float) -> list[TraceStep]:
    return [TraceStep(step=step, detail=detail, seconds=round(time.perf_counter() - began, 4))]


def _never_found(plan: Plan, found: list[Support]) -> list[Term]:
    named = {term for one in found for term in (*one.literal, *one.alike, *one.topic)}
    return [term for term in plan.terms if term.required and term not in named]


def _agreement(claims: list[Claim], found: list[Support]) -> float:
    """How much of the question the best quote holds itself, and whether words and meaning both found it."""
    if not claims:
        return 0.0
    first = claims[0].citations[0].evidence_id
    best = next(one for one in found if one.evidence.evidence_id == first)
    return round(min(1.0, 0.5 * best.strength + 0.5 * best.evidence.score), 3)


@lru_cache(maxsize=1)
def _builder() -> Any:
    graph = StateGraph(State, context_schema=Context)
    nodes: tuple[tuple[str, Callable[..., State]], ...] = (
        ("plan", plan_node),
        ("retrieve", retrieve_node),
        ("look", look_node),
        ("quote", quote_node),
        ("compose", compose_node),
        ("check", check_node),
        ("verify", verify_node),
        ("judge", judge_node),
    )
    for name, node in nodes:
        graph.add_node(name, node)
    for before, after in (
        (START, "plan"),
        ("plan", "retrieve"),
        ("look", "compose"),
        ("compose", "check"),
        ("quote", "check"),
        ("verify", "judge"),
    ):
        graph.add_edge(before, after)
    graph.add_conditional_edges("retrieve", _to_answerer, ["quote", "look"])
    graph.add_conditional_edges("check", _to_verifiers, ["verify", "judge"])
    graph.add_conditional_edges("judge", _to_next_round)
    return graph


def compiled(checkpointer: Any) -> CompiledStateGraph:
    """The graph, ready to run with a checkpointer of LangGraph."""
    return _builder().compile(checkpointer=checkpointer)
