"""Brings a library in line with files and folders: what is new is indexed, the rest follows what changed.

Each video is perceived into a staged folder and committed by a rename, so a run that is stopped
keeps every video it finished.
"""

import os
import shutil
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, Protocol

from ..tools.container import measured_duration
from ..tools.errors import LibraryError, MediaError, PlayheadError, SettingsError
from ..tools.records import VideoInfo
from ..tools.video import probe
from .instruments import Instruments
from .keyframes import KEYFRAMES
from .perceive import Former, Perception, Progress, perceive, stages_to_run
from .records import VideoRecord
from .store import Store, content_id, writing
from .table import read, write

__all__ = ["MEDIA_SUFFIXES", "IndexProgress", "Outcome", "bring_in_line", "media_files"]

MEDIA_SUFFIXES = frozenset(
    ".3g2 .3gp .asf .avi .divx .dv .f4v .flv .m1v .m2ts .m2v .m4v .mkv .mov .mp4 .mpeg .mpg .mts .mxf .ogv .rm .rmvb "
    ".ts .vob .webm .wmv .aac .ac3 .aif .aiff .flac .m4a .mka .mp2 .mp3 .oga .ogg .opus .wav .wma".split()
)

# Headers round; what differs by more is told.
_DURATION_TOLERANCE = 0.5


@dataclass(frozen=True)
class Outcome:
    """What happened to one file.

    Attributes:
        path: The file.
        state: `indexed`, `unchanged`, `same` (as another file of this run or library), `removed`, or `failed`.
        detail: Why, for `failed`; else what is worth knowing.
        record: The committed record, except for `removed` and `failed`.
    """

    path: Path
    state: Literal["indexed", "unchanged", "same", "removed", "failed"]
    detail: str = ""
    record: VideoRecord | None = None

    @property
    def has_failed(self) -> bool:
        """Whether the file could not be indexed, or one of its stages failed."""
        stages = self.record.stages if self.record else ()
        return self.state == "failed" or any(stage.state == "failed" for stage in stages)


class IndexProgress(Protocol):
    """Told how far a run is: which file of how many, which stage, seconds of video."""

    def __call__(self, path: Path, number: int, count: int, stage: str, done: float, total: float) -> None: ...


def media_files(path: Path) -> Iterator[Path]:
    """A file as given; of a folder, all video and sound files below it, sorted, hidden ones left out.

    Raises:
        MediaError: There is no such file or folder, or the folder cannot be read.
    """
    path = Path(path).expanduser().absolute()
    if not path.is_dir():
        if not path.exists():
            raise MediaError(f"{path} does not exist: check the path")
        yield path
        return
    if not os.access(path, os.R_OK | os.X_OK):
        raise MediaError(f"folder {path} may not be read: give yourself permission (chmod u+rx)")
    for folder, folders, names in os.walk(path):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            file = Path(folder) / name
            if name.startswith(".") or file.suffix.lower() not in MEDIA_SUFFIXES:
                continue
            if file.suffix.lower() != ".ts" or _is_transport_stream(file):
                yield file


def bring_in_line(
    store: Store, paths: Sequence[Path], instruments: Instruments, force: bool, progress: IndexProgress
) -> Iterator[Outcome]:
    """Index files and folders into a library; yields one outcome a file as it is done.

    Files whose content and stages are as committed are skipped. A changed file replaces what it was;
    a file that is gone from an indexed folder leaves the library, unless the folder holds no video at
    all (a disk that is not mounted would empty the library).

    Args:
        store: The library.
        paths: Files and folders.
        instruments: What perceives.
        force: Perceive anew what is unchanged, too.
        progress: Told how far it is.

    Raises:
        MediaError: A path does not exist, or there is no video below any of them.
        LibraryError: The library cannot be written.
    """
    files = list(dict.fromkeys(file for path in paths for file in media_files(path)))
    if not files:
        raise MediaError(
            f"no video or sound file in {', '.join(map(str, paths))}: known endings are {' '.join(sorted(MEDIA_SUFFIXES))}"
        )
    store.create()
    library = _Library(store, instruments, force)
    for number, file in enumerate(files):

        def tell(stage: str, done: float, total: float, file: Path = file, number: int = number) -> None:
            progress(file, number, len(files), stage, done, total)

        try:
            yield library.bring(file, tell)
        except LibraryError:
            raise
        except PlayheadError as error:
            yield Outcome(file, "failed", str(error))
    folders = [Path(path).expanduser().absolute() for path in paths if Path(path).expanduser().is_dir()]
    yield from library.drop_missing(folders)


class _Library:
    """The committed videos during one run."""

    def __init__(self, store: Store, instruments: Instruments, force: bool) -> None:
        self._store, self._instruments, self._force = store, instruments, force
        self._records = store.read()
        self._done: dict[str, Path] = {}

    def bring(self, file: Path, progress: Progress) -> Outcome:
        """Index one file, or note that nothing is to be done."""
        video_id = content_id(file)
        if video_id in self._done:
            self._note_path(self._records[video_id], file)
            return Outcome(file, "same", f"same content as {self._done[video_id]}", self._records[video_id])
        record = self._records.get(video_id)
        info = probe(file)
        run = stages_to_run(info, self._instruments, record, self._force)
        if record and not run and self._texts_fit(record):
            was_elsewhere = self._store.stored_path(file) not in record.paths
            record = self._note_path(record, file)
            self._done[video_id] = file
            return Outcome(file, "unchanged", "moved or copied" if was_elsewhere else "", record)
        if not record and not run:
            raise SettingsError(f"{file}: no stage can run on it; `playhead doctor` tells what is missing")
        folder = self._store.videos_folder / video_id
        former = self._former(record, folder) if record else None
        with self._store.staged(video_id) as staged, writing(self._store.folder):
            perception = perceive(info, self._instruments, run, former, staged, progress)
            write(staged, perception.perceived)
            if perception.pictures_end is None and (folder / KEYFRAMES).is_dir():
                shutil.copytree(folder / KEYFRAMES, staged / KEYFRAMES)
            record = self._record(video_id, file, info, perception, former)
            self._store.commit(staged, record)
        self._records[video_id] = self._note_path(record, file)
        self._done[video_id] = file
        return Outcome(file, "indexed", "; ".join(record.notes), self._records[video_id])

    def drop_missing(self, folders: Sequence[Path]) -> Iterator[Outcome]:
        """Forget files that are gone from the indexed folders, and videos without any file."""
        for record in list(self._records.values()):
            paths = [self._store.absolute_path(stored) for stored in record.paths]
            gone = [path for path in paths if not path.exists() and any(path.is_relative_to(f) for f in folders)]
            if not gone:
                continue
            kept = tuple(self._store.stored_path(path) for path in paths if path not in gone)
            if kept:
                self._records[record.video_id] = self._store.update_paths(record, kept)
            else:
                self._store.remove(record.video_id)
                del self._records[record.video_id]
                yield Outcome(gone[0], "removed", "the file is gone")

    def _note_path(self, record: VideoRecord, file: Path) -> VideoRecord:
        """Note that a file has a video's content, and no other video's any more."""
        stored = self._store.stored_path(file)
        for other in list(self._records.values()):
            if other.video_id == record.video_id or stored not in other.paths:
                continue
            kept = tuple(path for path in other.paths if path != stored)
            if kept:
                self._records[other.video_id] = self._store.update_paths(other, kept)
            else:
                self._store.remove(other.video_id)
                del self._records[other.video_id]
        if stored not in record.paths:
            record = self._store.update_paths(record, (*record.paths, stored))
        self._records[record.video_id] = record
        return record

    def _texts_fit(self, record: VideoRecord) -> bool:
        texts = self._instruments.texts
        return texts is None or record.text_space == texts.space

    def _former(self, record: VideoRecord, folder: Path) -> Former | None:
        """What was perceived before; with --force, a damaged folder is made anew instead of read."""
        try:
            return Former(record, read(folder))
        except LibraryError:
            if self._force:
                return None
            raise

    def _record(
        self, video_id: str, file: Path, info: VideoInfo, perception: Perception, former: Former | None
    ) -> VideoRecord:
        duration, notes = _duration(info, perception.pictures_end, former)
        return VideoRecord(
            video_id=video_id,
            commit=uuid.uuid4().hex,
            paths=former.record.paths if former else (self._store.stored_path(file),),
            info=info,
            duration=duration,
            notes=notes,
            stages=perception.reports,
            text_space=perception.text_space,
            image_space=perception.image_space,
            indexed_at=datetime.now(UTC).isoformat(timespec="seconds"),
        )


def _duration(info: VideoInfo, pictures_end: float | None, former: Former | None) -> tuple[float, tuple[str, ...]]:
    """Length in seconds: the header's, unless what is really in the file says otherwise; and a note on that."""
    if former and pictures_end is None:
        return former.record.duration, former.record.notes
    if pictures_end is not None and abs(pictures_end - info.duration) <= _DURATION_TOLERANCE:
        return info.duration, ()
    stream = info.video or info.sound
    measured = max(pictures_end or 0.0, measured_duration(info.path, stream.start if stream else None))
    if abs(measured - info.duration) <= _DURATION_TOLERANCE:
        return info.duration, ()
    return measured, (f"the header says {info.duration:.1f} s, the file holds {measured:.1f} s: it may be cut off",)


def _is_transport_stream(file: Path) -> bool:
    """MPEG-TS packets begin with the byte 0x47; TypeScript shares the ending `.ts`."""
    try:
        with file.open("rb") as stream:
            return stream.read(1) == b"\x47"
    except OSError:
        return True  # reading it will say what is wrong
