"""Two picture streams in one file, such as slides beside the speaker: each is indexed, and its pictures are its own."""

import io

import av
import pytest
from PIL import Image

from playhead import Library
from playhead.index.indexing.build import index_files
from playhead.index.storage.local import LocalStorage
from playhead.tools.media.frames import frames_at, probe
from playhead.tools.settings import Settings

from ..fakes import extractors
from ..media import HEIGHT, WIDTH, number_in, numbered


@pytest.fixture(scope="module")
def lecture(tmp_path_factory):
    """Stream 0 shows the numbers 0 to 2, stream 1 the numbers 100 to 102, a second each."""
    folder = tmp_path_factory.mktemp("lecture")
    with av.open(str(folder / "lecture.mkv"), "w") as out:
        streams = [out.add_stream("libx264", rate=1, options={"g": "1", "bf": "0", "crf": "10"}) for _ in range(2)]
        for stream in streams:
            stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for second in range(3):
            for stream, first in zip(streams, (0, 100), strict=True):
                out.mux(stream.encode(av.VideoFrame.from_ndarray(numbered(first + second), format="rgb24")))
        for stream in streams:
            out.mux(stream.encode(None))
    return folder


def indexed(folder, library, stream):
    storage = LocalStorage(library)
    gear = extractors(settings=Settings(stream=stream))
    (outcome,) = index_files(storage, [folder], gear, False, lambda *_: None)
    return storage, outcome


def shown(storage, record, modality="text"):
    return [
        (one.span.start, one.text, one.stream) for one in storage.table(record).observations if one.modality == modality
    ]


def test_one_stream_is_indexed_and_the_other_named(lecture, tmp_path):
    storage, outcome = indexed(lecture, tmp_path / "library", None)
    assert shown(storage, outcome.record) == [(0, "number 0", None), (1, "number 1", None), (2, "number 2", None)]
    assert "stream 1 is a second video stream: not used" in outcome.detail
    assert "stream=all" in outcome.detail


def test_all_streams_are_indexed_and_observations_know_theirs(lecture, tmp_path):
    storage, outcome = indexed(lecture, tmp_path / "library", "all")
    record = outcome.record
    assert shown(storage, record) == [
        (0, "number 0", None), (0, "number 100", 1), (1, "number 1", None), (1, "number 101", 1),
        (2, "number 2", None), (2, "number 102", 1),
    ]  # fmt: skip
    assert record.stage("text").detail == "6 found"
    assert "stream 1 is a second video stream: it is indexed, too" in outcome.detail
    assert [video.index for video in record.info.other_videos] == [1]
    assert storage.keyframe_times(record) == [0, 1000, 2000]
    frames = [one for one in storage.table(record).observations if one.modality == "frame"]
    vectors = storage.table(record).image_vectors
    for one, vector in zip(frames, vectors, strict=True):
        (same,) = [o for o, v in zip(frames, vectors, strict=True) if (v == vector).all()]
        assert same is one


def test_pictures_and_clips_are_of_the_stream_that_shows_the_evidence(lecture, tmp_path):
    storage, _ = indexed(lecture, tmp_path / "library", "all")
    with Library(storage.folder, Settings(text_model="off", image_model="off")) as library:
        (beside,) = [one for one in library.search("number 101", modalities="text") if one.text == "number 101"]
        assert beside.stream == 1
        assert beside.keyframe.endswith("#t=1.000&stream=1")
        picture = Image.open(io.BytesIO(library.keyframe(beside))).convert("RGB")
        assert abs(picture.getpixel((WIDTH // 8, HEIGHT // 2))[0] - numbered(101)[HEIGHT // 2, WIDTH // 8, 0]) < 60
        assert library.keyframe(beside) != library.keyframe_at("lecture.mkv", 1.0)
        library.clip(beside.evidence_id, tmp_path / "clip.mp4")
        (frame,) = frames_at(tmp_path / "clip.mp4", [0])
        assert number_in(frame.pixels) == 101
        (whole,) = library.moment(beside.evidence_id, frames=1).frames
        assert Image.open(io.BytesIO(whole.jpeg)).size == (WIDTH, HEIGHT)
        answer = library.ask('When is "number 101" written?')
        assert [one.stream for claim in answer.claims for one in claim.citations] == [1]
        assert "lecture.mkv, written in stream 1" in str(answer)


def test_a_chosen_stream_keeps_its_index(lecture, tmp_path):
    storage, outcome = indexed(lecture, tmp_path / "library", 1)
    assert shown(storage, outcome.record)[0] == (0, "number 100", 1)
    assert storage.keyframe_times(outcome.record) == [0, 1000, 2000]
    assert storage.keyframe(outcome.record, 1.5).stream == 1
    info = probe(lecture / "lecture.mkv", 1)
    assert (info.stream, info.video.is_default) == (1, False)
