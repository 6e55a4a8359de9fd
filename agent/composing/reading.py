"""What a larger model reads for a question: the best lines, and what is next to the best of them."""

from collections.abc import Collection, Sequence

from ...index.records import Evidence
from ...index.retrieval.search import Search
from ...tools.extractors.registry import cited_as_text

__all__ = ["lines_to_read"]

# The answer is often in the next line: "Producer" and "$400 a day", a question and its answer.
_WITH_NEIGHBOURS = 4
_NEIGHBOURS = 2
_NEIGHBOUR_SECONDS = 6.0
# In a later round, this share of the lines is kept for what the round found.
_NEW_SHARE = 0.5


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


def _key(line: Evidence) -> tuple[str, str, float]:
    """A line that is read twice in a second is one line."""
    return line.video_id, line.text.casefold(), round(line.start)
