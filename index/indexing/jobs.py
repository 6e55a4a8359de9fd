"""One video that is to be perceived: what to do, where it goes, what becomes of it. Wherever that is done."""

import uuid
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Literal, Protocol

from ...tools.errors import LibraryError, MediaError, PlayheadError
from ...tools.records import VideoInfo
from ..records import VideoRecord
from ..storage.atomic_files import writing
from ..storage.journal import carry_captions
from ..storage.store import CommittedMeanwhileError, Store, content_id
from ..storage.table import DamagedError, write
from ..storage.url_files import RemoteError
from .extraction import Extraction, extract, stages_to_run
from .extractor_set import Extractors
from .text_vectors import PreviousResult, Progress

__all__ = ["Engine", "Home", "Job", "Outcome", "Told", "extract_and_commit", "in_this_process", "is_up_to_date"]


@dataclass(frozen=True)
class Outcome:
    """What happened to one file.

    Attributes:
        path: The file.
        state: `indexed`, `unchanged`, `same` (as another file of this run), `removed`, or `failed`.
        detail: Why, for `failed`; else what is worth knowing.
        record: The committed record, except for `removed` and `failed`.
    """

    path: Path
    state: Literal["indexed", "unchanged", "same", "removed", "failed"]
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
    """A video that is to be perceived.

    Attributes:
        file: Where it is.
        number: Which file of the run it is, from 0.
        video_id: Its content.
        stored: Its path as the library keeps it.
        info: What it contains.
        force: Whether nothing that is known counts.
    """

    file: Path
    number: int
    video_id: str
    stored: str
    info: VideoInfo
    force: bool


class Home(Protocol):
    """Where committed videos are: `index.storage.store.Store` on disk, `index.storage.remote.Remote` elsewhere.

    Attributes:
        has_all_files: Whether what is not on this machine is nowhere: then what is gone here leaves the library.
    """

    has_all_files: bool

    def create(self, mend: bool = False) -> None:
        """As `Store.create`."""

    def survey(self) -> tuple[dict[str, VideoRecord], dict[str, LibraryError]]:
        """As `Store.survey`."""

    def stored_path(self, path: Path) -> str:
        """As `Store.stored_path`."""

    def absolute_path(self, stored: str) -> Path:
        """As `Store.absolute_path`."""

    def update_paths(
        self, video_id: str, *, add: Collection[str] = (), drop: Collection[str] = ()
    ) -> VideoRecord | None:
        """As `Store.update_paths`."""

    def remove(self, video_id: str) -> None:
        """As `Store.remove`."""

    def at_hand(self, video_id: str) -> AbstractContextManager[Store]:
        """A library on disk that holds what is committed of a video; what is committed there meanwhile, is here."""


Told = Callable[[Job, str, float, float], None]
Engine = Callable[
    [Home, Extractors, Iterator[Job | Outcome], Told], Iterator[Outcome | tuple[Job, VideoRecord | PlayheadError]]
]


def extract_and_commit(home: Home, extractors: Extractors, job: Job, progress: Progress) -> VideoRecord | PlayheadError:
    """Do a job; the committed record, or what is wrong with the video.

    What another process commits meanwhile is taken over, not replaced.

    Raises:
        LibraryError: The library on disk cannot be written.
    """
    try:
        with home.at_hand(job.video_id) as store:
            while True:
                try:
                    return _committed(store, extractors, job, progress)
                except CommittedMeanwhileError:
                    continue  # what this process found is noted: only what it is put together with is another
    except LibraryError as error:
        if isinstance(error, (RemoteError, DamagedError)):
            return error
        raise
    except PlayheadError as error:
        return error


def is_up_to_date(record: VideoRecord, info: VideoInfo, extractors: Extractors) -> bool:
    """Whether nothing could be perceived that a record lacks."""
    texts = extractors.texts
    fit = texts is None or (record.texts_state == "done" and record.text_embedding_id in ("", texts.embedding_id))
    return fit and not stages_to_run(info, extractors, record, False)


def _committed(store: Store, extractors: Extractors, job: Job, progress: Progress) -> VideoRecord:
    previous = _previous(store, job)
    if previous and not job.force and is_up_to_date(previous.record, job.info, extractors):
        return previous.record
    run = stages_to_run(job.info, extractors, previous.record if previous else None, job.force)
    with store.staged(job.video_id) as staged:
        if previous:
            carry_captions(previous.folder, staged)
        perception = extract(job.info, extractors, run, previous, staged, progress, force=job.force)
        with writing(store.folder):
            write(staged, perception.table)
        if content_id(job.file) != job.video_id:
            raise MediaError(f"{job.file} changed while it was indexed: run again when it is complete")
        instead_of = previous.record.commit if previous else None if job.force else ""
        return store.commit(staged, _record(job, perception), instead_of=instead_of)


def in_this_process(
    home: Home, extractors: Extractors, work: Iterator[Job | Outcome], tell: Told
) -> Iterator[Outcome | tuple[Job, VideoRecord | PlayheadError]]:
    """The engine that does one job after the other, here."""
    for job in work:
        if isinstance(job, Outcome):
            yield job
        else:
            yield job, extract_and_commit(home, extractors, job, partial(tell, job))


def _previous(store: Store, job: Job) -> PreviousResult | None:
    """What was perceived before; with --force, a damaged folder is made anew instead of read."""
    try:
        before = store.committed(job.video_id)
    except DamagedError:
        if job.force:
            return None
        raise
    return PreviousResult(store.videos_folder / job.video_id, *before) if before else None


def _record(job: Job, perception: Extraction) -> VideoRecord:
    return VideoRecord(
        video_id=job.video_id,
        commit=uuid.uuid4().hex,
        paths=(job.stored,),
        info=job.info,
        duration=perception.duration,
        notes=perception.notes,
        stages=perception.reports,
        text_embedding_id=perception.text_embedding_id,
        image_embedding_id=perception.image_embedding_id,
        texts_state="failed" if perception.texts_failure else "skipped" if perception.texts_missing else "done",
        texts_failure=perception.texts_failure,
        indexed_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )
