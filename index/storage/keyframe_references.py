"""References to keyframes: strings that evidence and answers carry, which resolve to the bytes of a picture.

A reference is the folder of the video in its library, and the frame's time as a media fragment (W3C Media Fragments):
`/talks/.playhead/videos/<video_id>#t=12.480`; `&stream=1` follows for a video stream that is not the file's best one. It stays valid when the video is indexed again.
"""

import re
from pathlib import Path

from ...tools.errors import LibraryError, QueryError
from .committed.keyframes import Keyframe
from .committed.versions import VIDEOS, is_video_id
from .local import LocalStorage

_REFERENCE = re.compile(r"(.+)#t=(\d{1,12}(?:\.\d{1,9})?)(?:&stream=(\d{1,4}))?", re.DOTALL)

__all__ = ["milliseconds_of", "read_keyframe", "save_keyframe"]


def read_keyframe(reference: str) -> Keyframe | None:
    """Return the picture that a reference names; None if it is not stored any more.

    Raises:
        QueryError: It is not a reference.
        LibraryError: The library or the picture is damaged.
    """
    place, milliseconds, stream = _parsed(reference)
    video = Path(place)
    if video.parent.name != VIDEOS or not is_video_id(video.name):
        raise QueryError(f"{reference!r} is no reference of a keyframe")
    storage = LocalStorage(video.parent.parent)
    record = storage.record(video.name)
    return storage.keyframe_of(record, milliseconds, stream) if record else None


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
    return _parsed(reference)[1]


def _parsed(reference: str) -> tuple[str, int, int | None]:
    """The folder, the milliseconds and the stream of a reference."""
    found = _REFERENCE.fullmatch(reference)
    if found is None:
        raise QueryError(f"{reference!r} is no reference of a keyframe")
    place, seconds, stream = found.groups()
    return place, round(float(seconds) * 1000), int(stream) if stream else None
