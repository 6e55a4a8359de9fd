"""Faces by OpenCV's models: YuNet (Wu et al. 2023) detects, SFace (Zhong et al. 2021) embeds. Both are ONNX files of OpenCV's zoo.

YuNet is MIT-licensed, SFace Apache-2.0. No package on PyPI holds them: they come from the model hub or from a folder.
"""

from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import WeightsError
from ..records import Pixels
from ..settings import Settings
from ..weights import find
from .faces import Face
from .protocol import unit

__all__ = ["OPENCV", "OpenCvFaces", "holds_sface"]

OPENCV = "opencv"  # the value of `people_model` that takes both files from the hub
_DETECTOR, _RECOGNISER = "face_detection_yunet", "face_recognition_sface"
# YuNet finds faces of 10 to 300 pixels, so larger pictures are shown to it in this size (longest side).
_SIDE = 640
_LEAST_SCORE = 0.8


class OpenCvFaces:
    """Detects and embeds faces. The models load at first use."""

    def __init__(self, settings: Settings) -> None:
        """Find the weights: `people_model` is `opencv`, or a folder with both files.

        Raises:
            WeightsError: The weights are not available.
            MissingExtraError: The hub's client is not installed.
        """
        chosen = settings.people_model
        names = [f"opencv/{one}" for one in (_DETECTOR, _RECOGNISER)] if chosen == OPENCV else [chosen, chosen]
        found = [find(name, "people_model", offline=settings.offline) for name in names]
        self._files = [_onnx(one.path, name) for one, name in zip(found, (_DETECTOR, _RECOGNISER), strict=True)]
        self.source = f"sface({found[1].source})"

    def find(self, pixels: Pixels) -> list[Face]:
        """The faces of an RGB picture, from the left.

        Raises:
            WeightsError: A file is not such a model.
        """
        import cv2

        detector, recogniser = self._models
        picture = np.ascontiguousarray(pixels[..., ::-1])
        scale = min(1.0, _SIDE / max(picture.shape[:2]))
        small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else picture
        detector.setInputSize((small.shape[1], small.shape[0]))
        _, rows = detector.detect(small)
        found = []
        for row in [] if rows is None else rows:
            placed = np.append(row[:14] / scale, row[14:]).astype(
                np.float32
            )  # left, top, width, height, five points; score
            vector = unit(recogniser.feature(recogniser.alignCrop(picture, placed)))[0]
            left, top, width, height = map(float, placed[:4])
            found.append(Face((left, top, left + width, top + height), float(row[14]), vector))
        return sorted(found, key=lambda face: face.corners)

    @cached_property
    def _models(self) -> tuple[Any, Any]:
        import cv2

        detector, recogniser = self._files
        try:
            return (
                cv2.FaceDetectorYN.create(str(detector), "", (_SIDE, _SIDE), _LEAST_SCORE),
                cv2.FaceRecognizerSF.create(str(recogniser), ""),
            )
        except cv2.error as error:
            raise WeightsError(f"{detector.name} or {recogniser.name} cannot be loaded: check people_model") from error


def holds_sface(folder: Path) -> bool:
    """Whether a folder holds SFace."""
    return any(folder.glob(f"{_RECOGNISER}*.onnx"))


def _onnx(folder: Path, name: str) -> Path:
    """The model of a name in a folder; the float32 file, where there are quantised ones as well."""
    files = sorted(path for path in folder.glob(f"{name}*.onnx") if "int8" not in path.name)
    if not files:
        raise WeightsError(f"{folder} holds no {name}*.onnx: check people_model")
    return files[-1]
