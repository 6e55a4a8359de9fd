"""Pictures in terminals that answer, that do not, and that know other protocols: each is a pseudo-terminal."""

import base64
import fcntl
import io
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time

import numpy as np
import pytest
from PIL import Image

# Draws a picture of red, white and blue rows, says what the terminal has, and then reads a line that is typed.
PROGRAM = """
import io, sys, time
from PIL import Image
from playhead.agent.display.thumbnails import print_thumbnail, shows_pictures
image = Image.new("RGB", (320, 180), "white")
image.paste("red", (0, 0, 320, 60))
image.paste("blue", (0, 120, 320, 180))
file = io.BytesIO()
image.save(file, "WEBP", lossless=True)
began = time.monotonic()
shows = shows_pictures()
print(f"shows={shows} seconds={time.monotonic() - began:.2f}", flush=True)
if shows:
    print_thumbnail(file.getvalue())
    print_thumbnail(b"damaged")
print("read=" + repr(input()), flush=True)
"""
ATTRIBUTES, CELL = b"\x1b[?62;22c", b"\x1b[6;20;8t"
KITTY, ITERM2 = b"\x1b_Gi=31;OK\x1b\\", b"\x1b]1337;ReportCellSize=17.50;8.00;2.0\x1b\\"
SIXEL = b"\x1b[?62;4;22c"
ASKED = b"\x1b_Gi=31,"


class Terminal:
    """A window of 100 by 40 characters that runs the program, and gives one answer, once it is asked."""

    def __init__(self, answer, typed_ahead=b"", delay=0.0, **environment):
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))
        os.write(master, typed_ahead)
        variables = {name: os.environ[name] for name in ("PATH", "PYTHONPATH", "HOME") if name in os.environ}
        variables |= {"TERM": "xterm-256color"} | environment
        lead = "import fcntl, os, termios; os.setsid(); fcntl.ioctl(0, termios.TIOCSCTTY, 0)\n"
        program = subprocess.Popen(
            [sys.executable, "-c", lead + PROGRAM], stdin=slave, stdout=slave, stderr=slave, env=variables
        )
        os.close(slave)
        self.written, answered, typed = b"", False, False
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and select.select([master], [], [], 60)[0]:
            try:
                self.written += os.read(master, 65536)
            except OSError:  # the program has ended
                break
            if answer and not answered and b"\x1b[c" in self.written:
                time.sleep(delay)
                os.write(master, answer)
                answered = True
            if not typed and b"shows=" in self.written:
                os.write(master, b"typed\n")
                typed = True
        os.close(master)
        assert program.wait(10) == 0, self.written
        self.seconds = float(re.search(rb"seconds=([\d.]+)", self.written).group(1))
        self.shows = b"shows=True" in self.written
        self.read = re.search(rb"read='(.*)'", self.written).group(1)
        self.drawn = self.written.partition(b"\n")[2].rpartition(b"typed")[0]  # of what is echoed


def rows_of(picture):
    """The colours at the middle of the three rows of the picture."""
    array = np.asarray(picture.convert("RGB"))
    return [tuple(int(v) for v in array[array.shape[0] * part // 6, array.shape[1] // 2]) for part in (1, 3, 5)]


ROWS = [(255, 0, 0), (255, 255, 255), (0, 0, 255)]


def decoded(sixel):
    """The picture of a sixel sequence: raster attributes, colours of RGB in percent, repeats, `$` and `-`."""
    width, height, body = re.fullmatch(rb'\x1bP[\d;]*q"1;1;(\d+);(\d+)(.*)\x1b\\', sixel, re.DOTALL).groups()
    picture = np.zeros((-(-int(height) // 6) * 6, int(width), 3), np.uint8)
    colours, colour, across, band = {}, None, 0, 0
    for number, rgb, repeat, drawn, move in re.findall(rb"#(\d+)(?:;2;(\d+;\d+;\d+))?|(?:!(\d+))?([?-~])|([$-])", body):
        if rgb:
            colours[number] = [round(int(part) * 2.55) for part in rgb.split(b";")]
        elif number:
            colour = colours[number]
        elif drawn:
            count = int(repeat or 1)
            for bit in range(6):
                if drawn[0] - 63 >> bit & 1:
                    picture[band * 6 + bit, across : across + count] = colour
            across += count
        else:
            across, band = 0, band + (move == b"-")
    return Image.fromarray(picture[: int(height)])


def test_a_terminal_with_the_kitty_protocol_gets_a_png():
    terminal = Terminal(KITTY + ITERM2 + CELL + SIXEL)
    assert (terminal.shows, terminal.read) == (True, b"typed")
    parts = re.findall(rb"\x1b_G([^;]*);([^\x1b]*)\x1b\\", terminal.drawn)
    assert parts[0][0].startswith(b"a=T,f=100,q=2,c=80,m=")
    assert [keys[-3:] for keys, _ in parts] == [b"m=1"] * (len(parts) - 1) + [b"m=0"]
    assert all(len(data) <= 4096 for _, data in parts)
    picture = Image.open(io.BytesIO(base64.b64decode(b"".join(data for _, data in parts))))
    assert picture.size == (320, 180)  # the terminal enlarges it
    assert rows_of(picture) == ROWS


def test_a_terminal_with_inline_images_gets_a_png():
    terminal = Terminal(ITERM2 + CELL + SIXEL)
    assert (terminal.shows, terminal.read) == (True, b"typed")
    size, data = re.search(rb"\x1b]1337;File=inline=1;size=(\d+);width=80:([^\x07]*)\x07", terminal.drawn).groups()
    file = base64.b64decode(data)
    assert len(file) == int(size)
    assert rows_of(Image.open(io.BytesIO(file))) == ROWS


def test_a_terminal_with_sixel_gets_its_pixels():
    terminal = Terminal(CELL + SIXEL)
    assert (terminal.shows, terminal.read) == (True, b"typed")
    picture = decoded(re.search(rb"\x1bP.*\x1b\\", terminal.drawn, re.DOTALL).group())
    assert picture.size == (640, 360)  # 80 characters of 8 pixels
    assert rows_of(picture) == ROWS


def test_a_picture_is_not_higher_than_the_window():
    terminal = Terminal(b"\x1b[6;8;16t" + SIXEL)
    picture = decoded(re.search(rb"\x1bP.*\x1b\\", terminal.drawn, re.DOTALL).group())
    assert picture.height <= 38 * 8
    assert picture.width == 528  # 33 characters of 16 pixels: one more would be too high


@pytest.mark.parametrize("colours", ["truecolor", ""])
def test_without_a_protocol_there_are_half_blocks_or_nothing(colours):
    terminal = Terminal(ATTRIBUTES, COLORTERM=colours)
    assert (terminal.shows, terminal.read) == (colours == "truecolor", b"typed")
    assert ("▄".encode() in terminal.drawn) == (colours == "truecolor")
    assert not re.search(rb"\x1b[_P\]]", terminal.drawn)


def test_a_terminal_that_does_not_answer_is_waited_for_a_second_once():
    terminal = Terminal(b"", COLORTERM="truecolor")
    assert terminal.shows
    assert 0.9 < terminal.seconds < 4
    assert terminal.read == b"typed"
    assert "▄".encode() in terminal.drawn
    assert terminal.written.count(ASKED) == 1


def test_an_answer_that_takes_half_a_second_is_not_left_to_the_shell():
    terminal = Terminal(KITTY + SIXEL, delay=0.5)
    assert terminal.shows
    assert terminal.read == b"typed"


@pytest.mark.parametrize(
    ("typed_ahead", "read", "environment"),
    [
        (b"ahead\n", b"ahead", {}),
        (b"half ", b"half typed", {}),
        (b"", b"typed", {"TERM": "dumb"}),
        (b"", b"typed", {"TERM": "linux"}),
        (b"", b"typed", {"TERM_PROGRAM": "Apple_Terminal"}),
        (b"", b"typed", {"NO_COLOR": "1"}),
    ],
)
def test_a_terminal_is_not_asked_where_it_could_do_harm(typed_ahead, read, environment):
    terminal = Terminal(KITTY + SIXEL, typed_ahead, **environment)
    assert not terminal.shows
    assert ASKED not in terminal.written
    assert terminal.read == read


def test_a_process_in_the_background_is_not_stopped():
    background = (
        "import os, subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-c', sys.argv[1]], process_group=0)\n"
        "sys.exit(child.wait(30))\n"
    )
    program = PROGRAM.replace('print("read=" + repr(input()), flush=True)', "print(\"read=''\")")
    master, slave = pty.openpty()
    lead = "import fcntl, os, termios; os.setsid(); fcntl.ioctl(0, termios.TIOCSCTTY, 0)\n"
    parent = subprocess.Popen(
        [sys.executable, "-c", lead + background, program],
        stdin=slave, stdout=slave, stderr=slave, env=os.environ | {"TERM": "xterm", "COLORTERM": ""},
    )  # fmt: skip
    os.close(slave)
    assert parent.wait(60) == 0
    assert b"shows=False" in os.read(master, 65536)
    os.close(master)
