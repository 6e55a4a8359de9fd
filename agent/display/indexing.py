"""Shows the progress of indexing and copying on a terminal, and prints what became of each file."""

import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.progress import TimeRemainingColumn as Remaining
from rich.table import Column
from rich.text import Text

from ...tools.extractors.registry import SWITCHED_OFF, participle, stage_names
from ...tools.records import Modality, clean_text
from .terminal import indexed_length, print_drawing, shown_path, table

if TYPE_CHECKING:
    from ...index.indexing.jobs import Outcome
    from ...index.records import StageReport
    from ...index.storage.url import Pulled

__all__ = ["IndexingView", "counted"]

_MARKS = {  # and their colours
    "indexed": ("✓", "green"),
    "pulled": ("✓", "green"),
    "unchanged": ("=", ""),
    "same": ("=", ""),
    "repaired": ("✓", "green"),
    "removed": ("−", "yellow"),
    "failed": ("✗", "red"),
}
_NEW = ("indexed", "pulled")
# What a stage looks for, and how a person says that it did not run.
_NOT_RUN: dict[Modality, tuple[str, str]] = {
    "speech": ("speech", "Not transcribed"),
    "text": ("text in the picture", "Text in the picture not read"),
    "object": ("objects", "Objects not detected"),
    "caption": ("descriptions", "Not described"),
    "frame": ("search in pictures", "Pictures not searchable"),
    "action": ("actions", "Actions not searchable"),
    "speaker": ("speakers", "Speakers not recognized"),
    "overlap": ("overlapping speech", "Overlapping speech not marked"),
    "person": ("people", "People not recognized"),
    "sounds": ("sounds", "Sounds not recognized"),
}
_NAMED = 3  # files that share a reason are named up to here, then counted


@contextmanager
def counted(what: str, quiet: bool) -> Iterator[Callable[[int, int], None] | None]:
    """Draw a bar on stderr within; what it yields is called with the number done and of all."""
    if quiet:
        yield None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed}/{task.total}"), Remaining())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


class IndexingView:
    """Draws progress on stderr, prints one line for each file, and sums the run up."""

    def __init__(self, *, quiet: bool, verbose: bool, to_stdout: bool) -> None:
        """Draw on a terminal only.

        Args:
            quiet: No progress, and lines for failures only.
            verbose: Lines for unchanged files, too.
            to_stdout: Print lines to stdout; else failures only, to stderr.
        """
        self._verbose = verbose
        self._prints = to_stdout and not quiet
        self._bars = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True, overflow="ellipsis")),
            BarColumn(bar_width=20),
            TaskProgressColumn(),
            TimeElapsedColumn(),
            TextColumn("left", style="dim"),
            Remaining(),
            console=Console(stderr=True),
            disable=quiet or not sys.stderr.isatty(),
            transient=True,
            redirect_stdout=False,  # a line for stdout goes to stdout, also where that is a file
            redirect_stderr=False,
        )
        self._tasks: dict[Path, tuple[Any, str]] = {}  # for each file in work: its bar, and the stage that it shows
        self._outcomes: list[Outcome | Pulled] = []

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._bars.stop()
        if kind is KeyboardInterrupt:
            print("playhead: stopped. Finished work is kept: run the same command again to continue", file=sys.stderr)

    def waiting(self, what: str) -> None:
        """Show that work of unknown length goes on, until the view is left."""
        self._bars.add_task(f"{what} …", total=None)

    def progress(self, path: Path, number: int, count: int, stage: str, done: float, total: float) -> None:
        """Show how much of a file is done."""
        task, shown_stage = self._tasks.get(path, (None, ""))
        if shown_stage != stage:
            if task is not None:
                self._bars.remove_task(task)
            described = f"[{number + 1}/{count}] {clean_text(path.name)}: {stage}"
            task = self._bars.add_task(described, total=total or 1)
            self._tasks[path] = task, stage
        self._bars.update(task, completed=min(done, total))

    def done(self, outcome: "Outcome | Pulled") -> None:
        """Print what became of a file."""
        self._outcomes.append(outcome)
        task, _ = self._tasks.pop(outcome.path, (None, ""))
        if task is not None:
            self._bars.remove_task(task)
        if outcome.has_failed:
            stream = sys.stderr
        elif self._prints and (outcome.state != "unchanged" or outcome.detail or self._verbose):
            stream = sys.stdout
        else:
            return
        rows = table(2, gap=1)
        mark, style = _MARKS["failed" if outcome.has_failed else outcome.state]
        rows.add_row(Text(mark, style=style), Text(_described(outcome)))
        for stage in _stages(outcome, "failed"):
            rows.add_row("", Text(f"{participle(stage.modality)}: failed: {clean_text(stage.detail)}"))
        self._bars.stop()  # a line between two drawings of the bars would tear them
        print_drawing(rows, stream)
        self._bars.start()

    def summary(self, library: Path | str) -> None:
        """Print which stages did not run and why, each reason once, and the number of files by outcome."""
        if not self._prints:
            return
        indexed = [outcome for outcome in self._outcomes if outcome.state == "indexed"]
        skipped: dict[tuple[Modality, str], list[str]] = {}
        for outcome in indexed:
            for stage in _stages(outcome, "skipped"):
                skipped.setdefault((stage.modality, stage.detail), []).append(shown_path(outcome.path))
        off = [modality for modality in stage_names() if skipped.pop((modality, SWITCHED_OFF), None)]
        for (modality, reason), files in skipped.items():
            which = "" if len(files) == len(indexed) else f" ({_few(files)})"
            _, said = _NOT_RUN.get(modality, (modality, f"Not {participle(modality)}"))
            print(f"{said}: {clean_text(reason)}{which}")
        if off:
            print(f"Switched off: {', '.join(_NOT_RUN.get(modality, (modality, ''))[0] for modality in off)}")
        counts: Counter[str] = Counter("unchanged" if o.state == "same" else o.state for o in self._outcomes)
        summed = ", ".join(f"{counts[state]} {state}" for state in _MARKS if counts[state])
        place = shown_path(library) if isinstance(library, Path) else clean_text(library)
        print(f"{summed or 'no video'} · library {place}")


def _described(outcome: "Outcome | Pulled") -> str:
    name, detail = shown_path(outcome.path), clean_text(outcome.detail)
    if outcome.state in _NEW and outcome.record:
        found = [f"{s.detail.removesuffix(' found')} {participle(s.modality)}" for s in _stages(outcome, "done")]
        notes = f" ({detail})" if detail else ""
        return f"{name}: {indexed_length(outcome.record)}, {', '.join(found) or 'nothing extracted'}{notes}"
    itself = clean_text(str(outcome.path))
    if detail.startswith(itself):  # "/talks/a.mp4 is empty …" names the file already
        return name + detail.removeprefix(itself)
    return f"{name}: {detail or outcome.state}"


def _stages(outcome: "Outcome | Pulled", state: str) -> "list[StageReport]":
    """The stages with this state, of a file that was indexed or copied in this run."""
    new = outcome.record if outcome.state in _NEW else None
    return [stage for stage in new.stages if stage.state == state] if new else []


def _few(names: Sequence[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")
