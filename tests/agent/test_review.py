"""Questions that once got a wrong answer, and budgets that once could be exceeded."""

import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from playhead import Library, Settings
from playhead.agent.answering.summary import Section
from playhead.agent.display.tables import print_answer
from playhead.agent.graph import model_nodes
from playhead.agent.graph.state import REDUCERS, Context, start_state
from playhead.agent.graph.wiring import _to_chapters
from playhead.agent.looking.model_frames import _sized
from playhead.agent.question.planning import make_plan
from playhead.index.records import Evidence, StageReport
from playhead.tools.errors import QueryError, ServerError
from playhead.tools.extractors.registry import stage_names
from playhead.tools.llm.capabilities import Capabilities
from playhead.tools.llm.protocol import TokenUsage
from playhead.tools.records import AudioStream, Observation, Span, VideoInfo, Word

from ..fakes import commit, observation

SAID = (
    ("Good morning to all of you.", 0, 4.5),
    ("First, let us talk about money.", 5, 8),
    ("The price of copper rose.", 20, 23),
    ("Then the price of gold fell, as you know.", 25, 30),
    ("Last month it snowed.", 31, 33),
    ("Silver stayed as it was.", 40, 43),
    ("Goodbye, and thank you.", 94, 98),
)


@pytest.fixture
def spoken(tmp_path, no_models) -> Library:
    """One video of a hundred seconds."""
    made = Library(tmp_path / "library")
    made._store.create()
    rows: list[Observation] = [observation(text, start, end) for text, start, end in SAID]
    commit(made._store, rows, video_id="ab" * 16, paths=("/videos/a.mp4",), duration=100.0)
    return made


def quotes(library: Library, question: str, **filters: Any) -> list[str]:
    return [claim.text for claim in library.ask(question, **filters).claims]


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ("What is the first thing the speaker says?", SAID[0][0]),
        ("What is the first thing said?", SAID[0][0]),
        ("What was the last thing she said?", SAID[-1][0]),
        ("What is the second sentence that is said?", SAID[1][0]),
        ("What is said first?", SAID[0][0]),
        ("What does she say last?", SAID[-1][0]),
        ("What is the last thing that the speaker says about the price?", SAID[3][0]),
    ],
)
def test_the_first_thing_said_is_found_by_its_time(spoken: Library, question: str, said: str) -> None:
    assert quotes(spoken, question) == [said]


def test_no_thing_is_counted_where_something_is_done(spoken: Library) -> None:
    assert quotes(spoken, "What is the ninth thing the speaker says?") == []
    assert not make_plan("What is the first thing to do?").is_moment
    assert not make_plan("How long did it last?").is_moment


@pytest.mark.parametrize(
    ("question", "filters", "quoted"),
    [
        ("What is said at the beginning?", {}, [0, 1, 2]),
        ("What is said at the end?", {}, [6]),
        ("What is said in the last 30 seconds?", {}, [6]),
        ("What is said 5 seconds before the end?", {}, [6]),
        ("What is said a minute before the video ends?", {}, [5]),
        ("What happens 5 seconds before the end?", {}, [6]),
        ("What is said between 0:19 and 0:35?", {}, [2, 3, 4]),
        ("What is said?", {"between": (19, 35)}, [2, 3, 4]),
    ],
)
def test_what_is_said_in_a_stretch_is_quoted_in_order(spoken: Library, question, filters, quoted) -> None:
    assert quotes(spoken, question, **filters) == [SAID[number][0] for number in quoted]


def test_what_is_said_after_that_begins_with_what_is_next(spoken: Library) -> None:
    spoken.ask("What is said about copper?", thread_id="next")
    assert quotes(spoken, "And what is said after that?", thread_id="next")[0] == SAID[3][0]


def test_a_long_stretch_is_no_moment() -> None:
    assert not make_plan("What is said after 0:40?").is_moment
    assert not make_plan("What is said in the last ten minutes?").is_moment
    assert not make_plan("Who is there between 0:10 and 0:20?").is_moment


@pytest.mark.parametrize(("relation", "quoted"), [("after", SAID[4][0]), ("before", SAID[2][0])])
def test_before_and_after_a_mention_another_sentence_is_quoted(tmp_path, no_models, relation: str, quoted: str) -> None:
    made = Library(tmp_path / "library")
    made._store.create()
    words = (Word(text="Gold", start=25, end=25.3), Word(text="fell.", start=25.3, end=25.6))
    rows = [observation(text, start, end) for text, start, end in (SAID[2], SAID[4])]
    rows.append(observation("Gold fell.", 25, 25.6, words=words))
    commit(made._store, rows, video_id="ab" * 16, paths=("/videos/a.mp4",), duration=100.0)
    assert quotes(made, f"What is said {relation} gold is mentioned?") == [quoted]


def test_each_of_three_things_has_its_place_in_the_order(spoken: Library) -> None:
    assert [one.query for one in make_plan("Which is mentioned first, gold, copper or silver?").subjects] == [
        "gold",
        "copper",
        "silver",
    ]
    (claim,) = spoken.ask("Which is mentioned first: silver, gold, or copper?").claims
    assert [citation.start for citation in claim.citations] == [20, 25, 40]


def test_what_happens_in_may_asks_for_no_summary() -> None:
    assert make_plan("What happens in May?").kind == "needle"


@pytest.mark.parametrize(
    ("question", "terms"),
    [("What is due on 4 May?", ["4", "may"]), ("Who comes in May?", ["may"]), ("May I ask about gold?", ["gold"])],
)
def test_may_is_a_month_where_it_is_written_as_one(question: str, terms: list[str]) -> None:
    assert [term.text for term in make_plan(question).terms if term.exact or term.text == "gold"] == terms


@pytest.mark.parametrize(
    "filters",
    [{"between": (0, math.inf)}, {"options": ["yes", " "]}, {"options": [str(number) for number in range(27)]}],
)
def test_what_cannot_be_meant_is_an_error_of_ours(spoken: Library, filters: dict[str, Any]) -> None:
    with pytest.raises(QueryError):
        spoken.ask("What is said about gold?", **filters)


class Silent:
    source = "silent"
    capabilities = Capabilities()


def runtime(settings: Settings, deadline: float = math.inf) -> Any:
    return SimpleNamespace(context=Context(search=None, settings=settings, llm=Silent(), deadline=deadline))  # type: ignore[arg-type]


@pytest.mark.parametrize(("most", "shown"), [(1, 1), (4, 4), (15, 15), (32, 24)])
def test_chapters_together_show_no_more_frames_than_allowed(most: int, shown: int) -> None:
    state = start_state("What is it about?") | {"plan": make_plan("What is it about?")}
    state["rounds"] = 1
    state["sections"] = [Section(video_id="a", span=Span(start=n, end=n + 1), heading=None, rows=()) for n in range(12)]
    sends = _to_chapters(state, runtime(Settings(max_frames=most)))
    assert sum(send.arg["frames"] for send in sends) == shown
    assert max(send.arg["frames"] for send in sends) - min(send.arg["frames"] for send in sends) <= 1


def late(*_: Any) -> None:
    raise ServerError("no answer in time")


def test_a_look_that_comes_too_late_is_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_nodes, "look", late)
    state = start_state("Is gold shown?") | {"plan": make_plan("Is gold shown?"), "frames_seen": 0}
    update = model_nodes.look_node(state, runtime(Settings(), deadline=0.0))
    assert (update["rows"], update["frames"], update["tokens"]) == ([], [], TokenUsage(requests=1))
    assert "frames_seen" not in update  # it adds up: nothing was shown
    with pytest.raises(ServerError):
        model_nodes.look_node(state, runtime(Settings()))


def test_no_more_frames_are_shown_than_their_tokens_allow() -> None:
    segments = [
        Evidence(
            evidence_id=f"f{n}", video_id="a", video="/a.mp4", start=n, end=n + 1, modality="frame", text="", score=1,
            source="x", frame_seconds=n,
        )
        for n in range(500)
    ]  # fmt: skip
    picture = SimpleNamespace(width=1280, height=720)
    library = SimpleNamespace(records={"a": SimpleNamespace(info=SimpleNamespace(video=picture))})
    frames = _sized(segments, [0.5] * 500, 500, library, 2048)  # type: ignore[arg-type]
    assert len(frames) == 2048 // (8 * 5)
    assert {frame.longest_side for frame in frames} == {256}
    assert _sized(segments, [0.5] * 500, 1, library, 15) == []  # type: ignore[arg-type]


def test_notes_and_verdicts_of_earlier_questions_are_dropped() -> None:
    state = start_state("And then?")
    assert (state["notes"], state["verdicts"]) == ({}, {})
    assert {"notes", "verdicts"} <= set(REDUCERS)  # the first step of a question overwrites these: see `Conversation`


def test_what_lies_before_the_start_of_a_video_is_refused(spoken: Library) -> None:
    answer = spoken.ask("What is said two minutes before the end?")
    assert answer.text == "The question asks about 00:02:00 before the end, and the video a.mp4 lasts 00:01:40."


def test_a_silent_video_hides_nothing_that_is_said(tmp_path, no_models) -> None:
    """Only a stage that could have run is named where nothing is found."""
    skipped = StageReport(modality="speech", state="skipped", detail="the file has no sound")
    sound = AudioStream(index=1, codec="aac", start=0.0)
    for number, (audio, is_named) in enumerate([(None, False), (sound, True)]):
        made = Library(tmp_path / f"library{number}")
        made._store.create()
        info = VideoInfo(path=Path("a.mp4"), format="mp4", duration=60.0, video=None, audio=audio)
        others = tuple(StageReport(modality=one, state="done") for one in stage_names() if one != "speech")
        commit(made._store, [observation("Rent", modality="text")], info=info, stages=(skipped, *others))
        assert [stage.modality for stage in made.videos()[0].missing_stages] == ["speech"] * is_named
        assert ("was indexed for what is said" in made.ask("What is said about gold?").text) == is_named


def test_the_option_that_the_evidence_gives_is_named(spoken: Library, capsys) -> None:
    question = "What fell? A) the price of copper B) the price of gold"
    answer = spoken.ask(question)
    assert (answer.option, answer.option_text) == (1, "B) the price of gold")
    assert str(answer).splitlines()[0] == "B) the price of gold"
    print_answer(answer)
    assert capsys.readouterr().out.splitlines()[0] == "B) the price of gold"
    assert "<b>B) the price of gold</b>" in answer.to_html()
    assert spoken.ask("What fell?").option_text == ""


@pytest.mark.parametrize("between", [(20, 10), (10,), (1, 2, 3), ("0:10", "0:20"), (-1, 5)])
def test_what_is_no_stretch_is_refused(spoken: Library, between: Any) -> None:
    with pytest.raises(QueryError, match="give a start of 0 or more and a later end, in seconds"):
        spoken.ask("What is said?", between=between)


def test_no_moment_cannot_be_asked_for(spoken: Library) -> None:
    with pytest.raises(QueryError, match="k=0: at least 1 moment must be asked for"):
        spoken.find("gold", 0)
