"""Captions of scenes by the video LLM: concurrent requests; stored answers are not requested again.

Captions that are written after indexing, from what is stored, replace earlier ones in a new version of the video.
"""

import hashlib
import uuid
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from functools import partial
from typing import Protocol

import numpy as np

from ...tools.background import run_in_thread
from ...tools.embedding.protocol import CorpusEncoder
from ...tools.errors import LibraryError
from ...tools.extractors.captions import caption_of
from ...tools.extractors.registry import stage_names
from ...tools.records import Frame, Observation, Segment, Span
from ..records import StageReport, VideoRecord
from ..storage.backend import StorageBackend
from ..storage.committed.keyframes import copy_keyframes
from ..storage.committed.table import ObservationTable, write
from ..storage.files.atomic import writing
from ..storage.journal import JOURNALS, Journal, carry_captions
from .stages import Stage
from .text_vectors import PreviousResult, embed_texts

__all__ = ["SCENES", "CaptionPipeline", "Captioning", "replace_captions"]

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


def replace_captions(
    storage: StorageBackend,
    record: VideoRecord,
    captions: Sequence[Observation],
    is_replaced: Callable[[Observation], bool],
    encoder: CorpusEncoder | None,
) -> VideoRecord:
    """Commit a version of a video in which some captions are replaced; the others, and all else, stay.

    Args:
        storage: The library.
        record: The version that the captions were written for.
        captions: The new captions, of modality `caption`, all from one source.
        is_replaced: Which stored captions they replace.
        encoder: Embeds their texts. None: they are searched by their words.

    Raises:
        LibraryError: The video changed meanwhile, is damaged, or cannot be written.
    """
    with storage.local_copy(record.video_id) as local, local.staged(record.video_id, fresh=True) as staged:
        committed = local.committed(record.video_id)
        if committed is None or committed[0].commit != record.commit:
            raise LibraryError(f"{record.paths[0]} was indexed again meanwhile: run `playhead index` once more")
        before = PreviousResult(local.version_folder(record), *committed)
        kept = [one for one in before.table.observations if one.modality != "caption" or not is_replaced(one)]
        order = {modality: place for place, modality in enumerate(stage_names())}
        rows = sorted([*kept, *captions], key=lambda one: order.get(one.modality, len(order)))
        with writing(local.folder):
            copy_keyframes(before.folder, staged)
            carry_captions(before.folder, staged)
            texts = embed_texts(rows, encoder, before, staged / JOURNALS, lambda *_: None)
            write(staged, ObservationTable(rows, texts.vectors, before.table.image_vectors))
        changes = {
            "commit": uuid.uuid4().hex,
            "stages": tuple(_with(stage, captions) for stage in record.stages),
            "text_embedding_id": texts.embedding_id,
            "texts_state": "failed" if texts.failure else "skipped" if texts.are_missing else "done",
            "texts_failure": texts.failure,
        }
        return local.commit(staged, record.model_copy(update=changes), instead_of=record.commit)


def _with(stage: StageReport, captions: Sequence[Observation]) -> StageReport:
    """The report of a stage that made no captions names those that were added."""
    if stage.modality != "caption" or stage.state == "done" or not captions:
        return stage
    return StageReport(modality="caption", state="done", source=captions[0].source, detail=f"{len(captions)} written")


def _content(frames: Sequence[Frame]) -> str:
    """Return a hash of the frames' times and pixels."""
    digest = hashlib.blake2b(digest_size=16)
    for frame in frames:
        digest.update(f"{frame.seconds!r} {frame.pixels.shape}".encode())
        digest.update(frame.pixels.tobytes())
    return digest.hexdigest()
