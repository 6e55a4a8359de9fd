"""SHA-256 of large files, cached while a file's size and modification time stay the same.

Hashing 1.1 GB takes a second or more. Without this cache each process would spend it before its first answer.
"""

import hashlib
import json
import os
import tempfile
import threading
from pathlib import Path

from .settings import cache_folder

__all__ = ["file_sha256", "is_verified"]

_lock = threading.Lock()
_known: dict[str, str] = {}


def file_sha256(path: Path) -> str:
    """The SHA-256 of a file in hex digits.

    Raises:
        OSError: The file cannot be read.
    """
    file = path.resolve()
    stat = file.stat()
    key = f"{file}|{stat.st_size}|{stat.st_mtime_ns}"
    with _lock:
        if key not in _known:
            _known.update(_stored())
        if key in _known:
            return _known[key]
    with file.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    with _lock:
        _known[key] = digest
        _store(key, digest)
    return digest


def is_verified(path: Path, sha256: str) -> bool:
    """Whether a file exists and has this checksum."""
    return path.is_file() and file_sha256(path) == sha256


def _file() -> Path:
    return cache_folder() / "checksums.json"


def _stored() -> dict[str, str]:
    try:
        stored = json.loads(_file().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {k: v for k, v in stored.items() if isinstance(v, str)} if isinstance(stored, dict) else {}


def _store(key: str, digest: str) -> None:
    """Add one entry, atomically. If the cache cannot be written, the file is only hashed again."""
    place = key.partition("|")[0]
    kept = {k: v for k, v in _stored().items() if k.partition("|")[0] != place} | {key: digest}
    try:
        _file().parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=_file().parent)
        with os.fdopen(handle, "w", encoding="utf-8") as out:
            json.dump(kept, out)
        os.replace(name, _file())
    except OSError:
        return
