"""Facts about videos, and the conditions that select videos by them: `date>=2026-01`, `tag=lecture`, `title~budget`.

A condition becomes one SQL statement over the table `facts`; no row is read into Python.

    condition = FIELD OPERATOR VALUE
    OPERATOR  = "=" | "!=" | "<" | "<=" | ">" | ">=" | "~"

`~` is true for a text that contains the value. `!=` is true for a video that has no such value, also where it has none at
all. Dates compare by period: `date=2026-01` is any day of January, `date>2026-01` begins in February. Upper and lower case
are the same.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import PurePath

from ..tools.errors import QueryError
from ..tools.records import clean_text, parse_clock
from .records import VideoRecord

__all__ = ["FIELDS", "Condition", "Fact", "dates_in", "facts_of", "parse_condition"]

# Every video may have these; a sidecar may add others.
FIELDS = (
    "title", "date", "recorded", "channel", "tag", "folder", "name", "description", "url", "location", "duration",
    "indexed",
)  # fmt: skip
_DATES = ("date", "recorded", "indexed")
_CONDITION = re.compile(r"\s*(?P<name>[\w -]+?)\s*(?P<operator>!=|>=|<=|=|<|>|~)\s*(?P<value>.+?)\s*", re.DOTALL)
# A period: a year, month, day, hour, minute or second.
_PERIOD = re.compile(r"\d{4}(-\d\d(-\d\d([t ]\d\d(:\d\d(:\d\dz?)?)?)?)?)?")
_IN_NAME = re.compile(r"(?<!\d)((?:19|20)\d\d)[-_.]?(\d\d)[-_.]?(\d\d)(?!\d)")
_AFTER_ALL = "\U0010ffff"


@dataclass(frozen=True)
class Fact:
    """One named value of a video.

    Attributes:
        name: Of the field.
        shown: The value as it was written.
        number: The value as a number, if it is one.
    """

    name: str
    shown: str
    number: float | None = None

    @property
    def value(self) -> str:
        """The value as it is compared."""
        return _comparable(self.shown)


@dataclass(frozen=True)
class Condition:
    """A condition on one field."""

    name: str
    operator: str
    value: str

    def sql(self) -> tuple[str, list[object]]:
        """Return the condition on the column `video`, with its parameters.

        Raises:
            QueryError: The field does not compare with such a value.
        """
        if self.operator == "!=":
            within, values = Condition(self.name, "=", self.value)._within()
            return f"video NOT IN (SELECT video FROM facts WHERE name = ? AND {within})", [self.name, *values]  # noqa: S608 (our own words)
        within, values = self._within()
        return f"video IN (SELECT video FROM facts WHERE name = ? AND {within})", [self.name, *values]  # noqa: S608 (our own words)

    def _within(self) -> tuple[str, list[object]]:
        value = _comparable(self.value)
        if self.operator == "~":
            return "instr(value, ?)", [value]
        is_date = self.name in _DATES
        if is_date and not _PERIOD.fullmatch(value):
            raise QueryError(f"{self}: give a year, a month or a day, such as 2026, 2026-01 or 2026-01-15")
        if is_date or (_PERIOD.fullmatch(value) and "-" in value):
            start, after = value.replace(" ", "t"), value.replace(" ", "t") + _AFTER_ALL
            periods: dict[str, tuple[str, list[object]]] = {
                "=": ("value >= ? AND value < ?", [start, after]),
                ">=": ("value >= ?", [start]),
                ">": ("value >= ?", [after]),
                "<": ("value < ?", [start]),
                "<=": ("value < ?", [after]),
            }
            return periods[self.operator]
        number = _number(value)
        if number is None and self.name == "duration":
            try:
                number = parse_clock(value)
            except ValueError as error:
                raise QueryError(f"{self}: {error}") from error
        if self.operator == "=":
            return ("value = ?", [value]) if number is None else ("(value = ? OR number = ?)", [value, number])
        if number is None:
            raise QueryError(f"{self}: {self.operator} compares numbers and dates; for a text use =, != or ~")
        return f"number {self.operator} ?", [number]

    def __str__(self) -> str:
        return f"{self.name}{self.operator}{self.value}"


def parse_condition(text: str) -> Condition:
    """Parse a condition.

    Raises:
        QueryError: It is not a condition.
    """
    found = _CONDITION.fullmatch(text)
    value = re.sub(r"""\A(["'])(.*)\1\Z""", r"\2", found["value"]) if found else ""
    if not found or not value:
        raise QueryError(
            f"where={clean_text(text)!r} is no condition: write FIELD, one of = != < <= > >= ~, and a value, such as "
            f"'date>=2026-01', 'tag=lecture' or 'title~budget'. Fields: {', '.join(FIELDS)}"
        )
    return Condition(re.sub(r"[ -]+", "_", found["name"].casefold()), found["operator"], value)


def facts_of(record: VideoRecord) -> Iterator[Fact]:
    """Yield the facts about a video: its metadata, and what its paths and its record say."""
    metadata = record.metadata
    names = [PurePath(path) for path in record.paths]
    days = [day.isoformat() for path in names for day in dates_in(path.stem)]
    yield from _texts("title", metadata.title)
    yield from _texts("date", metadata.date or metadata.recorded[:10] or next(iter(days), ""))
    for name in ("recorded", "channel", "description", "url", "location"):
        yield from _texts(name, getattr(metadata, name))
    yield from _texts("tag", *metadata.tags)
    yield from _texts("name", *dict.fromkeys(path.name for path in names))
    folders = [str(folder) for path in names for folder in path.parents if folder.name]
    yield from _texts("folder", *dict.fromkeys([*folders, *(PurePath(one).name for one in folders)]))
    yield Fact("duration", f"{record.duration:.3f}", record.duration)
    yield from _texts("indexed", record.indexed_at[:19] + "Z")
    for fact in metadata.facts:
        yield Fact(fact.name, fact.value, _number(fact.value))


def dates_in(name: str) -> Iterator[date]:
    """Yield the days that a file's name holds, such as `2026-05-03` or `20260503`."""
    for found in _IN_NAME.finditer(name):
        try:
            yield date(*map(int, found.groups()))
        except ValueError:
            continue


def _texts(name: str, *values: str) -> Iterator[Fact]:
    return (Fact(name, value) for value in values if value)


def _comparable(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def _number(text: str) -> float | None:
    try:
        return float(text) if re.fullmatch(r"[-+]?\d+(\.\d+)?", text) else None
    except OverflowError:
        return None
