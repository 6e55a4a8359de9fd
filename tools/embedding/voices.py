"""Voices as unit vectors: windows of speech by Resemblyzer's encoder. The only module that loads its weights.

"Generalized End-to-End Loss for Speaker Verification" (Wan et al. 2018): three LSTM layers over 40 mel bands, the last
state projected. Two windows of one voice have a cosine of about 0.7 to 0.9, of two voices 0.4 to 0.7.
"""

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ..errors import MissingExtraError
from ..media.audio import RATE, Samples
from ..settings import Settings
from ..weights import find
from .protocol import Vectors, unit

if TYPE_CHECKING:
    import torch

__all__ = ["VOICE_PARAMETERS", "VoiceEncoder", "mel_bands"]

WINDOW_SECONDS = 1.6  # what the encoder was trained on
_HOP = RATE // 100
_FRAME = RATE // 40
_BANDS = 40
_LOUDNESS = 10 ** (-30 / 20)  # −30 dBFS, as in training
_BATCH = 256

VOICE_PARAMETERS = (1, WINDOW_SECONDS, _HOP, _FRAME, _BANDS, _LOUDNESS)

Bands = npt.NDArray[np.float32]


class VoiceEncoder:
    """Embeds windows of speech. The model loads at first use."""

    def __init__(self, settings: Settings) -> None:
        """Find the weights.

        Raises:
            WeightsError: The weights are not available.
            MissingExtraError: torch is not installed.
        """
        MissingExtraError.raise_if_missing("speakers", "torch", extra="local")
        weights = find(settings.model_for("speakers_model"), "speakers_model", offline=settings.offline)
        self.source = self.embedding_id = weights.source
        self._path = weights.path

    def encode(self, windows: npt.NDArray[np.float32]) -> Vectors:
        """Unit vectors of windows of mel bands.

        Args:
            windows: From `mel_bands`, shape `(n, frames, 40)`; 160 frames are 1.6 s.

        Returns:
            float32, shape `(n, 256)`.
        """
        import torch

        if not len(windows):
            return np.zeros((0, 256), np.float32)
        layers, projection = self._model
        found = []
        with torch.inference_mode():
            for first in range(0, len(windows), _BATCH):
                _, (state, _) = layers(torch.from_numpy(np.array(windows[first : first + _BATCH], np.float32)))
                found.append(torch.relu(projection(state[-1])).numpy())
        return unit(np.concatenate(found))

    @cached_property
    def _model(self) -> "tuple[torch.nn.LSTM, torch.nn.Linear]":
        import torch

        state = torch.load(self._path, map_location="cpu", weights_only=True)["model_state"]
        layers, projection = torch.nn.LSTM(_BANDS, 256, 3, batch_first=True), torch.nn.Linear(256, 256)
        layers.load_state_dict({k.removeprefix("lstm."): v for k, v in state.items() if k.startswith("lstm.")})
        projection.load_state_dict({k.removeprefix("linear."): v for k, v in state.items() if k.startswith("linear.")})
        return layers.eval(), projection.eval()


def mel_bands(samples: Samples) -> Bands:
    """The power of 40 mel bands, 100 frames a second, of speech brought to −30 dBFS; float32, shape `(frames, 40)`."""
    loudness = float(np.sqrt(np.mean(np.square(samples, dtype=np.float64)))) if len(samples) else 0.0
    if loudness <= 0:
        return np.zeros((0, _BANDS), np.float32)
    padded = np.pad(samples * np.float32(_LOUDNESS / loudness), _FRAME // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, _FRAME)[::_HOP]
    hann = np.hanning(_FRAME + 1)[:-1].astype(np.float32)
    power = np.square(np.abs(np.fft.rfft(frames * hann, axis=1)))
    return (power @ _filters().T).astype(np.float32)


def _filters() -> npt.NDArray[np.float64]:
    """Triangles of equal area, equally spaced on Slaney's mel scale (Auditory Toolbox, 1998), shape `(40, 201)`."""
    step, knee, factor = 200 / 3, 1000.0, np.log(6.4) / 27
    top = knee / step + np.log(RATE / 2 / knee) / factor
    mels = np.linspace(0, top, _BANDS + 2)
    edges = np.where(mels < knee / step, mels * step, knee * np.exp(factor * (mels - knee / step)))
    hertz = np.linspace(0, RATE / 2, _FRAME // 2 + 1)
    rising = (hertz - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - hertz) / (edges[2:] - edges[1:-1])[:, None]
    return np.maximum(0, np.minimum(rising, falling)) * (2 / (edges[2:] - edges[:-2]))[:, None]
