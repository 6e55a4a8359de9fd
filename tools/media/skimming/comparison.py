"""Compares pictures at a resolution that shows text. The only module of the base installation that uses OpenCV.

A frame is compared by its *detail*: its brightness at half resolution (a quarter above 1,500 rows). A change is
measured on blocks of 2×2 pixels of the detail (4×4 of the frame). One edited character of 14-pixel text changes a block
by 40 levels of 256 or more; x264 at crf 18 to 33 changes unedited text by 12 to 27 levels (measured on 96 edits,
`tests/benchmarks/bench_edits.py`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ...records import Pixels
from ..pictures import brightness_of

if TYPE_CHECKING:
    import av

__all__ = [
    "COMPARISON",
    "THUMBNAIL_SIZE",
    "Change",
    "changed_map",
    "detail_of",
    "detail_of_pixels",
    "largest_change",
    "text_appeared",
    "thumbnail_of",
]

THUMBNAIL_SIZE = (64, 36)
# Frames with more rows are reduced to a quarter.
_LARGE_ROWS = 1500
# A change is visible if it exceeds this share of the contrast around it. Noise reaches 0.12, an edited character of 14
# pixels 0.18. The threshold stays between the two levels below.
_CONTRAST_SHARE = 0.14
LEAST_LEVELS, MOST_LEVELS = 12, 30
# The contrast is measured within this many pixels of the detail around the change.
_AROUND = 12
# How many of the largest changes are checked.
_PLACES = 4

# Letters over a moving picture: neighbouring pixels of the detail differ by these levels at this many places or more,
# which cover this share of a box. The box is at least as wide as high, and has this height or more.
_EDGE_LEVELS, _LEAST_EDGES, _EDGE_SHARE, _LEAST_HEIGHT = 40, 24, 0.15, 5
# A smaller share is enough for a box with at least half of the new edges: it is one caption over a crowded picture (0.12 and more).
# On a screen that is scrolled, each line has a small part of them.
_LONE_SHARE, _MOST_EDGES = 0.1, 0.5

# Everything that a comparison depends on.
COMPARISON: tuple[float, ...] = (
    *THUMBNAIL_SIZE,
    _LARGE_ROWS,
    _CONTRAST_SHARE,
    LEAST_LEVELS,
    MOST_LEVELS,
    _AROUND,
    _PLACES,
)
COMPARISON += (_EDGE_LEVELS, _LEAST_EDGES, _EDGE_SHARE, _LEAST_HEIGHT, _LONE_SHARE, _MOST_EDGES)

# Formats whose first plane is the brightness, one byte per pixel.
_LUMA_FIRST = ("yuv420p", "yuvj420p", "yuv422p", "yuvj422p", "yuv444p", "yuvj444p", "nv12", "gray")


@dataclass(frozen=True, slots=True)
class Change:
    """The largest change between two pictures.

    Attributes:
        levels: Mean brightness difference of its block, 0 to 255.
        threshold: Levels above which it is visible.
    """

    levels: float
    threshold: float

    @property
    def is_visible(self) -> bool:
        """Whether the change exceeds the threshold."""
        return self.levels > self.threshold


def detail_of(frame: "av.VideoFrame") -> Pixels:
    """Return a decoded frame's brightness at half resolution, `uint8`, not rotated."""
    if frame.format.name in _LUMA_FIRST:
        plane = frame.planes[0]
        luma: Pixels = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[: frame.height, : frame.width]
    else:
        luma = brightness_of(frame)
    return _reduced(luma)


def detail_of_pixels(pixels: Pixels) -> Pixels:
    """Return the detail of RGB pixels of shape `(height, width, 3)`."""
    import cv2

    return _reduced(np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), np.uint8))


def thumbnail_of(detail: Pixels) -> Pixels:
    """Return a detail at `THUMBNAIL_SIZE`, shape `(36, 64)`."""
    import cv2

    width, height = THUMBNAIL_SIZE
    if detail.shape == (height, width):
        return detail
    return np.asarray(cv2.resize(detail, THUMBNAIL_SIZE, interpolation=cv2.INTER_AREA), np.uint8)


def largest_change(before: Pixels, after: Pixels) -> Change:
    """Return the largest change between two details.

    The threshold is proportional to the contrast around the change: in grey text on white, an edit and noise both change
    fewer levels.
    """
    import cv2

    if before.shape != after.shape:
        return Change(255.0, float(MOST_LEVELS))
    _, mask = cv2.threshold(cv2.absdiff(before, after), LEAST_LEVELS, 255, cv2.THRESH_BINARY)
    left, top, width, height = cv2.boundingRect(mask)
    if not width:
        return Change(0.0, float(LEAST_LEVELS))
    rows = slice(max(0, top - 2 * _AROUND), top + height + 2 * _AROUND)
    columns = slice(max(0, left - 2 * _AROUND), left + width + 2 * _AROUND)
    before, after = before[rows, columns], after[rows, columns]
    differences = _block_differences(before, after)
    change = Change(0.0, float(LEAST_LEVELS))
    for _ in range(_PLACES):
        _, levels, _, (column, row) = cv2.minMaxLoc(differences)
        rows = slice(max(0, row - _AROUND), row + _AROUND)
        columns = slice(max(0, column - _AROUND), column + _AROUND)
        around = [picture[rows, columns] for picture in (before, after)]
        contrast = max(int(part.max()) - int(part.min()) for part in around)
        here = Change(float(levels), float(min(MOST_LEVELS, max(LEAST_LEVELS, _CONTRAST_SHARE * contrast))))
        if here.is_visible or here.levels - here.threshold > change.levels - change.threshold:
            change = here
        if here.is_visible or levels <= LEAST_LEVELS:
            break
        differences[rows, columns] = 0
    return change


def changed_map(before: Pixels, after: Pixels) -> Pixels:
    """Return where the blocks of two details of one shape differ visibly: 0 or 255, `uint8`, of that shape."""
    import cv2

    changed = np.zeros(before.shape, np.uint8)
    differences = _block_differences(before, after)
    box = cv2.boundingRect((differences > LEAST_LEVELS).view(np.uint8))
    if not box[2]:
        return changed
    # The contrast is needed around these blocks only.
    rows, columns = (
        slice(max(0, first - 2 * _AROUND), first + length + 2 * _AROUND)
        for first, length in zip(box[1::-1], box[:1:-1], strict=True)
    )
    before, after = before[rows, columns], after[rows, columns]
    around = np.ones((2 * _AROUND, 2 * _AROUND), np.uint8)
    lightest, darkest = cv2.dilate(cv2.max(before, after), around), cv2.erode(cv2.min(before, after), around)
    threshold = np.clip(np.float32(_CONTRAST_SHARE) * (lightest - darkest), LEAST_LEVELS, MOST_LEVELS)
    changed[rows, columns] = np.where(differences[rows, columns] > threshold, 255, 0)
    return changed


def text_appeared(shown: Pixels, before: Pixels, after: Pixels) -> bool:
    """Whether text appeared over a moving picture: edges at the same place in two frames that are missing in a third.

    Args:
        shown: Detail of an earlier frame, without the text.
        before: Detail of a frame a fraction of a second before `after`.
        after: Detail of the frame that may show new text.
    """
    import cv2

    if not shown.shape == before.shape == after.shape:
        return False
    letters = cv2.absdiff(after[:, 1:], after[:, :-1]) > _EDGE_LEVELS
    stays = cv2.absdiff(before, after)[:, 1:] <= LEAST_LEVELS
    is_new = cv2.absdiff(shown, after)[:, 1:] > MOST_LEVELS
    mask = (letters & stays & is_new).astype(np.uint8)
    if (total := cv2.countNonZero(mask)) < _LEAST_EDGES:
        return False
    joined = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, np.ones((3, 9), np.uint8))
    for left, top, width, height in _boxes_of(np.asarray(joined, np.uint8)):
        edges = cv2.countNonZero(np.ascontiguousarray(mask[top : top + height, left : left + width]))
        share = _LONE_SHARE if edges >= _MOST_EDGES * total else _EDGE_SHARE
        if height >= _LEAST_HEIGHT and width >= height and edges >= max(_LEAST_EDGES, share * width * height):
            return True
    return False


def _boxes_of(mask: Pixels) -> Sequence[Sequence[int]]:
    """Return left, top, width and height of each connected part of a mask that is not empty.

    Outlines take a seventh of the time of `cv2.connectedComponentsWithStats`, because few pixels are set.
    """
    import cv2

    outlines, parents = cv2.findContours(mask, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    is_outer = parents[0][:, 3] < 0  # the others are edges of holes
    return [cv2.boundingRect(outline) for outline, outer in zip(outlines, is_outer, strict=True) if outer]


def _block_differences(before: Pixels, after: Pixels) -> "np.ndarray":
    import cv2

    return np.abs(cv2.boxFilter(cv2.subtract(after, before, dtype=cv2.CV_16S), -1, (2, 2)))


def _reduced(luma: Pixels) -> Pixels:
    import cv2

    height, width = luma.shape
    by = 4 if height > _LARGE_ROWS else 2
    if height < 2 * by or width < 2 * by:
        return np.ascontiguousarray(luma)
    even = luma[: height // by * by, : width // by * by]
    return np.asarray(cv2.resize(even, (width // by, height // by), interpolation=cv2.INTER_AREA), np.uint8)
