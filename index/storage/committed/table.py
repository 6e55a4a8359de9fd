"""The data files of one video: observations as Parquet, and their vectors."""

import hashlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
import numpy.typing as npt

from ....tools.embedding.protocol import unit
from ....tools.records import Box, Modality, Observation, Span, Word
from ...byte_vectors import as_bytes, from_bytes
from ...records import VideoRecord

__all__ = ["ObservationTable", "have_unit_length", "observation_id", "parse_table", "write"]

Halves = npt.NDArray[np.float16]

OBSERVATIONS = "observations.parquet"
_EDGES = ("left", "top", "right", "bottom")
# Rounding a unit vector to one byte a number changes its length by less than 3e-3; where a number is clipped, by 8e-3 (one of 681
# lines of a code tutorial).
_LENGTH_TOLERANCE = 1e-2
# Vectors are stored as bytes only if the cosine of each to its original is at least this. For texts by MiniLM it is 0.9999.
_LEAST_COSINE = 0.999
# Columns of few different values. Other columns are a fifth smaller without a dictionary: 300 s of code take 52 kB at this level,
# 59 kB at Zstandard's first, 65 kB with dictionaries. An hour takes 0.03 s to write.
_REPEATED, _ZSTD_LEVEL = ["modality", "source", "stream"], 15
# Bytes that a file of vectors may have after it is unpacked: for its header, and for each observation.
_HEADER_BYTES, _MOST_BYTES = 1024, 1 << 15


@dataclass(frozen=True)
class ObservationTable:
    """All observations of one video, with their vectors.

    Vectors of shape `(0, 0)` mean that nothing was embedded.

    Attributes:
        observations: In order of modality, then time.
        text_vectors: float16 of length 1, one row for each observation that is not a `frame`; a row of zeros was not
            embedded.
        image_vectors: float16 of length 1, one row for each `frame` observation.
    """

    observations: Sequence[Observation]
    text_vectors: Halves = field(default_factory=lambda: np.zeros((0, 0), np.float16))
    image_vectors: Halves = field(default_factory=lambda: np.zeros((0, 0), np.float16))

    def __post_init__(self) -> None:
        frames = sum(o.modality == "frame" for o in self.observations)
        for name, vectors, rows in (
            ("text", self.text_vectors, len(self.observations) - frames),
            ("image", self.image_vectors, frames),
        ):
            if vectors.ndim != 2 or (vectors.size and len(vectors) != rows):
                raise ValueError(f"{name} vectors: {rows} rows expected, got an array of shape {vectors.shape}")
            if not have_unit_length(vectors):
                raise ValueError(f"{name} vectors: vectors of length 1 (or of zeros) are expected")

    def of(self, modality: Modality) -> list[Observation]:
        """The observations of one modality."""
        return [o for o in self.observations if o.modality == modality]


def observation_id(observation: Observation) -> str:
    """12 hex digits that stay the same when the same thing is extracted again."""
    span, box = observation.span, observation.box
    parts = [observation.modality, f"{span.start:.3f}", f"{span.end:.3f}", observation.text]
    if box:
        parts += [f"{edge:.3f}" for edge in (box.left, box.top, box.right, box.bottom)]
    if observation.stream is not None:
        parts.append(f"stream {observation.stream}")
    return hashlib.blake2b("\x1f".join(parts).encode(), digest_size=6).hexdigest()


def write(folder: Path, table: ObservationTable) -> None:
    """Write the data files of one video into a staging folder."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    observations = table.observations
    text_vectors, vector_rows = _different(table.text_vectors)
    numbers = iter(vector_rows)
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
            pa.list_(
                pa.struct(
                    [
                        ("text", pa.string()),
                        ("start", pa.float64()),
                        ("end", pa.float64()),
                        ("probability", pa.float32()),
                    ]
                )
            ),
        ),
        "frame_seconds": pa.array([o.frame_seconds for o in observations], pa.float64()),
        "stream": pa.array([o.stream for o in observations], pa.int32()),
        "vector": pa.array([o.vector for o in observations], pa.list_(pa.float32())),
        "vector_row": pa.array(
            [None if o.modality == "frame" else next(numbers, None) for o in observations], pa.int32()
        ),
    }
    pq.write_table(
        pa.table(columns),
        folder / OBSERVATIONS,
        compression="zstd",
        compression_level=_ZSTD_LEVEL,
        use_dictionary=_REPEATED,
        write_page_checksum=True,
    )
    # Neighbouring pictures differ in the third decimal of the cosine, so the vectors of pictures stay float16.
    for name, vectors in (("text", _shortened(text_vectors)), ("image", table.image_vectors.astype(np.float16))):
        if vectors.size:
            # numpy reports a full disk only as a number of missing bytes.
            buffer = io.BytesIO()
            np.savez_compressed(buffer, vectors=vectors)
            (folder / f"vectors.{name}.npz").write_bytes(buffer.getbuffer())


def _different(vectors: Halves) -> tuple[Halves, list[int | None]]:
    """Return each different vector once, and for each row the number of its vector; None for a row of zeros (not embedded).

    Equal texts have equal vectors, and lines on a screen are often repeated.
    """
    is_embedded = np.asarray(vectors.any(axis=1))
    if not is_embedded.any():
        return vectors[:1], [0] * len(vectors)
    different, numbers = np.unique(vectors[is_embedded], axis=0, return_inverse=True)
    found = iter(numbers.tolist())
    return different, [next(found) if one else None for one in is_embedded.tolist()]


def _shortened(vectors: Halves) -> Halves | npt.NDArray[np.uint8]:
    """Return the vectors with one byte for each number if all of them keep their direction and length, else unchanged."""
    if not vectors.size:
        return vectors
    codes = as_bytes(vectors)
    read = from_bytes(codes)
    cosines = (unit(read) * unit(vectors)).sum(axis=1)
    return codes if cosines.min() >= _LEAST_COSINE and have_unit_length(read) else vectors


def parse_table(files: Mapping[str, bytes], record: VideoRecord) -> ObservationTable:
    """Read the data files of one version.

    Args:
        files: Contents by name.
        record: Names the embedding models whose vectors must be there.

    Raises:
        ValueError: A file is missing or damaged, or does not belong to the record.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        rows = pq.read_table(pa.BufferReader(files[OBSERVATIONS]), page_checksum_verification=True).to_pylist()
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
                stream=row.get("stream"),
                vector=tuple(row.get("vector") or ()),
            )
            for row in rows
        ]
        text_vectors = _vectors(files.get("vectors.text.npz"), len(rows))
        if text_vectors.size:
            text_vectors = _of_rows(text_vectors, [row["vector_row"] for row in rows if row["modality"] != "frame"])
        image_vectors = _vectors(files.get("vectors.image.npz"), len(rows))
        table = ObservationTable(observations, text_vectors, image_vectors)
    except (OSError, EOFError, IndexError, KeyError, TypeError, pa.ArrowException) as error:
        raise ValueError(f"{OBSERVATIONS} or vectors: {error}".splitlines()[0]) from error
    for name, embedding_id, vectors in (
        ("text", record.text_embedding_id, table.text_vectors),
        ("image", record.image_embedding_id, table.image_vectors),
    ):
        if bool(embedding_id) != bool(vectors.size):
            raise ValueError(f"vectors.{name}.npz does not belong to the record")
    return table


def have_unit_length(vectors: npt.NDArray[np.floating[Any]]) -> bool:
    """Whether each row has length 1, or is all zeros (not embedded); False for values that are not finite."""
    if not vectors.size:
        return True
    lengths = np.linalg.norm(vectors.astype(np.float32), axis=1)
    return bool(np.all((np.abs(lengths - 1) <= _LENGTH_TOLERANCE) | (lengths == 0)))


def _of_rows(different: Halves, numbers: Sequence[int | None]) -> Halves:
    """The vector of each row; zeros for None."""
    if {*numbers} - {None} != {*range(len(different))}:
        raise IndexError(f"vector_row must name each of {len(different)} vectors, and no other")
    with_zeros = np.concatenate([different, np.zeros_like(different[:1])])
    return with_zeros[[len(different) if number is None else number for number in numbers]]


def _vectors(content: bytes | None, rows: int) -> Halves:
    """The vectors of a file of a video; `rows` is the number of its observations."""
    if content is None:
        return np.zeros((0, 0), np.float16)
    try:
        with ZipFile(io.BytesIO(content)) as archive:
            member = archive.getinfo("vectors.npy")
            if member.file_size > _HEADER_BYTES + rows * _MOST_BYTES:
                raise ValueError(f"vectors: {member.file_size} bytes for {rows} observations")
            vectors = np.load(io.BytesIO(archive.read(member)), allow_pickle=False)
    except Exception as error:  # a damaged archive may raise anything
        raise ValueError(f"vectors: {error}") from error
    if vectors.dtype not in (np.uint8, np.float16) or vectors.ndim != 2:
        raise ValueError(f"vectors: two dimensions of uint8 or float16 expected, got {vectors.dtype} of {vectors.ndim}")
    return (from_bytes(vectors) if vectors.dtype == np.uint8 else vectors).astype(np.float16)
