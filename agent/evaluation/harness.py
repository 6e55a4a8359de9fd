"""Runs systems on a data set with the same budget, with the extra passes that some metrics need."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import Field

from ...tools.errors import QueryError
from ...tools.extractors.registry import find_modalities, modality_names
from ...tools.llm.backends import is_set, video_llm
from ...tools.llm.protocol import VideoLLM
from ...tools.media.frames import frames_at
from ...tools.records import Modality, Record
from ...tools.settings import Settings
from ..library import Library
from .datasets import Dataset
from .judge import cohens_kappa, judge_all
from .metrics.choices import circular, rotated
from .metrics.keyframes import Quality, mean_quality, visual_quality
from .records import Budget, Prediction, Question
from .runs import Progress, Run, execute, run_info
from .systems.baselines import BASELINES, baseline, settings_for
from .systems.masking import masked_library

__all__ = ["Wanted", "evaluate", "judged", "modalities_of", "visual"]


class Wanted(Record):
    """What to evaluate, and how."""

    systems: tuple[str, ...] = Field(description="Names of `BASELINES`.")
    budget: Budget = Field(default_factory=Budget, description="Budget of one question, the same for all systems.")
    seed: int = Field(default=0, description="Seed of all random choices.")
    masks: tuple[Modality, ...] = Field(
        default=(), description="Each system runs again without each of these modalities."
    )
    circular: bool = Field(default=False, description="Also rotate the answer options (CircularEval).")
    judge: bool = Field(default=False, description="Have open-ended answers judged by the video LLM, twice.")
    visual: bool = Field(default=False, description="Also compare chosen frames with true frames by picture content.")


def evaluate(
    data: Dataset,
    wanted: Wanted,
    out: Path,
    settings: Settings,
    library: Path | None = None,
    progress: Progress | None = None,
) -> dict[str, dict[str, Any]]:
    """Run systems and score them. Predictions that are already in `out` are reused.

    Args:
        data: The questions.
        wanted: The systems and their options.
        out: Folder of the runs; each run's folder has the name of its system.
        settings: Models, the video LLM included.
        library: The library of the videos, for systems that search.
        progress: Called with the number of answered questions and the number of all.

    Returns:
        By run: metrics under their usual names, as fractions, and cost.

    Raises:
        QueryError: A system is unknown, or needs a library or a video LLM that is not set.
        LibraryError: A folder holds a different run.
        ServerError: The video LLM does not answer the first question.
    """
    unknown = [name for name in wanted.systems if name not in BASELINES]
    if unknown:
        raise QueryError(f"no system {', '.join(unknown)}: there are {', '.join(BASELINES)}")
    llm = video_llm(settings) if is_set(settings) else None
    questions = list(data.questions)
    ran: dict[str, Run] = {}
    turned: dict[str, float | None] = {}
    for name in wanted.systems:
        for masked in ((), *((one,) for one in wanted.masks)):
            key = name + "".join(f"-without-{one}" for one in masked)
            opened = _library(library, masked, out, settings_for(settings, wanted.budget))
            system = baseline(name, llm, opened, masked, wanted.seed)
            info = run_info(system, data.name, questions, wanted.budget, wanted.seed, masked)
            ran[key] = execute(out / key, system, questions, info, progress)
            if wanted.circular and not masked:
                passes = [ran[key].predictions]
                for turn in range(1, max((len(q.options) for q in questions), default=1)):
                    asked = [rotated(question, turn) for question in questions]
                    passes.append(execute(out / f"{key}-turn-{turn}", system, asked, info, progress).predictions)
                missing = [[_of(question, held) for question in questions] for held in passes]
                turned[key] = circular(questions, missing)
    blind = ran.get("blind")
    found = {}
    for key, run in ran.items():
        scores = run.scores(blind if run is not blind else None)
        more = {"CircularEval": turned[key]} if turned.get(key) is not None else {}
        if wanted.judge and llm is not None:
            more |= judged(run, llm)
        if wanted.visual:
            more |= visual(run.questions, run.predictions)
        found[key] = scores.metrics | more | {"cost": scores.cost.model_dump()}
        (run.folder / "metrics.json").write_text(
            json.dumps(scores.model_dump() | {"metrics": scores.metrics | more}, indent=2), encoding="utf-8"
        )
    return found


def judged(run: Run, llm: VideoLLM) -> dict[str, float]:
    """Return `judged`, the share of open-ended answers judged correct, and `judge_kappa`, the judge's self-agreement.

    The second pass exchanges answer and reference: the verdict should not depend on their order. The verdicts are
    stored in `judgements.json`.

    Raises:
        ServerError: The judge does not answer.
    """
    open_ended = [question for question in run.questions if question.answer and not question.options]
    if not open_ended:
        return {}
    predictions = run.predictions
    first = judge_all(llm, open_ended, predictions)
    given = [one for one in open_ended if (held := predictions.get(one.question_id)) and held.answer]
    swapped = [one.model_copy(update={"answer": predictions[one.question_id].answer}) for one in given]
    references = {
        one.question_id: predictions[one.question_id].model_copy(update={"answer": one.answer}) for one in given
    }
    second = {one.question_id: one.correct for one in judge_all(llm, swapped, references).judgements}
    (run.folder / "judgements.json").write_text(first.model_dump_json(indent=2), encoding="utf-8")
    pairs = [
        (bool(one.correct), bool(second[one.question_id])) for one in first.judgements if one.question_id in second
    ]
    kappa = cohens_kappa([a for a, _ in pairs], [b for _, b in pairs])
    found = {"judged": first.accuracy or 0.0}
    return found if kappa is None else found | {"judge_kappa": kappa}


def visual(questions: Sequence[Question], predictions: Mapping[str, Prediction]) -> dict[str, float]:
    """Return `V-Precision`, `V-Recall` and `V-F1` by SSIM (see `keyframes`) for questions with true keyframes.

    Raises:
        MediaError: A video cannot be read.
    """
    each: list[Quality] = []
    for question in questions:
        if not question.frames or question.file is None:
            continue
        prediction = predictions.get(question.question_id)
        chosen = [frame.pixels for frame in frames_at(question.file, prediction.frames)] if prediction else []
        true = [frame.pixels for frame in frames_at(question.file, question.frames)]
        quality = visual_quality(chosen, true)
        assert quality is not None  # it has true keyframes
        each.append(quality)
    return mean_quality(each, "V-", f1_of_means=True)


def _library(folder: Path | None, masked: Sequence[Modality], out: Path, settings: Settings) -> Library | None:
    if folder is None:
        return None
    if masked:
        folder = masked_library(folder, masked, out / "libraries" / f"without-{'-'.join(masked)}")
    return Library(folder, settings)


def _of(question: Question, held: Mapping[str, Prediction]) -> Prediction:
    missing = Prediction(question_id=question.question_id, status="failed", error="there is no prediction")
    return held.get(question.question_id, missing)


def modalities_of(text: str | None) -> tuple[Modality, ...]:
    """Parse a comma-separated list of modalities.

    Raises:
        QueryError: One of them is not a modality.
    """
    named = find_modalities(part for part in (text or "").split(",") if part.strip())
    return tuple(name for name in modality_names() if name in named)
