"""Lists the content of a media file: the streams that are used, and notes on those that are not."""

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ..errors import MediaError
from ..records import AudioStream, SubtitleStream, Timeline, VideoInfo, VideoStream
from .container import decode, media_streams, open_media, transparency_note, video_stream_of
from .languages import language_code, language_name
from .pictures import pixel_aspect, rotation_of, shown_size
from .timeline import timeline_of

if TYPE_CHECKING:
    import av
    from av.container import InputContainer

__all__ = ["probe"]

# FFmpeg's codecs that decode to text; others (DVB, PGS, VobSub) are pictures of text, teletext needs libzvbi.
_TEXT_SUBTITLES = {"ass", "ssa", "subrip", "srt", "mov_text", "webvtt", "text", "ttml", "microdvd", "sami", "jacosub"}

# Headers round; a larger difference is reported.
_HEADER_TOLERANCE = 0.5

_log = logging.getLogger(__name__)


def probe(
    path: Path, stream: int | Literal["all"] | None = None, *, language: str | None = None, audio: int | None = None
) -> VideoInfo:
    """Return what a media file contains; reads all packets of most files, and decodes one frame.

    Args:
        path: The file.
        stream: Index of the video stream; None for FFmpeg's best one; `all` for the best one and all others.
        language: ISO 639-1: the audio stream in this language is chosen.
        audio: Index of the audio stream; None: by language, then the default flag, then FFmpeg's best one.

    Raises:
        MediaError: The file cannot be read, or holds neither pictures nor sound.
    """
    path = Path(path)
    timeline = timeline_of(path)
    with open_media(path) as container:
        notes = list(timeline.notes)
        audio_stream = _audio_stream(container, path, language, audio)
        if not media_streams(container) or (audio_stream is None and not container.streams.video):
            raise MediaError(f"{path} holds neither pictures nor sound that can be decoded")
        video: VideoStream | None = None
        others: list[VideoStream] = []
        try:
            video = _video(container, path, None if stream == "all" else stream, timeline)
        except MediaError as error:
            if audio_stream is None or isinstance(stream, int):
                raise
            if container.streams.video and any(s in media_streams(container) for s in container.streams.video):
                _log.warning("%s; only its sound is used", error)
                notes.append(f"no picture can be decoded ({error})")
        if stream == "all" and video is not None:
            others, failures = _other_videos(path, video, timeline)
            notes += failures
        sound = None
        if audio_stream is not None:
            sound = AudioStream(
                index=audio_stream.index,
                codec=audio_stream.codec_context.name,
                start=timeline.starts.get(audio_stream.index, 0.0),
                language=language_code(audio_stream.language),
            )
        if note := _header_note(container, timeline):
            notes.append(note)
        subtitles = tuple(_subtitles(container))
        if video is not None and (note := transparency_note(video_stream_of(container, path, video.index))):
            notes.append(note)
        notes += _unused(container, [video, *others], sound)
        return VideoInfo(
            path=path,
            format=container.format.name,
            duration=timeline.end,
            video=video,
            other_videos=tuple(others),
            audio=sound,
            subtitles=subtitles,
            notes=tuple(notes),
        )


def _header_note(container: "InputContainer", timeline: Timeline) -> str:
    """A note if the header's length differs from the measured one; else empty.

    Without a start time (raw streams) FFmpeg guesses the length from the bit rate: 0.12 s for a minute of MPEG-1. In Matroska
    the length counts from the clock's zero or from the first timestamp, depending on the writer.
    """
    if not container.duration or container.start_time is None or timeline.joints:
        return ""
    length = container.duration / 1_000_000
    ends = (length, length - timeline.zero, length + container.start_time / 1_000_000 - timeline.zero)
    if min(abs(timeline.end - end) for end in ends) <= _HEADER_TOLERANCE:
        return ""
    why = ": it may be cut off" if timeline.end < length else ""
    return f"the header says {length:.1f} s, the file holds {timeline.end:.1f} s{why}"


def _video(container: "InputContainer", path: Path, index: int | None, timeline: Timeline) -> VideoStream:
    chosen = video_stream_of(container, path, index)
    first = next(decode(container, chosen, timeline))
    width, height = shown_size(first, pixel_aspect(chosen))
    return VideoStream(
        index=chosen.index,
        codec=chosen.codec_context.name,
        width=width,
        height=height,
        rotation=rotation_of(first),
        start=max(0.0, first.time),
        end=timeline.ends.get(chosen.index),
        frame_rate=float(chosen.average_rate) if chosen.average_rate else None,
        is_default=chosen.index == video_stream_of(container, path, None).index,
    )


def _other_videos(path: Path, video: VideoStream, timeline: Timeline) -> tuple[list[VideoStream], list[str]]:
    """The video streams beside the main one, and notes on those that cannot be decoded."""
    with open_media(path) as container:
        indexes = [one.index for one in media_streams(container) if one.type == "video" and one.index != video.index]
    others, failures = [], []
    for index in indexes:
        try:
            with open_media(path) as container:
                others.append(_video(container, path, index, timeline))
        except MediaError as error:
            failures.append(f"stream {index} cannot be decoded ({error}): it is not indexed")
    return others, failures


def _audio_stream(
    container: "InputContainer", path: Path, language: str | None, index: int | None
) -> "av.AudioStream | None":
    """The audio stream that is transcribed."""
    import av

    usable = [stream for stream in container.streams.audio if stream.codec_context is not None]
    if index is not None:
        chosen = next((stream for stream in usable if stream.index == index), None)
        if chosen is None:
            have = ", ".join(str(stream.index) for stream in usable) or "none"
            raise MediaError(f"{path} has no audio stream with index {index} that can be decoded; it has: {have}")
        return chosen
    # Commentary tracks and audio descriptions do not hold the dialogue of the film.
    others = av.stream.Disposition.comment | av.stream.Disposition.visual_impaired
    best = container.streams.best("audio")
    ranked = sorted(
        usable,
        key=lambda one: (
            bool(language) and language_code(one.language) != language,
            bool(one.disposition & others),
            not one.disposition & av.stream.Disposition.default,
            one is not best,
            one.index,
        ),
    )
    return ranked[0] if ranked else None


def _subtitles(container: "InputContainer") -> Iterator[SubtitleStream]:
    import av

    for stream in container.streams.subtitles:
        codec = stream.codec_context.name if stream.codec_context is not None else "unknown"
        yield SubtitleStream(
            index=stream.index,
            codec=codec,
            language=language_code(stream.language),
            is_forced=bool(stream.disposition & av.stream.Disposition.forced),
            is_text=codec in _TEXT_SUBTITLES,
        )


def _unused(
    container: "InputContainer", videos: Sequence[VideoStream | None], sound: AudioStream | None
) -> Iterator[str]:
    """One note for each stream that is not used, and for each video stream that is used beside the first."""
    import av

    used = {stream.index for stream in (*videos, sound) if stream is not None}
    beside = {stream.index for stream in videos[1:] if stream is not None}
    for stream in container.streams:
        name = f"stream {stream.index}"
        tags = ", ".join(filter(None, (language_name(stream.language), stream.metadata.get("title", ""))))
        tags = f" ({tags})" if tags else ""
        codec = stream.codec_context.name if getattr(stream, "codec_context", None) is not None else "unknown codec"
        if stream.index in beside:
            yield f"{name} is a second video stream{tags}: it is indexed, too"
        if stream.index in used or stream.type == "subtitle":
            continue
        if stream.type == "video" and stream.disposition & av.stream.Disposition.attached_pic:
            yield f"{name} is a cover picture{tags}: not used"
        elif stream.type == "video":
            yield f"{name} is a second video stream{tags}: not used; set stream={stream.index} to index it instead, or stream=all to index it, too"
        elif stream.type == "audio" and codec == "unknown codec":
            yield f"{name} is audio whose codec FFmpeg does not know{tags}: not used"
        elif stream.type == "audio":
            yield f"{name} is a second audio stream{tags}: not transcribed; set audio_stream={stream.index} to use it"
        elif stream.type == "attachment":
            yield f"{name} is an attached file{tags}: not used"
        else:
            yield f"{name} holds {stream.type or 'unknown'} data{tags}: not used"
