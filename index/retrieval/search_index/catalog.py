"""The catalogue: records, observations and index terms of all published videos, in one SQLite file.

This module opens and writes it; `catalog_queries` reads it. Ranking by terms is in `lexical`. The file is in WAL mode:
a reader sees one snapshot for the whole of a read transaction and waits for no writer.
"""

import os
import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ....tools.records import Modality, Observation
from ...metadata_conditions import facts_of
from ...metadata_texts import METADATA, metadata_texts
from ...records import VideoRecord
from ...storage.committed.table import ObservationTable
from ..lexical.tokenizer import terms_of
from .catalog_queries import CatalogQueries
from .rows import stored

__all__ = ["Catalog", "CatalogError"]

CatalogError = sqlite3.DatabaseError

# Raised when the schema, or the cutting of texts into terms, changes: an older file is built again.
_VERSION = 12
_SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE videos (
    video INTEGER PRIMARY KEY, video_id TEXT NOT NULL UNIQUE, commit_id TEXT NOT NULL, record TEXT NOT NULL,
    change INTEGER NOT NULL
);
CREATE INDEX videos_by_change ON videos (change);
CREATE TABLE facts (
    video INTEGER NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL, number REAL, shown TEXT NOT NULL
);
CREATE INDEX facts_by_value ON facts (name, value);
CREATE INDEX facts_of_video ON facts (video);
CREATE TABLE runs (
    modality TEXT NOT NULL, video INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL,
    longest REAL NOT NULL, PRIMARY KEY (modality, video)
) WITHOUT ROWID;
CREATE TABLE sources (source INTEGER PRIMARY KEY, extractor TEXT NOT NULL UNIQUE);
CREATE TABLE lengths (first INTEGER PRIMARY KEY, lengths BLOB NOT NULL);
CREATE TABLE rows (
    row INTEGER PRIMARY KEY, video INTEGER NOT NULL, modality TEXT NOT NULL, start REAL NOT NULL, "end" REAL NOT NULL,
    text TEXT NOT NULL, source INTEGER NOT NULL, box BLOB, words BLOB, frame_seconds REAL, stream INTEGER,
    observation BLOB NOT NULL
);
CREATE INDEX rows_by_time ON rows (video, modality, start);
CREATE INDEX rows_by_label ON rows (modality, text) WHERE modality IN ('object', 'frame');
CREATE TABLE vocabulary (
    modality TEXT NOT NULL, term TEXT NOT NULL, rows INTEGER NOT NULL, PRIMARY KEY (modality, term)
) WITHOUT ROWID;
CREATE TABLE sizes (modality TEXT PRIMARY KEY, rows INTEGER NOT NULL, terms INTEGER NOT NULL) WITHOUT ROWID
"""
# One full-text table for each modality; its terms are separated by spaces and may contain signs. The table `lengths` holds the
# numbers of terms of its rows, so that it needs none of its own.
_TERMS = (
    "CREATE VIRTUAL TABLE IF NOT EXISTS terms_{} USING fts5 "
    """(text, content='', columnsize=0, tokenize="ascii tokenchars '#+.&@-_'")"""
)
_READ_CACHE_KIB = 32_768
# Pages of the file that are mapped into memory instead of copied: fetching texts that were not read before takes half the time.
# SQLite's own limit is 2 GiB; it reads the rest of a larger file.
_MAPPED_BYTES = 1 << 31
_WRITE_WAIT_SECONDS = 600
_MOST_TERMS = 255  # that the stored length of a row tells apart


class Catalog(CatalogQueries):
    """One connection to a catalogue. Not for several threads at once."""

    @classmethod
    def for_writing(cls, path: Path) -> "Catalog":
        """Open a catalogue to change it; a missing one, or one of another version, is made empty.

        Raises:
            CatalogError: The file is damaged, or cannot be written.
        """
        db = sqlite3.connect(path, timeout=_WRITE_WAIT_SECONDS, isolation_level=None, check_same_thread=False)
        try:
            made = cls(db)
            if made.version() not in (0, _VERSION):
                db.close()
                cls.delete(path)
                return cls.for_writing(path)
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = NORMAL")
            if made.version() == 0:
                with made.changing():
                    for statement in _SCHEMA.split(";\n"):
                        db.execute(statement)
                    db.execute(f"PRAGMA user_version = {_VERSION}")
        except BaseException:
            db.close()
            raise
        return made

    @classmethod
    def for_reading(cls, path: Path, *, is_fixed: bool = False) -> "Catalog":
        """Open the last published state of a catalogue, also on a read-only disk.

        Args:
            path: The file.
            is_fixed: The caller keeps all writers away, and the log is empty: then SQLite needs no room on the disk.
                Else it makes the index of its log (`-shm`) if no other process has it open.

        Raises:
            CatalogError: There is no such file, or it is damaged.
        """
        is_fixed = is_fixed or (not os.access(path.parent, os.W_OK) and cls.has_empty_log(path))
        uri = f"{path.absolute().as_uri()}?mode=ro{'&immutable=1' if is_fixed else ''}"
        db = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)
        try:
            db.execute(f"PRAGMA cache_size = -{_READ_CACHE_KIB}")
            db.execute(f"PRAGMA mmap_size = {_MAPPED_BYTES}")
            made = cls(db)
            if made.version() != _VERSION:
                raise CatalogError(f"version {made.version()}, not {_VERSION}")
        except BaseException:
            db.close()
            raise
        return made

    @classmethod
    def empty(cls) -> "Catalog":
        """A catalogue without videos, in memory: for a library in which nothing is indexed."""
        db = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        for statement in _SCHEMA.split(";\n"):
            db.execute(statement)
        return cls(db)

    @staticmethod
    def has_empty_log(path: Path) -> bool:
        """Whether the catalogue's file holds all that was published."""
        log = path.with_name(path.name + "-wal")
        return not log.exists() or log.stat().st_size == 0

    @staticmethod
    def delete(path: Path) -> None:
        """Delete a catalogue's file and the logs that SQLite would apply to the next one."""
        for suffix in ("-journal", "-wal", "-shm", ""):
            path.with_name(path.name + suffix).unlink(missing_ok=True)

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Apply all changes within, or none; other writers wait."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:  # SQLite itself ends it if the disk is full
                self._db.execute("ROLLBACK")
            raise

    def checkpoint(self) -> None:
        """Move the write-ahead log into the file as far as readers allow, so that a copy of the file is complete."""
        self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def note(self, key: str, value: str) -> None:
        """Set the value of a key."""
        self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))

    def put_record(self, record: VideoRecord, change: int) -> None:
        """Replace the record of a video whose observations are the same."""
        self._db.execute(
            "UPDATE videos SET record = ?, commit_id = ?, change = ? WHERE video_id = ?",
            (record.model_dump_json(), record.commit, change, record.video_id),
        )
        for (video,) in self.all("SELECT video FROM videos WHERE video_id = ?", (record.video_id,)):
            self._put_facts(video, record)
            self._drop_runs(video, [METADATA])
            self._add_rows(video, metadata_texts(record))

    def add(self, record: VideoRecord, table: ObservationTable, change: int) -> npt.NDArray[np.int64]:
        """Add a video; returns the row of each observation of the table. Rows are never used again.

        The rows of one modality of a video are consecutive, in order of time.
        """
        added = self._db.execute(
            "INSERT INTO videos (video_id, commit_id, record, change) VALUES (?, ?, ?, ?)",
            (record.video_id, record.commit, record.model_dump_json(), change),
        )
        video = added.lastrowid
        assert video is not None
        self._put_facts(video, record)
        rows = self._add_rows(video, table.observations)
        self._add_rows(video, metadata_texts(record))
        return rows

    def _add_rows(self, video: int, observations: Sequence[Observation]) -> npt.NDArray[np.int64]:
        order = sorted(
            range(len(observations)), key=lambda n: (observations[n].modality, observations[n].span.start, n)
        )
        first = int(self.noted("next_row") or 1)
        self.note("next_row", str(first + len(order)))
        rows = np.zeros(len(order), np.int64)
        rows[order] = np.arange(first, first + len(order))
        sources = self._sources({one.source for one in observations})
        self._db.executemany(
            'INSERT INTO rows (row, video, source, modality, start, "end", text, box, words, frame_seconds, stream, '
            "observation) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                (int(rows[number]), video, sources[observations[number].source], *stored(observations[number]))
                for number in order
            ),
        )
        for modality, numbers in groupby(order, key=lambda n: observations[n].modality):
            own = list(numbers)
            longest = max(observations[n].span.duration for n in own)
            self._db.execute(
                "INSERT INTO runs VALUES (?, ?, ?, ?, ?)",
                (modality, video, int(rows[own[0]]), int(rows[own[-1]]), longest),
            )
            self._add_terms(modality, [(int(rows[n]), terms_of(observations[n].text)) for n in own])
        return rows

    def _sources(self, names: set[str]) -> dict[str, int]:
        """The number of each extractor; a new one is added."""
        self._db.executemany(
            "INSERT OR IGNORE INTO sources (extractor) VALUES (?)", [(name,) for name in sorted(names)]
        )
        return dict(self.all("SELECT extractor, source FROM sources"))

    def drop(self, video_id: str) -> list[tuple[int, int]]:
        """Remove a video; returns first and last row of its runs."""
        found = self.all("SELECT video FROM videos WHERE video_id = ?", (video_id,))
        if not found:
            return []
        video = found[0][0]
        modalities = [name for (name,) in self.all("SELECT modality FROM runs WHERE video = ?", (video,))]
        runs = self._drop_runs(video, modalities)
        for table in ("facts", "videos"):
            self._db.execute(f"DELETE FROM {table} WHERE video = ?", (video,))  # noqa: S608 (our own names)
        return runs

    def _put_facts(self, video: int, record: VideoRecord) -> None:
        self._db.execute("DELETE FROM facts WHERE video = ?", (video,))
        self._db.executemany(
            "INSERT INTO facts VALUES (?, ?, ?, ?, ?)",
            [(video, fact.name, fact.value, fact.number, fact.shown) for fact in facts_of(record)],
        )

    def _add_terms(self, modality: str, texts: Sequence[tuple[int, str]]) -> None:
        self._db.execute(_TERMS.format(modality))
        self._db.executemany(f"INSERT INTO terms_{modality} (rowid, text) VALUES (?, ?)", texts)  # noqa: S608
        lengths = bytes(min(_terms_in(text), _MOST_TERMS) for _, text in texts)
        self._db.execute("INSERT INTO lengths VALUES (?, ?)", (texts[0][0], lengths))
        self._count_terms(modality, texts, 1)

    def _drop_runs(self, video: int, modalities: Sequence[Modality]) -> list[tuple[int, int]]:
        """Remove all rows of some modalities of a video; returns first and last row of their runs."""
        dropped = []
        for modality in modalities:
            run = (video, modality)
            for first, last in self.all("SELECT first, last FROM runs WHERE video = ? AND modality = ?", run):
                texts = self.all("SELECT row, text FROM rows WHERE row BETWEEN ? AND ?", (first, last))
                self._drop_terms(modality, [(row, terms_of(text)) for row, text in texts])
                self._db.execute("DELETE FROM rows WHERE row BETWEEN ? AND ?", (first, last))
                self._db.execute("DELETE FROM lengths WHERE first = ?", (first,))
                dropped.append((first, last))
            self._db.execute("DELETE FROM runs WHERE video = ? AND modality = ?", run)
        return dropped

    def _drop_terms(self, modality: str, texts: Sequence[tuple[int, str]]) -> None:
        self._db.executemany(
            f"INSERT INTO terms_{modality} (terms_{modality}, rowid, text) VALUES ('delete', ?, ?)",  # noqa: S608
            texts,
        )
        self._count_terms(modality, texts, -1)

    def _count_terms(self, modality: str, texts: Sequence[tuple[int, str]], sign: int) -> None:
        counts: Counter[str] = Counter()
        for _, text in texts:
            counts.update(set(text.split()))
        self._db.executemany(
            "INSERT INTO vocabulary VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET rows = rows + excluded.rows",
            ((modality, term, sign * count) for term, count in sorted(counts.items())),
        )
        terms = sum(_terms_in(text) for _, text in texts)
        self._db.execute(
            "INSERT INTO sizes VALUES (?, ?, ?) "
            "ON CONFLICT DO UPDATE SET rows = rows + excluded.rows, terms = terms + excluded.terms",
            (modality, sign * len(texts), sign * terms),
        )


def _terms_in(text: str) -> int:
    return text.count(" ") + 1 if text else 0
