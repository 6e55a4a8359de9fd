"""The storage interface: one suite over a library on a disk, on a shared path, and on a real S3 server."""

import pickle
from pathlib import Path

import pytest

from playhead.index.storage.backend import VersionGoneError
from playhead.index.storage.files.sealed import seal
from playhead.index.storage.local import LocalStorage
from playhead.index.storage.url import UrlStorage
from playhead.tools.errors import LibraryError

from ..fakes import BagOfWords, commit, observation
from .conftest import SharedFolder

VIDEO, OTHER = "ab" * 16, "cd" * 16
PICTURES = {"keyframes/0000000000.webp": b"first picture", "keyframes/0000002500.webp": b"second picture"}


@pytest.fixture(params=["local", "shared", "bucket"])
def place(request, tmp_path, monkeypatch):
    """Where the library is, as somebody sees it who does not use the storage interface."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    if request.param == "local":
        return SharedFolder(tmp_path / "local" / "library")
    return request.getfixturevalue(request.param)


@pytest.fixture
def storage(place, request):
    made = opened(place, request)
    made.create()
    return made


def opened(place, request):
    is_local = request.node.callspec.params["place"] == "local"
    return LocalStorage(place.folder) if is_local else UrlStorage(place.url)


def put(storage, said="hello", video_id=VIDEO, files=PICTURES, **fields):
    with storage.local_copy(video_id) as local:
        commit(local, [observation(said)], BagOfWords(), files=files, video_id=video_id, **fields)
    return storage.record(video_id)


def said(storage, video_id=VIDEO):
    _, table = storage.committed(video_id)
    return [o.text for o in table.observations]


def test_a_new_library_is_empty(storage):
    storage.create()
    assert storage.survey() == ({}, {})
    assert storage.read() == {}
    assert (storage.record(VIDEO), storage.committed(VIDEO)) == (None, None)
    assert list(storage.verify(deep=True)) == []
    storage.remove(VIDEO)
    assert storage.update_paths(VIDEO, add=["a.mp4"]) is None


def test_what_is_committed_is_read(storage, place, request):
    made = put(storage)
    put(storage, "other", OTHER, files=None)
    for reader in (storage, opened(place, request), pickle.loads(pickle.dumps(storage))):
        assert list(reader.read()) == [VIDEO, OTHER]
        assert reader.record(VIDEO) == made == reader.read()[VIDEO]
        assert reader.is_current(made)
        assert (said(reader), said(reader, OTHER)) == (["hello"], ["other"])
        assert reader.table(made).text_vectors.shape == (1, 256)
        assert reader.keyframe_times(made) == [0, 2500]
        assert reader.keyframe(made, 2.499).picture == b"first picture"
        assert reader.keyframe(made, 2.5).picture == reader.keyframe_of(made, 2500).picture == b"second picture"
        assert reader.keyframe_of(made, 2499) is None
        assert reader.keyframe_reference(made, 9) == f"{reader.name}/videos/{VIDEO}#t=2.500"
        assert reader.keyframe_times(reader.record(OTHER)) == []
        assert list(reader.verify(deep=True)) == []


def test_another_commit_replaces_the_whole_version(storage, place):
    old = put(storage)
    reader = pickle.loads(pickle.dumps(storage))
    assert said(reader) == ["hello"]
    new = put(storage, "goodbye", commit="2", files=None)
    assert (storage.is_current(old), storage.is_current(new)) == (False, True)
    assert (said(storage), said(reader)) == (["goodbye"], ["goodbye"])
    assert storage.keyframe_times(new) == []
    try:  # a reader that knows of the old version only: it is there, whole, or it is gone
        assert [o.text for o in reader.table(old).observations] == ["hello"]
    except VersionGoneError:
        assert not any("/v-1/" in name for name in place.names())


def test_a_video_that_is_removed_is_deleted(storage, place):
    made = put(storage)
    put(storage, "other", OTHER)
    storage.remove(VIDEO)
    storage.remove(VIDEO)
    assert list(storage.read()) == [OTHER]
    assert storage.committed(VIDEO) is None
    with pytest.raises(VersionGoneError, match="was replaced or removed: run again"):
        storage.table(made)
    assert not any(VIDEO in name for name in place.names())


def test_paths_change_and_the_version_stays(storage):
    made = put(storage)
    (path,) = made.paths
    added = storage.stored_path(Path("/films/b.mp4"))
    changed = storage.update_paths(VIDEO, add=[added])
    assert changed == made.model_copy(update={"paths": (path, added)}) == storage.record(VIDEO)
    assert storage.update_paths(VIDEO, drop=[path]).paths == (added,)
    assert (storage.is_current(made), said(storage)) == (True, ["hello"])
    assert list(storage.verify(deep=True)) == []
    assert storage.update_paths(VIDEO, drop=[added]) is None
    assert storage.read() == {}


def test_a_stored_path_leads_back(storage, tmp_path):
    for path in (tmp_path / "a.mp4", tmp_path / "local" / "talks" / "b.mp4"):
        assert storage.absolute_path(storage.stored_path(path)) == path


@pytest.mark.parametrize("name", ["observations.parquet", "vectors.text.npz", "keyframes.bin"])
def test_one_damaged_file_is_named_and_hides_no_other_video(storage, place, request, name):
    made = put(storage)
    put(storage, "other", OTHER)
    file = f"videos/{VIDEO}/v-1/{name}"
    content = bytearray(place.read(file))
    content[len(content) // 2] ^= 1
    place.write(file, bytes(content))
    reader = opened(place, request)
    assert list(reader.verify()) == []  # sizes and names are as they were
    (damage,) = reader.verify(deep=True)
    assert (damage.name, damage.video_id) == (file, VIDEO)
    assert damage.reason.endswith("has another checksum than when it was committed")
    read = {"keyframes.bin": lambda: [reader.keyframe_of(made, time) for time in (0, 2500)]}
    with pytest.raises(LibraryError, match=rf"{VIDEO} is damaged \({name}"):
        read.get(name, lambda: reader.table(made))()
    assert said(reader, OTHER) == ["other"]


def test_a_damaged_record_is_left_out_with_one_warning(storage, place, request, caplog):
    put(storage)
    put(storage, "other", OTHER)
    content = bytearray(place.read(f"videos/{VIDEO}/video.json"))
    content[20] ^= 4
    place.write(f"videos/{VIDEO}/video.json", bytes(content))
    reader = opened(place, request)
    for _ in range(3):
        assert list(reader.read()) == [OTHER]
    assert sum(VIDEO in message for message in caplog.messages) == 1
    assert [damage.name for damage in reader.verify()] == [f"videos/{VIDEO}/video.json"]
    put(storage, "mended", commit="2")
    assert said(opened(place, request)) == ["mended"]


def test_a_quarantined_version_is_left_out_until_it_is_replaced(storage, caplog):
    made = put(storage)
    for _ in range(2):
        storage.quarantine(VIDEO, made.commit, LibraryError("it is damaged"))
    assert (storage.read(), list(storage.survey()[1])) == ({}, [VIDEO])
    assert caplog.messages == ["it is damaged; it is left out, the other videos are used"]
    put(storage, "mended", commit="2")
    assert list(storage.read()) == [VIDEO]


def test_a_library_of_another_format_is_refused(storage, place, request):
    put(storage)
    for content, message in (
        (b'{"format": 1}\n', "has format 1, which this Playhead does not read .*index again"),
        (seal({"format": 3}), "has format 3, this Playhead reads 2: upgrade Playhead"),
    ):
        place.write("library.json", content)
        with pytest.raises(LibraryError, match=message):
            opened(place, request)


def test_what_is_no_id_never_becomes_a_path(storage):
    for video_id in ("", "..", "../../library", VIDEO.upper(), f"{VIDEO}\n", f"{VIDEO}/.."):
        for call in (storage.record, storage.remove, storage.committed):
            with pytest.raises(LibraryError, match="is not an id of a video: 32 hexadecimal digits are expected"):
                call(video_id)
