"""How many spans of objects are still found, by how often one looks.

Minutes 5 to 15 of `footage.py`'s hour; what change detection does was chosen on the first five. The truth are tracks
(`index.indexing.merging.tracks.track_objects`) of what the detector finds in one frame a second, without a gate, from a whole second on or
from half a second on. A span is found if another run has one of the same label that overlaps it. How far runs that look
at different frames agree at all, the two runs without change detection show: what one alone has was seen in one frame, nearly always.
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from bench_indexing import local_settings, new_segments, one_a_second
from footage import HOUR, make_footage
from report import Figures, percent, real_data

from playhead.index.indexing.merging.tracks import track_objects
from playhead.tools.extractors.objects import ObjectDetector
from playhead.tools.records import Observation, Segment

_START, _END = 300, 900
_SAMPLES = (2.0, 1.0)
_SHIFTS = {"from 0.0 s on": 0.0, "from 0.5 s on": 0.5}


def measure() -> Figures:
    hour = make_footage(HOUR).path
    weights = str(real_data("models/yolov8n_int8.onnx"))
    detector = ObjectDetector(local_settings().model_copy(update={"objects_model": weights}))

    def looked(segments: Iterable[Segment]) -> tuple[int, list[Observation]]:
        each = [detector.observe([segment]) for segment in segments]
        return len(each), track_objects([seen for segment in each for seen in segment])

    gated = {f"a sample each {seconds:g} s": looked(_gated(hour, seconds)) for seconds in _SAMPLES}
    ungated = {name: looked(one_a_second(hour, _START + by, _END)) for name, by in _SHIFTS.items()}
    return {
        f"Spans of the ungated run {name}": [
            _row(by, frames, truth, other, ours)
            for by, (frames, ours) in {**gated, "the other ungated run": (other_frames, other)}.items()
        ]
        for (name, (_, truth)), (other_frames, other) in zip(ungated.items(), reversed(ungated.values()), strict=True)
    }


def _gated(path: Path, sample_seconds: float) -> Iterator[Segment]:
    for segment in new_segments(path, sample_seconds):
        if segment.span.start >= _END:
            return
        if segment.span.end > _START:
            yield segment


def _row(
    by: str, frames: int, truth: Sequence[Observation], other: Sequence[Observation], ours: Sequence[Observation]
) -> dict[str, str | float]:
    row: dict[str, str | float] = {"by": by, "frames_looked_at": frames}
    longer = [track for track in truth if track.span.duration >= 2]
    for what, spans in (("all", truth), ("both_have", _overlapped(truth, other)), ("two_seconds_and_more", longer)):
        row |= {what: len(spans), f"{what}_found_percent": percent(len(_overlapped(spans, ours)) / len(spans))}
    return row


def _overlapped(tracks: Sequence[Observation], by: Sequence[Observation]) -> list[Observation]:
    """The tracks that another of the same label overlaps."""
    return [track for track in tracks if any(o.text == track.text and o.span.overlap(track.span) for o in by)]
