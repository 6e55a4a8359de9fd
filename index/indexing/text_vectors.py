"""Vectors of a video's texts: each different text is embedded once, and what an earlier run embedded is used again."""

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
from ...tools.records import Observation
from ..records import VideoRecord
from ..storage.journal import Journal, digest, packed, unpacked
from ..storage.table import ObservationTable

__all__ = ["PreviousResult", "Progress", "Texts", "check_vectors", "embed_texts", "told"]

_AT_ONCE = 512


class Progress(Protocol):
    """Told how far a stage is."""

    def __call__(self, stage: str, done: float, total: float, /) -> None: ...


@dataclass(frozen=True)
class PreviousResult:
    """What an earlier run perceived in the same content, committed in `folder`."""

    folder: Path
    record: VideoRecord
    perceived: ObservationTable


@dataclass(frozen=True)
class Texts:
    """The vectors of all texts of a video.

    Attributes:
        vectors: float16, one row an observation that is no `frame`, zeros where it has none; `(0, 0)` if none has.
        embedding_id: Their vector space; empty if there are none.
        are_missing: Whether a text has no vector.
        failure: Why they could not be embedded; empty: they are, or there is no encoder.
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
        observations: All of the video; `frame` observations have vectors of their own.
        encoder: None, or one that fails: the vectors of an earlier run are kept.
        previous: The earlier run.
        journals: Folder of the run's journals.
        progress: Told how far it is.

    Raises:
        LibraryError: The disk does not take what is noted.
    """
    texts = [o.text for o in observations if o.modality != "frame"]
    embedding_id = encoder.embedding_id if encoder else previous.record.text_embedding_id if previous else ""
    known = _known(previous, embedding_id)
    new = sorted({text for text in texts if text} - known.keys())
    if encoder:
        journal = Journal(journals / f"vectors-{digest(embedding_id)}.jsonl")
        try:
            for first in range(0, len(new), _AT_ONCE):
                progress("embedding", first, len(new))
                part = new[first : first + _AT_ONCE]
                known.update(zip(part, _embedded(part, encoder, journal), strict=True))
        except LibraryError:
            raise
        except Exception as error:  # noqa: BLE001 (whatever a model throws, what was perceived is kept)
            return replace(embed_texts(observations, None, previous, journals, progress), failure=told(error))
    are_missing = any(text not in known for text in new)
    if not texts or not known:
        return Texts(are_missing=are_missing)
    nothing = np.zeros_like(next(iter(known.values())))
    return Texts(np.stack([known.get(text, nothing) for text in texts]), embedding_id, are_missing)


def told(error: Exception) -> str:
    """An error of somebody else's code on one line."""
    return f"{type(error).__name__}: {error}".splitlines()[0][:300]


def check_vectors(vectors: Vectors, rows: int) -> None:
    """Refuse what a model should not give, before it is stored.

    Raises:
        ValueError: There are more or fewer vectors, or some are not finite.
    """
    if len(vectors) != rows:
        raise ValueError(f"{rows} vectors expected, got {len(vectors)}")
    if not np.isfinite(vectors).all():
        raise ValueError("vectors that are not finite")


def _embedded(texts: Sequence[str], encoder: CorpusEncoder, journal: Journal) -> npt.NDArray[np.float16]:
    key = digest(json.dumps(texts))
    with suppress(ValueError, KeyError, TypeError):  # nothing is noted, or of another form
        return unpacked(journal.find(key))
    vectors = encoder.encode_all(texts)
    check_vectors(vectors, len(texts))
    halves = vectors.astype(np.float16)
    journal.note(key, packed(halves))
    return halves


def _known(previous: PreviousResult | None, embedding_id: str) -> dict[str, npt.NDArray[np.float16]]:
    if (
        previous is None
        or previous.record.text_embedding_id != embedding_id
        or not previous.perceived.text_vectors.size
    ):
        return {}
    texts = [o.text for o in previous.perceived.observations if o.modality != "frame"]
    pairs = zip(texts, previous.perceived.text_vectors, strict=True)
    return {text: vector for text, vector in pairs if vector.any()}
