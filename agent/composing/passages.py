"""Passages: a slide with what is said while it is shown, or a sentence with those around it. A small model reads one at a time.

A line alone says too little: "Starts at 01:30" is written, and the title of the slide says what starts. Passages are sorted by the
cosine between their text and the question, and by the place of their line among the lines that were found.
"""

import math
from collections.abc import Sequence

from ...index.records import Evidence
from ...index.retrieval.search import Search
from ...tools.extractors.registry import cited_as_text
from ..answering.candidates import REACH, spans_asked_about
from ..records import Plan
from .model_input import on_one_slide, together

__all__ = ["moments", "passages_of"]

# Lines of a slide around the one that was found. More of a dense screen costs a small model seconds.
_MOST_OF_SLIDE = 8
# Sentences of a passage, as the reader takes them. Of 150 questions about tutorials the first passage of four sentences holds the answer
# to 65 %, of seven to 71 %.
_MOST_SAID = 2 * REACH + 1
# Without a slide, the sentences of a passage are looked for this far around the line that was found.
_AROUND_SECONDS = 30.0
# Labels or captions of one passage.
_MOST_SEEN = 6
# This, times the logarithm of the place among the found lines, is subtracted from the cosine. Chosen on narrated talks and on the tuning half of
# TutorialVQA. The first passage holds the answer to 94 % and 61 % of their questions by the cosine alone, to 87 % and 68 % by the place
# alone, to 93 % and 65 % by both.
_PLACE_WORTH = 0.1


def passages_of(plan: Plan, ranked: Sequence[Evidence], search: Search) -> list[list[Evidence]]:
    """The passages of lines that were found, the likeliest to answer first.

    Args:
        plan: The question. The passages of a moment ("What is said at 12:30?") keep the order of the lines.
        ranked: Lines, best first.
        search: Where the rest of each passage is, and the text encoder; without one the order of the lines is kept.

    Returns:
        Each passage in the order of time. A line that an earlier passage holds has no passage of its own. Of a question about
        a stretch of a video ("after the break"), no line outside of it is in a passage.
    """
    asked = spans_asked_about(plan, search, ranked)
    made: list[list[Evidence]] = []
    for line in ranked:
        if line.modality in cited_as_text() and line.text and not any(_holds(one, line) for one in made):
            spans = asked.get(line.video_id, ())
            near = _passage(line, search)
            made.append(
                [one for one in near if one == line or not asked or any(one.span.overlap(span) for span in spans)]
            )
    texts = [" ".join(line.text for line in passage) for passage in made]
    vectors = search.embed([plan.wording, *texts]) if len(made) > 1 and not plan.is_moment else None
    if vectors is None:
        return made
    cosines = vectors[1:] @ vectors[0]
    worth = [float(cosine) - _PLACE_WORTH * math.log(1 + place) for place, cosine in enumerate(cosines)]
    return [made[number] for number in sorted(range(len(made)), key=lambda number: -worth[number])]


def moments(passages: Sequence[Sequence[Evidence]], most: int) -> list[Evidence]:
    """The lines of the first passages, at most `most` sentences and slides."""
    lines: dict[str, Evidence] = {}
    for line in (line for passage in passages for line in passage):
        if len(together([*lines.values(), line])) > most:
            break
        lines.setdefault(line.evidence_id, line)
    return list(lines.values())


def _passage(line: Evidence, search: Search) -> list[Evidence]:
    """The slide that is shown with a line, and the sentences said while it is shown, the nearest to the line.

    For a label or a caption: those of the same time.
    """
    if line.modality not in ("text", "speech"):
        others = [one for one in search.nearby(line, 0.0) if one.text]
        return sorted([line, *others[: _MOST_SEEN - 1]], key=lambda one: one.start)
    shown = line if line.modality == "text" else _shown_with(line, search)
    slide = _slide(shown, search) if shown is not None else []
    said = [one for one in search.nearby(shown or line, 0.0 if shown else _AROUND_SECONDS, "speech") if one.text]
    if shown is not None:
        said = [one for one in said if shown.start <= _middle(one) < shown.end]
    if line.modality == "speech":
        said = [line, *(one for one in said if one.evidence_id != line.evidence_id)]
    said.sort(key=lambda one: one.start)
    at = said.index(line) if line in said else 0
    start = max(0, min(at - (_MOST_SAID - 1) // 2, len(said) - _MOST_SAID))
    return sorted([*slide, *said[start : start + _MOST_SAID]], key=lambda one: one.start)


def _shown_with(sentence: Evidence, search: Search) -> Evidence | None:
    """A line of the slide that is shown in the middle of a sentence: of several the one that appeared last."""
    middle = _middle(sentence)
    shown = [one for one in search.nearby(sentence, 0.0, "text") if one.text and one.start <= middle < one.end]
    return max(shown, key=lambda one: one.start, default=None)


def _slide(line: Evidence, search: Search) -> list[Evidence]:
    """The lines around a line on its slide, from top to bottom."""
    rows = [one for one in search.nearby(line, 0.0, "text") if one.text and on_one_slide(one, line)]
    rows = sorted(
        [line, *(one for one in rows if one.evidence_id != line.evidence_id)],
        key=lambda one: one.box.top if one.box else 0.0,
    )
    first = max(0, min(rows.index(line) - _MOST_OF_SLIDE // 2, len(rows) - _MOST_OF_SLIDE))
    return rows[first : first + _MOST_OF_SLIDE]


def _holds(passage: Sequence[Evidence], line: Evidence) -> bool:
    return any(one.evidence_id == line.evidence_id or _is_read_again(one, line) for one in passage)


def _is_read_again(one: Evidence, other: Evidence) -> bool:
    """Whether a line of text was read twice in a second."""
    is_same = one.video_id == other.video_id and one.text.casefold() == other.text.casefold()
    return is_same and abs(one.start - other.start) < 1.0


def _middle(one: Evidence) -> float:
    return (one.start + one.end) / 2
