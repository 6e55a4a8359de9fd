"""Answers questions, checks claims and fills forms from what a library holds."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ...tools.errors import QueryError, SettingsError
from ...tools.llm.protocol import VideoLLM
from ...tools.records import Span, clean_text
from ..async_iteration import in_background
from ..checking.claims import CheckedClaim, StatedClaim, stated
from ..checking.judging import ClaimJudge
from ..composing.extraction import Extracted, Form, extract
from ..composing.reading import lines_to_read
from ..graph.conversation import Conversation
from ..graph.events import Answered, Event
from ..graph.state import Context
from ..records import Answer
from .browsing import Browsing, span_between

__all__ = ["Asking", "last_answer"]

_MOST_OPTIONS = 26  # one letter each

# Lines that an extraction reads.
_MOST_EXTRACTED = 40


class Asking(Browsing):
    """Answers questions."""

    def ask(
        self,
        question: str,
        *,
        videos: Path | str | Sequence[Path | str] | None = None,
        where: str | Sequence[str] | None = None,
        between: tuple[float, float] | Span | None = None,
        options: Sequence[str] = (),
        thread_id: str | None = None,
    ) -> Answer:
        """Answer a question with checked citations: the last event of `stream`, which describes the arguments."""
        return last_answer(
            self.stream(question, videos=videos, where=where, between=between, options=options, thread_id=thread_id)
        )

    async def aask(
        self,
        question: str,
        *,
        videos: Path | str | Sequence[Path | str] | None = None,
        where: str | Sequence[str] | None = None,
        between: tuple[float, float] | Span | None = None,
        options: Sequence[str] = (),
        thread_id: str | None = None,
    ) -> Answer:
        """As `ask`, without blocking the event loop."""
        return await asyncio.to_thread(
            self.ask, question, videos=videos, where=where, between=between, options=options, thread_id=thread_id
        )

    def stream(
        self,
        question: str,
        *,
        videos: Path | str | Sequence[Path | str] | None = None,
        where: str | Sequence[str] | None = None,
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
            where: Conditions that a video must meet, such as `date>=2026-01` or `tag=lecture`: see `index.metadata_conditions`.
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
        if not all(answers) or len(answers) > _MOST_OPTIONS:
            raise QueryError(
                f"options={answers}: give at most {_MOST_OPTIONS} answers to choose from, none of them empty"
            )
        conversation = self._conversation(thread_id, self._llm)
        return conversation.ask(asked, self._video_ids(videos, where), span_between(between), answers)

    def astream(
        self,
        question: str,
        *,
        videos: Path | str | Sequence[Path | str] | None = None,
        where: str | Sequence[str] | None = None,
        between: tuple[float, float] | Span | None = None,
        options: Sequence[str] = (),
        thread_id: str | None = None,
    ) -> AsyncGenerator[Event, None]:
        """As `stream`, without blocking the event loop."""
        return in_background(
            lambda: self.stream(
                question, videos=videos, where=where, between=between, options=options, thread_id=thread_id
            )
        )

    def check(self, claims: str | Sequence[str | StatedClaim | Mapping[str, Any]]) -> list[CheckedClaim]:
        """Check claims that somebody else made about the videos, each at its time.

        The calibrated reader decides; a language model that is set, and is not a small one, gives the last verdict.
        Names, numbers and codes of a claim must be in the evidence, whatever a model says.

        Args:
            claims: One claim in words, or several: each in words, as `{"claim": "…", "video": "a.mp4", "at": "10:02"}`, or as
                `StatedClaim`; `at` is seconds, a clock time or a stretch (`"10:02-10:40"`). Evidence up to 10 s away counts.
                Video and time may be missing.

        Raises:
            QueryError: A claim is not valid; then none is checked.
            LibraryError: The library is empty or damaged.
        """
        given = stated(claims)
        context = Context(self._opened(), self.settings, self._llm, None)
        judge = ClaimJudge(
            context.search, context.reader, context.threshold, self.video, context.llm, self.settings.max_seconds
        )
        return [judge.check(one) for one in given]

    async def acheck(self, claims: str | Sequence[str | StatedClaim | Mapping[str, Any]]) -> list[CheckedClaim]:
        """As `check`, without blocking the event loop."""
        return await asyncio.to_thread(self.check, claims)

    def extract(
        self,
        request: str,
        form: type[Form],
        *,
        videos: Path | str | Sequence[Path | str] | None = None,
        where: str | Sequence[str] | None = None,
        between: tuple[float, float] | Span | None = None,
    ) -> list[Extracted[Form]]:
        """Fill rows of a pydantic model from what is indexed, each row with the lines it was read from.

        The descriptions of the model's fields are given to the language model. One request gives about 20 rows; a warning
        is logged if some are left out.

        Args:
            request: What is wanted, e.g. "all prices that are named".
            form: A pydantic model with the fields of one row.
            videos: Paths, file names or ids of videos, or folders of them; None: all.
            where: Conditions that a video must meet, such as `date>=2026-01` or `tag=lecture`: see `index.metadata_conditions`.
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
        found = search.find(request, _MOST_EXTRACTED, None, self._video_ids(videos, where), span_between(between))
        rows = lines_to_read(found, search, _MOST_EXTRACTED)
        return extract(self._llm, request, form, rows, seconds=self.settings.max_seconds)[0]

    def _conversation(self, thread_id: str | None, llm: VideoLLM | None = None) -> Conversation:
        context = Context(self._opened(), self.settings, llm, self.folder)
        if thread_id is None:
            return Conversation(context)
        if not (name := clean_text(thread_id)):
            raise QueryError(f"thread_id={thread_id!r}: give the conversation a name")
        return Conversation(context, name, self.folder, self._saver)


def last_answer(events: Iterator[Event]) -> Answer:
    """Return the answer that the last event holds."""
    last = deque(events, maxlen=1).pop()
    assert isinstance(last, Answered)
    return last.answer
