"""The extractive answerer: quotes the evidence that supports an answer. It composes nothing."""

from collections.abc import Sequence

from ...index.records import Evidence
from ...tools.records import clean_text
from ...tools.words import tokens
from ..records import Citation, Claim, Plan, Term
from .support import Support, mentions

__all__ = ["cite_words", "quote_evidence"]

MOST_CLAIMS = 3
# A further claim stands beside the best one only if it is nearly as strong.
NEARLY = 0.8


def quote_evidence(plan: Plan, supports: Sequence[Support]) -> list[Claim]:
    """Claims, best first: each a quote from evidence that holds, with citations; none if nothing holds.

    Args:
        plan: What was asked.
        supports: How each evidence covers the question, best evidence first.
    """
    holding = sorted((s for s in supports if s.holds), key=lambda s: -_worth(s))
    claims: list[Claim] = []
    cited: list[Evidence] = []
    for found in holding:
        if _worth(found) < NEARLY * _worth(holding[0]) or len(claims) == MOST_CLAIMS:
            break
        evidence = found.evidence
        if any(_same_moment(evidence, other) for other in cited):
            continue
        cited += [evidence, *found.context]
        citations = [_cite(evidence, plan), *(_cite(other, plan) for other in found.context)]
        text = " · ".join(dict.fromkeys(c.quote for c in citations if c.quote))
        text = text or ("a picture" if plan.is_moment else f"a picture of: {plan.query}")
        claims.append(Claim(text=text, verdict="unverified", citations=tuple(citations)))
    return claims


def _worth(found: Support) -> float:
    """Strength first; then how well it was found."""
    return found.strength * (0.5 + 0.25 * found.evidence.score + 0.25 * max(0.0, found.evidence.similarity))


def _same_moment(one: Evidence, other: Evidence) -> bool:
    return one.evidence_id == other.evidence_id or (
        one.video_id == other.video_id
        and one.modality == other.modality
        and one.start < other.end
        and one.end > other.start
        and one.text.casefold() == other.text.casefold()
    )


def _cite(evidence: Evidence, plan: Plan) -> Citation:
    """A citation of an evidence; narrowed to the words of a quoted phrase where their times are known."""
    for phrase in plan.phrases:
        places = mentions(Term(text=" ".join(tokens(phrase)), exact=True), [word.text for word in evidence.words])
        if places and (cited := cite_words(evidence, *places[0])):
            return cited
    return Citation.of(evidence)


def cite_words(evidence: Evidence, first: int, last: int) -> Citation | None:
    """A citation of the spoken words `[first, last)`; None where these have no time within their sentence."""
    words = evidence.words[first:last]
    start, end = max(evidence.start, words[0].start), min(evidence.end, words[-1].end)
    if start >= end:  # a word's time may be empty, or reach out of its sentence
        return None
    quote = clean_text(" ".join(word.text for word in words))
    return Citation.of(evidence).model_copy(update={"start": start, "end": end, "quote": quote})
