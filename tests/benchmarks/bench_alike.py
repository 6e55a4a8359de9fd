"""Where cosines of a picture and the nearest frame of a library lie: what the floors of pictures as queries rest on.

The library: the segments of eleven real videos, with the encoder of the settings. Queries with something to find are frames of a
video at seconds between its keyframes: as they are, the middle 60 % of them, mirrored and at a third of the size, and as a
JPEG of quality 20; each is compared with the segments of its own video. Queries with nothing to find are the same frames
compared with the other videos, and the photographs and drawings that scikit-image ships compared with all.

A floor lets through what lies at or above it. "Found" is the share of queries with at least one frame through, of those
with something to find; "answered in vain" is that share of those with nothing to find. A frame of another video may be
of the same kind of thing (people, text on a screen), so some of these are rightly through.
"""

import importlib.util
import io
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps
from report import Figures, Skipped, percent, real_data

from playhead.index.indexing.change_detection import segments
from playhead.tools.embedding.images import image_encoder
from playhead.tools.embedding.protocol import ImageEncoder, Vectors
from playhead.tools.embedding.texts import SentenceEncoder
from playhead.tools.media.frames import frames_at
from playhead.tools.media.skimming.skim import skim
from playhead.tools.records import Frame, Pixels, Segment, Span
from playhead.tools.settings import Settings

_VIDEOS = (
    "videos/agent327.mp4", "videos/artcritic.mp4", "videos/boats.mp4", "videos/jobs.mp4", "videos/manifesto.mp4",
    "videos/nasa.mp4", "videos/sam_dog.mp4", "videos/tos.webm", "videos/vllava_1.mp4", "videos/vtest.avi",
    "real/aerial.mp4",
)  # fmt: skip
_QUERIES = 10  # of each video
_FLOORS = (0.5, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)

_Cosines = npt.NDArray[np.float32]


def measure() -> Figures:
    settings = Settings()
    encoder = image_encoder(settings, SentenceEncoder(settings))
    paths = [real_data(name) for name in _VIDEOS]
    stored = [list(segments(skim(path), settings.sample_seconds)) for path in paths]
    library = [_vectors(encoder, [one.frame.pixels for one in own]) for own in stored]
    asked = [_between(path, own) for path, own in zip(paths, stored, strict=True)]
    nothing = {"frame of another video": [], "photograph": []}  # type: dict[str, list[float]]
    something: dict[str, list[float]] = {}
    for number, frames in enumerate(asked):
        others = np.concatenate([vectors for place, vectors in enumerate(library) if place != number])
        for name, shown in _shown(frames).items():
            vectors = _vectors(encoder, shown)
            something.setdefault(name, []).extend((vectors @ library[number].T).max(axis=1).tolist())
            if name == "as it is":
                nothing["frame of another video"] += (vectors @ others.T).max(axis=1).tolist()
    photographs = _vectors(encoder, _photographs())
    nothing["photograph"] += (photographs @ np.concatenate(library).T).max(axis=1).tolist()
    return {
        f"Cosine to the nearest frame, {encoder.embedding_id}": [
            _distribution(name, values) for name, values in (something | nothing).items()
        ],
        "Floors": [
            {
                "floor": floor,
                **{f"found: {name}, %": _through(values, floor) for name, values in something.items()},
                **{f"answered in vain: {name}, %": _through(values, floor) for name, values in nothing.items()},
            }
            for floor in _FLOORS
        ],
    }


def _between(path: Path, own: Sequence[Segment]) -> list[Pixels]:
    """Frames in the middle between two keyframes, at equal distances in the video; of one segment, in its middle."""
    seconds = [one.frame.seconds for one in own] + [own[-1].span.end]
    middles = [(first + second) / 2 for first, second in pairwise(seconds)]
    chosen = np.unique(np.linspace(0, len(middles) - 1, _QUERIES).round().astype(int))
    return [frame.pixels for frame in frames_at(path, [middles[n] for n in chosen])]


def _shown(frames: Sequence[Pixels]) -> dict[str, list[Pixels]]:
    images = [Image.fromarray(pixels) for pixels in frames]
    return {
        "as it is": list(frames),
        "middle 60 %": [np.asarray(_middle(one)) for one in images],
        "mirrored, a third": [np.asarray(ImageOps.mirror(one).reduce(3)) for one in images],
        "JPEG of quality 20": [np.asarray(_jpeg(one)) for one in images],
    }


def _middle(image: Image.Image) -> Image.Image:
    width, height = image.size
    return image.crop((width // 5, height // 5, width - width // 5, height - height // 5))


def _jpeg(image: Image.Image) -> Image.Image:
    out = io.BytesIO()
    image.save(out, "JPEG", quality=20)
    return Image.open(out)


def _photographs() -> list[Pixels]:
    spec = importlib.util.find_spec("skimage")
    if spec is None or spec.origin is None:
        raise Skipped("scikit-image, which has the photographs, is not installed")
    paths = sorted((Path(spec.origin).parent / "data").glob("*"))
    return [np.asarray(Image.open(path).convert("RGB")) for path in paths if path.suffix in (".png", ".jpg")]


def _vectors(encoder: ImageEncoder, pictures: Iterable[Pixels]) -> Vectors:
    span = Span(start=0, end=1)
    return encoder.observe([Segment(span=span, frame=Frame(seconds=0.0, pixels=one)) for one in pictures])[1]


def _distribution(name: str, values: Sequence[float]) -> dict[str, str | float]:
    points = {f"p{point}": round(float(np.percentile(values, point)), 3) for point in (1, 5, 10, 50, 90, 95, 99)}
    return {"queries": name, "count": len(values), **points}


def _through(values: Sequence[float], floor: float) -> float:
    return percent(np.mean(np.array(values) >= floor))
