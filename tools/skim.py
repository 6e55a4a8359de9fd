"""The frames of a video that are worth comparing: all where something may change, samples where the picture moves.

A container's packets tell most of it without decoding. A group of pictures is a keyframe with all that depends on
it. Where its packets are next to empty and the next keyframe shows the same, the picture stood: nothing of it is
decoded. Where a packet stands out, or many in a row are next to empty, all is decoded, and every frame around those
packets is given, so that slides keep frame-exact edges. Where all packets are full the picture moves, and only the
frames that others refer to are decoded, as far as the samples reach; of a group shorter than that, the keyframe.

Packets alone tell what is decoded of a group, so that several are decoded at once, one by each core.

What a group cannot be decoded for by itself is read from the start to the end (`tools.video.scan`).
"""

import bisect
import math
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, groupby, pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .beside import in_order
from .container import decode_packets, decoders_of, open_media, packets_of, pictures_of, stream_start, thumbnail_of
from .records import Pixels
from .video import Gap, ScannedFrame, scan, scanned

if TYPE_CHECKING:
    import av

__all__ = ["NOISE_LEVELS", "SKIMMING", "STANDING_SECONDS", "skim"]

# Compression changes a cell of a thumbnail by this many levels of 256 at most (H.264, crf 20–35).
NOISE_LEVELS = 3
# A picture stands once it was the same for this long.
STANDING_SECONDS = 0.25
# A frame that shows the same as the one before takes 10 to 20 bytes and 0.02 for each block of 16×16 pixels (H.264,
# H.265, VP9), or 0.13 to 0.3 (MPEG-2, MPEG-4, VP8, which say of each block that it stays); a line of text 18 pixels
# high that appears in 720p takes 1200 and more, or 2700.
_QUIET_BYTES = 60
_QUIET_BYTES_A_BLOCK = {"h264": 0.03, "hevc": 0.03, "vp9": 0.03, "av1": 0.03}
_QUIET_BYTES_A_BLOCK_ELSE = 0.3
# A packet that holds a cut, or a new slide beside a moving picture, is this many times as large as nine in ten are:
# by x264 at crf 23, film without a cut reaches 3.8 times, a cut that is no keyframe 13 and more.
SPIKE = 4
# One sample stands for this much more than was asked for, rather than two for half as much.
STRETCH = 1.25
# While the picture moves, this many frames are given for each sample that was asked for: cuts that no packet tells.
LOOKS = 4
# Packets come this many before or after their place on screen.
_REORDERED = 8
# What is held of a group at once; longer ones (screen recordings without keyframes) are decoded frame by frame.
_MOST_PACKETS = 1000
_MOST_BYTES = 64_000_000
# More cores would only hold more frames: these decode faster than anything looks at them.
_MOST_DECODERS = 8
# What waits of each group's decoded frames.
_WAITING_BYTES = 12_000_000

# All that the choice of frames depends on: the way it is done, by number, and the constants.
SKIMMING = (2, NOISE_LEVELS, STANDING_SECONDS, _QUIET_BYTES, *_QUIET_BYTES_A_BLOCK.values(), _QUIET_BYTES_A_BLOCK_ELSE)
SKIMMING += (SPIKE, STRETCH, LOOKS, _REORDERED, _MOST_PACKETS, _MOST_BYTES)


class _NotByGroupsError(Exception):
    """The stream's groups cannot be decoded by themselves."""


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
            nothing, keys = _bytes_of_nothing(pictures), _Keyframes()
            cores = 1 if on_gpu else min(os.cpu_count() or 1, _MOST_DECODERS)
            makers = [
                _Decoder(context, keys, nothing, sample_seconds).given
                for context in decoders_of(container, pictures, cores)
            ]
            a_frame = pictures.codec_context.width * pictures.codec_context.height * 3 // 2
            tasks = _tasks(_groups(packets_of(container, pictures)), nothing, sample_seconds)
            zero: float | None = None
            with closing(in_order(makers, tasks, 1 + _WAITING_BYTES // max(1, a_frame))) as chosen:
                for frame, thumbnail, gap in chosen:
                    zero = stream_start(pictures, frame) if zero is None else zero
                    if frame.time - zero > seen:
                        seen = max(0.0, frame.time - zero)
                        yield scanned(frame, thumbnail, zero, gap)
        if seen >= 0:
            return
    except _NotByGroupsError:
        pass
    yield from (frame for frame in scan(path, stream, "nvdec" if on_gpu else "pyav") if frame.seconds > seen)


@dataclass(frozen=True)
class _Group:
    """A keyframe's packet and all that depend on it, in decoding order; and the group after it."""

    packets: "list[av.Packet]"
    following: "list[av.Packet] | None"

    @property
    def key(self) -> "av.Packet":
        return self.packets[0]

    @property
    def start(self) -> float:
        return float(self.key.pts * self.key.time_base)

    @cached_property
    def seconds(self) -> float:
        """From its keyframe to the next; of the last group, infinite."""
        return float((self.following[0].pts - self.key.pts) * self.key.time_base) if self.following else math.inf

    @cached_property
    def sizes(self) -> list[int]:
        """Bytes of all but the keyframe."""
        return [packet.size for packet in self.packets[1:]]

    def is_quiet(self, bytes_of_nothing: float) -> bool:
        return self.following is not None and max(self.sizes, default=0) <= bytes_of_nothing

    def may_stand(self, bytes_of_nothing: float) -> bool:
        """Whether nothing happens for long enough to be a slide."""
        runs = (sum(1 for _ in run) for quiet, run in groupby(s <= bytes_of_nothing for s in self.sizes) if quiet)
        return max(runs, default=0) * self.seconds / len(self.packets) >= STANDING_SECONDS

    def spikes(self, bytes_of_nothing: float) -> "list[av.Packet]":
        """Packets that stand out."""
        if not self.sizes:
            return []
        much = SPIKE * max(bytes_of_nothing, float(np.percentile(self.sizes, 90)))
        return [packet for packet in self.packets[1:] if packet.size > much]

    @cached_property
    def reordered(self) -> float:
        """As far a packet may come before or after its place on screen, in units of its clock."""
        times = [packet.pts for packet in self.packets]
        return _REORDERED * max(1.0, (max(times) - min(times)) / len(times))

    def near(self, packets: "Iterable[av.Packet]") -> Callable[[int], bool]:
        """Whether a timestamp is so near to some packets that their change is seen there, and that it stands then."""
        times = sorted(packet.pts for packet in packets)
        after = self.reordered + 1.2 * STANDING_SECONDS / float(self.key.time_base)

        def is_near(time: int) -> bool:
            row = bisect.bisect_left(times, time - after)
            return row < len(times) and times[row] <= time + self.reordered

        return is_near


@dataclass(frozen=True)
class _Task:
    """A group of which frames are wanted.

    Attributes:
        group: The group.
        gap: What lies between the frame before it and its first.
        moves: Whether its picture moves all the time.
    """

    group: _Group
    gap: Gap
    moves: bool


def _tasks(groups: Iterable[_Group], nothing: float, sample_seconds: float) -> Iterator[_Task]:
    gap: Gap = "seen"
    sampled, lengths = -math.inf, (0, 0, 0)
    for group in groups:
        is_regular = 0 < max(lengths) <= min(lengths) + 1  # where keyframes are not, they often mark cuts
        lengths = (*lengths[1:], len(group.packets))
        if group.following is None or group.is_quiet(nothing) or group.may_stand(nothing):
            yield _Task(group, gap, moves=False)
            gap = "seen"
            continue
        is_due = group.start + group.seconds / 2 - sampled >= sample_seconds
        if is_due or not is_regular or group.spikes(nothing):
            yield _Task(group, gap, moves=True)
            sampled = group.start
        gap = "unseen"


def _bytes_of_nothing(stream: "av.VideoStream") -> float:
    """What a packet holds at most in which nothing happens."""
    coded = stream.codec_context
    a_block = _QUIET_BYTES_A_BLOCK.get(coded.name, _QUIET_BYTES_A_BLOCK_ELSE)
    return _QUIET_BYTES + a_block * coded.width * coded.height / 256


class _Keyframes:
    """Keyframes decoded by themselves, with thumbnails; the last ones are remembered, for all decoders' threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[int, Future[tuple[av.VideoFrame, Pixels]]] = {}

    def of(self, decoder: "av.VideoCodecContext", packets: "list[av.Packet]") -> "tuple[av.VideoFrame, Pixels]":
        """The keyframe that some packets begin with."""
        time = packets[0].pts
        with self._lock:
            is_new = time not in self._known
            known = self._known.setdefault(time, Future())
            while len(self._known) > 2 * _MOST_DECODERS:
                del self._known[next(iter(self._known))]
        if is_new:
            try:
                if (frame := next(_own(decoder, packets, packets[:1], math.inf), None)) is None:
                    raise _NotByGroupsError
                known.set_result((frame, thumbnail_of(frame)))
            except Exception as error:  # noqa: BLE001 (raised in each thread that asks for it)
                known.set_exception(error)
        return known.result()

    def are_same(self, decoder: "av.VideoCodecContext", group: _Group) -> bool:
        """Whether a group's keyframe and the next one show the same; that of a group of one always follows."""
        assert group.following is not None
        if len(group.packets) == 1 or group.key.is_discard:
            return len(group.packets) == 1
        first, second = (self.of(decoder, packets)[1].astype(int) for packets in (group.packets, group.following))
        return bool(np.abs(first - second).max() <= NOISE_LEVELS)


def _groups(packets: "Iterable[av.Packet]") -> Iterator[_Group]:
    for group, following in pairwise(chain(_runs(packets), [None])):
        assert group is not None
        yield _Group(group, following)


def _runs(packets: "Iterable[av.Packet]") -> "Iterator[list[av.Packet]]":
    """Packets in decoding order, from keyframe to keyframe."""
    held: list[av.Packet] = []
    size = 0
    for packet in packets:
        if packet.pts is None or packet.time_base is None or len(held) > _MOST_PACKETS or size > _MOST_BYTES:
            raise _NotByGroupsError
        if packet.is_keyframe and held:
            if packet.pts <= held[0].pts:
                raise _NotByGroupsError
            yield held
            held, size = [], 0
        held.append(packet)
        size += packet.size
    if held:
        yield held


class _Decoder:
    """Chooses the frames of one group after the other; each has a thread of its own.

    Args:
        context: What decodes.
        keys: Keyframes, for all decoders of the stream.
        nothing: What a packet holds at most in which nothing happens.
        sample_seconds: While the picture moves, a frame about so often.
    """

    def __init__(
        self, context: "av.VideoCodecContext", keys: _Keyframes, nothing: float, sample_seconds: float
    ) -> None:
        self._context, self._keys, self._nothing, self._sample_seconds = context, keys, nothing, sample_seconds

    def given(self, task: _Task) -> "Iterator[tuple[av.VideoFrame, Pixels, Gap]]":
        """The frames that are given of a group, each with its thumbnail and what lies before it."""
        group = task.group
        gap: Gap | None = task.gap
        if group.is_quiet(self._nothing) and self._keys.are_same(self._context, group):
            yield *self._keys.of(self._context, group.packets), task.gap
            return
        for frame, within in self._moving(group) if task.moves else self._standing(group):
            yield frame, thumbnail_of(frame), gap or within
            gap = None

    def _standing(self, group: _Group) -> "Iterator[tuple[av.VideoFrame, Gap]]":
        """The first and the last frame, all around packets in which something happens, and some of the others.

        Of the others only those are decoded that others refer to, for what fades very slowly. Frames that come after
        the next keyframe but are shown before it are among them.
        """
        is_near = group.near([group.key, *(packet for packet in group.packets[1:] if packet.size > self._nothing)])
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

    def _moving(self, group: _Group) -> "Iterator[tuple[av.VideoFrame, Gap]]":
        """The keyframe, some frames as far as the samples reach, and all around packets that stand out."""
        assert group.following is not None
        spikes = group.spikes(self._nothing)
        is_near = group.near(spikes)
        a_second = 1 / float(group.key.time_base)
        samples = math.ceil(group.seconds / self._sample_seconds - STRETCH)
        if samples <= 0 and not spikes:
            for frame in _own(self._context, group.packets, group.packets[:1], math.inf):
                yield frame, "moving"
            return
        last = group.key.pts + samples * self._sample_seconds * a_second + group.reordered
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
        raise _NotByGroupsError
