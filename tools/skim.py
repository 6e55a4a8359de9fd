"""The frames of a video that are worth comparing: all where something may change, samples where the picture moves.

The packets of a group of pictures (`tools.groups`) tell most of it without decoding:

- Where they are next to empty and the next keyframe shows the same, the picture stood: the keyframe is all.
- Where some are full and many in a row next to empty, every frame around the full ones is given, so that slides keep
  frame-exact edges.
- Where all are full the picture moves: only frames that others refer to are decoded, as far as the samples reach, and of
  a short group the keyframe. Around a packet that stands out, a cut or a new slide beside a moving picture, every frame.

So the groups need not wait for each other: several are decoded at once, one by each core.

What cannot be decoded by groups is read from the start to the end (`tools.video.scan`).
"""

import math
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .beside import in_order
from .container import decode_packets, decoders_of, open_media, packets_of, pictures_of, stream_start, thumbnail_of
from .device import cores
from .groups import GROUPING, Group, NotByGroupsError, groups_of
from .records import Pixels
from .video import Gap, ScannedFrame, scan, scanned

if TYPE_CHECKING:
    import av

__all__ = ["NOISE_LEVELS", "SKIMMING", "skim"]

# Compression changes a cell of a thumbnail by this many levels of 256 at most (H.264, crf 20–35).
NOISE_LEVELS = 3
# One sample stands for this much more than was asked for, rather than two for half as much.
STRETCH = 1.25
# What is left of a group after its last sample is looked into, too, up to its middle, if it is so much of a sample.
_LONG_REST = 0.75
# While the picture moves, this many frames are given for each sample that was asked for, to choose among.
LOOKS = 4
# More would only hold more frames: these decode faster than anything looks at them.
_MOST_DECODERS = 4
# What waits of each group's decoded frames.
_WAITING_BYTES = 12_000_000

# All that the choice of frames depends on: the way it is done, by number, and the constants.
SKIMMING = (2, *GROUPING, NOISE_LEVELS, STRETCH, _LONG_REST, LOOKS)


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
    seen = -math.inf
    try:
        with open_media(path, on_gpu=on_gpu) as container:
            pictures = pictures_of(container, path, stream)
            contexts = decoders_of(container, pictures, 1 if on_gpu else min(cores(), _MOST_DECODERS))
            keys = _Keyframes(2 * len(contexts))
            makers = [_Decoder(context, keys, sample_seconds).given for context in contexts]
            tasks = _tasks(groups_of(pictures, packets_of(container, pictures)), sample_seconds)
            a_frame = pictures.codec_context.width * pictures.codec_context.height * 3 // 2
            zero: float | None = None
            with closing(in_order(makers, tasks, 1 + _WAITING_BYTES // max(1, a_frame))) as chosen:
                for frame, thumbnail, gap in chosen:
                    zero = stream_start(pictures, frame) if zero is None else zero
                    if frame.time - zero > seen:
                        seen = max(0.0, frame.time - zero)
                        yield scanned(frame, thumbnail, zero, gap)
        if seen >= 0:
            return
    except NotByGroupsError:
        pass
    yield from (frame for frame in scan(path, stream, "nvdec" if on_gpu else "pyav") if frame.seconds > seen)


@dataclass(frozen=True)
class _Task:
    """A group of which frames are wanted.

    Attributes:
        group: The group.
        gap: What lies between the frame before it and its first.
        moves: Whether its picture moves all the time.
    """

    group: Group
    gap: Gap
    moves: bool


def _tasks(groups: Iterable[Group], sample_seconds: float) -> Iterator[_Task]:
    gap: Gap = "seen"
    sampled, lengths = -math.inf, (0, 0, 0)
    for group in groups:
        is_regular = 0 < max(lengths) <= min(lengths) + 1  # where keyframes are not, they often mark cuts
        lengths = (*lengths[1:], len(group.packets))
        if group.following is None or group.is_quiet or group.may_stand:
            yield _Task(group, gap, moves=False)
            gap = "seen"
            continue
        is_due = group.start + group.seconds / 2 - sampled >= sample_seconds
        if is_due or not is_regular or group.spikes:
            yield _Task(group, gap, moves=True)
            sampled = group.start
        gap = "unseen"


class _Keyframes:
    """Keyframes decoded by themselves, with thumbnails; `room` of them are remembered, for all decoders' threads."""

    def __init__(self, room: int) -> None:
        self._room = room
        self._lock = threading.Lock()
        self._known: dict[int, Future[tuple[av.VideoFrame, Pixels]]] = {}

    def of(self, decoder: "av.VideoCodecContext", packets: "list[av.Packet]") -> "tuple[av.VideoFrame, Pixels]":
        """The keyframe that some packets begin with."""
        time = packets[0].pts
        with self._lock:
            is_new = time not in self._known
            known = self._known.setdefault(time, Future())
            while len(self._known) > self._room:
                del self._known[next(iter(self._known))]
        if is_new:
            try:
                if (frame := next(_own(decoder, packets, packets[:1], math.inf), None)) is None:
                    raise NotByGroupsError
                known.set_result((frame, thumbnail_of(frame)))
            except Exception as error:  # noqa: BLE001 (raised in each thread that asks for it)
                known.set_exception(error)
        return known.result()

    def are_same(self, decoder: "av.VideoCodecContext", group: Group) -> bool:
        """Whether a group's keyframe and the next one show the same; that of a group of one always follows."""
        assert group.following is not None
        if len(group.packets) == 1 or group.key.is_discard:
            return len(group.packets) == 1
        first, second = (self.of(decoder, packets)[1].astype(int) for packets in (group.packets, group.following))
        return bool(np.abs(first - second).max() <= NOISE_LEVELS)


class _Decoder:
    """Chooses the frames of one group after the other; each has a thread of its own.

    Args:
        context: What decodes.
        keys: Keyframes, for all decoders of the stream.
        sample_seconds: While the picture moves, a frame about so often.
    """

    def __init__(self, context: "av.VideoCodecContext", keys: _Keyframes, sample_seconds: float) -> None:
        self._context, self._keys, self._sample_seconds = context, keys, sample_seconds

    def given(self, task: _Task) -> "Iterator[tuple[av.VideoFrame, Pixels, Gap]]":
        """The frames that are given of a group, each with its thumbnail and what lies before it."""
        group = task.group
        gap: Gap | None = task.gap
        if group.is_quiet and self._keys.are_same(self._context, group):
            yield *self._keys.of(self._context, group.packets), task.gap
            return
        for frame, within in self._moving(group) if task.moves else self._standing(group):
            yield frame, thumbnail_of(frame), gap or within
            gap = None

    def _standing(self, group: Group) -> "Iterator[tuple[av.VideoFrame, Gap]]":
        """The first and the last frame, all around packets in which something happens, and some of the others.

        Of the others only those are decoded that others refer to, for what fades very slowly. Frames that come after
        the next keyframe but are shown before it are among them.
        """
        is_near = group.near([group.key, *group.lively])
        end, packets = math.inf, group.packets
        if group.following:
            end = group.following[0].pts
            if leading := [packet for packet in group.following[1:] if packet.pts < end]:
                packets = [*packets, group.following[0], *leading]
        held, given = None, -math.inf
        for frame in _own(self._context, group.packets, packets, end, lambda packet: is_near(packet.pts)):
            if is_near(frame.pts) or frame.pts - given >= group.reordered:
                given, held = frame.pts, None
                yield frame, "seen"
            else:
                held = frame
        if held is not None:
            yield held, "seen"

    def _moving(self, group: Group) -> "Iterator[tuple[av.VideoFrame, Gap]]":
        """The keyframe, some frames as far as the samples reach, and all around packets that stand out.

        Of the others only those are decoded that others refer to.
        """
        assert group.following is not None
        is_near = group.near(group.spikes)
        a_second = 1 / float(group.key.time_base)
        until = self._sample_seconds * max(0, math.ceil(group.seconds / self._sample_seconds - STRETCH))
        if (rest := group.seconds - until) > self._sample_seconds * _LONG_REST:
            until += rest / 2
        if until == 0 and not group.spikes:
            for frame in _own(self._context, group.packets, group.packets[:1], math.inf):
                yield frame, "moving"
            return
        last = group.key.pts + until * a_second + group.reordered
        wanted = max(row for row, packet in enumerate(group.packets) if packet.pts <= last or is_near(packet.pts))
        looked, was_near = -1, False
        packets, end = group.packets[: wanted + 1], group.following[0].pts
        for frame in _own(self._context, group.packets, packets, end, lambda packet: is_near(packet.pts)):
            now_near = is_near(frame.pts)
            look = math.floor((frame.pts - group.key.pts) * LOOKS / (self._sample_seconds * a_second))
            if now_near or look > looked:
                looked = look
                yield frame, "seen" if now_near and was_near else "moving"
            was_near = now_near


def _own(
    decoder: "av.VideoCodecContext",
    group: "list[av.Packet]",
    packets: "list[av.Packet]",
    end: float,
    is_wanted: "Callable[[av.Packet], bool]" = lambda _: True,
) -> "Iterator[av.VideoFrame]":
    """What some packets decode to, from the keyframe of their group to before the timestamp `end`."""
    key = group[0]
    has_come = key.is_discard or not key.is_keyframe  # hidden by an edit list; or the file begins inside a group
    for frame in decode_packets(decoder, packets, is_wanted):
        if frame.pts is not None and key.pts <= frame.pts < end:
            has_come = has_come or frame.pts == key.pts
            if not has_come:
                break
            yield frame
    if not has_come:
        raise NotByGroupsError
