"""A thread of questions: each is asked, reported in events, stored with its thread, and resumed if it was interrupted."""

import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from ...index.records import VideoRecord
from ...tools.errors import QueryError, SettingsError
from ...tools.records import Span
from ..composing.memory import remember
from ..records import Answer, Citation, TraceStep, Turn
from .budget import Metered
from .events import Answered, Event
from .outcome import final_answer
from .state import REDUCERS, Context, State, start_state
from .threads import one_at_a_time, prune
from .wiring import compiled, run_plain

if TYPE_CHECKING:
    from langgraph.types import StateSnapshot

__all__ = ["Conversation"]

# Number of earlier questions that a thread keeps.
MOST_TURNS = 20
# Requests that run in parallel.
MOST_REQUESTS = 4


@dataclass(frozen=True)
class Conversation:
    """One thread.

    Attributes:
        context: Models, settings and library of its questions.
        thread_id: Its name; None: a single question that is not stored.
        folder: The library's folder.
        saver: LangGraph's checkpointer of named threads.
    """

    context: Context
    thread_id: str | None = None
    folder: Path | None = None
    saver: Any = None

    def turns(self) -> tuple[Turn, ...]:
        """The questions that were answered, the oldest first; at most the last 21."""
        return self._turns(self._snapshot()) if self.thread_id is not None else ()

    def ask(
        self,
        question: str,
        video_ids: tuple[str, ...] | None = None,
        between: Span | None = None,
        options: tuple[str, ...] = (),
    ) -> Iterator[Event]:
        """Answer a question, which may follow the thread's earlier ones.

        Args:
            question: On one line, not empty.
            video_ids: Only these videos; None: all.
            between: Only this stretch of each video.
            options: The answers to choose from.

        Yields:
            The events; the answer is the last.

        Raises:
            ServerError: The video LLM does not answer.
        """
        with self._held():
            earlier = self.turns()[-MOST_TURNS:]
            answerer = self.context.answerer
            state = start_state(question, video_ids, between, options=options, turns=earlier, answerer=answerer)
            yield from self._run(state, cast(State, {}))

    def resume(self) -> Iterator[Event]:
        """Resume the thread's last question where it was interrupted; an answered question returns its answer again.

        Time between the interruption and the resumption is not counted.

        Yields:
            The events from there on; the answer is the last.

        Raises:
            QueryError: The thread holds no question.
            SettingsError: The question was begun with another model.
            ServerError: The video LLM does not answer.
        """
        snapshot = self._snapshot()
        state = cast(State, snapshot.values)
        if not state and not snapshot.next:
            raise QueryError(f"there is no question in thread {self.thread_id!r}: ask one with this thread's name")
        if not snapshot.next:
            return iter((Answered(answer=self._answer(state, _seconds(state["trace"]))),))
        begun_by = state.get("answerer", self.context.answerer)
        if begun_by != self.context.answerer:
            raise SettingsError(
                f"the question in thread {self.thread_id!r} was begun by {begun_by}, the settings name "
                f"{self.context.answerer}: set the first one again, or ask the question again"
            )
        return self._resumed(state)

    def _resumed(self, state: State) -> Iterator[Event]:
        with self._held():
            yield from self._run(None, state)

    def _held(self) -> AbstractContextManager[None]:
        """Hold the thread's lock: questions of one thread run one after the other."""
        if self.thread_id is None or self.folder is None:
            return nullcontext()
        return one_at_a_time(self.folder, self.thread_id, self.context.settings.max_seconds)

    def _run(self, given: State | None, known: State) -> Iterator[Event]:
        began, before = time.time(), _seconds(known.get("trace", ()))
        deadline = began + max(0.0, self.context.settings.max_seconds - before)
        context = replace(self.context, deadline=deadline, llm=self._metered(known))
        for mode, part in self._steps(given, context):
            if mode == "custom":
                yield cast(Event, part)
            else:
                known = cast(State, part)
        if self.saver is not None and self.thread_id is not None:
            prune(self.saver, self.thread_id)
        answer = self._answer(known, before + time.time() - began)
        if context.memory is not None:
            remember(context.memory, known["plan"].question, answer)
        yield Answered(answer=answer)

    def _steps(self, given: State | None, context: Context) -> Iterator[tuple[str, Any]]:
        """The events and states of the graph, as it runs."""
        if self.saver is None and context.llm is None and given is not None:
            return run_plain(given, context)
        from langgraph.types import Overwrite

        # The thread's state contains an earlier question: keys with reducers are reset.
        start = given and {key: Overwrite(value) if key in REDUCERS else value for key, value in given.items()}
        # Each step is stored before the next one begins: a killed process loses at most one step.
        steps: Iterator[tuple[str, Any]] = self._graph.stream(
            start,
            self._config,
            context=context,
            stream_mode=["custom", "values"],
            durability="sync" if self.saver is not None else None,
        )
        return steps

    def _metered(self, known: State) -> Metered | None:
        """The video LLM, with what the question has cost so far."""
        llm = self.context.llm
        return None if llm is None else Metered(llm, self.context.settings.max_tokens, known.get("tokens"))

    @cached_property
    def _graph(self) -> Any:
        graph = compiled(self.saver)
        graph.stream_eager = True  # events are forwarded immediately, not at the end of the step
        return graph

    @property
    def _config(self) -> Any:
        parallel: dict[str, Any] = {"max_concurrency": MOST_REQUESTS}
        return parallel | ({"configurable": {"thread_id": self.thread_id}} if self.saver is not None else {})

    def _snapshot(self) -> "StateSnapshot":
        return cast("StateSnapshot", self._graph.get_state(self._config))

    def _turns(self, snapshot: "StateSnapshot") -> tuple[Turn, ...]:
        """The turns of a thread's state, without a last question that was interrupted."""
        if not snapshot.values:
            return ()
        state = cast(State, snapshot.values)
        earlier = tuple(state.get("turns", ()))
        if snapshot.next:
            return earlier
        answer = self._answer(state, 0.0)
        cited: dict[str, Citation] = {}
        for citation in (citation for claim in answer.claims for citation in claim.citations):
            cited.setdefault(citation.evidence_id, citation)
        turn = Turn(
            question=answer.question,
            status=answer.status,
            text=answer.text,
            citations=tuple(cited.values()),
            plan=state["plan"].model_copy(update={"video_ids": _videos(state)}),
        )
        return (*earlier, turn)

    def _answer(self, state: State, seconds: float) -> Answer:
        thread = self.thread_id if self.thread_id is not None else uuid.uuid4().hex
        return final_answer(state, self._asked(state), self.context.settings, thread, seconds)

    def _asked(self, state: State) -> Sequence[VideoRecord]:
        among = state["among"]
        return [one for one in self.context.search.records.values() if among is None or one.video_id in among]


def _videos(state: State) -> tuple[str, ...] | None:
    """Return the videos in which a follow-up question is searched: all of this question, not only its most relevant ones.

    A time of day chooses the recordings that have it: a follow-up question may be about another time.
    """
    among = state["video_ids"] if state["plan"].clock else state["among"]
    return None if among is None else tuple(among)  # from a checkpoint: a list


def _seconds(trace: Sequence[TraceStep]) -> float:
    """Return the total time of steps; consecutive steps with the same name ran in parallel."""
    return sum(max(step.seconds for step in steps) for _, steps in groupby(trace, key=lambda step: step.step))
