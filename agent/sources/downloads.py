"""A folder of downloads: files appear in it complete or not at all, and what was fetched is remembered.

downloads/
.fetched.jsonl         one line for each video that was fetched: see `index.storage.journal`
.fetching-<unique>/    a download that is being written; its process holds the file lock `lock`
Title [id].mp4         and beside it Title [id].info.json, Title [id].en.vtt
"""

import fcntl
import os
import re
import shutil
import tempfile
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from ...index.storage.journal import Journal, digest
from ...index.storage.staging import is_locked
from ...tools.errors import LibraryError
from ...tools.records import clean_text

__all__ = ["Downloads"]

_MEMORY, _PARTIAL, _LOCK = ".fetched.jsonl", ".fetching-", "lock"
_LONGEST_NAME = 120  # bytes: with an id and `.info.json` it stays below the 255 of file systems
_FORBIDDEN = re.compile(r'[/\\:*?"<>|]')


class Downloads:
    """The downloads of one folder. Several processes may use it at once."""

    def __init__(self, folder: Path) -> None:
        """Make the folder, and delete what killed processes left half-way.

        Raises:
            LibraryError: It cannot be written.
        """
        self.folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise LibraryError(
                f"{folder} cannot be made ({error.strerror}): choose another folder with --to"
            ) from error
        for left in folder.glob(f"{_PARTIAL}*"):
            if not is_locked(left / _LOCK):
                shutil.rmtree(left, ignore_errors=True)
        self._memory = Journal(folder / _MEMORY)

    def known(self, *keys: str) -> Path | None:
        """Return the file that was fetched under one of these keys, which may be gone; None: it was not fetched."""
        found = next(filter(None, map(self._memory.find, keys)), None)
        name = found.get("file") if isinstance(found, dict) else None
        # The journal lies in a folder that others may write: only a name in this folder is believed.
        return self.folder / Path(str(name)).name if name else None

    def remember(self, path: Path, url: str, *keys: str) -> None:
        """Note that a file was fetched, under several keys."""
        at = datetime.now(UTC).isoformat(timespec="seconds")
        for key in dict.fromkeys(filter(None, keys)):
            self._memory.note(key, {"file": path.name, "url": url, "at": at})

    @contextmanager
    def partial(self) -> Iterator[Path]:
        """Open a hidden folder for one download; it is deleted at the end."""
        folder = Path(tempfile.mkdtemp(prefix=_PARTIAL, dir=self.folder))
        try:
            with (folder / _LOCK).open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def place(self, media: Path, beside: Sequence[tuple[Path, str]], title: str, source_id: str) -> Path:
        """Move a complete download into the folder: first the files beside it, last the media file.

        Args:
            media: The media file.
            beside: Other files, each with the suffix that it gets, such as `.en.vtt`.
            title: Of the video; untrusted.
            source_id: Its id at the source, or its URL; untrusted.
        """
        stem = _safe_name(title, source_id)
        for file, suffix in beside:
            os.replace(file, self.folder / f"{stem}{suffix}")
        target = self.folder / f"{stem}{media.suffix.lower()}"
        os.replace(media, target)
        return target


def _safe_name(title: str, source_id: str) -> str:
    """A file name without a suffix: no folder, not hidden, of a length that every file system takes."""
    name = _FORBIDDEN.sub("_", unicodedata.normalize("NFC", clean_text(title))).strip(" .")
    name = name.encode()[:_LONGEST_NAME].decode(errors="ignore").strip(" .")
    mark = source_id if re.fullmatch(r"[A-Za-z0-9_-]{1,24}", source_id) else digest(source_id)[:10]
    return f"{name} [{mark}]".lstrip()
