"""Where things are in a picture: predicates over boxes, and the frames in which two boxes lie so to each other.

A picture is flat: left, right, above and below are those of the viewer, told by the boxes' centres within a cone of
45° (Peuquet and Ci-Xiang 1987, "An algorithm to determine the directional relationship between arbitrarily-shaped
polygons in the plane"), and only where the boxes lie apart on that axis. Edges are shares of the picture's width and
height, so the cone is one of the picture as it is stretched to a square. What these cannot tell (facing, depth) is
not guessed, but for `behind`.
"""

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple, TypeGuard, get_args

from ...tools.records import Box, Span
from ..records import Evidence

__all__ = [
    "Pair",
    "Side",
    "Size",
    "To",
    "foremost",
    "is_side",
    "is_to",
    "moment",
    "most_at_once",
    "pairs",
    "relates",
    "stands",
]

To = Literal["left", "right", "above", "below", "beside", "behind"]
Side = Literal["left", "right", "above", "below", "centre"]
Size = Literal["biggest", "smallest"]

# Two boxes lie apart on an axis if they share no more than this much of the shorter extent.
_SHARED = 0.5
# "On the left" is well left of the middle: nothing that spans it.
_OFF_MIDDLE = 0.05
# The centre is the middle third of both axes.
_CENTRE = (1 / 3, 2 / 3)
# Side by side: nearer than the mean of both widths, and on one height by half of the lower one.
_NEAR_WIDTHS = 1.0
_LEVEL = 0.5
# What stands behind is partly hidden: of the smaller box, so much lies in the other.
_HIDDEN = 0.1


class Pair(NamedTuple):
    """Two boxes of one frame, and its second."""

    one: Evidence
    other: Evidence
    span: Span


def is_to(relation: str) -> TypeGuard[To]:
    """Whether it is a relation of one thing to another."""
    return relation in get_args(To)


def is_side(relation: str) -> TypeGuard[Side]:
    """Whether it is a side of the picture."""
    return relation in get_args(Side)


def relates(relation: To, one: Box, other: Box) -> bool:
    """Whether a box lies so to another.

    `left` is the mirror of `right`, `above` of `below`; `beside` holds both ways or not at all. `behind` is only a
    guess, for boxes have no depth: on the same ground what stands farther off meets it higher up in the picture, so
    the box must end higher, and overlap the other by a tenth of the smaller of both.

    Args:
        relation: How.
        one: What lies.
        other: To what.
    """
    return _TO[relation](one, other)


def stands(side: Side, box: Box) -> bool:
    """Whether a box stands on a side of the picture: its centre and most of it off the middle, or in the middle third."""
    across, down = _centre(box)
    if side == "centre":
        return all(_CENTRE[0] <= place <= _CENTRE[1] for place in (across, down))
    place = {"left": across, "right": 1 - across, "above": down, "below": 1 - down}[side]
    return place < 0.5 - _OFF_MIDDLE


def foremost(size: Size, boxes: Sequence[Box]) -> int:
    """The number of the biggest or smallest box by area: exactly one, the first of those that are alike.

    Raises:
        ValueError: There is none.
    """
    if not boxes:
        raise ValueError("no boxes: at least 1 is wanted")
    areas = [_area(box) for box in boxes]
    return areas.index(max(areas) if size == "biggest" else min(areas))


def pairs(ones: Sequence[Evidence], others: Sequence[Evidence], relation: To) -> list[Pair]:
    """All pairs of boxes of one frame that lie so to each other, by video and time.

    A box is of one frame (`frame_seconds`), also where its thing was followed further (`index.indexing.tracks`): where that
    was by the time of another frame, nobody stored. So the pair is at the second of the frame, too.

    Args:
        ones: What lies so.
        others: To what.
        relation: How.
    """
    by_frame: dict[tuple[str, float | None], list[Evidence]] = {}
    for other in others:
        by_frame.setdefault((other.video_id, other.frame_seconds), []).append(other)
    found = [
        Pair(one, other, moment([one, other]))
        for one in ones
        for other in by_frame.get((one.video_id, one.frame_seconds), ())
        if one.frame_seconds is not None and one.evidence_id != other.evidence_id
        if one.box and other.box and relates(relation, one.box, other.box)
    ]
    return sorted(found, key=lambda pair: (pair.one.video, pair.span.start))


def moment(boxes: Sequence[Evidence]) -> Span:
    """The second of the frame in which boxes were seen, as far as they are all there."""
    start = max(boxes[0].frame_seconds or 0.0, *(one.start for one in boxes))
    end = min(one.end for one in boxes)
    return Span(start=start, end=min(end, start + 1.0))


def most_at_once(boxes: Sequence[Evidence]) -> list[Evidence]:
    """The largest number of things of one video that are in the picture together; the earliest of such, from the left.

    Two boxes of one still never become one observation (`index.indexing.tracks`), so no fewer overlap at a second than were
    seen in the still that was shown then; there may be more, for a thing is followed over a still in which the
    detector misses it.
    """
    best: list[Evidence] = []
    for video_id in dict.fromkeys(one.video_id for one in boxes):
        ours = sorted((one for one in boxes if one.video_id == video_id), key=lambda e: e.start)
        there: list[Evidence] = []
        for one in ours:
            there = [other for other in there if other.end > one.start] + [one]
            if len(there) > len(best):
                best = there
    return sorted(best, key=lambda e: e.box.left if e.box else 0.0)


def _left(one: Box, other: Box) -> bool:
    across, down = _towards(one, other)
    return across > 0 and across >= abs(down) and _apart(one.left, one.right, other.left, other.right)


def _above(one: Box, other: Box) -> bool:
    across, down = _towards(one, other)
    return down > 0 and down >= abs(across) and _apart(one.top, one.bottom, other.top, other.bottom)


def _beside(one: Box, other: Box) -> bool:
    widths = (one.right - one.left + other.right - other.left) / 2
    gap = max(one.left, other.left) - min(one.right, other.right)
    level = min(one.bottom, other.bottom) - max(one.top, other.top)
    return (
        _apart(one.left, one.right, other.left, other.right)
        and gap <= _NEAR_WIDTHS * widths
        and level >= _LEVEL * min(one.bottom - one.top, other.bottom - other.top)
    )


def _behind(one: Box, other: Box) -> bool:
    width = min(one.right, other.right) - max(one.left, other.left)
    height = min(one.bottom, other.bottom) - max(one.top, other.top)
    hidden = max(0.0, width) * max(0.0, height)
    return one.bottom < other.bottom and hidden > 0 and hidden >= _HIDDEN * min(_area(one), _area(other))


_TO: dict[To, Callable[[Box, Box], bool]] = {
    "left": _left,
    "right": lambda one, other: _left(other, one),
    "above": _above,
    "below": lambda one, other: _above(other, one),
    "beside": _beside,
    "behind": _behind,
}


def _towards(one: Box, other: Box) -> tuple[float, float]:
    """From the centre of a box to that of another: to the right, and down."""
    (left, top), (right, bottom) = _centre(one), _centre(other)
    return right - left, bottom - top


def _centre(box: Box) -> tuple[float, float]:
    return (box.left + box.right) / 2, (box.top + box.bottom) / 2


def _area(box: Box) -> float:
    return (box.right - box.left) * (box.bottom - box.top)


def _apart(start: float, end: float, other_start: float, other_end: float) -> bool:
    shared = min(end, other_end) - max(start, other_start)
    return shared <= _SHARED * min(end - start, other_end - other_start)
