"""Evaluations without videos and without a language model: captions or transcripts, and a text encoder."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ...tools.embedding.texts import SentenceEncoder
from ...tools.settings import Settings
from .datasets import load
from .datasets.moment_sets import tutorial_lines
from .metrics.resampling import halves, interval
from .metrics.scoring import Scores, rows_of_scores, score
from .records import Budget, Prediction, Question, System
from .runs import Progress, execute, run_info
from .systems.cached_vectors import CachedVectors
from .systems.finders import FINDERS, TranscriptFinder
from .systems.grounders import CaptionGrounder, read_captions

__all__ = ["run_nextgqa", "run_tutorialvqa"]

# Metrics that are reported with an interval.
_WITH_INTERVAL = ("mIoU", "mIoP", "R@1", "R@10")


def run_nextgqa(
    folder: Path,
    out: Path,
    settings: Settings,
    split: str | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Ground NExT-GQA's questions in captions, for IoU (`balanced`) and for IoP (`precise`, spans of at least 2 s).

    Args:
        folder: Folder of the captions (see `grounders.read_captions`) and the questions.
        out: Folder of the runs.
        settings: Names the text encoder.
        split: Split of the questions.
        seed: Seed of the halves (`index.localization.grounding` was tuned on the first half) and of the intervals.
        progress: Called with the number of answered questions and the number of all.

    Returns:
        By mode (`balanced`, `precise`): metrics under their usual names, as fractions, of all questions, and under
        `halves` those of the `tuned` and the `held_out` videos.

    Raises:
        QueryError: A file is missing or has an unknown form.
    """
    captions = read_captions(folder)
    data = load("nextgqa", folder, split=split)
    questions = [question for question in data.questions if question.video in captions]
    vectors = CachedVectors(SentenceEncoder(settings))
    systems = {
        "balanced": CaptionGrounder(captions, questions, vectors, "balanced"),
        "precise": CaptionGrounder(captions, questions, vectors, "precise"),
    }
    return _by_half(systems, questions, captions, f"nextgqa/{split or 'val'}", out, seed, progress)


def run_tutorialvqa(
    folder: Path,
    out: Path,
    settings: Settings,
    split: str | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Find where TutorialVQA's questions are answered in the library of all its transcripts.

    `words` is BM25 over sentences, `search` is the library's search,
    `passages` are stretches of seven sentences (`index.retrieval.passages`, tuned on the first half of the videos). A result is a hit if it overlaps the true
    sentences. All videos are searched, for the questions of both halves.

    Args:
        folder: Folder of the transcripts and the questions.
        out: Folder of the runs.
        settings: Names the text encoder.
        split: Split of the questions; None: `test`.
        seed: Seed of the halves and of the intervals.
        progress: Called with the number of answered questions and the number of all.

    Returns:
        By search method: metrics under their usual names, as fractions, of all questions, and under `halves` those of
        the `tuned` and the `held_out` videos.

    Raises:
        QueryError: A file is missing or has an unknown form.
    """
    questions = list(load("tutorialvqa", folder, split=split).questions)
    lines = tutorial_lines(folder)
    vectors = CachedVectors(SentenceEncoder(settings))
    vectors.encode([question.question for question in questions])
    systems: dict[str, System] = {
        finder: TranscriptFinder(out / "libraries" / finder, lines, vectors, finder, settings) for finder in FINDERS
    }
    return _by_half(systems, questions, lines, f"tutorialvqa/{split or 'test'}", out, seed, progress)


def _by_half(
    systems: Mapping[str, System],
    questions: Sequence[Question],
    videos: Mapping[str, object],
    dataset: str,
    out: Path,
    seed: int,
    progress: Progress | None,
) -> dict[str, Any]:
    """Run each system on all questions, and score each half of the videos."""
    first, _ = halves(videos, seed)
    parts = {
        "tuned": [question for question in questions if question.video in first],
        "held_out": [question for question in questions if question.video not in first],
    }
    found: dict[str, Any] = {
        "dataset": dataset,
        "seed": seed,
        "videos": {"all": len(videos), "tuned": len(first), "held_out": len(videos) - len(first)},
        "questions": {"all": len(questions), **{name: len(part) for name, part in parts.items()}},
    }
    for name, system in systems.items():
        run = execute(out / name, system, questions, run_info(system, dataset, questions, Budget(), seed), progress)
        run.scores()
        predictions = run.predictions
        found[name] = _scores_with_intervals(questions, predictions, seed)
        found[name]["halves"] = {
            part: _scores_with_intervals(asked, predictions, seed) for part, asked in parts.items() if asked
        }
    return found


def _scores_with_intervals(
    questions: Sequence[Question], predictions: Mapping[str, Prediction], seed: int
) -> dict[str, Any]:
    scores: Scores = score(questions, predictions)
    rows = rows_of_scores(questions, predictions)
    intervals = {}
    for name in _WITH_INTERVAL:
        held = [(row[name], question.video) for row, question in zip(rows, questions, strict=True) if name in row]
        if held:
            found = interval([value for value, _ in held], [video for _, video in held], seed)
            intervals[name] = [found.low, found.high]
    return scores.metrics | {"intervals": intervals, "cost": scores.cost.model_dump()}
