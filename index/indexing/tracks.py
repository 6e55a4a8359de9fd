"""What is seen in still after still as one observation: a line of text stays on its slide, a dog runs through a yard."""

from collections.abc import Callable, Sequence

from ...tools.records import Box, Observation, Span

__all__ = ["JOINING", "merge_detections", "tracked"]

# The same line seen again within this gap went on; models miss it for a frame now and then.
_GAP_SECONDS = 0.5
_SAME_PLACE_IOU = 0.5
# An object goes on within the gap that one missed sample leaves, and no farther from its place than its own size;
# a sample is 2 s after the one before, and people walk past the camera.
_TRACK_GAP_SECONDS = 2.5
_TRACK_SIZES = 1.0
_TRACK_GROWTH = 2.0

# All that the joining of observations depends on.
JOINING = (_GAP_SECONDS, _SAME_PLACE_IOU, _TRACK_GAP_SECONDS, _TRACK_SIZES, _TRACK_GROWTH)


def merge_detections(observations: Sequence[Observation]) -> list[Observation]:
    """The same text in the same place from still to still, as one observation over all of them.

    Args:
        observations: Segment by still, in order.
    """

    def fit(before: Box, after: Box) -> float | None:
        iou = before.iou(after)
        return iou if iou >= _SAME_PLACE_IOU else None

    return _linked(observations, _GAP_SECONDS, fit)


def tracked(observations: Sequence[Observation]) -> list[Observation]:
    """The same label near its last place from still to still, as one observation over all of them.

    Boxes of a still are given to the tracks of their label greedily, the best fit first: by overlap, and where
    there is none by distance (as SORT does with overlap alone; Bewley et al. 2016, section 3.3).

    Args:
        observations: Segment by still, in order.
    """
    return _linked(observations, _TRACK_GAP_SECONDS, _nearness)


def _nearness(before: Box, after: Box) -> float | None:
    """How well a box goes on as another: IoU above 0; else less the farther it went; None: it does not."""
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
    """Chains of observations of one text, each link the best fit of what a still shows to what went before."""
    chains: list[Observation] = []
    places: list[Box | None] = []  # where each chain was seen last
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
                    chains[row], places[row] = _prolonged(chains[row], seen), seen.box
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
    """For the numbers of observations the number of the place that they go on from, the best fits first."""
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


def _prolonged(before: Observation, after: Observation) -> Observation:
    """Both as one; place, score and frame are of where it was seen best."""
    best = after if after.score > before.score else before
    return best.model_copy(update={"span": Span(start=before.span.start, end=max(before.span.end, after.span.end))})
