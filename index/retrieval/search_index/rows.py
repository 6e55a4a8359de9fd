"""Rows of the catalogue: which of them a filter lets through, and how an observation is stored in one."""

import json
import math
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ....tools.records import Box, Modality, Observation, Span, Word
from ...storage.committed.table import observation_id

__all__ = ["COLUMNS", "ROWS", "Filter", "Row", "condition_of", "evidence_id_of", "row_of", "stored"]

# What `row_of` takes, and the tables that hold it.
COLUMNS = 'row, video_id, modality, start, "end", text, extractor, box, words, frame_seconds, stream, observation'
ROWS = f"SELECT {COLUMNS} FROM rows JOIN videos USING (video) JOIN sources USING (source)"  # noqa: S608 (our own names)
_BOX, _DIGITS = struct.Struct("<4f"), 7  # edges are exact to 1e-7 of the picture
_WORD_END = "\0"


@dataclass(frozen=True)
class Filter:
    """Which rows a search may return; None: no limit."""

    modality: Modality
    video_ids: tuple[str, ...] | None = None
    between: Span | None = None

    @property
    def is_open(self) -> bool:
        """Whether it limits neither videos nor times."""
        return self.video_ids is None and self.between is None


@dataclass(frozen=True)
class Row:
    """One observation in the catalogue."""

    row: int
    video_id: str
    modality: Modality
    start: float
    end: float
    text: str
    source: str
    box: Box | None
    words: tuple[Word, ...]
    frame_seconds: float | None
    stream: int | None
    evidence_id: str


def stored(observation: Observation) -> tuple[object, ...]:
    """Return what a row stores from its column `modality` on, without the source: the inverse of `row_of`."""
    box, words = observation.box, observation.words
    return (
        observation.modality,
        observation.span.start,
        observation.span.end,
        observation.text,
        _BOX.pack(box.left, box.top, box.right, box.bottom) if box else None,
        _packed(words) if words else None,
        observation.frame_seconds,
        observation.stream,
        bytes.fromhex(observation_id(observation)),
    )


def row_of(values: Sequence) -> Row:
    """Return the row with the values of `COLUMNS`."""
    row, video_id, modality, start, end, text, source, box, words, frame_seconds, stream, observation = values
    return Row(
        row=row,
        video_id=video_id,
        modality=modality,
        start=start,
        end=end,
        text=text,
        source=source,
        box=_box(box) if box else None,
        words=_unpacked(words) if words else (),
        frame_seconds=frame_seconds,
        stream=stream,
        evidence_id=evidence_id_of(video_id, observation.hex()),
    )


def evidence_id_of(video_id: str, observation: str) -> str:
    """Return the evidence id of an observation of a video; the observation is named by `observation_id`."""
    return f"{video_id[:12]}-{observation}"


def condition_of(where: Filter) -> tuple[str, list[object]]:
    """Return an SQL condition of rows joined with their videos, and its values."""
    parts, values = ["modality = ?"], [where.modality]  # type: tuple[list[str], list[object]]
    if where.video_ids is not None:
        parts.append("video_id IN (SELECT value FROM json_each(?))")
        values.append(json.dumps(where.video_ids))
    if where.between is not None:
        parts.append('start < ? AND "end" > ?')
        values += [where.between.end, where.between.start]
    return " AND ".join(parts), values


def _box(content: bytes) -> Box:
    left, top, right, bottom = (round(edge, _DIGITS) for edge in _BOX.unpack(content))
    return Box(left=left, top=top, right=right, bottom=bottom)


def _packed(words: Sequence[Word]) -> bytes:
    """Words as compressed bytes: starts and ends as float64, probabilities as float32, then their texts, each with an end."""
    times = np.array([(word.start, word.end) for word in words], "<f8")
    probabilities = np.array([math.nan if (p := word.probability) is None else p for word in words], "<f4")
    texts = "".join(word.text + _WORD_END for word in words)
    numbers = times.tobytes() + probabilities.tobytes()
    return zlib.compress(struct.pack("<I", len(words)) + numbers + texts.encode())


def _unpacked(content: bytes) -> tuple[Word, ...]:
    content = zlib.decompress(content)
    (count,) = struct.unpack_from("<I", content)
    times = np.frombuffer(content, "<f8", 2 * count, 4).reshape(-1, 2).tolist()
    probabilities = np.frombuffer(content, "<f4", count, 4 + 16 * count).tolist()
    texts = content[4 + 20 * count :].decode().split(_WORD_END)[:-1]
    return tuple(
        Word(text=text, start=start, end=end, probability=None if math.isnan(probability) else probability)
        for text, (start, end), probability in zip(texts, times, probabilities, strict=True)
    )
