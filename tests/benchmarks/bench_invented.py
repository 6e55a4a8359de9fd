"""Sentences that the transcription invents where there is no speech.

Generated sound without a voice: white, pink and brown noise, hum, chords with drums, a melody, beeps, silence with clicks, at
levels from -60 to -12 dBFS. Each sentence is invented.

Thirty minutes, a minute of each in turn.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from report import Figures

from playhead.tools.extractors.speech import Speech, Window, sentences_of
from playhead.tools.media.audio import RATE
from playhead.tools.settings import Settings

Sound = npt.NDArray[np.float64]
_SECONDS = 60
_LEVELS_DB = (-60, -40, -25, -12)


def _noise(power: float) -> Callable[[np.random.Generator], Sound]:
    def make(dice: np.random.Generator) -> Sound:
        spectrum = np.fft.rfft(dice.normal(size=_SECONDS * RATE))
        spectrum /= np.maximum(1, np.arange(len(spectrum))) ** (power / 2)
        return np.fft.irfft(spectrum)

    return make


def _hum(_: np.random.Generator) -> Sound:
    at = np.arange(_SECONDS * RATE) / RATE
    return sum((np.sin(2 * np.pi * 50 * n * at) / n for n in range(1, 6)), np.zeros(len(at)))


def _notes(pitches: list[float], beat: float, overtones: int) -> Callable[[np.random.Generator], Sound]:
    def make(dice: np.random.Generator) -> Sound:
        at = np.arange(_SECONDS * RATE) / RATE
        step = (at / beat).astype(int)
        pitch = dice.choice(pitches, size=step.max() + 1)[step]
        phase = 2 * np.pi * np.cumsum(pitch) / RATE
        tones = sum((np.sin(n * phase) / n for n in range(1, overtones + 1)), np.zeros(len(at)))
        drums = dice.normal(size=len(at)) * np.exp(-40 * (at % (2 * beat)))
        return tones * np.exp(-2 * (at % beat)) + 0.5 * drums

    return make


def _clicks(dice: np.random.Generator) -> Sound:
    sound = np.zeros(_SECONDS * RATE)
    for at in dice.integers(0, len(sound) - 400, size=_SECONDS // 2):
        sound[at : at + 400] = dice.normal(size=400) * np.exp(-np.arange(400) / 80)
    return sound


SOUNDS = {
    "white noise": _noise(0),
    "pink noise": _noise(1),
    "brown noise": _noise(2),
    "hum": _hum,
    "chords and drums": _notes([220, 277.2, 329.6, 440], 0.5, 6),
    "melody": _notes([262, 294, 330, 392, 440, 523], 0.25, 2),
    "low strings": _notes([65, 73, 82, 98], 2.0, 10),
    "clicks": _clicks,
    "silence": lambda _: np.zeros(_SECONDS * RATE),
}


def measure(minutes: int = 30) -> Figures:
    """The number of invented sentences for each sound."""
    dice = np.random.default_rng(1)
    speech = Speech(Settings(offline=True))
    rows: dict[str, dict[str, str | float | None]] = {
        name: {"sound": name, "minutes": 0, "invented": 0, "first": None} for name in SOUNDS
    }
    for number in range(minutes):
        name = list(SOUNDS)[number % len(SOUNDS)]
        sound = SOUNDS[name](dice)
        level = _LEVELS_DB[number // len(SOUNDS) % len(_LEVELS_DB)]
        scale = 10 ** (level / 20) / max(1e-9, float(np.sqrt(np.mean(np.square(sound)))))
        samples = np.clip(sound * scale, -1, 1).astype(np.float32)
        words = speech.process_window(Window(0.0, samples), lambda _: None)
        sentences = [one.text for one in sentences_of(words, speech.source)]
        rows[name]["minutes"] = float(rows[name]["minutes"] or 0) + _SECONDS / 60
        rows[name]["invented"] = float(rows[name]["invented"] or 0) + len(sentences)
        rows[name]["first"] = rows[name]["first"] or (sentences[0] if sentences else None)
    return {"Invented sentences": list(rows.values())}
