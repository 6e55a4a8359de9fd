"""Reads a subtitle track inside a container."""

import functools
from pathlib import Path
from typing import TYPE_CHECKING

from ...records import SubtitleStream
from ..container import demux, open_media, subtitle_lines
from ..timeline import packet_seconds, timeline_of
from .cues import Cue, clean_cue

if TYPE_CHECKING:
    import av

__all__ = ["read_track"]

_MOST_SECONDS = 30.0  # how long a cue without an end is shown at most


def read_track(path: Path, stream: SubtitleStream) -> list[Cue]:
    """The cues of a text track, in order, on the file's timeline.

    Raises:
        MediaError: The file cannot be read.
    """
    status = Path(path).stat()
    return list(_read(Path(path), stream.index, status.st_size, status.st_mtime_ns))


@functools.lru_cache(maxsize=64)
def _read(path: Path, index: int, _size: int, _modified: int) -> tuple[Cue, ...]:
    timeline = timeline_of(path)
    found: list[tuple[float, float | None, tuple[str, ...]]] = []
    with open_media(path) as container:
        stream = container.streams[index]
        for packet in demux(container, [stream], timeline):
            at = packet_seconds(packet)
            if at is None or not packet.size:
                continue
            lines = tuple(filter(None, map(clean_cue, subtitle_lines(stream, packet))))
            found.append((at, _length(packet), lines))
    cues = []
    for number, (at, length, lines) in enumerate(found):
        following = found[number + 1][0] if number + 1 < len(found) else at + _MOST_SECONDS
        end = at + length if length else min(following, at + _MOST_SECONDS)
        if lines and end > max(0.0, at):
            cues.append(Cue(max(0.0, at), end, lines))
    return tuple(sorted(cues))


def _length(packet: "av.Packet") -> float | None:
    return float(packet.duration * packet.time_base) if packet.duration and packet.time_base else None
