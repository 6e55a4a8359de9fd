"""File names as facts, typing errors, words of request: how a typed question becomes a plan."""

import pytest

from playhead.agent.answering.scopes import at_second, with_clock_times
from playhead.agent.question.file_names import names_of, scoped_by_names
from playhead.agent.question.planning import make_plan
from playhead.agent.question.spelling import corrected, is_english
from playhead.agent.question.terms import without_request
from playhead.index.retrieval.search import Search
from playhead.index.storage.local import LocalStorage
from playhead.tools.records import Span
from playhead.tools.settings import Settings

from ..fakes import commit, observation, record

PATHS = ("talks/Review_2024-05-03.mp4", "interviews/interview_ana_silva.mp4", "lectures/lecture_02_bees.mp4")
RECORDS = {f"{n}" * 32: record(video_id=f"{n}" * 32, paths=(path,)) for n, path in enumerate(PATHS)}


def test_the_words_of_a_file_name_its_folder_and_its_date() -> None:
    words = names_of(RECORDS["0" * 32]).split()
    assert {"Review_2024-05-03.mp4", "talks", "Review", "3", "May", "2024", "2024-05-03", "3rd"} <= set(words)
    assert {"lectures", "lecture", "bees", "02", "2", "2nd"} <= set(names_of(RECORDS["2" * 32]).split())
    assert "2024" not in names_of(record(paths=("clip_2024-13-45.mp4",))).split()


@pytest.mark.parametrize(
    ("question", "video", "terms"),
    [
        ("What was said about hiring in the review of 3 May?", "0", ["hiring"]),
        ("In the bees lecture, how long does a worker live?", "2", ["long", "worker", "live"]),
        ("How much is a producer in the interview?", "1", ["producer"]),
        ("In interview_ana_silva.mp4, what won a prize?", "1", ["won", "prize"]),
        ("What happens in the winter according to lecture 2?", "2", ["winter"]),
    ],
)
def test_a_question_may_name_its_video(question: str, video: str, terms: list[str]) -> None:
    plan = scoped_by_names(make_plan(question), RECORDS)
    assert plan.video_ids == (video * 32,)
    assert set(terms) >= {term.text for term in plan.terms if term.required}


@pytest.mark.parametrize(
    "question", ["What is said in the winter?", "Who lives in Lisbon?", "What is said in the video?", "In May?"]
)
def test_other_phrases_name_no_video(question: str) -> None:
    assert scoped_by_names(make_plan(question), RECORDS).video_ids is None or question == "In May?"


def test_chosen_videos_stay_as_they_are() -> None:
    plan = make_plan("What won a prize in the interview?", ("0" * 32,))
    assert scoped_by_names(plan, RECORDS) == plan


@pytest.fixture
def search(tmp_path) -> Search:
    store = LocalStorage(tmp_path / "library")
    store.create()
    said = ["The price of licences rose.", "The cold search index.", "Specters and plants of Priya."]
    commit(store, [observation(text, 4 * n, 4 * n + 4) for n, text in enumerate(said)])
    return Search(store, Settings(text_model="off", image_model="off", offline=True))


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("waht is the price", {"waht": "what"}),
        ("teh seach index", {"teh": "the", "seach": "search"}),
        ("are there spectres?", {"spectres": "specters"}),
        ("the gold price", {}),  # English words are no typing errors, also one edit from a word of the library
        ("How are plans made?", {}),
        ('when is "seach" written', {}),
        ("Who is Prija?", {}),
        ("ORDER-7731 seach7", {}),
        ("Warum ist der Dienst ausgefallen?", {}),  # German: "ist" is no typing error for "its"
    ],
)
def test_typing_errors(search: Search, typed: str, read: dict[str, str]) -> None:
    text, corrections = corrected(typed, search)
    assert {one.written: one.read for one in corrections} == read
    for word, meant in read.items():
        assert word not in text.split()
        assert meant in text.replace("?", "").split()


@pytest.mark.parametrize(
    ("typed", "rest"),
    [
        ("give me the quote about trains", "trains"),
        ("Can you show me where they talk about the budget?", "where they talk about the budget?"),
        ("please tell me what she says", "what she says"),
        ("I want to know how long a worker lives", "how long a worker lives"),
        ("find the part about picture rights", "the part about picture rights"),
        ("What is said about trains?", "What is said about trains?"),
        ("please", "please"),
    ],
)
def test_words_of_request_are_no_content(typed: str, rest: str) -> None:
    assert without_request(typed) in (rest, rest.removeprefix("the part about "))


@pytest.mark.parametrize(
    ("question", "english"),
    [
        ("Wo lebt Ana Silva?", False),
        ("Pourquoi le mode hors ligne a-t-il été reporté ?", False),
        ("waht was teh ticket number of the incident", True),
        ("Who won, Ana Silva or Karl von Frisch?", True),
        ("teh seach index", True),  # too short to tell
    ],
)
def test_language_of_a_question(question: str, english: bool) -> None:
    assert is_english(question) is english


@pytest.fixture
def slides(tmp_path) -> Search:
    """One video of 40 s: a slide until 0:20, a time table after it, and speech."""
    store = LocalStorage(tmp_path / "library")
    store.create()
    rows = [
        observation("Budget 2026", 0, 20, modality="text"),
        observation("Train 4 leaves at 0:25", 20, 40, modality="text"),
        observation("The budget for travel grew", 10, 14),
    ]
    commit(store, rows, paths=("talks/talk.mp4",), duration=40.0)
    return Search(store, Settings(text_model="off", image_model="off", offline=True))


@pytest.mark.parametrize(
    ("question", "second"),
    [
        ("What is written at 0:12?", 12),
        ("What is written in talk.mp4 at 0:12?", 12),
        ("At 0:12 in talk.mp4, what is said?", 12),
        ("What stands on the slide at 0:12?", 12),
        ("What can you read at 0:12?", 12),
        ("Show me 0:12", 12),
        ("0:12?", 12),
    ],
)
def test_all_of_a_second_answers_a_question_that_names_nothing_else(slides: Search, question: str, second: int) -> None:
    plan = at_second(scoped_by_names(make_plan(question), slides.records), slides)
    assert (plan.is_moment, plan.terms, plan.between) == (True, (), Span(start=second, end=second + 1))


@pytest.mark.parametrize(
    ("question", "videos"),
    [
        ("Summarise the bees lecture", "2"),
        ("give me a summary of lecture_02_bees.mp4", "2"),
        ("tell me about the interview with Ana Silva", "1"),
        ("What are the main points of the review?", "0"),
        ("Summarise the budget", ""),
        ("What does Ana say about bees?", ""),
    ],
)
def test_a_summary_of_a_named_video(question: str, videos: str) -> None:
    plan = scoped_by_names(make_plan(question), RECORDS)
    assert (plan.kind, plan.video_ids) == (("whole", (videos * 32,)) if videos else ("needle", None))


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("what happens after 20 sec", "what happens after 0:00:20"),
        ("What is written half a minute in?", "What is written at 0:00:30?"),
        ("What is said between 1.5 seconds and 20 s?", "What is said between 0:00:01.5 and 0:00:20?"),
        ("What is said at 12 seconds?", "What is said at 12 seconds?"),  # a line holds it
        ('Where does she say "after 20 seconds"?', 'Where does she say "after 20 seconds"?'),
        ("What is added after 10 minutes?", "What is added after 10 minutes?"),  # the video is shorter
    ],
)
def test_a_length_is_a_time_where_a_video_has_it_and_no_line_holds_it(tmp_path, typed: str, read: str) -> None:
    store = LocalStorage(tmp_path / "library")
    store.create()
    commit(store, [observation("Wait for twelve seconds.", 3, 8)], paths=("talks/talk.mp4",), duration=40.0)
    search = Search(store, Settings(text_model="off", image_model="off", offline=True))
    assert with_clock_times(typed, search)[0] == read


@pytest.mark.parametrize(
    ("question", "second", "terms"),
    [
        ("What did she say about the budget at 0:12?", 12, ["budget"]),
        ("Who won at 0:12?", 12, ["won"]),
        ("Which train leaves at 0:12?", 12, ["train", "leaves"]),
        ("Which train leaves at 0:25?", None, ["train", "leaves", "0:25"]),  # a line holds the time
        ("Which train leaves at 9:30?", None, ["train", "leaves", "9:30"]),  # after the end of the video
    ],
)
def test_other_words_are_looked_for_in_that_second(
    slides: Search, question: str, second: int | None, terms: list[str]
) -> None:
    plan = at_second(scoped_by_names(make_plan(question), slides.records), slides)
    assert (plan.is_moment, {term.text for term in plan.terms}) == (False, set(terms))
    assert plan.between == (None if second is None else Span(start=second, end=second + 1))


@pytest.mark.parametrize(
    ("question", "kind", "is_moment", "modalities"),
    [
        ("What is said in the last 20 seconds of lecture_02_bees.mp4?", "needle", True, ("speech",)),
        ("What is said in the last ten minutes in lecture_02_bees.mp4?", "whole", False, ("speech",)),
        ("What does the slide say in lecture_02_bees.mp4?", "needle", True, ("text",)),
        ("What is said 10 seconds before the end of lecture_02_bees.mp4?", "needle", True, ("speech",)),
        ("What is written at the end of the bees lecture?", "needle", True, ("text",)),
        ("What is shown in the bees lecture?", "needle", True, ("frame", "object", "caption")),
    ],
)
def test_a_question_that_names_only_its_video_asks_for_all_of_it(
    question: str, kind: str, is_moment: bool, modalities: tuple[str, ...]
) -> None:
    plan = scoped_by_names(make_plan(question), RECORDS)
    assert (plan.video_ids, plan.question) == (("2" * 32,), question)
    assert (plan.kind, plan.is_moment, plan.modalities, plan.terms) == (kind, is_moment, modalities, ())
    assert (plan.from_end or plan.part == "end") == ("last" in question or "the end" in question)


def test_what_is_counted_in_a_named_video_is_not_its_name() -> None:
    plan = scoped_by_names(make_plan("How many times is honey mentioned in lecture_02_bees.mp4?"), RECORDS)
    assert (plan.kind, plan.video_ids, plan.query) == ("count", ("2" * 32,), "honey")
    assert [[term.text for term in subject.terms] for subject in plan.subjects] == [["honey"]]
    plan = scoped_by_names(make_plan("Which is mentioned first in the bees lecture, honey or wax?"), RECORDS)
    assert (plan.kind, plan.video_ids) == ("order", ("2" * 32,))
    assert [subject.query for subject in plan.subjects] == ["honey", "wax"]


@pytest.mark.parametrize("question", ["what's the bees lecture about?", "What is the bees lecture about?"])
def test_a_request_for_a_summary_names_its_video(question: str) -> None:
    plan = scoped_by_names(make_plan(question), RECORDS)
    assert (plan.kind, plan.video_ids) == ("whole", ("2" * 32,))
