"""Lists, continues and deletes the stored conversations of a library."""

import asyncio
from collections.abc import Iterator

from ...tools.records import clean_text
from ..graph.events import Event
from ..graph.threads import delete_thread, thread_names
from ..records import Answer, ThreadInfo, Turn
from .asking import Asking, last_answer

__all__ = ["Conversations"]


class Conversations(Asking):
    """Keeps conversations."""

    def resume(self, thread_id: str) -> Answer:
        """Continue a question that was interrupted: the last event of `stream_resumed`."""
        return last_answer(self.stream_resumed(thread_id))

    async def aresume(self, thread_id: str) -> Answer:
        """As `resume`, without blocking the event loop."""
        return await asyncio.to_thread(self.resume, thread_id)

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
