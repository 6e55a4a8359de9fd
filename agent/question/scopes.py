"""Turns the time limits of a plan into spans in seconds: clock times, the last ten minutes, parts such as the end."""

from ...index.records import Evidence, VideoRecord
from ...index.retrieval.search import Search
from ...tools.records import Modality, Span
from ..records import Part, Plan, Scope

__all__ = ["find_in", "scopes_of"]

# "At the end" means the last tenth of a video, but at least this many seconds.
PART_SHARE, PART_SECONDS = 0.1, 30.0
_SHORTEST = 0.001


def scopes_of(plan: Plan, search: Search) -> tuple[Scope, ...] | None:
    """Return the span of each video that may contain the answer; None: `plan.between` holds for all videos.

    Args:
        plan: The question; its anchor is ignored.
        search: The library.
    """
    if plan.scopes is not None:
        return plan.scopes
    if not plan.part and not (plan.between and plan.from_end):
        return None
    among = plan.video_ids if plan.video_ids is not None else tuple(search.records)
    found = []
    for video_id in among:
        record = search.records[video_id]
        span = _part(record, plan.part) if plan.part else _tail(record, plan.between.end if plan.between else 0.0)
        found.append(Scope(video_id=video_id, span=span))
    return tuple(found)


def find_in(plan: Plan, search: Search, query: str, k: int, modalities: tuple[Modality, ...]) -> list[Evidence]:
    """Return the best evidence for a query within the spans of the plan, and by its speaker, best first."""
    if not plan.speaker:
        return search.attributed(_found(plan, search, query, k, modalities))
    return search.voices.said_by(plan.speaker, lambda depth: _found(plan, search, query, depth, modalities), k)


def _found(plan: Plan, search: Search, query: str, k: int, modalities: tuple[Modality, ...]) -> list[Evidence]:
    scopes = scopes_of(plan, search)
    if scopes is None:
        return search.find(query, k, modalities, plan.video_ids, plan.between)
    found: list[Evidence] = []
    for scope in scopes:
        found += search.find(query, k, modalities, (scope.video_id,), scope.span)
    return sorted(dict.fromkeys(found), key=lambda e: (-e.score, -e.similarity))[:k]


def _tail(record: VideoRecord, seconds: float) -> Span:
    start = max(0.0, record.duration - seconds)
    return Span(start=start, end=max(record.duration, start + _SHORTEST))


def _part(record: VideoRecord, part: Part) -> Span:
    length = max(PART_SECONDS, PART_SHARE * record.duration)
    start = {"start": 0.0, "middle": (record.duration - length) / 2, "end": record.duration - length}[part]
    start = max(0.0, start)
    return Span(start=start, end=max(start + _SHORTEST, min(record.duration, start + length)))
