"""The committed version of a video: its record, and the size and checksum of each file.

    videos/<video_id>/
        video.json       names the current version; replaced by one rename, or one upload
        v-<commit>/      one immutable version: data files, and a copy of video.json as it was committed

`docs/reference/library-format.md` describes the files.
"""

import json
import re
from typing import Annotated, Any, Self

from pydantic import Field, ValidationError, field_validator

from ....tools.errors import LibraryError
from ....tools.records import Record, clean_text
from ...records import VideoRecord
from ..files.sealed import checksum, seal, unsealed_body

__all__ = [
    "CURRENT",
    "FORMAT",
    "VIDEOS",
    "CommittedVideo",
    "DamagedError",
    "FileFacts",
    "check_content",
    "is_data_file",
    "is_video_id",
    "version_name",
    "video_place",
]

FORMAT = 2
VIDEOS, CURRENT = "videos", "video.json"
_VIDEO_ID = re.compile(r"[0-9a-f]{32}")
_COMMIT = re.compile(r"[0-9A-Za-z_-]{1,128}")
# A backslash before anything but a quotation mark, a slash or a backslash may stand for a control character.
_ESCAPED = re.compile(rb'\\[^"\\/]')
_DATA_FILE = re.compile(r"[a-z0-9_]{1,32}(\.[a-z0-9_]{1,32}){1,3}")


class DamagedError(LibraryError):
    """Stored files of one video are missing, or differ from what was committed."""


class FileFacts(Record):
    """Size and checksum of a data file."""

    size: int = Field(ge=0, description="Bytes.")
    xxh3_128: str = Field(pattern="^[0-9a-f]{32}$", description="Checksum of the whole file.")

    @classmethod
    def of(cls, content: bytes | memoryview) -> Self:
        """The facts of a content."""
        return cls(size=len(content), xxh3_128=checksum(content))


class CommittedVideo(Record):
    """The content of `video.json`."""

    format: Annotated[int, Field(ge=FORMAT, le=FORMAT, description="Format of the library.")] = FORMAT
    record: VideoRecord = Field(description="The video.")
    files: dict[str, FileFacts] = Field(description="Data files of the version, by name.")

    @field_validator("files")
    @classmethod
    def _are_data_files(cls, files: dict[str, FileFacts]) -> dict[str, FileFacts]:
        if wrong := [name for name in files if not is_data_file(name)]:
            raise ValueError(f"no names of data files: {wrong}")
        return files

    def sealed(self) -> bytes:
        """The bytes of `video.json`."""
        return seal(self.model_dump(mode="json"))

    def with_record(self, record: VideoRecord) -> "CommittedVideo":
        """The same files with another record."""
        return CommittedVideo(record=record, files=self.files)

    @classmethod
    def parse(cls, video_id: str, content: bytes) -> Self:
        """Read `video.json`. Its texts are cleaned of control characters: another machine may have written it.

        Raises:
            ValueError: It is damaged, or belongs to another video.
        """
        try:
            body = unsealed_body(content)
            is_clean = _is_clean(body)
            committed = cls.model_validate_json(body) if is_clean else cls.model_validate(_cleaned(json.loads(body)))
        except (ValidationError, RecursionError, KeyError, TypeError) as error:
            raise ValueError(f"not valid: {error}") from error
        record = committed.record
        if record.video_id != video_id or not _COMMIT.fullmatch(record.commit):
            raise ValueError(f"it names the video {record.video_id!r} and the commit {record.commit!r}")
        if any("\0" in path for path in record.paths):
            raise ValueError("a path holds a null character")
        return committed


def is_video_id(name: str) -> bool:
    """Whether a name is the id of a video: 32 hexadecimal digits."""
    return _VIDEO_ID.fullmatch(name) is not None


def is_data_file(name: str) -> bool:
    """Whether a file of a version may have this name: lower case, with a suffix, and no folder."""
    return _DATA_FILE.fullmatch(name) is not None and name != CURRENT


def video_place(video_id: str) -> str:
    """A video's folder, relative to the library. Only an id ever becomes part of a path.

    Raises:
        LibraryError: It is not an id.
    """
    if not is_video_id(video_id):
        raise LibraryError(f"{video_id!r} is not an id of a video: 32 hexadecimal digits are expected")
    return f"{VIDEOS}/{video_id}"


def version_name(commit: str) -> str:
    """The name of a version's folder.

    Raises:
        LibraryError: The commit id cannot be part of a path.
    """
    if not _COMMIT.fullmatch(commit):
        raise LibraryError(
            f"{commit!r} is not an id of a commit: 1 to 128 letters, digits, hyphens and underscores are expected"
        )
    return f"v-{commit}"


def check_content(name: str, content: bytes | None, facts: FileFacts) -> None:
    """Compare a file with what was committed.

    Raises:
        ValueError: It is missing or differs; the message says how.
    """
    if content is None:
        raise ValueError(f"{name} is missing")
    if len(content) != facts.size:
        raise ValueError(f"{name} has {len(content)} bytes instead of {facts.size}")
    if checksum(content) != facts.xxh3_128:
        raise ValueError(f"{name} has another checksum than when it was committed")


def _is_clean(body: bytes) -> bool:
    """Whether no text of a JSON line holds a control character: none is written as such, or after a backslash.

    Most records are clean. Looking at the line once takes a hundredth of the time of looking at each text in it.
    """
    return body.decode().rstrip("\n").isprintable() and _ESCAPED.search(body) is None


def _cleaned(value: Any, key: str = "") -> Any:
    """Values without control characters, except for paths, which must stay as they are."""
    if isinstance(value, str):
        is_clean = value.isprintable() or key in ("path", "paths")
        return value if is_clean else clean_text(value)
    if isinstance(value, dict):
        return {name: _cleaned(one, name) for name, one in value.items()}
    if isinstance(value, list):
        return [_cleaned(one, key) for one in value]
    return value
