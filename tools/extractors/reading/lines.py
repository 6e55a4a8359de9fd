"""Lines of text that an OCR engine read in a picture: their order, and which of them a later picture still shows."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from ...media.skimming.comparison import changed_map, detail_of_pixels
from ...records import Box, Frame, Observation, Pixels, Segment, clean_text

__all__ = [
    "SAME_LINE",
    "Line",
    "Quad",
    "ReadPicture",
    "Rectangle",
    "changed_regions",
    "merged_rectangles",
    "observations_of",
]

Quad = npt.NDArray[np.float32]  # four corners (x, y) in pixels, shape (4, 2)

# The detector finds an unchanged line again within this share of the frame's height.
_SAME_PLACE = 0.01
# Changed pixels this near to each other, in shares of the frame's height, are one region. The distance across is larger,
# because the words of a line lie next to each other.
_ACROSS, _DOWN = 0.04, 0.01
# A region is read with this margin, in shares of the frame's height: the detector needs some background around a line.
_MARGIN = 0.02
# If more regions or a larger share of the frame changed, the whole frame is read, because that is not slower.
_MOST_REGIONS, _MOST_SHARE = 12, 0.5
SAME_LINE = (_SAME_PLACE, _ACROSS, _DOWN, _MARGIN, _MOST_REGIONS, _MOST_SHARE)


class Rectangle(NamedTuple):
    """An upright rectangle in pixels; `right` and `bottom` are exclusive."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def area(self) -> int:
        """Pixels inside."""
        return (self.right - self.left) * (self.bottom - self.top)

    def touches(self, other: "Rectangle") -> bool:
        """Whether both share a pixel."""
        return (
            self.left < other.right and other.left < self.right and self.top < other.bottom and other.top < self.bottom
        )

    def union(self, other: "Rectangle") -> "Rectangle":
        """Return the smallest rectangle around both."""
        return Rectangle(
            min(self.left, other.left),
            min(self.top, other.top),
            max(self.right, other.right),
            max(self.bottom, other.bottom),
        )

    def of(self, pixels: Pixels) -> Pixels:
        """Return this part of a picture."""
        return pixels[self.top : self.bottom, self.left : self.right]

    def scaled(self, scale: float) -> "Rectangle":
        """Return the same place in a picture of another size."""
        return Rectangle(
            int(self.left * scale), int(self.top * scale), math.ceil(self.right * scale), math.ceil(self.bottom * scale)
        )

    def grown(self, by: int, width: int, height: int) -> "Rectangle":
        """Return the rectangle with a margin, clipped to the frame."""
        return Rectangle(
            max(0, self.left - by), max(0, self.top - by), min(width, self.right + by), min(height, self.bottom + by)
        )


@dataclass(frozen=True, slots=True)
class Line:
    """A line of text with its pixel corners."""

    text: str
    score: float
    left: float
    top: float
    right: float
    bottom: float
    is_turned: bool = False  # whether it was read upside down

    @classmethod
    def around(cls, quad: Any, text: str, score: float, *, is_turned: bool = False) -> Self:
        """Make a line from four corners `(x, y)`: its box is the upright rectangle around them."""
        corners = np.asarray(quad, dtype=float)
        (left, top), (right, bottom) = corners.min(axis=0), corners.max(axis=0)
        return cls(clean_text(text), float(score), left, top, right, bottom, is_turned)

    @property
    def middle(self) -> float:
        """Vertical middle in pixels."""
        return (self.top + self.bottom) / 2

    @property
    def rectangle(self) -> Rectangle:
        """Its box in whole pixels."""
        return Rectangle(int(self.left), int(self.top), int(np.ceil(self.right)), int(np.ceil(self.bottom)))

    def is_on_row_of(self, other: "Line") -> bool:
        """Whether both lines are on one row: the middle of each lies within the other's height."""
        return other.top <= self.middle <= other.bottom and self.top <= other.middle <= self.bottom


@dataclass(frozen=True, slots=True, eq=False)
class ReadPicture:
    """A picture's detail (`tools.media.skimming.comparison`), its size in pixels, and the lines that were read in it."""

    detail: Pixels
    size: tuple[int, int]
    lines: "list[tuple[Quad, Line]]"

    @classmethod
    def empty(cls, pixels: Pixels) -> Self:
        """Make a picture (RGB) without lines."""
        return cls(detail_of_pixels(pixels), (pixels.shape[1], pixels.shape[0]), [])

    def changed(self, other: "ReadPicture") -> Pixels:
        """Return where another picture of the same size differs, at the resolution of the details."""
        return changed_map(self.detail, other.detail)

    def line_at(self, quad: Quad, changed: Pixels) -> "Line | None":
        """Return the line at a place, if nothing changed there."""
        for known, line in self.lines:
            if np.abs(known - quad).max() <= _SAME_PLACE * self.size[1]:
                return None if self.is_touched(Line.around(quad, "", 0).rectangle, changed) else line
        return None

    def is_touched(self, place: Rectangle, changed: Pixels) -> bool:
        """Whether something changed in a rectangle of the frame."""
        down, across = changed.shape[0] / self.size[1], changed.shape[1] / self.size[0]
        rows = slice(int(place.top * down), int(np.ceil(place.bottom * down)))
        columns = slice(int(place.left * across), int(np.ceil(place.right * across)))
        return bool(changed[rows, columns].any())


def changed_regions(before: ReadPicture, changed: Pixels) -> "list[Rectangle] | None":
    """Return the rectangles of a frame that must be read again, each around whole lines; None: the whole frame.

    Args:
        before: The earlier frame with its lines.
        changed: Where the frame differs, from `ReadPicture.changed`.
    """
    import cv2

    width, height = before.size
    across, down = width / changed.shape[1], height / changed.shape[0]
    brush = np.ones((1 + int(_DOWN * changed.shape[0]), 1 + int(_ACROSS * changed.shape[0])), np.uint8)
    count, _, boxes, _ = cv2.connectedComponentsWithStats(cv2.dilate(changed, brush))
    if count - 1 > 4 * _MOST_REGIONS:
        return None
    margin = max(8, int(_MARGIN * height))
    regions = [
        Rectangle(
            int(left * across), int(top * down), int((left + wide) * across) + 1, int((top + tall) * down) + 1
        ).grown(margin, width, height)
        for left, top, wide, tall in boxes[1:, :4]
    ]
    lines = [line.rectangle.grown(margin // 2, width, height) for _, line in before.lines]
    regions = merged_rectangles(_around_lines(merged_rectangles(regions), lines))
    if len(regions) > _MOST_REGIONS or sum(region.area for region in regions) > _MOST_SHARE * width * height:
        return None
    return regions


def merged_rectangles(rectangles: Sequence[Rectangle]) -> list[Rectangle]:
    """Merge rectangles that touch each other, until none do."""
    merged: list[Rectangle] = []
    for rectangle in rectangles:
        whole = rectangle
        while touching := [other for other in merged if other.touches(whole)]:
            for other in touching:
                merged.remove(other)
                whole = whole.union(other)
        merged.append(whole)
    return merged


def observations_of(segment: Segment, lines: Iterable[Line], source: str) -> list[Observation]:
    """Return an observation for each line with a letter or a digit, in reading order."""
    rows: list[list[Line]] = []
    for line in sorted(lines, key=lambda line: line.middle):
        if rows and line.is_on_row_of(rows[-1][0]):
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


def _around_lines(regions: Sequence[Rectangle], lines: Sequence[Rectangle]) -> list[Rectangle]:
    """Extend regions to include each line that they touch: half a line cannot be read."""
    grown = []
    for region in regions:
        whole = region
        for line in lines:
            if region.touches(line):
                whole = whole.union(line)
        grown.append(whole)
    return grown


def _box(line: Line, frame: Frame) -> Box:
    return Box.from_pixels((line.left, line.top, line.right, line.bottom), *frame.size)
