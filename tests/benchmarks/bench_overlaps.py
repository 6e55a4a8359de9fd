"""Where two people speak at once: conversations composed of real voices, half of the speakers held out from tuning.

Turns of LibriSpeech readers as in `bench_speakers.py`. In half of the conversations half of the turns begin 0.6 to 2.5 s before
the last one ends; in the others none does. A moment is overlapping where Silero's detector finds speech in two turns, each heard
alone; so pauses inside a turn are not. The limits of `tools.extractors.overlaps` were chosen on the voices of TUNING.

- Time: precision and recall of the marked time, in steps of 10 ms.
- Overlaps: of those of 0.5 s and more, the share that a mark touches. Marks: the share that touches an overlap.
- One voice at a time: the share of the speech that is marked, in conversations without overlaps.
"""

import time

import numpy as np
from bench_speakers import HELD_OUT, SECONDS, TUNING, noisy, turn, voices
from report import Figures, percent, real_data

from playhead.tools.extractors.overlaps import OverlapDetector, overlaps_of
from playhead.tools.extractors.speech import Window, windows_of
from playhead.tools.extractors.voice import voiced_spans
from playhead.tools.media.audio import RATE
from playhead.tools.media.frames import probe
from playhead.tools.settings import Settings

CONVERSATIONS = 8
STEPS = 100  # a second
LEAST = 0.5  # seconds of an overlap that should be found
ALONE = ("speech/lucier.mp3", "videos/manifesto.mp4")  # one voice each
FILMS = ("videos/agent327.mp4", "videos/tos.webm", "real/aerial.mp4")


def conversation(utterances, count, rng, overlap):
    """Samples, and how many people speak at each step."""
    among = [str(name) for name in rng.choice(sorted(utterances), count, replace=False)]
    track, speaking = np.zeros(3 * SECONDS * RATE, np.float32), np.zeros(3 * SECONDS * STEPS, int)
    waiting, last, end = list(among), "", RATE // 2
    while end < SECONDS * RATE:
        who = waiting.pop(0) if waiting else str(rng.choice([name for name in among if name != last]))
        samples = np.zeros(0, np.float32)
        while len(samples) < 2 * RATE:
            samples = turn(utterances[who][rng.integers(len(utterances[who]))], rng)
        samples = samples * 10 ** (rng.uniform(-26, -20) / 20) / np.sqrt(np.mean(samples**2))
        is_early = last and rng.random() < overlap
        shift = -rng.uniform(0.6, 2.5) if is_early else rng.uniform(0.05, 0.9)
        at = max(RATE // 2, end + round(shift * RATE))
        track[at : at + len(samples)] += samples
        for start, stop in voiced_spans(samples):
            speaking[round((at / RATE + start) * STEPS) : round((at / RATE + stop) * STEPS)] += 1
        end, last = max(end, at + len(samples)), who
    joined = track[: end + RATE // 2]
    joined = np.clip(joined + rng.normal(0, 1e-4, len(joined)), -1, 1).astype(np.float32)
    return joined, speaking[: round(len(joined) / RATE * STEPS)]


def marked(detector, samples):
    """The marks as first and last step."""
    found = overlaps_of([detector.process_window(Window(0.0, samples), lambda _: None)], detector.source)
    return [(round(one.span.start * STEPS), round(one.span.end * STEPS)) for one in found]


def runs(flags):
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(int)))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def scored(detector, made):
    """Of conversations with overlaps."""
    hit = said = true = found = overlaps = right = marks = 0
    for samples, speaking in made:
        spans, both = marked(detector, samples), speaking > 1
        flags = np.zeros(len(both), bool)
        for first, last in spans:
            flags[first:last] = True
            marks, right = marks + 1, right + int(both[first:last].any())
        hit, said, true = hit + (flags & both).sum(), said + flags.sum(), true + both.sum()
        long = [(first, last) for first, last in runs(both) if last - first >= LEAST * STEPS]
        overlaps, found = overlaps + len(long), found + sum(flags[first:last].any() for first, last in long)
    return {
        "overlap_seconds": round(int(true) / STEPS, 1),
        "precision_percent": percent(hit / max(1, said)),
        "recall_percent": percent(hit / max(1, true)),
        "overlaps_found": f"{found} of {overlaps}",
        "marks_right": f"{right} of {marks}",
    }


def false_share(detector, made):
    """Percent of the speech that is marked where one person speaks at a time."""
    marked_steps = sum(speaking[a:b].sum() for samples, speaking in made for a, b in marked(detector, samples))
    return percent(marked_steps / sum(speaking.sum() for _, speaking in made))


def alone(detector, file):
    """Marks in a recording with one voice, or in a film."""
    windows = list(windows_of(probe(real_data(file))))
    found = list(overlaps_of([detector.process_window(one, lambda _: None) for one in windows], detector.source))
    seconds = sum(len(one.samples) for one in windows) / RATE
    return {
        "file": file,
        "seconds": round(seconds, 1),
        "marks": len(found),
        "marked_seconds": round(sum(one.span.duration for one in found), 1),
    }


def measure() -> Figures:
    detector, known = OverlapDetector(Settings(overlaps_model="pyannote-segmentation-3.0")), voices()
    rows, single, noise = [], [], []
    for name, among, seed in (("tuning", TUNING, 21), ("held out", HELD_OUT, 22)):
        utterances = {who: known[who] for who in among}
        made, calm = (
            [conversation(utterances, 2 + n % 3, rng, share) for n in range(CONVERSATIONS)]
            for rng, share in ((np.random.default_rng(seed), 0.5), (np.random.default_rng(seed), 0.0))
        )
        began = time.process_time()
        row = {"voices": name, **scored(detector, made)}
        seconds = sum(len(samples) for samples, _ in made) / RATE
        cost = round((time.process_time() - began) / seconds, 4)
        rows.append(row | {"sound_seconds": round(seconds), "cpu_to_real_time": cost})
        spoken = round(sum(int(speaking.sum()) for _, speaking in calm) / STEPS)
        single.append({"voices": name, "speech_seconds": spoken, "marked_percent": false_share(detector, calm)})
        if name == "held out":
            rng = np.random.default_rng(23)
            loud = [(noisy(samples, 15, rng), speaking) for samples, speaking in made]
            noise = [{"white_noise": "15 dB", **scored(detector, loud)}]
    return {
        "Overlapping speech": rows,
        "One voice at a time": single,
        "Overlapping speech under noise (held out)": noise,
        "Recordings with one voice": [alone(detector, file) for file in ALONE],
        "Films, not checked by ear": [alone(detector, file) for file in FILMS],
    }
