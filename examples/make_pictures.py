"""Make the pictures of the README and the guides from the demo's sample: `make pictures`.

A terminal recording (SVG, by rich), the page in a headless Chromium, and the quickstart notebook's answer. They are made
from real runs, so that they stay true. Chromium comes from the system (`apt-get install chromium`).
"""

import argparse
import os
import pty
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import markdown
import uvicorn
from make_sample import make_sample
from playwright.sync_api import sync_playwright
from rich.console import Console
from rich.text import Text

from playhead import Library, Settings
from playhead.agent.display.notebook import html_of
from playhead.agent.serving.access import Access
from playhead.agent.serving.app import create_app

QUESTION = "What does the speaker say about the budget for travel?"
COLUMNS = 100
COMMANDS = (
    ("playhead", "ask", "talks", QUESTION),
    ("playhead", "search", "talks", "certificate", "-k", "3"),
    ("playhead", "chapters", "talks"),
    ("playhead", "clip", "talks", "talk.mp4@0:38-0:46", "-o", "cat.mp4"),
)
# The terminal pictures of the guide "Six tasks". `head` shows the start of what a command wrote.
TASKS = {
    "task-cut": (("playhead", "clip", "talks", "Where does she say clean drinking water?", "-o", "water.mp4"),),
    "task-contents": (("playhead", "chapters", "talks"), ("playhead", "export", "talks", "--youtube")),
    "task-subtitles": (
        ("playhead", "export", "talks", "--srt", "-o", "talk.srt"),
        ("head", "-n", "7", "talk.srt"),
    ),
    "task-shown": (
        ("playhead", "find", "talks", "a cat"),
        ("playhead", "moment", "talks/talk.mp4@0:38-0:46", "-o", "frames", "--frames", "2"),
    ),
}
CHROMIUM = "--headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking --disable-sync".split()


def main() -> None:
    """Write all pictures to a folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="where the pictures go")
    target: Path = parser.parse_args().folder
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as place:
        talks = Path(place) / "talks"
        make_sample(talks)
        library = Library(talks / ".playhead", Settings(objects_model="off", offline=True))
        library.index(talks)
        (target / "terminal.svg").write_text(recorded(COMMANDS, Path(place)), encoding="utf-8")
        for name, commands in TASKS.items():
            (target / f"{name}.svg").write_text(recorded(commands, Path(place)), encoding="utf-8")
        shown([*program(), "notes", "talks/talk.mp4"], Path(place), dict(os.environ))
        pictures_of_the_page(library, target, Path(place) / "talk-notes" / "notes.md")


def recorded(commands: Sequence[Sequence[str]], folder: Path) -> str:
    """Run commands in a terminal of their own, and return what it showed as SVG."""
    console = Console(record=True, width=COLUMNS, file=open(os.devnull, "w"))  # noqa: SIM115
    environment = {**os.environ, "COLUMNS": str(COLUMNS), "TERM": "xterm-256color", "COLORTERM": "truecolor"}
    environment["PLAYHEAD_OFFLINE"] = "1"
    for command in commands:
        words = " ".join(f'"{word}"' if " " in word else word for word in command)
        console.print(Text(f"$ {words}", style="bold green"))
        run = [*program(), *command[1:]] if command[0] == "playhead" else command
        console.print(Text.from_ansi(shown(run, folder, environment)))
        console.print()
    return console.export_svg(title="playhead")


def program() -> list[str]:
    """The command `playhead` of this environment."""
    return [sys.executable, "-c", "from playhead.agent.cli.main import main; main()"]


def shown(command: Sequence[str], folder: Path, environment: dict[str, str]) -> str:
    """Standard output of a command as a terminal gets it, without links and without standard error."""
    screen, written = pty.openpty()
    with subprocess.Popen(command, cwd=folder, env=environment, stdout=written, stderr=subprocess.DEVNULL) as running:
        os.close(written)
        parts = []
        while True:
            try:
                part = os.read(screen, 1 << 16)
            except OSError:  # the other side is closed
                break
            if not part:
                break
            parts.append(part)
        running.wait()
    os.close(screen)
    text = b"".join(parts).decode().replace("\r\n", "\n")
    return re.sub(r"\x1b\]8;[^\x1b]*\x1b\\", "", text).rstrip()


def pictures_of_the_page(library: Library, target: Path, notes: Path) -> None:
    """Screenshots of the page in light, dark and on a phone, of an answer in a notebook, and of a hand-out."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        sys.exit("make_pictures: Chromium is not installed: apt-get install chromium")
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(create_app(library, Access(token="demo")), log_level="error"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    url = f"http://127.0.0.1:{listening.getsockname()[1]}/?token=demo"
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium, args=CHROMIUM)
        page = browser.new_page(viewport={"width": 1280, "height": 860})
        page.goto(url)
        page.wait_for_selector("body[data-ready]")
        page.wait_for_timeout(500)
        page.screenshot(path=target / "page-library.png")
        page.fill("#query", "certificate")
        page.wait_for_selector(".hit")
        page.wait_for_timeout(700)
        page.screenshot(path=target / "page-search.png")
        play_quote(page)
        page.screenshot(path=target / "task-play.png")
        answer(page)
        page.screenshot(path=target / "page-answer.png")
        page.click("#theme")
        page.wait_for_timeout(300)
        page.screenshot(path=target / "page-dark.png")
        page.set_viewport_size({"width": 390, "height": 844})
        page.wait_for_timeout(300)
        page.screenshot(path=target / "page-phone.png")
        notebook = browser.new_page(viewport={"width": 900, "height": 560})
        cell = f'<pre>library.ask("{QUESTION}")</pre>'
        found = html_of(library.ask(QUESTION))
        notebook.set_content(
            f"<style>body{{font:15px sans-serif}}pre{{background:#f5f5f5;padding:.6em}}</style>{cell}{found}"
        )
        notebook.wait_for_timeout(300)
        notebook.screenshot(path=target / "notebook.png")
        handout = browser.new_page(viewport={"width": 900, "height": 1000})
        (notes.parent / "notes.html").write_text(
            f'<meta charset="utf-8"><base href="{notes.parent.as_uri()}/"><style>body{{font:16px/1.5 sans-serif;margin:2em}}'
            f"img{{width:22em}}</style>{markdown.markdown(notes.read_text())}"
        )
        handout.goto((notes.parent / "notes.html").as_uri())
        handout.screenshot(path=target / "task-notes.png")
        browser.close()
    server.should_exit = True
    thread.join(10)


def play_quote(page: Any) -> None:
    """Type words of a quote, and click the result."""
    page.fill("#query", "drinking water")
    page.wait_for_selector(".hit .time")
    page.wait_for_timeout(700)
    silence(page)
    page.locator(".hit").first.click()
    page.wait_for_selector(".line")
    page.wait_for_timeout(1500)


def silence(page: Any) -> None:
    """Keep the player at the moment that it opens."""
    page.evaluate("document.getElementById('player').play = () => Promise.resolve()")


def answer(page: Any) -> None:
    """Ask, and open the first citation."""
    page.fill("#query", QUESTION)
    page.press("#query", "Enter")
    page.wait_for_selector(".claim .hit")
    page.wait_for_timeout(800)
    silence(page)
    page.locator(".claim .hit").first.click()
    page.wait_for_selector(".line")
    page.wait_for_timeout(1500)


if __name__ == "__main__":
    main()
