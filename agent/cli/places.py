"""What commands share: the library that PLACE belongs to, filters, and JSON output."""

import glob
import json
import os
import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ...tools.errors import LibraryError, QueryError
from ...tools.records import Span, parse_clock
from ..library_folder import LIBRARY, absolute, found_library
from .options import Chosen

if TYPE_CHECKING:
    from ...index.storage.local import LocalStorage
    from ...index.storage.url import UrlStorage
    from ..library import Library

__all__ = [
    "AsJson",
    "Between",
    "Index",
    "LibraryFolder",
    "LibraryPlace",
    "Place",
    "Where",
    "Within",
    "filtered",
    "folder_for",
    "index_first",
    "is_url",
    "modalities_of",
    "open_library",
    "opened_at",
    "opened_for_page",
    "placed",
    "print_json",
    "seconds_of",
    "storage_named",
    "window_of",
]

_URL = re.compile(r"[a-z][a-z0-9+]+:/")
_FAR_SECONDS = 1e9  # after the end of any video
_NAMED = 3  # folders that a message names

Place = Annotated[
    str, typer.Argument(metavar="PLACE", help="A folder of indexed videos, or one of the videos.", show_default=True)
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
Index = Annotated[bool, typer.Option("--index", help="First index what is not indexed yet.")]
Between = Annotated[
    str | None, typer.Option("--between", metavar="START-END", help="Only this stretch, e.g. 10:00-20:00 or 90-120.5.")
]
Where = Annotated[
    list[str] | None,
    typer.Option(
        "--where",
        metavar="CONDITION",
        help="Only videos whose metadata match, e.g. 'date>=2026-01', tag=lecture, 'title~budget'; if given again, all must match.",
    ),
]


def open_library(folder: Path, chosen: Chosen) -> "Library":
    """Open the library of a folder."""
    settings = chosen.settings()
    from ..library import Library

    return Library(folder, settings)


def opened_at(place: Path | str, library: Path | None, chosen: Chosen) -> "tuple[Library, list[Path] | None]":
    """Return the library that PLACE belongs to, and the videos that PLACE means; None: all of them."""
    _check_place(place)
    if library is not None:
        _check_folder(str(library))
    if library is not None and not library.expanduser().exists():
        raise LibraryError(f"there is no library {library}: check --library, or run `playhead index` with it first")
    folder = library or _library_of(Path(place))
    opened = open_library(folder, chosen)
    path = absolute(Path(place))
    whole = path == opened.folder or (library is None and path == opened.folder.parent)
    if library is None and not path.exists() and not path.is_relative_to(opened.folder.parent):
        return opened, [Path(place)]  # a bare file name of a library below
    return opened, None if whole else [path]


def opened_for_page(place: str, library: Path | None, chosen: Chosen) -> "Library":
    """Return the library of PLACE, also of a folder that is not indexed yet: the page can index it."""
    path = absolute(Path(place))
    if library is None and path.is_dir() and found_library(path) is None:
        return open_library(path / LIBRARY, chosen)
    return opened_at(place, library, chosen)[0]


def index_first(place: Path, library: Path | None, chosen: Chosen) -> None:
    """Index what is new at PLACE, with progress on stderr."""
    from ..display.indexing import IndexingView

    if not place.exists():
        raise LibraryError(f"there is no file or folder {place}: --index needs one")
    opened = open_library(library or (found_library(place) or folder_for([place])), chosen)
    with IndexingView(quiet=chosen.quiet, verbose=False, to_stdout=False) as view:
        opened.index(place, progress=view.progress, done=view.done)


def placed(place: str, text: str | None, name: str) -> tuple[Path, str]:
    """Return PLACE and the words after it. PLACE may be left out, and the two may be exchanged.

    Args:
        place: The first argument of a command.
        text: The second.
        name: What the second is called in the command's help.

    Raises:
        QueryError: There are no words.
        LibraryError: PLACE is a URL.
    """
    is_there = Path(place).expanduser().exists()
    if text is None:
        if place == "." or is_there:
            raise QueryError(f"no {name.lower()}: write one after PLACE, in quotes")
        if " " not in place.strip() and (os.sep in place or Path(place).suffix):
            _check_place(place)
            raise QueryError(f"there is no file or folder {place}, and no {name.lower()} after it")
        return Path(), place
    if not is_there and Path(text).expanduser().exists() and " " in place:
        return Path(text), place
    _check_place(place)
    return Path(place), text


def _check_place(place: Path | str) -> None:
    url = str(place)
    if url.startswith(("http:/", "https:/")):
        raise LibraryError(
            f"{url} is a web address: index it first with `playhead index {url}`, then ask the library's folder"
        )
    if is_url(url) or _URL.match(url):
        raise LibraryError(f"{url} is a URL: copy its library with `playhead pull {url}` first")


def _library_of(place: Path) -> Path:
    """The library at or above a path; for a bare file name, also one in a folder below."""
    path = absolute(place)
    folder = found_library(path)
    if not path.exists() and place.parent == Path():
        below = [found for found in Path().glob(f"*/{LIBRARY}") if _holds(found.parent, place.name)]
        if len(below) == 1:
            return below[0]
        if below:
            names = [str(found.parent / place.name) for found in sorted(below)[:_NAMED]]
            raise LibraryError(f"there are several {place}: {', '.join(names)}: write one of these paths")
    if folder is not None:
        return folder
    if not path.exists():
        from ...index.indexing.media_files import nearest_name

        raise LibraryError(f"there is no file or folder {place}: {nearest_name(place)}")
    words = "this folder" if path == Path.cwd() else str(place)
    below = sorted(path.glob(f"*/{LIBRARY}")) if path.is_dir() else []
    if below:
        names = [str(place / one.parent.name) for one in below[:_NAMED]]
        raise LibraryError(f"nothing is indexed in {words}, but {_are(names)} indexed: write `{names[0]}` as PLACE")
    raise LibraryError(f"nothing is indexed in {words} yet: run `playhead index {shlex.quote(str(place))}` first")


def _holds(folder: Path, name: str) -> bool:
    """Whether a folder holds a file with a name, which may lack its extension."""
    return (folder / name).exists() or any(folder.glob(f"{glob.escape(name)}.*"))


def _are(names: list[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last} are" if first else f"{last} is"


def modalities_of(within: str | None) -> list[str] | None:
    """Return the names in `--in`, which may be participles ("said")."""
    return [part for part in within.split(",") if part.strip()] if within else None


def is_url(library: str) -> bool:
    """Whether a URL names the library."""
    return "://" in library


def storage_named(library: str) -> "LocalStorage | UrlStorage":
    """Return the library to index into, by its folder or URL."""
    from ...index.storage.local import LocalStorage
    from ...index.storage.url import UrlStorage

    if is_url(library):
        return UrlStorage(library)
    _check_folder(library)
    return LocalStorage(Path(library))


def _check_folder(library: str) -> None:
    """Raise if a URL is given instead of a folder, also with a missing slash, which would create a folder of that name."""
    if _URL.match(library):
        raise LibraryError(
            f"library {library} is not a folder: `playhead pull URL` copies a library from a URL such as "
            "s3://bucket/talks, `playhead index --library URL` makes one there"
        )


def folder_for(paths: list[Path]) -> Path:
    """Return the library folder to index these paths into."""
    places = {path if path.is_dir() else path.parent for path in map(absolute, paths)}
    if len(places) > 1:
        raise typer.BadParameter("the paths are in several folders: name the library's folder with --library DIR")
    return places.pop() / LIBRARY


def seconds_of(between: str | None) -> tuple[float, float] | None:
    """Return the seconds of `--between START-END`."""
    if between is None:
        return None
    parts = re.split(r"\s*[-–]\s*", between.strip())
    try:
        start, end = (parse_clock(part) for part in parts)
    except ValueError as error:
        raise QueryError(f"--between {between!r}: give START-END, e.g. 10:00-20:00 or 90-120.5") from error
    return start, end


def window_of(start: str | None, end: str | None) -> Span | None:
    """Return the stretch between `--from` and `--to`; None: neither is given."""
    if start is None and end is None:
        return None
    try:
        first, last = parse_clock(start or "0"), parse_clock(end) if end else _FAR_SECONDS
    except ValueError as error:
        raise QueryError(f"--from {start} --to {end}: {error}") from error
    if last <= first:
        raise QueryError(f"--from {start} --to {end}: the end must be after the start")
    return Span(start=first, end=last)


def filtered(
    place: str | Path,
    library: Path | None,
    within: str | None,
    between: str | None,
    where: list[str] | None,
    chosen: Chosen,
) -> "tuple[Library, dict[str, Any]]":
    """Return the library of PLACE, and the filters for `Library.search` and `Library.find`."""
    stretch = seconds_of(between)
    opened, videos = opened_at(place, library, chosen)
    return opened, {"modalities": modalities_of(within), "videos": videos, "where": where, "between": stretch}


def print_json(data: object) -> None:
    """Print data for programs on stdout."""
    print(json.dumps(data, ensure_ascii=False, indent=2))
