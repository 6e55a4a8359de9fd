"""What the command line draws: the progress of indexing, and tables. Text from videos is printed as it is, unmarked."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from ..tools.records import clean_text, clock
from .doctor import Finding
from .show import HOW

if TYPE_CHECKING:
    from ..index.build import Outcome
    from ..index.records import Evidence, VideoRecord
    from .library import Library

__all__ = [
    "IndexScreen",
    "outcome_data",
    "print_evidence",
    "print_findings",
    "print_video",
    "print_videos",
    "video_data",
]

_MARKS = {"indexed": "✓", "unchanged": "=", "same": "=", "removed": "−", "failed": "✗"}


class IndexScreen:
    """The progress of indexing on stderr, and a line for each finished file."""

    def __init__(self, *, quiet: bool, to_stdout: bool) -> None:
        """Draw on a terminal only.

        Args:
            quiet: No progress, and no line but for failures.
            to_stdout: Lines go to stdout; else, failures only, to stderr.
        """
        self._quiet, self._to_stdout = quiet, to_stdout
        self._bars = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TaskProgressColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            disable=quiet or not sys.stderr.isatty(),
            transient=True,
        )
        self._task: Any = None
        self._at: tuple[Path, str] | None = None

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def progress(self, path: Path, number: int, count: int, stage: str, done: float, total: float) -> None:
        """Show how far a file is."""
        if self._at != (path, stage):
            if self._task is not None:
                self._bars.remove_task(self._task)
            self._task = self._bars.add_task(
                f"[{number + 1}/{count}] {clean_text(path.name)}: {stage}", total=total or 1
            )
            self._at = (path, stage)
        self._bars.update(self._task, completed=min(done, total))

    def done(self, outcome: "Outcome") -> None:
        """Tell what became of a file."""
        stages = outcome.record.stages if outcome.record and outcome.state == "indexed" else ()
        lines = [
            f"{_MARKS[outcome.state]} {clean_text(outcome.path.name)}: {_told(outcome)}",
            *(f"    {HOW[s.modality]}: {s.state}: {clean_text(s.detail)}" for s in stages if s.state != "done"),
        ]
        if outcome.has_failed:
            print("\n".join(lines), file=sys.stderr)
        elif self._to_stdout and not self._quiet:
            print("\n".join(lines))


def outcome_data(outcome: "Outcome") -> dict[str, Any]:
    """An outcome for programs."""
    record = outcome.record
    return {
        "path": str(outcome.path),
        "state": outcome.state,
        "detail": outcome.detail,
        "video_id": record.video_id if record else None,
        "duration": record.duration if record else None,
        "stages": [stage.model_dump() for stage in record.stages] if record else [],
    }


def video_data(library: "Library", record: "VideoRecord") -> dict[str, Any]:
    """A video for programs."""
    data = record.model_dump(mode="json", exclude={"info", "commit", "paths"})
    return data | {"video": str(library.path_of(record)), "info": record.info.model_dump(mode="json", exclude={"path"})}


def print_evidence(found: "Sequence[Evidence]") -> None:
    """One line a result: when, where, how, what."""
    table = _table()
    several = len({evidence.video_id for evidence in found}) > 1
    for evidence in found:
        name = [Text(evidence.name)] if several else []
        when = f"{clock(evidence.start)}–{clock(evidence.end)}"
        table.add_row(when, *name, HOW[evidence.modality], f"{evidence.score:.2f}", Text(evidence.text))
    _console().print(table)


def print_videos(library: "Library", records: "Sequence[VideoRecord]") -> None:
    """One line a video: how long, what was indexed, where it lies."""
    table = _table()
    for record in records:
        stages = ", ".join(HOW[s.modality] for s in record.stages if s.state == "done")
        table.add_row(clock(record.duration), record.video_id[:12], stages, Text(str(library.path_of(record))))
    _console().print(table)


def print_video(library: "Library", record: "VideoRecord", evidence: "Sequence[Evidence]") -> None:
    """A video's record, its stages, and all that was perceived."""
    info = record.info
    print(clean_text(str(library.path_of(record))))
    picture = f"{info.video.width}×{info.video.height} {info.video.codec}" if info.video else "no pictures"
    sound = info.sound.codec if info.sound else "no sound"
    print(f"{clock(record.duration)}  {picture}, {sound}  id {record.video_id}  indexed {record.indexed_at}")
    for note in record.notes:
        print(f"note: {clean_text(note)}")
    table = _table()
    for stage in record.stages:
        table.add_row(HOW[stage.modality], stage.state, Text(stage.source), Text(stage.detail))
    _console().print(table)
    rows = _table()
    for one in sorted(evidence, key=lambda e: (e.start, e.end)):
        rows.add_row(f"{clock(one.start)}–{clock(one.end)}", HOW[one.modality], Text(one.text))
    _console().print(rows)


def print_findings(findings: Sequence[Finding]) -> None:
    """The doctor's table."""
    table = _table()
    for finding in findings:
        style = "green" if finding.state == "ready" else "yellow"
        table.add_row(finding.part, Text(finding.state, style=style), Text(finding.detail))
    _console().print(table)


def _told(outcome: "Outcome") -> str:
    if outcome.state == "indexed" and outcome.record:
        counts = [f"{s.detail} {HOW[s.modality]}" for s in outcome.record.stages if s.state == "done"]
        notes = f" ({outcome.detail})" if outcome.detail else ""
        return f"indexed {clock(outcome.record.duration)}: {', '.join(counts) or 'nothing perceived'}{notes}"
    return clean_text(f"{outcome.state}: {outcome.detail}" if outcome.detail else outcome.state)


def _table() -> Table:
    return Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))


def _console() -> Console:
    """A terminal as it is; without one, lines are as long as they must be."""
    return Console(width=None if sys.stdout.isatty() else 10_000, soft_wrap=not sys.stdout.isatty(), highlight=False)
