"""Who speaks when: conversations composed of real voices, half of the speakers held out from tuning.

Turns of 2 to 15 s are cut from LibriSpeech utterances at pauses and put together with pauses of 0.05 to 0.9 s. Scored by
pyannote.metrics: diarisation error rate with a collar of 0.25 s on each side (which it calls 0.5). The thresholds of
`tools.extractors.speakers` were chosen on the voices of TUNING; HELD_OUT voices were never looked at for that.
"""

import time
from itertools import combinations

import numpy as np
from report import Figures, percent, real_data

from playhead.tools.extractors.speakers import SAME_VOICE, SpeakerExtractor, turns_of
from playhead.tools.extractors.speech import Window, windows_of
from playhead.tools.extractors.voice import voiced_spans
from playhead.tools.media.audio import RATE
from playhead.tools.media.frames import probe
from playhead.tools.settings import Settings

TUNING = ("1688", "1998", "2033", "1089")
HELD_OUT = ("2414", "2609", "3005", "237")
CONVERSATIONS = 15
SECONDS = 60
NOISES = (25, 15, 5)  # dB of white noise below the speech
FILMS = ("videos/agent327.mp4", "videos/tos.webm")


def load(path):
    return np.concatenate([window.samples for window in windows_of(probe(path))])


def voices():
    """The utterances of each reader."""
    folders = [folder for folder in real_data("speech/speakers").iterdir() if folder.is_dir()]
    paths = {folder.name: sorted(folder.glob("*.flac")) for folder in folders}
    paths["237"] = sorted(real_data("speech/dali").glob("*.flac"))[:10]
    paths["1089"] = sorted(real_data("speech").glob("1089*.flac"))
    return {name: [load(path) for path in files] for name, files in paths.items()}


def turn(samples, rng):
    """A part of an utterance that begins and ends at pauses, of 2 to 15 s."""
    spans, wanted = voiced_spans(samples), rng.uniform(2, 15)
    first = int(rng.integers(len(spans)))
    start, end = spans[first]
    for _begin, stop in spans[first + 1 :]:
        if end - start >= 2 and stop - start > wanted:
            break
        end = stop
    return samples[max(0, round((start - 0.05) * RATE)) : round((end + 0.05) * RATE)]


def conversation(utterances, count, rng, overlap=0.0):
    """Samples, and who speaks from when to when; a share `overlap` of the turns begins 1 to 2 s before the last one ends."""
    among = [str(name) for name in rng.choice(sorted(utterances), count, replace=False)]
    parts, turns, waiting, last = [np.zeros(RATE // 2, np.float32)], [], list(among), ""
    while (at := sum(map(len, parts)) / RATE) < SECONDS:
        who = waiting.pop(0) if waiting else str(rng.choice([name for name in among if name != last]))
        samples = np.zeros(0, np.float32)
        while len(samples) < 2 * RATE:
            samples = turn(utterances[who][rng.integers(len(utterances[who]))], rng)
        samples = samples * 10 ** (rng.uniform(-26, -20) / 20) / np.sqrt(np.mean(samples**2))
        if turns and rng.random() < overlap:
            back = len(parts[-1]) + round(rng.uniform(1, 2) * RATE)
            whole = np.concatenate(parts)
            samples = (
                np.concatenate([whole[-back:], np.zeros(max(0, len(samples) - back), np.float32)])[: len(samples)]
                + samples
            )
            parts, at = [whole[:-back]], (len(whole) - back) / RATE
        turns.append((at, at + len(samples) / RATE, who))
        parts += [samples, np.zeros(round(rng.uniform(0.05, 0.9) * RATE), np.float32)]
        last = who
    joined = np.concatenate(parts)
    return np.clip(joined + rng.normal(0, 1e-4, len(joined)), -1, 1).astype(np.float32), turns


def noisy(samples, decibels, rng):
    power = np.mean(samples[np.abs(samples) > 0.003] ** 2) / 10 ** (decibels / 10)
    return (samples + rng.normal(0, np.sqrt(power), len(samples))).astype(np.float32)


def turns_in(extractor, samples):
    return list(turns_of([extractor.process_window(Window(0.0, samples), lambda _: None)], extractor.source))


def annotation(turns):
    from pyannote.core import Annotation, Segment

    made = Annotation()
    for number, (start, end, who) in enumerate(turns):
        made[Segment(start, end), number] = who
    return made


def scored(extractor, made, decibels=None):
    """Error rate, conversations with the right number of speakers, conversations declined."""
    from pyannote.metrics.diarization import DiarizationErrorRate

    metric = DiarizationErrorRate(collar=0.5)
    right = declined = 0
    for number, (samples, truth) in enumerate(made):
        detected = samples if decibels is None else noisy(samples, decibels, np.random.default_rng(number))
        found = turns_in(extractor, detected)
        if not found:
            declined += 1
            continue
        right += len({one.text for one in found}) == len({who for *_, who in truth})
        metric(annotation(truth), annotation([(one.span.start, one.span.end, one.text) for one in found]))
    return {
        "conversations": len(made),
        "declined": declined,
        "error_rate_percent": percent(abs(metric)) if declined < len(made) else None,
        "number_right": right,
    }


def across(extractor, utterances):
    """The same voice in other recordings: halves of each reader's utterances, all pairs."""
    prints = []
    for who, pieces in utterances.items():
        for half in (pieces[::2], pieces[1::2]):
            found = turns_in(extractor, np.concatenate(half))
            prints += [(who, np.array(one.vector)) for one in found if one.vector]
    pairs = [
        (a == b, float(u @ v / np.linalg.norm(u) / np.linalg.norm(v)) >= SAME_VOICE)
        for (a, u), (b, v) in combinations(prints, 2)
    ]
    joined, same = (
        [is_same for is_same, is_joined in pairs if is_joined],
        [is_joined for is_same, is_joined in pairs if is_same],
    )
    return {
        "voices": len(prints),
        "precision_percent": percent(sum(joined) / max(1, len(joined))),
        "recall_percent": percent(sum(same) / max(1, len(same))),
    }


def measure() -> Figures:
    extractor, known = SpeakerExtractor(Settings(speakers_model="resemblyzer")), voices()
    rows, noise, films, overlaps = [], [], [], []
    for name, among, seed in (("tuning", TUNING, 1), ("held out", HELD_OUT, 2)):
        rng = np.random.default_rng(seed)
        made = [conversation({who: known[who] for who in among}, 2 + n % 3, rng) for n in range(CONVERSATIONS)]
        began = time.process_time()
        row = {"voices": name, **scored(extractor, made)}
        seconds = sum(len(samples) for samples, _ in made) / RATE
        rows.append(
            row
            | {"sound_seconds": round(seconds), "cpu_to_real_time": round((time.process_time() - began) / seconds, 4)}
        )
        if name == "held out":
            rng = np.random.default_rng(3)
            among_all = {who: known[who] for who in among}
            mixed = [conversation(among_all, 2 + n % 3, rng, overlap=0.5) for n in range(6)]
            overlaps = [{"turns_that_overlap": "half, by 1 to 2 s", **scored(extractor, mixed)}]
            noise = [{"white_noise": f"{db} dB", **scored(extractor, made[:4], db)} for db in NOISES]
    for film in FILMS:
        windows = [extractor.process_window(window, lambda _: None) for window in windows_of(probe(real_data(film)))]
        found = {one.text for one in turns_of(windows, extractor.source)}
        films.append({"film": film, "speakers": len(found), "declined": str(not found)})
    return {
        "Diarisation": rows,
        "Diarisation under noise (held out)": noise,
        "Diarisation with overlapping speech (held out)": overlaps,
        "The same voice in other recordings": [across(extractor, known)],
        "Films": films,
    }
