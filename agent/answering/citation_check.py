"""Checks citations: each must resolve in the library, and its words must be in the stored text."""

import unicodedata
from collections.abc import Callable, Sequence

from ...index.records import Evidence
from ...tools.words import tokens
from ..records import Citation, Claim, Verdict
from .computed.statements import follows

__all__ = ["check_claims"]

# Times are stored as float64: a larger difference is a different time.
_TOLERANCE = 1e-6


def check_claims(claims: Sequence[Claim], resolve: Callable[[str], Evidence | None]) -> list[Claim]:
    """Return the claims with their verdicts, without the citations that do not resolve.

    `verbatim`: the claim quotes its citations word for word (quotes may be joined by " · "). `supported`: code
    computed the claim, and computing it again from the citations gives the same text. `refuted`: no citation resolves;
    for a computed claim also if one citation does not resolve or the citations contradict it. `unverified`: all
    others.

    Args:
        claims: The claims of an answer.
        resolve: Returns the stored evidence of an id, or None.
    """
    return [_checked(claim, resolve) for claim in claims]


def _checked(claim: Claim, resolve: Callable[[str], Evidence | None]) -> Claim:
    citations = tuple(citation for citation in claim.citations if _resolves(citation, resolve(citation.evidence_id)))
    if not citations:
        return claim.model_copy(update={"verdict": "refuted", "citations": ()})
    if claim.basis != "quote":
        is_whole = len(citations) == len(claim.citations)
        return claim.model_copy(
            update={"verdict": follows(claim, resolve) if is_whole else "refuted", "citations": citations}
        )
    is_quoted = bool(tokens(claim.text)) and all(
        any(_is_part_of(part, citation.quote) for citation in citations) for part in claim.text.split(" · ")
    )
    verdict: Verdict = "verbatim" if is_quoted else "unverified"
    return claim.model_copy(update={"verdict": verdict, "citations": citations})


def _resolves(citation: Citation, stored: Evidence | None) -> bool:
    """Whether a citation agrees with the stored evidence: video, modality and picture, a span inside, a quote from it."""
    return (
        stored is not None
        and (citation.video_id, citation.video, citation.modality) == (stored.video_id, stored.video, stored.modality)
        and citation.keyframe in (None, stored.keyframe)
        and citation.box in (None, stored.box)
        and citation.frame_seconds in (None, stored.frame_seconds)
        and citation.stream == stored.stream
        and stored.start - _TOLERANCE <= citation.start < citation.end <= stored.end + _TOLERANCE
        and (_is_part_of(citation.quote, stored.text) if tokens(stored.text) else not tokens(citation.quote))
    )


def _is_part_of(part: str, whole: str) -> bool:
    """Whether a text is part of another: the same words in a row, with the same signs between them (−5 is not 5)."""
    words, others = tokens(part), tokens(whole)
    starts = range(len(others) - len(words) + 1)
    in_a_row = bool(words) and any(others[first : first + len(words)] == words for first in starts)
    return in_a_row and _squeezed(part) in _squeezed(whole)


def _squeezed(text: str) -> str:
    return "".join(unicodedata.normalize("NFKC", text).casefold().split())
