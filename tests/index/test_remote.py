"""Libraries on a shared path and on object storage: one suite over `file://` and a real S3 server in this process."""

import io
import json
import os
import pickle
import re
import shutil
import signal
import subprocess
import sys
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path

import numpy as np
import pytest

from playhead import Library
from playhead.agent.cli.main import main
from playhead.index.indexing.build import index_files
from playhead.index.records import StageReport
from playhead.index.storage.files.sealed import seal, unseal
from playhead.index.storage.journal import CAPTIONS
from playhead.index.storage.local import LocalStorage
from playhead.index.storage.url import UrlStorage
from playhead.tools.errors import LibraryError, MissingExtraError, SettingsError
from playhead.tools.extractors.registry import stage_names
from playhead.tools.records import clean_text

from ..fakes import BagOfWords, Captions, Reader, calls, commit, extractors, observation, record
from ..media import beep, write_media
from .conftest import Bucket, SharedFolder

fsspec = pytest.importorskip("fsspec", reason="fsspec is not installed: pip install 'playhead[remote]'")

VIDEO, OTHER = "ab" * 16, "cd" * 16
OF_VIDEO = f"videos/{VIDEO}"
PUSH_UNTIL_KILLED = """
import os, signal, sys
import fsspec
from playhead.index.storage.url import UrlStorage
from playhead.index.storage.local import LocalStorage

url, folder, video_id, before = sys.argv[1:]
fsspec.config.conf["gather_batch_size"] = 1  # one file after the other
kind = fsspec.get_filesystem_class(url.partition(":")[0])
name = "_put_file" if kind.async_impl else "put_file"
real, sent = getattr(kind, name), []

def put_file(self, *args, **options):
    if len(sent) == int(before):
        os.kill(os.getpid(), signal.SIGKILL)
    sent.append(args)
    return real(self, *args, **options)

setattr(kind, name, put_file)
store = LocalStorage(folder)
UrlStorage(url).push(store, store.read()[video_id])
"""


@pytest.fixture
def store(tmp_path):
    """A library with one video, its file in the folder above."""
    made = LocalStorage(tmp_path / "made" / ".playhead")
    made.create()
    keep(made, ["hello", "world"], pictures=2)
    return made


@pytest.fixture
def here(tmp_path):
    """A library that does not exist yet."""
    return LocalStorage(tmp_path / "here" / ".playhead")


def keep(store, said, *, pictures=0, files=None, **fields):
    """Commit what was said, embedded, with a keyframe for each picture."""
    seen = [observation("", float(n), modality="frame") for n in range(pictures)]
    vectors = (lambda: np.eye(pictures, 8, dtype=np.float32)) if pictures else None
    reported = StageReport(modality="speech", state="done", detail=f"{len(said)} found")
    stages = [StageReport(modality=modality, state="skipped", detail="switched off") for modality in stage_names()]
    fields["stages"] = (reported, *(stage for stage in stages if stage.modality != "speech"))
    more = {f"keyframes/{number:010d}.webp": b"webp" * (number + 1) for number in range(pictures)} | (files or {})
    return commit(store, [*map(observation, said), *seen], BagOfWords(), vectors, more, **fields)


def push(place, store, video_id=VIDEO):
    UrlStorage(place.url).push(store, store.read()[video_id])


def pull(place, here):
    return [(one.video_id, one.state) for one in UrlStorage(place.url).pull(here)]


def failure(place, here):
    """Why the only video could not be pulled; nothing of it is in the library."""
    (pulled,) = UrlStorage(place.url).pull(here)
    assert (pulled.video_id, pulled.state, pulled.has_failed) == (VIDEO, "failed", True)
    assert here.read() == {}
    assert list((here.folder / "staging").iterdir()) == []
    return pulled.detail


def said(store, video_id=VIDEO):
    return [o.text for o in store.table(store.read()[video_id]).of("speech")]


def files(store, video_id=VIDEO):
    folder = store.version_folder(store.read()[video_id])
    return {p.name: p.read_bytes() for p in folder.iterdir() if p.name != "video.json"}


def of_version(commit="1"):
    return f"{OF_VIDEO}/v-{commit}"


def edited(place, **changes):
    """Change the record of a video that was pushed, as anybody may who can write there."""
    name = f"{OF_VIDEO}/video.json"
    value = unseal(place.read(name))
    value["record"] |= changes
    place.write(name, seal(value))


# To and fro


def test_what_is_pushed_is_there_as_it_was_with_absolute_paths(place, store, tmp_path):
    committed = store.read()[VIDEO]
    remote = UrlStorage(place.url)
    assert remote.survey()[0] == {}
    assert remote.record(VIDEO) is None
    remote.push(store, committed)
    of_commit = {f"{of_version()}/{name}" for name in (*files(store), "video.json")}
    assert place.names() == {"library.json", f"{OF_VIDEO}/video.json", *of_commit}
    assert {name: place.read(f"{of_version()}/{name}") for name in files(store)} == files(store)
    assert unseal(place.read("library.json")) == {"format": 2}
    absolute = committed.model_copy(update={"paths": (str(tmp_path / "made" / "abab.mp4"),)})
    assert remote.survey()[0] == {VIDEO: absolute}
    assert remote.record(VIDEO) == absolute == UrlStorage(f"{place.url}/").record(VIDEO)
    assert pickle.loads(pickle.dumps(remote)).survey()[0] == remote.survey()[0]


def test_what_is_pulled_is_as_it_was_and_is_pulled_once(place, store, here, tmp_path):
    keep(store, ["elsewhere"], video_id=OTHER, paths=("/disk/other.mp4",))
    push(place, store)
    push(place, store, OTHER)
    assert pull(place, here) == [(VIDEO, "pulled"), (OTHER, "pulled")]
    assert {video_id: one.paths for video_id, one in here.read().items()} == {
        VIDEO: (str(tmp_path / "made" / "abab.mp4"),),
        OTHER: ("/disk/other.mp4",),
    }
    assert files(here) == files(store)
    assert (said(here), said(here, OTHER)) == (["hello", "world"], ["elsewhere"])
    processed, before = here.table(here.read()[VIDEO]), store.table(store.read()[VIDEO])
    assert processed.observations == before.observations
    assert processed.image_vectors.tolist() == before.image_vectors.tolist() == np.eye(2, 8).tolist()
    assert pull(place, here) == [(VIDEO, "unchanged"), (OTHER, "unchanged")]
    assert list((here.folder / "staging").iterdir()) == []


def test_a_path_below_the_librarys_parent_stays_relative(place, store, tmp_path):
    push(place, store)
    neighbour = LocalStorage(tmp_path / "made" / "second")
    assert pull(place, neighbour) == [(VIDEO, "pulled")]
    assert neighbour.read()[VIDEO].paths == ("abab.mp4",)


def test_another_commit_replaces_all_files(place, store, here):
    push(place, store)
    assert pull(place, here) == [(VIDEO, "pulled")]
    keep(store, ["again"], commit="2")
    push(place, store)
    assert {name for name in place.names() if "/" in name} == {
        f"{of_version('2')}/{name}" for name in ("observations.parquet", "vectors.text.npz", "video.json")
    } | {f"{OF_VIDEO}/video.json"}
    assert pull(place, here) == [(VIDEO, "pulled")]
    assert (said(here), files(here)) == (["again"], files(store))


def test_the_same_commit_mends_what_is_missing_and_notes_new_paths(place, store):
    push(place, store)
    place.delete(f"{of_version()}/keyframes.bin")
    place.write(f"{of_version()}/vectors.text.npz", b"short")
    store.update_paths(VIDEO, add=["copy.mp4"])
    push(place, store)
    assert {name: place.read(f"{of_version()}/{name}") for name in files(store)} == files(store)
    assert [Path(path).name for path in UrlStorage(place.url).record(VIDEO).paths] == ["abab.mp4", "copy.mp4"]


def test_what_is_only_here_stays(place, store, here):
    push(place, store)
    here.create()
    keep(here, ["mine"], video_id=OTHER)
    captions = {CAPTIONS: b'{"key":"a","value":"known"}\n'}
    keep(here, ["old"], commit="0", paths=("my.mp4",), files=captions)
    assert pull(place, here) == [(VIDEO, "pulled")]
    assert (said(here), said(here, OTHER)) == (["hello", "world"], ["mine"])
    assert here.read()[VIDEO].paths[0] == "my.mp4"
    assert files(here) == files(store) | captions


def test_a_damaged_video_here_is_mended(place, store, here):
    push(place, store)
    pull(place, here)
    (here.videos_folder / VIDEO / "video.json").write_bytes(b"{")
    assert pull(place, here) == [(VIDEO, "pulled")]
    assert said(here) == ["hello", "world"]


def test_a_removed_video_is_deleted(place, store, here):
    keep(store, ["stays"], video_id=OTHER)
    push(place, store)
    push(place, store, OTHER)
    remote = UrlStorage(place.url)
    remote.remove(VIDEO)
    remote.remove(VIDEO)
    assert list(remote.survey()[0]) == [OTHER]
    assert [name for name in place.names() if VIDEO in name] == []
    assert pull(place, here) == [(OTHER, "pulled")]


def test_a_library_that_was_copied_can_be_pulled(tmp_path, store, here, bucket):
    """Its paths are relative: to the folder above it, where that is known."""
    for file in [path for path in store.folder.rglob("*") if path.is_file()]:
        bucket.write(file.relative_to(store.folder).as_posix(), file.read_bytes())
    assert pull(SharedFolder(store.folder), here) == [(VIDEO, "pulled")]
    assert here.read()[VIDEO].paths == (str(tmp_path / "made" / "abab.mp4"),)
    other = LocalStorage(tmp_path / "third" / ".playhead")
    assert pull(bucket, other) == [(VIDEO, "pulled")]
    assert other.read()[VIDEO].paths == ("abab.mp4",)


def test_a_search_that_is_open_on_a_shared_path_sees_what_is_pushed(shared, store, no_models):
    push(shared, store)
    library = Library(shared.folder)
    assert [one.text for one in library.search("hello")] == ["hello"]
    keep(store, ["penguins"], commit="2")
    push(shared, store)
    library.optimize()  # a push commits videos; the search index is published by the library that is searched
    assert [one.text for one in library.search("penguins")] == ["penguins"]
    assert library.search("hello") == []


# Killed, or in each other's way


def test_a_push_that_is_killed_keeps_the_previous_version_and_the_next_completes_it(place, store, here):
    push(place, store)
    before = files(store)
    keep(store, ["again"], pictures=1, commit="2")
    command = [sys.executable, "-c", PUSH_UNTIL_KILLED, place.url, str(store.folder), VIDEO, "2"]
    assert subprocess.run(command, timeout=60).returncode == -signal.SIGKILL
    assert sum(name.startswith(of_version("2")) for name in place.names()) == 2
    assert pull(place, here) == [(VIDEO, "pulled")]
    assert files(here) == before
    push(place, store)
    assert pull(place, here) == [(VIDEO, "pulled")]
    assert files(here) == files(store)
    assert not any(name.startswith(f"{of_version()}/") for name in place.names())


class Disturbed(LocalStorage):
    """A library in which something happens whenever a video is about to be downloaded."""

    def __init__(self, folder, happens):
        super().__init__(folder)
        self.happens, self.times = happens, 0

    @contextmanager
    def staged(self, video_id, **options):
        with super().staged(video_id, **options) as staged:
            self.times += 1
            self.happens(self.times)
            yield staged


@pytest.fixture
def no_pauses(monkeypatch):
    monkeypatch.setattr("playhead.index.storage.url.time.sleep", lambda seconds: None)


def test_a_push_during_a_pull_is_noticed(place, store, tmp_path, no_pauses):
    def push_once(time):
        if time == 1:
            keep(store, ["again", "again"], pictures=2, commit="2")
            push(place, store)

    push(place, store)
    here = Disturbed(tmp_path / "here", push_once)
    assert pull(place, here) == [(VIDEO, "pulled")]
    assert (here.times, here.read()[VIDEO].commit, said(here)) == (2, "2", ["again", "again"])


def test_a_push_during_every_pull_fails_that_video_only(place, store, tmp_path, no_pauses):
    def push_again(time):
        if time <= 3:
            keep(store, ["again"], commit=f"again-{time}")
            push(place, store)

    keep(store, ["elsewhere"], video_id=OTHER)
    push(place, store)
    push(place, store, OTHER)
    here = Disturbed(tmp_path / "here", push_again)
    failed, pulled = UrlStorage(place.url).pull(here)
    assert (failed.video_id, failed.state) == (VIDEO, "failed")
    assert failed.detail == f"{place.url}/{OF_VIDEO} is being replaced or was removed: pull again later"
    assert (pulled.video_id, pulled.state) == (OTHER, "pulled")
    assert list(here.read()) == [OTHER]


def test_a_video_that_goes_during_a_pull_fails(place, store, tmp_path, no_pauses):
    push(place, store)
    here = Disturbed(tmp_path / "here", lambda time: UrlStorage(place.url).remove(VIDEO))
    assert failure(place, here).endswith("is being replaced or was removed: pull again later")


def test_what_other_processes_change_is_seen_at_once(place, store, here):
    """What fsspec listed before is of no account."""
    push(place, store)
    remote, name = UrlStorage(place.url), f"{OF_VIDEO}/video.json"
    assert [one.state for one in remote.pull(here)] == ["pulled"]
    valid = place.read(name)
    place.delete(name)
    assert (remote.record(VIDEO), remote.survey()[0], list(remote.pull(here))) == (None, {}, [])
    place.write(name, valid)
    place.delete(f"{of_version()}/keyframes.bin")
    assert [one.state for one in remote.pull(here)] == ["unchanged"]
    here.remove(VIDEO)
    assert [one.state for one in remote.pull(here)] == ["failed"]


def test_a_video_that_is_indexed_again_during_its_push_is_not_published(place, store):
    previous = store.read()[VIDEO]
    keep(store, ["again"], commit="2")
    with pytest.raises(LibraryError, match="was replaced or removed while it was pushed: run again"):
        UrlStorage(place.url).push(store, previous)
    assert UrlStorage(place.url).survey()[0] == {}
    store.remove(VIDEO)
    with pytest.raises(LibraryError, match="was replaced or removed"):
        UrlStorage(place.url).push(store, previous)


# What others put there


def test_only_known_names_are_downloaded(place, store, here):
    push(place, store)
    version = of_version()
    if isinstance(place, Bucket):
        for name in ("a/../../../../evil.bin", "../evil.bin", "a//evil.bin"):
            place.write(f"{version}/{name}", b"evil")
        place.write("videos/../evil/video.json", b"evil")
        place.write(f"videos/{'AB' * 16}/video.json", place.read(f"{OF_VIDEO}/video.json"))
    else:
        secret = place.folder.parent / "secret.txt"
        secret.write_text("secret")
        (place.folder / version / "evil.link").symlink_to(secret)
        os.mkfifo(place.folder / version / "evil.pipe")
    for name in ("evil.py", "evil/evil.webp"):
        place.write(f"{version}/{name}", b"evil")
    place.write("videos/evil/video.json", b"evil")
    assert pull(place, here) == [(VIDEO, "pulled")]
    assert files(here) == files(store)
    assert {path.name for path in here.folder.parent.rglob("*evil*")} == set()


@pytest.mark.parametrize("name", ["../evil.bin", "/evil.bin", "evil", "a/evil.bin", "video.json", "ä.bin", ".bin"])
def test_a_manifest_that_names_other_files_is_damaged(place, store, here, name):
    push(place, store)
    value = unseal(place.read(f"{OF_VIDEO}/video.json"))
    value["files"][name] = {"size": 4, "xxh3_128": "0" * 32}
    place.write(f"{OF_VIDEO}/video.json", seal(value))
    assert "is damaged (video.json: " in failure(place, here)


def test_a_record_that_is_not_valid_fails(place, store, here):
    push(place, store)
    name, reason = f"{OF_VIDEO}/video.json", f"{place.url}/{OF_VIDEO} is damaged (video.json: "
    valid = unseal(place.read(name))
    changes = [
        {"video_id": OTHER},
        {"commit": "../evil"},
        {"duration": -1},
        {"paths": []},
        {"paths": ["a\0b"]},
        {"more": 1},
        {"stages": [{"modality": "speech", "state": "done"}] * 2},
    ]
    invalid = [seal(valid | {"record": valid["record"] | one}) for one in changes]
    for raw in (*invalid, seal(valid)[:-2] + b"x", b"{", b"\xff", b"[" * 100_000):
        place.write(name, raw)
        assert failure(place, here).startswith(reason), raw
        records, broken = UrlStorage(place.url).survey()
        assert (records, [str(error).startswith(reason) for error in broken.values()]) == ({}, [True])
    with pytest.raises(LibraryError, match=re.escape(reason)):
        UrlStorage(place.url).record(VIDEO)
    push(place, store)
    assert pull(place, here) == [(VIDEO, "pulled")]


def test_files_that_do_not_fit_fail(place, store, here):
    push(place, store)
    whole = {name: place.read(f"{of_version()}/{name}") for name in files(store)}
    pickled = io.BytesIO()
    np.savez(pickled, vectors=np.array([{"a": 1}], dtype=object))
    for name, content in (
        ("observations.parquet", b"PAR1"),
        ("observations.parquet", None),
        ("vectors.text.npz", None),
        ("vectors.image.npz", pickled.getvalue()),
        ("vectors.image.npz", whole["vectors.image.npz"][:-1]),
    ):
        place.delete(f"{of_version()}/{name}")
        if content is not None:
            place.write(f"{of_version()}/{name}", content)
        assert re.search(r"is damaged \(|cannot be read \(", failure(place, here)), name
        place.write(f"{of_version()}/{name}", whole[name])
    assert pull(place, here) == [(VIDEO, "pulled")]


def test_control_characters_of_a_record_are_removed(place, store, here):
    push(place, store)
    edited(place, notes=["a\x1b[2Jb"], indexed_at="2026\u202e\n", paths=["/a\x1b[2J  b.mp4"])
    pull(place, here)
    kept = here.read()[VIDEO]
    assert (kept.notes, kept.indexed_at, kept.paths) == (("a [2Jb",), "2026", ("/a\x1b[2J  b.mp4",))


@pytest.mark.parametrize("sign", ["\x00", "\t", "\n", "\x7f", "\x85", "\u200b", "\u2028", "\u202e"])
def test_a_note_with_one_control_character_is_cleaned(place, store, here, sign):
    push(place, store)
    edited(place, notes=[f"a{sign}b"])
    pull(place, here)
    assert here.read()[VIDEO].notes == (clean_text(f"a{sign}b"),)


def test_quotation_marks_and_backslashes_of_a_record_are_kept(place, store, here):
    note = 'C:\\new\\u0007 "quoted" a/b é 字 \\'
    push(place, store)
    edited(place, notes=[note])
    pull(place, here)
    assert here.read()[VIDEO].notes == (note,)


def test_a_format_that_is_not_known_is_refused(place):
    for content, message in (
        (seal({"format": 99}), "has format 99, this Playhead reads 2: upgrade Playhead"),
        (b'{"format": 1}', "has format 1, which this Playhead does not read"),
        (b"{", "library.json: it is damaged"),
        (seal({"format": True}), "library.json: it is damaged"),
        (b"[" * 100_000, "library.json: it is damaged"),
    ):
        place.write("library.json", content)
        with pytest.raises(LibraryError, match=message):
            UrlStorage(place.url)


def test_a_folder_of_something_else_is_refused(place):
    place.write("holiday.jpg", b"jpeg")
    with pytest.raises(LibraryError, match="holds other files than a library: choose another folder"):
        UrlStorage(place.url)


# What cannot be reached


@pytest.mark.parametrize(
    "url",
    ["", "talks", "/shared/talks", "file://shared/talks", "file:///", "s3://", "s3:///talks", "s3://b/*", "a::s3://b"],
)
def test_what_is_no_url_is_refused(url):
    with pytest.raises(SettingsError, match="is no URL of a folder: s3://bucket/folder, gs://bucket/folder or file://"):
        UrlStorage(url)


def test_an_unknown_protocol_is_refused():
    with pytest.raises(SettingsError, match="fsspec knows no protocol 's4'"):
        UrlStorage("s4://bucket/talks")


def test_a_missing_package_is_named_with_what_to_install(monkeypatch):
    for protocol, module in (("s3", "s3fs"), ("gs", "gcsfs")):
        monkeypatch.setitem(sys.modules, module, None)
        monkeypatch.delitem(sys.modules["fsspec.registry"]._registry, protocol, raising=False)
        with pytest.raises(MissingExtraError, match=rf"'{module}', which is not installed: pip install 'playhead\[rem"):
            UrlStorage(f"{protocol}://bucket/talks")
    monkeypatch.setitem(sys.modules, "adlfs", None)
    with pytest.raises(SettingsError, match=r"az://bucket/talks: .*adlfs"):
        UrlStorage("az://bucket/talks")
    monkeypatch.setitem(sys.modules, "fsspec.registry", None)
    with pytest.raises(MissingExtraError, match="'fsspec', which is not installed"):
        UrlStorage("s3://bucket/talks")


def test_there_must_be_a_library_to_pull(place, here):
    with pytest.raises(LibraryError, match=f"there is no library at {place.url}: check the URL"):
        pull(place, here)
    assert not here.folder.exists()


def test_a_bucket_that_does_not_exist_is_an_error(bucket, store, here):
    missing = Bucket(bucket.client, f"{bucket.bucket}-not")
    with pytest.raises(LibraryError, match="there is no library at"):
        pull(missing, here)
    with pytest.raises(LibraryError, match=r"cannot be written \(.*bucket.*\): check that the bucket or folder exists"):
        push(missing, store)


def test_a_server_that_is_not_there_is_an_error(endpoint, monkeypatch):
    quick = {"retries": {"max_attempts": 0}, "connect_timeout": 1}
    monkeypatch.setitem(fsspec.config.conf, "s3", {"endpoint_url": "http://127.0.0.1:9", "config_kwargs": quick})
    with pytest.raises(LibraryError, match=r"s3://bucket/talks cannot be read \(.*127.0.0.1:9.*\): check the network"):
        UrlStorage("s3://bucket/talks")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read and write everything")
def test_a_folder_that_may_not_be_written_is_an_error(shared, store):
    shared.folder.mkdir(parents=True, mode=0o500)
    with pytest.raises(
        LibraryError, match=r"cannot be written .*: check that you, or your credentials, are allowed to"
    ):
        push(shared, store)


def test_what_one_video_lacks_does_not_keep_the_others(place, store, here):
    keep(store, ["elsewhere"], video_id=OTHER)
    push(place, store)
    push(place, store, OTHER)
    place.write(f"{OF_VIDEO}/video.json", b"{")
    assert pull(place, here) == [(VIDEO, "failed"), (OTHER, "pulled")]
    assert said(here, OTHER) == ["elsewhere"]


def test_a_library_here_that_cannot_be_written_ends_the_run(shared, store, tmp_path):
    push(shared, store)
    (tmp_path / "here").write_text("a file")
    with pytest.raises(LibraryError, match="is a file, not a library folder"):
        pull(shared, LocalStorage(tmp_path / "here"))


# The library and the command line


def test_after_a_pull_the_same_films_are_known(place, tmp_path):
    (tmp_path / "made").mkdir()
    film = write_media(tmp_path / "made" / "a.mp4", [0, 1, 2], sound=beep(0.2, 3.0), options={"g": "1", "bf": "0"})
    made, library = LocalStorage(film.parent / ".playhead"), Library(tmp_path / "here" / ".playhead")
    assert [one.state for one in index_files(made, [film.parent], extractors(), False, lambda *_: None)] == ["indexed"]
    (video_id,) = made.read()
    push(place, made, video_id)
    message = []
    assert library.pull(place.url, done=message.append) == message
    assert [(one.video_id, one.state, one.path) for one in message] == [(video_id, "pulled", film)]
    copy = tmp_path / "here" / "copy.mp4"
    shutil.move(film, copy)  # it is not where it was
    gear = extractors()
    here = LocalStorage(library.folder)
    (outcome,) = index_files(here, [copy.parent], gear, False, lambda *_: None)
    assert (outcome.state, outcome.detail, calls(gear)) == ("unchanged", "moved or copied", {})
    assert here.read()[video_id].paths == (str(film), "copy.mp4")
    assert library.path_of(library.videos()[0]) == copy
    assert files(here, video_id) == files(made, video_id)
    assert pull(place, here) == [(video_id, "unchanged")]


def test_films_are_indexed_into_a_remote_library(place, tmp_path, monkeypatch):
    """As into one here: new files are extracted, known ones are not. What is deleted here stays there: others may have it."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = tmp_path / "films"
    folder.mkdir()
    for n in range(2):
        write_media(folder / f"{n}.mp4", [n, n + 1], sound=beep(0.2, 2.0), options={"g": "1", "bf": "0"})
    remote = UrlStorage(place.url)

    def index(gear, **options):
        outcomes = list(index_files(remote, [folder], gear, options.get("force", False), lambda *_: None))
        return [(outcome.path.name, outcome.state) for outcome in outcomes]

    gear = extractors()
    assert index(gear) == [("0.mp4", "indexed"), ("1.mp4", "indexed")]
    assert sorted(path for record in remote.survey()[0].values() for path in record.paths) == [
        str(folder / "0.mp4"), str(folder / "1.mp4")
    ]  # fmt: skip
    alone = LocalStorage(tmp_path / "alone")
    assert len(list(index_files(alone, [folder], extractors(), False, lambda *_: None))) == 2
    pulled = LocalStorage(tmp_path / "pulled")
    pull(place, pulled)
    assert pulled.read().keys() == alone.read().keys()
    assert all(files(pulled, video_id) == files(alone, video_id) for video_id in alone.read())

    gear = extractors()
    assert index(gear) == [("0.mp4", "unchanged"), ("1.mp4", "unchanged")]
    assert calls(gear) == {}
    gear = extractors(reader=Reader("2"))
    assert index(gear) == [("0.mp4", "indexed"), ("1.mp4", "indexed")]
    assert calls(gear) == {"reader": 2}, "what the others found was fetched"
    shutil.move(folder / "0.mp4", folder / "moved.mp4")
    (folder / "1.mp4").unlink()
    assert index(extractors(reader=Reader("2"))) == [("moved.mp4", "unchanged")]
    assert {record.paths for record in remote.survey()[0].values()} == {
        (str(folder / "0.mp4"), str(folder / "moved.mp4")), (str(folder / "1.mp4"),)
    }, "another machine may have what is not here"  # fmt: skip
    scratch = LocalStorage(next((tmp_path / "cache" / "playhead" / "remote").iterdir()))
    assert scratch.read() == {}


def test_a_run_into_a_remote_library_that_is_stopped_goes_on(place, tmp_path, monkeypatch):
    """Stopped before the push: what was committed on this machine is pushed, and nothing is extracted twice."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    film = write_media(tmp_path / "a.mp4", [0, 1, 2], sound=beep(0.2, 3.0), options={"g": "1", "bf": "0"})
    remote = UrlStorage(place.url)

    def stop(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(UrlStorage, "push", stop)
        with pytest.raises(KeyboardInterrupt):
            list(index_files(remote, [film], extractors(), False, lambda *_: None))
    assert remote.survey()[0] == {}
    gear = extractors()
    (outcome,) = index_files(remote, [film], gear, False, lambda *_: None)
    assert (outcome.state, calls(gear)) == ("indexed", {})
    assert list(remote.survey()[0]) == [outcome.record.video_id]


def index_one(remote, film, gear, **options):
    (outcome,) = index_files(remote, [film], gear, options.get("force", False), lambda *_: None)
    return outcome


def test_what_a_killed_machine_left_replaces_nothing_newer(place, tmp_path, monkeypatch):
    """Machine A is killed right after its push; B has the film described; then A reads it again."""
    film = write_media(tmp_path / "a.mp4", [0, 1, 2], sound=beep(0.2, 3.0), options={"g": "1", "bf": "0"})
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "a"))

    def stop(*_):
        raise KeyboardInterrupt

    remove = LocalStorage.remove
    with monkeypatch.context() as patch:
        patch.setattr(
            LocalStorage, "remove", lambda self, video_id: stop() if self.record(video_id) else remove(self, video_id)
        )
        with pytest.raises(KeyboardInterrupt):
            index_one(UrlStorage(place.url), film, extractors(captioner=None))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "b"))
    assert index_one(UrlStorage(place.url), film, extractors()).record.stage("caption").state == "done"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "a"))
    index_one(UrlStorage(place.url), film, extractors(captioner=None, reader=Reader("2")))
    pulled = LocalStorage(tmp_path / "pulled")
    pull(place, pulled)
    (record,) = pulled.read().values()
    assert [o.text for o in pulled.table(record).of("caption")] == ["a caption of 3"]
    assert record.stage("text").source == "reader@2"
    gear = extractors(captioner=Captions(), reader=Reader("2"))
    index_one(UrlStorage(place.url), film, gear, force=False)
    assert calls(gear) == {}


def test_a_failed_pull_leaves_nothing(place, tmp_path):
    store = LocalStorage(tmp_path / "made")
    store.create()
    commit(store, [observation("said")], BagOfWords())
    push(place, store, "ab" * 16)
    name = f"{of_version()}/vectors.text.npz"
    place.write(name, b"no vectors")
    here = LocalStorage(tmp_path / "here")
    for _ in range(2):
        assert [one.state for one in UrlStorage(place.url).pull(here)] == ["failed"]
    assert list((here.folder / "staging").iterdir()) == []


def playhead(monkeypatch, *arguments):
    """Runs a command in this process: its exit code, output and errors."""
    monkeypatch.setattr(sys, "argv", ["playhead", *map(str, arguments)])
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as left:
        main()
    return left.value.code or 0, out.getvalue(), err.getvalue()


def test_the_command_prints_each_video_and_the_sum(shared, store, tmp_path, monkeypatch):
    push(shared, store)
    monkeypatch.chdir(tmp_path)
    name = record().info.path
    assert playhead(monkeypatch, "pull", shared.url) == (
        0,
        f"✓ {name}: 00:01:00.0, 2 said\n1 pulled · library .playhead\n",
        "",
    )
    assert playhead(monkeypatch, "pull", shared.url) == (0, "1 unchanged · library .playhead\n", "")
    shared.write(f"videos/{OTHER}/video.json", b"{")
    code, out, err = playhead(monkeypatch, "pull", shared.url, "--library", "there")
    why = f"{shared.url}/videos/{OTHER} is damaged (video.json: the checksum differs): index its video into it again with `force`"
    assert (code, err) == (1, f"✗ {OTHER}: {why}\n")
    assert out.splitlines()[-1] == "1 pulled, 1 failed · library there"
    code, out, err = playhead(monkeypatch, "pull", shared.url, "--json")
    assert json.loads(out) == [
        {"video_id": VIDEO, "state": "unchanged", "detail": "", "path": str(name), "duration": 60.0},
        {"video_id": OTHER, "state": "failed", "detail": why, "path": None, "duration": None},
    ]
    assert playhead(monkeypatch, "pull", shared.url, "-q")[1] == ""


def test_the_command_prints_what_is_wrong(shared, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, err = playhead(monkeypatch, "pull", shared.url)
    assert (code, out) == (1, "")
    assert err.startswith(f"playhead: there is no library at {shared.url}: check the URL")
    assert playhead(monkeypatch, "pull", "talks")[0] == 2
    assert not (tmp_path / ".playhead").exists()


def test_a_remote_without_videos_is_no_failure(shared, store, tmp_path, monkeypatch):
    push(shared, store)
    UrlStorage(shared.url).remove(VIDEO)
    monkeypatch.chdir(tmp_path)
    assert playhead(monkeypatch, "pull", shared.url) == (0, "no video · library .playhead\n", "")
