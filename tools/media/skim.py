"""The frames of a video that are worth comparing: all where something may change, samples where the picture moves.

The packets of a group of pictures (`tools.media.gop`) tell most of it without decoding:

- Where they are next to empty and the next keyframe shows the same, the picture stood: the keyframe is all.
- Where some are full and many in a row next to empty, every frame around the full ones is given, so that slides keep
  frame-exact edges.
- Where all are full the picture moves: only frames that others refer to are decoded, as far as the samples reach, and of
  a short group the keyframe. Every frame is given around a packet that stands out, a cut or a new slide beside a moving
  picture, and where what stood before such a group may end in it, or what stands after it begin.

So the groups need not wait for each other: several are decoded at once, one by each core, at most `_MOST_DECODERS`.

What cannot be decoded by groups is read from the start to the end (`tools.media.frames.scan`).
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

from ..background import in_order
from ..device import cores
from ..records import Pixels
from .comparison import COMPARISON, detail_of, largest_change, thumbnail_of
from .container import decode_packets, decoders_of, open_media, packets_of, video_stream_of
from .frames import scan, scanned
from .gop import GOP_PARAMETERS, Gop, GopDecodingError, gops_of
from .pictures import pixel_aspect
from .scanned import Gap, ScannedFrame
from .timeline import timeline_of

if TYPE_CHECKING:
    import av

__all__ = ["NOISE_LEVELS", "SKIM_PARAMETERS", "differ", "skim"]

# Compression changes a cell of a thumbnail by this many levels of 256 at most (H.264, crf 20–35).
NOISE_LEVELS = 3
# Text that is shown as long is found over moving pictures, too: no longer GOP is left out.
SHOWN_SECONDS = 0.8
# While the picture moves, this many frames are passed on for each sample: two of each text that is shown 0.8 s.
LOOKS = 5
# More would only hold more frames: these decode faster than anything looks at them.
_MOST_DECODERS = 4
# What waits of each group's decoded frames.
_WAITING_BYTES = 12_000_000
_MOST_WAITING = 64

# All that the choice of frames depends on: the way it is done, by number, and the constants.
SKIM_PARAMETERS = (4, *COMPARISON, *GOP_PARAMETERS, NOISE_LEVELS, SHOWN_SECONDS, LOOKS)


def skim(
    path: Path | str, stream: int | None = None, sample_seconds: float = 2.0, *, on_gpu: bool = False
) -> Iterator[ScannedFrame]:
    """Frames in presentation order with their true times, as many as it takes to see what changes when.

    Args:
        path: The video file.
        stream: Index of the stream of pictures in its container; None for FFmpeg's best one.
        sample_seconds: While the picture moves, a frame at least about so often.
        on_gpu: Decode on an NVIDIA GPU (NVDEC).

    Yields:
        The first and the last frame, and between them those that the module's docstring tells.

    Raises:
        MediaError: The file holds no readable pictures.
        SettingsError: The GPU cannot decode it, or there is none.
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
            tasks = _tasks(gops_of(film, packets_of(container, film, timeline)), sample_seconds)
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


def differ(before: Pixels, after: Pixels) -> bool:
    """Whether two details show different pictures: in a character of text, or in brightness over a wider area."""
    if largest_change(before, after).is_visible:
        return True
    first, second = (thumbnail_of(detail).astype(np.int16) for detail in (before, after))
    return bool(np.abs(first - second).max() > NOISE_LEVELS)


@dataclass(frozen=True)
class _Task:
    """A group of which frames are wanted.

    Attributes:
        group: The group.
        gap: What lies between the frame before it and its first.
        moves: Whether its picture moves all the time.
        changes: Packets around which all frames are given.
        leads: Whether it is the first, and what is shown before its keyframe is of it, too.
    """

    group: Gop
    gap: Gap
    moves: bool
    changes: "Sequence[av.Packet]"
    leads: bool = False


def _tasks(groups: Iterable[Gop], sample_seconds: float) -> Iterator[_Task]:
    gap: Gap = "seen"
    sampled, lengths, stood = -math.inf, (0, 0, 0), False
    for number, group in enumerate(groups):
        is_regular = 0 < max(lengths) <= min(lengths) + 1  # where keyframes are not, they often mark cuts
        lengths = (*lengths[1:], len(group.packets))
        leads = number == 0 and min(packet.pts for packet in group.packets) < group.key.pts
        stands = leads or group.following is None or group.is_static or group.may_hold_static
        is_due = group.start + group.seconds / 2 - sampled >= sample_seconds
        if stands:
            yield _Task(group, gap, False, _changes(group), leads)
            gap = "seen"
        elif (borders := _borders(group, stood)) or is_due or not is_regular or group.seconds >= SHOWN_SECONDS:
            yield _Task(group, gap, True, borders)
            sampled = group.start
            gap = "seen" if group.precedes_static else "unseen"
        else:
            gap = "unseen"
        stood = group.is_static or group.may_hold_static


def _changes(group: Gop) -> "list[av.Packet]":
    """Where something may happen in a group that may stand; at the video's end the last frame, for how long it is shown."""
    ends = [] if group.following else [max(group.packets, key=lambda packet: packet.pts)]
    return [group.key, *group.active, *ends]


def _borders(group: Gop, stood: bool) -> "list[av.Packet]":
    """Where something stands out in a group that moves, or what stood before it ends, or what stands after it begins."""
    return [*([group.key] if stood else []), *group.spikes, *(group.tail if group.precedes_static else [])]


class _Keyframes:
    """Keyframes decoded by themselves, with their details; `room` of them are remembered, for all decoders' threads."""

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
        """Whether a group's keyframe and the next one show the same; that of a group of one always follows."""
        assert group.following is not None
        keys = group.key, group.following[0]
        if any(key.is_discard for key in keys):
            return False
        if len(group.packets) == 1:
            return True
        return not differ(*(self.of(decoder, key)[1] for key in keys))


class _Decoder:
    """Chooses the frames of one group after the other; each has a thread of its own.

    Args:
        context: What decodes.
        keys: Keyframes, for all decoders of the stream.
        sample_seconds: While the picture moves, a frame about so often.
    """

    def __init__(self, context: "av.VideoCodecContext", keys: _Keyframes, sample_seconds: float) -> None:
        self._context, self._keys, self._sample_seconds = context, keys, sample_seconds

    def frames(self, task: _Task) -> "Iterator[tuple[av.VideoFrame, Pixels, Gap]]":
        """The frames that are given of a group, each with its detail and the gap before it."""
        group = task.group
        gap: Gap | None = task.gap
        if group.is_static and not task.leads:
            if self._keys.are_same(self._context, group):
                yield *self._keys.of(self._context, group.key), task.gap
                return
            if self._changes_unseen(group):
                task = replace(task, changes=group.packets)
        for frame, within in self._moving(task) if task.moves else self._standing(task):
            yield frame, detail_of(frame), gap or within
            gap = None

    def _changes_unseen(self, group: Gop) -> bool:
        """Whether something changes in a group though its packets do not tell, as a slide that is dimmed."""
        first = None
        for frame in _own(self._context, group.packets, group, lambda _: False):
            now = detail_of(frame)
            first = now if first is None else first
            if differ(first, now):
                return True
        return False

    def _standing(self, task: _Task) -> "Iterator[tuple[av.VideoFrame, Gap]]":
        """The first and the last frame, all around what changes, and some of the others.

        Of the others only those are decoded that others refer to, for what fades very slowly.
        """
        group, is_near = task.group, task.group.near(task.changes)
        start = -math.inf if task.leads else group.key.pts
        held, given = None, -math.inf
        for frame in _own(self._context, group.shown, group, is_near, start):
            if is_near(frame.pts) or frame.pts - given >= group.reordered:
                given, held = frame.pts, None
                yield frame, "seen"
            else:
                held = frame
        if held is not None:
            yield held, "seen"

    def _moving(self, task: _Task) -> "Iterator[tuple[av.VideoFrame, Gap]]":
        """The keyframe, some frames as far as the samples reach, and all around what changes.

        Of the others only those are decoded that others refer to.
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
                yield frame, "seen" if now_near and was_near else "moving"
            was_near = now_near


def _own(
    decoder: "av.VideoCodecContext",
    packets: "list[av.Packet]",
    group: Gop,
    is_near: Callable[[int], bool],
    start: float | None = None,
) -> "Iterator[av.VideoFrame]":
    """What some packets of a group decode to, from `start` (None: its keyframe) to before the next keyframe."""
    key = group.key
    start = key.pts if start is None else start
    has_come = key.is_discard or not key.is_keyframe  # hidden by an edit list; or the file begins inside a group
    for frame in decode_packets(decoder, packets, lambda packet: is_near(packet.pts)):
        if frame.pts is not None and start <= frame.pts < group.end:
            has_come = has_come or frame.pts == key.pts
            if not has_come and frame.pts > key.pts:
                break
            yield frame
    if not has_come:
        raise GopDecodingError
