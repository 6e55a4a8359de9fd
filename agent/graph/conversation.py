"""A thread of questions: each is asked, told in events, kept where its thread is kept, and gone on with if it was interrupted."""

import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import groupby
from typing import Any, cast

from langgraph.types import StateSnapshot

from ...index.records import VideoRecord
from ...tools.errors import QueryError, SettingsError
from ...tools.records import Span
from ..records import Answer, Citation, TraceStep, Turn
from .budget import Metered
from .events import Answered, Event, Teller
from .outcome import final_answer
from .state import Context, State, start_state
from .wiring import compiled

__all__ = ["Conversation"]

# Earlier questions that a thread remembers.
MOST_TURNS = 20
# Requests that run side by side: the budgets may be passed by so many.
MOST_REQUESTS = 4


@dataclass(frozen=True)
class Conversation:
    """One thread.

    Attributes:
        context: What its questions are answered with.
        thread_id: Its name; None: one question, of which nothing is kept.
        saver: LangGraph's checkpointer of named threads.
    """

    context: Context
    thread_id: str | None = None
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
        earlier = self.turns()[-MOST_TURNS:]
        answerer = self.context.answerer
        state = start_state(question, video_ids, between, options=options, turns=earlier, answerer=answerer)
        return self._run(state, cast(State, {}))

    def resume(self) -> Iterator[Event]:
        """Go on with the thread's last question where it was interrupted; of one that was answered, only the answer.

        Time in which nothing ran is not counted.

        Yields:
            The events from there on; the answer is the last.

        Raises:
            QueryError: The thread holds no question.
            SettingsError: Somebody else was to answer.
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
                f"{self.context.answerer}: go on with the former, or ask anew"
            )
        return self._run(None, state)

    def _run(self, given: State | None, known: State) -> Iterator[Event]:
        began, before = time.time(), _seconds(known.get("trace", ()))
        deadline = began + max(0.0, self.context.settings.max_seconds - before)
        teller = Teller(known)
        # What is kept is kept before the next step begins: a process that is killed loses one step at most.
        for mode, part in self._graph.stream(
            given,
            self._config,
            context=replace(self.context, deadline=deadline, llm=self._metered(known)),
            stream_mode=["updates", "values"],
            durability="sync" if self.saver is not None else None,
        ):
            if mode == "values":
                known = cast(State, part)
                teller.reached(known)
            else:
                for node, update in cast(dict[str, State], part).items():
                    yield from teller.returned(node, update)
        yield Answered(answer=self._answer(known, before + time.time() - began))

    def _metered(self, known: State) -> Metered | None:
        """The video LLM, with what the question has cost so far."""
        llm = self.context.llm
        return None if llm is None else Metered(llm, self.context.settings.max_tokens, known.get("tokens"))

    @cached_property
    def _graph(self) -> Any:
        graph = compiled(self.saver)
        graph.stream_eager = True  # of nodes that run side by side, each is told when it is done
        return graph

    @property
    def _config(self) -> Any:
        side_by_side: dict[str, Any] = {"max_concurrency": MOST_REQUESTS}
        return side_by_side | ({"configurable": {"thread_id": self.thread_id}} if self.saver is not None else {})

    def _snapshot(self) -> StateSnapshot:
        return cast(StateSnapshot, self._graph.get_state(self._config))

    def _turns(self, snapshot: StateSnapshot) -> tuple[Turn, ...]:
        """Those of a thread's state; a last question that was interrupted is none of them."""
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
        among = _videos(state)
        return [one for one in self.context.search.records.values() if among is None or one.video_id in among]


def _videos(state: State) -> tuple[str, ...] | None:
    """The videos that were asked about, also those that a question follows; its plan may hold the likeliest only."""
    if state["video_ids"] is None and state["turns"] and state["plan"].question != state["question"]:
        return state["turns"][-1].plan.video_ids
    return None if state["video_ids"] is None else tuple(state["video_ids"])  # from a checkpoint: a list


def _seconds(trace: Sequence[TraceStep]) -> float:
    """How long steps took together; those of one name in a row ran side by side."""
    return sum(max(step.seconds for step in steps) for _, steps in groupby(trace, key=lambda step: step.step))
