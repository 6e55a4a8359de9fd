"""Needles in an hour: what is found, answered and declined in composed hours, without any LLM.

Two videos of an hour for each seed (`playhead.agent.evaluation.haystack.compose`): slides of 640 × 360, photographs, an eSpeak
voice, stretches of real clips. Near duplicates with other names, cities and numbers lie beside each needle. Indexed with the
profile `offline` and YOLOv8n (int8); every question is asked of its own hour. What is shown is asked for by classes of
COCO, which the detector knows, and in free text, for much of which neither it nor the labels of ImageNet have a word.
Seed 1 was looked at while Playhead was made; of seed 2 only the counts were (`bench_counts.py`): its failures are counted, never listed.

- Retrieval: the share of questions whose best result (`find` for moments, `search` for evidence) overlaps a true span.
- Asked: `answered` is the share that is not declined, `right` the share whose first claim cites evidence that overlaps
  a true span (`count`: the first number of the answer's text is the true one, or the true one is between the two numbers of an answer
  such as `2 times, perhaps 3`, which is `hedged`; `never`: declined as `insufficient`).
- Cost: frames that `tools.media.frames.frames_at` decoded for one question at most, seconds for one `ask`.
"""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
from haystacks import SEEDS, Haystack, make_haystack
from report import Figures, percent

from playhead.agent.evaluation.haystack.compose import HaystackQuestion
from playhead.agent.evaluation.haystack.needles import Asked
from playhead.tools.media import frames as video

_NEEDLES = ("said", "written", "shown: detector class", "shown: free text")
_KINDS = (*_NEEDLES, "before-after", "count", "never")


def measure() -> Figures:
    retrieved, asked, costs, failed = [], [], [], []
    for seed, role in SEEDS.items():
        haystack = make_haystack(seed)
        whose = {"seed": seed, "role": role}
        answers = [one for question in haystack.questions for one in [_ask(haystack, question)]]
        retrieved += [whose | row for row in _retrieval(haystack)]
        asked += [whose | row for row in _answers(answers)]
        costs.append(whose | _cost(answers))
        if role == "tuned on":
            failed = [_failure(one) for one in answers if not one.is_right]
    figures = {"Retrieval: best result overlaps the truth": retrieved, "Asked without an LLM": asked, "Cost": costs}
    return figures | ({"What fails on the seed that is tuned on": failed} if failed else {})


def _retrieval(haystack: Haystack) -> Iterator[dict[str, str | float | None]]:
    for kind in _NEEDLES:
        questions = [one for one in haystack.questions if _kind(one) == kind]
        ways: dict[str, Callable[..., Sequence]] = {"find": haystack.library.find, "search": haystack.library.search}
        row: dict[str, str | float | None] = {"kind": kind, "questions": len(questions)}
        for way, call in ways.items():
            found = [call(one.question, 5, videos=haystack.path(one)) for one in questions]
            for k in (1, 5):
                row[f"{way}_recall@{k}_percent"] = percent(
                    np.mean([_overlaps(one, results[:k]) for one, results in zip(questions, found, strict=True)])
                )
        yield row


def _kind(question: HaystackQuestion) -> str:
    """What is shown may have a word in the models' vocabulary, or not."""
    return f"shown: {question.detail}" if question.kind == "shown" else question.kind


def _overlaps(question: HaystackQuestion, results: Sequence) -> bool:
    return any(span.overlap(one.span) > 0 for one in results for span in question.spans)


def _ask(haystack: Haystack, question: HaystackQuestion) -> Asked:
    haystack.library.videos()  # opened before the clock runs
    with _counted_frames() as frames:
        began = time.perf_counter()
        answer = haystack.library.ask(question.question, videos=haystack.path(question))
        seconds = time.perf_counter() - began
    return Asked(question, answer, seconds, len(frames))


def _answers(answers: Sequence[Asked]) -> Iterator[dict[str, str | float | None]]:
    by_kind = {kind: [one for one in answers if _kind(one.question) == kind] for kind in _KINDS}
    by_kind["all but never"] = [one for one in answers if one.question.kind != "never"]
    for kind, of_kind in by_kind.items():
        yield {
            "kind": kind,
            "questions": len(of_kind),
            "right_percent": percent(np.mean([one.is_right for one in of_kind])),
            "answered_percent": percent(np.mean([one.answer.status == "answered" for one in of_kind])),
            "hedged_percent": percent(np.mean([one.is_hedged for one in of_kind])),
            "refused_percent": percent(np.mean([one.answer.status == "insufficient" for one in of_kind])),
        }


def _cost(answers: Sequence[Asked]) -> dict[str, str | float | None]:
    seconds = [one.seconds for one in answers[1:]]  # the first loads the models
    return {
        "questions": len(answers),
        "frames_at_most": max(one.frames for one in answers),
        "seconds_median": round(float(np.median(seconds)), 3),
        "seconds_p95": round(float(np.percentile(seconds, 95)), 3),
    }


def _failure(one: Asked) -> dict[str, str | float | None]:
    asked, said = one.question, one.answer
    spans = ", ".join(str(span) for span in asked.spans) or "nowhere"
    cited = ", ".join(f"{cited.span} {cited.modality}" for claim in said.claims[:1] for cited in claim.citations)
    return {
        "question": f"{asked.question_id} ({asked.detail}): {asked.question}",
        "expected": f"{asked.count if asked.kind == 'count' else asked.answer or '–'} {spans}",
        "got": f"{said.status}: {said.text[:160]} {cited}",
    }


@contextmanager
def _counted_frames() -> Iterator[list[float]]:
    """The seconds of all frames that Playhead decodes meanwhile."""
    original, decoded = video.frames_at, []

    def counted(*arguments, **options):
        for frame in original(*arguments, **options):
            decoded.append(frame.seconds)
            yield frame

    modules = [
        module
        for name, module in sys.modules.items()
        if name.startswith("playhead.") and getattr(module, "frames_at", None) is original
    ]
    for module in modules:
        module.frames_at = counted
    try:
        yield decoded
    finally:
        for module in modules:
            module.frames_at = original
