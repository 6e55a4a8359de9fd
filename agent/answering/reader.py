"""Readers: the probability that a candidate answers a question.

`FeatureReader` ranks by a weighted sum of retrieval features and calibrates it to a probability. Both are fitted on
the tuning halves of the evaluation sets by `tests/benchmarks/fit_reader.py`. One rule holds for every reader: the
names, numbers, codes and quoted phrases of the question must be in the cited observation itself (`holds_exact`).
"""

import json
import math
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Protocol

from pydantic import Field

from ...index.records import Evidence
from ...tools.records import Record
from ...tools.words import tokens
from ..records import Plan
from .candidates import Candidate, Features, text_of
from .matching import held_terms

__all__ = ["SAME_PLACE_SECONDS", "WEAK_SHARE", "FeatureReader", "Reader", "feature_reader", "holds_exact", "same_place"]

# Observations this close, in seconds, are of the same moment.
SAME_PLACE_SECONDS = 10.0
# From this share of the threshold on, evidence is weak: no answer by itself, but a composed claim is kept. Chosen on the
# 27 questions of bench_model.py: no question about what never happens is answered.
WEAK_SHARE = 0.27
# A larger distance between logits carries no more information.
MOST_GAP = 3.0
# Without another moment the distance is not known: half of the largest.
NO_RIVAL_GAP = 1.5
_WEIGHTS = Path(__file__).with_name("reader_weights.json")


class Reader(Protocol):
    """Scores whether a candidate answers a question."""

    @property
    def threshold(self) -> float:
        """Lowest score of an answer."""
        ...

    def score(self, plan: Plan, candidates: Sequence[Candidate]) -> list[float]:
        """The probability that each candidate answers the question, 0 to 1; 0 where exact terms are missing."""
        ...


class Regression(Record):
    """A linear ranking over features, and its calibration to a probability."""

    features: dict[str, float] = Field(description="Coefficient of each feature that counts.")
    calibration: dict[str, float] = Field(
        description="Coefficients of `intercept`, `logit`, `gap` and `cover`: the gap is the logit minus that of the best "
        "other moment, `cover` the feature `cover_3`."
    )


class ReaderWeights(Record):
    """The numbers of a `FeatureReader`, as `tests/benchmarks/fit_reader.py` writes them."""

    command: str = Field(description="Command that writes them.")
    fitted_on: str = Field(description="Questions they are fitted on.")
    dense: Regression = Field(description="Weights with a text encoder.")
    lexical: Regression = Field(description="Weights without a text encoder, where every cosine is 0.")
    threshold: float = Field(ge=0, le=1, description="Lowest score of an answer.")
    risk: float = Field(ge=0, le=1, description="Share of wrong answers at this threshold, measured on held-out data.")


class FeatureReader:
    """A weighted sum of the features of a candidate, calibrated."""

    def __init__(self, weights: ReaderWeights) -> None:
        """Use fitted weights.

        Args:
            weights: Those of `reader_weights.json`.
        """
        self.weights = weights
        self.threshold = weights.threshold

    def score(self, plan: Plan, candidates: Sequence[Candidate]) -> list[float]:
        """The probability that each candidate answers the question, 0 to 1.

        For a moment ("What is said at 12:30?") every observation at that time answers: the score is 1. For a question that
        consists of quoted phrases ("Where does she say “half an hour”?") every line with the phrases answers: 1, else 0.
        """
        if plan.is_moment:
            return [1.0] * len(candidates)
        if _is_only_phrases(plan):
            return [float(holds_exact(plan, one)) for one in candidates]
        if not plan.terms:
            return [0.0] * len(candidates)
        is_dense = any(one.features and one.features.cosine for one in candidates)
        weights = self.weights.dense if is_dense else self.weights.lexical
        logits = [
            _logit(one.features, weights) if one.features and holds_exact(plan, one) else -math.inf
            for one in candidates
        ]
        scores = [_calibrated(number, logits, candidates, weights) for number in range(len(candidates))]
        # The questions that the weights are fitted on hardly ask about pictures. The image encoder has a measured threshold of
        # its own (`tests/benchmarks/bench_floors.py`), and the detector has one, so what they find in a picture is an answer.
        return [
            max(score, self.threshold) if one.shows and logit > -math.inf else score
            for one, logit, score in zip(candidates, logits, scores, strict=True)
        ]


def holds_exact(plan: Plan, candidate: Candidate) -> bool:
    """Whether the candidate's own sentence contains every name, number, code and quoted phrase of the question.

    Of a list joined by "or" it need contain one member only.
    Neighbours do not count: "Alice flew to Paris" next to "Bob flew to London" does not say that Alice was in London.
    The title of the line's slide counts, and so do the video's file name, folder and title.
    """
    exact = [term for term in plan.terms if term.exact]
    instead = {text for term in exact for member in term.alternatives for text in member}
    left = [term for term in plan.terms if term.exact or term.text in instead]
    found: set[str] = set()
    for text in (text_of(candidate.sentence), candidate.heading.text if candidate.heading else "", candidate.names):
        if left and text:
            found |= {term.text for term in held_terms(left, text)}
            left = [term for term in left if term.text not in found]
    return all(term.text in found or any(found.issuperset(one) for one in term.alternatives) for term in exact)


@lru_cache(maxsize=1)
def feature_reader() -> FeatureReader:
    """Return the reader with the weights that the package contains."""
    return FeatureReader(ReaderWeights.model_validate(json.loads(_WEIGHTS.read_text(encoding="utf-8"))))


def same_place(one: Evidence, other: Evidence) -> bool:
    """Whether two observations are of the same moment."""
    near = one.start < other.end + SAME_PLACE_SECONDS and one.end > other.start - SAME_PLACE_SECONDS
    return one.video_id == other.video_id and near


def _is_only_phrases(plan: Plan) -> bool:
    phrases = {" ".join(tokens(phrase)) for phrase in plan.phrases}
    return bool(plan.terms) and all(term.exact and term.text in phrases for term in plan.terms)


def _logit(features: Features, weights: Regression) -> float:
    return sum(weights.features.get(name, 0.0) * value for name, value in features._asdict().items())


def _calibrated(number: int, logits: Sequence[float], candidates: Sequence[Candidate], weights: Regression) -> float:
    """Platt scaling (Platt 1999) of a logit, of its distance to the best other moment, and of the coverage.

    Coverage counts again: a question with one strange word in it has a high cosine to a passage that does not answer it.
    """
    logit, one = logits[number], candidates[number]
    if logit == -math.inf or one.features is None:
        return 0.0
    others = [
        other
        for other, candidate in zip(logits, candidates, strict=True)
        if other > -math.inf and not same_place(one.evidence, candidate.evidence)
    ]
    gap = min(MOST_GAP, max(-MOST_GAP, logit - max(others))) if others else NO_RIVAL_GAP
    c = weights.calibration
    value = c["intercept"] + c["logit"] * logit + c["gap"] * gap + c["cover"] * one.features.cover_3
    return 1 / (1 + math.exp(-value))
