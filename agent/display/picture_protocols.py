"""Asks the terminal which picture protocol it has, and encodes a picture for it. `thumbnails` decides its size.

Protocols: kitty graphics (https://sw.kovidgoyal.net/kitty/graphics-protocol/), iTerm2 inline images
(https://iterm2.com/documentation-images.html) and sixel (DEC STD 070). The first two carry a PNG, so they need no encoder.
"""

import base64
import functools
import io
import os
import re
import select
import termios
import time
import tty
from enum import StrEnum
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["PictureProtocol", "TerminalPictures", "escape_sequence", "pictures_of"]

# A terminal that answers nothing costs this once. A later answer would be read by the shell, as if it was typed.
_ANSWER_SECONDS = 1.0
# In this order: the question that the kitty protocol defines, iTerm2's cell size, xterm's cell size in pixels, and the primary
# device attributes (DA1). All terminals answer the last; a question without an answer before it is not supported. The line is
# then cleared, for a terminal that printed a question.
_KITTY = b"\x1b_Gi=31,s=1,v=1,a=q,t=d,f=24;AAAA\x1b\\"
_ITERM2 = b"\x1b]1337;ReportCellSize\x1b\\"
_QUESTIONS = _KITTY + _ITERM2 + b"\x1b[16t\x1b[c" + b"\r\x1b[K"
_KITTY_ANSWER = re.compile(rb"\x1b_Gi=31;OK\x1b\\")
_ITERM2_ANSWER = re.compile(rb"\x1b\]1337;ReportCellSize=")
_CELL_ANSWER = re.compile(rb"\x1b\[6;(\d{1,4});(\d{1,4})t")
_ATTRIBUTES = re.compile(rb"\x1b\[\?([\d;]*)c")
_SIXEL = b"4"  # among the attributes
_LONGEST_ANSWER = 4096
# Values of TERM: these terminals print the questions. So does Apple's Terminal.
_NOT_ASKED = ("dumb", "linux", "unknown", "")
_CELL = (10, 20)  # pixels, of the VT340: for a terminal that does not report its own
_PALETTE = 255
_CHUNK = 4096  # bytes of base64, from the kitty specification


class PictureProtocol(StrEnum):
    """How a terminal shows a picture."""

    KITTY = "kitty"
    ITERM2 = "iterm2"
    SIXEL = "sixel"


class TerminalPictures(BaseModel):
    """How a terminal shows pictures, as it reports it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    protocol: PictureProtocol | None = Field(description="None: it has no picture protocol, or did not answer.")
    cell: tuple[int, int] = Field(default=_CELL, description="Width and height of a character in pixels.")


@functools.cache
def pictures_of(descriptor: int) -> TerminalPictures:
    """Ask a terminal how it shows pictures, once in a process. This takes one round trip, and at most one second.

    A terminal is not asked in three cases: by a background process, which would be stopped; when keys are already typed, which
    would be lost; when it is known to print such questions.

    Args:
        descriptor: An open file descriptor of the terminal.
    """
    nothing = TerminalPictures(protocol=None)
    if os.environ.get("TERM", "") in _NOT_ASKED or os.environ.get("TERM_PROGRAM") == "Apple_Terminal":
        return nothing
    try:
        terminal = os.open(os.ttyname(descriptor), os.O_RDWR | os.O_NOCTTY)
    except OSError:
        return nothing
    try:
        answer = _answer(terminal) if os.tcgetpgrp(terminal) == os.getpgrp() else b""
    except (OSError, termios.error):
        return nothing
    finally:
        os.close(terminal)
    return _read(answer)


def escape_sequence(protocol: PictureProtocol, image: "Image", columns: int) -> bytes:
    r"""Return the bytes that draw a picture at the cursor.

    Args:
        protocol: Of the terminal.
        image: RGB. For sixel its pixels are those of the screen.
        columns: Width on the screen in characters; the terminal keeps the aspect ratio. Not used for sixel.
    """
    if protocol == PictureProtocol.SIXEL:
        return _sixel(image)
    file = io.BytesIO()
    image.save(file, "PNG")
    encoded = base64.b64encode(file.getvalue())
    if protocol == PictureProtocol.ITERM2:
        size = len(file.getvalue())
        return b"\x1b]1337;File=inline=1;size=%d;width=%d:%s\x07" % (size, columns, encoded)
    chunks = [encoded[start : start + _CHUNK] for start in range(0, len(encoded), _CHUNK)]
    keys = [b"a=T,f=100,q=2,c=%d," % columns] + [b""] * (len(chunks) - 1)  # q=2: the terminal sends no answer
    more = [1] * (len(chunks) - 1) + [0]
    return b"".join(b"\x1b_G%sm=%d;%s\x1b\\" % part for part in zip(keys, more, chunks, strict=True))


def _answer(terminal: int) -> bytes:
    """What the terminal answers, up to its device attributes; nothing if something is typed ahead."""
    saved = termios.tcgetattr(terminal)
    answer, deadline = b"", time.monotonic() + _ANSWER_SECONDS
    try:
        tty.setcbreak(terminal, termios.TCSADRAIN)  # the answer is no line, and is not echoed
        if select.select([terminal], [], [], 0)[0]:
            return b""
        os.write(terminal, _QUESTIONS)
        while not _ATTRIBUTES.search(answer) and len(answer) < _LONGEST_ANSWER:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([terminal], [], [], left)[0]:
                break
            if not (more := os.read(terminal, 256)):
                break
            answer += more
    finally:
        termios.tcsetattr(terminal, termios.TCSADRAIN, saved)
    return answer


def _read(answer: bytes) -> TerminalPictures:
    """What an answer means."""
    attributes, cell = _ATTRIBUTES.search(answer), _CELL_ANSWER.search(answer)
    protocol = None
    if _KITTY_ANSWER.search(answer):
        protocol = PictureProtocol.KITTY
    elif _ITERM2_ANSWER.search(answer):
        protocol = PictureProtocol.ITERM2
    elif attributes and _SIXEL in attributes.group(1).split(b";"):
        protocol = PictureProtocol.SIXEL
    height, width = (int(cell.group(1)), int(cell.group(2))) if cell else (0, 0)
    return TerminalPictures(protocol=protocol, cell=(width, height) if width and height else _CELL)


def _sixel(image: "Image") -> bytes:
    """A picture of at most 255 colours, chosen by median cut."""
    import numpy as np
    from syxel.sixel import write_sixel

    drawn = image.quantize(_PALETTE)
    palette = np.asarray(drawn.getpalette(), np.int32).reshape(-1, 3)
    out = io.BytesIO()
    write_sixel(out, np.asarray(drawn), palette)
    return out.getvalue()
