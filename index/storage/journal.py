"""What was observed so far of a video that is being indexed: on disk after each step, so that a run that is killed goes on.

Decoding and choosing stills are done again, models are not asked again. A step is known by a key over all that it was
made from; what is looked at in an undisturbed run is the same, step by step, so the results are the same bytes.
"""

import base64
import hashlib
import json
import os
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .atomic_files import writing

__all__ = ["CAPTIONS", "JOURNALS", "Journal", "carry_captions", "digest", "packed", "unpacked"]

# Of a staged folder: the journals of a run, and the captions, which stay with the video: they cost the most.
JOURNALS = "journals"
CAPTIONS = "captions.jsonl"


class Journal:
    """Values by key in a file of JSON lines that only grows. For several threads at once, of one process.

    A line that is damaged (a process was killed, or a machine lost power, while it was written) and all after it are
    forgotten.
    """

    def __init__(self, path: Path) -> None:
        """Read what is there.

        Raises:
            LibraryError: The disk does not allow it.
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
        """The value that was noted for a key; None: none was."""
        return self._known.get(key)

    def note(self, key: str, value: Any) -> None:
        """Note a value that JSON can hold, and that is not None.

        Raises:
            LibraryError: The disk does not take it.
        """
        line = json.dumps({"key": key, "value": value}, separators=(",", ":")).encode() + b"\n"
        with self._lock, writing(self._path.parent):
            whole = self._path.stat().st_size if self._path.exists() else 0
            try:
                with self._path.open("ab") as file:
                    file.write(line)
            except OSError:
                with suppress(OSError):
                    os.truncate(self._path, whole)  # half a line would make all after it unreadable
                raise
            self._known[key] = value


def carry_captions(source: Path, target: Path) -> None:
    """Add the known captions of one video's folder to those of another.

    Raises:
        LibraryError: The disk does not allow it.
    """
    if not (source / CAPTIONS).exists():
        return
    known = Journal(target / CAPTIONS)
    for key, value in _read(source / CAPTIONS)[0].items():
        if known.find(key) is None:
            known.note(key, value)


def digest(text: str) -> str:
    """32 hex digits for a text: a key, or a part of a file's name."""
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def packed(vectors: npt.NDArray[np.float16]) -> dict[str, Any]:
    """Rows of vectors as JSON can hold them."""
    return {"shape": vectors.shape, "base64": base64.b64encode(vectors.tobytes()).decode()}


def unpacked(value: dict[str, Any]) -> npt.NDArray[np.float16]:
    """What `packed` packed."""
    return np.frombuffer(base64.b64decode(value["base64"]), np.float16).reshape(value["shape"])


def _read(path: Path) -> tuple[dict[str, Any], int]:
    """The values of a file's whole lines by key, and how many bytes these lines take."""
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
