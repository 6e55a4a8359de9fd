"""The table of contents: of the demo's sample with its real models, on the command line, and of made videos."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from playhead import Citation, Library, Settings
from playhead.agent.answering.summary import Chapter, contents, outline, quote_sections
from playhead.agent.cli.main import app
from playhead.agent.looking.model_frames import frames_within
from playhead.agent.question.planning import make_plan
from playhead.index.retrieval.search import Search
from playhead.index.storage.keyframe_references import milliseconds_of, read_keyframe
from playhead.index.storage.local import LocalStorage
from playhead.tools.embedding.protocol import unit
from playhead.tools.errors import LibraryError
from playhead.tools.records import Box, Span

from ..fakes import BagOfWords, commit, observation


def test_chapters_of_the_sample_begin_where_it_turns_and_are_named_by_their_slides(
    talk_library: Library, truth: dict[str, Any]
) -> None:
    found = talk_library.chapters("talk.mp4")
    slides = {one["lines"][0]: one["start"] for one in truth["written"]}
    turns = [one["start"] for kind in ("written", "shown") for one in truth[kind]]
    assert len(found) > 1
    assert (found[0].start, found[-1].end) == (0, pytest.approx(truth["duration"], abs=0.1))
    for chapter in found:
        assert min(abs(chapter.start - turn) for turn in turns) <= 0.1
        assert chapter.heading is not None
        assert chapter.heading.start == pytest.approx(slides[chapter.heading.quote], abs=0.1)
        assert chapter.span.start <= chapter.heading.start < chapter.span.end


def test_quotes_are_stored_evidence_of_their_chapter(talk_library: Library) -> None:
    record, evidence = talk_library.observed("talk.mp4")
    stored = {one.evidence_id: one for one in evidence}
    for chapter in talk_library.chapters(record.video_id):
        assert 1 <= len(chapter.quotes) <= 3
        for quote in chapter.quotes:
            assert Citation.of(stored[quote.evidence_id]) == quote
            assert chapter.start <= (quote.start + quote.end) / 2 < chapter.end
        longest = max(chapter.scenes, key=lambda scene: scene.duration)
        assert chapter.keyframe is not None
        assert longest.start <= milliseconds_of(chapter.keyframe) / 1000 < longest.end
        assert read_keyframe(chapter.keyframe).picture[8:12] == b"WEBP"


def test_the_command_prints_the_same_for_people_and_programs(talk_library: Library, talk: Path) -> None:
    found = talk_library.chapters("talk.mp4")
    lines = CliRunner().invoke(app, ["chapters", str(talk), "--scenes"]).stdout.splitlines()
    assert lines[0].endswith("talk.mp4 · 00:01:18.0")
    assert [line.partition("  ")[2] for line in lines if "Incident" in line] == [
        "Incident report · Last month our website was down for half an hour."
    ]
    assert sum("scene 00:" in line for line in lines) == sum(len(chapter.scenes) for chapter in found)
    (video,) = json.loads(CliRunner().invoke(app, ["chapters", str(talk), "--json"]).stdout)
    assert [Chapter.model_validate(one) for one in video["chapters"]] == found


def test_there_is_one_video_to_a_table_of_contents(talk_library: Library) -> None:
    with pytest.raises(LibraryError, match=r"'other\.mp4' names no videos of this library, and exactly one is needed"):
        talk_library.chapters("other.mp4")


def test_a_chapter_is_shown_by_its_longest_scenes(talk_library: Library) -> None:
    search, (record,) = talk_library._opened(), talk_library.videos()
    scenes = [Span(start=28, end=38), Span(start=38, end=46), Span(start=46, end=55)]

    def shown(most: int) -> list[int]:
        return [round(one.evidence.start) for one in frames_within(record.video_id, scenes, search, most)]

    assert [shown(most) for most in range(4)] == [[], [28], [28, 46], [28, 38, 46]]
    assert shown(9) == [28, 38, 46]  # no segment twice
    assert frames_within(record.video_id, [Span(start=90, end=99)], search, 2) == []


@pytest.fixture
def store(tmp_path: Path) -> LocalStorage:
    made = LocalStorage(tmp_path / ".playhead")
    made.create()
    return made


def test_pictures_that_were_not_embedded_are_distinguished_by_their_descriptions(store: LocalStorage) -> None:
    rows = [
        observation("a man at a desk with papers", 10.0 * n, 10.0 * (n + 1), modality="caption") for n in range(2)
    ] + [observation("snow falls over the frozen lake", 20, 35, modality="caption")]
    made = commit(store, rows, BagOfWords(), duration=35.0)
    (chapter,) = contents(made.video_id, Search(store, Settings()))
    assert chapter.scenes == (Span(start=0, end=20), Span(start=20, end=35))
    assert (chapter.heading, chapter.keyframe) == (None, None)
    assert {quote.quote for quote in chapter.quotes} == {row.text for row in rows}


def test_of_a_silent_video_the_times_are_shown_and_the_next_step(store: LocalStorage) -> None:
    rows = [observation("", start, end, modality="frame") for start, end in ((0, 9), (9, 30))]
    commit(store, rows, None, lambda: np.eye(2), duration=30.0, paths=("mute.mp4",))
    video = store.folder.parent / "mute.mp4"
    printed = CliRunner().invoke(app, ["chapters", str(store.folder), "--scenes"]).stdout
    assert printed.splitlines() == [
        f"{video} · 00:00:30.0",
        f"no speech, text or description is indexed: `playhead show {video}` names the reason",
        "00:00:00.0–00:00:30.0",
        "                       scene 00:00:00.0–00:00:09.0",
        "                       scene 00:00:09.0–00:00:30.0",
    ]


def test_a_heading_is_not_quoted_again_and_texts_are_on_one_line(store: LocalStorage) -> None:
    box = Box(left=0.1, top=0.1, right=0.9, bottom=0.2)
    title, said = "The five great lakes again", "We speak of water\x1b[31m and [bold]more[/bold]"
    rows = [
        observation(title, 0, 30, modality="text", box=box),
        observation(title.upper(), 5, 9),
        observation(said, 10, 15),
        observation("", 0, 30, modality="frame"),
    ]
    images = unit(np.ones((1, 8)))
    made = commit(store, rows, BagOfWords(), lambda: images, duration=30.0, paths=("lakes.mp4",))
    (chapter,) = contents(made.video_id, Search(store, Settings()))
    assert chapter.heading is not None
    assert chapter.heading.quote == title
    assert [quote.quote for quote in chapter.quotes] == ["We speak of water [31m and [bold]more[/bold]"]
    printed = CliRunner().invoke(app, ["chapters", str(store.folder)]).stdout
    assert printed.splitlines()[1:] == [
        f"00:00:00.0–00:00:30.0  {title} · We speak of water [31m and [bold]more[/bold]",
    ]


def test_what_is_said_in_a_long_stretch_is_quoted_without_headings(store: LocalStorage) -> None:
    large = Box(left=0.1, top=0.1, right=0.9, bottom=0.2)
    rows = [
        observation("Budget", 10, 90, modality="text", box=large, frame_seconds=10),
        observation("We spent a lot of money on boats.", 20, 24),
        observation("Ben repairs all of the old boats.", 50, 54),
        observation("Anna thanks everybody who came here tonight.", 80, 84),
    ]
    commit(store, rows, video_id="ab" * 16, duration=95.0)
    search = Search(store, Settings(text_model="off", image_model="off", offline=True))

    def quoted(question: str) -> list[str]:
        return [claim.text for claim in quote_sections(outline(make_plan(question), search))]

    said = "Ben repairs all of the old boats. · Anna thanks everybody who came here tonight."
    assert quoted("What is said in the last minute?") == [said]
    assert quoted("What is written in the last minute?") == ["Budget"]
    assert quoted("What happens in the last minute?") == ["Budget · Ben repairs all of the old boats."]
    assert quoted("What does the speaker talk about?") == ["Budget · We spent a lot of money on boats."]


def test_a_chapter_begins_after_a_jingle_that_was_stored(store: LocalStorage) -> None:
    """Two subjects with a jingle near the border between them; longer music changes nothing."""
    words = ["alpha beta gamma delta"] * 20 + ["epsilon zeta eta theta"] * 20
    said = [observation(f"{text} {number}", 5.0 * number, 5.0 * number + 4.5) for number, text in enumerate(words)]
    for name, end in (("ab" * 16, 106.0), ("cd" * 16, 150.0)):
        music = observation("music", 101.0, end, modality="sounds")
        commit(store, [music, *said], BagOfWords(), video_id=name, duration=200.0)
    search = Search(store, Settings())
    assert [one.start for one in contents("ab" * 16, search)] == [0, 106]
    assert [one.start for one in contents("cd" * 16, search)] == [0, 100]
