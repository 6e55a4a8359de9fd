"""How many people speak at each moment: pyannote's network for speaker segmentation. The only module that loads its weights.

"Powerset multi-class cross entropy loss for neural speaker diarization" (Plaquet and Bredin 2023): learned band-pass filters
(SincNet, Ravanelli and Bengio 2018), convolutions, and four LSTM layers in both directions over 10 s of sound. The classes are
no speech, one of three speakers, and two of them at once. The weights are pyannote/segmentation-3.0 (MIT).
"""

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ..errors import MissingExtraError
from ..media.audio import RATE, Samples
from ..settings import Settings
from ..weights import find

if TYPE_CHECKING:
    import torch

__all__ = ["SEGMENTATION_PARAMETERS", "STEP_SECONDS", "SegmentationNetwork"]

_WINDOW = 10 * RATE  # what the network was trained on
_HOP = 5 * RATE
_STRIDE = 270  # samples between two rows of its output: 10 × 3 × 3 × 3
STEP_SECONDS = _STRIDE / RATE
_BATCH = 8
_FIRST_OVERLAP = 4  # of the seven classes, the last three are two speakers at once
_LEAST_HZ = 50

SEGMENTATION_PARAMETERS = (1, _WINDOW, _HOP)

Shares = npt.NDArray[np.float64]


class SegmentationNetwork:
    """Computes the probability that two people speak at once. The weights load at first use."""

    def __init__(self, settings: Settings) -> None:
        """Find the weights.

        Raises:
            WeightsError: The weights are not available.
            MissingExtraError: torch is not installed.
        """
        MissingExtraError.raise_if_missing("overlapping speech", "torch", extra="local")
        weights = find(settings.overlaps_model, "overlaps_model", offline=settings.offline)
        self.source, self._path = weights.source, weights.path

    def overlap(self, samples: Samples) -> Shares:
        """Return the probability that two people speak at once, one row every `STEP_SECONDS`.

        Windows of 10 s begin every 5 s; their results are averaged with Hamming weights.

        Args:
            samples: Mono sound at `RATE`, between -1 and 1.

        Returns:
            Shape `(rows,)`, between 0 and 1.
        """
        import torch

        count = 1 + max(0, -(-(len(samples) - _WINDOW) // _HOP))
        padded = np.pad(samples, (0, (count - 1) * _HOP + _WINDOW - len(samples))).astype(np.float32)
        windows = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)[::_HOP]
        total, weight = np.zeros(len(padded) // _STRIDE + 2), np.zeros(len(padded) // _STRIDE + 2)
        for first in range(0, count, _BATCH):
            with torch.inference_mode():
                batch = torch.from_numpy(np.array(windows[first : first + _BATCH]))
                shares = self._network(batch)[:, :, _FIRST_OVERLAP:].sum(dim=2).numpy().astype(np.float64)
            hamming = np.hamming(shares.shape[1])
            for number, row in enumerate(shares, start=first):
                at = round(number * _HOP / _STRIDE)
                total[at : at + len(row)] += row * hamming
                weight[at : at + len(row)] += hamming
        rows = min(len(total), len(samples) // _STRIDE + 1)
        found: Shares = np.clip(total[:rows] / np.maximum(weight[:rows], 1e-9), 0, 1)
        return found

    @cached_property
    def _network(self) -> "_Network":
        import torch

        return _Network(torch.load(self._path, map_location="cpu", weights_only=True)["state_dict"])


class _Network:
    """The layers with their weights."""

    def __init__(self, stored: Mapping[str, "torch.Tensor"]) -> None:
        from torch import nn

        bank = "sincnet.conv1d.0.filterbank."
        self._filters = _filters(*(stored[bank + name] for name in ("low_hz_", "band_hz_", "window_", "n_")))
        self._first_norm = _loaded(nn.InstanceNorm1d(1, affine=True), stored, "sincnet.wav_norm1d.")
        convolutions = [nn.Conv1d(80, 60, 5), nn.Conv1d(60, 60, 5)]
        norms = [nn.InstanceNorm1d(channels, affine=True) for channels in (80, 60, 60)]
        layers = [nn.Linear(256, 128), nn.Linear(128, 128)]
        self._convolutions = [
            _loaded(one, stored, f"sincnet.conv1d.{n}.") for n, one in enumerate(convolutions, start=1)
        ]
        self._norms = [_loaded(one, stored, f"sincnet.norm1d.{n}.") for n, one in enumerate(norms)]
        self._lstm = _loaded(nn.LSTM(60, 128, 4, bidirectional=True, batch_first=True), stored, "lstm.")
        self._layers = [_loaded(one, stored, f"linear.{n}.") for n, one in enumerate(layers)]
        self._classifier = _loaded(nn.Linear(128, 7), stored, "classifier.")

    def __call__(self, sound: "torch.Tensor") -> "torch.Tensor":
        """Return the probabilities of the classes, shape `(batch, rows, 7)`, of sound of shape `(batch, samples)`."""
        from torch.nn.functional import conv1d, leaky_relu, max_pool1d

        bands = conv1d(self._first_norm(sound[:, None]), self._filters, stride=10).abs()
        bands = leaky_relu(self._norms[0](max_pool1d(bands, 3)))
        for convolution, norm in zip(self._convolutions, self._norms[1:], strict=True):
            bands = leaky_relu(norm(max_pool1d(convolution(bands), 3)))
        states, _ = self._lstm(bands.transpose(1, 2))
        for layer in self._layers:
            states = leaky_relu(layer(states))
        shares: torch.Tensor = self._classifier(states).softmax(dim=-1)
        return shares


def _loaded(layer: "torch.nn.Module", stored: Mapping[str, "torch.Tensor"], prefix: str) -> "torch.nn.Module":
    layer.load_state_dict(
        {name.removeprefix(prefix): value for name, value in stored.items() if name.startswith(prefix)}
    )
    return layer.eval()


def _filters(
    low: "torch.Tensor", width: "torch.Tensor", window: "torch.Tensor", times: "torch.Tensor"
) -> "torch.Tensor":
    """Return the band-pass filters, 40 even and 40 odd ones, shape `(80, 1, 251)`.

    An even filter is the difference of two sinc functions, an odd one its Hilbert transform (asteroid's ParamSincFB).

    Args:
        low: Lowest frequency of each band over `_LEAST_HZ`, in Hz, shape `(40, 1)`.
        width: Width of each band over `_LEAST_HZ`, in Hz, shape `(40, 1)`.
        window: First half of the Hamming window, shape `(125,)`.
        times: 2π times the seconds before the middle, shape `(1, 125)`.
    """
    import torch

    lowest = _LEAST_HZ + low.abs()
    highest = torch.clamp(lowest + _LEAST_HZ + width.abs(), _LEAST_HZ, RATE / 2)
    first, last, band = lowest @ times, highest @ times, highest - lowest
    even = (last.sin() - first.sin()) / (times / 2) * window
    odd = (first.cos() - last.cos()) / (times / 2) * window
    evens = torch.cat([even, 2 * band, even.flip(1)], dim=1)
    odds = torch.cat([odd, torch.zeros_like(band), -odd.flip(1)], dim=1)
    return (torch.cat([evens, odds]) / (2 * torch.cat([band, band])))[:, None]
