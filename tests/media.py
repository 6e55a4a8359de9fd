"""Small videos and sounds with known truth: each frame carries its own number as blocks of black and white."""

import subprocess
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt

WIDTH, HEIGHT = 96, 64
_COLUMNS, _ROWS = 4, 3
_TICK = Fraction(1, 90_000)


def numbered(number: int) -> npt.NDArray[np.uint8]:
    """A picture that carries a number below 1024, and shows which way is up: shape `(HEIGHT, WIDTH, 3)`.

    Read row by row the blocks are white, ten bits from the highest, black.
    """
    bits = [1, *(number >> k & 1 for k in reversed(range(10))), 0]
    blocks = np.array(bits, np.uint8).reshape(_ROWS, _COLUMNS) * 215 + 20
    picture = np.full((HEIGHT, WIDTH), 20, np.uint8)
    blown_up = np.kron(blocks, np.ones((HEIGHT // _ROWS, WIDTH // _COLUMNS), np.uint8))
    picture[: blown_up.shape[0]] = blown_up
    return np.repeat(picture[..., None], 3, axis=2)


def number_in(pixels: npt.NDArray[np.uint8]) -> int | None:
    """The number in a picture, None where it is not upright or not such a picture."""
    if pixels.shape != (HEIGHT, WIDTH, 3):
        return None
    tall, wide = HEIGHT // _ROWS, WIDTH // _COLUMNS
    means = pixels[: tall * _ROWS].reshape(_ROWS, tall, _COLUMNS, wide, 3).mean(axis=(1, 3, 4)).ravel()
    bits = [int(mean > 128) for mean in means]
    if (bits[0], bits[-1]) != (1, 0):
        return None
    return sum(bit << k for k, bit in zip(reversed(range(10)), bits[1:-1], strict=True))


def beep(at: float, duration: float, rate: int = 48_000) -> npt.NDArray[np.float32]:
    """Silence with 0.3 s of a 1 kHz tone in it that begins at second `at`."""
    time = np.arange(round(duration * rate)) / rate
    return np.where((time >= at) & (time < at + 0.3), 0.5 * np.sin(2 * np.pi * 1000 * (time - at)), 0).astype(
        np.float32
    )


def write_media(
    path: Path,
    times: Sequence[float] = (),
    *,
    codec: str = "libx264",
    options: dict[str, str] | None = None,
    sound: npt.NDArray[np.float32] | None = None,
    sound_codec: str = "aac",
    sound_start: float = 0.0,
    cover: bool = False,
    first: int = 0,
) -> Path:
    """Write a file whose frame number `n` is shown from second `times[n]` of the container's clock on.

    Args:
        path: Its suffix chooses the container.
        times: Increasing seconds; none for a file without pictures.
        codec: Of the pictures.
        options: Of the encoder, instead of a keyframe each 12 frames and no B-frames.
        sound: Mono samples at 48 kHz.
        sound_codec: Of the sound.
        sound_start: The container's second of the first sample.
        cover: Attach a cover picture, as music files have.
        first: The number of the first frame.
    """
    with av.open(str(path), "w", options={"avoid_negative_ts": "disabled"}) as out:
        pictures = track = front = None
        if len(times):
            pictures = out.add_stream(codec, rate=30, options=options or {"g": "12", "bf": "0", "preset": "ultrafast"})
            pictures.width, pictures.height, pictures.pix_fmt = WIDTH, HEIGHT, "yuv420p"
            if codec not in ("mpeg4", "mpeg2video"):  # these know only frame rates
                pictures.time_base = pictures.codec_context.time_base = _TICK
        if sound is not None:
            track = out.add_stream(sound_codec, rate=48_000, layout="mono")
        if cover:
            front = out.add_stream("png", rate=1)
            front.width, front.height, front.pix_fmt = WIDTH, HEIGHT, "rgb24"
            front.disposition = av.stream.Disposition.attached_pic
            out.mux(front.encode(av.VideoFrame.from_ndarray(numbered(1), format="rgb24")))
        for number, second in enumerate(times, first):
            frame = av.VideoFrame.from_ndarray(numbered(number), format="rgb24")
            frame.time_base, frame.pts = _TICK, round(second / _TICK)
            out.mux(pictures.encode(frame))
        if track is not None:
            for first in range(0, len(sound), 960):
                frame = av.AudioFrame.from_ndarray(sound[None, first : first + 960], format="fltp", layout="mono")
                frame.sample_rate, frame.time_base = 48_000, Fraction(1, 48_000)
                frame.pts = round(sound_start * 48_000) + first
                out.mux(track.encode(frame))
        for stream in filter(None, (pictures, track, front)):
            out.mux(stream.encode(None))
    return path


def ffmpeg(*arguments: str | Path) -> str:
    """Run the FFmpeg of the development extra; its messages."""
    import imageio_ffmpeg

    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-nostdin", "-y", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=60)
    return done.stderr
