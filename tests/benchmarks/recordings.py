"""Real recordings with what is said in them, and how texts are normalised before words are counted.

Both sides go through `EnglishTextNormalizer` of transformers, the normaliser of the Whisper paper (Radford et
al. 2022, appendix C): lower case, no punctuation, no fillers, contractions written out, numbers in figures.
Its table of British spellings is not in the package, so a spelling that differs counts as an error.
"""

import importlib.util
import json
import runpy
from collections.abc import Callable
from functools import cache
from pathlib import Path

from report import Skipped, real_data

from playhead.tools.extractors.speech import Speech
from playhead.tools.media.frames import probe
from playhead.tools.records import Observation
from playhead.tools.settings import Settings

__all__ = ["MODELS", "make_talk", "normalised", "recording_sets", "transcriber"]

MODELS = ("whisper-tiny.en", "whisper-base")

_KENNEDY = "And so my fellow Americans ask not what your country can do for you ask what you can do for your country"


@cache
def _normaliser() -> Callable[[str], str]:
    from transformers.models.whisper.english_normalizer import EnglishTextNormalizer

    return EnglishTextNormalizer({})


def normalised(text: str) -> str:
    """A text as its words are counted."""
    return " ".join(_normaliser()(text).split())


def recording_sets() -> dict[str, dict[Path, str]]:
    """What is said in each recording, by set.

    Raises:
        Skipped: The recordings are not here.
    """
    speech = real_data("speech")
    libri = {}
    for listed in sorted(speech.glob("1089-*.trans.txt")):
        for line in listed.read_text(encoding="utf-8").splitlines():
            name, _, text = line.partition(" ")
            libri[speech / f"{name}.flac"] = text
    dali = json.loads((speech / "dali" / "transcripts.json").read_text(encoding="utf-8"))
    return {
        "LibriSpeech 1089": libri,
        "LibriSpeech 237 (DALI)": {speech / "dali" / name: text for name, text in sorted(dali.items())},
        "Kennedy": {speech / "jfk.flac": _KENNEDY},
        "Lucier": {speech / "lucier.mp3": (speech / "lucier.txt").read_text(encoding="utf-8")},
    }


def transcriber(model: str) -> Callable[[Path], list[Observation]]:
    """What transcribes a file with a model, which loads at first use; subtitles beside the file are not looked at.

    Raises:
        WeightsError: The weights are not here.
        MissingExtraError: faster-whisper is not installed.
    """
    speech = Speech(Settings(speech_model=model, sidecars=False))
    return lambda path: list(speech.transcribe(probe(path)))


def make_talk(folder: Path) -> Path:
    """The sample talk of `examples/make_sample.py`; its truth lies beside it as `talk.truth.json`.

    Raises:
        Skipped: What makes it is not installed.
    """
    if importlib.util.find_spec("espeakng_loader") is None or importlib.util.find_spec("skimage") is None:
        raise Skipped("the sample talk needs: pip install 'playhead[demo]'")
    script = Path(__file__).resolve().parents[2] / "examples" / "make_sample.py"
    film: Path = runpy.run_path(str(script))["make_sample"](folder)
    return film
