"""What is seen in still after still as one observation: a line of text stays on its slide, a dog in its yard."""

from collections.abc import Sequence

from ..tools.records import Observation, Span

__all__ = ["joined"]

# The same thing seen again within this gap went on; models miss it for a frame now and then.
_GAP_SECONDS = 0.5
_SAME_PLACE_IOU = 0.5


def joined(observations: Sequence[Observation]) -> list[Observation]:
    """The same text or label in the same place from still to still, as one observation over all of them."""
    done: list[Observation] = []
    open_by_text: dict[str, list[int]] = {}
    for seen in observations:
        key = seen.text.casefold()
        rows = [row for row in open_by_text.get(key, []) if seen.span.start - done[row].span.end <= _GAP_SECONDS]
        same = next((row for row in rows if _goes_on(done[row], seen)), None)
        if same is None:
            done.append(seen)
            rows.append(len(done) - 1)
        else:
            done[same] = _prolonged(done[same], seen)
        open_by_text[key] = rows
    return sorted(done, key=lambda o: (o.span.start, o.span.end))


def _goes_on(before: Observation, after: Observation) -> bool:
    return (
        before.box is not None
        and after.box is not None
        and before.span.end <= after.span.start
        and before.box.iou(after.box) >= _SAME_PLACE_IOU
    )


def _prolonged(before: Observation, after: Observation) -> Observation:
    """Both as one; place, score and frame are of where it was seen best."""
    best = after if after.score > before.score else before
    return best.model_copy(update={"span": Span(start=before.span.start, end=after.span.end)})
