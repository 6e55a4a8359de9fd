"""Seconds and tokens of a question to a video LLM on a GPU; the words of a model with random weights mean nothing."""

import gc
import json
import os
import socket
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from random_models import make_qwen3_vl
from report import Figures, real_data

from playhead.agent.composing.compose import Asked, compose
from playhead.agent.composing.model_input import SizedFrame
from playhead.index.localization.frame_choice import Picture, assign_sizes
from playhead.index.records import Evidence
from playhead.tools.errors import PlayheadError
from playhead.tools.llm.backends import video_llm
from playhead.tools.llm.capabilities import Capabilities
from playhead.tools.llm.protocol import Part, VideoLLM
from playhead.tools.settings import Settings

__all__ = ["measure"]

_FRAMES = (0, 4, 16, 32)
_ROWS = 20
_WRITTEN = 128  # tokens of an answer
_REPEATS = 3
_START_SECONDS = 180.0


def measure() -> Figures:
    """All figures of the video LLM."""
    import torch

    size = os.environ.get("PLAYHEAD_BENCH_QWEN", "8b")
    with TemporaryDirectory(prefix="playhead-gpu-") as temporary:
        folder = Path(temporary) / f"qwen3-vl-{size}-random"
        began = time.perf_counter()
        weights = make_qwen3_vl(folder, size, "cuda" if torch.cuda.is_available() else "cpu")
        torch.cuda.empty_cache()
        model = {
            "model": f"Qwen3-VL-{size} architecture, random weights, bfloat16",
            "weights_billions": round(weights / 1e9, 2),
            "gigabytes_on_disk": round(sum(file.stat().st_size for file in folder.iterdir()) / 1e9, 1),
            "seconds_to_make": round(time.perf_counter() - began, 1),
        }
        found: dict[str, list[dict[str, Any]]] = {"The model": [model], "In this process (transformers)": []}
        requests = [_request(count) for count in _FRAMES]
        rows, loading = _in_process(folder, requests)
        found["In this process (transformers)"] = rows
        gc.collect()
        torch.cuda.empty_cache()
        found["Start"] = [loading]
        try:
            served, starting = _served(folder, requests)
        except (RuntimeError, PlayheadError) as error:
            found["Not measured"] = [{"what": "transformers serve", "why": str(error)[-400:]}]
        else:
            found["Behind `transformers serve`"] = served
            found["Start"].append(starting)
    return found


@dataclass(frozen=True)
class _Request:
    """What `compose` sends for a question, as it is sent."""

    frames: int
    parts: Sequence[Part]
    instructions: str


class _Captured(Exception):  # noqa: N818 (nothing went wrong)
    """The request that was made."""


class _Listener:
    """A `VideoLLM` that keeps the request instead of answering it."""

    source = "listener"
    capabilities = Capabilities(context=262_144, json_schema=False, billions=8.8)

    def ask(self, parts: Sequence[Part], *, instructions: str = "", **_: Any) -> Any:
        raise _Captured(parts, instructions)


def _request(count: int) -> _Request:
    """The request for an answer in claims, from 20 lines of a real transcript and frames of a real 1080p video."""
    video = str(real_data("real/code_tutorial.mp4"))
    tutorial = json.loads(real_data("tutorialvqa/videos.json").read_text(encoding="utf-8"))[0]["transcript"]
    common = {"video_id": "0" * 32, "video": video, "score": 0.5, "source": "benchmark@1"}
    rows = [
        Evidence(evidence_id=f"s{n}", start=5.0 * n, end=5.0 * n + 5, modality="speech", text=text, **common)
        for n, text in enumerate(tutorial[:_ROWS])
    ]
    seconds = [100.0 * (place + 0.5) / count for place in range(count)]
    settings = Settings()
    sizes = assign_sizes(
        [Picture(relevance=1.0, width=1920, height=1080) for _ in seconds],
        settings.frame_tokens,
        lambda width, height: -(-width // 32) * -(-height // 32),
    )
    frames = [
        SizedFrame(
            Evidence(evidence_id=f"f{at}", start=at, end=at + 1, modality="frame", text="", frame_seconds=at, **common),
            at,
            side,
        )
        for at, side in zip(seconds, sizes, strict=True)
    ]
    try:
        compose(_Listener(), Asked("How do I save a copy for the web?"), rows, frames, task="claims")
    except _Captured as request:
        parts, instructions = request.args
        return _Request(count, parts, instructions)
    raise AssertionError("compose asks the model")


def _in_process(folder: Path, requests: Sequence[_Request]) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    import torch

    on_gpu = torch.cuda.is_available()
    began = time.perf_counter()
    settings = Settings(
        video_llm_backend="transformers",
        video_llm_model=str(folder),
        device="cuda" if on_gpu else "cpu",
        video_llm_timeout=600,
    )
    llm = video_llm(settings)
    found = time.perf_counter() - began
    _ = llm.capabilities  # loads it
    loaded = time.perf_counter() - began
    llm.ask(
        requests[-1].parts, instructions=requests[-1].instructions, max_tokens=2
    )  # the first one compiles and allocates
    first = time.perf_counter() - began - loaded
    rows = []
    for request in requests:
        if on_gpu:
            torch.cuda.reset_peak_memory_stats()
        row = _row(request, lambda request=request: _first_alone(llm, request))  # type: ignore[misc]
        rows.append(row | {"peak_gpu_gib": round(torch.cuda.max_memory_allocated() / 2**30, 1) if on_gpu else None})
    start = {
        "how": "in this process",
        "seconds_to_find_and_hash": round(found, 1),
        "seconds_to_load": round(loaded - found, 1),
        "first_request_seconds": round(first, 1),
        "gpu_gib_in_use": _gib_in_use(),
    }
    return rows, start


def _first_alone(llm: VideoLLM, request: _Request) -> tuple[float, float, int | None, int | None]:
    """Seconds to the first token and in all; tokens read and written. The first token is asked for in a request of its own."""
    began = time.perf_counter()
    llm.ask(request.parts, instructions=request.instructions, max_tokens=1)
    first = time.perf_counter() - began
    began = time.perf_counter()
    reply = llm.ask(request.parts, instructions=request.instructions, max_tokens=_WRITTEN)
    return first, time.perf_counter() - began, reply.prompt_tokens, reply.completion_tokens


def _served(folder: Path, requests: Sequence[_Request]) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    began = time.perf_counter()
    with _server(folder) as url:
        settings = Settings(video_llm_url=url, video_llm_model=str(folder), video_llm_timeout=600)
        llm = video_llm(settings)
        up = time.perf_counter() - began
        llm.ask(requests[-1].parts, instructions=requests[-1].instructions, max_tokens=2)
        first = time.perf_counter() - began - up
        rows = [_row(request, lambda request=request: _streamed(llm, request)) for request in requests]  # type: ignore[misc]
        start = {
            "how": "transformers serve",
            "seconds_to_find_and_hash": None,
            "seconds_to_load": round(up, 1),
            "first_request_seconds": round(first, 1),
            "gpu_gib_in_use": _gib_in_use(),
        }
    return rows, start


def _streamed(llm: VideoLLM, request: _Request) -> tuple[float, float, int | None, int | None]:
    times: list[float] = []
    began = time.perf_counter()
    reply = llm.ask(
        request.parts,
        instructions=request.instructions,
        max_tokens=_WRITTEN,
        on_text=lambda _: times.append(time.perf_counter() - began),
    )
    whole = time.perf_counter() - began
    return (times or [whole])[0], whole, reply.prompt_tokens, reply.completion_tokens


def _row(request: _Request, ask: Callable[[], tuple[float, float, int | None, int | None]]) -> dict[str, Any]:
    runs = [ask() for _ in range(_REPEATS)]
    first, whole = (statistics.median(run[place] for run in runs) for place in (0, 1))
    _, _, read, written = runs[-1]
    return {
        "lines": _ROWS,
        "frames": request.frames,
        "tokens_read": read,
        "tokens_written": written,
        "first_token_seconds": round(first, 2),
        "question_seconds": round(whole, 2),
        "written_tokens_a_second": round(((written or 0) - 1) / max(1e-9, whole - first), 1),
        "slowest_seconds": round(max(run[1] for run in runs), 2),
    }


@contextmanager
def _server(folder: Path) -> Iterator[str]:
    """A `transformers serve` with the model."""
    import torch

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    command = [sys.executable, "-m", "transformers.cli.transformers", "serve", str(folder), "--host", "127.0.0.1"]
    command += ["--port", str(port), "--device", "cuda" if torch.cuda.is_available() else "cpu"]
    log = folder.parent / "serve.log"
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(folder.parent / "hub")}
    with log.open("wb") as out:
        process = subprocess.Popen(command, env=environment, stdout=out, stderr=subprocess.STDOUT)
    try:
        deadline = time.monotonic() + _START_SECONDS
        while True:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2):
                    break
            except (urllib.error.URLError, TimeoutError, ConnectionError):
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"transformers serve did not start: {log.read_text()[-1500:]}") from None
                time.sleep(0.1)
        yield f"http://127.0.0.1:{port}/v1"
    except PlayheadError as error:
        raise RuntimeError(f"{error}; its log ends: {log.read_text()[-1500:]}") from error
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)


def _gib_in_use() -> float | None:
    """GPU memory that all processes use together."""
    import torch

    if not torch.cuda.is_available():
        return None
    free, whole = torch.cuda.mem_get_info()
    return round((whole - free) / 2**30, 1)
