"""The answer without a model: quotes the passages with the highest reader scores, and writes no text of its own."""

from collections.abc import Sequence

from ...index.records import Evidence
from ...tools.records import clean_text
from ...tools.words import tokens
from ..records import Citation, Claim, Plan, Term, doubtful_words
from .candidates import Candidate, adds_to, says_nothing_new
from .matching import mentions
from .ranking import Scored

__all__ = ["MOST_CLAIMS", "cite_words", "closest", "quote_evidence"]

MOST_CLAIMS = 3
# A further claim needs at least this share of the best score.
NEARLY = 0.8
MOST_CLOSEST = 3
MOST_LINES = 8  # of one slide, in the answer to "What is on the screen at 0:12?"


def quote_evidence(plan: Plan, scored: Sequence[Scored], threshold: float) -> list[Claim]:
    """Quote the best candidates, each as a claim with its citations.

    Args:
        plan: The question.
        scored: The candidates, best first.
        threshold: Lowest score of an answer.

    Returns:
        At most three claims; none if no candidate reaches the threshold. For a moment the lines of one slide are one claim.
    """
    claims: list[Claim] = []
    cited: list[Evidence] = []
    repeated = 0
    if plan.is_moment:  # a picture that no model names says nothing beside other evidence
        scored = [one for one in scored if one.evidence.text] or scored
    for one in scored:
        if (
            one.score < max(threshold, NEARLY * scored[0].score)
            or one.score <= 0
            or len(claims) + repeated == MOST_CLAIMS
        ):
            break
        if any(_same_moment(one.evidence, other) for other in cited):
            continue
        rows = _slide(one.evidence, scored) if plan.is_moment else _quoted(plan, one.candidate)
        known = {other.evidence_id for other in cited}
        if any(row.evidence_id in known for row in rows):  # it needs a line that another claim quotes
            repeated += 1
            continue
        cited += rows
        citations = [_cite(row, plan) for row in rows]
        text = " · ".join(dict.fromkeys(c.quote for c in citations if c.quote))
        text = text or ("a picture" if plan.is_moment else f"a picture of: {plan.query}")
        claims.append(Claim(text=text, verdict="unverified", citations=tuple(citations)))
    return claims


def closest(scored: Sequence[Scored]) -> list[Evidence]:
    """Return up to three passages nearest to the question, from different moments, best first.

    Candidates without the question's exact terms have the score 0 and come last, in the order of retrieval.
    """
    chosen: list[Evidence] = []
    for one in scored:
        if not any(_near(one.evidence, other) for other in chosen):
            chosen.append(one.evidence)
        if len(chosen) == MOST_CLOSEST:
            break
    return chosen


def cite_words(evidence: Evidence, first: int, last: int) -> Citation | None:
    """Cite the spoken words `[first, last)`; None if they have no time within their sentence."""
    words = evidence.words[first:last]
    start, end = max(evidence.start, words[0].start), min(evidence.end, words[-1].end)
    if start >= end:  # the span of a word may be empty, or exceed its sentence
        return None
    quote = clean_text(" ".join(word.text for word in words))
    found = {"start": start, "end": end, "quote": quote, "doubtful": doubtful_words(words)}
    return Citation.of(evidence).model_copy(update=found)


def _quoted(plan: Plan, candidate: Candidate) -> list[Evidence]:
    """Return the observation with the neighbours that complete its sentence or contain other terms of the question."""
    rows = list(candidate.sentence)
    if candidate.heading and adds_to(plan, rows, candidate.heading):
        rows.insert(0, candidate.heading)
    if candidate.evidence.modality == "text":
        if candidate.is_title or says_nothing_new(plan, candidate.evidence):
            rows += candidate.explained[:2]
        return rows
    rows += [one for one in candidate.around(1) if one not in rows and adds_to(plan, rows, one)]
    if says_nothing_new(plan, candidate.evidence):
        rows += [one for one in candidate.after[:1] if one not in rows]
    return sorted(rows, key=lambda one: one is not candidate.evidence)


def _slide(evidence: Evidence, scored: Sequence[Scored]) -> list[Evidence]:
    """Return the lines that appear and disappear with a line of text, in reading order; other evidence alone.

    At most `MOST_LINES` follow each other: a screen of code has a hundred.
    """
    if evidence.modality != "text":
        return [evidence]
    lines = [
        one.evidence
        for one in scored
        if (one.evidence.video_id, one.evidence.modality, one.evidence.span)
        == (evidence.video_id, evidence.modality, evidence.span)
    ]
    lines.sort(key=lambda line: (line.box.top, line.box.left) if line.box else (0.0, 0.0))
    first = max(0, min(lines.index(evidence), len(lines) - MOST_LINES))
    return lines[first : first + MOST_LINES]


def _same_moment(one: Evidence, other: Evidence) -> bool:
    return one.evidence_id == other.evidence_id or (
        one.video_id == other.video_id
        and one.modality == other.modality
        and one.start < other.end
        and one.end > other.start
        and one.text.casefold() == other.text.casefold()
    )


def _near(one: Evidence, other: Evidence) -> bool:
    return one.video_id == other.video_id and one.start < other.end + 5 and one.end > other.start - 5


def _cite(evidence: Evidence, plan: Plan) -> Citation:
    """Cite evidence; only the words of a quoted phrase if their times are known."""
    for phrase in plan.phrases:
        places = mentions(Term(text=" ".join(tokens(phrase)), exact=True), [word.text for word in evidence.words])
        if places and (cited := cite_words(evidence, *places[0])):
            return cited
    return Citation.of(evidence)
