"""A frame of a scan: its time, its detail for comparison, and its pixels on request; and the end of the last segment."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

from ..records import Frame, Pixels, Segment, Span, VideoInfo
from .skimming.comparison import thumbnail_of

__all__ = ["TOLERANCE_SECONDS", "Gap", "ScannedFrame", "cut_to", "frames_for", "held_to_end"]

# The frames that were skipped before a frame. `seen`: none, or frames with the same picture. `moving`: frames of one shot
# that moves all the time. `unseen`: unknown.
Gap = Literal["seen", "moving", "unseen"]

# A time that was rounded to milliseconds still refers to the frame that begins there.
TOLERANCE_SECONDS = 0.001
# If the last decoded frame ends this much before its stream, the stream is damaged, and the frame is not extended.
_DAMAGED_SECONDS = 1.0


@dataclass(frozen=True)
class ScannedFrame:
    """One frame of a scan; its full pixels are made on request.

    Attributes:
        seconds: Its presentation time, in seconds of the file's timeline.
        detail: Brightness at half resolution, `uint8`, from `tools.media.skimming.comparison.detail_of`.
        load: Makes the `Frame`.
        gap: What lies between the frame before it and this one.
    """

    seconds: float
    detail: Pixels
    load: Callable[[], Frame]
    gap: Gap = "seen"

    @cached_property
    def thumbnail(self) -> Pixels:
        """Brightness, `uint8`, shape `(36, 64)`."""
        return thumbnail_of(self.detail)


def held_to_end(segments: Iterable[Segment], info: VideoInfo) -> Iterator[Segment]:
    """Yield the same segments; extend the last one to the end of the sound, as players do."""
    last: Segment | None = None
    for segment in segments:
        if last is not None:
            yield last
        last = segment
    if last is None:
        return
    is_whole = info.video is None or info.video.end is None or info.video.end - last.span.end <= _DAMAGED_SECONDS
    if is_whole and last.span.end < info.duration:
        last = replace(last, span=Span(start=last.span.start, end=info.duration))
    yield last


def frames_for(frames: Iterable[ScannedFrame], window: Span) -> Iterator[ScannedFrame]:
    """Yield the frame on screen at a window's start, those inside it, and the first one after it."""
    before: ScannedFrame | None = None
    for frame in frames:
        if frame.seconds <= window.start:
            before = frame
            continue
        if before is not None:
            yield before
            before = None
        yield frame
        if frame.seconds >= window.end:
            return
    if before is not None:
        yield before


def cut_to(segments: Iterable[Segment], window: Span) -> Iterator[Segment]:
    """Yield the segments that overlap a window, cut at its edges. Times and keyframes stay."""
    for segment in segments:
        start, end = max(segment.span.start, window.start), min(segment.span.end, window.end)
        if start < end:
            yield replace(segment, span=Span(start=start, end=end))
