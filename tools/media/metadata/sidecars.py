"""Reads the files beside a video that describe it: `.info.json` (yt-dlp), `.nfo` (Kodi), and `NAME.json`."""

import json
import math
import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from ...records import Span, clean_text
from .records import LONGEST_LINE, MOST_CHAPTERS, MOST_FACTS, Fact, Metadata, TitledSpan, made

__all__ = ["SIDECAR_SUFFIXES", "read_sidecar", "sidecars_of"]

# In order: a later one wins.
SIDECAR_SUFFIXES = (".info.json", ".nfo", ".json")
# yt-dlp writes all comments of a video into its `.info.json` if it is asked to.
_MOST_BYTES = 32_000_000
_OWN_FIELDS = ("title", "date", "recorded", "channel", "description", "url", "location")


def sidecars_of(path: Path) -> list[Path]:
    """Return the sidecars of a video that exist: the least important first."""
    start = str(path).removesuffix(path.suffix)
    return [Path(start + suffix) for suffix in SIDECAR_SUFFIXES if os.path.isfile(start + suffix)]


def read_sidecar(path: Path) -> Metadata:
    """Read one sidecar. What cannot be read is a note, not an error: the video is indexed without it."""
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
        if len(content) > _MOST_BYTES:
            raise ValueError(f"larger than {_MOST_BYTES // 1_000_000} MB")
        if path.name.endswith(".nfo"):
            return _of_kodi(content)
        values = json.loads(content)
        if not isinstance(values, dict):
            raise ValueError("no JSON object")
        return _of_ytdlp(values) if path.name.endswith(".info.json") else _own(values, path.name)
    except (OSError, ValueError, RecursionError, ElementTree.ParseError) as error:
        reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
        return Metadata(notes=(f"{path.name} is not read as metadata ({reason[:LONGEST_LINE]})",))


def _of_ytdlp(values: dict[str, Any]) -> Metadata:
    """The fields that yt-dlp documents for its output template."""
    return made(
        {
            "title": _text(values, "title", "fulltitle"),
            "date": _text(values, "upload_date", "release_date"),
            "channel": _text(values, "channel", "uploader", "creator", "artist"),
            "tags": [*_texts(values.get("tags")), *_texts(values.get("categories")), *_texts(values.get("genres"))],
            "description": _text(values, "description"),
            "url": _text(values, "webpage_url", "original_url"),
            "location": _text(values, "location"),
            "chapters": _chapters(values.get("chapters")),
        }
    )


def _own(values: dict[str, Any], name: str) -> Metadata:
    """The fields of `Metadata`, and any other text, number or list of them as a fact of its own."""
    facts, unused = [], 0
    for key, value in values.items():
        if key in (*_OWN_FIELDS, "tags", "chapters"):
            continue
        listed = value if isinstance(value, list) else [value]
        fits = [one for one in listed if _is_short(one)]
        fact_name = re.sub(r"\W+", "_", key.strip().lower(), flags=re.ASCII).strip("_")
        if not re.fullmatch(r"[a-z][a-z0-9_]{0,39}", fact_name) or len(fits) < len(listed):
            unused += 1
            continue
        facts += [Fact(name=fact_name, value=str(one)) for one in fits if clean_text(str(one))]
    unused += max(0, len(facts) - MOST_FACTS)
    note = (
        f"{unused} values of {name} are not used: texts up to {LONGEST_LINE} characters, numbers and lists of them are"
    )
    return made(
        {
            **{field: _text(values, field) for field in _OWN_FIELDS},
            "tags": _texts(values.get("tags")),
            "chapters": _chapters(values.get("chapters")),
            "facts": tuple(facts[:MOST_FACTS]),
            "notes": (note,) if unused else (),
        }
    )


def _of_kodi(content: bytes) -> Metadata:
    """The elements that Kodi documents for movies, episodes and music videos."""
    if b"<!DOCTYPE" in content or b"<!ENTITY" in content:
        raise ValueError("it declares XML entities: remove the DOCTYPE")
    root = ElementTree.fromstring(content)  # noqa: S314 (without a DOCTYPE there are no entities to expand)

    def texts(*names: str) -> list[str]:
        return [element.text.strip() for name in names for element in root.findall(name) if element.text]

    return made(
        {
            "title": next(iter(texts("title")), ""),
            "date": next(iter(texts("premiered", "aired", "releasedate", "year")), ""),
            "channel": next(iter(texts("studio", "showtitle", "artist")), ""),
            "tags": texts("tag", "genre"),
            "description": next(iter(texts("plot", "outline")), ""),
        }
    )


def _text(values: dict[str, Any], *names: str) -> str:
    return next((str(values[name]) for name in names if isinstance(values.get(name), (str, int)) and values[name]), "")


def _texts(value: object) -> list[str]:
    """A list of texts; one text is split at commas."""
    if isinstance(value, str):
        return [part.strip() for part in value.split(",")]
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


def _is_short(value: object) -> bool:
    if isinstance(value, float) and not math.isfinite(value):
        return False
    return isinstance(value, (str, int, float)) and len(str(value)) <= LONGEST_LINE


def _chapters(value: object) -> tuple[TitledSpan, ...]:
    """Chapters as yt-dlp lists them: `start_time`, `end_time`, `title`; those that are not valid are left out."""
    found = []
    for one in value if isinstance(value, Sequence) else ():
        try:
            span = Span(start=float(one["start_time"]), end=float(one["end_time"]))
            found.append(TitledSpan(span=span, title=str(one.get("title") or "")[:LONGEST_LINE]))
        except (KeyError, TypeError, ValueError, AttributeError):
            continue
    return tuple(_without_overlaps(sorted(found, key=lambda one: one.span.start)))[:MOST_CHAPTERS]


def _without_overlaps(chapters: Iterable[TitledSpan]) -> Iterable[TitledSpan]:
    end = 0.0
    for one in chapters:
        if one.span.start >= end:
            yield one
            end = one.span.end
