"""Where conversations are kept: LangGraph's SQLite checkpointer in the library's folder."""

import logging
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ...tools.errors import LibraryError
from .state import STORED_RECORDS

__all__ = ["open_checkpointer"]

logger = logging.getLogger(__name__)


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


@contextmanager
def _closed_on_failure(connection: sqlite3.Connection) -> Iterator[None]:
    try:
        yield
    except sqlite3.DatabaseError:
        connection.close()
        raise
