"""The frames of a video that are worth comparing: all where something may change, samples where the picture moves.

A container's packets tell most of it without decoding. A group of pictures is a keyframe with all that depends on
it. Where its packets are next to empty and the next keyframe shows the same, the picture stood: nothing of it is
decoded. Where a packet stands out, or many in a row are next to empty, all is decoded, and every frame around those
packets is given, so that slides keep frame-exact edges. Where all packets are full the picture moves, and only the
frames that others refer to are decoded, as far as the samples reach; of a group shorter than that, the keyframe.

What a group cannot be decoded for by itself is read from the start to the end (`tools.video.scan`).
"""

import bisect
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, groupby, pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .container import decode_packets, open_media, packets_of, pictures_of, stream_start, thumbnail_of
from .video import ScannedFrame, scan, scanned

if TYPE_CHECKING:
    import av
    from av.container import InputContainer

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
# Packets come this many before or after their place on screen.
_REORDERED = 8
# What is held of a group at once; longer ones (screen recordings without keyframes) are decoded frame by frame.
_MOST_PACKETS = 1000
_MOST_BYTES = 64_000_000

# All that the choice of frames depends on: the way it is done, by number, and the constants.
SKIMMING = (1, NOISE_LEVELS, STANDING_SECONDS, _QUIET_BYTES, *_QUIET_BYTES_A_BLOCK.values(), _QUIET_BYTES_A_BLOCK_ELSE)
SKIMMING += (SPIKE, STRETCH, _REORDERED, _MOST_PACKETS, _MOST_BYTES)


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
            zero: float | None = None
            for frame, follows in _chosen(container, pictures, sample_seconds):
                zero = stream_start(pictures, frame) if zero is None else zero
                if frame.time - zero > seen:
                    seen = max(0.0, frame.time - zero)
                    yield scanned(frame, zero, follows=follows)
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

    def may_cut(self, bytes_of_nothing: float) -> bool:
        """Whether one packet stands out."""
        return bool(self.sizes) and max(self.sizes) > SPIKE * max(
            bytes_of_nothing, float(np.percentile(self.sizes, 90))
        )


def _chosen(
    container: "InputContainer", stream: "av.VideoStream", sample_seconds: float
) -> "Iterator[tuple[av.VideoFrame, bool]]":
    """Frames, each with whether what lies between it and the one before was seen, or is known to stand."""
    stream.thread_type = "AUTO"
    nothing = _bytes_of_nothing(stream)
    keys = _Keyframes(stream)
    follows, sampled, lengths = True, -math.inf, (0, 0, 0)
    for group in _groups(packets_of(container, stream)):
        is_regular = 0 < max(lengths) <= min(lengths) + 1  # where keyframes are not, they often mark cuts
        lengths = (*lengths[1:], len(group.packets))
        if group.is_quiet(nothing) and keys.are_same(group):
            yield keys.of(group.packets), follows
            follows = True
            continue
        if group.following is None or group.may_stand(nothing) or group.may_cut(nothing):
            frames, is_seen = _thinned(_every(stream, group, nothing), group, nothing), True
        elif is_regular and group.start + group.seconds / 2 - sampled < sample_seconds:
            follows = False
            continue
        else:
            frames, is_seen, sampled = _samples(stream, group, sample_seconds), False, group.start
        for frame in frames:
            yield frame, follows
            follows = True
        follows = is_seen


def _bytes_of_nothing(stream: "av.VideoStream") -> float:
    """What a packet holds at most in which nothing happens."""
    coded = stream.codec_context
    a_block = _QUIET_BYTES_A_BLOCK.get(coded.name, _QUIET_BYTES_A_BLOCK_ELSE)
    return _QUIET_BYTES + a_block * coded.width * coded.height / 256


class _Keyframes:
    """Keyframes decoded by themselves; the last one is remembered."""

    def __init__(self, stream: "av.VideoStream") -> None:
        self._stream = stream
        self._known: tuple[int, av.VideoFrame] | None = None

    def of(self, packets: "list[av.Packet]") -> "av.VideoFrame":
        if self._known is None or self._known[0] != packets[0].pts:
            self._known = (packets[0].pts, next(_own(self._stream, packets, packets[:1], math.inf)))
        return self._known[1]

    def are_same(self, group: _Group) -> bool:
        """Whether a group's keyframe and the next one show the same; that of a group of one always follows."""
        assert group.following is not None
        if len(group.packets) == 1 or group.key.is_discard:
            return len(group.packets) == 1
        first, second = (thumbnail_of(self.of(packets)).astype(int) for packets in (group.packets, group.following))
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


def _every(stream: "av.VideoStream", group: _Group, nothing: float) -> "Iterator[av.VideoFrame]":
    """All frames of a group, also those that come after the next keyframe but are shown before it.

    Where nothing happens, as far as the packets tell: only those that others refer to, for what fades very slowly.
    """
    if group.following is None:
        return _own(stream, group.packets, group.packets, math.inf)
    end = group.following[0].pts
    if group.is_quiet(nothing):
        return _own(stream, group.packets, group.packets, end, skip="NONREF")
    leading = [packet for packet in group.following[1:] if packet.pts < end]
    return _own(stream, group.packets, [*group.packets, *(group.following[:1] if leading else []), *leading], end)


def _thinned(frames: "Iterator[av.VideoFrame]", group: _Group, nothing: float) -> "Iterator[av.VideoFrame]":
    """The first and the last frame, those around packets in which something happens, and some of the others.

    After such a packet, as long as it takes to see that the picture stands.
    """
    times = sorted(packet.pts for packet in group.packets)
    before = _REORDERED * max(1.0, (times[-1] - times[0]) / len(times))
    after = before + 1.2 * STANDING_SECONDS / float(group.key.time_base)
    lively = sorted([group.key.pts, *(packet.pts for packet in group.packets[1:] if packet.size > nothing)])
    held, given = None, -math.inf
    for frame in frames:
        row = bisect.bisect_left(lively, frame.pts - after)
        if (row < len(lively) and lively[row] <= frame.pts + before) or frame.pts - given >= before:
            given, held = frame.pts, None
            yield frame
        else:
            held = frame
    if held is not None:
        yield held


def _samples(stream: "av.VideoStream", group: _Group, sample_seconds: float) -> "Iterator[av.VideoFrame]":
    """The frames that others refer to, up to the last sample of a group; its keyframe, where it is short."""
    assert group.following is not None
    samples = math.ceil(group.seconds / sample_seconds - STRETCH)
    if samples <= 0:
        return _own(stream, group.packets, group.packets[:1], math.inf)
    until = samples * sample_seconds + _REORDERED * group.seconds / len(group.packets)
    last = group.key.pts + until / float(group.key.time_base)
    wanted = max(row for row, packet in enumerate(group.packets) if packet.pts <= last)
    return _own(stream, group.packets, group.packets[: wanted + 1], group.following[0].pts, skip="NONREF")


def _own(
    stream: "av.VideoStream", group: "list[av.Packet]", packets: "list[av.Packet]", end: float, skip: str = "DEFAULT"
) -> "Iterator[av.VideoFrame]":
    """What some packets decode to, from the keyframe of their group to before the timestamp `end`."""
    key = group[0]
    has_come = key.is_discard or not key.is_keyframe  # hidden by an edit list; or the file begins inside a group
    for frame in decode_packets(stream, packets, skip):
        if frame.pts is not None and key.pts <= frame.pts < end:
            has_come = has_come or frame.pts == key.pts
            if not has_come:
                break
            yield frame
    if not has_come:
        raise _NotByGroupsError
