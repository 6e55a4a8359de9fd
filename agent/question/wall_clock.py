"""Limits a question to a time of day, or to what came just now, in live recordings: "What was said since 10:40?".

Times of day are of this machine's time zone. A clock time is a time of day if a recording ran then, or if no video is long
enough to have it as a second of its own.
"""

import math
from collections.abc import Mapping, Sequence
from datetime import datetime, time, timedelta

from ...index.recordings import PartClock, part_clock
from ...index.records import VideoRecord
from ...tools.records import Span
from ..records import Correction, Plan, Scope
from .planning import make_plan
from .time_expressions import DayTimes, day_times_of, moment_of, recent_of, stretch_of

__all__ = ["at_wall_clock"]

# All that is said and shown in a stretch of this length is an answer; a longer one is summarised.
_MOST_MOMENT_SECONDS = 60.0
_SHORTEST = 0.001


def at_wall_clock(plan: Plan, records: Mapping[str, VideoRecord]) -> tuple[Plan, Correction] | None:
    """Limit a plan to the spans of live recordings that its question names by the time of day, or as "just".

    Args:
        plan: The question.
        records: The videos of the library by id.

    Returns:
        The plan, and how the time was understood; None: the question names no such time, or no recording has it.
    """
    among = [records[one] for one in (plan.video_ids if plan.video_ids is not None else records)]
    parts = sorted((part for part in map(part_clock, among) if part), key=lambda part: part.began)
    if not parts:
        return None
    if times := day_times_of(plan.question):
        rest, written = times.rest, times.written
        within = _within_day(times, parts, _is_own_second(plan.question, among))
        read = "" if within is None else f"{written} on {_day(within[0])}, the time of day"
    elif (recent := recent_of(plan.question)) and (recent.is_now or len(parts) == len(among)):
        rest, written = recent.rest, recent.written
        latest = max(parts, key=lambda part: part.ended)
        parts = [part for part in parts if part.recording == latest.recording]
        within = latest.ended - recent.seconds, latest.ended
        until = datetime.fromtimestamp(latest.ended)
        read = f"the {recent.seconds:.0f} s until {until:%H:%M:%S} on {_day(latest.ended)} in {latest.recording}"
    else:
        return None
    if within is None:
        return None
    first, end = within
    scopes = tuple(_scope(part, first, end) for part in parts if part.began < end and part.ended > first)
    asked = make_plan(rest, tuple(scope.video_id for scope in scopes), None, plan.options)
    changes: dict[str, object] = {"question": plan.question, "scopes": scopes, "clock": written, "from_end": not times}
    if asked.kind == "needle" and not any(term.required for term in asked.terms):
        is_short = sum(scope.span.duration for scope in scopes) <= _MOST_MOMENT_SECONDS
        changes |= {"is_moment": True, "terms": ()} if is_short else {"kind": "whole", "is_moment": False}
    return asked.model_copy(update=changes), Correction(written=written, read=read)


def _within_day(times: DayTimes, parts: Sequence[PartClock], is_own_second: bool) -> tuple[float, float] | None:
    """The stretch of the latest day on which a recording ran at one of the times; else of the latest with recordings.

    Args:
        times: What the question names.
        parts: The parts of recordings.
        is_own_second: Whether a video has the time as a second of its own: then only a recording that ran counts.
    """
    days = sorted({datetime.fromtimestamp(one).date() for part in parts for one in (part.began, part.ended)})
    overlapping = []
    for day in reversed(days):
        midnight = datetime.combine(day, time())
        first, last = (None if one is None else (midnight + timedelta(seconds=one)).timestamp() for one in times[2:])
        stretch = midnight.timestamp() if first is None else first, math.inf if last is None else last
        ran = [part for part in parts if part.began < stretch[1] and part.ended > stretch[0]]
        if any(part.began <= one <= part.ended for part in parts for one in (first, last) if one is not None):
            return stretch
        overlapping += [stretch] if ran else []
    return overlapping[0] if overlapping and not is_own_second else None


def _is_own_second(question: str, videos: Sequence[VideoRecord]) -> bool:
    span = stretch_of(question)[1] or (moment_of(question) or ("", None))[1]
    return span is not None and any(video.duration > span.start for video in videos)


def _scope(part: PartClock, first: float, end: float) -> Scope:
    start = part.second_at(first)
    return Scope(video_id=part.video_id, span=Span(start=start, end=max(start + _SHORTEST, part.second_at(end))))


def _day(wall: float) -> str:
    at = datetime.fromtimestamp(wall)
    return f"{at.day} {at:%B %Y}"
