"""Reads a video's metadata: the tags of the container, under those of its sidecars."""

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path

from ...errors import MediaError
from ..container import open_media
from .records import Metadata, made
from .sidecars import SIDECAR_SUFFIXES, read_sidecar, sidecars_of

__all__ = ["metadata_of"]

# Raised when the reader finds more, or something else, in the same files.
_VERSION = 1
# Names of tags as FFmpeg gives them for MP4, Matroska, AVI and Ogg, in lower case: the first one that is there counts.
_TITLE = ("title",)
_DATE = ("date", "year", "date_released")
_RECORDED = ("com.apple.quicktime.creationdate", "date_recorded", "creation_time")
_CHANNEL = ("artist", "author", "com.apple.quicktime.author", "network", "album_artist", "show")
_TAGS = ("genre", "keywords")
_DESCRIPTION = ("description", "synopsis", "comment")
_LOCATION = ("com.apple.quicktime.location.iso6709", "location", "recording_location")


def metadata_of(
    path: Path, known: Metadata, identify: Callable[[Path], str], *, read_location: bool = False
) -> Metadata:
    """Return the metadata of a video; `known` itself if no sidecar changed since it was read.

    Args:
        path: The video.
        known: Its metadata as stored; without a fingerprint it was not read yet.
        identify: Returns the identity of a sidecar's content.
        read_location: Whether to read where it was recorded.
    """
    sidecars = sidecars_of(path)
    depends: list[object] = [_VERSION, read_location]
    for sidecar in sidecars:
        try:
            suffix = next(one for one in SIDECAR_SUFFIXES if sidecar.name.endswith(one))
            depends.append([suffix, identify(sidecar)])
        except MediaError:  # it cannot be read, or is gone again
            depends.append([sidecar.name, ""])
    fingerprint = hashlib.blake2b(json.dumps(depends).encode(), digest_size=8).hexdigest()
    if fingerprint == known.fingerprint:
        return known
    found = _of_container(path)
    for sidecar in sidecars:
        found = found.under(read_sidecar(sidecar))
    return found.model_copy(update={"fingerprint": fingerprint, "location": found.location if read_location else ""})


def _of_container(path: Path) -> Metadata:
    """The tags of the container and of its streams, without those that only name the program that wrote it."""
    with open_media(path) as container:
        tags = {name.lower(): value for stream in container.streams for name, value in stream.metadata.items()}
        only_time = {name: value for name, value in tags.items() if name == "creation_time"}
        tags = only_time | {name.lower(): value for name, value in container.metadata.items()}
    return made(
        {
            "title": _first(tags, _TITLE),
            "date": _first(tags, _DATE),
            "recorded": _first(tags, _RECORDED),
            "channel": _first(tags, _CHANNEL),
            "tags": [part for name in _TAGS for part in tags.get(name, "").replace(";", ",").split(",")],
            "description": _first(tags, _DESCRIPTION),
            "location": _first(tags, _LOCATION),
        }
    )


def _first(tags: Mapping[str, str], names: tuple[str, ...]) -> str:
    return next((tags[name] for name in names if tags.get(name)), "")
