"""Decides how a browser plays a video: the original file, or short pieces that are re-encoded when they are needed."""

import io
import threading
from pathlib import Path
from typing import Any

from ...index.records import VideoRecord
from ...tools.errors import QueryError
from ...tools.media.clips import ClipStyle, write_clip
from ...tools.records import Span

__all__ = ["PIECE_SECONDS", "Pieces", "media_type", "playback_of"]

# A piece is re-encoded while the browser waits: short enough to start within a second on a quiet machine.
PIECE_SECONDS = 4.0
_PIECE_HEIGHT = 720
# Pieces that are made at the same time; further requests wait.
_AT_ONCE = 2
# Pieces that are kept, of about 0.5 MB each.
_KEPT = 64

# What current Chromium, Firefox and Safari play. HEVC plays in some of them: the page falls back where it does not.
_PICTURE_CODECS = {
    ".mp4": ("h264", "av1", "vp9"),
    ".m4v": ("h264", "av1"),
    ".mov": ("h264",),
    ".webm": ("vp8", "vp9", "av1"),
}
_SOUND_CODECS = {
    ".mp4": ("aac", "mp3", "opus", "flac", "mp3float"),
    ".m4v": ("aac", "mp3", "mp3float"),
    ".mov": ("aac", "mp3", "mp3float"),
    ".webm": ("opus", "vorbis"),
}
_SOUND_FILES = (".mp3", ".m4a", ".ogg", ".oga", ".wav", ".flac", ".opus", ".aac")
_TYPES = {
    ".mp4": "video/mp4", ".m4v": "video/mp4", ".mov": "video/mp4", ".webm": "video/webm", ".mp3": "audio/mpeg",
    ".m4a": "audio/mp4", ".ogg": "audio/ogg", ".oga": "audio/ogg", ".wav": "audio/wav", ".flac": "audio/flac",
    ".opus": "audio/ogg", ".aac": "audio/aac",
}  # fmt: skip


def playback_of(record: VideoRecord) -> dict[str, Any]:
    """Return how the page plays a video.

    Returns:
        `mode`: `file` or `pieces`; `offset`: seconds of the player's clock at which the timeline starts; `sound`:
        whether there is sound; `piece_seconds`.
    """
    info, ending = record.info, Path(record.paths[0]).suffix.lower()
    if info.video is None:
        plays = ending in _SOUND_FILES
    else:
        plays = info.video.codec in _PICTURE_CODECS.get(ending, ()) and info.video.rotation % 90 == 0
        plays = plays and (info.audio is None or info.audio.codec in _SOUND_CODECS.get(ending, ()))
    return {
        "mode": "file" if plays else "pieces",
        "offset": 0.0,  # the timeline starts where the player does
        "sound": info.audio is not None,
        "piece_seconds": PIECE_SECONDS,
    }


def media_type(path: Path) -> str:
    """Return the media type of a file that is served as it is."""
    return _TYPES.get(path.suffix.lower(), "application/octet-stream")


class Pieces:
    """Makes pieces of videos as fragmented MP4 (H.264, AAC) and keeps the last ones."""

    def __init__(self) -> None:
        self._slots = threading.BoundedSemaphore(_AT_ONCE)
        self._kept: dict[tuple[Path, float, float], bytes] = {}
        self._lock = threading.Lock()

    def piece(self, video: Path, start: float, end: float) -> bytes:
        """Return one piece. Its times count from `start`.

        Args:
            video: The file.
            start: Seconds.
            end: Seconds; at most `PIECE_SECONDS` later.

        Raises:
            QueryError: The piece is empty or too long.
            MediaError: The file cannot be read.
        """
        if not 0 <= start < end <= start + PIECE_SECONDS + 0.01:
            raise QueryError(f"a piece has at most {PIECE_SECONDS:g} seconds")
        key = video, start, end
        with self._lock:
            if key in self._kept:
                return self._kept[key]
        with self._slots:
            out = io.BytesIO()
            style = ClipStyle(max_height=_PIECE_HEIGHT, speed="fast", is_streamed=True)
            write_clip(video, Span(start=start, end=end), out, style)
        with self._lock:
            self._kept[key] = out.getvalue()
            while len(self._kept) > _KEPT:
                self._kept.pop(next(iter(self._kept)))
        return out.getvalue()
