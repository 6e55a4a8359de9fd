"""How true the times of spoken sentences are, in seconds, against recordings whose times are known.

Three truths, from exact to rough:

* Generated talk: `examples/make_sample.py` places a synthetic voice (eSpeak NG), so each sentence's first and
  last audible sample are known. Each is compared with the transcribed sentence that overlaps it most: that span
  is what an answer cites. "Within" means that both its edges are off by 0.5 s at most.
* Real voices: LibriSpeech utterances joined with 1 s of silence between them. True edges are the first and
  last 50 ms not 25 dB quieter than the utterance's loudest; 20 or 30 dB move them by 0.05 s in the median, by
  0.2 to 0.45 s in a few. An utterance may hold several sentences, so its edges are compared with the first and
  the last word of what was transcribed within it. "Apart" is the share of transcribed sentences that stay
  within one utterance.
* Film: agent327.mp4 (music, effects, animated speakers) and its subtitles, whose times suit reading: rough.
  Words of both are aligned by jiwer; a word counts as in place if its middle lies in its subtitle's time ± 0.5 s.

Kennedy's and Lucier's recordings have no published word times: they are not measured here.
"""

import itertools
import json
import tempfile
import wave
from collections.abc import Sequence
from pathlib import Path

import jiwer
import numpy as np
from recordings import MODELS, make_talk, normalised, recording_sets, transcriber
from report import Figures, Skipped, percent, real_data

from playhead.tools.media.audio import RATE, whole_track
from playhead.tools.media.frames import probe
from playhead.tools.media.subtitles.files import observations_of, read_subtitles
from playhead.tools.records import Observation, Span

NEAR_SECONDS = 0.5
_SILENCE_SECONDS = 1.0
_WINDOW = RATE // 20
_AUDIBLE_DB = -25


def measure() -> Figures:
    figures: dict[str, list] = {"Generated talk": []}
    with tempfile.TemporaryDirectory() as folder:
        talk = make_talk(Path(folder))
        said = json.loads(talk.with_suffix(".truth.json").read_text(encoding="utf-8"))["said"]
        sentences = [Span(start=sentence["start"], end=sentence["end"]) for sentence in said]
        for model in MODELS:
            figures["Generated talk"].append({"model": model, **_sentences(transcriber(model)(talk), sentences)})
        try:
            figures |= _real(Path(folder))
        except Skipped as reason:
            print(f"speech_spans: the generated talk only: {reason}")
    return figures


def _real(folder: Path) -> dict[str, list]:
    film, truth = real_data("videos/agent327.mp4"), real_data("videos/agent327.truth.vtt")
    subtitles = observations_of(read_subtitles(truth).cues, "truth")
    sets, joined = recording_sets(), folder / "joined.wav"
    utterances = _join([*sets["LibriSpeech 237 (DALI)"], *sets["LibriSpeech 1089"]], joined)
    figures: dict[str, list] = {"Real voices": [], "Film": []}
    for model in MODELS:
        transcribe = transcriber(model)
        figures["Real voices"].append({"model": model, **_utterances(transcribe(joined), utterances)})
        figures["Film"].append({"model": model, **_film(transcribe(film), subtitles)})
    return figures


def _sentences(transcribed: Sequence[Observation], said: Sequence[Span]) -> dict[str, float | None]:
    best = [max(transcribed, key=lambda sentence: sentence.span.overlap(span)).span for span in said]
    pairs = [(span, cited) for span, cited in zip(said, best, strict=True) if span.overlap(cited) > 0]
    return {"sentences": len(said), "found": len(pairs), "transcribed": len(transcribed), **_errors(pairs, len(said))}


def _utterances(transcribed: Sequence[Observation], said: Sequence[Span]) -> dict[str, float | None]:
    words = [word for sentence in transcribed for word in sentence.words]
    middles = [(before.end + after.start) / 2 for before, after in itertools.pairwise(said)]
    slots = list(zip([0.0, *middles], [*middles, np.inf], strict=True))
    pairs = []
    for span, (first, last) in zip(said, slots, strict=True):
        within = [word for word in words if first <= (word.start + word.end) / 2 < last]
        if within:
            pairs.append((span, Span(start=within[0].start, end=within[-1].end)))
    apart = [sum(sentence.span.overlap(span) > 0 for span in said) <= 1 for sentence in transcribed]
    return {
        "utterances": len(said),
        "found": len(pairs),
        **_errors(pairs, len(said)),
        "transcribed": len(transcribed),
        "apart_percent": percent(np.mean(apart)),
    }


def _errors(pairs: Sequence[tuple[Span, Span]], count: int) -> dict[str, float | None]:
    """How far found edges lie from true ones; what was not found counts as not within reach."""
    starts = np.array([abs(cited.start - true.start) for true, cited in pairs])
    ends = np.array([abs(cited.end - true.end) for true, cited in pairs])
    return {
        "start_median_seconds": round(float(np.median(starts)), 3),
        "start_max_seconds": round(float(starts.max()), 3),
        "end_median_seconds": round(float(np.median(ends)), 3),
        "end_max_seconds": round(float(ends.max()), 3),
        "within_percent": percent(((starts <= NEAR_SECONDS) & (ends <= NEAR_SECONDS)).sum() / count),
    }


def _film(transcribed: Sequence[Observation], subtitles: Sequence[Observation]) -> dict[str, float | None]:
    shown = [(part, cue.span) for cue in subtitles for part in normalised(cue.text).split()]
    spoken = [
        (part, (word.start + word.end) / 2)
        for sentence in transcribed
        for word in sentence.words
        for part in normalised(word.text).split()
    ]
    aligned = jiwer.process_words(" ".join(part for part, _ in shown), " ".join(part for part, _ in spoken))
    off = [
        max(0.0, shown[i][1].start - spoken[j][1], spoken[j][1] - shown[i][1].end)
        for chunk in aligned.alignments[0]
        if chunk.type == "equal"
        for i, j in zip(
            range(chunk.ref_start_idx, chunk.ref_end_idx), range(chunk.hyp_start_idx, chunk.hyp_end_idx), strict=True
        )
    ]
    return {
        "words": len(shown),
        "word_error_rate_percent": percent(aligned.wer),
        "same_words": len(off),
        "in_place_percent": percent(np.mean(np.array(off) <= NEAR_SECONDS)),
        "farthest_off_seconds": round(max(off), 2),
    }


def _join(paths: Sequence[Path], target: Path) -> list[Span]:
    """Write recordings one after the other as a WAV; where each is audible."""
    silence = np.zeros(round(_SILENCE_SECONDS * RATE), np.float32)
    spans, parts, done = [], [silence], len(silence)
    for path in paths:
        samples = whole_track(probe(path))
        windows = samples[: len(samples) // _WINDOW * _WINDOW].reshape(-1, _WINDOW)
        loudness = np.sqrt(np.square(windows).mean(axis=1))
        audible = np.flatnonzero(loudness > loudness.max() * 10 ** (_AUDIBLE_DB / 20))
        spans.append(Span(start=(done + audible[0] * _WINDOW) / RATE, end=(done + (audible[-1] + 1) * _WINDOW) / RATE))
        parts += [samples, silence]
        done += len(samples) + len(silence)
    with wave.open(str(target), "wb") as out:
        out.setparams((1, 2, RATE, 0, "NONE", "not compressed"))
        out.writeframes((np.concatenate(parts) * 32767).clip(-32768, 32767).astype("<i2").tobytes())
    return spans
