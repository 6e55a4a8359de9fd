"""Questions about slides: how many there are, and the slide with something."""

from collections.abc import Callable

import pytest

from playhead import Library
from playhead.agent.answering.citation_check import check_claims
from playhead.agent.question.planning import make_plan
from playhead.tools.records import Box, Observation

from ..fakes import commit, observation

TITLE, LINE = Box(left=0.1, top=0.1, right=0.9, bottom=0.2), Box(left=0.1, top=0.4, right=0.6, bottom=0.45)


def slide(title: str, line: str, start: float, end: float) -> list[Observation]:
    return [
        observation(text, start, end, modality="text", box=box, frame_seconds=start)
        for text, box in ((title, TITLE), (line, LINE))
    ]


TALK = [
    *slide("Rowing club", "Anna Berg, coach", 0, 10),
    *slide("Budget 2026", "Boats: 14,000 euros", 10, 30),
    *slide("Regatta", "Bus at 06:15", 30, 50),
]


@pytest.fixture
def library(tmp_path, no_models) -> Callable[..., Library]:
    def made(*videos: list[Observation]) -> Library:
        library = Library(tmp_path / "library")
        library._store.create()
        for number, rows in enumerate(videos):
            commit(library._store, rows, video_id=f"{number}" * 32, paths=(f"talk{number}.mp4",), duration=52.0)
        return library

    return made


@pytest.mark.parametrize(
    "question",
    [
        "How many slides are there?",
        "How many slides does the talk have?",
        "How many slides are in the video?",
        "what is the number of slides?",
        "How many slides are shown in talk0.mp4?",
    ],
)
def test_slides_are_counted(library, question: str) -> None:
    made = library(TALK)
    (claim,) = made.ask(question).claims
    assert (claim.text, claim.verdict) == ("3 slides in talk0.mp4", "supported")
    assert [(one.quote, one.start, one.end) for one in claim.citations] == [
        ("Rowing club", 0, 10),
        ("Budget 2026", 10, 30),
        ("Regatta", 30, 50),
    ]
    search = made._opened()
    fewer = claim.model_copy(update={"citations": claim.citations[:2]})
    assert check_claims([fewer], search.evidence)[0].verdict == "refuted"
    twice = claim.model_copy(update={"citations": (*claim.citations[:2], claim.citations[1])})
    assert check_claims([twice], search.evidence)[0].verdict == "refuted"


def test_slides_of_a_stretch_and_of_each_video_are_counted(library) -> None:
    other = [*slide("Hiring", "Six people", 0, 20), *slide("Prices", "Rye bread: $4", 20, 35)]
    made = library(TALK, other, [observation("We saw many slides in the park.", 1, 4)])
    assert [claim.text for claim in made.ask("How many slides are there in the last 15 seconds?").claims] == [
        "1 slide in talk0.mp4"
    ]
    texts = [claim.text for claim in made.ask("How many slides are there?").claims]
    assert texts == ["3 slides in talk0.mp4", "2 slides in talk1.mp4"]


def test_a_video_that_shows_no_slides_has_no_number_of_them(library) -> None:
    answer = library([*TALK[:2], observation("We saw many slides in the park.", 1, 4)]).ask(
        "How many slides are there?"
    )
    assert (answer.status, answer.claims) == ("insufficient", ())
    assert "Slides with titles fill half of no video" in answer.text


def test_slides_with_words_are_counted_as_before(library) -> None:
    (claim,) = library(TALK).ask("How many slides mention the budget?").claims
    assert (claim.text, claim.citations[0].quote) == ("1 time", "Budget 2026")


@pytest.mark.parametrize(
    "question",
    [
        "show me the slide with the budget",
        "Where is the slide about the budget?",
        "the slide on the budget",
        "When is the slide that mentions the budget shown?",
        "Go to the budget slide",
        "find the title slide with the budget",
    ],
)
def test_a_slide_with_something_is_written(question: str) -> None:
    plan = make_plan(question)
    assert plan.modalities == ("text",)
    assert "slide" not in [term.text for term in plan.terms]
    assert "budget" in [term.text for term in plan.terms if term.required]


@pytest.mark.parametrize(
    "question",
    ["What does she say after the slide with the budget?", "Does the child go down the slide?", "Who designed it?"],
)
def test_other_questions_are_not_limited_to_writing(question: str) -> None:
    assert make_plan(question).modalities != ("text",)


SAID = [
    observation("Good evening.", 1, 4),
    observation("We spent it on boats.", 12, 16),
    observation("Take the bus.", 31, 34),
]


@pytest.mark.parametrize(
    ("question", "quoted"),
    [
        ("What does the first slide say?", ["Rowing club · Anna Berg, coach"]),
        ("show me the last slide", ["Regatta · Bus at 06:15"]),
        ("What is on slide 2?", ["Budget 2026 · Boats: 14,000 euros"]),
        ("What is written on the second slide of talk0.mp4?", ["Budget 2026 · Boats: 14,000 euros"]),
        ("what's the title of the second slide", ["Budget 2026 · Boats: 14,000 euros"]),
        ("What is said on the third slide?", ["Take the bus."]),
        ("What does she say during the 2nd slide?", ["We spent it on boats."]),
        ("What is said on slide 4?", []),
        ("What is said on slide B?", []),
    ],
)
def test_a_slide_may_be_named_by_its_number(library, question: str, quoted: list[str]) -> None:
    answer = library([*TALK, *SAID]).ask(question)
    assert [claim.text for claim in answer.claims] == quoted
    assert all(claim.verdict == "verbatim" for claim in answer.claims)
