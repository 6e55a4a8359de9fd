"""llama.cpp for this user: one process for each model, started at first use, shared by all Playhead processes.

A lock file and a state file in the user's cache folder hold the loopback address and a random token. The process ends
by itself after some minutes without a request. `server` sends requests to it as to any other server.
"""

import fcntl
import hashlib
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ...device import cores
from ...errors import MissingExtraError, ServerError, SettingsError, WeightsError
from ...settings import Settings, cache_folder
from ...weights import find
from .process import Launch

__all__ = ["GgufModel", "LlamaProcess", "find_gguf", "running", "start", "stop"]

# Loading 1.1 GB takes 7 s on two quiet cores; a large model on a slow disk takes minutes.
_LOAD_SECONDS = 300.0
_TICK = 0.05


@dataclass(frozen=True)
class GgufModel:
    """The files of a model.

    Attributes:
        file: The language model, GGUF; of a split one, the first part.
        mmproj: The picture encoder of a vision model; None: it reads text only.
        source: `name@version`.
    """

    file: Path
    mmproj: Path | None
    source: str


@dataclass(frozen=True)
class LlamaProcess:
    """A running process.

    Attributes:
        url: Base URL of its OpenAI-compatible API.
        token: The API key.
        pid: Its process id.
        model: The path of its model file.
        state_file: Its modification time is the time of the last request.
    """

    url: str
    token: str
    pid: int
    model: str
    state_file: Path

    @property
    def is_alive(self) -> bool:
        """Whether it still listens."""
        return _alive(self.state_file) is not None

    def touch(self) -> None:
        """Record a request: the process ends after the idle time without one."""
        with _ignored():
            os.utime(self.state_file)


def find_gguf(settings: Settings, *, offline: bool) -> GgufModel:
    """The files of the model that the settings name: a catalog name, a hub name, a `.gguf` file or a folder.

    Raises:
        SettingsError: No model is set.
        WeightsError: The files are not available, or there is no GGUF file.
        MissingExtraError: xllamacpp is not installed.
    """
    MissingExtraError.raise_if_missing("a language model in llama.cpp", "xllamacpp", extra="llm")
    name = settings.video_llm_model
    if name is None:
        raise SettingsError(
            "video_llm_model is not set: `playhead model list` shows the models, `playhead model use NAME` sets one"
        )
    weights = find(name, "video_llm_model", offline=offline)
    if weights.path.is_file():
        folder, files = weights.path.parent, [weights.path]
    else:
        folder, files = weights.path, sorted(weights.path.rglob("*.gguf"))
    models = [file for file in files if not file.name.startswith("mmproj") and file.suffix == ".gguf"]
    if not models:
        raise WeightsError(f"{weights.path} holds no .gguf file: check video_llm_model")
    projectors = sorted(folder.glob("mmproj*.gguf"))
    return GgufModel(models[0], projectors[0] if projectors else None, weights.source)


def start(model: GgufModel, context: int, idle_minutes: float) -> LlamaProcess:
    """The process that runs a model: the one that runs already, else a new one. Waits until it listens.

    Args:
        model: Its files.
        context: Tokens of question and answer together.
        idle_minutes: A new process ends after this time without a request.

    Raises:
        ServerError: It did not start; the message has the end of its log.
    """
    state_file = _state_file(model, context)
    state_file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _locked(state_file.with_suffix(".lock")):
        if (known := _alive(state_file)) is not None:
            known.touch()
            return known
        launch = Launch(
            model=str(model.file),
            mmproj=str(model.mmproj) if model.mmproj else None,
            context=context,
            threads=cores(),
            token=secrets.token_hex(16),
            state_file=str(state_file),
            idle_seconds=60 * idle_minutes,
        )
        return _launched(launch, state_file)


def running() -> list[LlamaProcess]:
    """The processes that run for this user."""
    found = (_alive(file) for file in sorted(_folder().glob("*.json")))
    return [one for one in found if one is not None]


def stop() -> int:
    """End all processes of this user; returns how many there were."""
    processes = running()
    for one in processes:
        with _ignored():
            os.kill(one.pid, signal.SIGTERM)
        one.state_file.unlink(missing_ok=True)
    return len(processes)


def _launched(launch: Launch, state_file: Path) -> LlamaProcess:
    log = state_file.with_suffix(".log")
    root = Path(__file__).resolve().parents[4]
    package = __name__.partition(".tools.")[0]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(root), os.environ.get("PYTHONPATH", "")])}
    with log.open("wb") as out:
        process = subprocess.Popen(  # noqa: S603 (our own module; no shell)
            [sys.executable, "-m", f"{package}.tools.llm.llama_cpp.process"],
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,  # Ctrl-C in the terminal must not end what other processes use.
        )
    assert process.stdin is not None
    with process.stdin as orders, _ignored():
        orders.write(json.dumps(launch._asdict()).encode())
    deadline = time.monotonic() + _LOAD_SECONDS
    while time.monotonic() < deadline:
        if (known := _alive(state_file)) is not None:
            return known
        if process.poll() is not None:
            break
        time.sleep(_TICK)
    else:
        process.kill()
    said = " ".join(log.read_text(errors="replace").split()[-60:])
    raise ServerError(
        f"llama.cpp did not start with {launch.model} (it ended with {process.returncode}; {log} ends with {said!r}): "
        "is the file a GGUF model, and is there enough memory?"
    )


def _folder() -> Path:
    return cache_folder() / "llm"


def _state_file(model: GgufModel, context: int) -> Path:
    """One for each model, context and version of this module's interpreter."""
    key = json.dumps([str(model.file), str(model.mmproj), context, sys.executable, model.file.stat().st_mtime_ns])
    return _folder() / f"{hashlib.sha256(key.encode()).hexdigest()[:16]}.json"


def _alive(state_file: Path) -> LlamaProcess | None:
    """The process of a state file; None if it does not run."""
    try:
        state: dict[str, Any] = json.loads(state_file.read_text(encoding="utf-8"))
        os.kill(state["pid"], 0)
        address = urlsplit(state["url"])
        socket.create_connection((address.hostname or "", address.port or 0), timeout=1).close()
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return LlamaProcess(f"{state['url']}/v1", state["token"], state["pid"], state["model"], state_file)


@contextmanager
def _locked(file: Path) -> Iterator[None]:
    """One process at a time: two that start at once must not load the model twice."""
    with file.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


@contextmanager
def _ignored() -> Iterator[None]:
    try:
        yield
    except OSError:
        return
