"""Questions about what is written, said and shown in real footage: what `search` finds first.

The questions that lie beside the footage, with true spans by eye and ear. Only the stretches that they ask about are
indexed, without objects, so that this takes minutes: up to 60 s around each span. A question is right if the first result
overlaps a true span, and near if one of the first five does.
"""

import json
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

from report import Figures, real_data

from playhead import Library, Settings

_AROUND_SECONDS, _MOST_SECONDS = 20.0, 60.0


def measure() -> Figures:
    rows = [json.loads(line) for line in real_data("real/questions.jsonl").read_text(encoding="utf-8").splitlines()]
    rows = [row for row in rows if row["spans"] and row["kind"] in ("written", "said", "shown")]
    counts: dict[str, list[tuple[bool, bool]]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as folder:
        library = Library(folder, Settings(offline=True, device="cpu", objects_model="off", sidecars=False))
        for row in rows:
            start, end = row["spans"][0]
            window = max(0.0, start - _AROUND_SECONDS), min(end + _AROUND_SECONDS, start + _MOST_SECONDS)
            library.index(real_data(f"real/{row['video']}"), window=window)
        for row in rows:
            found = library.search(row["question"], k=5)
            counts[row["kind"]].append((_is_right(row, found[:1]), _is_right(row, found)))
    return {
        "Found by search": [
            {
                "kind": kind,
                "questions": len(outcomes),
                "first": sum(first for first, _ in outcomes),
                "among_five": sum(near for _, near in outcomes),
            }
            for kind, outcomes in counts.items()
        ]
    }


def _is_right(row: dict[str, Any], found: list[Any]) -> bool:
    return any(
        Path(one.video).name == row["video"] and any(one.start < end and one.end > start for start, end in row["spans"])
        for one in found
    )
