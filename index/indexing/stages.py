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
from ...tools.tracing import traced_span
from ..records import StageReport
from ..storage.journal import Journal, packed, unpacked
from .text_vectors import check_vectors, error_line

__all__ = ["Observed", "Reappearance", "Stage"]


class Reappearance(NamedTuple):
    """A segment that shows the same picture as the frame at `first_seconds`."""

    first_seconds: float
    span: Span
    frame_seconds: float


# Segments follow each other without a gap, up to rounding.
_GAPLESS_SECONDS = 0.001

Halves = npt.NDArray[np.float16]
Observed = tuple[list[Observation], Vectors | None]


@dataclass
class Stage:
    """One stage; each step's result is written to its journal.

    Attributes:
        moving: For stages that read text: the segments whose picture moves.
    """

    modality: Modality
    source: str
    fingerprint: str
    journal: Journal
    observations: list[Observation] = field(default_factory=list)
    vectors: list[Halves] = field(default_factory=list)
    failure: str = ""
    seconds: float = 0.0
    moving: list[Span] = field(default_factory=list)

    def run(self, observe: Callable[[], Observed], key: str = "") -> None:
        """Run one step, or read its result from the journal; do nothing after a failure.

        Args:
            observe: Makes the observations.
            key: Identifies the step. Empty: the result is not stored. The text that is found depends on nothing else; its boxes
                and scores may differ slightly after an interruption.

        Raises:
            LibraryError: The journal cannot be written.
        """
        if self.failure:
            return
        entry = _restored(self.journal.find(key))
        if entry is None:
            began = time.perf_counter()
            try:
                with traced_span("index.stage", modality=self.modality, source=self.source):
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
        """Extend the observations of a frame over the segments in which the same picture reappears.

        Where it reappears without a gap the span becomes longer; after a gap the observations are copied.
        """
        if self.failure or not reappearances:
            return
        rows_of: dict[float | None, list[int]] = {}
        for row, seen in enumerate(self.observations):
            rows_of.setdefault(seen.frame_seconds, []).append(row)
        shown_again: dict[float, list[Reappearance]] = {}
        for again in reappearances:
            shown_again.setdefault(again.first_seconds, []).append(again)
        repeated: list[tuple[int, Observation]] = []
        for first_seconds, places in shown_again.items():
            for row in rows_of.get(first_seconds, ()):
                self.observations[row], copies = _spread(self.observations[row], places)
                repeated += [(row, copy) for copy in copies]
        self.observations += [copy for _, copy in repeated]
        order = sorted(range(len(self.observations)), key=lambda row: self.observations[row].span.start)
        self.observations = [self.observations[row] for row in order]
        if self.vectors:
            vectors = np.concatenate(self.vectors)
            self.vectors = [np.concatenate([vectors, vectors[[row for row, _ in repeated]]])[order]]

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


def _spread(seen: Observation, places: Sequence[Reappearance]) -> tuple[Observation, list[Observation]]:
    """Return an observation over the places that continue it, and copies of it at the others."""
    spread = [seen]
    for place in sorted(places, key=lambda place: place.span.start):
        last = spread[-1]
        if 0 <= place.span.start - last.span.end <= _GAPLESS_SECONDS:
            longer = Span(start=last.span.start, end=place.span.end)
            spread[-1] = last.model_copy(update={"span": longer})
        else:
            spread.append(seen.model_copy(update={"span": place.span, "frame_seconds": place.frame_seconds}))
    return spread[0], spread[1:]


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
