"""Runs as folders: the questions, the predictions and the scores. An interrupted run continues.

A folder contains `run.json` (settings and versions), `questions.jsonl` (with their truth), `predictions.jsonl`,
`traces.jsonl` (steps to each prediction) and `metrics.json`. A prediction is written before the next question is
asked. If the last line is incomplete, its question is asked again.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, Field, ValidationError

from ...tools.errors import LibraryError, PlayheadError
from ...tools.records import Record, clean_text
from ..records import TraceStep
from .metrics.scoring import Scores, score
from .records import Budget, Prediction, Question, System, without_truth

__all__ = ["Run", "RunInfo", "execute", "open_run", "run_info"]

Progress = Callable[[int, int], None]
_Kind = TypeVar("_Kind", bound=BaseModel)


class RunInfo(Record):
    """The identity of a run. Runs with equal values are repetitions."""

    system: str = Field(description="Name of the system.")
    fingerprint: str = Field(description="Hash of its settings and models.")
    dataset: str = Field(description="Name of the data set, with the split.")
    questions: int = Field(description="Number of questions.")
    seed: int = Field(default=0, description="Seed of all random choices.")
    budget: Budget = Field(default_factory=Budget, description="Budget of one question.")
    masked: tuple[str, ...] = Field(default=(), description="Modalities hidden from the system.")
    playhead: str = Field(description="Playhead version of the run.")


class _Trace(Record):
    """One row of `traces.jsonl`."""

    question_id: str
    trace: tuple[TraceStep, ...]


class Run:
    """A folder with a complete or incomplete run."""

    def __init__(self, folder: Path, info: RunInfo) -> None:
        self.folder, self.info = folder, info

    @property
    def questions(self) -> list[Question]:
        """The questions with their truth.

        Raises:
            LibraryError: The file is missing or damaged.
        """
        return list(_read(self.folder / "questions.jsonl", Question))

    @property
    def predictions(self) -> dict[str, Prediction]:
        """The predictions so far, by question id.

        Raises:
            LibraryError: The file is damaged; an incomplete last line is not an error.
        """
        path = self.folder / "predictions.jsonl"
        return {one.question_id: one for one in _read(path, Prediction)} if path.exists() else {}

    @property
    def traces(self) -> dict[str, tuple[TraceStep, ...]]:
        """The trace of each prediction, by question id.

        Raises:
            LibraryError: As for `predictions`.
        """
        path = self.folder / "traces.jsonl"
        return {one.question_id: one.trace for one in _read(path, _Trace)} if path.exists() else {}

    def keep(self, prediction: Prediction) -> None:
        """Write one prediction, its trace first."""
        trace = _Trace(question_id=prediction.question_id, trace=prediction.trace)
        _append(self.folder / "traces.jsonl", trace)
        _append(self.folder / "predictions.jsonl", prediction.model_copy(update={"trace": ()}))

    def scores(self, blind: "Run | None" = None) -> Scores:
        """Score the predictions so far, and write `metrics.json`.

        Args:
            blind: A run of the blind baseline on the same questions.
        """
        found = score(self.questions, self.predictions, blind.predictions if blind else None)
        _write(self.folder / "metrics.json", found.model_dump_json(indent=2))
        return found


def run_info(
    system: System,
    dataset: str,
    questions: Sequence[Question],
    budget: Budget,
    seed: int = 0,
    masked: tuple[str, ...] = (),
) -> RunInfo:
    """Return the identity of a run of a system."""
    return RunInfo(
        system=system.name,
        fingerprint=system.fingerprint,
        dataset=dataset,
        questions=len(questions),
        seed=seed,
        budget=budget,
        masked=masked,
        playhead=version("playhead"),
    )


def open_run(folder: Path) -> Run:
    """Open the run in a folder.

    Raises:
        LibraryError: The folder holds no run, or a damaged run.
    """
    path = folder / "run.json"
    try:
        return Run(folder, RunInfo.model_validate_json(path.read_text(encoding="utf-8")))
    except FileNotFoundError as error:
        raise LibraryError(f"{folder} is no run: it has no run.json; `playhead eval` makes runs with --out") from error
    except (OSError, ValidationError, UnicodeDecodeError) as error:
        raise LibraryError(
            f"{path} is damaged ({clean_text(str(error))[:200]}): run again into another folder"
        ) from error


def execute(
    folder: Path, system: System, questions: Sequence[Question], info: RunInfo, progress: Progress | None = None
) -> Run:
    """Ask a system every question that has no prediction yet.

    An error of the system on one question (an unreadable video, a timeout) becomes a prediction `failed` with its
    reason and counts as wrong. An error on the first question ends the run: the system does not work at all.

    Args:
        folder: Folder of the run; an interrupted run continues.
        system: The system to evaluate.
        questions: With truth, which the system does not see.
        info: Identity of the run.
        progress: Called with the number of answered questions and the number of all.

    Raises:
        LibraryError: The folder holds a different run, or is damaged.
        PlayheadError: The system fails on the first question.
    """
    run = _open_or_create(folder, questions, info)
    known = run.predictions
    for place, question in enumerate(questions, start=1):
        if question.question_id not in known:
            began = time.perf_counter()
            try:
                prediction = system.answer(without_truth(question), info.budget)
            except PlayheadError as error:
                if not known:
                    raise
                prediction = Prediction(question_id=question.question_id, status="failed", error=str(error))
            if not prediction.usage.seconds:
                usage = prediction.usage.model_copy(update={"seconds": time.perf_counter() - began})
                prediction = prediction.model_copy(update={"usage": usage})
            known[question.question_id] = prediction
            run.keep(prediction)
        if progress:
            progress(place, len(questions))
    return run


def _open_or_create(folder: Path, questions: Sequence[Question], info: RunInfo) -> Run:
    if (folder / "run.json").exists():
        run = open_run(folder)
        if run.info != info:
            changed = [name for name in RunInfo.model_fields if getattr(run.info, name) != getattr(info, name)]
            raise LibraryError(
                f"{folder} holds a run with other {', '.join(changed)}: name another folder with --out, or delete it"
            )
        if [one.question_id for one in run.questions] != [one.question_id for one in questions]:
            raise LibraryError(f"{folder} holds a run of other questions: name another folder with --out, or delete it")
        _drop_incomplete_line(folder / "predictions.jsonl")
        _drop_incomplete_line(folder / "traces.jsonl")
        return run
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder / "questions.jsonl", "".join(one.model_dump_json() + "\n" for one in questions))
    _write(folder / "run.json", info.model_dump_json(indent=2))
    return Run(folder, info)


def _drop_incomplete_line(path: Path) -> None:
    """Remove an incomplete last line."""
    if not path.exists():
        return
    held = path.read_bytes()
    if held and not held.endswith(b"\n"):
        path.write_bytes(held[: held.rfind(b"\n") + 1])


def _read(path: Path, kind: type[_Kind]) -> Iterator[_Kind]:
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError as error:
        raise LibraryError(f"{path} cannot be read: {error.strerror}") from error
    for number, line in enumerate(lines[:-1], start=1):  # text after the last newline is an incomplete line
        try:
            yield kind.model_validate_json(line)
        except ValueError as error:
            raise LibraryError(
                f"{path}, line {number} is damaged: delete it, and its question is asked again"
            ) from error


def _append(path: Path, row: BaseModel) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(row.model_dump_json() + "\n")


def _write(path: Path, text: str) -> None:
    staged = path.with_name(path.name + ".part")
    staged.write_text(text, encoding="utf-8")
    staged.replace(path)
