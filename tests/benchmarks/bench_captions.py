"""Captions over real moving pictures: whether each is found, once, and with true edges.

Real clips of 40 s, 720p25, with captions drawn into them: lines of football commentary of 0.8 to 5 s, 26 to 44 pixels high,
white with an outline, white on a dark band, or yellow with a shadow; each third one is a name at the left. Where the
gap is zero, one caption follows another. In every second clip a ticker runs below. The clips of the second row of `_CLIPS` were not
used for any choice.

A caption is found if an observation that overlaps it has its letters (similarity 0.9 and more, spaces and case aside). Its
edges are true if both are within 0.1 s. It is found once if only one observation has its letters.
"""

import random
import re
import tempfile
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from fractions import Fraction
from itertools import chain, repeat
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont
from report import Figures, percent, real_data
from transcripts import football

from playhead import Library, Settings
from playhead.index.records import Evidence

_CLIPS = {
    "seen": ("agent327.mp4", "boats.mp4", "vtest.avi", "artcritic.mp4"),
    "held out": ("sam_dog.mp4", "vllava_1.mp4", "tos.webm", "manifesto.mp4"),
}
_WIDTH, _HEIGHT, _FPS, _SECONDS = 1280, 720, 25, 40
_DURATIONS, _GAPS = (0.8, 1.0, 1.52, 2.0, 3.0, 5.0), (0.0, 0.24, 0.6, 1.4)
_TICKER = "   +++   ".join(
    ("Rail strike in the north ends after nine days", "Copper climbs to 9412 dollars a tonne") * 4
)
_TICKER_SPEED, _TRUE_SECONDS, _SAME = 140, 0.1, 0.9
_TEXT_ONLY = Settings(objects_model="off", image_model="off", offline=True)

_Picture = npt.NDArray[np.uint8]


class _Caption(NamedTuple):
    """A caption, its frames (the last one excluded), its style (0 to 2), its height in pixels, and whether it is a name."""

    text: str
    first: int
    last: int
    style: int
    size: int
    is_name: bool


class _Result(NamedTuple):
    caption: _Caption
    found: int
    start: float  # seconds too late
    end: float

    @property
    def is_true(self) -> bool:
        return self.found > 0 and max(abs(self.start), abs(self.end)) <= _TRUE_SECONDS + 1e-6


def measure() -> Figures:
    rows, edges = [], []
    for part, names in _CLIPS.items():
        results: list[_Result] = []
        for number, name in enumerate(names):
            own = _measured(real_data(f"videos/{name}"), seed=number, ticker=number % 2 == 1)
            rows.append({"part": part, "clip": name, "ticker": str(number % 2 == 1), **_row(own)})
            print(rows[-1], flush=True)
            results += own
        for seconds in _DURATIONS:
            some = [one for one in results if one.caption.last - one.caption.first == round(seconds * _FPS)]
            edges.append({"part": part, "seconds": seconds, **_row(some)})
        edges.append({"part": part, "seconds": "all", **_row(results)})
    return {"Captions by clip": rows, "Captions by duration": edges}


def _row(results: Sequence[_Result]) -> dict[str, float]:
    return {
        "captions": len(results),
        "found_%": percent(np.mean([one.found > 0 for one in results])),
        "true_edges_%": percent(np.mean([one.is_true for one in results])),
        "more_than_once": sum(one.found > 1 for one in results),
    }


def _measured(path: Path, seed: int, ticker: bool) -> list[_Result]:
    captions = list(_drawn_captions(random.Random(seed)))
    with tempfile.TemporaryDirectory() as folder:
        _write(path, Path(folder) / "captions.mp4", captions, ticker)
        with Library(folder, _TEXT_ONLY) as library:
            list(library.index(folder))
            _, rows = library.observed("captions.mp4", modalities=["text"])
    return [_result(one, rows) for one in captions]


def _result(caption: _Caption, rows: Sequence[Evidence]) -> _Result:
    start, end = caption.first / _FPS, caption.last / _FPS
    same = [
        (min(row.end, end) - max(row.start, start), row)
        for row in rows
        if row.start < end and row.end > start and _similarity(row.text, caption.text) >= _SAME
    ]
    if not same:
        return _Result(caption, 0, 0.0, 0.0)
    _, best = max(same, key=lambda one: one[0])
    return _Result(caption, len(same), best.start - start, best.end - end)


def _similarity(one: str, other: str) -> float:
    first, second = (re.sub(r"\W", "", text.casefold()) for text in (one, other))
    return SequenceMatcher(None, first, second, autojunk=False).ratio()


def _drawn_captions(chooser: random.Random) -> Iterator[_Caption]:
    lines = [line.text for match in football().values() for line in match if 12 <= len(line.text) <= 42]
    frame = _FPS
    for number, text in enumerate(chooser.sample(lines, 40)):
        duration, gap = chooser.choice(_DURATIONS), chooser.choice(_GAPS)
        last = frame + round(duration * _FPS)
        if last > (_SECONDS - 1) * _FPS:
            return
        yield _Caption(text, frame, last, chooser.randrange(3), chooser.randrange(26, 45, 2), number % 3 == 2)
        frame = last + round(gap * _FPS)


def _write(source: Path, target: Path, captions: Sequence[_Caption], ticker: bool) -> None:
    frames = chain.from_iterable(map(_frames, repeat(source)))
    with av.open(target, "w") as container:
        stream = container.add_stream("libx264", rate=_FPS, options={"crf": "23", "preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt, stream.time_base = _WIDTH, _HEIGHT, "yuv420p", Fraction(1, _FPS)
        for number, pixels in zip(range(_SECONDS * _FPS), frames, strict=False):
            picture = Image.fromarray(pixels)
            for caption in captions:
                if caption.first <= number < caption.last:
                    _draw(picture, caption)
            if ticker:
                _draw_ticker(picture, number)
            frame = av.VideoFrame.from_ndarray(np.asarray(picture))
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def _frames(path: Path) -> Iterator[_Picture]:
    with av.open(path) as container:
        for frame in container.decode(video=0):
            yield frame.to_ndarray(format="rgb24", width=_WIDTH, height=_HEIGHT)


def _draw(picture: Image.Image, caption: _Caption) -> None:
    font, pen = ImageFont.truetype("DejaVuSans.ttf", caption.size), ImageDraw.Draw(picture)
    width = pen.textlength(caption.text, font=font)
    left, top = (90, 500) if caption.is_name else ((_WIDTH - width) / 2, 580)
    if caption.style == 0:
        pen.text((left, top), caption.text, "white", font, stroke_width=2, stroke_fill="black")
    elif caption.style == 1:
        pen.rectangle((left - 12, top - 6, left + width + 12, top + 1.35 * caption.size), (20, 20, 50))
        pen.text((left, top), caption.text, "white", font)
    else:
        pen.text((left + 2, top + 2), caption.text, "black", font)
        pen.text((left, top), caption.text, (255, 230, 60), font)


def _draw_ticker(picture: Image.Image, number: int) -> None:
    pen = ImageDraw.Draw(picture)
    pen.rectangle((0, 650, _WIDTH, 700), "black")
    left = _WIDTH - _TICKER_SPEED * number / _FPS
    pen.text((left, 656), _TICKER, "white", ImageFont.truetype("DejaVuSans.ttf", 32))


if __name__ == "__main__":
    print(measure())
