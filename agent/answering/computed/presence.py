"""How long each person speaks or is in the picture: claims that cite each turn or appearance."""

from collections.abc import Callable, Sequence

from ....index.people.known import KnownPeople, Person
from ....index.records import Evidence
from ....index.retrieval.search import Search
from ....tools.records import Span
from ...records import Citation, Claim, Plan
from ..scopes import scopes_of
from .statements import seen_text, speaking_text

__all__ = ["seen_claims", "speaking_claims"]

# Most people in one answer: those who speak, or are seen, longest.
_MOST_PEOPLE = 10


def speaking_claims(plan: Plan, search: Search) -> list[Claim]:
    """Return one claim for each speaker, who speaks most first; only the plan's speaker if it names one.

    Args:
        plan: The question; only turns in its videos and its span count.
        search: The library.
    """
    return _claims(plan, plan.speaker, search.voices, search, speaking_text)


def seen_claims(plan: Plan, search: Search) -> list[Claim]:
    """Return one claim for each person whose face is recognised, who is seen longest first; only the plan's person if it names one.

    Args:
        plan: The question; only appearances in its videos and its span count, and with an ordinal that one in each video.
        search: The library.
    """
    return _claims(plan, plan.person, search.faces, search, seen_text)


def _claims(
    plan: Plan, named: str, known: KnownPeople, search: Search, text: Callable[[str, Sequence[Citation]], str]
) -> list[Claim]:
    found = []
    for person in known.people():
        cited = _cited(person, known.stage, plan, search) if named in ("", person.title) else []
        if cited:
            found.append((sum(one.end - one.start for one in cited), person.title, cited))
    found.sort(key=lambda one: -one[0])
    return [
        Claim(text=text(title, cited), verdict="unverified", citations=tuple(cited), basis="count")
        for _, title, cited in found[:_MOST_PEOPLE]
    ]


def _cited(person: Person, stage: str, plan: Plan, search: Search) -> list[Citation]:
    scopes = scopes_of(plan, search)
    spans = None if scopes is None else {scope.video_id: scope.span for scope in scopes}
    found = []
    for place in person.videos:
        if place.video_id not in (spans or plan.video_ids or (place.video_id,)):
            continue
        rows = [one for one in search.of_video(place.video_id, [stage]) if one.text == place.label]
        between = spans[place.video_id] if spans else plan.between
        cited = [part for one in rows if (part := _within(one, between))]
        if plan.ordinal is not None:
            number = plan.ordinal if plan.ordinal < 0 else plan.ordinal - 1
            cited = cited[number : number + 1 or None]
        found += cited
    return found


def _within(one: Evidence, between: Span | None) -> Citation | None:
    """Cite the part of an evidence that lies in a span; None if none does."""
    cited = Citation.of(one)
    if between is None:
        return cited
    start, end = max(one.start, between.start), min(one.end, between.end)
    return cited.model_copy(update={"start": start, "end": end}) if start < end else None
