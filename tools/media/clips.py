"""Writes a stretch of a video to a new file: exact to one frame by re-encoding, or fast by copying.

Times are seconds of the file's timeline.
"""

import heapq
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, NamedTuple

import numpy as np
from pydantic import Field

from ..errors import MediaError, QueryError
from ..records import Pixels, Record, Span
from .audio import mono_audio
from .container import decode, open_media, video_stream_of
from .pictures import is_plain, pixel_aspect, pixels_of, shown_size
from .streams import probe
from .timeline import timeline_of

if TYPE_CHECKING:
    import av
    from av.container import OutputContainer

__all__ = [
    "STREAMED",
    "Clip",
    "ClipStyle",
    "SoundEncoder",
    "copy_clip",
    "frames_between",
    "sounds_between",
    "write_clip",
    "write_gif",
]

# The frame on screen at a second may begin up to this much after it: timestamps are rounded.
_TOLERANCE = 0.001
_TICKS = 90_000  # a second, as in MPEG
_SOUND_RATE = 48_000
# A seek that lands after the wanted second is repeated from earlier seconds, at last from the start of the file.
_SEEK_BACK = (0.0, 5.0, 30.0)
_GIF_FRAMES_PER_SECOND = 10
_GIF_WIDTH = 480
_MOST_GIF_SECONDS = 60.0


class Clip(Record):
    """A file that was cut from a video."""

    start: float = Field(ge=0, description="Second of the source at which the clip starts.")
    end: float = Field(ge=0, description="First second of the source after the clip.")
    frames: int = Field(ge=0, description="Number of pictures in the clip.")
    has_sound: bool = Field(description="Whether the clip has sound.")


@dataclass(frozen=True, slots=True)
class ClipStyle:
    """How a clip is encoded.

    Attributes:
        max_height: Pictures are scaled down to this height. None: as the source.
        speed: `fast` for playback in a browser, `good` for a file to keep.
        is_streamed: Write a fragmented MP4, which a browser can append while it plays (MSE).
        draw: Draws on each picture before it is encoded, given its second in the source.
    """

    max_height: int | None = None
    speed: Literal["fast", "good"] = "good"
    is_streamed: bool = False
    draw: Callable[[Pixels, float], Pixels] | None = None


_EXACT = ClipStyle()
# The options of an MP4 that a browser appends while it plays.
STREAMED = {"movflags": "+frag_keyframe+empty_moov+default_base_moof"}


def write_clip(
    source: Path, span: Span, target: Path | BinaryIO, style: ClipStyle = _EXACT, stream: int | None = None
) -> Clip:
    """Re-encode a stretch of a video as MP4 (H.264 and AAC). Its edges are exact to one frame.

    The first picture is the one on screen at `span.start`; the last is the last that begins before `span.end`.

    Args:
        source: The video.
        span: The stretch in seconds; it is cut at the video's end.
        target: A path, or an open file.
        style: Size and speed.
        stream: Index of the video stream in its container; None for FFmpeg's best one.

    Raises:
        MediaError: The source cannot be read, or has no picture in the span.
    """
    import av

    has_sound = probe(source).audio is not None
    options = dict(STREAMED) if style.is_streamed else {}
    if not options and isinstance(target, Path):  # the second pass opens the file by its name
        options = {"movflags": "+faststart"}
    place = str(target) if isinstance(target, Path) else target
    try:
        with av.open(place, "w", format="mp4", options=options) as container:
            pictures = _PictureEncoder(container, span, style)
            sound = SoundEncoder(container, span.start, style) if has_sound else None
            first = next(pictured := _pictures(source, span, stream), None)
            if first is None:
                raise MediaError(f"{source} has no picture between {span.start:.3f} and {span.end:.3f} s")
            pictures.begin(first[1])
            sounds = sounds_between(source, span) if sound else iter(())
            works: Iterator[tuple[float, int, Any]] = heapq.merge(
                [(first[0], 0, first[1])],
                ((seconds, 0, frame) for seconds, frame in pictured),
                ((seconds, 1, samples) for seconds, samples in sounds),
                key=lambda work: (work[0], work[1]),
            )
            for seconds, kind, item in works:
                if kind == 0:
                    pictures.add(seconds, item)
                elif sound:
                    sound.add(seconds, item)
            pictures.finish()
            if sound:
                sound.finish()
    except av.error.FFmpegError as error:
        raise MediaError(f"a clip of {source} cannot be written ({error}): check the target's folder") from error
    return Clip(start=first[0], end=span.end, frames=pictures.count, has_sound=bool(sound and sound.count))


def copy_clip(source: Path, span: Span, target: Path, stream: int | None = None) -> Clip:
    """Copy a stretch without re-encoding: fast, and it starts at the keyframe at or before `span.start`.

    Args:
        source: The video.
        span: The stretch in seconds.
        target: A path; its ending chooses the container.
        stream: Index of the video stream in its container; None for FFmpeg's best one.

    Raises:
        MediaError: The source cannot be read, or the target's container does not take its codecs.
    """
    import av

    count, start, sounds = 0, span.start, 0
    try:
        with open_media(source) as read, av.open(str(target), "w") as written:
            pictures = video_stream_of(read, source, stream)
            zero = timeline_of(source).zero
            streams = {pictures.index: written.add_stream_from_template(pictures)}
            if (sound := read.streams.best("audio")) is not None:
                streams[sound.index] = written.add_stream_from_template(sound)
            read.seek(round((span.start + zero) / pictures.time_base), stream=pictures)
            offset: float | None = None
            for packet in read.demux([pictures, *([sound] if sound else [])]):
                if packet.dts is None or packet.pts is None or packet.time_base is None:
                    continue
                seconds = float(packet.pts * packet.time_base) - zero
                if offset is None:
                    if packet.stream.index != pictures.index or not packet.is_keyframe:
                        continue
                    offset = start = max(0.0, seconds)
                if seconds >= span.end:
                    if packet.stream.index == pictures.index and packet.is_keyframe:
                        break
                    continue
                if seconds < offset:
                    continue
                ticks = round((offset + zero) / packet.time_base)
                packet.pts, packet.dts = packet.pts - ticks, packet.dts - ticks
                count += packet.stream.index == pictures.index
                sounds += packet.stream.index != pictures.index
                packet.stream = streams[packet.stream.index]
                written.mux(packet)
    except (av.error.FFmpegError, ValueError) as error:
        raise MediaError(
            f"{source} cannot be copied to {target} ({error}): cut it exactly instead, which re-encodes it"
        ) from error
    return Clip(start=start, end=span.end, frames=count, has_sound=sounds > 0)


def write_gif(source: Path, span: Span, target: Path, stream: int | None = None) -> Clip:
    """Write a stretch as an animated GIF: ten pictures a second, at most 480 pixels wide, without sound.

    Args:
        source: The video.
        span: The stretch in seconds.
        target: A path.
        stream: Index of the video stream in its container; None for FFmpeg's best one.

    Raises:
        QueryError: The stretch is longer than a minute.
        MediaError: The source cannot be read, or has no picture in the span.
    """
    from PIL import Image

    if span.duration > _MOST_GIF_SECONDS:
        raise QueryError(f"a GIF of {span.duration:.0f} s is too large: choose at most {_MOST_GIF_SECONDS:.0f} s")
    images: list[Image.Image] = []
    start = due = span.start
    for seconds, pixels in frames_between(source, span, stream):
        if not images:
            start = seconds
        elif seconds + _TOLERANCE < due:
            continue
        image = Image.fromarray(pixels)
        image.thumbnail((_GIF_WIDTH, 10_000))
        images.append(image)
        due += 1 / _GIF_FRAMES_PER_SECOND
    if not images:
        raise MediaError(f"{source} has no picture between {span.start:.3f} and {span.end:.3f} s")
    milliseconds = round(1000 * span.duration / len(images))
    images[0].save(target, "GIF", save_all=True, append_images=images[1:], duration=milliseconds, loop=0)
    return Clip(start=start, end=span.end, frames=len(images), has_sound=False)


def frames_between(source: Path, span: Span, stream: int | None = None) -> Iterator[tuple[float, Pixels]]:
    """Yield each picture of a stretch with its true second: first the one on screen at `span.start`.

    Raises:
        MediaError: The source cannot be read.
    """
    for seconds, shown in _pictures(source, span, stream):
        yield seconds, pixels_of(shown.frame, shown.aspect)


class _Shown(NamedTuple):
    """A decoded picture, and the width of its pixels divided by their height."""

    frame: "av.VideoFrame"
    aspect: float


class _PictureEncoder:
    """Encodes pictures as H.264 with their own times: a variable frame rate stays variable."""

    def __init__(self, container: "OutputContainer", span: Span, style: ClipStyle) -> None:
        self._container, self._span, self._style = container, span, style
        preset = "ultrafast" if style.speed == "fast" else "medium"
        options = {"preset": preset, "crf": "23" if style.speed == "fast" else "18"}
        if style.is_streamed:
            options |= {"bf": "0", "tune": "zerolatency"}
        self._stream: av.VideoStream = container.add_stream("libx264", rate=30, options=options)
        self.count = 0

    def begin(self, first: _Shown) -> None:
        width, height = shown_size(*first)
        scale = min(1.0, (self._style.max_height or height) / height)
        self._size = max(2, round(width * scale / 2) * 2), max(2, round(height * scale / 2) * 2)
        self._stream.width, self._stream.height = self._size
        self._stream.pix_fmt = "yuv420p"
        self._stream.codec_context.time_base = Fraction(1, _TICKS)

    def add(self, seconds: float, shown: _Shown) -> None:
        import av

        frame = shown.frame
        if self._style.draw or not is_plain(*shown):
            pixels = pixels_of(*shown)
            pixels = self._style.draw(pixels, seconds) if self._style.draw else pixels
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
        picture = frame.reformat(*self._size, format="yuv420p")
        picture.pts = max(0, round((seconds - self._span.start) * _TICKS))
        picture.time_base = Fraction(1, _TICKS)
        picture.pict_type = 1 if self.count == 0 else 0
        self.count += 1
        self._container.mux(self._stream.encode(picture))

    def finish(self) -> None:
        self._container.mux(self._stream.encode(None))


class SoundEncoder:
    """Encodes mono sound as AAC at its times; silence before it is kept. Second `start` of the source becomes 0."""

    def __init__(self, container: "OutputContainer", start: float, style: ClipStyle) -> None:
        self._container, self._start, self._style = container, start, style
        self._stream: av.AudioStream = container.add_stream("aac", rate=_SOUND_RATE, layout="mono")
        self.count = 0

    def add(self, seconds: float, samples: Any) -> None:
        """Encode mono samples at 48 kHz that begin at a second of the source."""
        import av

        frame = av.AudioFrame.from_ndarray(samples[None, :], format="flt", layout="mono")
        frame.sample_rate, frame.time_base = _SOUND_RATE, Fraction(1, _SOUND_RATE)
        frame.pts = max(round((seconds - self._start) * _SOUND_RATE), self.count)
        self.count = frame.pts + len(samples)
        self._mux(self._stream.encode(frame))

    def finish(self) -> None:
        """Encode what is left."""
        self._mux(self._stream.encode(None))

    def _mux(self, packets: "list[av.Packet]") -> None:
        # AAC starts with 1,024 samples before zero. A browser that appends fragments ignores the edit list that hides
        # them, and the muxer would move the pictures by 21 ms.
        wanted = [p for p in packets if not self._style.is_streamed or p.pts is None or p.pts >= 0]
        self._container.mux(wanted)


def _pictures(source: Path, span: Span, stream: int | None) -> Iterator[tuple[float, _Shown]]:
    """The picture on screen at the span's start, and those that begin inside the span."""
    shown: tuple[float, _Shown] | None = None
    for seconds, frame in _decoded_from(source, span.start, stream):
        if seconds <= span.start + _TOLERANCE:
            shown = seconds, frame
            continue
        if shown is not None:
            yield shown
            shown = None
        if seconds >= span.end - _TOLERANCE:
            return
        yield seconds, frame
    if shown is not None:  # the last picture of the video stays on screen
        yield shown


def _decoded_from(source: Path, second: float, stream: int | None) -> Iterator[tuple[float, _Shown]]:
    """Yield pictures from the last one at or before a second."""
    import av

    timeline = timeline_of(source)
    for back in (*_SEEK_BACK, None):
        with open_media(source) as container:
            pictures = video_stream_of(container, source, stream)
            aspect = pixel_aspect(pictures)
            target = None if back is None or timeline.joints else second - back
            if target is not None and target > 0:
                with suppress(av.error.FFmpegError):
                    container.seek(round((target + timeline.zero) / pictures.time_base), stream=pictures)
            frames = decode(container, pictures, timeline, second if timeline.joints else 0.0)
            try:
                first = next(frames)
            except MediaError:
                if target is None or target <= 0:
                    raise
                continue
            begins_late = max(0.0, first.time) > second + _TOLERANCE
            if begins_late and target is not None and target > 0:
                continue
            yield max(0.0, first.time), _Shown(first, aspect)
            yield from ((max(0.0, frame.time), _Shown(frame, aspect)) for frame in frames)
            return


def sounds_between(source: Path, span: Span) -> Iterator[tuple[float, Any]]:
    """Sound of a stretch: seconds and mono samples at 48 kHz, cut to the span."""
    info, timeline = probe(source), timeline_of(source)
    if info.audio is None:
        return
    with open_media(source) as container:
        sound = container.streams[info.audio.index]
        target = span.start + timeline.zero - 1.0  # a codec needs some packets before its output is correct
        if target > 0 and not timeline.joints:
            container.seek(round(target / (sound.time_base or 1)), stream=sound)
        following = 0.0
        for start, samples in mono_audio(container, sound.index, timeline, _SOUND_RATE):
            seconds = following if start is None else start
            following = seconds + len(samples) / _SOUND_RATE
            first = max(0, round((span.start - seconds) * _SOUND_RATE))
            last = min(len(samples), round((span.end - seconds) * _SOUND_RATE))
            if seconds >= span.end:
                return
            if last > first:
                yield seconds + first / _SOUND_RATE, np.ascontiguousarray(samples[first:last])
