"""Frames of a video: at given seconds, all in sequence, and as clips. Times are seconds of the file's timeline.

The default decoder is PyAV. The user may choose `decord` (`tools.media.decord_frames`).
"""

import contextlib
import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from ..errors import MediaError, QueryError
from ..records import Clip, Frame, Pixels, Span
from . import decord_frames
from .container import decode, open_media, video_stream_of
from .pictures import pixel_aspect, pixels_of, upright
from .scanned_frames import TOLERANCE_SECONDS, Gap, ScannedFrame
from .skimming.comparison import detail_of
from .streams import probe
from .timeline import timeline_of

if TYPE_CHECKING:
    import av
    from av.container import InputContainer

__all__ = ["CLIPS", "Decoder", "frames_at", "frames_between", "moving_clips", "probe", "scan", "scanned"]

Decoder = Literal["pyav", "decord", "nvdec"]

# A longer jump forward is a seek; a shorter one is decoded. Keyframes lie 2–10 s apart.
SEEK_GAP_SECONDS = 10.0
# In an MPEG program stream only some pictures have a timestamp, at least one in 0.7 s (ISO/IEC 13818-1). After a seek
# FFmpeg guesses the times up to the first timestamp: measured for up to 18 frames, with errors of 0.1 s.
GUESSED_SECONDS = {"mpeg": 1.0}
# A clip has this length; the last one of a stretch may be shorter. Models of clips read 224 to 288 pixels.
_CLIP_SECONDS, _SHORTEST_CLIP, _CLIP_SIDE = 3.0, 1.0, 320
# Levels of 256 by which the mean brightness of 8×8 blocks differs from that of the clip's first frame, in the mean of the picture.
_LEAST_MOTION = 1.0

# Everything that the clips of a video depend on.
CLIPS = (1, _CLIP_SECONDS, _SHORTEST_CLIP, _CLIP_SIDE, _LEAST_MOTION)


def frames_at(
    path: Path | str, seconds: Iterable[float], stream: int | None = None, decoder: Decoder = "pyav"
) -> Iterator[Frame]:
    """Yield the frame on screen at each second, in the given order.

    The frame on screen at `t` is the last one that begins at or before `t` (to 1 ms). Before the first frame it is the
    first, after the last frame the last: `Frame.seconds` is its own time.

    Args:
        path: The video file.
        seconds: Seconds on the file's timeline, in any order; repeats are allowed.
        stream: Index of the video stream in its container; None for FFmpeg's best one.
        decoder: `pyav` (`nvdec` does the same in this function), or `decord` (best stream only).

    Yields:
        One `Frame` for each second.

    Raises:
        MediaError: The file holds no readable pictures.
        QueryError: A second is negative or not finite.
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


def frames_between(path: Path | str, start: float, end: float, stream: int | None = None) -> Iterator[ScannedFrame]:
    """Yield all frames from the one on screen at `start` to the one on screen at `end`, with upright details.

    Args:
        path: The video file.
        start: Second of the first frame.
        end: Second of the last frame.
        stream: Index of the video stream in its container; None for FFmpeg's best one.

    Raises:
        MediaError: The file holds no readable pictures.
    """
    with contextlib.closing(_Cursor(Path(path), stream)) as cursor:
        yield from cursor.frames_between(start, end)


def moving_clips(
    path: Path | str, spans: Sequence[Span], count: int, stream: int | None = None, decoder: Decoder = "pyav"
) -> Iterator[Clip]:
    """Yield the clips of 3 s in which the picture moves, with small frames.

    Args:
        path: The video file.
        spans: The stretches that are cut into clips.
        count: Frames of a clip, at equal distances.
        stream: Index of the video stream in its container; None for FFmpeg's best one.
        decoder: As for `frames_at`.

    Raises:
        MediaError: The file holds no readable pictures.
    """
    cuts = [
        Span(start=start, end=min(span.end, start + _CLIP_SECONDS))
        for span in spans
        for number in range(math.ceil(span.duration / _CLIP_SECONDS))
        if span.end - (start := span.start + number * _CLIP_SECONDS) >= _SHORTEST_CLIP
    ]
    seconds = (cut.start + (number + 0.5) * cut.duration / count for cut in cuts for number in range(count))
    frames = (_small(frame) for frame in frames_at(path, seconds, stream, decoder))
    for cut in cuts:
        clip = Clip(cut, tuple(itertools.islice(frames, count)))
        if _motion(clip) >= _LEAST_MOTION:
            yield clip


def scan(path: Path | str, stream: int | None = None, decoder: Decoder = "pyav") -> Iterator[ScannedFrame]:
    """Yield every frame of a video in presentation order, each with its detail.

    Args:
        path: The video file.
        stream: Index of the video stream in its container; None for FFmpeg's best one.
        decoder: `pyav`, `nvdec` (PyAV on an NVIDIA GPU), or `decord` (best stream only).

    Raises:
        MediaError: The file holds no readable pictures.
        SettingsError: NVDEC cannot decode it, or is not available.
    """
    path = Path(path)
    if decoder == "decord":
        yield from decord_frames.scan(path, stream)
        return
    timeline = timeline_of(path)
    with open_media(path, on_gpu=decoder == "nvdec") as container:
        film = video_stream_of(container, path, stream)
        aspect = pixel_aspect(film)
        for frame in decode(container, film, timeline):
            yield scanned(frame, detail_of(frame), aspect)


def scanned(frame: "av.VideoFrame", detail: Pixels, aspect: float, gap: Gap = "seen") -> ScannedFrame:
    """A decoded frame, whose time is on the timeline, as a `ScannedFrame`; `aspect` is from `pictures.pixel_aspect`."""
    seconds = max(0.0, frame.time)
    return ScannedFrame(seconds, detail, lambda: Frame(seconds, pixels_of(frame, aspect)), gap)


def _small(frame: Frame) -> Frame:
    from PIL import Image

    scale = _CLIP_SIDE / min(frame.size)
    if scale >= 1:
        return frame
    size = (max(1, round(frame.size[0] * scale)), max(1, round(frame.size[1] * scale)))
    return Frame(frame.seconds, np.asarray(Image.fromarray(frame.pixels).resize(size, Image.Resampling.BILINEAR)))


def _motion(clip: Clip) -> float:
    """The largest difference of a frame from the first one, as the mean over blocks of 8×8 pixels, in levels of 256."""
    small = [frame.pixels[: frame.size[1] // 8 * 8, : frame.size[0] // 8 * 8].mean(axis=2) for frame in clip.frames]
    blocks = [one.reshape(one.shape[0] // 8, 8, -1, 8).mean(axis=(1, 3)) for one in small]
    return max(float(np.abs(one - blocks[0]).mean()) for one in blocks)


def _checked(second: float) -> float:
    if not math.isfinite(second) or second < 0:
        raise QueryError(f"frames are read at finite seconds ≥ 0, got {second}")
    return second


class _Cursor:
    """Reads one stream: short ways forward frame by frame; long ways forward, and all ways back, by seeking."""

    def __init__(self, path: Path, index: int | None) -> None:
        self._path, self._index = path, index
        self._timeline = timeline_of(path)
        self._opened = contextlib.ExitStack()
        self._open()

    def close(self) -> None:
        self._opened.close()

    def frame_at(self, second: float) -> Frame:
        gap = second - self._seconds(self._shown)
        if gap < -TOLERANCE_SECONDS or (gap > SEEK_GAP_SECONDS and self._next is not None):
            self._seek(second)
        while self._next is not None and self._seconds(self._next) <= second + TOLERANCE_SECONDS:
            self._show(self._next)
        return Frame(self._seconds(self._shown), pixels_of(self._shown, pixel_aspect(self._stream)))

    def frames_between(self, start: float, end: float) -> Iterator[ScannedFrame]:
        """Yield the frames from one second to another."""
        self.frame_at(start)
        aspect = pixel_aspect(self._stream)
        while self._seconds(self._shown) <= end:
            yield scanned(self._shown, upright(detail_of(self._shown), self._shown), aspect)
            if self._next is None:
                return
            self._show(self._next)

    def _seconds(self, frame: "av.VideoFrame") -> float:
        return max(0.0, frame.time)

    def _open(self, from_second: float = 0.0) -> None:
        self.close()
        self._container: InputContainer = self._opened.enter_context(open_media(self._path))
        self._stream: av.VideoStream = video_stream_of(self._container, self._path, self._index)
        self._start(from_second)

    def _start(self, from_second: float = 0.0) -> None:
        """Show the first frame that can be decoded from the container's position on."""
        self._frames = decode(self._container, self._stream, self._timeline, from_second)
        self._show(next(self._frames))

    def _show(self, frame: "av.VideoFrame") -> None:
        self._shown: av.VideoFrame = frame
        self._next: av.VideoFrame | None = next(self._frames, None)

    def _seek(self, second: float) -> None:
        """Show a keyframe at or before `second`, as near as the container's index allows.

        Some containers seek to a late place, or between keyframes. Then the seek is repeated from earlier seconds, and at last
        from the start of the file. Where the container's clock restarts, a timestamp is not unique: no seek is possible, and
        the packets before the keyframe are read.
        """
        import av

        if self._timeline.joints:
            self._open(second)
            return
        guessed = GUESSED_SECONDS.get(self._container.format.name, 0.0)
        for back in (2 * guessed, 5.0, 30.0):
            target = second - back
            if target <= 0:
                break
            try:
                ticks = round((target + self._timeline.zero) / self._stream.time_base)
                self._container.seek(ticks, stream=self._stream)
                self._start()
            except (av.error.FFmpegError, MediaError):
                continue
            if self._shown.key_frame and self._seconds(self._shown) <= second - guessed + TOLERANCE_SECONDS:
                return
        self._open()
