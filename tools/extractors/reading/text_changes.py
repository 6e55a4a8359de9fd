"""Whether two pictures of a screen differ in text only: then they show the same things, and no detector looks again.

What changed must look like letters (`presence`) on a flat ground, and leave most of the picture as it was. Measured on 21 pairs
of different pictures of a code tutorial and 77 of films, drone footage and cameras: 17 of 21 differ in text only, and none of 77.
"""

from functools import cached_property

import numpy as np
import numpy.typing as npt

from ...media.skimming.comparison import changed_map, detail_of_pixels
from ...records import Pixels
from .presence import CELL, text_cells

__all__ = ["TEXT_CHANGES", "Screen", "only_text_differs"]

# Most of the picture that may change, and most of the changed cells that may hold no letters.
_MOST_CHANGED, _MOST_OTHER = 0.35, 0.25
# Share of the pixels of a changed cell whose brightness is that of its median, up to these levels: text on a screen 0.48 to
# 0.84, films and cameras with as few changes 0.40 and less.
_LEAST_FLAT, _SAME_LEVELS = 0.5, 3
# Cells around letters that belong to them, across and down.
_AROUND = (5, 3)

TEXT_CHANGES = (1, _MOST_CHANGED, _MOST_OTHER, _LEAST_FLAT, _SAME_LEVELS, *_AROUND)


class Screen:
    """A picture of a screen, prepared for comparison with several others.

    Attributes:
        shape: Of the picture's pixels.
        detail: Its brightness (`tools.media.skimming.comparison`).
    """

    def __init__(self, pixels: Pixels) -> None:
        """Prepare a picture: RGB, shape `(height, width, 3)`."""
        self.shape = pixels.shape
        self.detail = detail_of_pixels(pixels)

    @cached_property
    def letters(self) -> Pixels:
        """Which cells of the detail may belong to letters."""
        import cv2

        return np.asarray(cv2.dilate(text_cells(self.detail), np.ones(_AROUND[::-1], np.uint8)), np.uint8)


def only_text_differs(before: Screen, after: Screen) -> bool:
    """Return whether two pictures show the same but for text on a flat ground; pictures of two sizes differ."""
    if before.shape != after.shape or min(before.shape[:2]) < 4 * CELL:
        return False
    changed: npt.NDArray[np.bool_] = _in_cells(changed_map(before.detail, after.detail)).max(axis=2) > 0
    if not changed.any():
        return True
    if changed.mean() > _MOST_CHANGED or any(_flat_share(one.detail, changed) < _LEAST_FLAT for one in (before, after)):
        return False
    letters = np.maximum(before.letters, after.letters)
    return bool((letters[changed] == 0).mean() <= _MOST_OTHER)


def _in_cells(picture: Pixels) -> Pixels:
    """Return the pixels of each cell, shape `(rows, columns, 64)`."""
    rows, columns = (side // CELL for side in picture.shape)
    cells = picture[: rows * CELL, : columns * CELL].reshape(rows, CELL, columns, CELL)
    return cells.transpose(0, 2, 1, 3).reshape(rows, columns, CELL * CELL)


def _flat_share(detail: Pixels, chosen: npt.NDArray[np.bool_]) -> float:
    """Return the share of the pixels of some cells that are as bright as the median of their cell."""
    cells = _in_cells(detail)[chosen].astype(np.int16)
    return float((np.abs(cells - np.median(cells, axis=1, keepdims=True)) <= _SAME_LEVELS).mean())
