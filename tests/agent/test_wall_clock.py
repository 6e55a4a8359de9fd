"""Questions about the time of day, and about what came just now, in live recordings."""

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from playhead import Library
from playhead.agent.question.planning import make_plan
from playhead.agent.question.time_expressions import day_times_of, recent_of
from playhead.agent.question.wall_clock import at_wall_clock
from playhead.index.recordings import part_clock, part_metadata, resumed_at
from playhead.index.records import VideoRecord
from playhead.tools.records import VideoInfo

TEN = 1_796_032_800.0  # 2026-11-30, 10:00 in UTC


@pytest.fixture(autouse=True)
def _utc(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def part(name: str, began: float, duration: float, recording: str = "council", gaps=()) -> VideoRecord:
    metadata = part_metadata(recording, 0, 0.0, began)
    for second, wall in gaps:
        metadata = resumed_at(metadata, second, wall)
    return _record(name, duration).model_copy(update={"metadata": metadata})


def _record(name: str, duration: float) -> VideoRecord:
    info = VideoInfo(path=Path(name), format="mpegts", duration=duration, video=None, audio=None)
    return VideoRecord(
        video_id=name, commit="0" * 32, paths=(name,), info=info, duration=duration, stages=(), indexed_at="2026-11-30"
    )


def asked(question: str, *records: VideoRecord):
    found = at_wall_clock(make_plan(question), {one.video_id: one for one in records})
    if found is None:
        return None
    plan, understood = found
    return [(one.video_id, round(one.span.start), round(one.span.end)) for one in plan.scopes], understood.read, plan


HOUR = [part(f"p{n}", TEN + 300 * n, 300.0) for n in range(12)]


def test_since_a_time_of_day():
    scopes, read, plan = asked("What was said since 10:40?", *HOUR)
    assert scopes == [("p8", 0, 300), ("p9", 0, 300), ("p10", 0, 300), ("p11", 0, 300)]
    assert read == "since 10:40 on 30 November 2026, the time of day"
    assert plan.kind == "whole"
    scopes, _, plan = asked("What did she say about the budget since I left at 10:52:30?", *HOUR)
    assert scopes == [("p10", 150, 300), ("p11", 0, 300)]
    assert (plan.kind, plan.query, [term.text for term in plan.terms]) == ("needle", "budget", ["budget"])


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("What was said between 10:04 and 10:06?", [("p0", 240, 300), ("p1", 0, 60)]),
        ("What was said from 10:04 am to 10:06 am?", [("p0", 240, 300), ("p1", 0, 60)]),
        ("What was said before 10:01?", [("p0", 0, 60)]),
        ("What is on the slide at 10:02?", [("p0", 120, 180)]),
        ("What did she just say?", [("p11", 270, 300)]),
        ("What was said in the last six minutes?", [("p10", 240, 300), ("p11", 0, 300)]),
        ("What was said since 9:50?", [(f"p{n}", 0, 300) for n in range(12)]),
    ],
)
def test_spans_of_the_parts(question: str, expected: list):
    assert asked(question, *HOUR)[0] == expected


def test_a_short_stretch_is_an_answer_as_a_whole():
    plan = asked("What did she just say?", *HOUR)[2]
    assert (plan.is_moment, plan.terms, plan.modalities) == (True, (), ("speech",))


def test_a_gap_moves_the_clock():
    one = part("p", TEN, 300.0, gaps=[(120.0, TEN + 600)])
    clock = part_clock(one)
    assert clock is not None
    assert (clock.began, clock.ended) == (TEN, TEN + 780)
    assert [clock.second_at(TEN + at) for at in (0, 100, 300, 600, 660, 5000)] == [0, 100, 120, 120, 180, 300]
    assert asked("What was said since 10:11?", one)[0] == [("p", 180, 300)]


def test_a_video_that_has_the_time_as_its_own():
    film = _record("film", 3600.0)
    assert asked("What was said since 10:40?", film) is None
    assert asked("What was said since 10:40?", film, *HOUR)[0][0] == ("p8", 0, 300)  # the recording ran then
    assert asked("What was said since 12:40?", film, *HOUR) is None  # it did not: the film's second
    assert asked("What was said in the last six minutes?", film, *HOUR) is None  # of each video
    assert asked("What did she just say?", film, *HOUR)[0] == [("p11", 270, 300)]
    plan = make_plan("What was said since 10:40?", ("film",))
    assert at_wall_clock(plan, {one.video_id: one for one in (film, *HOUR)}) is None


def test_the_latest_day_and_the_latest_recording():
    day = 86_400.0
    old = part("old", TEN - day, 300.0, "morning")
    new = part("new", TEN + 3600, 300.0, "evening")
    assert asked("What was said at 10:02?", old, new)[:2] == (
        [("old", 120, 180)], "at 10:02 on 29 November 2026, the time of day",
    )  # fmt: skip
    assert asked("What just happened?", old, new)[1] == "the 30 s until 11:05:00 on 30 November 2026 in evening"


def test_what_is_no_time_of_day():
    assert [day_times_of(text) for text in ("since 25:00", "after 3", "in minute 3", "since 10:75")] == [None] * 4
    assert [recent_of(text) for text in ("was it just a test?", "just before the end", "what a just war")] == [None] * 3
    assert day_times_of("after 3 pm")[2:] == (54_000.0, None)
    assert day_times_of("before 12 a.m.")[2:] == (None, 0.0)


def test_a_library_is_asked(tmp_path: Path, no_models, write_talk: Callable):
    folder = tmp_path / "talks"
    for number, words in enumerate(("The bridge is old", "The harbour opens in May")):
        cues = [(0, 1, words), (1, 2, "So it is"), (2, 3, "Boats are welcome"), (3, 4, "Thank you")]
        path = write_talk(folder / "recordings" / "council" / f"{number}.mp4", cues)
        metadata = part_metadata("council", number, 5.0 * number, TEN + 5 * number)
        values = {fact.name: fact.value for fact in metadata.facts} | {"recorded": metadata.recorded}
        path.with_suffix(".json").write_text(json.dumps(values))
    with Library(folder) as library:
        library.index(folder)
        answer = library.ask("What was said since 10:00:05?")
        assert [claim.text for claim in answer.claims] == [
            "The harbour opens in May", "So it is", "Boats are welcome",
        ]  # fmt: skip
        assert answer.corrected_words == (
            "Read “since 10:00:05” as “since 10:00:05 on 30 November 2026, the time of day”."
        )
        found = library.search("What was said since 10:00:05?", k=1)
        assert ([one.text for one in found], found.limits) == (
            ["The harbour opens in May"],
            "Limited to what is said: since 10:00:05 on 30 November 2026, the time of day.",
        )
        assert library.search("bridge since 10:00:05") == []
        answer = library.ask("When was the bridge mentioned since 10:00:05?")
        assert answer.status == "insufficient"
        answer = library.ask("What did she just say?")
        assert [claim.text for claim in answer.claims] == ["Thank you", "Boats are welcome", "So it is"]  # the latest
        assert "the 30 s until 10:00:" in answer.corrected_words
