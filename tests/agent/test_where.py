"""Metadata as a filter and as words, through the SDK, the command line and the HTTP API."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from playhead import Library
from playhead.agent.cli.main import app
from playhead.tools.errors import QueryError


@pytest.fixture
def folder(tmp_path: Path, no_models, write_talk) -> Path:
    """Two talks with the same words, of different days."""
    folder = tmp_path / "talks"
    for name, title, date, tags in (
        ("a", "The harbour", "2025-12-01", ["lecture"]),
        ("b", "The bridge", "2026-02-01", ["lecture", "city"]),
    ):
        path = write_talk(folder / f"{name}.mp4", [(0, 2, f"The budget of talk {name} grew"), (2, 4, "It is large")])
        chapters = [
            {"start_time": 0, "end_time": 2, "title": "Start"},
            {"start_time": 2, "end_time": 5, "title": "End"},
        ]
        values = {"title": title, "date": date, "tags": tags, "chapters": chapters}
        path.with_suffix(".json").write_text(json.dumps(values))
    Library(folder).index(folder)
    return folder


def test_search_find_ask_and_videos_are_filtered(folder: Path):
    with Library(folder) as library:
        assert {one.name for one in library.search("budget")} == {"a.mp4", "b.mp4"}
        assert [one.name for one in library.search("budget", where="date>=2026-01")] == ["b.mp4"]
        assert {Path(one.video).name for one in library.find("budget", where=["date<2026", "tag=lecture"])} == {"a.mp4"}
        assert [Path(r.paths[0]).name for r in library.videos(where="title~bridge")] == ["b.mp4"]
        assert library.videos("b.mp4", where="tag=city") == library.videos(where="tag=city")
        answer = library.ask("What grew?", where="date<2026")
        assert {Path(one.video).name for claim in answer.claims for one in claim.citations} == {"a.mp4"}
        with pytest.raises(QueryError, match="none of the chosen videos meets tag=city: choose others, or all"):
            library.search("budget", videos="a.mp4", where="tag=city")
        with pytest.raises(QueryError, match="no video fits tag=town: values of tag are lecture, city"):
            library.search("budget", where="tag=town")


def test_a_question_names_a_video_by_its_title(folder: Path):
    with Library(folder) as library:
        answer = library.ask("What grew in the bridge video?")
        assert {Path(one.video).name for claim in answer.claims for one in claim.citations} == {"b.mp4"}


def test_chapters_of_the_source(folder: Path):
    with Library(folder) as library:
        chapters = library.chapters("a.mp4")
    assert [(one.title, one.start, one.end, one.titled_by) for one in chapters] == [
        ("Start", 0.0, 2.0, "source"), ("End", 2.0, pytest.approx(5.0, abs=0.1), "source"),
    ]  # fmt: skip


def test_the_command_line(folder: Path):
    run = CliRunner().invoke
    found = json.loads(run(app, ["search", str(folder), "budget", "--where", "date>=2026-01", "--json"]).stdout)
    assert [Path(one["video"]).name for one in found] == ["b.mp4"]
    listed = json.loads(run(app, ["list", str(folder), "--where", "tag=city", "--json"]).stdout)
    assert [(one["metadata"]["title"], one["metadata"]["date"]) for one in listed] == [("The bridge", "2026-02-01")]
    assert "The bridge\n2026-02-01 · lecture · city\n" in run(app, ["show", str(folder / "b.mp4")]).stdout
    wrong = run(app, ["search", str(folder), "budget", "--where", "date"])
    assert isinstance(wrong.exception, QueryError)


def test_the_http_api(folder: Path):
    pytest.importorskip("fastapi")
    from fastapi.testclient import TestClient

    from playhead.agent.serving.access import Access
    from playhead.agent.serving.app import create_app

    with Library(folder) as library:
        client = TestClient(
            create_app(library, Access(token="key"), api=True),
            base_url="http://127.0.0.1",
            headers={"Authorization": "Bearer key"},
        )
        videos = {one["id"]: one["name"] for one in client.get("/v1/videos").json()["videos"]}
        for path in ("/v1/search", "/api/search"):
            found = client.get(path, params={"q": "budget", "where": ["date<2026", "tag=lecture"]}).json()["results"]
            assert {videos[one["video"]] for one in found} == {"a.mp4"}
        moments = client.get("/v1/find", params={"q": "budget", "where": "tag=city"}).json()["moments"]
        assert {one["video"] for one in moments} == {"b.mp4"}
        answer = client.post("/v1/ask", json={"question": "What grew?", "where": ["tag=city"]}).json()
        assert {one["video"] for claim in answer["claims"] for one in claim["citations"]} == {"b.mp4"}
        asked = {"question": "What grew?", "where": ["tag=city"]}
        *_, last = client.post("/api/ask", json=asked).text.splitlines()
        assert {one["video_id"] for claim in json.loads(last)["answer"]["claims"] for one in claim["citations"]} == {
            one for one, name in videos.items() if name == "b.mp4"
        }
        wrong = client.get("/v1/search", params={"q": "budget", "where": "when=now"})
        assert wrong.status_code == 400
        assert wrong.json()["error"].startswith("when=now: no field 'when': use one of channel, date")


def test_the_mcp_tools(folder: Path):
    from playhead.agent.serving.mcp_tools import LibraryTools

    with Library(folder) as library:
        tools = LibraryTools(library)
        listed = tools.list_videos(where=["date<2026", "tag=lecture"]).videos
        assert [(one.video, one.title, one.date) for one in listed] == [("a.mp4", "The harbour", "2025-12-01")]
        assert {row.video for row in tools.search("budget", where=["tag=city"]).rows} == {"b.mp4"}
        answer = tools.ask("What grew?", where=["tag=city"])
        assert {row.video for claim in answer.claims for row in claim.cites} == {"b.mp4"}
        with pytest.raises(QueryError, match="no video fits tag=town: values of tag are lecture, city"):
            tools.search("budget", where=["tag=town"])


def test_words_of_titles_tags_and_chapters_find_videos(folder: Path):
    with Library(folder) as library:
        (bridge,) = library.search("the bridge")
        assert (bridge.name, bridge.start, bridge.end, bridge.modality) == (
            "b.mp4",
            0.0,
            library.video("b.mp4").duration,
            "metadata",
        )
        assert (bridge.text, bridge.called, bridge.matched, bridge.relevance) == (
            "The bridge · lecture, city",
            "titled",
            ("bridge",),
            None,
        )
        assert library.evidence(bridge.evidence_id).text == bridge.text
        assert {one.name for one in library.search("lectures")} == {"a.mp4", "b.mp4"}
        starts = library.search("start", modalities="titled")
        assert {(one.name, one.start, one.end, one.text) for one in starts} == {
            ("a.mp4", 0, 2, "Start"),
            ("b.mp4", 0, 2, "Start"),
        }
        assert [one.text for one in library.search("start", videos="a.mp4", modalities="titled")] == ["Start"]
        assert library.search("end", between=(0, 1), modalities="titled") == []
        assert library.search("bridge", modalities="said") == []
        assert library.search("bridge", where="tag=lecture", videos="a.mp4") == []


def test_titles_rank_with_what_was_said_and_do_not_hide_it(tmp_path: Path, no_models, write_talk):
    for number in range(6):
        said = [(0, 2, f"The budget of department {number}"), (2, 4, "Thank you all")]
        path = write_talk(tmp_path / f"{number}.mp4", said)
        path.with_suffix(".json").write_text(
            json.dumps({"title": f"Budget hearing {number}", "channel": "City Council"})
        )
    with Library(tmp_path) as library:
        library.index(tmp_path)
        kinds = [one.modality for one in library.search("budget", k=9)]
        assert kinds == ["metadata", "speech", "speech"] * 3
        assert library.search("hearing 4")[0].text == "Budget hearing 4 · City Council"
        assert [one.modality for one in library.search("budget hearing", k=6, modalities="metadata")] == [
            "metadata"
        ] * 6
        assert library.search("budget of department 3")[0].text == "The budget of department 3"


def test_metadata_is_neither_an_observation_nor_an_answer(folder: Path):
    with Library(folder) as library:
        assert {one.modality for one in library.observed("b.mp4")[1]} == {"speech"}
        assert library.find("the bridge") == []
        for question in ("What is said about the bridge?", "Where is the bridge mentioned?"):
            answer = library.ask(question)
            assert not [one for claim in answer.claims for one in claim.citations if one.modality == "metadata"]


def test_a_word_of_a_title_is_no_typing_error(folder: Path):
    sidecar = folder / "b.json"
    sidecar.write_text(json.dumps(json.loads(sidecar.read_text()) | {"title": "Lorge"}))
    with Library(folder) as library:
        assert library.corrected("lorge budget")[0] == "large budget"
        library.index(folder)
        assert library.corrected("lorge budget")[0] == "lorge budget"


def test_a_changed_sidecar_changes_what_words_find(folder: Path):
    sidecar = folder / "b.json"
    sidecar.write_text(json.dumps(json.loads(sidecar.read_text()) | {"title": "The tunnel", "chapters": []}))
    with Library(folder) as library:
        library.index(folder)
        assert library.search("bridge") == []
        assert [one.name for one in library.search("tunnel")] == ["b.mp4"]
        assert {one.name for one in library.search("start")} == {"a.mp4"}
        assert {one.name for one in library.search("budget", modalities="said")} == {"a.mp4", "b.mp4"}
