"""Captions of scenes by the video LLM: concurrent requests; stored answers are not requested again."""

import hashlib
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, wait
from functools import partial
from typing import Protocol

import numpy as np

from ...tools.background import run_in_thread
from ...tools.extractors.captions import caption_of
from ...tools.records import Frame, Observation, Segment, Span
from ..storage.journal import Journal
from .stages import Stage

__all__ = ["SCENES", "CaptionPipeline", "Captioning"]

# Segments are captioned together up to this length, with this many frames at most.
_SCENE_SECONDS = 20.0
_SCENE_FRAMES = 4
_SCENE_SEGMENTS = 16  # held in memory
SCENES = (_SCENE_SECONDS, _SCENE_FRAMES, _SCENE_SEGMENTS)


class Captioning(Protocol):
    """Captions frames; equal fingerprints mean the same model and the same request."""

    source: str
    fingerprint: str

    def caption(self, span: Span, frames: Sequence[Frame]) -> Observation:
        """Return one caption of what the frames show together. Called from several threads."""


class CaptionPipeline:
    """Groups segments into scenes and requests a caption of each; the captions become a stage's observations, in order.

    Answers are stored by the frames (times and pixels) and the request. After a killed run, or a change of the segments,
    only new scenes are requested.
    """

    def __init__(self, stage: Stage, captioner: Captioning, known: Journal, at_once: int, *, force: bool) -> None:
        """Start with no scenes.

        Args:
            stage: The stage that the captions belong to.
            captioner: Makes the captions.
            known: Stored captions by request.
            at_once: Most concurrent requests.
            force: Request stored captions again, except those of this run or the run that it resumes.
        """
        self._stage, self._captioner, self._known, self._at_once = stage, captioner, known, at_once
        self._force = force
        self._asked: deque[Future[Observation]] = deque()
        self._scene: list[Segment] = []

    def add(self, segment: Segment) -> None:
        """Add the next segment; wait while the most concurrent requests are running."""
        if self._scene and (
            segment.span.end - self._scene[0].span.start > _SCENE_SECONDS or len(self._scene) == _SCENE_SEGMENTS
        ):
            self._ask()
        self._scene.append(segment)

    def finish(self) -> None:
        """Request the last scene and wait for all answers."""
        if self._scene:
            self._ask()
        while self._asked:
            self._take()

    def _ask(self) -> None:
        scene, self._scene = self._scene, []
        if self._stage.failure:
            return
        span = Span(start=scene[0].span.start, end=scene[-1].span.end)
        rows = np.linspace(0, len(scene) - 1, min(len(scene), _SCENE_FRAMES)).round().astype(int)
        frames = [scene[row].frame for row in rows]
        while len(self._asked) >= self._at_once:
            self._take()
        self._asked.append(run_in_thread(partial(self._caption, span, frames)))

    def _take(self) -> None:
        caption = self._asked.popleft()
        wait([caption])  # also after a failure: a paid answer is stored
        self._stage.run(lambda: ([caption.result()], None))

    def _caption(self, span: Span, frames: Sequence[Frame]) -> Observation:
        """Return a caption, stored or requested. Runs in a thread."""
        key = f"{self._captioner.fingerprint}-{_content(frames)}"
        known = (self._stage.journal if self._force else self._known).find(key)
        if isinstance(known, str):
            return caption_of(span, frames, known, self._captioner.source)
        caption = self._captioner.caption(span, frames)
        self._known.note(key, caption.text)
        if self._force:
            self._stage.journal.note(key, caption.text)
        return caption


def _content(frames: Sequence[Frame]) -> str:
    """Return a hash of the frames' times and pixels."""
    digest = hashlib.blake2b(digest_size=16)
    for frame in frames:
        digest.update(f"{frame.seconds!r} {frame.pixels.shape}".encode())
        digest.update(frame.pixels.tobytes())
    return digest.hexdigest()
