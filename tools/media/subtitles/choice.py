"""Chooses the subtitles that replace the transcript of a video, and reports the others."""

import bisect
import itertools
import os
import re
import time
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from ...errors import MediaError
from ...records import SubtitleStream, VideoInfo
from ..languages import language_code
from .cues import Cue
from .embedded import read_track
from .files import SUBTITLE_SUFFIXES, UNREAD_SUFFIXES, SubtitleText, read_subtitles

__all__ = ["Subtitles", "choose_subtitles"]

# `talk.en.srt`, `talk.pt-BR.forced.vtt`: what may be between a video's name and its subtitles' suffix.
_MIDDLE = re.compile(
    r"(?:\.(?P<language>[a-z]{2,3}(?:[-_][a-z0-9]{2,8})*))?(?P<kind>(?:\.(?:auto|cc|default|forced|hi|orig|sdh))*)",
    re.I,
)
_KINDS = {"auto", "cc", "default", "forced", "hi", "orig", "sdh"}
# Subtitles that are shown for this share of the longest time count as complete.
_AS_COMPLETE = 0.9
# A folder that changed this recently may change again within the resolution of its time.
_SETTLED_NS = 2_000_000_000


@dataclass(frozen=True)
class Subtitles:
    """Subtitles of a video.

    Attributes:
        path: The file next to the video; None for a track inside it.
        stream: The track inside the video; None for a file.
        language: ISO 639-1; empty if unknown.
        is_forced: Whether they only translate the foreign-language parts.
    """

    path: Path | None = None
    stream: SubtitleStream | None = None
    language: str = ""
    is_forced: bool = False
    is_for_hard_of_hearing: bool = field(default=False)

    @property
    def name(self) -> str:
        """Their name in messages and stage reports."""
        if self.path is not None:
            return self.path.name
        assert self.stream is not None
        return f"stream {self.stream.index} ({', '.join(filter(None, (self.stream.codec, self.language)))})"

    @property
    def source(self) -> str:
        """The source of their observations, as `kind@format`."""
        if self.path is not None:
            return f"sidecar@{self.path.suffix[1:].lower()}"
        assert self.stream is not None
        return f"embedded@{self.stream.codec}"

    def read(self, info: VideoInfo) -> SubtitleText:
        """Their cues.

        Raises:
            MediaError: They cannot be read, or hold no cues.
        """
        if self.path is not None:
            return read_subtitles(self.path, info.video.frame_rate if info.video else None)
        assert self.stream is not None
        cues = read_track(info.path, self.stream)
        if not cues:
            raise MediaError(f"{info.path}: subtitle {self.name} holds no text: set sidecars=false")
        return SubtitleText(cues, [])


def choose_subtitles(info: VideoInfo, language: str | None) -> tuple[Subtitles | None, list[str]]:
    """Return the subtitles that replace the transcript (None: there are none), and a note on each that is not used.

    Their language is that of the setting, else that of the audio stream. The most complete ones are chosen. Forced subtitles
    never replace the transcript.

    Args:
        info: The video.
        language: The language setting, ISO 639-1.

    Raises:
        OSError: The folder cannot be read.
    """
    notes: list[str] = []
    found: list[Subtitles] = []
    for one in (*_files_next_to(info.path, notes), *_inside(info, notes)):
        if one.is_forced:
            notes.append(f"subtitles {one.name} are forced (they only translate foreign-language parts): not used")
        else:
            found.append(one)
    wanted = language or (info.audio.language if info.audio else "")
    fitting = [one for one in found if not wanted or one.language in ("", wanted)]
    if any(one.language == wanted for one in fitting):
        fitting = [one for one in fitting if one.language == wanted] if wanted else fitting
    if not fitting and info.audio is None:
        fitting = found  # nothing can be transcribed: subtitles in another language are better than none
    chosen = _most_complete(fitting, info) if len(fitting) > 1 else next(iter(fitting), None)
    for one in found:
        if one is not chosen:
            tongue = f" (language {one.language})" if one.language and one.path is not None else ""
            notes.append(f"subtitles {one.name}{tongue} are not used")
    return chosen, notes


def _files_next_to(path: Path, notes: list[str]) -> Iterator[Subtitles]:
    """Yield the subtitle files next to a video; names are compared in one Unicode normal form."""
    stem = unicodedata.normalize("NFC", path.stem)
    for file in _files_with(path.parent, stem):
        suffix = file.suffix.lower()
        name = unicodedata.normalize("NFC", file.stem)
        middle = _MIDDLE.fullmatch(name[len(stem) :])
        if middle is None or not file.is_file():
            continue
        if suffix in UNREAD_SUFFIXES or (suffix == ".sub" and file.with_suffix(".idx").exists()):
            notes.append(f"subtitles {file.name} are pictures or of a kind that is not read")
            continue
        tag, kind = middle["language"] or "", middle["kind"].lower()
        if tag.lower() in _KINDS:
            tag, kind = "", f".{tag.lower()}{kind}"
        is_for_hard_of_hearing = any(one in kind.split(".") for one in ("cc", "hi", "sdh"))
        yield Subtitles(file, None, language_code(tag), "forced" in kind, is_for_hard_of_hearing)


def _files_with(folder: Path, stem: str) -> list[Path]:
    """The subtitle files of a folder whose names, in Unicode normal form C, begin with a stem; sorted."""
    changed = folder.stat().st_mtime_ns
    is_settled = time.time_ns() - changed > _SETTLED_NS
    names = _subtitle_names(folder, changed) if is_settled else _subtitle_names.__wrapped__(folder, changed)
    first = bisect.bisect_left(names, (stem,))
    found = itertools.takewhile(lambda one: one[0].startswith(stem), itertools.islice(names, first, None))
    return [folder / name for _, name in found]


@lru_cache(maxsize=16)
def _subtitle_names(folder: Path, changed: int) -> list[tuple[str, str]]:  # noqa: ARG001 (part of the key)
    """Normalized and original names of a folder's subtitle files. A folder of 10,000 videos is listed only once."""
    names = [(unicodedata.normalize("NFC", name), name) for name in os.listdir(folder)]
    return sorted(pair for pair in names if Path(pair[1]).suffix.lower() in SUBTITLE_SUFFIXES | UNREAD_SUFFIXES)


def _inside(info: VideoInfo, notes: list[str]) -> Iterator[Subtitles]:
    for stream in info.subtitles:
        one = Subtitles(None, stream, stream.language, stream.is_forced)
        if stream.is_text:
            yield one
        else:
            notes.append(f"subtitle {one.name} holds pictures of text: not read")


def _most_complete(found: Iterable[Subtitles], info: VideoInfo) -> Subtitles:
    """The subtitles that are shown for the longest time; if equal, files before tracks."""
    found = list(found)
    shown = {one: _shown(one, info) for one in found}
    most = max(shown.values())
    complete = [one for one in found if shown[one] >= _AS_COMPLETE * most]
    return min(
        complete,
        key=lambda one: (one.path is None, bool(one.language), one.is_for_hard_of_hearing, one.name),
    )


def _shown(one: Subtitles, info: VideoInfo) -> float:
    """Seconds for which cues are shown, each second once; 0 if they cannot be read."""
    try:
        cues: list[Cue] = one.read(info).cues
    except MediaError:
        return 0.0
    shown = reached = 0.0
    for cue in cues:
        shown += max(0.0, cue.end - max(cue.start, reached))
        reached = max(reached, cue.end)
    return shown
