"""What a model reads for a question: the best lines, and what is next to the best of them.

A small model gets whole slides, and for the best lines also what is said while a slide appears, or shown while a sentence is
said: "Reason: night shifts" is written, and "our sailors stopped working" is said.
"""

from collections.abc import Callable, Collection, Sequence

from ...index.records import Evidence
from ...index.retrieval.search import Search
from ...tools.extractors.registry import cited_as_text
from ...tools.records import Modality
from .model_input import on_one_slide

__all__ = ["lines_to_read", "moments_to_read"]

# The answer is often in the next line: "Producer" and "$400 a day", a question and its answer.
_WITH_NEIGHBOURS = 4
_NEIGHBOURS = 2
_NEIGHBOUR_SECONDS = 6.0
# In a later round, this share of the lines is kept for what the round found.
_NEW_SHARE = 0.5
# Lines of a slide around the one that was found. More of a dense screen costs a small model seconds.
_MOST_OF_SLIDE = 8
# What is said this long after a slide appears is said about it.
_SLIDE_SECONDS = 10.0


def lines_to_read(
    ranked: Sequence[Evidence], search: Search, most: int, new: Collection[str] = frozenset()
) -> list[Evidence]:
    """At most `most` lines, best first, with the neighbours of the best ones.

    Args:
        ranked: Evidence, best first.
        search: Where the neighbours are.
        most: How many lines.
        new: Ids of what the last round found: half of the lines are kept for it.
    """
    lines = [one for one in ranked if one.modality in cited_as_text() and one.text]
    if new:
        room = max(1, int(most * _NEW_SHARE))
        fresh = [one for one in lines if one.evidence_id in new][:room]
        lines = [*fresh, *(one for one in lines if one not in fresh)]
    chosen: dict[tuple[str, str, float], Evidence] = {}
    for number, line in enumerate(lines):
        if len(chosen) >= most:
            break
        chosen.setdefault(_key(line), line)
        if number >= _WITH_NEIGHBOURS or line.modality == "object":
            continue
        near = search.nearby(line, _NEIGHBOUR_SECONDS)
        near.sort(key=lambda other: abs(other.start - line.start))
        for other in near[:_NEIGHBOURS]:
            if other.text and len(chosen) < most:
                chosen.setdefault(_key(other), other)
    return list(chosen.values())


def moments_to_read(ranked: Sequence[Evidence], search: Search, most: int) -> list[Evidence]:
    """The lines of at most `most` sentences and slides, best first, with what is next to the best ones.

    Args:
        ranked: Evidence, best first.
        search: Where the rest of a slide and the neighbours are.
        most: How many sentences and slides; the lines of one slide count once.
    """
    chosen: dict[tuple[str, str, float], Evidence] = {}
    firsts: list[Evidence] = []
    for number, line in enumerate(one for one in ranked if one.modality in cited_as_text() and one.text):
        if len(firsts) >= most:
            break
        near = _around(line, search) if number < _WITH_NEIGHBOURS and line.modality != "object" else []
        for one in (line, *near):
            if any(on_one_slide(one, first) for first in firsts) or _key(one) in chosen or len(firsts) >= most:
                continue
            firsts.append(one)
            chosen.update((_key(row), row) for row in _slide_of(one, search))
    return list(chosen.values())


def _slide_of(line: Evidence, search: Search) -> list[Evidence]:
    """A line of text with the lines around it on its slide, from top to bottom; anything else alone."""
    if line.modality != "text":
        return [line]
    rows = [one for one in search.nearby(line, 0.0) if one.text and on_one_slide(one, line)]
    rows = sorted([*rows, line], key=lambda one: one.box.top if one.box else 0.0)
    first = max(0, min(rows.index(line) - _MOST_OF_SLIDE // 2, len(rows) - _MOST_OF_SLIDE))
    return rows[first : first + _MOST_OF_SLIDE]


def _around(line: Evidence, search: Search) -> list[Evidence]:
    """The sentences next to a sentence, and a line of the slide shown with it; of a line of text, the first sentences about it."""
    if line.modality == "text":
        return _of(search, line, "speech", lambda one: -0.5 <= one.start - line.start < _SLIDE_SECONDS)[:_NEIGHBOURS]
    near = [one for one in search.nearby(line, _NEIGHBOUR_SECONDS) if one.text]
    near = sorted(near, key=lambda one: abs(one.start - line.start))[:_NEIGHBOURS]
    shown = _of(search, line, "text", lambda _: True) if line.modality == "speech" else []
    return [*near, *shown[-1:]]


def _of(search: Search, line: Evidence, modality: Modality, is_near: Callable[[Evidence], bool]) -> list[Evidence]:
    """What is said or shown during a line, in the order of time."""
    found = [one for one in search.nearby(line, 0.5, modality) if one.text and is_near(one)]
    return sorted(found, key=lambda one: one.start)


def _key(line: Evidence) -> tuple[str, str, float]:
    """A line that is read twice in a second is one line."""
    return line.video_id, line.text.casefold(), round(line.start)
