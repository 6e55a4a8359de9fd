"""Deletes the vectors by which a person is recognised from a committed video, older versions included."""

import uuid

from ...tools.errors import LibraryError
from ..storage.committed.keyframes import copy_keyframes
from ..storage.committed.table import ObservationTable, write
from ..storage.journal import carry_captions
from ..storage.local import LocalStorage

__all__ = ["without_vectors"]


def without_vectors(storage: LocalStorage, video_id: str, stage: str, label: str) -> None:
    """Commit a video again without the vectors of one person, and delete its older versions at once.

    Args:
        storage: The library.
        video_id: The video.
        stage: The modality of the person's observations.
        label: The person in this video.

    Raises:
        LibraryError: The library cannot be written, or the video was indexed meanwhile.
    """
    before = storage.committed(video_id)
    if before is None:
        return
    record, table = before
    kept = [
        one.model_copy(update={"vector": ()}) if (one.modality, one.text) == (stage, label) else one
        for one in table.observations
    ]
    with storage.staged(video_id, fresh=True) as staged:
        copy_keyframes(storage.version_folder(record), staged)
        carry_captions(storage.version_folder(record), staged)
        write(staged, ObservationTable(kept, table.text_vectors, table.image_vectors))
        made = record.model_copy(update={"commit": uuid.uuid4().hex})
        storage.commit(staged, made, instead_of=record.commit)
    storage.drop_replaced(video_id, grace_seconds=-60.0)
    if any((storage.version_folder(record)).glob("*")):
        raise LibraryError(f"{storage.version_folder(record)} cannot be deleted: delete it to complete the deletion")
