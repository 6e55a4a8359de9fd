"""How tracked things move: facts such as "person enters from the left", computed from the boxes of a track.

A thing enters if its track begins inside the video and its speed puts its box across the picture's edge one sample before; it leaves in
the same way. It moves towards another thing if its way leads there and at least half of the distance between their boxes goes. Where
boxes of successive samples do not overlap, the track may join two things: nothing is concluded from it. Facts are observations of the
modality `motion`, with the box and the frame of the track where they hold.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from ....tools.records import Box, Observation, Span

__all__ = ["MOTION", "motions"]

# A thing moves if it is displaced by its own size, and by this share of the picture.
_LEAST_SIZES, _LEAST_SHARE = 1.0, 0.1
# One direction is named if it is this many times the other.
_DOMINANT = 1.0
# An edge of the picture is crossed if the thing moves across it by this share of its size within three samples, and its box
# would not be whole one sample further.
_CROSSES = 0.25
# A thing turns around if it moves this many of its sizes one way, and then back.
_TURN_SIZES = 1.5
# The cosine of the two ways: a road that bends is no turn.
_OPPOSITE = -0.9
# It approaches if its height grows by this factor, steadily, and is not cut by an edge: this near is at the edge.
_GROWTH, _STEADY, _AT_EDGE = 1.5, 0.8, 0.01
# It moves towards another thing if this share of the distance goes, at this cosine between its way and the direction of the other,
# which moves less than this share of that way.
_GONE, _AIMED, _AT_REST = 0.5, 0.9, 0.3
_LEAST_SAMPLES = 3
# Tracks that begin or end together, while none goes on, are a cut.
_CUT_TRACKS = 2
_MOST_GAP_SECONDS = 2.5
# Boxes of successive samples overlap by this IoU at least: else two things may have been linked, and nothing is concluded.
_LEAST_OVERLAP = 0.1
# Nor where another box touches by more than this IoU, or where samples are missing for longer (seconds).
_TOUCHES, _NO_GAP = 0.02, 0.2

MOTION = (
    2,
    _LEAST_OVERLAP,
    _TOUCHES,
    _NO_GAP,
    _LEAST_SIZES,
    _LEAST_SHARE,
    _DOMINANT,
    _CROSSES,
    _TURN_SIZES,
    _GROWTH,
    _STEADY,
    _AT_EDGE,
    _GONE,
    _AIMED,
    _AT_REST,
    _LEAST_SAMPLES,
    _MOST_GAP_SECONDS,
)

Track = Sequence[Observation]
Numbers = npt.NDArray[np.float64]


def motions(tracks: Sequence[Track], end: float) -> list[Observation]:
    """Return what tracks do, by time.

    Args:
        tracks: The detections of each track, in order of time, with boxes.
        end: Where the last detection of the video may end, in seconds.
    """
    others, tracks = tracks, _sure_parts(tracks)
    begins = [track[0].span.start for track in tracks]
    ends = [track[-1].span.end for track in tracks]
    found = []
    for number, track in enumerate(tracks):
        boxes = [one.box for one in track if one.box is not None]
        if len(boxes) < max(2, len(track)):
            continue
        is_cut_in = _is_cut(begins[number], begins, ends)
        is_cut_out = _is_cut(ends[number], ends, begins, is_end=True)
        found += _facts(track, boxes, is_cut_in, is_cut_out or ends[number] >= end - _MOST_GAP_SECONDS)
        if (aim := _aim(track, boxes, others)) is not None:
            found.append(_made(track, 0, len(track), f"moves towards the {aim}", len(track) - 1))
    return sorted(found, key=lambda one: (one.span.start, one.span.end, one.text))


def _sure_parts(tracks: Sequence[Track]) -> list[Track]:
    """Split tracks where they may go from one thing to another.

    That is where two boxes hardly overlap, where samples are missing, and where another thing of the label touches either box.
    """
    by_frame: dict[float | None, list[Observation]] = {}
    for one in (one for track in tracks for one in track):
        by_frame.setdefault(one.frame_seconds, []).append(one)
    parts: list[Track] = []
    for track in tracks:
        gaps = [other.span.start - one.span.end for one, other in pairwise(track)]
        run: list[Observation] = []
        for number, one in enumerate(track):
            if run and (gaps[number - 1] > _NO_GAP or not _is_sure(run[-1], one, by_frame)):
                parts.append(run)
                run = []
            run.append(one)
        parts.append(run)
    return parts


def _is_sure(one: Observation, other: Observation, by_frame: Mapping[float | None, Sequence[Observation]]) -> bool:
    if one.box is None or other.box is None or one.box.iou(other.box) < _LEAST_OVERLAP:
        return False
    near = [*by_frame[one.frame_seconds], *by_frame[other.frame_seconds]]
    return not any(
        third.box is not None and (third.box.iou(one.box) > _TOUCHES or third.box.iou(other.box) > _TOUCHES)
        for third in near
        if third is not one and third is not other and third.text == one.text
    )


def _is_cut(second: float, edges: Sequence[float], others: Sequence[float], *, is_end: bool = False) -> bool:
    """Whether other tracks begin (or end) at this second too, and none goes on over it."""
    together = sum(abs(edge - second) < 1e-6 for edge in edges)
    spans = zip(others, edges, strict=True) if is_end else zip(edges, others, strict=True)
    goes_on = any(first < second - 1e-6 and last > second + 1e-6 for first, last in spans)
    return together >= _CUT_TRACKS and not goes_on


def _facts(track: Track, boxes: Sequence[Box], is_cut_in: bool, is_cut_out: bool) -> list[Observation]:
    seconds = np.array([one.span.start if one.frame_seconds is None else one.frame_seconds for one in track])
    centres = np.array([_centre(box) for box in boxes])
    sizes = np.array([[box.right - box.left, box.bottom - box.top] for box in boxes])
    size = np.median(sizes, axis=0)
    step = min(_MOST_GAP_SECONDS, float(np.median(np.diff(seconds))))
    made = []
    moved = centres[-1] - centres[0]
    if direction := _direction(moved, size):
        made.append(_made(track, 0, len(track), f"moves {_TOWARDS[direction]}", len(track) // 2))
    near = min(len(track), 3)
    if not is_cut_in and seconds[0] - step >= 0:
        speed = (centres[near - 1] - centres[0]) / max(1e-6, seconds[near - 1] - seconds[0])
        if side := _crossed(centres[0], -speed * step, sizes[0], near):
            made.append(_made(track, 0, near, f"enters from {_SIDES[side]}", near - 1))
    if not is_cut_out:
        speed = (centres[-1] - centres[-near]) / max(1e-6, seconds[-1] - seconds[-near])
        if side := _crossed(centres[-1], speed * step, sizes[-1], near):
            made.append(_made(track, len(track) - near, len(track), f"leaves at {_SIDES[side]}", len(track) - near))
    if len(track) >= _LEAST_SAMPLES:
        if (turn := _turn(centres, float(size[0]))) is not None:
            made.append(_made(track, max(0, turn - 1), min(len(track), turn + 2), "turns around", turn))
        made += _growing(track, seconds, boxes)
    return made


_TOWARDS = {"left": "to the left", "right": "to the right", "top": "up", "bottom": "down"}
_SIDES = {"left": "the left", "right": "the right", "top": "the top", "bottom": "the bottom"}


def _direction(moved: Numbers, size: Numbers) -> str:
    """The side to which a thing moves; empty if it hardly moves, or in no clear direction."""
    across, down = moved
    if abs(across) >= _DOMINANT * abs(down):
        is_far = abs(across) >= max(_LEAST_SHARE, _LEAST_SIZES * size[0])
        return ("right" if across > 0 else "left") if is_far else ""
    is_far = abs(down) >= max(_LEAST_SHARE, _LEAST_SIZES * size[1])
    return ("bottom" if down > 0 else "top") if is_far else ""


def _crossed(place: Numbers, move: Numbers, size: Numbers, samples: int) -> str:
    """The side of the picture that a thing crosses if it goes on by `move`; empty: none."""
    low, high = place + move - size / 2, place + move + size / 2 - 1
    beyond = {"left": (-low[0], 0), "right": (high[0], 0), "top": (-low[1], 1), "bottom": (high[1], 1)}
    outwards = {"left": -move[0], "right": move[0], "top": -move[1], "bottom": move[1]}
    crossed = {
        side: far
        for side, (far, axis) in beyond.items()
        if far > 0 and outwards[side] * (samples - 1) >= _CROSSES * size[axis]
    }
    return max(crossed, key=lambda side: crossed[side], default="")


def _turn(places: Numbers, size: float) -> int | None:
    """The sample at which a thing turns back; None if it does not.

    Args:
        places: Centres, shape `(n, 2)`.
        size: The thing's width, as a share of the picture.
    """
    for turn in (int(places[:, 0].argmax()), int(places[:, 0].argmin())):
        if min(turn, len(places) - 1 - turn) < _LEAST_SAMPLES - 1:
            continue
        there, back = places[turn] - places[0], places[-1] - places[turn]
        lengths = float(np.linalg.norm(there)), float(np.linalg.norm(back))
        if min(lengths) >= _TURN_SIZES * size and float(there @ back) <= _OPPOSITE * lengths[0] * lengths[1]:
            return turn
    return None


def _growing(track: Track, seconds: Numbers, boxes: Sequence[Box]) -> list[Observation]:
    """Whether a thing comes nearer or goes away: its height changes steadily, and no edge of the picture cuts it."""
    heights = np.log(np.array([max(1e-6, box.bottom - box.top) for box in boxes]))
    change = heights[-1] - heights[0]
    is_cut = any(min(b.left, b.top, 1 - b.right, 1 - b.bottom) < _AT_EDGE for b in (boxes[0], boxes[-1]))
    if is_cut or abs(change) < np.log(_GROWTH) or abs(np.corrcoef(seconds, heights)[0, 1]) < _STEADY:
        return []
    return [_made(track, 0, len(track), "approaches" if change > 0 else "moves away", len(track) - 1)]


def _aim(track: Track, boxes: Sequence[Box], others: Sequence[Track]) -> str | None:
    """The label of the thing that a thing moves towards, the nearest one at the end; None: none. Things of its own label do not count."""
    moved = _centre(boxes[-1]) - _centre(boxes[0])
    size = np.median([[box.right - box.left, box.bottom - box.top] for box in boxes], axis=0)
    if not _direction(moved, size):
        return None
    far = float(np.linalg.norm(moved))
    near: dict[float, str] = {}
    for other in others:
        there = [_box_at(other, one) for one in (track[0], track[-1])]
        if other[0].text == track[0].text or there[0] is None or there[1] is None:
            continue
        way = _centre(there[1]) - _centre(boxes[0])
        is_at_rest = np.linalg.norm(_centre(there[1]) - _centre(there[0])) <= _AT_REST * far
        is_aimed = float(moved @ way) >= _AIMED * far * float(np.linalg.norm(way))
        before, after = _distance(boxes[0], there[0]), _distance(boxes[-1], there[1])
        if is_at_rest and is_aimed and before > 0 and after <= (1 - _GONE) * before:
            near.setdefault(after, other[0].text)
    return near[min(near)] if near else None


def _box_at(track: Track, moment: Observation) -> Box | None:
    """The box of a track in the sample that is nearest to a moment; None if none is near, or it has no box."""
    one = min(track, key=lambda one: abs(one.span.start - moment.span.start))
    return one.box if abs(one.span.start - moment.span.start) <= _MOST_GAP_SECONDS else None


def _centre(box: Box) -> Numbers:
    return np.array([(box.left + box.right) / 2, (box.top + box.bottom) / 2])


def _distance(one: Box, other: Box) -> float:
    """The distance between two boxes, in shares of the picture; 0 if they touch."""
    across = max(0.0, one.left - other.right, other.left - one.right)
    down = max(0.0, one.top - other.bottom, other.top - one.bottom)
    return float(np.hypot(across, down))


def _made(track: Track, first: int, last: int, fact: str, shown: int) -> Observation:
    """The fact over samples `[first, last)` of a track, with the box of the sample `shown`."""
    one = track[shown]
    return Observation(
        modality="motion",
        span=Span(start=track[first].span.start, end=track[last - 1].span.end),
        text=f"{one.text} {fact}",
        score=min(part.score for part in track[first:last]),
        source=one.source,
        box=one.box,
        frame_seconds=one.frame_seconds,
    )
