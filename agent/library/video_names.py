"""Finds the videos that a path, a file name (also without its extension), an id or a folder names: for every interface."""

import os
from collections.abc import Sequence
from pathlib import Path

from ...index.records import VideoRecord
from ...index.storage.backend import StorageBackend
from ...tools.errors import AmbiguousNameError, LibraryError

__all__ = ["one_video", "video_ids"]

_LISTED = 8  # videos that an error message lists


def one_video(storage: StorageBackend, records: Sequence[VideoRecord], video: Path | str) -> VideoRecord:
    """Return the one video that a name means.

    Args:
        storage: The library.
        records: Its videos.
        video: A path, file name or id.

    Raises:
        LibraryError: The library holds no such video, or several.
    """
    found = _matching(storage, records, video)
    if len(found) != 1:
        raise _not_one(storage, records, video, found)
    return found[0]


def video_ids(storage: StorageBackend, records: Sequence[VideoRecord], videos: Sequence[Path | str]) -> tuple[str, ...]:
    """Return the ids of the videos that are named, each once.

    Args:
        storage: The library.
        records: Its videos.
        videos: Paths, file names or ids, or folders of them.

    Raises:
        LibraryError: One of them is not in the library, or is the name without extension of several videos.
    """
    chosen: dict[str, None] = {}
    for video in videos:
        found = _matching(storage, records, video)
        if not found:
            raise LibraryError(
                f"{str(video)!r} is not a video of this library, which holds: {_listed(storage, records)}"
            )
        chosen.update(dict.fromkeys(record.video_id for record in found))
    return tuple(chosen)


def _matching(storage: StorageBackend, records: Sequence[VideoRecord], video: Path | str) -> list[VideoRecord]:
    """Return the videos with this id (or its first digits), path or file name, or below this folder.

    A path or file name may lack its extension.

    Raises:
        LibraryError: Only names without extension fit, and several do.
    """
    path, text = os.path.abspath(Path(video).expanduser()), str(video)
    base, folder = os.fspath(storage.absolute_path(os.curdir)), path.rstrip(os.sep) + os.sep
    # Strings, not paths: a library may have 10,000 videos, and this runs for each search with a folder.
    places = [[os.path.join(base, stored) for stored in record.paths] for record in records]
    placed = list(zip(records, places, strict=True))
    exact = [record for record, own in placed if path in own or record.video_id == text]
    below = [record for record, own in placed if any(place.startswith(folder) for place in own)]
    named = [record for record, own in placed if any(os.path.basename(place) == text for place in own)]
    if found := exact or below or named:
        return found
    bare = [(record, [os.path.splitext(place)[0] for place in own]) for record, own in placed]
    stems = [record for record, own in bare if any(path == one or text == os.path.basename(one) for one in own)]
    if len(stems) > 1:
        raise _not_one(storage, records, video, stems)
    return stems or [record for record in records if len(text) >= 6 and record.video_id.startswith(text)]


def _not_one(
    storage: StorageBackend, records: Sequence[VideoRecord], video: Path | str, found: Sequence[VideoRecord]
) -> LibraryError:
    message = (
        f"{str(video)!r} names {len(found) or 'no'} videos of this library, and exactly one is needed: "
        f"give its path or id. {'They are' if found else 'The library holds'}: {_listed(storage, found or records)}"
    )
    return AmbiguousNameError(message, tuple(one.video_id for one in found)) if found else LibraryError(message)


def _listed(storage: StorageBackend, records: Sequence[VideoRecord]) -> str:
    names = ", ".join([str(storage.absolute_path(record.paths[0])) for record in records[:_LISTED]] or ["nothing"])
    more = len(records) - _LISTED
    return f"{names} and {more} more" if more > 0 else names
