"""What lies where on object storage or another shared path: the videos of a library below a URL.

url/
  library.json            format version
  videos/<video_id>/      as in a library on disk (`index.storage.local`); there, if its video.json is
    observations.parquet  vectors.text.npy  vectors.image.npy  captions.jsonl  keyframes/*.webp
    video.json            with absolute paths; removed first and written last, for nothing can be renamed

All that is read there is untrusted.
"""

import json
import os
import re
from contextlib import suppress
from pathlib import Path
from typing import Any

from ...tools.errors import LibraryError
from ...tools.records import clean_text
from ..records import VideoRecord
from .journal import CAPTIONS
from .keyframes import KEYFRAMES
from .local import FORMAT
from .url_files import RemoteError, UrlFiles

__all__ = ["OBSERVATIONS", "RECORD", "VIDEO_FILE", "DamagedRemoteError", "RemoteVideos", "folder_of"]

OBSERVATIONS, RECORD = "observations.parquet", "video.json"
_LIBRARY, _VIDEOS = "library.json", "videos"
_VIDEO_ID = re.compile(r"[0-9a-f]{32}")
# What a video's folder holds besides its record.
VIDEO_FILE = re.compile(
    rf"{re.escape(OBSERVATIONS)}|{re.escape(CAPTIONS)}|vectors\.(text|image)\.npy|{KEYFRAMES}/[0-9]{{10,12}}\.webp"
)


class DamagedRemoteError(RemoteError):
    """The files of one video are damaged there."""


class RemoteVideos:
    """The videos of a library below a URL: records, files, whether there is a library at all.

    `index.storage.url_files.UrlFiles` tells where credentials and endpoints come from.
    """

    def __init__(self, url: str) -> None:
        """Name a library; it need not exist before something is pushed.

        Args:
            url: As `UrlFiles` takes it, which also tells what else is raised.

        Raises:
            LibraryError: It cannot be read, holds something else, or is a library of a newer format.
        """
        self._files = UrlFiles(url)
        self.url = self._files.url
        self._was_there = False
        self._is_there()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.url!r})"

    def record(self, video_id: str) -> VideoRecord | None:
        """The record of one video; None: it is not there, or is being replaced at this moment.

        Raises:
            LibraryError: The remote cannot be read, or the record is damaged.
        """
        raw = self._files.content(f"{folder_of(video_id)}/{RECORD}")
        return None if raw is None else self._parsed(video_id, raw)

    def survey(self) -> tuple[dict[str, VideoRecord], dict[str, LibraryError]]:
        """The videos by their id, and what is wrong with those that cannot be read.

        Raises:
            LibraryError: The remote cannot be read.
        """
        video_ids = sorted(name for name in self._files.listed(_VIDEOS) if _VIDEO_ID.fullmatch(name))
        raws = self._files.contents([f"{folder_of(video_id)}/{RECORD}" for video_id in video_ids])
        records: dict[str, VideoRecord] = {}
        broken: dict[str, LibraryError] = {}
        for video_id, raw in zip(video_ids, raws, strict=True):
            if isinstance(raw, RemoteError):
                broken[video_id] = raw
            elif raw is not None:
                try:
                    records[video_id] = self._parsed(video_id, raw)
                except RemoteError as error:
                    broken[video_id] = error
        return records, broken

    def create(self, mend: bool = False) -> None:  # noqa: ARG002 (a damaged one is told when it is named)
        """Make a new library, if there is none.

        Raises:
            LibraryError: The remote cannot be written.
        """
        if not self._is_there():
            self._files.write(_LIBRARY, json.dumps({"format": FORMAT}) + "\n")

    def stored_path(self, path: Path) -> str:
        """A file's path as kept: absolute."""
        return os.path.abspath(path)

    def absolute_path(self, stored: str) -> Path:
        """Where a stored path lies."""
        return Path(stored)

    def remove(self, video_id: str) -> None:
        """Take a video out of the remote library, if it is there.

        Raises:
            LibraryError: The remote cannot be written.
        """
        place = folder_of(video_id)
        self._files.remove(place, [RECORD])
        self._files.remove_folder(place)

    def _commit_of(self, video_id: str) -> str:
        """Empty: nothing is there, or nothing that can be read."""
        with suppress(DamagedRemoteError):
            if record := self.record(video_id):
                return record.commit
        return ""

    def _is_current(self, record: VideoRecord) -> bool:
        now = self.record(record.video_id)
        return now is not None and now.commit == record.commit

    def _sizes(self, video_id: str) -> dict[str, int]:
        """The sizes in bytes of a video's files there by their names; without its record."""
        return {
            name: size
            for folder in ("", f"{KEYFRAMES}/")
            for last, size in self._files.listed(f"{folder_of(video_id)}/{folder}".rstrip("/")).items()
            if size is not None and VIDEO_FILE.fullmatch(name := folder + last)
        }

    def _is_there(self) -> bool:
        """Whether there is a library; False: nothing is there. What was seen once is not asked again."""
        self._was_there = self._was_there or self._has_format()
        return self._was_there

    def _has_format(self) -> bool:
        raw = self._files.content(_LIBRARY)
        if raw is None:
            names = self._files.listed()
            if all(name.startswith((".", _LIBRARY)) for name in names):  # the latter is about to be written
                return False
            raw = self._files.content(_LIBRARY)  # another process may have begun the library meanwhile
        if raw is None:
            raise RemoteError(f"{self.url} holds something else than a library: choose another folder")
        try:
            version = json.loads(raw)["format"]
        except (ValueError, KeyError, TypeError, RecursionError):
            version = None
        if type(version) is not int or version < 1:
            raise RemoteError(
                f'{self.url}/{_LIBRARY} is damaged: put {{"format": {FORMAT}}} there, or choose another folder'
            )
        if version > FORMAT:
            raise RemoteError(
                f"library {self.url} has format {version}, this Playhead reads up to {FORMAT}: "
                "upgrade Playhead (pip install --upgrade playhead), or choose another folder"
            )
        return True

    def _write_record(self, record: VideoRecord) -> None:
        self._files.write(f"{folder_of(record.video_id)}/{RECORD}", record.model_dump_json(indent=2) + "\n")
        self._files.touch_folder(_VIDEOS)  # so a search that has it open as its library sees it

    def _parsed(self, video_id: str, raw: bytes) -> VideoRecord:
        try:
            given = VideoRecord.model_validate_json(raw)
            record = VideoRecord.model_validate(_cleaned(given.model_dump()))
        except ValueError as error:
            raise self._damaged(video_id) from error
        if record.video_id != video_id or any("\0" in path for path in record.paths):
            raise self._damaged(video_id)
        return record

    def _damaged(self, video_id: str) -> RemoteError:
        place = f"{self.url}/{folder_of(video_id)}"
        return DamagedRemoteError(f"{place} is damaged or incomplete: index its video into it again with `force`")


def folder_of(video_id: str) -> str:
    """A video's folder. Only what is an id ever becomes a part of a path."""
    if not _VIDEO_ID.fullmatch(video_id):
        raise LibraryError(f"{video_id!r} is no id of a video: 32 hexadecimal digits are wanted")
    return f"{_VIDEOS}/{video_id}"


def _cleaned(value: Any) -> Any:
    """Values without control characters, but for paths, which must be as they are."""
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, dict):
        return {key: given if key == "paths" else _cleaned(given) for key, given in value.items()}
    if isinstance(value, (list, tuple)):
        return [_cleaned(one) for one in value]
    return value
