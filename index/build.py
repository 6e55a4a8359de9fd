"""Brings a library in line with files and folders: what is new is indexed, the rest follows what changed.

Each video is perceived into a staged folder and committed by a rename, so a run that is stopped
keeps every video it finished.
"""

import logging
import os
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, Protocol

from ..tools.errors import LibraryError, MediaError, PlayheadError, SettingsError
from ..tools.records import VideoInfo
from ..tools.video import probe
from .disk import writing
from .instruments import Instruments
from .journal import carry_captions
from .perceive import Perception, perceive, stages_to_run
from .records import VideoRecord
from .store import Store, content_id
from .table import write
from .texts import Former, Progress

__all__ = ["MEDIA_SUFFIXES", "IndexProgress", "Outcome", "bring_in_line", "media_files"]

MEDIA_SUFFIXES = frozenset(
    ".3g2 .3gp .asf .avi .divx .dv .f4v .flv .m1v .m2ts .m2v .m4v .mkv .mov .mp4 .mpeg .mpg .mts .mxf .ogv .rm .rmvb "
    ".ts .vob .webm .wmv .aac .ac3 .aif .aiff .flac .m4a .mka .mp2 .mp3 .oga .ogg .opus .wav .wma".split()
)

_log = logging.getLogger(__name__)


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


class IndexProgress(Protocol):
    """Told how far a run is: which file of how many, which stage, seconds of video."""

    def __call__(self, path: Path, number: int, count: int, stage: str, done: float, total: float) -> None: ...


def media_files(path: Path) -> Iterator[Path]:
    """A file as given; of a folder, all video and sound files below it, sorted, hidden ones left out.

    Raises:
        MediaError: There is no such file or folder, or the folder cannot be read.
    """
    path = Path(os.path.abspath(Path(path).expanduser()))
    if not path.is_dir():
        if not path.exists():
            raise MediaError(f"{path} does not exist: check the path")
        yield path
        return
    if not os.access(path, os.R_OK | os.X_OK):
        raise MediaError(f"folder {path} may not be read: give yourself permission (chmod u+rx)")
    for folder, folders, names in os.walk(path, onerror=_tell):
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
    all (a disk that is not mounted would empty the library). A failed file loses nothing that was
    committed of it before.

    Args:
        store: The library.
        paths: Files and folders.
        instruments: What perceives.
        force: Perceive anew what is unchanged, too, and what is damaged in the library.
        progress: Told how far it is.

    Raises:
        MediaError: A path does not exist, or there is no video below any of them.
        LibraryError: The library cannot be written, or is damaged as a whole.
    """
    files = list(dict.fromkeys(file for path in paths for file in media_files(path)))
    if not files:
        raise MediaError(
            f"no video or sound file in {', '.join(map(str, paths))}: known endings are {' '.join(sorted(MEDIA_SUFFIXES))}"
        )
    store.create(mend=force)
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
    folders = [Path(os.path.abspath(Path(path).expanduser())) for path in paths]
    yield from library.drop_missing([folder for folder in folders if any(f.is_relative_to(folder) for f in files)])


class _Library:
    """The committed videos during one run."""

    def __init__(self, store: Store, instruments: Instruments, force: bool) -> None:
        self._store, self._instruments, self._force = store, instruments, force
        self._records, self._damaged = store.survey()
        self._done: dict[str, Path] = {}
        self._contents: dict[str, str] = {}  # of the files that were brought, by their stored path

    def bring(self, file: Path, progress: Progress) -> Outcome:
        """Index one file, or note that nothing is to be done."""
        video_id = content_id(file)
        stored = _utf8(self._store.stored_path(file))
        if video_id in self._done:
            return Outcome(file, "same", f"same content as {self._done[video_id]}", self._note_path(video_id, stored))
        if video_id in self._damaged and not self._force:
            return Outcome(file, "failed", str(self._damaged[video_id]))
        record = self._records.get(video_id)
        info = probe(file)
        run = stages_to_run(info, self._instruments, record, self._force)
        if record and not run and self._texts_fit(record):
            was_elsewhere = stored not in record.paths
            self._done[video_id] = file
            detail = "moved or copied" if was_elsewhere else ""
            return Outcome(file, "unchanged", detail, self._note_path(video_id, stored))
        if not record and not run:
            raise SettingsError(f"{file}: no stage can run on it; `playhead doctor` tells what is missing")
        try:
            former = self._former(record) if record else None
        except LibraryError as error:
            return Outcome(file, "failed", str(error))
        with self._store.staged(video_id) as staged:
            if former and not (self._force and "caption" in run):
                carry_captions(former.folder, staged)
            perception = perceive(info, self._instruments, run, former, staged, progress)
            with writing(self._store.folder):
                write(staged, perception.perceived)
            if content_id(file) != video_id:
                raise MediaError(f"{file} changed while it was indexed: run again when it is complete")
            record = self._store.commit(staged, _record(video_id, stored, info, perception))
        self._records[video_id] = record
        self._done[video_id] = file
        texts = f"texts were not embedded: {perception.texts_failure}" if perception.texts_failure else ""
        detail = "; ".join(filter(None, (*record.notes, texts)))
        return Outcome(file, "indexed", detail, self._note_path(video_id, stored))

    def drop_missing(self, folders: Sequence[Path]) -> Iterator[Outcome]:
        """Forget what files held before they changed, files that are gone from the folders, and videos without a file.

        Only at the end of a run: what changed its name meanwhile is known by then, and need not be perceived again.
        """
        for record in list(self._records.values()):
            changed = [path for path in record.paths if self._contents.get(path, record.video_id) != record.video_id]
            places = [(path, self._store.absolute_path(path)) for path in record.paths if path not in changed]
            gone = [path for path, at in places if any(at.is_relative_to(f) for f in folders) and _is_gone(at)]
            if not changed and not gone:
                continue
            left = self._store.update_paths(record.video_id, drop=[*changed, *gone])
            if left is None and gone:
                yield Outcome(self._store.absolute_path(gone[0]), "removed", "the file is gone")

    def _note_path(self, video_id: str, stored: str) -> VideoRecord | None:
        """Note that a file has a video's content; None if another process took the video out meanwhile."""
        self._contents[stored] = video_id
        record = self._records.get(video_id)
        if record is not None and stored not in record.paths:
            record = self._store.update_paths(video_id, add=[stored])
            if record is None:
                del self._records[video_id]
            else:
                self._records[video_id] = record
        return record

    def _texts_fit(self, record: VideoRecord) -> bool:
        texts = self._instruments.texts
        return texts is None or (record.texts_state == "done" and record.text_space in ("", texts.space))

    def _former(self, record: VideoRecord) -> Former | None:
        """What was perceived before; with --force, a damaged folder is made anew instead of read."""
        try:
            return Former(self._store.videos_folder / record.video_id, record, self._store.perceived(record))
        except LibraryError:
            if self._force:
                return None
            raise


def _record(video_id: str, stored: str, info: VideoInfo, perception: Perception) -> VideoRecord:
    return VideoRecord(
        video_id=video_id,
        commit=uuid.uuid4().hex,
        paths=(stored,),
        info=info,
        duration=perception.duration,
        notes=perception.notes,
        stages=perception.reports,
        text_space=perception.text_space,
        image_space=perception.image_space,
        texts_state="failed" if perception.texts_failure else "skipped" if perception.texts_missing else "done",
        indexed_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )


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


def _tell(error: OSError) -> None:
    _log.warning("folder %s is left out (%s)", error.filename, error.strerror)


def _is_transport_stream(file: Path) -> bool:
    """MPEG-TS packets begin with the byte 0x47; TypeScript shares the ending `.ts`."""
    if not file.is_file():
        return True  # reading it will say what is wrong
    try:
        with file.open("rb") as stream:
            return stream.read(1) == b"\x47"
    except OSError:
        return True  # reading it will say what is wrong
