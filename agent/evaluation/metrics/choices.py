"""Metrics of multiple choice: accuracy, under shuffling of the options, and against the blind baseline.

A question without a known right option has no score and is left out. A prediction without an option is wrong,
not a random guess (VideoAgent's code guesses).
"""

import random
import re
from collections.abc import Sequence

from ....tools.words import tokens
from ..records import Prediction, Question, letter

__all__ = ["above_blind", "accuracy", "chance", "circular", "is_correct", "read_option", "rotated", "shuffled"]

# "B", "(B)", "B.", "Option B", "The answer is (B)", "**B**" at the beginning, or after "answer is" anywhere.
_LETTER = r"\(?\*{0,2}([A-Za-z])\*{0,2}(?:[).:,\]]|\s*$|\s+(?![a-z]))"
_FIRST = re.compile(rf"^\W*(?:option\s+|choice\s+|answer\s*:?\s*)?{_LETTER}", re.IGNORECASE)
_NAMED = re.compile(rf"\b(?:answer|option|choice)(?:\s+is)?\s*:?\s*{_LETTER}", re.IGNORECASE)


def read_option(text: str, options: Sequence[str]) -> int | None:
    """Return the option that a model's text names, by letter or by its words; None if it names none or several.

    Args:
        text: A model's answer: `B`, `(b) red`, `The answer is B.`, or the words of the option.
        options: The options, in the order in which they were lettered.
    """
    words = text.strip()
    for pattern in (_FIRST, _NAMED):
        named = {found.upper() for found in pattern.findall(words)} & {letter(i) for i in range(len(options))}
        if len(named) == 1:
            return ord(named.pop()) - ord("A")
    said = " ".join(tokens(words))
    same = [i for i, option in enumerate(options) if said and " ".join(tokens(option)) == said]
    held = same or [i for i, o in enumerate(options) if (t := " ".join(tokens(o))) and f" {t} " in f" {said} "]
    return held[0] if len(held) == 1 else None


def is_correct(question: Question, prediction: Prediction) -> bool | None:
    """Whether the right option was chosen; None if the right option is unknown."""
    if question.option is None:
        return None
    return prediction.option == question.option


def accuracy(questions: Sequence[Question], predictions: Sequence[Prediction]) -> float | None:
    """Share of questions with the right option chosen; None if no right option is known."""
    right = [is_correct(question, given) for question, given in zip(questions, predictions, strict=True)]
    known = [one for one in right if one is not None]
    return sum(known) / len(known) if known else None


def chance(questions: Sequence[Question]) -> float | None:
    """Expected accuracy of random guesses among the options; None if no question has options."""
    shares = [1 / len(question.options) for question in questions if question.options]
    return sum(shares) / len(shares) if shares else None


def rotated(question: Question, by: int) -> Question:
    """Rotate the options by some places: option 0 becomes option `by`."""
    count = len(question.options)
    if not count:
        return question
    options = tuple(question.options[(i - by) % count] for i in range(count))
    option = None if question.option is None else (question.option + by) % count
    return question.model_copy(update={"options": options, "option": option})


def circular(questions: Sequence[Question], passes: Sequence[Sequence[Prediction]]) -> float | None:
    """Share of questions answered right for all rotations of the options; None if no right option is known.

    CircularEval of MMBench (Liu et al. 2024, section 4.1): a question with N options is asked N times.

    Args:
        questions: As published.
        passes: The predictions of each pass, in the order of the questions: pass `n` answered `rotated(question, n)`.
            For a question with fewer options than passes, only its first passes count.

    Raises:
        ValueError: There are fewer passes than a question has options.
    """
    right = []
    for place, question in enumerate(questions):
        if question.option is None:
            continue
        if len(passes) < len(question.options):
            raise ValueError(
                f"question {question.question_id} has {len(question.options)} options, and there are "
                f"{len(passes)} passes: CircularEval asks once for each option"
            )
        turns = range(len(question.options))
        right.append(all(is_correct(rotated(question, turn), passes[turn][place]) for turn in turns))
    return sum(right) / len(right) if right else None


def above_blind(
    questions: Sequence[Question], predictions: Sequence[Prediction], blind: Sequence[Prediction]
) -> dict[str, float]:
    """Accuracy compared with the blind baseline; empty if no right option is known.

    `accuracy_above_blind` is the difference; `accuracy_not_blind` is the accuracy on the questions that the blind
    baseline, which sees no video, gets wrong (as MMStar selects its questions, Chen et al. 2024, section 3.2).
    """
    ours, theirs = accuracy(questions, predictions), accuracy(questions, blind)
    if ours is None or theirs is None:
        return {}
    found = {"accuracy_blind": theirs, "accuracy_above_blind": ours - theirs}
    hard = [
        (question, prediction)
        for question, prediction, seen in zip(questions, predictions, blind, strict=True)
        if is_correct(question, seen) is False
    ]
    rest = accuracy([question for question, _ in hard], [prediction for _, prediction in hard])
    return found if rest is None else found | {"accuracy_not_blind": rest}


def shuffled(question: Question, seed: int) -> Question:
    """Shuffle the options; the order depends only on the seed and the question's id."""
    count = len(question.options)
    order = random.Random(f"{seed}/{question.question_id}").sample(range(count), count)  # noqa: S311 (not secret)
    option = None if question.option is None else order.index(question.option)
    return question.model_copy(update={"options": tuple(question.options[i] for i in order), "option": option})
