"""Sound lies where it sounds: a beep is heard at its true second on the clock of the pictures."""

from fractions import Fraction
from itertools import pairwise

import av
import numpy as np
import pytest

from playhead.tools.media.audio import RATE, audio_blocks, whole_track
from playhead.tools.media.frames import probe

from ..media import beep, ffmpeg, write_media

PICTURES = [n / 10 for n in range(40)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("sounds")


def sound_of(path):
    return whole_track(probe(path))


def write_gaps(path, sound, spans):
    """Only these spans (in seconds) of a mono track at 48 kHz, each at its own second."""
    with av.open(str(path), "w") as out:
        track = out.add_stream("pcm_s16le", rate=48_000, layout="mono")
        for start, end in spans:
            for first in range(start * 48_000, end * 48_000, 960):
                piece = (sound[None, first : first + 960] * 32767).astype(np.int16)
                frame = av.AudioFrame.from_ndarray(piece, format="s16", layout="mono")
                frame.sample_rate, frame.time_base, frame.pts = 48_000, Fraction(1, 48_000), first
                out.mux(track.encode(frame))
        out.mux(track.encode(None))


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
    samples = sound_of(write_media(folder / name, sound=beep(0.7, 2), sound_codec=codec))
    assert samples.dtype == np.float32
    assert onsets(samples) == pytest.approx([0.7], abs=0.005)
    assert len(samples) / RATE == pytest.approx(2, abs=0.03)


@pytest.mark.parametrize("name", ["clip.mp4", "clip.mov", "clip.mkv", "clip.ts"])
@pytest.mark.parametrize(
    ("pictures_start", "sound_start"),
    [(0, 0), (0, 1.25), (1.25, 0), (5, 5.5)],
    ids=["even", "later", "earlier", "late"],
)
def test_a_beep_sounds_at_its_second_of_the_timeline(folder, name, pictures_start, sound_start):
    video = write_media(
        folder / f"{pictures_start}-{sound_start}-{name}",
        [pictures_start + time for time in PICTURES],
        sound=beep(1.7, 3),
        sound_start=sound_start,
    )
    assert onsets(sound_of(video)) == pytest.approx([1.7 + sound_start - min(sound_start, pictures_start)], abs=0.025)


def test_a_long_gap_is_left_out_and_a_short_one_is_silent(folder):
    """A second of sound, 20 s of nothing, a second, 90 s of nothing, a second: no minute of silence is made up."""
    sound = np.zeros(120 * 48_000, np.float32)
    track = folder / "gaps.mkv"
    for at in (0, 21, 112):
        sound[at * 48_000 : (at + 1) * 48_000] = beep(0.5, 1)
    write_gaps(track, sound, [(0, 1), (21, 22), (112, 113)])
    blocks = list(audio_blocks(probe(track)))
    assert [(block.start, block.follows) for block in blocks] == [(0.0, False), (112.0, False)]
    assert [len(block.samples) / RATE for block in blocks] == pytest.approx([22, 1], abs=0.05)
    assert onsets(whole_track(probe(track))) == pytest.approx([0.5, 21.5, 112.5], abs=0.005)


def test_what_would_sound_twice_is_left_out(folder):
    """Timestamps that jump back by half a second, as in joined recordings that overlap."""
    joined = folder / "joined.ts"
    joined.write_bytes(
        write_media(folder / "first.ts", PICTURES, sound=beep(0.2, 2)).read_bytes()
        + write_media(folder / "second.ts", [4], sound=beep(1.1, 2), sound_start=1.5).read_bytes()
    )
    assert onsets(sound_of(joined)) == pytest.approx([0.2, 2.6], abs=0.005)


def test_a_track_may_change_its_shape(folder):
    """A broadcast that goes from stereo at 48 kHz to surround at 32 kHz."""
    source = write_media(folder / "source.wav", sound=beep(0.7, 2), sound_codec="pcm_s16le")
    ffmpeg("-i", source, "-ac", "2", folder / "stereo.ac3")
    ffmpeg("-i", source, "-ac", "6", "-ar", "32000", folder / "surround.ac3")
    both = folder / "both.ac3"
    both.write_bytes((folder / "stereo.ac3").read_bytes() + (folder / "surround.ac3").read_bytes())
    # AC-3 as such carries no times: its 256 samples of encoder delay stay, and the last frame is filled up.
    assert onsets(sound_of(both)) == pytest.approx([0.7, 2.016 + 0.7], abs=0.01)


@pytest.mark.parametrize("rate", [8000, 16000, 44100, 48000])
def test_no_sample_is_lost_at_the_end(folder, rate):
    """The tone sounds to the end; 16 kHz mono float needs no resampling at all, the others hold samples back."""
    track = folder / f"{rate}.wav"
    ffmpeg("-f", "lavfi", "-i", f"sine=1000:sample_rate={rate}:duration=1.5", "-c:a", "pcm_f32le", track)
    samples = sound_of(track)
    assert abs(len(samples) - 1.5 * RATE) <= 2
    assert np.abs(samples[-RATE // 100 :]).max() == pytest.approx(0.125, abs=0.01)


def test_channels_are_averaged(folder):
    """A tone on the left alone is half as loud."""
    track = folder / "left.wav"
    ffmpeg("-f", "lavfi", "-i", "aevalsrc=0.8*sin(2*PI*500*t)|0:d=1:s=48000", "-c:a", "pcm_s16le", track)
    assert np.abs(sound_of(track)).max() == pytest.approx(0.4, abs=0.01)


def test_no_sound_no_blocks(folder):
    assert list(audio_blocks(probe(write_media(folder / "silent.mp4", PICTURES)))) == []
