"""Finding the span that a question is about, from published captions, without training and without an LLM.

NExT-GQA, half of its validation split (285 videos, 1,685 questions): captions at one a second (published with
VideoTree), MiniLM, and only the question as query: neither its options nor its answer. Measured as by NExT-GQA:
IoU and IoP (the share of the span that lies in the true one) with the best of a question's true spans. The last step
in balanced and precise mode is what `playhead eval nextgqa` runs.

The videos are split in two halves (seed 0). Rules and constants of `index.localization.grounding` were chosen on the half
"tuned on"; each step was measured there first. The table "Steps" is the other half, whose answers chose nothing.
Its questions' wording was read, in part, before the rules were written. "Blind" sees the length of the video
and the question, but no caption: what a benchmark that asks "at the end of the video" gives away. Precise spans
are at least 2 s, or 4 s, long.

Intervals are 95 % of 2,000 resamplings of the videos. For scale: LLoVi with GPT-4 reports mIoP 37.3, on the test
split, other questions and other captions. The captions' vectors are kept in the user's cache: the first run also
makes them, which takes two cores ten minutes.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from report import Figures, percent, real_data

from playhead.agent.evaluation.datasets import load
from playhead.agent.evaluation.metrics.resampling import halves, interval
from playhead.agent.evaluation.metrics.spans import best_iop, best_iou, grounding
from playhead.agent.evaluation.records import Question
from playhead.agent.evaluation.systems.cached_vectors import CachedVectors
from playhead.agent.evaluation.systems.grounders import Captioned, CaptionGrounder, read_captions
from playhead.tools.embedding.texts import SentenceEncoder
from playhead.tools.records import Span
from playhead.tools.settings import Settings

_TOP_MARGIN_SECONDS = 4

_Locate = Callable[[Question], Span]


def measure() -> Figures:
    folder = real_data("nextgqa/captions.jsonl.gz").parent
    captions, questions = read_captions(folder), load("nextgqa", folder).questions
    tuned_on, _ = halves(captions)
    split = {
        "tuned on": [question for question in questions if question.video in tuned_on],
        "other": [question for question in questions if question.video not in tuned_on],
    }
    steps = _steps(captions, CaptionGrounder(captions, questions, CachedVectors(SentenceEncoder(Settings()))))
    return {
        "NExT-GQA": [
            {"half": half, "videos": len({question.video for question in asked}), "questions": len(asked)}
            for half, asked in split.items()
        ],
        "Steps, on the other half": [
            {"spans": mode, "method": name, **_quality(split["other"], locate)} for mode, name, locate in steps
        ],
        "Last step, by half": [
            {"spans": mode, "half": half, **_quality(asked, locate), **_interval(asked, locate, mode)}
            for mode, name, locate in steps
            if name == steps[-1][1]
            for half, asked in {**split, "both": questions}.items()
        ],
    }


def _steps(captions: Mapping[str, Captioned], grounder: CaptionGrounder) -> list[tuple[str, str, _Locate]]:
    """Kind of spans, what the method has, and the method: each has what those before it had."""

    def first_caption(question: Question) -> Span:
        video = captions[question.video]
        best = video.spans[int(np.argmax(grounder.channels(question.video, question.question)[0].scores))]
        middle = (best.start + best.end) / 2
        return Span(
            start=max(0.0, middle - _TOP_MARGIN_SECONDS), end=min(video.whole.end, middle + _TOP_MARGIN_SECONDS)
        )

    def posterior(**options: object) -> _Locate:
        return lambda question: grounder.locate(question.question, question.video, **options)[0]

    balanced: dict[str, _Locate] = {
        "whole video": lambda question: captions[question.video].whole,
        "first caption ± 4 s": first_caption,
        "blind: a prior over spans": posterior(reading="words", channels=0),
        "blind, and the question's place": posterior(reading="place", channels=0),
        "captions: a posterior over spans": posterior(reading="words", channels=1),
        "and the question's place": posterior(reading="place", channels=1),
        "and words by rarity": posterior(reading="place"),
        "and a description, and the order of clauses": posterior(),
    }
    last = list(balanced)[-1]
    found = [("balanced", name, locate) for name, locate in balanced.items()]
    for seconds in (2.0, 4.0):
        precise = {"mode": "precise", "shortest_seconds": seconds}
        blind = posterior(reading="place", channels=0, **precise)
        found.append((f"precise, {seconds:.0f} s", "blind, and the question's place", blind))
        found.append((f"precise, {seconds:.0f} s", last, posterior(**precise)))
    return found


def _quality(questions: Sequence[Question], locate: _Locate) -> dict[str, float]:
    spans = [locate(question) for question in questions]
    scores = grounding(spans, [question.spans for question in questions])
    return {
        "mean_iou": percent(scores["mIoU"]),
        "iou_at_0.3": percent(scores["IoU@0.3"]),
        "iou_at_0.5": percent(scores["IoU@0.5"]),
        "mean_iop": percent(scores["mIoP"]),
        "iop_at_0.5": percent(scores["IoP@0.5"]),
        "mean_seconds": round(float(np.mean([span.duration for span in spans])), 1),
    }


def _interval(questions: Sequence[Question], locate: _Locate, mode: str) -> dict[str, str]:
    """What 95 % of resamplings of the videos give, for the measure that the mode is for."""
    name, score = ("mIoU", best_iou) if mode == "balanced" else ("mIoP", best_iop)
    values = [score(locate(question), question.spans) for question in questions]
    found = interval(values, [question.video for question in questions])
    return {"interval": f"{name} {percent(found.low)} to {percent(found.high)}"}
