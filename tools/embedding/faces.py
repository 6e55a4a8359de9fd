"""Faces in a picture, each with a vector by which a person is recognised. The only module that imports dlib.

Detection by HOG ("Histograms of Oriented Gradients", Dalal and Triggs 2005), alignment by five points, and the vector of dlib's
ResNet. Vectors of one person have a cosine of about 0.98, of two persons of about 0.81. The file with 68 points is not used: the
licence of its training data forbids commercial use.
"""

from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from ..errors import MissingExtraError
from ..records import Pixels
from ..settings import Settings
from ..weights import find
from .protocol import Vectors, unit

__all__ = ["FACE_PARAMETERS", "DlibFaces", "Face", "same_face"]

_POINTS, _RESNET = "shape_predictor_5_face_landmarks.dat", "dlib_face_recognition_resnet_model_v1.dat"
# HOG finds faces of 80 pixels and more.
_LEAST_SCORE = 0.0


# Cosine of two faces of one person. dlib, measured: one person 0.97 and more, two persons 0.81 to 0.86. SFace: the value that
# OpenCV publishes for LFW; it was not measured here.
_SAME_DLIB, _SAME_SFACE = 0.93, 0.363


def same_face(source: str) -> float:
    """The least cosine of two faces of one person, for the model that embedded them."""
    return _SAME_SFACE if source.startswith("sface(") else _SAME_DLIB


class Face(NamedTuple):
    """A face: its corners in pixels (left, top, right, bottom), the detector's score, and its unit vector."""

    corners: tuple[float, float, float, float]
    score: float
    vector: Vectors


FACE_PARAMETERS = (2, _LEAST_SCORE, _SAME_DLIB, _SAME_SFACE)


class DlibFaces:
    """Detects and embeds faces. The models load at first use."""

    def __init__(self, settings: Settings) -> None:
        """Find the weights.

        Raises:
            WeightsError: The weights are not available.
            MissingExtraError: dlib is not installed.
        """
        MissingExtraError.raise_if_missing("people", "dlib", extra="people")
        weights = find(settings.people_model, "people_model", offline=settings.offline)
        self.source, self._folder = weights.source, weights.path

    def find(self, pixels: Pixels) -> list[Face]:
        """The faces of an RGB picture, from the left."""
        detector, points, network = self._models
        picture = np.ascontiguousarray(pixels)
        places, scores, _ = detector.run(picture, 0, _LEAST_SCORE)
        found = []
        for place, score in zip(places, scores, strict=True):
            vector = np.array(network.compute_face_descriptor(picture, points(picture, place)), np.float32)
            corners = (float(place.left()), float(place.top()), float(place.right()), float(place.bottom()))
            found.append(Face(corners, float(score), unit(vector)))
        return sorted(found, key=lambda face: face.corners)

    @cached_property
    def _models(self) -> tuple[Any, Any, Any]:
        import dlib

        return (
            dlib.get_frontal_face_detector(),
            dlib.shape_predictor(str(self._folder / _POINTS)),
            dlib.face_recognition_model_v1(str(self._folder / _RESNET)),
        )
