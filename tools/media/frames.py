"""Pictures of a video: frames at asked seconds, and every frame in sequence. Times are the container's own.

The default decoder is PyAV. `decord` stands beside it by choice (`tools/media/decord_frames.py`).
"""

import contextlib
import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ..errors import MediaError, QueryError
from ..records import Frame, Pixels
from . import decord_frames
from .container import decode, open_media, pictures_of, pixels_of, probe, stream_start, thumbnail_of
from .scanned import TOLERANCE_SECONDS, Gap, ScannedFrame

if TYPE_CHECKING:
    import av
    from av.container import InputContainer

__all__ = ["Decoder", "frames_at", "probe", "scan", "scanned"]

Decoder = Literal["pyav", "decord", "nvdec"]

# A jump forward of more than this is a seek; less is decoded through. Keyframes lie 2–10 s apart.
SEEK_GAP_SECONDS = 10.0
# In an MPEG program stream only some pictures carry a time, one in 0.7 s at least (ISO/IEC 13818-1). After a
# seek FFmpeg guesses until the first that does: measured up to 18 frames, 0.1 s off.
GUESSED_SECONDS = {"mpeg": 1.0}


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
        decoder: `pyav` (`nvdec` is the same here), or `decord` (best stream only).

    Yields:
        One `Frame` for each asked second.

    Raises:
        MediaError: The file holds no readable pictures.
        QueryError: An asked second is negative or not finite.
    """
    path = Path(path)
    wanted = (_checked(second) for second in seconds)
    if decoder == "decord":
        yield from decord_frames.frames_at(path, wanted, stream)
        return
    with contextlib.ExitStack() as opened:
        cursor: _Cursor | None = None
        for second in wanted:
            cursor = cursor or opened.enter_context(contextlib.closing(_Cursor(path, stream)))
            yield cursor.frame_at(second)


def scan(path: Path | str, stream: int | None = None, decoder: Decoder = "pyav") -> Iterator[ScannedFrame]:
    """Every frame of a video in presentation order, each with a thumbnail.

    Args:
        path: The video file.
        stream: Index of the stream of pictures in its container; None for FFmpeg's best one.
        decoder: `pyav`, the same on an NVIDIA GPU as `nvdec`, or `decord` (best stream only).

    Raises:
        MediaError: The file holds no readable pictures.
        SettingsError: NVDEC does not decode it, or is not here.
    """
    path = Path(path)
    if decoder == "decord":
        yield from decord_frames.scan(path, stream)
        return
    with open_media(path, on_gpu=decoder == "nvdec") as container:
        pictures = pictures_of(container, path, stream)
        zero: float | None = None
        for frame in decode(container, pictures):
            zero = stream_start(pictures, frame) if zero is None else zero
            yield scanned(frame, thumbnail_of(frame), zero)


def scanned(frame: "av.VideoFrame", thumbnail: Pixels, zero: float, gap: Gap = "seen") -> ScannedFrame:
    """A decoded frame of a stream that starts at second `zero` of the container's clock."""
    seconds = max(0.0, frame.time - zero)
    return ScannedFrame(seconds, thumbnail, lambda: Frame(seconds, pixels_of(frame)), gap)


def _checked(second: float) -> float:
    if not math.isfinite(second) or second < 0:
        raise QueryError(f"frames are asked for at finite seconds ≥ 0, got {second}")
    return second


class _Cursor:
    """Walks one stream: forward frame by frame, by seeking when the way is long or leads back."""

    def __init__(self, path: Path, index: int | None) -> None:
        self._path, self._index = path, index
        self._opened = contextlib.ExitStack()
        self._open()
        self._zero = stream_start(self._stream, self._shown)

    def close(self) -> None:
        self._opened.close()

    def frame_at(self, second: float) -> Frame:
        gap = second - self._seconds(self._shown)
        if gap < -TOLERANCE_SECONDS or (gap > SEEK_GAP_SECONDS and self._next is not None):
            self._seek(second)
        while self._next is not None and self._seconds(self._next) <= second + TOLERANCE_SECONDS:
            self._stand(self._next)
        return Frame(self._seconds(self._shown), pixels_of(self._shown))

    def _seconds(self, frame: "av.VideoFrame") -> float:
        return max(0.0, frame.time - self._zero)

    def _open(self) -> None:
        self.close()
        self._container: InputContainer = self._opened.enter_context(open_media(self._path))
        self._stream: av.VideoStream = pictures_of(self._container, self._path, self._index)
        self._begin()

    def _begin(self) -> None:
        """Stand on the first frame that can be decoded from the container's position on."""
        self._frames = decode(self._container, self._stream)
        self._stand(next(self._frames))

    def _stand(self, frame: "av.VideoFrame") -> None:
        self._shown: av.VideoFrame = frame
        self._next: av.VideoFrame | None = next(self._frames, None)

    def _seek(self, second: float) -> None:
        """Stand on a keyframe at or before `second`, as near as the container's index allows.

        Some containers land late, or between keyframes: then farther back, at last from the start of the file.
        """
        import av

        guessed = GUESSED_SECONDS.get(self._container.format.name, 0.0)
        for back in (2 * guessed, 5.0, 30.0):
            target = second - back
            if target <= 0:
                break
            try:
                self._container.seek(round((target + self._zero) / self._stream.time_base), stream=self._stream)
                self._begin()
            except (av.error.FFmpegError, MediaError):
                continue
            if self._shown.key_frame and self._seconds(self._shown) <= second - guessed + TOLERANCE_SECONDS:
                return
        self._open()
