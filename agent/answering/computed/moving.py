"""What moves how: claims that quote the motion of tracked objects."""

from typing import Literal

from ....index.records import Evidence
from ....index.retrieval.search import Search
from ...records import Citation, Claim, Plan
from ..scopes import scopes_of
from .occurrences import same_labels
from .statements import times_text

__all__ = ["moving_claims"]

# Most different claims, and most citations of one.
_MOST_CLAIMS, _MOST_CITED = 5, 50


def moving_claims(plan: Plan, search: Search) -> list[Claim]:
    """Return what moves as the plan asks: one claim for each kind of thing, or their number.

    Args:
        plan: With `motion`, and the thing as its only subject; without terms, anything. Without `motion` there are no claims.
        search: The library.
    """
    if not plan.motion:
        return []
    scopes = scopes_of(plan, search)
    stretches = (
        [((one.video_id,), one.span) for one in scopes] if scopes is not None else [(plan.video_ids, plan.between)]
    )
    found: dict[str, Evidence] = {}
    for video_ids, span in stretches:
        texts = search.texts("motion", video_ids, span)
        moving = {text.removesuffix(f" {plan.motion}"): text for text in texts if text.endswith(f" {plan.motion}")}
        subject = plan.subjects[0]
        labels = same_labels(subject, sorted(moving), search) if subject.terms else sorted(moving)
        if labels:
            rows = search.with_texts([moving[label] for label in labels], "motion", video_ids, span)
            found |= {one.evidence_id: one for one in rows}
    rows = sorted(found.values(), key=lambda one: (one.video, one.start))
    if plan.kind == "count" and rows:
        return [_claim(times_text(len(rows)), rows, "count")]
    texts = list(dict.fromkeys(one.text for one in rows))
    return [
        _claim(text, [one for one in rows if one.text == text][:_MOST_CITED], "quote") for text in texts[:_MOST_CLAIMS]
    ]


def _claim(text: str, rows: list[Evidence], basis: Literal["count", "quote"]) -> Claim:
    return Claim(text=text, verdict="unverified", citations=tuple(map(Citation.of, rows)), basis=basis)
