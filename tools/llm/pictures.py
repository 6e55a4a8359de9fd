"""Pictures for a video LLM: frames at a chosen size, and grids of many small frames with numbered cells.

The model returns numbers of cells, never times, because models invent times. A number without a cell is
detected.
"""

import base64
import io
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from pydantic import Field, create_model

from ..errors import QueryError
from ..records import Frame, Pixels, Record

__all__ = [
    "LONGEST_SIDE",
    "Cells",
    "Grid",
    "Picture",
    "Shown",
    "cells_of",
    "jpeg_base64",
    "make_grid",
    "picture_tokens",
    "shown",
]

# Measured on eleven frames of five films: 768 pixels at quality 85 make 45 kB and cost 5 ms a frame,
# and keep a structural similarity of 0.975 at least; quality 95 doubles the bytes for 0.991.
LONGEST_SIDE = 768
JPEG_QUALITY = 85
# A token of Qwen-VL is 32 × 32 pixels: smaller pictures carry no information.
SMALLEST_SIDE = 32
# A cell has to hold its number: two digits at the height of the strip.
SMALLEST_CELL = 64

_GAP = 4
_STRIP, _INK, _GROUND = (255, 255, 255), (0, 0, 0), (0, 0, 0)


@dataclass(frozen=True, slots=True)
class Picture:
    """A frame to be shown at a chosen size.

    Attributes:
        frame: What to show.
        longest_side: It is shrunk until no side has more pixels; never enlarged. Qwen3-VL reads one
            token for 32 × 32 pixels: 768 × 432 costs 336, 384 × 216 costs 84.
    """

    frame: Frame
    longest_side: int = LONGEST_SIDE

    def __post_init__(self) -> None:
        if self.longest_side < SMALLEST_SIDE:
            raise QueryError(f"longest_side={self.longest_side}: a picture needs at least {SMALLEST_SIDE} pixels")


@dataclass(frozen=True, slots=True)
class Grid:
    """Many frames in one picture. Cells are numbered from 1, row by row, each number above its cell.

    Attributes:
        pixels: The picture, RGB; shown as it is.
        seconds: The time of each cell: `seconds[0]` is that of cell 1.
    """

    pixels: Pixels
    seconds: tuple[float, ...]

    def at(self, cells: Iterable[int]) -> tuple[float, ...]:
        """The times of cells, in the order given.

        Raises:
            QueryError: A number is on no cell.
        """
        numbers = tuple(cells)
        unknown = [number for number in numbers if not 1 <= number <= len(self.seconds)]
        if unknown:
            raise QueryError(f"cell {unknown[0]} is not in the grid: its cells are 1 to {len(self.seconds)}")
        return tuple(self.seconds[number - 1] for number in numbers)


class Cells(Record):
    """A model's answer to which cells of a grid fit."""

    cells: tuple[int, ...] = Field(description="Numbers of the cells that fit, the best first; empty if none does.")


@dataclass(frozen=True, slots=True)
class Shown:
    """A picture as it is sent.

    Attributes:
        image: At its final size.
        seconds: Its time; None for a grid, which has many.
    """

    image: Image.Image
    seconds: float | None


def cells_of(grid: Grid) -> type[Cells]:
    """`Cells` for one grid: numbers without a cell are not valid, also in the JSON schema."""
    number = Annotated[int, Field(ge=1, le=len(grid.seconds))]
    said = Cells.model_fields["cells"].description
    return create_model("Cells", __base__=Cells, cells=(tuple[number, ...], Field(description=said)))


def make_grid(frames: Sequence[Frame], *, columns: int = 4, cell_side: int = 192) -> Grid:
    """One picture of all frames, in the order given.

    Sixteen 16:9 frames in four columns become 780 × 524 pixels: about 400 tokens of Qwen3-VL, a
    twelfth of what they cost one by one. The numbers are on white strips above the pictures:
    they cover no part of a picture, and a digit inside a picture is not mistaken for a number.

    Args:
        frames: At least one; their pictures may differ in size.
        columns: Cells in a row.
        cell_side: No side of a cell's picture is longer, in pixels.

    Raises:
        QueryError: There are no frames, no columns, or the cells are too small to be seen.
    """
    if not frames or columns < 1 or cell_side < SMALLEST_CELL:
        raise QueryError(
            f"a grid of {len(frames)} frames in columns={columns} with cell_side={cell_side} cannot be made: "
            f"at least 1 frame, 1 column and {SMALLEST_CELL} pixels are needed"
        )
    pictures = [_shrunk(frame.pixels, cell_side) for frame in frames]
    strip = max(20, cell_side // 10)
    # A number may be wider than a picture in portrait format.
    width = max(strip * 2, *(picture.width for picture in pictures))
    height = max(picture.height for picture in pictures)
    across = min(columns, len(pictures))
    down = -(-len(pictures) // across)
    sheet = Image.new("RGB", (across * (width + _GAP) - _GAP, down * (height + strip + _GAP) - _GAP), _GROUND)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(strip - 2)
    for place, picture in enumerate(pictures):
        left, top = place % across * (width + _GAP), place // across * (height + strip + _GAP)
        draw.rectangle((left, top, left + width - 1, top + strip - 1), fill=_STRIP)
        draw.text((left + width // 2, top + strip // 2), str(place + 1), fill=_INK, font=font, anchor="mm")
        sheet.paste(picture, (left + (width - picture.width) // 2, top + strip + (height - picture.height) // 2))
    return Grid(np.asarray(sheet), tuple(frame.seconds for frame in frames))


def shown(part: Frame | Picture | Grid) -> Shown:
    """A part of a request at the size at which it is sent."""
    if isinstance(part, Grid):
        return Shown(Image.fromarray(part.pixels), None)
    picture = part if isinstance(part, Picture) else Picture(part)
    return Shown(_shrunk(picture.frame.pixels, picture.longest_side), picture.frame.seconds)


def picture_tokens(part: Frame | Picture | Grid) -> int:
    """About how many tokens a picture costs: Qwen-VL reads one for 32 × 32 pixels, and two around it."""
    pixels = part.frame.pixels if isinstance(part, Picture) else part.pixels
    side = max(pixels.shape[:2]) if isinstance(part, Grid) else getattr(part, "longest_side", LONGEST_SIDE)
    scale = min(1.0, side / max(pixels.shape[:2]))
    height, width = (max(1, round(length * scale)) for length in pixels.shape[:2])
    return math.ceil(width / SMALLEST_SIDE) * math.ceil(height / SMALLEST_SIDE) + 2


def jpeg_base64(image: Image.Image) -> str:
    """The picture as JPEG, in Base64."""
    jpeg = io.BytesIO()
    image.save(jpeg, "JPEG", quality=JPEG_QUALITY)
    return base64.b64encode(jpeg.getvalue()).decode("ascii")


def _shrunk(pixels: Pixels, longest_side: int) -> Image.Image:
    image = Image.fromarray(pixels)
    image.thumbnail((longest_side, longest_side))
    return image
