"""People in the pictures by their faces: off by default, because a face vector is biometric data.

In many countries (GDPR article 9, Illinois' BIPA) it needs the consent of the people who are shown. Vectors stay in the library's
folder; `playhead people forget` deletes them.
"""

from collections.abc import Sequence
from pathlib import Path

from ..embedding.faces import FACE_PARAMETERS, DlibFaces
from ..embedding.opencv_faces import OPENCV, OpenCvFaces, holds_sface
from ..records import Box, Observation, Segment
from ..settings import Settings

__all__ = ["FACE", "PEOPLE_PARAMETERS", "PeopleExtractor"]

FACE = "face"  # the text of a face before it is assigned to a person

PEOPLE_PARAMETERS = FACE_PARAMETERS


class PeopleExtractor:
    """Finds faces, each with its vector."""

    def __init__(self, settings: Settings) -> None:
        """Find the weights; the models load at first use.

        Raises:
            WeightsError: The weights are not available.
            MissingExtraError: A library is not installed.
        """
        chosen = settings.people_model
        is_opencv = chosen == OPENCV or holds_sface(Path(chosen).expanduser())
        self._faces = OpenCvFaces(settings) if is_opencv else DlibFaces(settings)
        self.source = self._faces.source

    def observe(self, segments: Sequence[Segment]) -> list[Observation]:
        """Return the faces of each segment."""
        return [
            Observation(
                modality="person",
                span=segment.span,
                text=FACE,
                score=min(1.0, max(0.0, face.score)),
                source=self.source,
                box=Box.from_pixels(face.corners, *segment.frame.size),
                frame_seconds=segment.frame.seconds,
                vector=tuple(map(float, face.vector)),
            )
            for segment in segments
            for face in self._faces.find(segment.frame.pixels)
        ]
