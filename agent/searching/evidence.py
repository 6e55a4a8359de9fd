"""The results of a search: evidence in the order of retrieval, with the probability that each answers the query."""

from collections import deque
from collections.abc import Sequence

from ...index.metadata_texts import METADATA
from ...index.records import Evidence
from ...index.retrieval.search import Search
from ...tools.extractors.registry import modality_names
from ...tools.records import Modality, Span
from ..answering.ranking import RESEMBLES, ranked
from ..answering.reader import feature_reader
from ..answering.retrieval import retrieve
from ..answering.scopes import find_in
from ..question.planning import make_plan
from ..records import Plan
from .limits import is_question, limit_of
from .results import SearchResults

__all__ = ["found_evidence"]

# Share of the query's words, by their rarity in titles, that metadata must hold to be a result.
NAMED_SHARE = 0.5
# After a result of metadata, as many others follow where there are some: a word that is in each title hides nothing.
OTHERS_BETWEEN = 2


def found_evidence(
    query: str,
    search: Search,
    k: int,
    modalities: Sequence[Modality] | None = None,
    video_ids: Sequence[str] | None = None,
    between: Span | None = None,
) -> SearchResults:
    """Search, score the results, and drop those that only resemble the query.

    A query that names a place in the video ("on the title card", "after 5:00") is limited to it: see `limits`. Results
    of a modality that a question names ("What is said about …?") come before others.

    The order is that of retrieval. A result is dropped if its relevance is less than a fifth of the best relevance. A
    result without a name, number or code of the query has the relevance 0.

    Metadata (modality `metadata`: title, channel and tags; description; chapter names of the source) are results if they
    hold at least half of the query's words. They have no relevance: a title answers nothing. Two other results
    at least are between two of them, if there are any.

    Args:
        query: The query in plain words.
        search: The library.
        k: At most this many.
        modalities: Only these; None: all.
        video_ids: Only these videos; None: all.
        between: Only this span of each video; None: the place that the query names.

    Raises:
        QueryError: The query or a filter is not valid.
    """
    if between is None and (limit := limit_of(query, search, modalities, video_ids)):
        found = _within(limit.plan, search, k)
        # A single second may be a clock time that somebody talks about.
        if found or limit.plan.clock or (limit.plan.between and limit.plan.between.duration > 1):
            return SearchResults(found, limit.text)
    kinds = tuple(modalities or (*modality_names(), METADATA))
    extracted = tuple(kind for kind in kinds if kind != METADATA)
    found = _scored_evidence(query, search, k, extracted, video_ids, between) if extracted else []
    named = _named_videos(query, search, k, video_ids, between) if METADATA in kinds else []
    return SearchResults(_merged(found, named)[:k])


def _within(plan: Plan, search: Search, k: int) -> list[Evidence]:
    """Return the evidence of a place, best first: all that is there, or what fits the rest of the query."""
    found = [] if plan.is_moment else find_in(plan, search, plan.query, k, plan.modalities)
    if not found and plan.part:  # what the words describe may be the place itself: "Who is named in the credits?"
        plan = plan.model_copy(update={"is_moment": True, "terms": ()})
    if plan.is_moment:
        found = retrieve(plan, search, k)
    return _kept(plan, found, search)


def _scored_evidence(
    query: str,
    search: Search,
    k: int,
    modalities: Sequence[Modality],
    video_ids: Sequence[str] | None,
    between: Span | None,
) -> list[Evidence]:
    plan = make_plan(query).model_copy(update={"is_moment": False})
    found = search.find(query, k, modalities, video_ids, between)
    asked = [one for one in modalities if one in plan.modalities]
    if asked and len(asked) < len(modalities) and is_question(query):
        own = search.find(query, k, asked, video_ids, between)
        found = list({one.evidence_id: one for one in (*own, *found)}.values())
    return _kept(plan, found, search)


def _kept(plan: Plan, found: Sequence[Evidence], search: Search) -> list[Evidence]:
    """Return the evidence with its relevance, in the order of retrieval, without what only resembles the query."""
    order = {one.evidence_id: number for number, one in enumerate(found)}
    scored = [one.evidence for one in ranked(plan, found, search, feature_reader())]
    best = max((one.relevance or 0.0 for one in scored), default=0.0)
    kept = [one for one in scored if (one.relevance or 0.0) >= RESEMBLES * best and (best == 0 or one.relevance)]
    return sorted(kept, key=lambda one: order[one.evidence_id])


def _named_videos(
    query: str, search: Search, k: int, video_ids: Sequence[str] | None, between: Span | None
) -> list[Evidence]:
    """Return the metadata that hold most words of a query, best first; one result for each span of a video."""
    found = search.passages(query, k, (METADATA,), video_ids, between)
    spans: dict[tuple[str, float, float], Evidence] = {}
    for one in found:
        if one.features.coverage >= NAMED_SHARE:
            spans.setdefault((one.best.video_id, one.best.start, one.best.end), one.best)
    return list(spans.values())


def _merged(found: Sequence[Evidence], named: Sequence[Evidence]) -> list[Evidence]:
    """Merge results by their score, with `OTHERS_BETWEEN` others between two results of metadata."""
    others, titles = deque(found), deque(named)
    merged: list[Evidence] = []
    since = OTHERS_BETWEEN
    while others or titles:
        is_title = titles and (not others or (since >= OTHERS_BETWEEN and titles[0].score >= others[0].score))
        merged.append((titles if is_title else others).popleft())
        since = 0 if is_title else since + 1
    return merged
