"""Journals: the results so far of a video that is being indexed, on disk after each step, so that a killed run continues.

Where a window of a video was indexed, its journals stay for 30 days, so that another window is added to it.

Decoding and change detection run again; models are not asked again. A step is known by a key over everything that it was
made from. An undisturbed run has the same steps, so the stored bytes are the same.
"""

import base64
import hashlib
import json
import os
import shutil
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .files.atomic import writing

__all__ = [
    "CAPTIONS",
    "JOURNALS",
    "Journal",
    "carry_captions",
    "digest",
    "journals_of",
    "keep_forced",
    "packed",
    "unpacked",
]

# In a staging folder: the journals of a run; and the captions, which are committed with the video: they cost the most.
JOURNALS = "journals"
CAPTIONS = "captions.jsonl"


class Journal:
    """Values by key in an append-only file of JSON lines. Threads of one process may share it.

    A damaged line (the process was killed, or the machine lost power) is dropped with all lines after it.
    """

    def __init__(self, path: Path) -> None:
        """Open or make the file.

        Raises:
            LibraryError: The file cannot be read or written.
        """
        self._path = path
        self._lock = threading.Lock()
        with writing(path.parent):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._known, whole = _read(path)
            if path.exists() and path.stat().st_size > whole:
                os.truncate(path, whole)

    def __len__(self) -> int:
        return len(self._known)

    def find(self, key: str) -> Any:
        """Return the value of a key; None if it has none."""
        return self._known.get(key)

    def note(self, key: str, value: Any) -> None:
        """Append a value, which JSON can hold and which is not None.

        Raises:
            LibraryError: It cannot be written.
        """
        line = json.dumps({"key": key, "value": value}, separators=(",", ":")).encode() + b"\n"
        with self._lock, writing(self._path.parent):
            whole = self._path.stat().st_size if self._path.exists() else 0
            try:
                with self._path.open("ab") as file:
                    file.write(line)
            except OSError:
                with suppress(OSError):
                    os.truncate(self._path, whole)  # half a line would hide all lines after it
                raise
            self._known[key] = value


def journals_of(staged: Path, *, force: bool) -> Path:
    """Return the folder of a run's journals in a staging folder; a run with `force` does not use those of other runs."""
    return staged / JOURNALS / ("force" if force else "usual")


def keep_forced(staged: Path) -> None:
    """After a run with `force`, let its journals replace those of earlier runs, if the staging folder still has them.

    Raises:
        LibraryError: The folder cannot be written.
    """
    forced, usual = journals_of(staged, force=True), journals_of(staged, force=False)
    if forced.exists():
        with writing(staged):
            shutil.rmtree(usual, ignore_errors=True)
            os.replace(forced, usual)


def carry_captions(source: Path, target: Path) -> None:
    """Add the captions of one folder to those of another, where they have no value yet.

    Raises:
        LibraryError: They cannot be written.
    """
    if not (source / CAPTIONS).exists():
        return
    known = Journal(target / CAPTIONS)
    for key, value in _read(source / CAPTIONS)[0].items():
        if known.find(key) is None:
            known.note(key, value)


def digest(text: str) -> str:
    """Return 32 hexadecimal digits for a text: a key, or a part of a file name."""
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def packed(vectors: npt.NDArray[np.float16]) -> dict[str, Any]:
    """Return vectors in a form that JSON can hold."""
    return {"shape": vectors.shape, "base64": base64.b64encode(vectors.tobytes()).decode()}


def unpacked(value: dict[str, Any]) -> npt.NDArray[np.float16]:
    """Return the vectors that `packed` encoded."""
    return np.frombuffer(base64.b64decode(value["base64"]), np.float16).reshape(value["shape"])


def _read(path: Path) -> tuple[dict[str, Any], int]:
    """The values of a file's intact lines by key, and the number of bytes of these lines."""
    known: dict[str, Any] = {}
    whole = 0
    if not path.exists():
        return known, whole
    with path.open("rb") as file:
        for line in file:
            try:
                entry = json.loads(line)
                if not line.endswith(b"\n"):
                    break
                known[entry["key"]] = entry["value"]
            except (ValueError, KeyError, TypeError, RecursionError):
                break
            whole += len(line)
    return known, whole
