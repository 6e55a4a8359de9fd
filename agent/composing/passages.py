"""Passages: lines that belong together, as the lines of a slide, or sentences that follow each other."""

from collections.abc import Sequence

from ...index.records import Evidence

__all__ = ["passages_of"]

# A passage ends at a longer pause. A line that starts later than this after the first one begins another passage.
_PAUSE_SECONDS = 3.0
_PASSAGE_SECONDS = 15.0


def passages_of(rows: Sequence[Evidence]) -> list[list[Evidence]]:
    """Group lines that belong together.

    Args:
        rows: Lines, in any order.

    Returns:
        The passages, by video and time. The lines of a slide are in the order in which they are read.
    """
    passages: list[list[Evidence]] = []
    for row in sorted(rows, key=lambda one: (one.video, one.start)):
        home = next((passage for passage in passages if _continues(row, passage)), None)
        if home is None:
            passages.append([row])
        else:
            home.append(row)
    for passage in passages:
        if passage[0].modality == "text":
            passage.sort(key=lambda one: (one.box.top, one.box.left) if one.box else (0.0, 0.0))
    return passages


def _start(passage: Sequence[Evidence]) -> float:
    return min(row.start for row in passage)


def _continues(row: Evidence, passage: Sequence[Evidence]) -> bool:
    """Whether a line is shown together with all lines of a passage, or follows them without a pause."""
    last = passage[-1]
    if (row.video, row.modality, row.stream) != (last.video, last.modality, last.stream):
        return False
    if row.start - _start(passage) >= _PASSAGE_SECONDS:
        return False
    if row.modality == "text":
        return all(row.span.overlap(other.span) > 0 for other in passage)
    return row.start - last.end < _PAUSE_SECONDS
