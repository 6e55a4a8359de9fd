"""What is stored and published: records, rows and texts of one library, read without any encoder.

`Search` adds ranking by words and meaning.
"""

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ...tools.embedding.protocol import Vectors
from ...tools.errors import QueryError
from ...tools.extractors.registry import modality_names
from ...tools.records import Modality, Span
from ..metadata_conditions import FIELDS, Condition, parse_condition
from ..people.faces import FACE
from ..people.known import KnownPeople
from ..records import Evidence, VideoRecord
from ..storage.local import LocalStorage
from ..video_lengths import length_row
from .lexical.tokenizer import match_expression, terms_of
from .ranking import RankedRow
from .search_index.publishing import PublishProgress
from .search_index.rows import Filter, Row
from .search_index.snapshots import Snapshot, Snapshots

__all__ = ["StoredEvidence", "check_known", "filter_of"]

# Values that an error lists, and their most characters.
_LISTED_VALUES, _LONGEST_VALUE = 8, 60


class StoredEvidence:
    """Reads one library as last published. Threads take turns; a forked process opens its own files."""

    def __init__(self, storage: LocalStorage, progress: PublishProgress | None = None) -> None:
        """Open nothing yet.

        Args:
            storage: The library.
            progress: Called while a missing search index is built.
        """
        self._storage = storage
        self.voices = KnownPeople(storage)
        self.faces = KnownPeople(storage, FACE)
        self._snapshots = Snapshots(storage, progress)

    def close(self) -> None:
        """Close the files; a later call opens them again."""
        self._snapshots.close()

    @property
    def records(self) -> Mapping[str, VideoRecord]:
        """The published videos by their id."""
        with self._snapshots.reading() as snapshot:
            return snapshot.records

    @property
    def snapshot_id(self) -> str:
        """The published state that a search would see now; it changes with each increment."""
        with self._snapshots.reading() as snapshot:
            return snapshot.snapshot_id

    def attributed(self, evidence: Sequence[Evidence]) -> list[Evidence]:
        """Return evidence of speech with its speaker, where one is known, and with its overlaps; other evidence as it is."""
        return self.voices.attributed(evidence) if self._has(self.voices.stage, "overlap") else list(evidence)

    @property
    def speaker_titles(self) -> tuple[str, ...]:
        """Names and numbers of the library's speakers, who speaks most first; empty: speakers were not indexed."""
        return tuple(one.title for one in self.voices.people()) if self._has(self.voices.stage) else ()

    @property
    def person_titles(self) -> tuple[str, ...]:
        """Names and numbers of the people whose faces are recognised, who is seen longest first; empty: people were not indexed."""
        return tuple(one.title for one in self.faces.people()) if self._has(self.faces.stage) else ()

    def _has(self, *stages: str) -> bool:
        with self._snapshots.reading() as snapshot:
            return any(snapshot.catalog.size_of(stage)[0] > 0 for stage in stages)

    def videos_where(self, conditions: Sequence[str]) -> tuple[str, ...]:
        """Return the ids of the videos for which all conditions are true, such as `date>=2026-01` or `tag=lecture`.

        `index.metadata_conditions` describes conditions.

        Raises:
            QueryError: A condition is not valid, or no video fits.
        """
        parsed = [parse_condition(one) for one in conditions]
        with self._snapshots.reading() as snapshot:
            known = snapshot.catalog.fact_names() | set(FIELDS)
            for condition in parsed:
                if condition.name not in known:
                    raise QueryError(f"{condition}: no field {condition.name!r}: use one of {', '.join(sorted(known))}")
            found = snapshot.catalog.videos_where(parsed)
            if not found:
                raise QueryError(_none_fits(snapshot, parsed))
            return tuple(found)

    def evidence(self, evidence_id: str) -> Evidence | None:
        """Return the stored evidence with an id, or None."""
        with self._snapshots.reading() as snapshot:
            row = length_row(evidence_id, snapshot.records) or snapshot.catalog.by_evidence_id(evidence_id)
            return self._evidence(snapshot, row) if row else None

    def videos_called(self, name: Path | str) -> list[VideoRecord]:
        """Return the videos that a path, file name, folder or id can mean; others may be among them."""
        path = os.path.abspath(Path(name).expanduser())
        with self._snapshots.reading() as snapshot:
            if f"{self._storage.folder.parent}{os.sep}".startswith(path.rstrip(os.sep) + os.sep):
                return list(snapshot.records.values())
            found = snapshot.catalog.videos_called(os.path.basename(path), self._storage.stored_path(Path(path)))
            return [snapshot.records[video_id] for video_id in found]

    def of_video(
        self, video_id: str, modalities: Sequence[Modality] | None = None, between: Span | None = None
    ) -> list[Evidence]:
        """Return the evidence of a video, by modality and time.

        Args:
            video_id: The video.
            modalities: Only these; None: all, without the texts of metadata.
            between: Only what overlaps this span.

        Raises:
            QueryError: The library holds no such video.
        """
        with self._snapshots.reading() as snapshot:
            check_known(snapshot, [video_id])
            return [self._evidence(snapshot, row) for row in snapshot.catalog.of_video(video_id, modalities, between)]

    def file_of(self, video_id: str) -> Path:
        """Return the current path of a video's file."""
        return self._storage.file_of(self.records[video_id])

    def embedded(self, video_id: str, modality: Modality) -> tuple[list[Evidence], Vectors]:
        """Return all evidence of one modality of a video, in order, with its vectors, shape `(n, dimensions)`.

        Rows and vectors are of one snapshot. A row of zeros was not embedded; without columns none was.

        Raises:
            QueryError: The library holds no such video.
        """
        with self._snapshots.reading() as snapshot:
            check_known(snapshot, [video_id])
            record = snapshot.records[video_id]
            rows = snapshot.catalog.of_video(video_id, [modality])
            found = [self._evidence(snapshot, row) for row in rows]
            embedding_id = record.image_embedding_id if modality == "frame" else record.text_embedding_id
            index = snapshot.vectors_of(modality, embedding_id) if embedding_id else None
            if index is None:
                return found, np.zeros((len(found), 0), np.float32)
            ids, vectors = index.vectors_of(np.array([row.row for row in rows], np.int64))
            if not len(ids):
                return found, np.zeros((len(found), 0), np.float32)
            own = dict(zip(ids.tolist(), vectors, strict=True))
            zero = np.zeros(index.dimensions, np.float32)
            return found, np.stack([own.get(row.row, zero) for row in rows])

    def nearby(self, evidence: Evidence, seconds: float, modality: Modality | None = None) -> list[Evidence]:
        """Return evidence of the same video that overlaps the span or is at most this far away; not itself.

        Args:
            evidence: What it is near.
            seconds: How far away.
            modality: Of which modality; None: that of the evidence.
        """
        around = Span(start=max(0.0, evidence.start - seconds), end=evidence.end + seconds)
        with self._snapshots.reading() as snapshot:
            rows = snapshot.catalog.rows_where(Filter(modality or evidence.modality, (evidence.video_id,), around))
            return [self._evidence(snapshot, row) for row in rows if row.evidence_id != evidence.evidence_id]

    def counts(self, words: Sequence[str], modalities: Sequence[Modality] | None = None) -> tuple[int, dict[str, int]]:
        """Count the observations, and for each word those that contain it in any form: how rare a word is.

        Of a code or phrase, the rarest part is counted.

        Args:
            words: Which.
            modalities: Only rows of these; None: all that a search includes by default.
        """
        parts = {word: terms_of(word).split() for word in words}
        wanted = {part for of_word in parts.values() for part in of_word}
        rows: Counter[str] = Counter()
        total = 0
        with self._snapshots.reading() as snapshot:
            for modality in modality_names() if modalities is None else modalities:
                total += snapshot.catalog.size_of(modality)[0]
                rows.update(snapshot.catalog.row_counts(modality, wanted))
        return total, {word: min((rows[part] for part in of_word), default=0) for word, of_word in parts.items()}

    def texts(
        self,
        modality: Modality,
        video_ids: Sequence[str] | None = None,
        between: Span | None = None,
        words: str | None = None,
    ) -> list[str]:
        """Return the different texts of one modality, sorted.

        Args:
            modality: Which.
            video_ids: Only these videos; None: all.
            between: Only what overlaps this span of its video.
            words: Only texts that contain one of these words, or another form of it; None: all texts. Ask for words
                wherever the library may be large.
        """
        expression = None if words is None else match_expression(words)
        if expression == "":
            return []
        with self._snapshots.reading() as snapshot:
            return snapshot.catalog.texts(filter_of(modality, video_ids, between), expression)

    def with_texts(
        self,
        texts: Sequence[str],
        modality: Modality,
        video_ids: Sequence[str] | None = None,
        between: Span | None = None,
    ) -> list[Evidence]:
        """Return all evidence of one modality with exactly one of some texts, by video and time."""
        with self._snapshots.reading() as snapshot:
            rows = snapshot.catalog.with_texts(texts, filter_of(modality, video_ids, between))
            return [self._evidence(snapshot, row) for row in rows]

    def _evidence(
        self, snapshot: Snapshot, row: Row, ranked: RankedRow | None = None, similarity: float = 0.0
    ) -> Evidence:
        record = snapshot.records[row.video_id]
        shown_at = (row.start + row.end) / 2 if row.frame_seconds is None else row.frame_seconds
        return Evidence(
            evidence_id=row.evidence_id,
            video_id=row.video_id,
            video=str(self._storage.file_of(record)),
            start=row.start,
            end=row.end,
            modality=row.modality,
            text=row.text,
            score=ranked.score if ranked else 0.0,
            similarity=ranked.cosine if ranked else similarity,
            matched=ranked.matched if ranked else (),
            source=row.source,
            box=row.box,
            words=row.words,
            frame_seconds=row.frame_seconds,
            stream=row.stream,
            keyframe=self._storage.keyframe_reference(record, shown_at, row.stream),
        )


def check_known(snapshot: Snapshot, video_ids: Sequence[str]) -> None:
    """Check that all videos are in the library.

    Raises:
        QueryError: One is not.
    """
    missing = [video_id for video_id in video_ids if video_id not in snapshot.records]
    if missing:
        raise QueryError(f"no video {', '.join(sorted(missing))} in this library")


def _none_fits(snapshot: Snapshot, conditions: Sequence[Condition]) -> str:
    """A message that names the values that there are."""
    there = []
    for name in dict.fromkeys(condition.name for condition in conditions):
        values = snapshot.catalog.fact_values(name, _LISTED_VALUES)
        listed = ", ".join(value[:_LONGEST_VALUE] for value in values)
        there.append(f"values of {name} are {listed}" if values else f"no video has a {name}")
    return f"no video fits {' and '.join(map(str, conditions))}: {'; '.join(there)}"


def filter_of(modality: Modality, video_ids: Sequence[str] | None, between: Span | None) -> Filter:
    """The filter for a modality, videos and a span; None: all."""
    return Filter(modality, None if video_ids is None else tuple(video_ids), between)
