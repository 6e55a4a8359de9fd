"""Words of all observations, for search by BM25: the one owner of SQLite FTS5. Derived: it can be made again."""

import json
import re
import sqlite3
import threading
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..tools.records import Box, Modality, Span, Word
from .records import VideoRecord
from .table import Perceived, observation_id

__all__ = ["Catalog", "Filter", "Row", "match_expression", "tokens"]

_SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE videos (video_id TEXT PRIMARY KEY, commit_id TEXT NOT NULL, first_row INTEGER, count INTEGER) WITHOUT ROWID;
CREATE TABLE rows (
    row INTEGER PRIMARY KEY, evidence_id TEXT NOT NULL, video_id TEXT NOT NULL, modality TEXT NOT NULL,
    start REAL NOT NULL, "end" REAL NOT NULL, text TEXT NOT NULL, source TEXT NOT NULL, box TEXT, words TEXT,
    frame_seconds REAL
);
CREATE INDEX rows_by_video ON rows (video_id, modality, start);
CREATE INDEX rows_by_evidence ON rows (evidence_id);
CREATE VIRTUAL TABLE text_words USING fts5 (
    text, content='rows', content_rowid='row', tokenize='porter unicode61 remove_diacritics 2'
);
"""
# Raised whenever the schema above changes: a catalogue of another version is made again.
_VERSION = 1

# Words that say nothing of what is asked for.
_STOP_WORDS = frozenset(
    "a an and any are as at be been but by can could did do does for from had has have he her his how i if in into is it "
    "its me my no not of on or our she should so some than that the their them then there these they this those to us "
    "was we were what when where which while who whom whose why will with would you your".split()
)
_LETTERS_THEN_DIGITS = re.compile(r"[^\W\d_]+|\d+")


@dataclass(frozen=True)
class Filter:
    """Which rows a search may return; None or empty: no limit."""

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
    """The rows of all committed videos, and their words."""

    def __init__(self, path: Path | None) -> None:
        """Open a catalogue, made anew where it is missing, damaged or of another version.

        Args:
            path: Its file; None keeps it in memory.

        Raises:
            sqlite3.Error: The file can be neither read nor made.
        """
        self._lock = threading.RLock()
        try:
            self._open(path)
        except sqlite3.DatabaseError as error:
            if path is None or isinstance(error, sqlite3.OperationalError):
                raise
            path.unlink(missing_ok=True)
            self._open(path)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    @contextmanager
    def changing(self) -> Iterator[None]:
        """All changes within are made, or none; other processes wait."""
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def commits(self) -> dict[str, str]:
        """The commit of each video that is in the catalogue."""
        return dict(self._all("SELECT video_id, commit_id FROM videos"))

    def state(self) -> str:
        """The token of the vector files that belong to the rows; empty: none."""
        found = self._all("SELECT value FROM meta WHERE key = 'vectors'")
        return found[0][0] if found else ""

    def set_state(self, token: str) -> None:
        """Note which vector files belong to the rows."""
        self._db.execute("INSERT OR REPLACE INTO meta VALUES ('vectors', ?)", (token,))

    def first_row(self, video_id: str) -> int:
        """Row of a video's first observation; the others follow in order."""
        return int(self._all("SELECT first_row FROM videos WHERE video_id = ?", (video_id,))[0][0])

    def add(self, record: VideoRecord, perceived: Perceived) -> int:
        """Add a video's observations; returns the row of the first."""
        first = int(self._all("SELECT coalesce(max(row), 0) + 1 FROM rows")[0][0])
        self._db.executemany(
            "INSERT INTO rows VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                (
                    first + number,
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
                for number, o in enumerate(perceived.observations)
            ),
        )
        self._db.execute(
            "INSERT INTO text_words (rowid, text) SELECT row, text FROM rows WHERE video_id = ?", (record.video_id,)
        )
        count = len(perceived.observations)
        self._db.execute("INSERT INTO videos VALUES (?, ?, ?, ?)", (record.video_id, record.commit, first, count))
        return first

    def drop(self, video_id: str) -> npt.NDArray[np.int64]:
        """Take a video's observations out; returns their rows."""
        rows = self._all("SELECT row, text FROM rows WHERE video_id = ?", (video_id,))
        self._db.executemany("INSERT INTO text_words (text_words, rowid, text) VALUES ('delete', ?, ?)", rows)
        self._db.execute("DELETE FROM rows WHERE video_id = ?", (video_id,))
        self._db.execute("DELETE FROM videos WHERE video_id = ?", (video_id,))
        return np.asarray([row for row, _ in rows], np.int64)

    def match(self, query: str, where: Filter, limit: int) -> list[tuple[int, float]]:
        """Rows whose words match a human query, best first, with their BM25 score (higher is better)."""
        expression = match_expression(query)
        if not expression:
            return []
        condition, values = _condition(where)
        return [
            (int(row), -float(score))
            for row, score in self._all(
                f"SELECT rows.row, bm25(text_words) AS rank FROM text_words JOIN rows ON rows.row = text_words.rowid "  # noqa: S608 (placeholders only)
                f"WHERE text_words MATCH ? AND {condition} ORDER BY rank, rows.start LIMIT ?",
                (expression, *values, limit),
            )
        ]

    def rows_where(self, where: Filter) -> npt.NDArray[np.int64]:
        """Rows that a filter lets through."""
        condition, values = _condition(where)
        return np.asarray([row for (row,) in self._all(f"SELECT row FROM rows WHERE {condition}", values)], np.int64)  # noqa: S608

    def fetch(self, rows: Iterable[int]) -> dict[int, Row]:
        """Rows by their number."""
        wanted = list(rows)
        found: dict[int, Row] = {}
        for first in range(0, len(wanted), 500):
            part = wanted[first : first + 500]
            marks = ",".join("?" * len(part))
            for values in self._all(f"SELECT * FROM rows WHERE row IN ({marks})", part):  # noqa: S608
                found[values[0]] = _row(values)
        return found

    def by_evidence_id(self, evidence_id: str) -> Row | None:
        """The row of an evidence."""
        found = self._all("SELECT * FROM rows WHERE evidence_id = ? LIMIT 1", (evidence_id,))
        return _row(found[0]) if found else None

    def of_video(self, video_id: str) -> list[Row]:
        """All rows of a video, by modality and time."""
        query = "SELECT * FROM rows WHERE video_id = ? ORDER BY modality, start, row"
        return [_row(values) for values in self._all(query, (video_id,))]

    def _all(self, statement: str, values: Sequence[object] = ()) -> list[tuple]:
        with self._lock:
            return self._db.execute(statement, values).fetchall()

    def _open(self, path: Path | None) -> None:
        self._db = sqlite3.connect(
            path or ":memory:", timeout=60, isolation_level=None, check_same_thread=False, cached_statements=64
        )
        try:
            version = self._all("PRAGMA user_version")[0][0]
            if version == _VERSION:
                return
            with self.changing():
                names = self._all("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
                for name in ("text_words", "rows", "videos", "meta"):
                    if (name,) in names:
                        self._db.execute(f"DROP TABLE {name}")
                for statement in _SCHEMA.split(";\n"):
                    self._db.execute(statement)
                self._db.execute(f"PRAGMA user_version = {_VERSION}")
        except BaseException:
            self._db.close()
            raise


def tokens(text: str) -> list[str]:
    """Words of a human text as the catalogue sees them: `ERR_CERT-7` gives err, cert, 7."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return re.findall(r"[^\W_]+", folded)


def match_expression(query: str) -> str:
    """An FTS5 expression for a human query; nothing in it is taken as syntax. Empty: it holds no word.

    Its words are joined by OR, without stop words where others remain. A code such as `ORDER-7731` or
    `order7731` matches however it was written: in parts, or as one word.
    """
    folded = unicodedata.normalize("NFKC", query).casefold()
    terms: dict[str, None] = {}
    for chunk in re.findall(r"\w[\w\-./:@#&+']*", folded):
        parts = re.findall(r"[^\W_]+", chunk)
        pieces = [piece for part in parts for piece in _LETTERS_THEN_DIGITS.findall(part)]
        is_code = len(pieces) > 1 and (any(piece.isdigit() for piece in pieces) or "_" in chunk)
        if is_code:
            terms[_phrase(pieces)] = None
            terms[_phrase(parts)] = None
            terms[_phrase(["".join(parts)])] = None
        for part in parts:
            terms[_phrase([part])] = None
    telling = [term for term in terms if term.strip('"') not in _STOP_WORDS]
    return " OR ".join(telling or terms)


def _phrase(parts: Sequence[str]) -> str:
    return '"' + " ".join(parts) + '"'


def _condition(where: Filter) -> tuple[str, list[object]]:
    parts: list[str] = ["1"]
    values: list[object] = []
    if where.modality is not None:
        parts.append("rows.modality = ?")
        values.append(where.modality)
    if where.video_ids is not None:
        parts.append(f"rows.video_id IN ({','.join('?' * len(where.video_ids))})")
        values += where.video_ids
    if where.between is not None:
        parts.append('rows.start < ? AND rows."end" > ?')
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
