"""Classes of sound by a model of transformers: an audio classifier, or CLAP with free descriptions.

"AST: Audio Spectrogram Transformer" (Gong et al. 2021) gives probabilities of AudioSet's classes. "Large-scale Contrastive
Language-Audio Pretraining" (Wu et al. 2023) compares sound with descriptions. Both read about ten seconds at once. Windows
overlap by three quarters, and each quarter gets the mean of the windows that hold it.
"""

import json
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..device import resolve_device, to_device, torch_inference
from ..errors import MissingExtraError, SettingsError, WeightsError
from ..media.audio import RATE, Samples
from ..settings import Settings
from ..weights import find

__all__ = ["CLASSIFIER_PARAMETERS", "SoundClassifier"]

_WINDOW_SECONDS = 10.0
_STEPS = 4  # in a window
_BATCH = 8
# CLAP's probabilities are relative: these descriptions take the share of what the vocabulary does not describe.
_OTHER = ("silence", "people talking", "music", "noise")

CLASSIFIER_PARAMETERS = (1, _WINDOW_SECONDS, _STEPS, _OTHER)

Scores = npt.NDArray[np.float64]


class SoundClassifier:
    """Classifies sound. The model loads at first use."""

    def __init__(self, settings: Settings) -> None:
        """Find the weights.

        Raises:
            WeightsError: The weights are not available, or the folder holds no model of transformers.
            MissingExtraError: transformers is not installed.
            SettingsError: The model is a CLAP and `sounds_vocabulary` is empty.
        """
        MissingExtraError.raise_if_missing("sounds", "transformers", extra="local")
        weights = find(settings.sounds_model, "sounds_model", offline=settings.offline)
        self.source, self._folder = weights.source, weights.path
        self._vocabulary, self._least = settings.sounds_vocabulary, settings.sounds_score
        self._device = resolve_device(settings)
        try:
            config = json.loads((self._folder / "config.json").read_text(encoding="utf-8"))
            self._is_clap = config["model_type"] == "clap"
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise WeightsError(f"{self._folder} holds no model of transformers: check sounds_model") from error
        if self._is_clap and not self._vocabulary:
            raise SettingsError(
                "sounds_vocabulary is empty: a CLAP needs descriptions, such as sounds_vocabulary='a crowd cheering, a dog'"
            )
        self._loaded: tuple[Any, Any] | None = None

    def process_window(self, window: Any, progress: Callable[[float], None]) -> list[Any]:
        """Return the sounds of a window as `[label, start, end, score]`, in seconds of the timeline.

        Raises:
            WeightsError: The model cannot be loaded.
            SettingsError: The classifier does not know a class of `sounds_vocabulary`.
        """
        labels, scores = self._scores(window.samples, lambda second: progress(window.start + second))
        step, length = _WINDOW_SECONDS / _STEPS, len(window.samples) / RATE
        found = []
        for column, label in enumerate(labels):
            flags = np.concatenate([[False], scores[:, column] >= self._least, [False]])
            edges = np.flatnonzero(np.diff(flags.astype(int)))
            for first, last in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
                start, end = first * step, min(length, last * step)
                score = float(scores[first:last, column].max())
                found.append([label, round(window.start + start, 3), round(window.start + end, 3), round(score, 3)])
        return sorted(found, key=lambda one: one[1:3])

    def _scores(self, samples: Samples, progress: Callable[[float], None]) -> tuple[Sequence[str], Scores]:
        """The labels, and a row of probabilities for each quarter of a window."""
        size, step = round(_WINDOW_SECONDS * RATE), round(_WINDOW_SECONDS * RATE / _STEPS)
        count = max(1, -(-len(samples) // step))
        firsts = [step * number for number in range(max(1, count - _STEPS + 1))]
        labels, rows = self._labels(), []
        for batch in range(0, len(firsts), _BATCH):
            pieces = [samples[first : first + size] for first in firsts[batch : batch + _BATCH]]
            rows.append(self._probabilities(pieces))
            progress(firsts[batch] / RATE)
        found = np.concatenate(rows)
        covering = [range(max(0, quarter - _STEPS + 1), min(quarter, len(firsts) - 1) + 1) for quarter in range(count)]
        return labels, np.stack([found[list(windows)].mean(axis=0) for windows in covering])

    def _labels(self) -> Sequence[str]:
        if self._is_clap:
            return self._vocabulary
        return [self._classes()[column] for column in self._columns()]

    def _classes(self) -> list[str]:
        named: dict[int, str] = self._load()[0].config.id2label
        return [named[number] for number in range(len(named))]

    def _columns(self) -> list[int]:
        """The columns of the classes that are wanted: all, or those of the vocabulary."""
        classes = [name.casefold() for name in self._classes()]
        unknown = [name for name in self._vocabulary if name.casefold() not in classes]
        if unknown:
            raise SettingsError(
                f"sounds_vocabulary: {self.source} does not know {', '.join(unknown)}; "
                f"it knows {', '.join(self._classes()[:20])}{' …' if len(classes) > 20 else ''}"
            )
        wanted = {name.casefold() for name in self._vocabulary} or set(classes)
        return [column for column, name in enumerate(classes) if name in wanted]

    def _probabilities(self, pieces: Sequence[Samples]) -> Scores:
        """Of each piece, for each label, shape `(pieces, labels)`."""
        model, processor = self._load()
        if self._is_clap:
            rate = processor.feature_extractor.sampling_rate
            texts = [*self._vocabulary, *_OTHER]
            inputs = processor(
                text=texts, audio=[_resampled(one, rate) for one in pieces], sampling_rate=rate, padding=True,
                return_tensors="pt",
            )  # fmt: skip
            shares = self._run(model, inputs, lambda output: output.logits_per_audio.softmax(dim=-1))
            return shares[:, : len(self._vocabulary)]
        rate = processor.sampling_rate
        inputs = processor([_resampled(one, rate) for one in pieces], sampling_rate=rate, return_tensors="pt")
        return self._run(model, inputs, lambda output: output.logits.sigmoid())[:, self._columns()]

    def _run(self, model: Any, inputs: Any, read: Callable[[Any], Any]) -> Scores:
        with torch_inference(self._device):
            output = model(**{name: to_device(given, self._device) for name, given in inputs.items()})
        return read(output).float().cpu().numpy().astype(np.float64)

    def _load(self) -> tuple[Any, Any]:
        if self._loaded is None:
            from transformers import AutoFeatureExtractor, AutoModelForAudioClassification, ClapModel, ClapProcessor

            readers = (
                (ClapModel, ClapProcessor) if self._is_clap else (AutoModelForAudioClassification, AutoFeatureExtractor)
            )
            try:
                model, processor = (one.from_pretrained(self._folder, local_files_only=True) for one in readers)
            except (OSError, ValueError, KeyError) as error:
                raise WeightsError(
                    f"{self._folder} holds neither an audio classifier nor a CLAP ({error}): check sounds_model"
                ) from error
            self._loaded = (model.eval().to(self._device), processor)
        return self._loaded


def _resampled(samples: Samples, rate: int) -> Samples:
    """Sound at another rate, limited to the band of both: by the Fourier transform."""
    count = round(len(samples) * rate / RATE)
    if count == len(samples):
        return samples
    spectrum = np.fft.rfft(samples)
    kept = np.zeros(count // 2 + 1, complex)
    least = min(len(kept), len(spectrum))
    kept[:least] = spectrum[:least]
    return (np.fft.irfft(kept, count) * (count / len(samples))).astype(np.float32)
