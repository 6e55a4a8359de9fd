"""Spatial relations in a picture: predicates over boxes, and the frames in which two boxes have a relation.

Left, right, above and below are those of the viewer, decided by the boxes' centres within a cone of
45° (Peuquet and Ci-Xiang 1987, "An algorithm to determine the directional relationship between arbitrarily-shaped
polygons in the plane"), and only if the boxes are separate on that axis. Edges are shares of the picture's width and
height, so the cone refers to the picture scaled to a square. Facing and depth are not estimated, except by `behind`.
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
    "is_on_side",
    "is_side",
    "is_to",
    "moment",
    "most_at_once",
    "pairs",
    "relates",
]

To = Literal["left", "right", "above", "below", "beside", "behind"]
Side = Literal["left", "right", "above", "below", "centre"]
Size = Literal["biggest", "smallest"]

# Two boxes are separate on an axis if they share at most this part of the shorter extent.
_SHARED = 0.5
# "On the left" needs this distance from the middle.
_OFF_MIDDLE = 0.05
# The centre is the middle third of both axes.
_CENTRE = (1 / 3, 2 / 3)
# Side by side: the gap is at most the mean width, and the boxes share half of the smaller height.
_NEAR_WIDTHS = 1.0
_LEVEL = 0.5
# An object behind another is partly hidden: minimum share of the smaller box that the other covers.
_HIDDEN = 0.1


class Pair(NamedTuple):
    """Two boxes of one frame, and its second."""

    one: Evidence
    other: Evidence
    span: Span


def is_to(relation: str) -> TypeGuard[To]:
    """Whether the word is a relation between two objects."""
    return relation in get_args(To)


def is_side(relation: str) -> TypeGuard[Side]:
    """Whether the word is a side of the picture."""
    return relation in get_args(Side)


def relates(relation: To, one: Box, other: Box) -> bool:
    """Whether two boxes have a relation.

    `left` mirrors `right`, `above` mirrors `below`; `beside` is symmetric. `behind` is an estimate, because boxes have
    no depth: on the same ground a more distant object ends higher in the picture, so the box must end higher and
    overlap the other by a tenth of the smaller box.

    Args:
        relation: The relation.
        one: The box described.
        other: The reference box.
    """
    return _TO[relation](one, other)


def is_on_side(side: Side, box: Box) -> bool:
    """Whether the centre of a box is on a side of the picture, off the middle, or in the middle third."""
    across, down = _centre(box)
    if side == "centre":
        return all(_CENTRE[0] <= place <= _CENTRE[1] for place in (across, down))
    place = {"left": across, "right": 1 - across, "above": down, "below": 1 - down}[side]
    return place < 0.5 - _OFF_MIDDLE


def foremost(size: Size, boxes: Sequence[Box]) -> int:
    """Return the index of the biggest or smallest box by area; the first of equal ones.

    Raises:
        ValueError: There are no boxes.
    """
    if not boxes:
        raise ValueError("no boxes: give at least 1")
    areas = [_area(box) for box in boxes]
    return areas.index(max(areas) if size == "biggest" else min(areas))


def pairs(ones: Sequence[Evidence], others: Sequence[Evidence], relation: To) -> list[Pair]:
    """Return all pairs of boxes of one frame that have a relation, by video and time.

    A box belongs to one frame (`frame_seconds`), even if its object was tracked further (`index.indexing.merging.tracks`): its
    position in other frames is not stored. So the pair is also located at that frame.

    Args:
        ones: The boxes described.
        others: The reference boxes.
        relation: The relation.
    """
    by_frame: dict[tuple[str, int | None, float | None], list[Evidence]] = {}
    for other in others:
        by_frame.setdefault(other.frame, []).append(other)
    found = [
        Pair(one, other, moment([one, other]))
        for one in ones
        for other in by_frame.get(one.frame, ())
        if one.frame_seconds is not None and one.evidence_id != other.evidence_id
        if one.box and other.box and relates(relation, one.box, other.box)
    ]
    return sorted(found, key=lambda pair: (pair.one.video, pair.span.start))


def moment(boxes: Sequence[Evidence]) -> Span:
    """Return the second of the frame in which boxes were seen, within all their spans."""
    start = max(boxes[0].frame_seconds or 0.0, *(one.start for one in boxes))
    end = min(one.end for one in boxes)
    return Span(start=start, end=min(end, start + 1.0))


def most_at_once(boxes: Sequence[Evidence]) -> list[Evidence]:
    """Return the largest set of objects of one video that are visible at once; the earliest such set, from the left.

    Two boxes of one segment never become one observation (`index.indexing.merging.tracks`), so the overlap is never smaller than
    the number of boxes in a frame. It may be larger, because a track continues over a segment in which the
    detector misses the object.
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
    """Return the offset between the centres of two boxes: right and down."""
    (left, top), (right, bottom) = _centre(one), _centre(other)
    return right - left, bottom - top


def _centre(box: Box) -> tuple[float, float]:
    return (box.left + box.right) / 2, (box.top + box.bottom) / 2


def _area(box: Box) -> float:
    return (box.right - box.left) * (box.bottom - box.top)


def _apart(start: float, end: float, other_start: float, other_end: float) -> bool:
    shared = min(end, other_end) - max(start, other_start)
    return shared <= _SHARED * min(end - start, other_end - other_start)
