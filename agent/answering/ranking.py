"""Ranking: retrieval finds, the reader scores. `ask`, `find` and `search` share it."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ...index.metadata_texts import METADATA
from ...index.records import Evidence
from ...index.retrieval.search import Search
from ...tools.extractors.registry import modality_names
from ...tools.records import Modality, Span
from ..question.planning import make_plan
from ..records import Plan
from .candidates import Candidate, candidates_of, covered, with_names
from .reader import Reader, feature_reader

__all__ = ["RESEMBLES", "Scored", "found_evidence", "ranked"]

# A result with less than this share of the best relevance is dropped: it only resembles the query.
RESEMBLES = 0.2
# Share of the query's words, by their rarity in titles, that metadata must hold to be a result.
NAMED_SHARE = 0.5
# After a result of metadata, as many others follow where there are some: a word that is in each title hides nothing.
OTHERS_BETWEEN = 2


@dataclass(frozen=True)
class Scored:
    """A candidate and the probability that it answers the question.

    Attributes:
        candidate: The observation with its neighbours.
        score: 0 to 1.
    """

    candidate: Candidate
    score: float

    @property
    def evidence(self) -> Evidence:
        """The observation, with its relevance."""
        return self.candidate.evidence


def ranked(plan: Plan, found: Sequence[Evidence], search: Search, reader: Reader) -> list[Scored]:
    """Score what was found, best first.

    Args:
        plan: The question.
        found: The retrieved evidence, without duplicates.
        search: The library.
        reader: Scores the candidates.

    Returns:
        All candidates; each evidence has its `relevance` and the `matched` words.
    """
    plan = with_names(plan, found)
    candidates = candidates_of(plan, found, search)
    scores = reader.score(plan, candidates)
    made = [_scored(plan, one, score) for one, score in zip(candidates, scores, strict=True)]
    if plan.is_moment:
        return made  # in the order of retrieval
    return sorted(made, key=lambda one: (-one.score, -one.evidence.score, -one.evidence.similarity))


def found_evidence(
    query: str,
    search: Search,
    k: int,
    modalities: Sequence[Modality] | None = None,
    video_ids: Sequence[str] | None = None,
    between: Span | None = None,
) -> list[Evidence]:
    """Search, score the results, and drop those that only resemble the query.

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
        between: Only this span of each video.

    Raises:
        QueryError: The query or a filter is not valid.
    """
    kinds = tuple(modalities or (*modality_names(), METADATA))
    extracted = tuple(kind for kind in kinds if kind != METADATA)
    found = _scored_evidence(query, search, k, extracted, video_ids, between) if extracted else []
    named = _named_videos(query, search, k, video_ids, between) if METADATA in kinds else []
    return _merged(found, named)[:k]


def _scored_evidence(
    query: str,
    search: Search,
    k: int,
    modalities: Sequence[Modality],
    video_ids: Sequence[str] | None,
    between: Span | None,
) -> list[Evidence]:
    found = search.find(query, k, modalities, video_ids, between)
    plan = make_plan(query).model_copy(update={"is_moment": False})
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


def _scored(plan: Plan, candidate: Candidate, score: float) -> Scored:
    matched = tuple(term.text for term in covered(candidate, plan.terms))
    evidence = candidate.evidence.model_copy(update={"relevance": round(score, 4), "matched": matched})
    return Scored(replace(candidate, evidence=evidence), score)
