"""The storage interface: what indexing needs of a library, wherever its videos are."""

from collections.abc import Collection
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from ...tools.errors import LibraryError
from ..records import VideoRecord

if TYPE_CHECKING:
    from .local import LocalStorage

__all__ = ["StorageBackend"]


class StorageBackend(Protocol):
    """The committed videos of a library: `LocalStorage` on a disk, `UrlStorage` below a URL.

    Attributes:
        holds_every_file: Whether only this machine adds to the library. Then a video whose file is gone leaves it.
    """

    holds_every_file: bool

    def create(self, mend: bool = False) -> None:
        """Make the library if it does not exist; clean up after killed processes.

        Args:
            mend: Replace a damaged `library.json`.

        Raises:
            LibraryError: It cannot be written, or is damaged.
        """

    def survey(self) -> tuple[dict[str, VideoRecord], dict[str, LibraryError]]:
        """Return the readable records by video id, and the error of each unreadable one.

        Raises:
            LibraryError: The library as a whole cannot be read.
        """

    def stored_path(self, path: Path) -> str:
        """Return a file's path in the form in which records keep it."""

    def absolute_path(self, stored: str) -> Path:
        """Return the current absolute path for a stored one."""

    def update_paths(
        self, video_id: str, *, add: Collection[str] = (), drop: Collection[str] = ()
    ) -> VideoRecord | None:
        """Change the paths of a video; its observations stay as they are.

        Args:
            video_id: The video.
            add: Paths from `stored_path`.
            drop: The same.

        Returns:
            The new record; None if no path is left, which removes the video.

        Raises:
            LibraryError: The library cannot be written.
        """

    def remove(self, video_id: str) -> None:
        """Remove a video, if it is there; its media file is not touched.

        Raises:
            LibraryError: The library cannot be written.
        """

    def local_copy(self, video_id: str) -> AbstractContextManager["LocalStorage"]:
        """Open storage on this machine's disk that holds one video; a commit made there reaches this library.

        Raises:
            LibraryError: The library cannot be read or written.
        """
