"""Search in a library that grows: opening, queries, the first query after a commit, and adding one hour.

An hour is a video of 3,600 spoken rows and 3,600 pictures. The rows are real lines of football commentary
(SoccerNet-Echoes), each with a third of its words replaced by words of other lines, and the vector of the real line with
noise (cosine 0.9). The pictures are 60 scenes, each of 60 pictures: a frame of a real video has the labels and the vector
of a scene, with as much noise for the scene (cosine 0.9), and less for each picture (0.98). Hours are drawn when the
publisher reads them, twelve at a time, and not stored as videos. The library grows to some sizes; at each, a new process
opens it and asks 100 real questions (TutorialVQA; half of them with two words of the commentary added) through
`Search.find`, with the real encoder of queries, ten results. Common words are in most of them. Then eight hours are
published one after the other; an open search asks before and after each.

Times are by the clock, on a machine that may do other work. Memory is that of the searching process: its own, and pages
of mapped files. The exponent is the slope of time over size, both as logarithms.

`PLAYHEAD_BENCH_HOURS=10,30` in the environment chooses other sizes.
"""

import math
import multiprocessing
import os
import random
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from report import Figures, real_data
from transcripts import football, tutorial_questions

from playhead.agent.evaluation.systems.transcripts import text_record
from playhead.index.records import VideoRecord
from playhead.index.retrieval.search import Search
from playhead.index.retrieval.search_index.publishing import Publisher
from playhead.index.storage.committed.table import ObservationTable, write
from playhead.index.storage.local import LocalStorage
from playhead.tools.embedding.images import image_encoder
from playhead.tools.embedding.protocol import Vectors, unit
from playhead.tools.embedding.texts import SentenceEncoder
from playhead.tools.media.frames import frames_at, probe
from playhead.tools.records import Observation, Segment, Span
from playhead.tools.settings import Settings

_ROWS = 3600  # spoken rows, and as many pictures
_SCENES = 60
_LINES = 4000
_FRAME_SECONDS = 5.0
_VIDEOS = (
    "agent327.mp4",
    "artcritic.mp4",
    "boats.mp4",
    "jobs.mp4",
    "manifesto.mp4",
    "nasa.mp4",
    "sam_dog.mp4",
    "tos.webm",
)
_QUERIES = 100
_MORE = 8
_HOURS_AT_ONCE = 12
_SIZES = "10,30,100"


class Hours:
    """Draws hours."""

    def __init__(self) -> None:
        lines = [line.text for match in football().values() for line in match if len(line.text.split()) >= 5]
        self.lines = random.Random(0).sample(lines, _LINES)
        settings = Settings(offline=True)
        self.encoder = SentenceEncoder(settings)
        self.vectors = self.encoder.encode(self.lines)
        self.words = [word for line in self.lines for word in line.split()]
        self.frames, self.frame_vectors, self.image_embedding_id = _frames(settings, self.encoder)

    def drawn(self, number: int) -> tuple[VideoRecord, ObservationTable]:
        """The record and the rows of an hour."""
        chooser, noise = random.Random(number), np.random.default_rng(number)
        numbers = [chooser.randrange(_LINES) for _ in range(_ROWS)]
        vectors = _spread(self.vectors[numbers], 0.48, noise)
        scenes = noise.integers(len(self.frames), size=_SCENES)
        pictures = _spread(
            _spread(self.frame_vectors[scenes], 0.48, noise).repeat(_ROWS // _SCENES, axis=0), 0.2, noise
        )
        shown = [
            Observation(
                modality="frame",
                span=Span(start=second, end=second + 1),
                text=self.frames[scene].text,
                score=self.frames[scene].score,
                source="given@1",
                frame_seconds=second,
            )
            for second, scene in enumerate(scenes.repeat(_ROWS // _SCENES).tolist())
        ]
        rows = [
            Observation(
                modality="speech",
                span=Span(start=second, end=second + 1),
                text=self._varied(self.lines[line], chooser),
                score=1,
                source="given@1",
            )
            for second, line in enumerate(numbers)
        ]
        record = text_record(f"hour {number}", [*shown, *rows], self.encoder.embedding_id)
        record = record.model_copy(update={"image_embedding_id": self.image_embedding_id})
        return record, ObservationTable([*shown, *rows], vectors.astype(np.float16), pictures.astype(np.float16))

    def commit(self, storage: LocalStorage, number: int) -> str:
        """Commit one hour; returns its video id."""
        record, table = self.drawn(number)
        with storage.staged(record.video_id) as staged:
            write(staged, table)
            storage.commit(staged, record)
        return record.video_id

    def _varied(self, line: str, chooser: random.Random) -> str:
        words = line.split()
        for place in chooser.sample(range(len(words)), len(words) // 3):
            words[place] = chooser.choice(self.words)
        return " ".join(words)


def _frames(settings: Settings, encoder: SentenceEncoder) -> tuple[list[Observation], Vectors, str]:
    """Frames of real videos as `frame` observations, with their vectors and the id of these."""
    images = image_encoder(settings, encoder)
    segments = []
    for name in _VIDEOS:
        path = real_data(f"videos/{name}")
        seconds = np.arange(0, probe(path).duration, _FRAME_SECONDS).tolist()
        segments += [Segment(Span(start=0, end=1), frame) for frame in frames_at(path, seconds)]
    return *images.observe(segments), images.embedding_id


def _spread(vectors: Vectors, length: float, noise: np.random.Generator) -> Vectors:
    """Unit vectors near others: noise of a length is added. Shapes `(vectors, dimensions)`."""
    added = noise.standard_normal(vectors.shape, np.float32) * np.float32(length / math.sqrt(vectors.shape[1]))
    return unit(vectors + added)


class DrawnStorage(LocalStorage):
    """A library whose videos are drawn hours: nothing of them is on the disk but the search index."""

    def __init__(self, folder: Path, hours: Hours) -> None:
        super().__init__(folder)
        self._hours = hours
        self._drawn: dict[str, tuple[VideoRecord, ObservationTable]] = {}

    def draw(self, numbers: Iterable[int]) -> set[str]:
        """Draw some hours instead of those before; returns their video ids."""
        self._drawn = {record.video_id: (record, table) for record, table in map(self._hours.drawn, numbers)}
        return set(self._drawn)

    def record(self, video_id: str) -> VideoRecord | None:
        return self._drawn[video_id][0]

    def table(self, record: VideoRecord) -> ObservationTable:
        return self._drawn[record.video_id][1]


def measure() -> Figures:
    hours = Hours()
    chooser = random.Random(1)
    asked = chooser.sample([question.text for question in tutorial_questions(["test"])], _QUERIES)
    asked = [f"{q} {' '.join(chooser.sample(hours.words, 2))}" if n % 2 else q for n, q in enumerate(asked)]
    growth: list[dict] = []
    with tempfile.TemporaryDirectory() as folder:
        storage = DrawnStorage(Path(folder) / "library", hours)
        storage.create()
        publisher, number, building = Publisher(storage), 0, 0.0
        for size in map(int, os.environ.get("PLAYHEAD_BENCH_HOURS", _SIZES).split(",")):
            began = time.perf_counter()
            while number < size:
                after = min(number + _HOURS_AT_ONCE, size)
                publisher.publish(storage.draw(range(number, after)), maintain=True)
                number = after
            building += time.perf_counter() - began
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                searched = pool.apply(_search, (storage.folder, asked))
            growth.append(
                {"hours": size, "rows": size * _ROWS, **searched, **_sizes(storage), "building_s": round(building)}
            )
            print(growth[-1], flush=True)
        more = _more(storage, hours.encoder, number, asked)
        print(more, flush=True)
    return {"Growth": growth, "Exponent": [_exponents(growth)], "One more hour": [more]}


def _search(folder: Path, asked: Sequence[str]) -> dict[str, float]:
    settings = Settings(offline=True)
    encoder = SentenceEncoder(settings)
    encoder.encode(["loaded before it is timed"])
    before = _memory("RssAnon")
    began = time.perf_counter()
    search = Search(LocalStorage(folder), settings, encoder)
    assert len(search.records)
    opened = time.perf_counter() - began
    began = time.perf_counter()
    search.find("corner kick")
    first = time.perf_counter() - began
    times, busy = [], []
    for query in asked:
        began, used = time.perf_counter(), time.process_time()
        assert search.find(query, 10)
        times.append(1000 * (time.perf_counter() - began))
        busy.append(1000 * (time.process_time() - used))
    return {
        "open_ms": round(1000 * opened, 1),
        "first_query_ms": round(1000 * first, 1),
        "p50_ms": round(float(np.percentile(times, 50)), 1),
        "p95_ms": round(float(np.percentile(times, 95)), 1),
        "cpu_p50_ms": round(float(np.percentile(busy, 50)), 1),
        "cpu_p95_ms": round(float(np.percentile(busy, 95)), 1),
        "own_mb": round(_memory("RssAnon") - before),
        "mapped_mb": round(_memory("RssFile")),
    }


def _more(storage: DrawnStorage, encoder: SentenceEncoder, number: int, asked: Sequence[str]) -> dict[str, float]:
    search, publisher = Search(storage, Settings(offline=True), encoder), Publisher(storage)
    search.find(asked[0])
    publishing, usual, after = [], [], []
    for turn in range(_MORE):
        began = time.perf_counter()
        search.find(asked[turn])
        usual.append(time.perf_counter() - began)
        (video_id,) = storage.draw([number + turn])
        began = time.perf_counter()
        publisher.publish({video_id})
        publishing.append(time.perf_counter() - began)
        began = time.perf_counter()
        assert video_id in search.records
        search.find(asked[turn])
        after.append(time.perf_counter() - began)
    search.close()
    return {
        "publish_p50_s": round(float(np.median(publishing)), 2),
        "publish_most_s": round(max(publishing), 2),
        "query_p50_ms": round(1000 * float(np.median(usual)), 1),
        "first_query_after_commit_p50_ms": round(1000 * float(np.median(after)), 1),
    }


def _exponents(growth: Sequence[dict]) -> dict[str, float]:
    sizes = np.log([row["hours"] for row in growth])
    names = ("open_ms", "cpu_p50_ms", "cpu_p95_ms", "index_mb")
    return {name: round(float(np.polyfit(sizes, np.log([row[name] for row in growth]), 1)[0]), 2) for name in names}


def _sizes(storage: LocalStorage) -> dict[str, float]:
    files = [path for path in storage.derived_folder.iterdir() if path.is_file()]
    return {"index_mb": round(sum(path.stat().st_size for path in files) / 1e6)}


def _memory(name: str) -> float:
    """A figure of this process in MB, from `/proc`."""
    for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        if line.startswith(name):
            return int(line.split()[1]) / 1000
    return 0.0
