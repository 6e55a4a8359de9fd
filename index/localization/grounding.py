"""Grounding: from similarities over time to the span that a query describes. Training-free.

Every span of a window gets a probability from a scale-free prior, the similarities of rows (captions, sentences,
frames) over time, and the time expression of the query ("at the end", "after she sat down").
The result is the span with the highest expected score, not the most probable one.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from ...tools.records import Record, Span
from ...tools.words import STOP_WORDS, stem, tokens

__all__ = ["Channel", "GroundedSpan", "GroundingQuery", "Mode", "SpanPosterior", "span_posterior", "word_match"]

Mode = Literal["balanced", "precise"]
Numbers = npt.NDArray[np.float64]

# Number of equal bins of a window: the resolution of spans.
_BINS = 48
_POINTS = 4  # sample points of a bin: its similarity is their mean
# Measured on one half of NExT-GQA's videos (tests/benchmarks/bench_nextgqa.py): the evidence that a second is
# in the span, as a log-likelihood ratio, is 0.2 for each standard deviation above half a one.
_EVIDENCE = 0.2
_THRESHOLD = 0.5
# Probability that the query's time expression, or the clause taken for the anchor, is wrong.
_DOUBT = 0.02


class GroundingQuery(Record):
    """A description to ground, and constraints on its time."""

    text: str = Field(description="A description to compare with rows.")
    place: float | None = Field(default=None, ge=0, le=1, description="Where in the video, as a share of its length.")
    place_width: float = Field(default=0.1, gt=0, description="Standard deviation of the place, as a share.")
    relation: Literal["after", "before"] | None = Field(default=None, description="Order relative to the anchor.")
    anchor: str = Field(default="", description="Description of the event before or after.")


@dataclass(frozen=True)
class Channel:
    """One kind of rows and their similarities to a text, in any unit.

    Attributes:
        spans: Span of each row.
        scores: Similarity of each row, shape `(len(spans),)`; higher is more similar.
    """

    spans: Sequence[Span]
    scores: npt.ArrayLike


class GroundedSpan(Record):
    """A span that may answer a query."""

    span: Span = Field(description="When.")
    score: float = Field(
        ge=0, le=1, description="Expected IoU with the true span; in precise mode, expected share inside."
    )


@dataclass(frozen=True)
class SpanPosterior:
    """The probability of each span of a window.

    Attributes:
        window: The searched stretch of the video.
        probability: For each pair of bins, first and last, in the order of `np.triu_indices`; sums to 1.
    """

    window: Span
    probability: Numbers

    def best(self, mode: Mode = "balanced", k: int = 1, shortest_seconds: float = 2.0) -> list[GroundedSpan]:
        """Return the spans with the highest expected score, best first, without overlaps.

        This is minimum Bayes risk decoding (Kumar and Byrne 2004, section 2) over spans.

        Args:
            mode: `balanced` maximises the expected intersection over union, `precise` the expected share of
                the span that lies inside the true one (NExT-GQA's IoP), which favours short spans.
            k: At most this many.
            shortest_seconds: Minimum length of a span, unless the window is shorter.
        """
        first, last, iou, share = _pairs()
        expected = (iou if mode == "balanced" else share) @ self.probability
        bin_seconds = self.window.duration / _BINS
        long_enough = (last + 1 - first) * bin_seconds >= min(shortest_seconds, self.window.duration) - 1e-6
        expected = np.where(long_enough, expected, -1.0)
        found: list[GroundedSpan] = []
        while len(found) < k and expected.max() >= 0:
            best = int(expected.argmax())
            start = self.window.start + first[best] * bin_seconds
            end = self.window.end if last[best] == _BINS - 1 else self.window.start + (last[best] + 1) * bin_seconds
            found.append(GroundedSpan(span=Span(start=start, end=end), score=min(1.0, float(expected[best]))))
            expected = np.where((first > last[best]) | (last < first[best]), expected, -1.0)
        return found

    def inside(self) -> Numbers:
        """Return the probability that each of the window's equal bins is inside the span, shape `(bins,)`."""
        first, last, _, _ = _pairs()
        at = np.arange(_BINS)
        return np.asarray(((first <= at[:, None]) & (at[:, None] <= last)) @ self.probability)


def span_posterior(
    window: Span, channels: Sequence[Channel], asked: GroundingQuery | None = None, anchors: Sequence[Channel] = ()
) -> SpanPosterior:
    """Return the probability of each span of a window, given similarities and a time expression.

    The prior is scale-free: the probability of a length is proportional to 1 / length (Jeffreys 1961, section
    3.1), and positions are uniform. Each channel is standardised over the window, so a constant similarity adds no
    evidence; the mean of the channels is the evidence of a second. A place weights the middle of a span by a
    normal distribution. A relation weights a span by the probability that the anchor lies before its start, or
    after its end.

    Args:
        window: The whole video, a few minutes at most; a longer window has coarser bins. `asked.place` refers to
            this window.
        channels: Rows with their similarity to `asked.text`. Rows outside the window are ignored.
        asked: The query's time constraints; may be missing.
        anchors: Rows with their similarity to `asked.anchor`; without them the relation is ignored.

    Raises:
        ValueError: A channel does not have one finite score for each row.
    """
    first, last, _, _ = _pairs()
    length = last + 1 - first
    log = -np.log(length) - np.log(_BINS - length + 1)
    rows = _together(window, channels) if channels else np.zeros(_BINS)
    if rows.any():
        summed = _summed(_EVIDENCE * (rows - _THRESHOLD) * window.duration / _BINS)
        log += summed[last + 1] - summed[first]
    if asked and asked.place is not None:
        off = ((first + last + 1) / (2 * _BINS) - asked.place) / asked.place_width
        log += np.log(np.exp(-0.5 * off**2) + _DOUBT)
    if asked and asked.relation and anchors:
        weight = np.exp(_together(window, anchors))
        before = _summed(weight / weight.sum())
        in_order = before[first] if asked.relation == "after" else 1 - before[last + 1]
        log += np.log(np.maximum(in_order, 0) + _DOUBT)
    probability = np.exp(log - log.max())
    return SpanPosterior(window, probability / probability.sum())


def word_match(text: str, rows: Sequence[str]) -> Numbers:
    """Return the summed inverse document frequency of a text's words in each row, shape `(len(rows),)`.

    The rows are the collection (Spärck Jones 1972): a word in every row does not distinguish one second from another.
    """
    held = [{stem(word) for word in tokens(row)} for row in rows]
    found = np.zeros(len(rows))
    for word in sorted({stem(word) for word in tokens(text) if word not in STOP_WORDS}):
        there = np.array([word in words for words in held], float)
        if 0 < there.sum() < len(rows):
            found += there * math.log((len(rows) + 1) / (there.sum() + 0.5))
    return found


@lru_cache(maxsize=1)
def _pairs() -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], Numbers, Numbers]:
    """Return first and last bin of every span, the IoU of all pairs, and the share of each span inside each other span."""
    first, last = np.triu_indices(_BINS)
    shared = np.minimum(last[:, None], last) - np.maximum(first[:, None], first) + 1.0
    shared = np.maximum(shared, 0)
    length = (last - first + 1)[:, None]
    return first, last, shared / (length + length.T - shared), shared / length


def _together(window: Span, channels: Sequence[Channel]) -> Numbers:
    """Return the mean of the channels in each bin, in standard deviations over the window."""
    return _standardised(np.mean([_binned(window, channel) for channel in channels], axis=0))


def _binned(window: Span, channel: Channel) -> Numbers:
    """Return a channel in each bin, standardised: the best of several rows; the mean where there is no row."""
    scores = np.asarray(channel.scores, np.float64)
    if scores.shape != (len(channel.spans),) or not np.isfinite(scores).all():
        raise ValueError(
            f"a channel of {len(channel.spans)} rows needs the same number of finite scores, got shape {scores.shape}"
        )
    best = np.full(_BINS * _POINTS, -np.inf)
    at = window.start + (np.arange(len(best)) + 0.5) * window.duration / len(best)
    starts = np.searchsorted(at, [span.start for span in channel.spans]).tolist()
    ends = np.searchsorted(at, [span.end for span in channel.spans]).tolist()
    for start, end, score in zip(starts, ends, scores, strict=True):
        best[start:end] = np.maximum(best[start:end], score)
    there = np.isfinite(best)
    best[~there] = best[there].mean() if there.any() else 0.0
    return _standardised(best.reshape(_BINS, _POINTS).mean(axis=1))


def _standardised(values: Numbers) -> Numbers:
    spread = values.std()
    return (values - values.mean()) / spread if spread > 1e-9 else np.zeros_like(values)


def _summed(values: Numbers) -> Numbers:
    """Return cumulative sums, starting with 0."""
    return np.concatenate([[0.0], np.cumsum(values)])
