"""Bits that flip in stored files: each is named by `verify`, none changes a result, and `repair` restores them."""

import os
import random
import shutil

import pytest

from playhead.index.indexing.build import index_files
from playhead.index.indexing.repair import repair
from playhead.index.storage.local import LocalStorage
from playhead.tools.errors import LibraryError

from ..fakes import extractors
from ..media import beep, write_media

FLIPS = 60


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A library of two films, made by the fakes: all kinds of files."""
    folder = tmp_path_factory.mktemp("whole")
    for n in range(2):
        write_media(folder / f"{n}.mp4", [n, n + 1], sound=beep(0.2, 2.0), options={"g": "1", "bf": "0"})
        os.utime(folder / f"{n}.mp4", (1e9, 1e9))
    list(index_files(LocalStorage(folder / ".playhead"), [folder], extractors(), False, lambda *_: None))
    return folder


@pytest.fixture
def talks(whole, tmp_path):
    """A copy with the same times, so that no file is read again."""
    return shutil.copytree(whole, tmp_path / "talks", copy_function=shutil.copy2)


def stored_files(library):
    """All files of a library that hold what is committed now."""
    storage = LocalStorage(library)
    records = storage.read().values()
    in_versions = [path for record in records for path in storage.version_folder(record).iterdir()]
    current = [library / "videos" / record.video_id / "video.json" for record in records]
    return sorted([*in_versions, *current, library / "library.json"])


def flip(file, random_):
    content = bytearray(file.read_bytes())
    content[random_.randrange(len(content))] ^= 1 << random_.randrange(8)
    file.write_bytes(content)


def results(storage):
    """All that a reader sees: records, observations, vectors and pictures of every readable video."""
    seen = {}
    for video_id in storage.read():
        try:
            record, table = storage.committed(video_id)
            pictures = [storage.keyframe_of(record, time).picture for time in storage.keyframe_times(record)]
        except LibraryError:
            continue
        seen[video_id] = (
            record,
            table.observations,
            table.text_vectors.tobytes(),
            table.image_vectors.tobytes(),
            pictures,
        )
    return seen


def test_no_flipped_bit_changes_a_result_and_verify_names_its_file(talks):
    library = talks / ".playhead"
    sound = results(LocalStorage(library))
    assert len(sound) == 2
    files, random_ = stored_files(library), random.Random(7)
    assert {path.name for path in files} == {
        "library.json", "video.json", "observations.parquet", "vectors.text.npz", "vectors.image.npz",
        "captions.jsonl", "keyframes.bin",
    }  # fmt: skip
    for number in range(FLIPS):
        file = files[number % len(files)]
        content = file.read_bytes()
        flip(file, random_)
        storage = LocalStorage(library)
        assert [damage.name for damage in storage.verify(deep=True)] == [os.path.relpath(file, library)]
        seen = results(storage)
        assert all(seen[video_id] == sound[video_id] for video_id in seen)
        assert set(sound) - set(seen) <= set(file.relative_to(library).parts[1:2])  # only its own video may be missing
        file.write_bytes(content)
    assert results(LocalStorage(library)) == sound


def test_repair_restores_every_kind_of_file(talks):
    library, random_ = talks / ".playhead", random.Random(11)
    texts = {video_id: one[1:] for video_id, one in results(LocalStorage(library)).items()}
    for name in sorted({path.name for path in stored_files(library)}):
        flip(next(path for path in stored_files(library) if path.name == name), random_)
        storage = LocalStorage(library)
        assert len(list(storage.verify(deep=True))) == 1
        outcomes = list(repair(storage, extractors(), lambda *_: None))
        assert [outcome.has_failed for outcome in outcomes] == [False]
        healed = LocalStorage(library)
        assert list(healed.verify(deep=True)) == []
        assert {video_id: one[1:] for video_id, one in results(healed).items()} == texts


def test_two_damages_of_one_video_are_repaired_at_once(talks):
    library, random_ = talks / ".playhead", random.Random(13)
    texts = {video_id: one[1:] for video_id, one in results(LocalStorage(library)).items()}
    for path in stored_files(library):
        flip(path, random_)
    outcomes = list(repair(LocalStorage(library), extractors(), lambda *_: None))
    assert sorted(outcome.state for outcome in outcomes) == ["indexed", "indexed", "repaired"]
    assert list(LocalStorage(library).verify(deep=True)) == []
    assert {video_id: one[1:] for video_id, one in results(LocalStorage(library)).items()} == texts


def test_a_missing_data_file_is_found_without_reading_the_others(talks, monkeypatch):
    library = talks / ".playhead"
    file = next(path for path in stored_files(library) if path.name == "keyframes.bin")
    file.unlink()
    (damage,) = LocalStorage(library).verify()
    assert (damage.name, damage.reason.startswith("no bytes instead of")) == (os.path.relpath(file, library), True)
