"""A frame of a scan: its time, a thumbnail to compare it by, and its pixels on request."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from ..records import Frame, Pixels

__all__ = ["TOLERANCE_SECONDS", "Gap", "ScannedFrame"]

# `seen`: nothing, or what shows the same; `moving`: one shot whose picture moves all the time; `unseen`: anything.
Gap = Literal["seen", "moving", "unseen"]

# A second that was rounded to milliseconds still means the frame that begins there.
TOLERANCE_SECONDS = 0.001


@dataclass(frozen=True, slots=True)
class ScannedFrame:
    """One frame of a scan; its full pixels are made only when asked for.

    Attributes:
        seconds: Its true presentation time, in seconds since the start of its stream.
        thumbnail: Brightness, `uint8`, shape `(36, 64)`: to compare frames with.
        load: Makes the `Frame`.
        gap: What lies between the frame before it and this one.
    """

    seconds: float
    thumbnail: Pixels
    load: Callable[[], Frame]
    gap: Gap = "seen"
