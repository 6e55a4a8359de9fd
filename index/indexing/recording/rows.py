"""The rows of a live recording: observations at their seconds in the part, and which of them go on in the next segment."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ....tools.extractors.registry import spec_of
from ....tools.records import Observation, Span

__all__ = ["Row", "continues", "shifted", "stacked"]

# Pictures with a higher cosine are one picture that continues in the next segment.
_SAME_PICTURE = 0.98


@dataclass(frozen=True)
class Row:
    """An observation and its vector; None: it was not embedded."""

    observation: Observation
    vector: npt.NDArray[np.float16] | None


def shifted(one: Observation, offset: float, until: float) -> Observation:
    """An observation at its seconds in the part, cut at a second after its start."""
    words = tuple(
        word.model_copy(update={"start": word.start + offset, "end": word.end + offset}) for word in one.words
    )
    start, end = one.span.start + offset, one.span.end + offset
    span = Span(start=start, end=min(end, until) if until > start else end)
    at = None if one.frame_seconds is None else one.frame_seconds + offset
    return one.model_copy(update={"span": span, "words": words, "frame_seconds": at})


def continues(before: Row, row: Row) -> bool:
    """Whether a row shows what the row before it showed: the same line or label there, or the same picture."""
    one, other = before.observation, row.observation
    if one.modality != other.modality or spec_of(one.modality).reads != "frames":
        return False
    if spec_of(one.modality).own_vectors:
        if before.vector is None or row.vector is None:
            return False
        return float(before.vector.astype(np.float32) @ row.vector.astype(np.float32)) >= _SAME_PICTURE
    is_there = one.box is None or other.box is None or one.box.iou(other.box) > 0.5
    return one.text == other.text and is_there


def stacked(vectors: Sequence[npt.NDArray[np.float16] | None]) -> npt.NDArray[np.float16]:
    """All vectors as one array; a row of zeros where one is missing."""
    size = next((len(one) for one in vectors if one is not None), 0)
    if not size:
        return np.zeros((0, 0), np.float16)
    return np.stack([np.zeros(size, np.float16) if one is None else one for one in vectors])
