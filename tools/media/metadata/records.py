"""The records of metadata. All of it is untrusted text: data, never an instruction, a path or markup."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from pydantic import Field

from ...records import Record, Span, Text, clean_text

__all__ = ["Fact", "Metadata", "TitledSpan", "day_of", "instant_of", "made"]

MOST_TAGS, MOST_FACTS, MOST_CHAPTERS = 100, 50, 500
LONGEST_LINE, LONGEST_DESCRIPTION = 300, 4000

_DAY = re.compile(r"(\d{4})(?:[-:./]?(\d{2})(?:[-:./]?(\d{2}))?)?(?=\D|\Z)")
# FFmpeg writes the epochs of QuickTime (1904) and Unix (1970) where a clock was not set.
_EARLIEST_RECORDING = 1990


class TitledSpan(Record):
    """A chapter that the source names."""

    span: Span = Field(description="When it is.")
    title: Text = Field(description="Its title; may be empty.")


class Fact(Record):
    """A named value that a sidecar adds."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]{0,39}$", description="Its name, in lower case.")
    value: Text = Field(description="Its value as text.")


class Metadata(Record):
    """What the file and its sidecars say about a video. Empty fields are not known."""

    title: Text = Field(default="", description="The title.")
    date: str = Field(default="", description="Day of publication, ISO 8601: a year, a month or a day.")
    recorded: str = Field(default="", description="When the camera recorded it, ISO 8601, UTC.")
    channel: Text = Field(default="", description="Who published it: channel, studio or artist.")
    tags: tuple[Text, ...] = Field(default=(), max_length=MOST_TAGS, description="Tags, categories, genres.")
    description: Text = Field(default="", description="A description by its author, cut to 4,000 characters.")
    url: Text = Field(default="", description="The page that it is from.")
    location: Text = Field(default="", description="Where it was recorded; read only if `read_location` is set.")
    chapters: tuple[TitledSpan, ...] = Field(default=(), description="Chapters that the source names, in order.")
    facts: tuple[Fact, ...] = Field(default=(), max_length=MOST_FACTS, description="Other values of a sidecar.")
    notes: tuple[Text, ...] = Field(default=(), description="What could not be read.")
    fingerprint: str = Field(default="", description="Changes when a sidecar or the reader changes; empty: not read.")

    def under(self, over: "Metadata") -> "Metadata":
        """Return these values where `over` has none, and the tags, facts and notes of both."""
        merged: dict[str, Any] = {
            name: getattr(over, name) or getattr(self, name)
            for name in ("title", "date", "recorded", "channel", "description", "url", "location", "chapters")
        }
        tags = {tag.casefold(): tag for tag in (*self.tags, *over.tags)}
        named = {(fact.name, fact.value): fact for fact in (*over.facts, *self.facts)}
        return Metadata(
            **merged,
            tags=tuple(tags.values())[:MOST_TAGS],
            facts=tuple(named.values())[:MOST_FACTS],
            notes=(*self.notes, *over.notes),
        )


def made(values: dict[str, Any]) -> Metadata:
    """Return metadata from values of a sidecar: texts are cut to their limits, empty ones are left out."""
    limits: dict[str, Callable[[Any], Any]] = {
        "title": _line, "channel": _line, "url": _line, "location": _line, "date": day_of, "recorded": instant_of,
        "description": lambda text: clean_text(str(text))[:LONGEST_DESCRIPTION],
        "tags": lambda tags: tuple(dict.fromkeys(filter(None, map(_line, tags))))[:MOST_TAGS],
    }  # fmt: skip
    limited = {name: limits[name](value) if name in limits else value for name, value in values.items() if value}
    return Metadata(**{name: value for name, value in limited.items() if value})


def day_of(value: object) -> str:
    """Return a date as ISO 8601, cut to what is known (a year, a month, a day); empty: it is no date."""
    found = _DAY.match(str(value).strip())
    if not found:
        return ""
    year, month, day = found.groups()
    if month is None:
        return year
    try:
        datetime(int(year), int(month), int(day or 1), tzinfo=UTC)
    except ValueError:
        return ""
    return f"{year}-{month}-{day}" if day else f"{year}-{month}"


def instant_of(value: object) -> str:
    """Return a time as ISO 8601 in UTC to the second; empty: it is no time, or a clock that was never set.

    Args:
        value: ISO 8601 (without a zone: UTC), or seconds since 1970.
    """
    try:
        if isinstance(value, (int, float)) or str(value).isdigit():
            time = datetime.fromtimestamp(float(str(value)), UTC)
        else:
            time = datetime.fromisoformat(str(value).strip())
    except (ValueError, OverflowError, OSError):
        return ""
    time = time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    return time.strftime("%Y-%m-%dT%H:%M:%SZ") if time.year >= _EARLIEST_RECORDING else ""


def _line(value: object) -> str:
    return clean_text(str(value))[:LONGEST_LINE]
