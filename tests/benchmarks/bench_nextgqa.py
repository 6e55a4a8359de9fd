"""Finding the span that a question is about, from published captions, without training and without an LLM.

NExT-GQA, half of its validation split (285 videos, 1,685 questions): captions at one a second (published with
VideoTree), MiniLM, and only the question as query: neither its options nor its answer. Measured as by NExT-GQA:
IoU and IoP (the share of the span that lies in the true one) with the best of a question's true spans.

The videos are split in two halves (seed 0). Rules and constants of `index.grounding` were chosen on the half
"tuned on"; each step was measured there first. The table "Steps" is the other half, whose answers chose nothing.
Its questions' wording was read, in part, before the rules were written. "Blind" sees the length of the video
and the question, but no caption: what a benchmark that asks "at the end of the video" gives away. Precise spans
are at least 2 s, or 4 s, long.

Intervals are 95 % of 2,000 resamplings of the videos. For scale: LLoVi with GPT-4 reports mIoP 37.3, on the test
split, other questions and other captions. The captions' vectors are kept in the user's cache: the first run also
makes them, which takes two cores ten minutes.
"""

import gzip
import hashlib
import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from report import Figures, percent, real_data

from playhead.index.grounding import Asked, Channel, ask_of_time, span_posterior, word_match
from playhead.tools.embed import SentenceEncoder, Vectors
from playhead.tools.records import Span, clean_text
from playhead.tools.settings import Settings, cache_folder

_TOP_MARGIN_SECONDS = 4
_RESAMPLINGS = 2000


@dataclass(frozen=True)
class _Video:
    whole: Span
    spans: tuple[Span, ...]
    captions: tuple[str, ...]


class _Question(NamedTuple):
    text: str
    video: str
    truth: tuple[Span, ...]


_Locate = Callable[[_Question], Span]


def measure() -> Figures:
    videos, questions = _videos(), _questions()
    names = sorted(videos)
    random.Random(0).shuffle(names)
    tuned_on = set(names[: len(names) // 2])
    halves = {
        "tuned on": [question for question in questions if question.video in tuned_on],
        "other": [question for question in questions if question.video not in tuned_on],
    }
    steps = _Methods(videos, questions).steps()
    return {
        "NExT-GQA": [
            {"half": half, "videos": len({question.video for question in asked}), "questions": len(asked)}
            for half, asked in halves.items()
        ],
        "Steps, on the other half": [
            {"spans": mode, "method": name, **_quality(halves["other"], locate)} for mode, name, locate in steps
        ],
        "Last step, by half": [
            {"spans": mode, "half": half, **_quality(asked, locate), **_interval(asked, locate, mode)}
            for mode, name, locate in steps
            if name == steps[-1][1]
            for half, asked in {**halves, "both": questions}.items()
        ],
    }


class _Methods:
    """Ways to find a span, each from a question and its video."""

    def __init__(self, videos: dict[str, _Video], questions: Sequence[_Question]) -> None:
        self._videos = videos
        self._asked = {question.text: ask_of_time(question.text) for question in questions}
        texts = {
            text for question, asked in self._asked.items() for text in (question, asked.text, asked.anchor) if text
        }
        self._vectors = _embedded(sorted({caption for video in videos.values() for caption in video.captions}))
        self._vectors |= _embedded(sorted(texts))
        self._compared: dict[tuple[str, str], list[Channel]] = {}

    def steps(self) -> list[tuple[str, str, _Locate]]:
        """Kind of spans, what the method has, and the method: each has what those before it had."""
        balanced: dict[str, _Locate] = {
            "whole video": lambda question: self._videos[question.video].whole,
            "first caption ± 4 s": self._first_caption,
            "blind: a prior over spans": self._by_posterior("balanced", self._nothing, captions=False),
            "blind, and the question's place": self._by_posterior("balanced", self._place, captions=False),
            "captions: a posterior over spans": self._by_posterior("balanced", self._nothing, words=False),
            "and the question's place": self._by_posterior("balanced", self._place, words=False),
            "and words by rarity": self._by_posterior("balanced", self._place),
            "and a description, and the order of clauses": self._by_posterior("balanced", self._everything),
        }
        last = list(balanced)[-1]
        found = [("balanced", name, locate) for name, locate in balanced.items()]
        for seconds in (2.0, 4.0):
            mode = f"precise, {seconds:.0f} s"
            found += [
                (mode, "blind, and the question's place", self._by_posterior(mode, self._place, captions=False)),
                (mode, last, self._by_posterior(mode, self._everything)),
            ]
        return found

    def _first_caption(self, question: _Question) -> Span:
        video = self._videos[question.video]
        meaning, _ = self._channels(question.video, question.text)
        best = video.spans[int(np.argmax(meaning.scores))]
        middle = (best.start + best.end) / 2
        return Span(
            start=max(0.0, middle - _TOP_MARGIN_SECONDS), end=min(video.whole.end, middle + _TOP_MARGIN_SECONDS)
        )

    def _by_posterior(
        self, mode: str, read: Callable[[str], Asked], captions: bool = True, words: bool = True
    ) -> _Locate:
        def locate(question: _Question) -> Span:
            asked, kinds = read(question.text), (2 if words else 1) if captions else 0
            channels = self._channels(question.video, asked.text)[:kinds]
            anchors = self._channels(question.video, asked.anchor)[:kinds] if asked.anchor else []
            posterior = span_posterior(self._videos[question.video].whole, channels, asked, anchors)
            if mode == "balanced":
                return posterior.best()[0].span
            return posterior.best("precise", shortest_seconds=float(mode.split()[1]))[0].span

        return locate

    def _nothing(self, question: str) -> Asked:
        return Asked(text=question)

    def _place(self, question: str) -> Asked:
        asked = self._asked[question]
        return Asked(text=question, place=asked.place, place_width=asked.place_width)

    def _everything(self, question: str) -> Asked:
        return self._asked[question]

    def _channels(self, name: str, text: str) -> list[Channel]:
        """A video's captions compared with a text: by meaning, and by words."""
        if (name, text) not in self._compared:
            video = self._videos[name]
            rows = np.stack([self._vectors[caption] for caption in video.captions])
            self._compared[name, text] = [
                Channel(video.spans, rows @ self._vectors[text]),
                Channel(video.spans, word_match(text, video.captions)),
            ]
        return self._compared[name, text]


def _videos() -> dict[str, _Video]:
    with gzip.open(real_data("nextgqa/captions.jsonl.gz"), "rt", encoding="utf-8") as lines:
        read = [json.loads(line) for line in lines]
    return {
        video["video_id"]: _Video(
            Span(start=0, end=video["duration"]),
            tuple(Span(start=second, end=second + 1) for second, _ in video["captions"]),
            tuple(clean_text(text) for _, text in video["captions"]),
        )
        for video in read
    }


def _questions() -> list[_Question]:
    with real_data("nextgqa/questions.jsonl").open(encoding="utf-8") as lines:
        read = [json.loads(line) for line in lines]
    return [
        _Question(
            clean_text(question["question"]),
            question["video_id"],
            tuple(Span(start=start, end=end) for start, end in question["spans"]),
        )
        for question in read
    ]


def _embedded(texts: Sequence[str]) -> dict[str, Vectors]:
    """Unit vectors of texts, kept in the user's cache."""
    encoder = SentenceEncoder(Settings())
    name = hashlib.blake2b("\n".join([encoder.space, *texts]).encode(), digest_size=8).hexdigest()
    path = cache_folder() / "benchmarks" / f"nextgqa-{name}.npy"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, encoder.encode(texts))
    return dict(zip(texts, np.load(path), strict=True))


def _scores(questions: Sequence[_Question], locate: _Locate) -> npt.NDArray[np.float64]:
    """IoU, IoP and length in seconds of each question's span, shape `(questions, 3)`."""
    rows = []
    for question in questions:
        span = locate(question)
        iou = max(span.iou(true) for true in question.truth)
        rows.append((iou, max(span.overlap(true) for true in question.truth) / span.duration, span.duration))
    return np.array(rows)


def _quality(questions: Sequence[_Question], locate: _Locate) -> dict[str, float]:
    scores = _scores(questions, locate)
    iou, iop, seconds = scores.T
    return {
        "mean_iou": percent(iou.mean()),
        "iou_at_0.3": percent((iou >= 0.3).mean()),
        "iou_at_0.5": percent((iou >= 0.5).mean()),
        "mean_iop": percent(iop.mean()),
        "iop_at_0.5": percent((iop >= 0.5).mean()),
        "mean_seconds": round(float(seconds.mean()), 1),
    }


def _interval(questions: Sequence[_Question], locate: _Locate, mode: str) -> dict[str, str]:
    """What 95 % of resamplings of the videos give, for the measure that the mode is for."""
    score = _scores(questions, locate)[:, 0 if mode == "balanced" else 1]
    videos = np.unique([question.video for question in questions], return_inverse=True)[1]
    sums, counts = np.bincount(videos, score), np.bincount(videos)
    drawn = np.random.default_rng(0).integers(0, len(counts), (_RESAMPLINGS, len(counts)))
    low, high = np.percentile(sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1), (2.5, 97.5))
    return {"interval": f"{'mIoU' if mode == 'balanced' else 'mIoP'} {percent(low)} to {percent(high)}"}
