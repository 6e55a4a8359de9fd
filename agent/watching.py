"""Keeps a library in line with its folder while files arrive, change, move and vanish. Only this module imports watchdog.

A file is indexed once its size and time have not changed for some seconds, so a download is not read half-way.
"""

import os
import queue
import threading
import time
import warnings
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..index.indexing.jobs import Outcome
from ..index.indexing.media_files import MEDIA_SUFFIXES
from ..index.records import Evidence
from ..tools.errors import MediaError, MissingExtraError
from .answering.reader import feature_reader

if TYPE_CHECKING:
    from .library import Library

__all__ = ["FolderWatch", "StandingQuery", "matches"]

_POLL_SECONDS = 0.2
_MOST_MATCHES = 5


@dataclass(frozen=True)
class StandingQuery:
    """A query that each newly indexed video is searched for.

    Attributes:
        text: What to look for, in plain words.
        threshold: Relevance (0 to 1) from which on a result is a match; None: that of an answer to a question.
    """

    text: str
    threshold: float | None = None


class FolderWatch:
    """Watches one folder for a library."""

    def __init__(
        self,
        library: "Library",
        folder: Path,
        queries: Sequence[StandingQuery] = (),
        settle_seconds: float = 2.0,
    ) -> None:
        """Prepare to watch.

        Args:
            library: The library to keep up to date.
            folder: The folder of videos; everything below it is watched.
            queries: Searched in each newly indexed video.
            settle_seconds: How long a file must not change before it is indexed.
        """
        self._library, self._folder = library, Path(os.path.abspath(folder))
        self._queries, self._settle_seconds = tuple(queries), settle_seconds
        self._events: queue.Queue[str] = queue.Queue()

    def run(
        self,
        stop: threading.Event,
        done: Callable[[Outcome], None],
        matched: Callable[[StandingQuery, Evidence], None] | None = None,
    ) -> None:
        """Index what is there, then follow every change until `stop` is set.

        Args:
            stop: Ends the watch after the file that is being indexed.
            done: Called with each outcome except `unchanged`.
            matched: Called with each match of a standing query in a newly indexed video, best first.

        Raises:
            MissingExtraError: watchdog is not installed.
            MediaError: The folder does not exist.
            LibraryError: The library cannot be written.
        """
        if not self._folder.is_dir():
            raise MediaError(f"{self._folder} is not a folder: watch a folder of videos")
        observer = self._observer()
        observer.start()
        try:
            self._index([self._folder], done, matched)
            changing: dict[str, tuple[Any, float]] = {}  # path: size and time, and when it was last seen to change
            while not stop.is_set():
                self._take_events(changing)
                settled = [
                    path for path, (_, since) in changing.items() if time.monotonic() - since >= self._settle_seconds
                ]
                if not settled:
                    continue
                for path in settled:
                    del changing[path]
                # New videos are read alone. What is gone, and files beside a video, concern videos that are known.
                are_new = all(Path(path).suffix.lower() in MEDIA_SUFFIXES and os.path.exists(path) for path in settled)
                files = [Path(path) for path in settled] if are_new else [self._folder]
                self._index(files, done, matched, skip={Path(path) for path in changing})
        finally:
            observer.stop()
            observer.join()

    def _take_events(self, changing: dict[str, tuple[Any, float]]) -> None:
        """Note the files of new events, and which of the noted files have changed since."""
        try:
            changing.setdefault(self._events.get(timeout=_POLL_SECONDS), (None, time.monotonic()))
            while True:
                changing.setdefault(self._events.get_nowait(), (None, time.monotonic()))
        except queue.Empty:
            pass
        now = time.monotonic()
        for path, (before, since) in list(changing.items()):
            state = _state(path)
            changing[path] = (state, since if state == before else now)

    def _index(
        self,
        files: list[Path],
        done: Callable[[Outcome], None],
        matched: Callable[[StandingQuery, Evidence], None] | None,
        skip: Collection[Path] = (),
    ) -> None:
        def report(outcome: Outcome) -> None:
            if outcome.state != "unchanged":
                done(outcome)

        try:
            outcomes = self._library.index(files, skip=skip, done=report)
        except MediaError:  # no video is there yet, or no longer
            if files != [self._folder]:  # one of them vanished meanwhile: the others still count
                self._index([self._folder], done, matched, skip)
            return
        for outcome in outcomes:
            if outcome.state != "indexed" or outcome.record is None:
                continue
            for query in self._queries if matched else ():
                for evidence in matches(self._library, query, outcome.record.video_id):
                    if matched:
                        matched(query, evidence)

    def _observer(self) -> Any:
        try:
            from watchdog.events import FileSystemEvent, FileSystemEventHandler
            from watchdog.observers import Observer
        except ModuleNotFoundError as error:
            raise MissingExtraError("watching a folder", "watchdog", "watch") from error
        # It warns of each folder that is renamed below another; the library's own folders are.
        warnings.filterwarnings("ignore", category=RuntimeWarning, module="watchdog")
        events, root, library = self._events, self._folder, self._library.folder

        class Handler(FileSystemEventHandler):  # type: ignore[misc,unused-ignore]
            def on_any_event(self, event: FileSystemEvent) -> None:
                if event.event_type in ("opened", "closed_no_write"):
                    return
                if event.is_directory and event.event_type not in ("deleted", "moved"):
                    return
                for name in (event.src_path, getattr(event, "dest_path", "")):
                    path = Path(os.fsdecode(name)) if name else None
                    if path is None or path.is_relative_to(library):
                        continue
                    if not any(part.startswith(".") for part in path.relative_to(root).parts):
                        events.put(str(path))

        observer = Observer()
        observer.schedule(Handler(), str(root), recursive=True)
        return observer


def matches(
    library: "Library", query: StandingQuery, video_id: str, between: tuple[float, float] | None = None
) -> list[Evidence]:
    """Return what answers a standing query in one video, best first.

    Args:
        library: The library.
        query: What to look for.
        video_id: The video.
        between: Only this stretch, in seconds.
    """
    least = feature_reader().threshold if query.threshold is None else query.threshold
    found = library.search(query.text, _MOST_MATCHES, videos=video_id, between=between)
    return [one for one in found if one.relevance is not None and one.relevance >= least]


def _state(path: str) -> tuple[int, int] | None:
    """Size and time of change of a file; None: it does not exist."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns
