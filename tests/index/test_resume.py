"""A run that is killed goes on: the models are not asked again, and what is stored is the same bytes as without."""

import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from playhead.index.indexing.build import index_files
from playhead.index.storage.identity import content_id
from playhead.index.storage.journal import Journal, packed, unpacked
from playhead.index.storage.local import LocalStorage
from playhead.tools.errors import LibraryError
from playhead.tools.settings import Settings

from ..fakes import DONE, Captions, Reader, Speaker, calls, extractors, journal_lines, states
from ..media import beep, write_media

# Segments that are looked at together: see `index.indexing.frame_pipeline`.
BATCH = 8
PICTURES = 5 * BATCH


@pytest.fixture(scope="session")
def film(tmp_path_factory):
    """40 pictures of a second each, with sound."""
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    return write_media(path, list(range(PICTURES)), sound=beep(1.0, PICTURES), options={"g": "1", "bf": "0"})


@pytest.fixture
def store(tmp_path, film):
    (tmp_path / "talks").mkdir()
    shutil.copy(film, tmp_path / "talks" / "film.mp4")
    return LocalStorage(tmp_path / "talks" / ".playhead")


def index(store, gear=None, **options):
    return list(index_files(store, [store.folder.parent], gear or extractors(), options.get("force", False), silent))


def silent(*_):
    """Reports nothing."""


def stored(folder):
    """The files of the only video, but for its record (which knows when it was made) and the captions' order."""
    (current,) = LocalStorage(folder).read().values()
    files = {p.name: p.read_bytes() for p in LocalStorage(folder).version_folder(current).iterdir()}
    del files["video.json"]
    if "captions.jsonl" in files:
        files["captions.jsonl"] = sorted(files["captions.jsonl"].splitlines())
    return files


# A journal.

KEYS = st.text(min_size=1, max_size=20)
VALUES = st.recursive(st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(), st.lists).filter(
    lambda value: value is not None
)


@given(st.dictionaries(KEYS, VALUES, max_size=8), st.data())
@settings(max_examples=60)
def test_a_journal_keeps_all_whole_lines(tmp_path_factory, values, data):
    path = tmp_path_factory.mktemp("journal") / "a.jsonl"
    journal = Journal(path)
    for key, value in values.items():
        journal.note(key, value)
    assert {key: journal.find(key) for key in values} == values
    assert journal.find("another" * 4) is None

    if values:
        written = path.read_bytes()
        cut = data.draw(st.integers(0, len(written)))
        path.write_bytes(written[:cut])
        whole = written[:cut].count(b"\n")
        again = Journal(path)
        assert {key: again.find(key) for key in list(values)[:whole]} == dict(list(values.items())[:whole])
        assert len(again) == whole
        again.note("more", 1)
        assert len(Journal(path)) == len({*list(values)[:whole], "more"})


@pytest.mark.parametrize("damage", [b"\0" * 40 + b"\n", b'{"key": 1}\n', b"[]\n", b"\xff\xfe\n", b'{"key": "b", "val'])
def test_what_is_damaged_is_forgotten_with_all_after_it(tmp_path, damage):
    path = tmp_path / "a.jsonl"
    Journal(path).note("a", 1)
    with path.open("ab") as file:
        file.write(damage + b'{"key":"c","value":3}\n')
    journal = Journal(path)
    assert (journal.find("a"), journal.find("c"), len(journal)) == (1, None, 1)
    journal.note("d", 4)
    assert [json.loads(line)["key"] for line in path.read_text().splitlines()] == ["a", "d"]


def test_a_disk_that_takes_no_note_is_one_line(tmp_path):
    journal = Journal(tmp_path / "folder" / "a.jsonl")
    shutil.rmtree(tmp_path / "folder")
    with pytest.raises(LibraryError, match="cannot write to"):
        journal.note("a", 1)


def test_vectors_are_packed_bit_by_bit():
    vectors = np.random.default_rng(3).normal(size=(5, 7)).astype(np.float16)
    assert np.array_equal(unpacked(json.loads(json.dumps(packed(vectors)))), vectors)
    assert unpacked(packed(np.zeros((0, 4), np.float16))).shape == (0, 4)


# A run that is stopped.


class Stopped(KeyboardInterrupt):
    """As if the process ended here."""


def stop(*_, **__):
    raise Stopped


def stopped_at(what, store, gear=None, **options):
    """A run that is stopped where it first calls `what`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(what, stop)
        with pytest.raises(Stopped):
            index(store, gear, **options)


COMMIT = "playhead.index.storage.local.LocalStorage.commit"


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_run_that_is_stopped_at_any_step_goes_on(store, film, tmp_path, monkeypatch, when):
    whole = LocalStorage(tmp_path / "whole" / ".playhead")
    whole.folder.parent.mkdir()
    shutil.copy(film, whole.folder.parent / "film.mp4")
    index(whole)
    wanted = stored(whole.folder)
    assert set(wanted) >= {"observations.parquet", "vectors.text.npz", "vectors.image.npz", "captions.jsonl"}

    real, steps = Journal.note, itertools.count(1)
    one = max(1, BATCH // 3)

    def note(self, key, value):
        stops = next(steps) % one == 0
        if stops and when == "before":
            raise Stopped
        real(self, key, value)
        if stops:
            raise Stopped

    monkeypatch.setattr(Journal, "note", note)
    asked, stops = [], 0
    for _ in range(60):
        gear = extractors()
        try:
            index(store, gear)
        except Stopped:
            stops += 1
            assert store.read() == {}
        else:
            break
        finally:
            asked.append(calls(gear))
    assert stops >= 3  # threads that are ahead finish their batches
    assert stored(store.folder) == wanted
    assert list((store.folder / "staging").iterdir()) == []
    if when == "after":
        total = sum(asked, start=calls(extractors()))
        assert {name: total[name] for name in ("reader", "detector", "encoder")} == dict.fromkeys(
            ("reader", "detector", "encoder"), PICTURES // BATCH
        )


def test_what_is_stored_runs_no_extractor(store, monkeypatch):
    """All is noted when the run is stopped: the next one runs no extractor."""
    stopped_at(COMMIT, store)
    gear = extractors()
    (outcome,) = index(store, gear)
    assert outcome.state == "indexed"
    assert calls(gear) == {}
    assert gear.texts.asked == []


def test_another_extractor_processes_again(store, monkeypatch):
    stopped_at(COMMIT, store)
    gear = extractors(reader=Reader("2"), speech=Speaker("something else"))
    index(store, gear)
    assert calls(gear) == {"reader": 5, "speaker": 1}


def test_keyframes_of_a_stopped_run_with_other_settings_are_deleted(store, monkeypatch):
    stopped_at(COMMIT, store)
    (left,) = (store.folder / "staging").iterdir()
    (left / "keyframes").mkdir()  # as after a kill -9
    (left / "keyframes" / "0000000777.webp").write_bytes(b"half a picture")
    index(store)
    (record,) = store.read().values()
    assert store.keyframe_times(record) == [1000 * n for n in range(PICTURES)]


def test_what_a_stopped_run_left_is_kept_for_thirty_days(store, monkeypatch):
    stopped_at(COMMIT, store)
    (left,) = (store.folder / "staging").iterdir()
    LocalStorage(store.folder).create()
    assert left.exists()
    for file in left.rglob("*"):
        os.utime(file, (time.time() - 31 * 86_400,) * 2)
    LocalStorage(store.folder).create()
    assert not left.exists()


def test_two_processes_at_one_video_do_not_share_a_folder(store):
    video_id = content_id(store.folder.parent / "film.mp4")
    store.create()
    with store.staged(video_id) as one, store.staged(video_id) as two:
        assert one != two


def test_force_uses_no_notes_but_those_of_force(store, monkeypatch):
    everything = {"reader": 5, "detector": 5, "encoder": 5, "speaker": 1, "captions": 3}
    stopped_at(COMMIT, store)
    gear = extractors()
    stopped_at(COMMIT, store, gear, force=True)
    assert calls(gear) == everything
    gear = extractors()
    index(store, gear, force=True)
    assert calls(gear) == {}, "it goes on with the forced run"
    assert list((store.folder / "staging").iterdir()) == []
    gear = extractors()
    index(store, gear, force=True)
    assert calls(gear) == everything


HOSTILE = [
    b"[" * 200_000,
    json.dumps({"key": "KEY", "value": {"observations": []}}).encode(),
    json.dumps({"key": "KEY", "value": {"observations": [{"text": 1}], "vectors": None, "seconds": 1}}).encode(),
    json.dumps({"key": "KEY", "value": {"observations": [], "vectors": {"shape": [9], "base64": "AA"}}}).encode(),
    json.dumps({"key": "KEY", "value": [1]}).encode(),
]


@pytest.mark.parametrize("line", HOSTILE, ids=["deep", "short", "wrong", "vectors", "list"])
def test_notes_of_another_form_count_for_nothing(store, monkeypatch, line):
    stopped_at(COMMIT, store)
    (left,) = (store.folder / "staging").iterdir()
    journals = [*left.glob("journals/*/*.jsonl"), left / "captions.jsonl"]
    assert len(journals) == 6  # five stages but captions, vectors
    for journal in journals:
        keys = [json.loads(entry)["key"].encode() for entry in journal.read_bytes().splitlines()]
        journal.write_bytes(b"".join(line.replace(b"KEY", key) + b"\n" for key in keys))
    gear = extractors()
    (outcome,) = index(store, gear)
    assert states(outcome.record) == DONE
    assert calls(gear) == {"reader": 5, "detector": 5, "encoder": 5, "speaker": 1, "captions": 3}


def test_a_known_caption_can_only_be_a_caption(store):
    """Whoever writes the file, or the remote it came from, makes no words be said."""
    index(store)
    (known,) = store.read().values()
    lines = [json.loads(line) for line in (store.version_folder(known) / "captions.jsonl").read_bytes().splitlines()]
    said = {"modality": "speech", "text": "SAID", "span": {"start": 0, "end": 1}, "score": 1, "source": "whisper@1"}
    hostile = [said, "\x1b[31mred\x1b[0m", 7]
    written = [json.dumps(line | {"value": value}) + "\n" for line, value in zip(lines, hostile, strict=True)]
    with store.staged(known.video_id) as staged:
        for name in store.manifest(known).files:
            shutil.copy(store.version_folder(known) / name, staged)
        (staged / "captions.jsonl").write_text("".join(written))
        store.commit(staged, known.model_copy(update={"commit": "hostile"}))
    (outcome,) = index(store, extractors(Settings(sample_seconds=1.0)))
    captions = [o for o in store.table(outcome.record).observations if o.modality == "caption"]
    assert [(o.text, o.source) for o in captions] == [
        ("a caption of 4", "captions@1"), ("[31mred [0m", "captions@1"), ("a caption of 4", "captions@1")
    ]  # fmt: skip
    assert not [o for o in store.table(outcome.record).observations if "SAID" in o.text]


def test_a_note_that_the_disk_takes_by_half_harms_no_other(tmp_path, monkeypatch):
    journal = Journal(tmp_path / "a.jsonl")
    journal.note("a", 1)
    real = type((tmp_path / "x").open("ab")).write

    class Half:
        def __init__(self, file):
            self.file = file

        def __enter__(self):
            return self

        def __exit__(self, *_):
            self.file.close()

        def write(self, line):
            real(self.file, line[:5])
            self.file.flush()
            raise OSError(28, "No space left on device")

    opened = type(tmp_path).open
    with monkeypatch.context() as patch:
        patch.setattr(type(tmp_path), "open", lambda path, mode: Half(opened(path, mode)))
        with pytest.raises(LibraryError, match="the disk is full"):
            journal.note("b", 2)
    journal.note("c", 3)
    again = Journal(tmp_path / "a.jsonl")
    assert (again.find("a"), again.find("b"), again.find("c")) == (1, None, 3)


# Two processes at one video.


def test_what_another_process_commits_meanwhile_is_taken_over(store):
    """One process has no server and no ears; while it looks, another commits everything."""
    outcomes = []

    class Slow(Reader):
        def observe(self, segments):
            if not outcomes:
                outcomes.extend(index(LocalStorage(store.folder)))
            return super().observe(segments)

    (outcome,) = index(store, extractors(reader=Slow(), captioner=None, speech=None))
    assert states(outcomes[0].record) == DONE
    assert outcome.record == outcomes[0].record
    observations = store.table(outcome.record).observations
    assert [o.text for o in observations if o.modality == "caption"] == ["a caption of 4"] * 3


def test_each_of_two_processes_adds_what_it_found(store):
    outcomes = []

    class Slow(Reader):
        def observe(self, segments):
            if not outcomes:
                outcomes.extend(index(LocalStorage(store.folder), extractors(reader=None)))
            return super().observe(segments)

    slow = Slow()
    (outcome,) = index(store, extractors(reader=slow, captioner=None, speech=None))
    assert states(outcome.record) == DONE
    assert slow.calls == 5, "what it had read was noted"
    assert list((store.folder / "staging").iterdir()) == []


def test_a_removed_video_does_not_come_back(store, monkeypatch):
    """A process is killed right after it put the new folder in place; then the video is removed."""
    index(store)
    stopped_at("playhead.index.storage.local.forget", store, extractors(reader=Reader("2")))
    (video_id,) = store.read()
    store.remove(video_id)
    store.create()
    assert store.read() == {}


def test_a_process_that_dies_right_after_the_commit_leaves_no_journals_in_the_library(store, monkeypatch):
    stopped_at("playhead.index.storage.local.forget", store)
    store.create()
    assert set(stored(store.folder)) == {
        "observations.parquet", "vectors.text.npz", "vectors.image.npz", "captions.jsonl", "keyframes.bin",
    }  # fmt: skip
    assert list(store.verify(deep=True)) == []
    gear = extractors()
    (outcome,) = index(store, gear)
    assert (outcome.state, calls(gear)) == ("unchanged", {})


# Captions cost the most: none is asked for twice.


def test_captions_are_known_by_what_is_shown(store):
    index(store)
    gear = extractors(Settings(sample_seconds=1.0))
    index(store, gear)
    assert calls(gear) == {"reader": 5, "detector": 5, "encoder": 5}
    gear = extractors(Settings(sample_seconds=1.0), captioner=Captions("2"))
    index(store, gear)
    assert calls(gear) == {"captions": 3}
    gear = extractors(Settings(sample_seconds=1.0))
    index(store, gear)
    assert calls(gear) == {}, "the first model's captions are stored"
    index(store, gear, force=True)
    assert calls(gear)["captions"] == 3


def test_captions_of_a_run_whose_stage_failed_are_known(store):
    gear = extractors(captioner=Captions(raises=RuntimeError("the server is gone"), when=3))
    gear.settings.__dict__["caption_requests"] = 1
    (outcome,) = index(store, gear)
    assert outcome.record.stage("caption").state == "failed"
    gear = extractors()
    (outcome,) = index(store, gear)
    assert outcome.record.stage("caption").detail == "3 found"
    assert calls(gear) == {"captions": 1}


def test_answers_that_were_under_way_when_another_failed_are_kept(store):
    class First(Captions):
        def caption(self, span, frames):
            if span.start == 0:
                raise RuntimeError("the server is gone")
            time.sleep(0.3)
            return super().caption(span, frames)

    (outcome,) = index(store, extractors(Settings(caption_requests=3), captioner=First()))
    assert outcome.record.stage("caption").state == "failed"
    gear = extractors()
    index(store, gear)
    assert calls(gear) == {"captions": 1}


def test_scenes_are_described_side_by_side_and_in_order(store):
    import threading

    both = threading.Barrier(2, timeout=10)

    class Slow(Captions):
        def caption(self, span, frames):
            if span.start < 30:
                both.wait()  # alone it would wait for ever
            said = super().caption(span, frames)
            return said.model_copy(update={"text": f"from {span.start:g}"})

    (outcome,) = index(store, extractors(Settings(caption_requests=2), captioner=Slow()))
    captions = [o for o in store.table(outcome.record).observations if o.modality == "caption"]
    assert [o.text for o in captions] == [f"from {o.span.start:g}" for o in captions]
    assert [o.span.start for o in captions] == sorted(o.span.start for o in captions)


# The real thing.

SCRIPT = """
import sys
from playhead import Library, Settings
library = Library(sys.argv[1], Settings(objects_model="off", offline=True))
print([outcome.state for outcome in library.index(sys.argv[2])])
"""


def test_a_killed_process_goes_on(talk, talk_library, tmp_path):
    """`kill -9` as soon as a stage has noted something new, again and again: the bytes are those of the undisturbed run."""
    library = tmp_path / ".playhead"
    kills, noted = 0, 0
    for _ in range(3):
        process = subprocess.Popen(
            [sys.executable, "-c", SCRIPT, library, talk / "talk.mp4"], stdout=subprocess.PIPE, text=True
        )
        while process.poll() is None:
            lines = journal_lines(library)
            if kills < 2 and lines > noted:
                process.send_signal(signal.SIGKILL)
                kills, noted = kills + 1, lines
                break
            time.sleep(0.01)
        said, _ = process.communicate(timeout=300)
    assert (process.returncode, said.strip()) == (0, "['indexed']")
    assert kills == 2
    assert stored(library) == stored(talk_library.folder)
