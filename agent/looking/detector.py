"""Looks at real frames without a video LLM: the detector and the picture encoder see what stored evidence only suggests.

Stored vectors and detections say where to look first; the temporal search decides frame by frame where to look next.
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

__all__ = ["Eyes", "Watched", "priors_of", "watch"]

# What a search result or a stored detection alone is worth as a belief that the thing is there.
PRIOR_WEIGHT = 0.6
# What was said is seen some seconds before or after.
PAD_SECONDS = 4.0
# No bin is longer, and a long video has no more of them.
_BIN_SECONDS, _MOST_BINS = 2.0, 3600
_ROUND = 4
# A frame that the encoder finds alike, but not surely; from its floor up to this.
_ALIKE, _SURE = 0.35, 0.9
# Words for people, whom detectors call a person.
_PERSON = frozenset("people person man men woman women boy girl child children somebody someone speaker player".split())


@dataclass(frozen=True)
class Eyes:
    """What can look at a frame; None where it is not here.

    Attributes:
        detector: Knows a fixed list of things, and knows them well.
        encoder: Compares a picture with any words.
    """

    detector: Detector | None
    encoder: ImageEncoder | None


@dataclass(frozen=True)
class Watched:
    """What looking at one video gave.

    Attributes:
        moments: Where the thing is, the surest first.
        frames: How many frames were looked at.
    """

    moments: tuple[Moment, ...]
    frames: int


def watch(
    query: str,
    record: VideoRecord,
    video: Path,
    stored: Sequence[Evidence],
    eyes: Eyes,
    *,
    kind: Kind = "needle",
    frames: int = 32,
    decoder: Decoder = "pyav",
) -> Watched:
    """Find in one video what a description shows, by looking at frames.

    Args:
        query: A description of what is to be seen.
        record: The video.
        video: Its file.
        stored: Segments of the video, which tell where the picture changes, and evidence found for the query.
        eyes: What looks; at least one of them is there.
        kind: What ends the search: see `index.localization.temporal_search.Goal`.
        frames: Look at no more frames.
        decoder: What decodes them.

    Raises:
        MediaError: The file cannot be read.
    """
    cuts = [one.start for one in stored if one.modality == "frame"]
    bins = max(_BIN_SECONDS, record.duration / _MOST_BINS)
    timeline = Timeline.even(record.duration, cuts, bins)
    priors = priors_of(one for one in stored if one.score)
    goal = Goal(kind=kind, targets=(query,), frames=frames, frames_a_round=_ROUND)
    sees = [see for see in (_by_detector(query, eyes.detector), _by_encoder(query, eyes.encoder)) if see]

    def look(moments: Sequence[float]) -> list[list[float]]:
        seen = list(frames_at(video, moments, decoder=decoder))
        return [[max((see(frame) for see in sees), default=0.0)] for frame in seen]

    found = search(timeline, priors, look, goal)
    return Watched(moments=found.moments, frames=len(found.looked))


def priors_of(evidence: Iterable[Evidence]) -> list[Prior]:
    """Where evidence says that the one target may be seen."""
    found = []
    for one in evidence:
        pad = PAD_SECONDS if one.modality == "speech" else 0.0
        span = Span(start=max(0.0, one.start - pad), end=one.end + pad)
        found.append(Prior(target=0, span=span, weight=PRIOR_WEIGHT * one.score))
    return found


def _by_detector(query: str, detector: Detector | None) -> Callable[[Frame], float] | None:
    """The score of the things named in the query; None if the detector knows none of them."""
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
        return min(best)  # all things that are named

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
