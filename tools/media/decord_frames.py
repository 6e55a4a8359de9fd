"""Frames by decord 0.6.0, with the interface of `tools.media.frames`. The only module that imports decord.

decord decodes only the best stream, cannot read a damaged file, ignores edit lists, mirroring and the shape of pixels. A
file is refused if decord's frame times differ from the container's.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..errors import MediaError, MissingExtraError
from ..records import Frame
from .container import packet_times
from .scanned_frames import TOLERANCE_SECONDS, ScannedFrame
from .skimming.comparison import detail_of_pixels
from .streams import probe
from .timeline import timeline_of

__all__ = ["frames_at", "scan"]

FLOAT32_SECONDS = 0.004


def frames_at(path: Path, seconds: Iterable[float], stream: int | None) -> Iterator[Frame]:
    """As `tools.media.frames.frames_at`."""
    film: _Film | None = None
    for second in seconds:
        film = film or _Film(path, stream)
        yield film.frame(max(0, int(np.searchsorted(film.times, second + TOLERANCE_SECONDS, side="right")) - 1))


def scan(path: Path, stream: int | None) -> Iterator[ScannedFrame]:
    """As `tools.media.frames.scan`."""
    film = _Film(path, stream)
    for row in range(len(film.times)):
        yield _scanned(film.frame(row))


def _scanned(frame: Frame) -> ScannedFrame:
    return ScannedFrame(frame.seconds, detail_of_pixels(frame.pixels), lambda: frame)


class _Film:
    """An opened file: `times` holds the start of each frame in seconds since the start of the stream."""

    def __init__(self, path: Path, stream: int | None) -> None:
        try:
            import decord
        except ModuleNotFoundError as error:
            raise MissingExtraError("decoder 'decord'", "decord", "decord") from error
        self._failed = f"decord cannot read {path}: use decoder='pyav'"
        self._errors = (decord.DECORDError, RuntimeError, IndexError)
        video = probe(path).video
        if video is None:
            raise MediaError(f"{path} holds sound but no pictures")
        if stream not in (None, video.index):
            raise MediaError(f"decord reads only stream {video.index} of {path}, not {stream}: use decoder='pyav'")
        self.times: npt.NDArray[np.float64] = np.asarray(packet_times(path, video.index, timeline_of(path)))
        try:
            self._reader = decord.VideoReader(str(path))
            starts = np.asarray(self._reader.get_frame_timestamp(range(len(self._reader))), dtype=np.float64)[:, 0]
        except self._errors as error:
            raise MediaError(self._failed) from error
        # decord counts from its first frame, in float32: the error is 2 ms after ten hours.
        if len(starts) != len(self.times) or np.any(
            np.abs((starts - starts[0]) - (self.times - self.times[0])) > FLOAT32_SECONDS
        ):
            raise MediaError(f"decord gives other frame times for {path} than its container: use decoder='pyav'")

    def frame(self, row: int) -> Frame:
        try:
            return Frame(float(self.times[row]), self._reader[row].asnumpy())
        except self._errors as error:
            raise MediaError(self._failed) from error
