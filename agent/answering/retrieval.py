"""Retrieval for a plan: which videos, and which evidence in them."""

from ...index.records import Evidence
from ...index.retrieval.search import Search
from ...tools.extractors.registry import labels
from ...tools.records import Span
from ..records import Anchor, Plan, Scope
from .matching import mentions
from .scopes import find_in, scopes_of

__all__ = ["choose_videos", "retrieve"]

CANDIDATES = 30
# Reciprocal rank fusion (Cormack, Clarke and Büttcher 2009): the paper's constant.
_RRF_K = 60
# Of more videos than MOST_VIDEOS the most relevant ones are chosen: the first POOL results of the whole library are
# ranked, and at most A_VIDEO of them count for one video.
MOST_VIDEOS, POOL, A_VIDEO = 8, 200, 5
# A sentence and the segment after it may overlap by a fraction of a second.
_TOLERANCE = 0.5
# A line is large if its height is at least this share of the tallest line's. Lines of a title card differ less in height; a line of
# a program's window is a third as high. A text of fewer letters and digits than this may be a logo.
LARGE_SHARE, LETTERS_OF_TITLE = 0.6, 4


def choose_videos(plan: Plan, search: Search) -> Plan:
    """Limit a plan to the most relevant videos: those whose best evidence ranks highest in the whole library.

    SALOVA also selects videos before it searches inside them (Kim et al. 2024, section 3.2); here by fused ranks.

    Args:
        plan: The question. A plan for few videos, or for anything but a plain search for a needle, is returned unchanged.
        search: The library.
    """
    among = plan.video_ids if plan.video_ids is not None else tuple(search.records)
    is_plain = plan.kind == "needle" and not (plan.is_moment or plan.anchor or plan.ordinal or plan.place)
    if len(among) <= MOST_VIDEOS or not is_plain:
        return plan
    worth: dict[str, float] = {}
    counted: dict[str, int] = {}
    for rank, one in enumerate(find_in(plan, search, plan.query, POOL, plan.modalities), start=1):
        counted[one.video_id] = counted.get(one.video_id, 0) + 1
        if counted[one.video_id] <= A_VIDEO:
            worth[one.video_id] = worth.get(one.video_id, 0.0) + 1 / (_RRF_K + rank)
    chosen = sorted(worth, key=lambda video_id: (-worth[video_id], video_id))[:MOST_VIDEOS]
    return plan.model_copy(update={"video_ids": tuple(chosen)}) if chosen else plan


def retrieve(plan: Plan, search: Search, most: int = CANDIDATES) -> list[Evidence]:
    """Return the evidence for a plan from the whole library, best first.

    A plan for a moment needs no search: all observations that overlap the span are returned. Their order depends on
    the plan: the shortest first for one second, where sentences precede labels of pictures, by time for a longer span,
    from the end for the end of a video, and the nearest first before or after an event. In a part or a stretch, large lines
    of text come before small ones: a title card before a window's menu.

    Args:
        plan: The question.
        search: The library.
        most: At most this many observations of a moment.
    """
    if plan.is_moment:
        return _all_within(plan, search, most)
    found = {one.evidence_id: one for one in find_in(plan, search, plan.query, CANDIDATES, plan.modalities)}
    for query in plan.more:
        for one in find_in(plan, search, query.text, CANDIDATES, query.modalities):
            if one.evidence_id not in found or found[one.evidence_id].score < one.score:
                found[one.evidence_id] = one
    if not plan.more:
        return list(found.values())
    return sorted(found.values(), key=lambda e: (-e.score, -e.similarity))[: 2 * CANDIDATES]


def _all_within(plan: Plan, search: Search, most: int) -> list[Evidence]:
    """Return the observations within the spans of the plan."""
    scopes = scopes_of(plan, search)
    if scopes is None:
        among = plan.video_ids if plan.video_ids is not None else tuple(search.records)
        span = plan.between or Span(start=0, end=max([1.0, *(search.records[one].duration for one in among)]))
        scopes = tuple(Scope(video_id=one, span=span) for one in among)
    seen: list[tuple[tuple[int, bool, bool, float, bool, float], Evidence]] = []
    is_second = (
        plan.between is not None and plan.between.duration <= 1 and not (plan.anchor or plan.clock or plan.ordinal)
    )
    large_first = not is_second and (plan.part is not None or plan.between is not None) and plan.ordinal is None
    named = labels()
    for number, scope in enumerate(scopes):
        # The parts of a recording follow each other; other videos lie side by side.
        part = 0 if not plan.clock else -number if plan.from_end else number
        there = [
            one
            for one in search.attributed(search.of_video(scope.video_id, plan.modalities, scope.span))
            if one.span.overlap(scope.span) > 0 and (not plan.speaker or one.speaker == plan.speaker)
        ]
        large = LARGE_SHARE * max(map(_height, there), default=0.0) if large_first else 0.0
        for one in there:
            if (key := _sort_key(one, scope.span, plan)) is not None:
                is_label = one.modality in named  # of things that start together, sentences come first
                is_small = one.modality == "text" and _height(one) < large
                # A logo is shown all the time: at the end, lines that began later come first; at the start, those that end earlier.
                shown_longer = 0.0 if not plan.part else -one.start if plan.part == "end" else one.end
                seen.append(((part, is_second and is_label, is_small, key, is_label, shown_longer), one))
    ordered = sorted(seen, key=lambda found: found[0])
    if plan.ordinal is None:
        return [one for _, one in ordered][:most]
    by_video: dict[str, list[Evidence]] = {}
    for _, one in ordered:
        by_video.setdefault(one.video_id, []).append(one)
    number = plan.ordinal if plan.ordinal < 0 else plan.ordinal - 1
    return [ours[number] for ours in by_video.values() if -len(ours) <= number < len(ours)][:most]


def _sort_key(one: Evidence, span: Span, plan: Plan) -> float | None:
    """Return the sort key of an observation in a span, smallest first; None if the plan excludes it."""
    if plan.anchor and plan.anchor.relation == "after":
        is_event = one.start < span.start and _names(one, plan.anchor)
        return None if is_event or one.start < span.start - _TOLERANCE else one.start - span.start
    if plan.anchor and plan.anchor.relation == "before":
        is_event = one.end > span.end and _names(one, plan.anchor)
        return None if is_event or one.end > span.end + _TOLERANCE else span.end - one.end
    if plan.ordinal is not None:
        return one.start if plan.ordinal > 0 else one.end
    is_second = plan.between is not None and plan.between.duration <= 1
    if (plan.from_end and not is_second) or plan.part == "end":
        return -one.end
    if plan.between is None and plan.part is None and plan.scopes is None:
        return one.start - one.end  # the whole video is asked for: long observations come first
    is_stretch = plan.part == "start" or bool(plan.clock) or (plan.between is not None and plan.between.duration > 1)
    return one.start if is_stretch else one.end - one.start


def _height(one: Evidence) -> float:
    """The height of a line of text as a share of the picture; 0: it is no line, or too short to be a title."""
    if one.modality != "text" or one.box is None or sum(map(str.isalnum, one.text)) < LETTERS_OF_TITLE:
        return 0.0
    # A line on its side is as wide as its letters are high.
    return min(one.box.bottom - one.box.top, one.box.right - one.box.left)


def _names(one: Evidence, anchor: Anchor) -> bool:
    """Whether an observation names the event: then it belongs to the event, not to the time before or after it."""
    words = one.text.split()
    return all(mentions(term, words) for term in anchor.event.terms if term.required)
