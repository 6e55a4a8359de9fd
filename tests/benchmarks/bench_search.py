"""Finding a sentence again in ten hours of talk, how long that takes, and how large the index is.

A library of fourteen football commentaries (SoccerNet-Echoes) is built with MiniLM vectors. 500 lines (seed 0;
eight words or more, said once in all of them) are searched with `Search.find`, ten results, no filter: once as
they are, once with every other word left out. "First" is the share whose own line is the first result; the
reciprocal rank counts 0 below the tenth. Each query is new, and its embedding is part of its time.

Opening is measured with the libraries imported: `Search` from what is derived on disk, until it knows its
videos. The first query also loads MiniLM.
"""

import random
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from report import Figures, percent
from transcripts import Line, build, football, video_id

from playhead.index.retrieval.search import Search
from playhead.index.storage.local import LocalStorage
from playhead.tools.embedding.texts import SentenceEncoder
from playhead.tools.settings import Settings

_QUERIES = 500
_K = 10


def measure() -> Figures:
    matches = football()
    with tempfile.TemporaryDirectory() as folder:
        store, building = _built(Path(folder) / "library", matches)
        began = time.perf_counter()
        search = Search(store, Settings())
        assert len(search.records) == len(matches)
        opening = time.perf_counter() - began
        began = time.perf_counter()
        search.find("corner kick")
        first = time.perf_counter() - began
        chosen = _chosen(matches)
        found = [
            {"queries": "as said", **_quality(search, [(name, line, line.text) for name, line in chosen])},
            {
                "queries": "every other word",
                **_quality(search, [(name, line, " ".join(line.text.split()[::2])) for name, line in chosen]),
            },
        ]
        sizes = _sizes(store, sum(record.duration for record in search.records.values()) / 3600)
    return {
        "Building": [building],
        "Opening": [{"open_ms": round(1000 * opening, 1), "first_query_seconds": round(first, 2)}],
        "Searching": found,
        "Size on disk": [sizes],
    }


def _built(folder: Path, matches: dict[str, list[Line]]) -> tuple[LocalStorage, dict[str, float]]:
    encoder = SentenceEncoder(Settings())
    encoder.encode(["loaded before it is timed"])
    lines = [line for match in matches.values() for line in match]
    began = time.perf_counter()
    rows = iter(encoder.encode([line.text for line in lines]))
    vectors = {name: np.stack([next(rows) for _ in match]) for name, match in matches.items()}
    embedded = time.perf_counter()
    store = build(folder, matches, vectors, encoder.embedding_id)
    committed = time.perf_counter()
    Search(store, Settings())
    return store, {
        "videos": len(matches),
        "hours": round(sum(max(line.end for line in match) for match in matches.values()) / 3600, 2),
        "lines": len(lines),
        "lines_embedded_a_second": round(len(lines) / (embedded - began), 1),
        "committing_seconds": round(committed - embedded, 2),
        "deriving_seconds": round(time.perf_counter() - committed, 2),
    }


def _chosen(matches: dict[str, list[Line]]) -> list[tuple[str, Line]]:
    said = Counter(line.text.casefold() for match in matches.values() for line in match)
    fit = [
        (name, line)
        for name, match in matches.items()
        for line in match
        if said[line.text.casefold()] == 1 and len(line.text.split()) >= 8
    ]
    return random.Random(0).sample(fit, _QUERIES)


def _quality(search: Search, queries: Sequence[tuple[str, Line, str]]) -> dict[str, float]:
    ranks, times = [], []
    for name, line, query in queries:
        began = time.perf_counter()
        results = search.find(query, k=_K)
        times.append(time.perf_counter() - began)
        places = [(found.video_id, found.start) for found in results]
        own = (video_id(name), line.start)
        ranks.append(places.index(own) + 1 if own in places else np.inf)
    rank = np.array(ranks)
    return {
        "count": len(ranks),
        "first_percent": percent(np.mean(rank == 1)),
        "in_ten_percent": percent(np.mean(rank <= _K)),
        "mean_reciprocal_rank": round(float(np.mean(1 / rank)), 3),
        "p50_ms": round(1000 * float(np.percentile(times, 50)), 1),
        "p95_ms": round(1000 * float(np.percentile(times, 95)), 1),
    }


def _sizes(store: LocalStorage, hours: float) -> dict[str, float]:
    def megabytes(folder: Path, pattern: str) -> float:
        return sum(path.stat().st_size for path in folder.rglob(pattern) if path.is_file()) / 1e6

    whole = megabytes(store.folder, "*")
    return {
        "videos_mb": round(megabytes(store.videos_folder, "*"), 2),
        "faiss_mb": round(megabytes(store.derived_folder, "*.faiss"), 2),
        "catalogue_mb": round(megabytes(store.derived_folder, "*sqlite*"), 2),
        "whole_mb": round(whole, 2),
        "mb_an_hour": round(whole / hours, 2),
    }
