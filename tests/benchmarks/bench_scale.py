"""How a library's vectors are searched as it grows to 1,000 hours, and what one more hour costs.

An index of texts and one of frames, 3,600 rows an hour each, grow to 10, 100 and 1,000 hours of vectors with the
statistics of real ones (`lifelike.py`). 200 real questions and 200 real descriptions of pictures, embedded before, are
searched in them, ten results, by a process of its own that opened the files; ten searches go before. "Both" is a
query in the texts and one in the frames. Texts have 8 bits a number in the index, frames 16. Exact search over the float16
vectors gives the truth: recall@10, and how often the first result is as near as the nearest of all, as the index says.

Times are by the clock and, as other work may run beside, of the processor: a search takes one thread. Memory is that
of the searching process: its own, and pages of the files it looked at, which the system takes back when it needs them.
Building has the vectors given; an hour more is added, saved and opened by a process that had the index open (eight
times, one after the other; some of them merge older files).

`PLAYHEAD_BENCH_HOURS=10,100` in the environment stops earlier.
"""

import multiprocessing
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from lifelike import ROWS_AN_HOUR, Lifelike
from report import Figures, percent

from playhead.index.retrieval.vectors import faiss_index as policy
from playhead.index.retrieval.vectors.codings import Bits
from playhead.index.retrieval.vectors.faiss_index import VectorIndex
from playhead.tools.embedding.protocol import Vectors

_K = 10
_OFF_BY: dict[Bits, float] = {8: 2e-3, 16: 1e-5}  # cosines of the index
_QUERIES = 200
_HOURS_MORE = 8
_PROBES = (16, 32, 64, 96, 128, 192, 256)


@dataclass(frozen=True)
class _Kind:
    name: str
    draw: Callable[[int], Vectors]
    queries: Vectors
    bits: Bits


@dataclass(frozen=True)
class _Searched:
    """What a process that only searches found: ids and times a query, memory in MB."""

    open_ms: float
    found: Sequence[npt.NDArray[np.int64]]
    first: Sequence[float]
    wall_ms: Sequence[float]
    cpu_ms: Sequence[float]
    own_mb: float
    mapped_mb: float


class _Truth:
    """The ten nearest of all rows that were shown to it."""

    def __init__(self, queries: Vectors) -> None:
        self._queries = queries
        self.cosines = np.full((len(queries), _K), -np.inf, np.float32)
        self.ids = np.full((len(queries), _K), -1, np.int64)

    def show(self, vectors: Vectors, ids: npt.NDArray[np.int64]) -> None:
        """Look at more rows."""
        cosines = np.hstack([self.cosines, self._queries @ vectors.T])
        all_ids = np.hstack([self.ids, np.broadcast_to(ids, (len(self._queries), len(ids)))])
        best = np.argpartition(-cosines, _K, axis=1)[:, :_K]
        self.cosines, self.ids = np.take_along_axis(cosines, best, 1), np.take_along_axis(all_ids, best, 1)


def measure() -> Figures:
    lifelike = Lifelike()
    sizes = [int(hours) for hours in os.environ.get("PLAYHEAD_BENCH_HOURS", "10,100,1000").split(",")]
    kinds = (
        _Kind("texts", lifelike.texts, lifelike.text_queries(_QUERIES), 8),
        _Kind("frames", lifelike.frames, lifelike.frame_queries(_QUERIES), 16),
    )
    growth, probes, more = [], [], []
    with tempfile.TemporaryDirectory() as folder:
        for kind in kinds:
            index, truth, building = (
                VectorIndex(kind.queries.shape[1], Path(folder) / kind.name, kind.bits),
                _Truth(kind.queries),
                0.0,
            )
            hour = 0
            for hours in sizes:
                while hour < hours:
                    building += _add(index, kind, hour, truth)
                    hour += 1
                began = time.perf_counter()
                index.save()
                while index.maintain():
                    index.save()
                saved = index.save()
                building += time.perf_counter() - began
                searched = _in_another_process(Path(folder) / kind.name, saved, kind.queries)
                growth.append(
                    {
                        "rows": kind.name,
                        "hours": hours,
                        "count": len(index),
                        "files": len(index.segments),
                        "mb": round(sum(_size(segment.path) for segment in index.segments)),
                        "building_seconds": round(building, 1),
                        **_scores(searched, truth, kind.bits),
                    }
                )
                print(growth[-1], flush=True)
            if len(index.segments) > 1 and sizes[-1] > 10:
                for number in _PROBES:
                    searched = _in_another_process(Path(folder) / kind.name, saved, kind.queries, number)
                    probes.append(
                        {
                            "rows": kind.name,
                            "hours": sizes[-1],
                            "cells_read": number,
                            **_scores(searched, truth, kind.bits),
                        }
                    )
            more.append({"rows": kind.name, "hours": sizes[-1], **_more(index, kind, hour, building)})
            print(more[-1], flush=True)
    return {"Growth": growth, "Both": _both(growth), "Lists": probes, "One more hour": more}


def _add(index: VectorIndex, kind: _Kind, hour: int, truth: _Truth | None = None) -> float:
    """Add an hour; returns how long that took."""
    vectors = kind.draw(hour).astype(np.float16)
    ids = np.arange(hour * ROWS_AN_HOUR, (hour + 1) * ROWS_AN_HOUR)
    if truth:
        truth.show(vectors.astype(np.float32), ids)
    began = time.perf_counter()
    index.add(vectors, ids)
    return time.perf_counter() - began


def _more(index: VectorIndex, kind: _Kind, hour: int, building: float) -> dict[str, float]:
    prefix = index.prefix
    times = []
    for number in range(_HOURS_MORE):
        took = _add(index, kind, hour + number)
        began = time.perf_counter()
        index = VectorIndex.load(prefix, index.save(), index)
        times.append(took + time.perf_counter() - began)
    median = statistics.median(times)
    return {
        "p50_seconds": round(median, 3),
        "most_seconds": round(max(times), 3),
        "building_all_seconds": round(building, 1),
        "p50_of_building_all_percent": round(100 * median / building, 3),
    }


def _in_another_process(prefix: Path, saved: str, queries: Vectors, probes: int | None = None) -> _Searched:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_search, (prefix, saved, queries, probes))


def _search(prefix: Path, saved: str, queries: Vectors, probes: int | None) -> _Searched:
    if probes:
        policy._PROBES = probes
    policy.faiss_state()  # FAISS is loaded
    before = _memory("RssAnon")
    began = time.perf_counter()
    index = VectorIndex.load(prefix, saved)
    open_ms = 1000 * (time.perf_counter() - began)
    for query in queries[:10]:
        index.search(query, _K)
    found, first, wall, cpu = [], [], [], []
    for query in queries:
        began, began_cpu = time.perf_counter(), time.process_time()
        ids, cosines = index.search(query, _K)
        wall.append(1000 * (time.perf_counter() - began))
        cpu.append(1000 * (time.process_time() - began_cpu))
        found.append(ids)
        first.append(float(cosines[0]))
    own, mapped = _memory("RssAnon") - before, _memory("RssFile")
    return _Searched(open_ms, found, first, wall, cpu, own, mapped)


def _memory(name: str) -> float:
    """A figure of this process in MB, of the system's that are in `/proc`."""
    for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        if line.startswith(name):
            return int(line.split()[1]) / 1000
    return 0.0


def _scores(searched: _Searched, truth: _Truth, bits: Bits) -> dict[str, float]:
    recall = [
        len(set(ids.tolist()) & set(true.tolist())) / _K for ids, true in zip(searched.found, truth.ids, strict=True)
    ]
    first = np.asarray(searched.first) >= truth.cosines.max(axis=1) - _OFF_BY[bits]
    return {
        "recall_at_10": round(float(np.mean(recall)), 4),
        "first_percent": percent(first.mean()),
        "p50_ms": round(float(np.percentile(searched.wall_ms, 50)), 2),
        "p95_ms": round(float(np.percentile(searched.wall_ms, 95)), 2),
        "cpu_p50_ms": round(float(np.percentile(searched.cpu_ms, 50)), 2),
        "open_ms": round(searched.open_ms, 1),
        "own_mb": round(searched.own_mb),
        "mapped_mb": round(searched.mapped_mb),
    }


def _both(growth: Sequence[dict]) -> list[dict]:
    texts, frames = ([row for row in growth if row["rows"] == name] for name in ("texts", "frames"))
    return [
        {
            "hours": a["hours"],
            **{name: round(a[name] + b[name], 2) for name in ("p50_ms", "cpu_p50_ms", "mb", "own_mb", "mapped_mb")},
        }
        for a, b in zip(texts, frames, strict=True)
    ]


def _size(path: Path | None) -> float:
    assert path is not None
    return path.stat().st_size / 1e6
