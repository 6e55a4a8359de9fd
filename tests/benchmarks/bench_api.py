"""The HTTP API under load: 50 clients at once, each with its own connection, beside the same work in process.

Each client repeats five requests without a pause: search, find, ask, chapters and a keyframe, over the demo's talk, without a
language model, for `PLAYHEAD_BENCH_SECONDS` (120). Client and server are processes of their own on the same machine. "In
process" is the same mix by the SDK from 50 threads of one process, for a quarter of the time. Latencies are by the clock, and
so follow the load of the machine; `cpu_ms` is the CPU time of the serving process for one request.
"""

import asyncio
import itertools
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from report import Figures

CLIENTS = 50
SECONDS = float(os.environ.get("PLAYHEAD_BENCH_SECONDS", "120"))
QUERIES = (
    "budget for travel", "new battery", "certificate expired", "clean drinking water", "three new engineers", "a cat",
    "website down", "Launch", "ORDER-7731", "teachers and doctors",
)  # fmt: skip
SERVE = """
import sys, uvicorn
from playhead import Library, Settings
from playhead.agent.serving.access import Access
from playhead.agent.serving.app import create_app
library = Library(sys.argv[1], Settings(objects_model="off", offline=True))
uvicorn.run(create_app(library, Access(token="bench"), api=True), port=int(sys.argv[2]), log_level="error")
"""
_TICKS = os.sysconf("SC_CLK_TCK")


def measure() -> Figures:
    with tempfile.TemporaryDirectory() as place:
        talks = _indexed(Path(place))
        rows = [_served(talks), _in_process(talks)]
    return {f"{CLIENTS} clients at once": rows}


def _indexed(folder: Path) -> Path:
    sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "examples"))
    from make_sample import make_sample

    from playhead import Library, Settings

    talks = make_sample(folder / "talks").parent
    Library(talks, Settings(objects_model="off", offline=True)).index(talks)
    return talks


def _served(talks: Path) -> dict[str, Any]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = subprocess.Popen([sys.executable, "-c", SERVE, str(talks), str(port)])
    try:
        return asyncio.run(_load(f"http://127.0.0.1:{port}", server.pid))
    finally:
        server.terminate()
        server.wait(30)


async def _load(url: str, pid: int) -> dict[str, Any]:
    import httpx

    headers = {"Authorization": "Bearer bench"}
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=600) as first:
        for _ in range(600):
            try:
                (video,) = (await first.get("/v1/videos")).json()["videos"]
                break
            except httpx.TransportError:
                await asyncio.sleep(0.2)
        found = (await first.get("/v1/search", params={"q": "a cat", "kind": "frame"})).json()["results"]
    frame, times, errors = found[0]["id"], [], []
    until, cpu = time.perf_counter() + SECONDS, _cpu(pid)

    async def client(number: int) -> None:
        async with httpx.AsyncClient(base_url=url, headers=headers, timeout=600) as http:
            for turn in itertools.count(number):
                if time.perf_counter() > until:
                    return
                query = QUERIES[turn % len(QUERIES)]
                began = time.perf_counter()
                try:
                    reply = await _request(http, turn % 5, query, video["id"], frame)
                    if reply.status_code != 200 or not reply.content:
                        errors.append(f"{reply.status_code} {reply.text[:200]}")
                except httpx.HTTPError as error:
                    errors.append(repr(error))
                times.append(time.perf_counter() - began)

    await asyncio.gather(*(client(number) for number in range(CLIENTS)))
    if errors:
        print(json.dumps(errors[:5], indent=1))
    return _row("HTTP", times, len(errors), _cpu(pid) - cpu, SECONDS)


def _request(http: Any, kind: int, query: str, video: str, frame: str) -> Any:
    if kind == 2:
        return http.post("/v1/ask", json={"question": f"What is said about {query}?"})
    path = ("search", "find", "", f"chapters/{video}", f"keyframes/{frame}")[kind]
    return http.get(f"/v1/{path}", params={"q": query} if kind < 2 else None)


def _in_process(talks: Path) -> dict[str, Any]:
    from playhead import Library, Settings

    library = Library(talks, Settings(objects_model="off", offline=True))
    frame = library.search("a cat", 1, modalities="frame")[0]
    work: Sequence[Callable[[str], object]] = (
        library.search,
        library.find,
        lambda query: library.ask(f"What is said about {query}?"),
        lambda _: library.chapters("talk.mp4"),
        lambda _: library.keyframe(frame),
    )
    times: list[float] = []
    errors: list[str] = []
    until, cpu = time.perf_counter() + SECONDS / 4, time.process_time()

    def run(number: int) -> None:
        for turn in itertools.count(number):
            if time.perf_counter() > until:
                return
            began = time.perf_counter()
            try:
                work[turn % 5](QUERIES[turn % len(QUERIES)])
            except Exception as error:  # noqa: BLE001 (counted)
                errors.append(repr(error))
            times.append(time.perf_counter() - began)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return _row("in process", times, len(errors), time.process_time() - cpu, SECONDS / 4)


def _row(name: str, times: Sequence[float], errors: int, cpu: float, seconds: float) -> dict[str, Any]:
    ordered = sorted(times)
    return {
        "clients": name,
        "requests": len(times),
        "errors": errors,
        "a_second": round(len(times) / seconds, 1),
        "p50_ms": round(1000 * statistics.median(ordered)),
        "p95_ms": round(1000 * ordered[int(0.95 * len(ordered))]),
        "longest_ms": round(1000 * ordered[-1]),
        "cpu_ms": round(1000 * cpu / len(times), 1),
    }


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS
