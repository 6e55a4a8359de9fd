"""The one owner of PyAV: opens media files, tells what is in them, decodes their streams in sequence.

Knows the container's clock (presentation timestamps) and nothing of frames that somebody wants.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from .errors import MediaError
from .records import Pixels, SoundStream, VideoInfo, VideoStream

if TYPE_CHECKING:
    import av
    from av.container import InputContainer

__all__ = ["decode", "decode_sound", "open_media", "pixels_of", "probe", "stream_start", "thumbnail_of"]

THUMBNAIL_SIZE = (64, 36)


@contextmanager
def open_media(path: Path) -> "Iterator[InputContainer]":
    """Open a media file for reading.

    Raises:
        MediaError: There is no such file, it may not be read, or it is no video or sound.
    """
    import av

    path = Path(path)
    try:
        if path.is_dir():
            raise MediaError(f"{path} is a folder, not a media file")
        if path.stat().st_size == 0:
            raise MediaError(f"{path} is empty (0 bytes): copy or download it again")
        container = av.open(str(path), metadata_errors="replace")
    except FileNotFoundError as error:
        raise MediaError(f"{path} does not exist: check the path") from error
    except PermissionError as error:
        raise MediaError(f"{path} may not be read: give yourself read permission (chmod u+r)") from error
    except (av.error.FFmpegError, ValueError) as error:
        raise MediaError(
            f"{path} is not a readable video or sound file ({_reason(error)}): it may be cut off or of another "
            "type; copy it again, or convert it with `ffmpeg -i`"
        ) from error
    with container:
        yield container


def probe(path: Path, stream: int | None = None) -> VideoInfo:
    """What a media file contains; decodes one frame to know how it is shown.

    Args:
        path: The file.
        stream: Index of the stream of pictures; None for FFmpeg's best one.

    Raises:
        MediaError: The file cannot be read, or holds neither pictures nor sound.
    """
    with open_media(path) as container:
        pictures = _picture_stream(container, path, stream)
        sound = container.streams.best("audio")
        if pictures is None and sound is None:
            raise MediaError(f"{path} holds neither pictures nor sound")
        video = None
        if pictures is not None:
            first = next(decode(container, pictures), None)
            if first is None and sound is None:
                raise MediaError(f"{path}: no frame of its {pictures.codec_context.name} stream can be decoded")
            if first is not None:
                turned = int(first.rotation) % 180 != 0
                video = VideoStream(
                    index=pictures.index,
                    codec=pictures.codec_context.name,
                    width=first.height if turned else first.width,
                    height=first.width if turned else first.height,
                    rotation=int(first.rotation),
                    start=stream_start(pictures, first),
                )
        heard = None
        if sound is not None:
            heard = SoundStream(index=sound.index, codec=sound.codec_context.name, start=stream_start(sound))
        return VideoInfo(
            path=Path(path),
            format=container.format.name,
            duration=container.duration / 1_000_000 if container.duration else _measured_duration(path),
            video=video,
            sound=heard,
        )


def stream_start(stream: "av.stream.Stream", first: "av.VideoFrame | None" = None) -> float:
    """The stream's first presentation timestamp in seconds: its zero."""
    if stream.start_time is not None and stream.time_base is not None:
        return float(stream.start_time * stream.time_base)
    return first.time if first is not None and first.time is not None else 0.0


def decode(container: "InputContainer", stream: "av.VideoStream") -> "Iterator[av.VideoFrame]":
    """All frames of a stream from the container's position on, in presentation order.

    Frames without a timestamp, or that do not lie after the one before, are left out: no time is
    made up for them. A packet that cannot be decoded is skipped; where the file breaks off, it ends.
    """
    if not stream.codec_context.is_open:
        stream.thread_type = "AUTO"
    last = -np.inf
    for frame in _frames_of(container, stream):
        if frame.time is not None and frame.time > last:
            last = frame.time
            yield frame


def decode_sound(container: "InputContainer", index: int, rate: int) -> Iterator[tuple[float, npt.NDArray[np.float32]]]:
    """A stream of sound as mono: start in seconds of the container's clock, and float32 samples at `rate`."""
    import av

    stream = container.streams[index]
    resampler = av.AudioResampler(format="flt", layout="mono", rate=rate)
    clock = stream_start(stream)
    for frame in _frames_of(container, stream):
        clock = frame.time if frame.time is not None else clock
        for piece in resampler.resample(frame):
            samples = piece.to_ndarray()[0]
            yield clock, samples
            clock += len(samples) / rate


def pixels_of(frame: "av.VideoFrame") -> Pixels:
    """RGB, `(height, width, 3)`, turned upright as the container asks."""
    pixels = frame.to_ndarray(format="rgb24")
    quarter_turns = round(frame.rotation / 90) % 4
    return np.ascontiguousarray(np.rot90(pixels, quarter_turns)) if quarter_turns else pixels


def thumbnail_of(frame: "av.VideoFrame") -> Pixels:
    """The frame's brightness at `THUMBNAIL_SIZE`, shape `(36, 64)`, not turned: for comparison only."""
    width, height = THUMBNAIL_SIZE
    return frame.reformat(width=width, height=height, format="gray", interpolation="AREA").to_ndarray()


def _frames_of(container: "InputContainer", stream: "av.stream.Stream") -> "Iterator[av.frame.Frame]":
    """What the stream's packets decode to; damaged packets are skipped, a broken-off file just ends."""
    import av

    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
            if packet is None:
                return
            frames = packet.decode()
        except av.error.EOFError:
            return
        except av.error.FFmpegError:
            continue
        yield from frames


def _picture_stream(container: "InputContainer", path: Path, index: int | None) -> "av.VideoStream | None":
    import av

    covers = av.stream.Disposition.attached_pic  # a music file's cover is no video
    films = [s for s in container.streams.video if not s.disposition & covers]
    if index is None:
        best = container.streams.best("video")
        return best if best in films else next(iter(films), None)
    for film in films:
        if film.index == index:
            return film
    have = ", ".join(str(film.index) for film in films) or "none"
    raise MediaError(f"{path} has no stream of pictures with index {index}; it has: {have}")


def _measured_duration(path: Path) -> float:
    """Last end of a packet minus first start, for files whose header names no duration."""
    import av

    first, last = np.inf, -np.inf
    with open_media(path) as container:
        try:
            for packet in container.demux():
                if packet.pts is None or packet.time_base is None:
                    continue
                first = min(first, float(packet.pts * packet.time_base))
                last = max(last, float((packet.pts + (packet.duration or 0)) * packet.time_base))
        except av.error.FFmpegError:
            pass  # the file breaks off here: what was read so far is its length
    return max(0.0, last - first) if last > first else 0.0


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
