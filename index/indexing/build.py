"""Updates a library to match files and folders: indexes new and changed files, removes the videos of deleted ones.

Each video is committed by itself, so a run that is stopped keeps every finished video, and the next run continues
the unfinished one from its journal.
"""

import gc
import os
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from ...tools.errors import LibraryError, MediaError, PlayheadError, SettingsError
from ...tools.media.frames import probe
from ...tools.media.metadata.reading import metadata_of
from ...tools.records import Span, VideoInfo
from ..records import VideoRecord
from ..retrieval.search_index.publishing import Publisher
from ..storage.backend import StorageBackend
from ..storage.local import LocalStorage
from ..windows import windows_to_index
from .extraction import stages_to_run
from .extractor_set import Extractors
from .jobs import Engine, Job, Outcome, failure_of, in_this_process, is_up_to_date
from .media_files import MEDIA_SUFFIXES, media_files

__all__ = ["IndexProgress", "index_files"]


class IndexProgress(Protocol):
    """Receives the progress of a run: the file, its number, the number of files, the stage, seconds of video."""

    def __call__(self, path: Path, number: int, count: int, stage: str, done: float, total: float) -> None: ...


def index_files(
    storage: StorageBackend,
    paths: Sequence[Path],
    extractors: Extractors,
    force: bool,
    progress: IndexProgress,
    engine: Engine = in_this_process,
    window: Span | None = None,
    skip: Collection[Path] = (),
) -> Iterator[Outcome]:
    """Index files and folders into a library; yield one outcome for each file when it is done.

    A file whose content and stages are unchanged is skipped. A changed file replaces its previous result. A video whose record
    is damaged is indexed again. A video whose file was deleted from an indexed folder is removed, except if the folder holds
    no video at all (an unmounted disk would empty the library), or if other machines add to the library. A file that fails keeps what was committed before, and
    never ends the run.

    Args:
        storage: The library.
        paths: Files and folders.
        extractors: The extractors to run.
        force: Index unchanged files again, too.
        progress: Called with the progress of each file.
        skip: Absolute paths of files to leave as they are, because they are still being written.
        engine: Runs the jobs. It takes a job when it has capacity, yields each job with its result, and yields outcomes unchanged.
        window: Index only this stretch of each video, and what was indexed of it before. None: the whole.

    Raises:
        MediaError: A path does not exist, or no path holds a media file.
        LibraryError: The library cannot be written, or is damaged as a whole.
    """
    found = dict.fromkeys(file for path in paths for file in media_files(path))
    files = [file for file in found if file not in skip]
    if not found:
        raise MediaError(
            f"no video or sound file in {', '.join(map(str, paths))}: known endings are {' '.join(sorted(MEDIA_SUFFIXES))}"
        )
    storage.create()
    with _long_lived_library(storage, extractors, force, window) as library:

        def job_progress(job: Job, stage: str, done: float, total: float) -> None:
            progress(job.file, job.number, len(files), stage, done, total)

        def outcomes() -> Iterator[Outcome]:
            for done in engine(storage, extractors, library.plan(files), job_progress):
                if isinstance(done, Outcome):
                    yield done
                else:
                    yield from library.settle(*done)
            if not storage.holds_every_file:
                return
            places = dict.fromkeys(os.path.abspath(Path(path).expanduser()) for path in paths)
            folders = [place for place in places if os.path.isdir(place)]
            holding = [
                place.rstrip(os.sep) + os.sep for place in folders if any(_is_below(str(f), place) for f in found)
            ]
            yield from library.drop_missing(holding)
            yield from library.unreachable(holding)

        try:
            yield from _published(storage, outcomes()) if isinstance(storage, LocalStorage) else outcomes()
        finally:
            library.save_identities()


def _published(storage: LocalStorage, outcomes: Iterator[Outcome]) -> Iterator[Outcome]:
    """Publish each commit to the search index at once; at the end also removals, and merge its files."""
    publisher = Publisher(storage)
    try:
        for outcome in outcomes:
            if outcome.state == "indexed" and outcome.record:
                publisher.publish({outcome.record.video_id})
            yield outcome
    finally:
        publisher.publish(maintain=True)


class _Library:
    """The committed videos during one run."""

    def __init__(self, storage: StorageBackend, extractors: Extractors, force: bool, window: Span | None) -> None:
        self._storage, self._extractors, self._force, self._window = storage, extractors, force, window
        self._records, self._damaged = storage.survey()
        self._first: dict[str, Path] = {}  # video id: the first file of this run with that content
        self._waiting: dict[str, list[Path]] = {}  # video id being indexed: the other files with that content
        self._contents: dict[str, str] = {}  # stored path: video id, for the files of this run
        self._identities = storage.identities()

    def save_identities(self) -> None:
        """Keep the content identities of the files for the next run."""
        self._identities.save()

    def plan(self, files: Sequence[Path]) -> Iterator[Job | Outcome]:
        """Yield a job for each file that needs one, and the outcome of each file that does not."""
        for number, file in enumerate(files):
            try:
                planned = self._planned(file, number)
            except LibraryError:
                raise
            except PlayheadError as error:
                yield Outcome(file, "failed", str(error))
            except Exception as error:  # noqa: BLE001 (a demuxer raises anything: the other files go on)
                yield Outcome(file, "failed", str(failure_of(file, error)))
            else:
                if planned:
                    yield planned

    def settle(self, job: Job, done: VideoRecord | PlayheadError) -> Iterator[Outcome]:
        """Yield the outcome of a job's file, and of the files with the same content."""
        waiting = self._waiting.pop(job.video_id)
        if isinstance(done, PlayheadError):
            del self._first[job.video_id]
            for file in (job.file, *waiting):
                yield Outcome(file, "failed", str(done))
            return
        self._records[job.video_id] = done
        texts = f"texts were not embedded: {done.texts_failure}" if done.texts_failure else ""
        detail = "; ".join(filter(None, (*done.notes, texts)))
        yield Outcome(job.file, "indexed", detail, self._note_path(job.video_id, job.stored))
        for file in waiting:
            yield self._same(file, job.video_id)

    def _planned(self, file: Path, number: int) -> Job | Outcome | None:
        """A job or an outcome; None if a file with the same content is being indexed."""
        video_id = self._identities.content_id(file)
        stored = _utf8(self._storage.stored_path(file))
        if video_id in self._waiting:
            self._waiting[video_id].append(file)
            return None
        if video_id in self._first:
            return self._same(file, video_id)
        record = self._records.get(video_id)
        if record and not self._force and self._holds(record, file):
            is_elsewhere = stored not in record.paths
            self._first[video_id] = file
            detail = "moved or copied" if is_elsewhere else ""
            noted = self._note_path(video_id, stored)
            return Outcome(file, "unchanged", detail, self._renewed(noted, file) if noted else None)
        settings = self._extractors.settings
        info = probe(file, settings.stream, language=settings.language, audio=settings.audio_stream)
        info = self._windowed(info, record)
        if not record and not stages_to_run(info, self._extractors, None, self._force):
            raise SettingsError(f"{file}: no stage can run on it; `playhead doctor` lists what is missing")
        self._first[video_id], self._waiting[video_id] = file, []
        return Job(file, number, video_id, stored, info, self._force, is_damaged=video_id in self._damaged)

    def _holds(self, record: VideoRecord, file: Path) -> bool:
        """Whether everything that this run wants of a file is in its record."""
        return is_up_to_date(record, self._windowed(_info_of(record, file), record), self._extractors)

    def _windowed(self, info: VideoInfo, record: VideoRecord | None) -> VideoInfo:
        windows = windows_to_index(self._window, info, record, force=self._force)
        return info if info.windows == windows else info.model_copy(update={"windows": windows})

    def _renewed(self, record: VideoRecord, file: Path) -> VideoRecord | None:
        """The record with the metadata of today; the library keeps it if a sidecar changed."""
        location = self._extractors.settings.read_location
        metadata = metadata_of(file, record.metadata, self._identities.content_id, read_location=location)
        if metadata is record.metadata:
            return record
        renewed = self._storage.update_metadata(record.video_id, metadata)
        if renewed:
            self._records[record.video_id] = renewed
        return renewed

    def _same(self, file: Path, video_id: str) -> Outcome:
        record = self._note_path(video_id, _utf8(self._storage.stored_path(file)))
        return Outcome(file, "same", f"same content as {self._first[video_id]}", record)

    def drop_missing(self, folders: Sequence[str]) -> Iterator[Outcome]:
        """Drop the paths of files that changed or are gone from the folders, and the videos left without a path.

        This runs last: by then a renamed file is known by its content, and is not indexed again.

        Args:
            folders: Absolute paths, each with a separator at its end.
        """
        for record in list(self._records.values()):
            dropped = [path for path in record.paths if self._contents.get(path, record.video_id) != record.video_id]
            gone = [
                path
                for path in record.paths
                if path not in dropped and path not in self._contents and self._is_gone(path, folders)
            ]
            if not dropped and not gone:
                continue
            left = self._storage.update_paths(record.video_id, drop=[*dropped, *gone])
            if left is None and gone:
                yield Outcome(self._storage.absolute_path(gone[0]), "removed", "the file is gone")

    def unreachable(self, folders: Sequence[str]) -> Iterator[Outcome]:
        """Yield each file below the folders that a link hides whose target is not there, as on a disk that is not mounted.

        Its index is kept: the file may come back.
        """
        for record in self._records.values():
            for path in (
                self._storage.absolute_path(stored) for stored in record.paths if stored not in self._contents
            ):
                if any(str(path).startswith(folder) for folder in folders) and (link := _broken_link(path)):
                    detail = f"kept, but not there: {link} is a link to {os.readlink(link)}, which does not exist now"
                    yield Outcome(path, "unchanged", detail, record)

    def _is_gone(self, stored: str, folders: Sequence[str]) -> bool:
        """Whether a file below one of the folders does not exist any more."""
        path = self._storage.absolute_path(stored)
        return any(str(path).startswith(folder) for folder in folders) and _is_gone(path)

    def _note_path(self, video_id: str, stored: str) -> VideoRecord | None:
        """Add a file's path to its video's record; None if another process removed the video meanwhile."""
        self._contents[stored] = video_id
        record = self._records.get(video_id)
        if record is not None and stored not in record.paths:
            record = self._storage.update_paths(video_id, add=[stored])
            if record is None:
                del self._records[video_id]
            else:
                self._records[video_id] = record
        return record


def _utf8(stored: str) -> str:
    try:
        stored.encode()
    except UnicodeEncodeError as error:
        raise MediaError(f"{stored!a}: its name is not UTF-8 and cannot be stored: rename it") from error
    return stored


def _is_gone(path: Path) -> bool:
    """Whether a file does not exist any more.

    A file in an unreadable folder, or behind a link whose target does not exist, is not known to be gone: the target may be
    on a disk that is not mounted.
    """
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return _broken_link(path) is None
    except OSError:
        return False
    return False


def _broken_link(path: Path) -> Path | None:
    """The link on the way to a file whose target does not exist; None: there is none."""
    for place in (path, *path.parents):
        try:
            if place.is_symlink() and not place.exists():
                return place
        except OSError:
            return None
    return None


def _info_of(record: VideoRecord, file: Path) -> VideoInfo:
    """Return the stored information of an unchanged file without reading it; only its path may differ."""
    return record.info if record.info.path == file else record.info.model_copy(update={"path": file})


@contextmanager
def _long_lived_library(
    storage: StorageBackend, extractors: Extractors, force: bool, window: Span | None
) -> Iterator[_Library]:
    """Read the committed videos, and exclude their records from Python's garbage collection until the end of the run.

    The records are needed for the whole run. Checking 10,000 of them took a quarter of a run in which nothing changed.
    """
    if gc.get_freeze_count() or not gc.isenabled():  # the program itself has decided
        yield _Library(storage, extractors, force, window)
        return
    gc.disable()
    try:
        library = _Library(storage, extractors, force, window)
        gc.freeze()
    finally:
        gc.enable()
    try:
        yield library
    finally:
        gc.unfreeze()


def _is_below(path: str, folder: str) -> bool:
    return path.startswith(folder.rstrip(os.sep) + os.sep)
