"""Metadata of videos: container tags and sidecars, what is stored of them, and the filters made of them."""

import json
from pathlib import Path

import av
import pytest

from playhead.index.indexing.build import index_files
from playhead.index.metadata_conditions import parse_condition
from playhead.index.retrieval.search import Search
from playhead.index.storage.local import LocalStorage
from playhead.index.storage.url import UrlStorage
from playhead.tools.errors import QueryError
from playhead.tools.media.metadata.reading import metadata_of
from playhead.tools.media.metadata.records import Metadata, day_of, instant_of
from playhead.tools.settings import Settings

from ..fakes import calls, commit, extractors, observation
from ..media import write_media

INFO = {
    "title": "The budget of 2026",
    "upload_date": "20260115",
    "channel": "City Council",
    "tags": ["politics", "Money"],
    "categories": ["News"],
    "webpage_url": "https://example.org/watch?v=1",
    "chapters": [
        {"start_time": 0, "end_time": 1, "title": "Welcome"},
        {"start_time": 1, "end_time": 2.0, "title": "Numbers"},
        {"start_time": "?", "end_time": 3},
    ],
    "formats": [{"url": "x"}],
}


def read(path: Path, known: Metadata | None = None, **options) -> Metadata:
    return metadata_of(path, known or Metadata(), lambda file: file.read_text()[:100], **options)


@pytest.fixture
def video(tmp_path: Path) -> Path:
    return write_media(tmp_path / "talk.mp4", [n / 10 for n in range(20)])


def tagged(path: Path, **tags: str) -> Path:
    """The video with tags of the container."""
    target = path.with_name(f"tagged{path.suffix}")
    options = {"movflags": "use_metadata_tags"} if path.suffix == ".mp4" else {}
    with av.open(str(path)) as source, av.open(str(target), "w", options=options) as out:
        stream = out.add_stream_from_template(source.streams.video[0])
        out.metadata.update(tags)
        for packet in source.demux(source.streams.video[0]):
            if packet.size:
                packet.stream = stream
                out.mux(packet)
    return target


def test_tags_of_the_container(video: Path):
    path = tagged(
        video, title="A\x1b[31m walk", artist="Ana", genre="nature, water", comment="slow", date="2025",
        creation_time="2025-06-01T12:30:00+02:00", location="+48.1000+011.5000/",
    )  # fmt: skip
    found = read(path)
    assert (found.title, found.channel, found.tags) == ("A [31m walk", "Ana", ("nature", "water"))
    assert (found.date, found.recorded) == ("2025", "2025-06-01T10:30:00Z")
    assert (found.description, found.location) == ("slow", "")
    assert read(path, read_location=True).location == "+48.1000+011.5000/"


def test_the_sidecar_of_yt_dlp(video: Path):
    video.with_suffix(".info.json").write_text(json.dumps(INFO))
    found = read(video)
    assert (found.title, found.date, found.channel) == ("The budget of 2026", "2026-01-15", "City Council")
    assert found.tags == ("politics", "Money", "News")
    assert [(c.span.start, c.span.end, c.title) for c in found.chapters] == [(0, 1, "Welcome"), (1, 2, "Numbers")]
    assert found.facts == ()


def test_the_sidecar_of_kodi(video: Path):
    video.with_suffix(".nfo").write_text(
        "<episodedetails><title>Pilot</title><aired>2019-04-02</aired><showtitle>Night</showtitle>"
        "<genre>Drama</genre><tag>seen</tag><plot>It begins.</plot></episodedetails>"
    )
    found = read(video)
    assert (found.title, found.date, found.channel) == ("Pilot", "2019-04-02", "Night")
    assert (found.tags, found.description) == (("seen", "Drama"), "It begins.")


def test_own_values_win_and_others_become_facts(video: Path):
    video.with_suffix(".info.json").write_text(json.dumps(INFO))
    video.with_suffix(".json").write_text(
        json.dumps({"title": "Mine", "tags": "lecture, week 3", "Course": "CS101", "room": 12, "people": [{"a": 1}]})
    )
    found = read(video)
    assert (found.title, found.channel) == ("Mine", "City Council")
    assert found.tags == ("politics", "Money", "News", "lecture", "week 3")
    assert [(fact.name, fact.value) for fact in found.facts] == [("course", "CS101"), ("room", "12")]
    assert found.notes == (
        "1 values of talk.json are not used: texts up to 300 characters, numbers and lists of them are",
    )


@pytest.mark.parametrize(
    ("suffix", "content", "reason"),
    [
        (".json", "{", "Expecting property name"),
        (".json", "[1]", "no JSON object"),
        (".nfo", "<!DOCTYPE x [<!ENTITY a 'b'>]><movie/>", "it declares XML entities"),
        (".nfo", "https://www.imdb.com/title/tt1", "not well-formed"),
    ],
)
def test_a_sidecar_that_cannot_be_read_is_a_note(video: Path, suffix: str, content: str, reason: str):
    video.with_suffix(suffix).write_text(content)
    found = read(video)
    assert found.notes[0].startswith(f"talk{suffix} is not read as metadata ({reason}")
    assert found.title == ""


def test_dates_and_times():
    assert [day_of(text) for text in ("20260131", "2026-01", "2026", "2026-13-01", "soon", "2026:01:31 10:00")] == [
        "2026-01-31", "2026-01", "2026", "", "", "2026-01-31",
    ]  # fmt: skip
    assert [instant_of(value) for value in ("1904-01-01T00:00:00Z", "nothing", 1767225600)] == [
        "", "", "2026-01-01T00:00:00Z",
    ]  # fmt: skip


def run(storage, folder: Path, gear):
    return list(index_files(storage, [folder], gear, False, lambda *_: None))


@pytest.mark.parametrize("kind", ["disk", "url"])
def test_a_changed_sidecar_renews_the_record_without_extraction(tmp_path: Path, video: Path, kind: str):
    folder = tmp_path / "talks"
    folder.mkdir()
    video = video.rename(folder / video.name)
    storage = LocalStorage(folder / ".playhead") if kind == "disk" else UrlStorage(f"file://{tmp_path}/shared/lib")
    gear = extractors()
    (first,) = run(storage, folder, gear)
    assert first.record.metadata.title == ""
    asked = calls(gear)
    video.with_suffix(".json").write_text(json.dumps({"title": "Budget", "date": "2026-02-03"}))
    (second,) = run(storage, folder, gear)
    assert (second.state, second.record.metadata.title) == ("unchanged", "Budget")
    assert second.record.commit == first.record.commit
    assert storage.record(first.record.video_id).metadata.date == "2026-02-03"
    assert list(storage.verify(deep=True)) == []
    video.with_suffix(".json").unlink()
    (third,) = run(storage, folder, gear)
    assert third.record.metadata.title == ""
    assert calls(gear) == asked
    if kind == "url":
        video.with_suffix(".json").write_text(json.dumps({"title": "Again"}))
        local = LocalStorage(tmp_path / "local")
        assert [one.state for one in storage.pull(local)] == ["pulled"]
        run(storage, folder, gear)
        assert [(one.state, one.record.metadata.title) for one in storage.pull(local)] == [("pulled", "Again")]
        assert [one.state for one in storage.pull(local)] == ["unchanged"]


@pytest.fixture
def search(tmp_path: Path) -> Search:
    store = LocalStorage(tmp_path / "library")
    store.create()
    for number, (path, metadata) in enumerate(
        [
            ("spring/one.mp4", {"title": "The Budget", "date": "2026-01-31", "tags": ("lecture", "money")}),
            (
                "spring/week 2/two.mp4",
                {"title": "Bridges", "date": "2026-02-01", "channel": "City", "tags": ("lecture",)},
            ),
            ("2025-12-24 party.mp4", {"facts": ({"name": "course", "value": "7"},)}),
        ]
    ):
        duration = 60.0 * (number + 1)
        commit(
            store, [observation(f"words {number}")], video_id=f"{number:02x}" * 16, paths=(path,),
            duration=duration, metadata=Metadata(**metadata),
        )  # fmt: skip
    return Search(store, Settings())


@pytest.mark.parametrize(
    ("conditions", "found"),
    [
        (["date>=2026-01"], "01"),
        (["date>2026-01"], "1"),
        (["date<=2026-01"], "02"),
        (["date<2026-01"], "2"),
        (["date=2026-01"], "0"),
        (["date = 2026"], "01"),
        (["date=2026-01-31"], "0"),
        (["date=2025-12-24"], "2"),  # from the file's name
        (["tag=Lecture"], "01"),
        (["tag=lecture", "tag=money"], "0"),
        (["tag!=lecture"], "2"),
        (["title~budg"], "0"),
        (["title='The Budget'"], "0"),
        (["channel!=City"], "02"),
        (["folder=spring"], "01"),
        (["folder=spring/week 2"], "1"),
        (["folder=week 2"], "1"),
        (["name=two.mp4"], "1"),
        (["duration>=2:00"], "12"),
        (["duration<90"], "0"),
        (["course=7"], "2"),
        (["course>6.5"], "2"),
    ],
)  # fmt: skip
def test_conditions(search: Search, conditions: list[str], found: str):
    assert [video_id[1] for video_id in search.videos_where(conditions)] == list(found)


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ("date", "where='date' is no condition: write FIELD, one of = != < <= > >= ~, and a value"),
        ("date>=soon", "date>=soon: give a year, a month or a day, such as 2026, 2026-01 or 2026-01-15"),
        ("title>x", "title>x: > compares numbers and dates; for a text use =, != or ~"),
        ("duration>long", "duration>long: 'long' is not a time"),
        ("colour=red", "colour=red: no field 'colour': use one of channel, course, date"),
        ("tag=lectures", "no video fits tag=lectures: values of tag are lecture, money"),
        ("location=here", "no video fits location=here: no video has a location"),
        (
            "title~'); DROP TABLE facts; --",
            "no video fits title~'); DROP TABLE facts; --: values of title are Bridges, The Budget",
        ),
    ],
)
def test_a_condition_that_is_wrong_says_what_is_right(search: Search, condition: str, message: str):
    with pytest.raises(QueryError) as caught:
        search.videos_where([condition])
    assert str(caught.value).startswith(message)
    assert len(search.records) == 3


def test_a_filter_costs_no_python_loop_over_videos(search: Search):
    statement, values = parse_condition("date>=2026-01").sql()
    with search._snapshots.reading() as snapshot:
        plan = " ".join(
            str(row[3])
            for row in snapshot.catalog.all(f"EXPLAIN QUERY PLAN SELECT video_id FROM videos WHERE {statement}", values)
        )
    assert "facts_by_value" in plan
