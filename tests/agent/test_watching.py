"""A folder that is watched: files arrive, grow, change, move and vanish, and the library follows."""

import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from playhead import Library
from playhead.agent.watching import FolderWatch, StandingQuery
from playhead.tools.errors import MediaError

pytest.importorskip("watchdog")


class Watching:
    """A running watch, and what it reported."""

    def __init__(self, folder: Path, queries: list[StandingQuery]) -> None:
        self.library = Library(folder / ".playhead")
        self.outcomes: list[tuple[str, str]] = []
        self.matches: list[tuple[str, str]] = []
        self.stop = threading.Event()
        watch = FolderWatch(self.library, folder, queries, settle_seconds=0.5)
        self.thread = threading.Thread(
            target=watch.run,
            args=(
                self.stop,
                lambda outcome: self.outcomes.append((outcome.state, outcome.path.name)),
                lambda query, evidence: self.matches.append((query.text, evidence.text)),
            ),
        )
        self.thread.start()

    def wait(self, holds: Callable[[], bool]) -> None:
        end = time.monotonic() + 60
        while not holds():
            assert time.monotonic() < end, self.outcomes
            assert self.thread.is_alive()
            time.sleep(0.05)

    def names(self) -> list[str]:
        return sorted(Path(path).name for record in self.library.videos() for path in record.paths)


@pytest.fixture
def folder(tmp_path: Path, no_models) -> Path:
    (tmp_path / "talks").mkdir()
    return tmp_path / "talks"


@pytest.fixture
def watching(folder: Path, write_talk) -> Iterator[Watching]:
    write_talk(folder / "first.mp4", [(0, 2, "Good morning")])
    watching = Watching(folder, [StandingQuery("outage", threshold=0.0)])
    watching.wait(lambda: ("indexed", "first.mp4") in watching.outcomes)
    yield watching
    watching.stop.set()
    watching.thread.join()


def test_what_arrives_moves_and_vanishes(watching: Watching, folder: Path, tmp_path: Path, write_talk):
    made = write_talk(tmp_path / "made" / "second.mp4", [(0, 2, "There was an outage on Monday")])
    for file in made.parent.iterdir():
        shutil.copy(file, folder)
    watching.wait(lambda: ("indexed", "second.mp4") in watching.outcomes)
    watching.wait(lambda: bool(watching.matches))
    assert watching.matches[0] == ("outage", "There was an outage on Monday")
    for file in list(folder.glob("second.*")):
        file.rename(file.with_name(file.name.replace("second", "third")))
    watching.wait(lambda: watching.names() == ["first.mp4", "third.mp4"])
    for file in list(folder.glob("third.*")):
        file.unlink()
    watching.wait(lambda: watching.names() == ["first.mp4"])


def test_a_file_is_read_when_it_is_complete(watching: Watching, folder: Path, tmp_path: Path, write_talk):
    made = write_talk(tmp_path / "made" / "slow.mp4", [(0, 2, "A slow download")])
    for file in made.parent.iterdir():
        if file.suffix != ".mp4":
            shutil.copy(file, folder)
    data = made.read_bytes()
    with open(folder / "slow.mp4", "wb") as out:
        for start in range(0, len(data), max(1, len(data) // 6)):
            out.write(data[start : start + max(1, len(data) // 6)])
            out.flush()
            os.fsync(out.fileno())
            time.sleep(0.2)
    watching.wait(lambda: "slow.mp4" in [name for _, name in watching.outcomes])
    assert [state for state, name in watching.outcomes if name == "slow.mp4"] == ["indexed"]


def test_a_missing_folder_is_an_error(tmp_path: Path):
    watch = FolderWatch(Library(tmp_path / ".playhead"), tmp_path / "none")
    with pytest.raises(MediaError, match="is not a folder: watch a folder of videos"):
        watch.run(threading.Event(), print)
