"""Slides of a video: stretches that keep one title, found from the lines of text that are shown.

A title is the largest line near the top of the picture. Where most of a video shows slides, their titles are its table of
contents, and its chapters begin where a slide does.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from ...tools.records import Box, Span

__all__ = ["Slide", "TextLine", "slide_changes", "slides_of"]

# A title lies in this upper part of the picture, and is at least this high: 32 pixels of 1080p.
_TOP, _HEIGHT = 0.45, 0.03
# It is at least this many times as high as the other lines' median, where there are others: headers and menus are not.
_LARGER = 1.15
# It has this many letters at least, and at most this many words; half of its characters are letters or digits.
_LETTERS, _WORDS, _LETTER_SHARE = 3, 14, 0.5
# A slide stays at least as long; the same title after a shorter gap is the same slide.
_SECONDS, _GAP = 3.0, 3.0
# The lines on the screen are compared this many seconds before and after a change; a smaller share of them stays.
_AROUND, _STAYS = 0.5, 0.5
# Of lines of nearly the same height the upper one is the title.
_NEARLY = 0.85


@dataclass(frozen=True)
class TextLine:
    """A line of text on the screen.

    Attributes:
        span: When it is shown.
        text: Its words.
        box: Where it is shown.
    """

    span: Span
    text: str
    box: Box

    @property
    def height(self) -> float:
        """Share of the picture's height."""
        return self.box.bottom - self.box.top


@dataclass(frozen=True)
class Slide:
    """A stretch that keeps one title.

    Attributes:
        span: When it is shown.
        title: Index of the line that is its title, among the given lines.
    """

    span: Span
    title: int


def slides_of(lines: Sequence[TextLine]) -> list[Slide]:
    """Return the slides that lines of text show, in order of time; they do not overlap.

    Args:
        lines: Of one video, in any order.
    """
    edges = sorted({edge for line in lines for edge in (line.span.start, line.span.end)})
    shown: list[Slide] = []
    open_lines: set[int] = set()
    starts: dict[float, list[int]] = {}
    ends: dict[float, list[int]] = {}
    for number, line in enumerate(lines):
        starts.setdefault(line.span.start, []).append(number)
        ends.setdefault(line.span.end, []).append(number)
    for start, end in pairwise(edges):
        open_lines -= set(ends.get(start, ()))
        open_lines |= set(starts.get(start, ()))
        title = _title(lines, open_lines)
        if title is None:
            continue
        last = shown[-1] if shown else None
        if last and start - last.span.end <= _GAP and _same(lines[last.title], lines[title]):
            shown[-1] = Slide(Span(start=last.span.start, end=end), last.title)
        else:
            shown.append(Slide(Span(start=start, end=end), title))
    return [slide for slide in shown if slide.span.duration >= _SECONDS]


def slide_changes(lines: Sequence[Span]) -> list[float]:
    """Return the seconds at which the lines of text on the screen are replaced, in order.

    A line that appears or disappears alone changes no slide: at a change fewer than half of the lines stay, of those shown
    half a second before and of those shown half a second after. A stamp that stays while all else changes is an example.

    Args:
        lines: When each line of one video is shown, in any order.
    """
    found: list[float] = []
    for edge in sorted({edge for line in lines for edge in (line.start, line.end)}):
        before = {number for number, line in enumerate(lines) if line.start <= edge - _AROUND < line.end}
        after = {number for number, line in enumerate(lines) if line.start <= edge + _AROUND < line.end}
        is_change = before and after and len(before & after) < _STAYS * min(len(before), len(after))
        if is_change and not (found and edge - found[-1] < _SECONDS):
            found.append(edge)
    return found


def _title(lines: Sequence[TextLine], numbers: set[int]) -> int | None:
    """Return the index of the title among the lines that are shown together; None: there is none."""
    large = [number for number in numbers if _can_be_title(lines[number])]
    if not large:
        return None
    tallest = max(lines[number].height for number in large)
    first = min(
        (number for number in large if lines[number].height >= _NEARLY * tallest),
        key=lambda number: (lines[number].box.top, lines[number].box.left),
    )
    others = sorted(lines[number].height for number in numbers if number != first)
    if others and lines[first].height < _LARGER * others[len(others) // 2]:
        return None
    return first


def _can_be_title(line: TextLine) -> bool:
    letters = sum(c.isalpha() for c in line.text)
    solid = [c for c in line.text if not c.isspace()]
    return (
        line.box.top <= _TOP
        and line.height >= _HEIGHT
        and letters >= _LETTERS
        and len(line.text.split()) <= _WORDS
        and sum(c.isalnum() for c in solid) >= _LETTER_SHARE * len(solid)
    )


def _same(a: TextLine, b: TextLine) -> bool:
    return [c for c in a.text.casefold() if c.isalnum()] == [c for c in b.text.casefold() if c.isalnum()]
