"""Groups of pictures: what the sizes of a group's packets tell of its pictures before anything is decoded.

A group is a keyframe with all that depends on it, up to the next. Packets that are next to empty show what was there
before; one that stands out may hold a cut, or a new slide beside a picture that moves. Sizes tell nothing where an
encoder pads all packets to the same size.
"""

import bisect
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, pairwise
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import av

__all__ = ["GOP_PARAMETERS", "STATIC_SECONDS", "Gop", "GopDecodingError", "gops_of"]

# A picture stands once it was the same for this long.
STATIC_SECONDS = 0.25
# A frame that shows the same as the one before takes 10 to 20 bytes and 0.02 for each block of 16×16 pixels (H.264,
# H.265, VP9), or 0.13 to 0.3 (MPEG-2, MPEG-4, VP8, which say of each block that it stays); a line of text 18 pixels
# high that appears in 720p takes 1200 and more, or 2700.
_QUIET_BYTES = 60
_QUIET_BYTES_A_BLOCK = {"h264": 0.03, "hevc": 0.03, "vp9": 0.03, "av1": 0.03}
_QUIET_BYTES_A_BLOCK_ELSE = 0.3
# One edited character of 14 to 72 pixels takes 2.3 times the median packet of a static slide or more (136 bytes and more
# in 720p, 241 in 1080p), nine in ten other packets 1.7 times at most (x264, crf 18 to 33, 96 edits).
_USUAL_RATIO = 1.5
# A packet that holds a cut, or a new slide beside a moving picture, is this many times as large as nine in ten are:
# by x264 at crf 23, film without a cut reaches 3.8 times, a cut that is no keyframe 13 and more.
_SPIKE = 4
# Packets come this many before or after their place on screen.
_REORDERED = 8
# What is held of a group at once; longer ones (screen recordings without keyframes) are decoded frame by frame.
_MOST_PACKETS = 1000
_MOST_BYTES = 32_000_000
# Padded: this share of a group's packets are of the very same size.
_PADDED_SHARE = 0.2
# Parameter sets come this early in a packet, if it brings them along.
_HEAD_BYTES = 4096
# Network abstraction layer units, by codec: how a unit's first byte tells its type, the types that hold parameter sets,
# and those of pictures. Only what comes before a packet's picture is looked at.
_TYPE_OF_UNIT: dict[str, Callable[[int], int]] = {"h264": lambda byte: byte & 31, "hevc": lambda byte: byte >> 1 & 63}
_PARAMETER_SETS = {"h264": {7, 8}, "hevc": {32, 33, 34}}
_PICTURES = {"h264": range(1, 6), "hevc": range(32)}

# All that what a group tells depends on.
GOP_PARAMETERS: tuple[float | str, ...] = (STATIC_SECONDS, _QUIET_BYTES, *_QUIET_BYTES_A_BLOCK)
GOP_PARAMETERS += (
    *_QUIET_BYTES_A_BLOCK.values(),
    _QUIET_BYTES_A_BLOCK_ELSE,
    _USUAL_RATIO,
    _SPIKE,
    _REORDERED,
    _MOST_PACKETS,
    _MOST_BYTES,
    _PADDED_SHARE,
)


class GopDecodingError(Exception):
    """The stream's groups cannot be decoded by themselves."""


@dataclass(frozen=True)
class Gop:
    """A keyframe's packet and all that depend on it, in decoding order; and the packets of the group after it."""

    packets: "list[av.Packet]"
    following: "list[av.Packet] | None"
    bytes_of_nothing: float  # of a packet in which nothing happens, at most

    @property
    def key(self) -> "av.Packet":
        return self.packets[0]

    @property
    def start(self) -> float:
        """Its keyframe's second in the container's clock."""
        return float(self.key.pts * self.key.time_base)

    @cached_property
    def seconds(self) -> float:
        """From its keyframe to the next; of the last group, infinite."""
        return float((self.end - self.key.pts) * self.key.time_base)

    @cached_property
    def sizes(self) -> list[int]:
        """Bytes of all but the keyframe."""
        return [packet.size for packet in self.packets[1:]]

    @cached_property
    def is_static(self) -> bool:
        """Whether nothing happens before the next keyframe."""
        return self.following is not None and not self.active

    @cached_property
    def active(self) -> "list[av.Packet]":
        """Packets after the keyframe in which something happens."""
        return [packet for packet in self.packets[1:] if packet.size > self.quiet_bytes]

    @cached_property
    def quiet_bytes(self) -> float:
        """Largest size of a packet in which nothing changes: where most packets are tiny, little more than their size."""
        usual = _USUAL_RATIO * float(np.median(self.sizes)) if self.sizes else 0.0
        return min(self.bytes_of_nothing, max(self.bytes_of_nothing / 2, usual))

    @cached_property
    def is_padded(self) -> bool:
        """Whether the sizes of its packets tell nothing."""
        (size, count), *_ = Counter(self.sizes).most_common(1) or [(0, 0)]
        return size > self.bytes_of_nothing and count >= max(2, _PADDED_SHARE * len(self.sizes))

    @cached_property
    def may_hold_static(self) -> bool:
        """Whether nothing happens for long enough to be a slide, as far as its own packets tell."""
        return self.is_padded or max(self._lasting) >= STATIC_SECONDS

    @cached_property
    def tail(self) -> "list[av.Packet]":
        """Packets of pictures that would stand only together with the next group's."""
        assert self.following is not None
        from_here = self.following[0].pts - STATIC_SECONDS / float(self.key.time_base)
        return [packet for packet in self.packets if packet.pts >= from_here]

    @cached_property
    def shown(self) -> "list[av.Packet]":
        """Its packets and what it takes to decode those that come after the next keyframe but are shown before it."""
        leading = [packet for packet in self.following or () if packet.pts < self.end]
        return [*self.packets, self.following[0], *leading] if self.following and leading else self.packets

    @property
    def end(self) -> float:
        """The next keyframe's timestamp; of the last group, infinite."""
        return self.following[0].pts if self.following else math.inf

    @cached_property
    def precedes_static(self) -> bool:
        """Whether the next group may stand."""
        if self.following is None:
            return False
        after = Gop(self.following, None, self.bytes_of_nothing)
        return not after.active or after.may_hold_static

    @cached_property
    def _lasting(self) -> list[float]:
        """For its keyframe and each lively packet, how long nothing else happens, in seconds."""
        times = [packet.pts for packet in self.packets]
        end = self.end if self.following else max(times) + (max(times) - min(times)) / len(times)
        active = sorted([self.key.pts, *(packet.pts for packet in self.active), max(end, *times)])
        return [float((after - before) * self.key.time_base) for before, after in pairwise(active)]

    @cached_property
    def spikes(self) -> "list[av.Packet]":
        """Packets after the keyframe that stand out."""
        if not self.sizes:
            return []
        much = _SPIKE * max(self.bytes_of_nothing, float(np.percentile(self.sizes, 90)))
        return [packet for packet in self.packets[1:] if packet.size > much]

    @cached_property
    def reordered(self) -> float:
        """As far a packet may come before or after its place on screen, in units of its clock."""
        times = [packet.pts for packet in self.packets]
        return _REORDERED * max(1.0, (max(times) - min(times)) / len(times))

    def near(self, packets: "Iterable[av.Packet]") -> Callable[[int], bool]:
        """Whether a timestamp is so near to some packets that their change is seen there, and that it stands then."""
        times = sorted(packet.pts for packet in packets)
        after = self.reordered + 1.2 * STATIC_SECONDS / float(self.key.time_base)

        def is_near(time: int) -> bool:
            row = bisect.bisect_left(times, time - after)
            return row < len(times) and times[row] <= time + self.reordered

        return is_near


def gops_of(stream: "av.VideoStream", packets: "Iterable[av.Packet]") -> Iterator[Gop]:
    """The groups that a stream's packets make, in decoding order; holds two at a time, of `_MOST_BYTES` each.

    Raises:
        GopDecodingError: A packet has no time, a group is too long to hold, or the stream changes on its way.
    """
    coded = stream.codec_context
    codec = coded.codec.canonical_name
    a_block = _QUIET_BYTES_A_BLOCK.get(codec, _QUIET_BYTES_A_BLOCK_ELSE)
    nothing = _QUIET_BYTES + a_block * coded.width * coded.height / 256
    for group, following in pairwise(chain(_runs(packets, codec), [None])):
        assert group is not None
        yield Gop(group, following, nothing)


def _runs(packets: "Iterable[av.Packet]", codec: str) -> "Iterator[list[av.Packet]]":
    """Packets in decoding order, from keyframe to keyframe."""
    held: list[av.Packet] = []
    size = 0
    told: bytes | None = None  # parameter sets, if they are among the packets
    for packet in packets:
        if packet.pts is None or packet.time_base is None or len(held) > _MOST_PACKETS or size > _MOST_BYTES:
            raise GopDecodingError
        if packet.has_sidedata("new_extradata"):
            raise GopDecodingError
        if packet.is_keyframe:
            now = _parameter_sets(packet, codec)
            told = now if told is None else told
            if now and now != told:
                raise GopDecodingError
        if packet.is_keyframe and held:
            if packet.pts <= held[0].pts:
                raise GopDecodingError
            yield held
            held, size = [], 0
        held.append(packet)
        size += packet.size
    if held:
        yield held


def _parameter_sets(packet: "av.Packet", codec: str) -> bytes:
    """The parameter sets that a packet brings along, as they are; empty: none, or the codec has no such thing."""
    if codec not in _TYPE_OF_UNIT:
        return b""
    found = []
    for unit in _units(memoryview(packet)):
        kind = _TYPE_OF_UNIT[codec](unit[0])
        if kind in _PICTURES[codec]:
            break
        if kind in _PARAMETER_SETS[codec]:
            found.append(bytes(unit).rstrip(b"\0"))
    return b"".join(found)


def _units(data: memoryview) -> Iterator[memoryview]:
    """The units of a packet, between start codes (Annex B of H.264) or after their lengths of four bytes (MP4)."""
    if bytes(data[:3]) == b"\0\0\1" or bytes(data[:4]) == b"\0\0\0\1":
        head = bytes(data[:_HEAD_BYTES])
        starts = [match.end() for match in re.finditer(b"\0\0\1", head)]
        yield from (data[a : b - 3] for a, b in pairwise([*starts, len(data) + 3]) if a < b - 3)
        return
    at = 0
    while at + 4 < len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        if length:
            yield data[at + 4 : at + 4 + length]
        at += 4 + length
