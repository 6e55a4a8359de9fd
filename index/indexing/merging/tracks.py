"""Merge detections of successive segments into one observation: a line of text on a slide, a dog that runs."""

from collections.abc import Callable, Sequence

from ....tools.records import Box, Observation, Span

__all__ = ["MERGING", "merge_detections", "merge_same_text", "track_objects"]

# A line found again within this gap is the same observation: models miss a line in single frames.
_GAP_SECONDS = 0.5
_SAME_PLACE_IOU = 0.5
# A track continues over the gap of one missed sample (samples are 2 s apart: people walk), if the object moved by at
# most its own size.
_TRACK_GAP_SECONDS = 2.5
_TRACK_SIZES = 1.0
_TRACK_GROWTH = 2.0

# Everything that the merged observations depend on.
MERGING = (_GAP_SECONDS, _SAME_PLACE_IOU, _TRACK_GAP_SECONDS, _TRACK_SIZES, _TRACK_GROWTH)


def merge_detections(observations: Sequence[Observation], gap_seconds: float = _GAP_SECONDS) -> list[Observation]:
    """Merge the same text at the same place in successive segments into one observation.

    Args:
        observations: Segment by segment, in order.
        gap_seconds: Longest time in which it may be missing.
    """

    def fit(before: Box, after: Box) -> float | None:
        iou = before.iou(after)
        return iou if iou >= _SAME_PLACE_IOU else None

    return _linked(observations, gap_seconds, fit)


def track_objects(observations: Sequence[Observation]) -> list[Observation]:
    """Merge boxes of one label, near each other in successive segments, into one observation.

    Boxes are assigned to tracks greedily, the best fit first: by overlap, and without overlap by distance
    (SORT assigns by overlap alone; Bewley et al. 2016, section 3.3).

    Args:
        observations: Segment by segment, in order.
    """
    return _linked(observations, _TRACK_GAP_SECONDS, _nearness)


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
    observations: Sequence[Observation], gap_seconds: float, fit: Callable[[Box, Box], float | None]
) -> list[Observation]:
    """Chain observations of one text; each link is the best fit between a segment and the chains before it."""
    chains: list[Observation] = []
    places: list[Box | None] = []  # the last box of each chain
    open_by_text: dict[str, list[int]] = {}
    for segment in _segments(observations):
        by_text: dict[str, list[Observation]] = {}
        for seen in segment:
            by_text.setdefault(seen.text.casefold(), []).append(seen)
        for text, here in by_text.items():
            start = here[0].span.start
            rows = [row for row in open_by_text.get(text, ()) if start - chains[row].span.end <= gap_seconds]
            taken = _matched([places[row] for row in rows], here, fit)
            for number, seen in enumerate(here):
                row = rows[taken[number]] if number in taken else len(chains)
                if row == len(chains):
                    chains.append(seen)
                    places.append(seen.box)
                    rows.append(row)
                else:
                    chains[row], places[row] = _extended(chains[row], seen), seen.box
            open_by_text[text] = rows
    return sorted(chains, key=lambda o: (o.span.start, o.span.end))


def _segments(observations: Sequence[Observation]) -> list[list[Observation]]:
    segments: list[list[Observation]] = []
    for seen in observations:
        if segments and segments[-1][0].span == seen.span:
            segments[-1].append(seen)
        else:
            segments.append([seen])
    return segments


def _matched(
    places: Sequence[Box | None], here: Sequence[Observation], fit: Callable[[Box, Box], float | None]
) -> dict[int, int]:
    """Map observations to places by index, the best fits first."""
    fits = [
        (how_well, -number, -place)
        for place, before in enumerate(places)
        for number, seen in enumerate(here)
        if before is not None and seen.box is not None and (how_well := fit(before, seen.box)) is not None
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
