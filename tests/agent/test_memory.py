"""What earlier answers rested on: hints for similar questions, never evidence."""

from pathlib import Path

import numpy as np
import pytest

from playhead import Library, Settings
from playhead.agent.composing.memory import hinted, remember
from playhead.agent.records import Answer, Citation, Claim, Usage
from playhead.index.storage.local import LocalStorage

from ..fakes import BagOfWords, commit, observation

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
