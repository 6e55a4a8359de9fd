"""A library on object storage or another shared path: videos are pushed to it and pulled from it.

url/
  library.json            format version
  videos/<video_id>/      as in a library on disk (`index.store`); there, if its video.json is
    observations.parquet  vectors.text.npy  vectors.image.npy  captions.jsonl  keyframes/*.jpg
    video.json            with absolute paths; removed first and written last, for nothing can be renamed

All that is read there is untrusted.
"""

import json
import os
import re
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ..tools.errors import LibraryError
from ..tools.records import clean_text
from ..tools.settings import cache_folder
from .disk import write_text, writing
from .journal import CAPTIONS, carry_captions, digest
from .keyframes import KEYFRAMES
from .records import VideoRecord
from .shared import RemoteError, SharedFiles
from .store import FORMAT, Store, perceived_in
from .table import damaged

__all__ = ["Pulled", "Remote"]

_LIBRARY, _VIDEOS, _RECORD, _OBSERVATIONS = "library.json", "videos", "video.json", "observations.parquet"
_VIDEO_ID = re.compile(r"[0-9a-f]{32}")
_FILE = re.compile(
    rf"{re.escape(_OBSERVATIONS)}|{re.escape(CAPTIONS)}|vectors\.(text|image)\.npy|{KEYFRAMES}/[0-9]{{10,12}}\.jpg"
)
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


class _DamagedRemoteError(RemoteError):
    """The files of one video are damaged there."""


class Remote:
    """The videos of a library below a URL. Several processes may use it at once, but two may not push the same video.

    `index.shared.SharedFiles` tells where credentials and endpoints come from.
    """

    has_all_files = False

    def __init__(self, url: str) -> None:
        """Name a library; it need not exist before something is pushed.

        Args:
            url: Such as `s3://bucket/talks`, `gs://bucket/talks` or `file:///shared/talks`.

        Raises:
            SettingsError: It is no URL that fsspec knows.
            MissingExtraError: A package that the protocol needs is not installed.
            LibraryError: It cannot be read, holds something else, or is a library of a newer format.
        """
        self._files = SharedFiles(url)
        self.url = self._files.url
        self._was_there = False
        self._is_there()

    def __repr__(self) -> str:
        return f"Remote({self.url!r})"

    def record(self, video_id: str) -> VideoRecord | None:
        """The record of one video; None: it is not there, or is being replaced at this moment.

        Raises:
            LibraryError: The remote cannot be read, or the record is damaged.
        """
        raw = self._files.content(f"{_folder(video_id)}/{_RECORD}")
        return None if raw is None else self._parsed(video_id, raw)

    def survey(self) -> tuple[dict[str, VideoRecord], dict[str, LibraryError]]:
        """The videos by their id, and what is wrong with those that cannot be read.

        Raises:
            LibraryError: The remote cannot be read.
        """
        video_ids = sorted(name for name in self._files.listed(_VIDEOS) if _VIDEO_ID.fullmatch(name))
        raws = self._files.contents([f"{_folder(video_id)}/{_RECORD}" for video_id in video_ids])
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

    @contextmanager
    def at_hand(self, video_id: str) -> Iterator[Store]:
        """A library on this machine's disk that holds one video; what is committed there meanwhile is pushed at the end.

        Raises:
            LibraryError: The remote cannot be read or written, or the disk here does not allow it.
        """
        here = Store(cache_folder() / "remote" / digest(self.url))
        here.create()
        base = self._fetched(here, video_id)
        yield here
        record = here.record(video_id)
        if record and record.commit != base:
            if self._commit_of(video_id) != base:
                raise RemoteError(
                    f"{self.url}/{_folder(video_id)} was replaced meanwhile by another process: run again"
                )
            self.push(here, record)
        here.remove(video_id)
        _made_from(here, video_id).unlink(missing_ok=True)

    def stored_path(self, path: Path) -> str:
        """A file's path as kept: absolute."""
        return os.path.abspath(path)

    def absolute_path(self, stored: str) -> Path:
        """Where a stored path lies."""
        return Path(stored)

    def update_paths(
        self, video_id: str, *, add: Collection[str] = (), drop: Collection[str] = ()
    ) -> VideoRecord | None:
        """As `Store.update_paths`.

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

    def push(self, store: Store, record: VideoRecord) -> None:
        """Upload a committed video, in place of what is there of it.

        A push that breaks off leaves no video, or the same one; the next completes it. Of a commit that is there
        already, only files that are missing or not as long are uploaded.

        Args:
            store: The library it is committed in.
            record: The video.

        Raises:
            LibraryError: The remote cannot be written, or the video is not what is committed (any more).
        """
        here, place = store.videos_folder / record.video_id, _folder(record.video_id)
        sizes = _sizes(here)
        self.create()
        before = None
        with suppress(LibraryError):  # damaged: it is replaced
            before = self.record(record.video_id)
        there: dict[str, int] = {}
        if before and before.commit == record.commit:
            there = self._sizes(record.video_id)
        else:
            self._files.remove(place, [_RECORD])
        self._files.upload(here, place, [name for name in sizes if there.get(name) != sizes[name]])
        there = self._sizes(record.video_id)
        if former := sorted(there.keys() - sizes.keys()):
            self._files.remove(place, former)
        if not store.is_current(record):
            raise LibraryError(f"{here} was indexed anew or removed while it was pushed: run again")
        if any(there.get(name) != size for name, size in sizes.items()):
            raise RemoteError(f"{self.url}/{place} was changed while it was pushed: run again")
        paths = tuple(str(store.absolute_path(path)) for path in record.paths)
        self._write_record(record.model_copy(update={"paths": paths}))

    def pull(self, store: Store) -> Iterator[Pulled]:
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

    def remove(self, video_id: str) -> None:
        """Take a video out of the remote library, if it is there.

        Raises:
            LibraryError: The remote cannot be written.
        """
        place = _folder(video_id)
        self._files.remove(place, [_RECORD])
        self._files.remove_folder(place)

    def _pull(self, store: Store, video_id: str) -> Pulled:
        try:
            return Pulled(video_id, "pulled", record=self._fetch(store, video_id))
        except RemoteError as error:
            return Pulled(video_id, "failed", str(error))

    def _fetch(self, store: Store, video_id: str) -> VideoRecord:
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
        raise RemoteError(f"{self.url}/{_folder(video_id)} is being replaced or was removed: pull again later")

    def _download(self, record: VideoRecord, folder: Path) -> None:
        self._files.download(_folder(record.video_id), sorted(self._sizes(record.video_id)), folder)
        try:
            perceived_in(folder, record)
        except LibraryError as error:
            raise self._damaged(record.video_id) from error

    def _fetched(self, here: Store, video_id: str) -> str:
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

    def _commit_of(self, video_id: str) -> str:
        """Empty: nothing is there, or nothing that can be read."""
        with suppress(_DamagedRemoteError):
            if record := self.record(video_id):
                return record.commit
        return ""

    def _is_current(self, record: VideoRecord) -> bool:
        now = self.record(record.video_id)
        return now is not None and now.commit == record.commit

    def _with_paths_for(self, store: Store, record: VideoRecord) -> VideoRecord:
        """A record as that library keeps it. Relative paths are of a library that was copied, not pushed."""
        base = Path(self._files.path).parent if self._files.is_local else store.folder.parent
        paths = dict.fromkeys(store.stored_path(base / path) for path in record.paths)
        return record.model_copy(update={"paths": tuple(paths)})

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
        self._files.write(f"{_folder(record.video_id)}/{_RECORD}", record.model_dump_json(indent=2) + "\n")
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

    def _sizes(self, video_id: str) -> dict[str, int]:
        """The sizes in bytes of a video's files there by their names; without its record."""
        return {
            name: size
            for folder in ("", f"{KEYFRAMES}/")
            for last, size in self._files.listed(f"{_folder(video_id)}/{folder}".rstrip("/")).items()
            if size is not None and _FILE.fullmatch(name := folder + last)
        }

    def _damaged(self, video_id: str) -> RemoteError:
        place = f"{self.url}/{_folder(video_id)}"
        return _DamagedRemoteError(f"{place} is damaged or incomplete: index its video into it again with --force")


def _folder(video_id: str) -> str:
    """A video's folder. Only what is an id ever becomes a part of a path."""
    if not _VIDEO_ID.fullmatch(video_id):
        raise LibraryError(f"{video_id!r} is no id of a video: 32 hexadecimal digits are wanted")
    return f"{_VIDEOS}/{video_id}"


def _made_from(here: Store, video_id: str) -> Path:
    """A note of the commit there from which what is here of a video was made."""
    return here.folder / f"{video_id}.made-from"


def _sizes(folder: Path) -> dict[str, int]:
    """The sizes in bytes of a committed video's files here by their names; without its record."""
    try:
        files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*")}
        sizes = {name: files[name].stat().st_size for name in sorted(files) if _FILE.fullmatch(name)}
    except OSError as error:
        raise damaged(folder) from error
    if _OBSERVATIONS not in sizes:
        raise damaged(folder)
    return sizes


def _cleaned(value: Any) -> Any:
    """Values without control characters, but for paths, which must be as they are."""
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, dict):
        return {key: given if key == "paths" else _cleaned(given) for key, given in value.items()}
    if isinstance(value, (list, tuple)):
        return [_cleaned(one) for one in value]
    return value
