"""Moments of videos that a description or question is about: ranked evidence, grounded to spans.

Retrieval and the reader say where; all observations in the minutes around say from when to when.
"""

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from ...index.localization.grounding import Channel, GroundingQuery, span_posterior, word_match
from ...index.records import Evidence
from ...index.retrieval.search import Search
from ...tools.extractors.registry import modality_names
from ...tools.media.frames import Decoder
from ...tools.records import Modality, Record, Seconds, Span
from ..answering.ranking import ranked
from ..answering.reader import Reader, feature_reader
from ..question.planning import make_plan
from ..question.terms import places_of
from ..question.time_expressions import grounding_query, stretch_of
from .detector import Eyes, watch

__all__ = ["Moment", "find_moments", "look_for_moments"]

# Grounding is sharp to a 48th of its window: five minutes give six seconds.
WINDOW_SECONDS = 300.0
CANDIDATES = 40
SAME_SPAN_IOU = 0.5
# Videos whose frames are looked at for one query.
MOST_WATCHED = 3


class Moment(Record):
    """One stretch of a video, best first in a list of them."""

    video_id: str = Field(description="The video's content hash.")
    video: str = Field(description="Absolute path of the video's file.")
    start: Seconds = Field(description="First second.")
    end: Seconds = Field(description="First second after it.")
    score: float = Field(ge=0, le=1, description="Probability that the best evidence in it answers the query.")
    evidence: tuple[Evidence, ...] = Field(description="What was found there, best first, with its relevance.")
    seen: bool = Field(default=False, description="Whether a look at a frame of it showed what is meant.")
    frames: int = Field(default=0, ge=0, description="How many frames of its video were looked at to find it.")

    @property
    def span(self) -> Span:
        """The stretch as a record."""
        return Span(start=self.start, end=self.end)


def find_moments(
    query: str,
    library: Search,
    k: int,
    modalities: Sequence[Modality] | None = None,
    video_ids: Sequence[str] | None = None,
    between: Span | None = None,
    mode: Literal["balanced", "precise"] = "balanced",
    reader: Reader | None = None,
) -> list[Moment]:
    """Find the moments that fit a query best, best first; none overlaps another.

    Args:
        query: A description, or a question; what it says of time ("at the end", "after she sat down") counts.
        library: Where to look.
        k: At most this many.
        modalities: Only these; None: those that the query's words tell ("said", "written", "shown"), else all.
        video_ids: Only these videos; None: all.
        between: Only this stretch of each video.
        mode: `balanced` spans cover the moment, `precise` ones lie inside it.
        reader: Scores the evidence; None: the package's own.

    Raises:
        QueryError: The query or a filter is not valid.
    """
    rest, stretch, from_end = stretch_of(query)
    if between is None and stretch is not None and not from_end:
        query, between = rest, stretch
    asked = grounding_query(query)
    # "When does the video show …?" asks for pictures: what is said of it comes only where there are none.
    where = modalities or places_of(query) or None
    found = library.find(asked.text or query, CANDIDATES, where, video_ids, between)
    if not found and where != modalities:
        found = library.find(asked.text or query, CANDIDATES, modalities, video_ids, between)
    scored = ranked(make_plan(query), found, library, reader or feature_reader())
    found = [one.evidence for one in scored]
    moments: list[Moment] = []
    for one in found:
        if any(_overlap(one.video_id, one.span, moment) for moment in moments):
            continue
        span = _grounded(asked, one, library, modalities or modality_names(), between, mode)
        if any(_overlap(one.video_id, span, moment) for moment in moments):
            continue
        there = tuple(e for e in found if e.video_id == one.video_id and e.span.overlap(span) > 0)
        moments.append(
            Moment(
                video_id=one.video_id,
                video=one.video,
                start=span.start,
                end=span.end,
                score=one.relevance or 0.0,
                evidence=there,
            )
        )
        if len(moments) == k:
            break
    return moments


def look_for_moments(
    query: str,
    library: Search,
    k: int,
    eyes: Eyes,
    video_ids: Sequence[str] | None = None,
    between: Span | None = None,
    *,
    frames: int = 32,
    decoder: Decoder = "pyav",
) -> list[Moment]:
    """The moments that show what is described, found by looking at frames: those that were seen first.

    Stored evidence chooses the videos and where in them to look first; what it suggests, and no look showed, follows.

    Args:
        query: A description of what is to be seen.
        library: Where to look.
        k: At most this many.
        eyes: What looks.
        video_ids: Only these videos; None: all.
        between: Only this stretch of each video.
        frames: Look at no more frames, of all videos together.
        decoder: What decodes them.

    Raises:
        QueryError: The query or a filter is not valid.
        MediaError: A video's file cannot be read.
    """
    asked = grounding_query(query).text or query
    found = library.find(asked, CANDIDATES, None, video_ids, between)
    among = video_ids if video_ids is not None else sorted(library.records)
    videos = list(dict.fromkeys([*(one.video_id for one in found), *among]))[:MOST_WATCHED]
    seen: list[Moment] = []
    looked: dict[str, int] = {}
    for number, video_id in enumerate(videos):
        share = (frames - sum(looked.values())) // (len(videos) - number)
        record, segments = library.records[video_id], library.of_video(video_id, "frame")
        if record.info.video is None or share < 1:
            continue
        ours = [one for one in found if one.video_id == video_id]
        stored = [one for one in [*segments, *ours] if between is None or one.span.overlap(between) > 0]
        file = library.file_of(video_id)
        watched = watch(asked, record, file, stored, eyes, frames=share, decoder=decoder)
        looked[video_id] = watched.frames
        for moment in watched.moments:
            if moment.sure and (between is None or moment.span.overlap(between) > 0):
                there = tuple(e for e in [*ours, *segments] if e.span.overlap(moment.span) > 0)
                seen.append(
                    Moment(
                        video_id=video_id,
                        video=str(file),
                        start=moment.span.start,
                        end=moment.span.end,
                        score=moment.posterior,
                        evidence=there,
                        seen=True,
                    )
                )
    rest = find_moments(query, library, k + len(seen), None, video_ids, between)
    others = [one for one in rest if not any(_overlap(one.video_id, one.span, moment) for moment in seen)]
    chosen = [*sorted(seen, key=lambda moment: -moment.score), *others][:k]
    return [one.model_copy(update={"frames": looked.get(one.video_id, 0)}) for one in chosen]


def _grounded(
    asked: GroundingQuery,
    hit: Evidence,
    library: Search,
    modalities: Sequence[Modality],
    between: Span | None,
    mode: Literal["balanced", "precise"],
) -> Span:
    """From when to when, around a hit."""
    window = _window(hit, library.records[hit.video_id].duration, between)
    channels = _channels(asked.text, library, hit, modalities, window)
    anchors = _channels(asked.anchor, library, hit, modalities, window) if asked.anchor else []
    # A place such as "at the end" is one of the whole video.
    whole = window.duration >= library.records[hit.video_id].duration - 1e-6
    usual = asked if whole else asked.model_copy(update={"place": None})
    spans = span_posterior(window, channels, usual, anchors).best(mode, k=8)
    best = next((one.span for one in spans if one.span.overlap(hit.span) > 0), hit.span)
    # What was perceived has exact edges; the posterior's are those of its bins.
    return hit.span if best.iou(hit.span) >= SAME_SPAN_IOU else best


def _channels(text: str, library: Search, hit: Evidence, modalities: Sequence[Modality], window: Span) -> list[Channel]:
    """What was perceived in the window and how alike it is to a text: by meaning, and by rare words."""
    channels = []
    for modality in modalities:
        rows = library.compare(text, modality, hit.video_id, window)
        if len(rows) < 2:
            continue
        spans = [row.span for row in rows]
        channels.append(Channel(spans, [row.similarity for row in rows]))
        channels.append(Channel(spans, word_match(text, [row.text for row in rows])))
    return channels


def _window(hit: Evidence, duration: float, between: Span | None) -> Span:
    """The whole video if it is short; else some minutes around the hit."""
    start, end = 0.0, max(duration, hit.end)
    if between is not None:
        start, end = max(start, between.start), min(end, between.end)
    if end - start > WINDOW_SECONDS:
        middle = (hit.start + hit.end) / 2
        start = max(start, min(middle - WINDOW_SECONDS / 2, end - WINDOW_SECONDS))
        end = min(end, start + WINDOW_SECONDS)
    return Span(start=min(start, hit.start), end=max(end, hit.end))


def _overlap(video_id: str, span: Span, moment: Moment) -> bool:
    return video_id == moment.video_id and span.overlap(moment.span) > 0
