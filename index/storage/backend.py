"""The storage interface: the committed videos of a library, on a disk or below a URL.

Reading is the same for all backends and is implemented here; writing differs (`local`, `url`). A reader sees the old or
the new version of a video at every instant. Damage concerns one video: it is reported once and never hides the others.
"""

import json
import logging
import threading
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ...tools.errors import LibraryError
from ...tools.media.metadata.records import Metadata
from ..records import VideoRecord
from .committed.keyframes import KEYFRAMES, Keyframe, KeyframeIndex, read_index, read_picture
from .committed.table import ObservationTable, parse_table
from .committed.versions import (
    CURRENT,
    FORMAT,
    VIDEOS,
    CommittedVideo,
    DamagedError,
    check_content,
    is_video_id,
    version_name,
    video_place,
)
from .files.local import Files
from .files.sealed import unseal
from .identity import FileIdentities

if TYPE_CHECKING:
    from .local import LocalStorage

__all__ = ["LIBRARY", "Damage", "StorageBackend", "VersionGoneError"]

LIBRARY = "library.json"
_INDEXES_KEPT = 256  # keyframe indexes in memory
_LONGEST_REASON = 200  # characters

_log = logging.getLogger(__name__)


class VersionGoneError(LibraryError):
    """A version was replaced or removed by another process; the video may have a newer one."""


@dataclass(frozen=True)
class Damage:
    """One damaged file.

    Attributes:
        name: The file, relative to the library.
        reason: What is wrong with it.
        video_id: Its video; empty for a file of the whole library.
    """

    name: str
    reason: str
    video_id: str = ""


class StorageBackend(ABC):
    """The committed videos of a library: `LocalStorage` on a disk, `UrlStorage` below a URL.

    Attributes:
        holds_every_file: Whether only this machine adds to the library. Then a video whose file is gone leaves it.
    """

    holds_every_file: bool

    def __init__(self, files: Files) -> None:
        self._files = files
        self._indexes: dict[tuple[str, str], KeyframeIndex] = {}
        self._quarantined: dict[str, tuple[str, LibraryError]] = {}  # video id: commit, error
        self._lock = threading.Lock()

    def __getstate__(self) -> dict[str, object]:
        return {name: value for name, value in self.__dict__.items() if name != "_lock"}

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state)
        self._lock = threading.Lock()

    # Reading

    @property
    def name(self) -> str:
        """The library's folder or URL."""
        return self._files.name

    def read(self, only: Collection[str] | None = None) -> dict[str, VideoRecord]:
        """Return the readable records by video id. Each damaged video is left out with one warning.

        Args:
            only: The ids of the videos to read; None: all.

        Raises:
            LibraryError: The library as a whole cannot be read.
        """
        records, damaged = self.survey(only)
        for video_id, error in damaged.items():
            if self._quarantined.get(video_id, ("", None))[1] is not error:  # else there was a warning already
                self.quarantine(video_id, "", error)
        return records

    def survey(self, only: Collection[str] | None = None) -> tuple[dict[str, VideoRecord], dict[str, LibraryError]]:
        """Return the readable records by video id, and the error of each video that cannot be read.

        A quarantined version counts as unreadable.

        Args:
            only: The ids of the videos to read; None: all.

        Raises:
            LibraryError: The library as a whole cannot be read.
        """
        committed, damaged = self._survey(self._video_ids() if only is None else only)
        records = {video_id: one.record for video_id, one in committed.items()}
        for video_id, (commit, error) in list(self._quarantined.items()):
            if video_id in records and records[video_id].commit == commit:
                del records[video_id]
                damaged[video_id] = error
        return records, damaged

    def record(self, video_id: str) -> VideoRecord | None:
        """Return the current record of a video; None if it is not committed.

        Raises:
            LibraryError: Its record is damaged.
        """
        committed = self._current(video_id)
        return committed.record if committed else None

    def is_current(self, record: VideoRecord) -> bool:
        """Whether a record names the current version of its video."""
        now = self.record(record.video_id)
        return now is not None and now.commit == record.commit

    def committed(self, video_id: str) -> tuple[VideoRecord, ObservationTable] | None:
        """Return a record with its observations; None if the video is not committed.

        They belong to one version, also while another process replaces it.

        Raises:
            LibraryError: The video is damaged.
        """
        while record := self.record(video_id):
            try:
                return record, self.table(record)
            except VersionGoneError:
                continue
        return None

    def table(self, record: VideoRecord) -> ObservationTable:
        """Return the observations and vectors of one version, after checking them against their checksums.

        Raises:
            VersionGoneError: The version was replaced or removed meanwhile.
            DamagedError: One of its files is damaged.
        """
        committed = self.manifest(record)
        names = [name for name in committed.files if name.endswith((".parquet", ".npz"))]
        contents: dict[str, bytes] = {}
        for name, content in zip(names, self._files.read_many([self._at(record, one) for one in names]), strict=True):
            if isinstance(content, LibraryError):
                raise content
            self._check(record, committed, name, content)
            assert content is not None
            contents[name] = content
        try:
            return parse_table(contents, record)
        except ValueError as error:
            raise self._damaged(record.video_id, str(error)) from error

    def manifest(self, record: VideoRecord) -> CommittedVideo:
        """Return the sizes and checksums of one version's files.

        Raises:
            VersionGoneError: The version was replaced or removed meanwhile.
            DamagedError: Its record is damaged.
        """
        current = self._current(record.video_id)
        if current and current.record.commit == record.commit:
            return current
        content = self._files.read(self._at(record, CURRENT))
        if content is None:
            raise VersionGoneError(f"{self.name}/{video_place(record.video_id)} was replaced or removed: run again")
        return self._parsed(record.video_id, content)

    def keyframe_times(self, record: VideoRecord) -> list[int]:
        """Return the milliseconds of the keyframes of a version's main video stream, sorted.

        Raises:
            LibraryError: As `table`.
        """
        return self._keyframe_index(record).times(record.info.stream)

    def keyframe(self, record: VideoRecord, seconds: float) -> Keyframe | None:
        """Return the keyframe of the main video stream that shows a second; None if there is none.

        It is the last at or before the second, else the first.

        Raises:
            LibraryError: As `table`.
        """
        index = self._keyframe_index(record)
        row = index.row_at(seconds, record.info.stream)
        return None if row is None else self._picture(record, index, row)

    def keyframe_of(self, record: VideoRecord, milliseconds: int, stream: int | None = None) -> Keyframe | None:
        """Return the keyframe of a stream with exactly this time; None if there is none.

        Raises:
            LibraryError: As `table`.
        """
        index = self._keyframe_index(record)
        row = index.row_of(milliseconds, stream)
        return None if row is None else self._picture(record, index, row)

    def keyframe_reference(self, record: VideoRecord, seconds: float, stream: int | None = None) -> str | None:
        """Return the reference (`index.storage.keyframe_references`) of the keyframe that shows a second.

        None if there is none. Where the keyframes are damaged it is None, too, with one warning: the observations of
        the video stay usable.
        """
        try:
            index = self._keyframe_index(record)
        except VersionGoneError:
            return None
        except LibraryError as error:
            _log.warning("%s; its pictures are not shown", error)
            index = self._remember(record, KeyframeIndex.empty())
        row = index.row_at(seconds, stream)
        if row is None:
            return None
        return f"{self.name}/{video_place(record.video_id)}#{index.fragment(row)}"

    def quarantine(self, video_id: str, commit: str, error: LibraryError) -> None:
        """Leave a damaged version out of `read` and `survey` from now on, with one warning."""
        with self._lock:
            is_new = self._quarantined.get(video_id, ("", None))[0] != commit or video_id not in self._quarantined
            self._quarantined[video_id] = commit, error
        if is_new:
            _log.warning("%s; it is left out, the other videos are used", error)

    def verify(self, *, deep: bool = False) -> Iterator[Damage]:
        """Check every stored file; yield each damaged one.

        Args:
            deep: Read every file and compare checksums. Otherwise only `video.json`, names and sizes are checked.

        Raises:
            LibraryError: The library as a whole cannot be read.
        """
        if reason := self._format_damage():
            yield Damage(LIBRARY, reason)
        committed, damaged = self._survey(self._video_ids())
        for video_id, error in sorted(damaged.items()):
            yield Damage(f"{video_place(video_id)}/{CURRENT}", str(error), video_id)
        for _, one in sorted(committed.items()):
            if self.is_current(one.record):  # else it was replaced meanwhile
                yield from self._verify_version(one, deep)

    # Writing

    @abstractmethod
    def create(self) -> None:
        """Make the library if it does not exist; clean up after killed processes.

        Raises:
            LibraryError: It cannot be written.
        """

    @abstractmethod
    def identities(self) -> FileIdentities:
        """Open the table of content identities of the media files that this machine read before."""

    @abstractmethod
    def stored_path(self, path: Path) -> str:
        """Return a file's path in the form in which records keep it."""

    @abstractmethod
    def absolute_path(self, stored: str) -> Path:
        """Return the current absolute path for a stored one."""

    @abstractmethod
    def update_paths(
        self, video_id: str, *, add: Collection[str] = (), drop: Collection[str] = ()
    ) -> VideoRecord | None:
        """Change the paths of a video; its version stays the same.

        Args:
            video_id: The video.
            add: Paths from `stored_path`.
            drop: The same.

        Returns:
            The new record; None if no path is left, which removes the video.

        Raises:
            LibraryError: The library cannot be written.
        """

    @abstractmethod
    def update_metadata(self, video_id: str, metadata: Metadata) -> VideoRecord | None:
        """Replace the metadata of a video; its version stays the same.

        Returns:
            The new record; None if the video is not committed.

        Raises:
            LibraryError: The library cannot be written.
        """

    @abstractmethod
    def remove(self, video_id: str) -> None:
        """Remove a video, if it is there; its media file is not touched.

        Raises:
            LibraryError: The library cannot be written.
        """

    @abstractmethod
    def local_copy(self, video_id: str) -> AbstractContextManager["LocalStorage"]:
        """Open storage on this machine's disk that holds one video; a commit made there reaches this library.

        Raises:
            LibraryError: The library cannot be read or written.
        """

    # Shared by the backends

    def _video_ids(self) -> list[str]:
        """The folders that look like a video's, sorted."""
        return [name for name, size in self._files.list(VIDEOS).items() if size is None and is_video_id(name)]

    def _survey(self, video_ids: Collection[str]) -> tuple[dict[str, CommittedVideo], dict[str, LibraryError]]:
        contents = self._files.read_many([f"{VIDEOS}/{video_id}/{CURRENT}" for video_id in video_ids])
        committed: dict[str, CommittedVideo] = {}
        damaged: dict[str, LibraryError] = {}
        for video_id, content in zip(video_ids, contents, strict=True):
            if isinstance(content, LibraryError):
                damaged[video_id] = content
            elif content is not None:
                try:
                    committed[video_id] = self._parsed(video_id, content)
                except LibraryError as error:
                    damaged[video_id] = error
        return committed, damaged

    def _current(self, video_id: str) -> CommittedVideo | None:
        content = self._files.read(f"{video_place(video_id)}/{CURRENT}")
        return None if content is None else self._parsed(video_id, content)

    def _parsed(self, video_id: str, content: bytes) -> CommittedVideo:
        try:
            return CommittedVideo.parse(video_id, content)
        except ValueError as error:
            raise self._damaged(video_id, f"{CURRENT}: {error}") from error

    def _at(self, record: VideoRecord, name: str) -> str:
        return f"{video_place(record.video_id)}/{version_name(record.commit)}/{name}"

    def _check(self, record: VideoRecord, committed: CommittedVideo, name: str, content: bytes | None) -> None:
        try:
            check_content(name, content, committed.files[name])
        except ValueError as error:
            self._raise_unless_current(record)
            raise self._damaged(record.video_id, str(error)) from error

    def _raise_unless_current(self, record: VideoRecord) -> None:
        if not self.is_current(record):
            raise VersionGoneError(f"{self.name}/{video_place(record.video_id)} was replaced or removed: run again")

    def _damaged(self, video_id: str, reason: str) -> DamagedError:
        reason = " ".join(reason.split())[:_LONGEST_REASON]
        return DamagedError(
            f"{self.name}/{video_place(video_id)} is damaged ({reason}): run `playhead repair`, which indexes its video again"
        )

    def _keyframe_index(self, record: VideoRecord) -> KeyframeIndex:
        key = record.video_id, record.commit
        if (known := self._indexes.get(key)) is not None:
            return known
        committed = self.manifest(record)
        facts = committed.files.get(KEYFRAMES)
        if facts is None:
            return self._remember(record, KeyframeIndex.empty())
        try:
            index = read_index(facts.size, partial(self._keyframe_bytes, record))
        except ValueError as error:
            raise self._damaged(record.video_id, str(error)) from error
        return self._remember(record, index)

    def _remember(self, record: VideoRecord, index: KeyframeIndex) -> KeyframeIndex:
        with self._lock:
            while len(self._indexes) >= _INDEXES_KEPT:
                del self._indexes[next(iter(self._indexes))]
            self._indexes[record.video_id, record.commit] = index
        return index

    def _picture(self, record: VideoRecord, index: KeyframeIndex, row: int) -> Keyframe:
        try:
            return read_picture(index, row, partial(self._keyframe_bytes, record))
        except ValueError as error:
            raise self._damaged(record.video_id, str(error)) from error

    def _keyframe_bytes(self, record: VideoRecord, start: int, end: int) -> bytes:
        content = self._files.read_range(self._at(record, KEYFRAMES), start, end)
        if content is None:
            self._raise_unless_current(record)
            raise self._damaged(record.video_id, f"{KEYFRAMES} is missing")
        return content

    def _verify_version(self, committed: CommittedVideo, deep: bool) -> Iterator[Damage]:
        record = committed.record
        place = f"{video_place(record.video_id)}/{version_name(record.commit)}"
        sizes = self._files.list(place)
        for name, facts in sorted(committed.files.items()):
            try:
                if deep:
                    check_content(name, self._files.read(f"{place}/{name}"), facts)
                elif sizes.get(name) != facts.size:
                    raise ValueError(f"{sizes.get(name, 'no')} bytes instead of {facts.size}")
            except (ValueError, LibraryError) as error:
                if self.is_current(record):
                    yield Damage(f"{place}/{name}", str(error).removeprefix(f"{name} "), record.video_id)
        try:
            copy = self._files.read(f"{place}/{CURRENT}")
            if copy is None or CommittedVideo.parse(record.video_id, copy).files != committed.files:
                raise ValueError("the copy of the record is missing or differs")
        except (ValueError, LibraryError) as error:
            if self.is_current(record):
                yield Damage(f"{place}/{CURRENT}", str(error), record.video_id)

    def _format_damage(self) -> str:
        """What is wrong with `library.json`; empty: nothing.

        Raises:
            LibraryError: The library has another format.
        """
        content = self._files.read(LIBRARY)
        if content is None:
            return "it is missing" if self._files.list(VIDEOS) else ""
        try:
            version = unseal(content)["format"]
        except (ValueError, KeyError, TypeError, RecursionError):
            version = _first_format(content)
        if type(version) is not int or version < 1:
            return "it is damaged"
        if version < FORMAT:
            raise LibraryError(
                f"library {self.name} has format {version}, which this Playhead does not read (it reads {FORMAT}): "
                "delete it, or choose another folder, and index again"
            )
        if version > FORMAT:
            raise LibraryError(
                f"library {self.name} has format {version}, this Playhead reads {FORMAT}: "
                "upgrade Playhead (pip install --upgrade playhead), or index into another folder"
            )
        return ""


def _first_format(content: bytes) -> object:
    """The format of a library of the first version, whose `library.json` has no checksum; None if it is another file."""
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return value["format"] if value == {"format": 1} else None
