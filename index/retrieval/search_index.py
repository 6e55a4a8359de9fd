"""What a search reads: the catalogue of words and the vector indexes, kept in line with the committed videos.

Nothing here is the only copy: it is brought up to date by what was committed or removed since, and
made again from the videos' folders where it is missing or damaged.
"""

import hashlib
import json
import logging
import sqlite3
import uuid
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ...tools.errors import LibraryError
from ...tools.records import Modality
from ..records import VideoRecord
from ..storage.backend import VersionGoneError
from ..storage.local import LocalStorage
from ..storage.table import ObservationTable
from ..storage.versions import DamagedError
from .lexical import Catalog, CatalogError
from .vectors import VectorIndex

__all__ = ["Derived"]

_log = logging.getLogger(__name__)

_CATALOG = "catalog.sqlite"


class Derived:
    """Catalogue and vector indexes of one library. Several processes may share them, but not several threads."""

    def __init__(self, store: LocalStorage) -> None:
        """Bring what is derived in line with the committed videos. Where the disk is read-only, it is held in memory.

        Raises:
            LibraryError: A video's folder is damaged.
        """
        self._store = store
        self._open(store.derived_folder if store.folder.exists() else None)
        self.refresh()

    def vectors(self, modality: Modality, embedding_id: str) -> VectorIndex | None:
        """The index of a modality's vectors in a space; None if there are none."""
        return self._vectors.get(_key(modality, embedding_id))

    def refresh(self) -> dict[str, VideoRecord]:
        """Follow what was committed or removed since; returns the committed videos.

        Raises:
            LibraryError: A video's folder is damaged.
        """
        for _ in range(2):  # a new file, then memory
            try:
                return self._follow()
            except CatalogError as error:
                self.make_again(error)
            except OSError as error:
                self._hold_in_memory(error)
        return self._follow()

    def make_again(self, error: CatalogError) -> None:
        """After SQLite's error, start from nothing: with a new file, or in memory where none can be written."""
        self.catalog.close()
        if self._folder is None or isinstance(error, sqlite3.OperationalError):
            self._hold_in_memory(error)
            return
        _log.warning("%s is damaged (%s) and made again", self._folder / _CATALOG, error)
        Catalog.delete(self._folder / _CATALOG)
        self._open(self._folder)

    def _open(self, folder: Path | None) -> None:
        self._folder = folder
        self._vectors: dict[str, VectorIndex] = {}
        self._state = ""
        if folder is None:
            self.catalog = Catalog(None)
            return
        try:
            folder.mkdir(exist_ok=True)
            self.catalog = Catalog(folder / _CATALOG)
        except (OSError, CatalogError) as error:
            self._hold_in_memory(error)

    def _hold_in_memory(self, error: Exception) -> None:
        """A read-only or full disk: what is derived fits in memory."""
        _log.info("%s cannot be written (%s): what is derived is held in memory", self._store.derived_folder, error)
        self._open(None)

    def _follow(self) -> dict[str, VideoRecord]:
        records = self._store.read()
        if self.catalog.commits() == _commits(records) and self._load():
            return records
        try:
            with self.catalog.changing():
                records = self._store.read()  # while we waited, others may have added what we did not know of
                self._change(records)
                state = self._save()
        except BaseException:
            self._vectors, self._state = {}, ""  # they may be ahead of the catalogue
            raise
        self._state = state
        self._sweep()
        return self._store.read()

    def _change(self, records: Mapping[str, VideoRecord]) -> None:
        there, wanted = self.catalog.commits(), _commits(records)
        loaded = self._load()
        if not loaded:
            self._vectors = {}
        stale = {video_id for video_id, commit in there.items() if wanted.get(video_id) != commit}
        for video_id in stale:
            rows = self.catalog.drop(video_id)
            for index in self._vectors.values():
                index.remove(rows)
        for video_id, record in records.items():
            is_new = video_id in stale or video_id not in there
            if loaded and not is_new:
                continue
            try:
                perceived = self._store.table(record)
            except DamagedError as error:
                self._store.quarantine(record.video_id, record.commit, error)
                if not is_new:
                    self.catalog.drop(video_id)
                continue
            except VersionGoneError:
                if not is_new:
                    self.catalog.drop(video_id)
                continue  # another process replaces it at this moment: the next refresh sees it
            first = self.catalog.add(record, perceived) if is_new else self.catalog.first_row(video_id)
            self._add(record, perceived, first)
        self._vectors = {key: index for key, index in self._vectors.items() if len(index)}

    def _add(self, record: VideoRecord, perceived: ObservationTable, first_row: int) -> None:
        frames = [o.modality == "frame" for o in perceived.observations]
        for embedding_id, vectors, is_frame in (
            (record.text_embedding_id, perceived.text_vectors, False),
            (record.image_embedding_id, perceived.image_vectors, True),
        ):
            if not vectors.size:
                continue
            rows = np.flatnonzero(np.asarray(frames) == is_frame)
            embedded = vectors.any(axis=1)
            for modality in sorted({o.modality for o in perceived.observations}):
                chosen = embedded & np.asarray([perceived.observations[int(row)].modality == modality for row in rows])
                if not chosen.any():
                    continue
                key = _key(modality, embedding_id)
                index = self._vectors.setdefault(
                    key, VectorIndex(vectors.shape[1], self._folder and self._folder / key)
                )
                if index.dimensions != vectors.shape[1]:
                    raise DamagedError(
                        f"vectors of {record.video_id} have {vectors.shape[1]} dimensions instead of {index.dimensions}"
                    )
                index.add(vectors[chosen], first_row + rows[chosen])

    def _load(self) -> bool:
        """Have the vectors that belong to the catalogue's rows open; False if their files are not all there."""
        state = self.catalog.state()
        if not state or state == self._state:
            return bool(state)
        if self._folder is None:
            return False
        try:
            opened = {
                key: VectorIndex.load(self._folder / key, saved, self._vectors.get(key))
                for key, saved in json.loads(state)["indexes"].items()
            }
        except LibraryError:
            return False
        self._vectors, self._state = opened, state
        return True

    def _save(self) -> str:
        saved = {key: index.save() for key, index in self._vectors.items()} if self._folder else {}
        state = json.dumps({"change": uuid.uuid4().hex, "indexes": saved})
        self.catalog.set_state(state)
        return state

    def _sweep(self) -> None:
        """Delete vector files that belong to no rows any more; nobody is between saving and committing meanwhile."""
        if self._folder is None:
            return
        with self.catalog.changing():
            saved = json.loads(self.catalog.state())["indexes"].values()
            named = {name for one in saved for name in VectorIndex.files(one)}
            for path in self._folder.glob("*.faiss*"):
                if path.name not in named:
                    path.unlink(missing_ok=True)


def _commits(records: Mapping[str, VideoRecord]) -> dict[str, str]:
    return {video_id: record.commit for video_id, record in records.items()}


def _key(modality: Modality, embedding_id: str) -> str:
    return f"{modality}-{hashlib.blake2b(embedding_id.encode(), digest_size=6).hexdigest()}"
