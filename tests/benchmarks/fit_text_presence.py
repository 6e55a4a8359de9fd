"""Fit where a picture may hold letters, and measure it on other films: `python tests/benchmarks/fit_text_presence.py`.

Lines of one to six words, 12 to 130 pixels high, in 42 typefaces of which five are handwriting, are drawn over frames of real films in
1280×720: plain, outlined, or on a plate, with at least 60 levels of contrast, then compressed as JPEG of quality 40 to 85.
The regression is fitted on some films. Of the others these figures are printed: lines of which no cell is found, and the
share of frames without text that would be read.
"""

import io
import random
import subprocess
import time
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont
from report import Skipped, real_data

from playhead.tools.extractors.reading import presence
from playhead.tools.extractors.reading.presence import CELL, stroke_features, text_cells
from playhead.tools.media.frames import frames_at
from playhead.tools.records import Pixels

_FITTED = {"agent327.mp4": range(12, 210, 18), "tos.webm": range(3, 70, 10), "boats.mp4": (2, 8), "vtest.avi": (5, 40)}
_HELD_OUT = {
    "../real/aerial.mp4": range(2, 100, 6),
    "sam_dog.mp4": (2, 7),
    "vllava_1.mp4": (2, 7),
    "nasa.mp4": (3, 9),
    "jobs.mp4": (3, 12),
}
_SIZES = (12, 14, 14, 16, 18, 20, 24, 28, 36, 48, 64, 90, 130)
_WORDS = (
    "the quick brown fox invoice total 4821 return value import self.name = none Main Street exit open 24 hours Dr. Jane "
    "Miller Geologist breaking news storm hits coast budget x1 y2 def"
).split()
_LARGEST = 32  # pixels of a line in the picture of its scale
_LEAST_CONTRAST = 60


class _Drawn(NamedTuple):
    luma: Pixels
    box: tuple[int, int, int, int] | None  # left, top, right, bottom; None: without text
    size: int
    film: str


def main() -> None:
    fonts = _fonts()
    letters, others = [], []
    for drawn in _pictures(_FITTED, fonts, 4, 1):
        if drawn.box is None:
            for scale in (0, 1):
                features = stroke_features(_at_scale(drawn.luma, scale))
                others.append(features.reshape(-1, features.shape[-1])[:: 7 >> scale])
            continue
        scale = next(s for s in range(4) if drawn.size >> s <= _LARGEST)
        features = stroke_features(_at_scale(drawn.luma, scale))
        left, top, right, bottom = (edge >> scale for edge in drawn.box)
        inside = features[
            top // CELL : max(top // CELL + 1, bottom // CELL), left // CELL : max(left // CELL + 1, right // CELL - 1)
        ]
        letters.append(inside.reshape(-1, features.shape[-1])[::2])
    weights, intercept = _fit(np.concatenate(letters), np.concatenate(others))
    print("_WEIGHTS =", tuple(round(float(w), 3) for w in weights))
    print("_INTERCEPT =", round(intercept, 3))
    presence._WEIGHTS, presence._INTERCEPT = tuple(weights), intercept  # type: ignore[assignment]
    held_out = list(_pictures(_HELD_OUT, fonts, 4, 2))
    began = time.process_time()
    for drawn in held_out[:20]:
        text_cells(drawn.luma)
    print(f"CPU ms a picture of 1280x720: {(time.process_time() - began) / 20 * 1e3:.1f}")
    for least in (0.5, 0.7, 0.8, 0.9, 0.95):
        presence._LEAST_PROBABILITY = least
        lost, lines, shares = [], 0, []
        for drawn in held_out:
            cells = text_cells(drawn.luma)
            if drawn.box is None:
                shares.append((drawn.film, float(cells.mean()) / 255))
                continue
            left, top, right, bottom = (edge // CELL for edge in drawn.box)
            lines += 1
            if not cells[top : bottom + 1, left : right + 1].any():
                lost.append(drawn.size)
        for film in ("aerial", ""):
            of_film = [share for name, share in shares if film in name]
            print(f"p>={least} {film or 'all'}: lines lost {len(lost)} of {lines} {lost}; area {np.mean(of_film):.3f}; "
                  f"frames without a cell {np.mean([s == 0 for s in of_film]):.3f}")  # fmt: skip


def _fit(letters: npt.NDArray[np.float32], others: npt.NDArray[np.float32]) -> tuple[npt.NDArray[np.float64], float]:
    from sklearn.linear_model import LogisticRegression

    rows = np.concatenate([letters, others])
    truth = np.r_[np.ones(len(letters)), np.zeros(len(others))]
    model = LogisticRegression(class_weight="balanced", max_iter=500).fit(rows, truth)
    return model.coef_[0], float(model.intercept_[0])


def _pictures(films: dict[str, Sequence[int]], fonts: Sequence[str], lines: int, seed: int) -> Iterator[_Drawn]:
    """Yield each frame without text, and with each of some lines."""
    dice = random.Random(seed)
    for film, seconds in films.items():
        for frame in frames_at(real_data("videos") / film, [float(second) for second in seconds]):
            picture = Image.fromarray(frame.pixels)
            picture = picture.resize((1280, 1280 * picture.height // picture.width), Image.Resampling.BICUBIC)
            yield _Drawn(_compressed(picture, dice), None, 0, film)
            for _ in range(lines):
                copy, size = picture.copy(), dice.choice(_SIZES)
                box = _draw(copy, size, dice.choice(fonts), dice)
                yield _Drawn(_compressed(copy, dice), box, size, film)


def _draw(picture: Image.Image, size: int, typeface: str, dice: random.Random) -> tuple[int, int, int, int]:
    """Draw a line somewhere; return its box."""
    font, draw = ImageFont.truetype(typeface, size), ImageDraw.Draw(picture)
    text = " ".join(dice.choice(_WORDS) for _ in range(dice.choice((1, 1, 2, 3, 6))))
    left = dice.randint(10, max(11, picture.width - int(draw.textlength(text, font=font)) - 20))
    top = dice.randint(10, max(11, picture.height - 2 * size))
    box = tuple(round(edge) for edge in draw.textbbox((left, top), text, font=font))
    box = box[0], box[1], min(box[2], picture.width), min(box[3], picture.height)
    style = dice.choice(("plain", "plain", "outlined", "on a plate"))
    around = float(np.asarray(picture.convert("L").crop(box)).mean())
    if style == "on a plate":
        around = dice.randint(0, 255)
        draw.rectangle((box[0] - 8, box[1] - 6, box[2] + 8, box[3] + 6), fill=(int(around),) * 3)
    contrast = dice.randint(_LEAST_CONTRAST, 200)
    ink = around + contrast if around < 128 else around - contrast
    grey = (int(np.clip(ink, 0, 255)),) * 3
    outline = {"stroke_width": 2, "stroke_fill": (255 - grey[0],) * 3} if style == "outlined" else {}
    draw.text((left, top), text, fill=grey, font=font, **outline)
    return box


def _at_scale(luma: Pixels, scale: int) -> Pixels:
    import cv2

    return np.asarray(cv2.resize(luma, None, fx=0.5**scale, fy=0.5**scale, interpolation=cv2.INTER_AREA), np.uint8)


def _compressed(picture: Image.Image, dice: random.Random) -> Pixels:
    stored = io.BytesIO()
    picture.save(stored, "JPEG", quality=dice.choice((40, 55, 70, 85)))
    return np.asarray(Image.open(stored).convert("L"), np.uint8)


def _fonts() -> list[str]:
    listed = subprocess.run(["fc-list", ":", "file"], capture_output=True, text=True, check=True).stdout
    kinds = ("Liberation", "DejaVuSans", "DejaVuSerif", "dkg", "Humor")
    fonts = sorted(line.split(":")[0] for line in listed.splitlines() if any(kind in line for kind in kinds))
    if not fonts:
        raise Skipped("the Liberation and DejaVu fonts are not installed")
    return fonts


if __name__ == "__main__":
    main()
