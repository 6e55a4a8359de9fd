"""Voice activity, even levels, and the language of each voiced stretch.

Silero's detector, which faster-whisper includes, finds voice activity. Whisper's own detector finds the language of each
stretch separately: one language for the whole file would translate a French answer in an English interview.
"""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..media.audio import RATE, Samples

__all__ = [
    "VOICE",
    "LanguageRun",
    "even_levels",
    "language_runs",
    "level_changes",
    "raised_voices",
    "stretches_of",
    "voiced_spans",
]

# Speech is raised to this level, by at most this gain: a second voice that is 30 dB quieter, or at -60 dBFS, is recognised.
_TARGET_DB = -23.0
_MOST_GAIN_DB = 45.0
# The level at a moment is that of the loudest frame within this time before and after it; the gain changes gradually.
_FRAME_SECONDS = 0.1
_NEAR_SECONDS = 0.6
# Voices with a shorter pause between them get the same gain, so that the noise in the pause is not raised more.
_SAME_GAIN_SECONDS = 1.0
_SAME_VOICE_DB = 15.0
_FADE_SECONDS = 0.05
# Below this level (dBFS) the signal is dither, not sound.
_SILENT_DB = -85.0

# A stretch ends at a pause of this length, and has at most this length: another person may answer.
_PAUSE_SECONDS = 0.3
_MOST_STRETCH_SECONDS = 7.0
# The language of a shorter stretch is detected with more sound around it.
_LEAST_DETECTED_SECONDS = 1.5
# Where the quick detection is less sure than this, also among the languages of the window, the careful one decides.
_SURE = 0.8
# A language is considered in a window if its mean probability is this share of the highest, or if one stretch is sure of it:
# Whisper takes single sentences for languages that nobody speaks.
_LEAST_SHARE = 0.2
# Cost of a change of language, in log-probability: a change for one short word is unlikely.
_SWITCH_COST = 0.5
_LEAST_PROBABILITY = 1e-4

# Everything that the stretches and their languages depend on.
VOICE: tuple[float, ...] = (
    3,
    _TARGET_DB,
    _MOST_GAIN_DB,
    _FRAME_SECONDS,
    _NEAR_SECONDS,
    _SILENT_DB,
    _PAUSE_SECONDS,
    _MOST_STRETCH_SECONDS,
)
VOICE += (_SAME_GAIN_SECONDS, _SAME_VOICE_DB, _FADE_SECONDS, _LEAST_DETECTED_SECONDS, _SURE, _LEAST_SHARE, _SWITCH_COST)

Detect = Callable[[float, float, bool], Mapping[str, float]]

Spans = list[tuple[float, float]]


class LanguageRun(NamedTuple):
    """A stretch with one spoken language, in seconds of the window; `language` is ISO 639-1."""

    start: float
    end: float
    language: str


def even_levels(samples: Samples) -> Samples:
    """Return the sound with all quiet parts, noise included, raised to the level of speech, for voice detection."""
    length = round(_FRAME_SECONDS * RATE)
    count = -(-len(samples) // length)
    if count == 0:
        return samples
    padded = np.pad(samples, (0, count * length - len(samples))).reshape(count, length)
    levels = 10 * np.log10(np.maximum(np.square(padded, dtype=np.float64).mean(axis=1), 1e-12))
    near = round(_NEAR_SECONDS / _FRAME_SECONDS)
    around = np.lib.stride_tricks.sliding_window_view(np.pad(levels, near, mode="edge"), 2 * near + 1).max(axis=1)
    gains = np.clip(_TARGET_DB - around, 0, _MOST_GAIN_DB)
    gains[around < _SILENT_DB] = 0
    if not gains.any():
        return samples
    centres = (np.arange(count) + 0.5) * length
    curve: npt.NDArray[np.float64] = np.interp(np.arange(len(samples)), centres, gains)
    return np.clip(samples * np.power(10, curve / 20), -1, 1).astype(np.float32)


def raised_voices(samples: Samples, voiced: Sequence[tuple[float, float]]) -> Samples:
    """Return the sound with quiet voices raised to the level of speech, each by one gain; pauses are not changed.

    Args:
        samples: The sound.
        voiced: From `voiced_spans` of the sound at even levels.
    """
    gains = np.zeros(len(samples), np.float32)
    fade = round(_FADE_SECONDS * RATE)
    for start, end, gain in _voices(samples, voiced):
        gains[max(0, round(start * RATE) - fade) : round(end * RATE) + fade] = gain
    if not gains.any():
        return samples
    return np.clip(samples * np.power(10, gains / 20), -1, 1).astype(np.float32)


def level_changes(samples: Samples, voiced: Sequence[tuple[float, float]]) -> list[float]:
    """Return the middles of pauses after which a much louder or quieter voice follows, in seconds."""
    voices = _voices(samples, voiced)
    return [
        (before[1] + after[0]) / 2 for before, after in pairwise(voices) if abs(before[2] - after[2]) > _SAME_VOICE_DB
    ]


def _voices(samples: Samples, voiced: Sequence[tuple[float, float]]) -> list[tuple[float, float, float]]:
    """Merge voiced spans of similar level with short pauses between them: start, end, and gain in dB."""
    voices: list[tuple[float, float, float]] = []
    for start, end in voiced:
        part = samples[round(start * RATE) : round(end * RATE)]
        power = float(np.square(part, dtype=np.float64).mean()) if len(part) else 0.0
        gain = min(_MOST_GAIN_DB, max(0.0, _TARGET_DB - 10 * np.log10(max(1e-12, power))))
        if voices and start - voices[-1][1] < _SAME_GAIN_SECONDS and abs(gain - voices[-1][2]) <= _SAME_VOICE_DB:
            before = voices[-1]
            voices[-1] = (before[0], end, min(gain, before[2]))
        else:
            voices.append((start, end, gain))
    return voices


def voiced_spans(samples: Samples) -> Spans:
    """Return the spans with speech, in seconds."""
    from faster_whisper.vad import get_speech_timestamps

    found: list[dict[str, Any]] = get_speech_timestamps(samples, min_silence_duration_ms=100, speech_pad_ms=30)
    return [(chunk["start"] / RATE, chunk["end"] / RATE) for chunk in found]


def stretches_of(voiced: Sequence[tuple[float, float]]) -> Spans:
    """Merge voiced spans over short pauses into stretches, each probably of one speaker."""
    stretches: Spans = []
    for start, end in voiced:
        if stretches and start - stretches[-1][1] < _PAUSE_SECONDS and end - stretches[-1][0] <= _MOST_STRETCH_SECONDS:
            stretches[-1] = (stretches[-1][0], end)
        else:
            stretches.append((start, end))
    return stretches


def language_runs(stretches: Sequence[tuple[float, float]], length: float, detect: Detect) -> list[LanguageRun]:
    """Return the runs of one language: the most likely sequence of languages over the stretches of a window.

    Args:
        stretches: From `stretches_of`, in order.
        length: Length of the window, in seconds.
        detect: Returns the probabilities of languages for the sound between two seconds; quickly or, with True, carefully.
    """
    if not stretches:
        return []
    weights = [min(1.0, (end - start) / _LEAST_DETECTED_SECONDS) for start, end in stretches]
    places = []
    for start, end in stretches:
        missing = max(0.0, _LEAST_DETECTED_SECONDS - (end - start)) / 2
        places.append((max(0.0, start - missing), min(length, end + missing)))
    quick = [detect(*place, False) for place in places]
    found = [
        one if _is_sure(one, among) else detect(*place, True)
        for one, among, place in zip(quick, _among_spoken(quick), places, strict=True)
    ]
    chosen = _likeliest(_among_spoken(found), weights)
    runs: list[LanguageRun] = []
    for (start, end), language in zip(stretches, chosen, strict=True):
        if runs and runs[-1].language == language:
            runs[-1] = runs[-1]._replace(end=end)
        else:
            runs.append(LanguageRun(start, end, language))
    return runs


def _is_sure(quick: Mapping[str, float], among: Mapping[str, float]) -> bool:
    """Whether a quick detection is sure of its language, or would be if only the spoken languages existed."""
    language = max(quick, key=lambda one: quick[one])
    return max(quick[language], among.get(language, 0.0)) >= _SURE


def _among_spoken(found: Sequence[Mapping[str, float]]) -> list[dict[str, float]]:
    """Return the probabilities among the languages that are spoken in the window."""
    totals = Counter[str]()
    for probabilities in found:
        totals.update(probabilities)
    most = max(totals.values())
    sure = {language for one in found for language, value in one.items() if value >= _SURE}
    spoken = {language for language, total in totals.items() if total >= _LEAST_SHARE * most or language in sure}
    among = [{language: one.get(language, 0.0) + _LEAST_PROBABILITY for language in spoken} for one in found]
    return [{language: value / sum(one.values()) for language, value in one.items()} for one in among]


def _likeliest(found: Sequence[Mapping[str, float]], weights: Sequence[float]) -> list[str]:
    """The Viterbi path over all languages that are the most likely one of some stretch."""
    languages = sorted({max(probabilities, key=lambda one: probabilities[one]) for probabilities in found})
    scores = dict.fromkeys(languages, 0.0)
    paths: list[dict[str, str]] = []
    for probabilities, weight in zip(found, weights, strict=True):
        before = max(languages, key=lambda one: scores[one])
        came = {one: one if scores[one] >= scores[before] - _SWITCH_COST else before for one in languages}
        scores = {
            one: max(scores[one], scores[before] - _SWITCH_COST)
            + weight * math.log(max(_LEAST_PROBABILITY, probabilities.get(one, 0.0)))
            for one in languages
        }
        paths.append(came)
    last = max(languages, key=lambda one: scores[one])
    chosen = [last]
    for came in reversed(paths[1:]):
        chosen.append(came[chosen[-1]])
    return chosen[::-1]
