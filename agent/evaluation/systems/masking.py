"""Makes a library without some modalities, to measure the value of each modality.

Method of "Assessing Modality Bias in Video Question Answering Benchmarks" (Park et al. 2024, arXiv 2408.12763): the
value of a modality is the loss of score without it.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ....index.storage.committed.table import ObservationTable, write
from ....index.storage.local import LocalStorage
from ....tools.extractors.registry import find_modalities
from ....tools.records import Modality

__all__ = ["masked_library"]


def masked_library(source: Path, masked: Sequence[Modality], folder: Path) -> Path:
    """Copy a library without the observations of some modalities; the videos are not copied.

    Args:
        source: The library's folder.
        masked: Modalities to leave out.
        folder: Folder of the copy; videos already in it are kept.

    Returns:
        The copy's folder.

    Raises:
        QueryError: There is no such modality.
        LibraryError: A video's folder is damaged, or the disk does not allow it.
    """
    masked = find_modalities(masked)
    whole, copy = LocalStorage(source), LocalStorage(folder)
    copy.create()
    made = copy.read()
    for record in whole.read().values():
        if record.video_id in made:
            continue
        table = _without(whole.table(record), masked)
        changed = record.model_copy(
            update={
                "text_embedding_id": record.text_embedding_id if table.text_vectors.size else "",
                "image_embedding_id": record.image_embedding_id if table.image_vectors.size else "",
                "commit": f"{record.commit}-{'-'.join(sorted(masked))}",
                "paths": tuple(str(whole.absolute_path(path)) for path in record.paths),
                "stages": tuple(
                    stage.model_copy(update={"state": "skipped", "detail": "masked"})
                    if stage.modality in masked
                    else stage
                    for stage in record.stages
                ),
            }
        )
        with copy.staged(record.video_id) as staged:
            write(staged, table)
            copy.commit(staged, changed)
    return folder


def _without(table: ObservationTable, masked: Sequence[Modality]) -> ObservationTable:
    texts = [one.modality for one in table.observations if one.modality != "frame"]
    kept = np.array([modality not in masked for modality in texts], bool)
    vectors, pictures = table.text_vectors, table.image_vectors
    return ObservationTable(
        [one for one in table.observations if one.modality not in masked],
        vectors[kept] if vectors.size else vectors,
        pictures[:0] if "frame" in masked and pictures.size else pictures,
    )
