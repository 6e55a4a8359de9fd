"""What a fetch is asked for and what it reports."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

__all__ = ["FetchLimits", "FetchProgress", "Fetched"]

# Called with the title, and the bytes done and in total (0: not known).
FetchProgress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class FetchLimits:
    """What is fetched at most; None: no limit.

    Attributes:
        count: Videos of each URL, the first ones of a playlist, channel, feed or folder.
        size: Bytes of one video.
        seconds: Length of one video.
    """

    count: int | None = None
    size: int | None = None
    seconds: float | None = None


@dataclass(frozen=True)
class Fetched:
    """What happened to one video of a URL.

    Attributes:
        url: The video's own page or file, else the URL that was given.
        state: `fetched`, `known` (fetched before), `skipped` (by a limit), or `failed`.
        title: As its source names it.
        path: The file; None if there is none.
        detail: The reason, or a note.
    """

    url: str
    state: Literal["fetched", "known", "skipped", "failed"]
    title: str = ""
    path: Path | None = None
    detail: str = ""
