"""Files below a URL, on object storage or a shared path; the only module that imports fsspec."""

import errno
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from ....tools.errors import LibraryError, MissingExtraError, SettingsError
from ....tools.records import clean_text
from .atomic import write_bytes

__all__ = ["RemoteError", "UrlFiles"]

_LONGEST_REASON = 300  # characters of a server's message
_OF_THE_EXTRA = ("s3fs", "gcsfs")


class RemoteError(LibraryError):
    """A library below a URL cannot be read or written; the disk of this machine is not concerned."""


class UrlFiles:
    """The files below a URL: `index.storage.files.local.Files`.

    fsspec supplies credentials and endpoints: its configuration (`~/.config/fsspec/*.json`), its environment variables
    (`FSSPEC_S3_ENDPOINT_URL` and the like), and what the protocol's package reads by itself (`AWS_PROFILE`,
    `AWS_ACCESS_KEY_ID`, `GOOGLE_APPLICATION_CREDENTIALS` and the like). It also retries. All methods raise
    `RemoteError` where the files cannot be read or written.
    """

    def __init__(self, url: str) -> None:
        """Name a folder; it need not exist.

        Args:
            url: Such as `s3://bucket/talks`, `gs://bucket/talks` or `file:///shared/talks`.

        Raises:
            SettingsError: fsspec does not know the protocol, or it is no URL.
            MissingExtraError: A package that the protocol needs is not installed.
            RemoteError: The package refuses the URL.
        """
        protocol = _protocol(url)
        from fsspec.core import url_to_fs

        self.name = url.rstrip("/")
        self.is_local = protocol == "file"
        try:
            self._fs, self.path = url_to_fs(url, **({"auto_mkdir": True} if self.is_local else {}))
        except Exception as error:
            raise self._failure("opened", error) from error

    def read(self, name: str) -> bytes | None:
        """As `Files.read`."""
        with self._access("read") as files, suppress(FileNotFoundError, NotADirectoryError):
            content: bytes = files.cat_file(self._at(name))
            return content
        return None

    def read_many(self, names: Sequence[str]) -> list[bytes | LibraryError | None]:
        """As `Files.read_many`; several at once."""
        with self._access("read") as files:
            contents = files.cat_ranges([self._at(name) for name in names], None, None, on_error="return")
        return [self._content_or_error(one) for one in contents]

    def read_range(self, name: str, start: int, end: int) -> bytes | None:
        """As `Files.read_range`."""
        with self._access("read") as files, suppress(FileNotFoundError, NotADirectoryError):
            content: bytes = files.cat_file(self._at(name), start=start, end=end)
            return content
        return None

    def list(self, folder: str = "") -> dict[str, int | None]:
        """As `Files.list`."""
        with self._access("read") as files, suppress(FileNotFoundError, NotADirectoryError):
            entries = files.ls(self._at(folder), detail=True)
            sizes = {
                entry["name"].rstrip("/").rpartition("/")[2]: entry["size"] if entry["type"] == "file" else None
                for entry in entries
            }
            return dict(sorted(sizes.items()))
        return {}

    def upload(self, source: Path, folder: str, names: Sequence[str]) -> None:
        """Copy files of a local folder into a folder there, several at once."""
        with self._access("written") as files:
            files.put([str(source / name) for name in names], [self._at(folder, name) for name in names])

    def download(self, folder: str, names: Sequence[str], target: Path) -> None:
        """Copy files of a folder there into a local folder, several at once."""
        with self._access("read") as files:
            files.get([self._at(folder, name) for name in names], [str(target / name) for name in names])

    def write(self, name: str, content: bytes) -> None:
        """As `Files.write`."""
        with self._access("written") as files:
            if self.is_local:
                path = Path(self._at(name))
                path.parent.mkdir(parents=True, exist_ok=True)
                write_bytes(path, content)
            else:
                files.pipe_file(self._at(name), content)

    def remove(self, folder: str, names: Sequence[str]) -> None:
        """Remove files of a folder, several at once; missing ones are skipped."""
        with self._access("written") as files, suppress(FileNotFoundError):
            files.rm([self._at(folder, name) for name in names])

    def remove_folder(self, folder: str) -> None:
        """Remove a folder with everything in it."""
        with self._access("written") as files, suppress(FileNotFoundError):
            files.rm(self._at(folder), recursive=True)

    def touch_folder(self, folder: str) -> None:
        """Change the time of a folder on a shared path; object storage has no folders."""
        if self.is_local:
            with self._access("written"):
                os.utime(self._at(folder))

    def _at(self, *names: str) -> str:
        """A path as the file system takes it."""
        return "/".join(filter(None, (self.path, *names)))

    def _content_or_error(self, content: bytes | Exception) -> bytes | LibraryError | None:
        if isinstance(content, (FileNotFoundError, NotADirectoryError)):
            return None
        return self._failure("read", content) if isinstance(content, Exception) else content

    @contextmanager
    def _access(self, what: str) -> Iterator[Any]:
        """Open the file system without cached listings; turn its errors into one clear line."""
        try:
            self._fs.invalidate_cache()
            yield self._fs
        except Exception as error:
            raise self._failure(what, error) from error

    def _failure(self, what: str, error: Exception) -> RemoteError:
        """Describe an error of the protocol's package; each package has its own exceptions."""
        reason = clean_text(str(error))[:_LONGEST_REASON] or type(error).__name__
        return RemoteError(f"{self.name} cannot be {what} ({reason}): {_next_step(error)}")


def _protocol(url: str) -> str:
    """The protocol of a URL; its package is installed."""
    protocol, sign, path = url.partition("://")
    if (
        not sign
        or not path.strip("/")
        or path.startswith("/") != (protocol == "file")
        or "::" in url
        or any(character in url for character in "*?[")
    ):
        raise SettingsError(
            f"{url!r} is no URL of a folder: s3://bucket/folder, gs://bucket/folder or file:///folder is expected, "
            "without any of * ? [ ::"
        )
    try:
        from fsspec.registry import get_filesystem_class, known_implementations
    except ImportError as error:
        raise MissingExtraError(url, "fsspec", "remote") from error
    try:
        get_filesystem_class(protocol)
    except ValueError as error:
        raise SettingsError(
            f"{url}: fsspec knows no protocol {protocol!r}: use one that it has, such as s3, gs or file"
        ) from error
    except ImportError as error:
        module = known_implementations[protocol]["class"].partition(".")[0]
        if module in _OF_THE_EXTRA:
            raise MissingExtraError(url, module, "remote") from error
        raise SettingsError(f"{url}: {error}") from error
    return protocol


def _next_step(error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return "check that the bucket or folder exists"
    if isinstance(error, PermissionError):
        return "check that you, or your credentials, are allowed to"
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "free some space and run again"
    return (
        "check the network, and the endpoint and credentials that fsspec is configured with "
        "(FSSPEC_S3_ENDPOINT_URL, AWS_PROFILE and the like)"
    )
