"""Ranking: retrieval finds, the reader scores. `ask`, `find` and `search` share it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ...index.records import Evidence
from ...index.retrieval.search import Search
from ..records import Plan
from .candidates import Candidate, candidates_of, covered, with_names
from .reader import Reader

__all__ = ["RESEMBLES", "Scored", "ranked"]

# A result with less than this share of the best relevance is dropped: it only resembles the query.
RESEMBLES = 0.2


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


def _scored(plan: Plan, candidate: Candidate, score: float) -> Scored:
    matched = tuple(term.text for term in covered(candidate, plan.terms))
    evidence = candidate.evidence.model_copy(update={"relevance": round(score, 4), "matched": matched})
    return Scored(replace(candidate, evidence=evidence), score)
