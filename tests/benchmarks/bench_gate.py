"""How fast a video's frames are read, and how few of them the near-duplicate gate keeps.

Every frame of each real video goes through `tools.video.scan` and `index.scenes.stills` (a still each 2 s while
the picture moves); the stills' pixels are made, as indexing does. "Times real time" is the video's length over
the time that took.
"""

import time
from collections.abc import Iterable, Iterator

from report import Figures, Skipped, real_data

from playhead.index.scenes import stills
from playhead.tools.settings import Settings
from playhead.tools.video import ScannedFrame, probe, scan

_SUFFIXES = (".avi", ".mp4", ".webm")


class _Counted:
    """Passes frames on and counts them."""

    def __init__(self, frames: Iterable[ScannedFrame]) -> None:
        self._frames = frames
        self.count = 0

    def __iter__(self) -> Iterator[ScannedFrame]:
        for frame in self._frames:
            self.count += 1
            yield frame


def measure() -> Figures:
    settings = Settings()
    rows = []
    for path in sorted(real_data("videos").iterdir()):
        if path.suffix not in _SUFFIXES:
            continue
        info = probe(path)
        assert info.video is not None
        frames = _Counted(scan(path, info.video.index, settings.decoder))
        began = time.perf_counter()
        chosen = sum(1 for _ in stills(frames, settings.sample_seconds))
        took = time.perf_counter() - began
        rows.append(
            _row(path.name, f"{info.video.width}×{info.video.height}", info.duration, frames.count, chosen, took)
        )
    if not rows:
        raise Skipped("there are no videos in the real data")
    totals = [sum(row[key] for row in rows) for key in ("video_seconds", "frames", "stills", "seconds")]
    return {"Frames read and stills chosen": [*rows, _row("all", "", *totals)]}


def _row(name: str, size: str, duration: float, frames: int, chosen: int, took: float) -> dict:
    return {
        "video": name,
        "size": size,
        "video_seconds": round(duration, 2),
        "frames": frames,
        "seconds": round(took, 2),
        "frames_a_second": round(frames / took, 1),
        "times_real_time": round(duration / took, 1),
        "stills": chosen,
        "stills_a_minute": round(60 * chosen / duration, 1),
    }
