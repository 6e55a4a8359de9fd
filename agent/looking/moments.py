"""Finds the moments that match a description or question: ranks evidence and grounds it to spans.

Retrieval and the reader find the place; all observations in the minutes around it give the start and end.
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
from ..answering.ranking import RESEMBLES, ranked
from ..answering.reader import Reader, feature_reader
from ..answering.scopes import find_in, scopes_of
from ..question.planning import make_plan
from ..question.terms import places_of
from ..question.time_expressions import grounding_query, stretch_of
from .detector import FrameModels, inspect

__all__ = ["Moment", "find_moments", "look_for_moments"]

# The resolution of grounding is 1/48 of its window: six seconds for five minutes.
WINDOW_SECONDS = 300.0
CANDIDATES = 40
SAME_SPAN_IOU = 0.5
# Most videos whose frames are inspected for one query.
MOST_INSPECTED = 3


class Moment(Record):
    """One span of a video that matches a query."""

    video_id: str = Field(description="The video's content hash.")
    video: str = Field(description="Absolute path of the video's file.")
    start: Seconds = Field(description="First second.")
    end: Seconds = Field(description="First second after it.")
    score: float = Field(ge=0, le=1, description="Probability that the best evidence in it answers the query.")
    evidence: tuple[Evidence, ...] = Field(description="Evidence in the span, best first, with its relevance.")
    seen: bool = Field(
        default=False, description="Whether a frame of the moment was inspected and showed the described thing."
    )
    frames: int = Field(default=0, ge=0, description="Number of frames of its video that were inspected to find it.")

    @property
    def span(self) -> Span:
        """The span as a record."""
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
    """Return the moments that match a query, best first, without overlaps.

    Evidence with less than a fifth of the best relevance only resembles the query: it is left out.

    Args:
        query: A description or a question; its time expressions ("at the end", "after she sat down") are used.
        library: The library to search.
        k: At most this many.
        modalities: Only these; None: those that the query names ("said", "written", "shown"), else all.
        video_ids: Only these videos; None: all.
        between: Only this span of each video.
        mode: `balanced` spans cover the moment, `precise` ones lie inside it.
        reader: Scores the evidence; None: the package's own.

    Raises:
        QueryError: The query or a filter is not valid.
    """
    rest, stretch, from_end = stretch_of(query)
    is_tail = between is None and stretch is not None and from_end
    if between is None and stretch is not None:
        query, between = rest, stretch
    asked = grounding_query(query)
    # "When does the video show …?" asks for pictures: speech is returned only if no picture matches.
    where = modalities or places_of(query) or modality_names()
    plan = make_plan(query).model_copy(
        update={"video_ids": video_ids, "between": between, "from_end": is_tail, "part": None}
    )
    found = find_in(plan, library, asked.text or query, CANDIDATES, tuple(where))
    if not found and where != modalities:
        found = find_in(plan, library, asked.text or query, CANDIDATES, tuple(modalities or modality_names()))
    tails = {scope.video_id: scope.span for scope in (scopes_of(plan, library) or ())}
    scored = ranked(make_plan(query), found, library, reader or feature_reader())
    best = max((one.score for one in scored), default=0.0)
    found = [one.evidence for one in scored if one.score >= RESEMBLES * best and (one.score or not best)]
    moments: list[Moment] = []
    for one in found:
        if any(_overlap(one.video_id, one.span, moment) for moment in moments):
            continue
        within = tails.get(one.video_id, between)
        span = _grounded(asked, one, library, modalities or modality_names(), within, mode)
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
    models: FrameModels,
    video_ids: Sequence[str] | None = None,
    between: Span | None = None,
    *,
    frames: int = 32,
    decoder: Decoder = "pyav",
) -> list[Moment]:
    """Return the moments that show a described thing, found by inspecting frames; confirmed moments come first.

    Stored evidence selects the videos and the frames to inspect first. Moments that only stored evidence suggests
    come last.

    Args:
        query: A description of the visible content.
        library: The library to search.
        k: At most this many.
        models: The models that inspect frames.
        video_ids: Only these videos; None: all.
        between: Only this span of each video.
        frames: Largest number of frames to inspect, over all videos.
        decoder: The video decoder.

    Raises:
        QueryError: The query or a filter is not valid.
        MediaError: A video's file cannot be read.
    """
    asked = grounding_query(query).text or query
    found = library.find(asked, CANDIDATES, None, video_ids, between)
    among = video_ids if video_ids is not None else sorted(library.records)
    videos = list(dict.fromkeys([*(one.video_id for one in found), *among]))[:MOST_INSPECTED]
    seen: list[Moment] = []
    looked: dict[str, int] = {}
    for number, video_id in enumerate(videos):
        share = (frames - sum(looked.values())) // (len(videos) - number)
        record, segments = library.records[video_id], library.of_video(video_id, ["frame"])
        if record.info.video is None or share < 1:
            continue
        ours = [one for one in found if one.video_id == video_id]
        stored = [one for one in [*segments, *ours] if between is None or one.span.overlap(between) > 0]
        file = library.file_of(video_id)
        inspected = inspect(asked, record, file, stored, models, frames=share, decoder=decoder)
        looked[video_id] = inspected.frames
        for moment in inspected.moments:
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
    """Return the span around a hit."""
    window = _window(hit, library.records[hit.video_id].duration, between)
    channels = _channels(asked.text, library, hit, modalities, window)
    anchors = _channels(asked.anchor, library, hit, modalities, window) if asked.anchor else []
    # An expression such as "at the end" refers to the whole video.
    whole = window.duration >= library.records[hit.video_id].duration - 1e-6
    usual = asked if whole else asked.model_copy(update={"place": None})
    spans = span_posterior(window, channels, usual, anchors).best(mode, k=8)
    best = next((one.span for one in spans if one.span.overlap(hit.span) > 0), hit.span)
    # Observations have exact edges; the edges of the posterior are those of its bins.
    return hit.span if best.iou(hit.span) >= SAME_SPAN_IOU else best


def _channels(text: str, library: Search, hit: Evidence, modalities: Sequence[Modality], window: Span) -> list[Channel]:
    """Return the observations in the window and their similarity to a text: by embeddings, and by rare words."""
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
    """Return the whole video if it is short, otherwise some minutes around the hit."""
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
