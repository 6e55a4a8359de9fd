"""A whiteboard filmed by hand, made here: what is written on it, and when, is known.

Lines in two handwriting typefaces appear letter by letter on a bright board, while a shadow writes them. The camera drifts and
leans, the light flickers, the sensor is noisy, and x264 compresses.
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
from PIL import Image, ImageDraw, ImageFont
from report import Skipped

__all__ = ["BOARDS", "Board", "write_board"]

_FONTS = (
    "/usr/share/fonts/truetype/fifthhorseman/dkg.ttf",
    "/usr/share/fonts/truetype/humor-sans/Humor-Sans.ttf",
)
_SIZE, _FPS = (1280, 720), 12
_LETTER_SECONDS, _PAUSE_SECONDS = 0.16, 2.0
_INKS = ((30, 40, 120), (35, 35, 40), (150, 30, 40), (20, 100, 60))


class Board(NamedTuple):
    """A board: its lines from the top, the number of a typeface, and the random seed of its camera."""

    lines: tuple[str, ...]
    font: int
    seed: int


BOARDS = (
    Board(
        (
            "Photosynthesis in three steps",
            "1. light hits chlorophyll",
            "2. water is split: 2 H2O",
            "3. sugar is built from CO2",
            "energy stored: 2870 kJ per mole",
            "question: why are leaves green?",
            "homework page 84, tasks 3 and 5",
        ),
        0,
        1,
    ),
    Board(
        (
            "Sorting: merge and quick",
            "merge: always n log n",
            "quick: worst case n squared",
            "stable? merge yes, quick no",
            "memory: merge needs a copy",
            "choose the pivot at random",
            "test on Monday in room 417",
        ),
        1,
        2,
    ),
)


def write_board(board: Board, path: Path) -> list[float]:
    """Write a board's film; return the second at which each line is complete."""
    import cv2

    if not Path(_FONTS[board.font]).exists():
        raise Skipped("handwriting is not installed: apt install fonts-dkg-handwriting fonts-humor-sans")
    dice = np.random.default_rng(board.seed)
    width, height = _SIZE
    letters = _letters(board)
    board_picture = Image.new("RGB", (width + 160, height + 120), (226, 229, 226))
    draw = ImageDraw.Draw(board_picture)
    complete = [0.0] * len(board.lines)
    last = max(second for second, *_ in letters) + 12
    written = 0
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=_FPS, options={"crf": "27", "preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for number in range(round(last * _FPS)):
            second = number / _FPS
            while written < len(letters) and letters[written][0] <= second:
                _, row, letter, place, font = letters[written]
                draw.text(place, letter, fill=_INKS[row % len(_INKS)], font=font)
                complete[row] = second
                written += 1
            pen = letters[min(written, len(letters) - 1)][3]
            picture = np.asarray(board_picture).astype(np.float32)
            if written < len(letters):
                picture *= _shadow(picture.shape[:2], (pen[0] + 190, pen[1] + 230))[..., None]
            picture = cv2.warpPerspective(picture, _camera(second, board.seed), _SIZE, flags=cv2.INTER_LINEAR)
            picture *= 1 + 0.02 * math.sin(7 * second)
            picture += dice.normal(0, 4, (height, width, 1))
            frame = av.VideoFrame.from_ndarray(np.clip(picture, 0, 255).astype(np.uint8), format="rgb24")
            frame.pts = number
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return complete


def _letters(board: Board) -> Sequence[tuple[float, int, str, tuple[float, float], ImageFont.FreeTypeFont]]:
    """Return when and where each letter is written: second, row, letter, place, typeface."""
    dice = np.random.default_rng(board.seed)
    found, second = [], 1.0
    for row, line in enumerate(board.lines):
        font = ImageFont.truetype(_FONTS[board.font], int(dice.integers(40, 50)))
        x, y = 120.0, 90.0 + 90 * row
        for letter in line:
            found.append((second, row, letter, (x, y + float(dice.normal(0, 1.5))), font))
            x += font.getlength(letter) + float(dice.normal(0.5, 0.7))
            second += _LETTER_SECONDS
        second += _PAUSE_SECONDS
    return found


def _shadow(shape: tuple[int, int], centre: tuple[float, float]) -> np.ndarray:
    """Return brightness factors: darker around the arm that writes."""
    y, x = np.ogrid[: shape[0], : shape[1]]
    far = ((x - centre[0]) / 150) ** 2 + ((y - centre[1]) / 260) ** 2
    return np.asarray(1 - 0.45 * np.exp(-far), np.float32)


def _camera(second: float, seed: int) -> np.ndarray:
    """Return the perspective of a camera in a hand."""
    import cv2

    width, height = _SIZE
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    sway = [
        [14 * math.sin(0.31 * second + seed + n) + 3 * math.sin(2.3 * second + 2 * n) for n in (k, k + 5)]
        for k in range(4)
    ]
    shift = [8 * math.sin(0.13 * second), 6 * math.cos(0.17 * second)]
    target = corners + np.array([80 + 0, 60 + 0], np.float32) + np.array(sway, np.float32) + np.array(shift, np.float32)
    return cv2.getPerspectiveTransform(target.astype(np.float32), corners)
