"""The near-duplicate gate: from every frame of a video to the few stills worth looking at.

A still spans the time from the frame where the picture became different to the frame where it
becomes different again, so slides and captions keep frame-exact edges. While the picture moves,
one still stands for each `sample_seconds`. A still that comes back need not be looked at again.
"""

import math
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from ...tools.media.gop import STATIC_SECONDS
from ...tools.media.pictures import THUMBNAIL_SIZE
from ...tools.media.scanned import ScannedFrame
from ...tools.media.skim import NOISE_LEVELS, SKIM_PARAMETERS
from ...tools.records import Pixels, Segment, Span

__all__ = ["GATE", "RecentSegments", "segments"]

# Thumbnail cells are 20×20 pixels of 720p. One line of 18-pixel text changes a cell by 15 levels
# and more; compression noise by `NOISE_LEVELS` at most.
CHANGED_LEVELS = 10
# A cut changes the mean by more than this, and by more than this many times what the frames before
# it did: fast motion passes 20 levels for seconds on end.
CUT_LEVELS = 20
CUT_RATIO = 3
# A still that comes back is known among this many: the slide after the speaker, the line before the cursor blinked.
REMEMBERED = 8
_MEMORY = 0.7  # of the running mean of changes: about three frames

# All that the choice of stills depends on.
GATE = (*SKIM_PARAMETERS, *THUMBNAIL_SIZE, CHANGED_LEVELS, CUT_LEVELS, CUT_RATIO, REMEMBERED, _MEMORY)


@dataclass
class _Open:
    """The still that is being watched."""

    start: float
    shown: ScannedFrame  # what represents it
    changed_at: float  # when it last became different
    stands: bool = False


def segments(frames: Iterable[ScannedFrame], sample_seconds: float, ends_at: float = math.inf) -> Iterator[Segment]:
    """The stills of a video, in order, without gaps.

    Args:
        frames: In presentation order, from `tools.media.skim.skim` or `tools.media.frames.scan`.
        sample_seconds: Longest stretch of moving picture that one still stands for.
        ends_at: Where the container says that the video ends: no frame tells how long the last one is
            shown. Without it the last is shown as long as the one before; so it is where the container is wrong.

    Yields:
        Segments whose spans cover the time from the first frame to the end of the last.
    """
    current: _Open | None = None
    before: ScannedFrame | None = None
    frame_seconds = 0.04
    moved_at, usual = 0.0, 0.0
    for frame in frames:
        if current is None or before is None:
            current = _Open(frame.seconds, frame, frame.seconds)
            before, moved_at = frame, frame.seconds
            continue
        frame_seconds = frame.seconds - before.seconds
        if (
            not current.stands
            and frame.gap == "seen"
            and frame.seconds - max(moved_at, current.changed_at) >= STATIC_SECONDS
        ):
            current.stands, current.shown = True, before
        if _largest(frame.thumbnail, before.thumbnail) > NOISE_LEVELS or frame.gap != "seen":
            moved_at = frame.seconds
        change = _mean(frame.thumbnail, before.thumbnail)
        is_cut = frame.gap == "seen" and change > CUT_LEVELS and change > CUT_RATIO * usual
        is_new = frame.gap == "unseen" or is_cut
        if frame.gap == "seen":
            usual = _MEMORY * usual + (1 - _MEMORY) * change
        if _largest(frame.thumbnail, current.shown.thumbnail) > CHANGED_LEVELS:
            age = frame.seconds - current.start
            if current.stands or age >= sample_seconds or (is_new and age >= STATIC_SECONDS):
                yield _closed(current, frame.seconds)
                current = _Open(frame.seconds, frame, frame.seconds)
            else:
                current.shown, current.changed_at = frame, frame.seconds
        before = frame
    if current is not None and before is not None:
        end = before.seconds + frame_seconds
        yield _closed(current, ends_at if before.seconds < ends_at < end else end)


class RecentSegments:
    """The last few different stills, to know one that comes back."""

    def __init__(self) -> None:
        self._known: deque[tuple[Pixels, float]] = deque(maxlen=REMEMBERED)

    def same_as(self, segment: Segment) -> float | None:
        """Seconds of the frame of an earlier still that shows the same up to noise; None: it is new, and remembered."""
        from PIL import Image

        thumbnail = np.asarray(
            Image.fromarray(segment.frame.pixels).convert("L").resize(THUMBNAIL_SIZE, Image.Resampling.BOX)
        )
        for number, (known, seconds) in enumerate(self._known):
            if _largest(thumbnail, known) <= CHANGED_LEVELS:
                del self._known[number]
                self._known.append((known, seconds))
                return seconds
        self._known.append((thumbnail, segment.frame.seconds))
        return None


def _closed(current: _Open, end: float) -> Segment:
    return Segment(Span(start=current.start, end=end), current.shown.load(), moves=not current.stands)


def _largest(a: Pixels, b: Pixels) -> int:
    return int(np.abs(a.astype(np.int16) - b).max())


def _mean(a: Pixels, b: Pixels) -> float:
    return float(np.abs(a.astype(np.int16) - b).mean())
