"""The formats that a video's transcript, text, chapters and observations are exported to."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ...index.records import Evidence, VideoRecord
from ...tools.errors import QueryError
from ...tools.records import Modality, clean_text
from .data_files import as_csv, as_json, as_parquet
from .edit_lists import Cut, edit_list
from .notes import transcript_notes
from .subtitles import chapters_as_matroska, chapters_as_vtt, chapters_as_youtube, srt, title_of, txt, vtt

if TYPE_CHECKING:
    from ..library.searching import Searching

__all__ = ["FORMATS", "ExportFormat", "Format", "exported", "format_of"]

ExportFormat = Literal[
    "srt", "vtt", "txt", "md", "json", "csv", "parquet", "otio", "edl", "chapters", "youtube", "mkv-chapters"
]


@dataclass(frozen=True, slots=True)
class Format:
    """One format.

    Attributes:
        ending: Of a file, with its dot.
        about: One phrase for people.
        modalities: Which observations it holds unless others are asked for; empty: all.
    """

    ending: str
    about: str
    modalities: tuple[Modality, ...] = ()


FORMATS: dict[ExportFormat, Format] = {
    "srt": Format(".srt", "subtitles (SubRip)", ("speech",)),
    "vtt": Format(".vtt", "subtitles (WebVTT)", ("speech",)),
    "txt": Format(".txt", "lines of text with times", ("speech",)),
    "md": Format(".md", "transcript by chapter (Markdown)", ("speech",)),
    "json": Format(".json", "all observations"),
    "csv": Format(".csv", "all observations, for spreadsheets"),
    "parquet": Format(".parquet", "all observations, for data tools"),
    "otio": Format(".otio", "chapters, or what --query finds, for editing programs"),
    "edl": Format(".edl", "the same as a CMX 3600 list"),
    "chapters": Format(".chapters.vtt", "chapters (WebVTT)"),
    "youtube": Format(".youtube.txt", "chapters for a YouTube description"),
    "mkv-chapters": Format(".chapters.xml", "chapters for mkvmerge"),
}


def format_of(path: Path) -> ExportFormat:
    """Return the format that a file's ending names.

    Raises:
        QueryError: The ending is not known.
    """
    fitting = [name for name, one in FORMATS.items() if path.name.lower().endswith(one.ending)]
    if not fitting:
        endings = ", ".join(one.ending for one in FORMATS.values())
        raise QueryError(f"{path.name} has none of the known endings ({endings}): name the format")
    return max(fitting, key=lambda name: len(FORMATS[name].ending))


def exported(
    library: "Searching",
    record: VideoRecord,
    style: ExportFormat,
    modalities: Sequence[Modality] | None = None,
    query: str | None = None,
) -> bytes:
    """Return one video's export.

    Args:
        library: The library.
        record: The video.
        style: A name in `FORMATS`.
        modalities: Only these observations; None: as the format has by default.
        query: For edit lists: only the moments that this finds; None: the chapters.

    Raises:
        QueryError: The format is not known.
        MissingExtraError: A package that the format needs is not installed.
    """
    if style not in FORMATS:
        raise QueryError(f"there is no format {style!r}: formats are {', '.join(FORMATS)}")
    if style in ("otio", "edl"):
        cuts = _cuts(library, record, query)
        return edit_list(library.path_of(record).stem, cuts, "edl" if style == "edl" else "otio").encode()
    if style in ("chapters", "youtube", "mkv-chapters"):
        write = {"chapters": chapters_as_vtt, "youtube": chapters_as_youtube, "mkv-chapters": chapters_as_matroska}
        return write[style](library.chapters(record.video_id)).encode()
    kinds = modalities or FORMATS[style].modalities
    _, observations = library.observed(record.video_id, modalities=kinds or None)
    rows = sorted(observations, key=lambda e: (e.start, e.end))
    if style == "parquet":
        return as_parquet(rows)
    if style == "md":
        return transcript_notes(record, library.path_of(record), library.chapters(record.video_id), rows).encode()
    texts: dict[str, Callable[[Sequence[Evidence]], str]] = {
        "srt": srt, "vtt": vtt, "txt": txt, "json": as_json, "csv": as_csv,
    }  # fmt: skip
    return texts[style](rows if style in ("json", "csv") else [row for row in rows if row.text]).encode()


def _cuts(library: "Searching", record: VideoRecord, query: str | None) -> list[Cut]:
    path = library.path_of(record)
    if query is None:
        chapters = library.chapters(record.video_id)
        return [
            Cut(video=path, duration=record.duration, span=chapter.span, name=title_of(chapter, number))
            for number, chapter in enumerate(chapters, start=1)
        ]
    moments = library.find(query, k=20, videos=record.video_id)
    return [
        Cut(
            video=path,
            duration=record.duration,
            span=moment.span,
            name=clean_text(query),
            note="; ".join(one.text for one in moment.evidence[:1]),
        )
        for moment in sorted(moments, key=lambda moment: moment.start)
    ]
