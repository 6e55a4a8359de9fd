"""One clock for a file: what restarts or jumps is placed where players place it, and reported."""

from itertools import pairwise

import av
import numpy as np
import pytest

from playhead.tools.media.audio import RATE, audio_blocks, whole_track
from playhead.tools.media.container import decode_audio, open_media
from playhead.tools.media.frames import frames_at, scan
from playhead.tools.media.scanned_frames import held_to_end
from playhead.tools.media.skimming.skim import skim
from playhead.tools.media.streams import probe
from playhead.tools.media.timeline import timeline_of
from playhead.tools.records import Frame, Segment, Span, VideoInfo, VideoStream

from ..media import HEIGHT, WIDTH, beep, ffmpeg, number_in, write_media

PART = [n / 10 for n in range(40)]  # four seconds


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("timelines")


def part(path, first, start=0.0, *, at=1.0):
    """Four seconds of pictures that carry the numbers from `first` on, with a beep, from second `start` of the clock."""
    return write_media(path, [start + time for time in PART], first=first, sound=beep(at, 4), sound_start=start)


def joined(path, *parts):
    path.write_bytes(b"".join(one.read_bytes() for one in parts))
    return path


def onsets(samples):
    loud = np.flatnonzero(np.abs(samples) > 0.05)
    starts = [loud[0], *(b for a, b in pairwise(loud) if b - a > RATE / 20)]
    return [float(at / RATE) for at in starts]


@pytest.fixture(scope="module", params=["restarts", "jumps an hour", "goes on"])
def two_parts(request, folder):
    second = {"restarts": 1.5, "jumps an hour": 3600.0, "goes on": 5.5}[request.param]
    name = request.param.replace(" ", "-")
    a, b = part(folder / f"a-{name}.ts", 0, 1.5), part(folder / f"b-{name}.ts", 100, second)
    return request.param, joined(folder / f"{name}.ts", a, b)


def test_two_recordings_follow_each_other(two_parts):
    name, path = two_parts
    info = probe(path)
    assert info.duration == pytest.approx(8.0, abs=0.2)
    frames = [(round(frame.seconds, 1), number_in(frame.load().pixels)) for frame in scan(path)]
    assert [number for _, number in frames] == [*range(40), *range(100, 140)]
    assert [second for second, _ in frames] == pytest.approx([*PART, *(4 + time for time in PART)], abs=0.15)
    assert len(info.notes) == (name != "goes on")
    if info.notes:
        assert {"restarts": "restarts at 00:00:04", "jumps an hour": "jumps ahead by 3594 s at 00:00:04"}[
            name
        ] in info.notes[0]


def test_sound_stays_with_its_pictures(two_parts):
    _, path = two_parts
    assert onsets(whole_track(probe(path))) == pytest.approx([1.0, 5.0], abs=0.15)


def test_all_packets_of_the_second_part_are_placed(two_parts):
    """Only the first of several audio frames in a packet of MPEG-TS knows its byte."""
    _, path = two_parts
    timeline = timeline_of(path)
    with open_media(path) as file:
        seconds = [second for second, _ in decode_audio(file, file.streams.audio[0].index, timeline)]
    assert min(b - a for a, b in pairwise(seconds)) > -0.05  # priming overlaps
    assert seconds[-1] == pytest.approx(8.0, abs=0.2)


def test_frames_are_found_on_both_sides(two_parts):
    _, path = two_parts
    asked = [7.55, 0.25, 5.05, 3.05]
    assert [number_in(frame.pixels) for frame in frames_at(path, asked)] == pytest.approx([135, 2, 110, 30], abs=1)


def test_skimming_covers_both(two_parts):
    _, path = two_parts
    seconds = [frame.seconds for frame in skim(path, sample_seconds=0.5)]
    assert min(b - a for a, b in pairwise(seconds)) > -0.05  # priming overlaps
    assert seconds[-1] == pytest.approx(7.9, abs=0.2)


def test_a_clock_that_restarts_twice(folder):
    parts = [part(folder / f"three-{n}.ts", 100 * n, 1.5) for n in range(3)]
    path = joined(folder / "three.ts", *parts)
    assert probe(path).duration == pytest.approx(12, abs=0.3)
    assert len(timeline_of(path).joints) == 2
    assert [number_in(frame.pixels) for frame in frames_at(path, [1.05, 5.3, 9.4])] == pytest.approx(
        [10, 112, 212], abs=2
    )


def test_program_streams_that_are_joined(folder):
    """VOB: what a DVD recorder makes."""
    for n in range(2):
        film = write_media(folder / f"vob-{n}.mkv", PART, first=100 * n, sound=beep(1, 4))
        ffmpeg(
            "-i", film, "-c:v", "mpeg2video", "-q:v", "2", "-r", "25", "-c:a", "mp2", "-f", "vob", folder / f"{n}.vob"
        )
    path = joined(folder / "both.vob", folder / "0.vob", folder / "1.vob")
    assert probe(path).duration == pytest.approx(8, abs=0.5)
    assert onsets(whole_track(probe(path))) == pytest.approx([1.0, 5.0], abs=0.3)


def test_chained_ogg(folder):
    for n in range(2):
        ffmpeg("-i", write_media(folder / f"chain-{n}.wav", sound=beep(0.5 + n / 2, 3), sound_codec="pcm_s16le"),
               "-c:a", "libvorbis", folder / f"{n}.ogg")  # fmt: skip
    path = joined(folder / "chain.ogg", folder / "0.ogg", folder / "1.ogg")
    assert onsets(whole_track(probe(path))) == pytest.approx([0.5, 4.0], abs=0.1)


def test_a_false_timestamp_is_not_hours(folder):
    """One packet says that it is ten hours later."""
    path = folder / "false.mkv"
    with av.open(str(path), "w") as out:
        track = out.add_stream("pcm_s16le", rate=48_000, layout="mono")
        for number in range(200):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 960), np.int16), format="s16", layout="mono")
            frame.sample_rate, frame.pts = 48_000, 960 * number + (36_000 * 48_000 if number == 199 else 0)
            for packet in track.encode(frame):
                out.mux(packet)
    info = probe(path)
    assert info.duration == pytest.approx(4.0, abs=0.1)
    assert sum(len(block.samples) for block in audio_blocks(info)) == pytest.approx(4 * RATE, rel=0.05)
    assert any("jumps ahead by 36000 s" in note for note in info.notes)


def test_a_recorder_that_sends_a_frame_a_minute_is_believed(folder):
    path = write_media(folder / "slow.mkv", [0, 60, 120, 121])
    info = probe(path)
    assert (info.notes, info.duration) == ((), pytest.approx(121, abs=1))
    assert [round(frame.seconds) for frame in scan(path)] == [0, 60, 120, 121]


def test_fragments_without_an_edit_list_start_at_zero(folder):
    """Reordered pictures of a fragmented MP4 seem late by some frames."""
    film = write_media(folder / "whole.mp4", PART, options={"g": "10", "bf": "2"}, sound=beep(1, 4))
    made = folder / "fragments.mp4"
    ffmpeg("-i", film, "-c", "copy", "-movflags", "frag_keyframe+empty_moov+default_base_moof", made)
    assert next(scan(made)).seconds == pytest.approx(0, abs=0.05)
    assert [number_in(frame.pixels) for frame in frames_at(made, [2.05])] == [20]


def segment(start, end):
    return Segment(Span(start=start, end=end), Frame(start, np.zeros((2, 2, 3), np.uint8)))


@pytest.mark.parametrize(("video_end", "expected"), [(5.5, 40.0), (30.0, 5.5)])
def test_the_last_frame_is_held_as_long_as_the_sound_goes_on(tmp_path, video_end, expected):
    """Not where the pictures are damaged: packets go on until second 30, frames end at 5.5."""
    video = VideoStream(index=0, codec="h264", width=WIDTH, height=HEIGHT, rotation=0, start=0, end=video_end)
    info = VideoInfo(path=tmp_path / "a.mp4", format="mp4", duration=40.0, video=video, audio=None)
    spans = [one.span for one in held_to_end([segment(0, 5), segment(5, 5.5)], info)]
    assert spans == [Span(start=0, end=5), Span(start=5, end=expected)]
