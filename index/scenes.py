"""The near-duplicate gate: from every frame of a video to the few stills worth looking at.

A still spans the time from the frame where the picture became different to the frame where it
becomes different again, so slides and captions keep frame-exact edges. While the picture moves,
one still stands for each `sample_seconds`.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from ..tools.records import Pixels, Span, Still
from ..tools.video import ScannedFrame

__all__ = ["stills"]

# Thumbnail cells are 20×20 pixels of 720p. One line of 18-pixel text changes a cell by 15 levels
# and more; compression noise by 3 at most (H.264, crf 20–35).
CHANGED_LEVELS = 10
STANDING_LEVELS = 3
# The picture stands once it was the same for this long; no still is shorter.
STANDING_SECONDS = 0.25
# A cut changes the mean by more than this, and by more than this many times what the frames before
# it did: fast motion passes 20 levels for seconds on end.
CUT_LEVELS = 20
CUT_RATIO = 3
_MEMORY = 0.7  # of the running mean of changes: about three frames


@dataclass
class _Open:
    """The still that is being watched."""

    start: float
    shown: ScannedFrame  # what represents it
    changed_at: float  # when it last became different
    stands: bool = False


def stills(frames: Iterable[ScannedFrame], sample_seconds: float) -> Iterator[Still]:
    """The stills of a video, in order, without gaps.

    Args:
        frames: Every frame in presentation order, from `tools.video.scan`.
        sample_seconds: Longest stretch of moving picture that one still stands for.

    Yields:
        Stills whose spans cover the time from the first frame to the end of the last.
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
        if _largest(frame.thumbnail, before.thumbnail) > STANDING_LEVELS:
            moved_at = frame.seconds
        change = _mean(frame.thumbnail, before.thumbnail)
        cut = change > CUT_LEVELS and change > CUT_RATIO * usual
        usual = _MEMORY * usual + (1 - _MEMORY) * change
        if _largest(frame.thumbnail, current.shown.thumbnail) > CHANGED_LEVELS:
            age = frame.seconds - current.start
            cut = cut and age >= STANDING_SECONDS
            if current.stands or cut or age >= sample_seconds:
                yield _closed(current, frame.seconds)
                current = _Open(frame.seconds, frame, frame.seconds)
            else:
                current.shown, current.changed_at = frame, frame.seconds
        elif not current.stands and frame.seconds - max(moved_at, current.changed_at) >= STANDING_SECONDS:
            current.stands, current.shown = True, frame
        before = frame
    if current is not None and before is not None:
        yield _closed(current, before.seconds + frame_seconds)


def _closed(current: _Open, end: float) -> Still:
    return Still(Span(start=current.start, end=end), current.shown.load())


def _largest(a: Pixels, b: Pixels) -> int:
    return int(np.abs(a.astype(np.int16) - b).max())


def _mean(a: Pixels, b: Pixels) -> float:
    return float(np.abs(a.astype(np.int16) - b).mean())
