"""Fetches media files from object storage by fsspec: one object, or all below a prefix."""

from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from ...index.indexing.media_files import MEDIA_SUFFIXES
from ...index.storage.files.url import RemoteError, UrlFiles
from ...tools.errors import MediaError, PlayheadError
from ...tools.media.metadata.sidecars import SIDECAR_SUFFIXES
from ...tools.media.subtitles.files import SUBTITLE_SUFFIXES
from .downloads import Downloads
from .records import Fetched, FetchLimits, FetchProgress

__all__ = ["ObjectSource"]

_MOST_FOLDERS = 10_000


class ObjectSource:
    """One object, or all objects below a prefix, of a storage that fsspec knows."""

    def __init__(self, downloads: Downloads, limits: FetchLimits, progress: FetchProgress) -> None:
        """Prepare.

        Args:
            downloads: Where files go.
            limits: What is fetched at most; lengths of objects are not known before they are here.
            progress: Called with each object before it is fetched.
        """
        self._downloads, self._limits, self._report = downloads, limits, progress

    def fetch(self, url: str, *, force: bool) -> Iterator[Fetched]:
        """Fetch what a URL means; yield one outcome for each media file. None of them stops the others.

        An object is known by its address and size.

        Args:
            url: Such as `s3://bucket/talks/one.mp4` or `s3://bucket/talks`.
            force: Fetch again what was fetched before.
        """
        try:
            found = list(_media_below(url))
            if not found:
                raise MediaError(f"{url} holds no video or sound file: check the address")
        except PlayheadError as error:
            yield Fetched(url, "failed", detail=str(error))
            return
        for number, (folder, name, beside) in enumerate(found):
            if self._limits.count is not None and number >= self._limits.count:
                left = len(found) - number
                yield Fetched(url, "skipped", detail=f"{left} more of {url}: the limit is {self._limits.count}")
                return
            yield self._fetched(folder, name, beside, force)

    def _fetched(self, folder: UrlFiles, name: str, beside: Mapping[str, int], force: bool) -> Fetched:
        address, size = f"{folder.name}/{name}", beside[name]
        stem = PurePosixPath(name).stem
        key = f"{address} {size}"
        if not force and (path := self._downloads.known(key)):
            gone = f"{path.name} was fetched before and is gone: --force fetches it again"
            is_there = path.exists()
            return Fetched(address, "known", stem, path if is_there else None, "" if is_there else gone)
        if self._limits.size is not None and size > self._limits.size:
            reason = f"it has {size / 1e6:.0f} MB, the limit is {self._limits.size / 1e6:.0f} MB"
            return Fetched(address, "skipped", stem, detail=reason)
        self._report(stem, 0, size)
        others = [one for one in beside if one != name and _is_beside(one, stem)]
        try:
            with self._downloads.partial() as partial:
                folder.download("", [name, *others], partial)
                if (arrived := (partial / name).stat().st_size) != size:
                    raise RemoteError(f"{address}: {arrived} bytes arrived instead of {size}: run again")
                placed = [(partial / one, one[len(stem) :]) for one in others]
                path = self._downloads.place(partial / name, placed, stem, address)
        except (PlayheadError, OSError) as error:
            return Fetched(address, "failed", stem, detail=str(error))
        self._downloads.remember(path, address, key)
        return Fetched(address, "fetched", stem, path)


def _media_below(url: str) -> Iterator[tuple[UrlFiles, str, Mapping[str, int]]]:
    """Each media file at or below a URL: its folder, its name, and all files of that folder with their sizes."""
    parent, _, name = url.rstrip("/").rpartition("/")
    if PurePosixPath(name).suffix.lower() in MEDIA_SUFFIXES and "://" in parent and not parent.endswith("/"):
        files = UrlFiles(parent)
        sizes = _sizes(files.list())
        if name in sizes:
            yield files, name, sizes
            return
    folders = [url.rstrip("/")]
    for number, folder in enumerate(folders):
        if number == _MOST_FOLDERS:
            raise MediaError(f"{url} has more than {_MOST_FOLDERS} folders: fetch them one by one")
        files = UrlFiles(folder)
        listed = files.list()
        sizes = _sizes(listed)
        folders += [f"{folder}/{one}" for one, size in listed.items() if size is None and _is_plain(one)]
        yield from ((files, one, sizes) for one in sizes if Path(one).suffix.lower() in MEDIA_SUFFIXES)


def _sizes(listed: Mapping[str, int | None]) -> dict[str, int]:
    return {name: size for name, size in listed.items() if size is not None and _is_plain(name)}


def _is_plain(name: str) -> bool:
    """Whether a name of the storage can be a file's name here: it is not hidden and leads to no other folder."""
    return bool(name) and not name.startswith(".") and not set(name) & set("/\\\0")


def _is_beside(name: str, stem: str) -> bool:
    """Whether an object is a subtitle file or a sidecar of a video."""
    rest = name[len(stem) :].lower()
    return name.startswith(stem + ".") and (rest in SIDECAR_SUFFIXES or Path(rest).suffix in SUBTITLE_SUFFIXES)
