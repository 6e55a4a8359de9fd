"""Opens media files with PyAV, reads their packets on one timeline, and decodes their streams in sequence.

It handles containers, packets and decoders. `tools.media.timeline` measures a file's timeline; `tools.media.pictures` makes
the picture that a player shows.
"""

import bisect
import itertools
import logging
import re
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import MediaError, SettingsError
from ..records import Timeline

if TYPE_CHECKING:
    import av
    from av.container import InputContainer

__all__ = [
    "decode",
    "decode_audio",
    "decode_packets",
    "decoders_of",
    "demux",
    "media_streams",
    "nvdec_error",
    "open_media",
    "packet_times",
    "packets_of",
    "reason",
    "subtitle_lines",
    "transparency_note",
    "video_stream_of",
]

# FFmpeg would open the files that a playlist names, draw text files as pictures, and read folders of numbered pictures.
# These formats are refused before FFmpeg opens the file.
_REFUSED_FORMATS = {"concat", "dash", "hls", "imf", "tty", "image2", "ffmetadata", "lavfi", "vapoursynth", "avisynth"}
_PLAYLIST_STARTS = (b"#EXTM3U", b"ffconcat", b"<?xml", b"<MPD", b"[playlist]")

# Errors when there is no driver, no GPU, or no decoder for the codec; FFmpeg's errors are subclasses of these.
_NVDEC_ERRORS = (OSError, ValueError, RuntimeError, NotImplementedError)

# After this many unreadable packets in a row, reading of the file ends.
_MOST_ERRORS = 1000

# Decoders allocate a frame before they read it: 16000×16000 takes 770 MB as RGB, and each thread holds one.
_MOST_PIXELS = 8192 * 8192

# FFmpeg's own decoders of VP8 and VP9 ignore transparency; libvpx decodes it from Matroska's block additions.
_DECODERS_OF_TRANSPARENT = {"vp8": "libvpx", "vp9": "libvpx-vp9"}

_log = logging.getLogger(__name__)


@contextmanager
def open_media(path: Path, *, on_gpu: bool = False) -> "Iterator[InputContainer]":
    """Open a media file for reading; NVDEC decodes its pictures if `on_gpu`.

    Raises:
        MediaError: The file does not exist, cannot be read, or is not video or audio.
        SettingsError: NVDEC cannot decode it, or is not available.
    """
    import av

    path = Path(path)
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise MediaError(f"{path} is a folder, not a media file")
        if not stat.S_ISREG(status.st_mode):
            raise MediaError(f"{path} is not a regular file (a pipe, a socket or a device): copy its content to a file")
        with path.open("rb") as file:
            if file.read(16).lstrip(b"\xef\xbb\xbf \r\n").startswith(_PLAYLIST_STARTS):
                raise MediaError(f"{path} is a playlist, not a video or audio file: index the files that it names")
        if status.st_size == 0:
            raise MediaError(f"{path} is empty (0 bytes): copy or download it again")
        # With the prefix `file:`, FFmpeg does not take `12:30.mp4` for protocol `12`. Other protocols are not allowed.
        formats = (
            ",".join(sorted(av.formats_available - _REFUSED_FORMATS)) if hasattr(av, "formats_available") else None
        )
        options = {"protocol_whitelist": "file", **({"format_whitelist": formats} if formats else {})}
        opening: dict[str, Any] = {"metadata_errors": "replace", "options": options}
        container = av.open(f"file:{path}", **opening)
        if on_gpu:
            with container:  # the file is readable, so a failure now comes from the decoder
                container = _opened_on_gpu(path, opening)
    except FileNotFoundError as error:
        raise MediaError(f"{path} does not exist: check the path") from error
    except PermissionError as error:
        raise MediaError(f"{path} may not be read: give yourself read permission (chmod u+r)") from error
    except (av.error.FFmpegError, OSError, ValueError, IndexError) as error:
        raise MediaError(
            f"{path} is not a readable video or audio file ({reason(error)}): it may be incomplete or of another "
            "type; copy it again, or convert it with `ffmpeg -i`"
        ) from error
    with container:
        yield container


def nvdec_error() -> str:
    """Why no NVIDIA GPU decodes video here; empty if one does."""
    import av

    try:
        av.CodecContext.create("h264", "r", hwaccel=_nvdec())
    except _NVDEC_ERRORS as error:
        return reason(error)
    return ""


def reason(error: Exception) -> str:
    """The error message of FFmpeg or of the operating system."""
    return getattr(error, "strerror", None) or str(error)


def media_streams(container: "InputContainer") -> "list[av.stream.Stream]":
    """The video and audio streams of a file, without cover pictures."""
    return [*_films(container), *container.streams.audio]


def video_stream_of(container: "InputContainer", path: Path, index: int | None) -> "av.VideoStream":
    """The video stream with this index; None for FFmpeg's best one.

    Raises:
        MediaError: There is no such stream.
    """
    films = _films(container)
    if index is None:
        best = container.streams.best("video")
        if not films:
            raise MediaError(f"{path} holds sound but no pictures")
        return best if best in films else films[0]
    for film in films:
        if film.index == index:
            return film
    have = ", ".join(str(film.index) for film in films) or "none"
    raise MediaError(f"{path} has no video stream with index {index}; it has: {have}")


def demux(
    container: "InputContainer", streams: "Sequence[av.stream.Stream]", timeline: Timeline | None = None
) -> "Iterator[av.Packet]":
    """Yield the packets of some streams from the container's position on, in file order.

    A packet that cannot be read is skipped. The packets end where the file ends or breaks off. The last packet of each stream
    is empty.

    Args:
        container: The file.
        streams: Streams of this file.
        timeline: If given, timestamps are shifted to this timeline.
    """
    import av

    move = _mover(timeline) if timeline is not None else None
    errors = 0
    packets = container.demux(*streams)
    while errors < _MOST_ERRORS:
        try:
            packet = next(packets, None)
        except av.error.EOFError:
            return
        except (av.error.FFmpegError, IndexError):  # IndexError: a stream that the header does not list
            errors += 1
            packets = container.demux(*streams)
            continue
        if packet is None:
            return
        errors = 0
        if move is not None:
            move(packet)
        yield packet
    _log.warning("reading of %s ends early: %d packets in a row are damaged", container.name, errors)


def decode(
    container: "InputContainer", stream: "av.VideoStream", timeline: Timeline | None = None, from_second: float = 0.0
) -> "Iterator[av.VideoFrame]":
    """Yield the frames of a stream from the container's position on, in presentation order.

    Skips frames without a timestamp, frames that are not later than the frame before, and packets that cannot be decoded.
    The frames end where the file breaks off.

    Args:
        container: The file.
        stream: A video stream of this file.
        timeline: If given, the frames' times are seconds of this timeline.
        from_second: Decoding begins at the last keyframe at or before this second; earlier packets are read only.

    Raises:
        MediaError: No frame can be decoded, or the frames are too large.
    """
    path = _checked_codec(container, stream)
    decoder = _decoder_of(stream)
    if not decoder.is_open:
        decoder.thread_type = "AUTO"
    packets = demux(container, [stream], timeline)
    if from_second > 0:
        packets = _from_keyframe(packets, from_second)
    last = -np.inf
    for frame in _frames_of(decoder, packets):
        if frame.time is not None and frame.time > last:
            last = frame.time
            yield frame
    if last == -np.inf:
        raise MediaError(
            f"{path}: no frame with a timestamp can be decoded from its {stream.codec_context.name} stream; "
            f"a raw stream needs a container: `ffmpeg -i {Path(path).name} {Path(path).stem}.mkv`"
        )


def packets_of(container: "InputContainer", stream: "av.VideoStream", timeline: Timeline) -> "Iterator[av.Packet]":
    """Return a stream's packets in decoding order, with times on the timeline, up to where the file breaks off.

    Raises:
        MediaError: The codec is unknown, or frames are too large.
    """
    _checked_codec(container, stream)
    return (packet for packet in demux(container, [stream], timeline) if packet.size)


def decoders_of(container: "InputContainer", stream: "av.VideoStream", count: int) -> "list[av.VideoCodecContext]":
    """Return decoders for the packets of a stream, one for each thread; the first is the stream's own.

    Each decoder has one thread: two decoders with one thread each are as fast as one decoder with three threads, which wait
    for each other. They are opened here, because an AV1 decoder ignores `skip_frame` once it is open.
    """
    import av

    decoders = [_decoder_of(stream)]
    while len(decoders) < count:
        with open_media(Path(_checked_codec(container, stream))) as again:
            decoders.append(_decoder_of(again.streams.video[container.streams.video.index(stream)]))
    for decoder in decoders:
        decoder.thread_count = 1
        with suppress(av.error.FFmpegError):  # decoding fails as well, and is reported there
            decoder.open(strict=False)
    return decoders


def decode_packets(
    decoder: "av.VideoCodecContext",
    packets: "Iterable[av.Packet]",
    is_wanted: "Callable[[av.Packet], bool]" = lambda _: True,
) -> "Iterator[av.VideoFrame]":
    """Yield the frames of some packets, in presentation order; a packet that cannot be decoded is skipped.

    Args:
        decoder: A decoder of the packets' stream.
        packets: In decoding order, starting at a keyframe.
        is_wanted: Whether a packet must be decoded although no other packet refers to it; in AV1 all packets are decoded.
    """
    if decoder.is_open:
        decoder.flush_buffers()
    time_base = None
    for packet in itertools.chain(packets, [None]):
        if packet is not None:
            time_base = packet.time_base
            decoder.skip_frame = "DEFAULT" if is_wanted(packet) else "NONREF"
        for frame in decoded(decoder, packet) or ():
            frame.time_base = time_base  # PyAV does not set it for the last frames
            yield frame


def packet_times(path: Path, index: int, timeline: Timeline) -> list[float]:
    """The presentation times of a stream's packets, sorted, in seconds of the timeline. Nothing is decoded."""
    with open_media(path) as container:
        return sorted(
            float(packet.pts * packet.time_base)
            for packet in demux(container, [container.streams[index]], timeline)
            if packet.pts is not None and packet.time_base is not None and not packet.is_discard
        )


def decode_audio(
    container: "InputContainer", index: int, timeline: Timeline
) -> "Iterator[tuple[float | None, av.AudioFrame]]":
    """Yield the frames of an audio stream, each with its second on the timeline, or None without a timestamp."""
    stream = container.streams[index]
    for frame in _frames_of(stream.codec_context, demux(container, [stream], timeline)):
        yield frame.time, frame


def subtitle_lines(stream: "av.subtitles.stream.SubtitleStream", packet: "av.Packet") -> list[str]:
    """The lines of text of a subtitle packet; an empty list if it is damaged, or holds no text."""
    import av

    try:
        texts = [bytes(one.dialogue or b"") for one in stream.decode(packet)] if packet.size else []
    except (av.error.FFmpegError, AttributeError, IndexError, ValueError):
        return []
    return [line for text in texts for line in re.split(r"\\[Nn]|\r?\n", text.decode("utf-8", errors="replace"))]


def decoded(decoder: "av.CodecContext", packet: "av.Packet | None") -> "list[Any] | None":
    """The frames that a packet completes; an empty list if it is damaged; None at the end of the stream."""
    import av

    try:
        return decoder.decode(packet)
    except av.error.EOFError:
        return None
    except (av.error.FFmpegError, IndexError):
        return []


def _films(container: "InputContainer") -> "list[av.VideoStream]":
    import av

    covers = av.stream.Disposition.attached_pic  # a music file's cover is not a video
    return [stream for stream in container.streams.video if not stream.disposition & covers]


def _nvdec() -> Any:
    from av.codec.hwaccel import HWAccel

    return HWAccel("cuda", allow_software_fallback=False)


def _opened_on_gpu(path: Path, opening: dict[str, Any]) -> "InputContainer":
    import av

    try:
        return av.open(f"file:{path}", hwaccel=_nvdec(), **opening)
    except _NVDEC_ERRORS as error:
        raise SettingsError(
            f"decoder='nvdec' does not decode {path} ({reason(error)}): it needs an NVIDIA GPU with its driver, and a "
            "codec that the GPU decodes; set decoder to pyav"
        ) from error


def _mover(timeline: Timeline) -> "Callable[[av.Packet], None]":
    """Return a function that shifts a packet's timestamps to the timeline."""
    # For each stream, where each shift begins: (byte, packets at that byte that are before the shift).
    places: dict[int, list[tuple[int, int]]] = {}
    shifts: dict[int, list[float]] = {}
    for joint in timeline.joints:
        for stream, position in joint.positions.items():
            places.setdefault(stream, []).append((position, joint.before.get(stream, 0)))
            shifts.setdefault(stream, []).append(joint.shift)
    last: dict[int, tuple[int, int]] = {}  # the byte of a stream's last packet, and its number at that byte

    def move(packet: "av.Packet") -> None:
        if packet.time_base is None:
            return
        stream = packet.stream_index
        before, number = last.get(stream, (-1, -1))
        position = packet.pos if packet.pos is not None and packet.pos >= 0 else before
        last[stream] = position, number + 1 if position == before else 0
        row = bisect.bisect_right(places.get(stream, ()), last[stream])
        shift = shifts[stream][row - 1] if row else -timeline.zero
        ticks = round(shift / packet.time_base)
        if ticks and packet.pts is not None:
            packet.pts += ticks
        if ticks and packet.dts is not None:
            packet.dts += ticks

    return move


def _from_keyframe(packets: "Iterable[av.Packet]", second: float) -> "Iterator[av.Packet]":
    """Yield packets from the last keyframe at or before a second; skip the earlier ones."""
    held: list[av.Packet] = []
    each = iter(packets)
    for packet in each:
        at = None if packet.pts is None or packet.time_base is None else float(packet.pts * packet.time_base)
        if packet.is_keyframe and at is not None and at <= second:
            held = []
        held.append(packet)
        if at is not None and at > second and packet.is_keyframe:
            break
    yield from held
    yield from each


def _checked_codec(container: "InputContainer", stream: "av.VideoStream") -> str:
    """Check that the codec is known and the frames are not too large; return the file's path, for messages."""
    path = container.name.removeprefix("file:")
    context = stream.codec_context
    if context is None:
        raise MediaError(f"{path}: the codec of its stream {stream.index} is unknown to FFmpeg")
    if context.width * context.height > _MOST_PIXELS:
        raise MediaError(
            f"{path}: its frames have {context.width}×{context.height} pixels, at most {_MOST_PIXELS:,} are decoded: "
            "make it smaller with `ffmpeg -i … -vf scale=3840:-2`"
        )
    return path


def _is_transparent(stream: "av.VideoStream") -> bool:
    """Whether the container says that the pictures of the stream are transparent (WebM's `AlphaMode`)."""
    return any(name.casefold() == "alpha_mode" and value == "1" for name, value in stream.metadata.items())


def transparency_note(stream: "av.VideoStream") -> str:
    """A note for the user if a transparent stream is decoded without its transparency; else empty."""
    if not _is_transparent(stream) or _decoder_of(stream) is not stream.codec_context:
        return ""
    return f"stream {stream.index} is decoded without its transparency: this FFmpeg has no libvpx decoder for it"


def _decoder_of(stream: "av.VideoStream") -> "av.VideoCodecContext":
    """The decoder of a stream: its own, or one that also decodes transparency."""
    import av

    own = stream.codec_context
    name = _DECODERS_OF_TRANSPARENT.get(own.codec.canonical_name) if _is_transparent(stream) else None
    if name is None:
        return own
    try:
        return av.VideoCodecContext.create(name, "r")
    except av.codec.codec.UnknownCodecError:
        return own


def _frames_of(decoder: "av.CodecContext", packets: "Iterable[av.Packet]") -> "Iterator[Any]":
    """The frames of a stream's packets; damaged packets are skipped."""
    time_base = None
    for packet in packets:
        time_base = packet.time_base or time_base
        frames = decoded(decoder, packet)
        if frames is None:
            return
        for frame in frames:
            if frame.time_base is None:
                frame.time_base = time_base
            yield frame
