"""The catalogue: records, observations and index terms of all published videos, in one SQLite file.

This module owns SQLite: schema, writing, and reading rows. Ranking by terms is in `lexical`. The file is in WAL mode:
a reader sees one snapshot for the whole of a read transaction and waits for no writer.
"""

import json
import os
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ....tools.extractors.registry import labels
from ....tools.records import Modality, Observation, Span
from ...metadata_conditions import Condition, Fact, facts_of
from ...metadata_texts import METADATA, metadata_texts
from ...records import VideoRecord
from ...storage.committed.table import ObservationTable
from ..lexical.tokenizer import terms_of
from .rows import ROWS, Filter, Row, condition_of, evidence_id_of, row_of, stored

__all__ = ["Catalog", "CatalogError", "Ranges"]

CatalogError = sqlite3.DatabaseError

# First and last row of stretches of consecutive rows, in order: shape `(n, 2)`.
Ranges = npt.NDArray[np.int64]

# Raised when the schema, or the cutting of texts into terms, changes: an older file is built again.
_VERSION = 10
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
    observation TEXT NOT NULL
);
CREATE INDEX rows_by_time ON rows (video, modality, start);
CREATE INDEX rows_by_label ON rows (modality, text) WHERE modality IN ('object', 'frame');
CREATE TABLE vocabulary (
    modality TEXT NOT NULL, term TEXT NOT NULL, rows INTEGER NOT NULL, PRIMARY KEY (modality, term)
) WITHOUT ROWID;
CREATE TABLE sizes (modality TEXT PRIMARY KEY, rows INTEGER NOT NULL, terms INTEGER NOT NULL) WITHOUT ROWID
"""
# One full-text table for each modality; its terms are separated by spaces and may contain signs.
_TERMS = """CREATE VIRTUAL TABLE IF NOT EXISTS terms_{} USING fts5 (text, content='', tokenize="ascii tokenchars '#+.&@-_'")"""
_ORDER = "video_id, start, observation, row"
# A list as one value: SQLite takes 32,766 parameters at most.
_AMONG = "row IN (SELECT value FROM json_each(?))"
_READ_CACHE_KIB = 32_768
_WRITE_WAIT_SECONDS = 600
_MOST_TERMS = 255  # that the stored length of a row tells apart
_ROOM = 1.25  # for rows to come


class Catalog:
    """One connection to a catalogue. Not for several threads at once."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        """Use a connection made by `for_writing` or `for_reading`."""
        self._db = connection
        self._lengths = np.zeros(0, np.uint8)  # by row; those of removed rows stay
        self._lengths_end = 0

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

    def close(self) -> None:
        """Close the connection."""
        self._db.close()

    def version(self) -> int:
        """The version of the schema; 0: an empty file."""
        return int(self.all("PRAGMA user_version")[0][0])

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

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Read one snapshot within."""
        self._db.execute("BEGIN")
        try:
            yield
        finally:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")

    def checkpoint(self) -> None:
        """Move the write-ahead log into the file as far as readers allow, so that a copy of the file is complete."""
        self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def noted(self, key: str) -> str:
        """The value of a key; empty: none."""
        found = self.all("SELECT value FROM meta WHERE key = ?", (key,))
        return str(found[0][0]) if found else ""

    def note(self, key: str, value: str) -> None:
        """Set the value of a key."""
        self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))

    def commits(self) -> dict[str, str]:
        """The commit id of each video."""
        return dict(self.all("SELECT video_id, commit_id FROM videos"))

    def video_ids(self) -> set[str]:
        """The ids of all videos."""
        return {video_id for (video_id,) in self.all("SELECT video_id FROM videos")}

    def records_since(self, change: int) -> list[tuple[str, str, int]]:
        """Id, record as JSON and number of the change, of the videos changed after a change."""
        return self.all("SELECT video_id, record, change FROM videos WHERE change > ?", (change,))

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

    def fetch(self, rows: Iterable[int]) -> dict[int, Row]:
        """Rows by their number; unknown ones are left out."""
        return {found[0]: row_of(found) for found in self.all(f"{ROWS} WHERE {_AMONG}", [json.dumps(list(rows))])}

    def in_order(self, rows: Iterable[int]) -> list[int]:
        """Rows in an order that depends on their content, not on when they were added."""
        statement = f"SELECT row FROM rows JOIN videos USING (video) WHERE {_AMONG} ORDER BY {_ORDER}"  # noqa: S608
        return [row for (row,) in self.all(statement, [json.dumps(list(rows))])]

    def texts_near(self, modality: Modality, rows: Sequence[int], width: int) -> dict[int, tuple[int, str]]:
        """Number of the video and text of rows of a modality and of their neighbours, up to `width` rows away."""
        near = {other for row in rows for other in range(row - width, row + width + 1)}
        statement = f"SELECT row, video, text FROM rows WHERE {_AMONG} AND modality = ?"  # noqa: S608 (our own names)
        return {row: (video, text) for row, video, text in self.all(statement, [json.dumps(sorted(near)), modality])}

    def by_evidence_id(self, evidence_id: str) -> Row | None:
        """The row of an evidence id; None: there is none."""
        prefix, _, observation = evidence_id.partition("-")
        statement = f"{ROWS} WHERE video_id >= ? AND video_id < ? AND observation = ? LIMIT 1"
        found = self.all(statement, (prefix, prefix + "g", observation)) if prefix else []
        return row_of(found[0]) if found else None

    def of_video(
        self, video_id: str, modalities: Sequence[Modality] | None = None, between: Span | None = None
    ) -> list[Row]:
        """All observations of a video, or the rows of some modalities, and of a stretch of it, by modality and time."""
        condition = " AND modality <> ?"
        values: list[object] = [video_id, METADATA]
        if modalities is not None:
            condition = " AND modality IN (SELECT value FROM json_each(?))"
            values = [video_id, json.dumps(list(modalities))]
        if between is not None:
            condition += ' AND start < ? AND "end" > ?'
            values += [between.end, between.start]
        return [
            row_of(found)
            for found in self.all(f"{ROWS} WHERE video_id = ?{condition} ORDER BY modality, start, row", values)
        ]

    def rows_where(self, where: Filter) -> list[Row]:
        """All rows that a filter lets through, by video and time. Meant for filters that limit to little."""
        condition, values = condition_of(where)
        return [row_of(found) for found in self.all(f"{ROWS} WHERE {condition} ORDER BY {_ORDER}", values)]

    def ids_where(self, where: Filter) -> list[tuple[int, str]]:
        """Row and evidence id of all rows that a filter lets through, by time."""
        condition, values = condition_of(where)
        source = "rows JOIN videos USING (video)"
        statement = f"SELECT row, video_id, observation FROM {source} WHERE {condition} ORDER BY start, row"  # noqa: S608 (our own names)
        return [
            (row, evidence_id_of(video_id, observation)) for row, video_id, observation in self.all(statement, values)
        ]

    def with_texts(self, texts: Iterable[str], where: Filter) -> list[Row]:
        """All rows with exactly one of some texts, by video and time."""
        condition, values = condition_of(where)
        among = "text IN (SELECT value FROM json_each(?))"
        statement = f"{ROWS} WHERE {condition} AND {among} ORDER BY {_ORDER}"
        return [row_of(found) for found in self.all(statement, [*values, json.dumps(list(texts))])]

    def texts(self, where: Filter, expression: str | None = None) -> list[str]:
        """The different texts that a filter lets through; with an FTS5 expression only those that match it."""
        if where.is_open and expression is None and where.modality in labels():
            statement = (  # jumps from label to label in the index
                "WITH RECURSIVE label(text) AS (SELECT min(text) FROM rows WHERE modality = :m "
                "UNION ALL SELECT (SELECT min(text) FROM rows WHERE modality = :m AND text > label.text) FROM label "
                "WHERE label.text IS NOT NULL) SELECT text FROM label WHERE text IS NOT NULL"
            ).replace(":m", f"'{where.modality}'")
            return [text for (text,) in self.all(statement)]
        condition, values = condition_of(where)
        if expression is not None:
            if not self.has_terms(where.modality):
                return []
            table = f"terms_{where.modality}"
            condition += f" AND row IN (SELECT rowid FROM {table} WHERE {table} MATCH ?)"  # noqa: S608 (our own names)
            values = [*values, expression]
        source = "rows JOIN videos USING (video)"
        return [t for (t,) in self.all(f"SELECT DISTINCT text FROM {source} WHERE {condition} ORDER BY text", values)]  # noqa: S608

    def ranges(self, where: Filter) -> Ranges:
        """The rows that a filter lets through, as ranges. With a time, rows that end before it may be among them."""
        condition, values = "modality = ?", [where.modality]
        if where.video_ids is not None:
            condition += " AND video_id IN (SELECT value FROM json_each(?))"
            values.append(json.dumps(where.video_ids))
        bounds = "first, last"
        if where.between is not None:
            own = "FROM rows AS r WHERE r.video = runs.video AND r.modality = runs.modality AND r.start"
            bounds = (
                f"(SELECT r.row {own} > {where.between.start!r} - longest - 1e-9 ORDER BY r.start, r.row LIMIT 1), "
                f"(SELECT r.row {own} < {where.between.end!r} ORDER BY r.start DESC, r.row DESC LIMIT 1)"
            )
        statement = f"SELECT {bounds} FROM runs JOIN videos USING (video) WHERE {condition} ORDER BY first"  # noqa: S608
        found = [(a, b) for a, b in self.all(statement, values) if a is not None and b is not None and a <= b]
        return np.array(found, np.int64).reshape(-1, 2)

    def videos_where(self, conditions: Sequence[Condition]) -> list[str]:
        """The ids of the videos for which all conditions are true, sorted.

        Raises:
            QueryError: A field does not compare with such a value.
        """
        parts = [condition.sql() for condition in conditions]
        statement = " AND ".join([part for part, _ in parts] or ["1"])
        values = [value for _, own in parts for value in own]
        return [one for (one,) in self.all(f"SELECT video_id FROM videos WHERE {statement} ORDER BY video_id", values)]  # noqa: S608 (our own names)

    def videos_called(self, name: str, folder: str) -> list[str]:
        """The ids of the videos with a file of a name, in a stored folder, or with an id that starts with the name.

        Names and folders are compared as facts are: without case. A name may lack the extension, or several of them.
        """
        facts = [Condition(field, "=", text).sql() for field, text in (("name", name), ("folder", folder)) if text]
        stem = Fact("name", name).value
        parts = [
            *(part for part, _ in facts),
            "video IN (SELECT video FROM facts WHERE name = 'name' AND value >= ? AND value < ?)",
            "(video_id >= ? AND video_id < ?)",
        ]
        values = [value for _, own in facts for value in own]
        statement = f"SELECT video_id FROM videos WHERE {' OR '.join(parts)}"  # noqa: S608 (our own names)
        # "/" follows "." in the order of characters: all names that begin with the stem and a point.
        return [one for (one,) in self.all(statement, [*values, f"{stem}.", f"{stem}/", name, name + "g"])]

    def fact_names(self) -> set[str]:
        """The names of all facts."""
        return {name for (name,) in self.all("SELECT DISTINCT name FROM facts")}

    def fact_values(self, name: str, limit: int) -> list[str]:
        """The most frequent values of a fact, as they were written."""
        statement = "SELECT min(shown) FROM facts WHERE name = ? GROUP BY value ORDER BY count(*) DESC, value LIMIT ?"
        return [value for (value,) in self.all(statement, (name, limit))]

    def has_terms(self, modality: Modality) -> bool:
        """Whether there are index terms of a modality."""
        return bool(self.all("SELECT 1 FROM sqlite_master WHERE name = ?", (f"terms_{modality}",)))

    def size_of(self, modality: Modality) -> tuple[int, int]:
        """Number of rows and of terms of a modality."""
        found = self.all("SELECT rows, terms FROM sizes WHERE modality = ?", (modality,))
        return (int(found[0][0]), int(found[0][1])) if found else (0, 0)

    def row_counts(self, modality: Modality, terms: Iterable[str]) -> dict[str, int]:
        """The number of rows of a modality that contain each term; terms without rows are omitted."""
        statement = "SELECT term, rows FROM vocabulary WHERE modality = ? AND term IN (SELECT value FROM json_each(?))"
        return dict(self.all(statement, (modality, json.dumps(list(terms)))))

    def lengths_of(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
        """The number of index terms of rows, at most 255. They are kept in memory, a byte for each row of the library."""
        for first, lengths in self.all("SELECT first, lengths FROM lengths WHERE first >= ?", (self._lengths_end,)):
            self._lengths_end = first + len(lengths)
            if self._lengths_end > len(self._lengths):
                grown = np.zeros(int(self._lengths_end * _ROOM), np.uint8)
                grown[: len(self._lengths)] = self._lengths
                self._lengths = grown
            self._lengths[first : self._lengths_end] = np.frombuffer(lengths, np.uint8)
        return self._lengths[rows]

    def all(self, statement: str, values: Sequence[object] = ()) -> list[tuple]:
        """All results of a statement."""
        return self._db.execute(statement, values).fetchall()

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
