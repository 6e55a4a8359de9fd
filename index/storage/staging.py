"""Staging folders: where a video is written before its commit, and what killed processes leave behind.

    staging/new-<video_id>-<unique>/   one video being written; its process holds the file lock `lock`
        journals/  captions.jsonl      results so far: the next run of the same video continues from them

The caller makes sure that no other process changes staging folders meanwhile.
"""

import fcntl
import os
import shutil
import time
import uuid
from contextlib import suppress
from pathlib import Path
from typing import IO

from .committed.versions import CURRENT, CommittedVideo, is_video_id, version_name
from .journal import CAPTIONS, JOURNALS

__all__ = [
    "GRACE_SECONDS",
    "claim",
    "delete",
    "delete_versions",
    "forget",
    "has_results",
    "is_locked",
    "strip",
    "sweep",
]

LOCK = "lock"
# A replaced version is kept this long, so that readers which know of no newer one can finish.
GRACE_SECONDS = 600
# Results of a run that was stopped are kept for 30 days.
_KEPT_SECONDS = 30 * 86_400


def claim(staging: Path, video_id: str, fresh: bool) -> tuple[Path, IO[str]]:
    """Make a staging folder for a video, or take the one that a stopped run left.

    Args:
        staging: Parent of the staging folders.
        video_id: The video.
        fresh: Ignore the results of earlier runs.

    Returns:
        The folder, which holds at most the results of an earlier run; and its lock, which is held until it is closed
        or this process ends.
    """
    left = [] if fresh else _left_behind(staging, video_id)
    new = staging / f"new-{video_id}-{uuid.uuid4().hex}"
    folder = max(left, key=lambda one: (_newest_result(one), one.name), default=new)
    folder.mkdir(parents=True, exist_ok=True)
    lock = (folder / LOCK).open("w")
    fcntl.flock(lock, fcntl.LOCK_EX)
    strip(folder)
    return folder, lock


def forget(staging: Path, video_id: str) -> None:
    """Delete the folders that killed processes left of a video."""
    for folder in _left_behind(staging, video_id):
        delete(folder)


def strip(folder: Path) -> None:
    """Delete everything from a staging folder except its results and its lock."""
    for entry in folder.iterdir():
        if entry.name not in (LOCK, JOURNALS, CAPTIONS):
            delete(entry)


def sweep(staging: Path, videos: Path) -> None:
    """Delete staging folders without results, replaced versions after their grace period, and temporary files."""
    for folder in staging.iterdir():
        if not folder.name.startswith("new-"):
            delete(folder)
        elif not is_locked(folder / LOCK):
            strip(folder) if has_results(folder) else delete(folder)
    for name in filter(is_video_id, os.listdir(videos)):
        delete_versions(videos / name, older_than=time.time() - GRACE_SECONDS)


def delete_versions(video: Path, *, older_than: float) -> None:
    """Delete the versions and temporary files of a video that are not current.

    Args:
        video: The video's folder. With a damaged `video.json` nothing is deleted; without one, everything.
        older_than: Seconds since 1970: only what was replaced, or made, before then.
    """
    names = os.listdir(video)
    if CURRENT in names:
        if len(names) <= 2:
            return
        try:
            current = CommittedVideo.parse(video.name, (video / CURRENT).read_bytes())
        except (ValueError, OSError):
            return
        names = [name for name in names if name not in (CURRENT, version_name(current.record.commit))]
    for name in names:
        with suppress(OSError):
            if (video / name).stat().st_mtime < older_than:
                delete(video / name)
    with suppress(OSError):
        video.rmdir()  # if it is empty


def has_results(folder: Path) -> bool:
    """Whether a staging folder holds results that a later run can use."""
    return time.time() - _newest_result(folder) < _KEPT_SECONDS


def delete(place: Path) -> None:
    """Delete a file or folder, as far as the disk allows."""
    if place.is_dir() and not place.is_symlink():
        shutil.rmtree(place, ignore_errors=True)
    else:
        with suppress(OSError):
            place.unlink(missing_ok=True)


def _newest_result(folder: Path) -> float:
    """When the newest result of a staging folder was written, in seconds since 1970; 0 if it has none."""
    results = (*(folder / JOURNALS).rglob("*.jsonl"), folder / CAPTIONS)
    return max((file.stat().st_mtime for file in results if file.exists()), default=0.0)


def _left_behind(staging: Path, video_id: str) -> list[Path]:
    return [folder for folder in staging.glob(f"new-{video_id}-*") if not is_locked(folder / LOCK)]


def is_locked(path: Path) -> bool:
    """Whether another process holds the lock of a file; False if the file cannot be opened."""
    try:
        with path.open() as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False
