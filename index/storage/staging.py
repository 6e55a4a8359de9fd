"""Where a library's videos are made before they are committed, and what is left there by processes that were killed.

staging/
  new-<video_id>-<unique>/   being written; its `lock` is held by the process that writes it
  old-<video_id>-<unique>/   what a commit is about to replace
  gone-<video_id>-<unique>/  being deleted

Whoever calls sees to it that no other process is in here meanwhile.
"""

import fcntl
import shutil
import time
import uuid
from pathlib import Path
from typing import IO

from .journal import CAPTIONS, JOURNALS

__all__ = ["LOCK", "aside", "claim", "delete", "finish", "forget", "is_noted", "strip", "sweep"]

LOCK = "lock"
# What a run that was stopped noted is kept for so long: 30 days.
_KEPT_SECONDS = 30 * 86_400


def aside(staging: Path, kind: str, video_id: str) -> Path:
    """A name that nobody else has."""
    return staging / f"{kind}-{video_id}-{uuid.uuid4().hex}"


def claim(staging: Path, video_id: str, fresh: bool) -> tuple[Path, IO[str]]:
    """A folder to write a video into, and its lock, which is held until it is closed or this process ends.

    The folder holds nothing but what was noted (`index.indexing.journal`) where an earlier run of the same video was stopped,
    and not even that if it shall be fresh.
    """
    left = [] if fresh else _left_behind(staging, video_id)
    folder = max(left, key=lambda one: (_noted_at(one), one.name), default=aside(staging, "new", video_id))
    folder.mkdir(parents=True, exist_ok=True)
    lock = (folder / LOCK).open("w")
    fcntl.flock(lock, fcntl.LOCK_EX)
    strip(folder)
    return folder, lock


def finish(committed: Path) -> None:
    """Delete from a committed folder what it was made with; the lock last, by which a later `sweep` knows it."""
    for entry in (JOURNALS, LOCK):
        delete(committed / entry)


def forget(staging: Path, video_id: str) -> None:
    """Delete what killed processes left of a video."""
    for folder in (*staging.glob(f"old-{video_id}-*"), *_left_behind(staging, video_id)):
        delete(folder)


def strip(folder: Path) -> None:
    """Delete all but what was noted, and the lock."""
    for entry in folder.iterdir():
        if entry.name not in (LOCK, JOURNALS, CAPTIONS):
            delete(entry)


def sweep(staging: Path, videos: Path) -> None:
    """Put back what a killed replacement had moved away; drop what nobody writes any more, or will go on with."""
    for folder in sorted(staging.iterdir()):
        kind, _, rest = folder.name.partition("-")
        target = videos / rest.partition("-")[0]
        if kind == "old" and not target.exists():
            folder.rename(target)
        elif kind == "new" and _is_being_written(folder):
            continue
        elif kind == "new" and is_noted(folder):
            strip(folder)
        else:
            delete(folder)
    for folder in videos.iterdir():
        if (folder / LOCK).exists():  # its process was killed right after the commit
            finish(folder)


def is_noted(folder: Path) -> bool:
    """Whether there is something in a folder that a later run can go on with."""
    return time.time() - _noted_at(folder) < _KEPT_SECONDS


def _noted_at(folder: Path) -> float:
    """When something was noted there last, in seconds since 1970; 0: nothing was."""
    noted = (*(folder / JOURNALS).rglob("*.jsonl"), folder / CAPTIONS)
    return max((file.stat().st_mtime for file in noted if file.exists()), default=0.0)


def _left_behind(staging: Path, video_id: str) -> list[Path]:
    return [folder for folder in staging.glob(f"new-{video_id}-*") if not _is_being_written(folder)]


def delete(place: Path) -> None:
    """A file or folder, as far as the disk allows."""
    if place.is_dir() and not place.is_symlink():
        shutil.rmtree(place, ignore_errors=True)
    else:
        place.unlink(missing_ok=True)


def _is_being_written(folder: Path) -> bool:
    try:
        with (folder / LOCK).open() as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False
