"""Parses SubRip, WebVTT and SubViewer files, also with common errors, in time linear in the file's size.

pysubs2 and webvtt-py are not used here: they drop cues whose times deviate from the specification, and repeat each line of
rolling automatic captions.
"""

import html
import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

__all__ = ["Cue", "clean_cue", "parse_cues"]

# Hours may be missing; a digit may be missing; the fraction follows a comma, a full stop or a colon, or is missing.
_STAMP = r"(?:(\d{1,4})\s?:\s?)?(\d{1,2})\s?:\s?(\d{1,2})(?:\s?[.,:]\s?(\d{1,9}))?"
_TIME_LINE = re.compile(rf"\s*{_STAMP}\s*(?:-{{1,2}}>|→)\s*{_STAMP}(?=\s|$)")
_SUBVIEWER = re.compile(r"\s*(\d{1,2}):(\d{2}):(\d{2})\.(\d{1,3}),(\d{1,2}):(\d{2}):(\d{2})\.(\d{1,3})\s*$")
_ARROW = re.compile(r"-->")
_MARKUP = re.compile(r"</?[A-Za-z][^<>]{0,300}>|<[\d:.]{3,20}>|\{\\[^{}]{0,300}\}")
# Words with their own times: automatic captions repeat the previous line while the next one grows.
_WORD_TIME = re.compile(r"<\d+:\d{2}:\d{2}\.\d{3}>")
_MOST_ESCAPES = 5
# Rolling captions: cues that follow each other within this time, where this share of the pairs repeat a line.
_ADJOINING_SECONDS = 0.1
_ROLLING_SHARE = 0.3
_ROLLING_PAIRS = 2


class Cue(NamedTuple):
    """The lines that are shown from `start` to `end`, in seconds."""

    start: float
    end: float
    lines: tuple[str, ...]

    @property
    def text(self) -> str:
        return " ".join(self.lines)


def parse_cues(text: str, *, blank_ends: bool) -> tuple[list[Cue], int]:
    """The cues of a file in its order, and how many time lines could not be read.

    Cues without words, and cues that end before they start, are left out.

    Args:
        text: SubRip, WebVTT or SubViewer 2.
        blank_ends: Whether a blank line ends a cue, as in WebVTT; in SubRip a cue's text may hold blank lines.
    """
    cues = []
    unread = 0
    for times, lines in _blocks(text, blank_ends=blank_ends):
        if times is None:
            unread += 1
            continue
        kept = tuple(filter(None, map(clean_cue, lines)))
        if kept and times[0] < times[1]:
            cues.append(Cue(*times, kept))
    return _once(cues, has_word_times=_WORD_TIME.search(text) is not None), unread


def clean_cue(line: str) -> str:
    """A line's words: without markup, its entities unescaped as often as they were escaped."""
    line = _MARKUP.sub("", line)
    for _ in range(_MOST_ESCAPES):
        unescaped = html.unescape(line)
        if unescaped == line:
            break
        line = unescaped
    return line.strip()


def _blocks(text: str, *, blank_ends: bool) -> Iterator[tuple[tuple[float, float] | None, list[str]]]:
    """For each time line its times (None: they cannot be read), and the lines that follow it."""
    times: tuple[float, float] | None = None
    lines: list[str] = []
    has_cue = False
    number = 0  # of the current cue, if it has one
    for line in [*re.split(r"\r*\n|\r", text), None]:
        stamps = None if line is None else _TIME_LINE.match(line) or _SUBVIEWER.match(line)
        starts = stamps is not None or (line is not None and _is_broken_time_line(line))
        if not starts and line is not None:
            if has_cue and not (blank_ends and not line.strip() and lines):
                lines.append(line)
            elif has_cue:
                yield times, lines
                has_cue, lines = False, []
            else:
                lines.append(line)
            continue
        following = number
        if line is not None and lines and _is_number_of_next(lines, number, is_first=not has_cue):
            following = int(lines.pop())
        if has_cue:
            yield times, [one for one in lines if one.strip()]
        if line is not None:
            times = _times(stamps) if stamps else None
            has_cue, lines, number = True, [], following


def _is_broken_time_line(line: str) -> bool:
    return _ARROW.search(line) is not None and sum(letter.isdigit() for letter in line) >= 4


def _is_number_of_next(lines: Sequence[str], number: int, *, is_first: bool) -> bool:
    """Whether the last line before a time line is the number of the next cue, not text of the current one."""
    last = lines[-1].strip()
    if not (last.isascii() and last.isdigit() and len(last) <= 9):
        return False
    return is_first or len(lines) == 0 or (len(lines) > 1 and not lines[-2].strip()) or int(last) == number + 1


def _times(stamps: re.Match[str]) -> tuple[float, float]:
    return _seconds(stamps.groups()[:4]), _seconds(stamps.groups()[4:])


def _seconds(stamp: Sequence[str | None]) -> float:
    hours, minutes, seconds, fraction = stamp
    return int(hours or 0) * 3600 + int(minutes or 0) * 60 + float(f"{seconds}.{fraction or 0}")


def _once(cues: list[Cue], *, has_word_times: bool) -> list[Cue]:
    """Return the cues of rolling captions with each line only once, where it is new; other cues unchanged."""
    ordered = sorted(cues, key=lambda cue: cue.start)
    adjoining = [(a, b) for a, b in pairwise(ordered) if b.start - a.end <= _ADJOINING_SECONDS]
    rolled = sum((shared := _repeated(a.lines, b.lines)) > 0 and shared < len(b.lines) for a, b in adjoining)
    is_rolling = rolled >= _ROLLING_PAIRS and rolled >= _ROLLING_SHARE * len(adjoining)
    if not has_word_times and not is_rolling:
        return ordered
    found: list[Cue] = []
    before: Cue | None = None
    for cue in ordered:
        follows = before is not None and cue.start - before.end <= _ADJOINING_SECONDS
        new = cue.lines[_repeated(before.lines, cue.lines) :] if before is not None and follows else cue.lines
        if new:
            found.append(cue._replace(lines=new))
        before = cue
    return found


def _repeated(before: Sequence[str], lines: Sequence[str]) -> int:
    """How many of the first lines repeat the last lines of the previous cue."""
    return next((n for n in range(min(len(before), len(lines)), 0, -1) if before[-n:] == lines[:n]), 0)
