"""How soon a stream can be searched: seconds from when a second of it arrives until a search finds it.

The narrated slide talk of `narrated.py` is encoded once as 720p at 25 frames a second with a keyframe every two seconds, and
sent in real time, again and again on one clock, as MPEG-TS into `playhead live -` in a process of its own (profile `offline`
without objects; speech, text in the picture, pictures). PLAYHEAD_BENCH_MINUTES sets its length (default 3). The first 30 s,
in which models load, are measured apart. Memory is resident memory of the process; the slope is of its second half.
"""

import itertools
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from narrated_talks import TALKS
from report import Figures

_FPS, _SIZE, _GOP = 25, (1280, 720), 50
_WARM_SECONDS = 30.0


def measure() -> Figures:
    minutes = float(os.environ.get("PLAYHEAD_BENCH_MINUTES", "3"))
    with tempfile.TemporaryDirectory(prefix="playhead-bench-") as work:
        clip = _encoded(_film(Path(work) / "talk.mp4"), Path(work) / "clip.ts")
        costs = _costs(clip, Path(work) / "costs")
        steps, memory, cpu, rows = _run(clip, Path(work) / "videos", 60 * minutes)
    warm = [step for step in steps if step["at"] >= _WARM_SECONDS]
    tail = memory[len(memory) // 2 :]
    slope = float(np.polyfit([at / 60 for at, _ in tail], [mb for _, mb in tail], 1)[0]) if len(tail) > 2 else None
    return {
        "CPU seconds of a segment of four seconds": [costs],
        "Live": [
            {
                "minutes": minutes,
                "load_average": round(os.getloadavg()[0], 1),
                **_lags("", warm),
                **_lags("first_30_s_", [step for step in steps if step not in warm]),
                "segments": len(steps),
                "sound_only": sum(step["extracted"] == "sound" for step in steps),
                "not_extracted": sum(step["extracted"] == "nothing" for step in steps),
                "cpu_share_of_stream": round(cpu / (60 * minutes), 2),
                "memory_mb_peak": round(max((mb for _, mb in memory), default=0.0)),
                "memory_mb_a_minute": None if slope is None else round(slope, 2),
                "rows": rows,
            }
        ],
    }


def _film(path: Path) -> Path:
    sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "examples"))
    from make_sample import Voice, plan, write_film

    voice = Voice()
    write_film(path, plan(TALKS[0].scenes, voice), voice.rate)
    return path


def _costs(clip: Path, folder: Path) -> dict[str, float]:
    """CPU seconds of this process for each of 12 segments: extraction and commit, and publishing."""
    from playhead import Settings
    from playhead.index.indexing.extractor_set import Extractors
    from playhead.index.indexing.recording.parts import RecordedPart
    from playhead.index.recordings import part_metadata
    from playhead.index.retrieval.search_index.publishing import Publisher
    from playhead.index.storage.local import LocalStorage
    from playhead.tools.media.live import LiveSource, live_segments

    storage = LocalStorage(folder / ".playhead")
    storage.create()
    gathered = Extractors.gather(Settings(offline=True, language="en", objects_model="off"))
    part = RecordedPart(storage, gathered, folder / "part.ts", part_metadata("bench", 0, 0.0, time.time()))
    publisher, added, published = Publisher(storage), [], []
    source = LiveSource(str(clip), 4.0, 300.0, 0.1)
    for segment in itertools.islice(live_segments(source, folder, threading.Event()), 12):
        part.growing.write_bytes(segment.path.read_bytes())
        began = time.process_time()
        record = part.add(segment, "all")
        committed = time.process_time()
        publisher.publish({record.video_id})
        added.append(committed - began)
        published.append(time.process_time() - committed)
    warm = sorted(added[1:])
    return {
        "first_with_loading": round(added[0], 2),
        "p50": round(float(np.percentile(warm, 50)), 2),
        "most": round(warm[-1], 2),
        "publishing_p50": round(float(np.percentile(published, 50)), 3),
    }


def _lags(prefix: str, steps: Sequence[dict[str, Any]]) -> dict[str, float | None]:
    """Percentiles over the seconds of the stream: a second waits for the end of its segment, then for the models."""
    lags = [
        step["lag"] + step["end"] - second for step in steps for second in np.arange(step["start"], step["end"], 0.5)
    ]
    if not lags:
        return {f"{prefix}p50": None, f"{prefix}p95": None}
    return {f"{prefix}p{share}": round(float(np.percentile(lags, share)), 1) for share in (50, 95)}


def _run(clip: Path, folder: Path, seconds: float) -> tuple[list[dict], list[tuple[float, float]], float, int]:
    """The steps of a recording, its memory over time (s, MB), its CPU seconds, and the number of its observations."""
    code = "import sys; from playhead.agent.cli.main import main; sys.argv = ['playhead', *sys.argv[1:]]; main()"
    options = ["--json", "--offline", "--language", "en", "--part", "60", "--set", "objects_model=off"]
    command = [sys.executable, "-c", code, "live", "-", "--library", str(folder / ".playhead"), *options]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=False)
    assert process.stdin
    assert process.stdout
    feeding = threading.Thread(target=_feed, args=(clip, process.stdin, seconds), daemon=True)
    began, steps, memory = time.monotonic(), [], []
    cpu = [0.0]

    def sample() -> None:
        while process.poll() is None:
            try:
                pages = int(Path(f"/proc/{process.pid}/statm").read_text().split()[1])
                fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
                cpu[0] = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
            except OSError:
                return
            memory.append((time.monotonic() - began, pages * os.sysconf("SC_PAGE_SIZE") / 1e6))
            time.sleep(2)

    sampling = threading.Thread(target=sample, daemon=True)
    feeding.start()
    sampling.start()
    for line in process.stdout:
        step = json.loads(line)
        if "extracted" in step:
            steps.append(step | {"at": time.monotonic() - began})
    process.wait()
    from playhead import Library

    with Library(folder) as library:
        rows = sum(len(library.observed(record.video_id)[1]) for record in library.videos())
    return steps, memory, cpu[0], rows


def _encoded(film: Path, target: Path) -> Path:
    """The film as 720p25 in MPEG-TS; a keyframe every two seconds."""
    with av.open(str(film)) as source, av.open(str(target), "w", format="mpegts") as out:
        options = {"g": str(_GOP), "bf": "0", "preset": "ultrafast", "crf": "23"}
        pictures = out.add_stream("libx264", rate=_FPS, options=options)
        pictures.width, pictures.height = _SIZE
        pictures.pix_fmt = "yuv420p"
        sound = out.add_stream("aac", rate=48_000, layout="mono")
        resampler = av.AudioResampler("fltp", "mono", 48_000)
        number, shown = 0, None
        for frame in source.decode(source.streams.video[0], source.streams.audio[0]):
            if isinstance(frame, av.AudioFrame):
                for part in resampler.resample(frame):
                    out.mux(sound.encode(part))
                continue
            while shown is not None and number / _FPS < frame.time:
                shown.pts, shown.time_base = number, Fraction(1, _FPS)
                out.mux(pictures.encode(shown))
                number += 1
            shown = frame.reformat(*_SIZE, format="yuv420p")
        for one in (pictures, sound):
            out.mux(one.encode(None))
    return target


def _feed(clip: Path, pipe: Any, seconds: float) -> None:
    """Send the clip again and again in real time, on one clock."""

    class Pipe:
        def write(self, data: bytes) -> int:
            pipe.write(data)
            pipe.flush()
            return len(data)

    began, base, at = time.monotonic(), 0.0, 0.0
    try:
        with av.open(Pipe(), "w", format="mpegts", options={"flush_packets": "1"}) as out:
            streams: dict[int, Any] = {}
            while at < seconds:
                with av.open(str(clip)) as source:
                    streams = streams or {one.index: out.add_stream_from_template(one) for one in source.streams}
                    zero, end = source.start_time / 1e6, base
                    for packet in source.demux():
                        if packet.dts is None:
                            continue
                        at = base + float(packet.dts * packet.time_base) - zero
                        if at >= seconds:
                            break
                        if (ahead := at - (time.monotonic() - began)) > 0:
                            time.sleep(ahead)
                        end = max(end, at + float((packet.duration or 0) * packet.time_base))
                        ticks = round((base - zero) / packet.time_base)
                        packet.pts, packet.dts = packet.pts + ticks, packet.dts + ticks
                        packet.stream = streams[packet.stream.index]
                        out.mux(packet)
                    base = end
    finally:
        pipe.close()
