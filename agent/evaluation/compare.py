"""Compares two runs on the same questions: paired differences with confidence intervals."""

from collections.abc import Sequence
from pathlib import Path

from pydantic import Field

from ...tools.errors import QueryError
from ...tools.records import Record
from .metrics.resampling import paired_difference
from .metrics.scoring import Cost, cost_of, rows_of_scores
from .runs import Run, open_run

__all__ = ["Comparison", "Difference", "compare"]


class Difference(Record):
    """One metric of two runs."""

    metric: str = Field(description="Name of the metric.")
    questions: int = Field(description="Number of questions in both runs with the truth that the metric needs.")
    first: float = Field(description="Mean of the first run.")
    second: float = Field(description="Mean of the second run.")
    difference: float = Field(description="Second minus first.")
    interval: tuple[float, float] = Field(description="95 % interval of the difference.")
    is_clear: bool = Field(description="Whether the interval excludes 0.")


class Comparison(Record):
    """The comparison of two runs."""

    first: str = Field(description="System of the first run.")
    second: str = Field(description="System of the second run.")
    questions: int = Field(description="Number of questions in both runs.")
    only_first: int = Field(description="Questions of the first run only; left out.")
    only_second: int = Field(description="Questions of the second run only; left out.")
    differences: tuple[Difference, ...] = Field(description="One difference per metric.")
    costs: tuple[Cost, Cost] = Field(description="Cost of each run on the common questions.")


def compare(first: Path, second: Path, seed: int = 0, metrics: Sequence[str] = ()) -> Comparison:
    """Paired differences with 95 % intervals from a bootstrap over videos.

    Args:
        first: Folder of the reference run.
        second: Folder of the other run.
        seed: Seed of the resampling.
        metrics: Only these; empty: all metrics that are means over questions.

    Raises:
        LibraryError: A folder holds no run, or a damaged run.
        QueryError: The runs share no question, differ in a question, or have no metric of these names.
    """
    one, other = open_run(first), open_run(second)
    asked = {question.question_id: question for question in one.questions}
    theirs = {question.question_id: question for question in other.questions}
    both = [question for name, question in asked.items() if name in theirs]
    if not both:
        raise QueryError(f"{first} and {second} share no question: compare runs on the same data set")
    changed = [q.question_id for q in both if q.question != theirs[q.question_id].question]
    if changed:
        raise QueryError(f"question {changed[0]} is different in {second}: compare runs on the same data set")
    rows = [rows_of_scores(both, run.predictions) for run in (one, other)]
    names = list(dict.fromkeys(name for row in rows[0] for name in row))
    unknown = sorted(set(metrics) - set(names))
    if unknown:
        raise QueryError(f"no metric {', '.join(unknown)} in these runs: there are {', '.join(names)}")
    return Comparison(
        first=one.info.system,
        second=other.info.system,
        questions=len(both),
        only_first=len(asked) - len(both),
        only_second=len(theirs) - len(both),
        differences=tuple(
            _difference(name, rows[0], rows[1], [q.video for q in both], seed) for name in metrics or names
        ),
        costs=(_cost(one, [q.question_id for q in both]), _cost(other, [q.question_id for q in both])),
    )


def _difference(
    name: str,
    first: Sequence[dict[str, float]],
    second: Sequence[dict[str, float]],
    videos: Sequence[str],
    seed: int,
) -> Difference:
    held = [i for i, (a, b) in enumerate(zip(first, second, strict=True)) if name in a and name in b]
    ours, theirs = [first[i][name] for i in held], [second[i][name] for i in held]
    found = paired_difference(ours, theirs, [videos[i] for i in held], seed)
    return Difference(
        metric=name,
        questions=len(held),
        first=sum(ours) / len(ours),
        second=sum(theirs) / len(theirs),
        difference=found.mean,
        interval=(found.low, found.high),
        is_clear=found.low > 0 or found.high < 0,
    )


def _cost(run: Run, names: Sequence[str]) -> Cost:
    predictions = run.predictions
    return cost_of([predictions[name] for name in names if name in predictions])
