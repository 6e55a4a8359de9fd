"""The common parts of all adapters: the record of a data set, rows of published files, and the search for videos."""

import csv
import gzip
import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import Field

from ....tools.errors import MediaError, QueryError
from ....tools.records import Record, Span
from ..records import Question

__all__ = ["Adapter", "Dataset", "VideoFiles", "first_file", "number", "option_of", "rows_of", "span_of", "unlettered"]

_VIDEO_ENDINGS = (".mp4", ".mkv", ".webm", ".avi", ".mov", ".m4v", ".flv")
_SUBTITLE_ENDINGS = (".srt", ".vtt")
_NAMED = 5

Row = dict[str, Any]


@dataclass(frozen=True)
class Adapter:
    """The adapter of one data set.

    Attributes:
        name: Name on the command line.
        title: The authors' name.
        licence: Licence of the questions; the videos often have another one.
        source: URL of the files.
        files: Names of the required files.
        read: Reads the questions from a folder and a split (or None), without the files of videos.
    """

    name: str
    title: str
    licence: str
    source: str
    files: str
    read: Callable[[Path, str | None], list[Question]]


class Dataset(Record):
    """The questions of a data set."""

    name: str = Field(description="Name on the command line.")
    title: str = Field(description="The authors' name.")
    licence: str = Field(description="Licence of the questions; the videos often have another one.")
    source: str = Field(description="URL of the files.")
    questions: tuple[Question, ...] = Field(description="The questions in the authors' order.")

    @property
    def missing(self) -> tuple[str, ...]:
        """The authors' names of the missing videos, without duplicates."""
        return tuple(dict.fromkeys(question.video for question in self.questions if question.file is None))

    def need_videos(self) -> None:
        """Check that all videos exist.

        Raises:
            MediaError: Videos are missing; the message names them and their source.
        """
        if not self.missing:
            return
        total = len({question.video for question in self.questions})
        named = ", ".join(self.missing[:_NAMED])
        more = f" and {len(self.missing) - _NAMED} more" if len(self.missing) > _NAMED else ""
        raise MediaError(
            f"{len(self.missing)} of the {total} videos of {self.title} are missing: {named}{more}. Get them from "
            f"{self.source} (licence of the questions: {self.licence}) and name their folder with --videos DIR, or "
            f"leave out their questions with --present"
        )

    def present(self) -> "Dataset":
        """Return the data set without the questions whose videos are missing."""
        return self.model_copy(update={"questions": tuple(q for q in self.questions if q.file is not None)})


class VideoFiles:
    """Finds videos and subtitles below some folders by the names that authors use."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self._videos: dict[str, list[Path]] = {}
        self._subtitles: dict[str, list[Path]] = {}
        for folder in dict.fromkeys(folders):
            for place, below, names in os.walk(folder):
                below.sort()
                for path in (Path(place, name) for name in sorted(names)):
                    ending = path.suffix.lower()
                    held = (
                        self._videos
                        if ending in _VIDEO_ENDINGS
                        else self._subtitles
                        if ending in _SUBTITLE_ENDINGS
                        else None
                    )
                    if held is not None:
                        held.setdefault(path.stem, []).append(path)

    def video(self, name: str) -> Path | None:
        """Return the file of a video by its path or name, with or without ending; None if it is missing.

        Raises:
            MediaError: Several files have this name.
        """
        return _only(name, self._videos)

    def subtitles(self, name: str) -> Path | None:
        """Return the `.srt` or `.vtt` file with a video's name; None if it is missing.

        Raises:
            MediaError: Several files have this name.
        """
        return _only(name, self._subtitles)


def first_file(folder: Path, *patterns: str) -> Path:
    """Return the first file below the folder that matches a pattern, in the order of the patterns.

    Raises:
        QueryError: No file matches.
    """
    for pattern in patterns:
        found = sorted(folder.glob(pattern))
        if found:
            return found[0]
    raise QueryError(f"{folder} holds none of {', '.join(patterns)}: name the folder with the authors' files")


def rows_of(path: Path) -> Iterator[Row]:
    """Return the rows of a published file: `.json` (a list, or columns), `.jsonl`, `.csv`, `.parquet`, also gzipped (`.gz`).

    Raises:
        QueryError: The content does not match the file's ending.
    """
    kind = "".join(path.suffixes[-2:] if path.suffix == ".gz" else path.suffixes[-1:])
    try:
        if kind == ".parquet":
            import pyarrow.parquet as pq

            yield from pq.read_table(path).to_pylist()
            return
        reader = gzip.open if path.suffix == ".gz" else open
        with reader(path, "rt", encoding="utf-8") as text:
            if kind.startswith(".csv"):
                yield from csv.DictReader(text)
            elif kind.startswith(".jsonl"):
                yield from (json.loads(line) for line in text if line.strip())
            else:
                yield from _listed(json.load(text))
    except (OSError, ValueError, EOFError) as error:
        raise QueryError(f"{path} cannot be read as {kind} ({error}): get the file again from its authors") from error


def number(value: object) -> float | None:
    """Parse a published number, which may be text or missing."""
    if value is None or value == "":
        return None
    return float(str(value))


def span_of(start: object, end: object) -> Span | None:
    """Parse a published span in seconds; None if it is empty or reversed, as a few annotations are."""
    first, last = number(start), number(end)
    return Span(start=max(0.0, first), end=last) if first is not None and last is not None and last > first else None


def option_of(answer: object, options: Sequence[str]) -> int | None:
    """Return the index of a published answer: an index from 0, a letter, or the words of the option.

    Raises:
        QueryError: The answer matches no option.
    """
    if answer is None or answer == "":
        return None
    if isinstance(answer, int):
        place = answer
    else:
        text = str(answer).strip()
        if text in options:
            place = list(options).index(text)
        elif len(text) == 1 and text.isalpha():
            place = ord(text.upper()) - ord("A")
        else:
            place = int(text) if text.isdigit() else -1
    if not 0 <= place < len(options):
        raise QueryError(f"answer {answer!r} is none of the options {', '.join(map(repr, options))}")
    return place


def unlettered(option: str) -> str:
    """Remove the letter of an option: `A. red`, `(A) red` and `A: red` give `red`."""
    text = option.strip()
    bare = text.removeprefix("(")
    if len(bare) > 2 and bare[0].isalpha() and bare[0].isupper() and bare[1] in ".):":
        return bare[2:].strip()
    return text


def _listed(data: Any) -> list[Row]:
    """Rows of a JSON file: a list of them, an object whose values are columns of one length, or one of rows by id."""
    if isinstance(data, list):
        return data
    columns = list(data.values())
    if columns and all(isinstance(column, list) and len(column) == len(columns[0]) for column in columns):
        return [dict(zip(data, values, strict=True)) for values in zip(*columns, strict=True)]
    return [{"id": key, **row} for key, row in data.items()]


def _only(name: str, held: dict[str, list[Path]]) -> Path | None:
    stem = Path(name).name
    for ending in (*_VIDEO_ENDINGS, *_SUBTITLE_ENDINGS):
        stem = stem.removesuffix(ending)
    found = held.get(stem, [])
    if len(found) > 1:
        # `2_needle/a.mp4` and `3_ego/a.mp4`: the authors' folder distinguishes them.
        folder = Path(name).parent.parts
        found = [path for path in found if folder and path.parent.parts[-len(folder) :] == folder] or found
    if len(found) > 1:
        raise MediaError(
            f"{len(found)} files are named {stem}: {', '.join(map(str, found[:_NAMED]))}; keep only one of them"
        )
    return found[0] if found else None
