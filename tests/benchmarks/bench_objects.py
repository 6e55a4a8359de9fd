"""How many spans of objects are still found, by how often one looks.

The first round of `footage.py`'s hour (five minutes). The truth are tracks (`index.joining.tracked`) of what the detector
finds in one frame a second, without a gate, from second 0 or from 0.5 on. A span is found if another run has one of the
same label that overlaps it. The two ungated runs tell how far runs that look at different frames agree at all: what both
have is there, what one alone has was seen in one frame, mostly.
"""

from collections.abc import Iterable, Sequence

from bench_indexing import local_settings, new_stills, one_a_second, overlapped
from footage import make_footage
from report import Figures, percent, real_data

from playhead.index.joining import tracked
from playhead.tools.objects import ObjectDetector
from playhead.tools.records import Observation, Still

_SAMPLES = (2.0, 1.0)


def measure() -> Figures:
    footage = make_footage(1)
    weights = str(real_data("models/yolov8n_int8.onnx"))
    detector = ObjectDetector(local_settings().model_copy(update={"objects_model": weights}))

    def looked(stills: Iterable[Still]) -> tuple[int, list[Observation]]:
        each = [detector.observe([still]) for still in stills]
        return len(each), tracked([seen for still in each for seen in still])

    gated = {f"a sample each {seconds:g} s": looked(new_stills(footage.path, seconds)) for seconds in _SAMPLES}
    ungated = [looked(one_a_second(footage, offset)) for offset in (0.0, 0.5)]
    rows = []
    for (_, truth), other in (ungated, ungated[::-1]):
        for name, (frames, ours) in {**gated, "the other, without a gate": other}.items():
            rows.append(_row(name, frames, truth, other[1], ours))
    return {"Spans of the run from second 0 on, then of that from 0.5 on": rows}


def _row(
    name: str, frames: int, truth: Sequence[Observation], other: Sequence[Observation], ours: Sequence[Observation]
) -> dict[str, str | float]:
    both = overlapped(truth, other)
    longer = [track for track in truth if track.span.duration >= 2]
    row: dict[str, str | float] = {"by": name, "frames_looked_at": frames}
    for what, spans in (("all", truth), ("both_have", both), ("two_seconds_and_more", longer)):
        row |= {what: len(spans), f"{what}_found_percent": percent(len(overlapped(spans, ours)) / len(spans))}
    return row
