"""The timeline of a file: one clock for all its streams, measured from the packets.

Second 0 is the start of the earliest stream. Clocks that restart or jump (joined MPEG-TS, VOB, chained Ogg) are shifted
as in players: the part after a joint begins at the end of the part before it. Nothing is decoded here. Containers of the MP4
family are measured by their index; all other files are read once.
"""

import functools
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ..records import Joint, Timeline, clock
from .container import demux, media_streams, open_media

if TYPE_CHECKING:
    import av
    from av.container import InputContainer

__all__ = ["measure", "packet_seconds", "timeline_of"]

# FFmpeg's own limits for formats whose clock may restart (ffmpeg -dts_delta_threshold): 10 s forward, 0.1 s backward.
_FORWARD_SECONDS = 10.0
_BACKWARD_SECONDS = 0.1
# In other formats a hole may be intended: some recorders write a frame only when something changes. A timestamp is false if
# no stream has a packet for ten minutes, and for ten times the length measured so far.
_HOLE_SECONDS = 600.0
_HOLE_RATIO = 10.0
_LOOSE_BACKWARD_SECONDS = 1.0
# Sound that begins this much earlier than the pictures is the encoder's priming.
_PRIMING_SECONDS = 0.1
# Pictures are reordered by this many at most.
_MOST_REORDERED = 5
_MOST_JOINTS = 500
_RESTARTING_FORMATS = {"mpegts", "mpeg", "ogg", "vob", "mpegvideo", "flv", "live_flv"}
_UNKNOWN = -1


def timeline_of(path: Path) -> Timeline:
    """The timeline of a file; measured once in a process, as long as the file does not change.

    Raises:
        MediaError: The file cannot be opened.
    """
    path = Path(path)
    with open_media(path):  # raises a clear error for a bad file
        status = path.stat()
    return _measured(path, status.st_size, status.st_mtime_ns)


@functools.lru_cache(maxsize=256)
def _measured(path: Path, size: int, _modified: int) -> Timeline:
    with open_media(path) as container:
        return measure(container, size)


def measure(container: "InputContainer", size: int) -> Timeline:
    """Measure a file that was just opened.

    Args:
        container: Opened by `open_media`.
        size: Bytes of the file.
    """
    streams = media_streams(container)
    if "mp4" in container.format.name and (ends := _indexed_ends(streams, size)):
        starts = {stream.index: _header_start(stream) for stream in streams}
        if _is_plain(starts):
            zero = _zero(streams, starts)
            return Timeline(zero=zero, starts=_less(starts, zero), ends=_less(ends, zero))
    return _Measuring(container, streams).timeline()


def packet_seconds(packet: "av.Packet") -> float | None:
    """When a packet is shown, in seconds of its stream's clock; None if it has no timestamp."""
    at = packet.pts if packet.pts is not None else packet.dts
    return None if at is None or packet.time_base is None else float(at * packet.time_base)


def _is_plain(starts: dict[int, float]) -> bool:
    """Whether no stream starts shortly after another; such a delay may be reordering that the header does not mention."""
    return not any(0 < start - min(starts.values()) < _FORWARD_SECONDS for start in starts.values())


def _less(seconds: dict[int, float], zero: float) -> dict[int, float]:
    return {stream: at - zero for stream, at in seconds.items()}


def _header_start(stream: "av.stream.Stream") -> float:
    if stream.start_time is None or stream.time_base is None:
        return 0.0
    return float(stream.start_time * stream.time_base)


def _zero(streams: "Iterable[av.stream.Stream]", starts: dict[int, float]) -> float:
    """The start of the earliest stream; an audio encoder's priming does not count."""
    pictures = [starts[s.index] for s in streams if s.type == "video" and s.index in starts]
    earliest = min(starts.values(), default=0.0)
    if pictures and min(pictures) - earliest <= _PRIMING_SECONDS:
        return min(pictures)
    return 0.0 if -_PRIMING_SECONDS <= earliest < 0 else earliest


def _indexed_ends(streams: "Iterable[av.stream.Stream]", size: int) -> dict[int, float]:
    """The end of each stream by its index, within the bytes of the file; empty if the index is not complete."""
    ends: dict[int, float] = {}
    for stream in streams:
        entries = getattr(stream, "index_entries", None)
        if not entries or not stream.duration or stream.time_base is None:
            return {}
        whole = _header_start(stream) + float(stream.duration * stream.time_base)
        last = entries[len(entries) - 1]
        if abs(float(last.timestamp * stream.time_base) - whole) > max(_FORWARD_SECONDS, whole / 2):
            return {}  # fragments: the index grows while the file is read
        if last.pos + last.size > size:
            lost = (float(one.timestamp * stream.time_base) for one in entries if one.pos + one.size > size)
            whole = min(lost, default=_header_start(stream))
        ends[stream.index] = whole
    return ends


@dataclass
class _Stretch:
    """A stretch of one clock: `start` and `end` in container seconds, its streams, and the byte where each begins."""

    start: float
    end: float
    positions: dict[int, int] = field(default_factory=dict)
    before: dict[int, int] = field(default_factory=dict)
    is_local: bool = False  # one stream's clock jumps, the others' do not

    def holds(self, second: float) -> bool:
        return self.start - _FORWARD_SECONDS <= second <= self.end + _FORWARD_SECONDS


@dataclass(frozen=True)
class _Progress:
    """How far one stream was read: its stretch, the latest second at which a packet is shown, its end, the byte reached."""

    stretch: int
    latest: float
    keys: int  # keyframes in this stretch
    end: float
    position: int
    count: int  # packets at this position


class _Measuring:
    """Reads all packets of a file, and records where its clock restarts or jumps."""

    def __init__(self, container: "InputContainer", streams: "list[av.stream.Stream]") -> None:
        self._streams = streams
        self._restarts = any(name in _RESTARTING_FORMATS for name in container.format.name.split(","))
        self._stretches: list[_Stretch] = []
        self._progress: dict[int, _Progress] = {}
        self._ends: dict[tuple[int, int], float] = {}  # of a stretch and a stream
        self._begins: dict[tuple[int, int], float] = {}
        self._left_out = 0
        self._is_fragmented = "mp4" in container.format.name
        self._delays: dict[int, tuple[float, float]] = {}  # of the first picture: decoding second, delay
        for packet in demux(container, streams):
            self._take(packet)

    def _take(self, packet: "av.Packet") -> None:
        shown = packet_seconds(packet)
        if shown is None or packet.time_base is None or not packet.size:
            return
        end = shown + float((packet.duration or 0) * packet.time_base)
        stream = packet.stream_index
        known = self._progress.get(stream)
        position = packet.pos if packet.pos is not None and packet.pos >= 0 else known.position if known else _UNKNOWN
        if not self._stretches:
            self._stretches.append(_Stretch(shown, end))
        if known is None and packet.dts is not None and packet.duration and self._is_fragmented:
            decoding = float(packet.dts * packet.time_base)
            is_short = shown - decoding <= _MOST_REORDERED * float(packet.duration * packet.time_base)
            self._delays[stream] = decoding, shown - decoding if is_short else 0.0
        now = self._stretch_of(stream, known, shown, packet.is_keyframe, position)
        is_new = known is None or known.stretch != now
        keys = (0 if is_new or known is None else known.keys) + packet.is_keyframe
        latest = shown if is_new or known is None else max(shown, known.latest)
        stretch, place = self._stretches[now], (now, stream)
        if keys <= 1:  # a picture may be shown before the keyframe that precedes it in the file
            stretch.start = min(stretch.start, shown)
            self._begins[place] = min(shown, self._begins.get(place, shown))
        stretch.end = max(stretch.end, end)
        self._ends[place] = max(end, self._ends.get(place, end))
        reached = end if is_new or known is None else max(end, known.end)
        count = 1 + (known.count if known is not None and known.position == position else 0)
        if is_new and now and count > 1:
            stretch.before[stream] = count - 1
        farthest = max(position, known.position if known else 0)
        self._progress[stream] = _Progress(now, latest, keys, reached, farthest, count)

    def _stretch_of(self, stream: int, known: _Progress | None, shown: float, is_key: bool, position: int) -> int:
        """The stretch that a packet belongs to; a new one where the clock jumps."""
        newest = len(self._stretches) - 1
        current = known.stretch if known else newest
        here = self._stretches[current]
        if known is None:
            jumps = shown - here.end > self._hole(here) or here.start - shown > _FORWARD_SECONDS
        else:
            # A keyframe is shown after all pictures before it in the file; other pictures need not be.
            backward = _BACKWARD_SECONDS if self._restarts else _LOOSE_BACKWARD_SECONDS
            goes_back = is_key and known.latest - shown > backward
            jumps = goes_back or shown - max(known.end, here.end) > self._hole(here)
        if not jumps or position == _UNKNOWN:
            if known is None and current:
                here.positions.setdefault(stream, position)
            return current
        for later in range(current + 1, newest + 1):
            if self._stretches[later].holds(shown):
                self._stretches[later].positions.setdefault(stream, position)
                return later
        if newest >= _MOST_JOINTS:
            self._left_out += 1
            return current
        self._stretches.append(_Stretch(shown, shown, {stream: position}))
        return newest + 1

    def _hole(self, here: _Stretch) -> float:
        if self._restarts:
            return _FORWARD_SECONDS
        return max(_HOLE_SECONDS, _HOLE_RATIO * (here.end - here.start))

    def timeline(self) -> Timeline:
        starts = {stream: start for (number, stream), start in self._begins.items() if number == 0}
        for stream in self._streams:  # the header gives the priming that the decoder will skip
            if stream.type == "audio" and stream.index in starts:
                skipped = _header_start(stream) - starts[stream.index]
                starts[stream.index] += skipped if 0 < skipped <= _PRIMING_SECONDS else 0.0
        delays = self._reordering(starts)
        starts = {stream: start - delays.get(stream, 0.0) for stream, start in starts.items()}
        zero = _zero(self._streams, starts)
        ends: dict[int, float] = {}
        shifts = {stream: -zero - delay for stream, delay in delays.items()}
        joints = [Joint(seconds=0.0, shift=shift, positions={stream: 0}) for stream, shift in shifts.items()]
        notes: list[str] = []
        reached = 0.0
        for number, stretch in enumerate(self._stretches):
            inside = [stream for at, stream in self._ends if at == number]
            if number:
                start = min(self._begins[number, stream] for stream in inside)
                if self._is_local(number):
                    (stream,) = stretch.positions
                    before = ends.get(stream, 0.0) - start
                    jump = before - shifts.get(stream, -zero)
                    if 0 <= jump <= _FORWARD_SECONDS:  # it overlaps a little: what comes twice is dropped
                        shifts_here, note = None, "goes back by"
                    else:
                        shifts_here, note = before, "jumps by"
                    notes.append(
                        f"the clock of stream {stream} alone {note} {abs(jump):.1f} s at {clock(max(0.0, ends[stream]))}"
                    )
                else:
                    shifts_here = reached - start
                    jump = start - self._stretches[number - 1].end
                    what = f"jumps ahead by {jump:.0f} s" if jump > 0 else "restarts"
                    notes.append(
                        f"the clock of the file {what} at {clock(reached)}: later timestamps are shifted to this time"
                    )
                if shifts_here is not None:
                    shifts.update(dict.fromkeys(stretch.positions, shifts_here))
                    joints.append(
                        Joint(
                            seconds=max(0.0, start + shifts_here),
                            shift=shifts_here,
                            positions=stretch.positions,
                            before=stretch.before,
                        )
                    )
            for stream in inside:
                end = self._ends[number, stream] + shifts.get(stream, -zero)
                ends[stream] = max(end, ends.get(stream, end))
            reached = max([reached, *ends.values()])
        if self._left_out:
            notes.append(f"the clock jumps more than {_MOST_JOINTS} times: {self._left_out} packets have no known time")
        return Timeline(zero=zero, starts=_less(starts, zero), ends=ends, joints=tuple(joints), notes=tuple(notes))

    def _reordering(self, starts: dict[int, float]) -> dict[int, float]:
        """Seconds by which pictures are late because of reordering. Fragmented MP4 without edit lists does not store this."""
        sound = [start for stream, start in starts.items() if not self._delays.get(stream, (0.0, 0.0))[1]]
        first = min(sound, default=None)
        return {
            stream: delay
            for stream, (decoding, delay) in self._delays.items()
            if first is not None and delay > 0 and abs(decoding - first) <= _PRIMING_SECONDS
        }

    def _is_local(self, number: int) -> bool:
        """Whether only one stream jumped, and the others continue in an earlier stretch."""
        stretch = self._stretches[number]
        if len(stretch.positions) > 1:
            return False
        (position,) = stretch.positions.values()
        return any(
            progress.stretch < number and progress.position > position
            for stream, progress in self._progress.items()
            if stream not in stretch.positions
        )
