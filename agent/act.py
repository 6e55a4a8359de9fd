"""The node that searches: evidence for a plan."""

from ..index.records import Evidence, VideoRecord
from ..index.search import Search
from ..tools.records import Span
from .records import Plan

__all__ = ["retrieve"]

CANDIDATES = 30


def retrieve(plan: Plan, search: Search) -> list[Evidence]:
    """Evidence for a plan from the whole library, best first.

    A stretch that counts from the end is another one in each video, so each is searched by itself. A moment
    is not searched, but read: all that overlaps it, the shortest first.
    """
    found = {one.evidence_id: one for one in _for_query(plan, search)}
    for query in plan.more:
        asked = plan.model_copy(update={"query": query.text, "modalities": query.modalities, "more": ()})
        for one in _for_query(asked, search):
            if one.evidence_id not in found or found[one.evidence_id].score < one.score:
                found[one.evidence_id] = one
    if not plan.more:
        return list(found.values())
    return sorted(found.values(), key=lambda e: (-e.score, -e.similarity))[: 2 * CANDIDATES]


def _for_query(plan: Plan, search: Search) -> list[Evidence]:
    records = search.records
    among = plan.video_ids if plan.video_ids is not None else tuple(records)
    if plan.is_moment and plan.between is not None:
        seen = [one for video_id in among for one in search.of_video(video_id) if one.modality in plan.modalities]
        there = [one for one in seen if one.start < plan.between.end and one.end > plan.between.start]
        return sorted(there, key=lambda e: e.end - e.start)[:CANDIDATES]
    if plan.between is None or not plan.from_end:
        return search.find(plan.query, CANDIDATES, plan.modalities, plan.video_ids, plan.between)
    found: list[Evidence] = []
    for video_id in among:
        tail = _tail(records[video_id], plan.between.end)
        found += search.find(plan.query, CANDIDATES, plan.modalities, (video_id,), tail)
    return sorted(found, key=lambda e: (-e.score, -e.similarity))[:CANDIDATES]


def _tail(record: VideoRecord, seconds: float) -> Span:
    start = max(0.0, record.duration - seconds)
    return Span(start=start, end=max(record.duration, start + 0.001))
