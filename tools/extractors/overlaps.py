"""Where two people speak at once: spans of overlapping speech.

A span begins and ends where the network's probability of two speakers crosses one half, and it counts where the probability
reaches a higher limit. Who speaks there is not distinguished: `speakers` gives such speech to one of the voices.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from ..records import Observation, Span
from ..settings import Settings
from .segmentation import SEGMENTATION_PARAMETERS, STEP_SECONDS, SegmentationNetwork
from .speech import Window

__all__ = ["OVERLAPPING", "OVERLAP_PARAMETERS", "OverlapDetector", "overlaps_of"]

OVERLAPPING = "overlapping speech"

# Chosen on the voices for tuning: `tests/benchmarks/bench_speakers.py`.
_LEAST, _EDGE = 0.7, 0.5  # least probability inside a span, and at its edges
_GAP = 0.2  # seconds; spans with a shorter gap are merged
_SHORTEST = 0.3  # seconds; shorter spans are dropped

OVERLAP_PARAMETERS = (1, _LEAST, _EDGE, _GAP, _SHORTEST, *SEGMENTATION_PARAMETERS)


class OverlapDetector:
    """Detects overlapping speech."""

    def __init__(self, settings: Settings) -> None:
        """Find the weights; the network loads at first use.

        Raises:
            WeightsError: The weights are not available, or are not the ones that were checked.
            MissingExtraError: torch is not installed.
        """
        self._network = SegmentationNetwork(settings)
        self.source = self._network.source

    def process_window(self, window: Window, progress: Callable[[float], None]) -> list[Any]:  # noqa: ARG002 (a window takes a second)
        """Return the overlaps of a window as `[start, end, probability]`, in seconds of the timeline."""
        if not len(window.samples):
            return []
        shares = self._network.overlap(window.samples)
        edges = np.flatnonzero(np.diff(np.concatenate([[False], shares > _EDGE, [False]]).astype(int)))
        found = []
        for first, last in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
            probability = float(shares[first:last].max())
            if probability >= _LEAST:
                start, end = window.start + first * STEP_SECONDS, window.start + last * STEP_SECONDS
                found.append([round(start, 3), round(end, 3), round(probability, 3)])
        return found


def overlaps_of(windows: Iterable[list[Any]], source: str) -> Iterator[Observation]:
    """Yield the overlaps in order of time, from the results of `OverlapDetector.process_window`."""
    merged: list[tuple[float, float, float]] = []
    for start, end, probability in (one for window in windows for one in window):
        if merged and start - merged[-1][1] <= _GAP:
            before = merged[-1]
            merged[-1] = (before[0], max(end, before[1]), max(probability, before[2]))
        else:
            merged.append((start, end, probability))
    for start, end, probability in merged:
        if end - start >= _SHORTEST:
            yield Observation(
                modality="overlap", span=Span(start=start, end=end), text=OVERLAPPING, score=probability, source=source
            )
