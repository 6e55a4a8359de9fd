"""Fetches videos of URLs into a folder: pages and feeds by `web`, object storage by `objects`."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from ...tools.errors import SettingsError
from .downloads import Downloads
from .objects import ObjectSource
from .records import Fetched, FetchLimits, FetchProgress
from .web import WebSource

__all__ = ["DOWNLOADS", "fetch", "is_source"]

# The folder of downloads, in the folder of videos.
DOWNLOADS = "downloads"
_HERE = ("file", "local", "memory")


def is_source(place: str) -> bool:
    """Whether a place is a URL and not a path."""
    return "://" in place


def fetch(
    urls: Sequence[str],
    folder: Path,
    limits: FetchLimits,
    progress: FetchProgress,
    *,
    language: str | None = None,
    force: bool = False,
) -> Iterator[Fetched]:
    """Fetch the videos of URLs; yield one outcome for each video. A failure never stops the others.

    What was fetched once is not fetched again, also where its file was deleted.

    Args:
        urls: `http`, `https`, or what fsspec knows, such as `s3`.
        folder: Where the files go.
        limits: What is fetched at most.
        progress: Called while bytes arrive.
        language: ISO 639-1: subtitles of this language are fetched, too, if only a program wrote them.
        force: Fetch again what was fetched before.

    Raises:
        LibraryError: The folder cannot be written.
        MissingExtraError: yt-dlp or fsspec is not installed.
        SettingsError: A URL has a scheme that is not fetched.
    """
    for url in urls:
        scheme = urlsplit(url).scheme.lower()
        if scheme in _HERE or not scheme or not is_source(url):
            raise SettingsError(f"{url} is a file of this machine or no URL: give its path")
    downloads = Downloads(folder)
    for url in urls:
        if urlsplit(url).scheme.lower() in ("http", "https"):
            yield from WebSource(downloads, limits, language, progress).fetch(url, force=force)
        else:
            yield from ObjectSource(downloads, limits, progress).fetch(url, force=force)
