"""A library on disk: one folder a video, made in staging and committed by a rename. All else is derived.

library/
  library.json                 format version
  videos/<video_id>/           committed whole, or not there
    video.json  observations.parquet  vectors.text.npy  vectors.image.npy  keyframes/*.jpg
  staging/                     being written, or left by a process that was killed
  derived/                     FAISS indexes and catalog.sqlite: rebuilt when stale
"""

import errno
import fcntl
import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pydantic import ValidationError

from ..tools.errors import LibraryError, MediaError
from .records import VideoRecord

__all__ = ["FORMAT", "Store", "content_id", "writing"]

FORMAT = 1

_BLOCK = 1 << 16
_BLOCKS = 16


def content_id(path: Path) -> str:
    """Identity of a file by its content: 32 hex digits.

    A BLAKE2b hash of the size and of 16 blocks of 64 KiB spread evenly from the first byte to the
    last (the whole file up to 1 MiB). Files that differ only between the blocks, with the same size,
    would be taken for one; encoded video does not do that.

    Raises:
        MediaError: The file cannot be read.
    """
    digest = hashlib.blake2b(digest_size=16)
    try:
        size = path.stat().st_size
        digest.update(size.to_bytes(8, "big"))
        with path.open("rb") as file:
            if size <= _BLOCK * _BLOCKS:
                digest.update(file.read())
            else:
                for number in range(_BLOCKS):
                    file.seek((size - _BLOCK) * number // (_BLOCKS - 1))
                    digest.update(file.read(_BLOCK))
    except OSError as error:
        raise MediaError(
            f"{path} cannot be read ({error.strerror}): check that it exists and its permissions"
        ) from error
    return digest.hexdigest()


@contextmanager
def writing(place: Path) -> Iterator[None]:
    """Turn what the operating system says about a disk into one clear line.

    Raises:
        LibraryError: The disk is full or read-only, or permission is missing.
    """
    try:
        yield
    except OSError as error:
        reasons = {
            errno.ENOSPC: "the disk is full: free some space and run again",
            errno.EDQUOT: "the disk quota is used up: free some space and run again",
            errno.EROFS: "the disk is read-only: choose another place with --library",
            errno.EACCES: "permission denied: choose another place with --library, or change its permissions",
            errno.EPERM: "permission denied: choose another place with --library, or change its permissions",
            errno.ENOTDIR: "a file lies where a folder is wanted: choose another place with --library",
            errno.EEXIST: "a file lies where a folder is wanted: choose another place with --library",
        }
        if error.errno not in reasons:
            raise
        raise LibraryError(
            f"cannot write to {place}: {reasons[error.errno]}. What was there before is unharmed"
        ) from error


class Store:
    """The committed videos of one library."""

    def __init__(self, folder: Path) -> None:
        """Name the library's folder; it need not exist before something is written.

        Raises:
            LibraryError: It is no library, or one of a newer format.
        """
        self.folder = Path(folder).expanduser().absolute()
        self.videos_folder = self.folder / "videos"
        self.derived_folder = self.folder / "derived"
        self._staging = self.folder / "staging"
        self._check_format()

    def create(self) -> None:
        """Make the folders of a new library, and clean up after processes that were killed.

        Raises:
            LibraryError: They cannot be written.
        """
        with writing(self.folder):
            for folder in (self.videos_folder, self.derived_folder, self._staging):
                folder.mkdir(parents=True, exist_ok=True)
            if not self._format_file.exists():
                _write_text(self._format_file, json.dumps({"format": FORMAT}) + "\n")
            self._recover()

    def read(self) -> dict[str, VideoRecord]:
        """All committed videos by their id.

        Raises:
            LibraryError: A record is damaged or of a newer format.
        """
        if not self.videos_folder.is_dir():
            return {}
        found = {}
        for folder in sorted(self.videos_folder.iterdir()):
            with suppress(FileNotFoundError):  # another process replaces it at this moment
                found[folder.name] = self._record(folder)
        return found

    @contextmanager
    def staged(self, video_id: str) -> Iterator[Path]:
        """An empty folder to write one video's index into; it is gone afterwards unless committed."""
        folder = self._staging / f"new-{video_id}-{uuid.uuid4().hex}"
        with writing(self.folder):
            folder.mkdir(parents=True)
        lock = (folder / "lock").open("w")
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            yield folder
        finally:
            lock.close()
            shutil.rmtree(folder, ignore_errors=True)

    def commit(self, staged: Path, record: VideoRecord) -> None:
        """Put a staged folder in its place, instead of what was there for this video.

        Raises:
            LibraryError: The disk does not take it; what was there before stays.
        """
        target = self.videos_folder / record.video_id
        with writing(self.folder):
            _write_text(staged / "video.json", record.model_dump_json(indent=2) + "\n")
            (staged / "lock").unlink(missing_ok=True)
            for file in staged.glob("*.*"):
                _flush(file)
            if not target.exists():
                staged.rename(target)
                _flush(self.videos_folder)
                return
            old = self._staging / f"old-{record.video_id}-{uuid.uuid4().hex}"
            target.rename(old)
            staged.rename(target)  # killed before this line: `_recover` puts the old one back
            _flush(self.videos_folder)
            shutil.rmtree(old, ignore_errors=True)

    def update_paths(self, record: VideoRecord, paths: tuple[str, ...]) -> VideoRecord:
        """Note where a video's files lie; nothing that was perceived changes."""
        changed = record.model_copy(update={"paths": paths})
        with writing(self.folder):
            _write_text(self.videos_folder / record.video_id / "video.json", changed.model_dump_json(indent=2) + "\n")
        return changed

    def remove(self, video_id: str) -> None:
        """Take a video out of the library; its file is not touched.

        Raises:
            LibraryError: The disk does not allow it.
        """
        with writing(self.folder):
            self._staging.mkdir(exist_ok=True)
            gone = self._staging / f"gone-{video_id}-{uuid.uuid4().hex}"
            (self.videos_folder / video_id).rename(gone)
            shutil.rmtree(gone, ignore_errors=True)

    def stored_path(self, path: Path) -> str:
        """A file's path as kept: relative to the library's parent if below it, so that both can move together."""
        path, base = path.absolute(), self.folder.parent
        return path.relative_to(base).as_posix() if path.is_relative_to(base) else str(path)

    def absolute_path(self, stored: str) -> Path:
        """Where a stored path lies now."""
        return self.folder.parent / stored

    def file_of(self, record: VideoRecord) -> Path:
        """The first of a video's files that exists, else the first one noted."""
        paths = [self.absolute_path(stored) for stored in record.paths]
        return next((path for path in paths if path.exists()), paths[0])

    @property
    def _format_file(self) -> Path:
        return self.folder / "library.json"

    def _check_format(self) -> None:
        if self.folder.exists() and not self.folder.is_dir():
            raise LibraryError(f"{self.folder} is a file, not a library folder: choose another place with --library")
        try:
            text = self._format_file.read_text(encoding="utf-8")
        except FileNotFoundError:
            if self.folder.is_dir() and any(self.folder.iterdir()) and not self.videos_folder.is_dir():
                raise LibraryError(
                    f"{self.folder} is a folder of something else, not a library: choose another place with --library"
                ) from None
            return
        except OSError as error:
            raise LibraryError(
                f"library {self.folder} cannot be read ({error.strerror}): check its permissions"
            ) from error
        try:
            version = int(json.loads(text)["format"])
        except (ValueError, KeyError, TypeError) as error:
            raise LibraryError(
                f"{self._format_file} is damaged: write {json.dumps({'format': FORMAT})} into it, or index anew elsewhere"
            ) from error
        if version > FORMAT:
            raise LibraryError(
                f"library {self.folder} has format {version}, this Playhead reads up to {FORMAT}: "
                "upgrade Playhead (pip install --upgrade playhead), or index into another place with --library"
            )

    def _record(self, folder: Path) -> VideoRecord:
        try:
            return VideoRecord.model_validate_json((folder / "video.json").read_text(encoding="utf-8"))
        except ValidationError as error:
            raise LibraryError(
                f"{folder / 'video.json'} is damaged: remove the folder {folder} and index again"
            ) from error
        except PermissionError as error:
            raise LibraryError(f"{folder} cannot be read: check its permissions") from error

    def _recover(self) -> None:
        """Put back what a killed replacement had moved away; drop what nobody writes any more."""
        for folder in sorted(self._staging.iterdir()):
            kind, _, rest = folder.name.partition("-")
            target = self.videos_folder / rest.partition("-")[0]
            if kind == "old" and not target.exists():
                folder.rename(target)
            elif not _is_being_written(folder):
                shutil.rmtree(folder, ignore_errors=True)


def _is_being_written(folder: Path) -> bool:
    try:
        with (folder / "lock").open() as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _write_text(path: Path, text: str) -> None:
    """Replace a file in one step."""
    staged = path.with_name(f"{path.name}.{uuid.uuid4().hex}")
    try:
        with staged.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        staged.replace(path)
    except BaseException:
        staged.unlink(missing_ok=True)
        raise


def _flush(path: Path) -> None:
    """Have the operating system write a file or a folder's names to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
