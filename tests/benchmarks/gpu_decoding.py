"""NVDEC against the CPU: the same frames, at the same times, and how many a second."""

import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from itertools import islice, takewhile, zip_longest
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
from report import Figures, real_data

from playhead.tools.media.container import decode, nvdec_error, open_media, video_stream_of
from playhead.tools.media.pictures import pixels_of
from playhead.tools.media.scanned_frames import ScannedFrame
from playhead.tools.media.skimming.skim import skim
from playhead.tools.media.timeline import timeline_of

if TYPE_CHECKING:
    import av

__all__ = ["measure"]

_HEVC_FRAMES = 600
_SECONDS = 100.0  # of each file
_PIXELS_OF_EACH = 25  # RGB is compared for one frame in this many, brightness for all


def measure() -> Figures:
    """Decoded frames a second, and what differs between the decoders."""
    error = nvdec_error()
    table = []
    with TemporaryDirectory(prefix="playhead-gpu-") as folder:
        for path in (real_data("real/code_tutorial.mp4"), real_data("real/aerial.mp4"), _hevc(Path(folder))):
            table += list(_rows(path, has_nvdec=not error))
    figures: dict[str, list[dict[str, Any]]] = {"Decoding": table}
    if error:
        figures["Not measured"] = [{"what": "NVDEC", "why": error}]
    return figures


def _rows(path: Path, *, has_nvdec: bool) -> Iterator[dict[str, Any]]:
    runs: list[tuple[str, bool, int | None]] = [("CPU", False, 1), ("CPU", False, None)]
    if has_nvdec:
        runs += [("NVDEC", True, 1), ("NVDEC", True, None)]
    compared = _compared(path) if has_nvdec else {}
    for name, on_gpu, cores in runs:
        with _cores(cores) as count:
            frames, seconds, cpu = _timed(lambda on_gpu=on_gpu: _decoded(path, on_gpu=on_gpu))  # type: ignore[misc]
            chosen, skimming, skimming_cpu = _timed(lambda on_gpu=on_gpu: _skimmed(path, on_gpu=on_gpu))  # type: ignore[misc]
        yield {
            **_about(path),
            "decoder": name,
            "cores": count,
            "frames": frames,
            "frames_a_second": round(frames / seconds, 1),
            "cpu_seconds": round(cpu, 1),
            "skim_frames": chosen,
            "skim_seconds": round(skimming, 2),
            "skim_cpu_seconds": round(skimming_cpu, 1),
            **(compared if on_gpu else {"same_times": None, "most_levels_apart": None, "rgb_apart": None, "same_skim": None}),
        }  # fmt: skip


def _compared(path: Path) -> dict[str, Any]:
    """Whether NVDEC gives the frames of the CPU: their times, their brightness, their colours, and what `skim` chooses."""
    same, apart, colours = True, 0, 0
    pairs = zip_longest(_decoded(path, on_gpu=False), _decoded(path, on_gpu=True))
    for number, (ours, theirs) in enumerate(pairs):
        if ours is None or theirs is None or ours.time != theirs.time:
            same = False
            break
        apart = max(apart, _apart(_luma(ours), _luma(theirs)))
        if number % _PIXELS_OF_EACH == 0:
            colours = max(colours, _apart(pixels_of(ours), pixels_of(theirs)))
    times = [[frame.seconds for frame in _skimmed(path, on_gpu=on_gpu)] for on_gpu in (False, True)]
    return {
        "same_times": "yes" if same else f"no, from frame {number} on",
        "most_levels_apart": apart,
        "rgb_apart": colours,
        "same_skim": "yes" if times[0] == times[1] else "no",
    }


def _decoded(path: Path, *, on_gpu: bool) -> "Iterator[av.VideoFrame]":
    with open_media(path, on_gpu=on_gpu) as container:
        frames = decode(container, video_stream_of(container, path, None), timeline_of(path))
        yield from takewhile(lambda frame: frame.time < _SECONDS, frames)


def _skimmed(path: Path, *, on_gpu: bool) -> Iterator[ScannedFrame]:
    return takewhile(lambda frame: frame.seconds < _SECONDS, skim(path, on_gpu=on_gpu))


def _luma(frame: "av.VideoFrame") -> Any:
    plane = frame.planes[0]
    return np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[: frame.height, : frame.width]


def _apart(one: Any, two: Any) -> int:
    return int(np.abs(one.astype(np.int16) - two.astype(np.int16)).max())


def _timed(frames: Any) -> tuple[int, float, float]:
    began, cpu = time.perf_counter(), time.process_time()
    count = _count(frames())
    return count, time.perf_counter() - began, time.process_time() - cpu


def _count(frames: Iterable[object]) -> int:
    count = 0
    for _ in frames:
        count += 1
    return count


@contextmanager
def _cores(count: int | None) -> Iterator[int]:
    """Use this number of CPU cores; None: all."""
    usual, threads = os.sched_getaffinity(0), os.environ.pop("OMP_NUM_THREADS", None)
    os.sched_setaffinity(0, set(sorted(usual)[:count]))
    if count is not None:
        os.environ["OMP_NUM_THREADS"] = str(count)
    try:
        yield count or len(usual)
    finally:
        os.sched_setaffinity(0, usual)
        os.environ.pop("OMP_NUM_THREADS", None)
        if threads is not None:
            os.environ["OMP_NUM_THREADS"] = threads


def _about(path: Path) -> dict[str, str]:
    with open_media(path) as container:
        stream = video_stream_of(container, path, None)
        return {"file": path.name, "codec": stream.codec_context.name, "size": f"{stream.width}×{stream.height}"}


def _hevc(folder: Path) -> Path:
    """The first 600 frames of the tutorial in HEVC, with B-frames and a keyframe every 120."""
    import av

    source, target = real_data("real/code_tutorial.mp4"), folder / "tutorial.hevc.mp4"
    with open_media(source) as container, av.open(str(target), "w") as out:
        film = video_stream_of(container, source, None)
        stream = out.add_stream("libx265", rate=Fraction(film.average_rate or 25))
        stream.width, stream.height, stream.pix_fmt = film.width, film.height, "yuv420p"
        stream.options = {"preset": "superfast", "crf": "26", "x265-params": "keyint=120:bframes=3:log-level=error"}
        for frame in islice(decode(container, film), _HEVC_FRAMES):
            for packet in stream.encode(frame.reformat(format="yuv420p")):
                out.mux(packet)
        for packet in stream.encode(None):
            out.mux(packet)
    return target
