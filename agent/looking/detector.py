"""Inspects decoded frames without a video LLM: object detector and image encoder check what stored evidence suggests.

Stored vectors and detections give the prior; the temporal search then selects the next frame after each frame.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...index.localization.temporal_search import Goal, Kind, Moment, Prior, Timeline, search
from ...index.records import Evidence, VideoRecord
from ...tools.embedding.protocol import ImageEncoder
from ...tools.extractors.objects import Detector
from ...tools.media.frames import Decoder, frames_at
from ...tools.records import Frame, Segment, Span
from ...tools.words import is_same, tokens

__all__ = ["FrameModels", "Inspected", "inspect", "priors_of"]

# Prior probability that the thing is visible, from a search result or a stored detection alone.
PRIOR_WEIGHT = 0.6
# A spoken thing is visible within this many seconds before or after.
PAD_SECONDS = 4.0
# Longest bin in seconds, and most bins of a video.
_BIN_SECONDS, _MOST_BINS = 2.0, 3600
_ROUND = 4
# Highest score of a frame that is similar but not certain; the lowest is the encoder's floor.
_ALIKE, _SURE = 0.35, 0.9
# Words for people; the detector's label is "person".
_PERSON = frozenset("people person man men woman women boy girl child children somebody someone speaker player".split())


@dataclass(frozen=True)
class FrameModels:
    """The models that inspect frames; None if one is not available.

    Attributes:
        detector: Finds objects of a fixed list of classes.
        encoder: Compares a picture with any text.
    """

    detector: Detector | None
    encoder: ImageEncoder | None


@dataclass(frozen=True)
class Inspected:
    """The result of inspecting one video.

    Attributes:
        moments: Moments with the thing, the most certain first.
        frames: Number of inspected frames.
    """

    moments: tuple[Moment, ...]
    frames: int


def inspect(
    query: str,
    record: VideoRecord,
    video: Path,
    stored: Sequence[Evidence],
    models: FrameModels,
    *,
    kind: Kind = "needle",
    frames: int = 32,
    decoder: Decoder = "pyav",
) -> Inspected:
    """Find a described thing in one video by inspecting frames.

    Args:
        query: A description of the visible content.
        record: The video.
        video: Path of the video's file.
        stored: The video's segments, and the evidence retrieved for the query.
        models: The models; at least one is available.
        kind: When the search ends: see `index.localization.temporal_search.Goal`.
        frames: Largest number of frames to inspect.
        decoder: The video decoder.

    Raises:
        MediaError: The file cannot be read.
    """
    cuts = [one.start for one in stored if one.modality == "frame"]
    bins = max(_BIN_SECONDS, record.duration / _MOST_BINS)
    timeline = Timeline.even(record.duration, cuts, bins)
    priors = priors_of(one for one in stored if one.score)
    goal = Goal(kind=kind, targets=(query,), frames=frames, frames_a_round=_ROUND)
    sees = [see for see in (_by_detector(query, models.detector), _by_encoder(query, models.encoder)) if see]

    def look(moments: Sequence[float]) -> list[list[float]]:
        seen = list(frames_at(video, moments, record.info.stream, decoder))
        return [[max((see(frame) for see in sees), default=0.0)] for frame in seen]

    found = search(timeline, priors, look, goal)
    return Inspected(moments=found.moments, frames=len(found.looked))


def priors_of(evidence: Iterable[Evidence]) -> list[Prior]:
    """Return the prior of the target from stored evidence."""
    found = []
    for one in evidence:
        pad = PAD_SECONDS if one.modality == "speech" else 0.0
        span = Span(start=max(0.0, one.start - pad), end=one.end + pad)
        found.append(Prior(target=0, span=span, weight=PRIOR_WEIGHT * one.score))
    return found


def _by_detector(query: str, detector: Detector | None) -> Callable[[Frame], float] | None:
    """Return a scorer for the objects in the query; None if the detector knows none of them."""
    if detector is None:
        return None
    asked = tokens(query)
    wanted = {
        label
        for label in detector.labels
        if all(any(is_same(part, word) for word in asked) for part in re.split(r"[\s_-]+", label.casefold()))
        or (label == "person" and _PERSON & set(asked))
    }
    if not wanted:
        return None

    def see(frame: Frame) -> float:
        found = detector.observe([_segment(frame)])
        best = [max((o.score for o in found if o.text == label), default=0.0) for label in sorted(wanted)]
        return min(best)  # all named things

    return see


def _by_encoder(query: str, encoder: ImageEncoder | None) -> Callable[[Frame], float] | None:
    if encoder is None:
        return None
    (wanted,) = encoder.encode_queries([query])

    def see(frame: Frame) -> float:
        (label,), (vector,) = encoder.observe([_segment(frame)])
        cosine = float(np.float32(vector @ wanted))
        if encoder.shows(query, label.text, cosine):
            return _SURE
        return _ALIKE if cosine >= encoder.floor else 0.0

    return see


def _segment(frame: Frame) -> Segment:
    return Segment(span=Span(start=frame.seconds, end=frame.seconds + 0.001), frame=frame)
