"""Runs of indexing, into any library and by any engine."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from ..index.indexing.build import IndexProgress, bring_in_line
from ..index.indexing.extractor_set import Extractors
from ..index.indexing.fleet import Fleet
from ..index.indexing.jobs import Outcome
from ..index.records import VideoRecord
from ..index.storage.backend import StorageBackend
from ..tools.errors import LibraryError, SettingsError
from ..tools.settings import Settings
from .records import EngineName
from .video_names import one_video

__all__ = ["each", "index_videos", "remove_video"]

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
    progress: IndexProgress | None,
    done: Callable[[Outcome], None] | None,
) -> list[Outcome]:
    """As `Library.index`, into any library.

    Args:
        storage: The library: a `LocalStorage`, or a `UrlStorage`.
        paths: A video, a folder, or several.
        settings: How to work.
        gather: The extractors of this machine; only asked for where it does the work.
        force: As of `Library.index`, and so are all the others.
        engine: What does the work.
        address: Of a Ray cluster.
        workers: On it.
        progress: Told how far it is.
        done: Told each outcome at once.
    """
    given = [paths] if isinstance(paths, (str, Path)) else list(paths)
    files, told = [Path(path) for path in given], progress or _silent
    if engine == "local":
        if address is not None or workers is not None:
            raise SettingsError("address and workers are of a Ray cluster: set engine to 'ray', or leave them out")
        return each(bring_in_line(storage, files, gather(), force, told), done)
    with Fleet(settings, address, workers) as fleet:
        return each(bring_in_line(storage, files, fleet.extractors, force, told, fleet.run), done)


def each(outcomes: Iterator[_T], done: Callable[[_T], None] | None) -> list[_T]:
    """All outcomes, each told at once."""
    told = []
    for outcome in outcomes:
        told.append(outcome)
        if done:
            done(outcome)
    return told


def _silent(path: Path, number: int, count: int, stage: str, done: float, total: float) -> None:
    """Tells nobody."""


def remove_video(storage: StorageBackend, video: Path | str) -> VideoRecord:
    """As `agent.library.Library.remove`, of any library."""
    records, broken = storage.survey()
    try:
        record = one_video(storage, sorted(records.values(), key=lambda one: one.paths), video)
    except LibraryError as error:
        raise next(iter(broken.values()), error) from None  # one that cannot be read may be what is meant
    storage.remove(record.video_id)
    return record
