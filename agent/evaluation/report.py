"""Writes one HTML page about runs: scores, costs, differences, and each question. The page needs no network.

Questions and answers are untrusted text: they are escaped, and the page may not run scripts.
"""

import base64
import html
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from string import Template

from ...tools.errors import QueryError
from .compare import compare
from .metrics.resampling import interval
from .metrics.scoring import Cost, Scores, rows_of_scores
from .plot import Dot, score_cost_plot
from .records import Prediction, Question
from .runs import Run, open_run

__all__ = ["write_report"]

# The plot shows the first of these metrics that all runs have.
_LEADING = ("accuracy", "Acc@GQA", "R@1", "mIoU", "T-F1")
_COLUMNS = (
    "accuracy", "accuracy_above_blind", "judged", "chance", "mIoU", "IoU@0.3", "IoU@0.5", "mIoP", "IoP@0.5", "R@1", "R@5",
    "R@10", "Acc@GQA", "acc@IoU", "T-Precision", "T-Recall", "T-F1", "MR-full-mAP", "citation_precision", "coverage",
    "selective_accuracy", "AURC",
)  # fmt: skip
_MOST_QUESTIONS = 500
_AS_TEXT = ' class="text"'


def write_report(folders: Sequence[Path], to: Path, seed: int = 0) -> list[Path]:
    """Write `report.html`, and `score_cost.png` next to it.

    Args:
        folders: Runs on one data set; differences are relative to the first.
        to: HTML file to write; the plot is written next to it.
        seed: Seed of the intervals.

    Returns:
        The written files.

    Raises:
        LibraryError: A folder holds no run, or a damaged run.
        QueryError: There is no run, or two runs share no question.
        MissingExtraError: matplotlib is not installed.
    """
    if not folders:
        raise QueryError("a report needs at least one run: give the folders that --out created")
    runs = [open_run(folder) for folder in folders]
    blind = next((run for run in runs if run.info.system == "blind"), None)
    scores = [run.scores(blind if run is not blind else None) for run in runs]
    names = _names(runs)
    picture = _plot(runs, scores, names, seed)
    page = _template().substitute(
        title=_text(f"Evaluation on {runs[0].info.dataset}"),
        made=_text(
            f"{len(runs)} runs by Playhead {runs[0].info.playhead}; seed {runs[0].info.seed}; "
            + "; ".join(
                f"{name}: {run.info.questions} questions, settings {run.info.fingerprint}"
                for name, run in zip(names, runs, strict=True)
            )
        ),
        scores=_scores_table(names, scores),
        plot=f'<img alt="Score and cost of each run" src="data:image/png;base64,{base64.b64encode(picture).decode()}">'
        if picture
        else "<p>No metric is common to all runs.</p>",
        differences=_differences(folders, names, seed),
        modalities=_modalities(runs, scores, names),
        questions=_questions(runs, names),
    )
    to.parent.mkdir(parents=True, exist_ok=True)
    to.write_text(page, encoding="utf-8")
    if not picture:
        return [to]
    plot = to.with_name("score_cost.png")
    plot.write_bytes(picture)
    return [to, plot]


def _names(runs: Sequence[Run]) -> list[str]:
    """Return the names of the systems, with the folder's name if two runs have the same system."""
    systems = [run.info.system + (f" without {', '.join(run.info.masked)}" if run.info.masked else "") for run in runs]
    return [
        name if systems.count(name) == 1 else f"{name} ({run.folder.name})"
        for name, run in zip(systems, runs, strict=True)
    ]


def _plot(runs: Sequence[Run], scores: Sequence[Scores], names: Sequence[str], seed: int) -> bytes | None:
    metric = next((name for name in _LEADING if all(name in one.counted for one in scores)), None)
    if metric is None:
        return None
    tokens = [_tokens(one.cost) for one in scores]
    by_tokens = all(value is not None and value > 0 for value in tokens)
    dots = []
    for run, one, name, spent in zip(runs, scores, names, tokens, strict=True):
        rows = rows_of_scores(run.questions, run.predictions)
        held = [(row[metric], q.video) for row, q in zip(rows, run.questions, strict=True) if metric in row]
        found = interval([value for value, _ in held], [video for _, video in held], seed)
        dots.append(Dot(name, spent if by_tokens and spent else one.cost.seconds, found.mean, found.low, found.high))
    return score_cost_plot(dots, "tokens a question" if by_tokens else "seconds a question", metric)


def _tokens(cost: Cost) -> float | None:
    if cost.prompt_tokens is None or cost.completion_tokens is None:
        return None
    return cost.prompt_tokens + cost.completion_tokens


def _scores_table(names: Sequence[str], scores: Sequence[Scores]) -> str:
    columns = [name for name in _COLUMNS if any(name in one.metrics for one in scores)]
    costs = ("frames", "prompt_tokens", "completion_tokens", "seconds", "rounds")
    head = ["system", "questions", "failed", *columns, *(name.replace("_", " ") for name in costs)]
    rows = []
    for name, one in zip(names, scores, strict=True):
        cells = [_number(one.metrics.get(column), 3) for column in columns]
        spent = [_number(getattr(one.cost, column), 2) for column in costs]
        rows.append([name, str(one.questions), str(one.failed), *cells, *spent])
    return _table(head, rows)


def _differences(folders: Sequence[Path], names: Sequence[str], seed: int) -> str:
    """Compare each run with the first, in the leading metrics."""
    if len(folders) < 2:
        return ""
    rows = []
    for folder, name in zip(folders[1:], names[1:], strict=True):
        found = compare(folders[0], folder, seed)
        rows += [
            [
                name, one.metric, str(one.questions), f"{one.difference:+.3f}",
                f"{one.interval[0]:+.3f} to {one.interval[1]:+.3f}", "yes" if one.is_clear else "no",
            ]
            for one in found.differences
            if one.metric in _COLUMNS
        ]  # fmt: skip
    head = ["system", "metric", "questions", f"minus {names[0]}", "95 %", "clear"]
    return f"<h2>Against {_text(names[0])}, in pairs</h2><div class='wide'>{_table(head, rows)}</div>"


def _modalities(runs: Sequence[Run], scores: Sequence[Scores], names: Sequence[str]) -> str:
    """Report the loss without each modality, if a run of the same system has all modalities."""
    whole = {run.info.system: one for run, one in zip(runs, scores, strict=True) if not run.info.masked}
    rows = []
    for run, one, name in zip(runs, scores, names, strict=True):
        full = whole.get(run.info.system)
        if not run.info.masked or full is None:
            continue
        for metric in _LEADING:
            if metric in one.metrics and metric in full.metrics:
                lost = full.metrics[metric] - one.metrics[metric]
                rows.append([name, metric, _number(one.metrics[metric], 3), f"{lost:+.3f}"])
    if not rows:
        return "<p class='note'>No run has a modality masked.</p>"
    return f"<div class='wide'>{_table(['system', 'metric', 'score', 'gain from the modality'], rows)}</div>"


def _questions(runs: Sequence[Run], names: Sequence[str]) -> str:
    asked = runs[0].questions
    answers = [run.predictions for run in runs]
    shown = asked[:_MOST_QUESTIONS]
    rows = []
    for question in shown:
        cells = [_said(question, given.get(question.question_id)) for given in answers]
        truth = question.answer or "; ".join(map(str, question.spans[:3])) or "–"
        rows.append([question.question_id, question.question, truth, *cells])
    cut = f"<p class='note'>The first {len(shown)} of {len(asked)}.</p>" if len(shown) < len(asked) else ""
    table = _table(["id", "question", "truth", *names], rows, text_from=1)
    return f"<details><summary>{len(shown)} questions</summary>{cut}<div class='wide'>{table}</div></details>"


def _said(question: Question, prediction: Prediction | None) -> str:
    if prediction is None:
        return "–"
    if prediction.status == "failed":
        return f"failed: {prediction.error}"
    words = [prediction.answer] if prediction.answer else []
    if prediction.option is not None and prediction.option < len(question.options):
        words.append(question.options[prediction.option])
    words += [
        f"{one.start:.1f}–{one.end:.1f} s" + (f" in {one.video}" if one.video else "") for one in prediction.spans[:1]
    ]
    return "; ".join(words) or prediction.status


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], text_from: int | None = None) -> str:
    """Return an HTML table. All cells are escaped here."""
    top = "".join(f"<th>{_text(cell)}</th>" for cell in head)
    body = []
    for row in rows:
        cells = [
            f"<td{_AS_TEXT if text_from is not None and place >= text_from else ''}>{_text(cell)}</td>"
            for place, cell in enumerate(row)
        ]
        body.append(f"<tr>{''.join(cells)}</tr>")
    return f"<table><thead><tr>{top}</tr></thead><tbody>{''.join(body)}</tbody></table>"


def _text(value: str) -> str:
    return html.escape(value, quote=True)


def _number(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def _template() -> Template:
    return Template(resources.files(__package__).joinpath("report.html").read_text(encoding="utf-8"))
