"""Identity of media files by their whole content, and a table that makes unchanged files cheap.

The first 128 bits of SHA-256 over the whole file: a download that fills a preallocated file, or one changed bit, gives
another identity, and no one can craft a file that takes the place of another. It costs 0.7 s for each gigabyte, much
less than indexing it; files whose size, time of change and inode are as before are not read again.
"""

import contextlib
import hashlib
import os
import sqlite3
import stat
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from ...tools.errors import MediaError
from .files.sealed import checksum

__all__ = ["FileIdentities", "content_id"]

_VIDEO_ID_DIGITS = 32
# A file whose time of change is this recent may change again within the clock's resolution.
_SETTLED_NS = 2_000_000_000
_WRITE_AT_ONCE = 200
_SCHEMA = (
    "CREATE TABLE IF NOT EXISTS files"
    "(path BLOB PRIMARY KEY, size INTEGER, mtime_ns INTEGER, inode INTEGER, content TEXT, checksum TEXT) WITHOUT ROWID"
)


def content_id(path: Path) -> str:
    """Return the identity of a file by its content: 32 hexadecimal digits, the first half of its SHA-256.

    Raises:
        MediaError: It is not a regular file, or cannot be read.
    """
    with _reading(path):
        _regular(path)
        # A pipe that takes the file's place meanwhile must not block.
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb", buffering=0) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()[:_VIDEO_ID_DIGITS]


class FileIdentities:
    """Content identities by path, size, time of change (mtime) and inode, kept in an SQLite file.

    It is a cache: without it, or where it is damaged or locked, files are read again. Threads may share it.
    """

    def __init__(self, path: Path) -> None:
        """Open or make the SQLite file."""
        self._path = path
        self._lock = threading.Lock()
        self._new: dict[bytes, tuple[int, int, int, str]] = {}
        self._known = self._read()

    def content_id(self, path: Path) -> str:
        """As the function `content_id`, without reading a file that is unchanged.

        Raises:
            MediaError: It is not a regular file, or cannot be read.
        """
        with _reading(path):
            before = _regular(path)
        key = os.fsencode(path)
        facts = before.st_size, before.st_mtime_ns, before.st_ino
        known = self._known.get(key)
        if known and known[:3] == facts:
            return known[3]
        content = content_id(path)
        with _reading(path):
            after = _regular(path)
        is_settled = (after.st_size, after.st_mtime_ns, after.st_ino) == facts and _is_settled(after)
        if is_settled:
            with self._lock:
                self._known[key] = self._new[key] = (*facts, content)
            if len(self._new) >= _WRITE_AT_ONCE:
                self.save()
        return content

    def paths_of(self, content: str) -> list[Path]:
        """The files that had this content when they were read."""
        return [Path(os.fsdecode(key)) for key, facts in self._known.items() if facts[3] == content]

    def save(self) -> None:
        """Write new identities to the disk; a failure costs time in the next run, nothing else."""
        with self._lock:
            rows, self._new = self._new, {}
        if not rows:
            return
        with contextlib.suppress(sqlite3.Error, OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with contextlib.closing(self._opened()) as database, database:
                database.executemany(
                    "INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?, ?)",
                    [(key, *facts, _row_checksum(key, facts)) for key, facts in rows.items()],
                )

    def _read(self) -> dict[bytes, tuple[int, int, int, str]]:
        if not self._path.exists():
            return {}
        try:
            with contextlib.closing(self._opened()) as database:
                rows = database.execute("SELECT path, size, mtime_ns, inode, content, checksum FROM files").fetchall()
        except sqlite3.DatabaseError as error:
            if not isinstance(error, sqlite3.OperationalError):
                with contextlib.suppress(OSError):
                    self._path.unlink()
            return {}
        return {
            key: (size, mtime, inode, content)
            for key, size, mtime, inode, content, row_checksum in rows
            if isinstance(key, bytes) and row_checksum == _row_checksum(key, (size, mtime, inode, content))
        }

    def _opened(self) -> sqlite3.Connection:
        database = sqlite3.connect(self._path, timeout=5)
        database.execute(_SCHEMA)
        return database


def _regular(path: Path) -> os.stat_result:
    facts = os.stat(path)
    if not stat.S_ISREG(facts.st_mode):
        raise MediaError(f"{path} is a folder, pipe or device, not a file: give a video file")
    return facts


def _is_settled(facts: os.stat_result) -> bool:
    return time.time_ns() - facts.st_mtime_ns > _SETTLED_NS


def _row_checksum(key: bytes, facts: tuple[object, ...]) -> str:
    return checksum(repr((key, facts)).encode())


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise MediaError(
            f"{path} cannot be read ({error.strerror}): check that it exists and its permissions"
        ) from error
