"""Draws on a terminal: tables without lines, links to a moment, a timeline of one line. Text is never markup."""

import os
import sys
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from rich.console import Console
from rich.style import Style
from rich.table import Column, Table
from rich.text import Text

from ...tools.records import Span, clean_text, clock

if TYPE_CHECKING:
    from ...index.records import VideoRecord

__all__ = [
    "indexed_length",
    "linked",
    "names_of",
    "print_drawing",
    "shown_path",
    "table",
    "timeline",
    "waiting",
    "when",
]

_TIMELINE_CELLS = 48
# Wide enough that no line breaks where the output is a file or a pipe.
_PIPE_WIDTH = 10_000


def waiting(what: str, quiet: bool) -> AbstractContextManager[Any]:
    """On a terminal, show that work goes on. Its length is not known."""
    console = Console(stderr=True, quiet=quiet or not sys.stderr.isatty())
    return console.status(f"{what} …")


def table(columns: int, gap: int = 2) -> Table:
    """Return a table without lines. Its last column takes the room that is left."""
    given = [*(Column(no_wrap=True) for _ in range(columns - 1)), Column(overflow="fold")]
    return Table(*given, box=None, show_header=False, pad_edge=False, padding=(0, gap, 0, 0))


def print_drawing(drawing: Table | Text, stream: TextIO | None = None) -> None:
    """Draw as wide as the terminal. In a file or pipe, no line breaks."""
    stream = stream or sys.stdout
    console = Console(file=stream, width=None if stream.isatty() else _PIPE_WIDTH, highlight=False)
    with console.capture() as drawn:
        console.print(drawing)
    for line in drawn.get().splitlines():
        if line.strip():
            print(line.rstrip(), file=stream)
    stream.flush()


def linked(text: str, video: Path | str, seconds: float, style: str = "") -> Text:
    """Return text that a terminal opens as a link (OSC 8) to a video's file at a second.

    Players that know media fragments (`#t=`, W3C Media Fragments 1.0) start there; others open the file.
    """
    target = f"{Path(video).as_uri()}#t={seconds:.1f}" if Path(video).is_absolute() else None
    return Text(clean_text(text), style=Style.parse(style) + Style(link=target))


def when(start: float, end: float) -> str:
    """Return `HH:MM:SS.t–HH:MM:SS.t`."""
    return f"{clock(start)}–{clock(end)}"


def indexed_length(record: "VideoRecord") -> str:
    """Return a video's length, and the stretches that are indexed if they are not all of it."""
    if not record.info.windows:
        return clock(record.duration)
    return f"{', '.join(when(one.start, one.end) for one in record.info.windows)} of {clock(record.duration)}"


def timeline(duration: float, spans: Sequence[Span]) -> str:
    """Return one line for a video from start to end, with the spans marked."""
    cells = ["─"] * _TIMELINE_CELLS
    for span in spans:
        first = min(_TIMELINE_CELLS - 1, int(span.start / max(duration, 1e-6) * _TIMELINE_CELLS))
        last = min(_TIMELINE_CELLS - 1, int(span.end / max(duration, 1e-6) * _TIMELINE_CELLS - 1e-6))
        for cell in range(first, max(first, last) + 1):
            cells[cell] = "█"
    return "".join(cells)


def shown_path(path: Path) -> str:
    """Return a path as a person would write it here: relative to the working folder if below it."""
    here = Path.cwd()
    return clean_text(os.fspath(path.relative_to(here) if path.is_relative_to(here) else path))


def names_of(videos: Iterable[str]) -> dict[str, str]:
    """Return the file name for each path of a video; where two names are equal, the paths."""
    paths = {video: Path(video) for video in videos}
    unique = len({path.name for path in paths.values()}) == len(paths)
    return {video: clean_text(path.name) if unique else shown_path(path) for video, path in paths.items()}
