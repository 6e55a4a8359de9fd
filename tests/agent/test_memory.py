"""What earlier answers rested on: hints for similar questions, never evidence."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from playhead import Library, Settings
from playhead.agent.composing.memory import hinted, remember
from playhead.agent.graph.events import Answered, EvidenceFound
from playhead.agent.graph.state import Context
from playhead.agent.records import Answer, Citation, Claim, Usage
from playhead.index.storage.local import LocalStorage
from playhead.tools.llm.capabilities import Capabilities

from ..fakes import BagOfWords, commit, observation
from ..servers import Scripted, settings_for

SAID = ("The budget for travel grew by twelve percent.", "The red car stops at the bridge.")


@pytest.fixture
def library(tmp_path: Path) -> Library:
    store = LocalStorage(tmp_path / "library")
    store.create()
    commit(store, [observation(text, 10.0 * n) for n, text in enumerate(SAID)])
    library = Library(store.folder, Settings(text_model="off", image_model="off", offline=True))
    encoder = BagOfWords()
    library._opened().embed = lambda texts: np.asarray(encoder.encode(texts))  # type: ignore[method-assign]
    return library


def answered(library: Library, verdict: str = "supported") -> Answer:
    (evidence,) = library.search("budget", 1)
    claim = Claim(text="It grew.", verdict=verdict, citations=(Citation.of(evidence),))
    return Answer(
        question="How did the budget change?",
        status="answered",
        text="It grew.",
        confidence=1,
        claims=(claim,),
        usage=Usage(),
        trace=(),
        settings_fingerprint="x",
        thread_id="t",
    )


def test_what_answered_a_question_is_a_hint_for_a_similar_one(library: Library, tmp_path: Path) -> None:
    search = library._opened()
    assert hinted("How did the budget change?", tmp_path, search) == []
    remember(tmp_path, "How did the budget change?", answered(library))
    (hint,) = hinted("How did the budget change? please", tmp_path, search)
    assert hint.text == SAID[0]
    assert hinted("Where does a car stop?", tmp_path, search) == []


def test_what_is_not_verified_is_not_remembered(library: Library, tmp_path: Path) -> None:
    remember(tmp_path, "How did the budget change?", answered(library, "unverified"))
    assert not (tmp_path / "answers.jsonl").exists()


def test_a_hint_whose_observation_changed_is_dropped(library: Library, tmp_path: Path) -> None:
    remember(tmp_path, "How did the budget change?", answered(library))
    file = tmp_path / "answers.jsonl"
    file.write_text(file.read_text().replace("twelve", "thirteen"))
    assert hinted("How did the budget change?", tmp_path, library._opened()) == []
    file.write_text("no json\n")
    assert hinted("How did the budget change?", tmp_path, library._opened()) == []


def test_answers_that_are_remembered_at_once_are_all_kept(library: Library, tmp_path: Path) -> None:
    answer = answered(library)
    questions = [f"How did budget {number} change?" for number in range(24)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda question: remember(tmp_path, question, answer), questions))
    lines = (tmp_path / "answers.jsonl").read_text().splitlines()
    assert sorted(json.loads(line)["question"] for line in lines) == sorted(questions)


# In the graph: a hint is read only where the question may be answered.

OTHER = "cd" * 16
DEADLINE = ("The deadline is the third of May.", "The deadline is the ninth of June.")
ASKED = "What is said about the deadline?"
PLAN, SUPPORTED = json.dumps({"said": []}), json.dumps({"verdict": "supported"})
FOUND = json.dumps({"found": True, "claims": [{"answer": "It is in spring.", "ids": ["E1"]}], "missing": []})


@pytest.fixture
def remembering(tmp_path: Path, server: Scripted) -> Library:
    """A library of two videos with a model, and an encoder for which equal questions are similar."""
    store = LocalStorage(tmp_path / "library")
    store.create()
    commit(store, [observation(DEADLINE[0], 0), observation("It rains in the mountains.", 20)])
    commit(store, [observation(DEADLINE[1], 5)], video_id=OTHER)
    settings = settings_for(server, text_model="off", image_model="off", offline=True)
    library = Library(store.folder, settings)
    encoder = BagOfWords()
    library._opened().embed = lambda texts: np.asarray(encoder.encode(texts))  # type: ignore[method-assign]
    server.say(PLAN, FOUND, SUPPORTED)
    first = library.ask(ASKED, videos="ab" * 16)
    assert [one.quote for one in first.claims[0].citations] == [DEADLINE[0]]
    server.answers.clear()
    return library


def evidence_of(library: Library, question: str, **asked: Any) -> tuple[Answer, list[tuple[str, float]]]:
    """The answer, and the text and second of each evidence that was found."""
    events = list(library.stream(question, **asked))
    found = [one for event in events if isinstance(event, EvidenceFound) for one in event.evidence]
    (answer,) = (event.answer for event in events if isinstance(event, Answered))
    return answer, [(one.text, one.start) for one in found]


def test_a_hint_is_listed_once_among_the_evidence(remembering: Library, server: Scripted) -> None:
    server.say(PLAN, FOUND, SUPPORTED)
    answer, found = evidence_of(remembering, ASKED)
    assert sorted(found) == [(DEADLINE[1], 5), (DEADLINE[0], 0)]
    assert answer.usage.evidence == 2
    assert "2 pieces of evidence; 1 of them answered a similar question before" in answer.trace[1].detail


def test_a_hint_from_another_video_than_the_questions_is_not_read(remembering: Library, server: Scripted) -> None:
    server.say(PLAN, FOUND, SUPPORTED)
    answer, found = evidence_of(remembering, ASKED, videos=OTHER)
    assert found == [(DEADLINE[1], 5)]
    assert [one.video_id for one in answer.claims[0].citations] == [OTHER]


@pytest.mark.parametrize(
    ("question", "between"),
    [(ASKED, (15, 30)), ("What is written about the deadline?", None)],
)
def test_a_hint_outside_the_time_or_place_of_a_question_is_not_read(
    remembering: Library, server: Scripted, question: str, between: tuple[float, float] | None
) -> None:
    server.say(PLAN, FOUND, SUPPORTED)
    answer, found = evidence_of(remembering, question, between=between)
    assert (DEADLINE[0], 0) not in found
    assert answer.claims == ()


@pytest.mark.parametrize(
    ("chosen", "billions", "remembers"),
    [(None, 1.5, False), (None, 8.0, True), (None, None, True), (True, 1.5, True), (False, 8.0, False)],
)
def test_unless_it_is_set_a_small_model_is_given_no_hints(
    chosen: bool | None, billions: float | None, remembers: bool
) -> None:
    llm = SimpleNamespace(capabilities=Capabilities(billions=billions))
    context = Context(None, Settings(remember_answers=chosen), llm, Path("talks"))  # type: ignore[arg-type]
    assert context.memory == (Path("talks") if remembers else None)
    without = Context(None, Settings(remember_answers=True), None, Path("talks"))  # type: ignore[arg-type]
    assert without.memory is None
