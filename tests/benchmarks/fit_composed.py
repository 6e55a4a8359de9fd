"""Fit what decides whether a small model's answer is given: `python tests/benchmarks/fit_composed.py`.

Questions are those of the narrated talks that are not held out (`narrated_talks.py`), and TutorialVQA's of the first half of its
videos by name, each asked of its own video or of another tutorial, which cannot answer it. Each is asked with the model, which
answers from each of its passages; an answer is right if it has the words and cites the scene, or, for TutorialVQA, if it cites a
second of the sentences that answer. A logistic regression gives the probability from the signs of `agent.composing.weighing`. The first
answer is given whose probability is high enough: the limit is the one with the highest worth, the number of right answers minus the cost
of wrong ones. Takes about half an hour on two quiet cores.
`PLAYHEAD_FIT_TUTORIAL=N` chooses how many of TutorialVQA's questions are asked of their own video (default 30; half as many
of another).
"""

import json
import os
import random
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple
from unittest import mock

import numpy as np
from bench_model import MODEL, cites, model_settings, tutorial_library
from composed import asked
from narrated import library_of_talk
from narrated_talks import TALKS

import playhead.agent.composing.weighing as weighing
from playhead import Claim, Library
from playhead.agent.composing.weighing import ComposedWeights, Signs, composed_weights, probability

IsRight = Callable[[Sequence[Claim]], bool]

COMMAND = "python tests/benchmarks/fit_composed.py"
# What a wrong answer costs, where a right one is worth 1 and none is worth 0. It costs more than a wrong quote
# (`fit_reader.py`): it is in the words of Playhead.
WRONG = 1.5
_RIDGE = 0.1
# Probabilities that are tried as the limit.
_LIMITS = np.arange(0.3, 0.85, 0.01)
# The worth of a limit is averaged over this many on each side of it.
_AROUND = 3


class Attempt(NamedTuple):
    """One answer of the model: to which question of which set, its signs, and whether it is right."""

    of: str
    question: str
    signs: Signs
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
        given = [
            next(
                (one for one in attempts if probability(one.signs, weights) >= weights.threshold),
                None,
            )
            for attempts in _by_question([one for one in found if one.of == of])
        ]
        right = sum(one.right for one in given if one)
        print(f"{of}: {len(given)} composed, {sum(one is not None for one in given)} given, {right} right")


def fitted(found: Sequence[Attempt]) -> ComposedWeights:
    """Fit a logistic regression with a ridge (Hastie et al. 2009, section 4.4.1), and choose the limit."""
    x = np.array([(1.0, *one.signs.numbers) for one in found])
    y = np.array([one.right for one in found], float)
    beta, penalty = np.zeros(x.shape[1]), np.diag([1e-6, *[_RIDGE] * (x.shape[1] - 1)])
    for _ in range(50):
        p = 1 / (1 + np.exp(-x @ beta))
        beta += np.linalg.solve((x * (p * (1 - p))[:, None]).T @ x + penalty, x.T @ (y - p) - penalty @ beta)
    names = ("intercept", "log_odds", "later", "unwritten", "best")
    weights = ComposedWeights(
        command=COMMAND,
        fitted_on=f"{MODEL}, {len(found)} answers of it to questions of the tuning halves",
        threshold=0.5,
        **{name: round(float(value), 3) for name, value in zip(names, beta, strict=True)},
    )
    return weights.model_copy(update={"threshold": _worth_most(found, weights)})


def _worth_most(found: Sequence[Attempt], weights: ComposedWeights) -> float:
    """Return the limit with the highest worth: of each question the first answer counts that reaches it."""
    worth = np.zeros(len(_LIMITS))
    for attempts in _by_question(found):
        left = np.ones(len(_LIMITS), bool)
        for one in attempts:
            given = left & (probability(one.signs, weights) >= _LIMITS)
            worth += given * (1.0 if one.right else -WRONG)
            left &= ~given
    means = np.convolve(worth, np.full(2 * _AROUND + 1, 1 / (2 * _AROUND + 1)), "valid")
    return round(float(_LIMITS[_AROUND + int(np.argmax(means))]), 2)


def _by_question(found: Sequence[Attempt]) -> list[list[Attempt]]:
    """The attempts of each question, in their order."""
    questions: dict[str, list[Attempt]] = {}
    for one in found:
        questions.setdefault(f"{one.of} {one.question}", []).append(one)
    return list(questions.values())


def _talks(folder: Path) -> Iterator[Attempt]:
    for talk in TALKS:
        if not talk.held_out:
            library, scenes = library_of_talk(folder, talk, model_settings())
            for one in talk.questions:
                kind = "never" if one.kind == "never" else "asked"
                yield from _weighed(f"{talk.name}, {kind}", library, one.question, None, one.checked_on(scenes))


def _tutorials() -> Iterator[Attempt]:
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


def _weighed(of: str, library: Library, question: str, video: str | None, is_right: IsRight) -> Iterator[Attempt]:
    """The answers to one question that were weighed: from all passages, since none is given."""
    never = composed_weights().model_copy(update={"threshold": 1.0})
    with mock.patch("playhead.agent.graph.nodes.composed_weights", return_value=never):
        attempts, _ = asked(library, question, video)
    for claims, weighed in attempts:
        if weighed is not None and weighed.log_odds is not None:
            signs = Signs(weighed.log_odds, weighed.is_first, weighed.cites_writing, weighed.score)
            print(f"{of} | {question} | {tuple(signs)} | {is_right(claims)}", flush=True)
            yield Attempt(of, question, signs, is_right(claims))


if __name__ == "__main__":
    main()
