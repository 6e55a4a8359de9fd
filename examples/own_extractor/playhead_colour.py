"""The dominant colour of the picture as a modality of its own: "red" and "dark blue" can be searched for.

`pip install examples/own_extractor`, then `playhead index FOLDER` and `playhead search FOLDER "dark blue" --in colour`.
Colours are compared in CIE L*a*b*, where a distance is roughly what people see.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from playhead.tools.extractors.specification import ModalitySpec, SharedModels
from playhead.tools.records import Observation, Pixels, Segment
from playhead.tools.settings import Settings

if TYPE_CHECKING:
    import numpy as np

__all__ = ["COLOUR", "ColourExtractor"]

# sRGB, 0 to 255.
NAMES = {
    "black": (0, 0, 0),
    "grey": (128, 128, 128),
    "white": (255, 255, 255),
    "red": (220, 20, 30),
    "dark red": (110, 10, 15),
    "orange": (255, 140, 0),
    "yellow": (250, 230, 30),
    "brown": (120, 72, 30),
    "light green": (150, 230, 140),
    "green": (30, 160, 50),
    "dark green": (10, 75, 25),
    "light blue": (150, 205, 240),
    "blue": (30, 80, 220),
    "dark blue": (10, 20, 100),
    "purple": (130, 40, 160),
    "pink": (255, 150, 190),
}
# The colour of less than this share of the picture does not dominate it.
SMALLEST_SHARE = 0.3
SIDE = 64  # pixels are sampled on a grid of at most this many rows and columns


class ColourExtractor:
    """Names the colour that most of a picture has."""

    source = "colour@1"

    def observe(self, segments: Sequence[Segment]) -> list[Observation]:
        """At most one observation for each segment; its score is the share of the picture, 0 to 1."""
        found = []
        for segment in segments:
            name, share = dominant(segment.frame.pixels)
            if share >= SMALLEST_SHARE:
                found.append(
                    Observation(
                        modality="colour",
                        span=segment.span,
                        text=name,
                        score=share,
                        source=self.source,
                        frame_seconds=segment.frame.seconds,
                    )
                )
        return found


def dominant(pixels: Pixels) -> tuple[str, float]:
    """The name of the commonest colour, and its share of the picture, 0 to 1.

    Args:
        pixels: RGB, `uint8`, shape `(height, width, 3)`.
    """
    import numpy as np

    rows, columns = (max(1, length // SIDE) for length in pixels.shape[:2])
    sampled = _lab(pixels[::rows, ::columns].reshape(-1, 3))
    known = _lab(np.array(list(NAMES.values())))
    nearest = np.linalg.norm(sampled[:, None] - known[None], axis=2).argmin(axis=1)
    counts = np.bincount(nearest, minlength=len(NAMES))
    return list(NAMES)[counts.argmax()], float(counts.max() / len(sampled))


def _lab(colours: "np.ndarray") -> "np.ndarray":
    """sRGB, 0 to 255, shape `(n, 3)`, as CIE L*a*b* with white point D65 (IEC 61966-2-1, CIE 15)."""
    import numpy as np

    share = colours / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    xyz = linear @ to_xyz.T / (0.9505, 1.0, 1.089)
    x, y, z = np.where(xyz > 216 / 24389, np.cbrt(xyz), (24389 / 27 * xyz + 16) / 116).T
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=1)


def make(settings: Settings, shared: SharedModels) -> ColourExtractor:  # noqa: ARG001 (what each factory is given)
    """The extractor; one with a model would look for its library and weights here."""
    return ColourExtractor()


COLOUR = ModalitySpec(
    name="colour",
    participle="coloured",
    title="dominant colour",
    reads="frames",
    make=make,
    asked_as="shown",
    holds="labels",
    method=lambda: (1, sorted(NAMES.items()), SMALLEST_SHARE, SIDE),
    merge="same text",
    away_seconds=3.0,
    optional=True,
)
