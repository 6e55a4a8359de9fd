"""The one owner of decord 0.6.0: the same frames as `tools/video.py`, by choice of the user.

decord decodes only the best stream, and loses a damaged file whole where PyAV reads what is there.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from .container import THUMBNAIL_SIZE
from .errors import MediaError, MissingExtraError
from .records import Frame, Pixels

if TYPE_CHECKING:
    from decord import VideoReader

    from .video import ScannedFrame

__all__ = ["frames_at", "scan"]


def frames_at(path: Path, seconds: Iterable[float], stream: int | None) -> Iterator[Frame]:
    """As `tools.video.frames_at`."""
    from .video import TOLERANCE_SECONDS

    reader, times = _open(path, stream)
    for second in seconds:
        row = max(0, int(np.searchsorted(times, second + TOLERANCE_SECONDS, side="right")) - 1)
        yield Frame(float(times[row]), _pixels(reader, row))


def scan(path: Path, stream: int | None) -> "Iterator[ScannedFrame]":
    """As `tools.video.scan`."""
    from PIL import Image

    from .video import ScannedFrame

    reader, times = _open(path, stream)
    for row, second in enumerate(times.tolist()):
        frame = Frame(second, _pixels(reader, row))
        small = Image.fromarray(frame.pixels).convert("L").resize(THUMBNAIL_SIZE, Image.Resampling.BOX)
        yield ScannedFrame(second, np.asarray(small), lambda frame=frame: frame)


def _open(path: Path, stream: int | None) -> "tuple[VideoReader, npt.NDArray[np.float64]]":
    """A reader, and the start of each frame in seconds since the first."""
    try:
        import decord
    except ModuleNotFoundError as error:
        raise MissingExtraError("decoder 'decord'", "decord", "decord") from error
    if stream is not None:
        raise MediaError(f"decord cannot choose a stream (asked: {stream}): use decoder='pyav'")
    try:
        reader = decord.VideoReader(str(path))
        times = np.asarray(reader.get_frame_timestamp(range(len(reader))), dtype=np.float64)[:, 0]
    except (decord.DECORDError, RuntimeError, IndexError) as error:
        raise MediaError(f"decord cannot read {path}: use decoder='pyav'") from error
    if np.any(np.diff(times) <= 0):
        raise MediaError(f"decord gives no increasing times for {path}: use decoder='pyav'")
    return reader, times - times[0]


def _pixels(reader: "VideoReader", row: int) -> Pixels:
    pixels: Pixels = reader[row].asnumpy()
    return pixels
