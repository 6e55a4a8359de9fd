"""One video that is to be perceived: what to do, where it goes, what becomes of it. Wherever that is done."""

import uuid
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Literal, Protocol

from ..tools.errors import LibraryError, MediaError, PlayheadError
from ..tools.records import Modality, VideoInfo
from .disk import writing
from .instruments import Instruments
from .journal import carry_captions
from .perceive import Perception, perceive, stages_to_run
from .records import VideoRecord
from .store import Store, content_id
from .table import write
from .texts import Former, Progress

__all__ = ["Engine", "Home", "Job", "Outcome", "Told", "in_this_process", "perceive_and_commit"]


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
        run: The stages to run.
        former: What is committed of it.
        force: Whether nothing that is known counts.
    """

    file: Path
    number: int
    video_id: str
    stored: str
    info: VideoInfo
    run: frozenset[Modality]
    former: VideoRecord | None
    force: bool


class Home(Protocol):
    """Where committed videos are: `index.store.Store` on disk, `index.remote.Remote` elsewhere."""

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

    def at_hand(self, video_id: str) -> AbstractContextManager[Store]:
        """A library on disk that holds what is committed of a video; what is committed there meanwhile, is here."""


Told = Callable[[Job, str, float, float], None]
Engine = Callable[
    [Home, Instruments, Iterator[Job | Outcome], Told], Iterator[Outcome | tuple[Job, VideoRecord | PlayheadError]]
]


def perceive_and_commit(
    home: Home, instruments: Instruments, job: Job, progress: Progress
) -> VideoRecord | PlayheadError:
    """Do a job; the committed record, or what is wrong with the video.

    Raises:
        LibraryError: The library cannot be written.
    """
    with home.at_hand(job.video_id) as store:
        try:
            if made := _made_meanwhile(store, job, instruments):
                return made
            former = _former(store, job)
        except LibraryError as error:
            return error
        try:
            with store.staged(job.video_id) as staged:
                if former and not (job.force and "caption" in job.run):
                    carry_captions(former.folder, staged)
                perception = perceive(job.info, instruments, job.run, former, staged, progress)
                with writing(store.folder):
                    write(staged, perception.perceived)
                if content_id(job.file) != job.video_id:
                    raise MediaError(f"{job.file} changed while it was indexed: run again when it is complete")
                return store.commit(staged, _record(job, perception))
        except LibraryError:
            raise
        except PlayheadError as error:
            return error


def in_this_process(
    home: Home, instruments: Instruments, work: Iterator[Job | Outcome], tell: Told
) -> Iterator[Outcome | tuple[Job, VideoRecord | PlayheadError]]:
    """The engine that does one job after the other, here."""
    for job in work:
        if isinstance(job, Outcome):
            yield job
        else:
            yield job, perceive_and_commit(home, instruments, job, partial(tell, job))


def _made_meanwhile(store: Store, job: Job, instruments: Instruments) -> VideoRecord | None:
    """What another process, or one that died right after it, committed since the job was planned, if nothing is left to do."""
    now = None if job.force else store.record(job.video_id)
    if now is None or (job.former and job.former.commit == now.commit):
        return None
    return None if stages_to_run(job.info, instruments, now, False) else now


def _former(store: Store, job: Job) -> Former | None:
    """What was perceived before; with --force, a damaged folder is made anew instead of read."""
    if job.former is None:
        return None
    try:
        return Former(store.videos_folder / job.video_id, job.former, store.perceived(job.former))
    except LibraryError:
        if job.force:
            return None
        raise


def _record(job: Job, perception: Perception) -> VideoRecord:
    return VideoRecord(
        video_id=job.video_id,
        commit=uuid.uuid4().hex,
        paths=(job.stored,),
        info=job.info,
        duration=perception.duration,
        notes=perception.notes,
        stages=perception.reports,
        text_space=perception.text_space,
        image_space=perception.image_space,
        texts_state="failed" if perception.texts_failure else "skipped" if perception.texts_missing else "done",
        texts_failure=perception.texts_failure,
        indexed_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )
