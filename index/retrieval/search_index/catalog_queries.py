"""Reads the catalogue: records, observations and numbers of rows by term. `catalog` holds its schema and writes it."""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt

from ....tools.extractors.registry import labels
from ....tools.records import Modality, Span
from ...metadata_conditions import Condition, Fact
from ...metadata_texts import METADATA
from .rows import ROWS, Filter, Row, condition_of, evidence_id_of, row_of

__all__ = ["CatalogQueries", "Ranges"]

# First and last row of stretches of consecutive rows, in order: shape `(n, 2)`.
Ranges = npt.NDArray[np.int64]

_ORDER = "video_id, start, observation, row"
# A list as one value: SQLite takes 32,766 parameters at most.
_AMONG = "row IN (SELECT value FROM json_each(?))"
_ROOM = 1.25  # for rows to come


class CatalogQueries:
    """Queries over one connection to a catalogue. Not for several threads at once."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        """Use a connection to a catalogue."""
        self._db = connection
        self._lengths = np.zeros(0, np.uint8)  # by row; those of removed rows stay
        self._lengths_end = 0

    def close(self) -> None:
        """Close the connection."""
        self._db.close()

    def version(self) -> int:
        """The version of the schema; 0: an empty file."""
        return int(self.all("PRAGMA user_version")[0][0])

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Read one snapshot within."""
        self._db.execute("BEGIN")
        try:
            yield
        finally:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")

    def noted(self, key: str) -> str:
        """The value of a key; empty: none."""
        found = self.all("SELECT value FROM meta WHERE key = ?", (key,))
        return str(found[0][0]) if found else ""

    def commits(self) -> dict[str, str]:
        """The commit id of each video."""
        return dict(self.all("SELECT video_id, commit_id FROM videos"))

    def video_ids(self) -> set[str]:
        """The ids of all videos."""
        return {video_id for (video_id,) in self.all("SELECT video_id FROM videos")}

    def records_since(self, change: int) -> list[tuple[str, str, int]]:
        """Id, record as JSON and number of the change, of the videos changed after a change."""
        return self.all("SELECT video_id, record, change FROM videos WHERE change > ?", (change,))

    def fetch(self, rows: Iterable[int]) -> dict[int, Row]:
        """Rows by their number; unknown ones are left out."""
        return {found[0]: row_of(found) for found in self.all(f"{ROWS} WHERE {_AMONG}", [json.dumps(list(rows))])}

    def in_order(self, rows: Iterable[int]) -> list[int]:
        """Rows in an order that depends on their content, not on when they were added."""
        statement = f"SELECT row FROM rows JOIN videos USING (video) WHERE {_AMONG} ORDER BY {_ORDER}"  # noqa: S608
        return [row for (row,) in self.all(statement, [json.dumps(list(rows))])]

    def texts_near(self, modality: Modality, rows: Sequence[int], width: int) -> dict[int, tuple[int, str]]:
        """Number of the video and text of rows of a modality and of their neighbours, up to `width` rows away."""
        # Stretches of rows take half the time of as many single rows.
        statement = (
            "SELECT row, video, text FROM json_each(?) CROSS JOIN rows "
            "ON row BETWEEN value - ? AND value + ? WHERE modality = ?"
        )
        found = self.all(statement, [json.dumps(list(rows)), width, width, modality])
        return {row: (video, text) for row, video, text in found}

    def by_evidence_id(self, evidence_id: str) -> Row | None:
        """Return the row with an evidence id, or None."""
        prefix, _, digits = evidence_id.partition("-")
        try:
            observation = bytes.fromhex(digits)
        except ValueError:
            return None
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
            (row, evidence_id_of(video_id, observation.hex()))
            for row, video_id, observation in self.all(statement, values)
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
