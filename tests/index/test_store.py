"""The store: a video is committed whole or not at all, whatever dies, fills up or is damaged meanwhile."""

import errno
import io
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from playhead.index.byte_vectors import as_bytes, from_bytes
from playhead.index.storage.backend import VersionGoneError
from playhead.index.storage.committed.keyframes import write_keyframe
from playhead.index.storage.committed.table import ObservationTable, observation_id, parse_table, write
from playhead.index.storage.committed.versions import FORMAT
from playhead.index.storage.files.sealed import seal, unseal
from playhead.index.storage.identity import FileIdentities, content_id
from playhead.index.storage.keyframe_references import read_keyframe, save_keyframe
from playhead.index.storage.local import LocalStorage
from playhead.index.storage.staging import GRACE_SECONDS
from playhead.tools.embedding.protocol import unit
from playhead.tools.errors import LibraryError, MediaError, QueryError
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


def files_of(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def rewritten(store, change, video_id=VIDEO):
    """Replace the record of a video by one that is sealed, but not valid."""
    current = store.videos_folder / video_id / "video.json"
    value = unseal(current.read_bytes())
    change(value)
    current.write_bytes(seal(value))


def everything(folder):
    """All files below a folder with their content, except for locks."""
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file() and p.name != "lock"}


def seen(store, video_id=VIDEO):
    return [o.text for o in store.table(store.read()[video_id]).observations]


# What is kept


def test_observations_are_read_as_they_were_written(store):
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
    embedded = encoder.encode([o.text for o in observations[:3]])
    assert (unit(back.text_vectors) * embedded).sum(axis=1).min() > 0.9999
    assert back.image_vectors.tolist() == pictures.tolist()
    assert [observation_id(o) for o in back.observations] == [observation_id(o) for o in observations]
    assert [o.text for o in back.of("text")] == ["ERR_CERT_DATE"]


@settings(max_examples=50)
@given(st.tuples(*[st.floats(0, 1)] * 4), st.floats(0, 1e5), st.floats(1e-3, 1e4), st.text())
def test_an_id_is_the_same_after_the_disk(scratch, edges, start, length, text):
    """Also where an edge lies half-way between two roundings."""
    box = Box(left=edges[0], top=edges[1], right=edges[2], bottom=edges[3])
    before = observation(text, start, start + length, modality="object", box=box)
    write(scratch, ObservationTable([before]))
    after = parse_table(files_of(scratch), record()).observations[0]
    assert after == before
    assert observation_id(after) == observation_id(before)


def test_ids_distinguish_observations():
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


def test_a_vector_of_several_observations_is_stored_once(tmp_path):
    texts = ["gold", "silver", "gold", "iron", "gold"]
    seen = [observation(text, n, n + 1.0) for n, text in enumerate(texts)]
    table = ObservationTable(seen, BagOfWords().encode(texts).astype(np.float16))
    write(tmp_path, table)
    files = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    stored = np.load(io.BytesIO(files["vectors.text.npz"]))["vectors"]
    assert (len(stored), stored.dtype) == (3, np.uint8)
    again = parse_table(files, record().model_copy(update={"text_embedding_id": "bag"}))
    assert again.text_vectors.tolist() == from_bytes(as_bytes(table.text_vectors)).astype(np.float16).tolist()
    # A vector is missing; the numbers are no vectors; the file would take 64 MB.
    for damaged in (stored[:2], np.array([{}], object), np.zeros((1 << 12, 1 << 14), np.uint8)):
        np.savez_compressed(tmp_path / "vectors.text.npz", vectors=damaged)
        files["vectors.text.npz"] = (tmp_path / "vectors.text.npz").read_bytes()
        with pytest.raises(ValueError, match="vectors"):
            parse_table(files, record().model_copy(update={"text_embedding_id": "bag"}))


def parsed(folder, **changes):
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    return parse_table(files, record().model_copy(update=changes))


def test_a_text_that_was_not_embedded_has_a_vector_of_zeros(tmp_path):
    vectors = BagOfWords().encode(["gold", "", "iron"]).astype(np.float16)
    vectors[1] = 0
    seen = [observation(text, n, n + 1.0) for n, text in enumerate(["gold", "—", "iron"])]
    write(tmp_path, ObservationTable(seen, vectors))
    assert parsed(tmp_path, text_embedding_id="bag").text_vectors.any(axis=1).tolist() == [True, False, True]
    write(tmp_path, ObservationTable(seen, np.zeros_like(vectors)))
    assert parsed(tmp_path, text_embedding_id="bag").text_vectors.tolist() == np.zeros_like(vectors).tolist()


@given(st.integers(2, 400), st.integers(0, 1000), st.floats(0.05, 3))
def test_stored_vectors_keep_their_direction_and_are_stored_again_as_they_are(tmp_path_factory, size, seed, spread):
    """Vectors with a few large numbers, which a byte cannot hold, are stored as float16."""
    drawn = np.random.default_rng(seed).standard_normal((5, size)) ** 3 * spread + 1e-3
    vectors = unit(drawn).astype(np.float16)
    folder = tmp_path_factory.mktemp("stored")
    write(folder, ObservationTable([observation(f"{n}", n, n + 1.0) for n in range(5)], vectors))
    first = parsed(folder, text_embedding_id="bag")
    assert (unit(first.text_vectors) * unit(vectors)).sum(axis=1).min() >= 0.9989
    write(folder, first)
    assert parsed(folder, text_embedding_id="bag").text_vectors.tolist() == first.text_vectors.tolist()


def test_one_number_that_is_clipped_leaves_all_vectors_short(tmp_path):
    """One line of a code tutorial has a number of 0.333 where a byte ends at 0.306: its direction stays."""
    vectors = unit(np.random.default_rng(0).standard_normal((40, 384))).astype(np.float16)
    vectors[7] *= np.sqrt(1 - 0.333**2)
    vectors[7, 0] = 0.333
    vectors[7] = unit(vectors[7:8])[0]
    seen = [observation(f"{n}", n, n + 1.0) for n in range(40)]
    write(tmp_path, ObservationTable(seen, vectors))
    assert (tmp_path / "vectors.text.npz").stat().st_size < 40 * 384 + 1000
    assert (unit(parsed(tmp_path, text_embedding_id="bag").text_vectors) * unit(vectors)).sum(axis=1).min() >= 0.999


def test_vectors_that_have_another_length_are_refused():
    for wrong in (np.full((1, 4), 0.4, np.float16), np.full((1, 4), np.nan, np.float16)):
        with pytest.raises(ValueError, match="text vectors: vectors of length 1"):
            ObservationTable([observation("a")], text_vectors=wrong)
    ObservationTable([observation("a")], text_vectors=np.zeros((1, 4), np.float16))  # not embedded


def test_keyframes(store):
    with store.staged(VIDEO) as staged:
        for milliseconds in (12_345_678, 40, 0):
            shade = 100 + milliseconds % 7
            write_keyframe(staged, Frame(milliseconds / 1000, np.full((720, 1280, 3), shade, np.uint8)))
        write(staged, ObservationTable([observation("a")]))
        committed = store.commit(staged, record())
    assert store.keyframe_times(committed) == [0, 40, 12_345_678]
    for seconds, milliseconds in ((0, 0), (0.039, 0), (0.04, 40), (99_999, 12_345_678)):
        assert store.keyframe(committed, seconds).milliseconds == milliseconds
    assert store.keyframe_of(committed, 40).milliseconds == 40
    assert store.keyframe_of(committed, 41) is None
    from PIL import Image

    for milliseconds in (0, 40, 12_345_678):
        picture = Image.open(io.BytesIO(store.keyframe_of(committed, milliseconds).picture))
        assert (picture.format, picture.size) == ("WEBP", (512, 288))
        assert abs(np.asarray(picture.convert("RGB")).astype(int) - (100 + milliseconds % 7)).max() <= 2
    assert sorted(path.name for path in store.version_folder(committed).iterdir()) == [
        "keyframes.bin",
        "observations.parquet",
        "video.json",
    ]


def test_a_dense_picture_is_stored_smaller(tmp_path):
    """Text that fills a screen cannot be read in 512 pixels either."""
    from PIL import Image

    random = np.random.default_rng(0)
    dense = random.integers(0, 2, (1080, 1920, 1), np.uint8).repeat(3, axis=2) * 255
    dense[::12] = 0
    coarse = random.integers(0, 2, (9, 16, 3), np.uint8).repeat(120, axis=0).repeat(120, axis=1) * 255
    for seconds, pixels in ((1.0, dense), (2.0, coarse)):
        write_keyframe(tmp_path, Frame(seconds, pixels))
    sizes = [Image.open(path).size for path in sorted(tmp_path.rglob("*.webp"))]
    assert sizes == [(384, 216), (512, 288)]


def test_a_video_without_keyframes_has_none(store):
    committed = commit(store, [observation("a")])
    assert store.keyframe_times(committed) == []
    assert store.keyframe(committed, 1.0) is None
    assert store.keyframe_reference(committed, 1.0) is None


def test_a_reference_names_a_picture_also_after_the_video_was_indexed_again(store, tmp_path):
    for commit_id in ("1", "2"):
        with store.staged(VIDEO) as staged:
            for seconds in (0, 2.5):
                write_keyframe(staged, Frame(seconds, np.full((9, 16, 3), 200, np.uint8)))
            write(staged, ObservationTable([observation("a")]))
            committed = store.commit(staged, record(commit=commit_id))
        reference = store.keyframe_reference(committed, 3)
        assert reference == f"{store.videos_folder}/{VIDEO}#t=2.500"
    assert read_keyframe(reference) == store.keyframe(committed, 2.5)
    assert save_keyframe(reference, tmp_path / "a.webp").read_bytes() == read_keyframe(reference).picture
    assert read_keyframe(f"{store.videos_folder}/{VIDEO}#t=2.400") is None
    store.remove(VIDEO)
    assert read_keyframe(reference) is None
    with pytest.raises(LibraryError, match="is not stored any more: search again"):
        save_keyframe(reference, tmp_path / "a.webp")
    for wrong in ("", "/etc/passwd", f"{store.folder}/other/{VIDEO}#t=1", f"{store.videos_folder}/{VIDEO}#t=x"):
        with pytest.raises(QueryError, match="is no reference of a keyframe"):
            read_keyframe(wrong)


# Identity


def test_content_is_what_counts(tmp_path):
    small, copy, longer = tmp_path / "a.mp4", tmp_path / "b.mkv", tmp_path / "c.mp4"
    small.write_bytes(b"x" * 100)
    copy.write_bytes(b"x" * 100)
    longer.write_bytes(b"x" * 101)
    assert content_id(small) == content_id(copy) != content_id(longer)
    assert len(content_id(small)) == 32


@settings(max_examples=25)
@given(place=st.integers(0, 3_000_000), bit=st.integers(0, 7))
def test_every_bit_of_a_file_counts(scratch, place, bit):
    """Also between the blocks that an earlier version looked at: a download into a preallocated file completes there."""
    body = bytearray(np.random.default_rng(0).bytes(3_000_001))
    (scratch / "big.mp4").write_bytes(body)
    before = content_id(scratch / "big.mp4")
    body[place] ^= 1 << bit
    (scratch / "big.mp4").write_bytes(body)
    assert content_id(scratch / "big.mp4") != before


def aged(path, content, seconds=100):
    """Write a file as if it had been done some time ago."""
    path.write_bytes(content)
    then = time.time() - seconds
    os.utime(path, (then, then))


def test_a_file_that_did_not_change_is_not_read_again(tmp_path, monkeypatch):
    film, cache = tmp_path / "a.mp4", tmp_path / "derived" / "files.sqlite"
    aged(film, b"film")
    known = FileIdentities(cache)
    wanted = known.content_id(film)
    known.save()
    with monkeypatch.context() as patch:
        patch.setattr("playhead.index.storage.identity.content_id", lambda path: pytest.fail("read again"))
        assert FileIdentities(cache).content_id(film) == wanted
    assert FileIdentities(cache).paths_of(wanted) == [film]
    assert content_id(film) == wanted


@pytest.mark.parametrize("change", ["content", "size", "time", "inode"])
def test_a_file_that_changed_is_read_again(tmp_path, change):
    film, cache = tmp_path / "a.mp4", tmp_path / "files.sqlite"
    aged(film, b"film")
    known = FileIdentities(cache)
    before = known.content_id(film)
    known.save()
    if change == "inode":
        aged(tmp_path / "b.mp4", b"FILM")
        os.utime(tmp_path / "b.mp4", ns=(film.stat().st_mtime_ns,) * 2)
        (tmp_path / "b.mp4").replace(film)
    else:
        aged(film, b"longer film" if change == "size" else b"FILM", seconds=50)
    assert FileIdentities(cache).content_id(film) == content_id(film) != before


def test_a_file_that_was_written_just_now_is_read_again(tmp_path):
    """Its time may be the same after another write."""
    film, cache = tmp_path / "a.mp4", tmp_path / "files.sqlite"
    film.write_bytes(b"film")
    known = FileIdentities(cache)
    known.content_id(film)
    known.save()
    assert FileIdentities(cache).paths_of(content_id(film)) == []


def test_damaged_identities_are_not_believed(tmp_path):
    film, cache = tmp_path / "a.mp4", tmp_path / "files.sqlite"
    aged(film, b"film")
    known = FileIdentities(cache)
    wanted = known.content_id(film)
    known.save()
    whole = cache.read_bytes()
    place = whole.index(wanted.encode())
    cache.write_bytes(whole[:place] + b"0123" + whole[place + 4 :])
    assert FileIdentities(cache).paths_of(f"0123{wanted[4:]}") == []
    assert FileIdentities(cache).content_id(film) == wanted
    cache.write_bytes(b"no database" * 100)
    assert FileIdentities(cache).content_id(film) == wanted


def test_what_is_no_file_has_no_content(tmp_path):
    os.mkfifo(tmp_path / "pipe.mp4")
    (tmp_path / "loop.mp4").symlink_to(tmp_path / "loop.mp4")
    for name in ("pipe.mp4", "loop.mp4", "missing.mp4", "."):
        with pytest.raises(MediaError, match=r"cannot be read|not a file"):
            content_id(tmp_path / name)


# Commit


def test_a_commit_replaces_the_whole_version(store):
    old = commit(store, [observation("old")], BagOfWords())
    new = commit(store, [observation("new")], commit="2")
    assert seen(store) == ["new"]
    assert sorted(p.name for p in store.version_folder(new).iterdir()) == ["observations.parquet", "video.json"]
    assert list((store.folder / "staging").iterdir()) == []
    assert [o.text for o in store.table(old).observations] == ["old"]  # a reader that knows of nothing newer


def test_a_replaced_version_is_deleted_after_its_grace_period(store):
    old = commit(store, [observation("old")])
    commit(store, [observation("new")], commit="2")
    store.create()
    assert store.version_folder(old).is_dir()
    then = time.time() - GRACE_SECONDS - 1
    os.utime(store.version_folder(old), (then, then))
    store.create()
    assert not store.version_folder(old).exists()
    with pytest.raises(VersionGoneError, match="was replaced or removed: run again"):
        store.table(old)
    assert seen(store) == ["new"]


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
        except BaseException as error:  # noqa: BLE001 (a thread's failure is reported below)
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
    with pytest.raises(LibraryError, match="is a file, not a library folder: choose another folder"):
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
        assert unseal((place / "library.json").read_bytes()) == {"format": FORMAT}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"format": 1}\n', "has format 1, which this Playhead does not read .*index again"),
        (seal({"format": 3, "more": True}), "has format 3, this Playhead reads 2: upgrade Playhead"),
    ],
)
def test_a_library_of_another_format_is_left_alone(store, content, message):
    commit(store, [observation("a")])
    (store.folder / "library.json").write_bytes(content)
    before = everything(store.folder)
    with pytest.raises(LibraryError, match=message):
        LocalStorage(store.folder)
    assert everything(store.folder) == before


# Damage


@pytest.mark.parametrize(
    "content", [b"", b"{", b"\xff\xfe\x00", b"[]", b"null", b"{}", b'{"format": 2}', seal({"format": 0}), seal([]), b"[" * 100_000, None]
)  # fmt: skip
def test_a_damaged_library_file_hides_nothing_and_is_restored(store, content):
    commit(store, [observation("a")])
    whole = (store.folder / "library.json").read_bytes()
    if content is None:
        (store.folder / "library.json").unlink()
    else:
        (store.folder / "library.json").write_bytes(content)
    damaged = LocalStorage(store.folder)
    assert seen(damaged) == ["a"]
    assert [one.name for one in damaged.verify()] == ["library.json"]
    damaged.create()
    assert (store.folder / "library.json").read_bytes() == whole
    assert list(damaged.verify(deep=True)) == []


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff", b"null", b"[" * 100_000, seal({}), seal(None)])
def test_a_damaged_record_hides_no_other_and_is_warned_of_once(store, content, caplog):
    commit(store, [observation("a")])
    commit(store, [observation("b")], video_id=OTHER)
    (store.videos_folder / VIDEO / "video.json").write_bytes(content)
    for _ in range(3):
        assert list(store.read()) == [OTHER]
    (warning,) = caplog.messages
    assert re.search(rf"{VIDEO} is damaged \(video\.json: .*\): run `playhead repair`.*; it is left out", warning)
    assert "\n" not in warning
    records, damaged = store.survey()
    assert (list(records), list(damaged)) == ([OTHER], [VIDEO])


def test_records_that_are_not_what_they_say(store):
    commit(store, [observation("a")])
    whole = (store.videos_folder / VIDEO / "video.json").read_bytes()
    for change in (
        lambda one: one["record"].update(video_id=OTHER),
        lambda one: one["record"].update(commit="../../evil"),
        lambda one: one["record"].update(paths=[]),
        lambda one: one["record"].update(paths=["a\0b"]),
        lambda one: one["record"].update(from_the_future=1),
        lambda one: one.update(format=3),
        lambda one: one["files"].update({"../evil": {"size": 1, "xxh3_128": "0" * 32}}),
    ):
        (store.videos_folder / VIDEO / "video.json").write_bytes(whole)
        rewritten(store, change)
        assert list(store.survey()[1]) == [VIDEO]


def test_what_is_no_video_is_passed_over(store):
    commit(store, [observation("a")])
    (store.videos_folder / ".DS_Store").write_text("")
    (store.videos_folder / "empty").mkdir()
    assert list(store.read()) == [VIDEO]


@pytest.mark.parametrize("name", ["observations.parquet", "vectors.text.npz", "vectors.image.npz"])
@pytest.mark.parametrize("damage", ["missing", "empty", "half", "other"])
def test_a_damaged_file_is_named(store, name, damage):
    observations = [observation("a"), observation("", modality="frame")]
    committed = commit(store, observations, BagOfWords(), lambda: np.eye(1, 8))
    part = store.version_folder(committed) / name
    content = part.read_bytes()
    part.unlink()
    if damage != "missing":
        part.write_bytes({"empty": b"", "half": content[: len(content) // 2], "other": b"\x80\x04K\x01."}[damage])
    with pytest.raises(LibraryError, match=rf"{VIDEO} is damaged \({name} .*\): run `playhead repair`"):
        store.table(committed)
    assert [one.name for one in store.verify()] == [f"videos/{VIDEO}/v-1/{name}"]


@pytest.mark.parametrize(
    "vectors",
    [np.zeros((2, 8), np.float16), np.zeros((1, 8), np.float32), np.zeros(8, np.float16), np.full((1, 8), 7, np.float16)],
)  # fmt: skip
def test_vectors_of_something_else_are_named(store, vectors):
    with store.staged(VIDEO) as staged:
        write(staged, ObservationTable([observation("a")]))
        np.savez(staged / "vectors.text.npz", vectors=vectors)
        committed = store.commit(staged, record(text_embedding_id="bag@1"))
    with pytest.raises(LibraryError, match="is damaged"):
        store.table(committed)


# Disks


REASONS = {
    errno.ENOSPC: "the disk is full: free some space",
    errno.EROFS: "the disk is read-only: choose another folder",
    errno.EACCES: "permission denied: choose another folder",
    errno.EIO: "Input/output error",
}


@pytest.mark.parametrize("number", REASONS)
@pytest.mark.parametrize("call", ["os.fsync", "os.replace", "pathlib.Path.mkdir", "pathlib.Path.open"])
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
    flushed, unflushed = set(), []

    def fsync(handle):
        flushed.add(os.fstat(handle).st_ino)
        return os_fsync(handle)

    def replace(source, target):
        if Path(target).parent.name == VIDEO:  # video.json: the commit
            place = Path(target).parent
            unflushed.append({p.name for p in (*place.rglob("*"), place) if p.stat().st_ino not in flushed})
        return os_replace(source, target)

    os_fsync, os_replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "replace", replace)
    with store.staged(VIDEO) as staged:
        write(staged, ObservationTable([observation("a")]))
        for seconds in (0, 2.5):
            write_keyframe(staged, Frame(seconds, np.zeros((9, 16, 3), np.uint8)))
        committed = store.commit(staged, record())
    assert unflushed == [set()]
    assert os.stat(store.videos_folder / VIDEO).st_ino in flushed
    assert store.keyframe_times(committed) == [0, 2500]


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
            LocalStorage(store.folder)
    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(LibraryError, match="cannot be read"):
        store.read()


def test_a_disk_that_fills_up_on_the_way(store):
    """A real limit on a file's size simulates a full disk: the vectors do not fit."""
    script = (
        "import resource, signal, sys; from pathlib import Path; import numpy as np\n"
        "from playhead.index.storage.files.atomic import writing; from playhead.index.storage.local import LocalStorage\n"
        "from playhead.index.storage.committed.table import ObservationTable, write\n"
        "from playhead.tools.embedding.protocol import unit\n"
        "from playhead.tools.errors import LibraryError\n"
        "from playhead.tools.records import Observation, Span\n"
        "seen = [Observation(modality='speech', span=Span(start=0, end=1), text='a', score=1, source='x@1')] * 3000\n"
        "store = LocalStorage(Path(sys.argv[1]))\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))\n"
        "try:\n"
        "    with store.staged('ab' * 16) as staged, writing(store.folder):\n"
        "        write(staged, ObservationTable(seen, unit(np.random.default_rng(0).normal(size=(3000, 384)))))\n"
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
