"""How fast an hour is read: FFmpeg's decoder alone compared with Playhead's decoding with change detection.

The hour is made by `footage.py`: slides, camera movement and film in equal parts, 720p30. FFmpeg is the command line of
imageio-ffmpeg and writes no picture. All are run in turn, three rounds, each in a process of its own: seconds are
medians, least and most; "times real time" is the video's length over the median of wall time, CPU seconds are of all
threads. How fast this machine is changes by a quarter from hour to hour: the ratio to FFmpeg changes less.
"""

import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

from footage import HOUR, make_footage
from report import Figures

_ROUNDS = 3


def measure() -> Figures:
    import imageio_ffmpeg

    hour = make_footage(HOUR)
    ffmpeg = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-nostdin"]
    null = ["-map", "0:v", "-f", "null", "-"]
    indexing = str(Path(__file__).with_name("bench_indexing.py"))
    commands = {
        "Playhead, decode and gate": [sys.executable, indexing, "gate", str(hour.path)],
        "FFmpeg, keyframes": [*ffmpeg, "-skip_frame", "nokey", "-i", str(hour.path), "-fps_mode", "passthrough", *null],
        "FFmpeg, all, one a second": [*ffmpeg, "-i", str(hour.path), "-vf", "fps=1", *null],
    }
    walls: dict[str, list[float]] = {name: [] for name in commands}
    cpus: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(_ROUNDS):
        for name, command in commands.items():
            began, before = time.perf_counter(), _cpu_of_children()
            subprocess.run(command, check=True, capture_output=True)
            walls[name].append(time.perf_counter() - began)
            cpus[name].append(_cpu_of_children() - before)
    ours = statistics.median(walls["Playhead, decode and gate"])
    return {
        "Reading an hour": [
            {
                "what": name,
                "seconds": round(statistics.median(wall), 1),
                "least": round(min(wall), 1),
                "most": round(max(wall), 1),
                "cpu_seconds": round(statistics.median(cpus[name]), 1),
                "times_real_time": round(hour.seconds / statistics.median(wall), 1),
                "times_as_long_as_playhead": round(statistics.median(wall) / ours, 2),
            }
            for name, wall in walls.items()
        ]
    }


def _cpu_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
