"""Change detection: from the frames of a video to the few segments that are worth extracting.

A segment starts at the frame where the picture became different and ends where it becomes different again: slides and
captions have frame-exact edges. One changed character is a difference (`tools.media.skimming.comparison`). While the picture
moves, there is one segment for each `sample_seconds`.
"""

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from pydantic import Field

from ...tools.media.scanned_frames import ScannedFrame
from ...tools.media.skimming.comparison import (
    COMPARISON,
    Change,
    detail_of_pixels,
    largest_change,
    text_appeared,
    thumbnail_of,
)
from ...tools.media.skimming.gop import STATIC_SECONDS
from ...tools.media.skimming.skim import NOISE_LEVELS, SKIM_PARAMETERS
from ...tools.records import Pixels, Record, Seconds, Segment, Span

__all__ = ["GATE", "FrameDecision", "RecentSegments", "segments"]

# A pixel of a thumbnail is the mean of 20×20 pixels of 720p. One line of 18-pixel text changes it by 15 levels or more,
# compression by `NOISE_LEVELS` at most.
CHANGED_LEVELS = 10
# A cut changes the mean by more than this, and by more than this multiple of the running mean of changes: fast motion
# exceeds 20 levels for seconds.
CUT_LEVELS = 20
CUT_RATIO = 3
# A picture that reappears is recognised among this many: the slide after the speaker. Less than this share of its
# thumbnail changed: a line of text, a pointer, no object larger than 120×120 pixels of 720p.
REMEMBERED = 8
_OTHER_SHARE = 0.015
# Frames that are compared for text that appears over a moving picture are this far apart: the picture has moved.
_LOOK_SECONDS = 0.2
_MEMORY = 0.7  # of the running mean of changes: about three frames

# Everything that the choice of segments depends on.
GATE = (
    3,
    *SKIM_PARAMETERS,
    *COMPARISON,
    CHANGED_LEVELS,
    CUT_LEVELS,
    CUT_RATIO,
    REMEMBERED,
    _OTHER_SHARE,
    _LOOK_SECONDS,
    _MEMORY,
)


class FrameDecision(Record):
    """What change detection decided about one compared frame: a row of the debug table."""

    seconds: Seconds = Field(description="The frame's presentation time.")
    levels: float = Field(description="Largest change of a text-sized block against the segment's frame, 0 to 255.")
    threshold: float = Field(description="Levels above which that change counts.")
    picture_levels: int = Field(description="Largest change of a thumbnail pixel against the segment's frame.")
    kept: bool = Field(description="Whether a segment starts at this frame.")
    reason: str = Field(description="Why it starts one, or not.")


@dataclass
class _Open:
    """The segment that has not ended yet."""

    start: float
    shown: ScannedFrame  # its keyframe
    changed_at: float  # when it last became different
    is_static: bool = False
    holds_caption: bool = False  # its keyframe shows text that may be gone by the next sample


class _Looks:
    """The last two frames that are `_LOOK_SECONDS` apart, to notice text that appears over a moving picture."""

    def __init__(self) -> None:
        self._last: deque[ScannedFrame] = deque(maxlen=2)

    def add(self, frame: ScannedFrame) -> None:
        """Keep a frame if it is far enough from the last one that was kept."""
        if frame.gap == "unseen":
            self._last.clear()
        if self._is_due(frame):
            self._last.append(frame)

    def caption(self, frame: ScannedFrame) -> tuple[ScannedFrame, ScannedFrame] | None:
        """Return the last frame without the text that a frame shows and the first with it; None: no text appeared."""
        if len(self._last) < 2 or frame.gap == "unseen" or not self._is_due(frame):
            return None
        without, first = self._last
        return (without, first) if text_appeared(without.detail, first.detail, frame.detail) else None

    def _is_due(self, frame: ScannedFrame) -> bool:
        return not self._last or frame.seconds - self._last[-1].seconds >= _LOOK_SECONDS


class _Comparison:
    """One frame against the segment's frame and the frame before it."""

    def __init__(self, frame: ScannedFrame, shown: ScannedFrame, before: ScannedFrame) -> None:
        self.picture_levels = _largest(frame.thumbnail, shown.thumbnail)
        self.mean_change = _mean(frame.thumbnail, before.thumbnail)
        self.is_other_picture = self.picture_levels > CHANGED_LEVELS
        # Where the whole picture changed, nothing smaller needs to be looked for.
        self.text = Change(0.0, 0.0) if self.is_other_picture else largest_change(shown.detail, frame.detail)
        self.is_different = self.is_other_picture or self.text.is_visible
        self.has_moved = frame.gap != "seen" or _largest(frame.thumbnail, before.thumbnail) > NOISE_LEVELS
        if not self.has_moved:
            change = self.text if before is shown else largest_change(before.detail, frame.detail)
            self.has_moved = change.is_visible


def segments(
    frames: Iterable[ScannedFrame],
    sample_seconds: float,
    ends_at: float = math.inf,
    report: Callable[[FrameDecision], None] | None = None,
) -> Iterator[Segment]:
    """Yield the segments of a video, in order, without gaps.

    Args:
        frames: In presentation order, from `tools.media.skimming.skim.skim` or `tools.media.frames.scan`.
        sample_seconds: Longest segment while the picture moves.
        ends_at: End of the video in seconds, as the container states it. The last frame is taken to last as long as the
            one before it, or up to `ends_at` if that is earlier.
        report: Receives the decision about each frame.

    Yields:
        Segments whose spans cover the time from the first frame to the end of the last.
    """
    current: _Open | None = None
    before: ScannedFrame | None = None
    frame_seconds = 0.04
    moved_at, usual = 0.0, 0.0
    looks = _Looks()
    for frame in frames:
        if current is None or before is None:
            current = _Open(frame.seconds, frame, frame.seconds)
            before, moved_at = frame, frame.seconds
            looks.add(frame)
            if report:
                report(_decision(frame, None, True, "first frame"))
            continue
        frame_seconds = frame.seconds - before.seconds
        if (
            not current.is_static
            and frame.gap == "seen"
            and frame.seconds - max(moved_at, current.changed_at) >= STATIC_SECONDS
        ):
            if current.holds_caption and current.changed_at > current.shown.seconds:
                yield _closed(current, current.changed_at)
                current = _Open(current.changed_at, before, current.changed_at)
            current.is_static, current.shown = True, before
        compared = _Comparison(frame, current.shown, before)
        if compared.has_moved:
            moved_at = frame.seconds
        is_cut = frame.gap == "seen" and compared.mean_change > CUT_LEVELS and compared.mean_change > CUT_RATIO * usual
        is_new = frame.gap == "unseen" or is_cut
        if frame.gap == "seen":
            usual = _MEMORY * usual + (1 - _MEMORY) * compared.mean_change
        reason, kept = "no visible change", False
        caption = looks.caption(frame) if compared.is_different and not current.is_static else None
        if caption and caption[0].seconds < current.start:
            reason = "text appeared as the segment began"
            if not current.holds_caption:
                reason += ": it shows this frame"
                current.shown, current.changed_at, current.holds_caption = frame, frame.seconds, True
        elif caption:
            kept, reason = True, "text appeared over a moving picture"
            without, first = caption
            if current.shown.seconds >= first.seconds:
                current.shown = without
            yield _closed(current, first.seconds)
            current = _Open(first.seconds, frame, frame.seconds, holds_caption=True)
        elif compared.is_different:
            age = frame.seconds - current.start
            if current.is_static or age >= sample_seconds or (is_new and age >= STATIC_SECONDS):
                kept = True
                reason = _why_new(current, compared, is_new)
                yield _closed(current, frame.seconds)
                current = _Open(frame.seconds, frame, frame.seconds)
            else:
                reason = f"changed again {age:.2f} s after the segment began: it shows this frame instead"
                current.shown = current.shown if current.holds_caption else frame
                current.changed_at = frame.seconds
        if report:
            report(_decision(frame, compared, kept, reason))
        looks.add(frame)
        before = frame
    if current is not None and before is not None:
        end = before.seconds + frame_seconds
        yield _closed(current, ends_at if before.seconds < ends_at < end else end)


class RecentSegments:
    """The last few different pictures, to recognise one that reappears. Text is not compared: readers of text do that."""

    def __init__(self) -> None:
        self._known: deque[tuple[Pixels, float]] = deque(maxlen=REMEMBERED)

    def same_as(self, segment: Segment) -> float | None:
        """Return the seconds of an earlier segment's frame that shows the same picture up to text; None if it is new."""
        thumbnail = thumbnail_of(detail_of_pixels(segment.frame.pixels))
        for number, (known, seconds) in enumerate(self._known):
            changed = np.abs(thumbnail.astype(np.int16) - known) > CHANGED_LEVELS
            if changed.mean() < _OTHER_SHARE:
                del self._known[number]
                self._known.append((known, seconds))
                return seconds
        self._known.append((thumbnail, segment.frame.seconds))
        return None


def _why_new(current: _Open, compared: _Comparison, is_new: bool) -> str:
    if not current.is_static:
        return "cut" if is_new else "sample of a moving picture"
    return "another picture" if compared.is_other_picture else "text changed"


def _decision(frame: ScannedFrame, compared: _Comparison | None, kept: bool, reason: str) -> FrameDecision:
    return FrameDecision(
        seconds=frame.seconds,
        levels=compared.text.levels if compared else 0.0,
        threshold=compared.text.threshold if compared else 0.0,
        picture_levels=compared.picture_levels if compared else 0,
        kept=kept,
        reason=reason,
    )


def _closed(current: _Open, end: float) -> Segment:
    return Segment(Span(start=current.start, end=end), current.shown.load(), moves=not current.is_static)


def _largest(a: Pixels, b: Pixels) -> int:
    return int(np.abs(a.astype(np.int16) - b).max())


def _mean(a: Pixels, b: Pixels) -> float:
    return float(np.abs(a.astype(np.int16) - b).mean())
