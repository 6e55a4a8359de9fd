"""Searches a library: evidence for a query, moments for a description, retrievers for other frameworks."""

import asyncio
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

from ...index.records import Evidence
from ...tools.errors import MissingExtraError, QueryError
from ...tools.extractors.registry import find_modalities
from ...tools.media.pictures import read_picture
from ...tools.records import Modality, Span
from ..answering.scopes import corrected_question
from ..exporting.contexts import context_text
from ..exporting.named_moments import named_moment
from ..looking.moments import Moment, find_moments, look_for_moments
from ..looking.similar import Similar, frames_like_moment, frames_like_picture
from ..records import Correction
from ..searching.evidence import found_evidence
from ..searching.results import SearchResults
from .browsing import Browsing, span_between

__all__ = ["Searching"]


class Searching(Browsing):
    """Searches a library."""

    def search(
        self,
        query: str,
        k: int = 10,
        *,
        modalities: Modality | Sequence[Modality] | None = None,
        videos: Path | str | Sequence[Path | str] | None = None,
        where: str | Sequence[str] | None = None,
        between: tuple[float, float] | Span | None = None,
        speaker: str | None = None,
    ) -> SearchResults:
        """Return the evidence that fits a query best, best first.

        Each carries its `relevance`, a calibrated probability, and the words of the query that it `matched`. What only
        resembles the query, where something else answers it, is left out.

        A query that asks for a place in the video is limited to it: "What is written on the title card?", "the first
        minute", "flour after 5:00", "end credits". The attribute `limits` of the results names the limit.

        Args:
            query: Plain words, or a question.
            k: At most this many results.
            modalities: By name or participle: `speech` or `said`, `text` or `written`, …. None: all.
            videos: Paths, file names or ids of videos, or folders of them. None: all.
            where: Conditions that a video must meet, such as `date>=2026-01` or `tag=lecture`: see `index.metadata_conditions`.
            between: Start and end in seconds: only evidence that overlaps them; a place that the query names does not count.
            speaker: Only what this speaker says: a name, or `Speaker 2` of `speakers`.

        Raises:
            QueryError: The query or a filter is not valid.
            LibraryError: The library is empty or damaged.
        """
        kinds = None if modalities is None else find_modalities(modalities)
        chosen, span = self._video_ids(videos, where), span_between(between)
        if speaker is None:
            search = self._opened()
            found = found_evidence(query, search, k, kinds, chosen, span)
            return SearchResults(search.attributed(found), found.limits)
        wanted = self._voices.find(speaker)
        among = [one.video_id for one in wanted.videos if chosen is None or one.video_id in chosen]
        if not among:
            return SearchResults()
        limits = ""

        def find(depth: int) -> list[Evidence]:
            nonlocal limits
            results = found_evidence(query, self._opened(), depth, ("speech",), among, span)
            limits = results.limits
            return results

        return SearchResults(self._voices.said_by(wanted.title, find, k), limits)

    def corrected(self, query: str) -> tuple[str, tuple[Correction, ...]]:
        """Return a query with its typing errors corrected, and the corrections; `ask` corrects questions so by itself.

        A word is corrected if it is no English word, and one edit away from a word of the library. Example:
        `library.corrected("travel budegt")[0]` is `travel budget`. "after 2 min" is written as `after 0:02:00`, unless a line
        of the library holds "2 min".

        Raises:
            LibraryError: The library is empty or damaged.
        """
        return corrected_question(query, self._opened())

    async def asearch(
        self,
        query: str,
        k: int = 10,
        *,
        modalities: Modality | Sequence[Modality] | None = None,
        videos: Path | str | Sequence[Path | str] | None = None,
        where: str | Sequence[str] | None = None,
        between: tuple[float, float] | Span | None = None,
    ) -> SearchResults:
        """As `search`, without blocking the event loop."""
        return await asyncio.to_thread(
            self.search, query, k, modalities=modalities, videos=videos, where=where, between=between
        )

    def find(
        self,
        query: str,
        k: int = 5,
        *,
        modalities: Modality | Sequence[Modality] | None = None,
        videos: Path | str | Sequence[Path | str] | None = None,
        where: str | Sequence[str] | None = None,
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
            where: Conditions that a video must meet, such as `date>=2026-01` or `tag=lecture`: see `index.metadata_conditions`.
            between: Start and end in seconds: only this stretch of each video.
            mode: `balanced` spans cover the whole moment, `precise` spans lie inside it.
            look: Examine frames; the query describes what they show.

        Raises:
            QueryError: The query or a filter is not valid.
            LibraryError: The library is empty or damaged.
            SettingsError: `look` is set and neither a detector nor a picture encoder is available.
            MediaError: `look` is set and a video's file cannot be read.
        """
        if k < 1:
            raise QueryError(f"k={k}: at least 1 moment must be asked for")
        kinds = None if modalities is None else find_modalities(modalities)
        if look:
            if kinds is not None:
                raise QueryError("modalities and look cannot be used together: leave one of them out")
            frames, decoder = self.settings.max_frames, self.settings.decoder
            search, among = self._opened(), self._video_ids(videos, where)
            return look_for_moments(
                query, search, k, self._frame_models, among, span_between(between), frames=frames, decoder=decoder
            )
        return find_moments(
            query, self._opened(), k, kinds, self._video_ids(videos, where), span_between(between), mode
        )

    async def afind(
        self,
        query: str,
        k: int = 5,
        *,
        modalities: Modality | Sequence[Modality] | None = None,
        videos: Path | str | Sequence[Path | str] | None = None,
        where: str | Sequence[str] | None = None,
        between: tuple[float, float] | Span | None = None,
        mode: Literal["balanced", "precise"] = "balanced",
        look: bool = False,
    ) -> list[Moment]:
        """As `find`, without blocking the event loop."""
        return await asyncio.to_thread(
            self.find,
            query,
            k,
            modalities=modalities,
            videos=videos,
            where=where,
            between=between,
            mode=mode,
            look=look,
        )

    def search_picture(
        self,
        picture: Path | str | bytes,
        k: int = 10,
        *,
        videos: Path | str | Sequence[Path | str] | None = None,
        where: str | Sequence[str] | None = None,
        between: tuple[float, float] | Span | None = None,
    ) -> Similar:
        """Return the frames that are similar to a picture, best first.

        Args:
            picture: A picture file, or its bytes.
            k: At most this many.
            videos: Paths, file names or ids of videos, or folders of them. None: all.
            where: Conditions that a video must meet, such as `date>=2026-01` or `tag=lecture`: see `index.metadata_conditions`.
            between: Start and end in seconds: only frames that overlap them.

        Returns:
            The frames from the `floor` on, each with its cosine as `similarity`, and what similar pictures have in common.
            Where no frame is similar, `nearest` is the nearest one. Without a measured floor all frames are returned.

        Raises:
            MediaError: The picture cannot be read.
            QueryError: No encoder of pictures is available, or a filter is not valid.
            LibraryError: The library is empty or damaged.
        """
        pixels = read_picture(picture if isinstance(picture, bytes) else Path(picture).expanduser())
        return frames_like_picture(pixels, self._opened(), k, self._video_ids(videos, where), span_between(between))

    def find_similar(
        self,
        moment: str,
        k: int = 10,
        *,
        videos: Path | str | Sequence[Path | str] | None = None,
        where: str | Sequence[str] | None = None,
        between: tuple[float, float] | Span | None = None,
    ) -> Similar:
        """Return the frames that are similar to a moment of an indexed video, best first, without its own.

        As in `search_picture`, frames below the encoder's measured floor are left out.

        Args:
            moment: `talk.mp4@10:02-10:40`, `talk.mp4@10:02` (the frame at that second), or an evidence id.
            k: At most this many.
            videos: Paths, file names or ids of videos, or folders of them. None: all.
            where: Conditions that a video must meet, such as `date>=2026-01` or `tag=lecture`: see `index.metadata_conditions`.
            between: Start and end in seconds: only frames that overlap them.

        Raises:
            QueryError: The moment is not valid, or has no embedded picture; or a filter is not valid.
            LibraryError: The library is empty or damaged, or holds no such video.
        """
        named = named_moment(self, moment, point_seconds=0.001)
        return frames_like_moment(
            named.video.video_id, named.span, self._opened(), k, self._video_ids(videos, where), span_between(between)
        )

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
            module = import_module(f"..retrievers.{framework}", __package__)
        except ModuleNotFoundError as error:
            raise MissingExtraError(f"the retriever for {framework}", error.name or framework, "retrievers") from error
        return module.retriever(self, k, filters)
