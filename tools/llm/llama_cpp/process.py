"""The process that runs llama.cpp's server: `python -m playhead.tools.llm.llama_cpp.process`, started by `runtime`.

Reads one JSON object from standard input (`Launch`), loads the model, and writes the state file once it listens. It ends
after the idle time without a request, when the state file is removed, or on SIGTERM.
"""

import json
import os
import signal
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any, NamedTuple

__all__ = ["Launch", "main"]

_TICK_SECONDS = 1.0


class Launch(NamedTuple):
    """The parameters of the process."""

    model: str
    mmproj: str | None
    context: int
    threads: int
    token: str
    state_file: str
    idle_seconds: float


def main() -> None:
    """Load the model, serve it, and exit when idle."""
    launch = Launch(**json.loads(sys.stdin.read()))
    state_file = Path(launch.state_file)
    signal.signal(signal.SIGTERM, lambda *_: _leave(state_file))
    address = _served(launch)
    _write_atomically(state_file, {"pid": os.getpid(), "url": address, "token": launch.token, "model": launch.model})
    while True:
        time.sleep(_TICK_SECONDS)
        try:
            idle = time.time() - state_file.stat().st_mtime
        except FileNotFoundError:
            _leave(None)
        if idle > launch.idle_seconds and not _is_busy(address, launch.token):
            _leave(state_file)


def _served(launch: Launch) -> str:
    """Start the server; returns its base URL. Loading takes seconds, and blocks."""
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = launch.model
    if launch.mmproj:
        params.mmproj.path = launch.mmproj
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.api_keys = [launch.token]
    params.n_ctx = launch.context
    params.n_parallel = 1  # A slot's context is its share of n_ctx; requests wait for each other.
    params.cpuparams.n_threads = launch.threads
    params.cpuparams_batch.n_threads = launch.threads
    params.endpoint_slots = True
    params.endpoint_props = False
    params.warmup = False
    server = xllamacpp.Server(params)
    _KEPT.append(server)
    return str(server.listening_address)


_KEPT: list[Any] = []  # The server stops when its object is collected.


def _is_busy(address: str, token: str) -> bool:
    request = urllib.request.Request(f"{address}/slots", headers={"Authorization": f"Bearer {token}"})  # noqa: S310 (our own http address)
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310
            return any(slot.get("is_processing") for slot in json.load(answer))
    except (OSError, ValueError):
        return False


def _leave(state_file: Path | None) -> None:
    if state_file is not None:
        state_file.unlink(missing_ok=True)
    os._exit(0)  # llama.cpp's threads cannot be joined from Python.


def _write_atomically(path: Path, content: dict[str, Any]) -> None:
    temporary = path.with_suffix(".new")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as out:
        json.dump(content, out)
    os.replace(temporary, path)


if __name__ == "__main__":
    main()
