"""A library below a URL: on object storage or another shared path. Videos are pushed to it and pulled from it.

The layout is that of a library on a disk, with absolute paths of media files. A version is uploaded beside the current
one; then `video.json` is replaced by one upload. Everything read there is untrusted.
"""

import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ...tools.errors import LibraryError
from ...tools.media.metadata.records import Metadata
from ...tools.settings import cache_folder
from ..records import VideoRecord
from .backend import LIBRARY, StorageBackend, VersionGoneError
from .committed.table import parse_table
from .committed.versions import (
    CURRENT,
    FORMAT,
    VIDEOS,
    CommittedVideo,
    DamagedError,
    check_content,
    version_name,
    video_place,
)
from .files.atomic import write_bytes, writing
from .files.sealed import seal
from .files.url import RemoteError, UrlFiles
from .identity import FileIdentities
from .journal import carry_captions, digest
from .local import LocalStorage

__all__ = ["DamagedRemoteError", "Pulled", "UrlStorage"]

# Seconds to wait before each try to read a video that another process replaces.
_PAUSES = (0.0, 0.5, 2.0)


class DamagedRemoteError(RemoteError, DamagedError):
    """The stored files of one video below a URL are damaged."""


@dataclass(frozen=True)
class Pulled:
    """The outcome of pulling one video.

    Attributes:
        video_id: The video.
        state: `pulled`, `unchanged` (since it was pulled or pushed), or `failed`.
        detail: The reason, for `failed`.
        record: The record in the local library, except for `failed`.
    """

    video_id: str
    state: Literal["pulled", "unchanged", "failed"]
    detail: str = ""
    record: VideoRecord | None = None

    @property
    def has_failed(self) -> bool:
        """Whether the video could not be pulled."""
        return self.state == "failed"

    @property
    def path(self) -> Path:
        """The media file, on whatever machine it was indexed; for a failed video, its id."""
        return self.record.info.path if self.record else Path(self.video_id)


class UrlStorage(StorageBackend):
    """The committed videos of a library below a URL.

    Several processes may use it at once, but two must not push the same video: object storage has no locks.
    """

    holds_every_file = False
    _files: UrlFiles

    def __init__(self, url: str) -> None:
        """Name a library; it need not exist before something is pushed.

        Args:
            url: As `UrlFiles` takes it; that class also says which other errors are raised.

        Raises:
            LibraryError: It cannot be read, holds something else, or has another format.
        """
        super().__init__(UrlFiles(url))
        self._exists = False
        self._check_exists()

    def __repr__(self) -> str:
        return f"UrlStorage({self.name!r})"

    def create(self) -> None:
        """As `StorageBackend.create`."""
        if not self._check_exists():
            self._files.write(LIBRARY, seal({"format": FORMAT}))

    def identities(self) -> FileIdentities:
        """The content identities of this machine's media files that were read before."""
        return FileIdentities(cache_folder() / "remote-files" / f"{digest(self.name)}.sqlite")

    def stored_path(self, path: Path) -> str:
        """As `StorageBackend.stored_path`: absolute."""
        return str(Path(path).absolute())

    def absolute_path(self, stored: str) -> Path:
        """As `StorageBackend.absolute_path`."""
        return Path(stored)

    def update_paths(
        self, video_id: str, *, add: Collection[str] = (), drop: Collection[str] = ()
    ) -> VideoRecord | None:
        """As `StorageBackend.update_paths`."""
        if (before := self._current(video_id)) is None:
            return None
        paths = before.record.paths_with(add, drop)
        if not paths:
            self.remove(video_id)
            return None
        record = before.record.model_copy(update={"paths": paths})
        if record != before.record:
            self._write_current(before.with_record(record))
        return record

    def update_metadata(self, video_id: str, metadata: Metadata) -> VideoRecord | None:
        """As `StorageBackend.update_metadata`."""
        if (before := self._current(video_id)) is None:
            return None
        record = before.record.model_copy(update={"metadata": metadata})
        if record != before.record:
            self._write_current(before.with_record(record))
        return record

    def remove(self, video_id: str) -> None:
        """As `StorageBackend.remove`."""
        place = video_place(video_id)
        self._files.remove(place, [CURRENT])
        self._files.remove_folder(place)

    @contextmanager
    def local_copy(self, video_id: str) -> Iterator[LocalStorage]:
        """As `StorageBackend.local_copy`: in the cache folder; a commit is pushed at the end."""
        local = LocalStorage(cache_folder() / "remote" / digest(self.name))
        local.create()
        base = self._fetched(local, video_id)
        yield local
        record = local.record(video_id)
        if record and record.commit != base:
            if self._commit_of(video_id) != base:
                raise RemoteError(f"{self.name}/{video_place(video_id)} was replaced by another process: run again")
            self.push(local, record)
        local.remove(video_id)
        _base_note(local, video_id).unlink(missing_ok=True)

    def push(self, local: LocalStorage, record: VideoRecord) -> None:
        """Upload a committed video; it replaces the version there in one step at the end.

        A push that breaks off leaves the previous version, and the next push completes it. Of a version that is there
        already, only files that are missing or have another size are uploaded.

        Args:
            local: The library in which it is committed.
            record: The video.

        Raises:
            LibraryError: The files there cannot be written, or the version is not current in the local library.
        """
        committed = local.manifest(record)
        if not local.is_current(record):
            raise VersionGoneError(
                f"{local.version_folder(record)} was replaced or removed while it was pushed: run again"
            )
        place, name = video_place(record.video_id), version_name(record.commit)
        sizes = {one: facts.size for one, facts in committed.files.items()}
        self.create()
        there = self._files.list(f"{place}/{name}")
        missing = [one for one, size in sizes.items() if there.get(one) != size]
        self._files.upload(local.version_folder(record), f"{place}/{name}", [*missing, CURRENT])
        there = self._files.list(f"{place}/{name}")
        if not local.is_current(record):
            raise VersionGoneError(
                f"{local.version_folder(record)} was replaced or removed while it was pushed: run again"
            )
        if any(there.get(one) != size for one, size in sizes.items()):
            raise RemoteError(f"{self.name}/{place} was changed while it was pushed: run again")
        paths = tuple(str(local.absolute_path(path)) for path in record.paths)
        self._write_current(committed.with_record(record.model_copy(update={"paths": paths})))
        for other, size in self._files.list(place).items():
            if size is None and other != name:
                self._files.remove_folder(f"{place}/{other}")

    def pull(self, local: LocalStorage) -> Iterator[Pulled]:
        """Copy all videos whose commit differs into a local library; yield one outcome a video when it is done.

        A video replaces the version in the local library as a whole; a video that is only there stays. One that cannot
        be pulled does not stop the others.

        Args:
            local: The local library; it is made if it does not exist.

        Raises:
            LibraryError: There is no library at the URL, it cannot be listed, or the local library cannot be written.
        """
        if not self._check_exists():
            raise RemoteError(
                f"there is no library at {self.name}: check the URL, and the endpoint that fsspec is configured with"
            )
        local.create()
        mine, _ = local.survey()
        records, damaged = self.survey()
        for video_id in sorted(records.keys() | damaged.keys()):
            own = mine.get(video_id)
            if video_id in damaged:
                yield Pulled(video_id, "failed", str(damaged[video_id]))
            elif own and own.commit == records[video_id].commit:
                if own.metadata == records[video_id].metadata:
                    yield Pulled(video_id, "unchanged", record=own)
                else:
                    renewed = local.update_metadata(video_id, records[video_id].metadata)
                    yield Pulled(video_id, "pulled", record=renewed)
            else:
                yield self._pull(local, video_id)

    def _pull(self, local: LocalStorage, video_id: str) -> Pulled:
        try:
            return Pulled(video_id, "pulled", record=self._fetch(local, video_id))
        except RemoteError as error:
            return Pulled(video_id, "failed", str(error))

    def _fetch(self, local: LocalStorage, video_id: str) -> VideoRecord:
        """Download and commit a video; try again where another process replaces it meanwhile."""
        for pause in _PAUSES:
            time.sleep(pause)
            if (committed := self._current(video_id)) is None:
                continue
            with local.staged(video_id, fresh=True) as staged:
                try:
                    self._download(committed, staged)
                except RemoteError:
                    if self.is_current(committed.record):
                        raise
                    continue
                if self.is_current(committed.record):
                    with suppress(LibraryError):
                        if before := local.record(video_id):
                            carry_captions(local.version_folder(before), staged)
                    return local.commit(staged, self._with_paths_for(local, committed.record))
        raise RemoteError(f"{self.name}/{video_place(video_id)} is being replaced or was removed: pull again later")

    def _download(self, committed: CommittedVideo, folder: Path) -> None:
        record = committed.record
        self._files.download(
            f"{video_place(record.video_id)}/{version_name(record.commit)}", sorted(committed.files), folder
        )
        try:
            contents = {name: (folder / name).read_bytes() for name in committed.files}
            for name, content in contents.items():
                check_content(name, content, committed.files[name])
            parse_table(contents, record)
        except (ValueError, OSError) as error:
            raise self._damaged(record.video_id, str(error)) from error

    def _fetched(self, local: LocalStorage, video_id: str) -> str:
        """Have the video in the local library, unless a run that was killed left a newer version; return its commit."""
        base, note = self._commit_of(video_id), _base_note(local, video_id)
        is_newer = False
        with suppress(LibraryError):
            is_newer = local.record(video_id) is not None and note.exists() and note.read_text(encoding="utf-8") == base
        if not is_newer:
            local.remove(video_id)
            with writing(local.folder):
                write_bytes(note, base.encode())
            if base:
                self._fetch(local, video_id)
        return base

    def _with_paths_for(self, local: LocalStorage, record: VideoRecord) -> VideoRecord:
        """A record with paths as that library keeps them. Relative paths are of a library that was copied, not pushed."""
        base = Path(self._files.path).parent if self._files.is_local else local.folder.parent
        paths = dict.fromkeys(local.stored_path(base / path) for path in record.paths)
        return record.model_copy(update={"paths": tuple(paths)})

    def _commit_of(self, video_id: str) -> str:
        """The current commit; empty if there is none, or none that can be read."""
        with suppress(DamagedError):
            if record := self.record(video_id):
                return record.commit
        return ""

    def _write_current(self, committed: CommittedVideo) -> None:
        self._files.write(f"{video_place(committed.record.video_id)}/{CURRENT}", committed.sealed())
        self._files.touch_folder(VIDEOS)  # an open search of the shared path sees it

    def _check_exists(self) -> bool:
        """Whether there is a library; False if nothing is there.

        Raises:
            LibraryError: There is something else, or a damaged `library.json`.
        """
        if self._exists:
            return True
        damage = self._format_damage()
        if damage:
            raise RemoteError(
                f"{self.name}/{LIBRARY}: {damage}: upload the one of another library, or choose another folder"
            )
        if self._files.read(LIBRARY) is not None:
            self._exists = True
        elif any(not name.startswith((".", LIBRARY)) for name in self._files.list()):
            raise RemoteError(f"{self.name} holds other files than a library: choose another folder")
        return self._exists

    def _damaged(self, video_id: str, reason: str) -> DamagedRemoteError:
        reason = " ".join(reason.split())
        return DamagedRemoteError(
            f"{self.name}/{video_place(video_id)} is damaged ({reason[:200]}): index its video into it again with `force`"
        )


def _base_note(local: LocalStorage, video_id: str) -> Path:
    """A file that names the commit from which the local version of a video was made."""
    return local.folder / f"{video_id}.made-from"
