"""A library on object storage or another shared path: videos are pushed to it and pulled from it."""

import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ...tools.errors import LibraryError
from ...tools.settings import cache_folder
from ..records import VideoRecord
from .atomic_files import write_text, writing
from .journal import carry_captions, digest
from .local import LocalStorage, read_table
from .remote_layout import OBSERVATIONS, RECORD, VIDEO_FILE, RemoteVideos, folder_of
from .table import damaged
from .url_files import RemoteError

__all__ = ["Pulled", "UrlStorage"]

# Seconds to wait before each try to read a video that others write meanwhile.
_PAUSES = (0.0, 0.5, 2.0)


@dataclass(frozen=True)
class Pulled:
    """What became of one video of a remote library.

    Attributes:
        video_id: The video.
        state: `pulled`, `unchanged` (since it was pulled or pushed), or `failed`.
        detail: Why, for `failed`.
        record: The record in the library here, except for `failed`.
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
        """The file that was indexed, wherever that was; of a video that failed, its id."""
        return self.record.info.path if self.record else Path(self.video_id)


class UrlStorage(RemoteVideos):
    """A library below a URL. Several processes may use it at once, but two may not push the same video."""

    holds_every_file = False

    @contextmanager
    def local_copy(self, video_id: str) -> Iterator[LocalStorage]:
        """A library on this machine's disk that holds one video; what is committed there meanwhile is pushed at the end.

        Raises:
            LibraryError: The remote cannot be read or written, or the disk here does not allow it.
        """
        here = LocalStorage(cache_folder() / "remote" / digest(self.url))
        here.create()
        base = self._fetched(here, video_id)
        yield here
        record = here.record(video_id)
        if record and record.commit != base:
            if self._commit_of(video_id) != base:
                raise RemoteError(
                    f"{self.url}/{folder_of(video_id)} was replaced meanwhile by another process: run again"
                )
            self.push(here, record)
        here.remove(video_id)
        _made_from(here, video_id).unlink(missing_ok=True)

    def update_paths(
        self, video_id: str, *, add: Collection[str] = (), drop: Collection[str] = ()
    ) -> VideoRecord | None:
        """As `LocalStorage.update_paths`.

        Raises:
            LibraryError: The remote cannot be read or written, or the record is damaged.
        """
        if (before := self.record(video_id)) is None:
            return None
        paths = before.paths_with(add, drop)
        if not paths:
            self.remove(video_id)
            return None
        after = before.model_copy(update={"paths": paths})
        if after != before:
            self._write_record(after)
        return after

    def push(self, store: LocalStorage, record: VideoRecord) -> None:
        """Upload a committed video, in place of what is there of it.

        A push that breaks off leaves no video, or the same one; the next completes it. Of a commit that is there
        already, only files that are missing or not as long are uploaded.

        Args:
            store: The library it is committed in.
            record: The video.

        Raises:
            LibraryError: The remote cannot be written, or the video is not what is committed (any more).
        """
        here, place = store.videos_folder / record.video_id, folder_of(record.video_id)
        sizes = _sizes(here)
        self.create()
        before = None
        with suppress(LibraryError):  # damaged: it is replaced
            before = self.record(record.video_id)
        there: dict[str, int] = {}
        if before and before.commit == record.commit:
            there = self._sizes(record.video_id)
        else:
            self._files.remove(place, [RECORD])
        self._files.upload(here, place, [name for name in sizes if there.get(name) != sizes[name]])
        there = self._sizes(record.video_id)
        if previous := sorted(there.keys() - sizes.keys()):
            self._files.remove(place, previous)
        if not store.is_current(record):
            raise LibraryError(f"{here} was indexed anew or removed while it was pushed: run again")
        if any(there.get(name) != size for name, size in sizes.items()):
            raise RemoteError(f"{self.url}/{place} was changed while it was pushed: run again")
        paths = tuple(str(store.absolute_path(path)) for path in record.paths)
        self._write_record(record.model_copy(update={"paths": paths}))

    def pull(self, store: LocalStorage) -> Iterator[Pulled]:
        """Bring all videos whose commit differs into a library; yields one outcome a video as it is done.

        A video is committed whole, in place of what the library has of it; what is not on the remote stays. One that
        cannot be had does not keep the others.

        Args:
            store: The library here; it is made if it does not exist.

        Raises:
            LibraryError: There is no library at the URL, it cannot be listed, or the library here cannot be written.
        """
        if not self._is_there():
            raise RemoteError(
                f"there is no library at {self.url}: check the URL, and the endpoint that fsspec is configured with"
            )
        store.create()
        here, _ = store.survey()
        records, broken = self.survey()
        for video_id in sorted(records.keys() | broken.keys()):
            mine = here.get(video_id)
            if video_id in broken:
                yield Pulled(video_id, "failed", str(broken[video_id]))
            elif mine and mine.commit == records[video_id].commit:
                yield Pulled(video_id, "unchanged", record=mine)
            else:
                yield self._pull(store, video_id)

    def _pull(self, store: LocalStorage, video_id: str) -> Pulled:
        try:
            return Pulled(video_id, "pulled", record=self._fetch(store, video_id))
        except RemoteError as error:
            return Pulled(video_id, "failed", str(error))

    def _fetch(self, store: LocalStorage, video_id: str) -> VideoRecord:
        """Download and commit a video; again where another process pushes it meanwhile."""
        for pause in _PAUSES:
            time.sleep(pause)
            if (record := self.record(video_id)) is None:
                continue
            with store.staged(video_id, fresh=True) as staged:
                try:
                    self._download(record, staged)
                except RemoteError:
                    if self._is_current(record):
                        raise
                    continue
                if self._is_current(record):
                    carry_captions(store.videos_folder / video_id, staged)
                    return store.commit(staged, self._with_paths_for(store, record))
        raise RemoteError(f"{self.url}/{folder_of(video_id)} is being replaced or was removed: pull again later")

    def _download(self, record: VideoRecord, folder: Path) -> None:
        self._files.download(folder_of(record.video_id), sorted(self._sizes(record.video_id)), folder)
        try:
            read_table(folder, record)
        except LibraryError as error:
            raise self._damaged(record.video_id) from error

    def _fetched(self, here: LocalStorage, video_id: str) -> str:
        """Have what is there of a video here, unless a run that was killed made something newer of it; its commit."""
        base, made_from = self._commit_of(video_id), _made_from(here, video_id)
        try:
            mine = here.record(video_id)
            is_newer = mine is not None and made_from.exists() and made_from.read_text(encoding="utf-8") == base
        except LibraryError:
            is_newer = False
        if not is_newer:
            here.remove(video_id)
            with writing(here.folder):
                write_text(made_from, base)
            if base:
                self._fetch(here, video_id)
        return base

    def _with_paths_for(self, store: LocalStorage, record: VideoRecord) -> VideoRecord:
        """A record as that library keeps it. Relative paths are of a library that was copied, not pushed."""
        base = Path(self._files.path).parent if self._files.is_local else store.folder.parent
        paths = dict.fromkeys(store.stored_path(base / path) for path in record.paths)
        return record.model_copy(update={"paths": tuple(paths)})


def _made_from(here: LocalStorage, video_id: str) -> Path:
    """A note of the commit there from which what is here of a video was made."""
    return here.folder / f"{video_id}.made-from"


def _sizes(folder: Path) -> dict[str, int]:
    """The sizes in bytes of a committed video's files here by their names; without its record."""
    try:
        files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*")}
        sizes = {name: files[name].stat().st_size for name in sorted(files) if VIDEO_FILE.fullmatch(name)}
    except OSError as error:
        raise damaged(folder) from error
    if OBSERVATIONS not in sizes:
        raise damaged(folder)
    return sizes
