"""Summaries of whole videos: their chapters, and the most representative texts of each. Quotes only; needs no model."""

from collections.abc import Sequence

import numpy as np
from pydantic import Field

from ...index.localization.chapters import EmbeddedSeries, scene_tree
from ...index.localization.slides import TextLine, slides_of
from ...index.records import Evidence
from ...index.retrieval.search import Search
from ...tools.embedding.protocol import Vectors
from ...tools.extractors.sounds import MUSIC
from ...tools.media.metadata.records import TitledSpan
from ...tools.records import Modality, Record, Seconds, Span, Text
from ...tools.words import tokens
from ..records import Citation, Claim, Plan
from .scopes import scopes_of
from .stored_titles import is_title, title_and_abstract, titling_model

__all__ = ["Chapter", "Section", "contents", "outline", "quote_sections"]

# Most chapters of all videos together; with many videos, each one has fewer.
MOST_SECTIONS = 12
# Most texts kept of one chapter.
MOST_ROWS = 24
# Texts of each chapter that a table of contents quotes.
MOST_QUOTES = 3
_SENTENCES: tuple[Modality, ...] = ("caption", "speech", "text")
# Scenes are found with the first of these modalities that has vectors: keyframes, else captions, else written text.
_PICTURED: tuple[Modality, ...] = ("frame", "caption", "text")
# A sentence that represents a chapter is neither very short nor as long as a paragraph.
_FEWEST_WORDS, _MOST_WORDS = 5, 40
# A line in large letters that is visible for some seconds is a heading.
_HEADING_SECONDS, _HEADING_HEIGHT = 2.0, 0.045
_HEADING_WORDS, _HEADING_LETTERS = 10, 4
_NEARLY = 0.8
_LONGEST_JINGLE = 15.0  # seconds
_SHORTEST = 0.001


class Section(Record):
    """A chapter of a video."""

    video_id: str = Field(description="The video's content hash.")
    span: Span = Field(description="When.")
    title: Text = Field(default="", description="Its title in the metadata of the video; empty: it has none.")
    heading: Evidence | None = Field(description="The line in the largest letters that appears in the chapter.")
    rows: tuple[Evidence, ...] = Field(description="Texts of the chapter, the most representative first.")
    scenes: tuple[Span, ...] = Field(
        default=(), description="The scenes of the chapter, which cover it; empty: it is not divided."
    )


class Chapter(Record):
    """A chapter as a table of contents lists it."""

    video_id: str = Field(description="The video's content hash.")
    video: str = Field(description="Absolute path of the video's file.")
    start: Seconds = Field(description="First second.")
    end: Seconds = Field(description="First second after it.")
    heading: Citation | None = Field(description="The line in the largest letters that appears in the chapter.")
    quotes: tuple[Citation, ...] = Field(
        description="Speech, written text and captions of the chapter, the most representative first."
    )
    scenes: tuple[Span, ...] = Field(description="The scenes of the chapter in order; they cover the chapter.")
    keyframe: str | None = Field(
        description="Reference of the stored picture of its longest scene: `Library.keyframe` returns it."
    )
    title: str = Field(default="", description="A title by the source of the video or by a model; may be empty.")
    abstract: str = Field(default="", description="One sentence by a model, from the chapter's lines.")
    titled_by: str = Field(default="", description="The model that wrote title and abstract, or `source`.")

    @property
    def span(self) -> Span:
        """The chapter's span as a record."""
        return Span(start=self.start, end=self.end)


def outline(plan: Plan, search: Search) -> list[Section]:
    """Return the chapters of the videos of a plan, by video and time, without chapters that have no text.

    A sentence represents its chapter if it is near the centroid of the chapter's sentences minus the centroid of the
    whole video (centroid summarisation: Radev et al. 2004, section 3).

    Args:
        plan: Which videos, and which span of each.
        search: The library.
    """
    scopes = {scope.video_id: scope.span for scope in scopes_of(plan, search) or ()}
    among = plan.video_ids if plan.video_ids is not None else tuple(search.records)
    videos = sorted(among, key=lambda video_id: search.records[video_id].paths)[:MOST_SECTIONS]
    found: list[Section] = []
    for video_id in videos:
        duration = max(search.records[video_id].duration, _SHORTEST)
        span = scopes.get(video_id) or plan.between or Span(start=0, end=duration)
        if span.start < duration:
            whole = Span(start=span.start, end=min(span.end, duration))
            inside = [one for part in _indexed(video_id, whole, search) for one in _sections(video_id, part, search)]
            asked = [_with_modalities(one, plan.modalities) for one in inside]
            kept = [one for one in asked if one.rows or one.heading]
            found += kept[: max(1, MOST_SECTIONS // len(videos))]
    return found


def contents(video_id: str, search: Search) -> list[Chapter]:
    """Return the table of contents of a video: its chapters in order; they cover what is indexed.

    Chapters that the metadata of the video name are taken as they are.

    Args:
        video_id: The video.
        search: The library that holds it.

    Raises:
        QueryError: The library does not contain the video.
        LibraryError: The folder of the video is damaged.
    """
    segments = search.of_video(video_id, ["frame"])
    whole = Span(start=0, end=max(search.records[video_id].duration, _SHORTEST))
    video = str(search.file_of(video_id))
    named = search.records[video_id].metadata.chapters
    parts = [whole] if named else _indexed(video_id, whole, search)
    listed = [_listed(one, video, segments) for part in parts for one in _sections(video_id, part, search, named)]
    stored = {(one.start, one.end): one for one in search.of_video(video_id, ["caption"]) if is_title(one)}
    return [_with_title(chapter, stored.get((chapter.start, chapter.end))) for chapter in listed]


def _indexed(video_id: str, span: Span, search: Search) -> list[Span]:
    """The parts of a span that are indexed."""
    windows = search.records[video_id].info.windows
    if not windows:
        return [span]
    shared = ((max(one.start, span.start), min(one.end, span.end)) for one in windows)
    return [Span(start=start, end=end) for start, end in shared if start < end]


def quote_sections(sections: Sequence[Section]) -> list[Claim]:
    """Return one claim per chapter: its heading and its most representative sentence, quoted; without a heading more sentences."""
    claims = []
    most = max(1, MOST_QUOTES // max(1, len(sections)))
    for section in sections:
        rows = section.rows[: 1 if section.heading else most]
        quoted = [*filter(None, [section.heading]), *sorted(rows, key=lambda one: one.start)]
        quoted = list({one.text.casefold(): one for one in quoted}.values())
        citations = tuple(Citation.of(one) for one in quoted)
        claims.append(Claim(text=" · ".join(one.text for one in quoted), verdict="unverified", citations=citations))
    return claims


def _with_modalities(section: Section, modalities: Sequence[Modality]) -> Section:
    """A chapter with texts of some modalities only: a heading is not what is said."""
    heading = section.heading if section.heading and section.heading.modality in modalities else None
    rows = tuple(row for row in section.rows if row.modality in modalities)
    return section.model_copy(update={"heading": heading, "rows": rows})


def _listed(section: Section, video: str, segments: Sequence[Evidence]) -> Chapter:
    kept = {section.heading.text.casefold(): section.heading} if section.heading else {}
    for row in section.rows:
        kept.setdefault(row.text.casefold(), row)
    texts = list(kept.values())
    longest = max(section.scenes, key=lambda scene: scene.duration)
    pictured = max(segments, key=lambda segment: segment.span.overlap(longest), default=texts[0] if texts else None)
    quotes = texts[1:] if section.heading else texts
    return Chapter(
        video_id=section.video_id,
        video=video,
        start=section.span.start,
        end=section.span.end,
        heading=Citation.of(section.heading) if section.heading else None,
        quotes=tuple(map(Citation.of, quotes[:MOST_QUOTES])),
        scenes=section.scenes,
        keyframe=pictured.keyframe if pictured else None,
        title=section.title,
        titled_by="source" if section.title else "",
    )


def _with_title(chapter: Chapter, stored: Evidence | None) -> Chapter:
    if stored is None or chapter.titled_by == "source":
        return chapter
    title, abstract = title_and_abstract(stored)
    return chapter.model_copy(update={"title": title, "abstract": abstract, "titled_by": titling_model(stored)})


def _sections(video_id: str, whole: Span, search: Search, named: Sequence[TitledSpan] = ()) -> list[Section]:
    kinds: dict[Modality, tuple[list[Evidence], Vectors]] = {}
    for modality in (*_SENTENCES, "frame"):
        rows, vectors = search.embedded(video_id, modality)
        inside = [number for number, row in enumerate(rows) if row.span.overlap(whole) > 0 and not is_title(row)]
        kinds[modality] = [rows[number] for number in inside], vectors[inside]
    series = {
        modality: EmbeddedSeries([row.span for row in rows], vectors)
        for modality, (rows, vectors) in kinds.items()
        if len(rows) and vectors.size
    }
    pictures = next((series[modality] for modality in _PICTURED if modality in series), None)
    edges = [row.start for rows, _ in kinds.values() for row in rows if whole.start < row.start < whole.end]
    boxed = [row for row in kinds["text"][0] if row.box is not None]
    slides = slides_of([TextLine(row.span, row.text, row.box) for row in boxed if row.box is not None])
    sections = []
    starts = [one.span.start for one in named]
    jingles = [row.end for row in search.of_video(video_id, ["sounds"], whole) if _is_jingle(row)]
    shown = [slide.span for slide in slides]
    for chapter in scene_tree(whole, list(series.values()), edges, pictures, shown, starts, jingles):
        telling = tuple(_representative(chapter.span, [kinds[modality] for modality in _SENTENCES])[:MOST_ROWS])
        titles = [boxed[slide.title] for slide in slides if slide.span.overlap(chapter.span) > slide.span.duration / 2]
        heading = titles[0] if titles else _heading(chapter.span, boxed)
        sections.append(
            Section(
                video_id=video_id,
                span=chapter.span,
                title=next((one.title for one in named if one.span.start == chapter.span.start), ""),
                heading=heading,
                rows=telling,
                scenes=chapter.scenes,
            )
        )
    return sections


def _is_jingle(sound: Evidence) -> bool:
    """Whether a sound is short music, which divides programmes; longer music accompanies pictures."""
    return sound.text.casefold() == MUSIC and sound.end - sound.start <= _LONGEST_JINGLE


def _representative(span: Span, kinds: Sequence[tuple[list[Evidence], Vectors]]) -> list[Evidence]:
    """Return the texts of a chapter, the most representative first; captions before speech, speech before written text."""
    found: list[Evidence] = []
    for rows, vectors in kinds:
        here = [number for number, row in enumerate(rows) if span.start <= (row.start + row.end) / 2 < span.end]
        fit = [number for number in here if _FEWEST_WORDS <= len(tokens(rows[number].text)) <= _MOST_WORDS]
        if not here:
            continue
        if not vectors.size:
            found += [rows[number] for number in fit or here]
            continue
        common = vectors[here].mean(axis=0) - 0.5 * vectors.mean(axis=0)
        worth = vectors @ common
        found += [rows[number] for number in sorted(fit or here, key=lambda n: (-float(np.float32(worth[n])), n))]
    return found


def _heading(span: Span, rows: Sequence[Evidence]) -> Evidence | None:
    """Return the first line in the largest letters, within a tolerance, among those that begin in a chapter."""
    large = [
        row
        for row in rows
        if row.box is not None
        and span.start <= row.start < span.end
        and row.end - row.start >= _HEADING_SECONDS
        and row.box.bottom - row.box.top >= _HEADING_HEIGHT
        and len(tokens(row.text)) <= _HEADING_WORDS
        and sum(c.isalpha() for c in row.text) >= _HEADING_LETTERS
    ]
    tallest = max((_height(row) for row in large), default=0.0)
    return min(
        (row for row in large if _height(row) >= _NEARLY * tallest),
        key=lambda row: (row.start, -_height(row)),
        default=None,
    )


def _height(row: Evidence) -> float:
    return row.box.bottom - row.box.top if row.box else 0.0
