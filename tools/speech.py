"""Speech of a video as observations with word times: transcribed by faster-whisper, or read from a sidecar.

The whole track is transcribed in windows that are cut only where nobody speaks, so that memory
does not grow with length. Word times are trimmed to where voice activity is: Whisper lets a word
swallow the pause before it.
"""

import html
import logging
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .device import resolve_device
from .errors import MediaError, MissingExtraError, SettingsError, WeightsError
from .records import Observation, Span, VideoInfo, Word
from .settings import Settings
from .sound import RATE, Samples, sound_blocks
from .weights import find

if TYPE_CHECKING:
    from faster_whisper import WhisperModel

__all__ = ["Speech", "find_sidecar", "read_sidecar"]

# Windows of about two minutes: short enough for memory, long enough for a pause to cut in.
WINDOW_SECONDS = 120.0
# A sentence that runs on is cut near this length.
LONGEST_SENTENCE = 20.0
# A pause this long ends a sentence; inside of one people hesitate longer. Measured: 1.1 s in Kennedy's "ask not what
# your country can do for you", 2 to 4.8 s in Alvin Lucier's reading of "I am sitting in a room".
LONGEST_PAUSE = 2.0
LONGEST_HESITATION = 5.0

_SENTENCE_ENDS = (".", "?", "!", "…", "。", "？", "！")
_ABBREVIATION = re.compile(r"(?:[A-HJ-Z]|Dr|Mr|Mrs|Ms|Prof|St|vs)\.")

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


class _Heard(NamedTuple):
    """A word as Whisper wrote it (with its leading space), in seconds."""

    start: float
    end: float
    text: str
    probability: float


class Speech:
    """Transcribes a video's sound with a Whisper model in CTranslate2 form."""

    def __init__(self, settings: Settings) -> None:
        """Find the weights; the model loads at first use.

        Raises:
            WeightsError: The weights cannot be had.
            MissingExtraError: faster-whisper is not installed.
        """
        try:
            import faster_whisper  # noqa: F401  (tells at once whether the extra is there)
        except ModuleNotFoundError as error:
            raise MissingExtraError("speech", "faster_whisper", "local") from error
        weights = find(settings.model_for("speech_model"), "speech_model", offline=settings.offline)
        self.source = weights.source
        self._folder = weights.path
        self._device = resolve_device(settings)
        self._language = settings.language
        self._model: WhisperModel | None = None

    def transcribe(self, info: VideoInfo) -> Iterator[Observation]:
        """Sentences in order, each with its words' times on the clock of the video's pictures.

        Args:
            info: From `tools.video.probe`; a file without sound yields nothing.
        """
        for sentence in _sentences(self._words(sound_blocks(info))):
            text = "".join(word.text for word in sentence)
            if text.strip():
                yield self._observation(text, sentence)

    def _words(self, blocks: Iterable[Samples]) -> "Iterator[_Heard]":
        offset = 0.0
        for window in _windows(blocks):
            for word in self._heard(window):
                yield word._replace(start=word.start + offset, end=word.end + offset)
            offset += len(window) / RATE

    def _heard(self, window: Samples) -> "Iterator[_Heard]":
        voiced = voiced_spans(window)
        if not voiced:
            return
        import ctranslate2

        ctranslate2.set_random_seed(0)  # the fallback temperatures sample: same sound, same words
        segments, _ = self._loaded().transcribe(
            window,
            language=self._language,
            word_timestamps=True,
            vad_filter=True,
            vad_parameters={"min_silence_duration_ms": 500},
            condition_on_previous_text=False,
        )
        for segment in segments:
            for word in segment.words or ():
                start, end = _trimmed(word.start, word.end, voiced)
                yield _Heard(start, end, word.word, word.probability)

    def _observation(self, text: str, sentence: Sequence[_Heard]) -> Observation:
        return Observation(
            modality="speech",
            span=Span(start=sentence[0].start, end=max(word.end for word in sentence)),
            text=text,
            score=float(np.clip(np.mean([word.probability for word in sentence]), 0, 1)),
            source=self.source,
            words=tuple(Word(text=word.text, start=word.start, end=word.end) for word in sentence),
        )

    def _loaded(self) -> "WhisperModel":
        if self._model is None:
            from faster_whisper import WhisperModel

            logging.getLogger("faster_whisper").setLevel(logging.WARNING)
            try:
                model = WhisperModel(
                    str(self._folder),
                    device=self._device,
                    compute_type="float16" if self._device == "cuda" else "int8",
                    local_files_only=True,
                )
            except (RuntimeError, ValueError, OSError) as error:
                raise WeightsError(
                    f"speech_model: {self._folder} holds no Whisper model in CTranslate2 form that can be loaded "
                    f"({error}): choose another, or convert it with ct2-transformers-converter"
                ) from error
            if self._language is not None and self._language not in model.supported_languages:
                raise SettingsError(
                    f"language={self._language!r}: {self.source} knows {', '.join(sorted(model.supported_languages))}"
                )
            self._model = model
        return self._model


def voiced_spans(samples: Samples) -> list[tuple[float, float]]:
    """Where somebody speaks, in seconds, by the Silero voice detector that faster-whisper carries."""
    from faster_whisper.vad import get_speech_timestamps

    found: list[dict[str, Any]] = get_speech_timestamps(samples, min_silence_duration_ms=100, speech_pad_ms=30)
    return [(chunk["start"] / RATE, chunk["end"] / RATE) for chunk in found]


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


def _windows(blocks: Iterable[Samples]) -> Iterator[Samples]:
    """Blocks joined to windows of `WINDOW_SECONDS` or a little more, cut in the longest pause of their last half."""
    held = np.zeros(0, np.float32)
    for block in blocks:
        held = np.concatenate([held, block])
        if len(held) < WINDOW_SECONDS * RATE:
            continue
        cut = _pause(held, keep_at_most=4 * WINDOW_SECONDS)
        if cut is not None:
            yield held[:cut]
            held = held[cut:]
    if len(held):
        yield held


def _pause(samples: Samples, keep_at_most: float) -> int | None:
    """Sample in the middle of the longest pause of the last half; None where there is none and room is left."""
    half, length = len(samples) / RATE / 2, len(samples) / RATE
    edges = [0.0, *(edge for span in voiced_spans(samples) for edge in span), length]
    pauses = [
        (end - start, (start + end) / 2) for start, end in zip(edges[::2], edges[1::2], strict=True) if end > half
    ]
    longest, middle = max(pauses, default=(0.0, 0.0))
    if longest >= 0.3:
        return round(max(middle, half) * RATE)
    if length < keep_at_most:
        return None
    # Minutes of speech without a breath: cut at the quietest tenth of a second.
    tenth = RATE // 10
    tail = samples[len(samples) // 2 :]
    loudness = np.square(tail[: len(tail) // tenth * tenth].reshape(-1, tenth)).mean(axis=1)
    return len(samples) // 2 + int(loudness.argmin()) * tenth + tenth // 2


def _trimmed(start: float, end: float, voiced: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """A word's span cut to the voiced stretch that it shares most with; as it is where it shares none."""
    shared = [(min(end, b) - max(start, a), a, b) for a, b in voiced]
    most, a, b = max(shared)
    return (max(start, a), min(end, b)) if most >= 0.05 else (start, max(end, start + 0.01))


def _sentences(words: Iterable[_Heard]) -> Iterator[list[_Heard]]:
    """Runs of words up to a full stop, a long pause, or the longest length."""
    run: list[_Heard] = []
    for word in words:
        if run and _breaks(run[-1], word):
            yield run
            run = []
        run.append(word)
        while run[-1].end - run[0].start > LONGEST_SENTENCE and len(run) > 1:
            cut = _longest_pause(run)
            yield run[:cut]
            run = run[cut:]
        text = word.text.strip()
        if text.endswith(_SENTENCE_ENDS) and not _ABBREVIATION.fullmatch(text):
            yield run
            run = []
    if run:
        yield run


def _breaks(before: _Heard, after: _Heard) -> bool:
    """Whether the pause between two words ends a sentence that has no full stop."""
    goes_on = before.text.rstrip().endswith(",") or after.text.strip()[:1].islower()
    return after.start - before.end > (LONGEST_HESITATION if goes_on else LONGEST_PAUSE)


def _longest_pause(run: Sequence[_Heard]) -> int:
    """Index of the word after the longest pause in the last half of a run."""
    half = (run[0].start + run[-1].end) / 2
    late = [i for i in range(1, len(run)) if run[i].start >= half] or [len(run) - 1]
    return max(late, key=lambda i: run[i].start - run[i - 1].end)
