"""Which files are videos or sound."""

import logging
import os
from collections.abc import Iterator
from pathlib import Path

from ...tools.errors import MediaError

__all__ = ["MEDIA_SUFFIXES", "media_files"]

MEDIA_SUFFIXES = frozenset(
    ".3g2 .3gp .asf .avi .divx .dv .f4v .flv .m1v .m2ts .m2v .m4v .mkv .mov .mp4 .mpeg .mpg .mts .mxf .ogv .rm .rmvb "
    ".ts .vob .webm .wmv .aac .ac3 .aif .aiff .flac .m4a .mka .mp2 .mp3 .oga .ogg .opus .wav .wma".split()
)

_log = logging.getLogger(__name__)


def media_files(path: Path) -> Iterator[Path]:
    """A file as given; of a folder, all video and sound files below it, sorted, hidden ones left out.

    Raises:
        MediaError: There is no such file or folder, or the folder cannot be read.
    """
    path = Path(os.path.abspath(Path(path).expanduser()))
    if not path.is_dir():
        if not path.exists():
            raise MediaError(f"{path} does not exist: check the path")
        yield path
        return
    if not os.access(path, os.R_OK | os.X_OK):
        raise MediaError(f"folder {path} may not be read: give yourself permission (chmod u+rx)")
    for folder, folders, names in os.walk(path, onerror=_tell):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            file = Path(folder) / name
            if name.startswith(".") or file.suffix.lower() not in MEDIA_SUFFIXES:
                continue
            if file.suffix.lower() != ".ts" or _is_transport_stream(file):
                yield file


def _tell(error: OSError) -> None:
    _log.warning("folder %s is left out (%s)", error.filename, error.strerror)


def _is_transport_stream(file: Path) -> bool:
    """MPEG-TS packets begin with the byte 0x47; TypeScript shares the ending `.ts`."""
    if not file.is_file():
        return True  # reading it will say what is wrong
    try:
        with file.open("rb") as stream:
            return stream.read(1) == b"\x47"
    except OSError:
        return True  # reading it will say what is wrong
