"""Groups of pictures (GOPs): finds static and changing parts by the sizes of packets, before anything is decoded.

A GOP is a keyframe and all packets that depend on it, up to the next keyframe. A nearly empty packet repeats the
picture before it. An unusually large packet may hold a cut, or a new slide next to a moving picture. Where an encoder
pads all packets to the same size, the sizes carry no information.
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

# A picture is static once it was unchanged for this long.
STATIC_SECONDS = 0.25
# A frame that shows the same as the one before takes 10 to 20 bytes and 0.02 for each block of 16×16 pixels (H.264,
# H.265, VP9), or 0.13 to 0.3 (MPEG-2, MPEG-4, VP8, which store one flag for each unchanged block); a line of text 18 pixels
# high that appears in 720p takes 1200 and more, or 2700.
_STATIC_BYTES = 60
_STATIC_BYTES_A_BLOCK = {"h264": 0.03, "hevc": 0.03, "vp9": 0.03, "av1": 0.03}
_STATIC_BYTES_A_BLOCK_ELSE = 0.3
# Sizes relative to the median packet of a static slide: a packet with one edited character of 14 to 72 pixels has 2.3
# times and more (at least 136 bytes in 720p, 241 in 1080p); 90 % of the other packets have at most 1.7 times (x264, crf
# 18 to 33, 96 edits).
_USUAL_RATIO = 1.5
# A packet with a cut, or with a new slide next to a moving picture, is larger than this many times the 90th percentile.
# x264 at crf 23: film without a cut reaches 3.8 times, a cut that is not a keyframe 13 times and more.
_SPIKE = 4
# Decoding order differs from presentation order by this many packets at most.
_REORDERED = 8
# Limits of a GOP in memory. Longer ones (screen recordings without keyframes) are decoded frame by frame.
_MOST_PACKETS = 1000
_MOST_BYTES = 32_000_000
# A GOP is padded if this share of its packets has exactly the same size.
_PADDED_SHARE = 0.2
# Parameter sets lie within the first bytes of a packet, if it holds them.
_HEAD_BYTES = 4096
# Network abstraction layer units, by codec: the unit type in the first byte, the types of parameter sets, and the types of
# pictures. Only units before a packet's picture are read.
_TYPE_OF_UNIT: dict[str, Callable[[int], int]] = {"h264": lambda byte: byte & 31, "hevc": lambda byte: byte >> 1 & 63}
_PARAMETER_SETS = {"h264": {7, 8}, "hevc": {32, 33, 34}}
_PICTURES = {"h264": range(1, 6), "hevc": range(32)}

# Everything that the classification of GOPs depends on.
GOP_PARAMETERS: tuple[float | str, ...] = (STATIC_SECONDS, _STATIC_BYTES, *_STATIC_BYTES_A_BLOCK)
GOP_PARAMETERS += (
    *_STATIC_BYTES_A_BLOCK.values(),
    _STATIC_BYTES_A_BLOCK_ELSE,
    _USUAL_RATIO,
    _SPIKE,
    _REORDERED,
    _MOST_PACKETS,
    _MOST_BYTES,
    _PADDED_SHARE,
)


class GopDecodingError(Exception):
    """The GOPs of the stream cannot be decoded independently."""


@dataclass(frozen=True)
class Gop:
    """A keyframe's packet and all packets that depend on it, in decoding order; and the packets of the next GOP."""

    packets: "list[av.Packet]"
    following: "list[av.Packet] | None"
    most_static_bytes: float  # the largest possible size of a packet without visible change

    @property
    def key(self) -> "av.Packet":
        return self.packets[0]

    @property
    def start(self) -> float:
        """The second of its keyframe, in the container's clock."""
        return float(self.key.pts * self.key.time_base)

    @cached_property
    def seconds(self) -> float:
        """Seconds from its keyframe to the next keyframe; infinite for the last GOP."""
        return float((self.end - self.key.pts) * self.key.time_base)

    @cached_property
    def sizes(self) -> list[int]:
        """Bytes of each packet except the keyframe."""
        return [packet.size for packet in self.packets[1:]]

    @cached_property
    def is_static(self) -> bool:
        """Whether no packet shows a change before the next keyframe."""
        return self.following is not None and not self.active

    @cached_property
    def active(self) -> "list[av.Packet]":
        """Packets after the keyframe that hold a change."""
        return [packet for packet in self.packets[1:] if packet.size > self.static_bytes]

    @cached_property
    def static_bytes(self) -> float:
        """Largest size of a packet without change. Where most packets are tiny, a little more than their median size."""
        usual = _USUAL_RATIO * float(np.median(self.sizes)) if self.sizes else 0.0
        return min(self.most_static_bytes, max(self.most_static_bytes / 2, usual))

    @cached_property
    def is_padded(self) -> bool:
        """Whether the encoder padded the packets, so that their sizes carry no information."""
        (size, count), *_ = Counter(self.sizes).most_common(1) or [(0, 0)]
        return size > self.most_static_bytes and count >= max(2, _PADDED_SHARE * len(self.sizes))

    @cached_property
    def may_hold_static(self) -> bool:
        """Whether the picture may be unchanged for `STATIC_SECONDS` inside this GOP, by the sizes of its packets."""
        return self.is_padded or max(self._static_seconds) >= STATIC_SECONDS

    @cached_property
    def tail(self) -> "list[av.Packet]":
        """The packets of its last `STATIC_SECONDS`: together with the next GOP they may be static."""
        assert self.following is not None
        from_here = self.following[0].pts - STATIC_SECONDS / float(self.key.time_base)
        return [packet for packet in self.packets if packet.pts >= from_here]

    @cached_property
    def shown(self) -> "list[av.Packet]":
        """Its packets, and those needed to decode the frames stored after the next keyframe but shown before it."""
        leading = [packet for packet in self.following or () if packet.pts < self.end]
        return [*self.packets, self.following[0], *leading] if self.following and leading else self.packets

    @property
    def end(self) -> float:
        """The next keyframe's timestamp; infinite for the last GOP."""
        return self.following[0].pts if self.following else math.inf

    @cached_property
    def precedes_static(self) -> bool:
        """Whether the next GOP may be static."""
        if self.following is None:
            return False
        after = Gop(self.following, None, self.most_static_bytes)
        return not after.active or after.may_hold_static

    @cached_property
    def _static_seconds(self) -> list[float]:
        """Seconds without change after the keyframe and after each active packet."""
        times = [packet.pts for packet in self.packets]
        end = self.end if self.following else max(times) + (max(times) - min(times)) / len(times)
        active = sorted([self.key.pts, *(packet.pts for packet in self.active), max(end, *times)])
        return [float((after - before) * self.key.time_base) for before, after in pairwise(active)]

    @cached_property
    def spikes(self) -> "list[av.Packet]":
        """Packets after the keyframe that are unusually large."""
        if not self.sizes:
            return []
        much = _SPIKE * max(self.most_static_bytes, float(np.percentile(self.sizes, 90)))
        return [packet for packet in self.packets[1:] if packet.size > much]

    @cached_property
    def reordered(self) -> float:
        """How far decoding order may differ from presentation order, in units of the stream's time base."""
        times = [packet.pts for packet in self.packets]
        return _REORDERED * max(1.0, (max(times) - min(times)) / len(times))

    def near(self, packets: "Iterable[av.Packet]") -> Callable[[int], bool]:
        """Return a test: is a timestamp close enough to one of the packets to show its change and the static time after it?"""
        times = sorted(packet.pts for packet in packets)
        after = self.reordered + 1.2 * STATIC_SECONDS / float(self.key.time_base)

        def is_near(time: int) -> bool:
            row = bisect.bisect_left(times, time - after)
            return row < len(times) and times[row] <= time + self.reordered

        return is_near


def gops_of(stream: "av.VideoStream", packets: "Iterable[av.Packet]") -> Iterator[Gop]:
    """Yield the GOPs of a stream's packets, in decoding order. Two are in memory at a time, of `_MOST_BYTES` each.

    Raises:
        GopDecodingError: A packet has no time, a GOP is too long, or the stream's parameters change.
    """
    coded = stream.codec_context
    codec = coded.codec.canonical_name
    a_block = _STATIC_BYTES_A_BLOCK.get(codec, _STATIC_BYTES_A_BLOCK_ELSE)
    most_static = _STATIC_BYTES + a_block * coded.width * coded.height / 256
    for group, following in pairwise(chain(_runs(packets, codec), [None])):
        assert group is not None
        yield Gop(group, following, most_static)


def _runs(packets: "Iterable[av.Packet]", codec: str) -> "Iterator[list[av.Packet]]":
    """Packets in decoding order, from keyframe to keyframe."""
    held: list[av.Packet] = []
    size = 0
    parameters: bytes | None = None  # parameter sets, if the packets hold them
    for packet in packets:
        if packet.pts is None or packet.time_base is None or len(held) > _MOST_PACKETS or size > _MOST_BYTES:
            raise GopDecodingError
        if packet.has_sidedata("new_extradata"):
            raise GopDecodingError
        if packet.is_keyframe:
            now = _parameter_sets(packet, codec)
            parameters = now if parameters is None else parameters
            if now and now != parameters:
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
    """The bytes of a packet's parameter sets; empty if it has none, or if the codec has none."""
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
