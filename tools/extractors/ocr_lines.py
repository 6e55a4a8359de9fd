"""Lines of text as a reader finds them in a picture: in reading order, and those that stay from picture to picture."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from ..records import Box, Frame, Observation, Pixels, Segment, clean_text

__all__ = ["SAME_LINE", "Line", "Quad", "ReadPicture", "observations_of"]

Quad = npt.NDArray[np.float32]  # four corners (x, y) in pixels, shape (4, 2)

# A line that was read is not read again while no 4x4 pixels of its box change by more levels on average, of 256:
# compression reaches 10, the digits of a clock 60 and more.
_SAME_LEVELS = 16
# The finder places a line that stays within this share of the frame's height.
_SAME_PLACE = 0.01
SAME_LINE = (_SAME_LEVELS, _SAME_PLACE)


@dataclass(frozen=True, slots=True)
class Line:
    """A line of text with its pixel corners."""

    text: str
    score: float
    left: float
    top: float
    right: float
    bottom: float

    @classmethod
    def around(cls, quad: Any, text: str, score: float) -> Self:
        """From four corners `(x, y)`: the upright rectangle around them."""
        corners = np.asarray(quad, dtype=float)
        return cls(clean_text(text), float(score), *corners.min(axis=0), *corners.max(axis=0))

    @property
    def middle(self) -> float:
        return (self.top + self.bottom) / 2

    def is_beside(self, other: "Line") -> bool:
        """Whether the middle of each lies at a height that the other covers."""
        return other.top <= self.middle <= other.bottom and self.top <= other.middle <= self.bottom


@dataclass(frozen=True, slots=True)
class ReadPicture:
    """A picture (BGR), and the lines that were read in it."""

    bgr: Pixels
    lines: "list[tuple[Quad, Line]]"

    def line_at(self, quad: Quad, bgr: Pixels) -> "Line | None":
        """The line at a place that looks the same in another picture; its own place stays."""
        if bgr.shape != self.bgr.shape:
            return None
        for known, line in self.lines:
            if np.abs(known - quad).max() <= _SAME_PLACE * bgr.shape[0] and _is_same(self.bgr, bgr, quad):
                return line
        return None


def observations_of(segment: Segment, lines: Iterable[Line], source: str) -> list[Observation]:
    """Lines with a letter or a digit, in reading order."""
    rows: list[list[Line]] = []
    for line in sorted(lines, key=lambda line: line.middle):
        if rows and line.is_beside(rows[-1][0]):
            rows[-1].append(line)
        else:
            rows.append([line])
    return [
        Observation(
            modality="text",
            span=segment.span,
            text=line.text,
            score=min(1.0, max(0.0, line.score)),
            source=source,
            box=_box(line, segment.frame),
            frame_seconds=segment.frame.seconds,
        )
        for row in rows
        for line in sorted(row, key=lambda line: line.left)
        if any(character.isalnum() for character in line.text)
    ]


def _box(line: Line, frame: Frame) -> Box:
    return Box.from_pixels((line.left, line.top, line.right, line.bottom), *frame.size)


def _is_same(a: Pixels, b: Pixels, quad: Quad) -> bool:
    """Whether two pictures show the same in the upright rectangle around four corners."""
    left, top = np.maximum(quad.min(axis=0), 0).astype(int)
    right, bottom = np.ceil(quad.max(axis=0)).astype(int)
    change = a[top:bottom, left:right].astype(np.int16) - b[top:bottom, left:right]
    rows, columns = (length // 4 * 4 for length in change.shape[:2])
    if not rows or not columns:
        return False
    means = change[:rows, :columns].reshape(rows // 4, 4, columns // 4, 4, 3).mean(axis=(1, 3, 4))
    return bool(np.abs(means).max() <= _SAME_LEVELS)
