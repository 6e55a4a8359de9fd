"""What the commands share: the library that a place belongs to, filters, and data for programs."""

import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ...tools.errors import LibraryError, QueryError
from ...tools.records import parse_clock
from .options import Chosen

if TYPE_CHECKING:
    from ...index.storage.local import LocalStorage
    from ...index.storage.url import UrlStorage
    from ..library import Library

__all__ = [
    "AsJson",
    "Between",
    "LibraryFolder",
    "LibraryPlace",
    "Place",
    "Within",
    "filtered",
    "home_named",
    "home_of",
    "is_url",
    "open_library",
    "opened_at",
    "print_json",
    "seconds_of",
]

LIBRARY = ".playhead"
_URL = re.compile(r"[a-z][a-z0-9+]+:/")

Place = Annotated[
    Path, typer.Argument(metavar="PLACE", readable=False, help="A folder of indexed videos, or one of them.")
]
LibraryFolder = Annotated[
    Path | None,
    typer.Option(
        "--library",
        metavar="DIR",
        readable=False,
        help="The library's folder. Default: .playhead in the videos' folder.",
    ),
]
LibraryPlace = Annotated[
    str | None,
    typer.Option(
        "--library",
        metavar="DIR|URL",
        help="The library's folder, or s3://…, gs://…, file://… Default: .playhead in the videos' folder.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print data for programs.")]
Within = Annotated[
    str | None,
    typer.Option(
        "--in",
        metavar="MODALITY,...",
        help="Only what was said, written, shown, detected, described …: or speech, text, frame, object, caption.",
    ),
]
Between = Annotated[
    str | None, typer.Option("--between", metavar="START-END", help="Only this stretch, e.g. 10:00-20:00 or 90-120.5.")
]


def open_library(folder: Path, chosen: Chosen) -> "Library":
    """The library in a folder."""
    settings = chosen.settings()
    from ..library import Library

    return Library(folder, settings)


def opened_at(place: Path, library: Path | None, chosen: Chosen) -> "tuple[Library, list[Path] | None]":
    """The library that a place belongs to, and which of its videos the place means; None: all."""
    if library is not None:
        _check_folder(str(library))
    if library is not None and not library.expanduser().exists():
        raise LibraryError(f"there is no library {library}: check --library, or run `playhead index` with it first")
    opened = open_library(library or _library_of(place), chosen)
    place = _absolute(place)
    whole = place == opened.folder or (library is None and place == opened.folder.parent)
    return opened, None if whole else [place]


def _library_of(place: Path) -> Path:
    """The library of a folder or video: there, or in the nearest folder above."""
    place = _absolute(place)
    for folder in (place, *(above / LIBRARY for above in (place, *place.parents))):
        if (folder / "library.json").is_file():
            return folder
    raise LibraryError(
        f"nothing is indexed for {place}: run `playhead index` on it first, or name its library with --library"
    )


def is_url(library: str) -> bool:
    """Whether a library is named by a URL."""
    return "://" in library


def home_named(library: str) -> "LocalStorage | UrlStorage":
    """The library to index into, by its folder or URL."""
    from ...index.storage.local import LocalStorage
    from ...index.storage.url import UrlStorage

    if is_url(library):
        return UrlStorage(library)
    _check_folder(library)
    return LocalStorage(Path(library))


def _check_folder(library: str) -> None:
    """Refuse a URL, also with a slash missing, where a folder is wanted: it would be made."""
    if _URL.match(library):
        raise LibraryError(
            f"library {library} is no folder: `playhead pull URL` brings a library from a URL such as "
            "s3://bucket/talks, `playhead index --library URL` makes one there"
        )


def home_of(paths: list[Path]) -> Path:
    """Where the library of these paths goes."""
    places = {path if path.is_dir() else path.parent for path in map(_absolute, paths)}
    if len(places) > 1:
        raise typer.BadParameter("paths in several folders: say where the library goes with --library DIR")
    return places.pop() / LIBRARY


def _absolute(path: Path) -> Path:
    return Path(os.path.abspath(path.expanduser()))


def seconds_of(between: str | None) -> tuple[float, float] | None:
    """The seconds of `--between START-END`."""
    if between is None:
        return None
    parts = re.split(r"\s*[-–]\s*", between.strip())
    try:
        start, end = (parse_clock(part) for part in parts)
    except ValueError as error:
        raise QueryError(f"--between {between!r}: START-END is wanted, e.g. 10:00-20:00 or 90-120.5") from error
    return start, end


def filtered(
    place: Path, library: Path | None, within: str | None, between: str | None, chosen: Chosen
) -> "tuple[Library, dict[str, Any]]":
    """The library of a place, and the filters that `Library.search` and `Library.find` take."""
    stretch = seconds_of(between)
    modalities = [part for part in within.split(",") if part.strip()] if within else None
    opened, videos = opened_at(place, library, chosen)
    return opened, {"modalities": modalities, "videos": videos, "between": stretch}


def print_json(data: object) -> None:
    """Data for programs, on stdout."""
    print(json.dumps(data, ensure_ascii=False, indent=2))
