"""Plays a video at a second in a program of this system."""

import os
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from ...tools.errors import SettingsError
from ...tools.records import Span

__all__ = ["installed_player", "play"]

# A player that cannot open a window ends within this time.
_START_SECONDS = 0.7

# How each player gets the second to start at. The names are commands; the order is the order of choice.
_PLAYERS = {
    "mpv": ["--start={start:.3f}"],
    "vlc": ["--start-time={start:.3f}"],
    "ffplay": ["-ss", "{start:.3f}"],
    "mplayer": ["-ss", "{start:.3f}"],
}


def installed_player() -> str | None:
    """Return the first player that can start at a second; None: none is installed, or there is no screen (SSH)."""
    if sys.platform == "linux" and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return None
    return next((name for name in _PLAYERS if shutil.which(name)), None)


def play(video: Path, span: Span, player: str | None = None) -> str:
    """Start a player at the start of a span, and return its name; the player keeps running.

    Args:
        video: The file.
        span: The moment.
        player: A command; None: the first of mpv, vlc, ffplay, mplayer that is installed.

    Raises:
        SettingsError: No player is installed that can start at a second, or it ended at once.
    """
    names = [player] if player else list(_PLAYERS)
    for name in names:
        program = shutil.which(name)
        if program is None:
            continue
        where = [part.format(start=span.start) for part in _PLAYERS.get(Path(name).stem, [])]
        if not where:
            raise SettingsError(f"no way is known to start {name} at a second: use one of {', '.join(_PLAYERS)}")
        running = subprocess.Popen(  # noqa: S603 (the program is found in PATH; the file's name is one argument; no shell)
            [program, *where, str(video)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            stdin=subprocess.DEVNULL,
            start_new_session=sys.platform != "win32",
        )
        with suppress(subprocess.TimeoutExpired):
            if running.wait(_START_SECONDS):
                raise SettingsError(
                    f"{name} ended at once (code {running.returncode}). See the moment in the page: --page"
                )
        return name
    raise SettingsError(
        f"{' and '.join(names)} {'is' if len(names) == 1 else 'are'} not installed: install mpv or vlc, or see the "
        "moment in the page: --page"
    )
