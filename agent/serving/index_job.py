"""Runs indexing in the background for the page, one run at a time, and remembers how far it is."""

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...index.indexing.jobs import Outcome
from ...tools.errors import PlayheadError
from ...tools.records import clean_text

if TYPE_CHECKING:
    from ..library import Library

__all__ = ["IndexJob"]


class IndexJob:
    """Indexing of the folder that a library belongs to."""

    def __init__(self, library: "Library") -> None:
        """Prepare; nothing runs before `start`.

        Args:
            library: The library.
        """
        self._library = library
        self._lock = threading.Lock()
        self._state: dict[str, Any] = {"running": False, "file": "", "stage": "", "done": 0.0, "number": 0, "count": 0}
        self._outcomes: list[dict[str, str]] = []
        self._error = ""

    def start(self) -> bool:
        """Start a run; False: one is running already."""
        with self._lock:
            if self._state["running"]:
                return False
            self._state |= {"running": True, "file": "", "stage": "starting", "done": 0.0, "number": 0, "count": 0}
            self._outcomes, self._error = [], ""
        threading.Thread(target=self._run, name="playhead-index", daemon=True).start()
        return True

    def state(self) -> dict[str, Any]:
        """Return how far the run is, and the outcomes so far."""
        with self._lock:
            return self._state | {"outcomes": list(self._outcomes), "error": self._error}

    def _run(self) -> None:
        try:
            self._library.index(self._library.folder.parent, progress=self._progress, done=self._done)
        except PlayheadError as error:
            self._error = clean_text(str(error))
        finally:
            with self._lock:
                self._state["running"] = False

    def _progress(self, path: Path, number: int, count: int, stage: str, done: float, total: float) -> None:
        share = min(1.0, done / total) if total else 0.0
        with self._lock:
            self._state |= {
                "file": clean_text(path.name), "stage": stage, "done": share, "number": number + 1, "count": count,
            }  # fmt: skip

    def _done(self, outcome: Outcome) -> None:
        row = {"file": clean_text(outcome.path.name), "state": outcome.state, "detail": clean_text(outcome.detail)}
        with self._lock:
            self._outcomes.append(row)
