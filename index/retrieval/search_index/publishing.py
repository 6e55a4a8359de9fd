"""Publish committed videos to the search index: the only code that writes it.

An increment is one SQLite transaction: records, rows, index terms, and the names of the vector files, which are written
before. Readers (`snapshots`) see the state before or after it. Several processes may publish; they take turns. Everything
here is derived from the committed videos and can be built again.
"""

import fcntl
import hashlib
import json
import logging
import sqlite3
import time
import uuid
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ....tools.errors import LibraryError
from ....tools.records import Modality
from ...records import VideoRecord
from ...storage.backend import VersionGoneError
from ...storage.committed.table import ObservationTable
from ...storage.committed.versions import DamagedError
from ...storage.files.atomic import writing
from ...storage.local import LocalStorage
from ..vectors.codings import Bits
from ..vectors.stores import AnyIndex, new_index, open_index
from .catalog import Catalog, CatalogError

__all__ = ["CATALOG", "PUBLISHING_LOCK", "PublishProgress", "Publisher", "index_key", "publish"]

_log = logging.getLogger(__name__)

CATALOG = "catalog.sqlite"
PUBLISHING_LOCK = "publishing.lock"
# An increment ends after this many observations or seconds: the memory of one, and what a kill repeats.
_ROWS_AT_ONCE = 50_000
_SECONDS_AT_ONCE = 10.0

# Modalities whose cosines differ in the third decimal from one picture to the next: their vectors keep 16 bits. Those of texts
# have 8: of the ten nearest of 54,000, 98.6 % are found, in 0.8 of the time of 16 bits.
_EXACT = ("frame-", "action-")

# Called with the number of published videos, and of all videos to publish.
PublishProgress = Callable[[int, int], None]


def index_key(modality: Modality, embedding_id: str) -> str:
    """The name of the vectors of a modality and an embedding model."""
    return f"{modality}-{hashlib.blake2b(embedding_id.encode(), digest_size=6).hexdigest()}"


def publish(storage: LocalStorage, folder: Path | None = None, progress: PublishProgress | None = None) -> int:
    """Bring the search index in line with the committed videos, and merge its files; returns the number of changes.

    Args:
        storage: The library.
        folder: Of the search index; None: the library's own.
        progress: Called after each increment.

    Raises:
        LibraryError: The search index cannot be written.
    """
    return Publisher(storage, folder).publish(progress=progress, maintain=True)


class Publisher:
    """Publishes the commits of one library."""

    def __init__(self, storage: LocalStorage, folder: Path | None = None, vectors_at: str | None = None) -> None:
        """Name the library.

        Args:
            storage: The library.
            folder: Of the search index; None: the library's own.
            vectors_at: Folder or URL of a LanceDB database for the vectors; `here`: the library's own folder, by
                FAISS; None: as before. A change builds the search index again.
        """
        self._storage = storage
        self._folder = folder or storage.derived_folder
        self._vectors_at = vectors_at
        self._vectors: dict[str, AnyIndex] = {}
        self._snapshot = ""

    def publish(
        self,
        only: Collection[str] | None = None,
        *,
        progress: PublishProgress | None = None,
        maintain: bool = False,
    ) -> int:
        """Publish what was committed or removed since the last time; returns the number of changed videos.

        A damaged video is skipped with a warning; the others are published.

        Args:
            only: Look at these videos only; None: at all. The cost depends on these alone.
            progress: Called after each increment.
            maintain: Also merge vector files and train centroids, if it is due.

        Raises:
            LibraryError: The search index cannot be written.
        """
        with writing(self._folder), self._alone():
            try:
                return self._published(only, progress, maintain)
            except CatalogError as error:
                if not _is_damage(error):
                    path = self._folder / CATALOG
                    raise LibraryError(
                        f"{path} cannot be written ({error}): check the disk and its permissions"
                    ) from error
                self._delete(error)
                return self._published(None, progress, maintain)

    def _published(self, only: Collection[str] | None, progress: PublishProgress | None, maintain: bool) -> int:
        catalog = Catalog.for_writing(self._folder / CATALOG)
        try:
            count = self._follow(catalog, only, progress)
            while maintain and self._maintain():
                with catalog.changing():
                    self._save(catalog)
                self._sweep()
            if count or maintain:
                catalog.checkpoint()
        finally:
            catalog.close()
        return count

    def _maintain(self) -> bool:
        """Merge or train each vector index once; whether one changed."""
        return max([index.maintain() for index in self._vectors.values()], default=False)

    def _delete(self, error: CatalogError) -> None:
        path = self._folder / CATALOG
        _log.warning("%s is damaged (%s): it is built again", path, error)
        Catalog.delete(path)
        self._vectors, self._snapshot = {}, ""

    def _follow(self, catalog: Catalog, only: Collection[str] | None, progress: PublishProgress | None) -> int:
        self._move_vectors(catalog)
        self._load(catalog)
        changed, removed = self._changes(catalog, only)
        total = len(changed) + len(removed)
        done = 0
        while changed or removed:
            with catalog.changing():
                done += self._increment(catalog, changed, removed)
                self._save(catalog, is_complete=not (changed or removed))
            if progress:
                progress(done, total)
        if not catalog.noted("snapshot"):
            with catalog.changing():
                self._save(catalog)
        if total:
            self._sweep()
        return total

    def _move_vectors(self, catalog: Catalog) -> None:
        wanted = {None: catalog.noted("vectors_at"), "here": ""}.get(self._vectors_at, self._vectors_at)
        if wanted != catalog.noted("vectors_at"):
            with catalog.changing():
                for video_id in catalog.video_ids():
                    catalog.drop(video_id)
                catalog.note("vectors_at", wanted or "")
                self._vectors = {}
                self._save(catalog, is_complete=False)

    def _changes(self, catalog: Catalog, only: Collection[str] | None) -> tuple[list[VideoRecord], list[str]]:
        """The records to publish, and the ids to remove; both are used up by `_increment`."""
        if only is None:
            records, _ = self._storage.survey()
            there = catalog.commits()
            gone = [video_id for video_id in there if video_id not in records]
        else:
            found = {video_id: self._storage.record(video_id) for video_id in only}
            records = {video_id: record for video_id, record in found.items() if record}
            gone = [video_id for video_id, record in found.items() if record is None]
        known = {video_id: text for video_id, text, _ in catalog.records_since(-1)} if only is None else {}
        if only is not None:
            for video_id in only:
                row = catalog.all("SELECT record FROM videos WHERE video_id = ?", (video_id,))
                known |= {video_id: row[0][0]} if row else {}
            gone = [video_id for video_id in gone if video_id in known]
        return [one for one in records.values() if known.get(one.video_id) != one.model_dump_json()], gone

    def _increment(self, catalog: Catalog, changed: list[VideoRecord], removed: list[str]) -> int:
        change = int(catalog.noted("change") or 0) + 1
        catalog.note("change", str(change))
        began, rows, done = time.monotonic(), 0, 0
        while removed:
            self._drop(catalog, removed.pop())
            done += 1
        while changed and rows < _ROWS_AT_ONCE and time.monotonic() - began < _SECONDS_AT_ONCE:
            record = changed.pop()
            done += 1
            published = catalog.all("SELECT commit_id FROM videos WHERE video_id = ?", (record.video_id,))
            if published and published[0][0] == record.commit:
                catalog.put_record(record, change)
                continue
            try:
                table = self._storage.table(record)
                self._check_lengths(record, table)
            except VersionGoneError:
                continue  # another process replaced it, and publishes that
            except DamagedError as error:
                self._storage.quarantine(record.video_id, record.commit, error)
                self._drop(catalog, record.video_id)
                continue
            self._drop(catalog, record.video_id)
            self._add(catalog, record, table, catalog.add(record, table, change))
            rows += len(table.observations)
        return done

    def _drop(self, catalog: Catalog, video_id: str) -> None:
        if runs := catalog.drop(video_id):
            for index in self._vectors.values():
                index.remove(np.array(runs, np.int64))

    def _add(self, catalog: Catalog, record: VideoRecord, table: ObservationTable, rows: npt.NDArray[np.int64]) -> None:
        for key, vectors, numbers in _embedded(record, table):
            if key not in self._vectors:
                address = catalog.noted("vectors_at")
                bits: Bits = 16 if key.startswith(_EXACT) else 8
                self._vectors[key] = new_index(vectors.shape[1], self._folder / key, address, bits)
            self._vectors[key].add(vectors, rows[numbers])

    def _check_lengths(self, record: VideoRecord, table: ObservationTable) -> None:
        for key, vectors, _ in _embedded(record, table):
            index = self._vectors.get(key)
            if index is not None and index.dimensions != vectors.shape[1]:
                raise DamagedError(
                    f"vectors of {record.video_id} have {vectors.shape[1]} dimensions instead of {index.dimensions}"
                )

    def _load(self, catalog: Catalog) -> None:
        """Open the vector files of the last snapshot; without them, start again."""
        snapshot = catalog.noted("snapshot")
        if snapshot == self._snapshot:
            return
        try:
            self._vectors = {
                key: open_index(self._folder / key, saved, self._vectors.get(key), for_writing=True)
                for key, saved in json.loads(catalog.noted("vectors") or "{}").items()
            }
            self._snapshot = snapshot
        except LibraryError as error:
            _log.warning("%s: the search index is built again", error)
            self._vectors, self._snapshot = {}, ""
            with catalog.changing():
                for video_id in catalog.video_ids():
                    catalog.drop(video_id)

    def _save(self, catalog: Catalog, *, is_complete: bool = True) -> None:
        self._vectors = {key: index for key, index in self._vectors.items() if len(index)}
        catalog.note("vectors", json.dumps({key: index.save() for key, index in self._vectors.items()}))
        self._snapshot = uuid.uuid4().hex
        catalog.note("snapshot", self._snapshot)
        catalog.note("complete", "yes" if is_complete else "")

    def _sweep(self) -> None:
        """Delete vector files of earlier snapshots. A reader that has one open keeps it."""
        named = {name for index in self._vectors.values() for name in index.files(index.save())}
        for path in self._folder.glob("*.faiss*"):
            if path.name not in named:
                path.unlink(missing_ok=True)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / PUBLISHING_LOCK).open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            try:
                yield
            except BaseException:
                self._vectors, self._snapshot = {}, ""  # they may be ahead of the catalogue
                raise


def _embedded(
    record: VideoRecord, table: ObservationTable
) -> Iterator[tuple[str, npt.NDArray[np.float16], npt.NDArray[np.int64]]]:
    """Yield, for each modality and embedding model, the key of its index, its vectors, and the numbers of their observations."""
    observations = table.observations
    modalities = np.asarray([one.modality for one in observations])
    for embedding_id, vectors, is_frame in (
        (record.text_embedding_id, table.text_vectors, False),
        (record.image_embedding_id, table.image_vectors, True),
    ):
        if not vectors.size:
            continue
        numbers = np.flatnonzero((modalities == "frame") == is_frame)
        embedded = vectors.any(axis=1)
        for modality in sorted(set(modalities[numbers].tolist())):
            chosen = embedded & (modalities[numbers] == modality)
            if chosen.any():
                yield index_key(modality, embedding_id), vectors[chosen], numbers[chosen]
    clips = [number for number, one in enumerate(observations) if one.modality == "action" and one.vector]
    for source in sorted({observations[number].source for number in clips}):
        own = [number for number in clips if observations[number].source == source]
        vectors = np.array([observations[number].vector for number in own], np.float16)
        yield index_key("action", source), vectors, np.array(own, np.int64)


def _is_damage(error: CatalogError) -> bool:
    return not isinstance(error, sqlite3.OperationalError)
