"""How long each speaker speaks: claims that cite each turn."""

from ....index.people.voices import Speaker
from ....index.records import Evidence
from ....index.retrieval.search import Search
from ....tools.records import Span
from ...records import Citation, Claim, Plan
from .statements import speaking_text

__all__ = ["speaking_claims"]

# Most speakers in one answer: those who speak most.
_MOST_SPEAKERS = 10


def speaking_claims(plan: Plan, search: Search) -> list[Claim]:
    """Return one claim for each speaker, who speaks most first; only the plan's speaker if it names one.

    Args:
        plan: The question; only turns in its videos and its span count.
        search: The library.
    """
    claims = []
    for speaker in search.voices.speakers():
        if plan.speaker and speaker.title != plan.speaker:
            continue
        turns = _turns(speaker, plan, search)
        if turns:
            claims.append((sum(one.end - one.start for one in turns), speaker.title, turns))
    claims.sort(key=lambda one: -one[0])
    return [
        Claim(text=speaking_text(title, turns), verdict="unverified", citations=tuple(turns), basis="count")
        for _, title, turns in claims[:_MOST_SPEAKERS]
    ]


def _turns(speaker: Speaker, plan: Plan, search: Search) -> list[Citation]:
    found = []
    for place in speaker.videos:
        if plan.video_ids is not None and place.video_id not in plan.video_ids:
            continue
        rows = [one for one in search.of_video(place.video_id, "speaker") if one.text == place.label]
        found += [cited for one in rows if (cited := _within(one, plan.between))]
    return found


def _within(turn: Evidence, between: Span | None) -> Citation | None:
    """Cite the part of a turn that lies in a span; None if none does."""
    cited = Citation.of(turn)
    if between is None:
        return cited
    start, end = max(turn.start, between.start), min(turn.end, between.end)
    return cited.model_copy(update={"start": start, "end": end}) if start < end else None
