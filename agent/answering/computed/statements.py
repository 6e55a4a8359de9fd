"""Computed claims (numbers, orders, places) and the check whether citations support them. No model is involved.

Each form of a claim is written and parsed in one place, so that a claim is checked by computing it again.
"""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import get_args

from ....index.localization.spatial import Side, Size, To, foremost, is_on_side, relates
from ....index.records import Evidence
from ....index.video_lengths import LENGTH
from ....tools.records import clean_text, clock
from ....tools.words import tokens
from ...records import Citation, Claim, Verdict

__all__ = [
    "at_once_text",
    "different_text",
    "follows",
    "in_a_frame_text",
    "lasts_text",
    "number_of",
    "order_text",
    "seen_text",
    "side_text",
    "size_text",
    "slides_text",
    "speaking_text",
    "times_text",
    "to_text",
    "videos_text",
]

_TIMES = re.compile(r"(\d+) times?(?:, perhaps \d+: .+)?")
_MOST_DOUBTFUL = 4  # places that are named
_PRESENT = re.compile(r"(.+) (speaks|is seen) for [\d:]+ in \d+ (?:turn|appearance)s?")
_TO_OTHER: dict[To, str] = {
    "left": "left of", "right": "right of", "above": "above", "below": "below", "beside": "beside", "behind": "behind",
}  # fmt: skip
_ON_SIDE: dict[Side, str] = {
    "left": "on the left", "right": "on the right", "above": "at the top", "below": "at the bottom",
    "centre": "in the centre",
}  # fmt: skip


def times_text(count: int, doubtful: Sequence[Citation] = ()) -> str:
    """Return the claim for a number of occurrences; it needs one citation per occurrence.

    Args:
        count: How many.
        doubtful: Places that may be more of them, cited after the others: the number with all of them follows, with their
            words and times.
    """
    text = f"{count} time" if count == 1 else f"{count} times"
    if not doubtful:
        return text
    named = ", ".join(f"“{one.quote}” at {clock(one.start)[:-2]}" for one in doubtful[:_MOST_DOUBTFUL])
    return f"{text}, perhaps {count + len(doubtful)}: {named}{'…' if len(doubtful) > _MOST_DOUBTFUL else ''}"


def slides_text(titles: Sequence[Citation]) -> str:
    """Return the claim for the number of slides of a video; it needs one citation per slide, its title, in order of time."""
    return f"{len(titles)} slide{'' if len(titles) == 1 else 's'} in {clean_text(Path(titles[0].video).name)}"


def at_once_text(boxes: Sequence[Citation] | Sequence[Evidence], label: str) -> str:
    """Return the claim for a number of boxes at one second; it needs one citation per box."""
    how = "detected" if len({(one.stream, one.frame_seconds) for one in boxes}) == 1 else "tracked"
    return f"at most {len(boxes)} {how} at once: {label}"


def speaking_text(title: str, turns: Sequence[Citation]) -> str:
    """Return the claim for how long a speaker speaks; it needs one citation per turn."""
    return _present_text(title, "speaks", turns, "turn")


def seen_text(title: str, appearances: Sequence[Citation]) -> str:
    """Return the claim for how long a person is in the picture; it needs one citation per appearance."""
    return _present_text(title, "is seen", appearances, "appearance")


def lasts_text(lengths: Sequence[Citation]) -> str:
    """Return the claim for how long a video is; of several lengths, that the first is the longest or shortest of all."""
    first, *others = lengths
    text = f"{clean_text(Path(first.video).name)} lasts {first.quote}"
    if not others:
        return text
    return f"{text}, the {'longest' if first.end > others[0].end else 'shortest'} of {len(lengths)} videos"


def videos_text(lengths: Sequence[Citation]) -> str:
    """Return the claim for the number of videos; it cites the length of each."""
    return f"{len(lengths)} video{'' if len(lengths) == 1 else 's'}"


def number_of(text: str) -> int:
    """The number in an observation of `number`, such as `3 dog`."""
    return int(text.partition(" ")[0])


def in_a_frame_text(text: str) -> str:
    """Return the claim for the most boxes in one frame; it cites the observation of their number, such as `3 dog`."""
    number, _, label = text.partition(" ")
    return f"at most {number} detected at once: {label}"


def different_text(count: int, label: str) -> str:
    """Return the claim for a number of different things; it cites the number in one frame, and each track."""
    return f"{count} different: {label}"


def order_text(quotes: Sequence[str]) -> str:
    """Return the claim for an order of events; it needs one citation per event, in this order."""
    return "first: " + " · then: ".join(quotes)


def to_text(relation: To, thing: str, other: str) -> str:
    """Return the claim for the position of a thing relative to another; it cites both, in this order."""
    return f"{thing} {_TO_OTHER[relation]} {other}"


def side_text(side: Side, thing: str) -> str:
    """Return the claim for the side of the picture where a thing is; it needs one citation."""
    return f"{thing} {_ON_SIDE[side]}"


def size_text(size: Size, thing: str) -> str:
    """Return the claim for the biggest or smallest of a kind; it cites this one first, then all others of its frame."""
    return f"the {size} {thing}"


def follows(claim: Claim, resolve: Callable[[str], Evidence | None]) -> Verdict:
    """Return whether a computed claim follows from its citations, each of which resolves.

    `refuted`: the number, the order or the positions are different, or the claim has no known form.
    `unverified`: the order is right, but the cited pictures have no words to compare.

    Args:
        claim: A claim with another `basis` than `quote`.
        resolve: Returns the stored evidence of an id, or None.
    """
    check = {"count": _counted, "order": _ordered, "place": _placed, "length": _lasting}[claim.basis]
    return check(claim, resolve)


def _counted(claim: Claim, resolve: Callable[[str], Evidence | None]) -> Verdict:
    cited = claim.citations
    if found := _TIMES.fullmatch(claim.text):
        count = int(found[1])
        is_same = 0 < count <= len(cited) and claim.text == times_text(count, cited[count:])
        return _verdict(is_same and _are_distinct(cited, resolve))
    if claim.text == slides_text(cited):
        is_in_order = all(one.start < other.start for one, other in pairwise(cited))
        is_one = len({one.video_id for one in cited}) == 1 and {one.modality for one in cited} == {"text"}
        return _verdict(is_in_order and is_one)
    if found := _PRESENT.fullmatch(claim.text):
        stage, text = ("speaker", speaking_text) if found[2] == "speaks" else ("person", seen_text)
        labels = {(one.video_id, one.quote) for one in cited}
        is_one = len(labels) == len({one.video_id for one in cited}) and {one.modality for one in cited} == {stage}
        return _verdict(claim.text == text(found[1], cited) and is_one and _are_distinct(cited, resolve))
    if cited[0].modality == "number":
        number, _, label = cited[0].quote.partition(" ")
        if len(cited) == 1:
            return _verdict(claim.text == in_a_frame_text(cited[0].quote))
        return _verdict(
            claim.text == different_text(int(number), label)
            and len(cited) == int(number) + 1
            and _are_boxes(cited[1:], label)
            and len({one.evidence_id for one in cited}) == len(cited)
        )
    label = cited[0].quote
    if claim.text == different_text(1, label):
        return _verdict(len(cited) == 1 and _are_boxes(cited, label))
    is_true = claim.text == at_once_text(cited, label) and _are_together(cited)
    return _verdict(is_true and _are_boxes(cited, label) and len({one.evidence_id for one in cited}) == len(cited))


def _present_text(title: str, verb: str, cited: Sequence[Citation], noun: str) -> str:
    seconds = sum(one.end - one.start for one in cited)
    return f"{title} {verb} for {clock(seconds)[:-2]} in {len(cited)} {noun}{'s' if len(cited) > 1 else ''}"


def _ordered(claim: Claim, _: Callable[[str], Evidence | None]) -> Verdict:
    cited = claim.citations
    is_in_order = all(one.start < other.start for one, other in pairwise(cited))
    if len(cited) < 2 or not is_in_order or len({one.video_id for one in cited}) > 1:
        return "refuted"
    if not all(one.quote for one in cited):
        return "unverified"
    return _verdict(claim.text == order_text([one.quote for one in cited]))


def _lasting(claim: Claim, resolve: Callable[[str], Evidence | None]) -> Verdict:
    cited = claim.citations
    first, *others = (one.end for one in cited)
    stored = [resolve(one.evidence_id) for one in cited]
    are_lengths = all(
        one.modality == LENGTH and whole is not None and one.span == whole.span
        for one, whole in zip(cited, stored, strict=True)
    )
    is_foremost = all(first > other for other in others) or all(first < other for other in others)
    is_once = len({one.video_id for one in cited}) == len(cited)
    says_so = claim.text == videos_text(cited) or (is_foremost and claim.text == lasts_text(cited))
    return _verdict(are_lengths and is_once and says_so)


def _placed(claim: Claim, _: Callable[[str], Evidence | None]) -> Verdict:
    cited = claim.citations
    boxes = [one.box for one in cited if one.box]
    frames = {(one.stream, one.frame_seconds) for one in cited}
    if len(boxes) < len(cited) or len(frames) > 1 or cited[0].frame_seconds is None or not _are_together(cited):
        return "refuted"
    thing = cited[0].quote
    if len(cited) == 1:
        sides: tuple[Side, ...] = get_args(Side)
        return _verdict(any(claim.text == side_text(side, thing) and is_on_side(side, boxes[0]) for side in sides))
    relations: tuple[To, ...] = get_args(To)
    sizes: tuple[Size, ...] = get_args(Size)
    lies_so = len(cited) == 2 and any(
        claim.text == to_text(to, thing, cited[1].quote) and relates(to, boxes[0], boxes[1]) for to in relations
    )
    is_foremost = _are_boxes(cited, thing) and any(
        claim.text == size_text(size, thing) and foremost(size, boxes) == 0 for size in sizes
    )
    return _verdict(lies_so or is_foremost)


def _are_distinct(cited: Sequence[Citation], resolve: Callable[[str], Evidence | None]) -> bool:
    """Whether nothing is counted twice; the same words may be cited as often as their sentence contains them."""
    for (evidence_id, _, _, quote), count in Counter((c.evidence_id, c.start, c.end, c.quote) for c in cited).items():
        stored = resolve(evidence_id)
        if count > 1 and (stored is None or _count_in(quote, stored.text) < count):
            return False
    return True


def _count_in(part: str, whole: str) -> int:
    words, others = tokens(part), tokens(whole)
    starts = range(len(others) - len(words) + 1)
    return sum(others[first : first + len(words)] == words for first in starts) if words else 0


def _are_together(cited: Sequence[Citation]) -> bool:
    """Whether all of them are visible at one second of one video."""
    return len({one.video_id for one in cited}) == 1 and max(c.start for c in cited) < min(c.end for c in cited)


def _are_boxes(cited: Sequence[Citation], label: str) -> bool:
    return all(one.box and one.quote.casefold() == label.casefold() for one in cited)


def _verdict(is_true: bool) -> Verdict:
    return "supported" if is_true else "refuted"
