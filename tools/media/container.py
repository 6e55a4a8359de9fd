"""The one owner of PyAV: opens media files, tells what is in them, decodes their streams in sequence.

Knows the container's clock (presentation timestamps) and nothing of frames that somebody wants.
"""

import itertools
import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..errors import MediaError, SettingsError
from ..records import Pixels, SoundStream, VideoInfo, VideoStream

if TYPE_CHECKING:
    import av
    from av.container import InputContainer

__all__ = [
    "THUMBNAIL_SIZE",
    "decode",
    "decode_packets",
    "decode_sound",
    "decoders_of",
    "measured_duration",
    "nvdec_complaint",
    "open_media",
    "packet_times",
    "packets_of",
    "pictures_of",
    "pixels_of",
    "probe",
    "stream_start",
    "thumbnail_of",
]

THUMBNAIL_SIZE = (64, 36)

# FFmpeg would follow a playlist to other files, and draws text files as pictures.
_NO_FOOTAGE = {"concat", "dash", "hls", "tty"}

# FFmpeg's errors are among them: where there is no driver, no GPU, or no such decoder on its chip.
_NVDEC_ERRORS = (OSError, ValueError, RuntimeError, NotImplementedError)

# Else the channels' sum times 0.7: speech on both sides would be 1.4 times full scale.
_AVERAGE = {"rematrix_maxval": "1.0"}

# Each thread's own scaler: to make one for each frame takes ten times as long as to scale the frame.
_own = threading.local()

_log = logging.getLogger(__name__)


@contextmanager
def open_media(path: Path, *, on_gpu: bool = False) -> "Iterator[InputContainer]":
    """Open a media file for reading; its pictures are decoded by NVDEC if `on_gpu`.

    Raises:
        MediaError: There is no such file, it may not be read, or it is no video or sound.
        SettingsError: NVDEC does not decode it, or is not here.
    """
    import av

    path = Path(path)
    try:
        if path.is_dir():
            raise MediaError(f"{path} is a folder, not a media file")
        if path.stat().st_size == 0:
            raise MediaError(f"{path} is empty (0 bytes): copy or download it again")
        # Named as a file, `12:30.mp4` is no protocol `12`; nothing inside may lead to the network.
        opening: dict[str, Any] = {"metadata_errors": "replace", "options": {"protocol_whitelist": "file"}}
        container = av.open(f"file:{path}", **opening)
        if on_gpu:
            with container:  # it can be opened at all: what fails now is the decoder
                container = _opened_on_gpu(path, opening)
    except FileNotFoundError as error:
        raise MediaError(f"{path} does not exist: check the path") from error
    except PermissionError as error:
        raise MediaError(f"{path} may not be read: give yourself read permission (chmod u+r)") from error
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise MediaError(
            f"{path} is not a readable video or sound file ({_reason(error)}): it may be cut off or of another "
            "type; copy it again, or convert it with `ffmpeg -i`"
        ) from error
    with container:
        if container.format.name in _NO_FOOTAGE:
            raise MediaError(f"{path} is a playlist or a text ({container.format.name}), not a video or sound file")
        yield container


def nvdec_complaint() -> str:
    """Why no NVIDIA GPU decodes pictures here; empty: one does."""
    import av

    try:
        av.CodecContext.create("h264", "r", hwaccel=_nvdec())
    except _NVDEC_ERRORS as error:
        return _reason(error)
    return ""


def _nvdec() -> Any:
    from av.codec.hwaccel import HWAccel

    return HWAccel("cuda", allow_software_fallback=False)


def _opened_on_gpu(path: Path, opening: dict[str, Any]) -> "InputContainer":
    import av

    try:
        return av.open(f"file:{path}", hwaccel=_nvdec(), **opening)
    except _NVDEC_ERRORS as error:
        raise SettingsError(
            f"decoder='nvdec' does not decode {path} ({_reason(error)}): it needs an NVIDIA GPU with its driver, and a "
            "codec that its chip knows; set decoder to pyav"
        ) from error


def probe(path: Path, stream: int | None = None) -> VideoInfo:
    """What a media file contains; decodes one frame to know how it is shown.

    Args:
        path: The file.
        stream: Index of the stream of pictures; None for FFmpeg's best one.

    Raises:
        MediaError: The file cannot be read, or holds neither pictures nor sound.
    """
    path = Path(path)
    with open_media(path) as container:
        pictures = _find_pictures(container, path, stream)
        sound = container.streams.best("audio")
        if sound is not None and sound.codec_context is None:
            _log.warning("%s: its sound is left out, its codec is unknown to FFmpeg", path)
            sound = None
        if pictures is None and sound is None:
            raise MediaError(f"{path} holds neither pictures nor sound that can be decoded")
        video = heard = None
        try:
            video = _seen(container, pictures) if pictures is not None else None
        except MediaError as error:
            if sound is None or stream is not None:
                raise
            _log.warning("%s; only its sound is used", error)
        if sound is not None:
            heard = SoundStream(index=sound.index, codec=sound.codec_context.name, start=stream_start(sound))
        zero = video.start if video else stream_start(sound)
        return VideoInfo(
            path=path,
            format=container.format.name,
            duration=_header_duration(container, zero) or measured_duration(path, zero),
            video=video,
            sound=heard,
        )


def pictures_of(container: "InputContainer", path: Path, index: int | None) -> "av.VideoStream":
    """The stream of pictures with this index; None for FFmpeg's best one.

    Raises:
        MediaError: There is none.
    """
    pictures = _find_pictures(container, path, index)
    if pictures is None:
        raise MediaError(f"{path} holds sound but no pictures")
    return pictures


def measured_duration(path: Path, zero: float | None = None) -> float:
    """Seconds from `zero` of the container's clock (None: the first packet) to the last packet's end.

    Reads the whole file, up to where it breaks off, and decodes nothing.
    """
    import av

    first, last = np.inf, -np.inf
    with open_media(path) as container:
        try:
            for packet in container.demux():
                if packet.pts is not None and packet.time_base is not None:
                    first = min(first, float(packet.pts * packet.time_base))
                    last = max(last, float((packet.pts + (packet.duration or 0)) * packet.time_base))
        except av.error.FFmpegError as error:
            _log.warning("%s breaks off after %.1f s (%s)", path, max(last, 0.0), _reason(error))
    return max(0.0, last - (first if zero is None else zero))


def stream_start(stream: "av.stream.Stream", first: "av.VideoFrame | None" = None) -> float:
    """The stream's zero in seconds: its first timestamp by the header, or its first frame's if that is earlier."""
    known = [] if first is None else [first.time]
    if stream.start_time is not None and stream.time_base is not None:
        known.append(float(stream.start_time * stream.time_base))
    return min(known, default=0.0)


def decode(container: "InputContainer", stream: "av.VideoStream") -> "Iterator[av.VideoFrame]":
    """All frames of a stream from the container's position on, in presentation order.

    Frames without a timestamp, or that do not lie after the one before, are left out: no time is
    made up for them. A packet that cannot be decoded is skipped; where the file breaks off, it ends.

    Raises:
        MediaError: No frame comes.
    """
    path = _checked_codec(container, stream)
    if not stream.codec_context.is_open:
        stream.thread_type = "AUTO"
    last = -np.inf
    for frame in _frames_of(container, stream):
        if frame.time is not None and frame.time > last:
            last = frame.time
            yield frame
    if last == -np.inf:
        raise MediaError(
            f"{path}: no frame with a time of its own can be decoded from its {stream.codec_context.name} stream; "
            f"a raw stream needs a container: `ffmpeg -i {Path(path).name} {Path(path).stem}.mkv`"
        )


def packets_of(container: "InputContainer", stream: "av.VideoStream") -> "Iterator[av.Packet]":
    """A stream's packets from the container's position on, in decoding order; where the file breaks off, they end.

    Raises:
        MediaError: The codec is unknown.
    """
    _checked_codec(container, stream)
    return (packet for packet in _demuxed(container, stream) if packet.size)


def decoders_of(container: "InputContainer", stream: "av.VideoStream", count: int) -> "list[av.VideoCodecContext]":
    """Decoders for packets of a stream, for a thread each; the first is the stream's own.

    Each has one thread: two decode as much as three threads of one decoder do, which wait for each other's rows. They are
    opened here: what a decoder of AV1 is to leave out is settled by then, and it leaves out nothing.
    """
    import av

    decoders = [stream.codec_context]
    while len(decoders) < count:
        with open_media(Path(_checked_codec(container, stream))) as again:
            decoders.append(again.streams.video[container.streams.video.index(stream)].codec_context)
    for decoder in decoders:
        decoder.thread_count = 1
        with suppress(av.error.FFmpegError):  # to decode fails as well, and is told there
            decoder.open(strict=False)
    return decoders


def decode_packets(
    decoder: "av.VideoCodecContext",
    packets: "Iterable[av.Packet]",
    is_wanted: "Callable[[av.Packet], bool]" = lambda _: True,
) -> "Iterator[av.VideoFrame]":
    """What some packets decode to by themselves, in presentation order; a packet that cannot be decoded is skipped.

    Args:
        decoder: Of the stream where the packets are from.
        packets: In decoding order, from a keyframe on.
        is_wanted: Whether a packet must be decoded though no other refers to it; of AV1 all are.
    """
    if decoder.is_open:
        decoder.flush_buffers()
    time_base = None
    for packet in itertools.chain(packets, [None]):
        if packet is not None:
            time_base = packet.time_base
            decoder.skip_frame = "DEFAULT" if is_wanted(packet) else "NONREF"
        for frame in _decoded(decoder, packet) or ():
            frame.time_base = time_base  # PyAV forgets it of those that come at the end
            yield frame


def packet_times(path: Path, index: int) -> list[float]:
    """When the packets of a stream are shown, sorted, in seconds of the container's clock; decodes nothing.

    Raises:
        MediaError: The file breaks off.
    """
    import av

    times: list[float] = []
    with open_media(path) as container:
        try:
            times.extend(
                float(packet.pts * packet.time_base)
                for packet in container.demux(container.streams[index])
                if packet.pts is not None and packet.time_base is not None and not packet.is_discard
            )
        except av.error.FFmpegError as error:
            raise MediaError(f"{path} breaks off after {max(times, default=0.0):.1f} s ({_reason(error)})") from error
    return sorted(times)


def decode_sound(container: "InputContainer", index: int, rate: int) -> Iterator[tuple[float, npt.NDArray[np.float32]]]:
    """A stream of sound as mono: start in seconds of the container's clock, and float32 samples at `rate`."""
    stream = container.streams[index]
    clock = stream_start(stream)
    for time, samples in _mono(_frames_of(container, stream), rate):
        clock = time if time is not None else clock
        yield clock, samples
        clock += len(samples) / rate


def pixels_of(frame: "av.VideoFrame") -> Pixels:
    """RGB, `(height, width, 3)`, turned upright as the container asks."""
    pixels = frame.to_ndarray(format="rgb24")
    quarter_turns = round(frame.rotation / 90) % 4
    return np.ascontiguousarray(np.rot90(pixels, quarter_turns)) if quarter_turns else pixels


def thumbnail_of(frame: "av.VideoFrame") -> Pixels:
    """The frame's brightness at `THUMBNAIL_SIZE`, shape `(36, 64)`, not turned: for comparison only."""
    from av.video.reformatter import VideoReformatter

    if not hasattr(_own, "scaler"):
        _own.scaler = VideoReformatter()
    width, height = THUMBNAIL_SIZE
    return _own.scaler.reformat(frame, width, height, format="gray", interpolation="AREA").to_ndarray()


def _checked_codec(container: "InputContainer", stream: "av.VideoStream") -> str:
    """The file's path, for messages."""
    path = container.name.removeprefix("file:")
    if stream.codec_context is None:
        raise MediaError(f"{path}: the codec of its stream {stream.index} is unknown to FFmpeg")
    return path


def _seen(container: "InputContainer", pictures: "av.VideoStream") -> VideoStream:
    first = next(decode(container, pictures))
    turned = round(first.rotation / 90) % 2 != 0
    return VideoStream(
        index=pictures.index,
        codec=pictures.codec_context.name,
        width=first.height if turned else first.width,
        height=first.width if turned else first.height,
        rotation=int(first.rotation),
        start=stream_start(pictures, first),
    )


def _frames_of(container: "InputContainer", stream: "av.stream.Stream") -> "Iterator[av.frame.Frame]":
    """What the stream's packets decode to; damaged packets are skipped, a broken-off file just ends."""
    for packet in _demuxed(container, stream):
        frames = _decoded(stream.codec_context, packet)
        if frames is None:
            return
        yield from frames


def _demuxed(container: "InputContainer", stream: "av.stream.Stream") -> "Iterator[av.Packet]":
    import av

    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
        except av.error.EOFError:
            return
        except av.error.FFmpegError:
            continue
        if packet is None:
            return
        yield packet


def _decoded(decoder: "av.CodecContext", packet: "av.Packet | None") -> "list[av.frame.Frame] | None":
    """What a packet adds, nothing if it is damaged; None: the stream is at its end."""
    import av

    try:
        return decoder.decode(packet)
    except av.error.EOFError:
        return None
    except av.error.FFmpegError:
        return []


def _mono(frames: "Iterable[av.AudioFrame]", rate: int) -> Iterator[tuple[float | None, npt.NDArray[np.float32]]]:
    """Frames as mono float32 samples at `rate`, each with its time if it is known."""
    import av

    resampler: av.AudioResampler | None = None
    shape = None
    for frame in itertools.chain(frames, [None]):
        now = (frame.format.name, frame.layout.name, frame.sample_rate) if frame is not None else None
        if resampler is not None and now != shape:  # the end, or e.g. a broadcast that turns from stereo to surround
            for piece in resampler.resample(None):
                if piece is not None:  # a resampler that had nothing to change says so by None
                    yield None, piece.to_ndarray()[0]
            resampler = None
        if frame is None:
            return
        if resampler is None:
            resampler, shape = av.AudioResampler("flt", "mono", rate, options=_AVERAGE), now
        time = frame.time
        for piece in resampler.resample(frame):
            yield time, piece.to_ndarray()[0]
            time = None


def _find_pictures(container: "InputContainer", path: Path, index: int | None) -> "av.VideoStream | None":
    import av

    covers = av.stream.Disposition.attached_pic  # a music file's cover is no video
    films = [s for s in container.streams.video if not s.disposition & covers]
    if index is None:
        best = container.streams.best("video")
        return best if best in films else next(iter(films), None)
    for film in films:
        if film.index == index:
            return film
    have = ", ".join(str(film.index) for film in films) or "none"
    raise MediaError(f"{path} has no stream of pictures with index {index}; it has: {have}")


def _header_duration(container: "InputContainer", zero: float) -> float | None:
    """Seconds from `zero` to the end as the header says; None where it says nothing that can be relied on.

    Without a start time (raw streams) FFmpeg guesses from the bit rate: 0.12 s for a minute of MPEG-1.
    Matroska counts from the clock's zero, or from its first timestamp, as its writer liked.
    """
    if not container.duration or container.start_time is None:
        return None
    start, length = container.start_time / 1_000_000, container.duration / 1_000_000
    if "matroska" in container.format.name:
        return length if abs(start) < 0.1 and abs(zero) < 0.1 else None
    return max(0.0, start + length - zero)


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
