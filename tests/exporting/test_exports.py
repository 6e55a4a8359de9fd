"""What leaves a library: clips to the frame, subtitles that read back equal, edit lists, bundles, contexts."""

import io
import json
import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from playhead import Library
from playhead.agent.exporting.formats import FORMATS, exported, format_of
from playhead.agent.exporting.named_moments import named_moment
from playhead.agent.exporting.subtitles import srt, stamp, vtt
from playhead.index.records import Evidence
from playhead.tools.errors import LibraryError, QueryError
from playhead.tools.media.clips import ClipStyle, copy_clip, frames_between, write_clip, write_gif
from playhead.tools.media.frames import frames_at
from playhead.tools.records import Box, Span

from ..fakes import write_pictures

SAID = [
    (0.5, 1.4, "Good morning."),
    (1.5, 3.2, "The budget --> grew by <b>12 %</b> & more."),
    (3.3, 4.6, "=2+3 is a formula, [not](javascript:alert(1))."),
]


@pytest.fixture(scope="module")
def numbered(tmp_path_factory) -> Path:
    """A video of 100 frames at 25 a second; each frame's grey is its number."""
    path = tmp_path_factory.mktemp("numbered") / "numbered.mp4"
    pictures = [np.full((96, 128, 3), 2 * n + 20, np.uint8) for n in range(100)]
    write_pictures(path, pictures, [n / 25 for n in range(100)], fps=25)
    return path


def numbers(frames) -> list[int]:
    return [round((float(pixels.mean()) - 20) / 2) for pixels in frames]


@pytest.mark.parametrize(("start", "end"), [(1.0, 2.0), (0.0, 0.04), (1.02, 1.5), (3.9, 4.0), (0.5, 9.0)])
def test_the_edges_of_a_clip_are_exact_to_the_frame(numbered, tmp_path, start, end):
    made = write_clip(numbered, Span(start=start, end=end), tmp_path / "clip.mp4")
    first, last = int(start * 25 + 1e-6), min(100, int(np.ceil(min(end, 4.0) * 25 - 1e-6)))
    found = numbers(pixels for _, pixels in frames_between(tmp_path / "clip.mp4", Span(start=0, end=99)))
    assert found == pytest.approx(list(range(first, last)), abs=1)
    assert (made.frames, made.start) == (last - first, pytest.approx(first / 25))


def test_frames_keep_their_own_times_in_a_clip(tmp_path):
    times = [0.0, 0.1, 0.5, 0.52, 1.7, 2.0]
    write_pictures(tmp_path / "a.mp4", [np.full((64, 64, 3), 40 * n + 20, np.uint8) for n in range(6)], times, fps=50)
    write_clip(tmp_path / "a.mp4", Span(start=0.3, end=1.9), tmp_path / "clip.mp4")
    found = [seconds for seconds, _ in frames_between(tmp_path / "clip.mp4", Span(start=0, end=9))]
    assert found == pytest.approx([0.0, 0.2, 0.22, 1.4], abs=0.011)


def test_a_piece_for_a_browser_has_the_same_frames(numbered):
    out = io.BytesIO()
    write_clip(numbered, Span(start=2, end=3), out, ClipStyle(max_height=48, speed="fast", is_streamed=True))
    assert out.getvalue()[4:8] == b"ftyp"
    assert b"moof" in out.getvalue()


def test_a_copy_starts_at_the_keyframe_before(numbered, tmp_path):
    made = copy_clip(numbered, Span(start=1.5, end=2.0), tmp_path / "fast.mp4")
    assert made.start <= 1.5
    found = numbers(pixels for _, pixels in frames_between(tmp_path / "fast.mp4", Span(start=0, end=99)))
    assert round(made.start * 25) == pytest.approx(found[0], abs=1)


def test_a_gif_has_ten_pictures_a_second(numbered, tmp_path):
    from PIL import Image

    made = write_gif(numbered, Span(start=1, end=2), tmp_path / "a.gif")
    with Image.open(tmp_path / "a.gif") as image:
        assert (made.frames, image.n_frames) == (10, 10)
    with pytest.raises(QueryError, match="at most 60 s"):
        write_gif(numbered, Span(start=0, end=100), tmp_path / "b.gif")


@pytest.fixture(scope="module")
def library(tmp_path_factory, write_talk) -> Library:
    folder = tmp_path_factory.mktemp("talks")
    with pytest.MonkeyPatch.context() as patch:
        for stage in ("SPEECH_MODEL", "OCR", "OBJECTS_MODEL", "TEXT_MODEL", "IMAGE_MODEL"):
            patch.setenv(f"PLAYHEAD_{stage}", "off")
        import html

        write_talk(folder / "a.mp4", [(start, end, html.escape(text)) for start, end, text in SAID])
        library = Library(folder / ".playhead")
        library.index(folder)
    return library


@pytest.mark.parametrize("style", ["srt", "vtt"])
def test_exported_subtitles_read_back_equal(library, tmp_path, style):
    from playhead.tools.media.subtitles.cues import clean_cue, parse_cues

    target = library.export("a.mp4", tmp_path / f"out.{style}")
    cues, _ = parse_cues(target.read_text(encoding="utf-8"), blank_ends=True)
    found = [(one.start, one.end, one.text) for one in cues]
    _, observed = library.observed("a.mp4")
    words = clean_cue if style == "srt" else str  # SubRip cannot escape markup
    assert found == [(one.start, one.end, words(one.text)) for one in observed if one.modality == "speech"]
    assert len(found) == 3


@given(
    st.lists(
        st.tuples(st.floats(0, 36000), st.floats(0.01, 60), st.text(st.characters(categories=["L", "N"]), min_size=1)),
        max_size=5,
    )
)
def test_times_of_subtitles_are_exact_to_a_millisecond(rows):
    evidence = [
        Evidence(
            evidence_id="e", video_id="v", video="/a.mp4", start=start, end=start + length, modality="speech", text=text,
            score=0, source="s",
        )
        for start, length, text in rows
    ]  # fmt: skip
    for text, point in ((srt(evidence), ","), (vtt(evidence), ".")):
        stamps = re.findall(rf"(\d+):(\d\d):(\d\d){re.escape(point)}(\d\d\d)", text)
        seconds = [int(h) * 3600 + int(m) * 60 + int(s) + int(ms) / 1000 for h, m, s, ms in stamps]
        wanted = [edge for one in evidence for edge in (one.start, one.end)]
        assert seconds == pytest.approx(wanted, abs=0.00051)


def test_a_stamp_rounds_over_the_minute():
    assert stamp(59.9996) == "00:01:00.000"
    assert stamp(3599.9999, ",") == "01:00:00,000"


def test_every_format_is_written_and_its_ending_names_it(library):
    (record,) = library.videos()
    made = {style: exported(library, record, style) for style in FORMATS}
    assert all(made.values())
    assert {format_of(Path(f"x{one.ending}")) for one in FORMATS.values()} == set(FORMATS)
    assert b"<b>" not in made["vtt"]
    assert b"<b>" not in made["md"]
    assert b"javascript:alert(1))" not in made["md"]
    rows = json.loads(made["json"])
    assert [row["text"] for row in rows] == [text for *_, text in SAID]
    assert "'=2+3 is a formula" in made["csv"].decode()
    assert made["chapters"].decode().startswith("WEBVTT\n\n00:00:00.000 --> ")
    assert made["youtube"].decode().startswith("0:00 ")
    root = ElementTree.fromstring(made["mkv-chapters"])
    assert root.find(".//ChapterTimeStart").text == "00:00:00.000000000"
    with pytest.raises(QueryError, match="none of the known endings"):
        format_of(Path("x.docx"))


def test_parquet_reads_back(library):
    import pyarrow.parquet as pq

    (record,) = library.videos()
    table = pq.read_table(io.BytesIO(exported(library, record, "parquet")))
    assert table.column("start").to_pylist() == [start for start, *_ in SAID]
    assert table.column("text").to_pylist() == [text for *_, text in SAID]


@pytest.mark.parametrize(("style", "adapter"), [("otio", "otio_json"), ("edl", "cmx_3600")])
def test_an_edit_list_opens_with_its_own_library(library, style, adapter):
    otio = pytest.importorskip("opentimelineio", reason="the extra ui is not installed")
    (record,) = library.videos()
    text = exported(library, record, style, query="budget").decode()
    options = {"rate": 24000 / 1001} if style == "edl" else {}
    timeline = otio.adapters.read_from_string(text, adapter, **options)
    (clip,) = list(timeline.find_clips())
    assert clip.source_range.start_time.to_seconds() == pytest.approx(1.5, abs=0.11)
    assert clip.source_range.duration.to_seconds() == pytest.approx(1.7, abs=0.11)
    if style == "otio":
        assert clip.media_reference.target_url.endswith("/a.mp4")


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [("a.mp4@1-3", 1, 3), ("a.mp4@0:01.5-0:03", 1.5, 3), ("a.mp4@2", 2, 4.9), ("a.mp4@1–2", 1, 2)],
)
def test_moments_are_named_by_times(library, text, start, end):
    named = named_moment(library, text)
    assert (named.span.start, named.span.end) == (start, pytest.approx(end, abs=0.15))


def test_moments_are_named_by_evidence(library):
    found = library.search("budget", 1)[0]
    assert named_moment(library, found.evidence_id).span == found.span


@pytest.mark.parametrize(
    ("text", "error", "words"),
    [
        ("a.mp4", QueryError, "give VIDEO@START-END"),
        ("a.mp4@3-1", QueryError, "the end must be after the start"),
        ("a.mp4@9:00", QueryError, "the video ends at"),
        ("a.mp4@1:2:3:4", QueryError, "is not a time"),
        ("b.mp4@1-2", LibraryError, "names no videos"),
        ("0123456789ab-0123456789ab", LibraryError, "there is no evidence"),
    ],
)
def test_moments_that_do_not_exist_are_explained(library, text, error, words):
    with pytest.raises(error, match=words):
        named_moment(library, text)


def test_a_bundle_has_everything_about_a_stretch(library):
    made = library.moment("a.mp4@1-3", frames=2, crop=Box(left=0.5, top=0, right=1, bottom=1), width=20)
    assert [one.text for one in made.said] == [SAID[0][2], SAID[1][2]]
    assert [(frame.width, frame.wanted) for frame in made.frames] == [(20, 1.5), (20, 2.5)]
    assert all(abs(frame.seconds - frame.wanted) <= 0.1 and not frame.note for frame in made.frames)
    assert made.frames[0].jpeg[:2] == b"\xff\xd8"
    (wanted,) = frames_at(library.path_of(library.videos()[0]), [made.frames[0].seconds])
    assert made.frames[0].seconds == wanted.seconds


def test_a_context_fits_its_budget_and_carries_ids(library):
    text = library.context("What is said about the budget?", 300)
    assert len(text.encode()) / 3 <= 300
    ids = re.findall(r"^\[([0-9a-f-]+)\]", text, re.MULTILINE)
    assert ids
    assert all(library.evidence(one) for one in ids)
    with pytest.raises(QueryError, match="no room"):
        library.context("What is said about the budget?", 85)


def test_a_clip_of_a_library(library, tmp_path):
    made = library.clip("a.mp4@1-2", tmp_path / "b.mp4", subtitles=True)
    assert (made.frames, (tmp_path / "b.mp4").exists()) == (10, True)
    with pytest.raises(QueryError, match="cut exactly"):
        library.clip("a.mp4@1-2", tmp_path / "c.mp4", mode="fast", subtitles=True)
