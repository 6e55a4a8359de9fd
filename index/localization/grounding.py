"""Grounding: from similarities over time to the span that a question is about. No model, and nothing is trained.

Every span of a window gets a probability: a prior that knows no scale, what the rows (captions, sentences,
frames) say second by second, and what the question itself says of time ("at the end", "after she sat down").
The answer is the span with the highest expected score under it, not the most probable one.
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

# A window is looked at in so many equal bins: spans are sharp to a fiftieth of it.
_BINS = 48
_POINTS = 4  # a bin's similarity is the mean at so many points
# Measured on one half of NExT-GQA's videos (tests/benchmarks/bench_nextgqa.py): the evidence that a second is
# in the span, as a log-likelihood ratio, is 0.2 for each standard deviation above half a one.
_EVIDENCE = 0.2
_THRESHOLD = 0.5
# What a question says of time is wrong so often; so is the clause that was taken for the anchor.
_DOUBT = 0.02


class GroundingQuery(Record):
    """A description to ground, and what is known of when it happens."""

    text: str = Field(description="A description to compare with rows.")
    place: float | None = Field(default=None, ge=0, le=1, description="Where in the video, as a share of its length.")
    place_width: float = Field(default=0.1, gt=0, description="Standard deviation of the place, as a share.")
    relation: Literal["after", "before"] | None = Field(default=None, description="How it lies to the anchor.")
    anchor: str = Field(default="", description="What happened before or after; a description.")


@dataclass(frozen=True)
class Channel:
    """One kind of rows and their similarities to a text: in any unit, higher is more alike.

    Attributes:
        spans: When each row is.
        scores: Its similarity, shape `(len(spans),)`.
    """

    spans: Sequence[Span]
    scores: npt.ArrayLike


class GroundedSpan(Record):
    """A span that a question may be about."""

    span: Span = Field(description="When.")
    score: float = Field(
        ge=0, le=1, description="Expected IoU with the true span; in precise mode, expected share inside."
    )


@dataclass(frozen=True)
class SpanPosterior:
    """How likely each span of a window is the one asked for.

    Attributes:
        window: What was searched.
        probability: Of each pair of bins, first and last, in the order of `np.triu_indices`; sums to 1.
    """

    window: Span
    probability: Numbers

    def best(self, mode: Mode = "balanced", k: int = 1, shortest_seconds: float = 2.0) -> list[GroundedSpan]:
        """The spans with the highest expected score, best first, none overlapping another.

        That is decoding by minimum Bayes risk (Kumar and Byrne 2004, section 2) over spans.

        Args:
            mode: `balanced` maximises the expected intersection over union, `precise` the expected share of
                the span that lies inside the true one (NExT-GQA's IoP), which favours short spans.
            k: At most this many.
            shortest_seconds: No span is shorter, unless the window is.
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
        """How likely each of the window's equal bins lies in the span, shape `(bins,)`."""
        first, last, _, _ = _pairs()
        at = np.arange(_BINS)
        return np.asarray(((first <= at[:, None]) & (at[:, None] <= last)) @ self.probability)


def span_posterior(
    window: Span, channels: Sequence[Channel], asked: GroundingQuery | None = None, anchors: Sequence[Channel] = ()
) -> SpanPosterior:
    """How likely each span of a window is the one that rows and question point at.

    The prior is scale-free: a length is the less likely the longer, as 1 / length (Jeffreys 1961, section
    3.1), and every place is alike. Each channel is standardised over the window, so that rows alike to
    everything say nothing; their mean is the evidence of a second. A question's place weighs a span's middle by a
    normal distribution; its relation, by the probability that the anchor lies before the span's start, or
    after its end.

    Args:
        window: The whole video, a few minutes at most; a longer one is searched coarsely. What an `asked.place`
            means is taken of this window.
        channels: Rows with their similarity to `asked.text`. What lies outside the window is left out.
        asked: What the question says of time; None: nothing.
        anchors: Rows with their similarity to `asked.anchor`; without any the relation is not used.

    Raises:
        ValueError: A channel has not one finite score a row.
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
    """How much of a text's words each row holds, shape `(len(rows),)`; a word counts by how rare it is among the rows.

    Inverse document frequency (Spärck Jones 1972) with one video as the collection: what all of its captions
    say tells no second from another.
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
    """First and last bin of every span; each span's IoU with each, and the share of it that lies in each."""
    first, last = np.triu_indices(_BINS)
    shared = np.minimum(last[:, None], last) - np.maximum(first[:, None], first) + 1.0
    shared = np.maximum(shared, 0)
    length = (last - first + 1)[:, None]
    return first, last, shared / (length + length.T - shared), shared / length


def _together(window: Span, channels: Sequence[Channel]) -> Numbers:
    """The channels' mean in each bin, in standard deviations over the window."""
    return _standardised(np.mean([_binned(window, channel) for channel in channels], axis=0))


def _binned(window: Span, channel: Channel) -> Numbers:
    """A channel in each bin, standardised; where several rows are, the best counts, where none is, the mean."""
    scores = np.asarray(channel.scores, np.float64)
    if scores.shape != (len(channel.spans),) or not np.isfinite(scores).all():
        raise ValueError(
            f"a channel of {len(channel.spans)} rows needs as many finite scores, got shape {scores.shape}"
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
    """Sums of the values up to each bin, from 0."""
    return np.concatenate([[0.0], np.cumsum(values)])
