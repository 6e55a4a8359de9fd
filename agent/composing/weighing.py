"""The probability that a small model's answer is right, from the model's own yes or no and from the reader.

A small model also writes an answer where no line answers the question. So it is asked in a short request of its own whether the lines of
the passage answer the question. It is not shown its answer. A logistic regression gives the probability, from the log-odds of "yes", from
whether it is the first passage, and, for an answer that cites no writing, from the reader's score of the best passage. The reader is fitted
on speech: its score of a line of a slide, which has few words, says little. `tests/benchmarks/fit_composed.py` fits the regression. Without
log-probabilities the reader's score of the best passage decides alone.
"""

import json
import math
import operator
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from pydantic import Field

from ...index.records import Evidence
from ...prompts import render
from ...tools.llm.protocol import Reply, TokenUsage, VideoLLM
from ...tools.records import Record
from .model_input import fitted, limited, quoted, quoted_question, room_for_evidence, sent_shorter, together

__all__ = ["ComposedWeights", "Signs", "composed_weights", "probability", "yes_log_odds"]

_WEIGHTS = Path(__file__).with_name("composed_weights.json")
_WORDS = ("yes", "no")
# A reader's score of 0 or 1 is no certainty.
_LEAST = 0.01


class Signs(NamedTuple):
    """What tells whether an answer is right.

    Attributes:
        log_odds: The model's log-odds of "yes".
        is_first: Whether the answer comes from the first passage that was read.
        cites_writing: Whether the answer cites a line of text that is seen in the picture.
        best: The reader's score of the best passage, 0 to 1.
    """

    log_odds: float
    is_first: bool
    cites_writing: bool
    best: float

    @property
    def numbers(self) -> tuple[float, float, float, float]:
        """The input of the regression."""
        kept = min(1 - _LEAST, max(_LEAST, self.best))
        best = 0.0 if self.cites_writing else math.log(kept / (1 - kept))
        return self.log_odds, float(not self.is_first), float(not self.cites_writing), best


class ComposedWeights(Record):
    """The numbers of the regression, as `tests/benchmarks/fit_composed.py` writes them."""

    command: str = Field(description="Command that writes them.")
    fitted_on: str = Field(description="Model and questions that they are fitted on.")
    intercept: float = Field(description="Constant.")
    log_odds: float = Field(description="Coefficient of the log-odds of yes.")
    later: float = Field(description="What is added for a later passage than the first.")
    unwritten: float = Field(description="What is added for an answer that cites no writing.")
    best: float = Field(
        description="For such an answer: coefficient of the logit of the reader's score of the best passage."
    )
    threshold: float = Field(ge=0, le=1, description="An answer that is less likely to be right is not given.")


@lru_cache(maxsize=1)
def composed_weights() -> ComposedWeights:
    """Return the weights that the package contains."""
    return ComposedWeights.model_validate(json.loads(_WEIGHTS.read_text(encoding="utf-8")))


def probability(signs: Signs, weights: ComposedWeights) -> float:
    """The probability that a composed answer is right."""
    coefficients = (weights.log_odds, weights.later, weights.unwritten, weights.best)
    logit = weights.intercept + sum(map(operator.mul, coefficients, signs.numbers))
    return 1 / (1 + math.exp(-logit))


def yes_log_odds(
    llm: VideoLLM, question: str, lines: Sequence[Evidence], *, seconds: float | None = None
) -> tuple[float | None, TokenUsage]:
    """Ask the model whether lines answer a question, in one word.

    If the lines do not fit into the model's context, long lines are cut, and the last lines are left out.

    Args:
        llm: The model that composed the answer.
        question: What was asked.
        lines: The lines from which it composed, best first.
        seconds: Time for it.

    Returns:
        The log-odds of yes against no, None where the backend gives no log-probabilities; and what it cost.

    Raises:
        ServerError: No answer came, or none in time.
    """
    instructions, asked = render("weigh"), f"{quoted_question(question)}\n{render('yes_or_no')}"

    def send(scale: float) -> Reply:
        can = llm.capabilities
        taken = can.tokens_of(instructions) + can.tokens_of(asked) + 1
        read = _quoted_lines(lines)
        if can.tokens_of(read) > room_for_evidence(can, taken, scale):
            short = [one.model_copy(update={"text": limited(one.text)}) for one in lines]
            read = _quoted_lines(fitted(short, (), can, taken, scale).rows)
        return llm.ask(
            [f"Lines:\n{read}\n{asked}"], instructions=instructions, max_tokens=1, seconds=seconds, words=_WORDS
        )

    reply = sent_shorter(send)
    return reply.log_odds, TokenUsage.of(reply)


def _quoted_lines(lines: Sequence[Evidence]) -> str:
    """The lines in the order of time, each in quotes; those of one slide are one line."""
    shown = sorted(together(lines), key=lambda ones: (ones[0].video, ones[0].start))
    return "\n".join(quoted(" · ".join(one.text for one in ones)) for ones in shown)
