"""What all adapters share: the record of a data set, rows of published files, and where videos lie."""

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
    """How one data set is read.

    Attributes:
        name: As on the command line.
        title: Its authors' name for it.
        licence: Of the questions; videos often have another.
        source: Where its files are.
        files: What is looked for in the folder.
        read: Folder, and split or None → questions, without files of videos.
    """

    name: str
    title: str
    licence: str
    source: str
    files: str
    read: Callable[[Path, str | None], list[Question]]


class Dataset(Record):
    """The questions of a data set."""

    name: str = Field(description="As on the command line.")
    title: str = Field(description="Its authors' name for it.")
    licence: str = Field(description="Of the questions; videos often have another.")
    source: str = Field(description="Where its files are.")
    questions: tuple[Question, ...] = Field(description="In the authors' order.")

    @property
    def missing(self) -> tuple[str, ...]:
        """The authors' names of the videos that are not here, each once."""
        return tuple(dict.fromkeys(question.video for question in self.questions if question.file is None))

    def need_videos(self) -> None:
        """Go on only with all videos.

        Raises:
            MediaError: Some are not here; the message names them, and where to get them.
        """
        if not self.missing:
            return
        total = len({question.video for question in self.questions})
        named = ", ".join(self.missing[:_NAMED])
        more = f" and {len(self.missing) - _NAMED} more" if len(self.missing) > _NAMED else ""
        raise MediaError(
            f"{len(self.missing)} of the {total} videos of {self.title} are not here: {named}{more}. Get them from "
            f"{self.source} (licence of the questions: {self.licence}) and name their folder with --videos DIR, or "
            f"leave out their questions with --present"
        )

    def present(self) -> "Dataset":
        """The questions whose videos are here."""
        return self.model_copy(update={"questions": tuple(q for q in self.questions if q.file is not None)})


class VideoFiles:
    """Where the videos and subtitles below some folders lie, by the names that authors use."""

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
        """The file of a video: by its path or name with or without ending; None where there is none.

        Raises:
            MediaError: Several files have this name.
        """
        return _only(name, self._videos)

    def subtitles(self, name: str) -> Path | None:
        """The `.srt` or `.vtt` with a video's name; None where there is none.

        Raises:
            MediaError: Several files have this name.
        """
        return _only(name, self._subtitles)


def first_file(folder: Path, *patterns: str) -> Path:
    """The first file that fits one of the patterns, below the folder, in the order of the patterns.

    Raises:
        QueryError: There is none.
    """
    for pattern in patterns:
        found = sorted(folder.glob(pattern))
        if found:
            return found[0]
    raise QueryError(f"{folder} holds none of {', '.join(patterns)}: name the folder with the authors' files")


def rows_of(path: Path) -> Iterator[Row]:
    """The rows of a published file: `.json` (a list, or columns), `.jsonl`, `.csv`, `.parquet`, also gzipped (`.gz`).

    Raises:
        QueryError: The file cannot be read as what its ending says.
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
    """A published number, be it text or none."""
    if value is None or value == "":
        return None
    return float(str(value))


def span_of(start: object, end: object) -> Span | None:
    """A published span in seconds; None where it is empty or reversed, as a few annotations are."""
    first, last = number(start), number(end)
    return Span(start=max(0.0, first), end=last) if first is not None and last is not None and last > first else None


def option_of(answer: object, options: Sequence[str]) -> int | None:
    """The option that a published answer means: a number from 0, a letter, or the option's own words.

    Raises:
        QueryError: It means none of them.
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
    """An option without its letter: `A. red`, `(A) red` and `A: red` give `red`."""
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
        # `2_needle/a.mp4` beside `3_ego/a.mp4`: the authors' folder distinguishes them.
        folder = Path(name).parent.parts
        found = [path for path in found if folder and path.parent.parts[-len(folder) :] == folder] or found
    if len(found) > 1:
        raise MediaError(f"{len(found)} files are named {stem}: {', '.join(map(str, found[:_NAMED]))}; leave one")
    return found[0] if found else None
