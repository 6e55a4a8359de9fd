"""Files that are replaced atomically, and clear messages for errors of the disk."""

import errno
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ....tools.errors import LibraryError

__all__ = ["flush", "write_bytes", "writing"]

_REASONS = {
    errno.ENOSPC: "the disk is full: free some space and run again",
    errno.EDQUOT: "the disk quota is used up: free some space and run again",
    errno.EROFS: "the disk is read-only: choose another folder for the library",
    errno.EACCES: "permission denied: choose another folder for the library, or change its permissions",
    errno.EPERM: "permission denied: choose another folder for the library, or change its permissions",
    errno.ENOTDIR: "a file lies where a folder is expected: choose another folder for the library",
    errno.EEXIST: "a file lies where a folder is expected: choose another folder for the library",
}


@contextmanager
def writing(place: Path) -> Iterator[None]:
    """Turn an error of the operating system into one clear line.

    Raises:
        LibraryError: The disk is full or read-only, permission is missing, or the like.
    """
    try:
        yield
    except OSError as error:
        reason = _REASONS.get(error.errno or 0, error.strerror or str(error))
        raise LibraryError(f"cannot write to {place}: {reason}. The committed videos are unharmed") from error


def write_bytes(path: Path, content: bytes) -> None:
    """Replace a file in one step; it is on the disk, also its name, when this returns."""
    temporary = path.with_name(f"{path.name}.{uuid.uuid4().hex}")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
    flush(path.parent)


def flush(path: Path) -> None:
    """Write a file, or the names in a folder, to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
