"""Read snapshots of the search index. Reading changes nothing, never waits for an indexer, and works on a full disk.

A snapshot is one read transaction of the catalogue: records, rows, index terms and the names of the vector files belong
to one published state. Vector files never change, so they are shared by snapshots.
"""

import fcntl
import json
import logging
import os
import sqlite3
import tempfile
import time
import weakref
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree
from typing import BinaryIO

from ....tools.errors import LibraryError
from ....tools.fair_lock import FairLock
from ....tools.records import Modality
from ...records import VideoRecord
from ...storage.local import LocalStorage
from ..vectors.stores import AnyIndex, open_index
from .catalog import Catalog, CatalogError
from .publishing import CATALOG, PUBLISHING_LOCK, PublishProgress, index_key, publish

__all__ = ["Records", "Snapshot", "Snapshots"]

_log = logging.getLogger(__name__)

_ATTEMPTS = 5
_LOG_SECONDS = 10.0
# Connections of the parent process: SQLite forbids to use them after a fork, also to close them.
_INHERITED: list[Catalog | None] = []


class Records(Mapping[str, VideoRecord]):
    """The records of a snapshot by video id, parsed at first use: a library may have 10,000."""

    def __init__(self) -> None:
        """Make an empty mapping."""
        self._texts: dict[str, str] = {}
        self._parsed: dict[str, VideoRecord] = {}

    def __getitem__(self, video_id: str) -> VideoRecord:
        if video_id not in self._parsed:
            self._parsed[video_id] = VideoRecord.model_validate_json(self._texts[video_id])
        return self._parsed[video_id]

    def __iter__(self) -> Iterator[str]:
        return iter(self._texts)

    def __len__(self) -> int:
        return len(self._texts)

    def __contains__(self, video_id: object) -> bool:
        return video_id in self._texts

    def followed(self, changed: Mapping[str, str], there: set[str]) -> "Records":
        """A new mapping with some records replaced, and only those that are there."""
        made = Records()
        made._texts = {one: text for one, text in (self._texts | dict(changed)).items() if one in there}
        made._parsed = {one: record for one, record in self._parsed.items() if one in there and one not in changed}
        return made


@dataclass(frozen=True)
class Snapshot:
    """One published state of the search index.

    Attributes:
        snapshot_id: Of the state; empty: nothing is published.
        catalog: In a read transaction.
        records: The records of its videos.
        vectors: Vector indexes by `index_key`.
    """

    snapshot_id: str
    catalog: Catalog
    records: Records
    vectors: Mapping[str, AnyIndex]

    def vectors_of(self, modality: Modality, embedding_id: str) -> AnyIndex | None:
        """The vectors of a modality and an embedding model; None: there are none."""
        return self.vectors.get(index_key(modality, embedding_id))

    def embedding_ids(self) -> tuple[set[str], set[str]]:
        """The embedding models of texts and of pictures in its videos."""
        found = self.catalog.all(
            "SELECT DISTINCT json_extract(record, '$.text_embedding_id'), json_extract(record, '$.image_embedding_id') "
            "FROM videos"
        )
        return {texts for texts, _ in found}, {images for _, images in found}


class Snapshots:
    """The search index of one library, as last published. Threads take turns; a forked process opens it again."""

    def __init__(self, storage: LocalStorage, progress: PublishProgress | None = None) -> None:
        """Open nothing yet.

        Args:
            storage: The library.
            progress: Called while a missing search index is built.
        """
        self._storage = storage
        self._progress = progress
        self._lock = FairLock()
        self._current: Snapshot | None = None
        self._folder = storage.derived_folder
        self._pid = 0
        self._is_damaged = False
        self._held_lock: BinaryIO | None = None
        self._forget()

    @contextmanager
    def reading(self) -> Iterator[Snapshot]:
        """The last published snapshot; nested calls see the same one.

        A library without a search index (copied, or of an older Playhead) gets one first, with a note.

        Raises:
            LibraryError: There is no search index and it cannot be built.
        """
        with self._lock:
            if self._current is not None:
                yield self._current
                return
            with self._transaction() as catalog:
                current = self._current = self._snapshot(catalog)
                try:
                    yield current
                except sqlite3.DatabaseError as error:
                    self._is_damaged = True
                    message = f"{self._folder / CATALOG} is damaged ({error}): the next search builds it again"
                    raise LibraryError(message) from error
                finally:
                    self._current = None

    def close(self) -> None:
        """Close the files."""
        with self._lock:
            if self._catalog is not None and self._pid == os.getpid():
                self._catalog.close()
            self._forget()

    def _forget(self) -> None:
        if self._held_lock is not None:
            self._held_lock.close()
        self._held_lock = None
        self._catalog: Catalog | None = None
        self._file: tuple[int, int] | None = None
        self._snapshot_id, self._change = "", -1
        self._records = Records()
        self._vectors: dict[str, AnyIndex] = {}
        self._current = None

    @contextmanager
    def _transaction(self) -> Iterator[Catalog]:
        """A read transaction in which all files of the snapshot are open."""
        for attempt in range(_ATTEMPTS):
            catalog = self._opened()
            try:
                catalog.all("BEGIN")
                self._follow(catalog)
                break
            except LibraryError:
                self.close()  # a vector file of an earlier snapshot was deleted meanwhile
                if attempt == _ATTEMPTS - 1:
                    raise
                if attempt:
                    self._build()
            except CatalogError as error:
                self.close()
                if isinstance(error, sqlite3.OperationalError) or attempt:
                    raise LibraryError(f"{self._folder / CATALOG} cannot be read ({error})") from error
                self._build()
        try:
            yield catalog
        finally:
            if self._catalog is catalog:
                catalog.all("ROLLBACK")
            if self._held_lock is not None:
                self.close()

    def _opened(self) -> Catalog:
        path = self._folder / CATALOG
        if self._catalog is not None and self._pid == os.getpid() and _identity(path) == self._file:
            return self._catalog
        if self._pid == os.getpid():
            self.close()
        else:
            _INHERITED.append(self._catalog)
            self._forget()
        if not path.exists() and not self._has_videos():
            return Catalog.empty()
        if not path.exists() or self._is_damaged:
            self._build()
        try:
            self._catalog = Catalog.for_reading(self._folder / CATALOG)
        except CatalogError as error:
            if isinstance(error, sqlite3.OperationalError):
                self._catalog = self._fixed(error)
            else:
                self._build()
                self._catalog = Catalog.for_reading(self._folder / CATALOG)
        self._pid, self._file = os.getpid(), _identity(self._folder / CATALOG)
        self._check_complete()
        return self._catalog

    def _fixed(self, error: sqlite3.OperationalError) -> Catalog:
        """Open the catalogue on a full disk: SQLite has no room for its `-shm` file there.

        The publishers' lock is held until the transaction ends. Without it, or with published changes that are in
        the log only, there is nothing safe to read.
        """
        path = self._folder / CATALOG
        try:
            self._held_lock = (self._folder / PUBLISHING_LOCK).open("rb")
            fcntl.flock(self._held_lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            if not Catalog.has_empty_log(path):
                raise error
            return Catalog.for_reading(path, is_fixed=True)
        except (OSError, CatalogError) as failure:
            self._forget()
            raise LibraryError(
                f"{path} cannot be read ({error}): check that the disk has room, and its permissions"
            ) from failure

    def _has_videos(self) -> bool:
        folder = self._storage.videos_folder
        return folder.is_dir() and any(folder.iterdir())

    def _build(self) -> None:
        """Build the search index: in the library, or in a temporary folder if the library is read-only."""
        if not os.access(self._storage.folder, os.W_OK) or (
            self._folder.exists() and not os.access(self._folder, os.W_OK)
        ):
            self._folder = Path(tempfile.mkdtemp(prefix="playhead-search-"))
            weakref.finalize(self, rmtree, self._folder, ignore_errors=True)
            _log.warning(
                "the library %s is read-only and has no search index of this version: one is built in %s for this "
                "process; run `playhead optimize` where the library can be written",
                self._storage.folder,
                self._folder,
            )
        else:
            _log.warning("the search index of %s is missing or outdated: it is built now", self._storage.folder)
        if self._is_damaged:
            Catalog.delete(self._folder / CATALOG)
            self._is_damaged = False
        publish(self._storage, self._folder, self._progress or _Logged())

    def _check_complete(self) -> None:
        """Finish a build that was stopped; name videos that were committed but not published."""
        assert self._catalog is not None
        if self._catalog.noted("complete") == "yes" or not self._catalog.noted("snapshot"):
            return
        _log.warning("the search index of %s is incomplete: the rest is built now", self._storage.folder)
        self._catalog.close()
        publish(self._storage, self._folder, self._progress or _Logged())
        self._catalog = Catalog.for_reading(self._folder / CATALOG)

    def _follow(self, catalog: Catalog) -> None:
        snapshot_id = catalog.noted("snapshot")
        if snapshot_id == self._snapshot_id:
            return
        vectors = {
            key: open_index(self._folder / key, saved, self._vectors.get(key))
            for key, saved in json.loads(catalog.noted("vectors") or "{}").items()
        }
        changed = catalog.records_since(self._change)
        self._records = self._records.followed({one: text for one, text, _ in changed}, catalog.video_ids())
        self._change = max([self._change, *(change for _, _, change in changed)])
        self._vectors, self._snapshot_id = vectors, snapshot_id

    def _snapshot(self, catalog: Catalog) -> Snapshot:
        return Snapshot(self._snapshot_id, catalog, self._records, self._vectors)


class _Logged:
    """Progress as log messages, one every ten seconds."""

    def __init__(self) -> None:
        self._due = time.monotonic() + _LOG_SECONDS

    def __call__(self, done: int, total: int) -> None:
        if time.monotonic() >= self._due:
            self._due = time.monotonic() + _LOG_SECONDS
            _log.warning("%d of %d videos are in the search index", done, total)


def _identity(path: Path) -> tuple[int, int] | None:
    """Device and inode: another file under the same name is opened again."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
