"""The SDK: one `Library` a folder of indexed videos."""

import asyncio
import os
import time
import uuid
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from ..index.build import IndexProgress, Outcome, bring_in_line
from ..index.instruments import Instruments
from ..index.records import Evidence, VideoRecord
from ..index.search import Search
from ..index.store import Store
from ..tools.errors import LibraryError, QueryError
from ..tools.records import Modality, Span
from ..tools.settings import Settings
from ..tools.video_llm import VideoLLM, is_set, video_llm
from .graph import Context, compiled, start_state
from .moments import FoundMoment, find_moments
from .outcome import final_answer
from .records import Answer
from .threads import open_checkpointer

__all__ = ["Library"]

_LISTED = 8  # videos that an error message lists


class Library:
    """Videos that are indexed in one folder, to be searched and asked.

    Example:
        >>> library = Library("talks/.playhead")
        >>> library.index("talks/")
        >>> print(library.ask("What does the speaker say about the budget?"))
    """

    def __init__(self, folder: Path | str, settings: Settings | None = None) -> None:
        """Name a library's folder; it is made when something is indexed.

        Args:
            folder: The library's folder, by custom `.playhead` in the folder of videos.
            settings: How to work; None: from the environment and the user's settings file.

        Raises:
            LibraryError: The folder is something else, or of a newer format.
            SettingsError: A setting in the environment or file is not valid.
        """
        self.settings = settings or Settings()
        self._store = Store(Path(folder))

    def __repr__(self) -> str:
        return f"Library({str(self.folder)!r})"

    @property
    def folder(self) -> Path:
        """The library's folder."""
        return self._store.folder

    def index(
        self,
        paths: Path | str | Sequence[Path | str],
        *,
        force: bool = False,
        progress: IndexProgress | None = None,
        done: Callable[[Outcome], None] | None = None,
    ) -> list[Outcome]:
        """Bring the library in line with files and folders: what is new or changed is indexed.

        A file that cannot be indexed is an outcome `failed` with its reason; the others are indexed.

        Args:
            paths: A video, a folder, or several.
            force: Perceive anew what is unchanged, too.
            progress: Told how far it is.
            done: Told each outcome at once.

        Raises:
            MediaError: A path does not exist, or there is no video below any of them.
            LibraryError: The library cannot be written.
        """
        given = [paths] if isinstance(paths, (str, Path)) else list(paths)
        outcomes = []
        for outcome in bring_in_line(
            self._store, [Path(path) for path in given], self._instruments, force, progress or _silent
        ):
            outcomes.append(outcome)
            if done:
                done(outcome)
        return outcomes

    def search(
        self,
        query: str,
        k: int = 10,
        *,
        modalities: Modality | Sequence[Modality] | None = None,
        videos: Path | str | Sequence[Path | str] | None = None,
        between: tuple[float, float] | Span | None = None,
    ) -> list[Evidence]:
        """The evidence that fits a query best, best first.

        Args:
            query: Words as a person writes them.
            k: At most this many.
            modalities: Of `speech`, `text`, `object`, `caption`, `frame`; None: all.
            videos: Paths, file names or ids of videos, or folders of them; None: all.
            between: Seconds; only what overlaps them.

        Raises:
            QueryError: The query or a filter is not valid.
            LibraryError: The library is empty or damaged.
        """
        kinds = [modalities] if isinstance(modalities, str) else modalities
        return self._opened().find(query, k, kinds, self._video_ids(videos), _span(between))

    def find(
        self,
        query: str,
        k: int = 5,
        *,
        modalities: Modality | Sequence[Modality] | None = None,
        videos: Path | str | Sequence[Path | str] | None = None,
        between: tuple[float, float] | Span | None = None,
        mode: Literal["balanced", "precise"] = "balanced",
    ) -> list[FoundMoment]:
        """The moments that fit a description or question best, best first: from when to when, and the evidence there.

        Args:
            query: Words as a person writes them; "at the end" or "after she sat down" count.
            k: At most this many.
            modalities: Of `speech`, `text`, `object`, `caption`, `frame`; None: all.
            videos: Paths, file names or ids of videos, or folders of them; None: all.
            between: Seconds; only this stretch of each video.
            mode: `balanced` moments cover what is meant, `precise` ones lie inside it.

        Raises:
            QueryError: The query or a filter is not valid.
            LibraryError: The library is empty or damaged.
        """
        kinds = [modalities] if isinstance(modalities, str) else modalities
        return find_moments(query, self._opened(), k, kinds, self._video_ids(videos), _span(between), mode)

    def ask(
        self,
        question: str,
        *,
        videos: Path | str | Sequence[Path | str] | None = None,
        between: tuple[float, float] | Span | None = None,
        thread_id: str | None = None,
    ) -> Answer:
        """Answer a question from what is indexed, with checked citations.

        Args:
            question: As a person asks it.
            videos: Paths, file names or ids of videos, or folders of them; None: all.
            between: Seconds; only this stretch of each video.
            thread_id: Name of a conversation to keep in the library; None: nothing is kept.

        Raises:
            QueryError: The question or a filter is not valid.
            LibraryError: The library is empty or damaged.
            ServerError: The video LLM that the settings name does not answer.
        """
        if not question.strip():
            raise QueryError("the question is empty: ask something")
        began = time.perf_counter()
        search = self._opened()
        chosen, settings = self._video_ids(videos), self.settings
        thread = thread_id or uuid.uuid4().hex
        state = self._graph.invoke(
            start_state(question, chosen, _span(between), settings.max_seconds),
            {"configurable": {"thread_id": thread}},
            context=Context(search, settings, self._llm),
        )
        if thread_id is None:
            self._graph.checkpointer.delete_thread(thread)
        asked = [record for record in self.videos() if chosen is None or record.video_id in chosen]
        return final_answer(state, asked, settings, thread, time.perf_counter() - began)

    def videos(self, among: Path | str | Sequence[Path | str] | None = None) -> list[VideoRecord]:
        """The indexed videos, by path.

        Args:
            among: Paths, file names or ids of videos, or folders of them; None: all.

        Raises:
            LibraryError: One of them is not in the library.
        """
        chosen = self._video_ids(among)
        records = sorted(self._store.read().values(), key=lambda record: record.paths)
        return [record for record in records if chosen is None or record.video_id in chosen]

    def path_of(self, record: VideoRecord) -> Path:
        """Where a video's file lies now."""
        return self._store.file_of(record)

    def paths_of(self, record: VideoRecord) -> list[Path]:
        """Where all files with a video's content lie; first the one from `path_of`."""
        first = self.path_of(record)
        return [first, *(path for path in map(self._store.absolute_path, record.paths) if path != first)]

    def observed(self, video: Path | str) -> tuple[VideoRecord, list[Evidence]]:
        """A video's record and all that was perceived in it, by modality and time.

        Raises:
            LibraryError: There is no such video in the library, or several.
        """
        record = self._one(video)
        return record, self._opened().of_video(record.video_id)

    def remove(self, video: Path | str) -> VideoRecord:
        """Take a video out of the library; its file is not touched.

        Raises:
            LibraryError: There is no such video in the library, or several; or the disk does not allow it.
        """
        record = self._one(video)
        self._store.remove(record.video_id)
        return record

    async def aindex(self, paths: Path | str | Sequence[Path | str], **options: Any) -> list[Outcome]:
        """As `index`, without blocking the event loop."""
        return await asyncio.to_thread(self.index, paths, **options)

    async def asearch(self, query: str, k: int = 10, **options: Any) -> list[Evidence]:
        """As `search`, without blocking the event loop."""
        return await asyncio.to_thread(self.search, query, k, **options)

    async def aask(self, question: str, **options: Any) -> Answer:
        """As `ask`, without blocking the event loop."""
        return await asyncio.to_thread(self.ask, question, **options)

    @cached_property
    def _instruments(self) -> Instruments:
        return Instruments.gather(self.settings)

    @cached_property
    def _search(self) -> Search:
        return Search(self._store, self.settings)

    @cached_property
    def _llm(self) -> VideoLLM | None:
        """The video LLM that answers; None: evidence is quoted."""
        wanted = self.settings.answerer
        if wanted == "extractive" or (wanted is None and not is_set(self.settings)):
            return None
        return video_llm(self.settings)

    @cached_property
    def _graph(self) -> Any:
        return compiled(open_checkpointer(self.folder))

    def _opened(self) -> Search:
        """The search over a library that has something in it."""
        if not self._store.videos_folder.is_dir() or not self._search.records:
            raise LibraryError(f"no video is indexed in {self.folder}: run `playhead index FOLDER` first")
        return self._search

    def _one(self, video: Path | str) -> VideoRecord:
        found = self._matching(video)
        if len(found) != 1:
            records = found or self.videos()
            known = ", ".join([str(self.path_of(record)) for record in records[:_LISTED]] or ["nothing"])
            more = f" and {len(records) - _LISTED} more" if len(records) > _LISTED else ""
            raise LibraryError(
                f"{str(video)!r} names {len(found) or 'no'} videos of this library, one is wanted: "
                f"give its path or id. {'They are' if found else 'It holds'}: {known}{more}"
            )
        return found[0]

    def _video_ids(self, videos: Path | str | Sequence[Path | str] | None) -> tuple[str, ...] | None:
        if videos is None:
            return None
        chosen: dict[str, None] = {}
        for video in [videos] if isinstance(videos, (str, Path)) else videos:
            found = self._matching(video)
            if not found:
                raise LibraryError(f"{str(video)!r} is no video of this library: `playhead list` names them")
            chosen.update(dict.fromkeys(record.video_id for record in found))
        return tuple(chosen)

    def _matching(self, video: Path | str) -> list[VideoRecord]:
        """Videos with this id (or its beginning), path or file name, or below this folder."""
        path, text = Path(os.path.abspath(Path(video).expanduser())), str(video)
        records = self.videos()
        places = {r.video_id: [self._store.absolute_path(stored) for stored in r.paths] for r in records}
        exact = [r for r in records if path in places[r.video_id] or r.video_id == text]
        below = [r for r in records if any(place.is_relative_to(path) for place in places[r.video_id])]
        named = [r for r in records if any(place.name == text for place in places[r.video_id])]
        begun = [r for r in records if len(text) >= 6 and r.video_id.startswith(text)]
        return exact or below or named or begun


def _span(between: tuple[float, float] | Span | None) -> Span | None:
    if between is None or isinstance(between, Span):
        return between
    start, end = between
    if not 0 <= start < end:
        raise QueryError(f"between=({start}, {end}): a start of 0 or more and a later end are wanted, in seconds")
    return Span(start=start, end=end)


def _silent(path: Path, number: int, count: int, stage: str, done: float, total: float) -> None:
    """Tells nobody."""
