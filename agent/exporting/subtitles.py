"""Writes observations and chapters as subtitles and text: SubRip, WebVTT, plain text, YouTube and Matroska chapters."""

import html
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from ...index.records import Evidence
from ...tools.extractors.registry import participle
from ...tools.records import Span, clean_text

if TYPE_CHECKING:
    from ..answering.summary import Chapter

__all__ = ["chapters_as_matroska", "chapters_as_vtt", "chapters_as_youtube", "srt", "stamp", "title_of", "txt", "vtt"]

_UNTITLED = "Chapter {number}"
_TITLE_CHARACTERS = 90


def srt(rows: Sequence[Evidence]) -> str:
    """Return rows as SubRip (.srt); the times are those of the observations, to a millisecond."""
    cues = [
        f"{number}\n{stamp(row.start, ',')} --> {stamp(row.end, ',')}\n{row.text}\n"
        for number, row in enumerate(rows, start=1)
    ]
    return "\n".join(cues)


def vtt(rows: Sequence[Evidence]) -> str:
    """Return rows as WebVTT (.vtt): `&`, `<` and `>` are escaped, so that text stays text."""
    return _vtt([(row.span, row.text) for row in rows])


def txt(rows: Sequence[Evidence]) -> str:
    """Return rows as lines of text with their times; other modalities than speech are named."""
    lines = (
        f"[{stamp(row.start)[:-4]}] {'' if row.modality == 'speech' else participle(row.modality) + ': '}{row.text}"
        for row in rows
    )
    return "".join(f"{line}\n" for line in lines)


def chapters_as_vtt(chapters: "Sequence[Chapter]") -> str:
    """Return chapters as a WebVTT chapters track."""
    return _vtt([(chapter.span, title_of(chapter, number)) for number, chapter in enumerate(chapters, start=1)])


def chapters_as_youtube(chapters: "Sequence[Chapter]") -> str:
    """Return chapters as YouTube reads them in a description: one `M:SS Title` line each, the first at 0:00."""
    lines = []
    for number, chapter in enumerate(chapters, start=1):
        seconds = 0 if number == 1 else int(chapter.start)
        hours, rest = divmod(seconds, 3600)
        minutes, seconds = divmod(rest, 60)
        clock = f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"
        lines.append(f"{clock} {title_of(chapter, number)}\n")
    return "".join(lines)


def chapters_as_matroska(chapters: "Sequence[Chapter]") -> str:
    """Return chapters as Matroska chapter XML, which `mkvmerge --chapters` reads."""
    root = ElementTree.Element("Chapters")
    edition = ElementTree.SubElement(root, "EditionEntry")
    for number, chapter in enumerate(chapters, start=1):
        atom = ElementTree.SubElement(edition, "ChapterAtom")
        ElementTree.SubElement(atom, "ChapterTimeStart").text = f"{stamp(chapter.start)}000000"
        ElementTree.SubElement(atom, "ChapterTimeEnd").text = f"{stamp(chapter.end)}000000"
        display = ElementTree.SubElement(atom, "ChapterDisplay")
        ElementTree.SubElement(display, "ChapterString").text = title_of(chapter, number)
        ElementTree.SubElement(display, "ChapterLanguage").text = "und"
    ElementTree.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ElementTree.tostring(root, encoding="unicode")}\n'


def title_of(chapter: "Chapter", number: int) -> str:
    """Return a chapter's title, else its heading, else the start of its most typical sentence, else its number."""
    if chapter.title:
        return chapter.title
    cited = chapter.heading or next(iter(chapter.quotes), None)
    text = clean_text(cited.quote) if cited else _UNTITLED.format(number=number)
    return text if len(text) <= _TITLE_CHARACTERS else f"{text[: _TITLE_CHARACTERS - 1].rstrip()}…"


def stamp(seconds: float, point: str = ".") -> str:
    """Return `HH:MM:SS.mmm`, rounded to a millisecond.

    Args:
        seconds: The time.
        point: What separates milliseconds: `,` in SubRip.
    """
    milliseconds = round(seconds * 1000)
    hours, rest = divmod(milliseconds, 3_600_000)
    minutes, rest = divmod(rest, 60_000)
    return f"{hours:02d}:{minutes:02d}:{rest // 1000:02d}{point}{rest % 1000:03d}"


def _vtt(
    cues: Sequence[tuple[Span, str]], escape: Callable[[str], str] = lambda text: html.escape(text, quote=False)
) -> str:
    blocks = [f"{stamp(span.start)} --> {stamp(span.end)}\n{escape(text)}\n" for span, text in cues]
    return "\n".join(["WEBVTT\n", *blocks])
