"""Every frame has its true time and its true pixels, whatever the container; what is no video is refused."""

import json
import os
import random
import re
from bisect import bisect_right
from functools import partial
from itertools import pairwise
from pathlib import Path

import iscc_samples
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from playhead.index.indexing.change_detection import segments
from playhead.tools.errors import MediaError, QueryError, SettingsError
from playhead.tools.media.container import nvdec_error, packet_times
from playhead.tools.media.frames import frames_at, probe, scan
from playhead.tools.media.skimming.skim import skim
from playhead.tools.records import Timeline

from ..fakes import write_pictures
from ..media import HEIGHT, WIDTH, beep, ffmpeg, number_in, numbered, write_media

EVEN = [n / 20 for n in range(60)]
# Frames of 20 ms to 1 s, 120 in 40 s.
UNEVEN = [round(float(t), 3) for t in np.cumsum([0, *np.random.default_rng(0).choice([0.02, 0.04, 0.1, 0.5, 1], 119)])]
B_FRAMES = {"bf": "3", "b-adapt": "0", "g": "24", "preset": "veryfast"}
OPEN_GOP = {"x264-params": "open-gop=1:keyint=24:bframes=3:scenecut=0", "preset": "veryfast"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("videos")


@pytest.fixture(scope="module")
def uneven(folder):
    return write_media(folder / "uneven.mp4", UNEVEN)


@pytest.fixture(scope="module")
def even(folder):
    """Three seconds, 20 frames a second, B-frames, a beep at 2.0."""
    return write_media(folder / "even.mp4", EVEN, options=B_FRAMES, sound=beep(2.0, 3))


def scanned(path, **how):
    """Time and number of every frame."""
    return [(frame.seconds, number_in(frame.load().pixels)) for frame in scan(path, **how)]


def asked(path, seconds, **how):
    return [(frame.seconds, number_in(frame.pixels)) for frame in frames_at(path, seconds, **how)]


def on_screen(truth, seconds):
    """What of (time, number) pairs is on screen at each second: the last that begins at or before it, to 1 ms."""
    times = [time for time, _ in truth]
    return [truth[max(0, bisect_right(times, second + 0.001) - 1)] for second in seconds]


def assert_same(frames, truth):
    assert [number for _, number in frames] == [number for _, number in truth]
    assert [time for time, _ in frames] == pytest.approx([time for time, _ in truth], abs=1e-3)


@pytest.mark.parametrize("stream", [0, 3])
def test_nasa_frames_have_their_published_times(real_data, stream):
    """`pts_time` of torchcodec's test resources; both streams begin at 0, so the times are since the stream's start."""
    video = real_data("videos/nasa.mp4")
    published = json.loads(real_data(f"videos/nasa.stream{stream}.json").read_text())
    truth = [float(frame["pts_time"]) for frame in published]

    assert [frame.seconds for frame in scan(video, stream)] == pytest.approx(truth, abs=1e-3)
    assert [frame.seconds for frame in frames_at(video, truth, stream)] == pytest.approx(truth, abs=1e-3)
    backwards = truth[::-40]
    assert [frame.seconds for frame in frames_at(video, backwards, stream)] == pytest.approx(backwards, abs=1e-3)


@pytest.mark.parametrize(
    ("name", "times", "start", "how"),
    [
        ("even.mp4", EVEN, 0, {}),
        ("b-frames.mp4", EVEN, 0, {"options": B_FRAMES}),
        ("b-frames.ts", UNEVEN, 0, {"options": B_FRAMES}),
        ("uneven.mkv", UNEVEN, 0, {}),
        ("uneven.mov", UNEVEN, 0, {"options": B_FRAMES}),
        ("late.mp4", UNEVEN, 5, {"options": B_FRAMES}),
        ("late.mkv", UNEVEN, 5, {"options": B_FRAMES}),
        ("late.ts", UNEVEN, 6.4, {}),
        ("short.mp4", [0, 0.04, 0.08, 0.12, 0.16], 0, {}),
        ("one.mp4", [0], 0, {}),
    ],
)
def test_scan_and_frames_at_know_each_frame(folder, name, times, start, how):
    video = write_media(folder / f"truth-{name}", [start + time for time in times], **how)
    truth = [(time, number) for number, time in enumerate(times)]

    info = probe(video)
    assert info.video.start == 0  # the timeline starts where the earliest stream does
    assert (info.video.width, info.video.height, info.audio) == (WIDTH, HEIGHT, None)
    assert info.duration == pytest.approx(times[-1] + 1 / 30, abs=0.05)
    assert_same(scanned(video), truth)
    assert_same(asked(video, times), truth)
    assert_same(asked(video, [times[-1] + 99]), truth[-1:])


@settings(max_examples=60)
@given(seconds=st.lists(st.floats(0, 45) | st.sampled_from(UNEVEN), max_size=8))
def test_frames_at_gives_what_is_on_screen(uneven, seconds):
    assert_same(asked(uneven, seconds), on_screen([(t, n) for n, t in enumerate(UNEVEN)], seconds))


def _transcoded(*options):
    def make(target):
        source = write_media(target.with_name(f"source-{target.stem}.mp4"), [n / 8 for n in range(400)])
        ffmpeg("-i", source, *options, target)

    return make


def _written(**how):
    return partial(write_media, times=[n / 8 for n in range(400)], **how)


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("seek.mp4", _written(options=B_FRAMES)),
        ("seek-open.mkv", _written(options=OPEN_GOP)),
        ("seek-open.ts", _written(options=OPEN_GOP)),
        ("seek.flv", _transcoded("-c:v", "flv1", "-g", "24")),
        ("seek.avi", _transcoded("-c:v", "mpeg4", "-g", "24", "-bf", "2")),
        ("seek.ogv", _transcoded("-c:v", "libtheora", "-g", "16")),
        ("seek.webm", _transcoded("-c:v", "libvpx", "-g", "24", "-cpu-used", "8")),
        ("seek.mpg", _transcoded("-r", "25", "-c:v", "mpeg2video", "-g", "24", "-bf", "2")),
    ],
)
def test_a_seek_finds_the_frame_that_a_scan_found(folder, name, make):
    """50 s with long jumps to and fro. An MPEG program stream once gave times 0.1 s off after a seek."""
    video = folder / name
    make(video)
    truth = scanned(video)
    rng = random.Random(0)
    seconds = [rng.uniform(0, truth[-1][0] + 0.3) for _ in range(40)]

    assert {number for _, number in truth} == set(range(400))
    assert asked(video, seconds) == on_screen(truth, seconds)


def test_an_edit_list_hides_what_it_cuts(folder, even):
    video = folder / "cut.mp4"
    ffmpeg("-ss", "1.33", "-i", even, "-c", "copy", video)

    truth = [((number - 27) / 20, number) for number in range(27, 60)]
    assert_same(scanned(video), truth)
    assert_same(asked(video, [1.2, 0.0]), [truth[24], truth[0]])


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_pixels_are_upright(folder, even, degrees):
    """As FFmpeg itself turns them."""
    video, raw = folder / f"turned{degrees}.mp4", folder / f"turned{degrees}.raw"
    ffmpeg("-display_rotation", degrees, "-i", even, "-c", "copy", video)
    ffmpeg("-i", video, "-frames:v", "1", "-pix_fmt", "rgb24", "-f", "rawvideo", raw)

    info = probe(video).video
    frame = next(frames_at(video, [0]))
    assert frame.size == (info.width, info.height) == ((HEIGHT, WIDTH) if degrees % 180 else (WIDTH, HEIGHT))
    shown = np.fromfile(raw, np.uint8).reshape(frame.pixels.shape)
    assert np.abs(frame.pixels.astype(int) - shown).max() < 16
    assert number_in(np.rot90(frame.pixels, -degrees // 90)) == 0


def test_thumbnails_are_the_brightness_of_the_frame(even):
    for decoder in ("pyav", "decord"):
        for frame in list(scan(even, decoder=decoder))[::20]:
            grey = frame.load().pixels.mean(axis=2)
            assert frame.thumbnail.shape == (36, 64)
            # PyAV's is as coded: black is 16, white 235.
            assert frame.thumbnail.mean() == pytest.approx(grey.mean(), abs=17)
            assert frame.thumbnail[2, 2] == pytest.approx(grey[3, 3], abs=24)


# FFmpeg's guess from the bit rate is wrong (14.48 and 0.12 s), or there is none. Decoded: 15.53, 60.04 + 1/24, 60.0 + 1/24.
UNTRUE_HEADERS = {"demo.aac": 15.53, "demo.asf": 60.09, "demo.m1v": 60.08, "demo.swf": 60.04}


@pytest.mark.parametrize("path", [*iscc_samples.videos(), *iscc_samples.audios()], ids=lambda path: path.name)
def test_probe_knows_the_length_of_common_containers(path):
    info = probe(path)

    says = re.search(r"Duration: (\d+):(\d+):([\d.]+)", ffmpeg("-i", path))
    truth = UNTRUE_HEADERS.get(path.name) or int(says[1]) * 3600 + int(says[2]) * 60 + float(says[3])
    assert info.duration == pytest.approx(truth, abs=0.1)
    assert (info.video is not None) == (path.parent.name == "video")
    assert info.audio is not None or path.name in ("demo.gif", "demo.m1v")


def test_pictures_reach_farther_than_a_wrong_header():
    video = next(path for path in iscc_samples.videos() if path.name == "demo.m1v")
    times = [frame.seconds for frame in scan(video)]
    assert (len(times), times[0], times[-1]) == (1441, 0.0, pytest.approx(60.042, abs=1e-3))


def test_length_counts_from_the_earliest_stream(folder):
    """The sound begins 1.25 s before the pictures; that is where players start."""
    for name in ("early.mkv", "early.mp4"):
        video = write_media(folder / name, [1.25 + n / 10 for n in range(30)], sound=beep(2, 3))
        info = probe(video)
        assert info.duration == pytest.approx(4.2, abs=0.05)
        assert (info.video.start, info.video.end) == pytest.approx((1.25, 4.2), abs=0.05)
        assert next(scan(video)).seconds == pytest.approx(1.25, abs=0.001)
        assert [frame.seconds for frame in frames_at(video, [0, 2.0])] == pytest.approx([1.25, 1.95], abs=0.05)


def test_sound_alone_is_no_video(folder):
    track = write_media(folder / "talk.m4a", sound=beep(0.5, 2))

    info = probe(track)
    assert (info.video, info.audio.codec) == (None, "aac")
    assert info.duration == pytest.approx(2.0, abs=0.05)
    for read in (frames_at(track, [0]), scan(track), scan(track, decoder="decord")):
        with pytest.raises(MediaError, match=r"talk\.m4a holds sound but no pictures"):
            next(read)


def test_a_cover_is_no_video(folder):
    song = write_media(folder / "song.mp3", sound=beep(0.5, 2), sound_codec="libmp3lame", cover=True)
    assert "attached pic" in ffmpeg("-i", song)
    assert probe(song).video is None
    with pytest.raises(MediaError, match="no video stream with index 1; it has: none"):
        probe(song, stream=1)


def test_pictures_of_an_unknown_codec_are_left_out_aloud(folder, caplog):
    video = write_media(folder / "known.mp4", EVEN, codec="mpeg4", options={}, sound=beep(0.5, 2))
    strange = folder / "strange.mp4"
    strange.write_bytes(video.read_bytes().replace(b"mp4v", b"zzzz").replace(b"esds", b"zzzz", 1))

    info = probe(strange)
    assert (info.video, info.audio.codec) == (None, "aac")
    assert "unknown to FFmpeg; only its sound is used" in caplog.text
    with pytest.raises(MediaError, match="codec of its stream 0 is unknown"):
        probe(strange, stream=0)
    with pytest.raises(MediaError, match="codec of its stream 0 is unknown"):
        next(scan(strange))


def test_a_wrong_stream_is_answered_with_those_there_are(real_data):
    video = real_data("videos/nasa.mp4")
    for read in (frames_at(video, [0], stream=1), scan(video, stream=7)):
        with pytest.raises(MediaError, match=r"no video stream with index [17]; it has: 0, 3"):
            next(read)


def test_wrong_stream_of_a_made_file(even):
    with pytest.raises(MediaError, match="no video stream with index 1; it has: 0"):
        probe(even, stream=1)


@pytest.mark.parametrize("second", [-0.1, float("nan"), float("inf")])
@pytest.mark.parametrize("decoder", ["pyav", "decord"])
def test_only_seconds_that_can_be_are_asked_for(even, second, decoder):
    frames = frames_at(even, [1.0, second], decoder=decoder)
    assert number_in(next(frames).pixels) == 20
    with pytest.raises(QueryError, match=r"finite seconds ≥ 0, got (-0.1|nan|inf)"):
        next(frames)


def test_a_cut_off_file_gives_what_is_there(folder, even):
    whole, cut = folder / "whole.mp4", folder / "cut-off.mp4"
    ffmpeg("-i", even, "-c", "copy", "-movflags", "faststart", whole)
    cut.write_bytes(whole.read_bytes()[: int(whole.stat().st_size * 0.6)])

    frames = scanned(cut)
    assert 20 < len(frames) < 60
    assert_same(frames, [(time, number) for number, time in enumerate(EVEN)][: len(frames)])
    info = probe(cut)
    assert info.duration == pytest.approx(frames[-1][0], abs=0.15)
    assert info.notes == (f"the header says 3.0 s, the file holds {info.duration:.1f} s: it may be cut off",)
    assert_same(asked(cut, [2.9, 0.5]), [frames[-1], (0.5, 10)])


def test_cut_off_before_the_index_is_no_video(folder, even):
    cut = folder / "no-index.mp4"
    cut.write_bytes(even.read_bytes()[: int(even.stat().st_size * 0.6)])
    with pytest.raises(MediaError, match=r"no-index\.mp4 is not a readable video .* may be incomplete"):
        probe(cut)


def test_a_raw_stream_has_no_times(folder, even):
    raw = folder / "raw.h264"
    ffmpeg("-i", even, "-c:v", "copy", "-an", raw)
    with pytest.raises(MediaError, match=r"no frame with a timestamp .* needs a container"):
        probe(raw)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("junk.mp4", b"These are no pictures. " * 100, "is not a readable video or audio file"),
        ("empty.mp4", b"", r"is empty \(0 bytes\)"),
        ("notes.txt", b"FFmpeg would draw this. " * 100, "is not a readable video or audio file"),
        ("list.mp4", b"ffconcat version 1.0\nfile even.mp4\n", "is a playlist"),
        ("list.m3u8", b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\neven.mp4\n#EXT-X-ENDLIST\n", "is a playlist"),
    ],
)
def test_what_is_no_video_is_refused(folder, even, name, content, says):
    path = folder / name
    path.write_bytes(content)
    for read in (partial(probe, path), lambda: next(frames_at(path, [0])), lambda: next(scan(path))):
        with pytest.raises(MediaError, match=says):
            read()


def test_what_is_not_there_is_refused(folder):
    with pytest.raises(MediaError, match=r"missing\.mp4 does not exist: check the path"):
        probe(folder / "missing.mp4")
    with pytest.raises(MediaError, match="is a folder, not a media file"):
        probe(folder)
    with pytest.raises(MediaError, match="File name too long"):
        probe(folder / f"{'long' * 99}.mp4")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_may_not_be_read_is_refused(folder, even):
    locked = folder / "locked.mp4"
    locked.write_bytes(even.read_bytes())
    locked.chmod(0)
    with pytest.raises(MediaError, match="give yourself read permission"):
        probe(locked)


@pytest.mark.parametrize("name", ["12:30.mp4", "100%d.mp4", "-i.mp4", "größe 大.mp4"])
def test_names_are_names(folder, even, name, monkeypatch):
    monkeypatch.chdir(folder)
    Path(name).write_bytes(even.read_bytes())
    assert probe(Path(name)).duration == pytest.approx(3.0, abs=0.05)


@settings(max_examples=20)
@given(seconds=st.lists(st.floats(0, 45) | st.sampled_from(UNEVEN), max_size=8))
def test_decord_gives_the_same_frames(uneven, seconds):
    assert asked(uneven, seconds, decoder="decord") == asked(uneven, seconds)


def test_decord_scans_the_same_frames(folder, even):
    late = write_media(folder / "decord.mkv", [5 + time for time in UNEVEN], options=B_FRAMES)
    for video in (even, late):
        assert scanned(video, decoder="decord") == scanned(video)
    assert scanned(even, decoder="decord", stream=0) == scanned(even)


def test_decord_turns_as_pyav_does(folder, even):
    video = folder / "decord-turned.mp4"
    ffmpeg("-display_rotation", "90", "-i", even, "-c", "copy", video)
    here, there = (next(frames_at(video, [1.0], decoder=decoder)).pixels for decoder in ("pyav", "decord"))
    assert number_in(np.rot90(there, -1)) == number_in(np.rot90(here, -1)) == 20


def test_decord_refuses_what_it_would_get_wrong(folder, even):
    """It shows the frames that an edit list hides, under the times of others."""
    video = folder / "decord-cut.mp4"
    ffmpeg("-ss", "1.33", "-i", even, "-c", "copy", video)
    with pytest.raises(MediaError, match=r"other frame times .* use decoder='pyav'"):
        next(frames_at(video, [0], decoder="decord"))
    with pytest.raises(MediaError, match=r"decord reads only stream 0 .* not 1: use decoder='pyav'"):
        next(frames_at(even, [0], stream=1, decoder="decord"))


def test_packet_times_need_no_decoding(folder):
    video = write_media(folder / "packets.mkv", [5 + time for time in UNEVEN], options=B_FRAMES)
    assert packet_times(video, 0, Timeline(zero=5.0)) == pytest.approx(UNEVEN, abs=1e-3)


# Skimming: fewer frames, each with its true time and pixels


def skimmed(path, **how):
    return [(frame.seconds, number_in(frame.load().pixels)) for frame in skim(path, **how)]


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("skim.mp4", _written(options=B_FRAMES)),
        ("skim-late.mkv", partial(write_media, times=[5 + n / 8 for n in range(400)], options=B_FRAMES)),
        ("skim-open.mkv", _written(options=OPEN_GOP)),
        ("skim-open.ts", _written(options=OPEN_GOP)),
        ("skim-long.mp4", _written(options={"g": "400", "bf": "2", "sc_threshold": "0", "preset": "ultrafast"})),
        ("skim-short.mp4", _written(options={"g": "4", "bf": "0", "preset": "ultrafast"})),
        ("skim-intra.mp4", _written(options={"g": "1", "bf": "0", "preset": "ultrafast"})),
        ("skim-refresh.mp4", _written(options={"x264-params": "intra-refresh=1:keyint=24:bframes=0:scenecut=0"})),
        ("skim.flv", _transcoded("-c:v", "flv1", "-g", "24")),
        ("skim.avi", _transcoded("-c:v", "mpeg4", "-g", "24", "-bf", "2")),
        ("skim.ogv", _transcoded("-c:v", "libtheora", "-g", "16")),
        ("skim.webm", _transcoded("-c:v", "libvpx", "-g", "24", "-cpu-used", "8")),
        ("skim.mpg", _transcoded("-r", "25", "-c:v", "mpeg2video", "-g", "24", "-bf", "2")),
        ("skim-edit.mp4", _transcoded("-ss", "1.33", "-c:v", "libx264", "-g", "24", "-bf", "2")),
    ],
)
def test_a_skimmed_frame_has_its_time_and_its_pixels(folder, name, make):
    """Each frame of 50 s is another picture: it moves, so there is a frame each 2 s at least, and the first and last."""
    video = folder / name
    make(video)
    truth = scanned(video)
    found = skimmed(video)
    assert set(found) <= set(truth)
    assert found == sorted(found)
    assert (found[0], found[-1]) == (truth[0], truth[-1])
    assert max(b - a for (a, _), (b, _) in pairwise(found)) <= 3.2


def test_an_edit_list_hides_what_it_cuts_from_a_skim_too(folder, even):
    video = folder / "skim-cut.mp4"
    ffmpeg("-ss", "1.33", "-i", even, "-c", "copy", video)
    found = skimmed(video)
    assert set(found) <= set(scanned(video))
    assert (found[0], found[-1]) == (scanned(video)[0], scanned(video)[-1])


@pytest.mark.parametrize("name", ["tos.webm", "vtest.avi", "nasa.mp4", "sam_dog.mp4"])
def test_a_skim_of_real_film_gives_frames_of_it(real_data, name):
    video = real_data(f"videos/{name}")
    truth = {frame.seconds: frame.thumbnail for frame in scan(video)}
    found = list(skim(video))
    assert {frame.seconds for frame in found} <= truth.keys()
    assert all((frame.thumbnail == truth[frame.seconds]).all() for frame in found)
    assert max(b.seconds - a.seconds for a, b in pairwise(found)) <= 2.6


def test_static_frames_are_not_decoded(folder):
    """One picture for 40 s with a keyframe each 2 s, then another: one frame a keyframe until then.

    In the first GOP the packet after the keyframe (70 bytes) stands out from the others (30 to 38), as one edited character
    would: that GOP is decoded.
    """
    slides = [np.kron(numbered(n), np.ones((6, 6, 1), np.uint8)) for n in (5, 900)]
    pictures = [slides[n >= 1000] for n in range(1100)]
    options = {"g": "50", "sc_threshold": "0", "bf": "2", "preset": "veryfast"}
    video = write_pictures(folder / "static.mp4", pictures, [n / 25 for n in range(1100)], fps=25, options=options)
    found = list(skim(video))
    assert {frame.gap for frame in found} == {"seen"}
    later = [frame.seconds for frame in found if 2 <= frame.seconds < 38]
    assert later == [2.0 * n for n in range(1, 19)]
    assert next(frame.seconds for frame in found if number_in(frame.load().pixels[::6, ::6]) == 900) == 40.0


@pytest.mark.parametrize("options", [B_FRAMES, OPEN_GOP, {"g": "4", "bf": "0"}], ids=["b", "open", "short"])
def test_a_skim_is_the_same_on_any_number_of_cores(folder, monkeypatch, options):
    video = write_media(folder / "cores.mkv", [n / 20 for n in range(400)], options=options)
    found = []
    for cores in (1, 2, 5):
        monkeypatch.setenv("OMP_NUM_THREADS", str(cores))
        found.append([(frame.seconds, frame.gap, frame.thumbnail.tobytes()) for frame in skim(video)])
    assert found[0] == found[1] == found[2]


def test_a_cut_that_is_no_keyframe_is_seen_in_what_moves(folder):
    """A pan over noise, 12 s a group; the cut is in its middle. Elsewhere, a frame each 0.4 s: a caption of 0.8 s is seen."""
    noise = np.random.default_rng(0)
    walls = [noise.integers(0, high, (90, 1200, 3)).astype(np.uint8).repeat(2, 0).repeat(2, 1) for high in (256, 60)]
    pictures = [walls[n >= 170][:, 4 * n : 4 * n + 320] for n in range(500)]
    options = {"g": "300", "sc_threshold": "0", "bf": "2", "preset": "veryfast"}
    video = write_pictures(folder / "cut.mp4", pictures, [n / 25 for n in range(500)], fps=25, options=options)
    found = {round(frame.seconds * 25): frame for frame in skim(video)}
    assert {*range(165, 180)} <= found.keys()
    assert {found[n].gap for n in range(166, 180)} == {"seen"}
    before = [n for n in found if n < 160]
    assert [round(n / 10) for n in before] == list(range(16))
    assert {found[n].gap for n in before} == {"seen", "moving"}
    assert [n for n in before if found[n].gap == "seen"] == [0]
    (cut,) = [segment for segment in segments(skim(video), 2.0) if segment.span.start == pytest.approx(170 / 25)]
    assert cut.frame.pixels.mean() < 40


def test_a_group_that_is_too_long_to_hold_is_scanned(folder, monkeypatch):
    video = write_media(folder / "endless.mp4", EVEN, options={"g": "999", "bf": "2", "preset": "ultrafast"})
    monkeypatch.setattr("playhead.tools.media.skimming.gop._MOST_PACKETS", 20)
    assert skimmed(video) == scanned(video)


def test_a_skim_of_a_cut_off_file_gives_what_is_there(folder, even):
    whole, cut = folder / "skim-whole.mp4", folder / "skim-cut-off.mp4"
    ffmpeg("-i", even, "-c", "copy", "-movflags", "faststart", whole)
    cut.write_bytes(whole.read_bytes()[: int(whole.stat().st_size * 0.6)])
    assert set(skimmed(cut)) <= set(scanned(cut))
    assert skimmed(cut)[-1] == scanned(cut)[-1]


def test_a_skim_refuses_what_a_scan_refuses(folder, even):
    (folder / "skim-junk.mp4").write_bytes(b"These are no pictures. " * 100)
    for path, stream, says in (
        (folder / "skim-junk.mp4", None, "is not a readable video"),
        (even, 7, "no video stream with index 7"),
        (folder / "nowhere.mp4", None, "does not exist"),
    ):
        with pytest.raises(MediaError, match=says):
            next(skim(path, stream))


# On an NVIDIA GPU


@pytest.mark.skipif(not nvdec_error(), reason="an NVIDIA GPU decodes here")
def test_without_a_gpu_nvdec_is_refused_and_nothing_takes_its_place(even, tmp_path):
    for frames in (skim(even, on_gpu=True), scan(even, decoder="nvdec")):
        with pytest.raises(SettingsError, match=r"decoder='nvdec' does not decode .*: it needs an NVIDIA GPU"):
            next(frames)
    with pytest.raises(MediaError, match="does not exist"):
        next(skim(tmp_path / "missing.mp4", on_gpu=True))


@pytest.mark.skipif(bool(nvdec_error()), reason="no NVIDIA GPU decodes here")
@pytest.mark.parametrize("name", ["even", "uneven"])
def test_nvdec_gives_the_same_frames(name, request):
    path = request.getfixturevalue(name)
    assert scanned(path, decoder="nvdec") == scanned(path)
