"""Bringing a library in line with files: new files are extracted, known ones are not, and nothing is lost."""

import errno
import gc
import os
import shutil
import threading
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from playhead.index.indexing.build import index_files
from playhead.index.indexing.extractor_set import Extractors
from playhead.index.indexing.media_files import media_files
from playhead.index.indexing.repair import repair
from playhead.index.retrieval.search import Search
from playhead.index.storage.identity import content_id
from playhead.index.storage.local import LocalStorage
from playhead.tools.errors import LibraryError, MediaError, ServerError, SettingsError
from playhead.tools.media.frames import frames_at
from playhead.tools.settings import Settings

from ..fakes import (
    DONE,
    BagOfWords,
    Captions,
    Detector,
    Pictures,
    Reader,
    Speaker,
    calls,
    extractors,
    states,
    write_pictures,
)
from ..media import beep, ffmpeg, write_media

MODALITIES = ("speech", "text", "object", "caption", "frame")


@pytest.fixture(scope="session")
def films(tmp_path_factory):
    """Three different films of 3 s with sound: pictures at 0, 1 and 2 s."""
    folder = tmp_path_factory.mktemp("films")
    return [
        write_media(folder / f"{n}.mp4", [0, 1, 2], sound=beep(0.2 * n, 3.0), options={"g": "1", "bf": "0"})
        for n in range(3)
    ]


@pytest.fixture
def talks(tmp_path):
    folder = tmp_path / "talks"
    folder.mkdir()
    return folder


@pytest.fixture
def store(talks):
    return LocalStorage(talks / ".playhead")


def index(store, *paths, gear=None, force=False):
    gear = gear or extractors()
    return list(index_files(store, paths or [store.folder.parent], gear, force, lambda *_: None))


def outcomes_of(outcomes):
    return [(o.path.name, o.state) for o in outcomes]


def texts(store, modality=None):
    """What is stored of the only video, by modality."""
    (record,) = store.read().values()
    observations = store.table(record).observations
    return [o.text for o in observations if modality in (None, o.modality)]


def vectors(store):
    (record,) = store.read().values()
    processed = store.table(record)
    return processed.text_vectors, processed.image_vectors


# What is indexed


def test_a_video_is_processed_by_all_extractors(store, talks, films):
    shutil.copy(films[0], talks / "a.mp4")
    gear = extractors()
    (outcome,) = index(store, gear=gear)
    record = outcome.record
    assert (outcome.path, outcome.state, outcome.detail) == (talks / "a.mp4", "indexed", "")
    assert not outcome.has_failed
    assert states(record) == DONE
    assert record.stage("text").source == "reader@1"
    assert record.stage("text").detail == "3 found"
    assert record.video_id == content_id(films[0])
    assert record.paths == ("a.mp4",)
    assert record.duration == pytest.approx(3.0, abs=0.1)
    assert (record.text_embedding_id, record.image_embedding_id, record.texts_state) == ("bag@1", "pixels@1", "done")
    assert store.read() == {record.video_id: record}
    observations = store.table(record).observations
    assert [(o.modality, o.text) for o in observations] == [
        ("speech", "hello from the sound"),
        ("text", "number 0"),
        ("text", "number 1"),
        ("text", "number 2"),
        ("object", "square"),
        ("caption", "a caption of 3"),
        *[("frame", "")] * 3,
    ]
    assert [(o.span.start, o.span.end) for o in observations if o.modality == "text"] == [
        (0, 1),
        (1, 2),
        (2, pytest.approx(3, abs=0.1)),
    ]
    square = next(o for o in observations if o.modality == "object")
    assert (square.span.start, square.span.end) == (0, pytest.approx(3, abs=0.1))
    assert store.keyframe_times(record) == [0, 1000, 2000]
    text_vectors, image_vectors = vectors(store)
    assert text_vectors == pytest.approx(gear.texts.encode([o.text for o in observations[:6]]), abs=2e-3)
    assert image_vectors.shape == (3, 24)
    assert sorted(gear.texts.asked[:6]) == sorted(set(texts(store)) - {""})


def test_progress_is_reported(store, talks, films):
    for n in (0, 1):
        shutil.copy(films[n], talks / f"{n}.mp4")
    reported = []
    list(index_files(store, [talks], extractors(), False, lambda *outcomes_of: reported.append(outcomes_of)))
    assert {(path.name, number, count) for path, number, count, *_ in reported} == {("0.mp4", 0, 2), ("1.mp4", 1, 2)}
    assert {stage for _, _, _, stage, _, _ in reported} == {"reading frames", "transcribing", "embedding"}
    assert all(0 <= done <= total + 0.1 for *_, done, total in reported)


def test_what_is_unchanged_runs_no_extractor(store, talks, films):
    shutil.copy(films[0], talks / "a.mp4")
    (first,) = index(store)
    gear = extractors()
    (again,) = index(store, gear=gear)
    assert (again.state, again.detail, again.record) == ("unchanged", "", first.record)
    assert calls(gear) == {}
    assert gear.texts.asked == []


@pytest.mark.parametrize("is_stopped", [False, True])
def test_pythons_garbage_collector_is_as_before_after_a_run(store, talks, films, is_stopped):
    for film in films[:2]:
        shutil.copy(film, talks)
    outcomes = index_files(store, [talks], extractors(), False, lambda *_: None)
    next(outcomes)
    assert gc.get_freeze_count() > 0
    outcomes.close() if is_stopped else list(outcomes)
    assert (gc.isenabled(), gc.get_freeze_count()) == (True, 0)


def test_a_video_without_texts_is_unchanged_too(store, talks, films):
    shutil.copy(films[0], talks / "a.mp4")
    only_pictures = {"speech": None, "reader": None, "detector": None, "captioner": None}
    assert index(store, gear=extractors(**only_pictures))[0].record.text_embedding_id == ""
    assert outcomes_of(index(store, gear=extractors(**only_pictures))) == [("a.mp4", "unchanged")]


def test_force_extracts_again_and_ids_stay(store, talks, films):
    shutil.copy(films[0], talks / "a.mp4")
    index(store)
    search = Search(store, Settings(), BagOfWords())
    (video_id,) = search.records
    before = [(e.evidence_id, e.text, e.start) for e in search.of_video(video_id)]
    gear = extractors()
    assert outcomes_of(index(store, gear=gear, force=True)) == [("a.mp4", "indexed")]
    assert calls(gear) == {"speaker": 1, "reader": 1, "detector": 1, "encoder": 1, "captions": 1}
    assert [(e.evidence_id, e.text, e.start) for e in search.of_video(video_id)] == before


# Files


def test_the_same_content_twice(store, talks, films):
    for name in ("a.mp4", "b.mp4"):
        shutil.copy(films[0], talks / name)
    gear = extractors()
    first, second = index(store, gear=gear)
    assert [first.state, second.state] == ["indexed", "same"]
    assert second.detail == f"same content as {talks / 'a.mp4'}"
    assert second.record.paths == ("a.mp4", "b.mp4")
    assert calls(gear)["speaker"] == 1
    assert outcomes_of(index(store)) == [("a.mp4", "unchanged"), ("b.mp4", "same")]
    (talks / "a.mp4").unlink()
    assert outcomes_of(index(store)) == [("b.mp4", "unchanged")]
    assert [record.paths for record in store.read().values()] == [("b.mp4",)]


def test_two_files_of_one_name(store, talks, films):
    for n in (0, 1):
        (talks / str(n)).mkdir()
        shutil.copy(films[n], talks / str(n) / "a.mp4")
    assert outcomes_of(index(store)) == [("a.mp4", "indexed"), ("a.mp4", "indexed")]
    assert {record.paths for record in store.read().values()} == {("0/a.mp4",), ("1/a.mp4",)}


def test_a_moved_file_is_unchanged(store, talks, films):
    shutil.copy(films[0], talks / "a.mp4")
    (before,) = index(store)
    (talks / "2024").mkdir()
    (talks / "a.mp4").rename(talks / "2024" / "b.mp4")
    gear = extractors()
    (after,) = index(store, gear=gear)
    assert (after.state, after.detail, after.path.name) == ("unchanged", "moved or copied", "b.mp4")
    assert calls(gear) == {}
    (record,) = store.read().values()
    assert record.paths == ("2024/b.mp4",)
    assert record.commit == before.record.commit
    assert store.file_of(record) == talks / "2024" / "b.mp4"


def test_a_changed_file_replaces_its_old_content(store, talks, films):
    shutil.copy(films[0], talks / "a.mp4")
    index(store)
    shutil.copy(films[1], talks / "a.mp4")
    assert outcomes_of(index(store)) == [("a.mp4", "indexed")]
    assert list(store.read()) == [content_id(films[1])]


def test_a_stopped_run_leaves_nothing_for_good(store, talks, films):
    """The run ends before it forgets what a changed file held; the next run does."""
    shutil.copy(films[0], talks / "a.mp4")
    index(store)
    shutil.copy(films[1], talks / "a.mp4")
    run = index_files(store, [talks], extractors(), False, lambda *_: None)
    assert next(run).state == "indexed"
    run.close()
    assert set(store.read()) == {content_id(films[0]), content_id(films[1])}
    assert outcomes_of(index(store)) == [("a.mp4", "unchanged")]
    assert list(store.read()) == [content_id(films[1])]


def test_a_changed_file_leaves_the_copy_of_its_old_content(store, talks, films):
    for name in ("a.mp4", "b.mp4"):
        shutil.copy(films[0], talks / name)
    index(store)
    shutil.copy(films[1], talks / "a.mp4")
    assert outcomes_of(index(store)) == [("a.mp4", "indexed"), ("b.mp4", "unchanged")]
    assert {v: r.paths for v, r in store.read().items()} == {
        content_id(films[0]): ("b.mp4",),
        content_id(films[1]): ("a.mp4",),
    }


def test_files_that_swap_their_names(store, talks, films):
    for n in (0, 1):
        shutil.copy(films[n], talks / f"{n}.mp4")
    index(store)
    for n in (0, 1):
        shutil.copy(films[n], talks / f"{1 - n}.mp4")
    gear = extractors()
    assert outcomes_of(index(store, gear=gear)) == [("0.mp4", "unchanged"), ("1.mp4", "unchanged")]
    assert calls(gear) == {}
    assert {v: r.paths for v, r in store.read().items()} == {
        content_id(films[0]): ("1.mp4",),
        content_id(films[1]): ("0.mp4",),
    }


def test_a_file_that_is_gone_leaves_the_library(store, talks, films):
    for n in (0, 1):
        shutil.copy(films[n], talks / f"{n}.mp4")
    index(store)
    (talks / "1.mp4").unlink()
    outcomes = index(store)
    assert outcomes_of(outcomes) == [("0.mp4", "unchanged"), ("1.mp4", "removed")]
    assert list(store.read()) == [content_id(films[0])]
    assert not (store.videos_folder / content_id(films[1])).exists()


@pytest.mark.parametrize("is_folder", [False, True], ids=["a linked file", "a linked folder"])
def test_a_file_on_a_disk_that_is_not_mounted_keeps_its_index_and_is_named(store, talks, films, tmp_path, is_folder):
    disk, away = tmp_path / "disk", tmp_path / "away"
    disk.mkdir()
    shutil.copy(films[0], talks / "a.mp4")
    shutil.copy(films[1], disk / "b.mp4")
    link, name = (talks / "more", "more/b.mp4") if is_folder else (talks / "b.mp4", "b.mp4")
    link.symlink_to(disk if is_folder else disk / "b.mp4")
    index(store)
    disk.rename(away)
    (kept,) = [one for one in index(store) if one.path.name == "b.mp4"]
    assert (kept.path, kept.state) == (talks / name, "unchanged")
    assert kept.detail.startswith(f"kept, but not there: {link} is a link to {disk}")
    assert set(store.read()) == {content_id(films[0]), content_id(films[1])}
    away.rename(disk)
    assert {one.state for one in index(store)} == {"unchanged"}
    assert not any(one.detail for one in index(store))
    link.unlink()
    assert ("b.mp4", "removed") in outcomes_of(index(store))
    assert set(store.read()) == {content_id(films[0])}


def test_videos_of_other_folders_stay(store, talks, films, tmp_path):
    """A file that is gone, but not from the folder that is indexed now."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    shutil.copy(films[0], talks / "a.mp4")
    shutil.copy(films[1], elsewhere / "b.mp4")
    index(store, talks, elsewhere)
    (elsewhere / "b.mp4").unlink()
    index(store, talks)
    index(store, talks / "a.mp4")
    assert set(store.read()) == {content_id(films[0]), content_id(films[1])}


def test_a_folder_without_videos_removes_nothing(store, talks, films):
    shutil.copy(films[0], talks / "a.mp4")
    index(store)
    (talks / "a.mp4").unlink()
    with pytest.raises(MediaError, match="no video or sound file in"):
        index(store)
    assert list(store.read()) == [content_id(films[0])]


def test_an_unmounted_disk_next_to_another_folder_removes_nothing(store, talks, films, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    shutil.copy(films[0], talks / "a.mp4")
    shutil.copy(films[1], disk / "b.mp4")
    index(store, talks, disk)
    (disk / "b.mp4").unlink()
    assert outcomes_of(index(store, talks, disk)) == [("a.mp4", "unchanged")]
    assert set(store.read()) == {content_id(films[0]), content_id(films[1])}


def test_a_file_in_a_folder_that_may_not_be_read_is_not_removed(store, talks, films, monkeypatch):
    (talks / "private").mkdir()
    shutil.copy(films[0], talks / "a.mp4")
    shutil.copy(films[1], talks / "private" / "b.mp4")
    index(store)
    real = os.stat

    def refuse(path, *rest, **options):
        if "private" in str(path):
            raise PermissionError(errno.EACCES, "Permission denied")
        return real(path, *rest, **options)

    monkeypatch.setattr("playhead.index.indexing.build.media_files", lambda _: iter([talks / "a.mp4"]))
    monkeypatch.setattr("os.stat", refuse)
    outcomes = index(store)
    monkeypatch.undo()
    assert outcomes_of(outcomes) == [("a.mp4", "unchanged")]
    assert set(store.read()) == {content_id(films[0]), content_id(films[1])}


def test_the_library_moves_with_its_folder(store, talks, films, tmp_path):
    shutil.copy(films[0], talks / "a.mp4")
    index(store)
    talks.rename(tmp_path / "moved")
    moved = LocalStorage(tmp_path / "moved" / ".playhead")
    gear = extractors()
    assert outcomes_of(index(moved, gear=gear)) == [("a.mp4", "unchanged")]
    assert calls(gear) == {}
    (record,) = moved.read().values()
    assert record.paths == ("a.mp4",)
    (evidence,) = Search(moved, Settings(), BagOfWords()).find("hello", k=1)
    assert evidence.video == str(tmp_path / "moved" / "a.mp4")


# Files that are none


def test_broken_files_fail_and_the_others_are_indexed(store, talks, films, caplog):
    whole = films[0].read_bytes()
    (talks / "a_junk.mp4").write_bytes(os.urandom(5000))
    (talks / "b_empty.mp4").write_bytes(b"")
    (talks / "c_cut.mp4").write_bytes(whole[:800])
    (talks / "d_text.mkv").write_text("no film")
    (talks / "e_loop.mp4").symlink_to(talks / "e_loop.mp4")
    (talks / "f_dangling.mp4").symlink_to(talks / "nowhere.mp4")
    os.mkfifo(talks / "g_pipe.mp4")
    os.mkfifo(talks / "h_pipe.ts")
    (talks / "i_good.mp4").write_bytes(whole)
    (talks / "j_folder.mp4").mkdir()
    (talks / ".hidden.mp4").write_bytes(whole)
    (talks / "notes.txt").write_text("x")
    (talks / "code.ts").write_text("const x = 1")
    outcomes = index(store)
    assert outcomes_of(outcomes) == [
        *((name, "failed") for name in ("a_junk.mp4", "b_empty.mp4", "c_cut.mp4", "d_text.mkv")),
        *((name, "failed") for name in ("g_pipe.mp4", "h_pipe.ts")),
        ("i_good.mp4", "indexed"),
    ]
    for outcome in outcomes[:-1]:
        assert str(outcome.path) in outcome.detail
        assert "\n" not in outcome.detail
        assert outcome.record is None
        assert outcome.has_failed
    assert [record.getMessage() for record in caplog.records if "skipped" in record.getMessage()] == [
        f"{talks / name} is a link to a file that does not exist: skipped" for name in ("e_loop.mp4", "f_dangling.mp4")
    ]
    assert list(store.read()) == [content_id(films[0])]


def test_a_file_that_breaks_keeps_what_was_known_of_it(store, talks, films):
    shutil.copy(films[0], talks / "a.mp4")
    index(store)
    (talks / "a.mp4").write_bytes(b"")
    assert outcomes_of(index(store)) == [("a.mp4", "failed")]
    assert list(store.read()) == [content_id(films[0])]


def test_links_to_folders_do_not_go_round(store, talks, films):
    (talks / "deep").mkdir()
    shutil.copy(films[0], talks / "deep" / "a.mp4")
    (talks / "deep" / "up").symlink_to(talks)
    (talks / "link.mp4").symlink_to(talks / "deep" / "a.mp4")
    assert outcomes_of(index(store)) == [("link.mp4", "indexed"), ("a.mp4", "same")]


def test_a_path_given_twice_is_one_file(store, talks, films, monkeypatch):
    shutil.copy(films[0], talks / "a.mp4")
    monkeypatch.chdir(talks)
    assert outcomes_of(
        index(store, talks, talks / "a.mp4", talks / ".." / "talks", talks.parent / "talks" / "." / "a.mp4")
    ) == [("a.mp4", "indexed")]


def test_a_path_that_does_not_exist_is_an_error(store, talks):
    with pytest.raises(MediaError, match=r"nowhere does not exist: check the path"):
        index(store, talks / "nowhere")
    with pytest.raises(MediaError, match="no video or sound file in"):
        index(store)
    assert not store.folder.exists()


def test_a_name_that_is_not_text_fails_alone(store, talks, films):
    odd = os.fsencode(talks) + b"/\xff\xfe.mp4"
    shutil.copy(films[0], odd)
    shutil.copy(films[1], talks / "good, ünïcode 東京.mp4")
    outcomes = index(store)
    assert [o.state for o in outcomes] == ["indexed", "failed"]
    assert "its name is not UTF-8 and cannot be stored: rename it" in outcomes[1].detail
    outcomes[1].detail.encode()


def test_a_file_that_vanishes_in_the_middle(store, talks, films):
    class Thief(Reader):
        def observe(self, segments):
            (talks / "a.mp4").unlink(missing_ok=True)
            return super().observe(segments)

    for n, name in enumerate(("a.mp4", "b.mp4")):
        shutil.copy(films[n], talks / name)
    outcomes = index(store, gear=extractors(reader=Thief()))
    assert outcomes_of(outcomes) == [("a.mp4", "failed"), ("b.mp4", "indexed")]
    assert f"{talks / 'a.mp4'} cannot be read" in outcomes[0].detail or "does not exist" in outcomes[0].detail
    assert list(store.read()) == [content_id(films[1])]


def test_a_folder_that_vanishes_in_the_middle(store, talks, films):
    class Thief(Speaker):
        def process_window(self, window, progress):
            shutil.rmtree(talks / "deep", ignore_errors=True)
            return super().process_window(window, progress)

    (talks / "deep").mkdir()
    shutil.copy(films[0], talks / "deep" / "a.mp4")
    shutil.copy(films[1], talks / "b.mp4")
    outcomes = index(store, gear=extractors(speech=Thief()))
    assert outcomes_of(outcomes) == [("b.mp4", "indexed"), ("a.mp4", "failed")]
    assert list(store.read()) == [content_id(films[1])]


def test_a_file_that_grows_while_it_is_indexed_is_not_taken_for_whole(store, talks, films):
    class Download(Reader):
        def observe(self, segments):
            with (talks / "a.mp4").open("ab") as file:
                file.write(b"more")
            return super().observe(segments)

    shutil.copy(films[0], talks / "a.mp4")
    (outcome,) = index(store, gear=extractors(reader=Download()))
    assert outcome.state == "failed"
    assert "changed while it was indexed: run again when it is complete" in outcome.detail
    assert store.read() == {}


# Only sound, only pictures, wrong lengths


def test_sound_only(store, talks):
    write_media(talks / "a.m4a", sound=beep(0.1, 2.0), cover=False)
    (outcome,) = index(store)
    assert states(outcome.record) == dict.fromkeys(DONE, "skipped") | {"speech": "done"}
    assert outcome.record.stage("frame").detail == "the file has no pictures"
    assert outcome.record.duration == pytest.approx(2.0, abs=0.1)
    assert texts(store) == ["hello from the sound"]
    assert outcomes_of(index(store)) == [("a.m4a", "unchanged")]


def test_pictures_only(store, talks):
    write_media(talks / "a.mp4", [0, 1, 2])
    (outcome,) = index(store)
    assert states(outcome.record) == DONE | {"speech": "skipped"}
    assert outcome.record.stage("speech").detail == "the file has no sound"
    assert outcomes_of(index(store)) == [("a.mp4", "unchanged")]


def test_a_wrong_header_is_reported_and_corrected(store, talks, films):
    """The index of the file comes first and says 19.8 s; what lies behind the middle is lost."""
    film = write_media(talks / "whole.mp4", [n / 5 for n in range(100)], options={"g": "5", "bf": "0"})
    ffmpeg("-i", film, "-c", "copy", "-movflags", "+faststart", talks / "fast.mp4")
    whole = (talks / "fast.mp4").read_bytes()
    film.unlink()
    (talks / "fast.mp4").write_bytes(whole[: len(whole) * 2 // 3])
    (talks / "fast.srt").write_text(
        "1\n00:00:01,000 --> 00:00:02,000\nearly\n\n2\n00:00:03,000 --> 00:00:19,000\nacross the end\n\n"
        "3\n00:00:19,000 --> 00:00:20,000\nafter the end\n"
    )
    (outcome,) = index(store)
    record = outcome.record
    assert 5 < record.duration < 18
    assert outcome.detail == f"the header says 19.8 s, the file holds {record.duration:.1f} s: it may be cut off"
    assert record.notes == (outcome.detail,)
    observations = store.table(record).observations
    assert max(o.span.end for o in observations) <= record.duration + 0.01
    assert [o.text for o in observations if o.modality == "speech"] == ["early", "across the end"]


def test_uneven_frames_do_not_make_a_header_a_liar(store, talks):
    write_media(talks / "slides.mkv", [0, 10, 20])
    (outcome,) = index(store)
    assert outcome.detail == ""
    assert outcome.record.duration == pytest.approx(20.03, abs=0.1)
    assert store.table(outcome.record).of("text")[-1].span.end <= outcome.record.duration + 1e-6


# Stages


def test_a_stage_that_changed_runs_alone(store, talks, films):
    shutil.copy(films[0], talks / "a.mp4")
    index(store)
    before, (text_before, image_before) = store.read(), vectors(store)
    gear = extractors(detector=Detector("2"))
    (outcome,) = index(store, gear=gear)
    assert outcome.state == "indexed"
    assert calls(gear) == {"detector": 1}
    assert gear.texts.asked == []
    (old,) = before.values()
    assert outcome.record.commit != old.commit
    assert outcome.record.stage("object").source == "detector@2"
    assert [outcome.record.stage(m) for m in MODALITIES if m != "object"] == [
        old.stage(m) for m in MODALITIES if m != "object"
    ]
    text_after, image_after = vectors(store)
    assert (text_after == text_before).all()
    assert (image_after == image_before).all()
    assert store.keyframe_times(old) == [0, 1000, 2000]


def test_speech_alone_keeps_vectors_and_keyframes(store, talks, films):
    shutil.copy(films[0], talks / "a.mp4")
    index(store)
    _, image_before = vectors(store)
    gear = extractors(speech=Speaker("goodbye"))
    (outcome,) = index(store, gear=gear)
    assert calls(gear) == {"speaker": 1}
    assert gear.texts.asked == ["goodbye"]
    assert texts(store, "speech") == ["goodbye"]
    assert texts(store, "text") == ["number 0", "number 1", "number 2"]
    text_vectors, image_after = vectors(store)
    assert (image_after == image_before).all()
    assert text_vectors[0] == pytest.approx(BagOfWords().encode(["goodbye"])[0], abs=2e-3)
    assert store.keyframe_times(outcome.record) == [0, 1000, 2000]


def test_settings_that_a_stage_depends_on(store, talks, films):
    shutil.copy(films[0], talks / "a.mp4")
    index(store)

    def rerun(**changes):
        gear = extractors(Settings(**changes))
        index(store, gear=gear)
        return set(calls(gear))

    assert rerun(objects_score=0.5) == {"detector"}
    assert rerun(objects_score=0.5, language="de") == {"speaker"}
    assert rerun(objects_score=0.5, language="de", sample_seconds=1.0) == {"reader", "detector", "encoder"}
    assert rerun(objects_score=0.5, language="de", sample_seconds=1.0, video_llm_timeout=9.0) == set()


def test_a_stage_that_comes_later_runs_alone(store, talks, films):
    shutil.copy(films[0], talks / "a.mp4")
    (first,) = index(store, gear=extractors(reader=None, captioner=None))
    assert first.record.stage("text").state == "skipped"
    assert first.record.stage("text").detail == "not installed"
    gear = extractors()
    index(store, gear=gear)
    assert calls(gear) == {"reader": 1, "captions": 1}
    assert texts(store, "text") == ["number 0", "number 1", "number 2"]


def test_a_missing_extractor_keeps_its_earlier_observations(store, talks, films):
    shutil.copy(films[0], talks / "a.mp4")
    index(store)
    before = texts(store)
    assert outcomes_of(index(store, gear=extractors(speech=None, reader=None, images=None))) == [("a.mp4", "unchanged")]
    gear = extractors(speech=None, reader=None, images=None, detector=Detector("2"))
    (outcome,) = index(store, gear=gear)
    assert calls(gear) == {"detector": 1}
    assert states(outcome.record) == DONE
    assert texts(store) == before
    assert vectors(store)[1].shape == (3, 24)


PARTS = {"speech": Speaker, "text": Reader, "object": Detector, "caption": Captions, "frame": Pictures}
NAMES = {"speech": "speech", "text": "reader", "object": "detector", "caption": "captioner", "frame": "images"}


@pytest.mark.parametrize("modality", MODALITIES)
@pytest.mark.parametrize("error", [RuntimeError("CUDA out of memory\nat line 3"), ServerError("gone"), MemoryError()])
def test_a_stage_that_raises_loses_only_itself(store, talks, films, modality, error):
    shutil.copy(films[0], talks / "a.mp4")
    (outcome,) = index(store, gear=extractors(**{NAMES[modality]: PARTS[modality](raises=error)}))
    assert outcome.state == "indexed"
    assert outcome.has_failed
    assert states(outcome.record) == DONE | {modality: "failed"}
    report = outcome.record.stage(modality)
    assert report.detail.startswith(type(error).__name__)
    assert "\n" not in report.detail
    assert (report.source, report.fingerprint) == ("", "")
    assert texts(store, modality) == []
    gear = extractors()
    (again,) = index(store, gear=gear)
    assert states(again.record) == DONE
    assert not again.has_failed
    assert calls(gear) == {PARTS[modality]().source.split("@")[0].split("-")[0]: 1}


def test_a_stage_that_raises_in_the_middle_keeps_no_half(store, talks):
    """Twelve segments are two batches; the second fails."""
    write_media(talks / "a.mp4", [float(n) for n in range(12)])
    (outcome,) = index(
        store,
        gear=extractors(
            reader=Reader(raises=RuntimeError("x"), when=2), images=Pictures(raises=RuntimeError("y"), when=2)
        ),
    )
    assert states(outcome.record)["text"] == states(outcome.record)["frame"] == "failed"
    assert texts(store, "text") == texts(store, "frame") == []
    assert outcome.record.image_embedding_id == ""
    assert vectors(store)[1].size == 0
    assert len(texts(store, "object")) == 1


def test_a_stage_that_fails_later_keeps_what_it_found(store, talks, films):
    shutil.copy(films[0], talks / "a.mp4")
    index(store)
    broken = {
        "speech": Speaker("x", raises=RuntimeError("boom")),
        "images": Pictures("other@2", raises=RuntimeError("boom")),
    }
    (outcome,) = index(store, gear=extractors(**broken))
    assert outcome.has_failed
    assert outcome.record.stage("speech").detail == "RuntimeError: boom; the results of an earlier run are kept"
    assert texts(store, "speech") == ["hello from the sound"]
    assert (outcome.record.image_embedding_id, vectors(store)[1].shape) == ("pixels@1", (3, 24))
    (without,) = index(store, gear=extractors(speech=None, images=None, detector=Detector("2")))
    assert states(without.record) == DONE | {"speech": "skipped", "frame": "skipped"}
    assert texts(store, "speech") == ["hello from the sound"]
    assert vectors(store)[1].shape == (3, 24)
    gear = extractors()
    (mended,) = index(store, gear=gear)
    assert calls(gear) == {"speaker": 1, "encoder": 1, "detector": 1}
    assert states(mended.record) == DONE


@pytest.mark.parametrize("wrong", [np.full((3, 24), np.nan, np.float32), np.ones((2, 24), np.float32)])
def test_vectors_that_are_none_fail_their_stage(store, talks, films, wrong):
    """Not finite, or not as many as observations: what is stored stays readable."""

    class Wrong(Pictures):
        def observe(self, segments):
            return super().observe(segments)[0], wrong

    class Texts(BagOfWords):
        def encode(self, texts):
            return np.full((len(texts), 24), np.nan, np.float32)

    shutil.copy(films[0], talks / "a.mp4")
    (outcome,) = index(store, gear=extractors(images=Wrong(), texts=Texts()))
    assert states(outcome.record) == DONE | {"frame": "failed"}
    assert outcome.record.stage("frame").detail.startswith("ValueError: ")
    assert outcome.detail == "texts were not embedded: ValueError: vectors that are not finite"
    assert len(texts(store)) == 6
    assert outcomes_of(index(store)) == [("a.mp4", "indexed")]


def test_when_all_that_runs_fails_the_file_has_failed(store, talks, films):
    shutil.copy(films[0], talks / "a.mp4")
    none = {"reader": None, "detector": None, "images": None, "captioner": None}
    (outcome,) = index(store, gear=extractors(speech=Speaker(raises=RuntimeError("boom")), **none))
    assert (outcome.state, outcome.detail) == ("failed", f"{talks / 'a.mp4'}: speech: RuntimeError: boom")
    assert store.read() == {}
    assert list((store.folder / "staging").iterdir()) == []


def test_when_nothing_can_run_it_is_an_error(store, talks, films):
    shutil.copy(films[0], talks / "a.mp4")
    none = dict.fromkeys(("speech", "reader", "detector", "images", "captioner"))
    (outcome,) = index(store, gear=extractors(**none))
    assert outcome.state == "failed"
    assert "no stage can run on it; `playhead doctor` lists what is missing" in outcome.detail


def test_pictures_that_cannot_be_read_lose_no_speech(store, talks, films, monkeypatch):
    shutil.copy(films[0], talks / "a.mp4")

    def scan(*_, **__):
        raise MediaError("no frame can be decoded")
        yield

    with monkeypatch.context() as patch:
        patch.setattr("playhead.index.indexing.frame_pipeline.skim", scan)
        (outcome,) = index(store)
    assert states(outcome.record) == dict.fromkeys(MODALITIES, "failed") | {
        "speech": "done",
        "speaker": "skipped",
        "overlap": "skipped",
        "sounds": "skipped",
        "action": "skipped",
        "person": "skipped",
    }
    assert outcome.record.duration == pytest.approx(3.0, abs=0.1)
    assert texts(store) == ["hello from the sound"]
    assert states(index(store)[0].record) == DONE


def test_a_picture_that_comes_back_is_looked_at_once(store, talks):
    """Slides 0 and 1 in turn, as with a camera between or a cursor that blinks; then slide 2."""
    shown = [0, 1, 0, 1, 0, 2, 1]
    path = talks / "a.mp4"
    write_media(talks / "numbers.mkv", [float(n) for n in range(3)], options={"g": "1", "bf": "0"})
    pictures = [next(frames_at(talks / "numbers.mkv", [n])).pixels for n in range(3)]
    (talks / "numbers.mkv").unlink()
    write_pictures(path, [pictures[n] for n in shown], [float(n) for n in range(len(shown))])
    looked = []

    class Listing(Pictures):
        def observe(self, segments):
            looked.extend(segment.frame.seconds for segment in segments)
            return super().observe(segments)

    (outcome,) = index(store, gear=extractors(images=Listing()))
    assert looked == [0, 1, 5]
    observations = store.table(outcome.record).observations
    assert [(o.text, o.span.start, o.frame_seconds) for o in observations if o.modality == "text"] == [
        (f"number {n}", second, second) for second, n in enumerate(shown)
    ]
    assert [(o.span.start, o.frame_seconds) for o in observations if o.modality == "frame"] == [
        (second, second) for second in range(len(shown))
    ]
    pictures_vectors = vectors(store)[1]
    assert all((pictures_vectors[a] == pictures_vectors[b]).all() for a, b in ((0, 2), (0, 4), (1, 3), (1, 6)))
    assert not (pictures_vectors[0] == pictures_vectors[1]).all()
    assert not (pictures_vectors[5] == pictures_vectors[1]).all()
    assert [o.span.start for o in observations if o.modality == "object"] == [0]


# Texts


def test_another_text_encoder_embeds_again_without_extracting(store, talks, films):
    shutil.copy(films[0], talks / "a.mp4")
    index(store)
    gear = extractors(texts=BagOfWords("other@2"))
    (outcome,) = index(store, gear=gear)
    assert (outcome.state, outcome.record.text_embedding_id) == ("indexed", "other@2")
    assert calls(gear) == {}
    stored = [text for text in texts(store) if text]
    assert vectors(store)[0] == pytest.approx(BagOfWords("other@2").encode(stored), abs=2e-3)
    assert store.keyframe_times(outcome.record) == [0, 1000, 2000]
    assert vectors(store)[1].shape == (3, 24)
    assert outcomes_of(index(store, gear=extractors(texts=BagOfWords("other@2")))) == [("a.mp4", "unchanged")]


def test_an_encoder_that_comes_later_embeds_what_waits(store, talks, films):
    shutil.copy(films[0], talks / "a.mp4")
    (first,) = index(store, gear=extractors(texts=None))
    assert (first.record.text_embedding_id, first.record.texts_state, first.has_failed) == ("", "skipped", False)
    assert outcomes_of(index(store, gear=extractors(texts=None))) == [("a.mp4", "unchanged")]
    (second,) = index(store)
    assert (second.record.text_embedding_id, second.record.texts_state) == ("bag@1", "done")


def test_texts_that_came_while_the_encoder_was_away_are_embedded_later(store, talks, films):
    shutil.copy(films[0], talks / "a.mp4")
    index(store, gear=extractors(speech=None))
    (away,) = index(store, gear=extractors(texts=None))
    assert (away.record.text_embedding_id, away.record.texts_state) == ("bag@1", "skipped")
    assert not vectors(store)[0][0].any()
    assert vectors(store)[0][1:].any(axis=1).all()
    gear = extractors()
    (back,) = index(store, gear=gear)
    assert (back.state, back.record.texts_state) == ("indexed", "done")
    assert gear.texts.asked == ["hello from the sound"]
    assert vectors(store)[0].any(axis=1).all()


def test_an_encoder_that_raises_loses_no_observation_and_is_asked_again(store, talks, films):
    shutil.copy(films[0], talks / "a.mp4")
    (outcome,) = index(store, gear=extractors(texts=BagOfWords(fails=True)))
    assert outcome.state == "indexed"
    assert outcome.has_failed
    assert outcome.detail == "texts were not embedded: RuntimeError: out of memory"
    assert (outcome.record.text_embedding_id, outcome.record.texts_state) == ("", "failed")
    assert states(outcome.record) == DONE
    gear = extractors()
    (again,) = index(store, gear=gear)
    assert (again.state, again.has_failed, calls(gear)) == ("indexed", False, {})
    before = vectors(store)[0]
    (failed,) = index(store, gear=extractors(texts=BagOfWords("other@2", fails=True)))
    assert (failed.record.text_embedding_id, failed.record.texts_state) == ("bag@1", "failed")
    assert (vectors(store)[0] == before).all()


# Subtitles

CUES = "1\n00:00:00,500 --> 00:00:01,500\nwritten beside it\n"


def test_subtitles_that_come_later_take_the_place_of_transcription(store, talks, films):
    shutil.copy(films[0], talks / "a.mp4")
    index(store)
    (talks / "a.srt").write_text(CUES)
    gear = extractors()
    (outcome,) = index(store, gear=gear)
    assert (outcome.state, calls(gear)) == ("indexed", {})
    assert outcome.record.stage("speech").source == "sidecar@a.srt"
    assert texts(store, "speech") == ["written beside it"]
    assert outcomes_of(index(store)) == [("a.mp4", "unchanged")]
    (talks / "a.srt").write_text(CUES.replace("written", "changed"))
    index(store)
    assert texts(store, "speech") == ["changed beside it"]
    (talks / "a.srt").unlink()
    gear = extractors()
    index(store, gear=gear)
    assert calls(gear) == {"speaker": 1}
    assert texts(store, "speech") == ["hello from the sound"]


def test_subtitles_need_no_transcriber_and_no_sound(store, talks):
    write_media(talks / "a.mp4", [0, 1, 2])
    (talks / "a.en.vtt").write_text("WEBVTT\n\n00:00.500 --> 00:01.500\nhello\n")
    (outcome,) = index(store, gear=extractors(speech=None))
    assert outcome.record.stage("speech").source == "sidecar@a.en.vtt"
    assert texts(store, "speech") == ["hello"]


def test_subtitles_in_the_language_that_is_set(store, talks, films):
    shutil.copy(films[0], talks / "a.mp4")
    for language in ("de", "en"):
        (talks / f"a.{language}.srt").write_text(CUES.replace("written", language))
    index(store, gear=extractors(Settings(language="en")))
    assert texts(store, "speech") == ["en beside it"]
    index(store, gear=extractors(Settings(language="de")))
    assert texts(store, "speech") == ["de beside it"]
    index(store, gear=extractors(Settings(sidecars=False)))
    assert texts(store, "speech") == ["hello from the sound"]


def test_broken_subtitles_fail_their_stage(store, talks, films):
    shutil.copy(films[0], talks / "a.mp4")
    (talks / "a.srt").write_text("nothing")
    (outcome,) = index(store)
    assert outcome.has_failed
    assert "holds no subtitles with times" in outcome.record.stage("speech").detail
    assert states(outcome.record) == DONE | {"speech": "failed"}


# Damage and disks


@pytest.mark.parametrize(
    "part",
    ["video.json", "v-*/observations.parquet", "v-*/vectors.text.npz", "v-*/keyframes.bin", "../../library.json"],
)
def test_damage_hides_no_other_video_and_is_repaired(store, talks, films, part, caplog):
    for n in (0, 1):
        shutil.copy(films[n], talks / f"{n}.mp4")
    index(store)
    sound = store.read()
    damaged_id = content_id(films[0])
    (broken,) = (
        (store.videos_folder / damaged_id).glob(part) if "*" in part else [store.videos_folder / damaged_id / part]
    )
    whole = broken.read_bytes()
    broken.write_bytes(b"\xff")
    names = [damage.name for damage in LocalStorage(store.folder).verify(deep=True)]
    assert names == [os.path.relpath(broken, store.folder)]

    with closing(Search(LocalStorage(store.folder), Settings(), BagOfWords())) as search:
        found = {one.video_id for one in search.find("hello from the sound", modalities=["speech"])}
    assert found == set(sound), "a search reads the published index: it needs none of these files"

    gear = extractors()
    outcomes = list(repair(LocalStorage(store.folder), gear, lambda *_: None))
    restored = part in ("video.json", "../../library.json")
    assert [o.state for o in outcomes] == ["repaired" if restored else "indexed"]
    assert calls(gear) == ({} if restored else {"speaker": 1, "reader": 1, "detector": 1, "encoder": 1}), (
        "captions are kept"
    )
    healed = LocalStorage(store.folder)
    assert list(healed.verify(deep=True)) == []
    assert not restored or broken.read_bytes() == whole
    assert {v: r.paths for v, r in healed.read().items()} == {v: r.paths for v, r in sound.items()}
    with closing(Search(healed, Settings(), BagOfWords())) as search:
        assert len(search.find("hello from the sound", modalities=["speech"])) == 2
    assert list(repair(healed, gear, lambda *_: None)) == []


def test_a_repair_reads_the_stream_that_is_set(store, talks, films):
    other = write_media(talks / "other.mp4", [0, 1, 2], first=5)
    ffmpeg("-i", films[0], "-i", other, "-map", "0:v", "-map", "0:a", "-map", "1:v", "-c", "copy", talks / "both.mkv")
    other.unlink()
    gear = extractors(Settings(stream=2))
    assert outcomes_of(index(store, gear=gear)) == [("both.mkv", "indexed")]
    assert texts(store, "text") == ["number 5", "number 6", "number 7"]
    (record,) = store.read().values()
    (store.version_folder(record) / "observations.parquet").write_bytes(b"")
    assert [o.state for o in repair(store, gear, lambda *_: None)] == ["indexed"]
    assert texts(store, "text") == ["number 5", "number 6", "number 7"]


def test_a_damaged_video_without_its_file_stays_damaged_and_is_named(store, talks, films):
    shutil.copy(films[0], talks / "a.mp4")
    index(store)
    (record,) = store.read().values()
    (store.version_folder(record) / "observations.parquet").write_bytes(b"")
    (talks / "a.mp4").unlink()
    (outcome,) = repair(store, extractors(), lambda *_: None)
    assert (outcome.state, outcome.has_failed) == ("failed", True)
    assert "its media file is not here: put it back and run `playhead repair` again" in outcome.detail
    shutil.copy(films[0], talks / "renamed.mp4")
    assert outcomes_of(index(store)) == [("renamed.mp4", "unchanged")]
    (outcome,) = repair(store, extractors(), lambda *_: None)
    assert (outcome.path.name, outcome.state) == ("renamed.mp4", "indexed")
    assert list(store.verify(deep=True)) == []


def test_a_video_whose_record_is_damaged_is_indexed_again(store, talks, films):
    shutil.copy(films[0], talks / "a.mp4")
    index(store)
    (store.videos_folder / content_id(films[0]) / "video.json").write_bytes(b"{}")
    assert outcomes_of(index(store)) == [("a.mp4", "indexed")]
    assert list(store.verify(deep=True)) == []


@pytest.mark.parametrize(
    "error", [IndexError("tuple index out of range"), MemoryError(), RuntimeError("a\nb"), KeyError(1)]
)
@pytest.mark.parametrize("where", ["build.probe", "jobs.extract"])
def test_any_error_of_one_file_fails_that_file_only(store, talks, films, monkeypatch, error, where):
    for n in range(3):
        shutil.copy(films[n], talks / f"{n}.mp4")
    module, name = where.split(".")
    target = f"playhead.index.indexing.{module}.{name}"
    real = pytest.importorskip(f"playhead.index.indexing.{module}").__dict__[name]

    def broken(first, *args, **options):
        if Path(getattr(first, "path", first)).name == "1.mp4":
            raise error
        return real(first, *args, **options)

    monkeypatch.setattr(target, broken)
    outcomes = index(store)
    assert outcomes_of(outcomes) == [("0.mp4", "indexed"), ("1.mp4", "failed"), ("2.mp4", "indexed")]
    detail = outcomes[1].detail
    assert detail.startswith(f"{talks / '1.mp4'}: {type(error).__name__}")
    assert "\n" not in detail


def test_unchanged_files_are_neither_read_nor_probed(store, talks, films, monkeypatch):
    for n in range(3):
        shutil.copy(films[n], talks / f"{n}.mp4")
        os.utime(talks / f"{n}.mp4", (1e9 + n, 1e9 + n))
    (talks / "1.srt").write_text("1\n00:00:00,000 --> 00:00:01,000\nhello\n")
    index(store)
    monkeypatch.setattr("playhead.index.indexing.build.probe", lambda file: pytest.fail("probed"))
    monkeypatch.setattr("playhead.index.storage.identity.content_id", lambda file: pytest.fail("read"))
    assert outcomes_of(index(store)) == [(f"{n}.mp4", "unchanged") for n in range(3)]
    (talks / "2.srt").write_text("1\n00:00:00,000 --> 00:00:01,000\nhello\n")
    monkeypatch.undo()
    assert outcomes_of(index(store))[2] == ("2.mp4", "indexed")


@pytest.mark.parametrize(
    ("number", "reason"), [(errno.ENOSPC, "the disk is full"), (errno.EROFS, "the disk is read-only")]
)
@pytest.mark.parametrize("call", ["PIL.Image.Image.save", "pyarrow.parquet.write_table", "os.fsync"])
def test_a_disk_that_refuses_ends_the_run_and_harms_nothing(store, talks, films, monkeypatch, number, reason, call):
    shutil.copy(films[0], talks / "a.mp4")
    index(store)
    before = store.read()
    shutil.copy(films[1], talks / "b.mp4")

    def refuse(*_, **__):
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr(call, refuse)
        with pytest.raises(LibraryError, match=reason):
            index(store)
    assert store.read() == before
    assert outcomes_of(index(store)) == [("a.mp4", "unchanged"), ("b.mp4", "indexed")]
    assert list((store.folder / "staging").iterdir()) == []


def test_a_run_that_is_stopped_keeps_what_it_finished(store, talks, films):
    class Stopped(Reader):
        def observe(self, segments):
            if self.calls == 1:
                raise KeyboardInterrupt
            return super().observe(segments)

    for n in range(3):
        shutil.copy(films[n], talks / f"{n}.mp4")
    with pytest.raises(KeyboardInterrupt):
        index(store, gear=extractors(reader=Stopped()))
    assert list(store.read()) == [content_id(films[0])]
    gear = extractors()
    assert outcomes_of(index(store, gear=gear)) == [("0.mp4", "unchanged"), ("1.mp4", "indexed"), ("2.mp4", "indexed")]
    assert calls(gear)["reader"] == 2
    assert list((store.folder / "staging").iterdir()) == []


def test_a_video_that_another_process_removes_meanwhile(store, talks, films):
    class Remover(Reader):
        def observe(self, segments):
            LocalStorage(store.folder).remove(content_id(films[0]))
            return super().observe(segments)

    shutil.copy(films[0], talks / "a.mp4")
    shutil.copy(films[1], talks / "b.mp4")
    index(store, talks / "a.mp4")
    shutil.copy(films[2], talks / "a.mp4")
    index(store, gear=extractors(reader=Remover()))
    assert {v: r.paths for v, r in store.read().items()} == {
        content_id(films[1]): ("b.mp4",),
        content_id(films[2]): ("a.mp4",),
    }


# What is found


def test_media_files_are_found_in_order(tmp_path):
    for name in ("b/z.MP4", "b/a.webm", "a.flac", "b/.x/c.mp4", ".a.mp4", "b/c.txt", "c.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "d.ts").write_bytes(b"\x47rest")
    (tmp_path / "e.ts").write_bytes(b"import")
    names = [str(path.relative_to(tmp_path)) for path in media_files(tmp_path)]
    assert names == ["a.flac", "d.ts", "b/a.webm", "b/z.MP4"]
    assert list(media_files(tmp_path / "c.jpg")) == [tmp_path / "c.jpg"]


# One pass


def test_a_change_detection_with_another_choice_extracts_again(store, talks, films, monkeypatch):
    shutil.copy(films[0], talks / "a.mp4")
    index(store)
    monkeypatch.setattr("playhead.index.indexing.extractor_set.GATE", ("another",))
    gear = extractors()
    index(store, gear=gear)
    assert set(calls(gear)) == {"reader", "detector", "encoder"}  # the same frames: their caption is known


def test_speech_is_transcribed_while_pictures_are_processed(store, talks, films):
    """The speaker waits for the reader, the reader for the speaker: one after the other they would wait for ever."""
    reported, read = threading.Event(), threading.Event()

    class Waiting(Speaker):
        def process_window(self, window, progress):
            reported.set()
            assert read.wait(30)
            return super().process_window(window, progress)

    class Reading(Reader):
        def observe(self, segments):
            assert reported.wait(30)
            read.set()
            return super().observe(segments)

    shutil.copy(films[0], talks / "a.mp4")
    (outcome,) = index(store, gear=extractors(speech=Waiting(), reader=Reading()))
    assert states(outcome.record) == DONE
    assert texts(store, "speech") == ["hello from the sound"]


# Extractors


def test_extractors_that_are_not_available_are_reported(monkeypatch):
    """A server that is down stops its stage, not the run."""

    def down(_):
        raise ServerError("no answer from http://localhost:1/v1")

    monkeypatch.setattr("playhead.tools.extractors.captions.Captioner", down)
    gear = Extractors.gather(
        Settings(
            speech_model="off", ocr="off", objects_model="off", image_model="off", video_llm_url="http://localhost:1/v1"
        )
    )
    assert gear.get("caption") is None
    assert gear.missing == dict.fromkeys(
        ("speech", "text", "object", "frame", "action", "speaker", "overlap", "person", "sounds"), "switched off"
    ) | {"caption": "no answer from http://localhost:1/v1"}
    assert gear.source("caption") == ""


def test_a_setting_without_extractors_is_an_error():
    with pytest.raises(SettingsError, match="ocr"):
        Settings(ocr="telepathy")


def test_records_of_gear_are_plain():
    gear = replace(extractors(), texts=None)
    assert gear.fingerprint("speech") == gear.fingerprint("speech")
    assert gear.fingerprint("speech", "sidecar:1") != gear.fingerprint("speech", "sidecar:2")
    assert len({gear.fingerprint(modality) for modality in MODALITIES}) == 5
    assert np.isfinite(gear.get("frame").encode_queries(["x"])).all()
