"""Whether each sentence is taken for its language, where the languages alternate.

* Generated: sentences in English, French, Spanish and German (`language_sentences.json`), spoken by SVOX Pico's voices
  (`pico2wave`, Debian's package libttspico-utils). The rule of languages may be changed while looking at the first half of the
  sentences, with the American voice. The other half, with the British voice, is held out.
* Recorded: prompts of telephone systems, read by people (Debian's packages asterisk-core-sounds-en-wav, -es-wav and -fr-wav), of
  3 to 9 s. They are held out.

The sentences alternate with pauses of 0.6 s, 16 in a composition. A sentence is right if most of it is transcribed as its language.
The word error rate counts the words that are transcribed within a sentence against those that were spoken.
"""

import json
import random
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from shutil import which
from typing import NamedTuple

import jiwer
import numpy as np
from report import Figures, Skipped, percent

from playhead.tools.extractors.speech import Speech, TranscribedWord, Window
from playhead.tools.media.audio import RATE, Samples, whole_track
from playhead.tools.media.frames import probe
from playhead.tools.settings import Settings

_PICO = {"tuned": {"en": "en-US"}, "held out": {"en": "en-GB"}}
_PICO_OTHERS = {"fr": "fr-FR", "es": "es-ES", "de": "de-DE"}
_PROMPTS = Path("/usr/share/asterisk/sounds")
_READERS = {"en": "en_US_f_Allison", "es": "es_MX_f_Allison", "fr": "fr_CA_f_June"}
_LANGUAGES = (("en", "fr"), ("en", "es"), ("en", "de"), ("en", "fr", "es", "de"))
_RECORDED = (("en", "fr"), ("en", "es"), ("fr", "es"), ("en", "fr", "es"))
_SENTENCES, _PAUSE_SECONDS = 16, 0.6
_SHORTEST, _LONGEST = 3.0, 9.0  # seconds of a prompt
_AUDIBLE = 0.01  # of full scale


class _Spoken(NamedTuple):
    """A sentence with its language; without a text, if only its sound is known."""

    language: str
    samples: Samples
    text: str = ""


class _Placed(NamedTuple):
    """A sentence in a composition, in seconds."""

    sentence: _Spoken
    start: float
    end: float


class _Listening(Speech):
    """Speech recognition that notes the language of each stretch that it transcribes."""

    def __init__(self) -> None:
        super().__init__(Settings(offline=True))
        self.stretches: list[tuple[float, float, str]] = []

    def _words(
        self, samples: Samples, language: str, offset: float, voiced: Sequence[tuple[float, float]]
    ) -> Iterator[TranscribedWord]:
        self.stretches.append((offset, offset + len(samples) / RATE, language))
        return super()._words(samples, language, offset, voiced)


def measure() -> Figures:
    speech = _Listening()
    figures: dict[str, list] = {}
    with tempfile.TemporaryDirectory() as folder:
        generated = [
            _row(speech, part, "SVOX Pico", languages, _generated(Path(folder), part))
            for part in _PICO
            for languages in _LANGUAGES
        ]
    figures["Generated sentences"] = generated
    try:
        prompts = _prompts()
    except Skipped as reason:
        print(f"languages: generated sentences only: {reason}")
    else:
        figures["Recorded sentences"] = [
            _row(speech, "held out", "recorded prompts", languages, prompts) for languages in _RECORDED
        ]
    return figures


def _generated(folder: Path, part: str) -> dict[str, list[_Spoken]]:
    """The sentences of a part by language."""
    if which("pico2wave") is None:
        raise Skipped("pico2wave is not installed (Debian: libttspico-utils, in the section non-free)")
    listed = json.loads(Path(__file__).with_name("language_sentences.json").read_text(encoding="utf-8"))
    spoken: dict[str, list[_Spoken]] = {}
    for language, texts in listed.items():
        half = texts[: len(texts) // 2] if part == "tuned" else texts[len(texts) // 2 :]
        voice = (_PICO[part] | _PICO_OTHERS)[language]
        for number, text in enumerate(half):
            path = folder / f"{part}-{voice}-{number}.wav"
            if not path.exists():
                subprocess.run(["pico2wave", "-l", voice, "-w", str(path), text], check=True)
            spoken.setdefault(language, []).append(_Spoken(language, _audible(path), text))
    return spoken


def _prompts() -> dict[str, list[_Spoken]]:
    """Recorded prompts by language, in a fixed random order."""
    folders = {language: _PROMPTS / name for language, name in _READERS.items()}
    missing = [str(folder) for folder in folders.values() if not folder.is_dir()]
    if missing:
        raise Skipped(f"there are no recorded prompts in {', '.join(missing)}")
    spoken: dict[str, list[_Spoken]] = {}
    for language, folder in folders.items():
        paths = sorted(path for path in folder.glob("*.wav") if not path.stem.startswith("tt-"))
        random.Random(len(paths)).shuffle(paths)
        found = (_Spoken(language, _audible(path)) for path in paths)
        fitting = (one for one in found if _SHORTEST <= len(one.samples) / RATE <= _LONGEST)
        spoken[language] = [one for one, _ in zip(fitting, range(_SENTENCES), strict=False)]
    return spoken


def _audible(path: Path) -> Samples:
    """The sound of a file without silence at its ends."""
    samples = whole_track(probe(path))
    loud = np.flatnonzero(np.abs(samples) > _AUDIBLE)
    return samples[loud[0] : loud[-1] + 1] if len(loud) else samples[:0]


def _row(
    speech: _Listening, part: str, voices: str, languages: Sequence[str], spoken: Mapping[str, Sequence[_Spoken]]
) -> dict[str, str | float | None]:
    samples, placed = _composed(languages, spoken)
    speech.stretches.clear()
    words = speech.process_window(Window(0.0, samples), lambda _: None)
    right = [_language(one, speech.stretches) == one.sentence.language for one in placed]
    pairs = [(one.sentence.text, _said(one, words)) for one in placed if one.sentence.text]
    errors = jiwer.wer([_plain(text) for text, _ in pairs], [_plain(text) for _, text in pairs]) if pairs else None
    return {
        "part": part,
        "voices": voices,
        "languages": ", ".join(languages),
        "sentences": len(placed),
        "right": sum(right),
        "right_percent": percent(sum(right) / len(placed)),
        "word_error_rate_percent": None if errors is None else percent(errors),
    }


def _composed(languages: Sequence[str], spoken: Mapping[str, Sequence[_Spoken]]) -> tuple[Samples, list[_Placed]]:
    """Sentences that alternate between the languages, as one sound."""
    pause = np.zeros(round(_PAUSE_SECONDS * RATE), np.float32)
    parts, placed, seconds = [], [], 0.0
    for number in range(_SENTENCES):
        sentence = spoken[languages[number % len(languages)]][number // len(languages)]
        length = len(sentence.samples) / RATE
        placed.append(_Placed(sentence, seconds, seconds + length))
        parts += [sentence.samples, pause]
        seconds += length + _PAUSE_SECONDS
    return np.concatenate(parts), placed


def _language(one: _Placed, stretches: Sequence[tuple[float, float, str]]) -> str:
    """The language as which most of a sentence is transcribed; empty if it is not transcribed."""
    shares = Counter[str]()
    for start, end, language in stretches:
        shares[language] += max(0.0, min(one.end, end) - max(one.start, start))
    return max(shares, key=lambda language: shares[language], default="")


def _said(one: _Placed, words: Sequence[TranscribedWord]) -> str:
    """What is transcribed within a sentence and half of the pauses around it."""
    start, end = one.start - _PAUSE_SECONDS / 2, one.end + _PAUSE_SECONDS / 2
    return "".join(word.text for word in words if start <= (word.start + word.end) / 2 < end)


def _plain(text: str) -> str:
    """A text in lower case, without punctuation."""
    return " ".join("".join(c if c.isalnum() else " " for c in text.casefold()).split())
