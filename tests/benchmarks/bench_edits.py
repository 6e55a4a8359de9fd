"""Whether one edited character on a slide is seen as a change, and what is read then.

Slides of 1280×720 and 1920×1080 with lines of 14 to 72 pixels (DejaVu), dark on light or light on dark. Each video shows
one slide on which a random letter or digit becomes another one every 1.2 to 3 s; x264 at crf 18 to 33, keyframes each 50
or 250 frames, 10 frames a second. An edit is seen if a segment starts at its frame (to 0.05 s). With `PLAYHEAD_READ=1`
each segment is read, too: the edited line must not be read as it was before the edit, unless RapidOCR reads both states
alike on the lossless slide.
"""

import os
import random
import string
import tempfile
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
from PIL import Image, ImageDraw, ImageFont
from report import Figures, Skipped, percent

from playhead.index.indexing.change_detection import segments
from playhead.tools.extractors.reading.ocr import TextReader, text_reader
from playhead.tools.media.frames import probe
from playhead.tools.media.skimming.skim import skim
from playhead.tools.records import Frame, Observation, Pixels, Segment, Span
from playhead.tools.settings import Settings

_FPS = 10
_EDITS = 15
_VIDEOS = int(os.environ.get("PLAYHEAD_EDIT_VIDEOS", "20"))
_SIZES = (14, 16, 18, 20, 24, 28, 36, 48, 72)
_FONTS = ("DejaVuSans", "DejaVuSansMono", "DejaVuSerif")
_WORDS = (
    "quarterly revenue total of orders shipped to warehouse number EUR 310 2741 budget 2024 growth rate 12.5 node "
    "error code level meeting at 9:30 price per unit"
).split()


class _Edit(NamedTuple):
    second: float
    row: int
    size: int
    before: str
    after: str


class _Slide(NamedTuple):
    width: int
    height: int
    paper: tuple[int, int, int]
    ink: tuple[int, int, int]
    font: str
    lines: list[list]  # text, size, left, top

    def picture(self) -> Pixels:
        image = Image.new("RGB", (self.width, self.height), self.paper)
        draw = ImageDraw.Draw(image)
        for text, size, left, top in self.lines:
            draw.text((left, top), text, fill=self.ink, font=ImageFont.truetype(self.font, size))
        return np.asarray(image)


def measure() -> Figures:
    reader = None
    if os.environ.get("PLAYHEAD_READ"):
        reader = text_reader(Settings(ocr="rapidocr", device="cpu", offline=True))
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for number in range(_VIDEOS):
            rows += _measured(Path(folder) / f"{number}.mp4", number, reader)
    figures = []
    for name, among in [("all", rows), *((f"{size} px", [r for r in rows if r["size"] == size]) for size in _SIZES)]:
        if not among:
            continue
        read = [row for row in among if row["stale"] is not None]
        figures.append(
            {
                "lines": name,
                "edits": len(among),
                "seen_percent": percent(sum(row["seen"] for row in among) / len(among)),
                "read": len(read),
                "read_as_before_percent": percent(sum(row["stale"] for row in read) / len(read)) if read else None,
            }
        )
    return {"Edited characters": figures}


def _measured(path: Path, seed: int, reader: TextReader | None) -> list[dict]:
    dice = random.Random(seed)
    slide = _slide(dice, *((1280, 720), (1920, 1080))[seed % 2])
    edits = _write(path, slide, dice, str((18, 23, 28, 33)[seed // 2 % 4]), str((250, 50)[seed // 8 % 2]))
    found = list(segments(skim(path), 2.0, probe(path).duration))
    starts = np.array([segment.span.start for segment in found])
    rows = []
    readings: list[list[Observation]] = [reader.observe([segment]) for segment in found] if reader else []
    for edit in edits:
        seen = bool(np.abs(starts - edit.second).min() <= 0.05)
        stale = None
        if reader:
            shown = [n for n, s in enumerate(found) if s.span.start <= edit.second + 0.5 < s.span.end]
            stale = bool(shown) and _is_stale(reader, slide, edit, readings[shown[0]])
        rows.append({"size": edit.size, "seen": seen, "stale": stale})
    return rows


def _is_stale(reader: TextReader, slide: _Slide, edit: _Edit, found: list[Observation]) -> bool:
    """Whether the line is read as before the edit, though the reader tells both states apart on the lossless slide."""
    texts = {_plain(one.text) for one in found}
    if _plain(edit.after) in texts or _plain(edit.before) not in texts:
        return False
    lossless = slide._replace(lines=[[edit.after, edit.size, 60, 60]]).picture()
    segment = Segment(Span(start=0, end=1), Frame(0.0, lossless))
    return _plain(edit.before) not in {_plain(one.text) for one in reader.observe([segment])}


def _slide(dice: random.Random, width: int, height: int) -> _Slide:
    is_dark = dice.random() < 0.4
    font = Path("/usr/share/fonts/truetype/dejavu") / f"{dice.choice(_FONTS)}.ttf"
    if not font.exists():
        raise Skipped("the DejaVu fonts are not installed")
    lines: list[list] = []
    top = 40
    while top < height - 100:
        size = dice.choice(_SIZES)
        words = " ".join(dice.choice(_WORDS) for _ in range(max(2, int((width - 160) / size / 4))))
        lines.append([words[: int((width - 160) / size / 0.62)], size, 60 + dice.randint(0, 7), top])
        top += int(size * 1.6) + dice.randint(4, 30)
    colours = ((20, 22, 30), (225, 225, 225)) if is_dark else ((250, 250, 245), (30, 30, 40))
    return _Slide(width, height, *colours, str(font), lines)


def _write(path: Path, slide: _Slide, dice: random.Random, crf: str, keyframes: str) -> list[_Edit]:
    edits = []
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=_FPS, options={"crf": crf, "g": keyframes, "preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = slide.width, slide.height, "yuv420p"
        number = _show(out, stream, slide.picture(), 0, dice.randint(12, 30))
        for _ in range(_EDITS):
            row = dice.randrange(len(slide.lines))
            before, size = slide.lines[row][:2]
            place = dice.choice([n for n, c in enumerate(before) if c.isalnum()])
            alphabet = next(
                a for a in (string.digits, string.ascii_lowercase, string.ascii_uppercase) if before[place] in a
            )
            other = dice.choice([c for c in alphabet if c != before[place]])
            slide.lines[row][0] = after = before[:place] + other + before[place + 1 :]
            edits.append(_Edit(number / _FPS, row, size, before, after))
            number = _show(out, stream, slide.picture(), number, dice.randint(12, 30))
        out.mux(stream.encode(None))
    return edits


def _show(
    out: "av.container.OutputContainer", stream: "av.VideoStream", picture: Pixels, number: int, count: int
) -> int:
    frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
    for n in range(number, number + count):
        frame.pts = n
        out.mux(stream.encode(frame))
    return number + count


def _plain(text: str) -> str:
    return "".join(c for c in text if c.isalnum())
