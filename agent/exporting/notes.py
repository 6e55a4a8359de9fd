"""Writes a video as a Markdown document: a transcript by chapter, or a hand-out with key quotes and slides."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ...index.records import Evidence, VideoRecord
from ...tools.extractors.registry import participle
from ...tools.records import clean_text, clock
from .subtitles import title_of

if TYPE_CHECKING:
    from ..answering.summary import Chapter

__all__ = ["handout", "transcript_notes"]

# Characters that Markdown or HTML could read as syntax. They are written as entities: text stays text.
_SYNTAX = re.compile(r"[\\`*_\[\]()<>#|~$&!]")


def transcript_notes(record: VideoRecord, path: Path, chapters: "Sequence[Chapter]", rows: Sequence[Evidence]) -> str:
    """Return a transcript as Markdown, with a heading for each chapter and a paragraph for each observation."""
    lines = [f"# {_text(path.name)}", "", f"{clock(record.duration)[:-2]} · indexed {record.indexed_at[:10]}"]
    for number, chapter in enumerate(chapters, start=1):
        lines += ["", f"## {_short(chapter.start)} {_text(title_of(chapter, number))}", ""]
        inside = [row for row in rows if row.text and chapter.start <= row.start < chapter.end]
        lines += [f"- **{_short(row.start)}** {_kind(row)}{_text(row.text)}" for row in inside]
    return "\n".join(lines) + "\n"


def handout(
    record: VideoRecord, path: Path, chapters: "Sequence[Chapter]", picture: "Callable[[Chapter, int], str | None]"
) -> str:
    """Return a hand-out as Markdown: for each chapter a picture and key quotes with their times.

    Args:
        record: The video.
        path: The video's file.
        chapters: The video's chapters.
        picture: Writes a chapter's picture and returns the link to it; None: there is no picture.
    """
    lines = [f"# {_text(path.stem)}", "", f"{_text(path.name)} · {clock(record.duration)[:-2]}", "", "## Contents", ""]
    titles = [title_of(chapter, number) for number, chapter in enumerate(chapters, start=1)]
    lines += [
        f"{n}. {_short(c.start)} {_text(title)}" for n, (c, title) in enumerate(zip(chapters, titles, strict=True), 1)
    ]
    for number, (chapter, title) in enumerate(zip(chapters, titles, strict=True), start=1):
        lines += ["", f"## {number}. {_text(title)}", "", f"{_short(chapter.start)}–{_short(chapter.end)}", ""]
        if link := picture(chapter, number):
            lines += [f"![{_text(title)}]({link})", ""]
        for one in sorted(chapter.quotes, key=lambda quote: quote.start):
            lines.append(f"> {_text(one.quote)} ({_short(one.start)}, {participle(one.modality)})")
            lines.append(">")
        if lines[-1] == ">":
            lines.pop()
    return "\n".join(lines) + "\n"


def _kind(row: Evidence) -> str:
    return "" if row.modality == "speech" else f"({participle(row.modality)}) "


def _short(seconds: float) -> str:
    return clock(seconds)[:-2]


def _text(text: str) -> str:
    return _SYNTAX.sub(lambda found: f"&#{ord(found[0])};", clean_text(text))
