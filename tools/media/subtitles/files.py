"""Reads a subtitle file next to a video."""

import re
from pathlib import Path
from typing import NamedTuple

from ...errors import MediaError
from ...records import Observation, Span
from .cues import Cue, clean_cue, parse_cues
from .encoding import decode_text

__all__ = ["SUBTITLE_SUFFIXES", "UNREAD_SUFFIXES", "SubtitleText", "observations_of", "read_subtitles"]

SUBTITLE_SUFFIXES = frozenset({".srt", ".vtt", ".ass", ".ssa", ".sub", ".ttml", ".dfxp", ".sbv", ".smi", ".sami"})
# Pictures of text, and lyrics.
UNREAD_SUFFIXES = frozenset({".idx", ".sup", ".lrc", ".stl", ".usf"})
# An hour of speech has 60 kB of words; a file that is larger is not subtitles alone.
_MOST_BYTES = 32_000_000
_MOST_CUES = 200_000
_LOOSE = {".srt", ".vtt", ".sbv"}
_PYSUBS2 = {".ass": "ass", ".ssa": "ssa", ".ttml": "ttml", ".dfxp": "ttml", ".smi": "sami", ".sami": "sami"}
_MICRODVD = re.compile(r"\s*\{\d+\}\{\d*\}")
_DEFAULT_RATE = 25.0


class SubtitleText(NamedTuple):
    """The content of a subtitle file.

    Attributes:
        cues: In order of time.
        notes: Notes for the user: a guessed encoding, time lines that cannot be read, limits.
    """

    cues: list[Cue]
    notes: list[str]


def read_subtitles(path: Path, frame_rate: float | None = None) -> SubtitleText:
    """Read a subtitle file.

    Args:
        path: The file: SubRip, WebVTT, SubViewer, Advanced SubStation Alpha, MicroDVD, TTML, SAMI.
        frame_rate: Frames a second of the video, for MicroDVD, which counts frames.

    Raises:
        MediaError: The file cannot be read, or holds no cues.
    """
    path = Path(path)
    try:
        if not path.is_file():
            raise FileNotFoundError(2, "No such file or directory", str(path))
        with path.open("rb") as file:
            raw = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise MediaError(f"subtitles {path} cannot be read ({error.strerror})") from error
    text, note = decode_text(raw[:_MOST_BYTES])
    notes = [f"{path.name}: {note}"] if note else []
    if len(raw) > _MOST_BYTES:
        notes.append(f"{path.name} is larger than {_MOST_BYTES // 1_000_000} MB: only its start is read")
    suffix = path.suffix.lower()
    if suffix in _LOOSE or (suffix == ".sub" and not _MICRODVD.match(text)):
        cues, unread = parse_cues(text.replace("[br]", "\n") if suffix == ".sub" else text, blank_ends=suffix == ".vtt")
        if unread:
            notes.append(f"{path.name}: {unread} cues are skipped, because their times cannot be read")
    else:
        cues = _parsed(path, text, _PYSUBS2.get(suffix, "microdvd"), frame_rate)
    if not cues:
        raise MediaError(f"{path} holds no subtitles with times: correct or move it, or set sidecars=false")
    if len(cues) > _MOST_CUES:
        notes.append(f"{path.name}: only the first {_MOST_CUES} of {len(cues)} cues are used")
    return SubtitleText(sorted(cues)[:_MOST_CUES], notes)


def observations_of(cues: list[Cue], source: str) -> list[Observation]:
    """Cues as speech observations."""
    return [
        Observation(modality="speech", span=Span(start=cue.start, end=cue.end), text=cue.text, score=1.0, source=source)
        for cue in cues
    ]


def _parsed(path: Path, text: str, form: str, frame_rate: float | None) -> list[Cue]:
    import pysubs2

    if form == "ttml" and re.search(r"<!(?:DOCTYPE|ENTITY)", text):
        raise MediaError(f"{path} declares XML entities: remove the DOCTYPE, or set sidecars=false")
    try:
        read = pysubs2.SSAFile.from_string(text, form, fps=frame_rate or _DEFAULT_RATE if form == "microdvd" else None)
    except Exception as error:
        raise MediaError(
            f"{path} cannot be read as {form} ({error}): correct or move it, or set sidecars=false"
        ) from error
    cues = []
    for event in read.events:
        lines = tuple(filter(None, map(clean_cue, event.plaintext.splitlines())))
        if event.is_text and lines and 0 <= event.start < event.end:
            cues.append(Cue(event.start / 1000, event.end / 1000, lines))
    return cues
