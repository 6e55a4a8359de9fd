"""Systems that find where a library's transcripts answer a question, over all videos: no LLM.

They do not know which video a question is about.
"""

import bisect
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from ....index.retrieval.lexical import Filter
from ....index.retrieval.passages import WIDTHS, Passages
from ....index.retrieval.search import Search
from ....index.retrieval.search_index import Derived
from ....tools.records import Span
from ....tools.settings import Settings
from ...records import Usage
from ..records import Budget, Line, Prediction, Question, ScoredSpan
from .cached_vectors import KeptVectors
from .transcripts import text_library, text_video_id

__all__ = ["FINDERS", "Finder", "TranscriptFinder"]

_DEPTH = 10

# By words only (BM25 of the catalogue), the same with sentences on each side, by `Library.search`, by passages.
Finder = Literal["words", "words-wide", "search", "passages"]
FINDERS: tuple[Finder, ...] = ("words", "words-wide", "search", "passages")
_WIDE = WIDTHS[-1] // 2


class TranscriptFinder:
    """Ten places in a library of transcripts, best first."""

    def __init__(
        self,
        folder: Path,
        transcripts: Mapping[str, Sequence[Line]],
        vectors: KeptVectors,
        finder: Finder = "passages",
        settings: Settings | None = None,
    ) -> None:
        """File the transcripts as a library.

        Args:
            folder: Where it is made.
            transcripts: By the name of the video.
            vectors: Where vectors come from.
            finder: How to find.
            settings: Of the search.
        """
        self.name: str = finder
        self.fingerprint = f"{vectors.embedding_id} {finder}"
        names = sorted(transcripts)
        lines = [(name, line.text) for name in names for line in transcripts[name]]
        rows = vectors.encode([text for _, text in lines])
        own = {name: rows[[i for i, (video, _) in enumerate(lines) if video == name]] for name in names}
        self._store = text_library(folder, {name: transcripts[name] for name in names}, own, vectors.embedding_id)
        self._names = {text_video_id(name): name for name in names}
        self._search = Search(self._store, settings or Settings(), vectors)
        self._finder = finder
        self._transcripts = transcripts
        self._derived = Derived(self._store) if finder.startswith("words") else None
        if finder == "passages":
            evidence = [one for name in names for one in self._search.of_video(text_video_id(name), "speech")]
            self._passages = Passages(evidence, vectors.encode)

    def answer(self, question: Question, budget: Budget) -> Prediction:
        """Where in the library the question is answered."""
        del budget  # it shows nothing to anybody
        spans = tuple(self._found(question.question))
        return Prediction(
            question_id=question.question_id,
            status="answered" if spans else "insufficient",
            spans=spans,
            usage=Usage(rounds=1, evidence=len(spans)),
        )

    def _found(self, query: str) -> list[ScoredSpan]:
        if self._finder == "passages":
            return [
                ScoredSpan.of(one.span, one.score, self._names[one.rows[0].video_id])
                for one in self._passages.find(query, _DEPTH)
            ]
        if self._finder == "search":
            found = self._search.find(query, _DEPTH)
            return [ScoredSpan.of(one.span, one.score, self._names[one.video_id]) for one in found]
        return self._by_words(query)

    def _by_words(self, query: str) -> list[ScoredSpan]:
        assert self._derived is not None
        self._derived.refresh()
        catalog = self._derived.catalog
        matched = catalog.match(query, Filter("speech"), 10 * _DEPTH)
        rows = catalog.fetch([row for row, _ in matched])
        found: list[ScoredSpan] = []
        for row, score in matched:
            name = self._names[rows[row].video_id]
            span = Span(start=rows[row].start, end=rows[row].end)
            if self._finder == "words-wide":
                span = self._widened(name, span)
                if any(one.video == name and one.start < span.end and span.start < one.end for one in found):
                    continue
            found.append(ScoredSpan.of(span, score, name))
            if len(found) == _DEPTH:
                break
        return found

    def _widened(self, name: str, span: Span) -> Span:
        lines = self._transcripts[name]
        place = bisect.bisect_left([line.start for line in lines], span.start - 1e-6)
        near = lines[max(0, place - _WIDE) : place + _WIDE + 1]
        return Span(start=near[0].start, end=near[-1].end)
