"""Files below a folder or a URL, by their names relative to it: what a storage backend reads and writes."""

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from ....tools.errors import LibraryError
from .atomic import write_bytes, writing

__all__ = ["Files", "LocalFiles"]


class Files(Protocol):
    """Named files. A missing file is `None`; a file that cannot be read or written is a `LibraryError`.

    Attributes:
        name: The folder or URL, for messages.
    """

    name: str

    def read(self, name: str) -> bytes | None:
        """The content of a file; None if it does not exist."""

    def read_many(self, names: Sequence[str]) -> "list[bytes | LibraryError | None]":
        """The contents of several files; the error of each that cannot be read."""

    def read_range(self, name: str, start: int, end: int) -> bytes | None:
        """The bytes `[start, end)` of a file, fewer if it is shorter; None if it does not exist."""

    def list(self, folder: str = "") -> dict[str, int | None]:
        """Names and sizes of the files in a folder; the size is None for a folder, link or device."""

    def write(self, name: str, content: bytes) -> None:
        """Replace a file in one step: readers see the old or the new content."""


class LocalFiles:
    """Files below a folder of this machine."""

    def __init__(self, folder: Path) -> None:
        """Name a folder; it need not exist."""
        self.folder, self.name = folder, str(folder)

    def read(self, name: str) -> bytes | None:
        """As `Files.read`."""
        try:
            return (self.folder / name).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise _unreadable(self.folder / name, error) from error

    def read_many(self, names: Sequence[str]) -> list[bytes | LibraryError | None]:
        """As `Files.read_many`."""
        contents: list[bytes | LibraryError | None] = []
        for name in names:
            try:
                contents.append(self.read(name))
            except LibraryError as error:
                contents.append(error)
        return contents

    def read_range(self, name: str, start: int, end: int) -> bytes | None:
        """As `Files.read_range`."""
        try:
            with (self.folder / name).open("rb", buffering=0) as file:
                return os.pread(file.fileno(), end - start, start)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise _unreadable(self.folder / name, error) from error

    def list(self, folder: str = "") -> dict[str, int | None]:
        """As `Files.list`."""
        place = self.folder / folder
        sizes: dict[str, int | None] = {}
        try:
            with os.scandir(place) as entries:
                for entry in entries:
                    with suppress(FileNotFoundError):  # another process deletes it now
                        is_file = entry.is_file(follow_symlinks=False)
                        sizes[entry.name] = entry.stat().st_size if is_file else None
        except (FileNotFoundError, NotADirectoryError):
            return {}
        except OSError as error:
            raise _unreadable(place, error) from error
        return dict(sorted(sizes.items()))

    def write(self, name: str, content: bytes) -> None:
        """As `Files.write`."""
        path = self.folder / name
        with writing(self.folder):
            path.parent.mkdir(parents=True, exist_ok=True)
            write_bytes(path, content)


def _unreadable(place: Path, error: OSError) -> LibraryError:
    return LibraryError(f"{place} cannot be read ({error.strerror}): check its permissions")
