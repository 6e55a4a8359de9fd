"""Keyframes of a video: small WebP pictures in one container file with an index, each known by its milliseconds.

One file for each video: 10,000 hours would be 17 million small files. While a video is indexed its pictures are single
files in the staging folder; the commit packs them. `docs/reference/library-format.md` describes the container.
"""

import bisect
import io
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
    "LONGEST_SIDE",
    "Keyframe",
    "KeyframeIndex",
    "copy_keyframes",
    "keyframe_key",
    "move_keyframes",
    "pack_keyframes",
    "read_index",
    "read_picture",
    "write_keyframe",
]

KEYFRAMES = "keyframes.bin"
_STAGED = "keyframes"
_SUFFIX = ".webp"
LONGEST_SIDE = 512
# Of slides, camera and film a keyframe takes 6.8 kB and 11.6 ms at 36.4 dB with effort 4; with effort 2 7.3 kB and 4.4 ms at
# 36.0 dB; as JPEG of quality 55 11.9 kB and 2.2 ms at 36.5 dB. Of 1080p code effort 6 takes 7 % less than 4, at 0.2 dB less.
_QUALITY, _EFFORT = 45, 6
# A picture that takes more bytes is dense: of 41 keyframes of 1080p code 22 take 10 kB, and their text cannot be read in 512 pixels.
# These are stored at the smaller side, 6 kB at the same signal to noise.
_MOST_BYTES, _DENSE_SIDE = 7400, 384

# Keyframes of a video stream other than the file's best one follow the others: this many milliseconds (34 years) apart for
# each index of a stream.
_STREAM_STEP = 1 << 40

_MAGIC = b"PHKEYFR1"
_ROW = np.dtype([("milliseconds", "<u8"), ("offset", "<u8"), ("length", "<u8"), ("xxh3_64", "<u8")])
_FOOTER = np.dtype([("index_offset", "<u8"), ("count", "<u8"), ("xxh3_64", "<u8"), ("magic", "S8")])


@dataclass(frozen=True)
class Keyframe:
    """One stored picture.

    Attributes:
        milliseconds: True time of its frame.
        stream: Index of its video stream; None for the file's best one.
        picture: The bytes of a WebP file.
    """

    milliseconds: int
    picture: bytes
    stream: int | None = None


def keyframe_key(milliseconds: int, stream: int | None) -> int:
    """Return the number under which a keyframe is stored."""
    return milliseconds if stream is None else (stream + 1) * _STREAM_STEP + milliseconds


@dataclass(frozen=True)
class KeyframeIndex:
    """The index of a container: one row for each picture, sorted by stream and time (`keyframe_key`)."""

    rows: npt.NDArray[np.void]

    @classmethod
    def empty(cls) -> "KeyframeIndex":
        """The index of a video without keyframes."""
        return cls(np.zeros(0, _ROW))

    def times(self, stream: int | None = None) -> list[int]:
        """Milliseconds of a stream's keyframes, sorted."""
        first, last = self._rows_of(stream)
        return [int(one) % _STREAM_STEP for one in self.rows["milliseconds"][first:last]]

    def row_at(self, seconds: float, stream: int | None = None) -> int | None:
        """The row of a stream's last keyframe at or before a second, else of its first; None if there is none."""
        first, last = self._rows_of(stream)
        if first == last:
            return None
        key = keyframe_key(round(seconds * 1000), stream)
        return max(first, bisect.bisect_right(self.rows["milliseconds"], key, first, last) - 1)

    def row_of(self, milliseconds: int, stream: int | None = None) -> int | None:
        """The row of the keyframe with exactly this time; None if there is none."""
        key = keyframe_key(milliseconds, stream)
        row = int(np.searchsorted(self.rows["milliseconds"], key))
        return row if row < len(self.rows) and int(self.rows["milliseconds"][row]) == key else None

    def fragment(self, row: int) -> str:
        """A keyframe as the fragment of a reference: `t=12.480`, and `&stream=1` for a stream that is not the best."""
        number, milliseconds = divmod(int(self.rows["milliseconds"][row]), _STREAM_STEP)
        return f"t={milliseconds / 1000:.3f}" + (f"&stream={number - 1}" if number else "")

    def _rows_of(self, stream: int | None) -> tuple[int, int]:
        start = keyframe_key(0, stream)
        first, last = (bisect.bisect_left(self.rows["milliseconds"], edge) for edge in (start, start + _STREAM_STEP))
        return first, last


def write_keyframe(folder: Path, frame: Frame, stream: int | None = None) -> None:
    """Write one frame into a staging folder; `stream` as in `Keyframe`."""
    target = folder / _STAGED
    target.mkdir(exist_ok=True)
    content = _encoded(frame, LONGEST_SIDE)
    if len(content) > _MOST_BYTES:
        content = _encoded(frame, _DENSE_SIDE)
    (target / f"{keyframe_key(round(frame.seconds * 1000), stream):010d}{_SUFFIX}").write_bytes(content)


def _encoded(frame: Frame, side: int) -> bytes:
    """A frame as a WebP picture whose longer side is at most this long."""
    from PIL import Image

    picture = Image.fromarray(frame.pixels)
    picture.thumbnail((side, side), Image.Resampling.BILINEAR, reducing_gap=2.0)
    content = io.BytesIO()
    picture.save(content, "WEBP", quality=_QUALITY, method=_EFFORT)
    return content.getvalue()


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
        raise ValueError(
            f"{KEYFRAMES} has a damaged picture at {int(entry['milliseconds']) % _STREAM_STEP / 1000:.3f} s"
        )
    number, milliseconds = divmod(int(entry["milliseconds"]), _STREAM_STEP)
    return Keyframe(milliseconds, picture, number - 1 if number else None)


def _footer(index_offset: int, rows: npt.NDArray[np.void] | Sequence[np.void]) -> bytes:
    content = np.asarray(rows, _ROW).tobytes()
    count = len(content) // _ROW.itemsize
    sealed = content + index_offset.to_bytes(8, "little") + count.to_bytes(8, "little")
    return np.array([(index_offset, count, xxhash.xxh3_64_intdigest(sealed), _MAGIC)], _FOOTER).tobytes()
