"""Exact start and end of text over moving pictures: when a caption appears and disappears, to one frame.

A moving picture is sampled, so a caption is first read some time after it appeared. Its pixels are compared with those of
the frames around: edges of letters stay where they are while the picture behind them moves.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

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
# Where more lines than this are shown at one moment, edges stay as they are: the picture is full of text, not captioned.
_MOST_LINES = 4
# Captions whose frames are read in one pass.
_MOST_CAPTIONS = 8
# Text that stays in its place for less time moves with the picture: its edges stay as they are.
_LEAST_SECONDS = 0.4
# A caption may be missed in one frame where a bright picture is behind it.
_MISSED_SECONDS = 0.1

# Everything that refined edges depend on.
TEXT_EDGES = (2, _SAME_TEXT, _OTHER_PIXELS, _MARGIN, _MOST_LINES, _MOST_CAPTIONS, _LEAST_SECONDS, _MISSED_SECONDS)


@dataclass(frozen=True, eq=False)
class _Caption:
    """A line whose edges are not known to the frame.

    Attributes:
        number: Its index among the lines.
        line: The line.
        seen: Second of the frame that it was read in.
        first: It does not appear earlier.
        last: It does not disappear later.
        crops: Its place in each frame between: second and brightness.
    """

    number: int
    line: Observation
    seen: float
    first: float
    last: float
    crops: list[tuple[float, Pixels]] = field(default_factory=list)

    @property
    def reference(self) -> Pixels | None:
        """Its place in the frame that it was read in."""
        return min(self.crops, key=lambda crop: abs(crop[0] - self.seen), default=(0.0, None))[1]


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
    for group in _groups(_captions(lines, moving, sample_seconds)):
        for frame in frames_between(min(one.first for one in group), max(one.last for one in group)):
            for caption in group:
                if caption.first <= frame.seconds <= caption.last and caption.line.box:
                    caption.crops.append((frame.seconds, _crop(frame.detail, caption.line.box)))
        for caption in group:
            span = _span(caption, group)
            if span is not None and span.duration >= _LEAST_SECONDS:
                refined[caption.number] = caption.line.model_copy(update={"span": span})
        for caption in group:
            caption.crops.clear()
    return refined


def _captions(lines: Sequence[Observation], moving: Sequence[Span], sample_seconds: float) -> list[_Caption]:
    """Return the lines that begin or end while the picture moves, in order of the frame they were read in."""
    video_end = max([span.end for span in moving] + [line.span.end for line in lines], default=0.0)
    starts, ends = np.array([span.start for span in moving]), np.array([span.end for span in moving])
    found = []
    for number, line in enumerate(lines):
        if line.box is None or line.frame_seconds is None:
            continue
        begins = bool(((starts <= line.span.start) & (line.span.start <= ends)).any())
        stops = bool(((starts <= line.span.end) & (line.span.end <= ends)).any())
        if begins or stops:
            first = max(0.0, line.span.start - sample_seconds) if begins else line.span.start
            last = min(line.span.end + sample_seconds, video_end) if stops else line.span.end
            found.append(_Caption(number, line, line.frame_seconds, first, last))
    found.sort(key=lambda caption: caption.first)
    together = _shown_together([caption.line.span for caption in found])
    return [caption for caption, lines in zip(found, together, strict=True) if lines <= _MOST_LINES]


def _shown_together(spans: Sequence[Span]) -> list[int]:
    """The most spans, itself among them, that hold one moment of each span."""
    starts, ends = np.sort([span.start for span in spans]), np.sort([span.end for span in spans])
    shown = np.searchsorted(starts, starts, "right") - np.searchsorted(ends, starts, "right")  # at each start
    first = np.searchsorted(starts, [span.start for span in spans])
    last = np.searchsorted(starts, [span.end for span in spans])
    return [int(shown[a:b].max()) for a, b in zip(first, last, strict=True)]


def _groups(captions: Sequence[_Caption]) -> list[list[_Caption]]:
    """Split captions into groups whose searched times overlap; distant captions cannot be confused."""
    groups: list[list[_Caption]] = []
    for caption in captions:
        is_near = bool(groups) and caption.first <= max(other.last for other in groups[-1])
        if is_near and len(groups[-1]) < _MOST_CAPTIONS:
            groups[-1].append(caption)
        else:
            groups.append([caption])
    return groups


def _span(caption: _Caption, group: Sequence[_Caption]) -> Span | None:
    """Return when a caption is shown; None: its own frame is not among the frames that were read."""
    reference = caption.reference
    if reference is None:
        return None
    judge = _Judge(caption, reference, group)
    row = min(range(len(caption.crops)), key=lambda n: abs(caption.crops[n][0] - caption.seen))
    start, end = row, row
    for n in range(row - 1, -1, -1):
        if judge.shows(caption.crops[n][1]):
            start = n
        elif caption.crops[start][0] - caption.crops[n][0] > _MISSED_SECONDS:
            break
    for n in range(row + 1, len(caption.crops)):
        if judge.shows(caption.crops[n][1]):
            end = n
        elif caption.crops[n][0] - caption.crops[end][0] > _MISSED_SECONDS:
            break
    is_last = end + 1 == len(caption.crops)
    stops = caption.last if is_last else caption.crops[end + 1][0]
    begins = caption.first if start == 0 else caption.crops[start][0]
    return Span(start=begins, end=stops) if stops > begins else None


class _Judge:
    """Decides whether a frame shows a caption, and not another one at its place."""

    def __init__(self, caption: _Caption, reference: Pixels, group: Sequence[_Caption]) -> None:
        self._own = _letter_edges(reference)
        self._strong = np.abs(self._own) > _OTHER_PIXELS * float(np.abs(self._own).max())
        self._others: list[tuple[Picture, npt.NDArray[np.bool_]]] = []
        for other in group:
            if other.number == caption.number or other.line.text == caption.line.text:
                continue
            crop = next((crop for seconds, crop in caption.crops if abs(seconds - other.seen) < 1e-3), None)
            if crop is not None and _meet(other.line.box, caption.line.box):
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


def _meet(a: Box | None, b: Box | None) -> bool:
    if a is None or b is None:
        return False
    return a.left < b.right and b.left < a.right and a.top < b.bottom and b.top < a.bottom
