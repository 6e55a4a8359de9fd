"""Captions that are written after indexing, from what is stored: they replace earlier ones in a new version of the video."""

import uuid
from collections.abc import Callable, Sequence

from ...tools.embedding.protocol import CorpusEncoder
from ...tools.errors import LibraryError
from ...tools.extractors.registry import stage_names
from ...tools.records import Observation
from ..records import StageReport, VideoRecord
from ..storage.backend import StorageBackend
from ..storage.committed.keyframes import copy_keyframes
from ..storage.committed.table import ObservationTable, write
from ..storage.files.atomic import writing
from ..storage.journal import JOURNALS, carry_captions
from .text_vectors import PreviousResult, embed_texts

__all__ = ["replace_captions"]


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
