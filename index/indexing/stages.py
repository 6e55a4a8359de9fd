"""One stage of indexing: the observations of an extractor, their reappearances, its failure."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ...tools.embedding.protocol import Vectors
from ...tools.errors import LibraryError
from ...tools.records import Modality, Observation, Span
from ..records import StageReport
from ..storage.journal import Journal, packed, unpacked
from .text_vectors import check_vectors, error_line

__all__ = ["Observed", "Reappearance", "Stage"]


class Reappearance(NamedTuple):
    """A segment that shows the same picture as the frame at `first_seconds`."""

    first_seconds: float
    span: Span
    frame_seconds: float


Halves = npt.NDArray[np.float16]
Observed = tuple[list[Observation], Vectors | None]


@dataclass
class Stage:
    """One stage; each step's result is written to its journal."""

    modality: Modality
    source: str
    fingerprint: str
    journal: Journal
    observations: list[Observation] = field(default_factory=list)
    vectors: list[Halves] = field(default_factory=list)
    failure: str = ""
    seconds: float = 0.0

    def run(self, observe: Callable[[], Observed], key: str = "") -> None:
        """Run one step, or read its result from the journal; do nothing after a failure.

        Args:
            observe: Makes the observations.
            key: Identifies the step; its result depends on nothing else. Empty: the result is not stored.

        Raises:
            LibraryError: The journal cannot be written.
        """
        if self.failure:
            return
        entry = _restored(self.journal.find(key))
        if entry is None:
            began = time.perf_counter()
            try:
                seen, vectors = observe()
                if vectors is not None:
                    check_vectors(vectors, len(seen))
            except LibraryError:
                raise
            except Exception as error:  # noqa: BLE001 (whatever a model raises, the other stages continue)
                self.fail(error)
                return
            finally:
                took = time.perf_counter() - began
                self.seconds += took
            halves = None if vectors is None else vectors.astype(np.float16)
            if key:
                self.journal.note(key, _entry(seen, halves, took))
        else:
            seen, halves, took = entry
            self.seconds += took
        self.observations += seen
        if halves is not None:
            self.vectors.append(halves)

    def fail(self, error: Exception) -> None:
        """Record the failure and discard the observations: a partial result would look complete."""
        self.failure = error_line(error)
        self.observations, self.vectors = [], []

    def repeat(self, reappearances: Sequence[Reappearance]) -> None:
        """Copy the observations of a frame to the segments in which the same picture reappears."""
        if self.failure or not reappearances:
            return
        rows_of: dict[float | None, list[int]] = {}
        for row, seen in enumerate(self.observations):
            rows_of.setdefault(seen.frame_seconds, []).append(row)
        copied = [(row, again) for again in reappearances for row in rows_of.get(again.first_seconds, ())]
        self.observations += [
            self.observations[row].model_copy(update={"span": again.span, "frame_seconds": again.frame_seconds})
            for row, again in copied
        ]
        order = sorted(range(len(self.observations)), key=lambda row: self.observations[row].span.start)
        self.observations = [self.observations[row] for row in order]
        if self.vectors:
            vectors = np.concatenate(self.vectors)
            self.vectors = [np.concatenate([vectors, vectors[[row for row, _ in copied]]])[order]]

    def report(self) -> StageReport:
        """Return the stage's report."""
        if self.failure:
            return StageReport(
                modality=self.modality, state="failed", detail=self.failure, seconds=round(self.seconds, 3)
            )
        return StageReport(
            modality=self.modality,
            state="done",
            source=self.source,
            detail=f"{len(self.observations)} found",
            fingerprint=self.fingerprint,
            seconds=round(self.seconds, 3),
        )


def _entry(seen: Sequence[Observation], vectors: Halves | None, seconds: float) -> dict[str, Any]:
    return {
        "observations": [one.model_dump(mode="json", exclude_defaults=True) for one in seen],
        "vectors": None if vectors is None else packed(vectors),
        "seconds": seconds,
    }


def _restored(entry: Any) -> tuple[list[Observation], Halves | None, float] | None:
    """Return a journal entry's content; None if it is missing or has another format."""
    try:
        vectors = entry["vectors"]
        seen = [Observation(**one) for one in entry["observations"]]
        return seen, None if vectors is None else unpacked(vectors), float(entry["seconds"])
    except (ValueError, KeyError, TypeError):
        return None
