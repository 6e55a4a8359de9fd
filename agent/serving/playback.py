"""Decides how a browser plays a video: the original file, or short pieces that are copied or re-encoded when needed."""

import io
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...index.records import VideoRecord
from ...tools.errors import MediaError, QueryError
from ...tools.media.clips import ClipStyle, write_clip
from ...tools.media.remux import codec_string, copy_piece
from ...tools.records import Span

__all__ = ["PIECE_SECONDS", "Piece", "Pieces", "media_type", "playback_of"]

# A piece is re-encoded while the browser waits: short enough to start within a second on a quiet machine.
PIECE_SECONDS = 4.0
_PIECE_HEIGHT = 720
# Pieces that are made at the same time; further requests wait.
_AT_ONCE = 2
# Bytes of the pieces that are kept.
_KEPT_BYTES = 96_000_000
# What re-encoded pieces hold: H.264, constrained baseline.
_ENCODED = "avc1.42c01f"

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


@dataclass(frozen=True)
class Piece:
    """A piece of a video as fragmented MP4.

    Attributes:
        data: The file.
        start: Second of the video at which its clock is 0.
        end: Second of the video at which the next piece begins.
        is_copied: Whether its pictures are those of the original.
    """

    data: bytes
    start: float
    end: float
    is_copied: bool


def playback_of(record: VideoRecord, path: Path) -> dict[str, Any]:
    """Return how the page plays a video.

    Args:
        record: The video.
        path: Its file.

    Returns:
        `mode`: `file` or `pieces`; `offset`: seconds of the player's clock at which the timeline starts; `sound`:
        whether there is sound; `stream`: index of the main video stream, None for the file's best one; `piece_seconds`;
        `codec`: of the pictures of pieces (RFC 6381); `encoded`: of those of another stream.
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
        "stream": info.stream,
        "piece_seconds": PIECE_SECONDS,
        "codec": _ENCODED if plays or info.stream is not None else _copied_codec(record, path) or _ENCODED,
        "encoded": _ENCODED,
    }


def _copied_codec(record: VideoRecord, path: Path) -> str | None:
    """The codec of the pictures, if they are copied."""
    if record.info.video is None or record.info.video.rotation:
        return None
    try:
        return codec_string(path)
    except MediaError:
        return None


def media_type(path: Path) -> str:
    """Return the media type of a file that is served as it is."""
    return _TYPES.get(path.suffix.lower(), "application/octet-stream")


class Pieces:
    """Makes pieces of videos as fragmented MP4 and keeps the last ones. H.264 is copied, everything else re-encoded."""

    def __init__(self) -> None:
        self._slots = threading.BoundedSemaphore(_AT_ONCE)
        self._kept: dict[tuple[Path, int | None, float, float], Piece] = {}
        self._lock = threading.Lock()

    def piece(
        self, video: Path, start: float, end: float, stream: int | None = None, *, may_copy: bool = True
    ) -> Piece:
        """Return the piece that holds a stretch. A copied one reaches from a keyframe to a keyframe.

        Args:
            video: The file.
            start: Seconds.
            end: Seconds; at most `PIECE_SECONDS` later.
            stream: Index of the video stream; None for FFmpeg's best one. Pieces of another stream are encoded.
            may_copy: Whether pictures may be copied; False: the file says that they are rotated.

        Raises:
            QueryError: The piece is empty or too long.
            MediaError: The file cannot be read.
        """
        if not 0 <= start < end <= start + PIECE_SECONDS + 0.01:
            raise QueryError(f"a piece has at most {PIECE_SECONDS:g} seconds")
        key = video, stream, start, end
        with self._lock:
            if key in self._kept:
                return self._kept[key]
        with self._slots:
            made = _made(video, Span(start=start, end=end), stream, may_copy=may_copy and stream is None)
        with self._lock:
            self._kept[key] = made
            while len(self._kept) > 1 and sum(len(one.data) for one in self._kept.values()) > _KEPT_BYTES:
                self._kept.pop(next(iter(self._kept)))
        return made


def _made(video: Path, span: Span, stream: int | None, *, may_copy: bool) -> Piece:
    out = io.BytesIO()
    copied = copy_piece(video, span, out) if may_copy else None
    if copied is not None:
        return Piece(out.getvalue(), copied.start, copied.end, is_copied=True)
    out = io.BytesIO()
    write_clip(video, span, out, ClipStyle(max_height=_PIECE_HEIGHT, speed="fast", is_streamed=True), stream)
    return Piece(out.getvalue(), span.start, span.end, is_copied=False)
