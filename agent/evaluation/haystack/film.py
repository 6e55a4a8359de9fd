"""Writes a composed hour as a video: H.264 and AAC in MP4, 640×360, 25 frames a second."""

import random
from collections.abc import Iterator
from fractions import Fraction
from itertools import repeat
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont, ImageOps

from ....tools.media.audio import RATE as HEARD_RATE
from ....tools.media.audio import whole_track
from ....tools.media.frames import frames_at, probe
from .hour import FPS, Block, Hour, Slide
from .pictures import Sight, photo_path
from .voice import RATE, Samples

if TYPE_CHECKING:
    import av

__all__ = ["HEIGHT", "WIDTH", "draw", "write_film"]

WIDTH, HEIGHT = 640, 360
_SAMPLES_A_FRAME = RATE // FPS
# Paper, ink, accent.
_LOOKS = (
    ("#FBF8F3", "#14213D", "#E4572E"),
    ("#F4F7FA", "#1F2933", "#2A9D8F"),
    ("#1B2233", "#E8ECF4", "#F4A259"),
    ("#FFFFFF", "#222222", "#5B5F97"),
    ("#20302B", "#EAF2EC", "#A7C957"),
)


def write_film(path: Path, hour: Hour, clips: Path | None) -> None:
    """Encode an hour. The file's metadata does not describe the content.

    Args:
        path: Target file, ending in `.mp4`.
        hour: The script.
        clips: Folder of the real clips in the script.
    """
    import av

    # One thread: with more, the encoder's output depends on the machine's core count.
    options = {"preset": "ultrafast", "crf": "23", "threads": "1"}
    options |= {"colorspace": "bt709", "color_primaries": "bt709", "color_trc": "bt709", "color_range": "tv"}
    with av.open(str(path), "w", options={"movflags": "+faststart"}) as container:
        video = container.add_stream("libx264", rate=FPS, options=options)
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        audio = container.add_stream("aac", rate=RATE, layout="mono", bit_rate=64_000)
        for block in hour.blocks:
            for frame in _frames(block, clips):
                container.mux(video.encode(frame))
            sound = av.AudioFrame.from_ndarray(_track(block, clips)[None], format="s16", layout="mono")
            sound.sample_rate, sound.time_base = RATE, Fraction(1, RATE)
            sound.pts = block.first * _SAMPLES_A_FRAME
            container.mux(audio.encode(sound))
        container.mux(video.encode(None))
        container.mux(audio.encode(None))


def draw(picture: Slide | Sight) -> Image.Image:
    """A slide or a photograph, `WIDTH` × `HEIGHT` in RGB."""
    if isinstance(picture, Sight):
        with Image.open(photo_path(picture)) as photo:
            return _padded(photo.convert("RGB"))
    rng = random.Random(picture.look)  # noqa: S311 (no secret)
    paper, ink, accent = rng.choice(_LOOKS)
    canvas = Image.new("RGB", (WIDTH, HEIGHT), paper)
    pen = ImageDraw.Draw(canvas)
    left, size = rng.choice((36, 48, 60)), rng.choice((24, 26, 28))
    pen.rectangle((0, 0, 10, HEIGHT) if rng.random() < 0.5 else (0, 0, WIDTH, 8), accent)
    pen.text((left, 34), picture.title, ink, ImageFont.load_default(38), stroke_width=0.5)
    pen.rectangle((left + 1, 88, left + 70, 91), accent)
    for number, row in enumerate(picture.rows):
        pen.text((left, 116 + 50 * number), row, ink, ImageFont.load_default(size))
    if picture.code:
        pen.text((left, 296), picture.code, ink, ImageFont.load_default(28))
    if picture.stamp:
        pen.text((430, 298), picture.stamp, accent, ImageFont.load_default(28))
    return canvas


def _frames(block: Block, clips: Path | None) -> Iterator["av.VideoFrame"]:
    """The block's frames in order; the first is a keyframe."""
    from av.video.frame import PictureType

    pictures: Iterator[av.VideoFrame]
    if isinstance(block.picture, Sight) and block.picture.is_clip:
        pictures = map(_as_video, _moving(block, clips))
    else:
        pictures = repeat(_as_video(draw(block.picture)))
    for pts, frame in zip(range(block.first, block.last), pictures, strict=False):  # a photograph has no last frame
        frame.pts, frame.time_base = pts, Fraction(1, FPS)
        frame.pict_type = PictureType.I if pts == block.first else PictureType.NONE
        yield frame


def _as_video(image: Image.Image) -> "av.VideoFrame":
    import av

    return av.VideoFrame.from_image(image).reformat(format="yuv420p", dst_colorspace="itu709")


def _moving(block: Block, clips: Path | None) -> Iterator[Image.Image]:
    clip = _clip(block)
    seconds = (clip.start + number / FPS for number in range(block.last - block.first))
    for frame in frames_at(_file(clip, clips), seconds):
        yield _padded(Image.fromarray(frame.pixels))


def _padded(image: Image.Image) -> Image.Image:
    return ImageOps.pad(image, (WIDTH, HEIGHT), Image.Resampling.BICUBIC, color="black")


def _track(block: Block, clips: Path | None) -> Samples:
    """Return the block's audio: sentences with silence between them, or the audio of the clip."""
    if isinstance(block.picture, Sight) and block.picture.is_clip:
        return _sound_of_clip(block, _file(block.picture, clips))
    first = block.first * _SAMPLES_A_FRAME
    track = np.zeros((block.last - block.first) * _SAMPLES_A_FRAME, np.int16)
    for spoken in block.spoken:
        at = spoken.first - first
        track[at : at + len(spoken.samples)] = 0.8 * spoken.samples  # AAC overshoots: leave headroom
    return track


def _sound_of_clip(block: Block, file: Path) -> Samples:
    clip = _clip(block)
    length = (block.last - block.first) * _SAMPLES_A_FRAME
    sound: npt.NDArray[np.float32] = np.concatenate([np.zeros(1, np.float32), whole_track(probe(file))])
    at = (clip.start + np.arange(length) / RATE) * HEARD_RATE
    samples = np.interp(at, np.arange(len(sound)), sound, right=0.0)
    return np.asarray(np.clip(samples, -1, 1) * 26_000, np.int16)


def _clip(block: Block) -> Sight:
    assert isinstance(block.picture, Sight)
    return block.picture


def _file(clip: Sight, clips: Path | None) -> Path:
    assert clips is not None
    return clips / clip.file
