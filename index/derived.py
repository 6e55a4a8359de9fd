"""What a search reads: the catalogue of words and the vector indexes, kept in line with the committed videos.

Nothing here is the only copy: it is brought up to date by what was committed or removed since, and
made again from the videos' folders where it is missing or damaged.
"""

import hashlib
import sqlite3
import uuid
from pathlib import Path

import numpy as np

from ..tools.errors import LibraryError
from ..tools.records import MODALITIES, Modality
from .catalog import Catalog
from .records import VideoRecord
from .store import Store
from .table import Perceived, read, read_vectors
from .vectors import VectorIndex

__all__ = ["Derived"]

_CATALOG = "catalog.sqlite"


class Derived:
    """Catalogue and vector indexes of one library."""

    def __init__(self, store: Store) -> None:
        """Bring what is derived in line with the committed videos. Where the disk is read-only, it is held in memory.

        Raises:
            LibraryError: A video's folder is damaged.
        """
        self._store = store
        self._vectors: dict[tuple[Modality, str], VectorIndex] = {}
        self._token = ""
        self._folder: Path | None = store.derived_folder
        try:
            if store.folder.exists():
                store.derived_folder.mkdir(exist_ok=True)
                self.catalog = Catalog(store.derived_folder / _CATALOG)
                self.refresh()
                return
        except (OSError, sqlite3.OperationalError):
            pass  # a read-only or full disk: what is derived fits in memory
        self._folder = None
        self._vectors, self._token = {}, ""
        self.catalog = Catalog(None)
        self.refresh()

    def vectors(self, modality: Modality, space: str) -> VectorIndex | None:
        """The index of a modality's vectors in a space; None if there are none."""
        return self._vectors.get((modality, _short(space)))

    def refresh(self) -> dict[str, VideoRecord]:
        """Follow what was committed or removed since; returns the committed videos.

        Raises:
            LibraryError: A video's folder is damaged.
        """
        records = self._store.read()
        wanted = {video_id: record.commit for video_id, record in records.items()}
        if self.catalog.commits() == wanted and self._load(self.catalog.state()):
            return records
        with self.catalog.changing():
            there = self.catalog.commits()
            loaded = self._load(self.catalog.state())
            if not loaded:
                self._vectors = {}
            stale = [video_id for video_id, commit in there.items() if wanted.get(video_id) != commit]
            for video_id in stale:
                rows = self.catalog.drop(video_id)
                for index in self._vectors.values():
                    index.remove(rows)
            for video_id, record in records.items():
                if video_id in stale or video_id not in there:
                    perceived = read(self._store.videos_folder / video_id)
                    self._add(record, perceived, self.catalog.add(record, perceived))
                elif not loaded:
                    perceived = read(self._store.videos_folder / video_id)
                    self._add(record, perceived, self.catalog.first_row(video_id))
            self._vectors = {key: index for key, index in self._vectors.items() if len(index)}
            token = uuid.uuid4().hex[:12]
            self._save(token)
            self.catalog.set_state(token)
        self._token = token
        self._sweep()
        return records

    def _add(self, record: VideoRecord, perceived: Perceived, first_row: int) -> None:
        folder = self._store.videos_folder / record.video_id
        frames = sum(o.modality == "frame" for o in perceived.observations)
        kinds = (
            ("text", record.text_space, len(perceived.observations) - frames),
            ("image", record.image_space, frames),
        )
        for kind, space, count in kinds:
            if not space:
                continue
            vectors = read_vectors(folder, kind, count)
            rows = [n for n, o in enumerate(perceived.observations) if (o.modality == "frame") == (kind == "image")]
            for modality in MODALITIES:
                chosen = [i for i, n in enumerate(rows) if perceived.observations[n].modality == modality]
                chosen = [i for i in chosen if vectors[i].any()]
                if not chosen:
                    continue
                key = (modality, _short(space))
                if key not in self._vectors:
                    self._vectors[key] = VectorIndex(vectors.shape[1])
                self._vectors[key].add(vectors[chosen], np.asarray([first_row + rows[i] for i in chosen], np.int64))

    def _load(self, token: str) -> bool:
        """Have the vector files of a token in memory; False if they are not all there."""
        if not token:
            return False
        if token == self._token:
            return True
        if self._folder is None:
            return False
        listed = self._folder / f"vectors-{token}.list"
        try:
            names = listed.read_text(encoding="utf-8").split()
            loaded = {name: VectorIndex.load(self._folder / f"{name}-{token}.faiss") for name in names}
        except (OSError, LibraryError):
            return False
        self._vectors = {}
        for name, index in loaded.items():
            modality, _, space = name.partition("-")
            self._vectors[next(m for m in MODALITIES if m == modality), space] = index
        self._token = token
        return True

    def _save(self, token: str) -> None:
        if self._folder is None:
            return
        names = []
        for (modality, space), index in self._vectors.items():
            names.append(f"{modality}-{space}")
            index.save(self._folder / f"{modality}-{space}-{token}.faiss")
        (self._folder / f"vectors-{token}.list").write_text("\n".join(names), encoding="utf-8")

    def _sweep(self) -> None:
        """Delete vector files that nothing belongs to any more."""
        if self._folder is None:
            return
        for path in [*self._folder.glob("*.faiss"), *self._folder.glob("vectors-*.list")]:
            if not path.stem.endswith(self._token):
                path.unlink(missing_ok=True)


def _short(space: str) -> str:
    return hashlib.blake2b(space.encode(), digest_size=6).hexdigest()
