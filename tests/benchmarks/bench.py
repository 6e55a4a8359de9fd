"""Run the benchmarks, or those named: `python tests/benchmarks/bench.py [NAME…]`.

A benchmark is a file `bench_<name>.py` beside this one; its docstring says what it measures and how, its
`measure()` returns the figures. They are printed, and kept in `results/<name>.json`. A benchmark whose
real data, weights or packages are not here is skipped with the reason, and keeps the result it had.
"""

import argparse
import importlib
import os
import subprocess
import sys
import time
from pathlib import Path

from report import Skipped, keep, show

from playhead.tools.errors import MissingExtraError, WeightsError

_HERE = Path(__file__).resolve().parent


def main() -> None:
    """Run from the command line."""
    names = sorted(path.stem.removeprefix("bench_") for path in _HERE.glob("bench_*.py"))
    parser = argparse.ArgumentParser(description="Measure Playhead.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which benchmarks: {', '.join(names)}; default: all")
    wanted = parser.parse_args().names or names
    unknown = sorted(set(wanted) - set(names))
    if unknown:
        parser.error(f"no benchmark {', '.join(unknown)}: there are {', '.join(names)}")
    if len(wanted) == 1:
        _forget_user_settings()
        run(wanted[0])
        return
    for name in wanted:  # each in a process of its own: eSpeak and Whisper go on with the state they are in
        subprocess.run([sys.executable, __file__, name], check=True)


def run(name: str) -> None:
    """Run one benchmark, show what it measured and keep it."""
    began = time.perf_counter()
    try:
        module = importlib.import_module(f"bench_{name}")
        figures = module.measure()
    except (Skipped, WeightsError, MissingExtraError, ModuleNotFoundError) as reason:
        if isinstance(reason, ModuleNotFoundError) and (reason.name or "").startswith("playhead"):
            raise  # what is measured is broken
        print(f"{name}: skipped: {reason}\n", flush=True)
        return
    show(figures)
    path = keep(name, module.__doc__ or "", figures, time.perf_counter() - began)
    print(f"{name}: {time.perf_counter() - began:.0f} s, kept in {path.relative_to(_HERE)}\n", flush=True)


def _forget_user_settings() -> None:
    """No setting of whoever runs this counts, and no model hub is asked."""
    ours = [name for name in os.environ if name.startswith("PLAYHEAD_") and not name.startswith("PLAYHEAD_BENCH_")]
    for name in ours:
        del os.environ[name]
    os.environ["PLAYHEAD_SETTINGS_FILE"] = str(_HERE / "none.toml")
    os.environ["PLAYHEAD_OFFLINE"] = "1"


if __name__ == "__main__":
    main()
