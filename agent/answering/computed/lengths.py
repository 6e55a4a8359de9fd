"""How long videos are: claims that cite the lengths in their records."""

from ....index.records import Evidence
from ....index.retrieval.search import Search
from ....index.video_lengths import length_id
from ...question.lengths import extreme_of
from ...records import Citation, Claim, Plan
from .statements import lasts_text

__all__ = ["length_claims"]

# Most videos whose lengths are listed, and most that are compared: a comparison cites each of them.
_MOST_LISTED, _MOST_COMPARED = 10, 200


def length_claims(plan: Plan, search: Search) -> list[Claim]:
    """Return one claim for each video, the longest first; or one that compares all of them.

    No claim names the longest or shortest of equally long videos, or of more than 200.

    Args:
        plan: Of the kind `length`.
        search: The library.
    """
    among = plan.video_ids if plan.video_ids is not None else tuple(search.records)
    found = [one for one in (search.evidence(length_id(video_id)) for video_id in among) if one is not None]
    found.sort(key=lambda one: (-one.end, one.name))
    extreme = extreme_of(plan.question)
    if extreme == "shortest":
        found.reverse()
    if extreme is None or len(found) == 1:
        return [_claim(found[number : number + 1]) for number in range(min(len(found), _MOST_LISTED))]
    if len(found) > _MOST_COMPARED:
        return []
    if len(found) > 1 and found[0].text == found[1].text:
        return [_claim([one]) for one in found if one.text == found[0].text][:_MOST_LISTED]
    return [_claim(found)] if found else []


def _claim(lengths: list[Evidence]) -> Claim:
    cited = tuple(map(Citation.of, lengths))
    return Claim(text=lasts_text(cited), verdict="unverified", citations=cited, basis="length")
