"""Faces: real ones where the weights and pictures are; people of a video from synthetic vectors; deletion that deletes."""

import importlib.util

import numpy as np
import pytest

from playhead import Library, Settings
from playhead.index.indexing.merging.faces import merge_faces
from playhead.index.people.faces import FACE
from playhead.index.people.known import KnownPeople
from playhead.index.records import StageReport
from playhead.index.storage.local import LocalStorage
from playhead.tools.embedding.faces import same_face
from playhead.tools.errors import QueryError, WeightsError
from playhead.tools.extractors.people import PeopleExtractor
from playhead.tools.extractors.registry import stage_names
from playhead.tools.records import Frame, Segment, Span

from ..fakes import BOX, commit, observation

RNG = np.random.default_rng(0)
NO_MODELS = Settings(text_model="off", image_model="off", offline=True)


def person():
    vector = RNG.normal(size=128)
    return vector / np.linalg.norm(vector)


ADA = person()
BOB = 0.84 * ADA + 0.54 * person()  # as near as two real faces are
BOB /= np.linalg.norm(BOB)


def face(who, start, text="face", seconds=2.0):
    noisy = who + RNG.normal(0, 0.005, 128)
    return observation(
        text, start, start + seconds, modality="person", box=BOX, frame_seconds=start, source="dlib@1",
        vector=tuple(map(float, noisy / np.linalg.norm(noisy))),
    )  # fmt: skip


def test_one_person_is_joined_over_cuts():
    seen = [face(ADA, 0), face(ADA, 2), face(BOB, 4), face(BOB, 6), face(BOB, 8), face(BOB, 10), face(ADA, 30)]
    found = merge_faces(seen)
    assert [(one.text, one.span.start, one.span.end) for one in found] == [
        ("Person 2", 0, 4),
        ("Person 1", 4, 12),
        ("Person 2", 30, 32),
    ]
    assert [len(one.vector) for one in found] == [128, 128, 0]
    assert np.dot(found[1].vector, BOB) == pytest.approx(1, abs=0.01)
    assert merge_faces([]) == []


def test_two_faces_of_one_frame_are_two_people():
    assert {one.text for one in merge_faces([face(ADA, 0), face(BOB, 0), face(ADA, 2), face(BOB, 2)])} == {
        "Person 1",
        "Person 2",
    }


@pytest.fixture
def store(tmp_path):
    store = LocalStorage(tmp_path / "library")
    store.create()
    stages = tuple(StageReport(modality=name, state="done") for name in stage_names())
    for video_id, people in (("ab", (ADA, BOB)), ("cd", (BOB,))):
        rows = merge_faces([face(who, 10 * n + t) for n, who in enumerate(people) for t in (0, 2)])
        commit(store, [observation("hello", 0, 1), *rows], video_id=video_id * 16, stages=stages)
    return store


def stored_bytes(folder):
    """Everything that the library's files hold; Parquet is read as well, because it is compressed."""
    import pyarrow.parquet as pq

    held = b""
    for path in folder.rglob("*"):
        if path.is_file():
            held += path.read_bytes()
            if path.suffix == ".parquet":
                held += repr(pq.read_table(path).to_pydict()).encode()
    return held


def test_forgetting_deletes_the_name_and_all_vectors(store):
    library = Library(store.folder, NO_MODELS)
    library.optimize()
    assert [len(one.videos) for one in library.people()] == [2, 1]
    library.name_person(1, "Bob Reed")
    before = stored_bytes(store.folder)
    (vector,) = {o.vector for o in store.table(store.record("cd" * 16)).of("person") if o.vector}
    own = [repr(value).encode() for value in vector[:5]]
    assert b"Bob Reed" in before
    assert all(value in before for value in own)
    assert [(one.speaker, one.start) for one in library.sightings("bob reed")] == [("Bob Reed", 10), ("Bob Reed", 0)]
    library.forget_person("BOB REED")
    after = stored_bytes(store.folder)
    assert b"Bob Reed" not in after
    assert not any(value in after for value in own)
    for video_id in ("ab" * 16, "cd" * 16):
        assert len(list((store.videos_folder / video_id).rglob("*.parquet"))) == 1
    ada = next(o.vector for o in store.table(store.record("ab" * 16)).of("person") if o.vector)
    assert np.dot(ada, ADA) == pytest.approx(1, abs=0.01)  # the other person keeps the vector
    assert "hello" in [one.text for one in library.observed("ab" * 16)[1]]
    with pytest.raises(QueryError, match="nobody is called"):
        library.sightings("Bob Reed")


def test_a_name_holds_for_a_video_that_comes_later(store):
    faces = KnownPeople(store, FACE)
    faces.name(1, "Bob")
    stages = tuple(StageReport(modality=name, state="done") for name in stage_names())
    commit(store, merge_faces([face(BOB, 0), face(BOB, 2)]), video_id="ef" * 16, stages=stages)
    assert len(KnownPeople(store, FACE).find("bob").videos) == 3
    assert (store.folder / "people.json").exists()
    assert not (store.folder / "speakers.json").exists()


@pytest.fixture(scope="module")
def extractor():
    pytest.importorskip("dlib")
    if importlib.util.find_spec("face_recognition_models") is None:
        pytest.skip("face-recognition-models is not installed: pip install 'playhead[people]'")
    return PeopleExtractor(Settings(people_model="dlib", offline=True))


def test_a_real_face_is_recognised_again(extractor):
    astronaut = pytest.importorskip("skimage.data").astronaut()
    darker = np.ascontiguousarray((astronaut[:, ::-1] * 0.8).astype(np.uint8))
    blank = np.full((480, 640, 3), 90, np.uint8)
    seconds = [Span(start=t, end=t + 1) for t in (0, 1, 20)]
    pictures = (astronaut, blank, darker)
    segments = [Segment(span, Frame(span.start, pixels)) for span, pixels in zip(seconds, pictures, strict=True)]
    seen = extractor.observe(segments)
    assert [one.span.start for one in seen] == [0, 20]
    assert np.dot(seen[0].vector, seen[1].vector) > 0.93
    assert [(one.text, one.span.start) for one in merge_faces(seen)] == [("Person 1", 0), ("Person 1", 20)]
    box = seen[0].box
    assert box is not None
    assert (box.left + box.right) / 2 == pytest.approx(0.435, abs=0.05)


@pytest.fixture(scope="module")
def opencv_models(tmp_path_factory):
    """Models with the inputs and outputs of YuNet and SFace: a bright square is a face; its vector is its colours."""
    onnx = pytest.importorskip("onnx")
    from onnx import TensorProto, helper, numpy_helper

    folder = tmp_path_factory.mktemp("opencv")

    def save(name, nodes, weights, inputs, outputs):
        graph = helper.make_graph(
            nodes, name, [helper.make_tensor_value_info("input", TensorProto.FLOAT, inputs)],
            [helper.make_tensor_value_info(one, TensorProto.FLOAT, shape) for one, shape in outputs.items()],
            [numpy_helper.from_array(np.asarray(value), key) for key, value in weights.items()],
        )  # fmt: skip
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
        onnx.save(model, folder / name)

    sizes = {"cls": 1, "obj": 1, "bbox": 4, "kps": 10}
    nodes, weights = [], {}
    for stride in (8, 16, 32):
        for part, channels in sizes.items():
            bias = {"bbox": [0.5, 0.5, np.log(4), np.log(4)], "kps": [0, 0, 1, 0, 0.5, 0.5, 0, 1, 1, 1]}
            own = f"{part}_{stride}"
            is_score = channels == 1 and stride == 16
            kernel = np.full((channels, 3, stride, stride), 1 / (3 * stride**2) if is_score else 0, np.float32)
            weights[f"w_{own}"] = kernel
            weights[f"b_{own}"] = np.array(bias.get(part, [-200.0]), np.float32)
            weights[f"s_{own}"] = np.array([1, -1, channels], np.int64)
            steps = [
                helper.make_node("Conv", ["input", f"w_{own}", f"b_{own}"], [f"c_{own}"], kernel_shape=[stride] * 2, strides=[stride] * 2),
                helper.make_node("Transpose", [f"c_{own}"], [f"t_{own}"], perm=[0, 2, 3, 1]),
                helper.make_node("Reshape", [f"t_{own}", f"s_{own}"], [f"r_{own}" if channels == 1 else own]),
            ]  # fmt: skip
            nodes += [*steps, helper.make_node("Sigmoid", [f"r_{own}"], [own])] if channels == 1 else steps
    outputs = {f"{part}_{stride}": [1, None, sizes[part]] for part in sizes for stride in (8, 16, 32)}
    save("face_detection_yunet_2023mar.onnx", nodes, weights, [1, 3, 640, 640], outputs)
    weights = {
        "w": np.random.default_rng(0).normal(size=(128, 3, 112, 112)).astype(np.float32),
        "s": np.array([1, 128]),
    }
    nodes = [
        helper.make_node("Conv", ["input", "w"], ["c"], kernel_shape=[112, 112]),
        helper.make_node("Reshape", ["c", "s"], ["output"]),
    ]
    save("face_recognition_sface_2021dec.onnx", nodes, weights, [1, 3, 112, 112], {"output": [1, 128]})
    return folder


def test_opencvs_models_are_read_from_a_folder(opencv_models):
    extractor = PeopleExtractor(Settings(people_model=str(opencv_models), offline=True))
    pictures = np.full((3, 480, 1280, 3), 90, np.uint8)
    pictures[0, 128:160, 256:288] = pictures[2, 128:160, 256:288] = 255
    segments = [Segment(Span(start=t, end=t + 1), Frame(t, one)) for t, one in enumerate(pictures)]
    seen = extractor.observe(segments)
    assert [one.span.start for one in seen] == [0, 2]  # the grey picture has no face
    left, top, right, bottom = (
        seen[0].box.left * 1280,
        seen[0].box.top * 480,
        seen[0].box.right * 1280,
        seen[0].box.bottom * 480,
    )
    assert ((left + right) / 2, (top + bottom) / 2) == pytest.approx(
        (272, 144), abs=3
    )  # in pixels of the whole picture
    assert right - left == pytest.approx(128, abs=2)
    assert len(seen[0].vector) == 128
    assert np.dot(seen[0].vector, seen[1].vector) == pytest.approx(1, abs=1e-3)
    assert seen[0].source.startswith("sface(")
    assert (same_face(seen[0].source), same_face("dlib@1")) == (0.363, 0.93)
    assert {one.text for one in merge_faces(seen)} == {"Person 1"}


def test_opencvs_models_are_named_where_they_are_missing(opencv_models, tmp_path):
    (tmp_path / "face_recognition_sface_2021dec.onnx").write_bytes(b"")
    with pytest.raises(WeightsError, match=r"holds no face_detection_yunet\*\.onnx"):
        PeopleExtractor(Settings(people_model=str(tmp_path), offline=True))
    with pytest.raises(WeightsError, match="opencv/face_detection_yunet"):
        PeopleExtractor(Settings(people_model="opencv", offline=True))


def test_two_real_faces_are_two_people(extractor):
    astronaut = pytest.importorskip("skimage.data").astronaut()
    assets = pytest.importorskip("ultralytics.utils").ASSETS
    from PIL import Image

    other = np.array(Image.open(assets / "zidane.jpg").convert("RGB"))
    segments = [Segment(Span(start=t, end=t + 1), Frame(t, pixels)) for t, pixels in ((0.0, astronaut), (1.0, other))]
    assert {one.text for one in merge_faces(extractor.observe(segments))} == {"Person 1", "Person 2"}
