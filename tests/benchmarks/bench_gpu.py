"""What a CUDA GPU does: a video LLM, NVDEC and the encoders, each by Playhead's own code. Skipped without a CUDA device.

- The video LLM is a Qwen3-VL-8B made from its published sizes with RANDOM weights (bfloat16): its speed and memory are
  true, its words mean nothing. It is asked with the request that `compose` makes for an answer in claims: 20 lines of a
  real transcript and frames of a real 1080p video, at the sizes that 8,000 tokens of frames allow. 128 tokens are
  written; medians of three. In this process the first token's time is that of a request for one token.
- Decoding: real H.264 files and one transcoded to HEVC, read from start to end and skimmed, on one core and on all. Times
  and brightness of all frames are compared with the CPU's, and RGB of every 25th.
- Encoders: real sentences and frames. MiniLM, EfficientNet-Lite2 and EasyOCR have their real weights; SigLIP 2 and YOLO11
  have random ones, so only their speed counts. Rates are the better of two, the CPU's with all cores.

`PLAYHEAD_BENCH_GPU` names the parts to run, with commas: `language`, `decoding`, `encoders`; the others keep their figures.
"""

import importlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from report import Figures, Skipped

__all__ = ["measure"]

_PARTS = ("language", "decoding", "encoders")
_HERE = Path(__file__).resolve().parent


def measure() -> Figures:
    """The figures of all parts, each measured in a process of its own: its GPU memory is free afterwards."""
    try:
        import torch
    except ModuleNotFoundError as error:
        raise Skipped("torch is not installed") from error
    if not torch.cuda.is_available():
        raise Skipped("no CUDA device")
    properties = torch.cuda.get_device_properties(0)
    device = {
        "gpu": properties.name,
        "memory_gib": round(properties.total_memory / 2**30, 1),
        "cuda": torch.version.cuda,
        "torch": torch.__version__,
    }
    figures: dict[str, list[dict[str, Any]]] = {"Device": [device]}
    wanted = [part for part in os.environ.get("PLAYHEAD_BENCH_GPU", ",".join(_PARTS)).split(",") if part]
    kept = _HERE / "results" / "gpu.json"
    before = json.loads(kept.read_text(encoding="utf-8"))["figures"] if kept.exists() else {}
    for part in _PARTS:
        of_part = _run(part) if part in wanted else {}
        if not of_part:
            of_part = {name: rows for name, rows in before.items() if name.startswith(f"{part}: ")}
        figures |= of_part
    return figures


def _run(part: str) -> dict[str, list[dict[str, Any]]]:
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "figures.json"
        ended = subprocess.run([sys.executable, __file__, part, str(target)], check=False)
        found: dict[str, Any] = json.loads(target.read_text(encoding="utf-8")) if target.exists() else {}
        if ended.returncode:
            found["Not measured"] = [{"what": part, "why": f"it ended with code {ended.returncode}: see above"}]
    return {f"{part}: {name}": rows for name, rows in found.items()}


def _main(part: str, target: str) -> None:
    figures = importlib.import_module(f"gpu_{part}").measure()
    Path(target).write_text(json.dumps(figures), encoding="utf-8")


if __name__ == "__main__":
    _main(*sys.argv[1:])
