"""Finds the event that a question refers to, and with it the stretch of each video in which the answer lies."""

from ...index.retrieval.search import Search
from ...tools.extractors.registry import asked_as, modality_names
from ...tools.records import Span
from ...tools.words import ORDINALS
from ..records import Anchor, Plan, Scope, Term
from .computed.occurrences import Occurrence, occurrences
from .reader import Reader
from .scopes import scopes_of

__all__ = ["located"]

# "What is said after the break?" asks for what comes next, not for anything until the end.
NEXT_SECONDS = 60.0


def located(plan: Plan, search: Search, reader: Reader) -> Plan | None:
    """Limit a plan to the spans that its anchor allows; None if the event is not found.

    An event with a number ("the second goal") is first searched by that full name. Occurrences are counted only if
    nothing has this name and the event is visible or its modality is given: the second time that a speaker mentions
    a goal is not the second goal.

    Args:
        plan: With an anchor.
        search: The library.
        reader: Scores evidence that does not contain the words of the question.
    """
    anchor = plan.anchor
    if anchor is None:
        return plan
    events = _events(anchor, plan, search, reader)
    if not events:
        return None
    limits = {scope.video_id: scope.span for scope in scopes_of(plan, search) or ()}
    scopes = []
    for event in events:
        end = max(search.records[event.video_id].duration, event.end)
        limit = limits.get(event.video_id) or plan.between or Span(start=0, end=end)
        if span := _span_at(anchor, event, end, limit, only_next=not plan.terms):
            scopes.append(Scope(video_id=event.video_id, span=span))
    if not scopes:
        return None
    return plan.model_copy(update={"scopes": tuple(scopes), "is_moment": not plan.terms})


def _events(anchor: Anchor, plan: Plan, search: Search, reader: Reader) -> list[Occurrence]:
    """Return the occurrences that the anchor means: all of them for "while", otherwise one per video."""
    wanted = plan.model_copy(update={"modalities": anchor.event.modalities, "anchor": None})
    if anchor.ordinal is None:
        found = occurrences(anchor.event, wanted, search, reader)
        return found if anchor.relation == "during" else _best_of_each_video(found)
    if anchor.ordinal > 0:
        named = Term(text=ORDINALS[anchor.ordinal - 1], exact=True)
        called = anchor.event.model_copy(update={"terms": (named, *anchor.event.terms)})
        if found := occurrences(called, wanted, search, reader):
            return _best_of_each_video(found)
    found = occurrences(anchor.event, wanted, search, reader)
    if anchor.event.modalities == modality_names():
        found = [one for one in found if any(e.modality in asked_as("shown") for e in one.evidence)]
    place = anchor.ordinal - 1 if anchor.ordinal > 0 else anchor.ordinal
    chosen = []
    for video_id in dict.fromkeys(one.video_id for one in found):
        ours = [one for one in found if one.video_id == video_id]
        if -len(ours) <= place < len(ours):
            chosen.append(ours[place])
    return chosen


def _best_of_each_video(found: list[Occurrence]) -> list[Occurrence]:
    """Return for each video the occurrence with the highest score; the first one if scores are equal."""
    best: dict[str, Occurrence] = {}
    for one in found:
        known = best.get(one.video_id)
        if known is None or _fits(one) > _fits(known):
            best[one.video_id] = one
    return list(best.values())


def _fits(one: Occurrence) -> float:
    return max(e.score for e in one.evidence)


def _span_at(anchor: Anchor, event: Occurrence, end: float, limit: Span, *, only_next: bool) -> Span | None:
    """Return the span before, after or during an event, within a limit; None if it is empty."""
    if anchor.relation == "after":
        first, last = event.end, min(end, event.end + NEXT_SECONDS) if only_next else end
    elif anchor.relation == "before":
        first, last = max(0.0, event.start - NEXT_SECONDS) if only_next else 0.0, event.start
    else:
        first, last = event.start, event.end
    first, last = max(first, limit.start), min(last, limit.end)
    return Span(start=first, end=last) if first < last else None
