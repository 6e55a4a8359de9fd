"""The audio track of a file as 16 kHz mono samples on the file's timeline.

Channels are mixed for speech: the centre channel if there is one; one channel only if the channels would cancel each other.
"""

import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from ..records import Timeline, VideoInfo
from .container import decode_audio, open_media
from .timeline import timeline_of

if TYPE_CHECKING:
    import av
    from av.container import InputContainer

__all__ = ["MIXING", "RATE", "AudioBlock", "Samples", "audio_blocks", "mono_audio", "whole_track"]

RATE = 16_000
Samples = npt.NDArray[np.float32]

_BLOCK = 30 * RATE
# A difference of less than a tenth of a second is jitter of the timestamps, not a gap.
_JITTER = RATE // 10
# A gap of up to this length is filled with silence; after a longer one a new stretch begins.
_LONGEST_FILLED = 30 * RATE
# A decoder needs some packets before its output is correct: reading of a window begins this much earlier.
_WARM_UP_SECONDS = 1.0

# The centre carries the dialogue of a film; it is used alone if it has this share of the loudest channel's level.
_CENTRE_SHARE = 0.05
# Channels cancel each other if their sum has less than this share of the energy that unrelated channels would have.
_CANCELLED = 0.25

# Everything that the mixed samples depend on.
MIXING = (2, _JITTER, _LONGEST_FILLED, _CENTRE_SHARE, _CANCELLED)


class AudioBlock(NamedTuple):
    """A stretch of sound.

    Attributes:
        start: Its first second on the timeline.
        samples: Mono, at `RATE`, full scale ±1; float32, shape `(n,)`.
        follows: Whether it begins where the block before it ends.
    """

    start: float
    samples: Samples
    follows: bool


def audio_blocks(info: VideoInfo) -> Iterator[AudioBlock]:
    """Yield the track in blocks of about 30 s. Short gaps are filled with silence; long ones separate blocks.

    Sound before second 0, and sound that would be repeated because timestamps go back, is skipped.

    Args:
        info: From `tools.media.streams.probe`; without an audio stream nothing is yielded.

    Raises:
        MediaError: The file cannot be opened.
    """
    held: list[Samples] = []
    start = length = 0
    is_new = True
    for at, piece in _pieces(info):
        if held and at != start + length:
            yield AudioBlock(start / RATE, np.concatenate(held), not is_new)
            held, length, is_new = [], 0, True
        elif not held and at != start + length:
            is_new = True
        if not held:
            start, length = at, 0
        held.append(piece)
        length += len(piece)
        if length >= _BLOCK:
            yield AudioBlock(start / RATE, np.concatenate(held), not is_new)
            start, length, held, is_new = start + length, 0, [], False
    if held:
        yield AudioBlock(start / RATE, np.concatenate(held), not is_new)


def whole_track(info: VideoInfo) -> Samples:
    """All samples from second 0 on, in one array; every gap is silence. For short files: 230 MB for an hour."""
    blocks = list(audio_blocks(info))
    track = np.zeros(max((round(block.start * RATE) + len(block.samples) for block in blocks), default=0), np.float32)
    for block in blocks:
        first = round(block.start * RATE)
        track[first : first + len(block.samples)] = block.samples
    return track


def mono_audio(
    container: "InputContainer", index: int, timeline: Timeline, rate: int = RATE
) -> Iterator[tuple[float | None, Samples]]:
    """The samples of an audio stream from the container's position on, mixed to one channel.

    Args:
        container: From `tools.media.container.open_media`.
        index: The audio stream.
        timeline: From `tools.media.timeline.timeline_of`.
        rate: Samples a second.

    Yields:
        The second on the timeline (None: the samples follow those before), and float32 samples of shape `(n,)`.
    """
    yield from _mono(decode_audio(container, index, timeline), rate)


def _pieces(info: VideoInfo) -> Iterator[tuple[int, Samples]]:
    """Samples and the silence between them, each with the number of its first sample, counted from second 0."""
    if info.audio is None:
        return
    for window in info.windows:
        first, last = round(window.start * RATE), round(window.end * RATE)
        for at, piece in _pieces_from(info.path, info.audio.index, first):
            if at >= last:
                break
            yield at, piece[: last - at]
    if not info.windows:
        yield from _pieces_from(info.path, info.audio.index, 0)


def _pieces_from(path: Path, index: int, first: int) -> Iterator[tuple[int, Samples]]:
    """The samples of a track from one on."""
    done = first
    following = 0  # the sample after the last one that was read
    is_aligned = False
    timeline = timeline_of(path)
    with open_media(path) as container:
        start = first / RATE - _WARM_UP_SECONDS
        if start > 0 and not timeline.joints:
            stream = container.streams[index]
            container.seek(round((start + timeline.zero) / (stream.time_base or 1)), stream=stream)
        for second, samples in mono_audio(container, index, timeline):
            at = following if second is None else round(second * RATE)
            following = at + len(samples)
            gap = at - done
            is_aligned = is_aligned and abs(gap) <= _JITTER
            if is_aligned or (second is None and done > first):
                kept = samples
            else:
                if 0 < gap <= _LONGEST_FILLED:
                    yield done, np.zeros(gap, np.float32)
                # Skip sound that is repeated, or before the first sample.
                kept = samples[max(0, -gap) :]
                done += max(0, gap)
            if len(kept):
                is_aligned = True
                yield done, kept
                done += len(kept)


def _mono(frames: "Iterable[tuple[float | None, av.AudioFrame]]", rate: int) -> Iterator[tuple[float | None, Samples]]:
    """Frames as mono samples at `rate`, each with its second on the timeline if it has one."""
    import av

    resampler: av.AudioResampler | None = None
    shape = None
    names: tuple[str, ...] = ()
    mixer = _Mixer(rate)
    for second, frame in itertools.chain(frames, [(None, None)]):
        now = (frame.format.name, frame.layout.name, frame.sample_rate) if frame is not None else None
        if resampler is not None and now != shape:  # the end, or e.g. a broadcast that changes from stereo to surround
            for piece in resampler.resample(None):
                if piece is not None:  # a resampler may return None
                    yield None, mixer.mixed(piece.to_ndarray(), names)
            resampler = None
        if frame is None:
            return
        if resampler is None:
            resampler, shape = av.AudioResampler("fltp", frame.layout, rate), now
            names = tuple(channel.name for channel in frame.layout.channels)
        for piece in resampler.resample(frame):
            yield second, mixer.mixed(piece.to_ndarray(), names)
            second = None


class _Mixer:
    """Mixes the channels of consecutive pieces to one; levels are averaged over seconds."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._names: tuple[str, ...] = ()
        self._energy: npt.NDArray[np.float64] = np.zeros(0)
        self._mixed_energy = 0.0

    def mixed(self, channels: npt.NDArray[np.float32], names: tuple[str, ...]) -> Samples:
        """One channel of shape `(n,)`.

        Args:
            channels: Shape `(channels, n)`.
            names: The channels' names as FFmpeg has them: FL, FR, FC, LFE, …
        """
        if len(channels) == 1:
            return channels[0]
        kept = [row for row, name in enumerate(names) if name != "LFE"] or [0]
        if names != self._names:
            self._names, self._energy, self._mixed_energy = names, np.zeros(len(names)), 0.0
        average: Samples = channels[kept].mean(axis=0, dtype=np.float32)
        decay = 0.5 ** (channels.shape[1] / (2 * self._rate))
        self._energy = decay * self._energy + np.square(channels).sum(axis=1, dtype=np.float64)
        self._mixed_energy = decay * self._mixed_energy + float(np.square(average).sum(dtype=np.float64))
        loudest = kept[int(np.argmax(self._energy[kept]))]
        if "FC" in names:
            centre = names.index("FC")
            if self._energy[centre] >= _CENTRE_SHARE**2 * self._energy[loudest]:
                return channels[centre]
        # Unrelated channels have this energy when averaged.
        expected = float(self._energy[kept].sum()) / len(kept) ** 2
        return channels[loudest] if self._mixed_energy < _CANCELLED * expected else average
