"""Where conversations are kept: LangGraph's SQLite checkpointer in the library's folder."""

import sqlite3
from pathlib import Path
from typing import Any

from .graph import STORED_RECORDS

__all__ = ["open_checkpointer"]


def open_checkpointer(library: Path) -> Any:
    """A checkpointer that keeps threads in `threads.sqlite`; in memory where the library cannot be written."""
    from langgraph.checkpoint.memory import InMemorySaver
    from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
    from langgraph.checkpoint.sqlite import SqliteSaver

    serde = JsonPlusSerializer(
        pickle_fallback=False, allowed_msgpack_modules=[(r.__module__, r.__name__) for r in STORED_RECORDS]
    )
    try:
        connection = sqlite3.connect(library / "threads.sqlite", timeout=60, check_same_thread=False)
        saver = SqliteSaver(connection, serde=serde)
        saver.setup()
    except sqlite3.OperationalError:  # a read-only or full disk: the answer does not depend on it
        return InMemorySaver(serde=serde)
    return saver
