"""Pictures of a video: frames at asked seconds, and every frame in sequence. Times are the container's own.

The default decoder is PyAV. `decord` stands beside it by choice (`tools/video_decord.py`).
"""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from .container import decode, open_media, pixels_of, probe, stream_start, thumbnail_of
from .errors import MediaError, QueryError
from .records import Frame, Pixels

if TYPE_CHECKING:
    import av
    from av.container import InputContainer

__all__ = ["Decoder", "ScannedFrame", "frames_at", "probe", "scan"]

Decoder = Literal["pyav", "decord"]

# A second that was rounded to milliseconds still means the frame that begins there.
TOLERANCE_SECONDS = 0.001
# A jump forward of more than this is a seek; less is decoded through. Keyframes lie 2–10 s apart.
SEEK_GAP_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class ScannedFrame:
    """One frame of a scan; its full pixels are made only when asked for.

    Attributes:
        seconds: Its true presentation time, in seconds since the start of its stream.
        thumbnail: Brightness, `uint8`, shape `(36, 64)`: to compare frames with.
        load: Makes the `Frame`.
    """

    seconds: float
    thumbnail: Pixels
    load: Callable[[], Frame]


def frames_at(
    path: Path | str, seconds: Iterable[float], stream: int | None = None, decoder: Decoder = "pyav"
) -> Iterator[Frame]:
    """The frame on screen at each asked second, in the order asked.

    The frame on screen at `t` is the last one that begins at or before `t` (to 1 ms). Before the
    first frame it is the first, after the last frame the last: `Frame.seconds` tells its true time.

    Args:
        path: The video file.
        seconds: Asked times in seconds from the stream's start, in any order, repeats allowed.
        stream: Index of the stream of pictures in its container; None for FFmpeg's best one.
        decoder: `pyav`, or `decord` (best stream only).

    Yields:
        One `Frame` for each asked second.

    Raises:
        MediaError: The file holds no readable pictures.
        QueryError: An asked second is negative or not finite.
    """
    path = Path(path)
    wanted = (_checked(second) for second in seconds)
    if decoder == "decord":
        from . import video_decord

        yield from video_decord.frames_at(path, wanted, stream)
        return
    index = _pictures(path, stream)
    cursor: _Cursor | None = None
    try:
        for second in wanted:
            cursor = cursor or _Cursor(path, index)
            yield cursor.frame_at(second)
    finally:
        if cursor:
            cursor.close()


def scan(path: Path | str, stream: int | None = None, decoder: Decoder = "pyav") -> Iterator[ScannedFrame]:
    """Every frame of a video in presentation order, each with a thumbnail.

    Args:
        path: The video file.
        stream: Index of the stream of pictures in its container; None for FFmpeg's best one.
        decoder: `pyav`, or `decord` (best stream only).

    Raises:
        MediaError: The file holds no readable pictures.
    """
    path = Path(path)
    if decoder == "decord":
        from . import video_decord

        yield from video_decord.scan(path, stream)
        return
    index = _pictures(path, stream)
    with open_media(path) as container:
        pictures = container.streams[index]
        zero: float | None = None
        for frame in decode(container, pictures):
            if zero is None:
                zero = stream_start(pictures, frame)
            yield _scanned(frame, zero)


def _scanned(frame: "av.VideoFrame", zero: float) -> ScannedFrame:
    seconds = max(0.0, frame.time - zero)
    return ScannedFrame(seconds, thumbnail_of(frame), lambda: Frame(seconds, pixels_of(frame)))


def _checked(second: float) -> float:
    if not math.isfinite(second) or second < 0:
        raise QueryError(f"frames are asked for at finite seconds ≥ 0, got {second}")
    return second


def _pictures(path: Path, stream: int | None) -> int:
    info = probe(path, stream)
    if info.video is None:
        raise MediaError(f"{path} holds sound but no pictures")
    return info.video.index


class _Cursor:
    """Walks one stream: forward frame by frame, by seeking when the way is long or leads back."""

    def __init__(self, path: Path, index: int) -> None:
        self._path, self._index = path, index
        self._opened = open_media(path)
        self._container: InputContainer = self._opened.__enter__()
        self._zero: float | None = None
        self._begin()

    def close(self) -> None:
        self._opened.__exit__(None, None, None)

    def frame_at(self, second: float) -> Frame:
        gap = second - self._seconds(self._shown)
        if gap < -TOLERANCE_SECONDS or (gap > SEEK_GAP_SECONDS and self._next is not None):
            self._seek(second)
        while self._next is not None and self._seconds(self._next) <= second + TOLERANCE_SECONDS:
            self._shown, self._next = self._next, next(self._frames, None)
        return Frame(self._seconds(self._shown), pixels_of(self._shown))

    def _seconds(self, frame: "av.VideoFrame") -> float:
        assert self._zero is not None
        return max(0.0, frame.time - self._zero)

    def _begin(self) -> None:
        """Stand on the first frame that can be decoded from the container's position on."""
        stream = self._container.streams[self._index]
        self._frames = decode(self._container, stream)
        first = next(self._frames, None)
        if first is None:
            raise MediaError(f"{self._path}: no frame can be decoded")
        if self._zero is None:
            self._zero = stream_start(stream, first)
        self._shown, self._next = first, next(self._frames, None)

    def _seek(self, second: float) -> None:
        """Stand on a frame at or before `second`, as near as the container's index allows.

        Some containers land late: then farther back, at last from the start of the file.
        """
        import av

        stream = self._container.streams[self._index]
        assert self._zero is not None and stream.time_base is not None
        for back in (0.0, 5.0, 30.0):
            target = second - back
            if target <= 0:
                break
            try:
                self._container.seek(round((target + self._zero) / stream.time_base), stream=stream)
                self._begin()
            except (av.error.FFmpegError, MediaError):
                continue
            if self._seconds(self._shown) <= second + TOLERANCE_SECONDS:
                return
        self.close()
        self._opened = open_media(self._path)
        self._container = self._opened.__enter__()
        self._begin()
