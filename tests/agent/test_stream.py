"""The events of a question: what they tell, in which order, and that the answer is the last."""

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from playhead import Library, Settings
from playhead.agent.async_iteration import in_background
from playhead.agent.graph.events import Answered, ClaimJudged, Event, EvidenceFound
from playhead.agent.graph.nodes import check_node
from playhead.agent.graph.state import Context, start_state
from playhead.agent.graph.wiring import _Plain
from playhead.agent.question.planning import make_plan
from playhead.agent.records import Claim
from playhead.index.storage.local import LocalStorage
from playhead.tools.errors import LibraryError, QueryError, ServerError

from ..fakes import commit, observation
from ..servers import settings_for

SAID = [
    ("The budget for travel grew by twelve percent.", 1, 4),
    ("The red car stops at the bridge.", 50, 54),
]
NO_MODELS = {"text_model": "off", "image_model": "off", "offline": True}
BUDGET = "What does the speaker say about the budget for travel?"
PLAN = json.dumps({"said": ["travel budget"]})
SUPPORTED, REFUTED = (json.dumps({"verdict": verdict}) for verdict in ("supported", "refuted"))


@pytest.fixture
def folder(tmp_path) -> Path:
    """A library of one video."""
    store = LocalStorage(tmp_path / "library")
    store.create()
    commit(store, [observation(*one) for one in SAID])
    return store.folder


@pytest.fixture
def library(folder) -> Library:
    return Library(folder, Settings(**NO_MODELS))


def draft(*claims: tuple[str, list[str]], missing: tuple[str, ...] = ()) -> str:
    listed = [{"answer": text, "ids": ids} for text, ids in claims]
    return json.dumps({"found": bool(claims), "claims": listed, "missing": list(missing)})


def verdicts(events: list[Any]) -> list[tuple[str, str]]:
    return [(one.claim.text, one.claim.verdict) for one in events if isinstance(one, ClaimJudged)]


def test_a_question_yields_an_event_for_each_step(library):
    plan, evidence, drafted, verdict, answered = library.stream("What is said about the red car?")
    assert (plan.question, plan.plan.query) == ("What is said about the red car?", "red car")
    assert (evidence.round, [one.text for one in evidence.evidence]) == (1, [SAID[1][0]])
    assert [(claim.text, claim.verdict) for claim in drafted.claims] == [(SAID[1][0], "unverified")]
    assert (verdict.claim.text, verdict.claim.verdict) == (SAID[1][0], "verbatim")
    assert (answered.answer.text, answered.answer.claims) == (SAID[1][0], (verdict.claim,))
    assert [one.kind for one in (plan, evidence, drafted, verdict, answered)] == [
        "plan",
        "evidence",
        "draft",
        "verdict",
        "answer",
    ]


def test_ask_is_the_last_event(library):
    *_, last = library.stream("What is said about the red car?", between=(40, 60))
    answer = library.ask("What is said about the red car?", between=(40, 60))
    assert isinstance(last, Answered)
    assert answer.claims == last.answer.claims
    assert (answer.status, answer.text, answer.confidence) == ("answered", SAID[1][0], last.answer.confidence)


def test_what_is_nowhere_ends_with_the_answer_too(library):
    *_, drafted, answered = library.stream("What is said about penguins?")
    assert (drafted.kind, drafted.claims) == ("draft", ())
    assert (answered.kind, answered.answer.status) == ("answer", "insufficient")


def test_what_is_not_valid_is_said_before_the_first_event(library, tmp_path):
    with pytest.raises(QueryError, match="the question is empty"):
        library.stream(" \ud800\x00 ")
    with pytest.raises(QueryError, match="a later end"):
        library.stream("Why?", between=(3, 2))
    with pytest.raises(LibraryError, match="'x' is not a video"):
        library.stream("Why?", videos="x")
    with pytest.raises(LibraryError, match="no video is indexed"):
        Library(tmp_path / "none").stream("Why?")


def test_nothing_runs_after_the_stream_is_closed(library, monkeypatch):
    events = library.stream("What is said about the red car?")
    assert next(events).kind == "plan"
    monkeypatch.setattr("playhead.agent.graph.search_nodes.retrieve", lambda *_: pytest.fail("nobody asked"))
    events.close()


def test_an_event_is_frozen_and_goes_through_json(library, folder, server):
    server.say(PLAN, draft(("It grew.", ["E1"])), SUPPORTED)
    read: TypeAdapter[Any] = TypeAdapter(Event)
    with_model = Library(folder, settings_for(server, **NO_MODELS))
    for event in (*library.stream("What is said about the red car?"), *with_model.stream(BUDGET)):
        assert read.validate_json(event.model_dump_json()) == event
        assert read.validate_python(json.loads(json.dumps(event.model_dump(mode="json")))) == event
        with pytest.raises(ValidationError, match="frozen"):
            event.kind = "other"


def test_with_a_model_each_claim_is_yielded_with_its_verdict(folder, server):
    claims = (("It grew.", ["E1"]), ("It fell.", ["E1"]))
    server.say(PLAN, draft(*claims), SUPPORTED, REFUTED)
    events = list(Library(folder, settings_for(server, **NO_MODELS)).stream(BUDGET))
    assert [event.kind for event in events] == ["plan", "evidence", "frames", "draft", "verdict", "verdict", "answer"]
    assert [query.text for query in events[0].plan.more] == ["travel budget"]
    assert (events[2].frames, events[2].inspected) == ((), 0)
    assert sorted(verdict for _, verdict in verdicts(events)) == ["refuted", "supported"]
    (supported,) = events[-1].answer.claims
    assert (supported.text, "supported") in verdicts(events)


def test_a_verdict_is_yielded_while_another_claim_is_being_checked(folder, server):
    server.say(PLAN, draft(("It grew.", ["E1"]), ("It rose.", ["E1"])), SUPPORTED)
    server.will(b"", status=0)
    library = Library(folder, settings_for(server, **NO_MODELS, max_seconds=2))
    began = time.monotonic()
    first, second = [time.monotonic() - began for event in library.stream(BUDGET) if event.kind == "verdict"]
    assert second - first > 0.5


def test_rounds_are_yielded(folder, server):
    server.say(PLAN, draft(missing=("red car",)), draft(("It stops.", ["E2"])), SUPPORTED)
    events = list(Library(folder, settings_for(server, **NO_MODELS)).stream(BUDGET))
    found = [event for event in events if isinstance(event, EvidenceFound)]
    assert [one.round for one in found] == [1, 2]
    assert [[one.text for one in event.evidence] for event in found] == [[SAID[0][0]], [SAID[1][0]]]
    assert [event.kind for event in events][-3:] == ["draft", "verdict", "answer"]


def test_claims_whose_citations_do_not_resolve_are_reported_as_refuted(library):
    claim = Claim(text="The moon is cheese.", verdict="unverified", citations=())
    events: list[Any] = []
    running = _Plain(Context(library._opened(), library.settings), events.append)
    state = start_state("x") | {"claims": [claim], "plan": make_plan("x")}
    assert check_node(state, running)["claims"] == []
    assert [(event.kind, event.claim.verdict) for event in events] == [("verdict", "refuted")]


def test_the_answers_words_are_reported_while_they_are_written(folder, server):
    server.say(PLAN)
    text = draft(("It grew by 12%.", ["E1"]))
    chunks = [{"choices": [{"delta": {"content": text[n : n + 5]}}]} for n in range(0, len(text), 5)]
    stream = "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks) + "data: [DONE]\n\n"
    server.will(stream.encode(), kind="text/event-stream")
    server.say(SUPPORTED)
    events = list(Library(folder, settings_for(server, **NO_MODELS)).stream(BUDGET))
    written = [event.text for event in events if event.kind == "text"]
    assert "".join(written).strip() == "It grew by 12%."
    assert len(written) > 2
    assert events[-1].answer.claims[0].text == "It grew by 12%."
    assert server.requests[1].body["stream"] is True


def test_a_server_that_fails_ends_the_events(folder, server):
    server.will({"error": "no"}, status=401)
    with pytest.raises(ServerError, match="401"):
        list(Library(folder, settings_for(server, **NO_MODELS)).stream(BUDGET))


# Without blocking the event loop.


def test_events_come_to_who_awaits_them(library):
    async def work() -> list[str]:
        return [event.kind async for event in library.astream("What is said about the red car?")]

    assert asyncio.run(work()) == ["plan", "evidence", "draft", "verdict", "answer"]


def test_what_is_raised_is_raised_to_who_awaits(library):
    async def work() -> None:
        async for _ in library.astream(""):
            pytest.fail("an empty question has no events")

    with pytest.raises(QueryError, match="the question is empty"):
        asyncio.run(work())


def test_an_interrupted_question_is_awaited_too(library):
    library.ask("What is said about the red car?", thread_id="t")
    assert asyncio.run(library.aresume("t")).text == SAID[1][0]


def test_the_loop_runs_on_while_an_iterator_blocks():
    go, ended = threading.Event(), threading.Event()

    def numbers() -> Iterator[int]:
        try:
            yield 1
            assert go.wait(30)
            yield 2
            yield 3
        finally:
            ended.set()

    async def work() -> list[int]:
        seen = []
        async for number in in_background(numbers):
            seen.append(number)
            if number == 2:
                break
            await asyncio.sleep(0)
            go.set()
        return seen

    assert asyncio.run(work()) == [1, 2]
    assert ended.wait(30)
