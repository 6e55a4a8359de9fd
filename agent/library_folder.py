"""Finds the library that a path belongs to."""

import os
from pathlib import Path

__all__ = ["LIBRARY", "absolute", "found_library", "library_folder"]

LIBRARY = ".playhead"
_FORMAT = "library.json"


def library_folder(place: Path) -> Path:
    """Return the library folder for a path, which may not exist yet.

    A library's own folder is returned as it is. For a folder of videos, a sub-folder or a video, the nearest library
    at or above it is returned. Where there is none: `.playhead` inside a folder that holds something else already,
    and the path itself where it is new or empty.

    Args:
        place: A library's folder, a folder of videos, or a video.
    """
    place = absolute(place)
    if place.name == LIBRARY or not place.exists():
        return place
    if found := found_library(place):
        return found
    if place.is_file():
        return place.parent / LIBRARY
    return place / LIBRARY if _holds_files(place) else place


def found_library(place: Path) -> Path | None:
    """Return the library at a path, or the nearest one in the folders above; None: nothing is indexed there.

    A library above that holds no video, and none that is being indexed, is skipped: it may be left from files that could not
    be read, and the folders below it are not its own.
    """
    place = absolute(place)
    for folder in (place, place / LIBRARY):
        if (folder / _FORMAT).is_file():
            return folder
    libraries = (above / LIBRARY for above in place.parents)
    return next((one for one in libraries if (one / _FORMAT).is_file() and _holds_video(one)), None)


def absolute(path: Path) -> Path:
    """Return an absolute path; symbolic links stay, `~` is expanded."""
    return Path(os.path.abspath(path.expanduser()))


def _holds_video(library: Path) -> bool:
    """Whether a library holds a video, or the results of one that is being indexed."""
    return any(next((library / name).glob("*"), None) is not None for name in ("videos", "staging"))


def _holds_files(folder: Path) -> bool:
    """Whether a folder holds something that does not belong to a library."""
    if not folder.is_dir() or (folder / "videos").is_dir():
        return False
    return any(not entry.name.startswith(".") for entry in folder.iterdir())
