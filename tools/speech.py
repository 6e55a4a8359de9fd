"""Speech of a video as observations with word times: transcribed by faster-whisper, or read from a sidecar.

The whole track is transcribed in windows that are cut only where nobody speaks, so that memory
does not grow with length. Word times are trimmed to where voice activity is: Whisper lets a word
swallow the pause before it.
"""

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pysubs2

from .device import resolve_device
from .errors import MediaError, MissingExtraError
from .records import Observation, Span, VideoInfo, Word
from .settings import Settings
from .sound import RATE, Samples, sound_blocks
from .weights import find

if TYPE_CHECKING:
    from faster_whisper import WhisperModel

__all__ = ["Speech", "find_sidecar", "read_sidecar"]

# Windows of about two minutes: short enough for memory, long enough for a pause to cut in.
WINDOW_SECONDS = 120.0
# A sentence that runs on is closed at this length, or where a pause is this long.
LONGEST_SENTENCE = 20.0
LONGEST_PAUSE = 1.0

_SENTENCE_ENDS = (".", "?", "!", "…", "。", "？", "！")


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
        offset = 0.0
        for window in _windows(sound_blocks(info)):
            yield from self._sentences(window, offset)
            offset += len(window) / RATE

    def _sentences(self, window: Samples, offset: float) -> Iterator[Observation]:
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
            words = [_trimmed(w.start, w.end, voiced) + (w.word, w.probability) for w in segment.words or ()]
            for sentence in _split(words):
                yield self._observation(sentence, offset)

    def _observation(self, sentence: "Sequence[tuple[float, float, str, float]]", offset: float) -> Observation:
        words = tuple(
            Word(text=text.strip(), start=start + offset, end=end + offset) for start, end, text, _ in sentence
        )
        return Observation(
            modality="speech",
            span=Span(start=words[0].start, end=words[-1].end),
            text="".join(text for _, _, text, _ in sentence),
            score=float(np.clip(np.mean([probability for *_, probability in sentence]), 0, 1)),
            source=self.source,
            words=words,
        )

    def _loaded(self) -> "WhisperModel":
        if self._model is None:
            from faster_whisper import WhisperModel

            logging.getLogger("faster_whisper").setLevel(logging.WARNING)
            self._model = WhisperModel(
                str(self._folder),
                device=self._device,
                compute_type="float16" if self._device == "cuda" else "int8",
                local_files_only=True,
            )
        return self._model


def voiced_spans(samples: Samples) -> list[tuple[float, float]]:
    """Where somebody speaks, in seconds, by the Silero voice detector that faster-whisper carries."""
    from faster_whisper.vad import get_speech_timestamps

    found: list[dict[str, Any]] = get_speech_timestamps(samples, min_silence_duration_ms=100, speech_pad_ms=30)
    return [(chunk["start"] / RATE, chunk["end"] / RATE) for chunk in found]


def find_sidecar(path: Path) -> Path | None:
    """The subtitles beside a video: `talk.srt` or `talk.vtt`, else `talk.<anything>.srt` or `.vtt`."""
    path = Path(path)
    names = [path.with_suffix(".srt"), path.with_suffix(".vtt")]
    beside = sorted(
        p
        for p in path.parent.iterdir()
        if p.suffix.lower() in (".srt", ".vtt") and p.name.startswith(f"{path.stem}.") and p not in names
    )
    return next((p for p in [*names, *beside] if p.is_file()), None)


def read_sidecar(path: Path) -> list[Observation]:
    """Speech observations, one a cue, from a .srt or .vtt file.

    Cues without words, or that end before they start, are left out.

    Raises:
        MediaError: The file cannot be read as subtitles.
    """
    try:
        raw = path.read_bytes()
        try:
            text = raw.decode("utf-8-sig")
        except UnicodeDecodeError:
            text = raw.decode("cp1252", errors="replace")
        cues = pysubs2.SSAFile.from_string(text, format_=path.suffix.lower().lstrip("."))
    except OSError as error:
        raise MediaError(f"subtitles {path} cannot be read ({error.strerror})") from error
    except (pysubs2.Pysubs2Error, ValueError) as error:
        raise MediaError(f"{path} is no readable subtitle file ({error}): mend or move it") from error
    return [
        Observation(
            modality="speech",
            span=Span(start=cue.start / 1000, end=cue.end / 1000),
            text=cue.plaintext,
            score=1.0,
            source=f"sidecar@{path.suffix.lower().lstrip('.')}",
        )
        for cue in sorted(cues, key=lambda cue: (cue.start, cue.end))
        if 0 <= cue.start < cue.end and cue.plaintext.strip()
    ]


def _windows(blocks: Iterator[Samples]) -> Iterator[Samples]:
    """Blocks joined to windows of `WINDOW_SECONDS` or a little more, cut in the longest pause of their last half."""
    held = np.zeros(0, np.float32)
    for block in blocks:
        held = np.concatenate([held, block])
        if len(held) < WINDOW_SECONDS * RATE:
            continue
        cut = _pause(held, keep_at_most=4 * WINDOW_SECONDS)
        if cut:
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


def _split(words: "Sequence[tuple[float, float, str, float]]") -> "Iterator[list[tuple[float, float, str, float]]]":
    """Sentences: runs of words up to a full stop, a long pause, or the longest length."""
    sentence: list[tuple[float, float, str, float]] = []
    for word in words:
        if sentence and (word[0] - sentence[-1][1] > LONGEST_PAUSE or word[1] - sentence[0][0] > LONGEST_SENTENCE):
            yield sentence
            sentence = []
        sentence.append(word)
        if word[2].rstrip().endswith(_SENTENCE_ENDS):
            yield sentence
            sentence = []
    if sentence:
        yield sentence
