"""Decides which stretches of a video are indexed, where a run asks for one stretch only."""

from collections.abc import Sequence

from ..tools.errors import QueryError
from ..tools.records import Span, VideoInfo, clock
from .records import VideoRecord

__all__ = ["windows_to_index"]

# Stretches that are nearer to each other are one: less is not worth opening the file again.
_GAP_SECONDS = 1.0


def windows_to_index(
    window: Span | None, info: VideoInfo, previous: VideoRecord | None, *, force: bool = False
) -> tuple[Span, ...]:
    """Return the stretches that a video's index covers after a run; empty: the whole video.

    What an earlier run indexed stays part of it: a new window is added to the earlier ones, and a video that is
    indexed as a whole stays so. With `force` only the window is left.

    Args:
        window: The stretch that the run asks for; None: the whole video.
        info: The file.
        previous: The committed record of the same content.
        force: Forget what was indexed before.

    Raises:
        QueryError: The window begins after the end of the video.
    """
    if window is None:
        return ()
    if window.start >= info.duration:
        raise QueryError(f"{info.path.name} ends at {clock(info.duration)}, before the window {window}: choose another")
    before: Sequence[Span] = previous.info.windows if previous and not force else ()
    if previous and not force and not before:
        return ()
    wanted = Span(start=window.start, end=min(window.end, info.duration))
    joined: list[Span] = []
    for one in sorted((*before, wanted), key=lambda span: span.start):
        if joined and one.start - joined[-1].end < _GAP_SECONDS:
            joined[-1] = Span(start=joined[-1].start, end=max(joined[-1].end, one.end))
        else:
            joined.append(one)
    is_whole = len(joined) == 1 and joined[0].start < _GAP_SECONDS and info.duration - joined[0].end < _GAP_SECONDS
    return () if is_whole else tuple(joined)
