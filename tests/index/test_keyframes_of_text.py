"""Which frames become keyframes where only text changes."""

import av
import numpy as np
import pytest

from playhead.index.indexing.build import index_files
from playhead.index.storage.local import LocalStorage
from playhead.tools.records import Box

from ..fakes import Reader, extractors, observation

WIDTH, HEIGHT = 640, 360
LEVELS = [20, 60, 200, 30, 220, 70, 180, 50]


class Counter(Reader):
    """Reads the brightness of a small block as a line of text of some height."""

    def __init__(self, rows: float) -> None:
        super().__init__(f"rows{rows}")
        self.box = Box(left=0.1, top=0.1, right=0.2, bottom=0.1 + rows / HEIGHT)

    def observe(self, segments):
        return [
            observation(
                f"level {int(s.frame.pixels[110:118, 110:118].mean()) // 10}", modality="text", span=s.span,
                source=self.source, box=self.box, frame_seconds=s.frame.seconds,
            )
            for s in segments
        ]  # fmt: skip


@pytest.fixture(scope="module")
def counting(tmp_path_factory):
    """A grey picture in which a block of 16 pixels changes each second, as a digit does."""
    folder = tmp_path_factory.mktemp("counting")
    with av.open(str(folder / "counting.mkv"), "w") as out:
        stream = out.add_stream("libx264", rate=10, options={"crf": "12", "g": "20"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for number in range(80):
            picture = np.full((HEIGHT, WIDTH, 3), 120, np.uint8)
            picture[106:122, 106:122] = LEVELS[number // 10]
            out.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        out.mux(stream.encode(None))
    return folder


@pytest.mark.parametrize(("rows", "expected"), [(40, [0, 1, 2, 3, 4, 5, 6, 7]), (10, [0, 5])])
def test_a_change_that_cannot_be_read_in_a_keyframe_gets_one_in_five_seconds(counting, tmp_path, rows, expected):
    """Rows in the frame; a keyframe has 0.8 times as many."""
    storage = LocalStorage(tmp_path / "library")
    (outcome,) = index_files(storage, [counting], extractors(reader=Counter(rows)), False, lambda *_: None)
    texts = [one for one in storage.table(outcome.record).observations if one.modality == "text"]
    assert [round(one.span.start) for one in texts] == list(range(8))
    assert [time // 1000 for time in storage.keyframe_times(outcome.record)] == expected
