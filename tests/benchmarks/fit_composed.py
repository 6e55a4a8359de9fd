"""Fit what decides whether a small model's answer is given: `python tests/benchmarks/fit_composed.py`.

Questions are those of the narrated talks that are not held out (`narrated.py`), and TutorialVQA's of the first half of its
videos by name, each asked of its own video or of another tutorial, which cannot answer it. Each is asked with the model; what
it answers is right if it has the words and cites the scene, or, for TutorialVQA, if it cites a second of the sentences that
answer. The model's log-odds of "yes" and a multiple of the reader's score of the cited lines are added (`agent.composing.weighing`).
The multiple and the least sum of an answer that is given are those with the highest worth: the number of right answers minus the
cost of wrong ones. A logistic regression of the sum gives the probability. Takes about half an hour on two quiet cores.
`PLAYHEAD_FIT_TUTORIAL=N` chooses how many of TutorialVQA's questions are asked of their own video (default 30; half as many
of another).
"""

import json
import math
import os
import random
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from bench_model import MODEL, cites, model_settings, tutorial_library
from composed import asked
from narrated import TALKS, library_of_talk

import playhead.agent.composing.weighing as weighing
from playhead import Library
from playhead.agent.composing.weighing import ComposedWeights, probability

COMMAND = "python tests/benchmarks/fit_composed.py"
# What a wrong answer costs, where a right one is worth 1 and none is worth 0. It costs more than a wrong quote
# (`fit_reader.py`): it is in the words of Playhead.
WRONG = 1.5
_RIDGE = 0.1
# Multiples of the reader's logit, and least sums, that are tried.
_RATIOS, _SUMS = np.arange(0, 0.55, 0.05), np.arange(-2, 1.05, 0.1)


class Weighed(NamedTuple):
    """One answer of the model: of which set, its features, and whether it is right."""

    of: str
    cited: float
    log_odds: float
    right: bool


def main() -> None:
    """Ask, fit, and write `composed_weights.json`."""
    with tempfile.TemporaryDirectory() as folder:
        found = [*_talks(Path(folder)), *_tutorials()]
    weights = fitted(found)
    path = Path(weighing.__file__).with_name("composed_weights.json")
    path.write_text(json.dumps(weights.model_dump(), indent=2) + "\n", encoding="utf-8")
    print(json.dumps(weights.model_dump(), indent=2))
    for of in dict.fromkeys(one.of for one in found):
        ours = [one for one in found if one.of == of]
        given = [one for one in ours if probability(one.cited, one.log_odds, weights) >= weights.threshold]
        right = sum(one.right for one in given)
        print(f"{of}: {len(ours)} composed, {sum(one.right for one in ours)} right; {len(given)} given, {right} right")


def fitted(found: Sequence[Weighed]) -> ComposedWeights:
    """Choose multiple and threshold, then fit a logistic regression of the sum with a ridge (Hastie et al. 2009, section 4.4.1)."""
    ratio, least = _worth_most(found)
    x = np.array([[1.0, one.log_odds + ratio * _logit(one.cited)] for one in found])
    y = np.array([one.right for one in found], float)
    beta, penalty = np.zeros(2), np.diag([1e-6, _RIDGE])
    for _ in range(50):
        p = 1 / (1 + np.exp(-x @ beta))
        beta += np.linalg.solve((x * (p * (1 - p))[:, None]).T @ x + penalty, x.T @ (y - p) - penalty @ beta)
    intercept, slope = (float(value) for value in beta)
    return ComposedWeights(
        command=COMMAND,
        fitted_on=f"{MODEL}, {len(found)} answers of it to questions of the tuning halves",
        intercept=round(intercept, 3),
        cited=round(slope * ratio, 3),
        log_odds=round(slope, 3),
        threshold=round(float(1 / (1 + np.exp(-intercept - slope * least))), 3),
    )


def _worth_most(found: Sequence[Weighed]) -> tuple[float, float]:
    """Return the multiple and the least sum with the highest worth. The worth is averaged over neighbours on the grid."""
    right = np.array([one.right for one in found])
    sums = np.array([[one.log_odds + ratio * _logit(one.cited) for one in found] for ratio in _RATIOS])
    worth = (sums[:, None, :] >= _SUMS[None, :, None]) @ np.where(right, 1.0, -WRONG)
    around = np.pad(worth, 1, mode="edge")
    means = sum(
        around[row : row + worth.shape[0], column : column + worth.shape[1]] for row in range(3) for column in range(3)
    )
    row, column = np.unravel_index(np.argmax(means), worth.shape)
    return float(_RATIOS[row]), float(_SUMS[column])


def _logit(score: float) -> float:
    kept = min(0.99, max(0.01, score))
    return math.log(kept / (1 - kept))


def _talks(folder: Path) -> Iterator[Weighed]:
    for talk in TALKS:
        if not talk.held_out:
            library, scenes = library_of_talk(folder, talk, model_settings())
            for one in talk.questions:
                kind = "never" if one.kind == "never" else "asked"
                yield from _weighed(f"{talk.name}, {kind}", library, one.question, None, one.checked_on(scenes))


def _tutorials() -> Iterator[Weighed]:
    count = int(os.environ.get("PLAYHEAD_FIT_TUTORIAL", "30"))
    library, spans, names, questions = tutorial_library(model_settings(), 0)
    chance = random.Random(1)
    for number, question in enumerate(chance.sample(questions, count + count // 2)):
        if number < count:
            span = spans(question)
            right = lambda claims, span=span: cites(claims, *span)  # noqa: E731
            yield from _weighed("tutorials, own video", library, question.text, question.video, right)
        else:
            other = chance.choice([name for name in names if name != question.video])
            yield from _weighed("tutorials, another video", library, question.text, other, lambda _: False)


def _weighed(of: str, library: Library, question: str, video: str | None, is_right) -> Iterator[Weighed]:
    claims, weighed, _ = asked(library, question, video)
    if weighed is not None and weighed.log_odds is not None:
        one = Weighed(of, weighed.cited, weighed.log_odds, is_right(claims))
        print(f"{of} | {question} | {one.cited:.2f} | {one.log_odds:+.2f} | {one.right}", flush=True)
        yield one


if __name__ == "__main__":
    main()
