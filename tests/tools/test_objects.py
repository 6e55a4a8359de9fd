"""The object detector: a real COCO model on real photographs, and models with random weights made on the spot."""

import importlib.machinery
import importlib.util
import os
import pickle
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, Never

import numpy as np
import pytest
from PIL import Image

from playhead.tools.errors import MissingExtraError, SettingsError, WeightsError
from playhead.tools.extractors import objects
from playhead.tools.extractors.objects import ObjectDetector
from playhead.tools.records import Box, Frame, Observation, Segment, Span
from playhead.tools.settings import Settings

ONNX = Path(__file__).resolve().parents[3] / "shared" / "data" / "models" / "yolov8n_int8.onnx"
# The objects in Ultralytics' own pictures, in pixels (left, top, right, bottom), measured by eye.
BUS = [("person", 51, 399, 242, 904), ("person", 224, 407, 341, 856), ("person", 672, 377, 807, 877)]
BUS += [("bus", 17, 232, 796, 754)]
ZIDANE = [("person", 151, 200, 1115, 712), ("person", 749, 43, 1144, 704), ("tie", 438, 440, 520, 713)]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder for Playhead, and an empty working folder."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "playhead"


def imported() -> Any:
    """Ultralytics, imported as the detector does it: only then do its environment variables count."""
    if importlib.util.find_spec("ultralytics") is None:
        pytest.skip("the extra `objects` is not installed")
    return objects._ultralytics()


@pytest.fixture
def ultralytics() -> Any:
    return imported()


@pytest.fixture
def coco(ultralytics: Any) -> ObjectDetector:
    if not ONNX.is_file():
        pytest.skip("the detector yolov8n_int8.onnx is not there")
    return ObjectDetector(Settings(objects_model=str(ONNX), device="cpu", offline=True))


def segment(pixels: np.ndarray, start: float = 0.0) -> Segment:
    return Segment(Span(start=start, end=start + 4), Frame(start + 1.5, pixels))


def photograph(ultralytics: Any, name: str) -> np.ndarray:
    return np.asarray(Image.open(ultralytics.ASSETS / name).convert("RGB"))


def random_model(ultralytics: Any, recipe: str, path: Path) -> Path:
    """A model with random weights, saved as a checkpoint."""
    import torch

    torch.manual_seed(0)
    ultralytics.YOLO(recipe).save(str(path))
    return path


def assert_seen(found: list[Observation], truth: list[tuple[str, int, int, int, int]], size: tuple[int, int]) -> None:
    assert sorted(seen.text for seen in found) == sorted(label for label, *_ in truth)
    for label, *corners in truth:
        place = Box.from_pixels(tuple(corners), *size)
        assert max(seen.box.iou(place) for seen in found if seen.text == label and seen.box) > 0.85, label


def test_people_a_bus_and_a_tie_are_found_at_their_places(coco: ObjectDetector, ultralytics: Any) -> None:
    bus, zidane = photograph(ultralytics, "bus.jpg"), photograph(ultralytics, "zidane.jpg")
    found = coco.observe([segment(bus, 3.0), segment(np.zeros((360, 640, 3), np.uint8), 7.0), segment(zidane, 11.0)])
    on_bus = [seen for seen in found if seen.span == Span(start=3, end=7)]
    on_zidane = [seen for seen in found if seen.span == Span(start=11, end=15)]
    assert found == on_bus + on_zidane
    assert_seen(on_bus, BUS, (810, 1080))
    assert_seen(on_zidane, ZIDANE, (1280, 720))  # in swapped colours the tie is not found
    assert {seen.frame_seconds for seen in on_bus} == {4.5}
    assert {(seen.modality, seen.source) for seen in found} == {("object", coco.source)}
    assert coco.source.startswith("yolov8n_int8.onnx@")
    scores = [seen.score for seen in on_bus]
    assert scores == sorted(scores, reverse=True)
    assert 0.8 < scores[-1] <= scores[0] < 1


def test_a_picture_is_seen_as_ultralytics_sees_its_file(coco: ObjectDetector, ultralytics: Any) -> None:
    file = ultralytics.ASSETS / "zidane.jpg"
    (direct,) = ultralytics.YOLO(str(ONNX), task="detect").predict(file, conf=0.4, device="cpu", verbose=False)
    found = coco.observe([segment(photograph(ultralytics, "zidane.jpg"))])
    # Ultralytics runs the quantised convolutions, which round their inputs to bytes.
    assert [seen.score for seen in found] == pytest.approx(sorted(direct.boxes.conf.tolist(), reverse=True), abs=0.05)


def test_boxes_below_the_asked_score_are_dropped(coco: ObjectDetector, ultralytics: Any) -> None:
    strict = ObjectDetector(Settings(objects_model=str(ONNX), device="cpu", objects_score=0.88))
    found = strict.observe([segment(photograph(ultralytics, "bus.jpg"))])
    assert [seen.text for seen in found] == ["person", "person", "person"]
    assert coco.observe([]) == []


def test_a_batch_gives_what_single_frames_give(ultralytics: Any, tmp_path: Path) -> None:
    path = random_model(ultralytics, "yolov8n.yaml", tmp_path / "random.pt")
    detector = ObjectDetector(Settings(objects_model=str(path), device="cpu", objects_score=0.0))
    rng = np.random.default_rng(0)
    segments = [segment(rng.integers(0, 255, (64, 96, 3), np.uint8), start=5.0 * n) for n in range(3)]
    together = detector.observe(segments)
    alone = [seen for one in segments for seen in detector.observe([one])]
    assert [seen.span for seen in together] == [seen.span for seen in alone]
    assert {seen.span for seen in together} == {one.span for one in segments}
    assert [seen.score for seen in together] == pytest.approx([seen.score for seen in alone], abs=1e-4)


def test_ultralytics_leaves_the_process_and_the_working_folder_alone(ultralytics: Any, tmp_path: Path) -> None:
    import torch

    path = random_model(ultralytics, "yolov8n.yaml", tmp_path / "random.pt")
    threads = torch.get_num_threads()
    torch.set_num_threads(threads + 1)
    try:
        ObjectDetector(Settings(objects_model=str(path), device="cpu")).observe(
            [segment(np.zeros((64, 64, 3), np.uint8))]
        )
        assert torch.get_num_threads() == threads + 1
    finally:
        torch.set_num_threads(threads)
    assert list(Path.cwd().iterdir()) == []


class Evil:
    """What runs code when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (Path("owned").absolute(),)


FRESH = """
import os
import sys
import numpy as np
from playhead.tools.errors import WeightsError
from playhead.tools.extractors.objects import ObjectDetector
from playhead.tools.records import Frame, Span, Segment
from playhead.tools.settings import Settings

detector = ObjectDetector(Settings(objects_model=sys.argv[1], device="cpu"))
assert "torch" not in sys.modules  # a run in which nothing changed does not load it
try:
    detector.observe([Segment(Span(start=0, end=1), Frame(0.0, np.zeros((64, 64, 3), np.uint8)))])
except WeightsError as error:
    print(error)
import PIL
import torch
from PIL import Image
from ultralytics import utils

try:
    Image.open(__import__("io").BytesIO(b"not a picture"))
except PIL.UnidentifiedImageError:  # Ultralytics' own way to open pictures asks for pi-heif
    pass
print(torch.get_num_threads(), os.environ.get("OMP_NUM_THREADS"), utils.AUTOINSTALL, utils.ONLINE, utils.USER_CONFIG_DIR)
"""


def test_a_fresh_process_is_safe_quiet_and_keeps_its_threads(ultralytics: Any, tmp_path: Path, cache: Path) -> None:
    import torch

    torch.save({"model": Evil()}, tmp_path / "evil.pt")
    ours = ("YOLO_", "ULTRALYTICS_", "OMP_")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(ours)}

    def run(code: str, *arguments: str) -> tuple[list[str], str]:
        command = [sys.executable, "-c", code, *arguments]
        done = subprocess.run(command, env=clean, capture_output=True, text=True, check=True)
        return done.stdout.splitlines(), done.stderr

    (threads,), _ = run("import torch; print(torch.get_num_threads())")
    (refused, state), complaints = run(FRESH, str(tmp_path / "evil.pt"))
    assert state == f"{threads} None False False {cache / 'ultralytics' / 'Ultralytics'}"
    assert refused.startswith(f"{tmp_path / 'evil.pt'} is not a model that Ultralytics can load")
    assert complaints == ""
    assert not Path("owned").exists()
    pickle.loads(pickle.dumps(Evil()))
    assert Path("owned").exists()  # the trap works


@pytest.mark.parametrize("name", ["junk.pt", "cut.pt", "junk.onnx", "empty.onnx"])
def test_damaged_weights_are_named(ultralytics: Any, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(b"" if name == "empty.onnx" else b"no weights at all")
    if name == "cut.pt":
        random_model(ultralytics, "yolov8n.yaml", path)
        os.truncate(path, path.stat().st_size // 2)
    detector = ObjectDetector(Settings(objects_model=str(path), device="cpu"))
    with pytest.raises(WeightsError, match=f"{name} is not a model that Ultralytics can load"):
        detector.observe([segment(np.zeros((64, 64, 3), np.uint8))])


def test_models_that_give_no_boxes_are_refused(ultralytics: Any, tmp_path: Path) -> None:
    path = random_model(ultralytics, "yolov8n-cls.yaml", tmp_path / "namer.pt")
    with pytest.raises(SettingsError, match=r"namer\.pt was made for the task 'classify'.*detect, segment, pose"):
        ObjectDetector(Settings(objects_model=str(path), device="cpu")).observe(
            [segment(np.zeros((8, 8, 3), np.uint8))]
        )
    (tmp_path / "model.engine").write_bytes(b"engine")
    with pytest.raises(SettingsError, match=r"model\.engine'.* a \.pt or an \.onnx"):
        ObjectDetector(Settings(objects_model=str(tmp_path / "model.engine")))


@pytest.fixture
def clip(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """A module `clip` that notes what it is asked for."""
    import torch

    asked: dict[str, Any] = {}

    class Encoder(torch.nn.Module):
        def encode_text(self, tokens: Any) -> Any:
            return torch.eye(512)[tokens[:, 0].long()]

    def tokenize(texts: list[str], truncate: bool = True) -> Any:
        asked["texts"] = list(texts)
        return torch.arange(len(texts)).reshape(-1, 1).repeat(1, 77)

    def load(name: str, device: object, download_root: str) -> tuple[Any, None]:
        asked["root"] = download_root
        return Encoder(), None

    module = ModuleType("clip")
    module.__spec__ = importlib.machinery.ModuleSpec("clip", None)
    module.load, module.tokenize, module.clip = load, tokenize, SimpleNamespace(tokenize=tokenize)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "clip", module)
    sys.modules.pop("ultralytics.nn.text_model", None)
    yield asked
    sys.modules.pop("ultralytics.nn.text_model", None)


def noise() -> list[Segment]:
    return [segment(np.random.default_rng(1).integers(0, 255, (64, 64, 3), np.uint8))]


def test_an_open_model_looks_for_the_asked_labels(ultralytics: Any, clip: dict, tmp_path: Path, cache: Path) -> None:
    path = random_model(ultralytics, "yolov8n-worldv2.yaml", tmp_path / "world.pt")
    asked = Settings(
        objects_model=str(path), device="cpu", objects_score=0.0, objects_vocabulary=("cup", "red ball", "cup")
    )
    found = ObjectDetector(asked).observe(noise())
    assert clip == {"texts": ["cup", "red ball"], "root": str(cache / "weights" / "clip")}
    assert found
    assert {seen.text for seen in found} <= {"cup", "red ball"}


@pytest.mark.filterwarnings("ignore:`torch.jit:FutureWarning")  # the form that Ultralytics publishes it in
def test_an_open_model_with_an_encoder_of_its_own(ultralytics: Any, clip: dict, tmp_path: Path, cache: Path) -> None:
    import torch

    class Encoder(torch.nn.Module):
        def forward(self, tokens: torch.Tensor) -> torch.Tensor:
            return torch.eye(512)[tokens[:, 0]]

    path = random_model(ultralytics, "yoloe-11n.yaml", tmp_path / "prompted.pt")
    asked = {"objects_model": str(path), "device": "cpu", "objects_score": 0.0, "objects_vocabulary": ("cup", "ball")}
    encoder = cache / "weights" / "mobileclip_blt.ts"
    with pytest.raises(WeightsError, match=rf"no text encoder for prompted\.pt: put it at {encoder}, run once with"):
        ObjectDetector(Settings(**asked, offline=True))
    encoder.parent.mkdir(parents=True)
    torch.jit.script(Encoder()).save(str(encoder))
    found = ObjectDetector(Settings(**asked, offline=True)).observe(noise())
    assert clip == {"texts": ["cup", "ball"]}
    assert found
    assert {seen.text for seen in found} <= {"cup", "ball"}


def test_an_open_model_without_its_text_encoder_says_how_to_get_it(ultralytics: Any, tmp_path: Path) -> None:
    if importlib.util.find_spec("clip"):
        pytest.skip("the module clip is installed")
    path = random_model(ultralytics, "yolov8n-worldv2.yaml", tmp_path / "world.pt")
    with pytest.raises(WeightsError, match=r"'clip'.*pip install git\+https://github.com/ultralytics/CLIP.git"):
        ObjectDetector(Settings(objects_model=str(path), device="cpu", objects_vocabulary=("cup",)))


def test_a_closed_model_takes_no_labels(ultralytics: Any, tmp_path: Path) -> None:
    closed = random_model(ultralytics, "yolov8n.yaml", tmp_path / "closed.pt")
    export = tmp_path / "export.onnx"
    export.write_bytes(b"not even loaded")
    for path, why in ((closed, r"closed\.pt has fixed labels"), (export, r"export\.onnx is an export")):
        with pytest.raises(SettingsError, match=rf"objects_vocabulary: {why}.*YOLO-World .*YOLOE"):
            ObjectDetector(Settings(objects_model=str(path), device="cpu", objects_vocabulary=("cup",)))


def test_missing_weights_without_a_network_fail_fast(
    ultralytics: Any, monkeypatch: pytest.MonkeyPatch, cache: Path
) -> None:
    def unreachable(*args: object, **kwargs: object) -> Never:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unreachable)
    monkeypatch.setattr(socket.socket, "connect", unreachable)
    began = time.monotonic()
    with pytest.raises(WeightsError) as caught:
        ObjectDetector(Settings(objects_model="yolo11n.pt"))
    assert time.monotonic() - began < 5
    for way in (
        "set objects_model to a local path",
        "run once with a network",
        "skip the stage with objects_model=off",
    ):
        assert way in str(caught.value)
    assert list((cache / "weights").iterdir()) == []


def test_a_download_comes_whole_or_not_at_all(
    ultralytics: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from ultralytics.utils import downloads

    asked: list[str] = []

    def fetch(url: str, file: Path, **options: object) -> None:
        asked.append(url)
        file.write_bytes(b"first half, ")
        if len(asked) == 1:
            raise KeyboardInterrupt
        file.write_bytes(b"first half, second half")

    monkeypatch.setattr(downloads, "safe_download", fetch)
    target = tmp_path / "weights" / "yolo11n.pt"
    target.parent.mkdir()
    with pytest.raises(KeyboardInterrupt):
        objects.download(target)
    assert list(target.parent.iterdir()) == []
    objects.download(target)
    assert [(p.name, p.read_bytes()) for p in target.parent.iterdir()] == [("yolo11n.pt", b"first half, second half")]
    assert {url.rsplit("/", 1)[-1] for url in asked} == {"yolo11n.pt"}


def test_a_missing_library_names_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ultralytics", None)
    with pytest.raises(MissingExtraError, match=r"'ultralytics'.*pip install 'playhead\[objects\]'"):
        ObjectDetector(Settings(objects_model="yolo11n.pt", offline=True))


def test_a_device_that_cannot_be_had_is_an_error(coco: ObjectDetector) -> None:
    import onnxruntime

    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this onnxruntime has CUDA")
    with pytest.raises(SettingsError, match=r"device='cuda'.*\.onnx detector"):
        ObjectDetector(Settings(objects_model=str(ONNX), device="cuda"))
