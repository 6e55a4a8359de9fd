"""Where conversations are kept: LangGraph's SQLite checkpointer in the library's folder; and one question at a time in each.

Of a thread only the last checkpoint is kept once a question is answered: earlier ones would only cost space.
"""

import fcntl
import hashlib
import logging
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ...tools.errors import LibraryError, QueryError
from ...tools.settings import cache_folder
from .state import STORED_RECORDS

__all__ = ["delete_thread", "one_at_a_time", "open_checkpointer", "prune", "thread_names"]

logger = logging.getLogger(__name__)

_POLL_SECONDS = 0.05


def open_checkpointer(library: Path) -> Any:
    """A checkpointer that keeps threads in `threads.sqlite`; in memory, with a warning, where that cannot be written.

    Raises:
        LibraryError: The file is damaged.
    """
    from langgraph.checkpoint.memory import InMemorySaver
    from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
    from langgraph.checkpoint.sqlite import SqliteSaver

    serde = JsonPlusSerializer(
        pickle_fallback=False, allowed_msgpack_modules=[(r.__module__, r.__name__) for r in STORED_RECORDS]
    )
    file = library / "threads.sqlite"
    try:
        connection = sqlite3.connect(file, timeout=60, check_same_thread=False)
        saver = SqliteSaver(connection, serde=serde)
        with _closed_on_failure(connection):
            saver.setup()
    except sqlite3.OperationalError as error:  # a read-only or full disk: the answer does not depend on it
        logger.warning("conversations are kept until this process ends: %s cannot be written (%s)", file, error)
        return InMemorySaver(serde=serde)
    except sqlite3.DatabaseError as error:
        raise LibraryError(f"{file} is damaged ({error}): delete it; only kept conversations are lost") from error
    return saver


def thread_names(saver: Any) -> list[str]:
    """The names of the threads that a checkpointer holds, in order."""
    return sorted({one.config["configurable"]["thread_id"] for one in saver.list(None)})


def delete_thread(saver: Any, thread_id: str) -> None:
    """Delete a thread.

    Raises:
        QueryError: There is no such thread.
    """
    if thread_id not in thread_names(saver):
        raise QueryError(f"there is no thread {thread_id!r}: `playhead threads list PLACE` shows them")
    saver.delete_thread(thread_id)


def prune(saver: Any, thread_id: str) -> None:
    """Delete all checkpoints of a thread but the last one, with their writes. A thread in memory is left as it is."""
    connection = getattr(saver, "conn", None)
    if connection is None:
        return
    with saver.cursor() as cursor:
        cursor.execute("SELECT MAX(checkpoint_id) FROM checkpoints WHERE thread_id = ?", (thread_id,))
        (last,) = cursor.fetchone()
        if last is not None:
            for table in ("checkpoints", "writes"):
                cursor.execute(
                    f"DELETE FROM {table} WHERE thread_id = ? AND checkpoint_id < ?",  # noqa: S608 (our own names)
                    (thread_id, last),
                )


@contextmanager
def one_at_a_time(library: Path, thread_id: str, seconds: float) -> Iterator[None]:
    """Hold a thread: another question of it waits, also in another process.

    Args:
        library: The library's folder.
        thread_id: The thread.
        seconds: How long to wait for a question that runs.

    Raises:
        QueryError: The other question still runs after that time.
    """
    key = hashlib.sha256(f"{library.resolve()}\n{thread_id}".encode()).hexdigest()[:24]
    file = cache_folder() / "threads" / f"{key}.lock"
    file.parent.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + seconds
    with file.open("w") as handle:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise QueryError(
                        f"another question in thread {thread_id!r} still runs: wait for it, or ask in another thread"
                    ) from None
                time.sleep(_POLL_SECONDS)
        yield


@contextmanager
def _closed_on_failure(connection: sqlite3.Connection) -> Iterator[None]:
    try:
        yield
    except sqlite3.DatabaseError:
        connection.close()
        raise
