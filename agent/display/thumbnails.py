"""Draws a picture in a terminal: by its picture protocol, or from half blocks; never into a file or pipe."""

import io
import shutil
import sys
from typing import TYPE_CHECKING

from rich.console import Console

from .picture_protocols import PictureProtocol, TerminalPictures, escape_sequence, pictures_of

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["print_thumbnail", "shows_pictures", "shows_readable_text"]

# Characters. A picture of 80 characters has 640 pixels or more across: the text of a slide can be read.
_COLUMNS, _HALF_BLOCK_COLUMNS = 80, 40


def shows_pictures() -> bool:
    """Whether standard output is a terminal that may use colours (`NO_COLOR`) and shows pictures.

    Pictures are shown by the terminal's picture protocol, or with half blocks, which need 24-bit colours (`COLORTERM=truecolor`).
    """
    console = Console(file=sys.stdout)
    if not console.is_terminal or console.no_color:
        return False
    return _asked().protocol is not None or console.color_system == "truecolor"


def shows_readable_text() -> bool:
    """Whether the text of a slide can be read in the pictures of this terminal; in half blocks it cannot."""
    return _asked().protocol is not None


def print_thumbnail(picture: bytes) -> None:
    """Draw a WebP, up to 80 characters wide, or 40 in half blocks; a damaged one is not drawn.

    Args:
        picture: The file's bytes.
    """
    from PIL.WebPImagePlugin import WebPImageFile  # Ultralytics alters `Image.open` for all of the process

    try:
        image = WebPImageFile(io.BytesIO(picture)).convert("RGB")
    except (OSError, SyntaxError):
        return
    if _asked().protocol is None:
        _print_half_blocks(image)
    else:
        _print_picture(image, _asked())


def _asked() -> TerminalPictures:
    try:
        return pictures_of(sys.stdout.fileno())
    except (OSError, ValueError):  # a stream without a file, or closed
        return TerminalPictures(protocol=None)


def _print_picture(image: "Image", terminal: TerminalPictures) -> None:
    """Draw it as large as it fits into the window."""
    assert terminal.protocol is not None
    window = shutil.get_terminal_size()
    width, height = terminal.cell
    highest = max(1, window.lines - 2) * height  # pixels
    columns = max(1, min(_COLUMNS, window.columns, int(highest * image.width / image.height / width)))
    across = columns * width
    if terminal.protocol == PictureProtocol.SIXEL or across < image.width:  # the others are enlarged by the terminal
        image = image.resize((across, max(1, round(across * image.height / image.width))))
    sys.stdout.flush()
    sys.stdout.buffer.write(escape_sequence(terminal.protocol, image, columns) + b"\n")
    sys.stdout.buffer.flush()


def _print_half_blocks(image: "Image") -> None:
    from rich_pixels import Pixels

    rows = max(2, round(_HALF_BLOCK_COLUMNS * image.height / image.width / 2) * 2)  # two in each line
    Console(file=sys.stdout).print(Pixels.from_image(image.resize((_HALF_BLOCK_COLUMNS, rows))), end="")
