"""Questions about how things move are answered from the motion of tracks."""

import pytest

from playhead import Library, Settings
from playhead.agent.question.motions import with_motion
from playhead.agent.question.planning import make_plan
from playhead.index.storage.local import LocalStorage

from ..fakes import BOX, commit, observation

NO_MODELS = Settings(text_model="off", image_model="off", offline=True)


@pytest.mark.parametrize(
    ("question", "motion", "terms"),
    [
        ("What enters from the left?", "enters from the left", []),
        ("Who walks from left to right?", "moves to the right", []),
        ("When does a dog leave at the right?", "leaves at the right", ["dog"]),
        ("Does anyone turn around?", "turns around", []),
        ("Which car approaches?", "approaches", ["car"]),
        ("When does the person walk towards the dining table?", "moves towards the dining table", ["person"]),
        ("Who approaches a car?", "moves towards the car", []),
        ("What is on the left of the dog?", "", None),
        ("What did she say about approaches to testing?", "", None),
        ("Why did the company move away from Java?", "", None),
    ],
)
def test_a_question_names_a_motion(question, motion, terms):
    plan = with_motion(make_plan(question))
    assert plan.motion == motion
    if terms is not None:
        assert [term.text for term in plan.subjects[0].terms if term.required] == terms


@pytest.fixture
def library(tmp_path):
    store = LocalStorage(tmp_path / "library")
    store.create()

    def moved(text, start, end):
        return observation(text, start, end, modality="motion", box=BOX, frame_seconds=start)

    commit(
        store,
        [
            moved("dog enters from the left", 3, 5), moved("person enters from the left", 7, 9),
            moved("person enters from the left", 20, 22), moved("car turns around", 30, 34),
            moved("person moves towards the car", 40, 44),
        ],
        video_id="ab" * 16,
    )  # fmt: skip
    return Library(tmp_path / "library", NO_MODELS)


def test_what_enters_is_listed_with_its_times(library):
    answer = library.ask("What enters from the left?")
    assert [(claim.text, [c.start for c in claim.citations]) for claim in answer.claims] == [
        ("dog enters from the left", [3]),
        ("person enters from the left", [7, 20]),
    ]
    assert {claim.verdict for claim in answer.claims} == {"verbatim"}


def test_a_named_thing_and_a_count(library):
    (claim,) = library.ask("When does a person enter from the left?").claims
    assert [c.start for c in claim.citations] == [7, 20]
    (count,) = library.ask("How many people enter from the left?").claims
    assert (count.text, count.verdict) == ("2 times", "supported")


def test_what_is_moved_towards_is_named(library):
    (claim,) = library.ask("When does the person walk towards the car?").claims
    assert (claim.text, [c.start for c in claim.citations]) == ("person moves towards the car", [40])
    assert library.ask("When does the person walk towards the dog?").claims == ()


def test_what_does_not_move_so_is_not_found(library):
    assert library.ask("Does a cat turn around?").claims == ()
    assert library.ask("What enters from the right?").claims == ()


def test_search_finds_motion_where_it_is_asked_for(library):
    assert library.search("person enters") == []
    found = library.search("person enters from the left", modalities="moved")
    assert [one.text for one in found[:2]] == ["person enters from the left"] * 2
