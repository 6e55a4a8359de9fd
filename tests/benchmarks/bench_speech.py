"""Word error rate and speed of speech recognition, for each Whisper model and set of recordings.

Recordings are transcribed as indexing does it: `Speech.transcribe`, language detected. Words are counted by
jiwer over all recordings of a set, both sides normalised by transformers' `EnglishTextNormalizer` without
British spellings (see recordings.py). The real-time factor is transcription time over sound, loading left out.
"""

import time

import jiwer
from recordings import MODELS, normalised, recording_sets, transcriber
from report import Figures, percent

from playhead.tools.media.frames import probe


def measure() -> Figures:
    sets = recording_sets()
    rows = []
    for model in MODELS:
        transcribe = transcriber(model)
        transcribe(next(iter(sets["LibriSpeech 1089"])))  # loads the model
        for name, said in sets.items():
            began = time.perf_counter()
            transcribed = [" ".join(sentence.text for sentence in transcribe(path)) for path in said]
            took = time.perf_counter() - began
            counted = jiwer.process_words([normalised(t) for t in said.values()], [normalised(t) for t in transcribed])
            sound = sum(probe(path).duration for path in said)
            rows.append(
                {
                    "model": model,
                    "recordings": name,
                    "files": len(said),
                    "sound_seconds": round(sound, 1),
                    "words": counted.hits + counted.substitutions + counted.deletions,
                    "word_error_rate_percent": percent(counted.wer),
                    "substituted": counted.substitutions,
                    "left_out": counted.deletions,
                    "added": counted.insertions,
                    "real_time_factor": round(took / sound, 3),
                }
            )
    return {"Speech recognition": rows}
