"""Opening and closing a library: descriptors, forks, threads."""

import gc
import os
import signal
import threading
from pathlib import Path

import pytest

from playhead import Library
from playhead.index.storage.local import LocalStorage

from ..fakes import commit, observation

VIDEO, OTHER = "ab" * 16, "cd" * 16


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    store = LocalStorage(tmp_path / "library")
    store.create()
    picture = {"keyframes/0000000500.webp": b"picture"}
    commit(store, [observation("a word about gold")], files=picture)
    return store.folder


def texts(library: Library) -> list[str]:
    return [one.text for one in library.search("gold")]


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="descriptors are counted in /proc")
def test_closing_returns_every_descriptor(folder, no_models):
    with Library(folder) as library:  # what loads once for the process
        texts(library)
    gc.collect()  # what earlier tests left open is not closed meanwhile
    before = descriptors()
    for _ in range(3):
        with Library(folder) as library:
            assert texts(library) == ["a word about gold"]
            assert library.thread("none") == ()
            assert descriptors() > before
        assert descriptors() == before


def test_a_closed_library_opens_again_when_it_is_used(folder, no_models):
    library = Library(folder)
    assert texts(library) == ["a word about gold"]
    library.close()
    library.close()
    assert texts(library) == ["a word about gold"]
    library.close()


def test_a_fork_opens_the_library_again(folder, no_models):
    """Also where another thread of the parent holds the locks at that moment."""
    library = Library(folder)
    assert texts(library) == ["a word about gold"]
    parents = library._search
    with parents._snapshots._lock, parents._encoders._lock:
        child = os.fork()
        if not child:
            signal.alarm(60)
            is_right = texts(library) == ["a word about gold"] and library._search is not parents
            os._exit(0 if is_right else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert texts(library) == ["a word about gold"]
    assert library._search is parents
    library.close()


def test_threads_share_a_library_while_videos_come_and_go(folder, no_models):
    library, errors = Library(folder), []
    store, stop = LocalStorage(folder), threading.Event()

    def ask() -> None:
        while not stop.is_set():
            try:
                assert "a word about gold" in texts(library)
                assert library.keyframe(library.search("gold word")[0]) == b"picture"
            except BaseException as error:  # noqa: BLE001 (a failure of a thread is reported below)
                errors.append(error)
                return

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for turn in range(6):
        commit(store, [observation("other gold")], video_id=OTHER, commit=f"{turn}")
        if turn % 2:
            store.remove(OTHER)
    stop.set()
    for thread in threads:
        thread.join(60)
    assert errors == []
    library.close()


def test_a_keyframe_is_read_by_reference_and_by_time(folder, no_models):
    with Library(folder) as library:
        (found,) = library.search("gold")
        assert found.keyframe == f"{folder}/videos/{VIDEO}#t=0.500"
        assert library.keyframe(found) == library.keyframe_at(VIDEO, 30.0) == b"picture"


def test_verify_names_the_damaged_file(folder):
    with Library(folder) as library:
        assert library.verify(deep=True) == []
        (folder / "videos" / VIDEO / "v-1" / "keyframes.bin").write_bytes(b"damaged")
        assert [damage.name for damage in library.verify()] == [f"videos/{VIDEO}/v-1/keyframes.bin"]
