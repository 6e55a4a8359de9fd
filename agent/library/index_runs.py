"""Run indexing into any library, in this process or on a Ray cluster."""

from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from ...index.indexing.build import IndexProgress, index_files
from ...index.indexing.extractor_set import Extractors
from ...index.indexing.fleet import Fleet
from ...index.indexing.jobs import Outcome
from ...index.records import VideoRecord
from ...index.storage.backend import StorageBackend
from ...tools.errors import LibraryError, MediaError, SettingsError
from ...tools.records import Span
from ...tools.settings import Settings
from ..records import EngineName
from ..sources.fetching import is_source
from .titling import title_writer
from .video_names import one_video

__all__ = ["collect", "ignore_progress", "index_videos", "named_video", "remove_video"]

_T = TypeVar("_T")


def index_videos(
    storage: StorageBackend,
    paths: Path | str | Sequence[Path | str],
    settings: Settings,
    gather: Callable[[], Extractors],
    *,
    force: bool,
    engine: EngineName,
    address: str | None,
    workers: int | None,
    window: Span | None,
    progress: IndexProgress | None,
    done: Callable[[Outcome], None] | None,
    skip: Collection[Path] = (),
) -> list[Outcome]:
    """Do what `Library.index` describes, into any library.

    Args:
        storage: The library: a `LocalStorage`, or a `UrlStorage`.
        paths: A video, a folder, or several.
        settings: Models and limits.
        gather: Makes the extractors of this machine. It is called only where this process does the work.
        force: Index unchanged videos again, too.
        engine: What does the work.
        address: Address of a Ray cluster.
        workers: Number of videos at once on it.
        window: Only this stretch of each video.
        progress: Called as the work goes on.
        done: Called with each outcome as soon as it is known.
        skip: Absolute paths of files to leave as they are.
    """
    given = [paths] if isinstance(paths, (str, Path)) else list(paths)
    if urls := [str(path) for path in given if is_source(str(path))]:
        raise MediaError(f"{urls[0]} is a URL: fetch it first (`Library.fetch`), then index the files")
    files, report = [Path(path) for path in given], progress or ignore_progress
    write_titles = title_writer(storage, settings, report)
    if engine == "local":
        if address is not None or workers is not None:
            raise SettingsError("address and workers belong to a Ray cluster: set engine to 'ray', or leave them out")
        outcomes = collect(index_files(storage, files, gather(), force, report, window=window, skip=skip), done)
    else:
        with Fleet(settings, address, workers) as fleet:
            outcomes = collect(
                index_files(storage, files, fleet.extractors, force, report, fleet.run, window, skip), done
            )
    write_titles(outcomes)
    return outcomes


def collect(outcomes: Iterator[_T], done: Callable[[_T], None] | None) -> list[_T]:
    """Return all outcomes; `done` is called with each as soon as it is known."""
    collected = []
    for outcome in outcomes:
        collected.append(outcome)
        if done:
            done(outcome)
    return collected


def ignore_progress(path: Path, number: int, count: int, stage: str, done: float, total: float) -> None:
    """Do nothing with the progress."""


def remove_video(storage: StorageBackend, video: Path | str) -> VideoRecord:
    """Do what `Library.remove` describes, in any library."""
    record = named_video(storage, video)
    storage.remove(record.video_id)
    return record


def named_video(storage: StorageBackend, video: Path | str) -> VideoRecord:
    """Return the video of any library that a path, file name or id means.

    Raises:
        LibraryError: The library holds no such video, or several, or the video is damaged.
    """
    records, broken = storage.survey()
    try:
        return one_video(storage, sorted(records.values(), key=lambda one: one.paths), video)
    except LibraryError as error:
        raise next(
            iter(broken.values()), error
        ) from None  # the video that cannot be read may be the one that was named
