"""Who speaks when: the turns of speakers, distinguished by their voices and numbered within a video.

Voiced stretches are split where the voice changes. The pieces are clustered by average linkage on cosine distance, without
a given number of speakers. The Viterbi algorithm assigns each moment to the nearest voice. Where noise or music covers the
voices, no speaker is assigned: there the encoder gives nearly the same vector for every voice.
"""

import base64
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..embedding.protocol import Vectors, unit
from ..embedding.voices import VOICE_PARAMETERS, VoiceEncoder, mel_bands
from ..media.audio import RATE, Samples
from ..records import Observation, Span
from ..settings import Settings
from .specification import UnavailableError
from .speech import Window
from .voice import voiced_spans

__all__ = ["SAME_VOICE", "SPEAKER_PARAMETERS", "SpeakerExtractor", "average_link", "turns_of"]

# A voice vector for each 1.6 s of speech, every 0.4 s.
_FRAMES = 160
_STEP = 40
_SHORTEST = 20  # frames; shorter speech gets no vector
# Tuned on 30 composed conversations of four LibriSpeech readers: `tests/benchmarks/bench_speakers.py`.
_CHANGE = 0.18  # least cosine distance between before and after a change of voice
_SAME_SPEAKER = 0.36  # largest average cosine distance of the pieces of one speaker; 0.34 to 0.38 work
_LEAST_SECONDS = 4.0  # least speech of a speaker; a shorter cluster goes to the nearest speaker
_SWITCH = 0.1  # least gain in cosine for a change of speaker; half of it after a pause
_PAUSE = 1.0  # a shorter pause does not end a turn
# Decibels between the loudest 10 % and the quietest 5 % of speech: clean speech has 28 and more, 25 dB of white noise
# leaves 26, 15 dB leaves 18.5; a film with music and effects has 13 to 19.
_LEAST_RANGE = 21.0
# Cosine of mean vectors from which two speakers of different videos have the same voice.
SAME_VOICE = 0.80

_HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+")

SPEAKER_PARAMETERS = (
    *(1, _FRAMES, _STEP, _SHORTEST, _CHANGE, _SAME_SPEAKER, _LEAST_SECONDS, _SWITCH, _PAUSE, _LEAST_RANGE),
    *VOICE_PARAMETERS,
)


@dataclass(frozen=True)
class _Stretch:
    """A voiced stretch: its span in seconds, and a vector every 0.4 s."""

    start: float
    end: float
    vectors: Vectors

    def second(self, number: int) -> float:
        """The middle of the time that a vector describes."""
        if len(self.vectors) == 1:
            return (self.start + self.end) / 2
        return self.start + (number * _STEP + _FRAMES / 2) / 100


class SpeakerExtractor:
    """Embeds the voices of a sound track."""

    def __init__(self, settings: Settings) -> None:
        """Find the weights; the model loads at first use.

        Raises:
            WeightsError: The weights are not available.
            MissingExtraError: A library is not installed.
            UnavailableError: The setting names a model of another kind.
        """
        chosen = settings.speakers_model
        if _HUB_NAME.fullmatch(chosen) and not Path(chosen).exists():
            raise UnavailableError(
                f"speakers_model={chosen!r}: models of the hub, such as those of pyannote and NeMo, cannot be used: the limits "
                "for the same voice were measured for Resemblyzer's only. Use resemblyzer, or the path of such weights"
            )
        self._encoder = VoiceEncoder(settings)
        self.source = self._encoder.source
        self.embedding_id = self._encoder.embedding_id

    def process_window(self, window: Window, progress: Callable[[float], None]) -> list[Any]:  # noqa: ARG002 (a window takes one second)
        """Return the voiced stretches of a window with their vectors, as JSON data; empty where noise covers the voices."""
        spans = voiced_spans(window.samples)
        if not spans or _range(window.samples, spans) < _LEAST_RANGE:
            return []
        found = []
        for start, end in spans:
            bands = mel_bands(window.samples[round(start * RATE) : round(end * RATE)])
            if len(bands) < _SHORTEST:
                continue
            if len(bands) < _FRAMES:
                bands = np.resize(bands, (_FRAMES, bands.shape[1]))
            windows = np.lib.stride_tricks.sliding_window_view(bands, _FRAMES, axis=0)[::_STEP].transpose(0, 2, 1)
            vectors = self._encoder.encode(windows).astype(np.float16)
            packed = base64.b64encode(vectors.tobytes()).decode()
            found.append([round(window.start + start, 3), round(window.start + end, 3), len(vectors), packed])
        return found


def turns_of(windows: Iterable[list[Any]], source: str) -> Iterator[Observation]:
    """Yield the turns of all speakers, in order of time, from the results of `SpeakerExtractor.process_window`.

    The text is `Speaker 1` for the person who speaks most, and so on. The longest turn of each speaker has the mean vector of
    the voice.
    """
    stretches = [_unpacked(*one) for window in windows for one in window]
    if not stretches:
        return
    voices = _voices(stretches)
    turns = _turns(stretches, voices)
    order = np.argsort([-sum(end - start for start, end, who, _ in turns if who == n) for n in range(len(voices))])
    number = {int(who): place for place, who in enumerate(order, start=1)}
    longest = {who: max((t for t in turns if t[2] == who), key=lambda t: t[1] - t[0], default=None) for who in number}
    for turn in turns:
        start, end, who, similarity = turn
        yield Observation(
            modality="speaker",
            span=Span(start=start, end=end),
            text=f"Speaker {number[who]}",
            score=min(1.0, max(0.0, similarity)),
            source=source,
            vector=tuple(map(float, voices[who].astype(np.float16))) if turn == longest[who] else (),
        )


def _unpacked(start: float, end: float, count: int, packed: str) -> _Stretch:
    vectors = np.frombuffer(base64.b64decode(packed), np.float16).reshape(count, -1)
    return _Stretch(start, end, unit(vectors.astype(np.float32)))


def _range(samples: Samples, spans: Sequence[tuple[float, float]]) -> float:
    """Decibels between loud and quiet moments of speech. Noise makes the quiet moments louder."""
    size = RATE // 100
    power = np.square(samples[: len(samples) // size * size].reshape(-1, size)).mean(axis=1) + 1e-12
    voiced = np.concatenate([power[round(start * 100) : round(end * 100)] for start, end in spans])
    if not len(voiced):
        return 0.0
    quiet, loud = np.percentile(10 * np.log10(voiced), (5, 90))
    return float(loud - quiet)


def _voices(stretches: Sequence[_Stretch]) -> Vectors:
    """Mean vectors of the speakers, shape `(speakers, dimensions)`."""
    pieces = [piece for stretch in stretches for piece in _pieces(stretch.vectors)]
    means = unit(np.stack([piece.mean(axis=0) for piece in pieces]))
    seconds = np.array(
        [(len(piece) - 1) * _STEP / 100 + (_FRAMES / 100 if len(piece) > 1 else 1.0) for piece in pieces]
    )
    groups = average_link(1 - means @ means.T, _SAME_SPEAKER)
    large = [group for group in groups if seconds[group].sum() >= _LEAST_SECONDS]
    chosen = large or [max(groups, key=lambda group: float(seconds[group].sum()))]
    return unit(np.stack([np.concatenate([pieces[row] for row in group]).mean(axis=0) for group in chosen]))


def _pieces(vectors: Vectors) -> list[Vectors]:
    """Split a stretch where the two vectors before and the two vectors after differ most."""
    count = len(vectors)
    distance = np.zeros(count)
    for row in range(2, count - 1):
        before, after = unit(np.stack([vectors[row - 2 : row].mean(axis=0), vectors[row : row + 2].mean(axis=0)]))
        distance[row] = 1 - before @ after
    cuts = [0]
    for row in range(2, count - 1):
        is_peak = distance[row] > _CHANGE and distance[row] == distance[max(0, row - 3) : row + 4].max()
        if is_peak and row - cuts[-1] >= 2:
            cuts.append(row)
    return [vectors[first:last] for first, last in zip(cuts, [*cuts[1:], count], strict=True)]


def average_link(distances: npt.NDArray[np.floating], most: float) -> list[list[int]]:
    """Cluster by average linkage (Sokal and Michener 1958), with the nearest neighbour of each row.

    Args:
        distances: Symmetric, shape `(n, n)`; infinite for two rows that must not be in one group.
        most: Largest distance of two groups that are merged.

    Returns:
        The rows of each group.
    """
    distances = distances.astype(np.float64)
    np.fill_diagonal(distances, np.inf)
    groups: dict[int, list[int]] = {row: [row] for row in range(len(distances))}
    nearest = distances.argmin(axis=1)
    while len(groups) > 1:
        rows = np.fromiter(groups, int)
        one = int(rows[distances[rows, nearest[rows]].argmin()])
        other = int(nearest[one])
        if distances[one, other] > most:
            break
        share = len(groups[one]) / (len(groups[one]) + len(groups[other]))
        merged = share * distances[one] + (1 - share) * distances[other]
        distances[one], distances[:, one] = merged, merged
        distances[other], distances[:, other] = np.inf, np.inf
        distances[one, one] = np.inf
        groups[one] += groups.pop(other)
        stale = [row for row in groups if row == one or nearest[row] in (one, other)]
        nearest[stale] = distances[stale].argmin(axis=1)
        closer = distances[:, one] < distances[np.arange(len(distances)), nearest]
        nearest[closer] = one
    return list(groups.values())


def _turns(stretches: Sequence[_Stretch], voices: Vectors) -> list[tuple[float, float, int, float]]:
    """Start, end, voice and cosine of each turn, on the best path of voices."""
    cosines = np.concatenate([stretch.vectors for stretch in stretches]) @ voices.T
    first_rows = set(np.cumsum([0, *(len(stretch.vectors) for stretch in stretches)])[:-1].tolist())
    path = _best_path(cosines, [_SWITCH / 2 if row in first_rows else _SWITCH for row in range(len(cosines))])
    turns: list[tuple[float, float, int, float]] = []
    row = 0
    for stretch in stretches:
        start = stretch.start
        for number in range(len(stretch.vectors)):
            is_last = number + 1 == len(stretch.vectors)
            if is_last or path[row + 1] != path[row]:
                end = stretch.end if is_last else (stretch.second(number) + stretch.second(number + 1)) / 2
                turns.append((start, end, int(path[row]), float(cosines[row, path[row]])))
                start = end
            row += 1
    merged: list[tuple[float, float, int, float]] = []
    for turn in turns:
        if merged and merged[-1][2] == turn[2] and turn[0] - merged[-1][1] <= _PAUSE:
            merged[-1] = (merged[-1][0], turn[1], turn[2], max(merged[-1][3], turn[3]))
        else:
            merged.append(turn)
    return merged


def _best_path(scores: npt.NDArray[np.float32], switch: Sequence[float]) -> npt.NDArray[np.intp]:
    """The column of each row with the highest sum, less `switch` for each change (Viterbi 1967)."""
    total = scores[0].copy()
    came_from = np.zeros(scores.shape, np.intp)
    for row in range(1, len(scores)):
        best = int(total.argmax())
        stays = total >= total[best] - switch[row]
        came_from[row] = np.where(stays, np.arange(scores.shape[1]), best)
        total = np.where(stays, total, total[best] - switch[row]) + scores[row]
    path = np.zeros(len(scores), np.intp)
    path[-1] = int(total.argmax())
    for row in range(len(scores) - 1, 0, -1):
        path[row - 1] = came_from[row, path[row]]
    return path
