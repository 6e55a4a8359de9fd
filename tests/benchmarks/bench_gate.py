"""How fast real videos are read for the near-duplicate gate, and how few of their frames it keeps.

Each video goes through `index.indexing.change_detection.segments` twice (one segment each 2 s while the picture moves):
with `tools.media.skimming.skim.skim`, as indexing does it, and with `tools.media.frames.scan`, which decodes and compares every
frame. The pixels of the keyframes are made, too. "Times real time" is the video's length divided by the wall time. "Edges"
are the starts of static segments, found by the scan; an edge is kept if the skim has exactly the same second.
"""

import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from report import Figures, Skipped, percent, real_data

from playhead.index.indexing.change_detection import segments
from playhead.tools.media.frames import probe, scan
from playhead.tools.media.scanned_frames import ScannedFrame
from playhead.tools.media.skimming.skim import skim
from playhead.tools.records import Segment
from playhead.tools.settings import Settings

_SUFFIXES = (".avi", ".mp4", ".webm")

_Row = dict[str, str | float | None]


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
    rows = [_row(path) for path in sorted(real_data("videos").iterdir()) if path.suffix in _SUFFIXES]
    if not rows:
        raise Skipped("there are no videos in the real data")
    return {"Frames read and segments found": [*map(_reported, rows), _reported(_together(rows))]}


def _row(path: Path) -> _Row:
    info = probe(path)
    assert info.video is not None
    row: _Row = {
        "video": path.name,
        "size": f"{info.video.width}×{info.video.height}",
        "video_seconds": info.duration,
    }
    kept: dict[str, list[Segment]] = {}
    for name, read in (("skim", skim), ("scan", scan)):
        frames = _Counted(read(path, info.video.index))
        began = time.perf_counter()
        kept[name] = list(segments(frames, Settings().sample_seconds, info.duration))
        row |= {
            f"{name}_seconds": time.perf_counter() - began,
            f"{name}_frames": frames.count,
            f"{name}_segments": len(kept[name]),
        }
    starts = {segment.span.start for segment in kept["skim"]}
    edges = [segment.span.start for segment in kept["scan"] if not segment.moves]
    return row | {"edges": len(edges), "edges_kept": sum(edge in starts for edge in edges)}


def _together(rows: list[_Row]) -> _Row:
    return {"video": "all", "size": ""} | {
        key: sum(row[key] for row in rows) for key in rows[0] if key not in ("video", "size")
    }


def _reported(row: _Row) -> _Row:
    seconds = row["video_seconds"]
    rates = {f"{name}_times_real_time": round(seconds / row[f"{name}_seconds"], 1) for name in ("skim", "scan")}
    rounded = {key: round(value, 2) if isinstance(value, float) else value for key, value in row.items()}
    return (
        rounded
        | rates
        | {
            "segments_a_minute": round(60 * row["skim_segments"] / seconds, 1),
            "edges_kept_percent": percent(row["edges_kept"] / row["edges"]) if row["edges"] else None,
        }
    )
