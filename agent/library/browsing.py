"""Reads what is indexed: videos, observations, keyframes, chapters, decisions about frames."""

import math
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

from ...index.indexing.change_detection import FrameDecision
from ...index.indexing.frame_pipeline import frame_decisions
from ...index.records import Evidence, VideoRecord
from ...index.storage.keyframe_references import read_keyframe
from ...tools.errors import LibraryError, QueryError, SettingsError
from ...tools.extractors.registry import find_modalities
from ...tools.media.streams import probe
from ...tools.records import Modality, Span
from ..answering.summary import Chapter, contents
from ..records import Citation
from .opening import OpenLibrary
from .titling import titled_chapter
from .video_names import one_video, video_ids

__all__ = ["Browsing", "span_between"]

_T = TypeVar("_T")


class Browsing(OpenLibrary):
    """Reads what a library holds."""

    def videos(
        self, among: Path | str | Sequence[Path | str] | None = None, *, where: str | Sequence[str] | None = None
    ) -> list[VideoRecord]:
        """Return the indexed videos, sorted by path.

        Args:
            among: Paths, file names or ids of videos, or folders of them. None: all.
            where: Conditions that a video must meet, such as `date>=2026-01` or `tag=lecture`: see `index.metadata_conditions`.

        Raises:
            LibraryError: One of them is not in the library.
            QueryError: A condition is not valid, or no video meets all of them.
        """
        return _by_path(self._store.read(self._video_ids(among, where)).values())

    def video(self, video: Path | str) -> VideoRecord:
        """Return the one video with a path, file name or id.

        Raises:
            LibraryError: The library holds no such video, or several.
        """
        found = self._named(partial(one_video, self._store, video=video), [video])
        return self._store.record(found.video_id) or found

    def path_of(self, record: VideoRecord) -> Path:
        """Return the path of a video's file: the first that exists."""
        return self._store.file_of(record)

    def paths_of(self, record: VideoRecord) -> list[Path]:
        """Return the paths of all files with a video's content; first the one from `path_of`."""
        first = self.path_of(record)
        return [first, *(path for path in map(self._store.absolute_path, record.paths) if path != first)]

    def evidence(self, evidence_id: str) -> Evidence | None:
        """Return the evidence with an id; None: the library holds no such evidence.

        Raises:
            LibraryError: The library is empty or damaged.
        """
        return self._opened().evidence(evidence_id)

    def observed(
        self,
        video: Path | str,
        *,
        modalities: Modality | Sequence[Modality] | None = None,
        between: tuple[float, float] | Span | None = None,
    ) -> tuple[VideoRecord, list[Evidence]]:
        """Return a video's record and its observations, sorted by modality and time.

        Args:
            video: Its path, file name or id.
            modalities: By name or participle: `speech` or `said`, …. None: all.
            between: Start and end in seconds: only observations that overlap them.

        Raises:
            LibraryError: The library holds no such video, or several.
            QueryError: A modality is not known, or the times are not valid.
        """
        record = self.video(video)
        kinds = None if modalities is None else find_modalities(modalities)
        return record, self._opened().of_video(record.video_id, kinds, span_between(between))

    def keyframe(self, shown: Evidence | Citation | Chapter) -> bytes | None:
        """Return the stored picture (WebP) of a piece of evidence, a citation or a chapter; None: there is none.

        The picture is the one on screen at that moment, at most 512 pixels wide or high.
        """
        found = read_keyframe(shown.keyframe) if shown.keyframe else None
        return found.picture if found else None

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

    def chapters(self, video: Path | str, *, titles: bool = False) -> list[Chapter]:
        """Return a video's table of contents: its chapters in order, each with its heading, quotes and scenes.

        Headings and quotes are stored evidence. A short video, or one without observations, is one chapter.

        Args:
            video: A path, file name or id.
            titles: Have the language model write a title and a one-line abstract of each chapter from its lines. Titles
                that this model wrote after indexing (`chapter_titles`) are stored, and are not written again.

        Raises:
            LibraryError: The library holds no such video, or several; or it is damaged.
            SettingsError: Titles are wanted, and no language model is set.
            ServerError: The model gave no usable answer.
        """
        record = self.video(video)
        listed = contents(record.video_id, self._opened())
        return [self._titled(one) for one in listed] if titles else listed

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

    def _titled(self, chapter: Chapter) -> Chapter:
        if self._llm is None:
            raise SettingsError("titles need a language model: `playhead model use NAME`, or set video_llm_url")
        if chapter.titled_by in ("source", self._llm.source):
            return chapter
        return titled_chapter(self._llm, chapter, self._opened(), self.settings.max_seconds)

    def _named(self, choose: Callable[[Sequence[VideoRecord]], _T], names: Sequence[Path | str]) -> _T:
        """Apply a choice by name to the published records that may have the names: a library may hold 10,000.

        Raises:
            LibraryError: No video has a name, or too many have it.
        """
        search = self._opened()
        called = {one.video_id: one for name in names for one in search.videos_called(name)}
        try:
            return choose(_by_path(called.values()))
        except LibraryError:  # its message lists what the library holds
            return choose(_by_path(search.records.values()))

    def _video_ids(
        self, videos: Path | str | Sequence[Path | str] | None, where: str | Sequence[str] | None = None
    ) -> tuple[str, ...] | None:
        """The ids of the videos that are named and meet all conditions; None: all videos."""
        names = [videos] if isinstance(videos, (str, Path)) else videos
        named = None if names is None else self._named(partial(video_ids, self._store, videos=names), names)
        if not where:
            return named
        conditions = [where] if isinstance(where, str) else where
        fitting = self._opened().videos_where(conditions)
        if named is None:
            return fitting
        both = tuple(one for one in named if one in set(fitting))
        if not both:
            raise QueryError(f"none of the chosen videos meets {' and '.join(conditions)}: choose others, or all")
        return both


def _by_path(records: Iterable[VideoRecord]) -> list[VideoRecord]:
    return sorted(records, key=lambda record: record.paths)


def span_between(between: tuple[float, float] | Span | None) -> Span | None:
    """Return the span from a start to an end; raise `QueryError` where they are not one."""
    if between is None or isinstance(between, Span):
        return between
    edges = tuple(between)
    are_seconds = len(edges) == 2 and all(isinstance(edge, int | float) for edge in edges)
    if not (are_seconds and 0 <= edges[0] < edges[1] < math.inf):
        raise QueryError(f"between={edges}: give a start of 0 or more and a later end, in seconds")
    return Span(start=edges[0], end=edges[1])
