"""The sound track of a file as 16 kHz mono samples, on the clock of its pictures, in blocks."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..records import VideoInfo
from .container import decode_sound, open_media

__all__ = ["RATE", "Samples", "sound_blocks"]

RATE = 16_000
Samples = npt.NDArray[np.float32]

_BLOCK = 30 * RATE
# Timestamps jitter by less than a tenth of a second without meaning a gap.
_JITTER = RATE // 10


def sound_blocks(info: VideoInfo) -> Iterator[Samples]:
    """The track from second 0 of the video's clock on, in blocks of about 30 s, gaps filled with silence.

    Sample `n` of all blocks joined sounds at second `n / RATE` of the video: a track that begins
    later than the pictures begins with silence, what sounds before the first picture is left out.

    Args:
        info: From `tools.media.frames.probe`; without a sound stream nothing is yielded.

    Yields:
        float32, shape `(n,)`; full scale is ±1.

    Raises:
        MediaError: The file cannot be opened.
    """
    held: list[Samples] = []
    length = 0
    for piece in _pieces(info):
        held.append(piece)
        length += len(piece)
        if length >= _BLOCK:
            yield np.concatenate(held)
            held, length = [], 0
    if held:
        yield np.concatenate(held)


def _pieces(info: VideoInfo) -> Iterator[Samples]:
    """Decoded samples and the silence between them, each not longer than a block."""
    if info.sound is None:
        return
    zero = info.video.start if info.video else info.sound.start
    done = 0
    aligned = False
    with open_media(Path(info.path)) as container:
        for start, samples in decode_sound(container, info.sound.index, RATE):
            gap = round((start - zero) * RATE) - done
            aligned = aligned and abs(gap) <= _JITTER
            if aligned:
                heard = samples
            else:
                for length in [_BLOCK] * (gap // _BLOCK) + [gap % _BLOCK] if gap > 0 else []:
                    yield np.zeros(length, np.float32)
                # What would sound twice, or before the first picture, is left out.
                heard = samples[max(0, -gap) :]
                done += max(0, gap)
            if len(heard):
                aligned = True
                done += len(heard)
                yield heard
