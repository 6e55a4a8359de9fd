"""Frames as a player shows them: upright, mirrored if the header asks, square pixels, opaque, SDR, without combs."""

import functools
import io
import math
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..errors import MediaError
from ..records import Box, Pixels

if TYPE_CHECKING:
    import av

__all__ = [
    "brightness_of",
    "colours_of",
    "is_plain",
    "pixel_aspect",
    "pixels_of",
    "read_picture",
    "rotation_of",
    "shown_size",
    "upright",
]

# A larger ratio is an error in the header; MPEG-4 writes 1 for "unknown".
_MOST_ASPECT = 8.0
_MOST_PIXELS = 8192 * 8192

# Transfer characteristics of HDR (ITU-T H.273): SMPTE ST 2084 (PQ) and ARIB STD-B67 (HLG).
_PQ, _HLG = 16, 18
# Diffuse white of HDR in nits (ITU-R BT.2408).
_WHITE_NITS = 203.0
_LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32)
# BT.2020 primaries to BT.709 (ITU-R BT.2087).
_TO_709 = np.array([[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]], np.float32)

# Transparent letters are shown on white, as browsers do; letters that are nearly white themselves are shown on black.
_BRIGHT = 200
_BRIGHT_SHARE = 0.8

# Two fields of different moments differ row by row: the fourth difference of five rows is large (levels of 256).
_COMB_LEVELS = 24.0
_COMB_ROWS = 8  # of nine

# Bins of hue, saturation and value. A box is compared in this size, without the columns at both sides, which show what is behind.
_BINS = (12, 4, 4)
_BOX_SIZE, _BOX_MARGIN = (64, 128), 8

# Each thread has its own scaler: making one for each frame takes ten times as long as scaling the frame.
_own = threading.local()


def colours_of(pixels: Pixels, box: Box) -> npt.NDArray[np.float64]:
    """The colours of a box as a unit vector of 384 values: "Color Indexing" (Swain and Ballard 1991).

    Two histograms of hue, saturation and value, one of the upper and one of the lower half. They are square roots, so that a
    cosine is the Bhattacharyya coefficient.

    Args:
        pixels: RGB, shape `(height, width, 3)`.
        box: A part of the picture.
    """
    from PIL import Image

    picture = Image.fromarray(pixels)
    width, height = picture.size
    left, top = min(width - 1, int(box.left * width)), min(height - 1, int(box.top * height))
    corners = (left, top, max(left + 1, round(box.right * width)), max(top + 1, round(box.bottom * height)))
    small = picture.resize(_BOX_SIZE, Image.Resampling.BILINEAR, box=corners, reducing_gap=2.0)
    values = np.asarray(small.convert("HSV"), np.int64)[:, _BOX_MARGIN:-_BOX_MARGIN]
    cells = values * np.array(_BINS) // 256
    numbers = (cells[..., 0] * _BINS[1] + cells[..., 1]) * _BINS[2] + cells[..., 2]
    counts = [np.bincount(half.ravel(), minlength=math.prod(_BINS)) for half in np.split(numbers, 2)]
    colours = np.sqrt(np.concatenate(counts).astype(np.float64))
    return colours / np.linalg.norm(colours)


def read_picture(source: Path | bytes) -> Pixels:
    """Read a picture file upright: RGB, `uint8`, shape `(height, width, 3)`; transparent parts are white.

    Args:
        source: A file, or its bytes: any format that Pillow reads.

    Raises:
        MediaError: It is no picture, or has more than 67 million pixels.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    name = str(source) if isinstance(source, Path) else "the picture"
    try:
        with Image.open(io.BytesIO(source) if isinstance(source, bytes) else source) as image:
            if image.width * image.height > _MOST_PIXELS:
                raise MediaError(
                    f"{name} has {image.width}×{image.height} pixels, more than {_MOST_PIXELS}: scale it down"
                )
            shown = ImageOps.exif_transpose(image).convert("RGBA")
    except (OSError, SyntaxError, ValueError, UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise MediaError(f"{name} cannot be read as a picture: {error}") from error
    white = Image.new("RGBA", shown.size, "white")
    return np.asarray(Image.alpha_composite(white, shown).convert("RGB"))


def pixels_of(frame: "av.VideoFrame", aspect: float = 1.0) -> Pixels:
    """The frame as a player shows it: RGB, `uint8`, shape `(height, width, 3)`.

    Args:
        frame: A decoded frame.
        aspect: Width of one of its pixels divided by the height, from `pixel_aspect`.
    """
    width, height = _square(frame.width, frame.height, aspect)
    if int(frame.color_trc) in (_PQ, _HLG):
        pixels = _sdr(_scaled(frame, width, height, "rgb48le"), int(frame.color_trc))
    elif _has_alpha(frame):
        pixels = _opaque(_scaled(frame, width, height, "rgba"))
    elif frame.interlaced_frame:
        pixels = _scaled_pixels(_without_combs(_scaled(frame, frame.width, frame.height, "rgb24")), width, height)
    else:
        pixels = _scaled(frame, width, height, "rgb24")
    return np.ascontiguousarray(upright(pixels, frame))


def shown_size(frame: "av.VideoFrame", aspect: float) -> tuple[int, int]:
    """Width and height in pixels as a player shows the frame."""
    width, height = _square(frame.width, frame.height, aspect)
    return (height, width) if _orientation(frame)[0] else (width, height)


def is_plain(frame: "av.VideoFrame", aspect: float) -> bool:
    """Whether a player shows the frame as it is stored: upright, square pixels, opaque, SDR, not interlaced."""
    return (
        aspect == 1
        and not any(_orientation(frame))
        and not _has_alpha(frame)
        and not frame.interlaced_frame
        and int(frame.color_trc) not in (_PQ, _HLG)
    )


def rotation_of(frame: "av.VideoFrame") -> int:
    """Degrees counter-clockwise by which a player turns the frame."""
    return int(frame.rotation)


def pixel_aspect(stream: "av.VideoStream") -> float:
    """Width of a pixel of the stream divided by its height; 1 if the header has no usable value."""
    ratio = stream.sample_aspect_ratio
    if not ratio or not 1 / _MOST_ASPECT <= float(ratio) <= _MOST_ASPECT:
        return 1.0
    return float(ratio)


def brightness_of(frame: "av.VideoFrame") -> Pixels:
    """The frame's brightness, `uint8`, shape `(height, width)`, not rotated: for comparison only."""
    if _has_alpha(frame):
        rgb = _opaque(_scaled(frame, frame.width, frame.height, "rgba"))
        return np.asarray((rgb @ _LUMA).round(), np.uint8)
    return _scaled(frame, frame.width, frame.height, "gray")


def _scaled(
    frame: "av.VideoFrame", width: int, height: int, pixel_format: str, method: str = "BICUBIC"
) -> npt.NDArray[Any]:
    from av.video.reformatter import VideoReformatter

    if not hasattr(_own, "scalers"):
        _own.scalers = {}
    scaler = _own.scalers.setdefault(pixel_format, VideoReformatter())
    made: npt.NDArray[Any] = scaler.reformat(frame, width, height, pixel_format, interpolation=method).to_ndarray()
    return made


def _scaled_pixels(pixels: Pixels, width: int, height: int) -> Pixels:
    if pixels.shape[:2] == (height, width):
        return pixels
    from PIL import Image

    return np.asarray(Image.fromarray(pixels).resize((width, height), Image.Resampling.BICUBIC))


def _square(width: int, height: int, aspect: float) -> tuple[int, int]:
    """The size with square pixels: one side is enlarged, so that no detail is lost."""
    wide = max(1, round(width * aspect)) if aspect > 1 else width
    tall = max(1, round(height / aspect)) if aspect < 1 else height
    return (wide, tall) if wide * tall <= _MOST_PIXELS else (width, height)


def _orientation(frame: "av.VideoFrame") -> tuple[bool, bool, bool]:
    """Whether the frame is transposed, and then mirrored left to right and top to bottom.

    The display matrix `[a b u; c d v; x y w]` takes the point (p, q) to (a·p + c·q + x, b·p + d·q + y), in 16.16 fixed point.
    """
    for data in frame.side_data:
        if data.type.name == "DISPLAYMATRIX":
            a, b, _, c, d, *_ = np.frombuffer(bytes(data), np.int32)[:9].astype(float)
            if abs(b) + abs(c) > abs(a) + abs(d):
                return True, c < 0, b < 0
            return False, a < 0, d < 0
    return False, False, False


def upright(pixels: Pixels, frame: "av.VideoFrame") -> Pixels:
    """Pixels of a frame, or its brightness, turned and mirrored as its header asks."""
    is_transposed, mirrored, upside_down = _orientation(frame)
    if is_transposed:
        pixels = pixels.swapaxes(0, 1)
    return pixels[:: -1 if upside_down else 1, :: -1 if mirrored else 1]


def _has_alpha(frame: "av.VideoFrame") -> bool:
    return _is_transparent(frame.format.name)


@functools.lru_cache(maxsize=64)
def _is_transparent(pixel_format: str) -> bool:
    from av.video.format import VideoFormat

    described = VideoFormat(pixel_format)
    return any(component.is_alpha for component in described.components) or described.has_palette


def _opaque(rgba: npt.NDArray[np.uint8]) -> Pixels:
    """Blend the picture over white; over black if nearly all of its opaque pixels are bright."""
    share = rgba[..., 3:].astype(np.float32) / 255
    colours = rgba[..., :3].astype(np.float32)
    seen = share.sum()
    is_see_through = float(share.mean()) < 1 - 1e-3
    bright = ((colours @ _LUMA > _BRIGHT) * share[..., 0]).sum()
    background = 0.0 if is_see_through and seen > 0 and bright > _BRIGHT_SHARE * seen else 255.0
    return np.asarray((colours * share + background * (1 - share)).round(), np.uint8)


def _without_combs(pixels: Pixels) -> Pixels:
    """One field where the two fields show different moments, both fields where they show the same."""
    rows = pixels.astype(np.float32) @ _LUMA
    if len(rows) < 5:
        return pixels
    fourth = np.abs(rows[:-4] - 4 * rows[1:-3] + 6 * rows[2:-2] - 4 * rows[3:-1] + rows[4:]) / 8
    combed = np.zeros(rows.shape, bool)
    combed[2:-2] = fourth > _COMB_LEVELS
    # A thin line of a letter looks like a comb, too, but over fewer rows.
    count = np.cumsum(np.pad(combed, ((5, 4), (0, 0))).astype(np.int16), axis=0)
    combed &= count[9 - 1 : 9 - 1 + len(rows)] - count[: len(rows)] >= _COMB_ROWS
    combed[0::2] = False
    above, below = pixels, np.concatenate([pixels[1:], pixels[-1:]])
    mixed = ((np.concatenate([pixels[:1], above[:-1]]).astype(np.uint16) + below) // 2).astype(np.uint8)
    return np.where(combed[..., None], mixed, pixels)


def _sdr(pixels: npt.NDArray[np.uint16], transfer: int) -> Pixels:
    """HDR pixels (BT.2020, 16 bit) as SDR (BT.709): diffuse white stays below full scale, what is brighter is compressed."""
    linear = _linear(transfer)[pixels] @ _TO_709.T
    np.maximum(linear, 0, out=linear)
    luma = linear @ _LUMA
    # Reinhard's curve with the white point at the picture's own peak ("Photographic tone reproduction", 2002, eq. 4).
    peak = max(1.0, float(np.percentile(luma, 99.9)))
    mapped = luma * (1 + luma / peak**2) / (1 + luma) if peak > 1 else luma
    linear *= (mapped / np.maximum(luma, 1e-6))[..., None]
    levels = np.clip(linear, 0, 1)
    gamma = np.where(levels < 0.018, 4.5 * levels, 1.099 * np.power(levels, 0.45, dtype=np.float32) - 0.099)
    return np.asarray((gamma * 255).round(), np.uint8)


@functools.lru_cache(maxsize=2)
def _linear(transfer: int) -> npt.NDArray[np.float32]:
    """Light of each 16-bit level, 1 is diffuse white (SMPTE ST 2084; ARIB STD-B67 for a display of 1000 nits)."""
    level = np.linspace(0, 1, 1 << 16)
    if transfer == _PQ:
        root = level ** (1 / 78.84375)
        nits = 10_000 * (np.maximum(root - 0.8359375, 0) / (18.8515625 - 18.6875 * root)) ** (1 / 0.1593017578125)
        return (nits / _WHITE_NITS).astype(np.float32)
    scene = np.where(level <= 0.5, level**2 / 3, (np.exp((level - 0.55991073) / 0.17883277) + 0.28466892) / 12)
    return (1000 * scene**1.2 / _WHITE_NITS).astype(np.float32)
