"""The files of one committed video: observations as Parquet, vectors as float16, row for row."""

import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ...tools.errors import LibraryError
from ...tools.records import Box, Modality, Observation, Span, Word

__all__ = ["DamagedError", "ObservationTable", "damaged", "observation_id", "read", "write"]

_OBSERVATIONS = "observations.parquet"
_EDGES = ("left", "top", "right", "bottom")


@dataclass(frozen=True)
class ObservationTable:
    """All that was perceived in one video.

    Vectors of no rows and no columns mean that nothing was embedded.

    Attributes:
        observations: In order of modality, then time.
        text_vectors: float16, one row an observation that is no `frame`; a row of zeros was not embedded.
        image_vectors: float16, one row a `frame` observation.
    """

    observations: Sequence[Observation]
    text_vectors: npt.NDArray[np.float16] = field(default_factory=lambda: np.zeros((0, 0), np.float16))
    image_vectors: npt.NDArray[np.float16] = field(default_factory=lambda: np.zeros((0, 0), np.float16))

    def __post_init__(self) -> None:
        frames = sum(o.modality == "frame" for o in self.observations)
        for name, vectors, rows in (
            ("text", self.text_vectors, len(self.observations) - frames),
            ("image", self.image_vectors, frames),
        ):
            if vectors.ndim != 2 or (vectors.size and len(vectors) != rows):
                raise ValueError(f"{name} vectors: {rows} rows expected, got an array of shape {vectors.shape}")

    def of(self, modality: Modality) -> list[Observation]:
        """The observations of one modality."""
        return [o for o in self.observations if o.modality == modality]


def observation_id(observation: Observation) -> str:
    """12 hex digits that stay the same when the same thing is perceived again."""
    span, box = observation.span, observation.box
    parts = [observation.modality, f"{span.start:.3f}", f"{span.end:.3f}", observation.text]
    if box:
        parts += [f"{edge:.3f}" for edge in (box.left, box.top, box.right, box.bottom)]
    return hashlib.blake2b("\x1f".join(parts).encode(), digest_size=6).hexdigest()


def write(folder: Path, perceived: ObservationTable) -> None:
    """Write the files of one video into its staged folder."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    observations = perceived.observations
    columns = {
        "id": pa.array([observation_id(o) for o in observations], pa.string()),
        "modality": pa.array([o.modality for o in observations], pa.string()),
        "start": pa.array([o.span.start for o in observations], pa.float64()),
        "end": pa.array([o.span.end for o in observations], pa.float64()),
        "text": pa.array([o.text for o in observations], pa.string()),
        "score": pa.array([o.score for o in observations], pa.float32()),
        "source": pa.array([o.source for o in observations], pa.string()),
        "box": pa.array(
            [[getattr(o.box, edge) for edge in _EDGES] if o.box else None for o in observations],
            pa.list_(pa.float64()),
        ),
        "words": pa.array(
            [[w.model_dump() for w in o.words] for o in observations],
            pa.list_(pa.struct([("text", pa.string()), ("start", pa.float64()), ("end", pa.float64())])),
        ),
        "frame_seconds": pa.array([o.frame_seconds for o in observations], pa.float64()),
    }
    pq.write_table(pa.table(columns), folder / _OBSERVATIONS, compression="zstd")
    for name, vectors in (("text", perceived.text_vectors), ("image", perceived.image_vectors)):
        if vectors.size:
            # NumPy itself says of a disk that fills up on the way only how many bytes are missing.
            held = io.BytesIO()
            np.save(held, vectors.astype(np.float16))
            (folder / f"vectors.{name}.npy").write_bytes(held.getbuffer())


def read(folder: Path) -> ObservationTable:
    """Read the files of one committed video.

    Raises:
        LibraryError: A file is missing or damaged.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        rows = pq.read_table(folder / _OBSERVATIONS).to_pylist()
        observations = [
            Observation(
                modality=row["modality"],
                span=Span(start=row["start"], end=row["end"]),
                text=row["text"],
                score=min(1.0, row["score"]),
                source=row["source"],
                box=Box(**dict(zip(_EDGES, row["box"], strict=True))) if row["box"] else None,
                words=tuple(Word(**word) for word in row["words"]),
                frame_seconds=row["frame_seconds"],
            )
            for row in rows
        ]
        return ObservationTable(
            observations, _vectors(folder / "vectors.text.npy"), _vectors(folder / "vectors.image.npy")
        )
    except (OSError, EOFError, ValueError, KeyError, TypeError, pa.ArrowException) as error:
        raise damaged(folder) from error


class DamagedError(LibraryError):
    """The files of one video are damaged."""


def damaged(folder: Path) -> DamagedError:
    """What to say of a committed folder that cannot be read."""
    return DamagedError(f"{folder} is damaged: index its video again with `force`, or delete this folder")


def _vectors(path: Path) -> npt.NDArray[np.float16]:
    if not path.exists():
        return np.zeros((0, 0), np.float16)
    vectors: npt.NDArray[np.float16] = np.load(path, allow_pickle=False)
    if vectors.dtype != np.float16 or not np.isfinite(vectors).all():
        raise ValueError(f"{path}: finite float16 expected, got {vectors.dtype}")
    return vectors
