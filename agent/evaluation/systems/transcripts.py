"""Makes a library from given transcripts or captions, without videos."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from ....index.records import StageReport, VideoRecord
from ....index.retrieval.search_index.publishing import publish
from ....index.storage.committed.table import ObservationTable, write
from ....index.storage.local import LocalStorage
from ....tools.embedding.protocol import Vectors
from ....tools.extractors.registry import stage_names
from ....tools.records import Modality, Observation, Span, VideoInfo
from ..records import Line

__all__ = ["text_library", "text_record", "text_video_id"]


def text_video_id(name: str) -> str:
    """Return the video id that `text_library` gives to a transcript."""
    return hashlib.blake2b(name.encode(), digest_size=16).hexdigest()


def text_library(
    folder: Path,
    texts: Mapping[str, Iterable[Line]],
    vectors: Mapping[str, Vectors] | None,
    embedding_id: str,
    modality: Modality = "speech",
) -> LocalStorage:
    """Make a library with each transcript as the observations of one video.

    Args:
        folder: Folder of the new library.
        texts: Lines by name of the transcript; at least one each.
        vectors: Unit vectors of the lines, by name of the transcript; None: the lines are not embedded.
        embedding_id: Embedding model id of the vectors.
        modality: Modality of the lines: `speech` or `caption`.
    """
    store = LocalStorage(folder)
    store.create()
    for name, lines in texts.items():
        observations = [
            Observation(
                modality=modality, span=Span(start=line.start, end=line.end), text=line.text, score=1, source="given@1"
            )
            for line in lines
        ]
        record = text_record(name, observations, embedding_id if vectors is not None else "")
        with store.staged(record.video_id) as staged:
            own = () if vectors is None else (vectors[name].astype(np.float16),)
            write(staged, ObservationTable(observations, *own))
            store.commit(staged, record)
    publish(store)
    return store


def text_record(name: str, observations: Sequence[Observation], embedding_id: str) -> VideoRecord:
    """Return the record of observations that have no video.

    Args:
        name: Name of the transcript; it gives the video id.
        observations: At least one.
        embedding_id: Embedding model id of their vectors; empty: not embedded.
    """
    end = max(observation.span.end for observation in observations)
    found = {observation.modality for observation in observations}
    return VideoRecord(
        video_id=text_video_id(name),
        commit=text_video_id(name),
        paths=(name,),
        info=VideoInfo(path=Path(name), format="transcript", duration=end, video=None, audio=None),
        duration=end,
        stages=tuple(StageReport(modality=one, state="done" if one in found else "skipped") for one in stage_names()),
        text_embedding_id=embedding_id,
        indexed_at="2000-01-01T00:00:00+00:00",
    )
