"""Files that are replaced in one step, and disks that are full: what the operating system says, as one clear line."""

import errno
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ...tools.errors import LibraryError

__all__ = ["flush", "write_text", "writing"]

_REASONS = {
    errno.ENOSPC: "the disk is full: free some space and run again",
    errno.EDQUOT: "the disk quota is used up: free some space and run again",
    errno.EROFS: "the disk is read-only: choose another folder for the library",
    errno.EACCES: "permission denied: choose another folder for the library, or change its permissions",
    errno.EPERM: "permission denied: choose another folder for the library, or change its permissions",
    errno.ENOTDIR: "a file lies where a folder is wanted: choose another folder for the library",
    errno.EEXIST: "a file lies where a folder is wanted: choose another folder for the library",
}


@contextmanager
def writing(place: Path) -> Iterator[None]:
    """Turn what the operating system says about a disk into one clear line.

    Raises:
        LibraryError: The disk is full or read-only, permission is missing, or the like.
    """
    try:
        yield
    except OSError as error:
        reason = _REASONS.get(error.errno or 0, error.strerror or str(error))
        raise LibraryError(f"cannot write to {place}: {reason}. What was there before is unharmed") from error


def write_text(path: Path, text: str) -> None:
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


def flush(path: Path) -> None:
    """Have the operating system write a file or a folder's names to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
