"""The same video through the package saccade-video (MIT), for the part that it and Playhead both do: speech and frames.

Both decode the same file on the same cores, find speech with Silero's detector, transcribe it with the same folder of
Whisper base weights (CTranslate2, int8) through faster-whisper, choose frames and write them and an index. Saccade
then has a full-text index; it reads no text in the picture, finds no objects and embeds nothing. Compared with it is
Playhead with a reader that reads nothing: with `ocr`, `objects_model` and `image_model` all off it chooses no frames.

Two ways to run it: as it comes, Whisper decodes greedily and without the times of words; `same_decoding` asks for what
Playhead does, five beams and the times of words. Frames are as it chooses by itself (`--visual auto`): of what is
decoded, all but the frames that no other one refers to, one a second is compared at 64×36 pixels.

Saccade goes into an environment of its own, so that its dependencies change none of Playhead's; `SACCADE_PYTHON` names
the Python there:

    python -m venv ~/saccade && ~/saccade/bin/pip install saccade-video==0.1.0
    SACCADE_PYTHON=~/saccade/bin/python make bench ONLY=indexing
"""

import json
import os
import resource
import subprocess
import tempfile
import time
from pathlib import Path

from playhead.tools.weights import find

__all__ = ["saccade_row"]

_VARIABLE = "SACCADE_PYTHON"

# `saccade index`, then a line of its own: the version and the peak in KiB. Not `ru_maxrss`: Linux lets that begin with
# the peak of the process that started this one.
_RUN = """
import importlib.metadata, json, pathlib, sys
from saccade.cli import main
code = main(sys.argv[1:])
status = pathlib.Path("/proc/self/status")
lines = status.read_text().splitlines() if status.exists() else []
peak = next((int(line.split()[1]) for line in lines if line.startswith("VmHWM:")), None)
print(json.dumps([importlib.metadata.version("saccade-video"), peak]))
raise SystemExit(code)
"""


def saccade_row(path: Path, *, same_decoding: bool = False) -> dict[str, str | float | None] | None:
    """What saccade-video takes for a video, from start of the process to committed index, and what it makes.

    Args:
        path: The video.
        same_decoding: Transcribe as Playhead does: five beams, times of words.

    Returns:
        Wall and CPU seconds (of all threads), times real time, peak memory and size of the index in MB, seconds within
        Whisper, numbers of segments of speech and of frames; None if `SACCADE_PYTHON` is not set.

    Raises:
        WeightsError: Whisper base is not here.
        RuntimeError: It failed.
    """
    python = os.environ.get(_VARIABLE)
    if not python:
        return None
    model = find("whisper-base", "speech_model", offline=True).path
    cores = str(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
    # Of a profile the model is replaced: what is left is the number of beams, 1 or 5.
    decoding = ["--profile", "accurate", "--word-timestamps"] if same_decoding else ["--profile", "fast"]
    with tempfile.TemporaryDirectory() as folder:
        options = [*decoding, "--model", str(model), "--device", "cpu", "--threads", cores, "--offline", "--json"]
        began, before = time.perf_counter(), _cpu_of_children()
        done = subprocess.run(
            [Path(python).expanduser(), "-c", _RUN, "--quiet", "--cache-dir", folder, "index", str(path), *options],
            capture_output=True,
            text=True,
            env=os.environ | {"OMP_NUM_THREADS": cores, "HF_HUB_OFFLINE": "1"},
        )
        took, cpu = time.perf_counter() - began, _cpu_of_children() - before
        size = sum(file.stat().st_size for file in Path(folder).rglob("*") if file.is_file())
    if done.returncode != 0:
        message = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise RuntimeError(
            f"{_VARIABLE}={python!r}: saccade could not index {path} ({message}): is it installed there?"
        )
    *summary, last = done.stdout.splitlines()
    made = json.loads("\n".join(summary))
    version, peak = json.loads(last)
    if made["status"] != "complete":
        raise RuntimeError(f"saccade {version} left {path} {made['status']}: its row would not be of the whole video")
    return {
        "what": f"saccade {version}, {'five beams, word times' if same_decoding else 'as it comes'}",
        "seconds": round(took, 1),
        "cpu_seconds": round(cpu, 1),
        "times_real_time": round(made["duration"] / took, 1),
        "times_real_time_a_core": round(made["duration"] / cpu, 1),
        "peak_mb": None if peak is None else round(peak * 1024 / 1e6),
        "index_mb": round(size / 1e6, 2),
        "speech_seconds": round(made["transcription_seconds"], 1),
        "speech": made["segments"],
        "frames": made["frames"],
    }


def _cpu_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
