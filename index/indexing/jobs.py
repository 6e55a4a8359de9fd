"""Indexes one video: from a job to a committed record, or to the reason why it failed.

Any engine runs these jobs: one after the other in this process (`in_this_process`), or on a Ray cluster (`fleet`).
"""

import logging
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Literal

from ...tools.errors import LibraryError, MediaError, PlayheadError
from ...tools.media.metadata.reading import metadata_of
from ...tools.media.metadata.records import Metadata
from ...tools.records import VideoInfo
from ...tools.tracing import traced_span
from ..records import VideoRecord
from ..storage.backend import StorageBackend, VersionGoneError
from ..storage.committed.table import write
from ..storage.committed.versions import DamagedError, check_content
from ..storage.files.atomic import writing
from ..storage.files.url import RemoteError
from ..storage.identity import content_id
from ..storage.journal import CAPTIONS, carry_captions, keep_forced
from ..storage.local import CommittedMeanwhileError, LocalStorage
from .extraction import Extraction, extract, stages_to_run
from .extractor_set import Extractors
from .text_vectors import PreviousResult, Progress

__all__ = [
    "Engine",
    "Job",
    "JobError",
    "JobProgress",
    "Outcome",
    "extract_and_commit",
    "failure_of",
    "in_this_process",
    "is_up_to_date",
]

_LONGEST_REASON = 300  # characters

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Outcome:
    """What happened to one file.

    Attributes:
        path: The file.
        state: `indexed`, `unchanged`, `same` (as another file of this run), `removed`, `repaired` (without indexing it
            again), or `failed`.
        detail: The reason, for `failed`; else a note about the file, or empty.
        record: The committed record, except for `removed` and `failed`.
    """

    path: Path
    state: Literal["indexed", "unchanged", "same", "removed", "repaired", "failed"]
    detail: str = ""
    record: VideoRecord | None = None

    @property
    def has_failed(self) -> bool:
        """Whether the file could not be indexed, or one of its stages or the embedding of its texts failed."""
        if self.record is None:
            return self.state == "failed"
        return self.record.texts_state == "failed" or any(stage.state == "failed" for stage in self.record.stages)


@dataclass(frozen=True)
class Job:
    """A video to index.

    Attributes:
        file: Its media file.
        number: Position of the file in the run, from 0.
        video_id: Hash of the file's content.
        stored: The file's path as the library keeps it.
        info: Streams and duration from the file's headers.
        force: Whether to ignore all stored results.
        is_damaged: Whether stored files of the video are damaged: then everything is extracted again, except for
            captions that are intact.
    """

    file: Path
    number: int
    video_id: str
    stored: str
    info: VideoInfo
    force: bool
    is_damaged: bool = False


class JobError(PlayheadError):
    """An unexpected exception ended the job of one video."""


JobProgress = Callable[[Job, str, float, float], None]
Engine = Callable[
    [StorageBackend, Extractors, Iterator[Job | Outcome], JobProgress],
    Iterator[Outcome | tuple[Job, VideoRecord | PlayheadError]],
]


def extract_and_commit(
    storage: StorageBackend, extractors: Extractors, job: Job, progress: Progress
) -> VideoRecord | PlayheadError:
    """Run a job. Return the committed record, or the error that concerns this video alone.

    A commit that another process made meanwhile is used as the previous result; it is not overwritten.

    Raises:
        LibraryError: The library cannot be written: the other videos would fail, too.
    """
    try:
        with traced_span("index.video", number=job.number), storage.local_copy(job.video_id) as local:
            while True:
                try:
                    return _commit(local, extractors, job, progress)
                except CommittedMeanwhileError:
                    continue  # the journal keeps what this process extracted; only the previous result differs
    except LibraryError as error:
        if isinstance(error, (RemoteError, DamagedError)):
            return error
        raise
    except PlayheadError as error:
        return error
    except Exception as error:  # noqa: BLE001 (decoders and models raise anything: the other videos go on)
        return failure_of(job.file, error)


def failure_of(file: Path, error: Exception) -> PlayheadError:
    """Describe an unexpected exception about one file in one line."""
    _log.debug("%s", file, exc_info=error)
    lines = str(error).strip().splitlines()
    reason = f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
    return JobError(f"{file}: {reason[:_LONGEST_REASON]}: check that it plays")


def is_up_to_date(record: VideoRecord, info: VideoInfo, extractors: Extractors) -> bool:
    """Whether a record holds everything that these extractors can extract."""
    texts = extractors.texts
    has_texts = texts is None or (record.texts_state == "done" and record.text_embedding_id in ("", texts.embedding_id))
    return has_texts and not stages_to_run(info, extractors, record, False)


def in_this_process(
    storage: StorageBackend, extractors: Extractors, work: Iterator[Job | Outcome], progress: JobProgress
) -> Iterator[Outcome | tuple[Job, VideoRecord | PlayheadError]]:
    """Run the jobs one after the other in this process: the default engine."""
    for job in work:
        if isinstance(job, Outcome):
            yield job
        else:
            yield job, extract_and_commit(storage, extractors, job, partial(progress, job))


def _commit(local: LocalStorage, extractors: Extractors, job: Job, progress: Progress) -> VideoRecord:
    previous, expected = _previous(local, job)
    if previous and not job.force and is_up_to_date(previous.record, job.info, extractors):
        return previous.record
    run = stages_to_run(job.info, extractors, previous.record if previous else None, job.force)
    with local.staged(job.video_id) as staged:
        _keep_captions(local, job.video_id, staged)
        result = extract(job.info, extractors, run, previous, staged, progress, force=job.force)
        with writing(local.folder):
            write(staged, result.table)
        if content_id(job.file) != job.video_id:
            raise MediaError(f"{job.file} changed while it was indexed: run again when it is complete")
        location = extractors.settings.read_location
        metadata = metadata_of(job.file, Metadata(), content_id, read_location=location)
        committed = local.commit(staged, _record(job, result, metadata), instead_of=expected)
        if job.force:
            keep_forced(staged)
        return committed


def _previous(local: LocalStorage, job: Job) -> tuple[PreviousResult | None, str | None]:
    """The committed result, and the commit to replace (None: any). A damaged result counts as missing."""
    if job.is_damaged:
        return None, None
    try:
        before = local.committed(job.video_id)
    except DamagedError:
        return None, None
    if before is None:
        return None, None if job.force else ""
    return PreviousResult(local.version_folder(before[0]), *before), before[0].commit


def _keep_captions(local: LocalStorage, video_id: str, staged: Path) -> None:
    """Copy the committed captions, which cost the most, into a staging folder, if they are intact."""
    try:
        record = local.record(video_id)
        facts = local.manifest(record).files.get(CAPTIONS) if record else None
        if record and facts:
            folder = local.version_folder(record)
            check_content(CAPTIONS, (folder / CAPTIONS).read_bytes(), facts)
            carry_captions(folder, staged)
    except (DamagedError, VersionGoneError, ValueError, OSError) as error:
        _log.info("captions of %s are not used again: %s", video_id, error)


def _record(job: Job, result: Extraction, metadata: Metadata) -> VideoRecord:
    return VideoRecord(
        video_id=job.video_id,
        commit=uuid.uuid4().hex,
        paths=(job.stored,),
        info=job.info,
        metadata=metadata,
        duration=result.duration,
        notes=result.notes,
        stages=result.reports,
        text_embedding_id=result.text_embedding_id,
        image_embedding_id=result.image_embedding_id,
        texts_state="failed" if result.texts_failure else "skipped" if result.texts_missing else "done",
        texts_failure=result.texts_failure,
        indexed_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )
