"""Groups of pictures: what the sizes of a group's packets tell of its pictures before anything is decoded.

A group is a keyframe with all that depends on it, up to the next. Packets that are next to empty show what was there
before; one that stands out may hold a cut, or a new slide beside a picture that moves.
"""

import bisect
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, groupby, pairwise
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import av

__all__ = ["GROUPING", "STANDING_SECONDS", "Group", "NotByGroupsError", "groups_of"]

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
_SPIKE = 4
# Packets come this many before or after their place on screen.
_REORDERED = 8
# What is held of a group at once; longer ones (screen recordings without keyframes) are decoded frame by frame.
_MOST_PACKETS = 1000
_MOST_BYTES = 64_000_000

# All that the choice of groups depends on.
GROUPING = (STANDING_SECONDS, _QUIET_BYTES, *_QUIET_BYTES_A_BLOCK.values(), _QUIET_BYTES_A_BLOCK_ELSE, _SPIKE)
GROUPING += (_REORDERED, _MOST_PACKETS, _MOST_BYTES)


class NotByGroupsError(Exception):
    """The stream's groups cannot be decoded by themselves."""


@dataclass(frozen=True)
class Group:
    """A keyframe's packet and all that depend on it, in decoding order; and the group after it."""

    packets: "list[av.Packet]"
    following: "list[av.Packet] | None"
    bytes_of_nothing: float  # of a packet in which nothing happens, at most

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

    @cached_property
    def is_quiet(self) -> bool:
        """Whether nothing happens before the next keyframe."""
        return self.following is not None and not self.lively

    @cached_property
    def lively(self) -> "list[av.Packet]":
        """Packets after the keyframe in which something happens."""
        return [packet for packet in self.packets[1:] if packet.size > self.bytes_of_nothing]

    @cached_property
    def may_stand(self) -> bool:
        """Whether nothing happens for long enough to be a slide."""
        runs = (sum(1 for _ in run) for quiet, run in groupby(s <= self.bytes_of_nothing for s in self.sizes) if quiet)
        return max(runs, default=0) * self.seconds / len(self.packets) >= STANDING_SECONDS

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
        after = self.reordered + 1.2 * STANDING_SECONDS / float(self.key.time_base)

        def is_near(time: int) -> bool:
            row = bisect.bisect_left(times, time - after)
            return row < len(times) and times[row] <= time + self.reordered

        return is_near


def groups_of(stream: "av.VideoStream", packets: "Iterable[av.Packet]") -> Iterator[Group]:
    """The groups that a stream's packets make, in decoding order; holds two at a time.

    Raises:
        NotByGroupsError: A packet has no time, or a group is too long to hold.
    """
    coded = stream.codec_context
    a_block = _QUIET_BYTES_A_BLOCK.get(coded.name, _QUIET_BYTES_A_BLOCK_ELSE)
    nothing = _QUIET_BYTES + a_block * coded.width * coded.height / 256
    for group, following in pairwise(chain(_runs(packets), [None])):
        assert group is not None
        yield Group(group, following, nothing)


def _runs(packets: "Iterable[av.Packet]") -> "Iterator[list[av.Packet]]":
    """Packets in decoding order, from keyframe to keyframe."""
    held: list[av.Packet] = []
    size = 0
    for packet in packets:
        if packet.pts is None or packet.time_base is None or len(held) > _MOST_PACKETS or size > _MOST_BYTES:
            raise NotByGroupsError
        if packet.is_keyframe and held:
            if packet.pts <= held[0].pts:
                raise NotByGroupsError
            yield held
            held, size = [], 0
        held.append(packet)
        size += packet.size
    if held:
        yield held
