"""Brings a library in line with files and folders: what is new is indexed, the rest follows what changed.

Each video is perceived into a staged folder and committed by a rename, so a run that is stopped
keeps every video it finished, and goes on where it was with the one that it had begun.
"""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

from ...tools.errors import LibraryError, MediaError, PlayheadError, SettingsError
from ...tools.media.frames import probe
from ..records import VideoRecord
from ..storage.store import content_id
from .extraction import stages_to_run
from .extractor_set import Extractors
from .jobs import Engine, Home, Job, Outcome, in_this_process, is_up_to_date
from .media_files import MEDIA_SUFFIXES, media_files

__all__ = ["IndexProgress", "bring_in_line"]


class IndexProgress(Protocol):
    """Told how far a run is: which file of how many, which stage, seconds of video."""

    def __call__(self, path: Path, number: int, count: int, stage: str, done: float, total: float) -> None: ...


def bring_in_line(
    home: Home,
    paths: Sequence[Path],
    extractors: Extractors,
    force: bool,
    progress: IndexProgress,
    engine: Engine = in_this_process,
) -> Iterator[Outcome]:
    """Index files and folders into a library; yields one outcome a file as it is done.

    Files whose content and stages are as committed are skipped. A changed file replaces what it was;
    a file that is gone from an indexed folder leaves the library, unless the folder holds no video at
    all (a disk that is not mounted would empty the library), or the library is of other machines, too.
    A failed file loses nothing that was committed of it before.

    Args:
        home: The library.
        paths: Files and folders.
        extractors: What perceives.
        force: Perceive anew what is unchanged, too, and what is damaged in the library.
        progress: Told how far it is.
        engine: What does the jobs: takes them as it has room, gives each back with its committed record, and outcomes
            as they are.

    Raises:
        MediaError: A path does not exist, or there is no video below any of them.
        LibraryError: The library cannot be written, or is damaged as a whole.
    """
    files = list(dict.fromkeys(file for path in paths for file in media_files(path)))
    if not files:
        raise MediaError(
            f"no video or sound file in {', '.join(map(str, paths))}: known endings are {' '.join(sorted(MEDIA_SUFFIXES))}"
        )
    home.create(mend=force)
    library = _Library(home, extractors, force)

    def tell(job: Job, stage: str, done: float, total: float) -> None:
        progress(job.file, job.number, len(files), stage, done, total)

    for done in engine(home, extractors, library.plan(files), tell):
        if isinstance(done, Outcome):
            yield done
        else:
            yield from library.settle(*done)
    if not home.has_all_files:
        return
    folders = [Path(os.path.abspath(Path(path).expanduser())) for path in paths]
    yield from library.drop_missing([folder for folder in folders if any(f.is_relative_to(folder) for f in files)])


class _Library:
    """The committed videos during one run."""

    def __init__(self, home: Home, extractors: Extractors, force: bool) -> None:
        self._home, self._extractors, self._force = home, extractors, force
        self._records, self._damaged = home.survey()
        self._first: dict[str, Path] = {}  # of the files with a content: the others wait for it
        self._waiting: dict[str, list[Path]] = {}  # while it is being perceived
        self._contents: dict[str, str] = {}  # of the files that were brought, by their stored path

    def plan(self, files: Sequence[Path]) -> Iterator[Job | Outcome]:
        """What is to be done, and what came of the files of which nothing is."""
        for number, file in enumerate(files):
            try:
                planned = self._planned(file, number)
            except LibraryError:
                raise
            except PlayheadError as error:
                yield Outcome(file, "failed", str(error))
            else:
                if planned:
                    yield planned

    def settle(self, job: Job, done: VideoRecord | PlayheadError) -> Iterator[Outcome]:
        """What came of a job's file, and of those with the same content."""
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
        """A job; or what came of a file; None: another of the same content is being perceived."""
        video_id = content_id(file)
        stored = _utf8(self._home.stored_path(file))
        if video_id in self._waiting:
            self._waiting[video_id].append(file)
            return None
        if video_id in self._first:
            return self._same(file, video_id)
        if video_id in self._damaged and not self._force:
            return Outcome(file, "failed", str(self._damaged[video_id]))
        record = self._records.get(video_id)
        info = probe(file)
        if record and not self._force and is_up_to_date(record, info, self._extractors):
            was_elsewhere = stored not in record.paths
            self._first[video_id] = file
            detail = "moved or copied" if was_elsewhere else ""
            return Outcome(file, "unchanged", detail, self._note_path(video_id, stored))
        if not record and not stages_to_run(info, self._extractors, None, self._force):
            raise SettingsError(f"{file}: no stage can run on it; `playhead doctor` tells what is missing")
        self._first[video_id], self._waiting[video_id] = file, []
        return Job(file, number, video_id, stored, info, self._force)

    def _same(self, file: Path, video_id: str) -> Outcome:
        record = self._note_path(video_id, _utf8(self._home.stored_path(file)))
        return Outcome(file, "same", f"same content as {self._first[video_id]}", record)

    def drop_missing(self, folders: Sequence[Path]) -> Iterator[Outcome]:
        """Forget what files held before they changed, files that are gone from the folders, and videos without a file.

        Only at the end of a run: what changed its name meanwhile is known by then, and need not be perceived again.
        """
        for record in list(self._records.values()):
            changed = [path for path in record.paths if self._contents.get(path, record.video_id) != record.video_id]
            places = [(path, self._home.absolute_path(path)) for path in record.paths if path not in changed]
            gone = [path for path, at in places if any(at.is_relative_to(f) for f in folders) and _is_gone(at)]
            if not changed and not gone:
                continue
            left = self._home.update_paths(record.video_id, drop=[*changed, *gone])
            if left is None and gone:
                yield Outcome(self._home.absolute_path(gone[0]), "removed", "the file is gone")

    def _note_path(self, video_id: str, stored: str) -> VideoRecord | None:
        """Note that a file has a video's content; None if another process took the video out meanwhile."""
        self._contents[stored] = video_id
        record = self._records.get(video_id)
        if record is not None and stored not in record.paths:
            record = self._home.update_paths(video_id, add=[stored])
            if record is None:
                del self._records[video_id]
            else:
                self._records[video_id] = record
        return record


def _utf8(stored: str) -> str:
    try:
        stored.encode()
    except UnicodeEncodeError as error:
        raise MediaError(f"{stored!a}: its name is not UTF-8 and cannot be kept: rename it") from error
    return stored


def _is_gone(path: Path) -> bool:
    """Whether a file is not there any more; one in a folder that may not be read is not known to be gone."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False
