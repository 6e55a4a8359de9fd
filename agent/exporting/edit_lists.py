"""Writes stretches of videos as an edit list for editing programs: OpenTimelineIO and CMX 3600 EDL."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from ...tools.errors import MissingExtraError
from ...tools.media.container import open_media, video_stream_of
from ...tools.records import Record, Span, clean_text

__all__ = ["Cut", "edit_list"]

_DEFAULT_RATE = 25.0
# Frames a second that SMPTE time codes know (ST 12-1).
_EDL_RATES = (24000 / 1001, 24.0, 25.0, 30000 / 1001, 30.0, 50.0, 60000 / 1001, 60.0)


class Cut(Record):
    """One stretch of a video in an edit list."""

    video: Path = Field(description="The video's file.")
    duration: float = Field(gt=0, description="Length of the whole video in seconds.")
    span: Span = Field(description="The stretch.")
    name: str = Field(description="What the editing program shows.")
    note: str = Field(default="", description="Text of a marker.")


def edit_list(name: str, cuts: Sequence[Cut], style: Literal["otio", "edl"]) -> str:
    """Return cuts, one after the other, as the text of an edit list.

    Times are rounded to frames of each video's average frame rate, because edit lists count frames.

    Args:
        name: Name of the timeline.
        cuts: The stretches in order.
        style: `otio` (OpenTimelineIO JSON) or `edl` (CMX 3600; one picture track).

    Raises:
        MissingExtraError: OpenTimelineIO is not installed.
        MediaError: A video cannot be read.
    """
    otio = _otio()
    timeline = otio.schema.Timeline(name=clean_text(name))
    track = otio.schema.Track(name="Video", kind=otio.schema.TrackKind.Video)
    timeline.tracks.append(track)
    rates: dict[Path, float] = {}
    first_rate = 0.0
    for cut in cuts:
        rate = rates.setdefault(cut.video, _frame_rate(cut.video))
        first_rate = first_rate or rate
        rate = _edl_rate(first_rate) if style == "edl" else rate  # an EDL has one rate, that of a time code
        clip = otio.schema.Clip(
            name=clean_text(cut.name),
            media_reference=otio.schema.ExternalReference(
                target_url=cut.video.as_uri(), available_range=_range(otio, Span(start=0, end=cut.duration), rate)
            ),
            source_range=_range(otio, cut.span, rate),
        )
        if cut.note:
            marker = otio.schema.Marker(name=clean_text(cut.note), marked_range=clip.source_range)
            clip.markers.append(marker)
        track.append(clip)
    if style == "edl":
        return otio.adapters.write_to_string(timeline, "cmx_3600", rate=_edl_rate(first_rate), style="avid")
    return otio.adapters.write_to_string(timeline, "otio_json")


def _otio() -> Any:
    try:
        import opentimelineio
    except ModuleNotFoundError as error:
        raise MissingExtraError("an edit list", "opentimelineio", "ui") from error
    return opentimelineio


def _range(otio: Any, span: Span, rate: float) -> Any:
    first, last = round(span.start * rate), max(round(span.start * rate) + 1, round(span.end * rate))
    return otio.opentime.TimeRange(
        otio.opentime.RationalTime(first, rate), otio.opentime.RationalTime(last - first, rate)
    )


def _frame_rate(video: Path) -> float:
    with open_media(video) as container:
        if not container.streams.video:
            return _DEFAULT_RATE
        rate = video_stream_of(container, video, None).average_rate
        return float(rate) if rate else _DEFAULT_RATE


def _edl_rate(rate: float) -> float:
    return min(_EDL_RATES, key=lambda known: abs(known - rate))
