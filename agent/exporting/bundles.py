"""Collects everything about a stretch of a video in one record: what was said, written, detected, and its frames."""

import io
from typing import TYPE_CHECKING

from pydantic import Field

from ...index.records import Evidence
from ...tools.errors import QueryError
from ...tools.media.frames import frames_at
from ...tools.records import Box, Modality, Record, Seconds, Span, clock

if TYPE_CHECKING:
    from ..library.browsing import Browsing
    from .named_moments import NamedMoment

__all__ = ["BundleFrame", "MomentBundle", "bundle"]

# A frame this far from the wanted second is named as such.
_NOTED_SECONDS = 0.25
_QUALITY = 90


class BundleFrame(Record):
    """One frame of a stretch."""

    wanted: Seconds = Field(description="The second that was asked for.")
    seconds: Seconds = Field(description="The frame's true time.")
    width: int = Field(gt=0, description="Width in pixels.")
    height: int = Field(gt=0, description="Height in pixels.")
    jpeg: bytes = Field(repr=False, description="The picture.")
    note: str = Field(default="", description="Says so where the frame is not of the wanted second.")


class MomentBundle(Record):
    """Everything about a stretch of a video."""

    video_id: str = Field(description="The video's content hash.")
    video: str = Field(description="Absolute path of the video's file.")
    start: Seconds = Field(description="First second.")
    end: Seconds = Field(description="First second after it.")
    chapter: str = Field(description="Title of the chapter that it starts in.")
    said: tuple[Evidence, ...] = Field(description="Speech that overlaps it.")
    written: tuple[Evidence, ...] = Field(description="Text in the picture.")
    detected: tuple[Evidence, ...] = Field(description="Objects.")
    described: tuple[Evidence, ...] = Field(description="Descriptions by a model.")
    other: tuple[Evidence, ...] = Field(default=(), description="Everything else, labels of pictures among it.")
    frames: tuple[BundleFrame, ...] = Field(default=(), description="Frames, in order of time.")


def bundle(
    library: "Browsing", moment: "NamedMoment", count: int = 4, crop: Box | None = None, width: int | None = None
) -> MomentBundle:
    """Collect a stretch.

    Args:
        library: The library.
        moment: The stretch.
        count: Number of frames, evenly spaced; 0: none.
        crop: Cut frames to this part of the picture.
        width: Scale frames down to this width in pixels.

    Raises:
        LibraryError: The video is damaged.
        MediaError: Frames are wanted and the video's file cannot be read.
        QueryError: The crop is empty.
    """
    from .subtitles import title_of

    record, observations = library.observed(moment.video.video_id, between=moment.span)
    rows: dict[Modality, list[Evidence]] = {}
    for row in sorted(observations, key=lambda e: (e.start, e.end)):
        rows.setdefault(row.modality, []).append(row)
    chapters = list(enumerate(library.chapters(record.video_id), start=1))
    title = next((title_of(c, n) for n, c in reversed(chapters) if c.start <= moment.span.start), "")
    return MomentBundle(
        video_id=record.video_id,
        video=str(library.path_of(record)),
        start=moment.span.start,
        end=moment.span.end,
        chapter=title,
        said=tuple(rows.pop("speech", ())),
        written=tuple(rows.pop("text", ())),
        detected=tuple(rows.pop("object", ())),
        described=tuple(rows.pop("caption", ())),
        other=tuple(row for kind in rows.values() for row in kind),
        frames=_frames(library, moment, count, crop, width) if record.info.video else (),
    )


def _frames(
    library: "Browsing", moment: "NamedMoment", count: int, crop: Box | None, width: int | None
) -> tuple[BundleFrame, ...]:
    from PIL import Image

    span: Span = moment.span
    wanted = [span.start + (number + 0.5) * span.duration / count for number in range(count)]
    made = []
    for second, frame in zip(wanted, frames_at(library.path_of(moment.video), wanted, moment.stream), strict=True):
        picture = Image.fromarray(frame.pixels)
        if crop:
            across, down = picture.size
            edges = crop.left * across, crop.top * down, crop.right * across, crop.bottom * down
            left, top, right, bottom = map(round, edges)
            if right <= left or bottom <= top:
                raise QueryError(f"crop {crop}: the part has no pixels; give x,y,width,height as shares from 0 to 1")
            picture = picture.crop((left, top, right, bottom))
        if width and width < picture.width:
            picture = picture.resize((width, max(1, round(picture.height * width / picture.width))))
        out = io.BytesIO()
        picture.save(out, "JPEG", quality=_QUALITY)
        gap = abs(frame.seconds - second)
        note = f"the nearest frame begins at {clock(frame.seconds)}, {gap:.1f} s away" if gap > _NOTED_SECONDS else ""
        made.append(
            BundleFrame(
                wanted=second,
                seconds=frame.seconds,
                width=picture.width,
                height=picture.height,
                jpeg=out.getvalue(),
                note=note,
            )
        )
    return tuple(made)
