"""Make a short narrated talk whose every second is known: something to ask Playhead about.

    python examples/make_sample.py OUT_FOLDER      # writes talk.mp4 and talk.truth.json

The talk has slides with text, photographs, and a voice. Nothing is downloaded, and the same
package versions give the same film. What is said, what is written and what is shown never repeat
each other, so an answer shows which of the three it came from. The truth file lists all three:

    {"duration": 78.0,
     "said":    [{"text": "Good morning, …", "start": 1.0, "end": 4.475}, …],
     "written": [{"lines": ["Northwind Labs", …], "start": 0.0, "end": 9.0}, …],
     "shown":   [{"what": "cat", "start": 38.0, "end": 46.0}, …]}

Seconds count from the film's start. A picture fills start <= t < end, and both are whole seconds,
so every cut falls on a frame. A sentence runs from its first audible sample to its last.

Sources, none of them part of this repository:

* Photographs, from the installed scikit-image: `chelsea.png` (CC0, Stefan van der Walt),
  `coffee.png` (CC0, Rachel Michetti), `rocket.jpg` (public domain, SpaceX) and `astronaut.png`
  (Eileen Collins; public domain, NASA).
* Voice: eSpeak NG (GPL-3.0-or-later), the library inside the installed `espeakng-loader`. It runs
  here, in this script; Playhead neither contains nor imports it.
* Typeface: Aileron (CC0), inside Pillow.
"""

import argparse
import ctypes
import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

try:
    import av
    import espeakng_loader
    import numpy as np
    import skimage
    from av.video.frame import PictureType
    from numpy.typing import NDArray
    from PIL import Image, ImageDraw, ImageFont, ImageOps
except ModuleNotFoundError as error:
    _HINT = f"No module {error.name!r}; the sample needs: pip install 'playhead[demo]'"
    raise (SystemExit(_HINT) if __name__ == "__main__" else ModuleNotFoundError(_HINT, name=error.name)) from error

WIDTH, HEIGHT = 1280, 720
FRAMES_PER_SECOND = 25
WORDS_PER_MINUTE = 145
LEAD_SECONDS, GAP_SECONDS, TAIL_SECONDS = 1.0, 0.8, 0.8  # silence before, between and after a scene's sentences
AUDIBLE = 300  # of 32767, about -41 dB: what is quieter at a sentence's ends is cut off

PAPER, INK, SOFT_INK, HAIRLINE, ACCENT = "#FBF8F3", "#14213D", "#3D4A66", "#DDD6CA", "#E4572E"


class Slide(NamedTuple):
    """A title, rows below it, and perhaps a code set apart; a cover is dark and wears the play mark."""

    title: str
    rows: tuple[str, ...]
    code: str = ""
    cover: bool = False

    @property
    def lines(self) -> list[str]:
        """All the text on the slide, from top to bottom."""
        return [line for line in (self.title, *self.rows, self.code) if line]


class Photo(NamedTuple):
    """A photograph shown full-frame: the word for what it shows, and its file in `skimage/data`."""

    what: str
    file: str


class Scene(NamedTuple):
    """One picture, the sentences spoken over it, and how long it stays at least."""

    picture: Slide | Photo
    said: tuple[str, ...] = ()
    at_least_seconds: int = 0


TALK = (
    Scene(
        Slide("Northwind Labs", ("Spring review 2026",), cover=True),
        ("Good morning, everyone, and welcome to our meeting.", "First, let us talk about money."),
    ),
    Scene(
        Slide(
            "Budget 2026", ("Travel 12 percent more", "Training 4 percent less", "Office rent unchanged"), "ORDER-7731"
        ),
        ("The budget for travel grew by twelve percent this year.", "Most of it will pay for visits to our customers."),
    ),
    Scene(
        Photo("coffee cup", "coffee.png"),
        ("We also want to hire three new engineers.", "Two of them will join the search team in London."),
    ),
    Scene(
        Slide(
            "Incident report",
            ("14 March, 02:40 to 03:10", "Cause: certificate expired", "Renewal is now automatic"),
            "ERR_CERT_DATE",
        ),
        ("Last month our website was down for half an hour.", "Nobody could log in, and many customers called us."),
    ),
    Scene(
        Photo("cat", "chelsea.png"),
        ("The new battery lasts for two days.", "We tested it in the snow and in heavy rain."),
    ),
    Scene(
        Slide("Schedule", ("Design freeze: 4 May", "Beta: 15 June, 09:30", "Launch: 1 September")),
        ("The deadline for the first release is very close.", "Please finish your tests before the summer holiday."),
    ),
    Scene(
        Photo("rocket", "rocket.jpg"),
        ("Our next study is about clean drinking water.", "We will work with teachers and doctors in ten cities."),
    ),
    Scene(Photo("astronaut", "astronaut.png"), at_least_seconds=6),
    Scene(
        Slide("Thank you", ("Room 204, every Monday", "hello@northwind.example"), cover=True),
        ("That is all from me today.", "Please send me your questions."),
    ),
)


class Sentence(NamedTuple):
    """A spoken sentence: its text, its first audible second, and its samples (int16, mono)."""

    text: str
    start: float
    samples: NDArray[np.int16]


class Shot(NamedTuple):
    """A scene in its place: whole seconds of the film, and the sentences in them."""

    picture: Slide | Photo
    start: int
    end: int
    sentences: tuple[Sentence, ...]


class SampleError(RuntimeError):
    """The sample cannot be made with what is installed; the message says why."""


class Voice:
    """An American English voice: eSpeak NG through its C interface (`speak_lib.h`)."""

    _Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_int16), ctypes.c_int, ctypes.c_void_p)

    def __init__(self) -> None:
        """Load the library; raises SampleError when it does not start."""
        self._library = ctypes.CDLL(espeakng_loader.get_library_path())
        self._library.espeak_Synth.argtypes = (
            ctypes.c_char_p,
            ctypes.c_size_t,
            *[ctypes.c_uint] * 4,
            *[ctypes.c_void_p] * 2,
        )
        self._chunks: list[NDArray[np.int16]] = []
        self._keep = self._Callback(self._collect)  # eSpeak holds a bare pointer: Python must not free it
        data = Path(espeakng_loader.get_data_path())
        synchronous, do_not_exit = 2, 0x8000
        self.rate: int = self._library.espeak_Initialize(synchronous, 0, str(data.parent).encode(), do_not_exit)
        if self.rate <= 0 or self._library.espeak_SetVoiceByName(b"en-us") != 0:
            raise SampleError(f"eSpeak NG does not start with the voice 'en-us' and the data in {data}")
        rate_parameter = 1
        self._library.espeak_SetParameter(rate_parameter, WORDS_PER_MINUTE, 0)
        self._library.espeak_SetSynthCallback(self._keep)

    def say(self, text: str) -> NDArray[np.int16]:
        """Speak one sentence; the silence around it is cut off. Samples are mono, `rate` a second."""
        self._chunks.clear()
        utf8 = text.encode()
        self._library.espeak_Synth(utf8, len(utf8) + 1, 0, 1, 0, 1, None, None)
        samples = np.concatenate(self._chunks)
        audible = np.flatnonzero(np.abs(samples.astype(np.int32)) > AUDIBLE)
        return samples[audible[0] : audible[-1] + 1]

    def _collect(self, samples: "ctypes._Pointer[ctypes.c_int16]", count: int, _events: int | None) -> int:
        if samples and count > 0:
            self._chunks.append(np.ctypeslib.as_array(samples, (count,)).copy())
        return 0  # 1 would stop the synthesis


def make_sample(folder: Path) -> Path:
    """Write `talk.mp4` and `talk.truth.json` into `folder`, made when missing; returns the film's path."""
    voice = Voice()
    shots = plan(TALK, voice)
    folder.mkdir(parents=True, exist_ok=True)
    film = folder / "talk.mp4"
    write_film(film, shots, voice.rate)
    text = json.dumps(truth(shots, voice.rate), indent=2, ensure_ascii=False)
    film.with_suffix(".truth.json").write_text(text + "\n", encoding="utf-8")
    return film


def plan(talk: Sequence[Scene], voice: Voice) -> list[Shot]:
    """Speak every sentence and give each scene the whole seconds that its sentences need."""
    shots: list[Shot] = []
    start = 0
    for scene in talk:
        sentences: list[Sentence] = []
        now = start + LEAD_SECONDS
        for text in scene.said:
            samples = voice.say(text)
            sentences.append(Sentence(text, now, samples))
            now = math.ceil(100 * (now + len(samples) / voice.rate + GAP_SECONDS)) / 100
        needed = now - GAP_SECONDS + TAIL_SECONDS - start
        end = start + max(scene.at_least_seconds, math.ceil(needed))
        shots.append(Shot(scene.picture, start, end, tuple(sentences)))
        start = end
    return shots


def truth(shots: Sequence[Shot], rate: int) -> dict[str, object]:
    """List what is said, written and shown, with seconds; the module's docstring shows the form."""
    return {
        "duration": float(shots[-1].end),
        "said": [
            {"text": spoken.text, "start": spoken.start, "end": round(spoken.start + len(spoken.samples) / rate, 3)}
            for shot in shots
            for spoken in shot.sentences
        ],
        "written": [
            {"lines": shot.picture.lines, "start": float(shot.start), "end": float(shot.end)}
            for shot in shots
            if isinstance(shot.picture, Slide)
        ],
        "shown": [
            {"what": shot.picture.what, "start": float(shot.start), "end": float(shot.end)}
            for shot in shots
            if isinstance(shot.picture, Photo)
        ],
    }


def write_film(path: Path, shots: Sequence[Shot], rate: int) -> None:
    """Encode the shots as H.264 and AAC; every shot begins with a keyframe. `rate` is the voice's."""
    # One thread: with more, the encoder's output depends on the machine's core count.
    options = {"crf": "20", "tune": "stillimage", "threads": "1"}
    options |= {"colorspace": "bt709", "color_primaries": "bt709", "color_trc": "bt709", "color_range": "tv"}
    with av.open(str(path), "w", options={"movflags": "+faststart"}) as container:
        video = container.add_stream("libx264", rate=FRAMES_PER_SECOND, options=options)
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        audio = container.add_stream("aac", rate=48_000, layout="mono", bit_rate=96_000)
        for shot in shots:
            image = draw(shot.picture, shot.start / shots[-1].end)
            frame = av.VideoFrame.from_image(image).reformat(format="yuv420p", dst_colorspace="itu709")
            first = shot.start * FRAMES_PER_SECOND
            for frame.pts in range(first, shot.end * FRAMES_PER_SECOND):
                frame.pict_type = PictureType.I if frame.pts == first else PictureType.NONE
                container.mux(video.encode(frame))
            sound = av.AudioFrame.from_ndarray(_track(shot, rate), format="s16", layout="mono")
            sound.sample_rate, sound.pts = rate, shot.start * rate
            container.mux(audio.encode(sound))
        container.mux(video.encode(None))
        container.mux(audio.encode(None))


def _track(shot: Shot, rate: int) -> NDArray[np.int16]:
    """The shot's sound, of shape (1, samples): silence with its sentences in place."""
    track = np.zeros((1, (shot.end - shot.start) * rate), np.int16)
    for sentence in shot.sentences:
        first = round((sentence.start - shot.start) * rate)
        track[0, first : first + len(sentence.samples)] = 0.8 * sentence.samples  # AAC overshoots: leave headroom
    return track


def draw(picture: Slide | Photo, progress: float) -> Image.Image:
    """Render a picture, WIDTH x HEIGHT in RGB; a slide's timeline shows `progress`, 0 to 1."""
    if isinstance(picture, Photo):
        with Image.open(Path(str(skimage.__file__)).parent / "data" / picture.file) as photo:
            return ImageOps.pad(photo.convert("RGB"), (WIDTH, HEIGHT), Image.Resampling.LANCZOS, color=INK)
    canvas = _Canvas(INK if picture.cover else PAPER)
    if picture.cover:
        _draw_cover(canvas, picture)
    else:
        _draw_rows(canvas, picture)
    track = "#3A4868" if picture.cover else HAIRLINE
    now = 96 + progress * 1088
    canvas.box((96, 640, 1184, 644), track, radius=2)
    canvas.box((96, 640, max(now, 100), 644), ACCENT, radius=2)
    canvas.disc((now, 642), 9, ACCENT)
    return canvas.finish()


def _draw_cover(canvas: "_Canvas", slide: Slide) -> None:
    canvas.disc((1010, 300), 150, ACCENT)
    canvas.polygon(((968, 222), (968, 378), (1096, 300)), PAPER)
    canvas.text((96, 196), slide.title, 84, PAPER, bold=True)
    canvas.box((98, 312, 194, 320), ACCENT, radius=4)
    for number, row in enumerate(slide.rows):
        canvas.text((96, 356 + 62 * number), row, 42, "#C9D2E6")


def _draw_rows(canvas: "_Canvas", slide: Slide) -> None:
    canvas.box((0, 0, 20, HEIGHT), ACCENT)
    canvas.text((96, 72), slide.title, 72, INK, bold=True)
    canvas.box((98, 176, 194, 184), ACCENT, radius=4)
    for number, row in enumerate(slide.rows):
        top = 236 + 80 * number
        canvas.disc((106, top + 27), 8, ACCENT)
        canvas.text((140, top), row, 46, SOFT_INK)
    if slide.code:
        canvas.box((96, 500, 96 + 64 + canvas.width(slide.code, 46), 584), INK, radius=16)
        canvas.text((128, 514), slide.code, 46, PAPER)


class _Canvas:
    """A slide drawn at twice its size, which makes Pillow's hard edges smooth once it is scaled down."""

    _ZOOM = 2

    def __init__(self, colour: str) -> None:
        self._image = Image.new("RGB", (WIDTH * self._ZOOM, HEIGHT * self._ZOOM), colour)
        self._pen = ImageDraw.Draw(self._image)

    def text(self, corner: tuple[float, float], text: str, size: int, colour: str, bold: bool = False) -> None:
        x, y = corner
        font = ImageFont.load_default(size * self._ZOOM)
        self._pen.text((x * self._ZOOM, y * self._ZOOM), text, colour, font, stroke_width=1.5 if bold else 0)

    def width(self, text: str, size: int) -> float:
        return self._pen.textlength(text, ImageFont.load_default(size * self._ZOOM)) / self._ZOOM

    def box(self, corners: tuple[float, float, float, float], colour: str, radius: float = 0) -> None:
        self._pen.rounded_rectangle([self._ZOOM * value for value in corners], self._ZOOM * radius, colour)

    def disc(self, centre: tuple[float, float], radius: float, colour: str) -> None:
        self._pen.circle((centre[0] * self._ZOOM, centre[1] * self._ZOOM), radius * self._ZOOM, colour)

    def polygon(self, corners: Sequence[tuple[float, float]], colour: str) -> None:
        self._pen.polygon([(x * self._ZOOM, y * self._ZOOM) for x, y in corners], colour)

    def finish(self) -> Image.Image:
        return self._image.resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS)


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description="Make a narrated sample talk with known ground truth.")
    parser.add_argument("folder", type=Path, metavar="OUT_FOLDER", help="where talk.mp4 and talk.truth.json go")
    try:
        print(make_sample(parser.parse_args().folder))
    except SampleError as error:
        sys.exit(f"make_sample: {error}")


if __name__ == "__main__":
    main()
