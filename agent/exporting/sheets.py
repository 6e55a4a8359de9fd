"""Draws on pictures: a contact sheet of a video with true times, and subtitles for a clip."""

import io
import math
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from ...index.records import Evidence
from ...tools.media.frames import frames_at
from ...tools.records import Pixels, Span, clock

__all__ = ["contact_sheet", "subtitles_drawn"]

_CELL_WIDTH = 320
_GAP = 8
_CAPTION = 26
_SUBTITLE_HEIGHT = 0.05  # of the picture's height
_PAPER, _INK = (250, 250, 248), (30, 34, 42)


def contact_sheet(
    video: Path,
    span: Span,
    count: int,
    columns: int = 4,
    seconds: Sequence[float] = (),
    stream: int | None = None,
) -> bytes:
    """Return a contact sheet as PNG.

    Args:
        video: The video's file.
        span: The stretch that it shows.
        count: Number of pictures, evenly spaced unless `seconds` are given.
        columns: Pictures in a row.
        seconds: Times of the pictures; the first `count` of them that lie in the span.
        stream: Index of the video stream; None for FFmpeg's best one.

    Raises:
        MediaError: The file has no readable pictures.
    """
    from PIL import Image, ImageDraw, ImageFont

    chosen = [one for one in seconds if span.start <= one < span.end][:count]
    chosen = chosen or [span.start + (number + 0.5) * span.duration / count for number in range(count)]
    frames = list(frames_at(video, chosen, stream))
    height = max(round(_CELL_WIDTH * frame.size[1] / frame.size[0]) for frame in frames)
    columns = min(columns, len(frames))
    rows = math.ceil(len(frames) / columns)
    size = columns * (_CELL_WIDTH + _GAP) + _GAP, rows * (height + _CAPTION + _GAP) + _GAP
    sheet = Image.new("RGB", size, _PAPER)
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(15)
    for number, frame in enumerate(frames):
        left = _GAP + number % columns * (_CELL_WIDTH + _GAP)
        top = _GAP + number // columns * (height + _CAPTION + _GAP)
        picture = Image.fromarray(frame.pixels)
        picture.thumbnail((_CELL_WIDTH, height), Image.Resampling.LANCZOS)
        sheet.paste(picture, (left, top))
        pen.text((left + 2, top + height + 4), clock(frame.seconds), _INK, font)
    out = io.BytesIO()
    sheet.save(out, "PNG")
    return out.getvalue()


def subtitles_drawn(rows: Sequence[Evidence]) -> Callable[[Pixels, float], Pixels]:
    """Return a function that draws the row of a second at the bottom of a picture."""

    def draw(pixels: Pixels, second: float) -> Pixels:
        from PIL import Image, ImageDraw, ImageFont

        text = " ".join(row.text for row in rows if row.start <= second < row.end)
        if not text:
            return pixels
        image = Image.fromarray(pixels)
        size = max(12, round(_SUBTITLE_HEIGHT * image.height))
        font, pen = ImageFont.load_default(size), ImageDraw.Draw(image)
        across = max(10, round(0.9 * image.width / (0.55 * size)))
        lines = "\n".join(textwrap.wrap(text, across))
        place = image.width / 2, image.height - size
        pen.multiline_text(
            place, lines, "white", font, "md", align="center", stroke_width=size // 10, stroke_fill="black"
        )
        return np.asarray(image)

    return draw
