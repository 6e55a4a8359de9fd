"""Questions about speakers: what a named person says, who says something, how long each speaks."""

import numpy as np
import pytest

from playhead import Library, Settings
from playhead.agent.question.planning import make_plan
from playhead.agent.question.speakers import with_person, with_speaker
from playhead.index.records import StageReport
from playhead.index.storage.local import LocalStorage
from playhead.tools.errors import QueryError
from playhead.tools.extractors.registry import stage_names

from ..fakes import commit, observation

NO_MODELS = Settings(text_model="off", image_model="off", offline=True)
TITLES = ("Ada Park", "Bob", "Speaker 3")
ADA, BOB = (tuple(row) for row in np.eye(8)[:2].tolist())


@pytest.mark.parametrize(
    ("question", "speaker", "terms"),
    [
        ("What did Ada say about the budget?", "Ada Park", {"budget"}),
        ("What does Ada Park say about trains?", "Ada Park", {"trains"}),
        ("what does ada really say about trains?", "Ada Park", {"trains"}),
        ("According to Bob, why did the budget grow?", "Bob", {"budget", "grow"}),
        ("Does Bob mention Ada?", "Bob", {"ada"}),
        ("What does speaker 3 say about the weather?", "Speaker 3", {"weather"}),
        ("Who talks about Ada?", "", {"ada"}),
        ("What is said about Bob?", "", {"bob"}),
        ("What did Carol say about the budget?", "", {"carol", "budget"}),
    ],
)
def test_a_question_names_its_speaker(question, speaker, terms):
    plan = with_speaker(make_plan(question), TITLES)
    assert plan.speaker == speaker
    assert {term.text for term in plan.terms if term.required} == terms
    assert not speaker or plan.modalities == ("speech",)


@pytest.mark.parametrize(
    ("question", "speaker"),
    [
        ("How long does each speaker speak?", ""),
        ("how long does everyone talk", ""),
        ("Who speaks the most?", ""),
        ("How long does Ada talk?", "Ada Park"),
        ("How much did Bob speak in total?", "Bob"),
    ],
)
def test_a_question_asks_for_speaking_times(question, speaker):
    plan = with_speaker(make_plan(question), TITLES)
    assert (plan.kind, plan.speaker) == ("speaking", speaker)


@pytest.mark.parametrize("question", ["How long does Ada talk about trains?", "How long is the train?", "Who spoke?"])
def test_other_questions_do_not(question):
    assert with_speaker(make_plan(question), TITLES).kind != "speaking"


@pytest.fixture
def library(tmp_path):
    """Ada and Bob both say something about the budget; Ada is named."""
    store = LocalStorage(tmp_path / "library")
    store.create()

    def turn(label, start, end, vector=()):
        return observation(label, start, end, modality="speaker", source="voices@1", vector=vector)

    said = [
        observation("The budget for travel grew by ten percent.", 1, 5),
        observation("I think the budget for travel is far too small.", 6, 9),
        observation("The new trains arrive in May.", 20, 24),
        turn("Speaker 1", 0, 5.5, ADA), turn("Speaker 2", 5.8, 9.5, BOB), turn("Speaker 1", 19, 25),
    ]  # fmt: skip
    stages = tuple(StageReport(modality=name, state="done") for name in stage_names())
    commit(store, said, video_id="ab" * 16, stages=stages)
    library = Library(tmp_path / "library", NO_MODELS)
    library.name_speaker(1, "Ada Park")
    return library


def test_what_a_speaker_says_is_searched_in_her_turns(library):
    (claim,) = library.ask("What did Ada say about the budget for travel?").claims
    assert claim.text == "The budget for travel grew by ten percent."
    assert claim.citations[0].speaker == "Ada Park"
    assert "said by Ada Park" in claim.citations[0].place
    (other,) = library.ask("What did Speaker 2 say about the budget for travel?").claims
    assert other.text == "I think the budget for travel is far too small."
    assert library.ask("What did Speaker 2 say about the new trains?").claims == ()


def test_who_says_it_is_in_the_citation(library):
    (claim,) = library.ask("Who says that the new trains arrive in May?").claims
    assert claim.citations[0].speaker == "Ada Park"


def test_a_count_is_of_the_speaker_alone(library):
    assert library.ask("How many times is the budget mentioned?").claims[0].text == "2 times"
    assert library.ask("How many times does Ada mention the budget?").claims[0].text == "1 time"


def test_all_that_a_speaker_says(library):
    assert {c.text for c in library.ask("What does Speaker 2 say?").claims} == {
        "I think the budget for travel is far too small."
    }


def test_how_long_each_speaks_is_the_sum_of_the_turns(library):
    answer = library.ask("How long does each speaker speak?")
    assert [claim.text for claim in answer.claims] == [
        "Ada Park speaks for 00:00:11 in 2 turns",
        "Speaker 2 speaks for 00:00:03 in 1 turn",
    ]
    assert {claim.verdict for claim in answer.claims} == {"supported"}
    assert [len(claim.citations) for claim in answer.claims] == [2, 1]
    (alone,) = library.ask("How long does Ada talk?").claims
    assert alone.text == "Ada Park speaks for 00:00:11 in 2 turns"


@pytest.mark.parametrize(
    ("question", "person"),
    [
        ("When is Ada in the picture?", "Ada Park"),
        ("Where can we see Ada Park?", "Ada Park"),
        ("When does ada park appear?", "Ada Park"),
        ("How long is Bob on screen?", "Bob"),
        ("How often is Person 3 shown?", "Person 3"),
        ("Show me Bob", "Bob"),
        ("When do we first see Bob?", "Bob"),
    ],
)
def test_a_question_asks_when_a_person_is_seen(question, person):
    plan = with_person(make_plan(question), ("Ada Park", "Bob", "Person 3"))
    assert (plan.kind, plan.person) == ("seen", person)


@pytest.mark.parametrize(
    "question",
    [
        "When does Ada smile?",
        "What does Ada show?",
        "When is Ada speaking?",
        "When is the adage shown?",
        "Who shows the car?",
        "Is Ada next to a car?",
    ],
)
def test_a_question_that_asks_for_more_is_not_answered_by_faces(question):
    assert with_person(make_plan(question), ("Ada Park", "Bob")).kind != "seen"


def test_when_a_person_is_seen_is_cited_from_the_faces(tmp_path):
    store = LocalStorage(tmp_path / "library")
    store.create()

    def face(label, start, end, vector=()):
        return observation(label, start, end, modality="person", source="faces@1", vector=vector)

    seen = [
        observation("Ada is late.", 0, 3),
        face("Person 1", 4, 9, ADA),
        face("Person 2", 8, 10, BOB),
        face("Person 1", 20, 24),
    ]
    stages = tuple(StageReport(modality=name, state="done") for name in stage_names())
    commit(store, seen, video_id="ab" * 16, stages=stages)
    library = Library(tmp_path / "library", NO_MODELS)
    library.name_person(1, "Ada Park")
    (claim,) = library.ask("When is Ada in the picture?").claims
    assert (claim.text, claim.verdict) == ("Ada Park is seen for 00:00:09 in 2 appearances", "supported")
    assert [(one.modality, one.start, one.end) for one in claim.citations] == [("person", 4, 9), ("person", 20, 24)]
    (last,) = library.ask("When do we last see Ada?").claims
    assert (last.citations[0].start, last.text) == (20, "Ada Park is seen for 00:00:04 in 1 appearance")
    (part,) = library.ask("Who is in the picture between 0:21 and 0:23?").claims
    assert part.text == "Ada Park is seen for 00:00:02 in 1 appearance"
    assert {c.text for c in library.ask("Who can be seen in the video?").claims} == {
        "Ada Park is seen for 00:00:09 in 2 appearances",
        "Person 2 is seen for 00:00:02 in 1 appearance",
    }
    assert [(one.modality, one.start) for one in library.sightings("Ada Park")] == [("person", 4), ("person", 20)]
    assert [(one.modality, one.start) for one in library.sightings("ada")] == [("speech", 0)]
    with pytest.raises(QueryError, match="nobody is called"):
        library.sightings("Ada Parker")
