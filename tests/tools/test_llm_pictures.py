"""What a video LLM is shown: sizes, and grids whose cells lead back to true times."""

import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError

from playhead.tools.errors import QueryError
from playhead.tools.llm.pictures import Picture, cells_of, make_grid, shown
from playhead.tools.records import Frame

GAP, STRIP = 4, 20


def grey(seconds: float, level: int, width: int = 192, height: int = 108) -> Frame:
    return Frame(seconds, np.full((height, width, 3), level, np.uint8))


def test_a_grid_shows_each_frame_in_its_numbered_cell() -> None:
    frames = [grey(second * 7.5, 20 + second * 10) for second in range(16)]
    grid = make_grid(frames)
    assert grid.pixels.shape == (4 * (108 + STRIP) + 3 * GAP, 4 * 192 + 3 * GAP, 3)
    for number, frame in enumerate(frames, start=1):
        left, top = (number - 1) % 4 * (192 + GAP), (number - 1) // 4 * (108 + STRIP + GAP)
        cell = grid.pixels[top : top + STRIP + 108, left : left + 192]
        assert (cell[STRIP:] == frame.pixels).all()
        strip = cell[:STRIP]
        assert (strip[:, :40] == 255).all()  # the number is in the middle, and nothing else
        assert (strip[:, 60:130] < 90).any()
        assert grid.at([number]) == (frame.seconds,)


def test_each_number_is_drawn_as_itself() -> None:
    grid = make_grid([grey(second, 0) for second in range(16)])
    strips = [
        grid.pixels[(n // 4) * (108 + STRIP + GAP) :][:STRIP, (n % 4) * (192 + GAP) :][:, :192].tobytes()
        for n in range(16)
    ]
    assert len(set(strips)) == 16
    assert make_grid([grey(0, 0)]).pixels[:STRIP, :192].tobytes() == strips[0]


def test_the_last_row_may_be_short_and_few_frames_make_few_columns() -> None:
    grid = make_grid([grey(second, 200) for second in range(6)])
    assert grid.pixels.shape == (2 * (108 + STRIP) + GAP, 4 * 192 + 3 * GAP, 3)
    assert (grid.pixels[108 + STRIP :, 2 * (192 + GAP) :] == 0).all()
    assert make_grid([grey(1, 9), grey(2, 9)]).pixels.shape == (108 + STRIP, 2 * 192 + GAP, 3)
    assert make_grid([grey(1, 9)] * 4, columns=1).pixels.shape == (4 * (108 + STRIP) + 3 * GAP, 192, 3)


@pytest.mark.parametrize(("side", "cell"), [(192, (192, 108)), (96, (96, 54)), (384, (384, 216))])
def test_cells_are_as_large_as_asked_for(side: int, cell: tuple[int, int]) -> None:
    grid = make_grid([grey(0, 9, 1920, 1080)], cell_side=side)
    assert grid.pixels.shape == (cell[1] + max(STRIP, side // 10), cell[0], 3)


def test_pictures_of_many_sizes_are_centred_in_equal_cells() -> None:
    grid = make_grid([grey(0, 200, 192, 108), grey(1, 200, 54, 96), grey(2, 200, 32, 32)])
    assert grid.pixels.shape == (108 + STRIP, 3 * 192 + 2 * GAP, 3)
    second = grid.pixels[STRIP:, 192 + GAP : 2 * 192 + GAP]
    assert (second[6:102, 69:123] == 200).all()
    assert (second == 200).all(axis=2).sum() == 96 * 54


def test_a_number_fits_over_a_narrow_picture() -> None:
    grid = make_grid([grey(second, 9, 9, 192) for second in range(12)])
    assert grid.pixels.shape[1] == 4 * 40 + 3 * GAP


@pytest.mark.parametrize(
    ("frames", "values"), [(0, {}), (1, {"columns": 0}), (1, {"cell_side": 63}), (1, {"columns": -1})]
)
def test_a_grid_that_cannot_be_seen_is_refused(frames: int, values: dict) -> None:
    with pytest.raises(QueryError, match="cannot be made: at least 1 frame, 1 column and 64 pixels are needed"):
        make_grid([grey(0, 0)] * frames, **values)


@pytest.mark.parametrize("number", [0, 3, -1, 10**9])
def test_a_cell_that_is_not_there_has_no_time(number: int) -> None:
    grid = make_grid([grey(5, 0), grey(6, 0)])
    with pytest.raises(QueryError, match=f"cell {number} is not in the grid: its cells are 1 to 2"):
        grid.at([1, number])
    with pytest.raises(ValidationError):
        cells_of(grid)(cells=(number,))
    assert grid.at(cells_of(grid)(cells=(2, 1)).cells) == (6, 5)
    assert grid.at(()) == ()


@pytest.mark.parametrize("side", [31, 0, -5])
def test_a_picture_without_pixels_is_refused(side: int) -> None:
    with pytest.raises(QueryError, match=f"longest_side={side}: a picture needs at least 32 pixels"):
        Picture(grey(0, 0), side)


def test_sizes_of_what_is_shown() -> None:
    large, grid = grey(3.25, 7, 1920, 1080), make_grid([grey(1, 0)])
    pieces = [shown(part) for part in (large, Picture(large, 96), Picture(grey(9, 7, 20, 10), 96), grid)]
    assert [(piece.image.size, piece.seconds) for piece in pieces] == [
        ((768, 432), 3.25),
        ((96, 54), 3.25),
        ((20, 10), 9),
        ((192, 128), None),
    ]
    assert all(isinstance(piece.image, Image.Image) for piece in pieces)
