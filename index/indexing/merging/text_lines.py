"""Merge readings of text into lines: one observation for as long as a line is shown, with its best reading.

Readings of one line differ for three reasons. It is being typed: brief readings are the start of a longer one. It is
covered by a pointer or a menu: a brief reading is a part of the one before or after it. The reader errs: a brief reading
differs in a letter or two. A reading that lasts is never merged with another text: on a slide one letter may have changed.
"""

from collections.abc import Sequence
from difflib import SequenceMatcher

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

# Everything that merged lines depend on.
LINES = (
    _MOVED,
    _MISSED_SECONDS,
    _SURE_ONCE,
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


def are_variants(a: str, b: str) -> bool:
    """Whether two texts may be readings of one line: all but a few letters agree, and all digits.

    Where two letters or more in a row are others ("four", "five"), the line itself changed.
    """
    first, second = _letters(a), _letters(b)
    if first == second:
        return True
    if [c for c in first if c.isdigit()] != [c for c in second if c.isdigit()]:
        return False
    changes = [
        code for code in SequenceMatcher(None, first, second, autojunk=False).get_opcodes() if code[0] != "equal"
    ]
    sizes = [max(a_end - a_start, b_end - b_start) for _, a_start, a_end, b_start, b_end in changes]
    if any(kind == "replace" and size > 1 for (kind, *_), size in zip(changes, sizes, strict=True)):
        return False
    return sum(sizes) <= _VARIANT_SHARE * max(len(first), len(second))


def _followed(samples: Sequence[Observation]) -> list[Observation]:
    """Merge the readings of each line that moves; drop what was read once and unsurely."""
    chains: list[
        tuple[Observation, Observation, int]
    ] = []  # the best reading over the span, the last one, their number
    open_chains: list[int] = []
    for sample in samples:
        open_chains = [n for n in open_chains if sample.span.start - chains[n][1].span.end <= _MISSED_SECONDS]
        for number in reversed(open_chains):
            best, last, count = chains[number]
            is_later = last.span.start < sample.span.start
            if is_later and _is_near(last.box, sample.box) and are_variants(last.text, sample.text):
                surer, other = (sample, best) if sample.score > best.score else (best, sample)
                chains[number] = _over(surer, other), sample, count + 1
                break
        else:
            open_chains.append(len(chains))
            chains.append((sample, sample, 1))
    return [best for best, _, count in chains if count > 1 or best.score >= _SURE_ONCE]


def _absorbed(lines: Sequence[Observation]) -> list[Observation]:
    """Merge brief parts and variants of a line into it: first those before it, then those after it."""
    for is_backward in (True, False):
        kept: list[Observation] = []
        for line in sorted(lines, key=lambda line: line.span.start, reverse=is_backward):
            near = _neighbour(line, kept, is_backward)
            if near is None:
                kept.append(line)
            else:
                kept[near] = _over(kept[near], line)
        lines = kept
    return list(lines)


def _neighbour(line: Observation, kept: Sequence[Observation], is_backward: bool) -> int | None:
    """Return the index of the line that another is a brief reading of; None: there is none."""
    for number in range(len(kept) - 1, -1, -1):
        other = kept[number]
        gap = other.span.start - line.span.end if is_backward else line.span.start - other.span.end
        far = _PART_SECONDS + _GAP_SECONDS
        if (other.span.start - line.span.start if is_backward else line.span.start - other.span.start) > 600:
            break
        is_inside = line.span.overlap(other.span) >= line.span.duration - 1e-6
        if not (is_inside or -far <= gap <= _GAP_SECONDS) or not _on_one_row(line.box, other.box):
            continue
        limit = min(_PART_SECONDS, other.span.duration) if _is_part(line.text, other.text) else 0.0
        if not limit and are_variants(line.text, other.text):
            limit = min(_VARIANT_SECONDS, other.span.duration)
        if line.span.duration <= limit:
            return number
    return None


def _bridged(lines: Sequence[Observation]) -> list[Observation]:
    """Merge a line with itself where it is hidden for a moment."""
    kept: list[Observation] = []
    last: dict[str, list[int]] = {}
    for line in sorted(lines, key=lambda line: line.span.start):
        places = last.setdefault(_letters(line.text), [])
        for number in reversed(places):
            before = kept[number]
            gap = line.span.start - before.span.end
            shorter = min(before.span.duration, line.span.duration)
            if (
                gap <= min(_HIDDEN_SECONDS, shorter)
                and _on_one_row(before.box, line.box)
                and not _is_replaced(before, line, lines)
            ):
                best = line if line.score > before.score else before
                kept[number] = _over(best, before if best is line else line)
                break
        else:
            places.append(len(kept))
            kept.append(line)
    return kept


def _is_replaced(before: Observation, after: Observation, lines: Sequence[Observation]) -> bool:
    """Whether another text is at a line's place between two times that it is shown."""
    if after.span.start <= before.span.end:
        return False
    gap = Span(start=before.span.end, end=after.span.start)
    return any(
        other.span.overlap(gap) >= gap.duration / 2
        and _on_one_row(other.box, before.box)
        and not are_variants(other.text, before.text)
        for other in lines
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


def _letters(text: str) -> str:
    return "".join(c for c in text.casefold() if c.isalnum())
