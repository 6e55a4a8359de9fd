"""The SDK: one `Library` a folder of indexed videos."""

import asyncio
import math
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from ..index.indexing.build import IndexProgress
from ..index.indexing.extractor_set import Extractors
from ..index.indexing.jobs import Outcome
from ..index.records import Evidence, VideoRecord
from ..index.retrieval.search import Search
from ..index.storage.local import LocalStorage
from ..index.storage.url import Pulled, UrlStorage
from ..tools.errors import LibraryError, QueryError, SettingsError
from ..tools.extractors.registry import find_modalities
from ..tools.llm.backends import is_set, video_llm
from ..tools.llm.protocol import VideoLLM
from ..tools.records import Modality, Span, clean_text
from ..tools.settings import Settings
from .answering.summary import ListedChapter, contents
from .async_iteration import in_background
from .display import notebook
from .graph.conversation import Conversation
from .graph.events import Answered, Event
from .graph.state import Context
from .graph.threads import open_checkpointer
from .index_runs import each, index_videos, remove_video
from .looking.detector import Eyes
from .looking.moments import FoundMoment, find_moments, look_for_moments
from .records import Answer, EngineName, Turn
from .video_names import one_video, video_ids

__all__ = ["Library"]

MOST_OPTIONS = 26  # a letter each


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
        notebook.register()
        self._store = LocalStorage(Path(folder))

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
        engine: EngineName = "local",
        address: str | None = None,
        workers: int | None = None,
        into: str | None = None,
        progress: IndexProgress | None = None,
        done: Callable[[Outcome], None] | None = None,
    ) -> list[Outcome]:
        """Bring the library in line with files and folders: what is new or changed is indexed.

        A file that cannot be indexed is an outcome `failed` with its reason; the others are indexed. A run that is
        stopped, also by `kill -9`, is gone on with by the same call.

        Args:
            paths: A video, a folder, or several.
            force: Perceive anew what is unchanged, too.
            engine: `local`: one video after the other in this process. `ray`: several at once, on the machines of a Ray
                cluster, which see videos and library at the same paths.
            address: Of the cluster, as `ray start` tells it; None: Ray is started on this machine.
            workers: Videos at once on Ray; None: as many as it has room for.
            into: URL of a library on object storage or another shared path, in place of this one: see `pull`.
            progress: Told how far it is.
            done: Told each outcome at once.

        Raises:
            MediaError: A path does not exist, or there is no video below any of them.
            LibraryError: The library cannot be written.
            SettingsError: The cluster cannot be joined, or there is none of the engine that it was given for.
            MissingExtraError: Ray, or a package that the URL needs, is not installed.
        """
        return index_videos(
            UrlStorage(into) if into else self._store,
            paths,
            self.settings,
            lambda: self._extractors,
            force=force,
            engine=engine,
            address=address,
            workers=workers,
            progress=progress,
            done=done,
        )

    def pull(self, url: str, *, done: Callable[[Pulled], None] | None = None) -> list[Pulled]:
        """Bring what is indexed on object storage or another shared path into the library; it is made if need be.

        A video that is there in another version replaces what is here of it; what is only here stays. One that cannot
        be had is an outcome `failed` with its reason; the others are pulled.

        Args:
            url: Such as `s3://bucket/talks`, `gs://bucket/talks` or `file:///shared/talks`; credentials are fsspec's
                business (`index.storage.url_files`).
            done: Told each outcome at once.

        Raises:
            SettingsError: It is no URL that fsspec knows.
            MissingExtraError: A package that the URL's protocol needs is not installed.
            LibraryError: There is no library at the URL, it cannot be read, or the library cannot be written.
        """
        return each(UrlStorage(url).pull(self._store), done)

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
            modalities: By name or participle: `speech` or `said`, `text` or `written`, …; None: all.
            videos: Paths, file names or ids of videos, or folders of them; None: all.
            between: Seconds; only what overlaps them.

        Raises:
            QueryError: The query or a filter is not valid.
            LibraryError: The library is empty or damaged.
        """
        kinds = None if modalities is None else find_modalities(modalities)
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
        look: bool = False,
    ) -> list[FoundMoment]:
        """The moments that fit a description or question best, best first: from when to when, and the evidence there.

        With `look`, up to `max_frames` real frames are looked at with the detector and the picture encoder, where
        stored evidence suggests; what was seen comes first. It finds what was missed while indexing.

        Args:
            query: Words as a person writes them; "at the end" or "after she sat down" count.
            k: At most this many.
            modalities: By name or participle: `speech` or `said`, …; None: as the query's words tell, else all.
            videos: Paths, file names or ids of videos, or folders of them; None: all.
            between: Seconds; only this stretch of each video.
            mode: `balanced` moments cover what is meant, `precise` ones lie inside it.
            look: Look at frames; the query describes what is to be seen.

        Raises:
            QueryError: The query or a filter is not valid.
            LibraryError: The library is empty or damaged.
            SettingsError: Frames are to be looked at, and there is neither a detector nor a picture encoder.
            MediaError: Frames are to be looked at, and a video's file cannot be read.
        """
        kinds = None if modalities is None else find_modalities(modalities)
        if look:
            if kinds is not None:
                raise QueryError("modalities cannot be chosen where frames are looked at: leave one of both out")
            frames, decoder = self.settings.max_frames, self.settings.decoder
            search, among = self._opened(), self._video_ids(videos)
            return look_for_moments(query, search, k, self._eyes, among, _span(between), frames=frames, decoder=decoder)
        return find_moments(query, self._opened(), k, kinds, self._video_ids(videos), _span(between), mode)

    def ask(
        self,
        question: str,
        *,
        videos: Path | str | Sequence[Path | str] | None = None,
        between: tuple[float, float] | Span | None = None,
        options: Sequence[str] = (),
        thread_id: str | None = None,
    ) -> Answer:
        """Answer a question from what is indexed, with checked citations: the last event of `stream`."""
        return _last(self.stream(question, videos=videos, between=between, options=options, thread_id=thread_id))

    def stream(
        self,
        question: str,
        *,
        videos: Path | str | Sequence[Path | str] | None = None,
        between: tuple[float, float] | Span | None = None,
        options: Sequence[str] = (),
        thread_id: str | None = None,
    ) -> Iterator[Event]:
        """Answer a question, and tell each step at once.

        In a thread, "And when does she say that?" is understood with the questions before.

        Args:
            question: As a person asks it.
            videos: Paths, file names or ids of videos, or folders of them; None: all, or those of the question that
                this one follows.
            between: Seconds; only this stretch of each video.
            options: The answers to choose from, if there are some.
            thread_id: Name of a conversation to keep in the library; None: nothing is kept.

        Returns:
            The events, which come as they happen: the plan, evidence and frames of each round, the draft, verdicts,
            and last the answer (`Answered`).

        Raises:
            QueryError: The question or a filter is not valid.
            LibraryError: The library is empty or damaged.
            ServerError: The video LLM that the settings name does not answer. `resume` goes on in a named thread.
        """
        asked = clean_text(question)
        if not asked:
            raise QueryError("the question is empty: ask something")
        answers = tuple(map(clean_text, options))
        if not all(answers) or len(answers) > MOST_OPTIONS:
            raise QueryError(f"options={answers}: at most {MOST_OPTIONS} answers to choose from, none of them empty")
        conversation = self._conversation(thread_id, self._llm)
        return conversation.ask(asked, self._video_ids(videos), _span(between), answers)

    def resume(self, thread_id: str) -> Answer:
        """Go on with a question that was interrupted: the last event of `stream_resumed`."""
        return _last(self.stream_resumed(thread_id))

    def stream_resumed(self, thread_id: str) -> Iterator[Event]:
        """Go on with the last question of a thread where it was interrupted, and tell each step at once.

        What was done is not done again, also by another process; a question that was answered gives its answer again.

        Args:
            thread_id: The conversation's name.

        Returns:
            The events from there on; last the answer (`Answered`).

        Raises:
            QueryError: There is no question in this thread.
            SettingsError: The settings name another answerer than the one that began.
            LibraryError: The library is empty or damaged.
            ServerError: The video LLM does not answer.
        """
        return self._conversation(thread_id, self._llm).resume()

    def thread(self, thread_id: str) -> tuple[Turn, ...]:
        """What was asked and answered in a conversation, the oldest first; empty if there is no such thread.

        Raises:
            LibraryError: The library is empty or damaged.
        """
        return self._conversation(thread_id).turns()

    def videos(self, among: Path | str | Sequence[Path | str] | None = None) -> list[VideoRecord]:
        """The indexed videos, by path.

        Args:
            among: Paths, file names or ids of videos, or folders of them; None: all.

        Raises:
            LibraryError: One of them is not in the library.
        """
        records = sorted(self._store.read().values(), key=lambda record: record.paths)
        chosen = None if among is None else video_ids(self._store, records, among)
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

    def chapters(self, video: Path | str) -> list[ListedChapter]:
        """A video's table of contents: its chapters, in order, each with its heading, quotes and scenes.

        Nothing is composed: headings and quotes are stored evidence. A short video, or one in which nothing was
        perceived, is one chapter.

        Args:
            video: A path, file name or id.

        Raises:
            LibraryError: There is no such video in the library, or several; or it is damaged.
        """
        record = self._one(video)
        return contents(record.video_id, self._opened())

    def remove(self, video: Path | str, *, at: str | None = None) -> VideoRecord:
        """Take a video out of the library; its file is not touched.

        Args:
            video: Its path, file name or id.
            at: URL of a library on object storage or another shared path, in place of this one.

        Raises:
            LibraryError: There is no such video in the library, or several; or it cannot be written.
            SettingsError: `at` is no URL that fsspec knows.
            MissingExtraError: A package that the URL needs is not installed.
        """
        return remove_video(UrlStorage(at) if at else self._store, video)

    async def aindex(self, paths: Path | str | Sequence[Path | str], **options: Any) -> list[Outcome]:
        """As `index`, without blocking the event loop."""
        return await asyncio.to_thread(self.index, paths, **options)

    async def asearch(self, query: str, k: int = 10, **options: Any) -> list[Evidence]:
        """As `search`, without blocking the event loop."""
        return await asyncio.to_thread(self.search, query, k, **options)

    async def aask(self, question: str, **options: Any) -> Answer:
        """As `ask`, without blocking the event loop."""
        return await asyncio.to_thread(self.ask, question, **options)

    def astream(self, question: str, **options: Any) -> AsyncGenerator[Event, None]:
        """As `stream`, without blocking the event loop."""
        return in_background(lambda: self.stream(question, **options))

    async def aresume(self, thread_id: str) -> Answer:
        """As `resume`, without blocking the event loop."""
        return await asyncio.to_thread(self.resume, thread_id)

    @cached_property
    def _extractors(self) -> Extractors:
        return Extractors.gather(self.settings)

    @cached_property
    def _eyes(self) -> Eyes:
        """What looks at frames."""
        gathered, missing = self._extractors, self._extractors.missing
        detector, encoder = gathered.get("object"), gathered.get("frame")
        if detector is None and encoder is None:
            reasons = "; ".join(f"{modality}: {missing[modality]}" for modality in ("object", "frame"))
            raise SettingsError(f"nothing can look at frames ({reasons}): set objects_model or image_model")
        return Eyes(detector, encoder)

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
    def _saver(self) -> Any:
        return open_checkpointer(self.folder)

    def _conversation(self, thread_id: str | None, llm: VideoLLM | None = None) -> Conversation:
        context = Context(self._opened(), self.settings, llm)
        if thread_id is None:
            return Conversation(context)
        if not (name := clean_text(thread_id)):
            raise QueryError(f"thread_id={thread_id!r}: a name is wanted")
        return Conversation(context, name, self._saver)

    def _opened(self) -> Search:
        """The search over a library that has something in it."""
        if not self._store.videos_folder.is_dir() or not self._search.records:
            raise LibraryError(f"no video is indexed in {self.folder}: run `playhead index FOLDER` first")
        return self._search

    def _one(self, video: Path | str) -> VideoRecord:
        return one_video(self._store, self.videos(), video)

    def _video_ids(self, videos: Path | str | Sequence[Path | str] | None) -> tuple[str, ...] | None:
        return None if videos is None else video_ids(self._store, self.videos(), videos)


def _span(between: tuple[float, float] | Span | None) -> Span | None:
    if between is None or isinstance(between, Span):
        return between
    start, end = between
    if not 0 <= start < end < math.inf:
        raise QueryError(f"between=({start}, {end}): a start of 0 or more and a later end are wanted, in seconds")
    return Span(start=start, end=end)


def _last(events: Iterator[Event]) -> Answer:
    last = deque(events, maxlen=1).pop()
    assert isinstance(last, Answered)
    return last.answer
