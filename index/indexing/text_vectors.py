"""Vectors of a video's texts: each distinct text is embedded once; vectors of an earlier run are reused."""

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from ...tools.embedding.protocol import CorpusEncoder, Vectors
from ...tools.errors import LibraryError
from ...tools.extractors.registry import spec_of
from ...tools.records import Observation
from ..records import VideoRecord
from ..storage.committed.table import ObservationTable, have_unit_length
from ..storage.journal import Journal, digest, packed, unpacked

__all__ = ["PreviousResult", "Progress", "Texts", "check_vectors", "embed_texts", "error_line"]

_AT_ONCE = 512
_FEWEST_LETTERS = 3


class Progress(Protocol):
    """Progress callback: the stage's name, and how much of the total is done."""

    def __call__(self, stage: str, done: float, total: float, /) -> None: ...


@dataclass(frozen=True)
class PreviousResult:
    """The committed result of an earlier run over the same content, stored in `folder`."""

    folder: Path
    record: VideoRecord
    table: ObservationTable


@dataclass(frozen=True)
class Texts:
    """The vectors of all texts of one video.

    Attributes:
        vectors: float16, one row for each observation except `frame`; zeros where one is missing, or where a written text has
            fewer than three letters; `(0, 0)` if all are.
        embedding_id: Embedding model id; empty if there are no vectors.
        are_missing: Whether a text has no vector that should have one.
        failure: Why texts could not be embedded; empty if they are, or if there is no encoder.
    """

    vectors: npt.NDArray[np.float16] = field(default_factory=lambda: np.zeros((0, 0), np.float16))
    embedding_id: str = ""
    are_missing: bool = False
    failure: str = ""


def embed_texts(
    observations: Sequence[Observation],
    encoder: CorpusEncoder | None,
    previous: PreviousResult | None,
    journals: Path,
    progress: Progress,
) -> Texts:
    """Embed the texts of a video's observations.

    Args:
        observations: All observations of the video; `frame` observations have their own vectors.
        encoder: The text encoder. If it is None or fails, the vectors of the earlier run are kept.
        previous: The previous result.
        journals: Folder of the run's journals.
        progress: Progress callback.

    Raises:
        LibraryError: The journal cannot be written.
    """
    texts = [o.text for o in observations if o.modality != "frame"]
    embedding_id = encoder.embedding_id if encoder else previous.record.text_embedding_id if previous else ""
    known = _known(previous, embedding_id)
    new = sorted({o.text for o in observations if o.modality != "frame" and _has_meaning(o)} - known.keys())
    if encoder:
        journal = Journal(journals / f"vectors-{digest(embedding_id)}.jsonl")
        try:
            for first in range(0, len(new), _AT_ONCE):
                progress("embedding", first, len(new))
                part = new[first : first + _AT_ONCE]
                known.update(zip(part, _embedded(part, encoder, journal), strict=True))
        except LibraryError:
            raise
        except Exception as error:  # noqa: BLE001 (whatever a model raises, the observations are kept)
            return replace(embed_texts(observations, None, previous, journals, progress), failure=error_line(error))
    are_missing = any(text not in known for text in new)
    if not texts or not known:
        return Texts(are_missing=are_missing)
    nothing = np.zeros_like(next(iter(known.values())))
    return Texts(np.stack([known.get(text, nothing) for text in texts]), embedding_id, are_missing)


def error_line(error: Exception) -> str:
    """Return type and message of an error on one line, cut to 300 characters."""
    return f"{type(error).__name__}: {error}".splitlines()[0][:300]


def check_vectors(vectors: Vectors, rows: int) -> None:
    """Check a model's vectors before they are stored.

    Raises:
        ValueError: The number of vectors is wrong, or some are not finite.
    """
    if len(vectors) != rows:
        raise ValueError(f"{rows} vectors expected, got {len(vectors)}")
    if not np.isfinite(vectors).all():
        raise ValueError("vectors that are not finite")
    if not have_unit_length(vectors):
        raise ValueError("vectors whose length is neither 1 nor 0")


def _has_meaning(seen: Observation) -> bool:
    """Whether a text is worth a vector. Of what is written, ASCII with fewer letters than three is not: it is found by its words.

    In a code editor with line numbers a quarter of all lines are of this kind.
    """
    if not spec_of(seen.modality).reads_text or not seen.text.isascii():
        return bool(seen.text)
    return sum(character.isalpha() for character in seen.text) >= _FEWEST_LETTERS


def _embedded(texts: Sequence[str], encoder: CorpusEncoder, journal: Journal) -> npt.NDArray[np.float16]:
    key = digest(json.dumps(texts))
    with suppress(ValueError, KeyError, TypeError):  # no entry, or one of another format
        return unpacked(journal.find(key))
    vectors = encoder.encode_all(texts)
    check_vectors(vectors, len(texts))
    halves = vectors.astype(np.float16)
    journal.note(key, packed(halves))
    return halves


def _known(previous: PreviousResult | None, embedding_id: str) -> dict[str, npt.NDArray[np.float16]]:
    if previous is None or previous.record.text_embedding_id != embedding_id or not previous.table.text_vectors.size:
        return {}
    texts = [o.text for o in previous.table.observations if o.modality != "frame"]
    pairs = zip(texts, previous.table.text_vectors, strict=True)
    return {text: vector for text, vector in pairs if vector.any()}
