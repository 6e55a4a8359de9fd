"""A library on a disk. Several processes may read and write it at once.

library/
    library.json                 format number
    videos/<video_id>/           committed videos: see `index.storage.committed.versions`
    staging/                     videos being written: see `index.storage.staging`
    derived/                     search index and caches; can be deleted at any time
    lock                         held for a moment by the process that publishes or removes a video
"""

import fcntl
import os
import shutil
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ...tools.errors import LibraryError
from ...tools.media.metadata.records import Metadata
from ..records import VideoRecord
from .backend import LIBRARY, Damage, StorageBackend
from .committed.keyframes import pack_keyframes
from .committed.versions import (
    CURRENT,
    FORMAT,
    VIDEOS,
    CommittedVideo,
    DamagedError,
    FileFacts,
    is_data_file,
    version_name,
    video_place,
)
from .files.atomic import flush, write_bytes, writing
from .files.local import LocalFiles
from .files.sealed import seal
from .identity import FileIdentities
from .journal import CAPTIONS
from .staging import claim, delete, delete_versions, forget, has_results, strip, sweep

__all__ = ["CommittedMeanwhileError", "LocalStorage"]

_VERSION = "version"  # of a staging folder: what becomes the version's folder
_Stamp = tuple[int, int, int]


class CommittedMeanwhileError(LibraryError):
    """Another process committed or removed a video while this one worked at it."""


class LocalStorage(StorageBackend):
    """The committed videos of a library on a disk. Threads and processes may share it."""

    holds_every_file = True

    def __init__(self, folder: Path) -> None:
        """Name the library's folder; it need not exist before something is written.

        Raises:
            LibraryError: It is something else, or a library of another format.
        """
        self.folder = Path(os.path.abspath(Path(folder).expanduser()))
        super().__init__(LocalFiles(self.folder))
        self.videos_folder = self.folder / VIDEOS
        self.derived_folder = self.folder / "derived"
        self._staging = self.folder / "staging"
        self._parsed_files: dict[str, tuple[_Stamp, CommittedVideo]] = {}
        self._check_is_library()

    def __repr__(self) -> str:
        return f"LocalStorage({str(self.folder)!r})"

    def create(self) -> None:
        """As `StorageBackend.create`. A damaged `library.json` is written again."""
        self._check_is_library()
        with writing(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            if self._format_damage() or not (self.folder / LIBRARY).exists():
                write_bytes(self.folder / LIBRARY, seal({"format": FORMAT}))
            for folder in (self.videos_folder, self.derived_folder, self._staging):
                folder.mkdir(exist_ok=True)
            with self._locked():
                sweep(self._staging, self.videos_folder)

    def identities(self) -> FileIdentities:
        """The content identities of media files that were read before."""
        return FileIdentities(self.derived_folder / "files.sqlite")

    def version_folder(self, record: VideoRecord) -> Path:
        """The folder of a version's data files."""
        return self.folder / video_place(record.video_id) / version_name(record.commit)

    @contextmanager
    def staged(self, video_id: str, *, fresh: bool = False) -> Iterator[Path]:
        """Open a staging folder for the files of one video.

        It holds the results of an earlier run of the same video that was stopped, or that indexed a window of it
        (`index.storage.journal`), nothing else. In these cases this run's results stay for the next, too.

        Args:
            video_id: The video.
            fresh: Ignore the results of earlier runs, and leave none.
        """
        with writing(self.folder), self._locked():
            folder, lock = claim(self._staging, video_id, fresh)
        try:
            yield folder
        finally:
            with suppress(OSError):
                if fresh or not has_results(folder):
                    delete(folder)
                else:
                    strip(folder)
            lock.close()  # last: from now on another process may claim the folder

    def commit(self, staged: Path, record: VideoRecord, *, instead_of: str | None = None) -> VideoRecord:
        """Publish a staging folder as the current version of its video.

        Readers see the previous version until the last step, the rename of `video.json`, and the new one after it.

        Args:
            staged: From `staged`.
            record: The video.
            instead_of: The commit that it was made from, empty for none; None: replace any.

        Returns:
            The record as committed, with the paths that other processes added meanwhile.

        Raises:
            CommittedMeanwhileError: The current commit is not the one that it was made from.
            LibraryError: The disk fails; the previous version stays current.
        """
        with writing(self.folder):
            committed = self._written_version(staged, record)
            with self._locked():
                committed = self._published(staged / _VERSION, committed, instead_of)
                with suppress(OSError):
                    forget(self._staging, record.video_id)
                    if record.info.windows:  # another window is added to these results
                        strip(staged)
                    else:
                        delete(staged)
        return committed.record

    def drop_replaced(self, video_id: str, grace_seconds: float) -> None:
        """Delete the versions of a video that were replaced longer ago than this."""
        with writing(self.folder), self._locked():
            delete_versions(self.folder / video_place(video_id), older_than=time.time() - grace_seconds)

    def update_paths(
        self, video_id: str, *, add: Collection[str] = (), drop: Collection[str] = ()
    ) -> VideoRecord | None:
        """As `StorageBackend.update_paths`."""
        with writing(self.folder), self._locked():
            before = self._current(video_id)
            if before is None:
                return None  # another process removed it
            paths = before.record.paths_with(add, drop)
            if not paths:
                self._delete(video_id)
                return None
            record = before.record.model_copy(update={"paths": paths})
            if record != before.record:
                self._write_current(before.with_record(record))
        return record

    def update_metadata(self, video_id: str, metadata: Metadata) -> VideoRecord | None:
        """As `StorageBackend.update_metadata`."""
        with writing(self.folder), self._locked():
            before = self._current(video_id)
            if before is None:
                return None
            record = before.record.model_copy(update={"metadata": metadata})
            if record != before.record:
                self._write_current(before.with_record(record))
        return record

    def remove(self, video_id: str) -> None:
        """As `StorageBackend.remove`."""
        with writing(self.folder), self._locked():
            forget(self._staging, video_id)
            self._delete(video_id)

    @contextmanager
    def local_copy(self, video_id: str) -> Iterator["LocalStorage"]:  # noqa: ARG002 (this library is on the disk)
        """As `StorageBackend.local_copy`: this library itself."""
        yield self

    def stored_path(self, path: Path) -> str:
        """As `StorageBackend.stored_path`: relative to the library's parent if below it, so that both can move."""
        absolute, base = os.path.abspath(path), f"{self.folder.parent}{os.sep}"
        return absolute.removeprefix(base).replace(os.sep, "/")

    def absolute_path(self, stored: str) -> Path:
        """As `StorageBackend.absolute_path`."""
        return self.folder.parent / stored

    def file_of(self, record: VideoRecord) -> Path:
        """The first of a video's media files that exists, else the first one noted."""
        paths = [self.absolute_path(stored) for stored in record.paths]
        return next((path for path in paths if os.path.exists(path)), paths[0])

    def restore(self, damage: Damage) -> bool:
        """Restore a damaged file from what is stored twice; whether that was possible.

        `library.json` is written again. `video.json` and its copy in the version's folder are restored from each
        other, if the data files are intact.

        Raises:
            LibraryError: The library cannot be written.
        """
        if damage.name == LIBRARY:
            with writing(self.folder):
                write_bytes(self.folder / LIBRARY, seal({"format": FORMAT}))
            return True
        place = self.folder / video_place(damage.video_id)
        with writing(self.folder), self._locked():
            if damage.name == f"{video_place(damage.video_id)}/{CURRENT}":
                return self._restored_current(place)
            if damage.name.endswith(f"/{CURRENT}") and (current := self._current(damage.video_id)):
                write_bytes(self.version_folder(current.record) / CURRENT, current.sealed())
                return True
        return False

    def _restored_current(self, place: Path) -> bool:
        """Write `video.json` again from the newest intact version."""
        intact: list[CommittedVideo] = []
        for copy in place.glob(f"v-*/{CURRENT}"):
            with suppress(ValueError, OSError):
                version = CommittedVideo.parse(place.name, copy.read_bytes())
                if copy.parent.name == version_name(version.record.commit) and self._is_intact(version):
                    intact.append(version)
        if not intact:
            return False
        newest = max(
            intact, key=lambda one: (one.record.indexed_at, self.version_folder(one.record).stat().st_mtime_ns)
        )
        self._write_current(newest)
        return True

    def _is_intact(self, version: CommittedVideo) -> bool:
        folder = self.version_folder(version.record)
        try:
            return all(FileFacts.of((folder / name).read_bytes()) == facts for name, facts in version.files.items())
        except OSError:
            return False

    def _written_version(self, staged: Path, record: VideoRecord) -> CommittedVideo:
        """Move the data files of a staging folder into a version's folder there; at the end they are on the disk."""
        pack_keyframes(staged)
        names = sorted(entry.name for entry in staged.iterdir() if is_data_file(entry.name) and entry.is_file())
        version = staged / _VERSION
        version.mkdir()
        files = {}
        for name in names:
            if name == CAPTIONS:  # stays in staging, too: a run that is stopped now needs it
                shutil.copyfile(staged / name, version / name)
            else:
                os.replace(staged / name, version / name)
            flush(version / name)
            files[name] = FileFacts.of((version / name).read_bytes())
        committed = CommittedVideo(record=record, files=files)
        write_bytes(version / CURRENT, committed.sealed())
        return committed

    def _published(self, written: Path, committed: CommittedVideo, instead_of: str | None) -> CommittedVideo:
        """Make a version current; the lock is held."""
        record = committed.record
        place, version = self.folder / video_place(record.video_id), self.version_folder(record)
        before = None
        with suppress(DamagedError):
            before = self._current(record.video_id)
        if instead_of is not None and instead_of != (before.record.commit if before else ""):
            raise CommittedMeanwhileError(f"{place} was indexed or removed by another process: run again")
        if before:
            record = record.model_copy(update={"paths": before.record.paths_with(record.paths)})
        try:
            place.mkdir(parents=True, exist_ok=True)
            if version.exists() and not self._is_intact(committed):
                delete(version)  # a process was killed here, or the files are damaged
            if not version.exists():
                os.rename(written, version)
            flush(place)
            flush(self.videos_folder)
            self._write_current(committed.with_record(record))
        except BaseException:
            if not self._names(place, record.commit):
                delete(version)
                with suppress(OSError):
                    place.rmdir()  # if it is empty
            raise
        if before and before.record.commit != record.commit:
            with suppress(OSError):
                os.utime(self.version_folder(before.record))  # its grace period starts now
        return committed.with_record(record)

    def _write_current(self, committed: CommittedVideo) -> None:
        write_bytes(self.folder / video_place(committed.record.video_id) / CURRENT, committed.sealed())
        self._announce()

    def _announce(self) -> None:
        """Change the time of the folder `videos`: readers look at it to see whether something changed."""
        with suppress(OSError):
            os.utime(self.videos_folder)

    def _delete(self, video_id: str) -> None:
        """Remove a video; the lock is held."""
        place = self.folder / video_place(video_id)
        try:
            (place / CURRENT).unlink()
        except FileNotFoundError:
            return
        flush(place)
        self._announce()
        delete_versions(place, older_than=float("inf"))

    def _names(self, place: Path, commit: str) -> bool:
        """Whether a commit is current, as far as that can be read: its files must not be deleted then."""
        try:
            content = (place / CURRENT).read_bytes()
        except FileNotFoundError:
            return False
        except OSError:
            return True
        with suppress(ValueError):
            return CommittedVideo.parse(place.name, content).record.commit == commit
        return False

    def _current(self, video_id: str) -> CommittedVideo | None:
        """As the base class; a `video.json` that did not change is not parsed again."""
        try:
            facts = os.stat(self.folder / video_place(video_id) / CURRENT)
        except OSError:
            return super()._current(video_id)
        stamp = facts.st_ino, facts.st_ctime_ns, facts.st_size
        known = self._parsed_files.get(video_id)
        if known and known[0] == stamp:
            return known[1]
        committed = super()._current(video_id)
        if committed:
            self._parsed_files[video_id] = stamp, committed
        return committed

    def _video_ids(self) -> list[str]:
        """As the base class; what was parsed of other videos is forgotten."""
        video_ids = super()._video_ids()
        for video_id in self._parsed_files.keys() - set(video_ids):
            self._parsed_files.pop(video_id, None)
        return video_ids

    def _survey(self, video_ids: Collection[str]) -> tuple[dict[str, CommittedVideo], dict[str, LibraryError]]:
        committed: dict[str, CommittedVideo] = {}
        damaged: dict[str, LibraryError] = {}
        for video_id in video_ids:
            try:
                if one := self._current(video_id):
                    committed[video_id] = one
            except LibraryError as error:
                damaged[video_id] = error
        return committed, damaged

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Exclude other processes that publish or remove videos; a process that is killed releases the lock."""
        with (self.folder / "lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _check_is_library(self) -> None:
        if self.folder.exists() and not self.folder.is_dir():
            raise LibraryError(f"{self.folder} is a file, not a library folder: choose another folder for the library")
        self._format_damage()  # raises for another format
        names = [name for name in self._files.list() if not name.startswith((".", LIBRARY))]
        if names and not (self.folder / LIBRARY).exists() and not self._video_ids():
            raise LibraryError(
                f"{self.folder} is a folder of something else, not a library: choose another folder for the library"
            )
