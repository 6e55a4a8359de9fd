"""Merge readings of text into lines: one observation for as long as a line is shown, with its best reading.

Readings of one line differ for three reasons. It is being typed: brief readings are the start of a longer one. It is
covered by a pointer or a menu: a brief reading is a part of the one before or after it. The reader errs: a brief reading
differs in a letter or two. A reading that lasts is never merged with another text: on a slide one letter may have changed.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from difflib import SequenceMatcher
from functools import lru_cache

import numpy as np

from ....tools.records import Box, Observation, Span
from .tracks import merge_detections

__all__ = ["LINES", "are_variants", "merge_lines"]

# A line that is missing for less time is the same line: readers miss a line in single frames.
_GAP_SECONDS = 0.5
# A part of a line is merged with the whole line if it was shown for less time; a misread line for less than the other.
_PART_SECONDS, _VARIANT_SECONDS = 3.0, 1.0
# A line that is hidden for less time, and for less than it is shown before and after, is shown all the time.
_HIDDEN_SECONDS = 2.5
# Two boxes are on one line if they share this part of the lower height, and of the shorter width.
_SAME_ROW, _SAME_COLUMNS = 0.6, 0.5
# Readings of one line differ in this share of their letters at most, and in a word in one letter at a place.
_VARIANT_SHARE = 0.15
# RapidOCR reads single signs into icons with scores up to 0.8, and letters into textures that are seen for a moment.
_FEW_LETTERS, _SURE_SCORE, _MOMENT_SECONDS = 2, 0.8, 1.0
_LEAST_SCORE = 0.6

# Lines of a moving picture move by this share of it between two samples at most, and are missed in one now and then.
# What is read in one sample only, RapidOCR gave 0.9 and more if it was a line that a person can read.
_MOVED, _MISSED_SECONDS, _SURE_ONCE = 0.15, 2.5, 0.9
# Of two texts at one place of a moving picture, the one with less than this share of the other's support is a misreading, if
# they share this part of their letters: where one is read between readings of the other, and where it follows them.
_WEAK_SHARE, _ALIKE_AMONG, _ALIKE_BESIDE = 0.5, 0.6, 0.75
# A part that ends inside of a word, in a line that is being written, may have been shown for longer: nobody shows half a word.
_WRITTEN_SECONDS = 10.0

# Texts that were compared are compared again: a line of code is read in each of a hundred frames.
_CACHED = 1 << 16
_ROOM = 64  # lines for which there is room at first

# Everything that merged lines depend on.
LINES = (
    _MOVED,
    _MISSED_SECONDS,
    _SURE_ONCE,
    _WEAK_SHARE,
    _ALIKE_AMONG,
    _ALIKE_BESIDE,
    _WRITTEN_SECONDS,
    _GAP_SECONDS,
    _PART_SECONDS,
    _VARIANT_SECONDS,
    _HIDDEN_SECONDS,
    _SAME_ROW,
    _SAME_COLUMNS,
    _VARIANT_SHARE,
    _FEW_LETTERS,
    _SURE_SCORE,
    _MOMENT_SECONDS,
    _LEAST_SCORE,
)


def merge_lines(observations: Sequence[Observation], moving: Sequence[Span] = ()) -> list[Observation]:
    """Return one observation for each line of text, in order of time.

    Args:
        observations: Readings, segment by segment, in order.
        moving: Segments whose picture moves: their lines move, too, and are read differently from sample to sample.
    """
    in_motion = {(span.start, span.end) for span in moving}
    samples = [one for one in observations if (one.span.start, one.span.end) in in_motion]
    others = [one for one in observations if (one.span.start, one.span.end) not in in_motion]
    lines = _followed(samples) + merge_detections(others, _GAP_SECONDS)
    lines = _absorbed(lines)
    lines = _bridged(lines)
    return sorted((line for line in lines if not _is_noise(line)), key=lambda line: (line.span.start, line.span.end))


@lru_cache(_CACHED)
def are_variants(a: str, b: str) -> bool:
    """Whether two texts may be readings of one line: all but a few letters agree, and all digits.

    Where two letters or more in a row are others ("four", "five"), the line itself changed.
    """
    first, second = _letters(a), _letters(b)
    if first == second:
        return True
    if _digits(first) != _digits(second):
        return False
    longest = max(len(first), len(second))
    if (
        longest - (Counter(first) & Counter(second)).total() > _VARIANT_SHARE * longest
    ):  # as many letters differ at least
        return False
    changes = [
        code for code in SequenceMatcher(None, first, second, autojunk=False).get_opcodes() if code[0] != "equal"
    ]
    sizes = [max(a_end - a_start, b_end - b_start) for _, a_start, a_end, b_start, b_end in changes]
    if any(kind == "replace" and size > 1 for (kind, *_), size in zip(changes, sizes, strict=True)):
        return False
    return sum(sizes) <= _VARIANT_SHARE * longest


class _Chain:
    """Readings of one line of a moving picture, in order of time."""

    def __init__(self, reading: Observation) -> None:
        self.readings = [reading]
        self.span = reading.span
        self.support = reading.score  # sum of the readings' scores
        self._best: Observation | None = None

    @property
    def best(self) -> Observation:
        """The surest reading of the text that was read most often, over the whole span."""
        if self._best is None:
            self._best = self._voted()
        return self._best

    def _voted(self) -> Observation:
        votes: dict[str, float] = {}
        for one in self.readings:
            votes[_letters(one.text)] = votes.get(_letters(one.text), 0.0) + one.score
        most = max(votes, key=lambda text: (votes[text], text))
        surest = max((one for one in self.readings if _letters(one.text) == most), key=lambda one: one.score)
        return surest.model_copy(update={"span": self.span})

    def add(self, readings: Sequence[Observation]) -> None:
        """Take in more readings."""
        self.readings = sorted([*self.readings, *readings], key=lambda one: one.span.start)
        self.span = Span(start=self.readings[0].span.start, end=max(one.span.end for one in self.readings))
        self.support = sum(one.score for one in self.readings)
        self._best = None

    def goes_on_with(self, sample: Observation) -> bool:
        """Whether a later reading is one of this line, which may have moved."""
        last = self.readings[-1]
        return (
            last.span.start < sample.span.start
            and sample.span.start - last.span.end <= _MISSED_SECONDS
            and _is_near(last.box, sample.box)
            and are_variants(last.text, sample.text)
        )

    def nearest_to(self, reading: Observation) -> Observation:
        """Return the reading that starts nearest to another one."""
        start = reading.span.start
        after = bisect_left(self.readings, start, key=lambda one: one.span.start)
        near = self.readings[max(0, after - 1) : after + 1]
        return min(near, key=lambda one: abs(one.span.start - start))

    def misreads(self, other: "_Chain") -> bool:
        """Whether this is a misreading, or the written beginning, of another line at its place.

        A place shows one text at a time: what is read between readings of the other, less often or less surely, is the
        other. Where it is read nearly as often it may be the right reading, and both stay.
        """
        gap = max(self.span.start - other.span.end, other.span.start - self.span.end)
        if gap > _MISSED_SECONDS or self.support >= other.support:
            return False
        mine, theirs = min(
            ((one, other.nearest_to(one)) for one in (self.readings[0], self.readings[-1])),
            key=lambda pair: abs(pair[0].span.start - pair[1].span.start),
        )
        if not _on_one_row(mine.box, theirs.box):
            return False
        mine, theirs = self.best, other.best
        is_before = mine.span.start < theirs.span.start
        if are_variants(mine.text, theirs.text) or (is_before and _ends_in_word(mine.text, theirs.text)):
            return True
        is_unsure = mine.score < _SURE_ONCE
        if gap < 0:
            is_rare = self.support < _WEAK_SHARE * other.support
            return (is_unsure or is_rare) and _similarity(mine.text, theirs.text) >= _ALIKE_AMONG
        is_same_number = _digits(mine.text) == _digits(theirs.text)  # a clock goes on
        return is_unsure and is_same_number and _similarity(mine.text, theirs.text) >= _ALIKE_BESIDE


def _followed(samples: Sequence[Observation]) -> list[Observation]:
    """Merge the readings of each line that moves, misreadings included; drop what was read once and unsurely."""
    chains: list[_Chain] = []
    recent: list[_Chain] = []
    for sample in samples:
        recent = [one for one in recent if sample.span.start - one.readings[-1].span.end <= _MISSED_SECONDS]
        for chain in reversed(recent):
            if chain.goes_on_with(sample):
                chain.add([sample])
                break
        else:
            chains.append(_Chain(sample))
            recent.append(chains[-1])
    while _merge_misread(chains):
        pass
    return [chain.best for chain in chains if len(chain.readings) > 1 or chain.best.score >= _SURE_ONCE]


def _merge_misread(chains: list[_Chain]) -> bool:
    """Merge misread chains into the lines that they misread, the weakest first; return whether there was one."""
    order = sorted(range(len(chains)), key=lambda number: chains[number].support)
    starts, ends = (np.array([getattr(one.span, edge) for one in chains]) for edge in ("start", "end"))
    gone: set[int] = set()
    for number in order:
        chain = chains[number]
        near = (starts - chain.span.end <= _MISSED_SECONDS) & (chain.span.start - ends <= _MISSED_SECONDS)
        lines = [
            other
            for other in np.flatnonzero(near).tolist()
            if other != number and other not in gone and chain.misreads(chains[other])
        ]
        if lines:
            line = max(lines, key=lambda other: _similarity(chain.best.text, chains[other].best.text))
            chains[line].add(chain.readings)
            starts[line], ends[line] = chains[line].span.start, chains[line].span.end
            gone.add(number)
    chains[:] = [chain for number, chain in enumerate(chains) if number not in gone]
    return bool(gone)


@lru_cache(_CACHED)
def _similarity(a: str, b: str) -> float:
    """Return the share of letters that two texts have in common, in order, 0 to 1."""
    return SequenceMatcher(None, _letters(a), _letters(b), autojunk=False).ratio()


def _absorbed(lines: Sequence[Observation]) -> list[Observation]:
    """Merge brief parts and variants of a line into it: first those before it, then those after it."""
    for is_backward in (True, False):
        kept = _Lines()
        for line in sorted(lines, key=lambda line: line.span.start, reverse=is_backward):
            near = _neighbour(line, kept, is_backward)
            if near is None:
                kept.add(line)
            else:
                kept.replace(near, _over(kept.all[near], line))
        lines = kept.all
    return list(lines)


class _Lines:
    """Lines whose times and places are also kept as numbers, so that few of many are compared one by one."""

    def __init__(self, lines: Sequence[Observation] = ()) -> None:
        self.all: list[Observation] = []
        self._numbers = np.zeros((_ROOM, 6))  # start, end, left, top, right, bottom
        for line in lines:
            self.add(line)

    def add(self, line: Observation) -> None:
        """Append a line."""
        if len(self.all) == len(self._numbers):
            self._numbers = np.concatenate([self._numbers, np.zeros_like(self._numbers)])
        self.all.append(line)
        self.replace(len(self.all) - 1, line)

    def replace(self, number: int, line: Observation) -> None:
        """Set a line."""
        self.all[number] = line
        box = line.box
        place = (box.left, box.top, box.right, box.bottom) if box else (np.nan,) * 4
        self._numbers[number] = (line.span.start, line.span.end, *place)

    def on_row_of(self, line: Observation, before: float, after: float) -> list[int]:
        """Return the numbers of the lines on one row with another, at most these seconds before and after it, in order."""
        if line.box is None:
            return []
        starts, ends, lefts, tops, rights, bottoms = self._numbers[: len(self.all)].T
        box = line.box
        rows = np.minimum(bottoms, box.bottom) - np.maximum(tops, box.top)
        columns = np.minimum(rights, box.right) - np.maximum(lefts, box.left)
        near = (starts - line.span.end <= after) & (line.span.start - ends <= before)
        near &= rows >= _SAME_ROW * np.minimum(bottoms - tops, box.bottom - box.top)
        near &= columns >= _SAME_COLUMNS * np.minimum(rights - lefts, box.right - box.left)
        found: list[int] = np.flatnonzero(near).tolist()
        return found


def _neighbour(line: Observation, kept: _Lines, is_backward: bool) -> int | None:
    """Return the index of the line that another is a brief reading of; None: there is none."""
    for number in reversed(kept.on_row_of(line, _GAP_SECONDS, _GAP_SECONDS)):
        other = kept.all[number]
        gap = other.span.start - line.span.end if is_backward else line.span.start - other.span.end
        far = _PART_SECONDS + _GAP_SECONDS
        is_inside = line.span.overlap(other.span) >= line.span.duration - 1e-6
        if not (is_inside or -far <= gap <= _GAP_SECONDS):
            continue
        limit = 0.0
        if _is_part(line.text, other.text):
            longest = _WRITTEN_SECONDS if _ends_in_word(line.text, other.text) else _PART_SECONDS
            limit = min(longest, other.span.duration)
        if not limit and are_variants(line.text, other.text):
            limit = min(_VARIANT_SECONDS, other.span.duration)
        if line.span.duration <= limit:
            return number
    return None


def _bridged(lines: Sequence[Observation]) -> list[Observation]:
    """Merge a line with itself where it is hidden for a moment."""
    kept: list[Observation] = []
    last: dict[str, list[int]] = {}
    among = _Lines(lines)
    for line in sorted(lines, key=lambda line: line.span.start):
        places = last.setdefault(_letters(line.text), [])
        for number in reversed(places):
            before = kept[number]
            gap = line.span.start - before.span.end
            shorter = min(before.span.duration, line.span.duration)
            if (
                gap <= min(_HIDDEN_SECONDS, shorter)
                and _on_one_row(before.box, line.box)
                and not _is_replaced(before, line, among)
            ):
                best = line if line.score > before.score else before
                kept[number] = _over(best, before if best is line else line)
                break
        else:
            places.append(len(kept))
            kept.append(line)
    return kept


def _is_replaced(before: Observation, after: Observation, lines: _Lines) -> bool:
    """Whether another text is at a line's place between two times that it is shown."""
    if after.span.start <= before.span.end:
        return False
    gap = Span(start=before.span.end, end=after.span.start)
    return any(
        lines.all[number].span.overlap(gap) >= gap.duration / 2
        and not are_variants(lines.all[number].text, before.text)
        for number in lines.on_row_of(before, 0.0, gap.duration)
    )


def _is_noise(line: Observation) -> bool:
    letters = len(_letters(line.text))
    if line.score < _LEAST_SCORE:
        return True
    is_unsure = line.score < _SURE_SCORE
    return is_unsure and (letters <= _FEW_LETTERS or line.span.duration < _MOMENT_SECONDS)


def _is_part(text: str, whole: str) -> bool:
    """Whether a text is what a line starts or ends with: it is being typed, or the rest is covered."""
    part, line = _letters(text), _letters(whole)
    return len(part) < len(line) and (line.startswith(part) or line.endswith(part))


def _ends_in_word(text: str, whole: str) -> bool:
    """Whether a text that a line starts with ends inside one of its words, after at least one whole word."""
    part = " ".join(text.split())
    line = " ".join(whole.split())
    return " " in part and line.startswith(part) and part[-1].isalpha() and line[len(part) :][:1].isalpha()


def _is_near(a: Box | None, b: Box | None) -> bool:
    """Whether a line may have moved from one place to the other between two samples."""
    if a is None or b is None:
        return False
    across = abs(a.left + a.right - b.left - b.right) / 2
    down = abs(a.top + a.bottom - b.top - b.bottom) / 2
    return max(across, down) <= _MOVED


def _on_one_row(a: Box | None, b: Box | None) -> bool:
    if a is None or b is None:
        return False
    rows = min(a.bottom, b.bottom) - max(a.top, b.top)
    columns = min(a.right, b.right) - max(a.left, b.left)
    return rows >= _SAME_ROW * min(a.bottom - a.top, b.bottom - b.top) and columns >= _SAME_COLUMNS * min(
        a.right - a.left, b.right - b.left
    )


def _over(line: Observation, other: Observation) -> Observation:
    """Return a line over its own span and another's."""
    start, end = min(line.span.start, other.span.start), max(line.span.end, other.span.end)
    return line.model_copy(update={"span": Span(start=start, end=end)})


@lru_cache(_CACHED)
def _letters(text: str) -> str:
    return "".join(c for c in text.casefold() if c.isalnum())


def _digits(text: str) -> str:
    return "".join(c for c in text if c.isdigit())
