"""Exact start and end of text over moving pictures: when a caption appears and disappears, to one frame.

A moving picture is sampled, so a caption is first read some time after it appeared. Its pixels are compared with those of
the frames around: edges of letters stay where they are while the picture behind them moves.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

from ....tools.media.scanned_frames import ScannedFrame
from ....tools.records import Box, Observation, Pixels, Span

__all__ = ["TEXT_EDGES", "FramesBetween", "refine_edges"]

Picture = npt.NDArray[np.float32]
FramesBetween = Callable[[float, float], Iterator[ScannedFrame]]

# Correlation of the edges of letters: of the same text over another background 0.6 and more (0.9 with an outline), of
# another background alone 0.3 at most.
_SAME_TEXT = 0.5
# Two captions at one place are distinguished by the pixels in which their edges differ by this share of the strongest.
_OTHER_PIXELS = 0.3
# Margin around a line, as a share of its height.
_MARGIN = 0.15
# Where more lines than this are shown, edges stay as they are. It is a screen full of text, and to decode it again would take a
# fifth of the time of indexing.
_MOST_LINES = 24
# Text that stays in its place for less time moves with the picture: its edges stay as they are.
_LEAST_SECONDS = 0.4
# A caption may be missed in one frame where a bright picture is behind it.
_MISSED_SECONDS = 0.1
# Frames between two stretches that are nearer than this are decoded, too: opening the file again takes longer.
_JOINED_SECONDS = 2.0
_MOMENT = 1e-3  # by which the time of one frame may differ

# Everything that refined edges depend on.
TEXT_EDGES = (2, _SAME_TEXT, _OTHER_PIXELS, _MARGIN, _MOST_LINES, _LEAST_SECONDS, _MISSED_SECONDS)


@dataclass(frozen=True, eq=False)
class _Caption:
    """A line with an edge that is not known to the frame.

    Attributes:
        number: Its index among the lines.
        line: The line.
        box: Where it is in the picture.
        seen: Second of the frame that it was read in.
        start: The seconds in which it begins; None: its start stays as it is.
        end: The seconds in which it ends; None: its end stays as it is.
        others: Other lines at its place at about that time.
        crops: Its place in the frames that were decoded: second and brightness.
    """

    number: int
    line: Observation
    box: Box
    seen: float
    start: Span | None
    end: Span | None
    others: list["_Caption"] = field(default_factory=list)
    crops: list[tuple[float, Pixels]] = field(default_factory=list)

    @cached_property
    def around(self) -> Span:
        """The seconds around the frame that it was read in."""
        reach = _LEAST_SECONDS + _MISSED_SECONDS
        return Span(start=max(0.0, self.seen - reach), end=self.seen + reach)

    @cached_property
    def stretches(self) -> list[Span]:
        """The seconds whose frames are needed."""
        moments = [Span(start=other.seen, end=other.seen + _MOMENT) for other in self.others]
        return _joined([span for span in (self.start, self.around, self.end, *moments) if span], 0.0)

    def crop_at(self, seconds: float) -> Pixels | None:
        """Its place in the frame of a second; None: that frame was not decoded."""
        return next((crop for second, crop in self.crops if abs(second - seconds) < _MOMENT), None)

    def shown(self, judge: "_Judge", stretch: Span) -> list[tuple[float, bool]]:
        """The frames of a stretch: their seconds, and whether each shows the caption."""
        first, last = stretch.start - _MOMENT, stretch.end + _MOMENT
        return [(second, judge.shows(crop)) for second, crop in self.crops if first <= second <= last]


def refine_edges(
    lines: Sequence[Observation], moving: Sequence[Span], sample_seconds: float, frames_between: FramesBetween
) -> list[Observation]:
    """Return lines whose edges over moving pictures are exact to the frame; the others unchanged.

    Args:
        lines: Lines of text of one video.
        moving: Segments whose picture moves.
        sample_seconds: Longest time between two samples of a moving picture.
        frames_between: Returns all frames from one second to another, upright.
    """
    refined = list(lines)
    captions = _captions(lines, moving, sample_seconds)
    waiting, active = deque(captions), list[_Caption]()
    for stretch in _joined([span for caption in captions for span in caption.stretches], _JOINED_SECONDS):
        for frame in frames_between(stretch.start, stretch.end):
            while waiting and waiting[0].stretches[0].start <= frame.seconds + _MOMENT:
                active.append(waiting.popleft())
            for caption in active:
                if any(span.start - _MOMENT <= frame.seconds <= span.end + _MOMENT for span in caption.stretches):
                    caption.crops.append((frame.seconds, _crop(frame.detail, caption.box)))
            for caption in [one for one in active if one.stretches[-1].end <= frame.seconds]:
                refined[caption.number] = _refined(caption)
                active.remove(caption)
    for caption in active:
        refined[caption.number] = _refined(caption)
    return refined


def _captions(lines: Sequence[Observation], moving: Sequence[Span], sample_seconds: float) -> list[_Caption]:
    """Return the lines that begin or end while the picture moves, in order of the frames that are needed."""
    video_end = max([span.end for span in moving] + [line.span.end for line in lines], default=0.0)
    starts, ends = np.array([span.start for span in moving]), np.array([span.end for span in moving])
    begun = np.sort([line.span.start for line in lines])
    ended = np.sort([line.span.end for line in lines])

    def is_unsure(edge: float) -> bool:
        return bool(((starts <= edge) & (edge <= ends)).any())

    def shown_at(second: float) -> int:
        return int(np.searchsorted(begun, second, "right") - np.searchsorted(ended, second, "right"))

    found = []
    for number, line in enumerate(lines):
        seen, span = line.frame_seconds, line.span
        if line.box is None or seen is None or shown_at(seen) > _MOST_LINES:
            continue
        start = end = None
        if is_unsure(span.start) and seen > 0:
            start = Span(start=max(0.0, span.start - sample_seconds), end=min(span.start + sample_seconds, seen))
        if is_unsure(span.end) and seen < video_end:
            end = Span(start=max(span.end - sample_seconds, seen), end=min(span.end + sample_seconds, video_end))
        if start or end:
            found.append(_Caption(number, line, line.box, seen, start, end))
    _find_others(found, sample_seconds)
    return sorted(found, key=lambda caption: caption.stretches[0].start)


def _find_others(captions: Sequence[_Caption], sample_seconds: float) -> None:
    """Find the other captions at the place of each, up to a sample before and after it. Their letters may look alike."""
    near: list[_Caption] = []
    for one in sorted(captions, key=lambda caption: caption.line.span.start):
        near = [other for other in near if other.line.span.end >= one.line.span.start - sample_seconds]
        for other in near:
            if other.line.text != one.line.text and _meet(other.box, one.box):
                one.others.append(other)
                other.others.append(one)
        near.append(one)


def _joined(spans: Sequence[Span], gap: float) -> list[Span]:
    """Spans in order of time; those that are at most `gap` seconds apart are joined."""
    joined: list[Span] = []
    for span in sorted(spans, key=lambda one: (one.start, one.end)):
        if joined and span.start - joined[-1].end <= gap:
            joined[-1] = Span(start=joined[-1].start, end=max(joined[-1].end, span.end))
        else:
            joined.append(span)
    return joined


def _refined(caption: _Caption) -> Observation:
    """The line with exact edges; unchanged if its text does not stay in its place."""
    reference = caption.crop_at(caption.seen)
    if reference is None:
        return caption.line
    judge = _Judge(caption, reference)
    start, end = caption.line.span.start, caption.line.span.end
    if _stays(caption.shown(judge, caption.around), caption.seen):
        if caption.start:
            start = _first_second(caption.shown(judge, caption.start), caption.start.start, start)
        if caption.end:
            end = _last_second(caption.shown(judge, caption.end), caption.end.end, end)
    caption.crops.clear()
    return caption.line.model_copy(update={"span": Span(start=start, end=end)}) if end > start else caption.line


def _stays(shown: Sequence[tuple[float, bool]], seen: float) -> bool:
    """Whether a text is in its place long enough around the frame that it was read in."""
    before = [one for one in shown if one[0] <= seen + _MOMENT]
    after = [one for one in shown if one[0] >= seen - _MOMENT]
    return _last_second(after, after[-1][0], seen) - _first_second(before, before[0][0], seen) >= _LEAST_SECONDS


def _first_second(shown: Sequence[tuple[float, bool]], earliest: float, default: float) -> float:
    """When a text began that the last frames show: `earliest` if the first frame shows it, `default` if none does."""
    last = _last_of_run(shown[::-1])
    return default if last < 0 else earliest if last + 1 == len(shown) else shown[-1 - last][0]


def _last_second(shown: Sequence[tuple[float, bool]], latest: float, default: float) -> float:
    """When a text was gone that the first frames show: `latest` if the last frame shows it, `default` if none does."""
    last = _last_of_run(shown)
    return default if last < 0 else latest if last + 1 == len(shown) else shown[last + 1][0]


def _last_of_run(shown: Sequence[tuple[float, bool]]) -> int:
    """The index of the last frame of the first run of frames that show a text, in either order of time; -1: none shows it."""
    last = -1
    for number, (second, is_shown) in enumerate(shown):
        if is_shown:
            last = number
        elif last >= 0 and abs(second - shown[last][0]) > _MISSED_SECONDS:
            break
    return last


class _Judge:
    """Decides whether a frame shows a caption, and not another one at its place."""

    def __init__(self, caption: _Caption, reference: Pixels) -> None:
        self._own = _letter_edges(reference)
        self._strong = np.abs(self._own) > _OTHER_PIXELS * float(np.abs(self._own).max())
        self._others: list[tuple[Picture, npt.NDArray[np.bool_]]] = []
        for other in caption.others:
            crop = caption.crop_at(other.seen)
            if crop is not None:
                edges = _letter_edges(crop)
                differs = np.abs(edges - self._own) > _OTHER_PIXELS * float(np.abs(self._own).max())
                self._others.append((edges, differs))

    def shows(self, crop: Pixels) -> bool:
        """Whether a frame shows the caption, by its place in the frame."""
        edges = _letter_edges(crop)
        if edges.shape != self._own.shape or _correlation(edges[self._strong], self._own[self._strong]) < _SAME_TEXT:
            return False
        return all(
            np.square(edges - self._own)[differs].sum() <= np.square(edges - other)[differs].sum()
            for other, differs in self._others
        )


def _crop(detail: Pixels, box: Box) -> Pixels:
    height, width = detail.shape
    margin = _MARGIN * (box.bottom - box.top) * height
    rows = slice(int(max(0, box.top * height - margin)), int(np.ceil(min(height, box.bottom * height + margin))))
    columns = slice(int(max(0, box.left * width - margin)), int(np.ceil(min(width, box.right * width + margin))))
    return detail[rows, columns].copy()


def _letter_edges(crop: Pixels) -> Picture:
    """Return brightness less that of its surroundings."""
    import cv2

    grey = crop.astype(np.float32)
    around = max(3, grey.shape[0] // 4 | 1)
    return np.asarray(grey - cv2.blur(grey, (around, around)), np.float32)


def _correlation(a: Picture, b: Picture) -> float:
    length = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(a @ b) / length if length else 0.0


def _meet(a: Box, b: Box) -> bool:
    return a.left < b.right and b.left < a.right and a.top < b.bottom and b.top < a.bottom
