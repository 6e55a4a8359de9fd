"""Checks citations: each must resolve in the library, and its words must be stored there."""

import unicodedata
from collections.abc import Callable, Sequence

from ...index.records import Evidence
from ...tools.words import tokens
from ..records import Citation, Claim, Verdict
from .statements import follows

__all__ = ["check_claims"]

# Times are stored as float64; anything more is another time.
_TOLERANCE = 1e-6


def check_claims(claims: Sequence[Claim], resolve: Callable[[str], Evidence | None]) -> list[Claim]:
    """The claims with their verdicts; citations that do not resolve are taken out.

    `verbatim`: the claim quotes, word for word, what it cites (quotes may be joined by " · "). `supported`: code
    computed the claim, and computes it again from what it cites. `refuted`: none of its citations resolves, or, for a
    computed claim, one of them does not or they say otherwise. `unverified`: the rest.

    Args:
        claims: What an answerer wrote.
        resolve: The stored evidence of an id; None if there is none.
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
        any(_stands_in(part, citation.quote) for citation in citations) for part in claim.text.split(" · ")
    )
    verdict: Verdict = "verbatim" if is_quoted else "unverified"
    return claim.model_copy(update={"verdict": verdict, "citations": citations})


def _resolves(citation: Citation, stored: Evidence | None) -> bool:
    """Whether a citation is what the library holds: the same video, kind and picture, a span within, words from it."""
    return (
        stored is not None
        and (citation.video_id, citation.video, citation.modality) == (stored.video_id, stored.video, stored.modality)
        and citation.keyframe in (None, stored.keyframe)
        and citation.box in (None, stored.box)
        and citation.frame_seconds in (None, stored.frame_seconds)
        and stored.start - _TOLERANCE <= citation.start < citation.end <= stored.end + _TOLERANCE
        and (_stands_in(citation.quote, stored.text) if tokens(stored.text) else not tokens(citation.quote))
    )


def _stands_in(part: str, whole: str) -> bool:
    """Whether a text is a stretch of another: its words in a row, and the signs between them (−5 is not 5)."""
    words, others = tokens(part), tokens(whole)
    starts = range(len(others) - len(words) + 1)
    in_a_row = bool(words) and any(others[first : first + len(words)] == words for first in starts)
    return in_a_row and _squeezed(part) in _squeezed(whole)


def _squeezed(text: str) -> str:
    return "".join(unicodedata.normalize("NFKC", text).casefold().split())
