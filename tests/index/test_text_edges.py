"""Edges of captions over a moving picture are exact to the frame."""

from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from playhead.index.indexing.merging.text_edges import refine_edges
from playhead.tools.media.scanned_frames import ScannedFrame
from playhead.tools.records import Box, Observation, Span

FPS, SECONDS = 25, 12.0
WIDTH, HEIGHT = 640, 360
BOX = Box(left=0.06, top=0.72, right=0.5, bottom=0.8)


def written(text: str, start: float, end: float, box: Box = BOX) -> Observation:
    """A line as it is read in samples, first in the sample at `start`."""
    span = Span(start=start, end=end)
    return Observation(modality="text", span=span, text=text, score=0.9, source="ocr@1", box=box, frame_seconds=start)


def film(text: str, start: float, end: float):
    """Frames with a picture that moves, and a caption from one second to another."""
    behind = np.random.default_rng(0).integers(40, 160, (HEIGHT // 8, WIDTH // 4)).astype(np.uint8)
    behind = np.asarray(Image.fromarray(behind).resize((2 * WIDTH, HEIGHT)))
    font = ImageFont.truetype("DejaVuSans.ttf", 24)

    def frames(first: float, last: float) -> Iterator[ScannedFrame]:
        for number in range(round(first * FPS), round(last * FPS) + 1):
            seconds = number / FPS
            picture = Image.fromarray(behind[:, 2 * number : 2 * number + WIDTH])
            if start <= seconds < end:
                ImageDraw.Draw(picture).text((42, 261), text, fill=255, font=font)
            yield ScannedFrame(seconds, np.asarray(picture), load=lambda: pytest.fail("no picture is needed"))

    return frames


def refined(lines: Sequence[Observation], frames) -> list[tuple[float, float]]:
    found = refine_edges(lines, [Span(start=0, end=SECONDS)], 2.0, frames)
    return [(round(line.span.start, 2), round(line.span.end, 2)) for line in found]


def test_a_caption_that_is_read_late_begins_at_its_first_frame():
    assert refined([written("Dr Helen Marsh", 4.8, 7.2)], film("Dr Helen Marsh", 4.0, 8.0)) == [(4.0, 8.0)]


def test_pieces_of_a_ticker_beside_a_caption_leave_its_edges_exact():
    """Six pieces are read while the caption stands, at most two of them at one moment."""
    band = Box(left=0.0, top=0.9, right=1.0, bottom=0.97)
    ticker = [written(f"piece {number}", 3 + number, 4.5 + number, band) for number in range(6)]
    spans = refined([written("Dr Helen Marsh", 4.8, 7.2), *ticker], film("Dr Helen Marsh", 4.0, 8.0))
    assert spans == [(4.0, 8.0)] + [(3.0 + number, 4.5 + number) for number in range(6)]


def test_lines_that_stay_for_the_whole_video_leave_a_caption_exact():
    rows = [Box(left=0.6, top=0.05 * n, right=0.9, bottom=0.05 * n + 0.03) for n in range(14)]
    menu = [written(f"row {n}", 0.0, SECONDS, box) for n, box in enumerate(rows)]
    spans = refined([written("Dr Helen Marsh", 4.8, 7.2), *menu], film("Dr Helen Marsh", 4.0, 8.0))
    assert spans[0] == (4.0, 8.0)


def test_text_that_moves_keeps_the_edges_of_its_samples():
    """The film shows nothing at this place but for one frame: the letters have moved on."""
    assert refined([written("Dr Helen Marsh", 4.8, 7.2)], film("Dr Helen Marsh", 4.8, 4.84)) == [(4.8, 7.2)]


def test_a_caption_that_is_covered_for_a_while_keeps_both_its_ends():
    first, second = film("Dr Helen Marsh", 4.0, 6.0), film("Dr Helen Marsh", 7.0, 9.0)

    def frames(start: float, end: float) -> Iterator[ScannedFrame]:
        for one, other in zip(first(start, end), second(start, end), strict=True):
            yield other if one.seconds >= 6.5 else one

    assert refined([written("Dr Helen Marsh", 4.8, 8.2)], frames) == [(4.0, 9.0)]


def test_two_captions_at_one_place_end_and_begin_at_one_frame():
    first, second = film("Dr Helen Marsh", 2.0, 5.0), film("Dr Helen Marth", 5.0, 8.0)

    def frames(start: float, end: float) -> Iterator[ScannedFrame]:
        for one, other in zip(first(start, end), second(start, end), strict=True):
            yield other if one.seconds >= 5.0 - 1e-6 else one

    lines = [written("Dr Helen Marsh", 2.4, 5.6), written("Dr Helen Marth", 5.6, 7.6)]
    assert refined(lines, frames) == [(2.0, 5.0), (5.0, 8.0)]


def test_a_picture_full_of_text_keeps_the_edges_of_its_samples():
    rows = [Box(left=0.6, top=0.03 * n, right=0.9, bottom=0.03 * n + 0.02) for n in range(24)]
    lines = [written("Dr Helen Marsh", 4.8, 7.2), *(written(f"row {n}", 4.8, 7.2, box) for n, box in enumerate(rows))]
    assert refined(lines, film("Dr Helen Marsh", 4.0, 8.0))[0] == (4.8, 7.2)
