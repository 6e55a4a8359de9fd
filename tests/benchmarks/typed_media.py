"""Media of the typed question set: three narrated slide talks, two readings of real speech, and real clips.

Everything lies in one folder with folders of kinds (`talks`, `interviews`, …), because names of files and folders are
facts that questions use.
"""

import shutil
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont
from report import real_data

from playhead.agent.evaluation.haystack.voice import RATE, speak

__all__ = ["CLIPS", "write_media"]

FPS = 10
_SIZE = (960, 540)
_PAUSE_SECONDS = 0.45
# A slide: its title, its lines, and what is said while it is shown.
Slide = tuple[str, tuple[str, ...], tuple[str, ...]]
Samples = npt.NDArray[np.int16]

_REVIEW: tuple[Slide, ...] = (
    (
        "Engineering Review",
        ("Quarter 2", "Presented by Maria Lopez"),
        (
            "Welcome to the engineering review for the second quarter.",
            "My name is Maria Lopez, and I lead the platform team.",
        ),
    ),
    (
        "Authentication",
        ("Old: session cookies", "New: signed tokens"),
        (
            "First, let us look at how people sign in.",
            "We changed authentication because session cookies did not work across our mobile applications.",
            "Signed tokens are valid for fifteen minutes.",
            "The migration was finished on the ninth of April.",
        ),
    ),
    (
        "Incident 4471",
        ("March 12, 02:40 to 04:10", "Customers affected: 318"),
        (
            "On the twelfth of March our service went down for ninety minutes.",
            "The cause was a certificate that had expired over night.",
            "Nobody had set an alarm for the renewal date.",
            "David Chen wrote the report, and the ticket number is four four seven one.",
        ),
    ),
    (
        "Costs",
        ("Cloud: $48,200", "Storage: $9,750", "Licences: $3,100"),
        (
            "The cloud bill was forty eight thousand dollars in March.",
            "That is twelve percent less than in February.",
            "Most of the savings came from smaller databases.",
        ),
    ),
    (
        "Hiring",
        ("Open positions: 6", "Budget approved: 4"),
        (
            "We want to hire four engineers before the summer.",
            "The finance team did not approve the other two positions.",
            "Priya Natarajan starts on the first of June in Lisbon.",
        ),
    ),
    (
        "Roadmap",
        ("Search: July", "Offline mode: October"),
        (
            "The new search will be released in July.",
            "Offline mode has been moved to October because the design is not ready.",
            "Thank you, and please send your questions to the platform channel.",
        ),
    ),
)

_INTERVIEW: tuple[Slide, ...] = (
    (
        "Interview",
        ("Tom Baker talks to Ana Silva", "Film production"),
        (
            "Today I am talking to Ana Silva, who has made eleven documentaries.",
            "Ana, welcome to the programme.",
            "Thank you, Tom. I live in Porto, and I grew up on a farm near Braga.",
        ),
    ),
    (
        "Day rates",
        ("Producer: $400", "Camera operator: $350", "Sound: $280"),
        (
            "People often ask me what a small film costs.",
            "A producer gets four hundred dollars a day.",
            "A camera operator is a little cheaper.",
            "The most expensive thing is always the food.",
        ),
    ),
    (
        "First film",
        ("The Salt Road, 1998",),
        (
            "My first film was about salt workers on the coast.",
            "We had no money, so we slept in the car for three weeks.",
            "It won a prize in Toronto and nobody expected that.",
        ),
    ),
    (
        "Advice",
        ("Start small", "Keep the rights"),
        (
            "My advice for young directors is to start with a short film.",
            "Never give away the rights to your own pictures.",
            "And always carry a second battery.",
        ),
    ),
)

_LECTURE: tuple[Slide, ...] = (
    (
        "Lecture 2",
        ("The life of honey bees", "Professor Helen Wright"),
        ("Good morning, this is the second lecture about insects.", "Today we talk about the life of honey bees."),
    ),
    (
        "The colony",
        ("One queen", "Workers: 40,000", "Drones: 500"),
        (
            "A colony has one queen, and about forty thousand workers.",
            "The queen lives for up to five years.",
            "A worker lives for only six weeks in summer.",
        ),
    ),
    (
        "The dance",
        ("Karl von Frisch", "Nobel Prize 1973"),
        (
            "Bees tell each other where flowers are by dancing.",
            "The angle of the dance shows the direction to the sun.",
            "Karl von Frisch received the Nobel Prize for this discovery.",
        ),
    ),
    (
        "Honey",
        ("2 million flowers", "for 500 grams"),
        (
            "To make one jar of honey, bees visit two million flowers.",
            "Bees keep the hive warm in winter by shaking their muscles.",
            "They do not sleep through the winter as bears do.",
        ),
    ),
    (
        "Dangers",
        ("Varroa mites", "Pesticides"),
        (
            "The greatest danger to bees is a small mite from Asia.",
            "Some farmers now spray only in the evening, when bees are at home.",
            "In the next lecture we will talk about ants.",
        ),
    ),
)

_TALKS = {
    "talks/engineering_review_2024-05-03.mp4": _REVIEW,
    "interviews/interview_ana_silva.mp4": _INTERVIEW,
    "lectures/lecture_02_bees.mp4": _LECTURE,
}
CLIPS = {
    "films": ("videos/agent327.mp4", "videos/tos.webm"),
    "talks": ("videos/jobs.mp4", "videos/manifesto.mp4", "videos/nasa.mp4"),
    "clips": ("videos/boats.mp4", "videos/vllava_1.mp4", "videos/sam_dog.mp4", "videos/vtest.avi", "real/aerial.mp4"),
    "screen": ("videos/artcritic.mp4", "real/code_tutorial.mp4"),
}


def write_media(folder: Path) -> None:
    """Write and copy all media; what is there already is kept.

    Raises:
        Skipped: The real data is not there.
        MissingExtraError: eSpeak is not installed.
    """
    for place, slides in _TALKS.items():
        if not (folder / place).exists():
            _write(folder / place, [_block(slide) for slide in slides])
    for kind, names in CLIPS.items():
        for name in names:
            path = folder / kind / Path(name).name
            path.parent.mkdir(parents=True, exist_ok=True)
            if not path.exists():
                shutil.copyfile(real_data(name), path)
    readings = {
        "readings/cherry_orchard.mp4": ("Under the cherry trees", sorted(real_data("speech/dali").glob("*.flac"))),
        "readings/lucier.mp4": ("Alvin Lucier", [real_data("speech/lucier.mp3"), real_data("speech/jfk.flac")]),
    }
    for place, (title, files) in readings.items():
        if not (folder / place).exists():
            _write(folder / place, [(_drawn(title, ()), np.concatenate([_spoken(file) for file in files]))])


def _block(slide: Slide) -> tuple[Image.Image, Samples]:
    title, lines, sentences = slide
    pause = np.zeros(int(RATE * _PAUSE_SECONDS), np.int16)
    parts = [np.zeros(RATE // 2, np.int16)]
    for voice in speak(list(sentences)):
        parts += [(0.8 * voice).astype(np.int16), pause]
    return _drawn(title, lines), np.concatenate(parts)


def _drawn(title: str, lines: tuple[str, ...]) -> Image.Image:
    picture = Image.new("RGB", _SIZE, "#FBF8F3")
    pen = ImageDraw.Draw(picture)
    pen.text((60, 50), title, "#14213D", ImageFont.load_default(54))
    for number, text in enumerate(lines):
        pen.text((60, 160 + 70 * number), text, "#222222", ImageFont.load_default(36))
    return picture


def _spoken(file: Path) -> Samples:
    """Real speech at the voice's rate, with half a second of silence after it."""
    resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE)
    with av.open(str(file)) as container:
        parts = [out.to_ndarray()[0] for frame in container.decode(audio=0) for out in resampler.resample(frame)]
    return np.concatenate([*parts, np.zeros(RATE // 2, np.int16)])


def _write(path: Path, blocks: list[tuple[Image.Image, Samples]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    each = RATE // FPS
    with av.open(str(path), "w", options={"movflags": "+faststart"}) as container:
        video = container.add_stream("libx264", rate=FPS, options={"preset": "ultrafast", "crf": "23", "threads": "1"})
        (video.width, video.height), video.pix_fmt = _SIZE, "yuv420p"
        audio = container.add_stream("aac", rate=RATE, layout="mono", bit_rate=64_000)
        first = 0
        for picture, samples in blocks:
            count = max(4 * FPS, -(-len(samples) // each))
            frame = av.VideoFrame.from_image(picture).reformat(format="yuv420p")
            for number in range(first, first + count):
                frame.pts, frame.time_base = number, Fraction(1, FPS)
                container.mux(video.encode(frame))
            track = np.pad(samples, (0, count * each - len(samples)))
            sound = av.AudioFrame.from_ndarray(track[None], format="s16", layout="mono")
            sound.sample_rate, sound.time_base, sound.pts = RATE, Fraction(1, RATE), first * each
            container.mux(audio.encode(sound))
            first += count
        container.mux(video.encode(None))
        container.mux(audio.encode(None))
