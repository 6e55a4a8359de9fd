"""`search` understands queries that name a place in the video: a title card, the last slide, the first minute."""

from collections.abc import Callable

import pytest

from playhead import Library
from playhead.agent.question.planning import make_plan
from playhead.tools.records import Box, Observation

from ..fakes import commit, observation

WINDOW = [("File", 0.02), ("Edit", 0.05), ("pubspec.yaml", 0.30)]


def line(text: str, start: float, end: float, top: float = 0.3, height: float = 0.03) -> Observation:
    box = Box(left=0.1, top=top, right=min(1.0, 0.1 + height * len(text) / 3), bottom=top + height)
    return observation(text, start, end, modality="text", box=box, frame_seconds=start)


# Ten minutes: a logo, a title card, a screen of code, and credits.
LESSON = [
    line("channel 7", 0, 600, top=0.9),
    line("Made by Umbra", 0, 600, top=0.8, height=0.07),
    line("Baking with Rye", 2, 8, height=0.12),
    line("Lesson one: the dough", 2, 8, top=0.5, height=0.08),
    *(line(text, 8, 500, top) for text, top in WINDOW),
    line("Weigh the flour", 20, 40, height=0.04),
    line("Fold it twice", 300, 320, height=0.15),
    line("Directed by Ada Lund", 560, 575, height=0.06),
    line("Music: Tom Reyes", 575, 600, height=0.06),
    observation("Welcome, this is a course about bread.", 3, 7),
    observation("The title of a book is written on its cover, and the card is opening.", 200, 206),
    observation("The start is slow, and the end comes fast.", 250, 255),
    observation("Thanks for being here.", 590, 596),
]


@pytest.fixture
def library(tmp_path, no_models) -> Callable[..., Library]:
    def made(*videos: list[Observation]) -> Library:
        library = Library(tmp_path / "library")
        library._store.create()
        for number, rows in enumerate(videos):
            rows = sorted(rows, key=lambda one: (one.modality, one.span.start))
            commit(library._store, rows, video_id=f"{number:02d}" * 16, paths=(f"lesson{number}.mp4",), duration=600.0)
        return library

    return made


@pytest.mark.parametrize(
    ("query", "first"),
    [
        ("What is written on the opening title card?", "Baking with Rye"),
        ("what does the title card say", "Baking with Rye"),
        ("opening titles", "Baking with Rye"),
        ("Which words are on the title screen?", "Baking with Rye"),
        ("text in the intro", "Baking with Rye"),
        ("What can be read at the beginning of the video?", "Baking with Rye"),
        ("What is the title shown at the beginning of the tutorial?", "Baking with Rye"),
        ("What is written at the start?", "Baking with Rye"),
        ("What is written when the video starts?", "Baking with Rye"),
        ("What is written in the closing credits?", "Music: Tom Reyes"),
        ("end credits", "Music: Tom Reyes"),
        ("What does the end card say?", "Music: Tom Reyes"),
        ("What is written at the end?", "Music: Tom Reyes"),
        ("Who is named in the closing credits?", "Music: Tom Reyes"),
        ("What is said in the outro?", "Thanks for being here."),
        ("What is said in the closing seconds?", "Thanks for being here."),
        ("What is said in the first minute?", "Welcome, this is a course about bread."),
        ("What does he say at the end?", "Thanks for being here."),
        ("What is written about flour in the first minute?", "Weigh the flour"),
        ("What is written between 4:50 and 5:10?", "Fold it twice"),
        ("dough in the opening titles", "Lesson one: the dough"),
    ],
)
def test_a_query_for_a_place_finds_what_is_there(library, query: str, first: str) -> None:
    results = library(LESSON).search(query)
    assert results[0].text == first
    assert results.limits.startswith("Limited to what is ")


@pytest.mark.parametrize(
    ("query", "limits"),
    [
        ("What is written on the title card?", "Limited to what is written, [00:00:00–00:01:00]."),
        ("What is said in the last minute?", "Limited to what is said, [00:09:00–00:10:00]."),
        ("the first 20 seconds", "Limited to what is indexed, [00:00:00–00:00:20]."),
        ("flour after 5:00", "Limited to what is indexed after 00:05:00."),
    ],
)
def test_results_name_their_limit(library, query: str, limits: str) -> None:
    assert library(LESSON).search(query).limits == limits


def test_in_several_videos_the_place_is_that_of_each(library) -> None:
    other = [line("Knots for sailors", 1, 6, height=0.1), line("File", 6, 600)]
    results = library(LESSON, other).search("What does the title card say?", k=3)
    assert [one.text for one in results] == ["Knots for sailors", "Baking with Rye", "Lesson one: the dough"]
    assert results.limits == "Limited to what is written at the start of each video (its first 10%, at least 30 s)."


def test_of_many_videos_the_first_are_looked_at_and_the_result_says_so(library, monkeypatch) -> None:
    monkeypatch.setattr("playhead.agent.searching.limits.MOST_VIDEOS", 1)
    results = library([line("Knots", 1, 6, height=0.1)], [line("Sails", 1, 6, height=0.1)]).search("opening titles")
    assert [one.text for one in results] == ["Knots"]
    assert results.limits.endswith(" of the first 1 of 2 videos.")


@pytest.mark.parametrize(
    ("query", "first"),
    [
        ("opening", "The title of a book is written on its cover, and the card is opening."),
        ("the end", "The start is slow, and the end comes fast."),
        ("Edit", "Edit"),
        ("title card", "Every title card is drawn by hand."),
        (
            "What is written on the cover of a book?",
            "The title of a book is written on its cover, and the card is opening.",
        ),
    ],
)
def test_other_queries_search_their_words(library, query: str, first: str) -> None:
    results = library([*LESSON, observation("Every title card is drawn by hand.", 210, 214)]).search(query)
    assert results[0].text == first
    assert results.limits == ""


def test_a_given_stretch_comes_before_the_place_of_the_query(library) -> None:
    results = library(LESSON).search("flour at the end", between=(0, 60))
    assert (results[0].text, results.limits) == ("Weigh the flour", "")


def test_nothing_after_a_time_is_no_result(library) -> None:
    results = library(LESSON).search("flour after 9:00")
    assert (list(results), results.limits) == ([], "Limited to what is indexed after 00:09:00.")


@pytest.mark.parametrize(
    ("question", "part"),
    [
        ("What is shown in the first shot?", "start"),
        ("What does he say in the last scene?", "end"),
        ("Who is named in the credits?", "end"),
        ("How do I crop the first image?", None),
        ("How do I add a title slide?", None),
        ("When is the last picture of a cat shown?", None),
        ("How many credits does the course give?", None),
        ("Is the first slide longer than the second?", None),
        ("What is said about the last frame of the window?", None),
    ],
)
def test_a_card_is_a_place_only_where_it_can_be_nothing_else(question: str, part: str | None) -> None:
    assert make_plan(question).part == part


def test_ask_reads_the_same_places(library) -> None:
    answer = library(LESSON).ask("What is written on the opening title card?")
    assert answer.claims[0].text == "Baking with Rye · Lesson one: the dough"
