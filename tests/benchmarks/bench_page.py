"""The page in a headless Chromium over the demo's sample: time to the first result, start of the player, its second.

`search_ms`: from the last key to the first result on screen, five words, after one word to warm up. `player_ms`: from the
click on a citation to the first picture of its moment. `second_error`: how far `currentTime` is from the cited start.
`clip_errors`: frames of ten exact clips that are missing or too many, against the decoded source.
`search_cpu_ms` and `browser_cpu_ms`: CPU time of this process, with the server, and of the page's main thread for the same search.
`PLAYHEAD_BENCH_HOURS=30,300` adds a library of synthetic hours that grows to these sizes: the same of twenty queries of two words,
`library_ms` of opening the page, and `building_cpu_s`.
`pieces`: the sample in Matroska; CPU milliseconds for a second of playback, copied and re-encoded, of ten pieces.
"""

import os
import random
import runpy
import shutil
import socket
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from report import Skipped

_HOURS_AT_ONCE = 12
WORDS = ("certificate", "battery", "budget", "teachers", "deadline")
QUESTIONS = (
    "What does the speaker say about the budget for travel?",
    "What does the slide say about the certificate?",
    "When is a cat shown?",
)
CHROMIUM = "--headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking --disable-sync".split()
TYPE = """word => new Promise(done => {
  const [query, results] = ["query", "results"].map(id => document.getElementById(id));
  const start = performance.now();
  new MutationObserver((_, seen) => { seen.disconnect(); requestAnimationFrame(() => done(performance.now() - start)); })
    .observe(results, { childList: true });
  query.value = word; query.dispatchEvent(new Event("input"));
})"""
CLICK = """([index, wantedSecond]) => new Promise(done => {
  const player = document.getElementById("player");
  player.play = () => Promise.resolve();
  const start = performance.now();
  // Before the browser has told of a new file, its first picture is there for a moment: not the one that is wanted.
  const wanted = () => player.readyState >= 2 && !player.seeking
    && (Math.abs(player.currentTime - wantedSecond) < 1 || performance.now() - start > 10000);
  document.querySelectorAll(".claim .hit")[index].click();
  const check = () => wanted() ? done([performance.now() - start, player.currentTime]) : setTimeout(check, 5);
  setTimeout(check, 20);
})"""


def measure() -> dict[str, Any]:
    """The figures."""
    from playhead import Library, Settings

    with tempfile.TemporaryDirectory() as place:
        talks = Path(place) / "talks"
        script = Path(__file__).resolve().parents[2] / "examples" / "make_sample.py"
        runpy.run_path(str(script))["make_sample"](talks)
        library = Library(talks / ".playhead", Settings(objects_model="off", offline=True))
        library.index(talks)
        with shown(library) as page:
            figures = searched(page, WORDS) | played(page)
        figures |= {"clip_errors": cut(talks / "talk.mp4", Path(place))}
        found = {"page": [figures], "pieces": [pieces(talks / "talk.mp4", Path(place))]}
        if sizes := os.environ.get("PLAYHEAD_BENCH_HOURS"):
            found["many hours"] = list(large([int(size) for size in sizes.split(",")], Path(place) / "many"))
        return found


def large(sizes: Sequence[int], folder: Path) -> Iterator[dict[str, float]]:
    """The search in a library of many hours of rows (`bench_library.py`), without files, at each size."""
    from bench_library import Hours

    from playhead import Library, Settings
    from playhead.index.retrieval.search_index.publishing import Publisher
    from playhead.index.storage.local import LocalStorage

    storage, drawn = LocalStorage(folder / ".playhead"), Hours()
    storage.create()
    publisher, chooser, number, busy = Publisher(storage), random.Random(2), 0, 0.0
    for size in sizes:
        began = time.process_time()
        while number < size:
            after = min(number + _HOURS_AT_ONCE, size)
            for one in range(number, after):
                drawn.commit(storage, one)
            publisher.publish(maintain=True)
            number = after
        busy += time.process_time() - began
        words = [" ".join(chooser.sample(drawn.words, 2)) for _ in range(20)]
        began = time.perf_counter()
        with shown(Library(storage.folder, Settings(offline=True))) as page:
            opened = {"library_ms": round(1000 * (time.perf_counter() - began))}
            yield {"hours": size, "rows": 3600 * size, "building_cpu_s": round(busy)} | opened | searched(page, words)


@contextmanager
def shown(library: Any) -> Iterator[Any]:
    """The page of a library in a headless Chromium."""
    import uvicorn
    from playwright.sync_api import sync_playwright

    from playhead.agent.serving.access import Access
    from playhead.agent.serving.app import create_app

    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        raise Skipped("Chromium is not installed")
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(create_app(library, Access(token="bench")), log_level="error"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium, args=CHROMIUM)
        page = browser.new_page()
        page.goto(f"http://127.0.0.1:{listening.getsockname()[1]}/?token=bench")
        page.wait_for_selector("body[data-ready]")
        yield page
        browser.close()
    server.should_exit = True
    thread.join(10)


def pieces(video: Path, folder: Path) -> dict[str, float]:
    """CPU time of playing H.264 from Matroska, copied and re-encoded."""
    import av

    from playhead.agent.serving.playback import Pieces

    source = folder / "talk.mkv"
    with av.open(str(video)) as read, av.open(str(source), "w") as written:
        streams = {one.index: written.add_stream_from_template(one) for one in read.streams}
        for packet in read.demux():
            if packet.dts is not None:
                packet.stream = streams[packet.stream.index]
                written.mux(packet)
    taken = {}
    for may_copy in (True, False):
        began, played = time.process_time(), 0.0
        for number in range(10):
            made = Pieces().piece(source, 7.3 * number, 7.3 * number + 4, may_copy=may_copy)
            played += made.end - made.start
        taken[may_copy] = 1000 * (time.process_time() - began) / played
    return {
        "copied_ms": round(taken[True], 1),
        "encoded_ms": round(taken[False], 1),
        "ratio": round(taken[False] / taken[True], 1),
    }


def searched(page: Any, words: Sequence[str]) -> dict[str, float]:
    """Milliseconds to the first result, by the clock and of CPU time."""
    page.evaluate(TYPE, "warm")
    time.sleep(1)
    chromium = page.context.new_cdp_session(page)
    chromium.send("Performance.enable", {"timeDomain": "threadTicks"})
    taken, here, there = [], [], []
    for word in words:
        busy, shown_busy = time.process_time(), busy_of(chromium)
        taken.append(page.evaluate(TYPE, word))
        here.append(1000 * (time.process_time() - busy))
        there.append(1000 * (busy_of(chromium) - shown_busy))
    return {
        "search_ms": round(statistics.median(taken), 1),
        "search_ms_worst": round(max(taken), 1),
        "search_cpu_ms": round(statistics.median(here), 1),
        "search_cpu_ms_worst": round(max(here), 1),
        "browser_cpu_ms": round(statistics.median(there), 1),
    }


def busy_of(chromium: Any) -> float:
    """Seconds of CPU time that the main thread of a page has used."""
    metrics = chromium.send("Performance.getMetrics")["metrics"]
    return next(one["value"] for one in metrics if one["name"] == "TaskDuration")


def played(page: Any) -> dict[str, float]:
    """Milliseconds to the first picture of each citation, and the error of its second."""
    taken, errors = [], []
    for question in QUESTIONS:
        page.fill("#query", question)
        page.press("#query", "Enter")
        page.wait_for_selector(".claim .hit")
        time.sleep(1)
        for index in range(page.locator(".claim .hit").count()):
            start = float(page.locator(".claim .hit").nth(index).get_attribute("data-moment").rpartition("@")[2])
            milliseconds, second = page.evaluate(CLICK, [index, start])
            taken.append(milliseconds)
            errors.append(abs(second - start))
    return {
        "citations": len(taken),
        "player_ms": round(statistics.median(taken), 1),
        "player_ms_worst": round(max(taken), 1),
        "second_error": round(max(errors), 4),
    }


def cut(video: Path, folder: Path) -> int:
    """Frames that ten clips have too many or too few."""
    from playhead.tools.media.clips import ClipStyle, frames_between, write_clip
    from playhead.tools.records import Span

    wrong = 0
    for number in range(10):
        span = Span(start=7.3 * number + 0.013, end=7.3 * number + 1.51)
        wanted = sum(1 for _ in frames_between(video, span))
        made = write_clip(video, span, folder / "clip.mp4", ClipStyle(max_height=180, speed="fast"))
        kept = sum(1 for _ in frames_between(folder / "clip.mp4", Span(start=0, end=99)))
        wrong += abs(made.frames - wanted) + abs(kept - wanted)
    return wrong
