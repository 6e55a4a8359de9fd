"""Change detection: the segments of a video, each from its start to its end."""

import math
from dataclasses import replace
from itertools import pairwise

import av
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageFont

from playhead.index.indexing.change_detection import RecentSegments, segments
from playhead.tools.media.frames import probe, scan
from playhead.tools.media.scanned_frames import ScannedFrame
from playhead.tools.media.skimming.comparison import THUMBNAIL_SIZE
from playhead.tools.media.skimming.gop import STATIC_SECONDS
from playhead.tools.media.skimming.skim import skim
from playhead.tools.records import Frame, Segment, Span

from ..fakes import write_pictures
from ..media import number_in, numbered, write_media

COLUMNS, ROWS = THUMBNAIL_SIZE


def scanned(seconds, brightness):
    """A frame of one brightness, or of a whole thumbnail's; its pixels are that thumbnail."""
    thumbnail = np.zeros((ROWS, COLUMNS), np.uint8)
    thumbnail[:] = brightness
    return ScannedFrame(seconds, thumbnail, lambda: Frame(seconds, np.repeat(thumbnail[..., None], 3, axis=2)))


def spans(found):
    return [(round(segment.span.start, 6), round(segment.span.end, 6)) for segment in found]


def brightness(segment):
    return int(segment.frame.pixels.mean())


films = st.lists(
    st.tuples(st.one_of(st.just(0.04), st.floats(0.001, 3.0)), st.sampled_from([0, 4, 9, 12, 100, 104, 255])),
    min_size=1,
    max_size=120,
)


@settings(max_examples=200)
@given(films, st.floats(0.1, 5.0), st.one_of(st.just(math.inf), st.floats(0.0, 200.0)))
@example([(0.04, 0)], 2.0, math.inf)
@example([(0.04, 0), (3.0, 255)], 2.0, 0.0)
def test_spans_are_gapless_and_hold_their_frame(film, sample_seconds, ends_at):
    times = np.cumsum([gap for gap, _ in film]).tolist()
    found = list(segments((scanned(t, b) for t, (_, b) in zip(times, film, strict=True)), sample_seconds, ends_at))
    assert found[0].span.start == times[0]
    assert all(a.span.end == b.span.start for a, b in pairwise(found))
    assert {segment.span.start for segment in found} <= set(times)
    shown = dict(zip(times, (b for _, b in film), strict=True))
    for segment in found:
        assert segment.span.start <= segment.frame.seconds < segment.span.end
        assert brightness(segment) == shown[segment.frame.seconds]
    last = found[-1].span.end
    assert last > times[-1]
    assert last <= times[-1] + (times[-1] - times[-2] if len(times) > 1 else 0.04) + 1e-9
    if times[-1] < ends_at < last:
        pytest.fail("the last segment outlasts the container")
    shortest = min(STATIC_SECONDS, sample_seconds)
    assert all(segment.span.duration >= shortest - 1e-9 for segment in found[:-1])


@settings(max_examples=50)
@given(st.lists(st.integers(8, 60), min_size=1, max_size=12), st.integers(0, 2**32 - 1), st.sampled_from([10, 25, 60]))
def test_slides_are_cut_at_the_frame(lengths, seed, fps):
    """Slides of a third of a second and more, with noise of a level: one segment each, from its first frame on."""
    lengths = [max(length, round(0.3 * fps) + 1) for length in lengths]
    noise = np.random.default_rng(seed)
    slides = [noise.integers(0, 256, (ROWS, COLUMNS)).astype(int) for _ in lengths]
    numbers = [number for number, length in enumerate(lengths) for _ in range(length)]
    frames = [
        scanned(n / fps, np.clip(slides[number] + noise.integers(-1, 2, (ROWS, COLUMNS)), 0, 255))
        for n, number in enumerate(numbers)
    ]
    edges = [0, *np.cumsum(lengths).tolist()]
    assert spans(segments(frames, 2.0)) == [(round(a / fps, 6), round(b / fps, 6)) for a, b in pairwise(edges)]


def test_a_real_video_keeps_its_cuts(tmp_path):
    """Slides from 0, 1.2 and 2.04 s on, at 25 frames a second."""
    times = [n / 25 for n in range(75)]
    slides = [numbered(n) for n in (0, 341, 1023)]
    shown = [slides[(t >= 1.2) + (t >= 2.04)] for t in times]
    found = list(segments(scan(write_pictures(tmp_path / "a.mp4", shown, times, fps=25)), 2.0))
    assert spans(found) == [(0.0, 1.2), (1.2, 2.04), (2.04, 3.0)]
    assert [number_in(segment.frame.pixels) for segment in found] == [0, 341, 1023]


@pytest.mark.parametrize(("period", "most"), [(1, 7), (2, 7), (3, 40), (5, 40)])
def test_a_strobe_is_sampled(period, most):
    """Black and white in turn, for 10 s: never more than a segment each quarter of a second."""
    frames = [scanned(n / 25, 255 * (n // period % 2)) for n in range(250)]
    found = list(segments(frames, 2.0))
    assert 5 <= len(found) <= most
    assert min(segment.span.duration for segment in found[:-1]) >= STATIC_SECONDS
    assert max(segment.span.duration for segment in found) <= 2.1


def test_slow_blinking_gives_a_segment_each():
    frames = [scanned(n / 25, 255 * (n // 10 % 2)) for n in range(50)]
    assert spans(segments(frames, 2.0)) == [(0.0, 0.4), (0.4, 0.8), (0.8, 1.2), (1.2, 1.6), (1.6, 2.0)]


def test_noise_starts_no_segment():
    noise = np.random.default_rng(0)
    frames = [scanned(n / 25, noise.integers(97, 104, (ROWS, COLUMNS))) for n in range(200)]
    assert spans(segments(frames, 2.0)) == [(0.0, 8.0)]


@pytest.mark.parametrize("seconds", [0.4, 1.0, 3.0])
def test_a_fade_ends_with_the_settled_picture(seconds):
    """From black to a picture, which is static for 2 s."""
    settled = np.random.default_rng(0).integers(60, 256, (ROWS, COLUMNS))
    steps = round(seconds * 25)
    frames = [scanned(n / 25, settled * min(1.0, n / steps)) for n in range(steps + 50)]
    found = list(segments(frames, 2.0))
    last = found[-1]
    assert np.abs(last.frame.pixels[..., 0].astype(int) - settled).max() <= 10
    assert last.frame.seconds >= seconds - 0.1
    assert found[-1].span.end == pytest.approx(seconds + 2.0)


def test_a_moving_picture_is_sampled():
    """A pan over a random wall at 25 frames a second: a segment each 2 s."""
    wall = np.random.default_rng(0).integers(0, 256, (ROWS, 1000))
    frames = [scanned(n / 25, wall[:, n : n + COLUMNS]) for n in range(250)]
    assert spans(segments(frames, 2.0)) == [(0.0, 2.0), (2.0, 4.0), (4.0, 6.0), (6.0, 8.0), (8.0, 10.0)]


def test_a_cut_in_a_moving_picture_is_found_at_its_frame():
    """Two pans; the second is brighter and begins at 3.28 s."""
    noise = np.random.default_rng(0)
    dark, bright = noise.integers(0, 60, (ROWS, 1000)), noise.integers(180, 256, (ROWS, 1000))
    frames = [scanned(n / 25, (dark if n < 82 else bright)[:, n : n + COLUMNS]) for n in range(160)]
    assert (3.28, 5.28) in spans(segments(frames, 2.0))


def test_frames_that_come_only_when_the_screen_changes():
    """A screen recording with variable frame rate: each change is its own segment, also a small one after a second."""
    pages = []
    for line in range(4):
        page = np.full((ROWS, COLUMNS), 250)
        page[2 : 2 + 3 * line, 5:40] = 220
        pages.append(page)
    times = [0.0, 1.0, 2.5, 12.0]
    found = list(segments([scanned(t, page) for t, page in zip(times, pages, strict=True)], 2.0, ends_at=13.0))
    assert spans(found) == [(0.0, 1.0), (1.0, 2.5), (2.5, 12.0), (12.0, 13.0)]
    assert [segment.frame.seconds for segment in found] == times


def test_the_last_segment_ends_where_the_container_says():
    frames = [scanned(t, b) for t, b in ((0, 0), (10, 100), (20, 200))]
    assert spans(segments(frames, 2.0)) == [(0, 10), (10, 20), (20, 30)]
    assert spans(segments(frames, 2.0, ends_at=20.5)) == [(0, 10), (10, 20), (20, 20.5)]
    assert spans(segments(frames, 2.0, ends_at=7.0)) == [(0, 10), (10, 20), (20, 30)]


def test_a_picture_that_comes_back_is_known():
    """Eight others ago at most; and one that differs by a line of text is the same picture."""
    noise = np.random.default_rng(0)
    pictures = [noise.integers(0, 256, (90, 160, 3), np.uint8) for _ in range(10)]
    recent = RecentSegments()

    def same_as(number, second, extra=0):
        picture = pictures[number].copy()
        picture[:5, :20] = np.clip(picture[:5, :20].astype(int) + extra, 0, 255)
        return recent.same_as(Segment(Span(start=second, end=second + 1), Frame(second, picture)))

    assert [same_as(n, n) for n in range(8)] == [None] * 8
    assert [same_as(n, 10 + n) for n in (0, 7, 0)] == [0, 7, 0]
    assert same_as(3, 20, extra=4) == 3
    assert same_as(3, 21, extra=60) == 3  # a line of text makes no other picture
    assert same_as(8, 22) is None
    assert same_as(1, 23) is None
    assert same_as(0, 24) == 0


def deck(seed):
    """Slides of 0.3 to 5 s with lines of 14 to 30 pixels in 640x360, some that only add a line, at 30 frames a second."""
    dice = np.random.default_rng(seed)
    pictures, edges = [], []
    picture = None
    for _ in range(24):
        if picture is None or dice.random() < 0.7:
            picture = Image.new("RGB", (640, 360), tuple(int(level) for level in dice.choice([20, 120, 245], 3)))
            row = 0
        draw, font = ImageDraw.Draw(picture), ImageFont.load_default(int(dice.integers(14, 31)))
        ink = (250, 250, 250) if np.mean(picture.getpixel((5, 5))) < 100 else (10, 10, 10)
        draw.text((40, 20 + 40 * row), f"the number is {dice.integers(1000, 9999)}", fill=ink, font=font)
        row = (row + 1) % 8
        edges.append(len(pictures) / 30)
        pictures += [np.asarray(picture).copy()] * int(dice.choice([9, 12, 20, 60, 150]))
    return pictures, edges


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    "options",
    [
        {"preset": "veryfast"},
        {"preset": "ultrafast", "g": "250", "crf": "30"},  # no keyframes at cuts
        {"preset": "veryfast", "g": "60", "sc_threshold": "0", "bf": "3", "crf": "18"},
    ],
    ids=["cuts", "no-cuts", "regular"],
)
def test_a_skim_loses_no_slide_and_no_edge(tmp_path, seed, options):
    """As every frame decoded: slides that are shorter than the distance of keyframes included."""
    pictures, edges = deck(seed)
    path = write_pictures(
        tmp_path / "deck.mp4", pictures, [n / 30 for n in range(len(pictures))], fps=30, options=options
    )
    duration = probe(path).duration
    found = list(segments(skim(path), 2.0, duration))
    assert spans(found) == spans(segments(scan(path), 2.0, duration))
    assert [segment.span.start for segment in found] == pytest.approx(edges, abs=1e-3)
    assert not any(segment.moves for segment in found)
    for segment in found:
        shown = pictures[round(segment.frame.seconds * 30)]
        assert np.abs(segment.frame.pixels.astype(int) - shown).mean() < 4


def test_after_a_gap_another_picture_is_a_new_segment():
    """Keyframes of shots of a second, unseen between: one segment a shot, each sampled."""
    noise = np.random.default_rng(0)
    shots = [noise.integers(0, 256, (ROWS, COLUMNS)) for _ in range(4)]
    frames = [replace(scanned(float(n), shot), gap="seen" if n == 0 else "unseen") for n, shot in enumerate(shots)]
    found = list(segments(frames, 2.0, ends_at=4.0))
    assert spans(found) == [(0, 1), (1, 2), (2, 3), (3, 4)]
    assert [segment.frame.seconds for segment in found] == [0, 1, 2, 3]
    assert all(segment.moves for segment in found)


def test_the_same_picture_after_a_gap_is_not_static():
    """The frames between were not decoded."""
    frames = [replace(scanned(2.0 * n, 100), gap="seen" if n == 0 else "unseen") for n in range(4)]
    (segment,) = segments(frames, 2.0)
    assert (segment.span.start, segment.moves) == (0, True)


def test_samples_of_motion_are_neither_static_nor_shot_boundaries():
    """Half a second apart: each is on screen for a moment only, and unlike the one before."""
    wall = np.random.default_rng(0).integers(0, 256, (ROWS, 2000))
    frames = [replace(scanned(n / 2, wall[:, 80 * n : 80 * n + COLUMNS]), gap="moving") for n in range(18)]
    found = list(segments(frames, 2.0))
    assert [(segment.span.start, segment.frame.seconds) for segment in found] == [
        (n, n + 1.5) for n in (0, 2, 4, 6)
    ] + [(8, 8.5)]
    assert all(segment.moves for segment in found)


def test_a_static_picture_is_distinguished_from_a_moving_one():
    wall = np.random.default_rng(0).integers(0, 256, (ROWS, 1000))
    pan = [scanned(n / 25, wall[:, n : n + COLUMNS]) for n in range(100)]
    slide = [scanned(4 + n / 25, 30) for n in range(50)]
    assert [(segment.span.start, segment.moves) for segment in segments(pan + slide, 2.0)] == [
        (0, True),
        (2, True),
        (4, False),
    ]


def test_nothing_comes_from_nothing():
    assert list(segments([], 2.0)) == []


def page(lines, size=18, ink=(40, 40, 40), paper=(245, 245, 245)):
    picture = Image.new("RGB", (1280, 720), paper)
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(size)
    for row, line in enumerate(lines):
        draw.text((80, 100 + 40 * row), line, fill=ink, font=font)
    return np.asarray(picture)


@pytest.mark.parametrize(("size", "crf"), [(14, "20"), (18, "28"), (24, "23")])
def test_one_changed_digit_opens_a_segment(tmp_path, size, crf):
    """In 720p, compressed: 310 becomes 810 at 1.2 s, and nothing else changes; the table says why."""
    before, after = (
        page(["Annual plan", f"The budget is {budget} EUR", "approved"], size=size) for budget in (310, 810)
    )
    times = [n / 10 for n in range(30)]
    shown = [before if t < 1.2 else after for t in times]
    path = write_pictures(tmp_path / "plan.mp4", shown, times, fps=10, options={"crf": crf, "preset": "veryfast"})
    decisions = []
    found = list(segments(skim(path), 2.0, probe(path).duration, decisions.append))
    assert spans(found) == [(0.0, 1.2), (1.2, 3.0)]
    (kept,) = [one for one in decisions[1:] if one.kept]
    assert (round(kept.seconds, 3), kept.reason) == (1.2, "text changed")
    assert kept.levels > kept.threshold
    assert kept.picture_levels <= 10


@pytest.mark.parametrize("starts", [(1.0, 3.3, 5.9), (1.84, 3.92, 5.96), (1.88, 4.04, 6.2)])
def test_a_caption_over_a_moving_picture_has_a_sample_that_shows_it(tmp_path, starts):
    """Captions of 0.8 s each over a camera that pans, some just before a sample's end: a keyframe lies in each."""
    wall = np.kron(np.random.default_rng(0).integers(60, 160, (45, 400, 3), np.uint8), np.ones((8, 8, 1), np.uint8))
    font, pictures = ImageFont.load_default(28), []
    captions = list(zip(starts, ("first words", "other words", "last"), strict=True))
    for n in range(200):
        picture = Image.fromarray(np.ascontiguousarray(wall[:, 6 * n : 6 * n + 640]))
        for start, text in captions:
            if start <= n / 25 < start + 0.8:
                ImageDraw.Draw(picture).text((240, 310), text, "white", font, stroke_width=2, stroke_fill="black")
        pictures.append(np.asarray(picture))
    path = write_pictures(tmp_path / "a.mp4", pictures, [n / 25 for n in range(200)], fps=25, options={"g": "250"})
    seconds = [segment.frame.seconds for segment in segments(skim(path), 2.0, probe(path).duration)]
    assert all(any(start <= second < start + 0.8 for second in seconds) for start, _ in captions), seconds


@pytest.mark.parametrize(
    ("ink", "paper"),
    [((40, 40, 40), (245, 245, 245)), ((230, 230, 230), (20, 20, 30)), ((120, 120, 120), (255, 255, 255))],
)
def test_a_line_of_small_text_starts_a_segment(tmp_path, ink, paper):
    """18 pixels high in 720p, compressed: the line that appears at 1.2 s starts a segment at that frame."""
    before = page(["Quarterly results"], ink=ink, paper=paper)
    after = page(["Quarterly results", "Revenue grew by 12 per cent"], ink=ink, paper=paper)
    times = [n / 10 for n in range(30)]
    path = write_pictures(tmp_path / "talk.mp4", [before if t < 1.2 else after for t in times], times, fps=10)
    found = list(segments(scan(path), 2.0, probe(path).duration))
    assert spans(found) == [(0.0, 1.2), (1.2, 3.0)]
    assert np.abs(found[1].frame.pixels.astype(int) - after).mean() < 3


def test_keyframes_of_a_real_file_show_what_was_shown(tmp_path):
    """Pictures at uneven times: each segment's own number is of the frame on screen at its second."""
    times = [0, 0.5, 1.5, 1.54, 1.58, 4.0, 9.0, 9.5]
    path = write_media(tmp_path / "uneven.mkv", times)
    found = list(segments(scan(path), 2.0, probe(path).duration))
    for segment in found:
        assert times[number_in(segment.frame.pixels)] == pytest.approx(segment.frame.seconds, abs=0.001)
    assert [segment.span.start for segment in found] == pytest.approx([0, 0.5, 1.5, 4.0, 9.0, 9.5], abs=0.001)


def test_a_change_in_nearly_empty_packets_starts_a_segment_at_its_frame(tmp_path):
    """One digit of small text changes; x264 at crf 33 stores it in packets as small as those of an unchanged slide."""
    digits, changes = "3851592", [17, 30, 43, 56, 69, 82]
    font = ImageFont.load_default(14)
    with av.open(str(tmp_path / "slide.mp4"), "w") as out:
        stream = out.add_stream("libx264", rate=10, options={"crf": "33", "g": "250", "preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = 1920, 1080, "yuv420p"
        for number in range(110):
            digit = digits[sum(number >= change for change in changes)]
            slide = Image.new("RGB", (1920, 1080), (250, 250, 245))
            for row in range(27):
                line = f"quarterly revenue total {row * 37} orders shipped number {digit if row == 3 else 4}21"
                ImageDraw.Draw(slide).text((60, 20 + row * 36), line, fill=(30, 30, 40), font=font)
            out.mux(stream.encode(av.VideoFrame.from_image(slide)))
        out.mux(stream.encode(None))
    starts = [segment.span.start for segment in segments(skim(tmp_path / "slide.mp4"), 2.0, 11.0)]
    assert starts == pytest.approx([0.0, 1.7, 3.0, 4.3, 5.6, 6.9, 8.2], abs=0.01)
