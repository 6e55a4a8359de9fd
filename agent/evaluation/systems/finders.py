"""Systems that search all transcripts of a library for the answer to a question, without an LLM.

They do not know the video of a question. They use the product's own search.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from ....index.retrieval.search import Search
from ....tools.settings import Settings
from ...records import Usage
from ..records import Budget, Line, Prediction, Question, ScoredSpan
from .cached_vectors import CachedVectors
from .transcripts import text_library, text_video_id

__all__ = ["FINDERS", "Finder", "TranscriptFinder"]

_DEPTH = 10

# `search` returns sentences, `passages` stretches of up to seven; `words` is `search` in a library without vectors.
Finder = Literal["words", "search", "passages"]
FINDERS: tuple[Finder, ...] = ("words", "search", "passages")


class TranscriptFinder:
    """Returns the ten best spans in a library of transcripts."""

    def __init__(
        self,
        folder: Path,
        transcripts: Mapping[str, Sequence[Line]],
        vectors: CachedVectors,
        finder: Finder = "passages",
        settings: Settings | None = None,
    ) -> None:
        """Commit the transcripts to a library.

        Args:
            folder: Folder of the new library.
            transcripts: Transcripts by name of the video.
            vectors: Embeds the lines and the questions.
            finder: Search method.
            settings: Settings of the search.
        """
        self.name: str = finder
        self.fingerprint = f"{vectors.embedding_id} {finder}"
        names = sorted(transcripts)
        own = None
        if finder != "words":
            lines = [(name, line.text) for name in names for line in transcripts[name]]
            rows = vectors.encode([text for _, text in lines])
            own = {name: rows[[i for i, (video, _) in enumerate(lines) if video == name]] for name in names}
        embedding_id = vectors.embedding_id if own else ""
        storage = text_library(folder, {name: transcripts[name] for name in names}, own, embedding_id)
        self._names = {text_video_id(name): name for name in names}
        self._search = Search(storage, settings or Settings(), vectors)
        self._finder = finder

    def answer(self, question: Question, budget: Budget) -> Prediction:
        """Return where in the library the question is answered."""
        del budget  # it shows no frames and calls no model
        spans = tuple(self._found(question.question))
        return Prediction(
            question_id=question.question_id,
            status="answered" if spans else "insufficient",
            spans=spans,
            usage=Usage(rounds=1, evidence=len(spans)),
        )

    def _found(self, query: str) -> list[ScoredSpan]:
        if self._finder == "passages":
            passages = self._search.passages(query, _DEPTH)
            return [ScoredSpan.of(one.span, one.score, self._names[one.best.video_id]) for one in passages]
        found = self._search.find(query, _DEPTH)
        return [ScoredSpan.of(one.span, one.score, self._names[one.video_id]) for one in found]
