"""A long video with known truth, made once and kept in the user's cache folder.

Rounds of three parts, 720p30, H.264 as x264's preset "veryfast" makes it (a keyframe at cuts, else each 250 frames):

- slides of 0.7 to 16 s, each line with words and numbers of its own, 20 to 40 pixels high; some build up line by
  line, some fade in, one in eight has a small moving picture in its corner; eSpeak reads football commentary
  (SoccerNet-Echoes) over them;
- a camera that pans, trembles and zooms over a wall of photographs;
- film: shots of 1.5 to 6 s from the real clips, cut hard, mirrored or not.
"""

import json
import random
import runpy
import subprocess
import wave
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont
from report import Skipped, real_data
from transcripts import football

from playhead.tools.media.frames import frames_at, probe
from playhead.tools.records import Pixels
from playhead.tools.settings import cache_folder

__all__ = ["FPS", "HOUR", "PART_SECONDS", "Footage", "Line", "make_footage"]

WIDTH, HEIGHT, FPS = 1280, 720, 30
PART_SECONDS = 100
HOUR = 12  # rounds
_VERSION = 1  # of what is made: files of another are not used
_RATE = 22_050  # eSpeak's
_CLIPS = ("agent327.mp4", "boats.mp4", "sam_dog.mp4", "tos.webm", "vllava_1.mp4", "vtest.avi", "artcritic.mp4")
_PHOTOS = ("astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg", "motorcycle_left.png")
_WORDS = (
    "anchor basket canyon dragon engine falcon garden hammer island jungle kettle ladder magnet needle orange pepper "
    "quarry rocket saddle tunnel umbrella valley window yellow zebra bridge candle desert empire forest glacier harbor "
    "invoice journal kitchen lantern meadow network orchard pilgrim quantum reactor sculpture thunder uniform violin "
    "warehouse balance captain density elastic fiction gravity horizon impulse justice kingdom lecture mineral nominal "
    "opinion passage quality revenue summary texture utility velocity welfare archive benefit climate diagram economy"
).split()


class Line(NamedTuple):
    """A line of text on a slide, and when it is fully there, in seconds."""

    text: str
    start: float
    end: float


class Footage(NamedTuple):
    """A made video: where it is, its length in seconds, and the lines of its slides."""

    path: Path
    seconds: float
    lines: list[Line]


class _Slide(NamedTuple):
    pictures: list[tuple[int, Pixels]]  # the frame within the slide from which each is shown
    length: int  # frames
    fade: int  # frames
    has_corner: bool


def make_footage(rounds: int) -> Footage:
    """This many rounds of the three parts.

    Raises:
        Skipped: What it is made of is not here.
    """
    folder = cache_folder() / "benchmarks"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"footage-{_VERSION}-{rounds}.mp4"
    truth = path.with_suffix(".json")
    seconds = float(3 * PART_SECONDS * rounds)
    if truth.exists():
        return Footage(path, seconds, [Line(*line) for line in json.loads(truth.read_text(encoding="utf-8"))])
    for module in ("imageio_ffmpeg", "espeakng_loader", "skimage", "cv2"):
        if find_spec(module) is None:
            raise Skipped(f"the footage needs: pip install 'playhead[dev]' ({module})")
    real_data("videos")
    sound = path.with_suffix(".wav")
    _write_sound(sound, rounds)
    lines: list[Line] = []
    encoder = _encoder(sound, path.with_suffix(".part.mp4"))
    assert encoder.stdin is not None
    for number in range(rounds):
        for picture in _round(random.Random(number), 3 * PART_SECONDS * number, lines):
            encoder.stdin.write(picture)
    encoder.stdin.close()
    if encoder.wait() != 0:
        raise Skipped("FFmpeg could not encode the footage")
    sound.unlink()
    path.with_suffix(".part.mp4").rename(path)
    truth.write_text(json.dumps(lines), encoding="utf-8")
    return Footage(path, seconds, lines)


def _encoder(sound: Path, target: Path) -> "subprocess.Popen[bytes]":
    import imageio_ffmpeg

    given = ["-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", f"{WIDTH}x{HEIGHT}", "-r", str(FPS), "-i", "-"]
    wanted = ["-c:v", "libx264", "-preset", "veryfast", "-crf", "23", "-c:a", "aac", "-b:a", "64k"]
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", *given, "-i", str(sound), *wanted, str(target)]
    return subprocess.Popen(command, stdin=subprocess.PIPE)


def _round(dice: random.Random, began: float, lines: list[Line]) -> Iterator[bytes]:
    parts = (_slides(dice, began, lines), _camera(dice), _film(dice))
    for part in parts:
        for number in range(PART_SECONDS * FPS):
            picture = next(part)
            yield _planar(picture) if isinstance(picture, np.ndarray) else picture
            del number


def _planar(pixels: Pixels) -> bytes:
    import cv2

    return cv2.cvtColor(np.ascontiguousarray(pixels), cv2.COLOR_RGB2YUV_I420).tobytes()


def _slides(dice: random.Random, began: float, lines: list[Line]) -> Iterator[Pixels | bytes]:
    """Slide after slide; what each shows in full is added to `lines`."""
    end = PART_SECONDS * FPS
    now = 0
    before = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    while True:
        slide, texts = _slide(dice, min(dice.randint(21, 480), max(21, end - now)))
        corner = _film(dice) if slide.has_corner else None
        starts = [first for first, _ in slide.pictures]
        for text, first in texts:
            shown = began + (now + max(first, slide.fade)) / FPS
            lines.append(Line(text, round(shown, 3), round(began + min(end, now + slide.length) / FPS, 3)))
        coded: dict[int, bytes] = {}
        for n in range(slide.length):
            row = max(row for row, first in enumerate(starts) if first <= n)
            picture = slide.pictures[row][1]
            if n < slide.fade:
                share = (n + 1) / (slide.fade + 1)
                yield (before * (1 - share) + picture * share).astype(np.uint8)
            elif corner is not None:
                yield _with_corner(picture, next(corner))
            else:
                if row not in coded:
                    coded[row] = _planar(picture)
                yield coded[row]
        before = slide.pictures[-1][1]
        now += slide.length


def _slide(dice: random.Random, length: int) -> tuple[_Slide, list[tuple[str, int]]]:
    """A slide, and its lines with the frame from which each is there."""
    dark = dice.random() < 0.3
    paper, ink = ((22, 26, 40), (230, 232, 240)) if dark else ((247, 246, 242), (30, 34, 50))
    size = dice.randint(20, 40)
    count = dice.randint(1, 7)
    texts = [_text(dice) for _ in range(count)]
    builds = length > 90 * count and dice.random() < 0.4
    firsts = [length * row // (count + 1) if builds else 0 for row in range(count)]
    canvas = Image.new("RGB", (WIDTH, HEIGHT), paper)
    draw, font = ImageDraw.Draw(canvas), ImageFont.load_default(size)
    accent = tuple(dice.randint(60, 200) for _ in range(3))
    draw.rectangle((0, 0, 18, HEIGHT), fill=accent)
    pictures = []
    for row, (text, first) in enumerate(zip(texts, firsts, strict=True)):
        draw.text((80, 70 + 78 * row), text, fill=ink, font=font)
        if row == count - 1 or firsts[row + 1] > first:
            pictures.append((first, np.array(canvas)))
    fade = 12 if length > 60 and not builds and dice.random() < 0.3 else 0
    return _Slide(pictures, length, fade, length > 90 and dice.random() < 0.125), list(zip(texts, firsts, strict=True))


def _text(dice: random.Random) -> str:
    words = dice.sample(_WORDS, dice.randint(2, 4))
    words.insert(dice.randint(0, len(words)), str(dice.randint(1000, 99_999)))
    return " ".join(words)


def _with_corner(slide: Pixels, film: Pixels) -> Pixels:
    picture = slide.copy()
    picture[540:700, 980:1260] = film[::4, ::4][10:170, 20:300]
    return picture


def _camera(dice: random.Random) -> Iterator[Pixels]:
    """A camera over a wall of photographs, with the trembling of a hand."""
    import cv2

    wall = _wall(dice)
    tremble = np.zeros(2)
    x = 0.0
    for n in range(PART_SECONDS * FPS):
        speed = 90 * (1 + 0.6 * np.sin(n / 70))
        x += speed / FPS
        tremble = 0.9 * tremble + np.array([dice.gauss(0, 0.6), dice.gauss(0, 0.6)])
        zoom = 1.15 + 0.12 * np.sin(n / 110)
        left, top = x + tremble[0], 60 + 30 * np.sin(n / 90) + tremble[1]
        matrix = np.array([[zoom, 0, -zoom * left], [0, zoom, -zoom * top]], np.float32)
        yield cv2.warpAffine(wall, matrix, (WIDTH, HEIGHT), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)


def _wall(dice: random.Random) -> Pixels:
    import skimage
    import ultralytics.utils

    data = Path(str(skimage.__file__)).parent / "data"
    files = [*(data / name for name in _PHOTOS), *sorted(Path(ultralytics.utils.ASSETS).glob("*.jpg"))]
    tiles: list[Pixels] = []
    while sum(tile.shape[1] for tile in tiles) < 90 * PART_SECONDS + 2 * WIDTH:
        for file in dice.sample(files, len(files)):
            with Image.open(file) as photo:
                height = 760
                tile = photo.convert("RGB").resize((round(photo.width * height / photo.height), height))
            tiles += [np.asarray(tile), np.full((height, 60, 3), dice.randint(60, 200), np.uint8)]
    return np.concatenate(tiles, axis=1)


def _film(dice: random.Random) -> Iterator[Pixels]:
    """Shot after shot from the real clips, without an end."""
    import cv2

    while True:
        path = real_data("videos") / dice.choices(_CLIPS, (8, 1, 1, 5, 1, 2, 1))[0]
        length = min(dice.uniform(1.5, 6.0), probe(path).duration - 0.5)
        start = dice.uniform(0, probe(path).duration - 0.2 - length)
        mirrored = dice.random() < 0.5
        for frame in frames_at(path, [start + n / FPS for n in range(round(length * FPS))]):
            height, width = frame.pixels.shape[:2]
            tall = min(height, round(width * HEIGHT / WIDTH))
            wide = min(width, round(height * WIDTH / HEIGHT))
            top, left = (height - tall) // 2, (width - wide) // 2
            cropped = frame.pixels[top : top + tall, left : left + wide]
            picture = cv2.resize(cropped, (WIDTH, HEIGHT), interpolation=cv2.INTER_LINEAR)
            yield picture[:, ::-1] if mirrored else picture


def _write_sound(path: Path, rounds: int) -> None:
    """Sentences over the slides of each round, a faint hiss elsewhere."""
    script = Path(__file__).resolve().parents[2] / "examples" / "make_sample.py"
    voice = runpy.run_path(str(script))["Voice"]()
    if voice.rate != _RATE:
        raise Skipped(f"eSpeak speaks at {voice.rate} samples a second, not {_RATE}")
    said = [line.text for match in football().values() for line in match if 20 < len(line.text) < 160]
    random.Random(0).shuffle(said)
    sentences = iter(said)
    noise = np.random.default_rng(0)
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(_RATE)
        for _ in range(rounds):
            track: npt.NDArray[np.int16] = noise.integers(-8, 9, 3 * PART_SECONDS * _RATE, dtype=np.int16)
            now = _RATE // 2
            while True:
                spoken = voice.say(next(sentences))
                if now + len(spoken) > (PART_SECONDS - 1) * _RATE:
                    break
                track[now : now + len(spoken)] = (0.8 * spoken).astype(np.int16)
                now += len(spoken) + round(0.5 * _RATE)
            out.writeframes(track.tobytes())
