"""Writes observations as data: JSON, CSV and Parquet, one row each."""

import csv
import io
import json
from collections.abc import Sequence
from typing import Any

from ...index.records import Evidence

__all__ = ["as_csv", "as_json", "as_parquet"]

_COLUMNS = ("evidence_id", "video_id", "video", "start", "end", "modality", "text", "source", "frame_seconds")
_BOX = ("left", "top", "right", "bottom")
# A spreadsheet runs a cell that starts with one of these as a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def as_json(rows: Sequence[Evidence]) -> str:
    """Return rows as a JSON array."""
    return json.dumps([_row(row, list(_words(row))) for row in rows], ensure_ascii=False, indent=2) + "\n"


def as_csv(rows: Sequence[Evidence]) -> str:
    """Return rows as CSV with a header. A text that a spreadsheet would run as a formula starts with an apostrophe."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([*_COLUMNS, *_BOX])
    for row in rows:
        values = _row(row)
        text = str(values["text"])
        values["text"] = f"'{text}" if text.startswith(_FORMULA) else text
        writer.writerow([values[name] for name in (*_COLUMNS, *_BOX)])
    return out.getvalue()


def as_parquet(rows: Sequence[Evidence]) -> bytes:
    """Return rows as a Parquet file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    values = [_row(row) for row in rows]
    kinds = dict.fromkeys(("start", "end", "frame_seconds", *_BOX), pa.float64())
    schema = pa.schema([(name, kinds.get(name, pa.string())) for name in (*_COLUMNS, *_BOX)])
    out = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(values, schema), out)
    return out.getvalue()


def _row(row: Evidence, words: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    values: dict[str, Any] = {name: getattr(row, name) for name in _COLUMNS}
    values |= {edge: getattr(row.box, edge) if row.box else None for edge in _BOX}
    return values if words is None else values | {"words": words}


def _words(row: Evidence) -> Sequence[dict[str, Any]]:
    return [word.model_dump() for word in row.words]
