"""The store: a video is committed whole or not at all, whatever dies, fills up or is damaged meanwhile."""

import contextlib
import errno
import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from playhead.index.storage.atomic_files import write_text
from playhead.index.storage.keyframes import keyframe_at, keyframe_times, write_keyframe
from playhead.index.storage.local import FORMAT, LocalStorage, content_id
from playhead.index.storage.table import ObservationTable, observation_id, read, write
from playhead.tools.errors import LibraryError, MediaError
from playhead.tools.records import Box, Frame, Word

from ..fakes import BOX, BagOfWords, commit, observation, record

VIDEO, OTHER = "ab" * 16, "cd" * 16


@pytest.fixture
def store(tmp_path):
    made = LocalStorage(tmp_path / "library")
    made.create()
    return made


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    return tmp_path_factory.mktemp("scratch")


def everything(folder):
    """All files below a folder with their content; the lock is of no account."""
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file() and p.name != "lock"}


def seen(store, video_id=VIDEO):
    return [o.text for o in store.table(store.read()[video_id]).observations]


# What is kept


def test_what_was_perceived_comes_back_as_it_was(store):
    observations = [
        observation("Hello, world.", 0.1, 1 / 3, words=(Word(text="Hello,", start=0.1, end=0.2),), score=0.123456),
        observation("ERR_CERT_DATE", 1.0, 2.0, modality="text", box=BOX, frame_seconds=1.04),
        observation("東京 – “naïve” 🚀", 2.0, 3.0, modality="caption"),
        observation("", 0.0, 5.0, modality="frame", frame_seconds=0.2),
    ]
    pictures = np.eye(1, 8, dtype=np.float32)
    encoder = BagOfWords()
    committed = commit(store, observations, encoder, lambda: pictures)
    assert store.read() == {VIDEO: committed}
    back = store.table(committed)
    assert [o.model_copy(update={"score": 1.0}) for o in back.observations] == [
        o.model_copy(update={"score": 1.0}) for o in observations
    ]
    assert back.observations[0].score == pytest.approx(0.123456, abs=1e-6)
    assert back.text_vectors == pytest.approx(encoder.encode([o.text for o in observations[:3]]), abs=1e-3)
    assert back.image_vectors.tolist() == pictures.tolist()
    assert [observation_id(o) for o in back.observations] == [observation_id(o) for o in observations]
    assert [o.text for o in back.of("text")] == ["ERR_CERT_DATE"]


@settings(deadline=None, max_examples=50)
@given(st.tuples(*[st.floats(0, 1)] * 4), st.floats(0, 1e5), st.floats(1e-3, 1e4), st.text())
def test_an_id_is_the_same_after_the_disk(scratch, edges, start, length, text):
    """Also where an edge lies half-way between two roundings."""
    box = Box(left=edges[0], top=edges[1], right=edges[2], bottom=edges[3])
    before = observation(text, start, start + length, modality="object", box=box)
    write(scratch, ObservationTable([before]))
    after = read(scratch).observations[0]
    assert after == before
    assert observation_id(after) == observation_id(before)


def test_ids_tell_things_apart():
    one = observation("a", 0, 1)
    others = [
        observation("b", 0, 1),
        observation("a", 0, 1.001),
        observation("a", 0.001, 1),
        observation("a", 0, 1, modality="text"),
        observation("a", 0, 1, box=BOX),
    ]
    assert len({observation_id(o) for o in [one, *others]}) == 6
    assert observation_id(one) == observation_id(observation("a", 0, 1, score=0.5, source="other@2"))


def test_vectors_that_do_not_fit_are_refused(tmp_path):
    with pytest.raises(ValueError, match="text vectors: 1 rows expected"):
        ObservationTable([observation("a")], text_vectors=np.zeros((2, 3), np.float16))
    with pytest.raises(ValueError, match="image vectors: 0 rows expected"):
        ObservationTable([observation("a")], image_vectors=np.zeros((1, 3), np.float16))


def test_keyframes(tmp_path):
    for milliseconds in (0, 40, 12_345_678):
        write_keyframe(tmp_path, Frame(milliseconds / 1000, np.full((720, 1280, 3), 100, np.uint8)))
    times = keyframe_times(tmp_path)
    assert times == [0, 40, 12_345_678]
    assert keyframe_at(tmp_path, times, 0.039).name == "0000000000.webp"
    assert keyframe_at(tmp_path, times, 0.04).name == "0000000040.webp"
    assert keyframe_at(tmp_path, times, 99_999).name == "0012345678.webp"
    assert keyframe_at(tmp_path, [40], 0.0).name == "0000000040.webp"
    assert keyframe_at(tmp_path, [], 1.0) is None
    from PIL import Image

    picture = Image.open(keyframe_at(tmp_path, times, 0))
    assert (picture.format, picture.size) == ("WEBP", (512, 288))
    assert abs(np.asarray(picture.convert("RGB")).astype(int) - 100).max() <= 2


# Identity


def test_content_is_what_counts(tmp_path):
    small, copy, longer = tmp_path / "a.mp4", tmp_path / "b.mkv", tmp_path / "c.mp4"
    small.write_bytes(b"x" * 100)
    copy.write_bytes(b"x" * 100)
    longer.write_bytes(b"x" * 101)
    assert content_id(small) == content_id(copy) != content_id(longer)
    assert len(content_id(small)) == 32


def test_both_ends_of_a_large_file_count(tmp_path):
    body = bytearray(np.random.default_rng(0).bytes(3_000_001))
    ids = set()
    for place in (None, 0, len(body) - 1, len(body) // 3):
        changed = bytearray(body)
        if place is not None:
            changed[place] ^= 255
        path = tmp_path / "big.mp4"
        path.write_bytes(changed)
        ids.add(content_id(path))
    assert len(ids) >= 3


def test_what_is_no_file_has_no_content(tmp_path):
    os.mkfifo(tmp_path / "pipe.mp4")
    (tmp_path / "loop.mp4").symlink_to(tmp_path / "loop.mp4")
    for name in ("pipe.mp4", "loop.mp4", "missing.mp4", "."):
        with pytest.raises(MediaError, match=r"cannot be read|is no file"):
            content_id(tmp_path / name)


# Commit


def test_a_commit_replaces_the_whole_folder(store):
    commit(store, [observation("old")], BagOfWords())
    (store.videos_folder / VIDEO / "keyframes").mkdir()
    commit(store, [observation("new")], commit="2")
    assert seen(store) == ["new"]
    assert sorted(p.name for p in (store.videos_folder / VIDEO).iterdir()) == ["observations.parquet", "video.json"]
    assert list((store.folder / "staging").iterdir()) == []


def test_nothing_is_seen_before_the_commit_and_nothing_left_without(store):
    commit(store, [observation("old")])

    def interrupted():
        with store.staged(VIDEO) as staged:
            write(staged, ObservationTable([observation("new")]))
            assert seen(store) == ["old"]
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert seen(store) == ["old"]
    assert list((store.folder / "staging").iterdir()) == []


def test_a_commit_keeps_the_paths_that_others_noted(store):
    commit(store, [observation("a")], paths=("one.mp4",))
    with store.staged(VIDEO) as staged:
        write(staged, ObservationTable([observation("b")]))
        store.update_paths(VIDEO, add=["two.mp4"])
        committed = store.commit(staged, record(paths=("one.mp4",), commit="2"))
    assert committed.paths == ("one.mp4", "two.mp4")
    assert store.read()[VIDEO] == committed


def killed_in_commit(folder, at):
    """A process that is killed at the `at`-th rename of a replacement."""
    store = LocalStorage(folder)
    real, count = Path.rename, [0]

    def rename(self, target):
        count[0] += 1
        if count[0] == at:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(self, target)

    Path.rename = rename
    commit(store, [observation("new")], commit="2")


@pytest.mark.parametrize("at", [1, 2])
def test_a_killed_replacement_keeps_the_old(store, at):
    commit(store, [observation("old")])
    process = multiprocessing.get_context("fork").Process(target=killed_in_commit, args=(store.folder, at), daemon=True)
    process.start()
    process.join(30)
    assert process.exitcode == -signal.SIGKILL
    store.create()
    assert seen(store) == ["old"]
    assert list((store.folder / "staging").iterdir()) == []


def test_a_replacement_that_fails_keeps_the_old(store, monkeypatch):
    commit(store, [observation("old")])
    before = everything(store.folder)
    real = Path.rename

    def rename(self, target):
        if self.name.startswith("new-"):
            raise OSError(errno.EIO, "Input/output error")
        return real(self, target)

    monkeypatch.setattr(Path, "rename", rename)
    with pytest.raises(LibraryError, match="Input/output error"):
        commit(store, [observation("new")], commit="2")
    assert everything(store.folder) == before


def test_what_a_living_process_writes_is_not_swept(store):
    with store.staged(VIDEO) as staged:
        (staged / "half").write_text("written")
        LocalStorage(store.folder).create()
        assert (staged / "half").read_text() == "written"


def test_what_a_dead_process_left_is_swept(store):
    script = (
        "import os, sys; from playhead.index.storage.local import LocalStorage; from pathlib import Path\n"
        "with LocalStorage(Path(sys.argv[1])).staged('ab' * 16) as staged:\n"
        "    (staged / 'half').write_text('written'); os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", script, store.folder], check=False, timeout=60)
    assert [p.name[:36] for p in (store.folder / "staging").iterdir()] == [f"new-{VIDEO}"]
    LocalStorage(store.folder).create()
    assert list((store.folder / "staging").iterdir()) == []


def test_many_writers(store):
    """Threads that commit, note paths, recover and read at once: always a whole video, no path lost."""
    commit(store, [observation("0")])
    errors = []

    def work(number):
        try:
            for turn in range(8):
                own = LocalStorage(store.folder)
                own.create()
                commit(own, [observation(f"{number}")] * (number + 1), commit=f"{number}-{turn}")
                own.update_paths(VIDEO, add=[f"{number}-{turn}.mp4"])
                found = own.read()
                if VIDEO in found and (now := own.read().get(VIDEO)):
                    try:
                        texts = [o.text for o in own.table(now).observations]
                    except LibraryError:
                        assert not own.is_current(now)
                    else:
                        assert len(set(texts)) == 1
        except BaseException as error:  # noqa: BLE001 (a thread's failure is told below)
            errors.append(error)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert errors == []
    store.create()
    assert {f"{n}-{t}.mp4" for n in range(4) for t in range(8)} <= set(store.read()[VIDEO].paths)
    assert list((store.folder / "staging").iterdir()) == []


# Paths


def test_paths_move_with_the_library(tmp_path):
    talks = tmp_path / "talks"
    (talks / "2024").mkdir(parents=True)
    film = talks / "2024" / "a.mp4"
    film.write_bytes(b"film")
    store = LocalStorage(talks / ".playhead")
    store.create()
    assert store.stored_path(film) == "2024/a.mp4"
    commit(store, [observation("a")], paths=(store.stored_path(film),))
    talks.rename(tmp_path / "moved")
    moved = LocalStorage(tmp_path / "moved" / ".playhead")
    assert moved.file_of(moved.read()[VIDEO]) == tmp_path / "moved" / "2024" / "a.mp4"
    assert moved.file_of(moved.read()[VIDEO]).read_bytes() == b"film"


def test_paths_elsewhere_are_absolute(tmp_path, monkeypatch):
    store = LocalStorage(tmp_path / "library" / ".playhead")
    assert store.stored_path(tmp_path / "elsewhere" / "a.mp4") == str(tmp_path / "elsewhere" / "a.mp4")
    assert store.absolute_path(str(tmp_path / "a.mp4")) == tmp_path / "a.mp4"
    assert store.stored_path(tmp_path / "library" / "x" / ".." / "a.mp4") == "a.mp4"
    (tmp_path / "library").mkdir()
    monkeypatch.chdir(tmp_path / "library")
    assert LocalStorage(Path(".playhead")).folder == store.folder
    assert store.stored_path(Path("a.mp4")) == "a.mp4"


def test_the_file_of_a_video_is_one_that_exists(store):
    there = store.folder.parent / "there.mp4"
    there.write_bytes(b"")
    assert store.file_of(record(paths=("gone.mp4", "there.mp4"))) == there
    assert store.file_of(record(paths=("gone.mp4", "too.mp4"))).name == "gone.mp4"


def test_noting_paths(store):
    commit(store, [observation("a")], paths=("a.mp4",))
    changed = store.videos_folder.stat().st_mtime_ns
    assert store.update_paths(VIDEO, add=["b.mp4"], drop=["a.mp4"]).paths == ("b.mp4",)
    assert store.read()[VIDEO].paths == ("b.mp4",)
    assert store.videos_folder.stat().st_mtime_ns != changed
    assert seen(store) == ["a"]
    assert store.update_paths(VIDEO, drop=["b.mp4"]) is None
    assert store.read() == {}
    assert store.update_paths(VIDEO, add=["c.mp4"]) is None
    store.remove(VIDEO)
    assert list((store.folder / "staging").iterdir()) == []


# What is no library, or another's


def test_a_file_is_no_library(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(LibraryError, match="is a file, not a library folder: choose another place"):
        LocalStorage(tmp_path / "file")


@pytest.mark.parametrize("inside", ["notes.txt", "videos/holiday.mp4", "staging/x"])
def test_a_foreign_folder_is_refused(tmp_path, inside):
    (tmp_path / "mine" / inside).parent.mkdir(parents=True)
    (tmp_path / "mine" / inside).write_text("precious")
    before = everything(tmp_path)
    with pytest.raises(LibraryError, match="is a folder of something else"):
        LocalStorage(tmp_path / "mine")
    assert everything(tmp_path) == before


def test_an_empty_or_missing_folder_becomes_a_library(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / ".DS_Store").write_text("")
    for place in (tmp_path / "empty", tmp_path / "deep" / "er"):
        store = LocalStorage(place)
        assert store.read() == {}
        store.create()
        store.create()
        assert LocalStorage(place).read() == {}
        assert json.loads((place / "library.json").read_text()) == {"format": FORMAT}


def test_a_newer_library_is_left_alone(store):
    commit(store, [observation("a")])
    (store.folder / "library.json").write_text('{"format": 2, "more": true}')
    before = everything(store.folder)
    with pytest.raises(LibraryError, match="has format 2, this Playhead reads up to 1: upgrade Playhead"):
        LocalStorage(store.folder)
    assert everything(store.folder) == before


# Damage


@pytest.mark.parametrize(
    "content", [b"", b"{", b"\xff\xfe\x00", b"[]", b"null", b"{}", b'{"format": "1"}', b'{"format": 0}', b'{"format": true}', b"[" * 100_000, None]
)  # fmt: skip
def test_a_damaged_library_file_is_told_and_mended(store, content):
    commit(store, [observation("a")])
    if content is None:
        (store.folder / "library.json").unlink()
    else:
        (store.folder / "library.json").write_bytes(content)
    damaged = LocalStorage(store.folder)
    for use in (damaged.read, damaged.survey, damaged.create):
        with pytest.raises(LibraryError, match=r"library\.json is damaged or missing: index again with `force`"):
            use()
    damaged.create(mend=True)
    assert seen(damaged) == ["a"]
    assert seen(LocalStorage(store.folder)) == ["a"]


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff", b"null", b"[" * 100_000])
def test_a_damaged_record_is_told(store, content):
    commit(store, [observation("a")])
    commit(store, [observation("b")], video_id=OTHER)
    (store.videos_folder / VIDEO / "video.json").write_bytes(content)
    with pytest.raises(LibraryError, match=rf"{VIDEO} is damaged: index its video again with `force`, or delete"):
        store.read()
    records, broken = store.survey()
    assert list(records) == [OTHER]
    assert list(broken) == [VIDEO]


def test_records_that_are_not_what_they_say(store):
    commit(store, [observation("a")])
    known = json.loads((store.videos_folder / VIDEO / "video.json").read_text())
    for change in ({"stages": known["stages"][:1] * 2}, {"video_id": OTHER}, {"paths": []}, {"from_the_future": 1}):
        write_text(store.videos_folder / VIDEO / "video.json", json.dumps(known | change))
        assert list(store.survey()[1]) == [VIDEO], change


def test_what_is_no_video_is_passed_over(store):
    commit(store, [observation("a")])
    (store.videos_folder / ".DS_Store").write_text("")
    (store.videos_folder / "empty").mkdir()
    assert list(store.read()) == [VIDEO]


@pytest.mark.parametrize("name", ["observations.parquet", "vectors.text.npy", "vectors.image.npy"])
@pytest.mark.parametrize("damage", ["missing", "empty", "half", "other"])
def test_a_damaged_part_is_told(store, name, damage):
    observations = [observation("a"), observation("", modality="frame")]
    committed = commit(store, observations, BagOfWords(), lambda: np.eye(1, 8))
    part = store.videos_folder / VIDEO / name
    content = part.read_bytes()
    part.unlink()
    if damage != "missing":
        part.write_bytes({"empty": b"", "half": content[: len(content) // 2], "other": b"\x80\x04K\x01."}[damage])
    with pytest.raises(LibraryError, match=f"{VIDEO} is damaged: index its video again with `force`"):
        store.table(committed)


@pytest.mark.parametrize(
    "vectors",
    [np.zeros((2, 8), np.float16), np.zeros((1, 8), np.float32), np.zeros(8, np.float16), np.full((1, 8), np.nan, np.float16)],
)  # fmt: skip
def test_vectors_of_something_else_are_told(store, vectors):
    committed = commit(store, [observation("a")], BagOfWords())
    np.save(store.videos_folder / VIDEO / "vectors.text.npy", vectors)
    with pytest.raises(LibraryError, match="is damaged"):
        store.table(committed)


@settings(deadline=None, max_examples=60)
@given(place=st.floats(0, 1, exclude_max=True), byte=st.integers(0, 255))
def test_any_damaged_byte_is_told_or_harmless(scratch, place, byte):
    write(scratch, ObservationTable([observation("a word", words=(Word(text="a", start=0, end=1),), box=BOX)] * 3))
    part = scratch / "observations.parquet"
    content = bytearray(part.read_bytes())
    content[int(place * len(content))] = byte
    part.write_bytes(content)
    with contextlib.suppress(LibraryError):
        assert len(read(scratch).observations) == 3


# Disks


REASONS = {
    errno.ENOSPC: "the disk is full: free some space",
    errno.EROFS: "the disk is read-only: choose another place",
    errno.EACCES: "permission denied: choose another place",
    errno.EIO: "Input/output error",
}


@pytest.mark.parametrize("number", REASONS)
@pytest.mark.parametrize("call", ["os.fsync", "pathlib.Path.rename", "pathlib.Path.mkdir", "pathlib.Path.open"])
def test_a_disk_that_refuses_is_one_line_and_no_harm(store, monkeypatch, number, call):
    commit(store, [observation("old")])
    before = everything(store.folder)

    def refuse(*_, **__):
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr(call, refuse)
        with pytest.raises(LibraryError) as caught:
            commit(store, [observation("new")], commit="2")
        if call == "pathlib.Path.open":
            with pytest.raises(LibraryError):
                store.update_paths(VIDEO, add=["x.mp4"])
            with pytest.raises(LibraryError):
                store.remove(VIDEO)
    assert REASONS[number] in str(caught.value)
    assert str(store.folder) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert everything(store.folder) == before
    assert seen(LocalStorage(store.folder)) == ["old"]


def test_all_of_a_video_is_on_the_disk_before_it_is_committed(store, monkeypatch):
    """A power cut loses what the operating system was not told to write."""
    flushed, moved = set(), []

    def noting(handle):
        flushed.add(os.fstat(handle).st_ino)
        return os_fsync(handle)

    def moving(self, target):
        moved.append({path.name for path in self.rglob("*") if path.stat().st_ino not in flushed})
        return path_rename(self, target)

    os_fsync, path_rename = os.fsync, Path.rename
    monkeypatch.setattr(os, "fsync", noting)
    monkeypatch.setattr(Path, "rename", moving)
    with store.staged(VIDEO) as staged:
        write(staged, ObservationTable([observation("a")]))
        for seconds in (0, 2.5):
            write_keyframe(staged, Frame(seconds, np.zeros((9, 16, 3), np.uint8)))
        store.commit(staged, record())
    assert moved == [{"lock"}]
    assert keyframe_times(store.videos_folder / VIDEO) == [0, 2500]


@pytest.mark.parametrize("number", REASONS)
def test_a_library_that_cannot_be_made_is_one_line(tmp_path, monkeypatch, number):
    def refuse(*_, **__):
        raise OSError(number, os.strerror(number))

    store = LocalStorage(tmp_path / "library")
    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(LibraryError, match=REASONS[number]):
        store.create()


def test_a_library_that_may_not_be_read_is_one_line(store, monkeypatch):
    commit(store, [observation("a")])

    def refuse(self, *_, **__):
        raise PermissionError(errno.EACCES, "Permission denied", str(self))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_bytes", refuse)
        with pytest.raises(LibraryError, match="cannot be read"):
            store.read()
        with pytest.raises(LibraryError, match="cannot be read"):
            LocalStorage(store.folder)
    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(LibraryError, match="cannot be read"):
        store.read()


def test_a_disk_that_fills_up_on_the_way(store):
    """A real limit on a file's size stands in for a full disk: the vectors do not fit."""
    script = (
        "import resource, signal, sys; from pathlib import Path; import numpy as np\n"
        "from playhead.index.storage.atomic_files import writing; from playhead.index.storage.local import LocalStorage\n"
        "from playhead.index.storage.table import ObservationTable, write\n"
        "from playhead.tools.errors import LibraryError\n"
        "from playhead.tools.records import Observation, Span\n"
        "seen = [Observation(modality='speech', span=Span(start=0, end=1), text='a', score=1, source='x@1')] * 3000\n"
        "store = LocalStorage(Path(sys.argv[1]))\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))\n"
        "try:\n"
        "    with store.staged('ab' * 16) as staged, writing(store.folder):\n"
        "        write(staged, ObservationTable(seen, np.ones((3000, 384), np.float16)))\n"
        "except LibraryError as error:\n"
        "    print(error)\n"
    )
    commit(store, [observation("old")])
    before = everything(store.folder)
    done = subprocess.run([sys.executable, "-c", script, store.folder], capture_output=True, text=True, timeout=60)
    assert done.stdout.startswith(f"cannot write to {store.folder}: File too large"), done.stderr
    assert everything(store.folder) == before


def test_a_library_that_is_deleted_meanwhile(store):
    with store.staged(VIDEO) as staged:
        write(staged, ObservationTable([observation("a")]))
        shutil.rmtree(store.folder)
        with pytest.raises(LibraryError, match="cannot write to"):
            store.commit(staged, record())
