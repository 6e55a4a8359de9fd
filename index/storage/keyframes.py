"""Small evidence pictures: one WebP a still, named by its true time in milliseconds."""

import bisect
import shutil
from pathlib import Path

from ...tools.records import Frame

__all__ = ["KEYFRAMES", "copy_keyframes", "keyframe_at", "keyframe_times", "write_keyframe"]

KEYFRAMES = "keyframes"
_LONGEST_SIDE = 512
# Of slides, camera and film a still takes 7.3 kB and 4.4 ms at 36.0 dB; as JPEG of quality 55 11.9 kB and 2.2 ms at
# 36.5 dB; with WebP's usual effort (4) 6.8 kB and 11.6 ms at 36.4 dB.
_QUALITY, _EFFORT = 45, 2
_SUFFIX = ".webp"


def write_keyframe(folder: Path, frame: Frame) -> None:
    """Write one frame below a video's folder."""
    from PIL import Image

    target = folder / KEYFRAMES
    target.mkdir(exist_ok=True)
    picture = Image.fromarray(frame.pixels)
    picture.thumbnail((_LONGEST_SIDE, _LONGEST_SIDE), Image.Resampling.BILINEAR, reducing_gap=2.0)
    picture.save(target / _name(round(frame.seconds * 1000)), quality=_QUALITY, method=_EFFORT)


def copy_keyframes(source: Path, target: Path) -> None:
    """Copy the keyframes of one video's folder below another."""
    if (source / KEYFRAMES).is_dir():
        (target / KEYFRAMES).mkdir(exist_ok=True)
        for picture in (source / KEYFRAMES).iterdir():
            shutil.copyfile(picture, target / KEYFRAMES / picture.name)


def keyframe_times(folder: Path) -> list[int]:
    """Milliseconds of a video's keyframes, sorted."""
    return sorted(int(path.stem) for path in (folder / KEYFRAMES).glob(f"*{_SUFFIX}") if path.stem.isdigit())


def keyframe_at(folder: Path, times: list[int], seconds: float) -> Path | None:
    """The keyframe that shows a second: the last at or before it, else the first; None if there are none."""
    if not times:
        return None
    row = bisect.bisect_right(times, round(seconds * 1000))
    return folder / KEYFRAMES / _name(times[max(0, row - 1)])


def _name(milliseconds: int) -> str:
    return f"{milliseconds:010d}{_SUFFIX}"
