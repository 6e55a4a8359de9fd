"""Music, singing, speech, silence and loud sounds: composed sound with known truth, half of the material held out.

A composition of about 80 s is a random sequence of read speech, real music, generated music, speech 10 dB above music, digital
silence, room noise, hum, tones, a siren, and bangs in a pause. Readers, pieces of music and bangs of HELD OUT were never looked at
for the thresholds of `tools.extractors.sounds`. Real music and bangs come from the package `arcade` (CC0; no import, `pip
install --no-deps arcade`) and from the films of the test material.
"""

import importlib.util
import time
from pathlib import Path

import numpy as np
from bench_speakers import HELD_OUT, TUNING, voices
from report import Figures, Skipped, percent, real_data

from playhead.tools.extractors.sounds import SoundDetector, sounds_of
from playhead.tools.extractors.speech import Window, windows_of
from playhead.tools.extractors.voice import voiced_spans
from playhead.tools.media.audio import RATE, whole_track
from playhead.tools.media.frames import probe
from playhead.tools.settings import Settings

COMPOSITIONS = 20
LABELS = ("music", "speech", "silence", "loud sound")
_ROOM = 2e-3  # -54 dBFS: the noise of a room under all but silence
BANGS = ("explosion", "hit", "hurt", "laser", "rockHit")
KINDS = ("speech", "real music", "made music", "both", "silence", "noise", "hum", "tone", "siren", "bang")


def assets() -> Path:
    spec = importlib.util.find_spec("arcade")
    if spec is None or not spec.submodule_search_locations:
        raise Skipped("the package arcade holds real music: pip install --no-deps arcade")
    return Path(next(iter(spec.submodule_search_locations))) / "resources/assets"


def load(path):
    return whole_track(probe(path))


def material():
    """Readers, music and bangs of each half."""
    known, folder = voices(), assets()
    bangs = [
        [load(path) for kind in BANGS for path in sorted((folder / "sounds").glob(f"{kind}[{numbers}].wav"))]
        for numbers in ("135", "24")
    ]
    aerial = load(real_data("real/aerial.mp4"))
    return {
        "tuning": ({name: known[name] for name in TUNING}, [load(folder / "music/1918.mp3")], bangs[0]),
        "held out": (
            {name: known[name] for name in HELD_OUT},
            [load(folder / "music/funkyrobot.mp3"), aerial],
            bangs[1],
        ),
    }


def at_level(samples, decibels):
    return samples * 10 ** (decibels / 20) / max(1e-9, np.sqrt(np.mean(np.square(samples))))


def cut(samples, seconds, rng):
    size = round(seconds * RATE)
    first = int(rng.integers(max(1, len(samples) - size)))
    return samples[first : first + size]


def made_music(seconds, rng):
    """Plucked chords over a bass, with drums in half of them, in a random key and tempo."""
    at = np.arange(round(seconds * RATE)) / RATE
    beat, root, drums = rng.uniform(0.3, 0.7), 110 * 2 ** (rng.integers(12) / 12), rng.random() < 0.5
    steps = rng.choice([0, 2, 4, 5, 7, 9, 12, 14, 16], int(seconds / beat) + 2)
    sound = np.zeros(len(at))
    for voice, offset in ((1.0, 0), (0.6, 4), (0.5, 7)):
        pitch = 2 * root * 2 ** ((steps[(at / beat).astype(int)] + offset) / 12)
        phase = 2 * np.pi * np.cumsum(pitch) / RATE
        sound += voice * sum(np.sin(n * phase) / n for n in range(1, 5)) * np.exp(-3 * (at % beat))
    sound += np.sin(2 * np.pi * np.cumsum(root * 2 ** (steps[(at / beat / 4).astype(int)] / 12)) / RATE)
    return sound + drums * rng.normal(size=len(at)) * np.exp(-30 * (at % (2 * beat)))


def spoken(readers, seconds, rng):
    said = readers[str(rng.choice(sorted(readers)))]
    return cut(np.concatenate([said[n] for n in rng.permutation(len(said))]), seconds, rng)


def unnamed(samples, decibels, whole):
    """Sound without a class: `loud sound` is what is measured above -35 dBFS."""
    return at_level(samples, decibels), {"loud sound": whole} if decibels > -35 else {}


def part(kind, half, rng):
    """Samples, and the true labels with their spans within them."""
    readers, music, bangs = half
    seconds = rng.uniform(5, 12)
    at = np.arange(round(seconds * RATE)) / RATE
    level = rng.uniform(-28, -18)
    whole = [(0.0, seconds)]
    if kind == "speech":
        samples = at_level(spoken(readers, seconds, rng), level)
        return samples, {"speech": voiced_spans(samples.astype(np.float32))}
    if kind in ("real music", "made music"):
        piece = cut(music[rng.integers(len(music))], seconds, rng) if kind == "real music" else made_music(seconds, rng)
        return at_level(piece, level), {"music": whole}
    if kind == "both":
        piece = at_level(cut(music[rng.integers(len(music))], seconds, rng), level - 10)
        samples = at_level(spoken(readers, seconds, rng), level)[: len(piece)]
        return samples + piece, {"speech": voiced_spans(samples.astype(np.float32)), "music": whole}
    if kind == "silence":
        return np.zeros(len(at)), {"silence": whole}
    if kind == "noise":
        return unnamed(rng.normal(size=len(at)), rng.uniform(-50, -20), whole)
    if kind == "hum":
        base = rng.choice([50, 60])
        return unnamed(sum(np.sin(2 * np.pi * base * n * at) / n for n in range(1, 6)), rng.uniform(-50, -20), whole)
    if kind == "tone":
        return unnamed(np.sin(2 * np.pi * rng.uniform(300, 2000) * at), rng.uniform(-50, -20), whole)
    if kind == "siren":
        pitch = rng.uniform(500, 900) + 300 * np.sin(2 * np.pi * rng.uniform(0.3, 1) * at)
        return unnamed(np.sin(2 * np.pi * np.cumsum(pitch) / RATE), level, whole)
    bang = bangs[rng.integers(len(bangs))]
    bang = bang[: len(at) - 2 * RATE] / max(1e-9, np.abs(bang).max()) * 10 ** (rng.uniform(-12, -3) / 20)
    quiet = np.zeros(len(at))
    first = int(rng.integers(RATE, len(at) - len(bang)))
    quiet[first : first + len(bang)] += bang
    return quiet, {"loud sound": [(first / RATE, (first + len(bang)) / RATE)]}


def composition(half, rng):
    parts, truth, at = [], {label: [] for label in LABELS}, 0.0
    for kind in rng.permutation(KINDS):
        samples, labels = part(kind, half, rng)
        for label, spans in labels.items():
            truth[label] += [(at + start, at + end) for start, end in spans]
        parts.append(samples if kind == "silence" else samples + rng.normal(0, _ROOM, len(samples)))
        at += len(samples) / RATE
    return np.clip(np.concatenate(parts), -1, 1).astype(np.float32), truth


def flags(spans, count):
    made = np.zeros(count, bool)
    for start, end in spans:
        made[round(start * 100) : round(end * 100)] = True
    return made


def scored(detector, half, seed):
    rng = np.random.default_rng(seed)
    shared, found_all, true_all = dict.fromkeys(LABELS, 0), dict.fromkeys(LABELS, 0), dict.fromkeys(LABELS, 0)
    hits, edges = {label: [0, 0, 0] for label in LABELS}, {label: [] for label in LABELS}
    seconds, cpu = 0.0, 0.0
    for _ in range(COMPOSITIONS):
        samples, truth = composition(half, rng)
        began = time.process_time()
        found = list(sounds_of([detector.process_window(Window(0.0, samples), lambda _: None)], detector.source))
        cpu += time.process_time() - began
        seconds += len(samples) / RATE
        count = len(samples) // 160
        for label in LABELS:
            spans = [(one.span.start, one.span.end) for one in found if one.text == label]
            right, made = flags(truth[label], count), flags(spans, count)
            shared[label] += int((right & made).sum())
            found_all[label] += int(made.sum())
            true_all[label] += int(right.sum())
            joined = [(a / 100, b / 100) for a, b in runs(right)]
            near = [min(spans, key=lambda s, t=t: abs(s[0] - t[0]), default=None) for t in joined]
            hits[label][0] += sum(any(min(b, d) > max(a, c) for c, d in spans) for a, b in joined)
            hits[label][1] += len(joined)
            hits[label][2] += sum(not any(min(b, d) > max(a, c) for c, d in joined) for a, b in spans)
            edges[label] += [
                abs(s[0] - t[0]) for s, t in zip(near, joined, strict=True) if s and min(s[1], t[1]) > max(s[0], t[0])
            ]
    rows = [
        {
            "sound": label,
            "precision_percent": percent(shared[label] / max(1, found_all[label])),
            "recall_percent": percent(shared[label] / max(1, true_all[label])),
            "found": f"{hits[label][0]} of {hits[label][1]}",
            "false_spans": hits[label][2],
            "start_error_median_s": round(float(np.median(edges[label])), 2) if edges[label] else None,
            "start_error_p90_s": round(float(np.percentile(edges[label], 90)), 2) if edges[label] else None,
        }
        for label in LABELS
    ]
    return rows, cpu / seconds


def runs(made):
    edges = np.flatnonzero(np.diff(np.concatenate([[False], made, [False]]).astype(int)))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def films(detector):
    """Share of each film under each label."""
    rows = []
    for film in (
        "videos/agent327.mp4",
        "videos/tos.webm",
        "videos/manifesto.mp4",
        "videos/boats.mp4",
        "real/aerial.mp4",
    ):
        path = real_data(film)
        found = list(
            sounds_of([detector.process_window(w, lambda _: None) for w in windows_of(probe(path))], detector.source)
        )
        length = probe(path).duration
        rows.append(
            {"film": film}
            | {
                f"{label.replace(' ', '_')}_percent": percent(
                    sum(o.span.duration for o in found if o.text == label) / length
                )
                for label in (*LABELS, "singing")
            }
        )
    return rows


def measure() -> Figures:
    detector, halves, tables = SoundDetector(Settings()), material(), {}
    costs = []
    for seed, (name, half) in enumerate(halves.items(), start=1):
        rows, cost = scored(detector, half, seed)
        tables[f"Composed sound, {name}"] = rows
        costs.append({"material": name, "cpu_to_real_time": round(cost, 4)})
    return tables | {"Cost, one thread": costs, "Films: share of time under each label": films(detector)}
