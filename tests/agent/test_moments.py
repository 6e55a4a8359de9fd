"""Moments found in the demo's sample, from when to when, against its truth."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from playhead import Library
from playhead.agent.cli.main import app
from playhead.agent.looking.moments import find_moments
from playhead.index.retrieval.search import Search
from playhead.index.storage.local import LocalStorage
from playhead.tools.errors import QueryError
from playhead.tools.records import Span
from playhead.tools.settings import Settings

from ..fakes import commit, observation


def test_a_moment_is_where_something_is_shown(talk_library: Library, truth: dict) -> None:
    shown = {one["what"]: Span(start=one["start"], end=one["end"]) for one in truth["shown"]}
    for query, what in (("a cat", "cat"), ("a cup of coffee", "coffee cup")):
        best, *_ = talk_library.find(query, modalities="frame")
        assert best.span.iou(shown[what]) > 0.9, (query, best)
        assert best.evidence[0].modality == "frame"


def test_a_moment_is_where_something_is_said(talk_library: Library, truth: dict) -> None:
    said = next(one for one in truth["said"] if "battery" in one["text"])
    best, *_ = talk_library.find("the battery's life", modalities="speech")
    assert best.span.overlap(Span(start=said["start"], end=said["end"])) > 1
    assert "battery" in best.evidence[0].text


def test_moments_do_not_overlap_and_keep_to_the_filters(talk_library: Library) -> None:
    found = talk_library.find("the meeting", 8, between=(20, 60))
    assert 1 < len(found) <= 8
    for number, one in enumerate(found):
        assert one.end > 20
        assert one.start < 60
        assert all(one.span.overlap(other.span) == 0 for other in found[:number])
        assert [moment.score for moment in found] == sorted((moment.score for moment in found), reverse=True)


def test_precise_moments_are_inside(talk_library: Library, truth: dict) -> None:
    cat = next(one for one in truth["shown"] if one["what"] == "cat")
    best, *_ = talk_library.find("a cat", modalities="frame", mode="precise")
    assert cat["start"] - 0.1 <= best.start < best.end <= cat["end"] + 0.1


def test_an_empty_query_is_refused(talk_library: Library) -> None:
    with pytest.raises(QueryError, match="empty"):
        talk_library.find(" ")


def test_the_command_prints_moments_as_data(talk: Path, talk_library: Library) -> None:
    shown = CliRunner().invoke(app, ["find", str(talk), "a cat", "--in", "frame", "-k", "1", "--json", "--offline"])
    assert shown.exit_code == 0, shown.output
    (moment,) = json.loads(shown.stdout)
    assert set(moment) == {"video_id", "video", "start", "end", "score", "evidence", "seen", "frames"}
    assert moment["video"] == str(talk / "talk.mp4")


def test_what_only_resembles_the_query_is_left_out_where_something_else_answers_it(tmp_path) -> None:
    store = LocalStorage(tmp_path / "library")
    store.create()
    said = observation("We have a black screen.", 100, 104)
    commit(
        store,
        [
            said,
            *(observation("Debug my code on this screen", start, start + 9, modality="text") for start in (10, 300)),
        ],
        duration=400.0,
    )
    search = Search(store, Settings(text_model="off", image_model="off", offline=True))
    (found,) = find_moments("black screen", search, 5)
    assert [one.text for one in found.evidence] == ["We have a black screen."]
    assert [one.evidence[0].text for one in find_moments("my code", search, 5)] == ["Debug my code on this screen"] * 2


@pytest.mark.parametrize(
    ("query", "starts"),
    [("gold in the last 30 seconds", [80]), ("gold 20 seconds before the end", [80]), ("gold before 0:30", [10])],
)
def test_a_stretch_before_the_end_limits_moments(tmp_path: Path, query: str, starts: list[float]) -> None:
    store = LocalStorage(tmp_path / "library")
    store.create()
    said = [observation("The price of gold rose.", start, start + 3) for start in (10, 50, 80)]
    commit(store, said, duration=101.0)
    search = Search(store, Settings(text_model="off", image_model="off", offline=True))
    assert [moment.evidence[0].start for moment in find_moments(query, search, 5)] == starts
