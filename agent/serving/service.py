"""What every served interface shares: a library's videos, search, answers, pictures and indexing, as plain data."""

import io
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...index.records import Evidence, VideoRecord
from ...tools.errors import AmbiguousNameError, LibraryError, MediaError, QueryError
from ...tools.extractors.registry import modalities, participle
from ...tools.media.frames import frames_at
from ...tools.records import Span, clean_text
from ..answering.reader import feature_reader
from ..checking.claims import StatedClaim
from ..exporting.subtitles import title_of
from .index_job import IndexJob
from .playback import playback_of

if TYPE_CHECKING:
    from ..library import Library

__all__ = ["LibraryService", "between_of"]

_MOST_RESULTS = 50
_THUMBNAIL = (512, 512)


class LibraryService:
    """One library, for several requests at once. Ids come from outside: each is looked up, none is a path."""

    def __init__(self, library: "Library") -> None:
        """Serve a library; nothing is loaded before the first request.

        Args:
            library: The library.
        """
        self.library = library
        self.job = IndexJob(library)

    def overview(self) -> dict[str, Any]:
        """Return the library's name, its videos and the kinds of evidence."""
        base = self.library.folder.parent
        kinds = [{"name": spec.name, "participle": spec.participle, "title": spec.title} for spec in modalities()]
        videos = [self._listed(record, base) for record in self.library.videos()]
        return {"name": clean_text(base.name), "videos": videos, "kinds": kinds}

    def video(self, video_id: str) -> dict[str, Any]:
        """Return a video with its observations and chapters.

        Raises:
            LibraryError: The library holds no such video.
        """
        record = self.record(video_id)
        _, observations = self.library.observed(record.video_id)
        rows = sorted(observations, key=lambda one: (one.start, one.end))
        chapters = self.library.chapters(record.video_id)
        return self._listed(record, self.library.folder.parent) | {
            "notes": list(record.notes),
            "indexed_at": record.indexed_at,
            "playback": playback_of(record, self.library.path_of(record)),
            "rows": [self._row(one) for one in rows if one.text],
            "chapters": [
                {"start": chapter.start, "end": chapter.end, "title": title_of(chapter, number)}
                for number, chapter in enumerate(chapters, start=1)
            ],
        }

    def search(
        self,
        query: str,
        kinds: Sequence[str] = (),
        videos: Sequence[str] = (),
        between: Span | None = None,
        k: int = 20,
        where: Sequence[str] = (),
    ) -> dict[str, Any]:
        """Return the evidence that fits a query best, best first, the query as searched, its corrected words and its limits.

        Raises:
            QueryError: The query or a filter is not valid.
            LibraryError: A video is not in the library.
        """
        chosen = [self.record(video).video_id for video in videos] or None
        text, corrections = self.library.corrected(query)
        found = self.library.search(
            text,
            min(k, _MOST_RESULTS),
            modalities=list(kinds) or None,
            videos=chosen,
            where=where,
            between=between,
        )
        return {
            "query": text,
            "corrections": [one.model_dump() for one in corrections],
            "limits": found.limits,
            "results": [self._row(one) for one in found],
        }

    def find(
        self, query: str, videos: Sequence[str] = (), k: int = 5, where: Sequence[str] = ()
    ) -> list[dict[str, Any]]:
        """Return the moments that fit a description best, best first, each with its start, end and evidence.

        Raises:
            QueryError: The query is not valid.
            LibraryError: A video is not in the library.
        """
        chosen = [self.record(video).video_id for video in videos] or None
        found = self.library.find(query, min(k, _MOST_RESULTS), videos=chosen, where=where)
        moments = [moment.model_dump(mode="json") for moment in found]
        _without_paths(moments)
        return moments

    def similar(
        self, like: str | bytes, videos: Sequence[str] = (), k: int = 10, where: Sequence[str] = ()
    ) -> dict[str, Any]:
        """Return the frames that are similar to a moment (`talk.mp4@10:02`) or to the bytes of a picture, best first.

        Where none is similar, `nearest` is the nearest one, and `note` says so.

        Raises:
            QueryError: The moment is not valid, the bytes are no picture, or no pictures can be compared.
            LibraryError: A video is not in the library.
        """
        chosen = [self.record(video).video_id for video in videos] or None
        most = min(k, _MOST_RESULTS)
        if isinstance(like, bytes):
            try:
                found = self.library.search_picture(like, most, videos=chosen, where=where)
            except MediaError as error:
                raise QueryError(str(error)) from error
        else:
            found = self.library.find_similar(like, most, videos=chosen, where=where)
        return {
            "compared_by": found.compared_by,
            "note": found.note,
            "results": [self._row(one) for one in found.frames],
            "nearest": self._row(found.nearest) if found.nearest else None,
        }

    def check(self, claims: Sequence[StatedClaim]) -> list[dict[str, Any]]:
        """Return the verdict and evidence of each claim.

        Raises:
            LibraryError: The library is empty or damaged.
        """
        checked = [one.model_dump(mode="json") for one in self.library.check(claims)]
        _without_paths(checked)
        return checked

    def ask(
        self, question: str, videos: Sequence[str] = (), thread: str | None = None, where: Sequence[str] = ()
    ) -> Iterator[dict[str, Any]]:
        """Yield the steps of a question as data; the answer is last.

        Raises:
            QueryError: The question is not valid.
            LibraryError: A video is not in the library.
        """
        chosen = [self.record(video).video_id for video in videos] or None
        for event in self.library.stream(question, videos=chosen, where=where, thread_id=thread):
            data = event.model_dump(mode="json")
            _without_paths(data)
            yield data

    def keyframe(self, evidence_id: str) -> bytes | None:
        """Return the picture (WebP) of a piece of evidence; None: there is no such evidence, or no picture of it."""
        evidence = self.library.evidence(evidence_id)
        return self.library.keyframe(evidence) if evidence else None

    def thumbnail(self, video_id: str) -> bytes | None:
        """Return a picture (WebP) of a video, from a fifth of its length; None: neither picture nor file is there.

        Raises:
            LibraryError: The library holds no such video.
        """
        record = self._with_id(video_id)
        stored = self.library.keyframe_at(record.video_id, record.duration / 5)
        if stored or record.info.video is None:
            return stored
        try:
            return _decoded(self.library.path_of(record), record.duration / 5, record.info.stream)
        except MediaError:
            return None

    def file_of(self, video_id: str) -> Path:
        """Return the path of a video's file.

        Raises:
            LibraryError: The library holds no such video, or its file is missing.
        """
        path = self.library.path_of(self._with_id(video_id))
        if not path.is_file():
            raise LibraryError(f"the file of video {video_id[:12]} is missing: {path.name}")
        return path

    def record(self, video: str) -> VideoRecord:
        """Return the one video with an id or file name, as `Library.video` does; a path names no video.

        Raises:
            LibraryError: The library holds no such video, or several. The message names no folder.
        """
        with suppress(LibraryError):
            if os.sep not in video:
                return self._named(video)
        raise LibraryError("this library holds no such video")

    def _with_id(self, video_id: str) -> VideoRecord:
        """The video with exactly this id: browsers keep media and pictures by their address, and a name may change its video."""
        record = self.record(video_id)
        if record.video_id != video_id:
            raise LibraryError("this library holds no such video")
        return record

    def _named(self, video: str) -> VideoRecord:
        try:
            return self.library.video(video)
        except AmbiguousNameError as error:
            known = (self.library.video(video_id) for video_id in error.video_ids)
            listed = ", ".join(f"{clean_text(Path(one.paths[0]).name)} ({one.video_id[:12]})" for one in known)
            raise QueryError(f"{clean_text(video)!r} names several videos, give the id of one: {listed}") from error

    def _listed(self, record: VideoRecord, base: Path) -> dict[str, Any]:
        path = self.library.path_of(record)
        folder = path.parent.relative_to(base).as_posix() if path.is_relative_to(base) else ""
        missing = record.missing_stages
        return {
            "id": record.video_id,
            "name": clean_text(path.name),
            "folder": "" if folder == "." else clean_text(folder),
            "title": record.metadata.title,
            "date": record.metadata.date,
            "channel": record.metadata.channel,
            "tags": list(record.metadata.tags),
            "duration": record.duration,
            "windows": [[one.start, one.end] for one in record.info.windows],
            "exists": path.is_file(),
            "has_picture": record.info.video is not None,
            "stages": [
                {"kind": s.modality, "called": participle(s.modality), "state": s.state, "detail": clean_text(s.detail)}
                | {"is_missing": s in missing}
                for s in record.stages
            ],
        }

    def _row(self, one: Evidence) -> dict[str, Any]:
        return {
            "id": one.evidence_id,
            "video": one.video_id,
            "name": clean_text(one.name),
            "start": one.start,
            "end": one.end,
            "kind": one.modality,
            "called": one.called,
            "text": one.text,
            "score": one.score,
            "is_unsure": one.relevance is not None and one.relevance < feature_reader().threshold,
            "box": one.box.model_dump() if one.box else None,
            "frame_seconds": one.frame_seconds,
            "stream": one.stream,
            "picture": one.keyframe is not None,
        }


def between_of(start: float | None, end: float | None) -> Span | None:
    """Return a span from two times of a request, where one may be missing.

    Raises:
        QueryError: The end is not after the start.
    """
    if start is None and end is None:
        return None
    first, last = start or 0.0, end if end is not None else 1e9
    if not 0 <= first < last:
        raise QueryError("the end of the time filter must be after its start")
    return Span(start=first, end=last)


def _decoded(video: Path, seconds: float, stream: int | None) -> bytes:
    """A small picture of a video at a second, as WebP."""
    from PIL import Image

    picture = Image.fromarray(next(iter(frames_at(video, [seconds], stream))).pixels)
    picture.thumbnail(_THUMBNAIL)
    out = io.BytesIO()
    picture.save(out, "WEBP", quality=60)
    return out.getvalue()


def _without_paths(data: Any) -> None:
    """Replace the paths in an event by file names: a browser needs no more."""
    if isinstance(data, dict):
        if isinstance(data.get("video"), str):
            data["video"] = clean_text(Path(data["video"]).name)
        if isinstance(data.get("keyframe"), str):
            data["keyframe"] = True
        for value in data.values():
            _without_paths(value)
    elif isinstance(data, list):
        for value in data:
            _without_paths(value)
