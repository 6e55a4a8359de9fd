"""Borders of chapters in talks made of known subjects, with and without jingles between them.

A talk is six tutorials of TutorialVQA in a row, at most 25 sentences each, with times computed from their words. Between two
tutorials there is music of 3 to 6 s (a jingle), a silence of 1.2 to 2.5 s, or an ordinary pause; between other sentences a pause of
0.2 to 0.9 s, and at every 10th or 33rd one a silence of 1.1 to 2.2 s. Times of music and silences are given: no sound is detected. Half of the
tutorials were looked at.

A border is found exactly if a chapter begins within half a second of the gap between two tutorials. Three ways are compared: moved to the
nearest sentence; to a jingle within half a window first, which `chapters` does; to a jingle or the end of a silence first.
"""

import random

import numpy as np
from report import Figures, percent
from transcripts import tutorials

from playhead.index.localization.chapters import EmbeddedSeries, chapters
from playhead.tools.embedding.texts import SentenceEncoder
from playhead.tools.records import Span
from playhead.tools.settings import Settings

TALKS = 8
SUBJECTS = 6
SENTENCES = (12, 25)
VIDEOS = 32
EXACT, NEAR = 0.6, 5.0  # seconds
# Share of borders with a jingle, of the others with a silence, and of sentences that a silence follows.
GAPS = ((1.0, 0.0, 0.03), (0.5, 1.0, 0.1), (0.0, 1.0, 0.1), (0.0, 0.0, 0.03), (0.0, 0.0, 0.1))


def gap(rng, jingles, silences):
    if rng.random() < jingles:
        return "jingle", rng.uniform(3, 6)
    return ("silence", rng.uniform(1.2, 2.5)) if rng.random() < silences else ("pause", rng.uniform(0.2, 0.9))


def talk(rng, among, kinds):
    """The whole span, the sentences, the gaps between tutorials, and the ends of jingles and of silences."""
    jingles, silences, within = kinds
    at, spans, vectors, borders = 5.0, [], [], []
    ends = {"jingle": [], "silence": [], "pause": []}
    for number, (texts, embedded) in enumerate(rng.sample(among, SUBJECTS)):
        if number:
            what, seconds = gap(rng, jingles, silences)
            borders.append((at, at + seconds))
            at += seconds
            ends[what].append(at)
        for text, vector in zip(texts, embedded, strict=True):
            spans.append(Span(start=at, end=at + max(1.0, len(text.split()) / 2.6)))
            vectors.append(vector)
            is_silent = rng.random() < within
            at = spans[-1].end + (rng.uniform(1.1, 2.2) if is_silent else rng.uniform(0.2, 0.9))
            if is_silent:
                ends["silence"].append(at)
    return Span(start=0, end=at), EmbeddedSeries(spans, np.array(vectors)), borders, ends


def errors(found, borders):
    """Seconds from each border to the nearest start of a chapter."""
    starts = [chapter.start for chapter in found[1:]]
    return [
        min((max(0.0, first - start, start - last) for start in starts), default=float("inf"))
        for first, last in borders
    ]


def measure() -> Figures:
    encoder = SentenceEncoder(Settings(offline=True))
    texts = [[line.text for line in lines[: SENTENCES[1]]] for _, lines in sorted(tutorials().items())[:VIDEOS]]
    known = [(one, encoder.encode(one)) for one in texts if len(one) >= SENTENCES[0]]
    half = len(known) // 2
    rows = []
    for role, among, seed in (("looked at", known[:half], 1), ("held out", known[half:], 2)):
        for kinds in GAPS:
            rng, off = random.Random(seed), {"sentences": [], "jingles": [], "jingles and silences": []}
            for _ in range(TALKS):
                whole, series, borders, ends = talk(rng, among, kinds)
                sentences = [span.start for span in series.spans]
                for way, preferred in zip(off, ([], ends["jingle"], ends["jingle"] + ends["silence"]), strict=True):
                    off[way] += errors(chapters(whole, [series], sentences, (), preferred), borders)
            row = {"tutorials": role, "jingles": kinds[0], "silent_borders": kinds[1], "silent_sentences": kinds[2]}
            for way, seconds in off.items():
                row[f"{way}: exact, within 5 s"] = ", ".join(
                    str(percent(np.mean(np.array(seconds) < least))) for least in (EXACT, NEAR)
                )
            rows.append(row)
    return {"Borders of chapters, percent": rows}
