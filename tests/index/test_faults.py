"""Commits under faults: at every system call the disk fails, the process is killed, and readers look."""

import errno
import os
import re
import signal
import sys
import threading

import numpy as np
import pytest

from playhead.index.storage.committed.keyframes import write_keyframe
from playhead.index.storage.committed.table import ObservationTable, write
from playhead.index.storage.journal import Journal
from playhead.index.storage.local import LocalStorage
from playhead.tools.errors import LibraryError
from playhead.tools.records import Frame

from ..fakes import BagOfWords, commit, observation, record

VIDEO, OTHER = "ab" * 16, "cd" * 16
CALLS = {
    "open",
    "os.rename",
    "os.mkdir",
    "os.remove",
    "os.rmdir",
    "os.utime",
    "os.truncate",
    "os.listdir",
    "os.scandir",
}


class _Calls:
    """Calls `act` at each system call of this thread while it is on: audit events, and `os.fsync`."""

    act = None
    thread = 0

    def __call__(self, event, _):
        if self.act is not None and event in CALLS and threading.get_ident() == self.thread:
            act, self.act = self.act, None  # what is done then is not counted
            try:
                act()
            finally:
                self.act = act


CALL = _Calls()
_fsync = os.fsync


@pytest.fixture(scope="module", autouse=True)
def _hooked():
    sys.addaudithook(CALL)

    def fsync(handle):
        CALL("open", ())
        return _fsync(handle)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", fsync)
        yield
    CALL.act = None


def library(folder):
    """A library with two videos; the first is about to be replaced."""
    store = LocalStorage(folder)
    store.create()
    commit(store, [observation("old")], BagOfWords())
    commit(store, [observation("other")], video_id=OTHER)
    return store


def replace(store, at=None, act=None):
    """Replace the first video; at the `at`-th system call of the commit, `act`. Returns how many there were."""
    count = 0

    def counted():
        nonlocal count
        count += 1
        if act and at in (count, None):
            act()

    with store.staged(VIDEO) as staged:
        write(staged, ObservationTable([observation("new")]))
        write_keyframe(staged, Frame(1.0, np.zeros((9, 16, 3), np.uint8)))
        captions = Journal(staged / "captions.jsonl")
        if captions.find("a") is None:
            captions.note("a", "a caption")
        CALL.thread, CALL.act = threading.get_ident(), counted
        try:
            store.commit(staged, record(commit="2"))
        finally:
            CALL.act = None
    return count


def failure(store, at, act):
    """The message of a replacement that fails; empty if it does not."""
    try:
        replace(store, at, act)
    except LibraryError as error:
        return str(error)
    return ""


def check(folder):
    """A reader sees both videos, whole; which version of the first."""
    store = LocalStorage(folder)
    records = store.read()
    assert sorted(records) == [VIDEO, OTHER]
    (now, table), (_, other) = store.committed(VIDEO), store.committed(OTHER)
    assert [o.text for o in other.observations] == ["other"]
    text = {"1": "old", "2": "new"}[now.commit]
    assert [o.text for o in table.observations] == [text]
    assert store.keyframe_times(now) == ([1000] if text == "new" else [])
    assert list(store.verify(deep=True)) == []
    return text


def data_files(folder):
    return {p.name: p.read_bytes() for p in (folder / "videos" / VIDEO / "v-2").iterdir()}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The number of system calls of an undisturbed commit, and its files."""
    folder = tmp_path_factory.mktemp("whole") / "library"
    count = replace(library(folder))
    assert check(folder) == "new"
    return count, data_files(folder)


def test_readers_see_every_video_at_every_system_call(tmp_path):
    store = library(tmp_path / "library")
    seen = []
    assert replace(store, act=lambda: seen.append(check(store.folder))) == len(seen) > 30
    assert seen == sorted(seen, key=["old", "new"].index)  # once new, it stays new
    assert set(seen) == {"old", "new"}


def test_a_fault_at_any_system_call_keeps_every_video(tmp_path, whole):
    count, files = whole
    failed = 0
    for at in range(1, count + 1):
        number = (errno.EIO, errno.ENOSPC)[at % 2]

        def fail(number=number):
            raise OSError(number, os.strerror(number))

        store = library(tmp_path / f"{at}")
        message = failure(store, at, fail)
        failed += bool(message)
        assert not message or re.fullmatch(r"cannot write to .*|.* cannot be read .*", message)
        check(store.folder)
        store.create()
        if store.record(VIDEO).commit == "1":
            replace(store)
            assert list((store.folder / "staging").iterdir()) == []
        assert check(store.folder) == "new"
        assert data_files(store.folder) == files
    assert failed > count / 2


def test_a_kill_at_any_system_call_keeps_every_video(tmp_path, whole):
    count, files = whole
    for at in range(1, count + 1):
        folder = tmp_path / f"{at}"
        store = library(folder)
        child = os.fork()
        if not child:
            replace(store, at, lambda: os.kill(os.getpid(), signal.SIGKILL))
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
        state = check(folder)
        again = LocalStorage(folder)
        again.create()
        if state == "old":
            replace(again)
        assert check(folder) == "new"
        assert data_files(folder) == files
        assert not list((folder / "staging").glob("new-*/observations.parquet"))


def test_a_library_on_a_read_only_mount_is_read(tmp_path):
    """Reading makes no system call that writes."""
    store = library(tmp_path / "library")
    written = []

    def hook(event, args):
        if active and (event in CALLS - {"open", "os.listdir", "os.scandir"} or (event == "open" and _writes(args))):
            written.append((event, args))

    active = False
    sys.addaudithook(hook)
    try:
        active = True
        assert check(store.folder) == "old"
    finally:
        active = False
    assert written == []


def _writes(args):
    _, _, flags = args
    return isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
