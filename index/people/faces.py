"""The faces of a library, as `voices` has the voices."""

from ..indexing.merging.faces import SAME_FACE
from .voices import Kind

__all__ = ["FACE"]

FACE = Kind("person", "Person", "people.json", SAME_FACE, "people_model=dlib")
