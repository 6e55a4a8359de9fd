"""Selects the frames to compare: every frame near a possible change, and samples where the picture moves.

The packet sizes of a GOP (group of pictures, `tools.media.skimming.gop`) show most changes without decoding:

- Static GOP: all packets after the keyframe are nearly empty, and the next keyframe shows the same picture. Only the
  keyframe is returned.
- Mixed GOP: some packets are large, and many in a row are nearly empty. Every frame near the large packets is returned,
  so that the start and the end of a slide are exact to one frame.
- Moving GOP: all packets are large. Only reference frames are decoded, and a few of them returned for each sample; a
  short GOP gives its keyframe only. Every frame is returned near an unusually large packet (a cut, or a new slide next
  to a moving picture), and at a border with a static GOP.

GOPs do not depend on each other. Several are decoded at the same time: one for each core, at most `_MOST_DECODERS`.

A stream that cannot be decoded by GOPs is read from start to end (`tools.media.frames.scan`).
"""

import math
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...background import in_order
from ...device import cores
from ...records import Pixels, Span, Timeline
from ..container import decode_packets, decoders_of, open_media, packets_of, video_stream_of
from ..frames import scan, scanned
from ..pictures import pixel_aspect
from ..scanned_frames import Gap, ScannedFrame
from ..timeline import timeline_of
from .comparison import COMPARISON, detail_of, largest_change, thumbnail_of
from .gop import GOP_PARAMETERS, Gop, GopDecodingError, gops_of

if TYPE_CHECKING:
    import av
    from av.container import InputContainer

__all__ = ["NOISE_LEVELS", "SKIM_PARAMETERS", "differ", "skim"]

# Compression changes a cell of a thumbnail by this many levels of 256 at most (H.264, crf 20–35).
NOISE_LEVELS = 3
# Text over a moving picture is found if it is shown for this long: a GOP of this length or longer is never skipped.
SHOWN_SECONDS = 0.8
# While the picture moves, this many frames are returned for each sample. A text that is shown for 0.8 s is in two of them.
LOOKS = 5
# A GOP is decoded again where small packets hide a change; after this many times every frame of it is returned.
_MOST_REFINEMENTS = 3
# More decoders would only fill memory: four decode faster than the frames are compared.
_MOST_DECODERS = 4
# Limits of the decoded frames that wait for each GOP.
_WAITING_BYTES = 12_000_000
_MOST_WAITING = 64

# Everything that the choice of frames depends on: the version number of the method, and the constants.
SKIM_PARAMETERS = (5, _MOST_REFINEMENTS, *COMPARISON, *GOP_PARAMETERS, NOISE_LEVELS, SHOWN_SECONDS, LOOKS)


def skim(
    path: Path | str,
    stream: int | None = None,
    sample_seconds: float = 2.0,
    *,
    on_gpu: bool = False,
    window: Span | None = None,
) -> Iterator[ScannedFrame]:
    """Yield frames in presentation order with their true times: enough of them to find every change.

    Args:
        path: The video file.
        stream: Index of the video stream in its container; None for FFmpeg's best one.
        sample_seconds: While the picture moves, the longest time between two frames, approximately.
        on_gpu: Decode on an NVIDIA GPU (NVDEC).
        window: Only this stretch; the frames begin at or before its start, and may reach beyond its end.

    Yields:
        The first frame, the last frame, and the frames between them that the module's docstring describes.

    Raises:
        MediaError: The file holds no readable pictures.
        SettingsError: The GPU cannot decode it, or there is no GPU.
    """
    path = Path(path)
    reached = -math.inf
    timeline = timeline_of(path)
    try:
        with open_media(path, on_gpu=on_gpu) as container:
            film = video_stream_of(container, path, stream)
            aspect = pixel_aspect(film)
            contexts = decoders_of(container, film, 1 if on_gpu else min(cores(), _MOST_DECODERS))
            keys = _Keyframes(2 * len(contexts))
            producers = [_Decoder(context, keys, sample_seconds).frames for context in contexts]
            packets = _windowed(container, film, timeline, window) if window else packets_of(container, film, timeline)
            tasks = _tasks(gops_of(film, packets), sample_seconds)
            frame_bytes = film.codec_context.width * film.codec_context.height * 3 // 2
            room = min(_MOST_WAITING, 1 + _WAITING_BYTES // max(1, frame_bytes))
            with closing(in_order(producers, tasks, room)) as chosen:
                for frame, detail, gap in chosen:
                    if frame.time > reached:
                        reached = max(0.0, frame.time)
                        yield scanned(frame, detail, aspect, gap)
        if reached >= 0:
            return
    except GopDecodingError:
        pass
    yield from (frame for frame in scan(path, stream, "nvdec" if on_gpu else "pyav") if frame.seconds > reached)


def _windowed(
    container: "InputContainer", film: "av.VideoStream", timeline: Timeline, window: Span
) -> "Iterator[av.Packet]":
    """The packets from the keyframe before a window to the end of the GOP that begins after it."""
    if window.start > 0 and not timeline.joints:
        container.seek(round((window.start + timeline.zero) / (film.time_base or 1)), stream=film)
    keys_after = 0
    for packet in packets_of(container, film, timeline):
        if packet.is_keyframe and packet.pts is not None and packet.time_base is not None:
            keys_after += float(packet.pts * packet.time_base) >= window.end
        if keys_after > 1:
            return
        yield packet


def differ(before: Pixels, after: Pixels) -> bool:
    """Whether two details differ visibly: in one character of text, or in the brightness of a wider area."""
    if largest_change(before, after).is_visible:
        return True
    first, second = (thumbnail_of(detail).astype(np.int16) for detail in (before, after))
    return bool(np.abs(first - second).max() > NOISE_LEVELS)


@dataclass(frozen=True)
class _Task:
    """A GOP to decode.

    Attributes:
        group: The GOP.
        gap: What lies between the last frame before the GOP and its first frame.
        moves: Whether its picture moves all the time.
        changes: Packets around which every frame is returned.
        leads: Whether it is the first GOP and has frames that are shown before its keyframe.
    """

    group: Gop
    gap: Gap
    moves: bool
    changes: "Sequence[av.Packet]"
    leads: bool = False


def _tasks(groups: Iterable[Gop], sample_seconds: float) -> Iterator[_Task]:
    gap: Gap = "seen"
    sampled, lengths, was_static = -math.inf, (0, 0, 0), False
    for number, group in enumerate(groups):
        is_regular = 0 < max(lengths) <= min(lengths) + 1  # irregular keyframes often mark cuts
        lengths = (*lengths[1:], len(group.packets))
        leads = number == 0 and min(packet.pts for packet in group.packets) < group.key.pts
        may_be_static = leads or group.following is None or group.is_static or group.may_hold_static
        is_due = group.start + group.seconds / 2 - sampled >= sample_seconds
        if may_be_static:
            yield _Task(group, gap, False, _changes(group), leads)
            gap = "seen"
        elif (borders := _borders(group, was_static)) or is_due or not is_regular or group.seconds >= SHOWN_SECONDS:
            yield _Task(group, gap, True, borders)
            sampled = group.start
            gap = "seen" if group.precedes_static else "unseen"
        else:
            gap = "unseen"
        was_static = group.is_static or group.may_hold_static


def _changes(group: Gop) -> "list[av.Packet]":
    """Packets where the picture of a partly static GOP may change; in the video's last GOP also its last packet."""
    ends = [] if group.following else [max(group.packets, key=lambda packet: packet.pts)]
    return [group.key, *group.active, *ends]


def _borders(group: Gop, was_static: bool) -> "list[av.Packet]":
    """Packets of a moving GOP around which every frame is needed: large ones, and those at a static neighbour GOP."""
    return [*([group.key] if was_static else []), *group.spikes, *(group.tail if group.precedes_static else [])]


class _Keyframes:
    """A cache of `room` decoded keyframes and their details, shared by the threads of all decoders."""

    def __init__(self, room: int) -> None:
        self._room = room
        self._lock = threading.Lock()
        self._known: dict[int, Future[tuple[av.VideoFrame, Pixels]]] = {}

    def of(self, decoder: "av.VideoCodecContext", key: "av.Packet") -> "tuple[av.VideoFrame, Pixels]":
        """Return the frame of a keyframe's packet, and its detail."""
        with self._lock:
            is_new = key.pts not in self._known
            known = self._known.setdefault(key.pts, Future())
            while len(self._known) > self._room:
                del self._known[next(iter(self._known))]
        if is_new:
            try:
                if (frame := next(decode_packets(decoder, [key]), None)) is None or frame.pts != key.pts:
                    raise GopDecodingError
                known.set_result((frame, detail_of(frame)))
            except Exception as error:  # noqa: BLE001 (raised in each thread that asks for it)
                known.set_exception(error)
        return known.result()

    def are_same(self, decoder: "av.VideoCodecContext", group: Gop) -> bool:
        """Whether a GOP's keyframe and the next one show the same picture. A GOP of one packet counts as the same."""
        assert group.following is not None
        keys = group.key, group.following[0]
        if any(key.is_discard for key in keys):
            return False
        if len(group.packets) == 1:
            return True
        return not differ(*(self.of(decoder, key)[1] for key in keys))


class _Decoder:
    """Chooses the frames of one GOP after the other. Each decoder has its own thread.

    Args:
        context: The codec context that decodes.
        keys: The keyframe cache, shared by all decoders of the stream.
        sample_seconds: While the picture moves, the time between two frames, approximately.
    """

    def __init__(self, context: "av.VideoCodecContext", keys: _Keyframes, sample_seconds: float) -> None:
        self._context, self._keys, self._sample_seconds = context, keys, sample_seconds

    def frames(self, task: _Task) -> "Iterator[tuple[av.VideoFrame, Pixels, Gap]]":
        """The frames that a GOP returns, each with its detail and the gap before it."""
        group = task.group
        gap: Gap | None = task.gap
        if group.is_static and not task.leads:
            if self._keys.are_same(self._context, group):
                yield *self._keys.of(self._context, group.key), task.gap
                return
            if self._changes_slowly(group):
                task = replace(task, changes=group.packets)
        for frame, detail, within in self._moving(task) if task.moves else self._mostly_static(task):
            yield frame, detail, gap or within
            gap = None

    def _changes_slowly(self, group: Gop) -> bool:
        """Whether the picture changes although all packets are small. Example: a slide is dimmed."""
        first = None
        for frame in _own(self._context, group.packets, group, lambda _: False):
            now = detail_of(frame)
            first = now if first is None else first
            if differ(first, now):
                return True
        return False

    def _mostly_static(self, task: _Task) -> "Iterator[tuple[av.VideoFrame, Pixels, Gap]]":
        """The first and the last frame, every frame near a change, and some of the other frames.

        Of the other frames only reference frames are decoded: they show pictures that fade very slowly. Where two of them differ,
        a change is hidden in small packets, and every frame between them is returned, too.
        """
        group, changes = task.group, task.changes
        start = -math.inf if task.leads else group.key.pts
        given, shown = -math.inf, None  # time and detail of the last returned frame
        for refinement in range(_MOST_REFINEMENTS + 1):
            is_near = group.near(changes if refinement < _MOST_REFINEMENTS else group.shown)
            hidden = None
            decoded = _own(self._context, group.shown, group, is_near, start)
            for frame in _spaced(decoded, is_near, group.reordered, given):
                detail = detail_of(frame)
                if shown is not None and not is_near(frame.pts) and differ(shown, detail):
                    hidden = frame.pts
                    break
                given, shown = frame.pts, detail
                yield frame, detail, "seen"
            if hidden is None:
                return
            changes = [*changes, *(packet for packet in group.shown if given < packet.pts <= hidden)]

    def _moving(self, task: _Task) -> "Iterator[tuple[av.VideoFrame, Pixels, Gap]]":
        """The keyframe, `LOOKS` frames for each sample, and every frame near a change.

        Of the other frames only reference frames are decoded.
        """
        group, is_near = task.group, task.group.near(task.changes)
        a_second = 1 / float(group.key.time_base)
        packets = group.shown if group.precedes_static else group.packets
        looked, was_near = -1, False
        for frame in _own(self._context, packets, group, is_near):
            now_near = is_near(frame.pts)
            look = math.floor((frame.pts - group.key.pts) * LOOKS / (self._sample_seconds * a_second))
            if now_near or look > looked:
                looked = look
                yield frame, detail_of(frame), "seen" if now_near and was_near else "moving"
            was_near = now_near


def _spaced(
    frames: "Iterable[av.VideoFrame]", is_near: Callable[[int], bool], apart: float, given: float
) -> "Iterator[av.VideoFrame]":
    """The frames after a time that are near a change, some of the others, and the last one."""
    held = None
    for frame in frames:
        if frame.pts <= given:
            continue
        if is_near(frame.pts) or frame.pts - given >= apart:
            given, held = frame.pts, None
            yield frame
        else:
            held = frame
    if held is not None:
        yield held


def _own(
    decoder: "av.VideoCodecContext",
    packets: "list[av.Packet]",
    group: Gop,
    is_near: Callable[[int], bool],
    start: float | None = None,
) -> "Iterator[av.VideoFrame]":
    """The decoded frames of some packets of a GOP, from `start` (None: its keyframe) to before the next keyframe."""
    key = group.key
    start = key.pts if start is None else start
    has_come = key.is_discard or not key.is_keyframe  # hidden by an edit list; or the file begins inside a GOP
    for frame in decode_packets(decoder, packets, lambda packet: is_near(packet.pts)):
        if frame.pts is not None and start <= frame.pts < group.end:
            has_come = has_come or frame.pts == key.pts
            if not has_come and frame.pts > key.pts:
                break
            yield frame
    if not has_come:
        raise GopDecodingError
