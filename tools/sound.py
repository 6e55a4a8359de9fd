"""The sound track of a file as 16 kHz mono samples, on the clock of its pictures, in blocks."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from .container import decode_sound, open_media
from .records import VideoInfo

__all__ = ["RATE", "Samples", "sound_blocks"]

RATE = 16_000
Samples = npt.NDArray[np.float32]

_BLOCK = 30 * RATE


def sound_blocks(info: VideoInfo) -> Iterator[Samples]:
    """The track from second 0 of the video's clock on, in blocks of about 30 s, gaps filled with silence.

    Sample `n` of all blocks joined sounds at second `n / RATE` of the video: a track that begins
    later than the pictures begins with silence, what sounds before the first picture is left out.

    Args:
        info: From `tools.video.probe`; without a sound stream nothing is yielded.

    Yields:
        float32 in [-1, 1], shape `(n,)`.

    Raises:
        MediaError: The file cannot be opened.
    """
    if info.sound is None:
        return
    zero = info.video.start if info.video else info.sound.start
    done = 0  # samples that are yielded or held
    held: list[Samples] = []
    with open_media(Path(info.path)) as container:
        for start, samples in decode_sound(container, info.sound.index, RATE):
            # Timestamps jitter by less than a tenth of a second without meaning a gap.
            place = round((start - zero) * RATE)
            if place - done > (RATE // 10 if done else 0):
                held.append(np.zeros(place - done, np.float32))
                done = place
            elif done == 0 and place < 0:
                samples = samples[-place:]
            held.append(samples)
            done += len(samples)
            if sum(map(len, held)) >= _BLOCK:
                yield np.concatenate(held)
                held = []
    if held:
        yield np.concatenate(held)
