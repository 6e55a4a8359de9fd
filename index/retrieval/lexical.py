"""Words of all observations, for search by BM25: the one owner of SQLite FTS5. Derived: it can be made again.

FTS5 is given the terms that `index.retrieval.tokenizer` cuts; it stems and ranks them.
"""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ...tools.records import Box, Modality, Span, Word
from ..records import VideoRecord
from ..storage.table import ObservationTable, observation_id
from .tokenizer import match_expression, terms_of

__all__ = ["Catalog", "CatalogError", "Filter", "Row", "match_expression"]

CatalogError = sqlite3.DatabaseError

_SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE videos (video_id TEXT PRIMARY KEY, commit_id TEXT NOT NULL, first_row INTEGER) WITHOUT ROWID;
CREATE TABLE rows (
    row INTEGER PRIMARY KEY, evidence_id TEXT NOT NULL, video_id TEXT NOT NULL, modality TEXT NOT NULL,
    start REAL NOT NULL, "end" REAL NOT NULL, text TEXT NOT NULL, source TEXT NOT NULL, box TEXT, words TEXT,
    frame_seconds REAL
);
CREATE INDEX rows_by_video ON rows (video_id, modality, start);
CREATE INDEX rows_by_evidence ON rows (evidence_id)
"""
# One table of words a modality: a search asks for one at a time, and need not look up the others' rows.
_TERMS = "CREATE VIRTUAL TABLE IF NOT EXISTS terms_{} USING fts5 (text, content='', tokenize='porter ascii')"
# Raised whenever the schema above, or how texts are cut into terms, changes: an older catalogue is made again.
_VERSION = 4

# For another process that changes it: learning where millions of vectors lie takes minutes.
_WAIT_SECONDS = 600

_ORDER = "video_id, start, evidence_id, row"
# A list as one value: SQLite takes 32,766 at most.
_AMONG = "row IN (SELECT value FROM json_each(?))"


@dataclass(frozen=True)
class Filter:
    """Which rows a search may return; None: no limit."""

    modality: Modality | None = None
    video_ids: tuple[str, ...] | None = None
    between: Span | None = None

    @property
    def is_open(self) -> bool:
        """Whether it limits to neither videos nor times."""
        return self.video_ids is None and self.between is None


@dataclass(frozen=True)
class Row:
    """One observation in the catalogue."""

    row: int
    evidence_id: str
    video_id: str
    modality: Modality
    start: float
    end: float
    text: str
    source: str
    box: Box | None
    words: tuple[Word, ...]
    frame_seconds: float | None


class Catalog:
    """The rows of all committed videos, and their words. Not for several threads at once."""

    def __init__(self, path: Path | None) -> None:
        """Open a catalogue, made anew where it is missing, damaged or of another version.

        Args:
            path: Its file; None keeps it in memory.

        Raises:
            CatalogError: The file can be neither read nor made.
        """
        try:
            self._open(path)
        except sqlite3.DatabaseError as error:
            if path is None or isinstance(error, sqlite3.OperationalError):
                raise
            self.delete(path)
            self._open(path)

    @staticmethod
    def delete(path: Path) -> None:
        """Delete a catalogue's file, and the journal that SQLite would apply to the next one."""
        for suffix in ("-journal", "-wal", "-shm", ""):
            path.with_name(path.name + suffix).unlink(missing_ok=True)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    @contextmanager
    def changing(self) -> Iterator[None]:
        """All changes within are made, or none; other processes wait."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:  # SQLite itself ends it where the disk is full
                self._db.execute("ROLLBACK")
            raise

    def commits(self) -> dict[str, str]:
        """The commit of each video that is in the catalogue."""
        return dict(self._all("SELECT video_id, commit_id FROM videos"))

    def state(self) -> str:
        """What was noted last by `set_state`; empty: nothing."""
        return self._noted("state")

    def set_state(self, state: str) -> None:
        """Note which vector files belong to the rows."""
        self._note("state", state)

    def first_row(self, video_id: str) -> int:
        """Row of a video's first observation; the others follow in order."""
        return int(self._all("SELECT first_row FROM videos WHERE video_id = ?", (video_id,))[0][0])

    def add(self, record: VideoRecord, perceived: ObservationTable) -> int:
        """Add a video's observations; returns the row of the first. No row's number is ever used again."""
        first = int(self._noted("next_row") or 1)
        numbered = list(enumerate(perceived.observations, first))
        self._note("next_row", str(first + len(numbered)))
        self._db.executemany(
            "INSERT INTO rows VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                (
                    row,
                    f"{record.video_id[:12]}-{observation_id(o)}",
                    record.video_id,
                    o.modality,
                    o.span.start,
                    o.span.end,
                    o.text,
                    o.source,
                    o.box.model_dump_json() if o.box else None,
                    json.dumps([[w.text, w.start, w.end] for w in o.words]) if o.words else None,
                    o.frame_seconds,
                )
                for row, o in numbered
            ),
        )
        for modality in sorted({o.modality for o in perceived.observations}):
            self._db.execute(_TERMS.format(modality))
            self._db.executemany(
                f"INSERT INTO terms_{modality} (rowid, text) VALUES (?, ?)",  # noqa: S608 (our own names)
                ((row, terms_of(o.text)) for row, o in numbered if o.modality == modality),
            )
        self._db.execute("INSERT INTO videos VALUES (?, ?, ?)", (record.video_id, record.commit, first))
        return first

    def drop(self, video_id: str) -> npt.NDArray[np.int64]:
        """Take a video's observations out; returns their rows."""
        rows = self._all("SELECT row, modality, text FROM rows WHERE video_id = ?", (video_id,))
        for modality in sorted({of for _, of, _ in rows}):
            self._db.executemany(
                f"INSERT INTO terms_{modality} (terms_{modality}, rowid, text) VALUES ('delete', ?, ?)",  # noqa: S608
                ((row, terms_of(text)) for row, of, text in rows if of == modality),
            )
        self._db.execute("DELETE FROM rows WHERE video_id = ?", (video_id,))
        self._db.execute("DELETE FROM videos WHERE video_id = ?", (video_id,))
        return np.asarray([row for row, _, _ in rows], np.int64)

    def match(self, query: str, where: Filter, limit: int) -> list[tuple[int, float]]:
        """Rows whose words match a human query, best first, with their BM25 score (higher is better)."""
        expression = match_expression(query)
        if not expression:
            return []
        if where.modality is not None:
            return self._match_one(where.modality, expression, where, limit)
        scores = dict(found for m in self._stored() for found in self._match_one(m, expression, where, limit))
        return sorted(((row, scores[row]) for row in self.in_order(scores)), key=lambda found: -found[1])[:limit]

    def _match_one(self, modality: Modality, expression: str, where: Filter, limit: int) -> list[tuple[int, float]]:
        """As `match` in one modality. Rows are looked up only to tell ties apart, and where a filter wants it."""
        if modality not in self._stored():
            return []
        terms = f"terms_{modality}"
        condition, values = _condition(where)
        if where.is_open:
            condition, values = "1", []
        elif where.video_ids is not None:
            condition = f"+rowid IN (SELECT row FROM rows WHERE {condition})"  # noqa: S608 (placeholders only)
        else:
            condition = f"EXISTS (SELECT 1 FROM rows WHERE row = {terms}.rowid AND {condition})"  # noqa: S608
        return [
            (int(row), -float(score))
            for row, score in self._all(
                f"WITH scored AS MATERIALIZED (SELECT rowid AS row, bm25({terms}) AS score FROM {terms} "  # noqa: S608
                f"WHERE {terms} MATCH ? AND {condition}), "
                "best AS (SELECT * FROM scored WHERE score <= "
                "coalesce((SELECT score FROM scored ORDER BY score LIMIT 1 OFFSET ?), 0)) "
                f"SELECT row, score FROM best JOIN rows USING (row) ORDER BY score, {_ORDER} LIMIT ?",
                (expression, *values, limit - 1, limit),
            )
        ]

    def _stored(self) -> list[Modality]:
        """The modalities that have a table of words."""
        tables = self._all("SELECT name FROM sqlite_master WHERE sql LIKE 'CREATE VIRTUAL%' ORDER BY name")
        return [name.removeprefix("terms_") for (name,) in tables]

    def rows_where(self, where: Filter) -> npt.NDArray[np.int64]:
        """Rows that a filter lets through."""
        condition, values = _condition(where)
        return np.asarray([row for (row,) in self._all(f"SELECT row FROM rows WHERE {condition}", values)], np.int64)  # noqa: S608

    def texts(self, where: Filter) -> list[str]:
        """The different texts of the rows that a filter lets through."""
        condition, values = _condition(where)
        statement = f"SELECT DISTINCT text FROM rows WHERE {condition} ORDER BY text"  # noqa: S608 (placeholders only)
        return [text for (text,) in self._all(statement, values)]

    def with_texts(self, texts: Iterable[str], where: Filter) -> npt.NDArray[np.int64]:
        """Rows that a filter lets through and that hold one of these texts, and nothing else."""
        condition, values = _condition(where)
        found = self._all(
            f"SELECT row FROM rows WHERE {condition} AND text IN (SELECT value FROM json_each(?))",  # noqa: S608
            [*values, _listed(texts)],
        )
        return np.asarray([row for (row,) in found], np.int64)

    def in_order(self, rows: Iterable[int]) -> list[int]:
        """Rows in an order that depends on what they hold, not on when they were added."""
        return [row for (row,) in self._all(f"SELECT row FROM rows WHERE {_AMONG} ORDER BY {_ORDER}", [_listed(rows)])]  # noqa: S608

    def fetch(self, rows: Iterable[int]) -> dict[int, Row]:
        """Rows by their number; those that are gone are left out."""
        return {values[0]: _row(values) for values in self._all(f"SELECT * FROM rows WHERE {_AMONG}", [_listed(rows)])}  # noqa: S608

    def by_evidence_id(self, evidence_id: str) -> Row | None:
        """The row of an evidence."""
        found = self._all("SELECT * FROM rows WHERE evidence_id = ? LIMIT 1", (evidence_id,))
        return _row(found[0]) if found else None

    def of_video(self, video_id: str) -> list[Row]:
        """All rows of a video, by modality and time."""
        query = "SELECT * FROM rows WHERE video_id = ? ORDER BY modality, start, row"
        return [_row(values) for values in self._all(query, (video_id,))]

    def _all(self, statement: str, values: Sequence[object] = ()) -> list[tuple]:
        return self._db.execute(statement, values).fetchall()

    def _noted(self, key: str) -> str:
        found = self._all("SELECT value FROM meta WHERE key = ?", (key,))
        return found[0][0] if found else ""

    def _note(self, key: str, value: str) -> None:
        self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))

    def _open(self, path: Path | None) -> None:
        self._db = sqlite3.connect(
            path or ":memory:", timeout=_WAIT_SECONDS, isolation_level=None, check_same_thread=False
        )
        try:
            if self._version() == _VERSION:
                return
            with self.changing():
                if self._version() == _VERSION:
                    return  # another process was first
                for (name,) in self._all("SELECT name FROM sqlite_master WHERE sql LIKE 'CREATE VIRTUAL%'"):
                    self._db.execute(f'DROP TABLE "{name}"')
                for (name,) in self._all("SELECT name FROM sqlite_master WHERE type = 'table'"):
                    self._db.execute(f'DROP TABLE "{name}"')
                for statement in _SCHEMA.split(";\n"):
                    self._db.execute(statement)
                self._db.execute(f"PRAGMA user_version = {_VERSION}")
        except BaseException:
            self._db.close()
            raise

    def _version(self) -> int:
        return int(self._all("PRAGMA user_version")[0][0])


def _listed(values: Iterable[object]) -> str:
    return json.dumps(list(values))


def _condition(where: Filter) -> tuple[str, list[object]]:
    parts: list[str] = ["1"]
    values: list[object] = []
    if where.modality is not None:
        parts.append("modality = ?")
        values.append(where.modality)
    if where.video_ids is not None:
        parts.append("video_id IN (SELECT value FROM json_each(?))")
        values.append(_listed(where.video_ids))
    if where.between is not None:
        parts.append('start < ? AND "end" > ?')
        values += [where.between.end, where.between.start]
    return " AND ".join(parts), values


def _row(values: Sequence) -> Row:
    row, evidence_id, video_id, modality, start, end, text, source, box, words, frame_seconds = values
    return Row(
        row=row,
        evidence_id=evidence_id,
        video_id=video_id,
        modality=modality,
        start=start,
        end=end,
        text=text,
        source=source,
        box=Box.model_validate_json(box) if box else None,
        words=tuple(Word(text=word, start=begin, end=stop) for word, begin, stop in json.loads(words)) if words else (),
        frame_seconds=frame_seconds,
    )
