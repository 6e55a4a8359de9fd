"""Finds the video and audio files of a folder."""

import difflib
import logging
import os
from collections.abc import Iterator
from pathlib import Path

from ...tools.errors import MediaError

__all__ = ["MEDIA_SUFFIXES", "media_files", "nearest_name"]

MEDIA_SUFFIXES = frozenset(
    ".3g2 .3gp .asf .avi .divx .dv .f4v .flv .m1v .m2ts .m2v .m4v .mkv .mov .mp4 .mpeg .mpg .mts .mxf .ogv .rm .rmvb "
    ".ts .vob .webm .wmv .aac .ac3 .aif .aiff .flac .m4a .mka .mp2 .mp3 .oga .ogg .opus .wav .wma".split()
)

# Lists of other files: the files that they name are indexed, the lists are not.
_PLAYLIST_SUFFIXES = frozenset(".m3u .m3u8 .mpd .pls .xspf .asx .ffconcat .cue".split())

_log = logging.getLogger(__name__)


def media_files(path: Path) -> Iterator[Path]:
    """Yield a file as given; for a folder, all video and audio files below it, sorted, without hidden ones.

    Linked folders are followed, each real folder once. Playlists are named in a warning.

    Raises:
        MediaError: There is no such file or folder, or the folder cannot be read.
    """
    path = Path(os.path.abspath(Path(path).expanduser()))
    if not path.is_dir():
        if not path.exists():
            raise MediaError(f"{path} does not exist: {nearest_name(path)}")
        yield path
        return
    if not os.access(path, os.R_OK | os.X_OK):
        raise MediaError(f"folder {path} may not be read: give yourself permission (chmod u+rx)")
    seen = {os.path.realpath(path)}
    for folder, folders, names in os.walk(path, onerror=_warn, followlinks=True):
        folders[:] = [name for name in sorted(folders) if _is_new_folder(Path(folder) / name, seen)]
        for name in sorted(names):
            file = Path(folder) / name
            if name.startswith("."):
                continue
            if file.suffix.lower() in _PLAYLIST_SUFFIXES:
                _log.warning("%s is a playlist: not read; the files that it names are indexed where they are", file)
            elif file.suffix.lower() not in MEDIA_SUFFIXES:
                continue
            elif not file.exists():
                _log.warning("%s is a link to a file that does not exist: skipped", file)
            elif file.suffix.lower() != ".ts" or _is_transport_stream(file):
                yield file


def nearest_name(path: Path) -> str:
    """Return what to do about a path that does not exist: the name in its folder that resembles it, if there is one."""
    folder = Path(os.path.abspath(path.expanduser())).parent
    try:
        names = [one.name for one in folder.iterdir()]
    except OSError:
        names = []
    alike = difflib.get_close_matches(path.name, names, n=1)
    return f"did you mean {path.parent / alike[0]}?" if alike else "check the path"


def _is_new_folder(folder: Path, seen: set[str]) -> bool:
    """Whether a folder should be read: it is not hidden, and was not read before under another name."""
    if folder.name.startswith("."):
        return False
    real = os.path.realpath(folder)
    if real in seen:
        _log.warning("folder %s is a link to %s, which was read already: skipped", folder, real)
        return False
    seen.add(real)
    return True


def _warn(error: OSError) -> None:
    _log.warning("folder %s is skipped (%s)", error.filename, error.strerror)


def _is_transport_stream(file: Path) -> bool:
    """MPEG-TS packets begin with the byte 0x47; TypeScript shares the ending `.ts`."""
    if not file.is_file():
        return True  # reading it will say what is wrong
    try:
        with file.open("rb") as stream:
            return stream.read(1) == b"\x47"
    except OSError:
        return True  # reading it will say what is wrong
