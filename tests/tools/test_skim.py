"""Skimming streams of odd structure: the same frames as a scan gives, and the same edges of static segments."""

import av
import numpy as np
import pytest

from playhead.index.indexing.change_detection import segments
from playhead.tools.media.frames import probe, scan
from playhead.tools.media.skimming.gop import STATIC_SECONDS
from playhead.tools.media.skimming.skim import skim

from ..fakes import write_pictures
from ..media import ffmpeg

FPS, ROWS, COLUMNS = 25, 180, 320
_noise = np.random.default_rng(0)
SLIDES = _noise.integers(0, 2, (40, ROWS // 20, COLUMNS // 20, 1), np.uint8).repeat(20, 1).repeat(20, 2).repeat(3, 3)
WALL = _noise.integers(0, 256, (ROWS // 4, 800, 3), np.uint8).repeat(4, 0).repeat(4, 1)
X264 = {"preset": "veryfast", "crf": "18"}


def slide(number):
    return SLIDES[number] * 200 + 20


def pan(number):
    return np.ascontiguousarray(WALL[:, 3 * number : 3 * number + COLUMNS])


def film(pictures, path, **options):
    times = [n / FPS for n in range(len(pictures))]
    return write_pictures(path, pictures, times, fps=FPS, options={**X264, **options})


def read(frames):
    return {frame.seconds: frame.load().pixels for frame in frames}


def edges(frames, path):
    """The starts and ends of static segments."""
    found = segments(frames, 2.0, probe(path).duration)
    return [(round(segment.span.start, 3), round(segment.span.end, 3)) for segment in found if not segment.moves]


def check(path, monkeypatch, cores=(1, 3)):
    """A skim gives frames that a scan gives, the first and the last among them, on any number of cores."""
    truth, skimmed = read(scan(path)), []
    for number in cores:
        monkeypatch.setenv("OMP_NUM_THREADS", str(number))
        found = read(skim(path))
        assert found.keys() <= truth.keys()
        assert all(np.array_equal(pixels, truth[seconds]) for seconds, pixels in found.items())
        assert (min(found), max(found)) == (min(truth), max(truth))
        skimmed.append(list(found))
    assert skimmed[0] == skimmed[1]


@pytest.mark.parametrize("static_frames", [102, 104, 106, 119])
def test_a_slide_that_ends_near_a_keyframe_ends_there(tmp_path, static_frames, monkeypatch):
    """A keyframe each second; too little of the slide is in the group where it ends to see that it is static."""
    pictures = [slide(0)] * static_frames + [pan(n) for n in range(180)]
    path = film(pictures, tmp_path / "a.mp4", g="25", sc_threshold="0")
    check(path, monkeypatch)
    assert edges(skim(path), path) == edges(scan(path), path) == [(0.0, static_frames / FPS)]


@pytest.mark.parametrize("moves_until", [110, 119, 122, 124])
def test_a_slide_that_begins_near_a_keyframe_begins_there(tmp_path, moves_until):
    """At most as long before as change detection takes to distinguish a shot from a flash."""
    pictures = [pan(n) for n in range(moves_until)] + [slide(0)] * 150
    path = film(pictures, tmp_path / "a.mp4", g="25", sc_threshold="0")
    times = {round(frame.seconds * FPS) for frame in skim(path)}
    assert {moves_until - 1, moves_until, moves_until + 1} <= times
    ((start, end),) = edges(skim(path), path)
    assert moves_until / FPS - STATIC_SECONDS < start <= moves_until / FPS
    assert end == len(pictures) / FPS


@pytest.mark.parametrize("rate", [1, 2, 4])
def test_slides_of_one_frame_each_are_kept(tmp_path, rate):
    pictures = [slide(n) for n in range(20)]
    options = {**X264, "g": "250"}
    path = write_pictures(tmp_path / "a.mp4", pictures, [n / rate for n in range(20)], fps=rate, options=options)
    known = [(n / rate, (n + 1) / rate) for n in range(19)]  # whether the last one is static is not known
    assert edges(skim(path), path) == edges(scan(path), path) == known


def test_packets_that_are_padded_to_one_size_hide_no_slide(tmp_path, monkeypatch):
    pictures = [slide(n // 37) for n in range(222)]
    options = {"b": "600k", "maxrate": "600k", "minrate": "600k", "bufsize": "600k", "g": "50", "bf": "0"}
    path = write_pictures(
        tmp_path / "a.mp4",
        pictures,
        [n / FPS for n in range(222)],
        fps=FPS,
        options={"preset": "veryfast", **options, "x264-params": "nal-hrd=cbr:scenecut=0"},
    )
    with av.open(str(path)) as container:
        sizes = [packet.size for packet in container.demux(video=0) if packet.size and not packet.is_keyframe]
    assert np.median(sizes) > 1000
    check(path, monkeypatch)
    assert edges(skim(path), path) == edges(scan(path), path)
    assert [start for start, _ in edges(skim(path), path)][-3:] == [n * 37 / FPS for n in (3, 4, 5)]


def test_the_last_frame_is_shown_as_long_as_the_one_before(tmp_path):
    """Where the container does not say how long the video is."""
    path = film([slide(0)] * 150, tmp_path / "a.mp4", g="50")
    (segment,) = segments(skim(path), 2.0)
    assert segment.span.end == pytest.approx(6.0)


def test_parameters_that_change_on_the_way_are_followed(tmp_path, monkeypatch):
    """Two films that are joined without encoding again: the second one's parameter sets come with one keyframe only."""
    for name, more in (("a", ""), ("b", ":cabac=0:ref=1:weightp=0:8x8dct=0")):
        params = f"keyint=25:open-gop=1:scenecut=0{more}"
        film([pan(n) for n in range(150)], tmp_path / f"{name}.mp4", **{"x264-params": params})
    (tmp_path / "list.txt").write_text("file a.mp4\nfile b.mp4\n")
    for name in ("joined.mkv", "joined.ts"):
        ffmpeg("-f", "concat", "-i", tmp_path / "list.txt", "-c", "copy", tmp_path / name)
        check(tmp_path / name, monkeypatch)


def test_what_is_shown_before_the_first_keyframe_is_there_and_keeps_the_clock(tmp_path, monkeypatch):
    """H.265 with leading pictures that can be decoded, cut at a keyframe."""
    film([pan(n) for n in range(200)], tmp_path / "a.mp4")
    params = "open-gop=0:radl=3:keyint=25:min-keyint=25:scenecut=0:bframes=4:b-adapt=0:log-level=0"
    encoder = ["-c:v", "libx265", "-preset", "ultrafast", "-x265-params", params]
    ffmpeg("-i", tmp_path / "a.mp4", *encoder, tmp_path / "b.ts")
    cut, keys = tmp_path / "c.ts", 0
    with av.open(str(tmp_path / "b.ts")) as source, av.open(str(cut), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            keys += packet.is_keyframe
            if packet.size and keys >= 4:
                packet.stream = stream
                target.mux(packet)
    assert min(read(scan(cut))) == 0.0
    check(cut, monkeypatch)


def test_av1_is_the_same_on_any_number_of_cores(tmp_path, monkeypatch):
    film([pan(n) if n % 150 > 50 else slide(0) for n in range(250)], tmp_path / "a.mp4")
    encoder = ["-c:v", "libsvtav1", "-preset", "12", "-g", "60"]
    printed = ffmpeg("-i", tmp_path / "a.mp4", *encoder, tmp_path / "b.mp4")
    if "Unknown encoder" in printed:
        pytest.skip("this FFmpeg cannot encode AV1")
    check(tmp_path / "b.mp4", monkeypatch)
