"""Speech of a video as observations with word times: transcribed by faster-whisper.

The track is transcribed in windows, so that memory does not grow with length. A window ends only in a pause. Each voiced
stretch is transcribed in its own language, at an even level. Hallucinations of Whisper are dropped. Word times are trimmed to
the voiced stretches, because Whisper includes the pause before a word in its time.
"""

import logging
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

from ..device import cores, resolve_device
from ..errors import MissingExtraError, SettingsError, WeightsError
from ..media.audio import MIXING, RATE, AudioBlock, Samples, audio_blocks
from ..records import Observation, Span, VideoInfo, Word
from ..settings import Settings
from ..weights import find
from .hallucinations import INVENTED, Segment, is_invented, without_loops
from .voice import (
    VOICE,
    LanguageRun,
    even_levels,
    language_runs,
    level_changes,
    raised_voices,
    stretches_of,
    voiced_spans,
)

if TYPE_CHECKING:
    from faster_whisper import WhisperModel

__all__ = ["SPEECH_PARAMETERS", "Speech", "TranscribedWord", "Transcriber", "Window", "sentences_of", "windows_of"]

# Windows of about two minutes: short enough for memory, long enough for a pause to cut in.
WINDOW_SECONDS = 120.0
# A longer sentence is split near this length.
LONGEST_SENTENCE = 20.0
# A pause of this length ends a sentence, except after a comma or before a lower-case word: there hesitations are longer.
# Measured: 1.1 s in Kennedy's "ask not what
# your country can do for you", 2 to 4.8 s in Alvin Lucier's reading of "I am sitting in a room".
LONGEST_PAUSE = 2.0
LONGEST_HESITATION = 5.0

# A window ends in a pause of at least this length, if there is one.
SHORTEST_PAUSE = 0.3

# Sound around a run of one language that is transcribed with it.
MARGIN_SECONDS = 0.25

# More retries of an unclear stretch take minutes and add hallucinations.
_TEMPERATURES = [0.0, 0.4, 0.8]

# Threads of a Whisper model, at most (faster-whisper's own number); half of the cores are left to the pictures. They wait
# actively: 300 s of speech on two cores take 23 s, 24 CPU seconds, with one thread, and 26 s, 37 CPU seconds, with two.
_MOST_THREADS = 4

_MOST_FEATURES = 3000  # 30 s, the encoder's longest input
# Whisper detects the language of a short stretch badly: it was trained on 30 s, silence included. With the stretch repeated to 8 s
# it errs in 8 of 40 sentences, padded to 30 s in 9 (in 4 among the languages of the file), alone in 16 of 40; the times are
# 0.10, 0.72 and 0.05 CPU seconds a stretch (Whisper base).
_INPUT_SECONDS, _REPEATED_SECONDS, _BETWEEN_SECONDS = 30.0, 8.0, 0.4

# Everything that a transcript depends on besides the model: the version number of the method, and the constants.
SPEECH_PARAMETERS: tuple[float, ...] = (
    2,
    WINDOW_SECONDS,
    LONGEST_SENTENCE,
    LONGEST_PAUSE,
    LONGEST_HESITATION,
    SHORTEST_PAUSE,
)
SPEECH_PARAMETERS += (MARGIN_SECONDS, _INPUT_SECONDS, _REPEATED_SECONDS, _BETWEEN_SECONDS, *_TEMPERATURES)
SPEECH_PARAMETERS += (*MIXING, *VOICE, *INVENTED)

_log = logging.getLogger(__name__)

_SENTENCE_ENDS = (".", "?", "!", "…", "。", "？", "！")
_ABBREVIATION = re.compile(r"(?:[A-HJ-Z]|Dr|Mr|Mrs|Ms|Prof|St|vs)\.")


class TranscribedWord(NamedTuple):
    """A word as Whisper wrote it (with its leading space), in seconds of the file's timeline."""

    start: float
    end: float
    text: str
    probability: float


class Window(NamedTuple):
    """A stretch of sound.

    Attributes:
        start: Its first second on the file's timeline.
        samples: Mono, at `tools.media.audio.RATE`, full scale ±1; float32, shape `(n,)`.
    """

    start: float
    samples: Samples


class Transcriber(Protocol):
    """Transcribes stretches of sound."""

    source: str

    def process_window(self, window: Window, progress: Callable[[float], None]) -> list[TranscribedWord]:
        """Return the words in order: the same for the same window, whatever was transcribed before.

        Args:
            window: The sound.
            progress: Called at intervals with the second that is reached; an error that it raises ends the work.
        """


class _CheckedModel:
    """A CTranslate2 model that calls `check` before each piece of work: an error that it raises ends the transcription.

    A piece takes seconds at most; faster-whisper returns only after all pieces of 30 s of sound.
    """

    _PIECES = ("encode", "detect_language", "generate", "align")

    def __init__(self, model: Any) -> None:
        self._model = model
        self.check: Callable[[], None] = _nothing

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._model, name)
        if name not in self._PIECES:
            return found

        def run(*arguments: Any, **options: Any) -> Any:
            self.check()
            return found(*arguments, **options)

        return run


def _nothing() -> None:
    """Check nothing."""


class Speech:
    """Transcribes a video's sound with a Whisper model in CTranslate2 form."""

    def __init__(self, settings: Settings) -> None:
        """Find the weights; the model loads at first use.

        Raises:
            WeightsError: The weights are not available.
            MissingExtraError: faster-whisper is not installed.
        """
        try:
            import faster_whisper  # noqa: F401  (fails early if the extra is not installed)
        except ModuleNotFoundError as error:
            raise MissingExtraError("speech", "faster_whisper", "local") from error
        weights = find(settings.model_for("speech_model"), "speech_model", offline=settings.offline)
        self.source = weights.source
        self._folder = weights.path
        self._device = resolve_device(settings)
        self._language = settings.language
        self._model: WhisperModel | None = None

    def transcribe(self, info: VideoInfo) -> Iterator[Observation]:
        """Yield sentences in order, each with its words' times on the file's timeline.

        Args:
            info: From `tools.media.frames.probe`; a file without sound yields nothing.

        Raises:
            WeightsError: The model cannot be loaded.
            SettingsError: The model does not know the language.
        """
        words = (word for window in windows_of(info) for word in self.process_window(window, _ignore))
        return sentences_of(words, self.source)

    def process_window(self, window: Window, progress: Callable[[float], None]) -> list[TranscribedWord]:
        """As `Transcriber.process_window`.

        Raises:
            WeightsError: The model cannot be loaded.
            SettingsError: The model does not know the language.
        """
        voiced = voiced_spans(even_levels(window.samples))
        if not voiced:
            return []
        samples = raised_voices(window.samples, voiced)
        length = len(samples) / RATE
        words: list[TranscribedWord] = []
        reached = float(window.start)
        checked: Any = self._loaded().model
        checked.check = lambda: progress(reached)
        for run in _cut_at(self._runs(samples, voiced), level_changes(window.samples, voiced)):
            start = max(0.0, run.start - MARGIN_SECONDS)
            end = min(length, run.end + MARGIN_SECONDS)
            for word in self._words(samples[round(start * RATE) : round(end * RATE)], run.language, start, voiced):
                start_second, end_second = float(window.start + word.start), float(window.start + word.end)
                words.append(word._replace(start=start_second, end=end_second))
                reached = max(reached, end_second)
                progress(reached)
            reached = max(reached, window.start + run.end)
            progress(reached)
        return [words[row] for row in without_loops([word.text for word in words])]

    def _runs(self, samples: Samples, voiced: Sequence[tuple[float, float]]) -> list[LanguageRun]:
        """Return the runs of one language; the whole window if a language is set, or if the model has only one."""
        model = self._loaded()
        length = len(samples) / RATE
        if self._language is not None or not model.model.is_multilingual:
            return [LanguageRun(0.0, length, self._language or "en")]

        def detect(start: float, end: float, is_careful: bool) -> dict[str, float]:
            stretch = samples[round(start * RATE) : round(end * RATE)]
            stretch = _padded(stretch) if is_careful else _repeated(stretch)
            features = model.feature_extractor(stretch)[:, :_MOST_FEATURES]
            found = model.model.detect_language(model.encode(features))[0]
            return {token[2:-2]: float(probability) for token, probability in found}

        runs = language_runs(stretches_of(voiced), length, detect)
        if len({run.language for run in runs}) == 1:
            return [LanguageRun(0.0, length, runs[0].language)]
        return runs

    def _words(
        self, samples: Samples, language: str, offset: float, voiced: Sequence[tuple[float, float]]
    ) -> Iterator[TranscribedWord]:
        """Yield the words of a run, in seconds of the window, without hallucinations."""
        import ctranslate2

        ctranslate2.set_random_seed(0)  # the fallback temperatures sample: same sound, same words
        segments, _ = self._loaded().transcribe(
            samples,
            language=language,
            word_timestamps=True,
            vad_filter=True,
            vad_parameters={"min_silence_duration_ms": 500},
            condition_on_previous_text=False,
            temperature=_TEMPERATURES,
        )
        for segment in segments:
            spoken = [word for word in segment.words or () if word.word.strip()]
            if not spoken:
                continue
            spans = [_trimmed(offset + word.start, offset + word.end, voiced) for word in spoken]
            measured = Segment(
                spans,
                [word.word for word in spoken],
                segment.no_speech_prob,
                segment.avg_logprob,
                segment.compression_ratio,
            )
            if is_invented(measured, voiced):
                _log.debug("dropped as invented: %s", measured)
                continue
            for word, (start, end) in zip(spoken, spans, strict=True):
                yield TranscribedWord(start, end, word.word, float(word.probability))

    def _loaded(self) -> "WhisperModel":
        if self._model is None:
            from faster_whisper import WhisperModel

            logging.getLogger("faster_whisper").setLevel(logging.WARNING)
            try:
                model = WhisperModel(
                    str(self._folder),
                    device=self._device,
                    compute_type="float16" if self._device == "cuda" else "int8",
                    cpu_threads=min(_MOST_THREADS, max(1, cores() // 2)),
                    local_files_only=True,
                )
            except (RuntimeError, ValueError, OSError) as error:
                raise WeightsError(
                    f"speech_model: {self._folder} holds no Whisper model in CTranslate2 form that can be loaded "
                    f"({error}): choose another, or convert it with ct2-transformers-converter"
                ) from error
            if self._language is not None and self._language not in model.supported_languages:
                raise SettingsError(
                    f"language={self._language!r}: {self.source} supports {', '.join(sorted(model.supported_languages))}"
                )
            model.model = _CheckedModel(model.model)
            self._model = model
        return self._model


def _padded(samples: Samples) -> Samples:
    """A stretch with silence after it, as long as the encoder's input."""
    return np.pad(samples, (0, max(0, round(_INPUT_SECONDS * RATE) - len(samples))))


def _repeated(samples: Samples) -> Samples:
    """A stretch again and again, with pauses."""
    once = np.pad(samples, (0, round(_BETWEEN_SECONDS * RATE)))
    return np.resize(once, max(len(samples), round(_REPEATED_SECONDS * RATE)))


def _cut_at(runs: Sequence[LanguageRun], cuts: Sequence[float]) -> Iterator[LanguageRun]:
    """Split runs where another voice follows: Whisper skips a quiet sentence after a similar loud one."""
    for run in runs:
        edges = [run.start, *(cut for cut in cuts if run.start < cut < run.end), run.end]
        yield from (run._replace(start=start, end=end) for start, end in pairwise(edges))


def _ignore(_: float) -> None:
    """Ignore the progress."""


def windows_of(info: VideoInfo) -> Iterator[Window]:
    """Yield the sound of a video in windows of about two minutes that end in pauses.

    Args:
        info: From `tools.media.frames.probe`; a file without sound yields nothing.

    Raises:
        MediaError: The file cannot be opened.
    """
    for start, blocks in _runs(audio_blocks(info)):
        first = round(start * RATE)
        for samples in _windows(blocks):
            yield Window(first / RATE, samples)
            first += len(samples)


def sentences_of(words: Iterable[TranscribedWord], source: str) -> Iterator[Observation]:
    """Yield sentences made of words, in order; `source` is the extractor of the words."""
    for sentence in _sentences(words):
        text = "".join(word.text for word in sentence)
        if text.strip():
            yield Observation(
                modality="speech",
                span=Span(start=sentence[0].start, end=max(word.end for word in sentence)),
                text=text,
                score=float(np.clip(np.mean([word.probability for word in sentence]), 0, 1)),
                source=source,
                words=tuple(
                    Word(
                        text=word.text, start=word.start, end=word.end, probability=min(1.0, max(0.0, word.probability))
                    )
                    for word in sentence
                ),
            )


def _runs(blocks: Iterable[AudioBlock]) -> Iterator[tuple[float, Iterator[Samples]]]:
    """Blocks that follow each other without a gap, with the second where they start."""
    each = iter(blocks)
    first = next(each, None)
    while first is not None:
        following: list[AudioBlock | None] = [None]

        def run(block: AudioBlock = first, following: list[AudioBlock | None] = following) -> Iterator[Samples]:
            yield block.samples
            for other in each:
                if not other.follows:
                    following[0] = other
                    return
                yield other.samples

        yield first.start, run()
        first = following[0]


def _windows(blocks: Iterable[Samples]) -> Iterator[Samples]:
    """Join blocks to windows of `WINDOW_SECONDS` or a little more; each ends in the longest pause of its last half."""
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
    """Sample in the middle of the longest pause of the last half; None if there is no pause and the window may still grow."""
    half, length = len(samples) / RATE / 2, len(samples) / RATE
    edges = [0.0, *(edge for span in voiced_spans(samples) for edge in span), length]
    pauses = [(max(start, half), end) for start, end in zip(edges[::2], edges[1::2], strict=True) if end > half]
    start, end = max(pauses, key=lambda pause: pause[1] - pause[0], default=(half, half))
    if end - start >= SHORTEST_PAUSE:
        return round((start + end) / 2 * RATE)
    if length < keep_at_most:
        return None
    # Minutes of speech without a pause: cut at the quietest tenth of a second.
    tenth = RATE // 10
    tail = samples[len(samples) // 2 :]
    loudness = np.square(tail[: len(tail) // tenth * tenth].reshape(-1, tenth)).mean(axis=1)
    return len(samples) // 2 + int(loudness.argmin()) * tenth + tenth // 2


def _trimmed(start: float, end: float, voiced: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """A word's span, trimmed to the voiced stretch with the largest overlap; unchanged without an overlap."""
    shared = [(min(end, b) - max(start, a), a, b) for a, b in voiced]
    most, a, b = max(shared)
    return (max(start, a), min(end, b)) if most >= 0.05 else (start, max(end, start + 0.01))


def _sentences(words: Iterable[TranscribedWord]) -> Iterator[list[TranscribedWord]]:
    """Split words into sentences: at a full stop, a long pause, or the longest length."""
    run: list[TranscribedWord] = []
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


def _breaks(before: TranscribedWord, after: TranscribedWord) -> bool:
    """Whether the pause between two words ends a sentence that has no full stop."""
    goes_on = before.text.rstrip().endswith(",") or after.text.strip()[:1].islower()
    return after.start - before.end > (LONGEST_HESITATION if goes_on else LONGEST_PAUSE)


def _longest_pause(run: Sequence[TranscribedWord]) -> int:
    """Index of the word after the longest pause in the last half of a run."""
    half = (run[0].start + run[-1].end) / 2
    late = [i for i in range(1, len(run)) if run[i].start >= half] or [len(run) - 1]
    return max(late, key=lambda i: run[i].start - run[i - 1].end)
