"""What indexing an hour costs, and what change detection loses.

The hour is made by `footage.py`: slides with 20 minutes of speech, camera movement and film in equal parts, 720p30.
"Times real time" is the video's length over the wall time; CPU seconds are of all threads. Each run has a process
of its own, so that its peak memory is its own.

- Indexing: profile `offline` (Whisper base, RapidOCR, MiniLM) without objects and pictures, decode to committed index.
- Speech and frames: the part that saccade-video does, too (`saccade_baseline.py`); Playhead's reader reads nothing here.
- Going on: the small footage is indexed, killed (`kill -9`) after 0.7 of the time that takes, and indexed again.
- Memory: change detection without models over five minutes, and over the hour four times (joined without encoding again).
- Against the ungated run, the slides of the first round: one frame a second, each read. A line of a slide is found if
  an observation reads the same but for spaces and case while it is shown; the share is of the lines that the ungated
  run found. Edges are of the static segments when every frame is decoded; they are kept if change detection has the very
  same second. Objects have a benchmark of their own (`bench_objects.py`).
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from footage import FPS, HOUR, PART_SECONDS, Footage, Line, make_footage
from report import Figures, percent
from saccade_baseline import saccade_row

from playhead.index.indexing.build import index_files
from playhead.index.indexing.change_detection import RecentSegments, segments
from playhead.index.indexing.extractor_set import Extractors
from playhead.index.indexing.merging.tracks import merge_detections
from playhead.index.records import VideoRecord
from playhead.index.storage.local import LocalStorage
from playhead.tools.extractors.reading.ocr import text_reader
from playhead.tools.media.frames import frames_at, probe, scan
from playhead.tools.media.skimming.skim import skim
from playhead.tools.records import Observation, Segment, Span
from playhead.tools.settings import Settings, cache_folder

_BATCH = 8
_KILLED_AT = 0.7

_Row = dict[str, str | float | None]


def measure() -> Figures:
    small, hour = make_footage(1), make_footage(HOUR)
    return {
        "Indexing": [_indexed("index", footage) for footage in (small, hour)],
        "Speech and frames of an hour": _against_saccade(hour),
        "Going on after kill -9": _resumed(small),
        "Memory of change detection": [{"length": name, **run("gate", path)} for name, path in lengths(small, hour)],
        "Against one frame a second without a gate": _against_ungated(small),
        "Edges of static segments, against every frame": _edges(small),
    }


def _indexed(what: str, footage: Footage) -> _Row:
    began, before = time.perf_counter(), _cpu_of_children()
    measured = run(what, footage.path)
    took = time.perf_counter() - began
    row = _times(f"{footage.seconds / 60:.0f} minutes", footage.seconds, took, _cpu_of_children() - before)
    return row | measured | {"index_mb_an_hour": round(float(measured["index_mb"]) * 3600 / footage.seconds, 1)}


def _against_saccade(hour: Footage) -> list[_Row]:
    rows = [saccade_row(hour.path, same_decoding=same) for same in (False, True)]
    ours = _indexed("listen", hour)
    made = [row for row in rows if row is not None]
    if not made:
        return [{"what": "saccade-video is not installed: see saccade_baseline.py"}, ours]
    return [*made, {key: ours.get(key) for key in made[0]} | {"what": "Playhead, speech and frames"}]


def _resumed(footage: Footage) -> list[_Row]:
    with tempfile.TemporaryDirectory() as folder:
        whole, killed = Path(folder) / "whole", Path(folder) / "killed"
        undisturbed = _taken(footage, whole)
        with subprocess.Popen(_command(footage, killed)) as process:
            time.sleep(_KILLED_AT * undisturbed)
            process.kill()
        again = _taken(footage, killed)
        return [
            {"what": "undisturbed", "seconds": round(undisturbed, 1)},
            {"what": "until it was killed", "seconds": round(_KILLED_AT * undisturbed, 1)},
            {"what": "the run after that", "seconds": round(again, 1), "same_bytes": _stored(whole) == _stored(killed)},
        ]


def _taken(footage: Footage, library: Path) -> float:
    began = time.perf_counter()
    subprocess.run(_command(footage, library), check=True)
    return time.perf_counter() - began


def _command(footage: Footage, library: Path) -> list[str]:
    return [sys.executable, __file__, "into", str(footage.path), str(library)]


def _stored(library: Path) -> dict[str, bytes]:
    """All files of the videos but their records, which know when they were made."""
    videos = library / "videos"
    files = (path for path in videos.rglob("*") if path.is_file() and path.name != "video.json")
    return {str(path.relative_to(videos)): path.read_bytes() for path in files}


def lengths(small: Footage, hour: Footage) -> Iterable[tuple[str, Path]]:
    """The small footage, and the hour four times."""
    import imageio_ffmpeg

    yield "5 minutes", small.path
    with tempfile.TemporaryDirectory(dir=cache_folder() / "benchmarks") as folder:
        listed, four = Path(folder) / "list.txt", Path(folder) / "four.mkv"
        listed.write_text(f"file '{hour.path}'\n" * 4, encoding="utf-8")
        command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-nostdin", "-f", "concat", "-safe", "0"]
        subprocess.run([*command, "-i", str(listed), "-c", "copy", str(four)], check=True)
        yield "4 hours", four


def _against_ungated(footage: Footage) -> list[_Row]:
    reader = text_reader(local_settings())
    gated: list[Observation] = []
    chosen = list(new_segments(footage.path))
    for first in range(0, len(chosen), _BATCH):
        gated += reader.observe(chosen[first : first + _BATCH])
    ungated = [seen for segment in one_a_second(footage.path, 0, PART_SECONDS) for seen in reader.observe([segment])]
    lines = [line for line in footage.lines if _is_read(line, ungated)]
    return [
        _found("lines of slides", len(lines), _count(lines, gated)),
        _found("lines of slides that were made", len(footage.lines), _count(footage.lines, gated)),
        _found("the same, by the ungated run", len(footage.lines), _count(footage.lines, merge_detections(ungated))),
    ]


def one_a_second(path: Path, start: float, end: float) -> Iterator[Segment]:
    """A frame each second of a stretch of a video, from its start on."""
    seconds = [start + n for n in range(int(end - start))]
    for second, frame in zip(seconds, frames_at(path, seconds), strict=True):
        yield Segment(Span(start=second, end=second + 1), frame)


def _edges(footage: Footage) -> list[_Row]:
    duration = probe(footage.path).duration
    every = [segment for segment in segments(scan(footage.path), 2.0, duration) if not segment.moves]
    gated = {round(segment.span.start * FPS) for segment in segments(skim(footage.path), 2.0, duration)}
    slides = [segment for segment in every if segment.span.start < PART_SECONDS]
    film = [segment for segment in every if segment.span.start >= PART_SECONDS]
    return [
        _found(name, len(those), sum(round(segment.span.start * FPS) in gated for segment in those))
        for name, those in (("slides", slides), ("segments within camera movement and film", film))
    ]


def _found(what: str, there: int, found: int) -> _Row:
    return {"what": what, "there": there, "found": found, "percent": percent(found / there) if there else None}


def _count(lines: Sequence[Line], texts: Sequence[Observation]) -> int:
    return sum(_is_read(line, texts) for line in lines)


def _is_read(line: Line, texts: Sequence[Observation]) -> bool:
    return any(
        _plain(seen.text) == _plain(line.text) and seen.span.start < line.end and seen.span.end > line.start
        for seen in texts
    )


def _plain(text: str) -> str:
    return "".join(text.split()).casefold()


def new_segments(path: Path, sample_seconds: float = 2.0) -> Iterator[Segment]:
    """What the models look at."""
    recent = RecentSegments()
    gated = segments(skim(path, None, sample_seconds), sample_seconds, probe(path).duration)
    return (segment for segment in gated if recent.same_as(segment) is None)


def _times(name: str, seconds: float, took: float, cpu: float) -> _Row:
    return {
        "what": name,
        "seconds": round(took, 1),
        "cpu_seconds": round(cpu, 1),
        "times_real_time": round(seconds / took, 1),
        "times_real_time_a_core": round(seconds / cpu, 1),
    }


def _cpu_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def local_settings() -> Settings:
    """Profile `local` without objects and pictures."""
    return Settings(offline=True, device="cpu", objects_model="off", image_model="off", sidecars=False)


def run(what: str, path: Path) -> _Row:
    """What a separate process reports that detects changes, indexes or transcribes."""
    done = subprocess.run([sys.executable, __file__, what, str(path)], check=True, capture_output=True, text=True)
    measured: _Row = json.loads(done.stdout.splitlines()[-1])
    return measured


def _gate(path: Path) -> _Row:
    """In a process of its own."""
    began = time.perf_counter()
    duration = probe(path).duration
    count = sum(1 for _ in segments(skim(path), 2.0, duration))
    return {
        "segments": count,
        "times_real_time": round(duration / (time.perf_counter() - began), 1),
        "peak_mb": _peak(),
    }


def _index(path: Path) -> _Row:
    """In a process of its own."""
    return _measured(path, Extractors.gather(local_settings()))


def _listen(path: Path) -> _Row:
    """In a process of its own."""
    extractors = Extractors.gather(local_settings())
    return _measured(path, replace(extractors, by_modality={**extractors.by_modality, "text": _Nothing()}))


def _measured(path: Path, extractors: Extractors) -> _Row:
    with tempfile.TemporaryDirectory() as folder:
        record = _into(Path(folder) / "library", path, extractors)
        files = [file for file in Path(folder).rglob("*") if file.is_file()]
        stages = {name: record.stage(name) for name in ("speech", "text")}
        return {
            "index_mb": round(sum(file.stat().st_size for file in files) / 1e6, 2),
            "peak_mb": _peak(),
            **{f"{name}_seconds": round(stage.seconds, 1) for name, stage in stages.items()},
            **{name: int(stage.detail.split()[0]) for name, stage in stages.items()},
            "frames": sum(file.suffix == ".webp" for file in files),
        }


def _into(library: Path, path: Path, extractors: Extractors) -> VideoRecord:
    (outcome,) = index_files(LocalStorage(library), [path], extractors, False, lambda *_: None)
    if outcome.record is None or outcome.has_failed:
        raise RuntimeError(f"{path} could not be indexed: {outcome.detail}")
    return outcome.record


class _Nothing:
    """A reader that reads nothing: frames are chosen all the same."""

    source = "nothing@1"

    def observe(self, segments: Sequence[Segment]) -> list[Observation]:
        return []


def _peak() -> int:
    """Megabytes. Not `ru_maxrss`: Linux lets that begin with the peak of the process that started this one."""
    status = Path("/proc/self/status").read_text().splitlines()
    return round(next(int(line.split()[1]) for line in status if line.startswith("VmHWM:")) * 1024 / 1e6)


if __name__ == "__main__":
    os.environ["PLAYHEAD_OFFLINE"] = "1"
    what, video, *library = sys.argv[1:]
    if what == "into":
        _into(Path(library[0]), Path(video), Extractors.gather(local_settings()))
    else:
        print(json.dumps({"gate": _gate, "index": _index, "listen": _listen}[what](Path(video))))
