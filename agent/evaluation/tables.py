"""Prints scores in a terminal."""

from typing import Any

from rich.console import Console
from rich.table import Table

from .compare import Comparison

__all__ = ["print_comparison", "print_scores"]

_SHOWN = (
    "right", "answered", "refused", "hedged", "accuracy", "accuracy_above_blind", "mIoU", "IoU@0.3", "IoU@0.5", "mIoP", "IoP@0.5", "R@1", "R@5", "R@10",
    "Acc@GQA", "acc@IoU", "T-F1", "citation_precision", "AURC",
)  # fmt: skip


def print_scores(title: str, found: dict[str, Any]) -> None:
    """Print the result of `offline` or `harness`: one row per system, and one per half of the videos."""
    systems = {name: scores for name, scores in found.items() if isinstance(scores, dict) and "cost" in scores}
    rows = [
        (name, part, scores)
        for name, whole in systems.items()
        for part, scores in {**whole.get("halves", {}), "all": whole}.items()
    ]
    columns = [name for name in _SHOWN if any(name in scores for _, _, scores in rows)]
    table = Table(title=title, title_justify="left")
    for column in ("system", "videos"):
        table.add_column(column)
    for column in columns:
        table.add_column(column, justify="right")
    table.add_column("s/question", justify="right")
    for name, part, scores in rows:
        cells = [f"{scores[column]:.3f}" if column in scores else "–" for column in columns]
        table.add_row(name, part, *cells, f"{scores['cost']['seconds']:.3f}")
    _console().print(table)


def print_comparison(found: Comparison) -> None:
    """Print a table of paired differences."""
    table = Table(title=f"{found.second} minus {found.first}, {found.questions} questions", title_justify="left")
    for column in ("metric", "questions", found.first, found.second, "difference", "95 %"):
        table.add_column(column, justify="left" if column == "metric" else "right")
    for one in found.differences:
        table.add_row(
            one.metric, str(one.questions), f"{one.first:.4f}", f"{one.second:.4f}", f"{one.difference:+.4f}",
            f"{one.interval[0]:+.4f} to {one.interval[1]:+.4f}",
        )  # fmt: skip
    _console().print(table)


def _console() -> Console:
    console = Console()
    if not console.is_terminal:
        console.width = 180  # do not wrap lines in a file
    return console
