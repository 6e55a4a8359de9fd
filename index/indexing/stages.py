"""A stage of indexing at work: what its extractor observed, where that was seen again, how it failed."""

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
from .text_vectors import check_vectors, told

__all__ = ["Observed", "Return", "Stage"]


class Return(NamedTuple):
    """A still that shows again what the frame at `first_seconds` showed."""

    first_seconds: float
    span: Span
    frame_seconds: float


Halves = npt.NDArray[np.float16]
Observed = tuple[list[Observation], Vectors | None]


@dataclass
class Stage:
    """A stage at work; what it did is noted in its journal step by step."""

    modality: Modality
    source: str
    fingerprint: str
    journal: Journal
    observations: list[Observation] = field(default_factory=list)
    vectors: list[Halves] = field(default_factory=list)
    failure: str = ""
    seconds: float = 0.0

    def run(self, observe: Callable[[], Observed], key: str = "") -> None:
        """Observe once more, unless the journal holds what was observed; after a failure, nothing more.

        Args:
            observe: What observes.
            key: Tells apart what is observed, which depends on nothing else; empty: it is not noted.

        Raises:
            LibraryError: The disk does not take what is noted.
        """
        if self.failure:
            return
        noted = _restored(self.journal.find(key))
        if noted is None:
            began = time.perf_counter()
            try:
                seen, vectors = observe()
                if vectors is not None:
                    check_vectors(vectors, len(seen))
            except LibraryError:
                raise
            except Exception as error:  # noqa: BLE001 (whatever a model throws, the other stages go on)
                self.fail(error)
                return
            finally:
                took = time.perf_counter() - began
                self.seconds += took
            halves = None if vectors is None else vectors.astype(np.float16)
            if key:
                self.journal.note(key, _noted(seen, halves, took))
        else:
            seen, halves, took = noted
            self.seconds += took
        self.observations += seen
        if halves is not None:
            self.vectors.append(halves)

    def fail(self, error: Exception) -> None:
        """Let go of what was observed so far: it would look like all there is."""
        self.failure = told(error)
        self.observations, self.vectors = [], []

    def repeat(self, returns: Sequence[Return]) -> None:
        """Observe what was seen in a frame also where the same picture came back."""
        if self.failure or not returns:
            return
        rows_of: dict[float | None, list[int]] = {}
        for row, seen in enumerate(self.observations):
            rows_of.setdefault(seen.frame_seconds, []).append(row)
        copied = [(row, again) for again in returns for row in rows_of.get(again.first_seconds, ())]
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
        """How it went."""
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


def _noted(seen: Sequence[Observation], vectors: Halves | None, seconds: float) -> dict[str, Any]:
    return {
        "observations": [one.model_dump(mode="json", exclude_defaults=True) for one in seen],
        "vectors": None if vectors is None else packed(vectors),
        "seconds": seconds,
    }


def _restored(noted: Any) -> tuple[list[Observation], Halves | None, float] | None:
    """What was noted; None: nothing was, or it is of another form."""
    try:
        vectors = noted["vectors"]
        seen = [Observation(**one) for one in noted["observations"]]
        return seen, None if vectors is None else unpacked(vectors), float(noted["seconds"])
    except (ValueError, KeyError, TypeError):
        return None
