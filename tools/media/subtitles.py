"""Subtitles beside a video (.srt, .vtt) as speech observations.

The parser is our own: the libraries tried let notes, broken cues and entities through as speech, and
repeat each line of rolling automatic captions.
"""

import html
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from ..errors import MediaError
from ..records import Observation, Span

__all__ = ["find_sidecar", "read_sidecar"]

# `talk.en.srt`, `talk.pt-BR.forced.vtt`: what may stand between a video's name and its subtitles' suffix.
_SIDECAR_MIDDLE = re.compile(
    r"(?:\.(?P<language>[a-z]{2,3})(?:[-_][a-z0-9]{2,8})*)?(?P<kind>(?:\.(?:auto|cc|default|forced|hi|orig|sdh))*)",
    re.I,
)
_STAMP = r"(?:(\d+):)?(\d{1,2}):(\d{2})[.,](\d{1,3})"
_TIMING = re.compile(rf"\s*{_STAMP}\s*-->\s*{_STAMP}(?:\s|$)")
_MARKUP = re.compile(r"</?[A-Za-z][^>]*>|<[\d:.]+>|\{\\[^}]*\}")
# Words with their own times: automatic captions that repeat the line before while the next one grows.
_ROLLING = re.compile(r"<\d+:\d{2}:\d{2}\.\d{3}>")


def find_sidecar(path: Path, language: str | None = None) -> Path | None:
    """The subtitles beside a video: `talk.srt` or `talk.vtt`, else with a language, as `talk.en.srt`.

    Args:
        path: The video.
        language: ISO 639-1, the one to take first where there are several.
    """
    path = Path(path)
    found = []
    for beside in path.parent.iterdir():
        if beside.suffix.lower() not in (".srt", ".vtt") or not beside.name.startswith(path.stem):
            continue
        middle = _SIDECAR_MIDDLE.fullmatch(beside.stem[len(path.stem) :])
        if middle and beside.is_file():
            spoken = (middle["language"] or "").lower()
            # Forced subtitles hold only what is said in a foreign language.
            rank = (bool(spoken), "forced" in middle["kind"].lower(), not spoken.startswith(language or ""))
            found.append((rank, beside.name, beside))
    return min(found)[-1] if found else None


def read_sidecar(path: Path) -> list[Observation]:
    """Speech observations, one a cue, from a .srt or .vtt file.

    Cues without words, or whose times are broken or end before they start, are left out.

    Raises:
        MediaError: The file cannot be read, or holds no cues.
    """
    path = Path(path)
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise MediaError(f"subtitles {path} cannot be read ({error.strerror})") from error
    suffix = path.suffix.lower()
    cues = list(_cues(_decoded(raw), blank_ends=suffix == ".vtt"))
    if not cues:
        raise MediaError(f"{path} holds no subtitles with times: mend or move it, or set sidecars=false")
    return [
        Observation(
            modality="speech", span=Span(start=start, end=end), text=text, score=1.0, source=f"sidecar@{suffix[1:]}"
        )
        for start, end, text in sorted(cues)
        if start < end and text.strip()
    ]


def _decoded(raw: bytes) -> str:
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        return raw.decode("utf-16", errors="replace")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("cp1252", errors="replace")


def _cues(text: str, *, blank_ends: bool) -> Iterator[tuple[float, float, str]]:
    """Start, end and words of each cue; in SubRip (not `blank_ends`) a cue's text may hold blank lines."""
    rolling = _ROLLING.search(text) is not None
    times: tuple[float, float] | None = None
    lines: list[str] = []
    shown: list[str] = []
    for line in [*re.split(r"\r*\n|\r", text), "-->"]:
        starts = "-->" in line
        if starts and lines and lines[-1].strip().isdigit():
            lines.pop()  # this cue's number
        if times and (starts or (blank_ends and not line and lines)):
            yield *times, " ".join(line for line in lines if not (rolling and line in shown))
            shown, times = lines, None
        if starts:
            stamps = _TIMING.match(line)
            times = (_seconds(stamps.groups()[:4]), _seconds(stamps.groups()[4:])) if stamps else None
            lines = []
        elif times and line.strip():
            lines.append(html.unescape(_MARKUP.sub("", line)).strip())


def _seconds(stamp: Sequence[str | None]) -> float:
    hours, minutes, seconds, fraction = stamp
    return int(hours or 0) * 3600 + int(minutes or 0) * 60 + float(f"{seconds}.{fraction}")
