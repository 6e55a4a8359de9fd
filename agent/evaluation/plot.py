"""The score–cost plot. Only this module imports matplotlib."""

import io
from collections.abc import Sequence
from typing import NamedTuple

from ...tools.errors import MissingExtraError

__all__ = ["Dot", "frontier", "score_cost_plot"]


class Dot(NamedTuple):
    """One run in the plot."""

    name: str
    cost: float
    score: float
    low: float
    high: float


def score_cost_plot(dots: Sequence[Dot], cost: str, metric: str) -> bytes:
    """Plot each run's score over its cost as a PNG, with 95 % intervals and a line through the Pareto frontier.

    Args:
        dots: One per run.
        cost: Name of the cost, with its unit.
        metric: Name of the score.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ModuleNotFoundError as error:
        raise MissingExtraError("the score–cost plot", "matplotlib", "eval") from error
    figure = Figure(figsize=(8, 4.5), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for dot in dots:
        spread = [[max(0.0, dot.score - dot.low)], [max(0.0, dot.high - dot.score)]]
        axes.errorbar([dot.cost], [dot.score], yerr=spread, fmt="o", capsize=3)
        # Names may contain $ or _: do not read them as formulas.
        axes.annotate(dot.name, (dot.cost, dot.score), (6, 6), textcoords="offset points", fontsize=9, parse_math=False)
    front = frontier(dots)
    if len(front) > 1:
        axes.plot([dot.cost for dot in front], [dot.score for dot in front], linewidth=1, color="0.6", zorder=0)
    if dots and all(dot.cost > 0 for dot in dots) and max(d.cost for d in dots) > 20 * min(d.cost for d in dots):
        axes.set_xscale("log")
    axes.set_xlabel(cost, parse_math=False)
    axes.set_ylabel(metric, parse_math=False)
    axes.grid(alpha=0.3)
    axes.margins(0.12)
    held = io.BytesIO()
    figure.savefig(held, format="png", metadata={"Software": None})
    return held.getvalue()


def frontier(dots: Sequence[Dot]) -> list[Dot]:
    """Return the Pareto frontier by cost: runs that no other run beats in both cost and score."""
    best: list[Dot] = []
    for dot in sorted(dots, key=lambda one: (one.cost, -one.score)):
        if not best or dot.score > best[-1].score:
            best.append(dot)
    return best
