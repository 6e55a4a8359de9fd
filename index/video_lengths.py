"""The length of a video as evidence, so that an answer can cite it: a fact of the video's record, not an observation.

It is made when it is asked for and stored nowhere else, so a library of any age has it. No search returns it.
"""

from collections.abc import Mapping

from ..tools.records import clock
from .records import VideoRecord
from .retrieval.search_index.rows import Row, evidence_id_of

__all__ = ["LENGTH", "length_id", "length_row"]

LENGTH = "length"


def length_id(video_id: str) -> str:
    """Return the evidence id of a video's length."""
    return evidence_id_of(video_id, LENGTH)


def length_row(evidence_id: str, records: Mapping[str, VideoRecord]) -> Row | None:
    """Return the length with an evidence id: it spans the whole video, and its text is a clock time such as `01:02:05.0`.

    Args:
        evidence_id: From `length_id`.
        records: The videos by id.

    Returns:
        None if this is no id of a length, or the video is not there or has no length.
    """
    prefix, _, what = evidence_id.partition("-")
    if what != LENGTH or not prefix:
        return None
    record = next((one for video_id, one in records.items() if video_id.startswith(prefix)), None)
    if record is None or record.duration <= 0:
        return None
    return Row(
        row=0,
        video_id=record.video_id,
        modality=LENGTH,
        start=0.0,
        end=record.duration,
        text=clock(record.duration),
        source="record",
        box=None,
        words=(),
        frame_seconds=None,
        stream=None,
        evidence_id=evidence_id,
    )
