"""A folder that is followed: files arrive, grow, change, move and vanish, and the library follows."""

import os
import random
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from playhead import Library
from playhead.agent.watching import FolderWatch, StandingQuery
from playhead.index.indexing.extractor_set import Extractors
from playhead.tools.errors import MediaError

from ..fakes import extractors
from ..media import write_media

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
            daemon=True,
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


def test_a_folder_that_leaves_takes_its_videos_with_it(watching: Watching, folder: Path, tmp_path: Path, write_talk):
    write_talk(tmp_path / "made" / "second.mp4", [(0, 2, "One more")])
    shutil.move(tmp_path / "made", folder / "made")
    watching.wait(lambda: watching.names() == ["first.mp4", "second.mp4"])
    shutil.move(folder / "made", tmp_path / "away")
    watching.wait(lambda: watching.names() == ["first.mp4"])


def test_files_beside_a_video_are_no_videos(watching: Watching, folder: Path, tmp_path: Path, write_talk):
    made = write_talk(tmp_path / "made" / "second.mp4", [(0, 2, "One more")])
    growing = folder / "growing.mp4"
    with growing.open("wb") as out:
        for file in made.parent.iterdir():
            shutil.copy(file, folder)
        (folder / "second.json").write_text('{"title": "Second"}')
        end = time.monotonic() + 60
        while ("indexed", "second.mp4") not in watching.outcomes:  # while another file is still being written
            assert time.monotonic() < end
            out.write(b"x" * 1000)
            out.flush()
            time.sleep(0.1)
    growing.unlink()
    watching.wait(lambda: "growing.mp4" not in os.listdir(folder))
    assert watching.library.video("second.mp4").metadata.title == "Second"
    assert [name for state, name in watching.outcomes if state == "failed" and name != "growing.mp4"] == []


def state_of(library: Library) -> dict[str, tuple[object, ...]]:
    """All that a library knows of each video, and what a search finds of it."""
    with library:
        return {
            record.video_id: (
                sorted(record.paths),
                record.metadata,
                [(one.evidence_id, one.text) for one in library.observed(record.video_id)[1]],
            )
            for record in library.videos()
        }


@pytest.mark.slow
def test_a_thousand_files_that_arrive_change_move_and_vanish(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(Extractors, "gather", lambda settings: extractors(settings, captioner=None))
    count, chance = 1000, random.Random(1)
    clip = write_media(tmp_path / "clip.mp4", [n / 2 for n in range(4)]).read_bytes()
    folder = tmp_path / "talks"
    for name in ("a", "b", "c"):
        (folder / name).mkdir(parents=True)
    (folder / "a" / "keep.mp4").write_bytes(clip)
    watching = Watching(folder, [])
    places = [folder / name for name in "abc"]
    there: list[Path] = []
    for number in range(count):  # every third file is followed by a change of another one
        path = chance.choice(places) / f"{number:04d}.mp4"
        path.write_bytes(clip + str(number).encode())
        there.append(path)
        other = there[chance.randrange(len(there))]
        if number % 12 == 2:
            there.remove(other)
            other.unlink()
        elif number % 12 == 5:
            other.write_bytes(clip + b"changed" + str(number).encode())
        elif number % 12 == 8:
            there.remove(other)
            moved = other.rename(chance.choice(places) / f"moved-{number}.mp4")
            there.append(moved)
        elif number % 12 == 11:
            other.with_suffix(".json").write_text(f'{{"title": "Title {number}", "tags": ["t{number % 5}"]}}')
        if number % 50 == 0:
            time.sleep(chance.random())
    shutil.move(folder / "c", tmp_path / "gone")
    shutil.copytree(folder / "a", folder / "copies")
    expected = {str(path.relative_to(folder)) for path in folder.rglob("*.mp4")}

    def is_done() -> bool:
        return {path for record in watching.library.videos() for path in record.paths} == expected

    end = time.monotonic() + 3600
    while not is_done():
        names = {path for record in watching.library.videos() for path in record.paths}
        assert time.monotonic() < end, (names - expected, expected - names, watching.outcomes[-5:])
        time.sleep(1)
    time.sleep(3)  # sidecars are read in the pass after the last change
    watching.stop.set()
    watching.thread.join()
    fresh = Library(tmp_path / "fresh" / ".playhead")
    shutil.copytree(folder, tmp_path / "fresh", dirs_exist_ok=True, ignore=shutil.ignore_patterns(".playhead"))
    fresh.index(tmp_path / "fresh")
    one, other = state_of(watching.library), state_of(fresh)
    assert one.keys() == other.keys()
    assert len(one) > 0.4 * count
    assert one == other
    assert watching.library.verify(deep=True) == []
