"""What the command line draws: the progress of work, and tables. Text from videos is printed as it is, unmarked."""

import os
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Column, Table
from rich.text import Text

from ...tools.extractors.registry import participle
from ...tools.records import clean_text, clock
from ..doctor import Finding

if TYPE_CHECKING:
    from ...index.indexing.jobs import Outcome
    from ...index.records import Evidence, StageReport, VideoRecord
    from ...index.storage.url import Pulled
    from ..answering.summary import ListedChapter
    from ..library import Library
    from ..looking.moments import FoundMoment
    from ..records import Answer

__all__ = [
    "IndexScreen",
    "outcome_data",
    "print_answer",
    "print_chapters",
    "print_evidence",
    "print_findings",
    "print_moments",
    "print_trace",
    "print_video",
    "print_videos",
    "pulled_data",
    "record_data",
    "video_data",
    "waiting",
]

_MARKS = {  # and their colours
    "indexed": ("✓", "green"),
    "pulled": ("✓", "green"),
    "unchanged": ("=", ""),
    "same": ("=", ""),
    "removed": ("−", "yellow"),
    "failed": ("✗", "red"),
}
_PERCEIVED = ("indexed", "pulled")
_NAMED = 3  # files that share a reason are named up to here, then counted


class IndexScreen:
    """The progress of indexing or pulling on stderr, a line for each file, and what the run as a whole came to."""

    def __init__(self, *, quiet: bool, verbose: bool, to_stdout: bool) -> None:
        """Draw on a terminal only.

        Args:
            quiet: No progress, and no line but for failures.
            verbose: A line for unchanged files, too.
            to_stdout: Lines go to stdout; else, failures only, to stderr.
        """
        self._verbose = verbose
        self._tells = to_stdout and not quiet
        self._bars = Progress(
            TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True, overflow="ellipsis")),
            BarColumn(bar_width=20),
            TaskProgressColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            disable=quiet or not sys.stderr.isatty(),
            transient=True,
            redirect_stdout=False,  # a line for stdout goes to stdout, also where that is a file
            redirect_stderr=False,
        )
        self._tasks: dict[Path, tuple[Any, str]] = {}  # of the files being indexed: the bar, and the stage it is of
        self._outcomes: list[Outcome | Pulled] = []

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._bars.stop()
        if kind is KeyboardInterrupt:
            print("playhead: stopped. What was finished is kept: run again to go on", file=sys.stderr)

    def progress(self, path: Path, number: int, count: int, stage: str, done: float, total: float) -> None:
        """Show how far a file is."""
        task, at = self._tasks.get(path, (None, ""))
        if at != stage:
            if task is not None:
                self._bars.remove_task(task)
            described = f"[{number + 1}/{count}] {clean_text(path.name)}: {stage}"
            task = self._bars.add_task(described, total=total or 1)
            self._tasks[path] = task, stage
        self._bars.update(task, completed=min(done, total))

    def done(self, outcome: "Outcome | Pulled") -> None:
        """Tell what became of a file."""
        self._outcomes.append(outcome)
        task, _ = self._tasks.pop(outcome.path, (None, ""))
        if task is not None:
            self._bars.remove_task(task)
        if outcome.has_failed:
            stream = sys.stderr
        elif self._tells and (outcome.state != "unchanged" or outcome.detail or self._verbose):
            stream = sys.stdout
        else:
            return
        table = _table(2, gap=1)
        mark, style = _MARKS["failed" if outcome.has_failed else outcome.state]
        table.add_row(Text(mark, style=style), Text(_told(outcome)))
        for stage in _stages(outcome, "failed"):
            table.add_row("", Text(f"{participle(stage.modality)}: failed: {clean_text(stage.detail)}"))
        self._bars.stop()  # a line between two drawings of the bars would tear them
        _print(table, stream)
        self._bars.start()

    def summary(self, library: Path | str) -> None:
        """Tell what was left out and why, once a reason, and how many files came to what."""
        if not self._tells:
            return
        indexed = [outcome for outcome in self._outcomes if outcome.state == "indexed"]
        left_out: dict[tuple[str, str], list[str]] = {}
        for outcome in indexed:
            for stage in _stages(outcome, "skipped"):
                left_out.setdefault((participle(stage.modality), stage.detail), []).append(_shown(outcome.path))
        if left_out:
            print("Left out:")
            table = _table(2)
            for (how, reason), files in left_out.items():
                table.add_row(f"  {how}", Text(reason if len(files) == len(indexed) else f"{reason} ({_few(files)})"))
            _print(table)
        counts: Counter[str] = Counter("unchanged" if o.state == "same" else o.state for o in self._outcomes)
        told = ", ".join(f"{counts[state]} {state}" for state in _MARKS if counts[state])
        print(f"{told or 'no video'} · library {_shown(library) if isinstance(library, Path) else clean_text(library)}")


def waiting(what: str, quiet: bool) -> AbstractContextManager[Any]:
    """On a terminal, show that work goes on; its length is not known."""
    console = Console(stderr=True, quiet=quiet or not sys.stderr.isatty())
    return console.status(f"{what} …")


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


def pulled_data(pulled: "Pulled") -> dict[str, Any]:
    """What became of a remote video, for programs."""
    record = pulled.record
    return {
        "video_id": pulled.video_id,
        "state": pulled.state,
        "detail": pulled.detail,
        "path": str(pulled.path) if record else None,
        "duration": record.duration if record else None,
    }


def video_data(library: "Library", record: "VideoRecord") -> dict[str, Any]:
    """A video of a library for programs."""
    return record_data(record, library.paths_of(record))


def record_data(record: "VideoRecord", paths: "Sequence[Path]") -> dict[str, Any]:
    """A video for programs; its files lie at these paths."""
    data = record.model_dump(mode="json", exclude={"info", "commit", "paths"})
    info = record.info.model_dump(mode="json", exclude={"path"})
    return data | {"video": str(paths[0]), "paths": [str(path) for path in paths], "info": info}


def print_evidence(found: "Sequence[Evidence]") -> None:
    """One line a result: when, where, how, how well it fits, what."""
    names = _names({evidence.video for evidence in found})
    table = _table(5 if len(names) > 1 else 4)
    for evidence in found:
        name = [names[evidence.video]] if len(names) > 1 else []
        when = f"{clock(evidence.start)}–{clock(evidence.end)}"
        table.add_row(when, *name, participle(evidence.modality), f"{evidence.score:.2f}", Text(evidence.text))
    _print(table)


def print_moments(found: "Sequence[FoundMoment]") -> None:
    """One line a moment: when, where, how well it fits, and the best of what was perceived there."""
    names = _names({moment.video for moment in found})
    table = _table(4 if len(names) > 1 else 3)
    for moment in found:
        name = [names[moment.video]] if len(names) > 1 else []
        when = f"{clock(moment.start)}–{clock(moment.end)}"
        told = f"seen in {moment.frames} frames looked at; " if moment.seen else ""
        told += "; ".join(f"{participle(best.modality)}: {best.text}" for best in moment.evidence[:1])
        table.add_row(when, *name, f"{moment.score:.2f}", Text(told))
    _print(table)


def print_answer(answer: "Answer") -> None:
    """The answer, each claim with the spans behind it."""
    for line in str(answer).splitlines():
        _print(Text(line))


def print_trace(answer: "Answer") -> None:
    """On stderr, how an answer was found."""
    for step in answer.trace:
        print(f"{step.step}: {step.detail} ({step.seconds:.2f} s)", file=sys.stderr)
    print(f"confidence {answer.confidence:.2f}, {answer.usage.seconds:.2f} s in all", file=sys.stderr)


def print_videos(library: "Library", records: "Sequence[VideoRecord]") -> None:
    """One line a video: how long, what was indexed, where it lies."""
    table = _table(4)
    for record in records:
        stages = ", ".join(participle(s.modality) for s in record.stages if s.state == "done")
        places = [_shown(p) if p.exists() else f"{_shown(p)} (gone)" for p in library.paths_of(record)]
        table.add_row(clock(record.duration), record.video_id[:12], stages, Text(", ".join(places)))
    _print(table)


def print_video(library: "Library", record: "VideoRecord", evidence: "Sequence[Evidence]") -> None:
    """A video's record, its stages, and all that was perceived."""
    info = record.info
    picture = f"{info.video.width}×{info.video.height} {info.video.codec}" if info.video else "no pictures"
    sound = info.sound.codec if info.sound else "no sound"
    print(_shown(library.paths_of(record)[0]))
    print(f"{clock(record.duration)} · {picture}, {sound} · id {record.video_id} · indexed {record.indexed_at}")
    for other in library.paths_of(record)[1:]:
        print(f"the same video: {_shown(other)}")
    for note in record.notes:
        print(f"note: {clean_text(note)}")
    print()
    table = _table(3)
    for stage in record.stages:
        detail = f"{stage.detail}, {stage.source}" if stage.source else stage.detail
        table.add_row(participle(stage.modality), stage.state, Text(detail))
    _print(table)
    print()
    rows = _table(3)
    for one in sorted(evidence, key=lambda e: (e.start, e.end)):
        rows.add_row(f"{clock(one.start)}–{clock(one.end)}", participle(one.modality), Text(one.text))
    _print(rows)


def print_chapters(
    library: "Library", listed: "Sequence[tuple[VideoRecord, Sequence[ListedChapter]]]", *, scenes: bool
) -> None:
    """For each video a table of contents: when, the heading, the most telling sentence; and when each scene is."""
    for number, (record, chapters) in enumerate(listed):
        path = library.path_of(record)
        if number:
            print()
        print(f"{_shown(path)} · {clock(record.duration)}")
        if not any(chapter.heading or chapter.quotes for chapter in chapters):
            print(f"nothing said, written or described is indexed: `playhead show {_shown(path)}` tells why")
        table = _table(2)
        for chapter in chapters:
            when, *others = (f"{clock(span.start)}–{clock(span.end)}" for span in (chapter.span, *chapter.scenes))
            lines = [one.quote for one in (chapter.heading, *chapter.quotes[:1]) if one]
            table.add_row(when, Text("\n".join(lines)))
            for scene in others if scenes else ():
                table.add_row("", Text(f"scene {scene}"))
        _print(table)


def print_findings(findings: Sequence[Finding]) -> None:
    """The doctor's table."""
    table = _table(3)
    for finding in findings:
        style = "green" if finding.state == "ready" else "yellow"
        table.add_row(finding.part, Text(finding.state, style=style), Text(finding.detail))
    _print(table)


def _told(outcome: "Outcome | Pulled") -> str:
    name, detail = _shown(outcome.path), clean_text(outcome.detail)
    if outcome.state in _PERCEIVED and outcome.record:
        found = [f"{s.detail.removesuffix(' found')} {participle(s.modality)}" for s in _stages(outcome, "done")]
        notes = f" ({detail})" if detail else ""
        return f"{name}: {clock(outcome.record.duration)}, {', '.join(found) or 'nothing perceived'}{notes}"
    itself = clean_text(str(outcome.path))
    if detail.startswith(itself):  # "/talks/a.mp4 is empty …": the file is named already
        return name + detail.removeprefix(itself)
    return f"{name}: {detail or outcome.state}"


def _stages(outcome: "Outcome | Pulled", state: str) -> "list[StageReport]":
    """The stages of a file that was indexed or pulled now which came to this state."""
    new = outcome.record if outcome.state in _PERCEIVED else None
    return [stage for stage in new.stages if stage.state == state] if new else []


def _shown(path: Path) -> str:
    """A path as a person would write it here: relative to the working folder if below it."""
    here = Path.cwd()
    return clean_text(os.fspath(path.relative_to(here) if path.is_relative_to(here) else path))


def _names(videos: Iterable[str]) -> dict[str, str]:
    """For each path of a video its file name; where two are the same, the paths."""
    paths = {video: Path(video) for video in videos}
    unique = len({path.name for path in paths.values()}) == len(paths)
    return {video: clean_text(path.name) if unique else _shown(path) for video, path in paths.items()}


def _few(names: Sequence[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def _table(columns: int, gap: int = 2) -> Table:
    """A table without lines whose last column takes what room is left."""
    given = [*(Column(no_wrap=True) for _ in range(columns - 1)), Column(overflow="fold")]
    return Table(*given, box=None, show_header=False, pad_edge=False, padding=(0, gap, 0, 0))


def _print(drawing: Table | Text, stream: TextIO | None = None) -> None:
    """Draw as wide as the terminal; without one, lines are as long as they must be."""
    stream = stream or sys.stdout
    console = Console(file=stream, width=None if stream.isatty() else 10_000, highlight=False)
    with console.capture() as drawn:
        console.print(drawing)
    for line in drawn.get().splitlines():
        print(line.rstrip(), file=stream)
    stream.flush()
