"""Keyframes of a video: small WebP pictures in one container file with an index, each known by its milliseconds.

One file for each video: 10,000 hours would be 17 million small files. While a video is indexed its pictures are single
files in the staging folder; the commit packs them. `docs/reference/library-format.md` describes the container.
"""

import bisect
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import xxhash

from ....tools.records import Frame

__all__ = [
    "KEYFRAMES",
    "Keyframe",
    "KeyframeIndex",
    "copy_keyframes",
    "move_keyframes",
    "pack_keyframes",
    "read_index",
    "read_picture",
    "write_keyframe",
]

KEYFRAMES = "keyframes.bin"
_STAGED = "keyframes"
_SUFFIX = ".webp"
_LONGEST_SIDE = 512
# Of slides, camera and film a keyframe takes 7.3 kB and 4.4 ms at 36.0 dB; as JPEG of quality 55 11.9 kB and 2.2 ms at
# 36.5 dB; with WebP's usual effort (4) 6.8 kB and 11.6 ms at 36.4 dB.
_QUALITY, _EFFORT = 45, 2

_MAGIC = b"PHKEYFR1"
_ROW = np.dtype([("milliseconds", "<u8"), ("offset", "<u8"), ("length", "<u8"), ("xxh3_64", "<u8")])
_FOOTER = np.dtype([("index_offset", "<u8"), ("count", "<u8"), ("xxh3_64", "<u8"), ("magic", "S8")])


@dataclass(frozen=True)
class Keyframe:
    """One stored picture.

    Attributes:
        milliseconds: True time of its frame.
        picture: The bytes of a WebP file.
    """

    milliseconds: int
    picture: bytes


@dataclass(frozen=True)
class KeyframeIndex:
    """The index of a container: one row for each picture, sorted by time."""

    rows: npt.NDArray[np.void]

    @classmethod
    def empty(cls) -> "KeyframeIndex":
        """The index of a video without keyframes."""
        return cls(np.zeros(0, _ROW))

    @property
    def times(self) -> list[int]:
        """Milliseconds of the keyframes, sorted."""
        return [int(one) for one in self.rows["milliseconds"]]

    def row_at(self, seconds: float) -> int | None:
        """The row of the last keyframe at or before a second, else of the first; None if there is none."""
        if not len(self.rows):
            return None
        return max(0, bisect.bisect_right(self.rows["milliseconds"], round(seconds * 1000)) - 1)

    def row_of(self, milliseconds: int) -> int | None:
        """The row of the keyframe with exactly this time; None if there is none."""
        row = int(np.searchsorted(self.rows["milliseconds"], milliseconds))
        return row if row < len(self.rows) and int(self.rows["milliseconds"][row]) == milliseconds else None


def write_keyframe(folder: Path, frame: Frame) -> None:
    """Write one frame into a staging folder."""
    from PIL import Image

    target = folder / _STAGED
    target.mkdir(exist_ok=True)
    picture = Image.fromarray(frame.pixels)
    picture.thumbnail((_LONGEST_SIDE, _LONGEST_SIDE), Image.Resampling.BILINEAR, reducing_gap=2.0)
    picture.save(target / f"{round(frame.seconds * 1000):010d}{_SUFFIX}", quality=_QUALITY, method=_EFFORT)


def copy_keyframes(source: Path, target: Path) -> None:
    """Copy the keyframes of a committed version into a staging folder."""
    if (source / KEYFRAMES).is_file():
        shutil.copyfile(source / KEYFRAMES, target / KEYFRAMES)


def move_keyframes(source: Path, target: Path, milliseconds: int, *, keep: bool = False) -> None:
    """Move the pictures of a staging folder that are not packed yet into another one, at a later time.

    Args:
        source: From `write_keyframe`.
        target: Another staging folder.
        milliseconds: Added to the time of each picture.
        keep: Copy them.
    """
    (target / _STAGED).mkdir(exist_ok=True)
    for path in (source / _STAGED).glob(f"*{_SUFFIX}"):
        place = target / _STAGED / f"{int(path.stem) + milliseconds:010d}{_SUFFIX}"
        shutil.copyfile(path, place) if keep else shutil.move(path, place)


def pack_keyframes(folder: Path) -> None:
    """Pack the pictures of a staging folder into its container, in place of one that was copied there.

    Without pictures nothing changes. The same pictures give the same bytes.
    """
    staged = folder / _STAGED
    if not staged.is_dir():
        return
    files = sorted(
        (path for path in staged.glob(f"*{_SUFFIX}") if path.stem.isdigit()), key=lambda path: int(path.stem)
    )
    rows = np.zeros(len(files), _ROW)
    offset = len(_MAGIC)
    with (folder / KEYFRAMES).open("wb") as container:
        container.write(_MAGIC)
        for row, file in zip(rows, files, strict=True):
            picture = file.read_bytes()
            row["milliseconds"], row["offset"], row["length"] = int(file.stem), offset, len(picture)
            row["xxh3_64"] = xxhash.xxh3_64_intdigest(picture)
            offset += container.write(picture)
        container.write(rows.tobytes())
        container.write(_footer(offset, rows))
    shutil.rmtree(staged)


def read_index(size: int, read: Callable[[int, int], bytes]) -> KeyframeIndex:
    """Read the index of a container.

    Args:
        size: Bytes of the container.
        read: Returns the bytes from a start to an end, in two reads at most.

    Raises:
        ValueError: The container is damaged.
    """
    if size < len(_MAGIC) + _FOOTER.itemsize:
        raise ValueError(f"{KEYFRAMES} is too short")
    end = size - _FOOTER.itemsize
    raw = read(end, size)
    if len(raw) != _FOOTER.itemsize:
        raise ValueError(f"{KEYFRAMES} is cut off")
    footer = np.frombuffer(raw, _FOOTER)[0]
    start, count = int(footer["index_offset"]), int(footer["count"])
    if bytes(footer["magic"]) != _MAGIC or start + count * _ROW.itemsize != end:
        raise ValueError(f"{KEYFRAMES} has a damaged footer")
    content = read(start, end) if count else b""
    if len(content) != count * _ROW.itemsize or raw != _footer(start, np.frombuffer(content, _ROW)):
        raise ValueError(f"{KEYFRAMES} has a damaged index")
    return KeyframeIndex(np.frombuffer(content, _ROW))


def read_picture(index: KeyframeIndex, row: int, read: Callable[[int, int], bytes]) -> Keyframe:
    """Read one picture of a container.

    Raises:
        ValueError: The picture is damaged.
    """
    entry = index.rows[row]
    start = int(entry["offset"])
    picture = read(start, start + int(entry["length"]))
    if xxhash.xxh3_64_intdigest(picture) != int(entry["xxh3_64"]):
        raise ValueError(f"{KEYFRAMES} has a damaged picture at {int(entry['milliseconds']) / 1000:.3f} s")
    return Keyframe(int(entry["milliseconds"]), picture)


def _footer(index_offset: int, rows: npt.NDArray[np.void] | Sequence[np.void]) -> bytes:
    content = np.asarray(rows, _ROW).tobytes()
    count = len(content) // _ROW.itemsize
    sealed = content + index_offset.to_bytes(8, "little") + count.to_bytes(8, "little")
    return np.array([(index_offset, count, xxhash.xxh3_64_intdigest(sealed), _MAGIC)], _FOOTER).tobytes()
