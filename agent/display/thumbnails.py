"""Draws a picture in a terminal of 24-bit colours, from half blocks; never into a file or pipe."""

import io
import sys

from rich.console import Console

__all__ = ["print_thumbnail", "shows_pictures"]

_COLUMNS = 40


def shows_pictures() -> bool:
    """Whether standard output is a terminal of 24-bit colours (`COLORTERM=truecolor`) that may use them (`NO_COLOR`)."""
    console = Console(file=sys.stdout)
    return console.is_terminal and console.color_system == "truecolor" and not console.no_color


def print_thumbnail(picture: bytes) -> None:
    """Draw a WebP, 40 characters wide; a damaged one is not drawn.

    Args:
        picture: The file's bytes.
    """
    from PIL.WebPImagePlugin import WebPImageFile  # Ultralytics alters `Image.open` for all of the process
    from rich_pixels import Pixels

    try:
        image = WebPImageFile(io.BytesIO(picture)).convert("RGB")
    except (OSError, SyntaxError):
        return
    rows = max(2, round(_COLUMNS * image.height / image.width / 2) * 2)  # two in each line
    Console(file=sys.stdout).print(Pixels.from_image(image.resize((_COLUMNS, rows))), end="")
