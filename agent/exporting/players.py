"""Plays a video at a second in a program of this system."""

import shutil
import subprocess
import sys
from pathlib import Path

from ...tools.errors import SettingsError
from ...tools.records import Span

__all__ = ["play"]

# How each player gets the second to start at. The names are commands; the order is the order of choice.
_PLAYERS = {
    "mpv": ["--start={start:.3f}"],
    "vlc": ["--start-time={start:.3f}"],
    "ffplay": ["-ss", "{start:.3f}"],
    "mplayer": ["-ss", "{start:.3f}"],
}


def play(video: Path, span: Span, player: str | None = None) -> str:
    """Start a player at the start of a span, and return its name; the player keeps running.

    Args:
        video: The file.
        span: The moment.
        player: A command; None: the first of mpv, vlc, ffplay, mplayer that is installed.

    Raises:
        SettingsError: No player is installed that can start at a second.
    """
    names = [player] if player else list(_PLAYERS)
    for name in names:
        program = shutil.which(name)
        if program is None:
            continue
        where = [part.format(start=span.start) for part in _PLAYERS.get(Path(name).stem, [])]
        if not where:
            raise SettingsError(f"no way is known to start {name} at a second: use one of {', '.join(_PLAYERS)}")
        subprocess.Popen(  # noqa: S603 (the program is found in PATH; the file's name is one argument; no shell)
            [program, *where, str(video)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            stdin=subprocess.DEVNULL,
            start_new_session=sys.platform != "win32",
        )
        return name
    raise SettingsError(
        f"{' and '.join(names)} {'is' if len(names) == 1 else 'are'} not installed: install mpv or vlc, or see the "
        "moment in the page: `playhead ui`"
    )
