"""The SDK: a `Library` indexes, searches and asks the videos of one folder. Every other interface calls it."""

import asyncio
import math
import os
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, Self

from ..index.indexing.build import IndexProgress
from ..index.indexing.change_detection import FrameDecision
from ..index.indexing.extractor_set import Extractors
from ..index.indexing.frame_pipeline import frame_decisions
from ..index.indexing.jobs import Outcome
from ..index.indexing.repair import repair
from ..index.records import Evidence, VideoRecord
from ..index.retrieval.publishing import Publisher, PublishProgress, publish
from ..index.retrieval.search import Search
from ..index.retrieval.voices import Speaker, Voices
from ..index.storage.backend import Damage
from ..index.storage.local import LocalStorage
from ..index.storage.references import read_keyframe
from ..index.storage.url import Pulled, UrlStorage
from ..tools.errors import LibraryError, MissingExtraError, QueryError, SettingsError
from ..tools.extractors.registry import find_modalities
from ..tools.llm.backends import is_set, video_llm
from ..tools.llm.protocol import VideoLLM
from ..tools.media.clips import Clip, ClipStyle, copy_clip, write_clip, write_gif
from ..tools.media.streams import probe
from ..tools.records import Box, Modality, Span, clean_text
from ..tools.settings import Settings
from .answering.ranking import found_evidence
from .answering.summary import Chapter, contents
from .async_iteration import in_background
from .composing.extraction import Extracted, Form, extract
from .composing.reading import lines_to_read
from .composing.titles import titled
from .display import notebook
from .display.answer_page import answer_page
from .exporting.bundles import MomentBundle, bundle
from .exporting.contexts import context_text
from .exporting.formats import ExportFormat, exported, format_of
from .exporting.references import named_moment
from .exporting.sheets import subtitles_drawn
from .graph.conversation import Conversation
from .graph.events import Answered, Event
from .graph.state import Context
from .graph.threads import delete_thread, open_checkpointer, thread_names
from .index_runs import collect, ignore_progress, index_videos, remove_video
from .looking.detector import Eyes
from .looking.moments import Moment, find_moments, look_for_moments
from .places import library_folder
from .records import Answer, Citation, EngineName, ThreadInfo, Turn, register_html
from .video_names import one_video, video_ids

__all__ = ["Library"]

MOST_OPTIONS = 26  # one letter each
# What a library opens at first use.
_OPENED = ("_search", "_saver", "_extractors", "_eyes", "_llm")
# Lines that an extraction reads.
MOST_EXTRACTED = 40


class Library:
    """The indexed videos of one folder.

    Example:
        >>> library = Library("talks")
        >>> library.index("talks")
        >>> print(library.ask("What does the speaker say about the budget?"))
    """

    def __init__(self, folder: Path | str, settings: Settings | None = None) -> None:
        """Open the library of a folder. Nothing is written before something is indexed.

        Args:
            folder: A folder of videos, one of its sub-folders, one of the videos, or the library's own folder
                (`talks/.playhead`). Where no library exists yet, it will be made in `.playhead` inside the folder.
            settings: Models and limits. None: from the environment and the user's settings file.

        Raises:
            LibraryError: The library's own place is a file, or the library has a newer format.
            SettingsError: A setting in the environment or the settings file is not valid.
        """
        self.settings = settings or Settings()
        notebook.register(Library)
        register_html(answer_page)
        self._opened_by = os.getpid()
        self._storage = LocalStorage(library_folder(Path(folder)))

    def __repr__(self) -> str:
        return f"Library({str(self.folder)!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the search index and the stored conversations, and release the models; later calls open them again."""
        for name in _OPENED:
            opened = self.__dict__.pop(name, None)
            if os.getpid() == self._opened_by:  # after a fork they belong to the parent process
                _close(opened)
        self._opened_by = os.getpid()

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
        """Index new and changed videos; remove from the library the videos whose files are gone.

        A file that cannot be indexed gives an outcome `failed` with the reason; the others are indexed. After a stop,
        also by `kill -9`, the same call continues.

        Args:
            paths: A video, a folder, or several.
            force: Index unchanged videos again, too.
            engine: `local`: one video after the other in this process. `ray`: several at once, on the machines of a
                Ray cluster, which see videos and library at the same paths.
            address: Address of the cluster, as `ray start` prints it. None: start Ray on this machine.
            workers: Number of videos at once on Ray. None: as many as fit.
            into: URL of a library on object storage or another shared path, to write instead of this one: see `pull`.
            progress: Called with the file, its number, the number of files, the stage, and seconds done and in total.
            done: Called with each outcome as soon as it is known.

        Raises:
            MediaError: A path does not exist, or no video lies below any of them.
            LibraryError: The library cannot be written.
            SettingsError: The cluster cannot be joined, or `address` or `workers` is set without `engine="ray"`.
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
        """Copy the indexed videos of a library on object storage or another shared path into this one.

        A video that has another version there replaces the one here; videos that exist only here stay. A video that
        cannot be copied gives an outcome `failed` with the reason; the others are copied.

        Args:
            url: For example `s3://bucket/talks`, `gs://bucket/talks` or `file:///shared/talks`. fsspec finds the
                credentials (`index.storage.url_files`).
            done: Called with each outcome as soon as it is known.

        Raises:
            SettingsError: fsspec does not know this kind of URL.
            MissingExtraError: A package that the URL's protocol needs is not installed.
            LibraryError: There is no library at the URL, it cannot be read, or the library cannot be written.
        """
        try:
            return collect(UrlStorage(url).pull(self._store), done)
        finally:
            if self._store.videos_folder.is_dir():
                publish(self._store)

    def optimize(self, *, vectors_at: str | None = None, progress: PublishProgress | None = None) -> int:
        """Bring the search index in line with the committed videos, and merge its files; returns the number of changes.

        Indexing does this by itself. It is needed for a library that was copied without its search index, or after an
        indexing process was killed. A stopped run continues with the next call.

        Args:
            vectors_at: Folder or URL (`s3://bucket/vectors`) of a LanceDB database that holds the vectors from now on,
                for libraries that outgrow the disk; `here`: the library's folder, by FAISS; None: as before.
            progress: Called with the number of published videos, and of all videos to publish.

        Raises:
            LibraryError: There is no library, or its search index cannot be written.
            MissingExtraError: LanceDB is not installed.
        """
        if not self._store.videos_folder.is_dir():
            raise LibraryError(f"no video is indexed in {self.folder}: run `playhead index FOLDER` first")
        return Publisher(self._store, vectors_at=vectors_at).publish(progress=progress, maintain=True)

    def search(
        self,
        query: str,
        k: int = 10,
        *,
        modalities: Modality | Sequence[Modality] | None = None,
        videos: Path | str | Sequence[Path | str] | None = None,
        between: tuple[float, float] | Span | None = None,
        speaker: str | None = None,
    ) -> list[Evidence]:
        """Return the evidence that fits a query best, best first.

        Each carries its `relevance`, a calibrated probability, and the words of the query that it `matched`. What only
        resembles the query, where something else answers it, is left out.

        Args:
            query: Plain words.
            k: At most this many results.
            modalities: By name or participle: `speech` or `said`, `text` or `written`, …. None: all.
            videos: Paths, file names or ids of videos, or folders of them. None: all.
            between: Start and end in seconds: only evidence that overlaps them.
            speaker: Only what this speaker says: a name, or `Speaker 2` of `speakers`.

        Raises:
            QueryError: The query or a filter is not valid.
            LibraryError: The library is empty or damaged.
        """
        kinds = None if modalities is None else find_modalities(modalities)
        where = (self._video_ids(videos), _span(between))
        if speaker is None:
            return self._voices.attributed(found_evidence(query, self._opened(), k, kinds, *where))
        wanted = self._voices.find(speaker)
        among = [one.video_id for one in wanted.videos if where[0] is None or one.video_id in where[0]]
        depth = 4 * k
        while True:
            found = found_evidence(query, self._opened(), depth, ("speech",), among, where[1]) if among else []
            said = [one for one in self._voices.attributed(found) if one.speaker == wanted.title]
            if len(said) >= k or len(found) < depth:
                return said[:k]
            depth *= 4

    def speakers(self) -> tuple[Speaker, ...]:
        """Return the voices of all videos, the one that speaks most first; the same voice in several videos is one.

        Raises:
            LibraryError: The library is damaged.
        """
        return self._voices.speakers()

    def name_speaker(self, number: int, name: str) -> Speaker:
        """Name a speaker of `speakers`, in all videos and those that are indexed later.

        Raises:
            QueryError: There is no such speaker.
            LibraryError: The library cannot be written.
        """
        return self._voices.name(number, name)

    def forget_speaker(self, name: str) -> None:
        """Delete a speaker's name, and the voice that it was given for.

        Raises:
            QueryError: Nobody has that name.
            LibraryError: The library cannot be written.
        """
        self._voices.forget(name)

    def as_retriever(
        self, framework: Literal["langchain", "llama_index", "haystack"] = "langchain", k: int = 10, **filters: Any
    ) -> Any:
        """Return the library as a retriever of another framework; its documents name video and seconds.

        Args:
            framework: Which one: its package must be installed.
            k: The number of documents, at most.
            filters: As in `search`: `modalities`, `videos`, `between`.

        Raises:
            MissingExtraError: The framework is not installed.
            QueryError: The framework is not one of these.
        """
        if framework not in ("langchain", "llama_index", "haystack"):
            raise QueryError(f"framework={framework!r} is not known: use langchain, llama_index or haystack")
        try:
            module = import_module(f".retrievers.{framework}", __package__)
        except ModuleNotFoundError as error:
            raise MissingExtraError(f"the retriever for {framework}", error.name or framework, "retrievers") from error
        return module.retriever(self, k, filters)

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
    ) -> list[Moment]:
        """Return the moments that fit a description or question best, best first: when each starts and ends.

        With `look`, the detector and the picture encoder examine up to `max_frames` frames, chosen by the stored
        evidence; moments that they confirm come first. This finds what indexing missed.

        Args:
            query: Plain words; expressions such as "at the end" or "after she sat down" are understood.
            k: At most this many moments.
            modalities: By name or participle: `speech` or `said`, …. None: those that the words of the query
                suggest, else all.
            videos: Paths, file names or ids of videos, or folders of them. None: all.
            between: Start and end in seconds: only this stretch of each video.
            mode: `balanced` spans cover the whole moment, `precise` spans lie inside it.
            look: Examine frames; the query describes what they show.

        Raises:
            QueryError: The query or a filter is not valid.
            LibraryError: The library is empty or damaged.
            SettingsError: `look` is set and neither a detector nor a picture encoder is available.
            MediaError: `look` is set and a video's file cannot be read.
        """
        kinds = None if modalities is None else find_modalities(modalities)
        if look:
            if kinds is not None:
                raise QueryError("modalities and look cannot be used together: leave one of them out")
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
        """Answer a question with checked citations: the last event of `stream`, which describes the arguments."""
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
        """Answer a question, and yield each step as it happens.

        In a thread, a follow-up such as "And when does she say that?" refers to the questions before it.

        Args:
            question: In plain words.
            videos: Paths, file names or ids of videos, or folders of them. None: all, or those of the question that
                this one follows.
            between: Start and end in seconds: only this stretch of each video.
            options: The answers to choose from, for a multiple-choice question.
            thread_id: Name of a conversation that is stored in the library. None: nothing is stored.

        Returns:
            The events in order: the plan, the evidence and frames of each round, the draft, the verdicts, and last
            the answer (`Answered`).

        Raises:
            QueryError: The question or a filter is not valid.
            LibraryError: The library is empty or damaged.
            ServerError: The video LLM does not answer. In a named thread, `resume` continues.
        """
        asked = clean_text(question)
        if not asked:
            raise QueryError("the question is empty: write one")
        answers = tuple(map(clean_text, options))
        if not all(answers) or len(answers) > MOST_OPTIONS:
            raise QueryError(
                f"options={answers}: give at most {MOST_OPTIONS} answers to choose from, none of them empty"
            )
        conversation = self._conversation(thread_id, self._llm)
        return conversation.ask(asked, self._video_ids(videos), _span(between), answers)

    def extract(
        self,
        request: str,
        form: type[Form],
        *,
        videos: Path | str | Sequence[Path | str] | None = None,
        between: tuple[float, float] | Span | None = None,
    ) -> list[Extracted[Form]]:
        """Fill rows of a pydantic model from what is indexed, each row with the lines it was read from.

        Args:
            request: What is wanted, e.g. "all prices that are named".
            form: A pydantic model with the fields of one row.
            videos: Paths, file names or ids of videos, or folders of them; None: all.
            between: Seconds; only what overlaps them.

        Raises:
            SettingsError: No language model is set.
            QueryError: The request, the form or a filter is not valid.
            LibraryError: The library is empty or damaged.
            ServerError: The model gave no usable answer.
        """
        if self._llm is None:
            raise SettingsError("extract needs a language model: `playhead model use NAME`, or set video_llm_url")
        search = self._opened()
        found = search.find(request, MOST_EXTRACTED, None, self._video_ids(videos), _span(between))
        rows = lines_to_read(found, search, MOST_EXTRACTED)
        return extract(self._llm, request, form, rows, seconds=self.settings.max_seconds)[0]

    def warm(self) -> None:
        """Load what the first question would load: the search index, the encoders of queries, the model.

        Raises:
            LibraryError: The library is empty or damaged.
            ServerError: The model cannot be started.
        """
        self._opened().find("warm", 1)
        if self._llm is not None:
            _ = self._llm.capabilities

    def resume(self, thread_id: str) -> Answer:
        """Continue a question that was interrupted: the last event of `stream_resumed`."""
        return _last(self.stream_resumed(thread_id))

    def stream_resumed(self, thread_id: str) -> Iterator[Event]:
        """Continue the last question of a thread where it was interrupted, and yield each step as it happens.

        Finished steps are not repeated, also when another process continues. An answered question returns its answer.

        Args:
            thread_id: The conversation's name.

        Returns:
            The remaining events; last the answer (`Answered`).

        Raises:
            QueryError: This thread holds no question.
            SettingsError: The settings name another answerer than the one that started.
            LibraryError: The library is empty or damaged.
            ServerError: The video LLM does not answer.
        """
        return self._conversation(thread_id, self._llm).resume()

    def thread(self, thread_id: str) -> tuple[Turn, ...]:
        """Return the questions and answers of a conversation, oldest first; empty if no such thread exists.

        Raises:
            LibraryError: The library is empty or damaged.
        """
        return self._conversation(thread_id).turns()

    def threads(self) -> list[ThreadInfo]:
        """The conversations that the library keeps, by name.

        Raises:
            LibraryError: The library is empty or damaged.
        """
        names = thread_names(self._saver)
        found = [(name, self.thread(name)) for name in names]
        return [
            ThreadInfo(thread_id=name, questions=len(turns), last_question=turns[-1].question if turns else "")
            for name, turns in found
        ]

    def delete_thread(self, thread_id: str) -> None:
        """Delete a conversation; videos and their index are not touched.

        Raises:
            QueryError: There is no such conversation.
            LibraryError: The library is empty or damaged.
        """
        self._opened()
        delete_thread(self._saver, clean_text(thread_id))

    def videos(self, among: Path | str | Sequence[Path | str] | None = None) -> list[VideoRecord]:
        """Return the indexed videos, sorted by path.

        Args:
            among: Paths, file names or ids of videos, or folders of them. None: all.

        Raises:
            LibraryError: One of them is not in the library.
        """
        records = sorted(self._store.read().values(), key=lambda record: record.paths)
        chosen = None if among is None else video_ids(self._store, records, among)
        return [record for record in records if chosen is None or record.video_id in chosen]

    def video(self, video: Path | str) -> VideoRecord:
        """Return the one video with a path, file name or id.

        Raises:
            LibraryError: The library holds no such video, or several.
        """
        return one_video(self._store, self.videos(), video)

    def evidence(self, evidence_id: str) -> Evidence | None:
        """Return the evidence with an id; None: the library holds no such evidence.

        Raises:
            LibraryError: The library is empty or damaged.
        """
        return self._opened().evidence(evidence_id)

    def keyframe(self, shown: Evidence | Citation | Chapter) -> bytes | None:
        """Return the stored picture (WebP) of a piece of evidence, a citation or a chapter; None: there is none.

        The picture is the one on screen at that moment, at most 512 pixels wide or high.
        """
        found = read_keyframe(shown.keyframe) if shown.keyframe else None
        return found.picture if found else None

    def path_of(self, record: VideoRecord) -> Path:
        """Return the path of a video's file: the first that exists."""
        return self._store.file_of(record)

    def paths_of(self, record: VideoRecord) -> list[Path]:
        """Return the paths of all files with a video's content; first the one from `path_of`."""
        first = self.path_of(record)
        return [first, *(path for path in map(self._store.absolute_path, record.paths) if path != first)]

    def observed(self, video: Path | str) -> tuple[VideoRecord, list[Evidence]]:
        """Return a video's record and all its observations, sorted by modality and time.

        Raises:
            LibraryError: The library holds no such video, or several.
        """
        record = self.video(video)
        return record, self._opened().of_video(record.video_id)

    def changes(self, video: Path | str) -> list[FrameDecision]:
        """Return what change detection decides about each frame of a video that it compares, and why; decodes the video.

        Args:
            video: A path, file name or id.

        Raises:
            LibraryError: The library holds no such video, or several; or it is damaged.
            MediaError: The video's file cannot be read.
        """
        record = self.video(video)
        return frame_decisions(probe(self.path_of(record), self.settings.stream), self.settings)

    def chapters(self, video: Path | str, *, titles: bool = False) -> list[Chapter]:
        """Return a video's table of contents: its chapters in order, each with its heading, quotes and scenes.

        Headings and quotes are stored evidence. A short video, or one without observations, is one chapter.

        Args:
            video: A path, file name or id.
            titles: Have the language model write a title and a one-line abstract of each chapter from its lines.

        Raises:
            LibraryError: The library holds no such video, or several; or it is damaged.
            SettingsError: Titles are wanted, and no language model is set.
            ServerError: The model gave no usable answer.
        """
        record = self.video(video)
        listed = contents(record.video_id, self._opened())
        return [self._titled(one) for one in listed] if titles else listed

    def _titled(self, chapter: Chapter) -> Chapter:
        if self._llm is None:
            raise SettingsError("titles need a language model: `playhead model use NAME`, or set video_llm_url")
        cited = [*filter(None, [chapter.heading]), *chapter.quotes]
        best = [one for one in (self._opened().evidence(citation.evidence_id) for citation in cited) if one]
        spoken = [
            one for one in self._opened().of_video(chapter.video_id, "speech") if one.span.overlap(chapter.span) > 0
        ]
        rows = list({one.evidence_id: one for one in (*best, *spoken)}.values())
        written, _ = titled(self._llm, rows, seconds=self.settings.max_seconds)
        if written is None:
            return chapter
        changes = {"title": written.title, "abstract": written.abstract, "titled_by": self._llm.source}
        return chapter.model_copy(update=changes)

    def moment(
        self, moment: str, *, frames: int = 4, crop: Box | None = None, width: int | None = None
    ) -> MomentBundle:
        """Return everything about a stretch of a video: speech, text, objects, its chapter, and frames.

        Args:
            moment: `talk.mp4@10:02-10:40`, `talk.mp4@10:02` (ten seconds from there), or an evidence id.
            frames: Number of frames, evenly spaced; 0: none.
            crop: Cut frames to this part of the picture.
            width: Scale frames down to this width in pixels.

        Raises:
            QueryError: The moment is not in one of these forms, or lies outside the video.
            LibraryError: The library holds no such video or evidence.
            MediaError: The video's file cannot be read.
        """
        return bundle(self, named_moment(self, moment), frames, crop, width)

    def clip(
        self, moment: str, target: Path | str, *, mode: Literal["exact", "fast"] = "exact", subtitles: bool = False
    ) -> Clip:
        """Cut a moment out of a video into a file. A target that ends with `.gif` becomes an animated GIF.

        Args:
            moment: `talk.mp4@10:02-10:40`, `talk.mp4@10:02` (ten seconds from there), or an evidence id.
            target: The file to write, e.g. `out.mp4`.
            mode: `exact` re-encodes: edges are exact to one frame. `fast` copies from the keyframe before the moment.
            subtitles: Draw what is said into the picture.

        Returns:
            The true start and end, and the number of frames.

        Raises:
            QueryError: The moment is not in one of these forms, or lies outside the video; or the options contradict.
            LibraryError: The library holds no such video or evidence.
            MediaError: The video's file cannot be read, or the target cannot be written.
        """
        named, path = named_moment(self, moment), Path(target)
        source = self.path_of(named.video)
        if path.suffix.lower() == ".gif":
            return write_gif(source, named.span, path)
        if mode == "fast":
            if subtitles:
                raise QueryError("subtitles cannot be drawn into a copy: leave out subtitles, or cut exactly")
            return copy_clip(source, named.span, path)
        draw = None
        if subtitles:
            rows = [row for row in self._opened().of_video(named.video.video_id, "speech") if row.text]
            draw = subtitles_drawn(rows)
        return write_clip(source, named.span, path, ClipStyle(draw=draw))

    def export(
        self,
        video: Path | str,
        target: Path | str,
        *,
        style: ExportFormat | None = None,
        modalities: Modality | Sequence[Modality] | None = None,
        query: str | None = None,
    ) -> Path:
        """Write a video's transcript, text, chapters or observations to a file.

        Args:
            video: A path, file name or id.
            target: The file. Its ending names the format: `.srt`, `.vtt`, `.txt`, `.md`, `.json`, `.csv`, `.parquet`,
                `.otio`, `.edl`, `.chapters.vtt`, `.youtube.txt`, `.chapters.xml`.
            style: The format, whatever the ending is.
            modalities: Only these observations. None: speech in subtitles and text, all in data files.
            query: For `.otio` and `.edl`: the moments that this finds, instead of the chapters.

        Raises:
            QueryError: The format is not known.
            LibraryError: The library holds no such video, or several.
            MissingExtraError: A package that the format needs is not installed.
        """
        path = Path(target)
        kinds = None if modalities is None else find_modalities(modalities)
        data = exported(self, self.video(video), style or format_of(path), kinds, query)
        path.write_bytes(data)
        return path

    def context(self, question: str, max_tokens: int = 4000) -> str:
        """Return the best evidence for a question as text for any language model, with ids to cite.

        Args:
            question: In plain words.
            max_tokens: The text has at most this many tokens, estimated from above as a third of its bytes.

        Raises:
            QueryError: The question is empty, or the budget has no room for one line.
            LibraryError: The library is empty or damaged.
        """
        return context_text(self, question, max_tokens)

    def keyframe_at(self, video: Path | str, seconds: float) -> bytes | None:
        """Return the stored picture of a video that shows a second, as WebP: at most 512 pixels wide and high.

        It is the last keyframe at or before the second, else the first; None if the video has none.

        Args:
            video: Its path, file name or id.
            seconds: Seconds from the start.

        Raises:
            LibraryError: There is no such video in the library, or several; or the picture is damaged.
        """
        found = self._store.keyframe(self.video(video), seconds)
        return found.picture if found else None

    def verify(self, *, deep: bool = False) -> list[Damage]:
        """Check the stored files of the library.

        Args:
            deep: Read every file and compare checksums. Otherwise only records, names and sizes are checked.

        Returns:
            The damaged files; empty if there are none.

        Raises:
            LibraryError: The library as a whole cannot be read.
        """
        return list(self._store.verify(deep=deep))

    def repair(
        self, *, progress: IndexProgress | None = None, done: Callable[[Outcome], None] | None = None
    ) -> list[Outcome]:
        """Restore damaged records, and index the videos again whose stored files are damaged.

        Args:
            progress: Called with the progress of each video.
            done: Called with each outcome at once.

        Raises:
            LibraryError: The library cannot be read or written.
        """
        try:
            return collect(repair(self._store, self._extractors, progress or ignore_progress), done)
        finally:
            publish(self._store)

    def remove(self, video: Path | str, *, at: str | None = None) -> VideoRecord:
        """Remove a video from the library. Its file stays.

        Args:
            video: Its path, file name or id.
            at: URL of a library on object storage or another shared path, to change instead of this one.

        Raises:
            LibraryError: The library holds no such video, or several; or it cannot be written.
            SettingsError: fsspec does not know this kind of URL.
            MissingExtraError: A package that the URL needs is not installed.
        """
        removed = remove_video(UrlStorage(at) if at else self._store, video)
        if not at:
            Publisher(self._store).publish({removed.video_id})
        return removed

    async def aindex(
        self,
        paths: Path | str | Sequence[Path | str],
        *,
        force: bool = False,
        progress: IndexProgress | None = None,
        done: Callable[[Outcome], None] | None = None,
    ) -> list[Outcome]:
        """As `index` in this process, without blocking the event loop; callbacks run in another thread."""
        return await asyncio.to_thread(self.index, paths, force=force, progress=progress, done=done)

    async def asearch(
        self,
        query: str,
        k: int = 10,
        *,
        modalities: Modality | Sequence[Modality] | None = None,
        videos: Path | str | Sequence[Path | str] | None = None,
        between: tuple[float, float] | Span | None = None,
    ) -> list[Evidence]:
        """As `search`, without blocking the event loop."""
        return await asyncio.to_thread(self.search, query, k, modalities=modalities, videos=videos, between=between)

    async def afind(
        self,
        query: str,
        k: int = 5,
        *,
        modalities: Modality | Sequence[Modality] | None = None,
        videos: Path | str | Sequence[Path | str] | None = None,
        between: tuple[float, float] | Span | None = None,
        mode: Literal["balanced", "precise"] = "balanced",
        look: bool = False,
    ) -> list[Moment]:
        """As `find`, without blocking the event loop."""
        return await asyncio.to_thread(
            self.find, query, k, modalities=modalities, videos=videos, between=between, mode=mode, look=look
        )

    async def aask(
        self,
        question: str,
        *,
        videos: Path | str | Sequence[Path | str] | None = None,
        between: tuple[float, float] | Span | None = None,
        options: Sequence[str] = (),
        thread_id: str | None = None,
    ) -> Answer:
        """As `ask`, without blocking the event loop."""
        return await asyncio.to_thread(
            self.ask, question, videos=videos, between=between, options=options, thread_id=thread_id
        )

    def astream(
        self,
        question: str,
        *,
        videos: Path | str | Sequence[Path | str] | None = None,
        between: tuple[float, float] | Span | None = None,
        options: Sequence[str] = (),
        thread_id: str | None = None,
    ) -> AsyncGenerator[Event, None]:
        """As `stream`, without blocking the event loop."""
        return in_background(
            lambda: self.stream(question, videos=videos, between=between, options=options, thread_id=thread_id)
        )

    async def aresume(self, thread_id: str) -> Answer:
        """As `resume`, without blocking the event loop."""
        return await asyncio.to_thread(self.resume, thread_id)

    @property
    def _store(self) -> LocalStorage:
        """The library's storage. After a fork it opens everything again: the parent's connections cannot be used."""
        if os.getpid() != self._opened_by:
            self.close()
            self._storage = LocalStorage(self._storage.folder)
        return self._storage

    @cached_property
    def _extractors(self) -> Extractors:
        return Extractors.gather(self.settings)

    @cached_property
    def _eyes(self) -> Eyes:
        gathered, missing = self._extractors, self._extractors.missing
        detector, encoder = gathered.get("object"), gathered.get("frame")
        if detector is None and encoder is None:
            reasons = "; ".join(f"{modality}: {missing[modality]}" for modality in ("object", "frame"))
            raise SettingsError(f"no model can examine frames ({reasons}): set objects_model or image_model")
        return Eyes(detector, encoder)

    @cached_property
    def _voices(self) -> Voices:
        return Voices(self._store)

    @cached_property
    def _search(self) -> Search:
        return Search(self._store, self.settings)

    @cached_property
    def _llm(self) -> VideoLLM | None:
        """The video LLM that answers. None: answers quote the evidence."""
        wanted = self.settings.answerer
        if wanted == "extractive" or (wanted is None and not is_set(self.settings)):
            return None
        return video_llm(self.settings)

    @cached_property
    def _saver(self) -> Any:
        return open_checkpointer(self.folder)

    def _conversation(self, thread_id: str | None, llm: VideoLLM | None = None) -> Conversation:
        memory = self.folder if self.settings.remember_answers else None
        context = Context(self._opened(), self.settings, llm, memory)
        if thread_id is None:
            return Conversation(context)
        if not (name := clean_text(thread_id)):
            raise QueryError(f"thread_id={thread_id!r}: give the conversation a name")
        return Conversation(context, name, self.folder, self._saver)

    def _opened(self) -> Search:
        """The search over this library, which holds at least one video."""
        if not self._store.videos_folder.is_dir() or not self._search.records:
            raise LibraryError(f"no video is indexed in {self.folder}: run `playhead index FOLDER` first")
        return self._search

    def _video_ids(self, videos: Path | str | Sequence[Path | str] | None) -> tuple[str, ...] | None:
        return None if videos is None else video_ids(self._store, self.videos(), videos)


def _span(between: tuple[float, float] | Span | None) -> Span | None:
    if between is None or isinstance(between, Span):
        return between
    start, end = between
    if not 0 <= start < end < math.inf:
        raise QueryError(f"between=({start}, {end}): give a start of 0 or more and a later end, in seconds")
    return Span(start=start, end=end)


def _last(events: Iterator[Event]) -> Answer:
    last = deque(events, maxlen=1).pop()
    assert isinstance(last, Answered)
    return last.answer


def _close(opened: Any) -> None:
    """Close a search index, a client or a checkpointer; a model without `close` is released by Python."""
    connection = getattr(opened, "conn", opened)
    if close := getattr(connection, "close", None):
        close()
