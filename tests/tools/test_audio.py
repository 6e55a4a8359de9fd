"""Sound lies where it sounds: a beep is heard at its true second on the clock of the pictures."""

from itertools import pairwise

import numpy as np
import pytest

from playhead.tools.media.audio import RATE, sound_blocks
from playhead.tools.media.frames import probe

from ..media import beep, ffmpeg, write_media

PICTURES = [n / 10 for n in range(40)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("sounds")


def heard(path):
    return np.concatenate(list(sound_blocks(probe(path))))


def onsets(samples):
    """Seconds where a tone begins after at least 50 ms of silence."""
    loud = np.flatnonzero(np.abs(samples) > 0.05)
    return [
        float(loud[0] / RATE),
        *(float(b / RATE) for a, b in pairwise(loud) if b - a > RATE / 20),
    ]


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("talk.m4a", "aac"),
        ("talk.mp3", "libmp3lame"),
        ("talk.ogg", "libopus"),
        ("talk.flac", "flac"),
        ("talk.wav", "pcm_s16le"),
    ],
)
def test_a_track_alone_begins_at_its_own_start(folder, name, codec):
    samples = heard(write_media(folder / name, sound=beep(0.7, 2), sound_codec=codec))
    assert samples.dtype == np.float32
    assert onsets(samples) == pytest.approx([0.7], abs=0.005)
    assert len(samples) / RATE == pytest.approx(2, abs=0.03)


@pytest.mark.parametrize("name", ["clip.mp4", "clip.mov", "clip.mkv", "clip.ts"])
@pytest.mark.parametrize(
    ("pictures_start", "sound_start"),
    [(0, 0), (0, 1.25), (1.25, 0), (5, 5.5)],
    ids=["even", "later", "earlier", "late"],
)
def test_a_beep_is_heard_at_its_second_of_the_picture(folder, name, pictures_start, sound_start):
    video = write_media(
        folder / f"{pictures_start}-{sound_start}-{name}",
        [pictures_start + time for time in PICTURES],
        sound=beep(1.7, 3),
        sound_start=sound_start,
    )
    assert onsets(heard(video)) == pytest.approx([1.7 + sound_start - pictures_start], abs=0.005)


def test_a_gap_is_silent_and_blocks_stay_small(folder):
    """Two seconds of sound, 90 s apart: nobody holds 90 s at once, and the second beep keeps its second."""
    with_gap = folder / "gap.ts"
    with_gap.write_bytes(
        write_media(folder / "before.ts", PICTURES, sound=beep(0.5, 1)).read_bytes()
        + write_media(folder / "after.ts", [90], sound=beep(0.25, 1), sound_start=90).read_bytes()
    )
    blocks = list(sound_blocks(probe(with_gap)))
    samples = np.concatenate(blocks)
    assert max(map(len, blocks)) < 61 * RATE
    assert onsets(samples) == pytest.approx([0.5, 90.25], abs=0.005)
    assert not samples[2 * RATE : 90 * RATE].any()


def test_what_would_sound_twice_is_left_out(folder):
    """Timestamps that jump back by half a second, as in joined recordings that overlap."""
    merge_detections = folder / "joined.ts"
    merge_detections.write_bytes(
        write_media(folder / "first.ts", PICTURES, sound=beep(0.2, 2)).read_bytes()
        + write_media(folder / "second.ts", [4], sound=beep(1.1, 2), sound_start=1.5).read_bytes()
    )
    assert onsets(heard(merge_detections)) == pytest.approx([0.2, 2.6], abs=0.005)


def test_a_track_may_change_its_shape(folder):
    """A broadcast that goes from stereo at 48 kHz to surround at 32 kHz."""
    source = write_media(folder / "source.wav", sound=beep(0.7, 2), sound_codec="pcm_s16le")
    ffmpeg("-i", source, "-ac", "2", folder / "stereo.ac3")
    ffmpeg("-i", source, "-ac", "6", "-ar", "32000", folder / "surround.ac3")
    both = folder / "both.ac3"
    both.write_bytes((folder / "stereo.ac3").read_bytes() + (folder / "surround.ac3").read_bytes())
    # AC-3 as such carries no times: its 256 samples of encoder delay stay, and the last frame is filled up.
    assert onsets(heard(both)) == pytest.approx([0.7, 2.016 + 0.7], abs=0.01)


@pytest.mark.parametrize("rate", [8000, 16000, 44100, 48000])
def test_no_sample_is_lost_at_the_end(folder, rate):
    """The tone sounds to the end; 16 kHz mono float needs no resampling at all, the others hold samples back."""
    track = folder / f"{rate}.wav"
    ffmpeg("-f", "lavfi", "-i", f"sine=1000:sample_rate={rate}:duration=1.5", "-c:a", "pcm_f32le", track)
    samples = heard(track)
    assert abs(len(samples) - 1.5 * RATE) <= 2
    assert np.abs(samples[-RATE // 100 :]).max() == pytest.approx(0.125, abs=0.01)


def test_channels_are_averaged(folder):
    """A tone on the left alone is half as loud."""
    track = folder / "left.wav"
    ffmpeg("-f", "lavfi", "-i", "aevalsrc=0.8*sin(2*PI*500*t)|0:d=1:s=48000", "-c:a", "pcm_s16le", track)
    assert np.abs(heard(track)).max() == pytest.approx(0.4, abs=0.01)


def test_no_sound_no_blocks(folder):
    assert list(sound_blocks(probe(write_media(folder / "silent.mp4", PICTURES)))) == []
