"""Merge detections of successive segments into one observation: a line of text on a slide, a dog that runs."""

from collections import Counter
from collections.abc import Callable, Sequence
from functools import reduce

import numpy as np

from ....tools.records import Box, Observation, Span

__all__ = ["MERGING", "merge_detections", "merge_same_text", "numbers_at_once", "track_objects", "tracks_of"]

# A line found again within this gap is the same observation: models miss a line in single frames.
_GAP_SECONDS = 0.5
_SAME_PLACE_IOU = 0.5
# A track continues over the gap of one missed sample (samples are 2 s apart: people walk), if the object moved by at
# most its own size.
_TRACK_GAP_SECONDS = 2.5
_TRACK_SIZES = 1.0
_TRACK_GROWTH = 2.0
# Least cosine of the colours of one thing in successive samples: after a cut another thing may be at the same place. Fewer
# than 5 of 100 pairs of people in different clips reach it; fewer than 5 of 100 pairs of one person a second apart do not.
_LIKE_COLOURS = 0.6

# Everything that the merged observations depend on.
MERGING = (3, _GAP_SECONDS, _SAME_PLACE_IOU, _TRACK_GAP_SECONDS, _TRACK_SIZES, _TRACK_GROWTH, _LIKE_COLOURS)


def merge_detections(observations: Sequence[Observation], gap_seconds: float = _GAP_SECONDS) -> list[Observation]:
    """Merge the same text at the same place in successive segments into one observation.

    Args:
        observations: Segment by segment, in order.
        gap_seconds: Longest time in which it may be missing.
    """

    def fit(before: Observation, after: Observation) -> float | None:
        iou = before.box.iou(after.box) if before.box and after.box else 0.0
        return iou if iou >= _SAME_PLACE_IOU else None

    return _merged(_linked(observations, gap_seconds, fit))


def track_objects(observations: Sequence[Observation]) -> list[Observation]:
    """Merge boxes of one label, near each other in successive segments, into one observation.

    Args:
        observations: Segment by segment, in order.
    """
    return _merged(tracks_of(observations))


def tracks_of(observations: Sequence[Observation]) -> list[list[Observation]]:
    """Link boxes of one label, near each other in successive segments, to tracks.

    Boxes are assigned to tracks greedily, the best fit first: by overlap, and without overlap by distance
    (SORT assigns by overlap alone; Bewley et al. 2016, section 3.3). A track ends where the colours of its boxes differ.

    Args:
        observations: Segment by segment, in order.
    """
    return _linked(observations, _TRACK_GAP_SECONDS, _fit_of_track)


def numbers_at_once(observations: Sequence[Observation]) -> list[Observation]:
    """Return how many boxes of each label one frame has, two or more: an observation `3 dog` for each stretch of one number.

    A count of tracks is an upper limit, because a track goes on where the detector misses the thing; this is what one frame shows.

    Args:
        observations: Segment by segment, in order.
    """
    made: list[Observation] = []
    last: dict[str, int] = {}
    for segment in _segments(observations):
        for label, count in Counter(seen.text for seen in segment).items():
            if count < 2:
                continue
            best = max((seen for seen in segment if seen.text == label), key=lambda seen: seen.score)
            one = best.model_copy(update={"modality": "number", "text": f"{count} {label}", "box": None})
            row = last.get(label)
            if row is not None and made[row].text == one.text and one.span.start - made[row].span.end <= _GAP_SECONDS:
                made[row] = _extended(made[row], one)
            else:
                last[label] = len(made)
                made.append(one)
    return sorted(made, key=lambda o: (o.span.start, o.span.end))


def merge_same_text(observations: Sequence[Observation]) -> list[Observation]:
    """Merge the same text in successive segments, wherever it is, into one observation.

    Args:
        observations: Segment by segment, in order.
    """
    merged: list[Observation] = []
    last: dict[str, int] = {}
    for seen in observations:
        row = last.get(seen.text.casefold())
        if row is not None and seen.span.start - merged[row].span.end <= _GAP_SECONDS:
            merged[row] = _extended(merged[row], seen)
        else:
            last[seen.text.casefold()] = len(merged)
            merged.append(seen)
    return sorted(merged, key=lambda o: (o.span.start, o.span.end))


def _fit_of_track(one: Observation, other: Observation) -> float | None:
    """Score how well two detections fit one track; None: they do not, by place or by colours."""
    if one.box is None or other.box is None or (fit := _nearness(one.box, other.box)) is None:
        return None
    is_other = one.vector and other.vector and float(np.dot(one.vector, other.vector)) < _LIKE_COLOURS
    return None if is_other else fit


def _nearness(before: Box, after: Box) -> float | None:
    """Score how well two boxes fit one track: IoU, or minus the distance if they do not overlap; None: they do not."""
    widths = (before.right - before.left, after.right - after.left)
    heights = (before.bottom - before.top, after.bottom - after.top)
    if max(widths) > _TRACK_GROWTH * min(widths) and max(heights) > _TRACK_GROWTH * min(heights):
        return None
    across = abs(before.left + before.right - after.left - after.right) / sum(widths) if sum(widths) else 0.0
    down = abs(before.top + before.bottom - after.top - after.bottom) / sum(heights) if sum(heights) else 0.0
    if max(across, down) > _TRACK_SIZES:
        return None
    return before.iou(after) - max(across, down)


def _linked(
    observations: Sequence[Observation], gap_seconds: float, fit: Callable[[Observation, Observation], float | None]
) -> list[list[Observation]]:
    """Chain observations of one text; each link is the best fit between a segment and the chains before it."""
    chains: list[list[Observation]] = []
    ends: list[float] = []
    open_by_text: dict[str, list[int]] = {}
    for segment in _segments(observations):
        by_text: dict[str, list[Observation]] = {}
        for seen in segment:
            by_text.setdefault(seen.text.casefold(), []).append(seen)
        for text, here in by_text.items():
            start = here[0].span.start
            rows = [row for row in open_by_text.get(text, ()) if start - ends[row] <= gap_seconds]
            taken = _matched([chains[row][-1] for row in rows], here, fit)
            for number, seen in enumerate(here):
                row = rows[taken[number]] if number in taken else len(chains)
                if row == len(chains):
                    chains.append([seen])
                    ends.append(seen.span.end)
                    rows.append(row)
                else:
                    chains[row].append(seen)
                    ends[row] = max(ends[row], seen.span.end)
            open_by_text[text] = rows
    return chains


def _merged(chains: Sequence[Sequence[Observation]]) -> list[Observation]:
    """One observation for each chain."""
    return sorted((reduce(_extended, chain) for chain in chains), key=lambda o: (o.span.start, o.span.end))


def _segments(observations: Sequence[Observation]) -> list[list[Observation]]:
    segments: list[list[Observation]] = []
    for seen in observations:
        if segments and segments[-1][0].span == seen.span:
            segments[-1].append(seen)
        else:
            segments.append([seen])
    return segments


def _matched(
    ends: Sequence[Observation], here: Sequence[Observation], fit: Callable[[Observation, Observation], float | None]
) -> dict[int, int]:
    """Map observations to the ends of chains by index, the best fits first."""
    fits = [
        (how_well, -number, -place)
        for place, before in enumerate(ends)
        for number, seen in enumerate(here)
        if (how_well := fit(before, seen)) is not None
    ]
    taken: dict[int, int] = {}
    for _, number, place in sorted(fits, reverse=True):
        if -number not in taken and -place not in taken.values():
            taken[-number] = -place
    return taken


def _extended(before: Observation, after: Observation) -> Observation:
    """Merge two observations; box, score and frame are those of the higher score."""
    best = after if after.score > before.score else before
    return best.model_copy(update={"span": Span(start=before.span.start, end=max(before.span.end, after.span.end))})
