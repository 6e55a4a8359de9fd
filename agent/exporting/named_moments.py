"""Finds the moment that a person names: `a.mp4@10:02-10:40`, `a.mp4@10:02`, an evidence id, or an n-th citation."""

import re
from typing import TYPE_CHECKING

from pydantic import Field

from ...index.records import VideoRecord
from ...tools.errors import LibraryError, QueryError
from ...tools.records import Record, Span, clock, parse_clock

if TYPE_CHECKING:
    from ..library import Library
    from ..library.browsing import Browsing

__all__ = ["NamedMoment", "citation_moment", "is_time", "named_moment"]

# How much of a video belongs to a moment that is named by one second.
_POINT_SECONDS = 10.0
_EVIDENCE_ID = re.compile(r"[0-9a-f]{12}-[0-9a-f]{6,}")
_TIME = re.compile(r"\d[\d.]*(:[\d.]+)+(\s*[-–]\s*[\d:.]+)?")
_PLACED = re.compile(r"(?P<video>.+)@(?P<start>[\d:.]+)(?:\s*[-–]\s*(?P<end>[\d:.]+))?$")


class NamedMoment(Record):
    """A stretch of one video."""

    video: VideoRecord = Field(description="The video.")
    span: Span = Field(description="From when to when, inside the video.")
    evidence_id: str | None = Field(default=None, description="The evidence that named it.")
    stream: int | None = Field(default=None, description="Index of its video stream; None: the file's best one.")


def named_moment(library: "Browsing", moment: str, point_seconds: float = _POINT_SECONDS) -> NamedMoment:
    """Return the stretch of video that `VIDEO@START-END`, `VIDEO@START` or an evidence id names.

    Args:
        library: Where to look.
        moment: VIDEO is a path, file name or id; times are clock times or seconds.
        point_seconds: Length of a moment without an end.

    Raises:
        QueryError: The text has neither form, or lies outside the video.
        LibraryError: The library holds no such video or evidence.
    """
    text = moment.strip()
    if _EVIDENCE_ID.fullmatch(text):
        evidence = library.evidence(text)
        if evidence is None:
            raise LibraryError(f"there is no evidence {text!r} in this library: copy an id from a search or an answer")
        (record,) = library.videos(evidence.video_id)
        return NamedMoment(video=record, span=evidence.span, evidence_id=text, stream=evidence.stream)
    if not (found := _PLACED.match(text)):
        raise QueryError(f"moment {moment!r}: give VIDEO@START-END, e.g. talk.mp4@10:02-10:40, or an evidence id")
    times = text[found.start("start") :]
    try:
        start = parse_clock(found["start"])
        end = parse_clock(found["end"]) if found["end"] else None
    except ValueError as error:
        raise QueryError(f"moment {times!r}: {error}") from error
    record = library.video(found["video"])
    span = _inside(times, start, start + point_seconds if end is None else end, record.duration)
    return NamedMoment(video=record, span=span, stream=record.info.stream)


def is_time(text: str) -> bool:
    """Whether a text is nothing but a clock time or a stretch, such as `10:02` or `10:02-10:40`."""
    return _TIME.fullmatch(text.strip()) is not None


def citation_moment(library: "Library", question: str, number: int) -> NamedMoment:
    """Ask a question and return the moment of its n-th citation.

    Args:
        library: What to ask.
        question: In plain words.
        number: From 1, in the order of the answer.

    Raises:
        QueryError: The answer has fewer citations.
    """
    answer = library.ask(question)
    citations = [citation for claim in answer.claims for citation in claim.citations]
    if not citations:
        raise QueryError(f"no moment answers {question!r}: {answer.text} Name it by its time: VIDEO@START-END")
    if not 1 <= number <= len(citations):
        raise QueryError(f"the answer has {len(citations)} citations, there is no number {number}: {answer.text}")
    chosen = citations[number - 1]
    (record,) = library.videos(chosen.video_id)
    return NamedMoment(video=record, span=chosen.span, evidence_id=chosen.evidence_id, stream=chosen.stream)


def _inside(times: str, start: float, end: float, duration: float) -> Span:
    if start >= duration:
        raise QueryError(f"moment {times!r} starts at {clock(start)}, and the video ends at {clock(duration)}")
    last = min(duration, end)
    if last <= start:
        raise QueryError(f"moment {times!r}: the end must be after the start")
    return Span(start=start, end=last)
