"""A library on disk: one folder a video, made in staging and committed by a rename. All else is derived.

library/
  library.json                 format version
  videos/<video_id>/           committed whole, or not there
    video.json  observations.parquet  vectors.text.npy  vectors.image.npy  captions.jsonl  keyframes/*.webp
  staging/                     being written, or left by a process that was killed: see `index.storage.staging`
  derived/                     FAISS indexes and catalog.sqlite: rebuilt when stale
  lock                         held by whoever changes which videos there are, for that moment
"""

import fcntl
import hashlib
import json
import os
import stat
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ...tools.errors import LibraryError, MediaError
from ..records import VideoRecord
from .atomic_files import flush, write_text, writing
from .keyframes import KEYFRAMES
from .staging import aside, claim, delete, finish, forget, is_noted, strip, sweep
from .table import ObservationTable, damaged, read

__all__ = ["FORMAT", "CommittedMeanwhileError", "LocalStorage", "content_id", "read_table", "writing"]

FORMAT = 1

_FORMAT = "library.json"  # while it is written it has a longer name
_BLOCK = 1 << 16
_BLOCKS = 16


def content_id(path: Path) -> str:
    """Identity of a file by its content: 32 hex digits.

    A BLAKE2b hash of the size and of 16 blocks of 64 KiB spread evenly from the first byte to the
    last (the whole file up to 1 MiB). Files that differ only between the blocks, with the same size,
    would be taken for one; encoded video does not do that.

    Raises:
        MediaError: The file cannot be read.
    """
    digest = hashlib.blake2b(digest_size=16)
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise MediaError(f"{path} is no file but a folder, pipe or device: give a video file")
        size = path.stat().st_size
        digest.update(size.to_bytes(8, "big"))
        with path.open("rb") as file:
            if size <= _BLOCK * _BLOCKS:
                digest.update(file.read())
            else:
                for number in range(_BLOCKS):
                    file.seek((size - _BLOCK) * number // (_BLOCKS - 1))
                    digest.update(file.read(_BLOCK))
    except OSError as error:
        raise MediaError(
            f"{path} cannot be read ({error.strerror}): check that it exists and its permissions"
        ) from error
    return digest.hexdigest()


class CommittedMeanwhileError(LibraryError):
    """Another process committed or removed a video while this one worked at it."""


class LocalStorage:
    """The committed videos of one library. Several processes may use it at once."""

    holds_every_file = True

    def __init__(self, folder: Path) -> None:
        """Name the library's folder; it need not exist before something is written.

        Raises:
            LibraryError: It is something else, or a library of a newer format. (A damaged `library.json`
                is told by what reads it, for `create` can mend it.)
        """
        self.folder = Path(os.path.abspath(Path(folder).expanduser()))
        self.videos_folder = self.folder / "videos"
        self.derived_folder = self.folder / "derived"
        self._staging = self.folder / "staging"
        self._format_file = self.folder / _FORMAT
        self._damage = self._check_format()

    def create(self, mend: bool = False) -> None:
        """Make the folders of a new library, and clean up after processes that were killed.

        Args:
            mend: Write a damaged `library.json` anew.

        Raises:
            LibraryError: They cannot be written, or the library is damaged.
        """
        if self._damage and not mend:
            raise LibraryError(self._damage)
        with writing(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            if self._damage or not self._format_file.exists():
                write_text(self._format_file, json.dumps({"format": FORMAT}) + "\n")
            self._damage = ""
            for folder in (self.videos_folder, self.derived_folder, self._staging):
                folder.mkdir(exist_ok=True)
            with self._alone():
                sweep(self._staging, self.videos_folder)

    def read(self) -> dict[str, VideoRecord]:
        """All committed videos by their id.

        Raises:
            LibraryError: A record is damaged or of a newer format.
        """
        records, broken = self.survey()
        for error in broken.values():
            raise error
        return records

    def survey(self) -> tuple[dict[str, VideoRecord], dict[str, LibraryError]]:
        """The committed videos by their id, and what is wrong with those that cannot be read.

        Raises:
            LibraryError: The library as a whole cannot be read.
        """
        if self._damage:
            raise LibraryError(self._damage)
        records: dict[str, VideoRecord] = {}
        broken: dict[str, LibraryError] = {}
        try:
            folders = sorted(self.videos_folder.iterdir()) if self.videos_folder.is_dir() else []
        except OSError as error:
            raise _unreadable(self.folder, error) from error
        for folder in folders:
            try:
                records[folder.name] = self._record(folder)
            except (FileNotFoundError, NotADirectoryError):
                continue  # another process replaces it at this moment, or it is none of ours
            except LibraryError as error:
                broken[folder.name] = error
        return records, broken

    def table(self, record: VideoRecord) -> ObservationTable:
        """What was perceived in a committed video.

        Raises:
            LibraryError: Its folder is damaged.
        """
        return read_table(self.videos_folder / record.video_id, record)

    def record(self, video_id: str) -> VideoRecord | None:
        """What is committed of a video at this moment; None: nothing.

        Raises:
            LibraryError: Its record is damaged.
        """
        with suppress(FileNotFoundError, NotADirectoryError):
            return self._record(self.videos_folder / video_id)
        return None

    def is_current(self, record: VideoRecord) -> bool:
        """Whether a record is still what is committed: another process may have replaced or removed it."""
        now = self.record(record.video_id)
        return now is not None and now.commit == record.commit

    @contextmanager
    def staged(self, video_id: str, *, fresh: bool = False) -> Iterator[Path]:
        """A folder to write one video's index into.

        It holds nothing but what was noted of the same video (`index.indexing.journal`) where an earlier run was stopped. If this
        one is stopped or breaks off, that is kept for the next.

        Args:
            video_id: The video.
            fresh: Leave alone what an earlier run noted, and nothing behind.
        """
        with writing(self.folder), self._alone():
            folder, lock = claim(self._staging, video_id, fresh)
        try:
            yield folder
        finally:
            if fresh or not is_noted(folder):
                delete(folder)
            else:
                strip(folder)
            lock.close()  # last: another process may claim the folder from now on

    def committed(self, video_id: str) -> tuple[VideoRecord, ObservationTable] | None:
        """What is committed of a video, whole, also while another process replaces it; None: nothing.

        Raises:
            LibraryError: It is damaged.
        """
        while record := self.record(video_id):
            try:
                perceived = self.table(record)
            except LibraryError:
                if self.is_current(record):
                    raise
            else:
                if self.is_current(record):
                    return record, perceived
        return None

    @contextmanager
    def local_copy(self, video_id: str) -> Iterator["LocalStorage"]:  # noqa: ARG002 (as of a library that is elsewhere)
        """A library on disk with what is committed of a video: this one."""
        yield self

    def commit(self, staged: Path, record: VideoRecord, *, instead_of: str | None = None) -> VideoRecord:
        """Put a staged folder in its place, instead of what was there for this video.

        Args:
            staged: From `staged`.
            record: The video.
            instead_of: The commit that it is made from, empty if from none; None: whatever is there is replaced.

        Returns:
            The record as committed: with the paths that other processes noted meanwhile.

        Raises:
            CommittedMeanwhileError: Another commit is there than the one that it is made from.
            LibraryError: The disk does not take it; what was there before stays.
        """
        target = self.videos_folder / record.video_id
        old = aside(self._staging, "old", record.video_id)
        with writing(self.folder):
            for file in (*staged.glob("*.*"), *staged.glob(f"{KEYFRAMES}/*"), *staged.glob(KEYFRAMES), staged):
                flush(file)
            with self._alone():
                before = None
                with suppress(OSError, LibraryError):
                    before = self._record(target)
                if instead_of is not None and instead_of != (before.commit if before else ""):
                    raise CommittedMeanwhileError(f"{target} was indexed or removed by another process: run again")
                if before:
                    record = record.model_copy(update={"paths": before.paths_with(record.paths)})
                write_text(staged / "video.json", record.model_dump_json(indent=2) + "\n")
                if target.exists():
                    target.rename(old)
                try:
                    staged.rename(target)  # killed before this line: `sweep` puts the old one back
                except OSError:
                    if old.exists():
                        old.rename(target)
                    raise
                finish(target)
                flush(self.videos_folder)
                forget(self._staging, record.video_id)
        return record

    def update_paths(
        self, video_id: str, *, add: Collection[str] = (), drop: Collection[str] = ()
    ) -> VideoRecord | None:
        """Note where files with a video's content lie; nothing that was perceived changes.

        Args:
            video_id: The video.
            add: Paths from `stored_path`.
            drop: The same.

        Returns:
            The record now; None if no path was left: then the video leaves the library.

        Raises:
            LibraryError: The disk does not allow it.
        """
        with writing(self.folder), self._alone():
            folder = self.videos_folder / video_id
            try:
                before = self._record(folder)
            except FileNotFoundError:
                return None  # another process removed it
            paths = before.paths_with(add, drop)
            if not paths:
                self._take_out(video_id)
                return None
            after = before.model_copy(update={"paths": paths})
            if after != before:
                write_text(folder / "video.json", after.model_dump_json(indent=2) + "\n")
                os.utime(self.videos_folder)  # so an open search sees it
        return after

    def remove(self, video_id: str) -> None:
        """Take a video out of the library; its file is not touched.

        Raises:
            LibraryError: The disk does not allow it.
        """
        with writing(self.folder), self._alone():
            self._take_out(video_id)

    def stored_path(self, path: Path) -> str:
        """A file's path as kept: relative to the library's parent if below it, so that both can move together."""
        path, base = Path(os.path.abspath(path)), self.folder.parent
        return path.relative_to(base).as_posix() if path.is_relative_to(base) else str(path)

    def absolute_path(self, stored: str) -> Path:
        """Where a stored path lies now."""
        return self.folder.parent / stored

    def file_of(self, record: VideoRecord) -> Path:
        """The first of a video's files that exists, else the first one noted."""
        paths = [self.absolute_path(stored) for stored in record.paths]
        return next((path for path in paths if os.path.exists(path)), paths[0])

    def _check_format(self) -> str:
        """What is wrong with `library.json`; empty: nothing."""
        damage = f"{self._format_file} is damaged or missing: index again with `force`, which writes a new one"
        try:
            if self.folder.exists() and not self.folder.is_dir():
                raise LibraryError(
                    f"{self.folder} is a file, not a library folder: choose another folder for the library"
                )
            if self._format_file.exists():
                version = json.loads(self._format_file.read_bytes())["format"]
            elif any(self.videos_folder.glob("*/video.json")):
                return damage
            elif self.folder.is_dir() and any(
                not entry.name.startswith((".", _FORMAT)) for entry in self.folder.iterdir()
            ):
                raise LibraryError(
                    f"{self.folder} is a folder of something else, not a library: choose another folder for the library"
                )
            else:
                return ""
        except OSError as error:
            raise _unreadable(self.folder, error) from error
        except (ValueError, KeyError, TypeError, RecursionError):
            return damage
        if type(version) is not int or version < 1:
            return damage
        if version > FORMAT:
            raise LibraryError(
                f"library {self.folder} has format {version}, this Playhead reads up to {FORMAT}: "
                "upgrade Playhead (pip install --upgrade playhead), or index into another folder"
            )
        return ""

    def _record(self, folder: Path) -> VideoRecord:
        try:
            record = VideoRecord.model_validate_json((folder / "video.json").read_bytes())
        except ValueError as error:
            raise damaged(folder) from error
        except (FileNotFoundError, NotADirectoryError):
            raise
        except OSError as error:
            raise _unreadable(folder, error) from error
        if record.video_id != folder.name:
            raise damaged(folder)
        return record

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Nobody else changes which videos there are meanwhile; the system lets go of the lock if we are killed."""
        with (self.folder / "lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _take_out(self, video_id: str) -> None:
        self._staging.mkdir(exist_ok=True)
        forget(self._staging, video_id)
        gone = aside(self._staging, "gone", video_id)
        with suppress(FileNotFoundError):  # another process was first
            (self.videos_folder / video_id).rename(gone)
        delete(gone)


def read_table(folder: Path, record: VideoRecord) -> ObservationTable:
    """What was perceived in a video, from its files.

    Raises:
        LibraryError: They are damaged, or do not belong to the record.
    """
    perceived = read(folder)
    for embedding_id, vectors in (
        (record.text_embedding_id, perceived.text_vectors),
        (record.image_embedding_id, perceived.image_vectors),
    ):
        if bool(embedding_id) != bool(vectors.size):
            raise damaged(folder)
    return perceived


def _unreadable(place: Path, error: OSError) -> LibraryError:
    return LibraryError(f"{place} cannot be read ({error.strerror}): check its permissions")
