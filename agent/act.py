"""The node that searches: evidence for a plan."""

from ..index.records import Evidence
from ..index.search import RRF_K, Search
from ..tools.records import Span
from .records import Plan, Scope
from .scopes import find_in, scopes_of

__all__ = ["choose_videos", "retrieve"]

CANDIDATES = 30
# Of more videos than this the likeliest are chosen, by the best few of the first results of all.
MOST_VIDEOS, POOL, A_VIDEO = 8, 200, 5
# A sentence and the still behind it may share a fraction of a second.
_TOLERANCE = 0.5


def choose_videos(plan: Plan, search: Search) -> Plan:
    """Of many videos the likeliest: those whose best evidence ranks highest over the whole library.

    Routing by video before searching inside is SALOVA's order (Kim et al. 2024, section 3.2), here by fused ranks.

    Args:
        plan: What is looked for; a plan for few videos, or for more than a plain needle, stays as it is.
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
            worth[one.video_id] = worth.get(one.video_id, 0.0) + 1 / (RRF_K + rank)
    chosen = sorted(worth, key=lambda video_id: (-worth[video_id], video_id))[:MOST_VIDEOS]
    return plan.model_copy(update={"video_ids": tuple(chosen)}) if chosen else plan


def retrieve(plan: Plan, search: Search) -> list[Evidence]:
    """Evidence for a plan from the whole library, best first.

    A moment is not searched, but read: all that overlaps it, the shortest first; beside an event, the nearest to it.
    """
    if plan.is_moment:
        return _perceived(plan, search)
    found = {one.evidence_id: one for one in find_in(plan, search, plan.query, CANDIDATES, plan.modalities)}
    for query in plan.more:
        for one in find_in(plan, search, query.text, CANDIDATES, query.modalities):
            if one.evidence_id not in found or found[one.evidence_id].score < one.score:
                found[one.evidence_id] = one
    if not plan.more:
        return list(found.values())
    return sorted(found.values(), key=lambda e: (-e.score, -e.similarity))[: 2 * CANDIDATES]


def _perceived(plan: Plan, search: Search) -> list[Evidence]:
    """All that is perceived where the plan says."""
    scopes = scopes_of(plan, search)
    if scopes is None:
        among = plan.video_ids if plan.video_ids is not None else tuple(search.records)
        span = plan.between or Span(start=0, end=max([1.0, *(search.records[one].duration for one in among)]))
        scopes = tuple(Scope(video_id=one, span=span) for one in among)
    relation = plan.anchor.relation if plan.anchor else "during"
    seen: list[tuple[float, Evidence]] = []
    for scope in scopes:
        for one in search.of_video(scope.video_id):
            if one.modality not in plan.modalities or one.span.overlap(scope.span) <= 0:
                continue
            if relation == "after" and one.start >= scope.span.start - _TOLERANCE:
                seen.append((one.start - scope.span.start, one))
            elif relation == "before" and one.end <= scope.span.end + _TOLERANCE:
                seen.append((scope.span.end - one.end, one))
            elif relation == "during":
                seen.append((one.end - one.start, one))
    return [one for _, one in sorted(seen, key=lambda found: found[0])][:CANDIDATES]
