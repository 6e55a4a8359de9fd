"""Frames look as a player shows them: turned, mirrored, with square pixels, opaque, in SDR, without combs."""

import struct
from fractions import Fraction

import av
import numpy as np
import pytest

from playhead.tools.media import pictures
from playhead.tools.media.clips import write_clip
from playhead.tools.media.frames import frames_at, scan
from playhead.tools.media.skimming.skim import skim
from playhead.tools.media.streams import probe
from playhead.tools.records import Box, Span

from ..media import HEIGHT, WIDTH, ffmpeg, number_in, numbered, write_media

ONE = 0x10000


def with_matrix(path, target, matrix):
    """The same MP4 with another display matrix `a b u c d v x y w` in the header of its track."""
    data = bytearray(path.read_bytes())
    box = data.index(b"tkhd")
    place = box + 4 + 4 + (32 if data[box + 4] else 20) + 16
    data[place : place + 36] = struct.pack(">9i", *matrix)
    target.write_bytes(data)
    return target


@pytest.mark.parametrize(
    ("name", "matrix", "change"),
    [
        ("as it is", (ONE, 0, 0, 0, ONE, 0, 0, 0, 1 << 30), lambda p: p),
        ("mirrored", (-ONE, 0, 0, 0, ONE, 0, WIDTH * ONE, 0, 1 << 30), lambda p: p[:, ::-1]),
        ("upside down", (ONE, 0, 0, 0, -ONE, 0, 0, HEIGHT * ONE, 1 << 30), lambda p: p[::-1]),
        ("half a turn", (-ONE, 0, 0, 0, -ONE, 0, WIDTH * ONE, HEIGHT * ONE, 1 << 30), lambda p: p[::-1, ::-1]),
        ("transposed", (0, ONE, 0, ONE, 0, 0, 0, 0, 1 << 30), lambda p: p.swapaxes(0, 1)),
        ("clockwise", (0, ONE, 0, -ONE, 0, 0, HEIGHT * ONE, 0, 1 << 30), lambda p: np.rot90(p, -1)),
        ("counter-clockwise", (0, -ONE, 0, ONE, 0, 0, 0, WIDTH * ONE, 1 << 30), lambda p: np.rot90(p)),
        ("transverse", (0, -ONE, 0, -ONE, 0, 0, HEIGHT * ONE, WIDTH * ONE, 1 << 30), lambda p: p[::-1, ::-1].swapaxes(0, 1)),
    ],
)  # fmt: skip
def test_the_display_matrix_is_obeyed(tmp_path, name, matrix, change):
    film = write_media(tmp_path / "film.mp4", [0, 0.1, 0.2], first=1, options={"g": "1", "bf": "0", "crf": "10"})
    shown = with_matrix(film, tmp_path / "shown.mp4", matrix)
    (frame,) = frames_at(shown, [0.1])
    expected = change(numbered(2))
    assert frame.pixels.shape == expected.shape
    assert np.abs(frame.pixels.astype(int) - expected).mean() < 6
    info = probe(shown).video
    assert (info.width, info.height) == (expected.shape[1], expected.shape[0])


@pytest.mark.parametrize(
    ("ratio", "size"), [("2", (2 * WIDTH, HEIGHT)), ("1/2", (WIDTH, 2 * HEIGHT)), ("1", (WIDTH, HEIGHT))]
)
def test_pixels_become_square(tmp_path, ratio, size):
    film = write_media(tmp_path / "film.mp4", [0, 0.1], first=3)
    ffmpeg("-i", film, "-vf", f"setsar={ratio}", "-c:v", "libx264", tmp_path / "wide.mp4")
    (frame,) = frames_at(tmp_path / "wide.mp4", [0])
    assert frame.size == size
    assert next(scan(tmp_path / "wide.mp4")).load().size == size
    info = probe(tmp_path / "wide.mp4").video
    assert (info.width, info.height) == size
    assert number_in(frame.pixels[:: size[1] // HEIGHT, :: size[0] // WIDTH]) == 3


@pytest.mark.parametrize(("letters", "background"), [(0, 255), (255, 0), (120, 255)])
def test_what_is_transparent_shows_the_letters(tmp_path, letters, background):
    """Letters on nothing; underneath what is transparent all pixels are black."""
    shape = np.zeros((HEIGHT, WIDTH, 4), np.uint8)
    shape[20:40, 30:60] = (letters, letters, letters, 255)
    path = tmp_path / "overlay.mov"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("qtrle", rate=10)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "argb"
        for _ in range(3):
            out.mux(stream.encode(av.VideoFrame.from_ndarray(shape, format="rgba").reformat(format="argb")))
        out.mux(stream.encode(None))
    (frame,) = frames_at(path, [0])
    assert frame.pixels[30, 45].tolist() == [letters] * 3
    assert frame.pixels[5, 5].tolist() == [background] * 3
    thumbnail = next(scan(path)).thumbnail
    assert abs(int(thumbnail[16, 30]) - letters) < 40
    assert abs(int(thumbnail[2, 2]) - background) < 10


@pytest.mark.parametrize("codec", ["libvpx", "libvpx-vp9"])
def test_transparent_webm_shows_the_letters(tmp_path, codec):
    """The transparency of VP8 and VP9 is a second stream in the block additions. The colours underneath are black."""
    shape = np.zeros((128, 192, 4), np.uint8)
    shape[32:96, 64:128] = (0, 0, 0, 255)
    path = tmp_path / "overlay.webm"
    with av.open(str(path), "w") as out:
        stream = out.add_stream(codec, rate=10, options={"auto-alt-ref": "0", "crf": "10", "b": "1M"})
        stream.width, stream.height, stream.pix_fmt = 192, 128, "yuva420p"
        for _ in range(5):
            out.mux(stream.encode(av.VideoFrame.from_ndarray(shape, format="rgba").reformat(format="yuva420p")))
        out.mux(stream.encode(None))
    assert not any("transparen" in note for note in probe(path).notes)
    write_clip(path, Span(start=0, end=0.3), tmp_path / "clip.mp4")
    pictures = [*frames_at(path, [0, 0.35]), next(frames_at(tmp_path / "clip.mp4", [0]))]
    for pixels in [frame.pixels for frame in pictures]:
        assert pixels[64, 96].max() < 40
        assert pixels[10, 10].min() > 215
    for read in (scan(path), skim(path)):
        detail = next(iter(read)).detail
        assert detail[32, 48] < 40 < 215 < detail[5, 5]


def test_a_clip_has_square_pixels_and_no_mirroring(tmp_path):
    """A clip shows what the source shows: 96×64 pixels of which each is twice as wide as high."""
    with av.open(str(tmp_path / "wide.mp4"), "w") as out:
        stream = out.add_stream("libx264", rate=10, options={"g": "5"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.codec_context.sample_aspect_ratio = Fraction(2)
        for number in range(10):
            out.mux(stream.encode(av.VideoFrame.from_ndarray(numbered(number), format="rgb24")))
        out.mux(stream.encode(None))
    write_clip(tmp_path / "wide.mp4", Span(start=0.3, end=0.8), tmp_path / "clip.mp4")
    made = probe(tmp_path / "clip.mp4").video
    assert (made.width, made.height) == (2 * WIDTH, HEIGHT)
    shown = [frame.pixels for frame in frames_at(tmp_path / "clip.mp4", [0, 0.4])]
    assert [number_in(pixels[:, ::2]) for pixels in shown] == [3, 7]


def test_hdr_keeps_white_bright_and_grey_grey():
    """PQ codes of BT.2408: 203 nits are white, 26 nits an 18 % grey card's range, 10,000 nits do not clip all else."""

    def code(nits):
        y = (nits / 10_000) ** 0.1593017578125
        return round(65535 * ((0.8359375 + 18.8515625 * y) / (1 + 18.6875 * y)) ** 78.84375)

    levels = np.array([[[code(n)] * 3 for n in (0, 0.1, 26, 203)]], np.uint16)
    black, dark, grey, white = pictures._sdr(levels, 16)[0, :, 0].tolist()
    assert black == 0
    assert dark < 15
    assert 85 < grey < 130
    assert white > 240
    bright = np.full((1, 4, 3), code(1000), np.uint16)
    bright[0, 0] = code(203)
    low, high = pictures._sdr(bright, 16)[0, [0, 1], 0].tolist()
    assert 120 < low < high


def test_combs_go_where_things_move_and_rows_stay_where_nothing_moves():
    """Two fields of different moments: a bright block that moved sideways; and letters of thin lines that do not move."""
    picture = np.zeros((64, 96, 3), np.uint8)
    picture[10:50:2, 20:50] = 200  # even rows: where it is
    picture[11:50:2, 30:60] = 200  # odd rows: where it will be
    picture[54:56, 5:90] = 255
    mended = pictures._without_combs(picture)
    combed = np.abs(np.diff(mended[14:46, 22:28, 0].astype(int), axis=0)).max()
    assert combed < 30
    assert (mended[54:56, 5:90] == 255).all()


def test_colours_are_those_of_the_box():
    pixels = np.full((90, 160, 3), 120, np.uint8)
    pixels[20:60, 20:60] = (200, 40, 30)
    blue = pixels.copy()
    blue[20:60, 20:60] = (30, 60, 190)
    thing = Box.from_pixels((20, 20, 60, 60), 160, 90)
    behind = Box.from_pixels((80, 20, 150, 80), 160, 90)
    assert np.linalg.norm(pictures.colours_of(pixels, thing)) == pytest.approx(1)
    assert pictures.colours_of(pixels, thing) @ pictures.colours_of(blue, thing) < 0.1
    assert pictures.colours_of(pixels, behind) @ pictures.colours_of(blue, behind) == pytest.approx(1)
    upside_down = pictures.colours_of(np.concatenate([pixels[:40], blue[40:]]), thing)
    assert upside_down @ pictures.colours_of(np.concatenate([blue[:40], pixels[40:]]), thing) < 0.1  # halves are apart
    assert pictures.colours_of(pixels, Box(left=1, top=1, right=1, bottom=1)).shape == (384,)
