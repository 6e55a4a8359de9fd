"""Composed hours (`playhead.agent.evaluation.haystack.compose`) and their libraries, made once and kept in the user's cache folder."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from report import Skipped, real_data

from playhead import Library, Settings
from playhead.agent.evaluation.haystack.compose import VIDEOS, HaystackQuestion, code_hash, compose_hours
from playhead.tools.errors import MissingExtraError
from playhead.tools.settings import cache_folder

__all__ = ["HOURS", "SEEDS", "Haystack", "detector_settings", "make_haystack"]

# What is tuned is tuned on the first; the other is only reported.
SEEDS = {1: "tuned on", 2: "held out"}
HOURS = 2


@dataclass(frozen=True)
class Haystack:
    """Composed hours, indexed.

    Attributes:
        folder: Of the videos.
        questions: About all of them.
        library: All of them, indexed with the profile `offline`.
    """

    folder: Path
    questions: list[HaystackQuestion]
    library: Library

    def path(self, question: HaystackQuestion) -> Path:
        """The video that a question is about."""
        return self.folder / question.video


def make_haystack(seed: int, hours: int = HOURS, minutes: int = 60) -> Haystack:
    """Compose and index, as far as that was not done before; older versions are removed.

    Raises:
        Skipped: What it is made of is not here.
    """
    clips = real_data("videos")
    kept = cache_folder() / "benchmarks"
    folder = kept / f"haystack-{seed}-{minutes}-{code_hash()}"
    for old in kept.glob(f"haystack-{seed}-{minutes}-*"):
        if old != folder:
            shutil.rmtree(old)
    try:
        questions = compose_hours(folder, seed, hours, clips, minutes, lambda name: print(f"{name} …", flush=True))
    except MissingExtraError as error:
        raise Skipped(str(error)) from error
    library = Library(folder / "library", detector_settings())
    for outcome in library.index(folder / VIDEOS):
        if outcome.state == "failed":
            raise RuntimeError(f"a composed hour cannot be indexed: {outcome}")
    return Haystack(folder / VIDEOS, questions, library)


def detector_settings() -> Settings:
    """The profile `offline`, with the detector that lies beside the repository."""
    return Settings(objects_model=str(real_data("models/yolov8n_int8.onnx")), offline=True, answerer="extractive")
