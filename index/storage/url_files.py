"""Files below a URL, on object storage or a shared path, through fsspec. What they hold is of no concern here."""

import errno
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from ...tools.errors import LibraryError, MissingExtraError, SettingsError
from ...tools.records import clean_text
from .atomic_files import write_text

__all__ = ["RemoteError", "UrlFiles"]

_MOST_TOLD = 300  # characters of what a server says
_OF_THE_EXTRA = ("s3fs", "gcsfs")


class RemoteError(LibraryError):
    """What is wrong lies behind a URL, not on the disk here."""


class UrlFiles:
    """The files below a URL, by their names relative to it. What is missing is told as `None` or nothing.

    Credentials and endpoints are fsspec's business: its configuration (`~/.config/fsspec/*.json`), its environment
    variables (`FSSPEC_S3_ENDPOINT_URL` and the like), and what the protocol's package reads by itself (`AWS_PROFILE`,
    `AWS_ACCESS_KEY_ID`, `GOOGLE_APPLICATION_CREDENTIALS` and the like). So are retries. All methods raise `RemoteError`
    where the files cannot be read or written.
    """

    def __init__(self, url: str) -> None:
        """Name a folder; it need not exist.

        Args:
            url: Such as `s3://bucket/talks`, `gs://bucket/talks` or `file:///shared/talks`.

        Raises:
            SettingsError: It is no URL that fsspec knows.
            MissingExtraError: A package that the protocol needs is not installed.
            RemoteError: The package does not take it.
        """
        protocol = _protocol(url)
        from fsspec.core import url_to_fs

        self.url = url.rstrip("/")
        self.is_local = protocol == "file"
        try:
            self._fs, self.path = url_to_fs(url, **({"auto_mkdir": True} if self.is_local else {}))
        except Exception as error:
            raise self._failure("opened", error) from error

    def content(self, name: str) -> bytes | None:
        """The content of a file; None: there is none."""
        with self._reaching("read") as files, suppress(FileNotFoundError, NotADirectoryError):
            return files.cat_file(self._at(name))
        return None

    def contents(self, names: Sequence[str]) -> list[bytes | RemoteError | None]:
        """The contents of several files at once; for one that cannot be read, why."""
        with self._reaching("read") as files:
            found = files.cat_ranges([self._at(name) for name in names], None, None, on_error="return")
        return [self._read_or_not(one) for one in found]

    def listed(self, folder: str = "") -> dict[str, int | None]:
        """What lies in a folder: sizes in bytes by names; None for what is no plain file, such as a folder or link."""
        with self._reaching("read") as files, suppress(FileNotFoundError, NotADirectoryError):
            return {
                entry["name"].rstrip("/").rpartition("/")[2]: entry["size"] if entry["type"] == "file" else None
                for entry in files.ls(self._at(folder), detail=True)
            }
        return {}

    def upload(self, source: Path, folder: str, names: Sequence[str]) -> None:
        """Copy files from a folder here to one there, by their names below both, several at once."""
        with self._reaching("written") as files:
            files.put([str(source / name) for name in names], [self._at(folder, name) for name in names])

    def download(self, folder: str, names: Sequence[str], target: Path) -> None:
        """Copy files from a folder there to one here, by their names below both, several at once."""
        with self._reaching("read") as files:
            files.get([self._at(folder, name) for name in names], [str(target / name) for name in names])

    def write(self, name: str, text: str) -> None:
        """Replace a file in one step."""
        with self._reaching("written") as files:
            if self.is_local:
                path = Path(self._at(name))
                path.parent.mkdir(parents=True, exist_ok=True)
                write_text(path, text)
            else:
                files.pipe_file(self._at(name), text.encode())

    def remove(self, folder: str, names: Sequence[str]) -> None:
        """Remove files of a folder, several at once; those that are not there are of no account."""
        with self._reaching("written") as files, suppress(FileNotFoundError):
            files.rm([self._at(folder, name) for name in names])

    def remove_folder(self, folder: str) -> None:
        """Remove all below a folder."""
        with self._reaching("written") as files, suppress(FileNotFoundError):
            files.rm(self._at(folder), recursive=True)

    def touch_folder(self, folder: str) -> None:
        """Make a folder on a shared path look changed; elsewhere folders do not exist."""
        if self.is_local:
            with self._reaching("written"):
                os.utime(self._at(folder))

    def _at(self, *names: str) -> str:
        """A path as the file system takes it."""
        return "/".join(filter(None, (self.path, *names)))

    def _read_or_not(self, found: bytes | Exception) -> bytes | RemoteError | None:
        if isinstance(found, (FileNotFoundError, NotADirectoryError)):
            return None
        return self._failure("read", found) if isinstance(found, Exception) else found

    @contextmanager
    def _reaching(self, what: str) -> Iterator[Any]:
        """The file system as it is now, not as it was listed before; what it says of failures becomes one clear line."""
        try:
            self._fs.invalidate_cache()
            yield self._fs
        except Exception as error:
            raise self._failure(what, error) from error

    def _failure(self, what: str, error: Exception) -> RemoteError:
        """What to say of an error of the protocol's package, each of which has its own kinds."""
        told = clean_text(str(error))[:_MOST_TOLD] or type(error).__name__
        return RemoteError(f"{self.url} cannot be {what} ({told}): {_next_step(error)}")


def _protocol(url: str) -> str:
    """The protocol of a URL, whose package is here."""
    protocol, sign, path = url.partition("://")
    if (
        not sign
        or not path.strip("/")
        or path.startswith("/") != (protocol == "file")
        or "::" in url
        or any(character in url for character in "*?[")
    ):
        raise SettingsError(
            f"{url!r} is no URL of a folder: s3://bucket/folder, gs://bucket/folder or file:///folder is wanted, "
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
