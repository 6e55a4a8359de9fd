"""Pieces that are copied for a browser: the original's pictures at the original's times."""

import io
from pathlib import Path

import av
import numpy as np
import pytest

from playhead.tools.media.audio import RATE, whole_track
from playhead.tools.media.clips import frames_between
from playhead.tools.media.remux import codec_string, copy_piece
from playhead.tools.media.streams import probe
from playhead.tools.records import Span

from ..media import beep, number_in, write_media

TIMES = [n / 10 for n in range(60)]  # six seconds; a keyframe each second


def film(path: Path, *, sound_codec: str = "aac", **options) -> Path:
    style = {"g": "10", "bf": "2", "sc_threshold": "0"} | options
    return write_media(path, TIMES, sound=beep(3.5, 6.0), sound_codec=sound_codec, options=style)


def contents(data: bytes, start: float) -> tuple[list[tuple[float, int | None]], float]:
    """The second and the number of each picture, and the second at which the tone begins."""
    samples: list[float] = []
    with av.open(io.BytesIO(data)) as container:
        frames = container.decode(video=0)
        pictures = [(round(one.time + start, 2), number_in(one.to_ndarray(format="rgb24"))) for one in frames]
    with av.open(io.BytesIO(data)) as container:
        for frame in container.decode(audio=0):
            level = np.abs(frame.to_ndarray()).max(axis=0)
            samples.extend(frame.time + start + n / frame.sample_rate for n in np.flatnonzero(level > 0.2)[:1])
    return pictures, min(samples, default=float("nan"))


@pytest.mark.parametrize(
    ("name", "sound_codec", "options"),
    [("a.mkv", "aac", {}), ("a.ts", "aac", {}), ("a.avi", "mp3", {"bf": "0"}), ("b.mkv", "ac3", {})],
)
def test_a_piece_reaches_from_a_keyframe_to_a_keyframe_with_true_times(name, sound_codec, options, tmp_path):
    source, out = film(tmp_path / name, sound_codec=sound_codec, **options), io.BytesIO()
    copied = copy_piece(source, Span(start=3.45, end=4.6), out)
    assert copied is not None
    pictures, tone = contents(out.getvalue(), copied.start)
    shown = [
        (one, number_in(pixels)) for one, pixels in frames_between(source, Span(start=pictures[0][0], end=copied.end))
    ]
    assert pictures == [(pytest.approx(second, abs=0.011), number) for second, number in shown]
    assert [number for _, number in pictures] == list(range(30, 50))
    sounds = np.flatnonzero(np.abs(whole_track(probe(source))) > 0.2)[0] / RATE
    assert tone == pytest.approx(sounds, abs=0.03)


def test_pieces_follow_each_other_without_a_gap(tmp_path):
    source, starts, at = film(tmp_path / "a.mkv"), [], 0.0
    while at < 5.9:
        copied = copy_piece(source, Span(start=at, end=at + 1.5), io.BytesIO())
        assert copied is not None
        starts.append(at)
        at = copied.end
    assert starts == pytest.approx([0, 2, 4], abs=0.002)
    assert at == pytest.approx(6, abs=0.1)


def test_what_browsers_do_not_play_is_not_copied(tmp_path):
    mpeg4 = write_media(tmp_path / "a.mkv", TIMES, codec="mpeg4")
    deep = write_media(tmp_path / "b.mkv", TIMES, options={"x264-params": "keyint=250", "g": "250"})
    out = io.BytesIO()
    assert codec_string(mpeg4) is None
    assert copy_piece(mpeg4, Span(start=1, end=2), out) is None
    assert out.getvalue() == b""
    assert codec_string(deep) is not None
    assert codec_string(deep).startswith("avc1.")


def test_a_long_group_of_pictures_is_not_copied(tmp_path):
    """A browser would wait for all of it."""
    source = write_media(tmp_path / "a.mkv", [float(n) for n in range(80)], options={"g": "80", "sc_threshold": "0"})
    assert copy_piece(source, Span(start=50, end=54), io.BytesIO()) is None
