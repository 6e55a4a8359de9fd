"""Reads a stream while it runs, and writes it as short MPEG-TS files that begin at keyframes. Nothing is re-encoded.

Times are seconds from the start of the part that a segment belongs to. A clock that jumps, and a connection that was lost,
are moved to one clock without a hole; what was lost is named.
"""

import itertools
import logging
import os
import re
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

from ..errors import MediaError
from .container import reason

if TYPE_CHECKING:
    import av
    from av.container import InputContainer

__all__ = ["LiveSegment", "LiveSource", "live_segments"]

_log = logging.getLogger(__name__)

_SCHEMES = ("http", "https", "rtsp", "rtsps", "rtmp", "rtmps", "srt", "udp", "rtp", "tcp")
_PROTOCOLS = "http,https,tcp,tls,udp,rtp,rtsp,rtsps,rtmp,rtmps,srt,crypto,data,httpproxy"
# What MPEG-TS holds and FFmpeg copies without a change.
_COPIED = ("h264", "hevc", "mpeg1video", "mpeg2video", "mpeg4", "aac", "mp2", "mp3", "ac3", "eac3", "opus")
# A clock that goes back, or forward by more than this, was restarted.
_JUMP_SECONDS = 10.0
_TOLERANCE = 0.001  # of rounded timestamps
_WAIT_SECONDS = 0.1
# Added to all timestamps of a file: MPEG-TS holds none below zero, and sound may begin before the first picture.
_EARLIER_SECONDS = 10.0
_OPEN_SECONDS, _READ_SECONDS = 20.0, 20.0
_MOST_PAUSE = 16.0


@dataclass(frozen=True)
class LiveSource:
    """Where a stream comes from, and how it is cut.

    Attributes:
        place: A URL, a file that grows, or `-` for standard input.
        segment_seconds: A segment ends at the first keyframe after this.
        part_seconds: A part ends with the first segment after this.
        idle_seconds: A file that does not grow for this long has ended; a connection that cannot be made for this
            long is given up.
    """

    place: str
    segment_seconds: float = 4.0
    part_seconds: float = 300.0
    idle_seconds: float = 30.0

    @property
    def shown(self) -> str:
        """The place without the password of a URL, for messages."""
        return re.sub(r"(?<=//)[^/@]*:[^/@]*@", "…@", self.place)


@dataclass(frozen=True)
class LiveSegment:
    """A piece of a stream.

    Attributes:
        path: An MPEG-TS file.
        part: Number of the part that it belongs to, from 0.
        start: Its first second, from the start of the part.
        end: The first second after it.
        offset: The second of the part at which the file's own clock begins: sound may begin before the first picture.
        part_start: The part's first second, from the start of the recording.
        arrived: When its last packet arrived, in seconds since 1970.
        note: Why there is a gap before it; empty: there is none.
    """

    path: Path
    part: int
    start: float
    end: float
    offset: float
    part_start: float
    arrived: float
    note: str = ""

    @property
    def began(self) -> float:
        """When its first second arrived, in seconds since 1970."""
        return self.arrived - (self.end - self.start)


class Stop(Protocol):
    """Says whether to stop: `threading.Event` does."""

    def is_set(self) -> bool: ...


def live_segments(source: LiveSource, folder: Path, stop: Stop) -> Iterator[LiveSegment]:
    """Yield the segments of a stream as they are complete, until it ends or `stop` is set.

    Args:
        source: The stream.
        folder: Where the files are written. The caller deletes them.
        stop: Ends the stream after the packet that is being read.

    Raises:
        MediaError: The stream cannot be opened, holds neither pictures nor sound, or a codec that MPEG-TS does not hold.
    """
    cutter = _Cutter(source, folder)
    lost_at, pause = 0.0, 1.0
    while not stop.is_set():
        try:
            with _opened(source, stop) as container:
                if lost_at:
                    cutter.note = f"the connection was lost for {time.time() - lost_at:.0f} s"
                for segment in cutter.cut(container, stop):
                    lost_at, pause = 0.0, 1.0
                    yield segment
        except MediaError:
            if not lost_at:
                raise
        lost_at = lost_at or time.time()
        may_return = _is_lost(source.place, cutter.has_failed) and time.time() - lost_at <= source.idle_seconds
        if stop.is_set() or not may_return:
            break
        _log.warning("%s: the connection is lost; trying again in %.0f s", source.shown, pause)
        _sleep(pause, stop)
        pause = min(_MOST_PAUSE, 2 * pause)


def _is_lost(place: str, has_failed: bool) -> bool:
    """Whether a stream that ended may go on: a connection that broke; HTTP says when it has sent everything."""
    scheme = urlsplit(place).scheme.lower() if "://" in place else ""
    return bool(scheme) and (has_failed or scheme not in ("http", "https"))


@dataclass
class _Cutter:
    """Copies packets into segments, across several connections."""

    source: LiveSource
    folder: Path
    note: str = ""
    end: float = 0.0  # of everything so far, from the start of the recording
    part: int = 0
    part_start: float = 0.0
    start: float = 0.0  # of the segment that is being written
    first: float = 0.0  # the earliest timestamp in it
    numbers: Iterator[int] = field(default_factory=itertools.count)
    _written: Any = None
    _path: Path = Path()
    _streams: dict[int, Any] = field(default_factory=dict)
    _last: dict[int, int] = field(default_factory=dict)
    _has_packets: bool = False
    has_failed: bool = False  # the last connection ended with an error

    def cut(self, container: "InputContainer", stop: Stop) -> Iterator[LiveSegment]:
        """Yield each segment of one connection when it is complete; the last one when the connection ends."""
        import av

        streams = _streams_of(container, self.source)
        pictures = next((one for one in streams if one.type == "video"), None)
        zero: float | None = None
        self.has_failed = False
        try:
            for packet in container.demux(streams):
                if stop.is_set():
                    break
                if packet.dts is None or packet.time_base is None:
                    continue
                stamp = packet.pts if packet.pts is not None else packet.dts
                seconds = float(stamp * packet.time_base)
                is_key = packet.is_keyframe and (pictures is None or packet.stream.index == pictures.index)
                if zero is None:
                    if not is_key:
                        continue  # nothing before the first keyframe can be decoded
                    zero = seconds - self.end
                at = seconds - zero
                if at < self.end - _JUMP_SECONDS or at > self.end + _JUMP_SECONDS:
                    self.note = f"the clock of the stream jumped by {at - self.end:.1f} s"
                    zero, at = seconds - self.end, self.end
                if is_key and self._has_packets and at - self.start > self.source.segment_seconds - _TOLERANCE:
                    yield from self.close(at)
                if not self._has_packets:
                    self._open(streams, at)
                self._write(packet, zero + self.part_start - _EARLIER_SECONDS)
                self.first = min(self.first, at)
                self.end = max(self.end, at + float((packet.duration or 0) * packet.time_base))
        except av.error.FFmpegError as error:
            self.has_failed = True
            _log.info("%s: %s", self.source.shown, reason(error))
        yield from self.close()  # the streams of the next connection may differ

    def close(self, at: float | None = None) -> Iterator[LiveSegment]:
        """End the segment that is being written; yield it."""
        if not self._has_packets:
            return
        self._written.close()
        self._has_packets = False
        end = max(self.start + 0.001, self.end if at is None else at)
        segment = LiveSegment(
            self._path, self.part, self.start - self.part_start, end - self.part_start, self.first - self.part_start,
            self.part_start, time.time(), self.note,
        )  # fmt: skip
        self.note = ""
        if end - self.part_start > self.source.part_seconds - _TOLERANCE:
            self.part, self.part_start = self.part + 1, end
        yield segment

    def _open(self, streams: "list[av.stream.Stream]", at: float) -> None:
        import av

        self._path = self.folder / f"segment-{next(self.numbers):06d}.ts"
        self._written = av.open(str(self._path), "w", format="mpegts")
        self._streams = {one.index: self._written.add_stream_from_template(one) for one in streams}
        self.start, self.first, self._last, self._has_packets = at, at, {}, True

    def _write(self, packet: "av.Packet", zero: float) -> None:
        """Write a packet with the part's clock; a packet that goes back in decoding order is left out."""
        assert packet.time_base is not None
        ticks, index = round(zero / packet.time_base), packet.stream.index
        dts = (packet.dts or 0) - ticks
        if dts <= self._last.get(index, dts - 1):
            return
        self._last[index] = dts
        packet.dts = dts
        packet.pts = None if packet.pts is None else packet.pts - ticks
        packet.stream = self._streams[index]
        self._written.mux(packet)


class _GrowingFile:
    """A file that is read while another program appends to it, or a pipe."""

    def __init__(self, file: Any, idle_seconds: float, stop: Stop) -> None:
        self._file, self._idle_seconds, self._stop = file, idle_seconds, stop

    def read(self, size: int) -> bytes:
        """Return what is there; wait for more at the end. Empty: it has ended."""
        since = time.monotonic()
        while not self._stop.is_set():
            if data := self._file.read(size):
                return bytes(data)
            if time.monotonic() - since >= self._idle_seconds:
                break
            time.sleep(_WAIT_SECONDS)
        return b""


def _opened(source: LiveSource, stop: Stop) -> "InputContainer":
    import av

    place = source.place
    try:
        if place == "-":
            raw = os.fdopen(os.dup(sys.stdin.fileno()), "rb", buffering=0)
            return av.open(_GrowingFile(raw, 0.0, stop), "r", metadata_errors="replace")
        scheme = urlsplit(place).scheme.lower() if "://" in place else ""
        if scheme:
            if scheme not in _SCHEMES:
                raise MediaError(
                    f"{source.shown}: {scheme} is not read: use one of {', '.join(_SCHEMES)}, a file, or -"
                )
            options = {"protocol_whitelist": _PROTOCOLS} | ({"rtsp_transport": "tcp"} if "rtsp" in scheme else {})
            return av.open(
                place, "r", options=options, timeout=(_OPEN_SECONDS, _READ_SECONDS), metadata_errors="replace"
            )
        path = Path(place)
        if path.is_char_device():
            raise MediaError(
                f"{place} is a device, whose pictures are not compressed: let FFmpeg do it, "
                f"{_by_ffmpeg(place, '-c:v libx264 -preset ultrafast -g 50')}"
            )
        return av.open(_GrowingFile(path.open("rb"), source.idle_seconds, stop), "r", metadata_errors="replace")
    except av.error.ProtocolNotFoundError as error:
        raise MediaError(
            f"{source.shown}: the FFmpeg library inside PyAV was built without {scheme}: let the program read it, "
            f"{_by_ffmpeg(source.shown, '-c copy')}"
        ) from error
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise MediaError(f"{source.shown} cannot be read as a stream ({reason(error)}): check that it runs") from error


def _streams_of(container: "InputContainer", source: LiveSource) -> "list[av.stream.Stream]":
    """The streams that are recorded: the best of pictures and of sound."""
    found = [one for one in (container.streams.best("video"), container.streams.best("audio")) if one is not None]
    if not found:
        raise MediaError(f"{source.shown} holds neither pictures nor sound")
    codecs = {one.type: one.codec_context.name if one.codec_context is not None else "unknown" for one in found}
    others = {kind: name for kind, name in codecs.items() if name.removesuffix("float") not in _COPIED}
    if others:
        pictures = "-c:v libx264 -g 50" if "video" in others else "-c:v copy"
        sound = "-c:a aac" if "audio" in others else "-c:a copy"
        named = " and ".join(f"{kind} of the codec {name}" for kind, name in others.items())
        raise MediaError(
            f"{source.shown}: {named} cannot be recorded as MPEG-TS: convert it, "
            f"{_by_ffmpeg(source.shown, f'{pictures} {sound}')}"
        )
    return found


def _by_ffmpeg(place: str, codecs: str) -> str:
    return f"`ffmpeg -i {place} {codecs} -f mpegts - | playhead live -`"


def _sleep(seconds: float, stop: Stop) -> None:
    if isinstance(stop, threading.Event):
        stop.wait(seconds)
    else:
        time.sleep(seconds)
