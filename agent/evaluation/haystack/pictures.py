"""The pictures of composed hours: photographs of scikit-image, and parts of real clips if a folder has them."""

import importlib.util
from pathlib import Path
from typing import NamedTuple

from ....tools.errors import MissingExtraError

__all__ = ["CLIPS", "PHOTOS", "Asked", "Sight", "photo_path"]


class Asked(NamedTuple):
    """A question about speech or written text in a part of a clip."""

    kind: str
    question: str
    start: float
    end: float


class Sight(NamedTuple):
    """A photograph or a part of a clip.

    Attributes:
        file: Name of the file.
        name: Name of the content in a question.
        described: The content in other words.
        labels: Classes of COCO (Lin et al. 2014) that it shows and few other sights show.
        start: First second of the used part of the clip; 0 for a photograph.
        end: First second after the used part; 0 for a photograph.
        asked: Further questions about it, in seconds of the clip.
        says: Words in the clip's own speech that may also be counted words.
    """

    file: str
    name: str
    described: tuple[str, ...]
    labels: tuple[str, ...] = ()
    start: float = 0.0
    end: float = 0.0
    asked: tuple[Asked, ...] = ()
    says: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """All names and descriptions of the content."""
        return (self.name, *self.described)

    @property
    def is_clip(self) -> bool:
        """Whether it is a clip with its own audio, not a photograph."""
        return self.end > 0


# In `skimage/data`: public domain or CC0, as its README.txt says of each.
PHOTOS = (
    Sight("astronaut.png", "an astronaut", ("a smiling woman in a space suit", "a woman in an orange space suit")),
    Sight("chelsea.png", "a cat", ("the face of a cat", "a cat with green eyes"), ("cat",)),
    Sight(
        "coffee.png", "a cup of coffee", ("a cup on a saucer", "an espresso on a wooden table"), ("cup", "dining table")
    ),
    Sight("rocket.jpg", "a rocket", ("a rocket on its launch pad", "a rocket before the launch")),
    Sight("motorcycle_left.png", "a motorcycle", ("a red motorcycle", "a motorcycle in a garage"), ("motorcycle",)),
    Sight("camera.png", "a photographer", ("a man with a camera on a tripod", "a man who looks through a camera")),
    Sight("hubble_deep_field.jpg", "galaxies in space", ("many distant galaxies", "stars and galaxies in the dark")),
    Sight("coins.png", "old coins", ("a collection of ancient coins", "rows of coins")),
    Sight("moon.png", "the surface of the moon", ("craters of the moon", "the moon from near")),
)

# Public clips that many test suites share; found by file name; missing ones are left out.
CLIPS = (
    Sight("boats.mp4", "sailing boats", ("two boats on the water", "boats with white sails"), ("boat",), 0, 12.4),
    Sight("sam_dog.mp4", "a dog", ("a woman playing with a dog", "a dog on a path"), ("dog",), 0, 9.6),
    Sight("vllava_1.mp4", "a small child with a book", ("a toddler with glasses", "a baby reading a book"), (), 0, 9.6),
    Sight(
        "vtest.avi",
        "people crossing a yard",
        ("pedestrians from above", "people walking on a square"),
        ("truck",),
        0,
        20,
    ),
    Sight(
        "artcritic.mp4",
        "a man with a drawing of a car",
        ("a bearded man holding up a sketch", "a drawing of a car"),
        (),
        0,
        13.4,
    ),
    Sight(
        "nasa.mp4",
        "a worker in front of a telescope mirror",
        ("a technician on a lift", "the golden mirror of a space telescope"),
        (),
        0,
        12.8,
        says=("telescope",),
    ),
    Sight(
        "jobs.mp4",
        "a man on a stage with a music player",
        ("a man in a black shirt on a stage", "a hand that pulls a music player out of a pocket"),
        (),
        0,
        17.2,
    ),
    Sight(
        "manifesto.mp4",
        "a red title card with a fist",
        ("a fist on a red card", "a red book cover"),
        (),
        0,
        25,
        (Asked("written", "When is the title “Manifesto of the Communist Party” written on the screen?", 0, 25),),
    ),
    Sight(
        "agent327.mp4",
        "two cartoon men in a barber shop",
        ("a cartoon man in a grey suit", "an animated film in a room full of pictures"),
        ("tie", "book", "cup"),
        36,
        66,
        (Asked("said", "When does somebody say that he was just admiring the art?", 43.0, 46.56),),
    ),
    Sight(
        "tos.webm",
        "a young man next to a robot",
        ("a young man in a white jacket", "a boy with a machine in the dark"),
        (),
        13,
        28,
    ),
)


def photo_path(sight: Sight) -> Path:
    """Return the path of a photograph.

    Raises:
        MissingExtraError: scikit-image is not installed.
    """
    found = importlib.util.find_spec("skimage")
    if found is None or found.origin is None:
        raise MissingExtraError("composing videos with photographs", "skimage", "demo")
    return Path(found.origin).parent / "data" / sight.file
