"""Where a picture may hold letters: a measured statistic that costs a twentieth of a text detector.

Letters are dense thin strokes. Each cell of 8×8 pixels is described by how much thin light and thin dark structure, how
many edges in both directions and how much contrast there is around it. A logistic regression over these nine numbers was
fitted on letters drawn over real films (`tests/benchmarks/fit_text_presence.py`). The picture is looked at in its own size,
in half and in a quarter of it, so that letters of 12 to 130 pixels are found.

A detector at low resolution does not do: at a longer side of 320 it lost 8 of 22 lines of 14 to 36 pixels in 1280×720 that
it finds at 640; at 448 it lost one, and found something in 57 % of the frames without text.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from ...records import Pixels
from .lines import Rectangle, merged_rectangles

__all__ = ["CELL", "PRESENCE", "stroke_features", "text_cells", "text_regions"]

CELL = 8  # pixels
# A light or dark structure is thin if a square of this side does not fit into it.
_STROKE = 7
# Brightness differences that count as an edge, and as a stroke.
_EDGE_LEVELS, _STROKE_LEVELS = 20, 30
# A cell is described by the cells around it, across and down.
_AROUND = (5, 3)
_SCALES = 3  # each half of the one before
# The regression's weights for `stroke_features`, its intercept, and the probability from which a cell may hold letters.
_WEIGHTS = (-0.657, 1.341, -1.041, 1.657, 17.384, -1.112, 4.117, -1.7, -0.209)
_INTERCEPT = -7.344
_LEAST_PROBABILITY = 0.9
# Cells this far apart across and down are one region, with a margin in pixels: the detector needs background around a line.
# A line may go on to both sides for its own height, in fainter letters, and for this many pixels at most.
_ACROSS, _DOWN, _MARGIN, _MOST_MORE = 4, 1, 16, 100
# If there are more regions, or they cover a larger share of the picture, the whole picture is as cheap.
_MOST_REGIONS, _MOST_SHARE = 16, 0.6

# Everything that the places depend on.
PRESENCE: tuple[float, ...] = (
    CELL,
    _STROKE,
    _EDGE_LEVELS,
    _STROKE_LEVELS,
    *_AROUND,
    _SCALES,
    *_WEIGHTS,
    _INTERCEPT,
    _LEAST_PROBABILITY,
)
PRESENCE += (_ACROSS, _DOWN, _MARGIN, _MOST_MORE, _MOST_REGIONS, _MOST_SHARE)


def text_regions(luma: Pixels) -> list[Rectangle]:
    """Return the parts of a picture in which lines must be looked for; none, if it holds no letters; or the whole of it.

    Args:
        luma: Brightness, shape `(height, width)`.
    """
    import cv2

    height, width = luma.shape
    cells = cv2.dilate(text_cells(luma), np.ones((1 + 2 * _DOWN, 1 + 2 * _ACROSS), np.uint8))
    _, _, boxes, _ = cv2.connectedComponentsWithStats(cells)
    across, down = width / cells.shape[1], height / cells.shape[0]
    regions = []
    for x, y, wide, tall in boxes[1:, :4]:
        left, top, right, bottom = x * across, y * down, (x + wide) * across, (y + tall) * down
        more = min(_MOST_MORE, bottom - top)
        region = Rectangle(max(0, int(left - more)), int(top), min(width, int(right + more)), int(bottom))
        regions.append(region.grown(_MARGIN, width, height))
    regions = merged_rectangles(regions)
    if len(regions) > _MOST_REGIONS or sum(region.area for region in regions) > _MOST_SHARE * width * height:
        return [Rectangle(0, 0, width, height)]
    return regions


def text_cells(luma: Pixels) -> Pixels:
    """Return the cells that may hold letters: 0 or 255, `uint8`, shape `(height // 8, width // 8)`, at least one each.

    Args:
        luma: Brightness, shape `(height, width)`.
    """
    import cv2

    shape = max(1, luma.shape[1] // CELL), max(1, luma.shape[0] // CELL)
    found: Pixels = np.zeros(shape[::-1], np.uint8)
    logit = float(np.log(_LEAST_PROBABILITY / (1 - _LEAST_PROBABILITY)))
    for scale in range(_SCALES):
        size = luma.shape[1] >> scale, luma.shape[0] >> scale
        if min(size) < 2 * CELL:
            break
        picture = luma if scale == 0 else np.asarray(cv2.resize(luma, size, interpolation=cv2.INTER_AREA), np.uint8)
        sure = (stroke_features(picture) @ np.array(_WEIGHTS, np.float32) + _INTERCEPT >= logit).astype(np.uint8)
        found = np.maximum(found, cv2.resize(sure * 255, shape, interpolation=cv2.INTER_NEAREST))
    return found


def stroke_features(luma: Pixels) -> npt.NDArray[np.float32]:
    """Return nine numbers for each cell, float32, shape `(height // 8, width // 8, 9)`.

    Means of thin light and thin dark structure and of the differences across and down; the shares of pixels in which each of
    them is large; and the contrast.

    Args:
        luma: Brightness, at least 8×8 pixels.
    """
    import cv2

    height, width = (side // CELL * CELL for side in luma.shape)
    luma = np.ascontiguousarray(luma[:height, :width])
    square = np.ones((_STROKE, _STROKE), np.uint8)
    light = cv2.morphologyEx(luma, cv2.MORPH_TOPHAT, square)
    dark = cv2.morphologyEx(luma, cv2.MORPH_BLACKHAT, square)
    across, down = np.zeros_like(luma), np.zeros_like(luma)
    cv2.absdiff(luma[:, 1:], luma[:, :-1], across[:, :-1])
    cv2.absdiff(luma[1:], luma[:-1], down[:-1])
    means = [np.log1p(_in_cells(part)) for part in (light, dark, across, down)]
    shares = [
        np.sqrt(_in_cells(cv2.threshold(part, levels, 255, cv2.THRESH_BINARY)[1]) / 255)
        for parts, levels in (((across, down), _EDGE_LEVELS), ((light, dark), _STROKE_LEVELS))
        for part in parts
    ]
    bands, across_cells = luma.reshape(height // CELL, CELL, width), (height // CELL, width // CELL, CELL)
    around = np.ones(_AROUND[::-1], np.uint8)
    lightest = cv2.dilate(bands.max(axis=1).reshape(across_cells).max(axis=2), around)
    darkest = cv2.erode(bands.min(axis=1).reshape(across_cells).min(axis=2), around)
    return np.stack([*means, *shares, (lightest.astype(np.float32) - darkest) / 64], axis=-1)


def _in_cells(picture: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Return the mean around each cell."""
    import cv2

    size = picture.shape[1] // CELL, picture.shape[0] // CELL
    cells = cv2.resize(picture, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    return np.asarray(cv2.blur(cells, _AROUND), np.float32)
