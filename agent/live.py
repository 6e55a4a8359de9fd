"""Indexes a stream while it runs: one thread reads and records, the other extracts, commits and answers standing queries.

The recording never waits for the models. Where they cannot keep up, pictures are left out first, then whole segments; what
is left out is a note of the part, and a later `playhead index` extracts it.
"""

import fcntl
import re
import shutil
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import wait
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from ..index.indexing.extractor_set import Extractors
from ..index.indexing.recording.parts import Effort, RecordedPart, recover_parts
from ..index.recordings import part_metadata
from ..index.records import Evidence, VideoRecord
from ..index.retrieval.search_index.publishing import Publisher
from ..index.storage.local import LocalStorage
from ..tools.background import run_in_thread
from ..tools.errors import LibraryError, MediaError
from ..tools.media.live import LiveSegment, LiveSource, live_segments
from .watching import StandingQuery, matches

if TYPE_CHECKING:
    from .library import Library

__all__ = ["LiveRecording", "LiveStep"]

# The folder of recordings, in the library's folder of videos.
RECORDINGS = "recordings"
# Segments that may wait; the oldest one is recorded, and not extracted, if there are more. A file can wait.
_MOST_WAITING = 3
# Pictures are left out of a segment that has waited this long; everything is, after three times this.
_PATIENCE_SECONDS = 10.0
_WAIT_SECONDS = 0.2
# After a stop, the reader has this long to hand over its last segment.
_LAST_SECONDS = 3.0


@dataclass(frozen=True)
class LiveStep:
    """What became of one segment.

    Attributes:
        record: The part that it belongs to, as committed.
        start: Its first second, from the start of the part.
        end: The first second after it.
        effort: What of it was extracted: `all`, `sound` or `nothing`.
        lag: Seconds from the arrival of its last packet until it can be searched.
        note: Why there is a gap before it; empty: there is none.
    """

    record: VideoRecord
    start: float
    end: float
    effort: Effort
    lag: float
    note: str


class LiveRecording:
    """Records one stream into a library."""

    def __init__(
        self, library: "Library", source: LiveSource, name: str, queries: Sequence[StandingQuery] = ()
    ) -> None:
        """Prepare to record.

        Args:
            library: The library.
            source: The stream.
            name: Of the recording: letters, digits and signs; a folder gets it.
            queries: Searched in each new segment.

        Raises:
            MediaError: The name cannot be that of a folder.
        """
        if not re.fullmatch(r"[\w][\w .-]{0,99}", name):
            raise MediaError(f"--name {name!r} cannot be a folder's name: use letters, digits, - and _")
        self._library, self._source, self._queries, self._name = library, source, tuple(queries), name
        self._extractors = Extractors.gather(library.settings)
        self._folder = library.folder.parent / RECORDINGS / name
        self._waiting: deque[LiveSegment] = deque()
        self._arrived = threading.Condition()
        self._has_ended = False
        self._begun: dict[int, RecordedPart] = {}
        self._can_wait = source.place != "-" and "://" not in source.place  # what a file holds does not pass by

    def run(
        self,
        stop: threading.Event,
        done: Callable[[LiveStep], None],
        matched: Callable[[StandingQuery, Evidence], None] | None = None,
    ) -> list[VideoRecord]:
        """Record and index until the stream ends or `stop` is set; returns the parts.

        Args:
            stop: Ends the recording after the segment that is being extracted.
            done: Called with each segment when it can be searched.
            matched: Called with each match of a standing query in a new segment.

        Raises:
            MediaError: The stream cannot be read.
            LibraryError: The library cannot be written, or another process records under this name.
        """
        storage = LocalStorage(self._library.folder)
        publisher = Publisher(storage)

        def begin() -> None:
            """Prepare the library when the first segment is there: a wrong address leaves nothing behind."""
            held.enter_context(self._alone())
            storage.create()
            recover_parts(storage, self._folder)
            publisher.publish()

        with ExitStack() as held, tempfile.TemporaryDirectory(prefix="playhead-live-") as work:
            reader = run_in_thread(lambda: self._read(storage, Path(work), stop, begin))
            parts: list[VideoRecord] = []
            part: RecordedPart | None = None
            number = -1
            try:
                for segment, effort in self._segments(stop):
                    if part is None or segment.part != number:
                        parts += self._finished(part, publisher)
                        number, part = segment.part, self._begun[segment.part]
                    record = part.add(segment, effort)
                    publisher.publish({record.video_id})
                    lag = time.time() - segment.arrived
                    done(LiveStep(record, segment.start, segment.end, effort, lag, segment.note))
                    self._match(record, segment, matched)
                    segment.path.unlink(missing_ok=True)
            finally:  # after an error the part stays as it is, and the next run completes it
                stop.set()
                wait([reader], _LAST_SECONDS)
            parts += self._finished(part, publisher)
            if reader.done():
                reader.result()  # raises what ended the reading
            return parts

    def _read(self, storage: LocalStorage, work: Path, stop: threading.Event, begin: Callable[[], None]) -> None:
        """Record each segment as soon as it is complete; its extraction may wait."""
        try:
            for number, segment in enumerate(live_segments(self._source, work, stop)):
                if number == 0:
                    begin()
                if segment.part not in self._begun:
                    self._begun[segment.part] = self._part(storage, segment)
                _append(self._begun[segment.part].growing, segment)
                with self._arrived:
                    while self._can_wait and len(self._waiting) >= _MOST_WAITING and not stop.is_set():
                        self._arrived.wait(_WAIT_SECONDS)
                    self._waiting.append(segment)
                    self._arrived.notify()
        finally:
            with self._arrived:
                self._has_ended = True
                self._arrived.notify()

    def _segments(self, stop: threading.Event) -> Iterator[tuple[LiveSegment, Effort]]:
        """The segments in order, with what there is time to extract of each."""
        stopped = 0.0
        while True:
            with self._arrived:
                while not self._waiting:
                    stopped = stopped + _WAIT_SECONDS if stop.is_set() else 0.0
                    if self._has_ended or stopped > _LAST_SECONDS:  # a pipe that sends nothing cannot be interrupted
                        return
                    self._arrived.wait(_WAIT_SECONDS)
                segment, behind = self._waiting.popleft(), len(self._waiting)
            waited = time.time() - segment.arrived
            if self._can_wait:
                yield segment, "all"
            elif behind >= _MOST_WAITING or waited > 3 * _PATIENCE_SECONDS:
                yield segment, "nothing"
            else:
                yield segment, "sound" if waited > _PATIENCE_SECONDS else "all"

    def _part(self, storage: LocalStorage, segment: LiveSegment) -> RecordedPart:
        named = datetime.fromtimestamp(segment.began, UTC).strftime("%Y-%m-%dT%H%M%SZ")
        path = self._folder / f"{named}-{segment.part + 1:04d}.ts"
        metadata = part_metadata(self._name, segment.part, segment.part_start, segment.began)
        return RecordedPart(storage, self._extractors, path, metadata)

    def _finished(self, part: RecordedPart | None, publisher: Publisher) -> list[VideoRecord]:
        record = part.finish() if part else None
        if part is None or record is None:
            return []
        for number in [number for number, one in list(self._begun.items()) if one is part]:
            self._begun.pop(number)
        publisher.publish({part.video_id, record.video_id}, maintain=True)
        return [record]

    def _match(
        self,
        record: VideoRecord,
        segment: LiveSegment,
        matched: Callable[[StandingQuery, Evidence], None] | None,
    ) -> None:
        if not matched or segment.end <= segment.start:
            return
        for query in self._queries:
            for evidence in matches(self._library, query, record.video_id, (segment.start, segment.end)):
                matched(query, evidence)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Exclude other processes that record under the same name."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            lock = (self._folder / ".lock").open("w")
        except OSError as error:
            raise LibraryError(f"{self._folder} cannot be written ({error.strerror})") from error
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise LibraryError(f"another process records {self._name!r}: choose another --name") from error
            yield


def _append(growing: Path, segment: LiveSegment) -> None:
    """Add a segment's bytes to the part's file: MPEG-TS files may be joined."""
    try:
        with segment.path.open("rb") as source, growing.open("ab") as target:
            shutil.copyfileobj(source, target)
    except OSError as error:
        raise LibraryError(f"{growing} cannot be written ({error.strerror}): free some space") from error
