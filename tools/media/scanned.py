"""A frame of a scan: its time, a thumbnail to compare it by, and its pixels on request. How long the last one is shown."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

from ..records import Frame, Pixels, Segment, Span, VideoInfo
from .comparison import thumbnail_of

__all__ = ["TOLERANCE_SECONDS", "Gap", "ScannedFrame", "held_to_end"]

# What lies before a frame. `seen`: nothing, or frames that show the same; `moving`: one shot that moves all the time;
# `unseen`: anything.
Gap = Literal["seen", "moving", "unseen"]

# A second that was rounded to milliseconds means the frame that begins there.
TOLERANCE_SECONDS = 0.001
# Where the last decoded frame ends this much before its stream does, the stream is damaged, and the frame is not held.
_DAMAGED_SECONDS = 1.0


@dataclass(frozen=True)
class ScannedFrame:
    """One frame of a scan; its full pixels are made only when asked for.

    Attributes:
        seconds: Its presentation time, in seconds of the file's timeline.
        detail: Brightness at half resolution, `uint8`, from `tools.media.comparison.detail_of`.
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
    """The same segments; the last one lasts as long as the sound does, as players show it."""
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
