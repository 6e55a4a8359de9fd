"""The node that checks: every citation must resolve in the library, and its words must be stored there."""

from collections.abc import Callable, Sequence

from ..index.records import Evidence
from ..tools.words import canonical, tokens
from .records import Citation, Claim, Verdict

__all__ = ["check_claims"]

# Times are stored as float64; anything more is another time.
_TOLERANCE = 1e-6


def check_claims(claims: Sequence[Claim], resolve: Callable[[str], Evidence | None]) -> list[Claim]:
    """The claims with their verdicts; citations that do not resolve are taken out.

    `supported`: every word and number of the claim stands in what it cites. `refuted`: none of its
    citations resolves. `unverified`: the rest.

    Args:
        claims: What an answerer wrote.
        resolve: The stored evidence of an id; None if there is none.
    """
    return [_checked(claim, resolve) for claim in claims]


def _checked(claim: Claim, resolve: Callable[[str], Evidence | None]) -> Claim:
    citations = tuple(citation for citation in claim.citations if _resolves(citation, resolve(citation.evidence_id)))
    if not citations:
        return claim.model_copy(update={"verdict": "refuted", "citations": ()})
    stands = _words(" ".join(citation.quote for citation in citations))
    verdict: Verdict = "supported" if _words(claim.text) <= stands else "unverified"
    return claim.model_copy(update={"verdict": verdict, "citations": citations})


def _resolves(citation: Citation, stored: Evidence | None) -> bool:
    """Whether a citation is what the library holds: the same video and kind, a span within, words that are there."""
    return (
        stored is not None
        and citation.video_id == stored.video_id
        and citation.modality == stored.modality
        and citation.start >= stored.start - _TOLERANCE
        and citation.end <= stored.end + _TOLERANCE
        and _is_part(tokens(citation.quote), tokens(stored.text))
    )


def _is_part(part: Sequence[str], whole: Sequence[str]) -> bool:
    return any(list(part) == list(whole[first : first + len(part)]) for first in range(len(whole) - len(part) + 1))


def _words(text: str) -> set[str]:
    return {canonical(token) for token in tokens(text)}
