"""The faces of a library, as `voices` has the voices."""

from ...tools.embedding.faces import same_face
from .known import Kind

__all__ = ["FACE"]

FACE = Kind("person", "Person", "people.json", same_face, "people_model=dlib")
