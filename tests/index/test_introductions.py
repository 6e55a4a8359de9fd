"""Names that are said or written for a speaker are proposed with their evidence, and never applied."""

import numpy as np
import pytest

from playhead.index.people.introductions import proposed_names
from playhead.index.people.known import KnownPeople
from playhead.index.records import StageReport
from playhead.index.storage.local import LocalStorage
from playhead.tools.extractors.registry import stage_names
from playhead.tools.records import Box

from ..fakes import commit, observation

ADA, BOB, EVE = (tuple(row) for row in np.eye(8)[:3].tolist())
LOW, HIGH = (Box(left=0.1, top=top, right=0.4, bottom=top + 0.06) for top in (0.8, 0.1))


def turn(label, start, end, vector=()):
    return observation(label, start, end, modality="speaker", source="voices@1", vector=vector)


def line(text, start, end, box=LOW):
    return observation(text, start, end, modality="text", box=box, frame_seconds=start)


@pytest.fixture
def proposed(tmp_path):
    store = LocalStorage(tmp_path / "library")
    store.create()
    stages = tuple(StageReport(modality=name, state="done") for name in stage_names())
    turns = [turn("Speaker 1", 0, 10, ADA), turn("Speaker 2", 12, 20, BOB), turn("Speaker 3", 30, 34, EVE)]

    def made(*rows):
        commit(store, [*rows, *turns], video_id="ab" * 16, stages=stages)
        voices = KnownPeople(store)
        found = [(one.number, one.name, one.how, one.span.start, one.quote) for one in proposed_names(store, voices)]
        assert [one.name for one in voices.people()] == ["", "", ""]  # nothing is applied
        return found

    return made


def test_an_own_name_and_an_announced_one_are_proposed(proposed):
    own, announced = "Good morning, I'm Ada Park, and this is London.", "Please welcome Bob Reed."
    assert proposed(observation(own, 0, 4), observation(announced, 8, 10)) == [
        (1, "Ada Park", "said", 0, own),
        (2, "Bob Reed", "announced", 8, announced),
    ]


def test_a_lower_third_belongs_to_the_only_person_who_speaks(proposed):
    lines = [
        line("EVE MORAN", 30.5, 33.5),
        line("Budget 2024", 13, 15),
        line("Two Words", 1, 3, HIGH),
        line("Bob Reed", 8, 16),
    ]
    assert proposed(*lines) == [(3, "Eve Moran", "written", 30.5, "EVE MORAN")]


@pytest.mark.parametrize(
    "sentence", ["I'm going home.", "I am sure that Ada knows.", "My name is on the list.", "He said I was Ada."]
)
def test_other_sentences_propose_nothing(proposed, sentence):
    assert proposed(observation(sentence, 1, 4)) == []


def test_a_speaker_with_a_name_gets_no_proposal(tmp_path, proposed):
    assert len(proposed(observation("I'm Ada Park.", 0, 4))) == 1
    store = LocalStorage(tmp_path / "library")
    voices = KnownPeople(store)
    voices.name(1, "Ada")
    assert proposed_names(store, voices) == []
