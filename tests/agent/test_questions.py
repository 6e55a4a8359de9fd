"""Whole questions of each kind against the demo's sample, indexed for real: what is said after what, first, and in all."""

import pytest

from playhead import Answer, Library
from playhead.agent.answering.retrieval import choose_videos
from playhead.agent.answering.scopes import PART_SECONDS, scopes_of
from playhead.agent.question.planning import make_plan
from playhead.tools.records import Observation, Span

from ..fakes import commit, observation


def first(answer: Answer) -> tuple[str, float, float]:
    """The first claim: its words, and the first citation's whole seconds."""
    citation = answer.claims[0].citations[0]
    return answer.claims[0].text, round(citation.start), round(citation.end)


@pytest.mark.parametrize(
    ("question", "text", "start", "end"),
    [
        ("What is said after the slide about the incident report?", "The new battery lasts for two days.", 39, 42),
        ("What is said right before the cat is shown?", "Nobody could login, and many customers called us.", 32, 37),
        ("What does the speaker say about hiring after the budget?", "We also want to hire three new engineers.", 20, 23),
        ("When is a cat first shown?", "Egyptian cat, tiger cat", 38, 46),
    ],
)  # fmt: skip
def test_time_named_by_events(talk_library: Library, question: str, text: str, start: int, end: int) -> None:
    answer = talk_library.ask(question)
    assert answer.status == "answered"
    said, begins, ends = first(answer)
    assert said.replace("log in", "login") == text  # the rounding of a processor decides this space
    assert (begins, ends) == (pytest.approx(start, abs=1), pytest.approx(end, abs=1))


def test_nothing_is_answered_about_an_event_that_never_happens(talk_library: Library) -> None:
    answer = talk_library.ask("What is said after the explosion?")
    assert (answer.status, answer.claims) == ("insufficient", ())
    assert "Not found: explosion" in answer.text


def test_the_other_things_at_an_event_are_of_that_time_only(talk_library: Library) -> None:
    """Customers are spoken of twice, at 17 and at 35 seconds: on the slides of 9 to 19 and 28 to 38."""
    answer = talk_library.ask("What is on the slide when the speaker talks about our website?")
    cited = [citation for claim in answer.claims for citation in claim.citations]
    assert {citation.modality for citation in cited} == {"text"}
    assert {(round(citation.start), round(citation.end)) for citation in cited} == {(28, 38)}
    twice = talk_library.ask("What is on the slide when customers are mentioned?").trace[1].detail
    assert twice.startswith("during “customers” [00:00:16–00:00:18], [00:00:35–00:00:36]: ")


def test_which_comes_first_is_answered_with_both_times(talk_library: Library) -> None:
    (claim,) = talk_library.ask("Which is shown first, a cat or a cup of coffee?").claims
    assert (claim.basis, claim.verdict) == ("order", "supported")
    assert [round(citation.start) for citation in claim.citations] == [19, 38]


def test_how_often_is_counted_from_what_was_said(talk_library: Library) -> None:
    (claim,) = talk_library.ask("How many times does the speaker mention the budget?").claims
    assert (claim.basis, claim.verdict, len(claim.citations)) == ("count", "supported", 1)
    assert claim.text.startswith("1 time")
    assert talk_library.ask("How many times is gold mentioned?").status == "insufficient"


def test_a_summary_quotes_each_chapter(talk_library: Library) -> None:
    answer = talk_library.ask("What is the video about?")
    assert answer.status == "answered"
    assert [claim.verdict for claim in answer.claims] == ["verbatim"] * len(answer.claims)
    starts = [claim.citations[0].start for claim in answer.claims]
    assert starts == sorted(starts)
    assert starts[-1] > 40
    part = talk_library.ask("What happens at the end of the video?")
    assert all(citation.end > 78 - PART_SECONDS for claim in part.claims for citation in claim.citations)


def test_the_listed_answer_that_the_quote_gives_is_chosen(talk_library: Library) -> None:
    question = "How much did the budget for travel grow?\nA) 10%\nB) 12%\nC) 21%"
    answer = talk_library.ask(question)
    assert (answer.status, answer.option) == ("answered", 1)
    assert talk_library.ask("How much did the budget for travel grow? A) twelve dogs B) 13%").option is None


def said(text: str, start: float) -> Observation:
    return observation(text, start, start + 4)


@pytest.fixture
def many(tmp_path, no_models) -> Library:
    """Twelve videos of ten minutes; each speaks of its own number, three of them of gold."""
    made = Library(tmp_path / "library")
    made._store.create()
    for number in range(12):
        rows = [said(f"This is lecture number {number}.", 0), said("Thank you for listening.", 590)]
        if number in (3, 7, 11):
            rows.append(said(f"The price of gold rose {number} times.", 100 + number))
        video_id = f"{number:02d}" * 16
        commit(made._store, rows, video_id=video_id, paths=(f"/videos/{number:02d}.mp4",), duration=600.0)
    return made


def test_of_many_videos_the_likeliest_are_chosen(many: Library) -> None:
    search = many._opened()
    chosen = choose_videos(make_plan("What is said about the price of gold?"), search)
    assert set(chosen.video_ids or ()) == {"03" * 16, "07" * 16, "11" * 16}
    assert choose_videos(make_plan("When is gold first mentioned?"), search).ordinal == 1
    few = make_plan("What is said about gold?", ("00" * 16,))
    assert choose_videos(few, search) == few


def test_a_part_is_another_stretch_in_each_video(many: Library) -> None:
    search = many._opened()
    scopes = scopes_of(make_plan("What is said at the end?", ("03" * 16,)), search)
    assert [(scope.video_id, scope.span) for scope in scopes or ()] == [("03" * 16, Span(start=540, end=600))]
    tail = scopes_of(make_plan("What is said about gold in the last 20 seconds?", ("03" * 16,)), search)
    assert [scope.span for scope in tail or ()] == [Span(start=580, end=600)]
    assert scopes_of(make_plan("What is said about gold?"), search) is None
    assert {c.text for c in many.ask("What is said at the end?", videos="03" * 16).claims} == {
        "Thank you for listening."
    }
