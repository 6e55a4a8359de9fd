"""Adds videos to a library, removes them, and checks and repairs what is stored."""

import asyncio
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from ...index.indexing.build import IndexProgress
from ...index.indexing.jobs import Outcome
from ...index.indexing.repair import repair
from ...index.records import VideoRecord
from ...index.retrieval.search_index.publishing import Publisher, PublishProgress, publish
from ...index.storage.backend import Damage
from ...index.storage.url import Pulled, UrlStorage
from ...tools.errors import LibraryError
from ...tools.records import Span
from ..records import EngineName
from ..sources.fetching import DOWNLOADS, fetch
from ..sources.records import Fetched, FetchLimits, FetchProgress
from .browsing import span_between
from .index_runs import collect, ignore_progress, index_videos, remove_video
from .opening import OpenLibrary

__all__ = ["Indexing"]


class Indexing(OpenLibrary):
    """Indexes videos into a library and maintains it."""

    def index(
        self,
        paths: Path | str | Sequence[Path | str],
        *,
        force: bool = False,
        engine: EngineName = "local",
        address: str | None = None,
        workers: int | None = None,
        into: str | None = None,
        window: tuple[float, float] | Span | None = None,
        skip: Collection[Path] = (),
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
            window: Start and end in seconds: index only this stretch of each video. Times stay those of the video.
                Stretches of several calls add up; without a window, the whole is indexed. With `force` only this
                stretch is left. `VideoRecord.info.windows` holds what is indexed.
            skip: Absolute paths of files to leave as they are, for example because they are still being written.
            progress: Called with the file, its number, the number of files, the stage, and seconds done and in total.
            done: Called with each outcome as soon as it is known.

        Raises:
            MediaError: A path does not exist, or no video lies below any of them.
            LibraryError: The library cannot be written.
            SettingsError: The cluster cannot be joined, `address` or `workers` is set without `engine="ray"`, or
                `chapter_titles` is set without a language model.
            QueryError: The window is not valid.
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
            window=span_between(window),
            progress=progress,
            done=done,
            skip=skip,
        )

    def fetch(
        self,
        urls: str | Sequence[str],
        *,
        to: Path | str | None = None,
        limits: FetchLimits | None = None,
        force: bool = False,
        progress: FetchProgress | None = None,
        done: Callable[[Fetched], None] | None = None,
    ) -> list[Fetched]:
        """Fetch the videos of pages, playlists, feeds, media URLs or object storage; `index` their paths afterwards.

        What the source says (title, date, channel, tags, chapters, subtitles) is stored beside each file. A video that
        was fetched once is not fetched again, also where its file was deleted. A failure never stops the others.

        Args:
            urls: `https://…`, or what fsspec knows, such as `s3://bucket/talks`.
            to: The folder for the files. None: `downloads` in the library's folder of videos.
            limits: What is fetched at most.
            force: Fetch again what was fetched before.
            progress: Called with the title, and the bytes done and in total.
            done: Called with each outcome as soon as it is known.

        Raises:
            LibraryError: The folder cannot be written.
            MissingExtraError: yt-dlp or fsspec is not installed.
            SettingsError: A URL has a scheme that is not fetched.
        """
        given = [urls] if isinstance(urls, str) else list(urls)
        folder = Path(to) if to is not None else self.folder.parent / DOWNLOADS
        report = progress or (lambda *_: None)
        language = self.settings.language
        return collect(fetch(given, folder, limits or FetchLimits(), report, language=language, force=force), done)

    async def aindex(
        self,
        paths: Path | str | Sequence[Path | str],
        *,
        force: bool = False,
        window: tuple[float, float] | Span | None = None,
        progress: IndexProgress | None = None,
        done: Callable[[Outcome], None] | None = None,
    ) -> list[Outcome]:
        """As `index` in this process, without blocking the event loop; callbacks run in another thread."""
        return await asyncio.to_thread(self.index, paths, force=force, window=window, progress=progress, done=done)

    def pull(self, url: str, *, done: Callable[[Pulled], None] | None = None) -> list[Pulled]:
        """Copy the indexed videos of a library on object storage or another shared path into this one.

        A video that has another version there replaces the one here; videos that exist only here stay. A video that
        cannot be copied gives an outcome `failed` with the reason; the others are copied.

        Args:
            url: For example `s3://bucket/talks`, `gs://bucket/talks` or `file:///shared/talks`. fsspec finds the
                credentials (`index.storage.files.url`).
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
