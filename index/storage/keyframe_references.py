"""References to keyframes: strings that evidence and answers carry, which resolve to the bytes of a picture.

A reference is the folder of the video in its library, and the frame's time as a media fragment (W3C Media Fragments):
`/talks/.playhead/videos/<video_id>#t=12.480`. It stays valid when the video is indexed again.
"""

from pathlib import Path

from ...tools.errors import LibraryError, QueryError
from .committed.keyframes import Keyframe
from .committed.versions import VIDEOS, is_video_id
from .local import LocalStorage

__all__ = ["milliseconds_of", "read_keyframe", "save_keyframe"]


def read_keyframe(reference: str) -> Keyframe | None:
    """Return the picture that a reference names; None if it is not stored any more.

    Raises:
        QueryError: It is not a reference.
        LibraryError: The library or the picture is damaged.
    """
    milliseconds = milliseconds_of(reference)
    video = Path(reference.rpartition("#t=")[0])
    if video.parent.name != VIDEOS or not is_video_id(video.name):
        raise QueryError(f"{reference!r} is no reference of a keyframe")
    storage = LocalStorage(video.parent.parent)
    record = storage.record(video.name)
    return storage.keyframe_of(record, milliseconds) if record else None


def save_keyframe(reference: str, path: Path) -> Path:
    """Write the picture that a reference names to a WebP file; return its path.

    Raises:
        QueryError: It is not a reference.
        LibraryError: The picture is not stored any more, is damaged, or the file cannot be written.
    """
    keyframe = read_keyframe(reference)
    if keyframe is None:
        raise LibraryError(f"{reference} is not stored any more: search again")
    try:
        path.write_bytes(keyframe.picture)
    except OSError as error:
        raise LibraryError(f"{path} cannot be written ({error.strerror})") from error
    return path


def milliseconds_of(reference: str) -> int:
    """Return the time of the frame that a reference names.

    Raises:
        QueryError: It is not a reference.
    """
    place, _, seconds = reference.rpartition("#t=")
    try:
        if place:
            return round(float(seconds) * 1000)
    except (ValueError, OverflowError):
        pass
    raise QueryError(f"{reference!r} is no reference of a keyframe")
