"""How many different people, dogs and cats: answered without a model about short films composed of real shots.

A film has 2 to 9 shots of 2 s in random order, two or three of each scene: different stretches of the same clips, and photographs.
The truth is known from the clips. The rules of `agent.answering.computed.tally` and of tracks were chosen while looking at films of
the first group of clips; one mistake of the second group was looked at, too: a track that went on over a cut.
"""

import random
import subprocess
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from report import Figures, Skipped, percent, real_data

from playhead import Library, Settings

_SECONDS = 2
_FILMS = 8
_QUESTIONS = {"person": "How many different people appear?", "dog": "How many different dogs appear?", "cat": "How many different cats appear?"}  # fmt: skip


class Scene(NamedTuple):
    """A clip or photograph: the second at which each shot starts, and how many of which things it shows."""

    name: str
    starts: tuple[float, ...]
    things: dict[str, int]


_LOOKED_AT = (
    Scene("videos/sam_dog.mp4", (0, 2.5, 5, 7), {"person": 1, "dog": 1}),
    Scene("videos/vllava_1.mp4", (0, 2.5, 5, 7), {"person": 1}),
)
_HELD_OUT = (
    Scene("videos/artcritic.mp4", (1, 4, 7, 10), {"person": 1}),
    Scene("videos/tos.webm", (13.5, 15.5, 17.5), {"person": 1}),
    Scene("videos/agent327.mp4", (31, 33, 36, 38), {"person": 1}),
    Scene("videos/jobs.mp4", (2, 6, 14), {"person": 1}),
    Scene("zidane.jpg", (0, 0, 0), {"person": 2}),
    Scene("astronaut.png", (0, 0, 0), {"person": 1}),
    Scene("chelsea.png", (0, 0, 0), {"cat": 1}),
)


def measure() -> Figures:
    settings = Settings(
        objects_model=str(real_data("models/yolov8n_int8.onnx")),
        sample_seconds=1.0, text_model="off", image_model="off", ocr="off", speech_model="off", offline=True,
    )  # fmt: skip
    rows = []
    for name, scenes, seed in (("looked at", _LOOKED_AT, 1), ("held out", _HELD_OUT, 2)):
        dice = random.Random(seed)
        with tempfile.TemporaryDirectory() as folder:
            films = [_film(Path(folder) / f"film{n}.mp4", scenes, dice) for n in range(_FILMS)]
            with Library(folder, settings) as library:
                library.index(folder)
                counted = Counter(
                    _outcome(library, path, label, count) for path, things in films for label, count in things.items()
                )
        asked = sum(counted.values())
        outcomes = {outcome: counted[outcome] for outcome in ("right", "declined", "wrong")}
        rows.append(
            {
                "clips": name,
                "questions": asked,
                **outcomes,
                "right_or_declined_percent": percent(1 - counted["wrong"] / asked),
            }
        )
    return {"How many different things": rows}


def _outcome(library: Library, path: Path, label: str, count: int) -> str:
    answer = library.ask(_QUESTIONS[label], videos=[path])
    if not answer.claims:
        return "declined"
    return "right" if answer.claims[0].text == f"{count} different: {label}" else "wrong"


def _film(path: Path, scenes: Sequence[Scene], dice: random.Random) -> tuple[Path, dict[str, int]]:
    """Compose a film of one to three scenes; return it, and how many different things of each label it shows."""
    chosen = dice.sample(scenes, dice.randint(1, min(3, len(scenes))))
    shots = [(scene, start) for scene in chosen for start in dice.sample(scene.starts, dice.randint(2, 3))]
    dice.shuffle(shots)
    inputs: list[str] = []
    for scene, start in shots:
        file = _file(scene.name)
        moves = ["-ss", str(start)] if file.suffix not in (".jpg", ".png") else ["-loop", "1"]
        inputs += [*moves, "-t", str(_SECONDS), "-i", str(file)]
    fitted = "scale=640:360:force_original_aspect_ratio=decrease,pad=640:360:-1:-1,fps=10,format=yuv420p,setsar=1"
    parts = ";".join(f"[{n}:v]{fitted}[v{n}]" for n in range(len(shots)))
    joined = "".join(f"[v{n}]" for n in range(len(shots))) + f"concat=n={len(shots)}:v=1:a=0[v]"
    command = ["-y", "-v", "error", *inputs, "-filter_complex", f"{parts};{joined}", "-map", "[v]", str(path)]
    subprocess.run([_ffmpeg(), *command], check=True)
    things = Counter[str]()
    for scene in chosen:
        things.update(scene.things)
    return path, dict(things)


def _file(name: str) -> Path:
    if name.startswith("videos/"):
        return real_data(name)
    if name == "zidane.jpg":
        from ultralytics.utils import ASSETS

        return Path(ASSETS) / name
    import skimage.data

    return Path(skimage.data.__file__).parent / name


def _ffmpeg() -> str:
    try:
        import imageio_ffmpeg
    except ModuleNotFoundError as error:
        raise Skipped("imageio-ffmpeg is not installed") from error
    return str(imageio_ffmpeg.get_ffmpeg_exe())
