"""Objects in pictures as observations with boxes. The only module that imports Ultralytics (AGPL-3.0, extra `objects`).

By default Ultralytics installs packages, uses the network and writes into the working folder. This module disables that,
unless the user set its environment variables (`YOLO_…`, `ULTRALYTICS_SAFE_LOAD`).
"""

import difflib
import importlib.util
import logging
import os
import struct
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Protocol

import numpy as np

from ..dequantised import float_model
from ..device import resolve_device
from ..errors import MissingExtraError, SettingsError, WeightsError
from ..media.pictures import colours_of
from ..records import Box, Observation, Segment
from ..settings import Settings, cache_folder
from ..weights import find_detector

if TYPE_CHECKING:
    from ultralytics import YOLO
    from ultralytics.engine.results import Results

__all__ = ["DETECTION", "Detector", "ObjectDetector", "download"]

# The version of the method. 1: quantised exports run with floats.
DETECTION = (1,)
# Frames at once for a .pt model. An exported .onnx usually has a fixed batch of one.
_BATCH = 16
# Tasks of models that return upright boxes.
_TASKS = ("detect", "segment", "pose")
# The file of an open-vocabulary model's text encoder, in the folder of Ultralytics' weights.
_TEXT_ENCODERS = {
    "clip": "clip/ViT-B-32.pt",
    "mobileclip": "mobileclip_blt.ts",
    "mobileclip2": "mobileclip2_b.ts",
}


class Detector(Protocol):
    """Finds objects in pictures."""

    source: str

    def observe(self, segments: Sequence[Segment]) -> list[Observation]:
        """Return one `object` observation for each box, segment by segment, highest score first; the vector holds its colours."""

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels that it can find."""


class ObjectDetector:
    """An Ultralytics detector: COCO's labels, the model's own, or those of `objects_vocabulary`."""

    def __init__(self, settings: Settings) -> None:
        """Find the weights; the model loads at first use, or at once to take a vocabulary.

        Raises:
            WeightsError: The weights are not available.
            MissingExtraError: Ultralytics is not installed.
            SettingsError: The format of the weights is not supported, they take no vocabulary, or cannot use the device.
        """
        MissingExtraError.raise_if_missing("object detection", "torch", "ultralytics", extra="objects")
        weights = find_detector(settings.model_for("objects_model"), download, offline=settings.offline)
        if weights.path.suffix not in (".pt", ".onnx"):
            raise SettingsError(f"objects_model={str(weights.path)!r}: a detector is a .pt or an .onnx file")
        self.source = weights.source
        self._path = weights.path
        self._score = settings.objects_score
        self._vocabulary = list(dict.fromkeys(settings.objects_vocabulary))
        self._offline = settings.offline
        self._device = _onnx_device(settings) if self._exported else resolve_device(settings)
        self._model: YOLO | None = None
        if self._vocabulary and self._exported:
            raise _no_vocabulary(f"{self._path.name} is an export, its labels are fixed")
        if self._vocabulary:
            self._loaded()

    def observe(self, segments: Sequence[Segment]) -> list[Observation]:
        """As `Detector.observe`."""
        observations = []
        at_once = 1 if self._exported else _BATCH
        for first in range(0, len(segments), at_once):
            batch = segments[first : first + at_once]
            # Ultralytics expects BGR arrays; with RGB it misses, for example, the tie in its own zidane.jpg.
            pictures = [np.ascontiguousarray(segment.frame.pixels[..., ::-1]) for segment in batch]
            half = self._device == "cuda" and not self._exported
            results = self._loaded().predict(pictures, conf=self._score, device=self._device, half=half, verbose=False)
            for segment, result in zip(batch, results, strict=True):
                observations += self._observations(segment, result)
        return observations

    @property
    def labels(self) -> tuple[str, ...]:
        """As `Detector.labels`. Loads the model."""
        return tuple(self._loaded().names.values())

    @property
    def _exported(self) -> bool:
        return self._path.suffix == ".onnx"

    def _observations(self, segment: Segment, result: "Results") -> list[Observation]:
        corners, scores, labels = (part.tolist() for part in (result.boxes.xyxy, result.boxes.conf, result.boxes.cls))
        return [
            Observation(
                modality="object",
                span=segment.span,
                text=result.names[int(label)],
                score=min(1.0, score),
                source=self.source,
                box=place,
                frame_seconds=segment.frame.seconds,
                vector=tuple(np.round(colours_of(segment.frame.pixels, place), 2).tolist()),
            )
            for box, score, label in sorted(zip(corners, scores, labels, strict=True), key=lambda found: -found[1])
            for place in [Box.from_pixels(tuple(box), *segment.frame.size)]
        ]

    def _loaded(self) -> "YOLO":
        if self._model is None:
            import torch

            threads = torch.get_num_threads()
            model = _exported_model(self._path, self._device) if self._exported else _pytorch_model(self._path)
            if self._vocabulary:
                _set_vocabulary(model, self._vocabulary, self._path.name, offline=self._offline)
            if not self._exported:
                _try(model, self._device)
            torch.set_num_threads(threads)  # Ultralytics lowers it for the whole process
            self._model = model
        return self._model


def download(target: Path) -> None:
    """Download the weights that Ultralytics publishes as `target.name` to `target`, atomically.

    Raises:
        WeightsError: Ultralytics publishes no such file.
        MissingExtraError: Ultralytics is not installed.
        OSError: There is no network, or no room on the disk.
    """
    _ultralytics()
    from ultralytics.utils.downloads import GITHUB_ASSETS_NAMES, attempt_download_asset

    if target.name not in GITHUB_ASSETS_NAMES:
        near = difflib.get_close_matches(target.name, GITHUB_ASSETS_NAMES, cutoff=0.5) or ["yolo11n.pt"]
        raise WeightsError(
            f"no weights for {target.name!r}: Ultralytics publishes no file of this name (similar: {', '.join(near)}); "
            "set objects_model to one of these, or to a local path, or to off"
        )
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".download-") as staging:
        fetched = Path(staging) / target.name
        try:
            attempt_download_asset(fetched, progress=False)
        except MemoryError as error:
            raise OSError(f"no room for {target}: {error}") from error
        fetched.replace(target)


def _ultralytics() -> ModuleType:
    """Import Ultralytics without its messages, installations, reports, and without code in weights files."""
    own = {
        "YOLO_AUTOINSTALL": "false",
        "YOLO_CONFIG_DIR": str(cache_folder() / "ultralytics"),
        "YOLO_OFFLINE": "true",
        "YOLO_VERBOSE": "false",
        "ULTRALYTICS_SAFE_LOAD": "true",
    }
    for name, value in own.items():
        os.environ.setdefault(name, value)
    threads = os.environ.get("OMP_NUM_THREADS")
    from PIL import Image

    open_image = Image.open
    try:
        import torch  # noqa: F401  (before Ultralytics, which sets OMP_NUM_THREADS=1 for the whole process)
        import ultralytics
        import ultralytics.utils.patches
    except ModuleNotFoundError as error:
        raise MissingExtraError("object detection", error.name or "ultralytics", "objects") from error
    Image.open = open_image  # Its own one needs pi-heif, for every file of the process that is no picture.
    if threads is None:
        os.environ.pop("OMP_NUM_THREADS", None)
    logging.getLogger("ultralytics").setLevel(logging.ERROR)
    return ultralytics


def _onnx_device(settings: Settings) -> str:
    try:
        import onnxruntime
    except ModuleNotFoundError as error:
        raise MissingExtraError("an .onnx detector", "onnxruntime", "objects") from error
    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        return resolve_device(settings)
    if settings.device == "cuda":
        raise SettingsError(
            "device='cuda', but this onnxruntime has no CUDA, so an .onnx detector cannot use it: "
            "set device to auto or cpu, set objects_model to a .pt, or pip install onnxruntime-gpu in its place"
        )
    return "cpu"


def _pytorch_model(path: Path) -> "YOLO":
    try:
        model = _ultralytics().YOLO(str(path))
    except (OSError, RuntimeError, TypeError, struct.error) as error:  # the kind of error depends on the damaged place
        raise _unusable(path) from error
    if model.task not in _TASKS:
        raise _no_boxes(path, model.task, _TASKS)
    return model


def _exported_model(path: Path, device: str) -> "YOLO":
    import onnxruntime
    from onnxruntime.capi import onnxruntime_pybind11_state as ort

    # Some exports do not name their task; then Ultralytics would guess it from the file's name.
    model = _ultralytics().YOLO(str(path), task="detect")
    try:
        _try(model, device)  # it loads only now
    except (TypeError, ort.Fail, ort.InvalidArgument, ort.InvalidGraph, ort.NotImplemented) as error:
        raise _unusable(path) from error
    loaded = model.predictor.model
    if loaded.task not in (None, "detect"):
        raise _no_boxes(path, loaded.task, ("detect",))
    if device == "cpu":
        # Ultralytics gives no choice of threads, and those of ONNX Runtime wait actively: YOLOv8n, CPU seconds a frame on two
        # cores, 0.57 with two threads, 0.37 with one.
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        content = float_model(path) or str(path)
        loaded.backend.session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    return model


def _try(model: "YOLO", device: str) -> None:
    model.predict(np.full((64, 64, 3), 114, np.uint8), device=device, verbose=False)


def _no_boxes(path: Path, task: str, allowed: Sequence[str]) -> SettingsError:
    return SettingsError(
        f"objects_model: {path.name} was made for the task {task!r}; "
        f"a {path.suffix} for one of these is needed: {', '.join(allowed)}"
    )


def _unusable(path: Path) -> WeightsError:
    return WeightsError(
        f"{path} is not a model that Ultralytics can load: copy, download or export it again "
        "(a .pt may hold Ultralytics' own classes only, unless you trust it and set ULTRALYTICS_SAFE_LOAD=false)"
    )


def _set_vocabulary(model: "YOLO", labels: list[str], name: str, *, offline: bool) -> None:
    """Make an open-vocabulary model look for these labels: its text encoder embeds them once."""
    from ultralytics import YOLOE, YOLOWorld, utils

    if not isinstance(model, YOLOE | YOLOWorld):
        raise _no_vocabulary(f"{name} has fixed labels")
    if importlib.util.find_spec("clip") is None:
        raise WeightsError(
            f"objects_vocabulary: {name} needs the Python module 'clip' to understand labels: "
            "pip install git+https://github.com/ultralytics/CLIP.git, or leave objects_vocabulary empty"
        )
    folder = cache_folder() / "weights"
    kind = "clip" if isinstance(model, YOLOWorld) else model.model.text_model.partition(":")[0]
    encoder = folder / _TEXT_ENCODERS[kind]
    # In memory only: by default Ultralytics keeps encoders in `weights/` of the project around it.
    utils.WEIGHTS_DIR = folder
    dict.__setitem__(utils.SETTINGS, "weights_dir", str(folder))
    missing = WeightsError(
        f"objects_vocabulary: no text encoder for {name}: put it at {encoder}, "
        "run once with a network and without `offline`, or leave objects_vocabulary empty"
    )
    if offline and not encoder.is_file():
        raise missing
    try:
        if kind != "clip" and not encoder.is_file():
            folder.mkdir(parents=True, exist_ok=True)
            download(encoder)
        model.set_classes(labels)
    except AssertionError as error:
        raise _no_vocabulary(f"{name} takes no labels ({error})") from error
    except (OSError, RuntimeError) as error:
        raise missing from error


def _no_vocabulary(why: str) -> SettingsError:
    return SettingsError(
        f"objects_vocabulary: {why}; set objects_model to the .pt of YOLO-World (yolov8s-worldv2.pt …) "
        "or YOLOE with text prompts (yoloe-11s-seg.pt …), or leave objects_vocabulary empty"
    )
