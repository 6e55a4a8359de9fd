"""Copies pictures and sound of a stretch into a fragmented MP4 that a browser can append, without re-encoding the pictures.

Only what current browsers play is copied: H.264 of 8 bits in 4:2:0, and AAC. Other sound is re-encoded. Where copying is
not possible, nothing is written, and the caller re-encodes (`clips.write_clip`).

Decoding timestamps are made from the presentation times: Matroska and AVI hold none that can be used.
"""

import heapq
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from ..errors import MediaError
from ..records import Span, Timeline
from .clips import STREAMED, ClipStyle, SoundEncoder, sounds_between
from .container import demux, open_media, video_stream_of
from .timeline import timeline_of

if TYPE_CHECKING:
    import av
    from av.container import InputContainer, OutputContainer

__all__ = ["Copied", "codec_string", "copy_piece"]

# A piece begins at a keyframe and ends before one. Longer ones are not copied: the browser would wait, and memory fills.
_MOST_SECONDS, _MOST_BYTES = 30.0, 32_000_000
# Sound may be stored up to this much after the pictures that it belongs to.
_INTERLEAVED_SECONDS = 2.0
# A wanted second may lie this much before the keyframe that it means: times are rounded.
_TOLERANCE = 0.005
# Some demuxers find a place after the wanted one: then the search begins earlier.
_SEEK_BACK = (0.0, 5.0, 15.0)
_FORMATS = ("yuv420p", "yuvj420p")


@dataclass(frozen=True)
class Copied:
    """A piece of a video.

    Attributes:
        start: Second of the video at which the piece's clock is 0; below 0 where pictures are stored in another order
            than shown.
        end: Second of the video at which the next piece begins.
    """

    start: float
    end: float


@dataclass(frozen=True)
class _Gathered:
    """The packets of a piece: pictures from a keyframe on, up to the one at `end`; sound before `end`."""

    pictures: "list[av.Packet]"
    sound: "list[av.Packet]"
    end: float


def codec_string(source: Path) -> str | None:
    """Return the `avc1.PPCCLL` of a file's pictures (RFC 6381); None: they cannot be copied.

    Raises:
        MediaError: The file cannot be read.
    """
    with open_media(source) as container:
        pictures = video_stream_of(container, source, None)
        if not _is_playable(pictures) or timeline_of(source).joints:
            return None
        data = bytes(pictures.codec_context.extradata or b"")
    if data[:1] == b"\x01":  # avcC, ISO 14496-15
        profile = data[1:4]
    else:
        start = data.find(b"\x00\x00\x01\x67")  # a sequence parameter set in a byte stream
        profile = data[start + 4 : start + 7] if start >= 0 else b""
    return f"avc1.{profile.hex()}" if len(profile) == 3 else None


def copy_piece(source: Path, span: Span, out: BinaryIO) -> Copied | None:
    """Copy a piece: from the keyframe at or before a span's start to the one at or after its end.

    Args:
        source: The video.
        span: The stretch in seconds.
        out: An open file.

    Returns:
        What was copied; None if nothing can be: then nothing is written.

    Raises:
        MediaError: The source cannot be read.
    """
    import av

    timeline = timeline_of(source)
    if timeline.joints:
        return None
    with open_media(source) as container:
        pictures = video_stream_of(container, source, None)
        sound = container.streams.best("audio")
        if not _is_playable(pictures):
            return None
        gathered = _gathered(container, pictures, sound, span, timeline)
        base = _set_decoding_times(gathered.pictures) if gathered else None
        if gathered is None or base is None:
            return None
        start = float(base * pictures.time_base)
        try:
            with av.open(out, "w", format="mp4", options=STREAMED) as written:
                streams = {pictures.index: written.add_stream_from_template(pictures)}
                items: Iterable[tuple[float, int, Any]] = _timed(gathered.pictures)
                encoder = None
                if sound is not None and _is_copied(sound):
                    streams[sound.index] = written.add_stream_from_template(sound)
                    # The muxer lets each stream begin at 0: sound is taken from there on, not from the first picture on.
                    sounds = (packet for packet in gathered.sound if (_seconds(packet) or 0.0) >= start)
                    items = heapq.merge(items, _timed(sounds), key=lambda item: item[0])
                elif sound is not None:
                    encoder = SoundEncoder(written, start, ClipStyle(speed="fast", is_streamed=True))
                    whole = Span(start=max(0.0, start), end=gathered.end)
                    spoken = ((seconds, -1, samples) for seconds, samples in sounds_between(source, whole))
                    items = heapq.merge(items, spoken, key=lambda item: item[0])
                _write(items, written, streams, start, encoder)
        except (av.error.FFmpegError, ValueError) as error:
            raise MediaError(f"{source} cannot be copied for playback ({error})") from error
    return Copied(start=start, end=gathered.end)


def _is_playable(pictures: "av.VideoStream") -> bool:
    return pictures.codec_context.name == "h264" and pictures.codec_context.pix_fmt in _FORMATS


def _is_copied(sound: Any) -> bool:
    """Whether sound is AAC that an MP4 takes as it is; in MPEG-TS each packet has a header, and no stream has one."""
    return sound.codec_context.name == "aac" and bool(sound.codec_context.extradata)


def _gathered(
    container: "InputContainer", pictures: "av.VideoStream", sound: Any, span: Span, timeline: Timeline
) -> _Gathered | None:
    import av

    for back in _SEEK_BACK:
        target = max(0.0, span.start - back)
        try:
            if span.start > 0:  # else the container was opened at its start
                container.seek(round((target + timeline.zero) / (pictures.time_base or 1)), stream=pictures)
        except av.error.FFmpegError:
            return None
        streams = [pictures, *([sound] if sound is not None else [])]
        found = _read(demux(container, streams, timeline), pictures.index, span, from_start=target == 0)
        if found is not None or target == 0:
            return found
    return None


def _read(packets: "Iterator[av.Packet]", index: int, span: Span, *, from_start: bool) -> _Gathered | None:
    """The packets of a piece; None: no keyframe lies at or before its start, or it is too large to be copied.

    From the start of the file, the first keyframe may lie after the piece's start.
    """
    held: list[av.Packet] = []
    sounds: list[av.Packet] = []
    end, size = None, 0
    for packet in packets:
        seconds = _seconds(packet)
        if seconds is None:
            if held and packet.size and packet.stream_index == index:
                return None  # without presentation times nothing can be put in its place
            continue
        if packet.stream_index != index:
            sounds.append(packet)
            if end is not None and seconds >= end:
                break
            continue
        if packet.is_keyframe and (seconds <= span.start + _TOLERANCE or (from_start and not held)):
            held, size = [], 0
        elif packet.is_keyframe and end is None and held and seconds >= span.end - _TOLERANCE:
            end = seconds
        elif not held:
            if seconds > span.start + _TOLERANCE and not from_start:
                return None
            continue
        if end is not None:
            if seconds - end > _INTERLEAVED_SECONDS or not sounds:
                break
            continue
        held.append(packet)
        size += packet.size
        if size > _MOST_BYTES or seconds - (_seconds(held[0]) or 0.0) > _MOST_SECONDS:
            return None
    if not held:
        return None
    first = _seconds(held[0]) or 0.0
    if any((_seconds(packet) or 0.0) < first for packet in held):
        return None  # an open GOP: its first pictures need those before the keyframe
    if end is None:  # the end of the file
        end = max((_seconds(packet) or 0.0) + float((packet.duration or 0) * packet.time_base) for packet in held)
    return _Gathered(held, [one for one in sounds if (_seconds(one) or 0.0) < end], end)


def _set_decoding_times(packets: "Sequence[av.Packet]") -> int | None:
    """Give packets in decoding order their decoding times, and return the first; None: two have the same time.

    Decoding times are the presentation times in order, moved so that none is later than its packet's presentation.
    """
    shown = [packet.pts for packet in packets if packet.pts is not None]
    ordered = sorted(set(shown))
    if len(ordered) < len(packets):
        return None
    early = max(at - pts for at, pts in zip(ordered, shown, strict=True))
    for packet, at in zip(packets, ordered, strict=True):
        packet.dts = at - early
    return ordered[0] - early


def _timed(packets: "Iterable[av.Packet]") -> "Iterator[tuple[float, int, av.Packet]]":
    for packet in packets:
        at = packet.dts if packet.dts is not None else packet.pts
        assert at is not None
        yield float(at * packet.time_base), packet.stream_index, packet


def _write(
    items: Iterable[tuple[float, int, Any]],
    written: "OutputContainer",
    streams: dict[int, Any],
    start: float,
    encoder: SoundEncoder | None,
) -> None:
    for seconds, index, item in items:
        if encoder is not None and index < 0:
            encoder.add(seconds, item)
            continue
        ticks = round(start / item.time_base)
        item.pts -= ticks
        item.dts = item.pts if item.dts is None else item.dts - ticks
        item.stream = streams[index]
        written.mux(item)
    if encoder is not None:
        encoder.finish()


def _seconds(packet: "av.Packet") -> float | None:
    if packet.pts is None or packet.time_base is None:
        return None
    return float(packet.pts * packet.time_base)
