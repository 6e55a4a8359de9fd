"""Many questions to one open library: errors under threads, and memory and descriptors of a process that goes on.

The library holds the transcripts of TutorialVQA; the questions are its own. First 16 threads ask 200 questions each by one
`Library`, without a model. Then one thread asks 10,000; memory that is not mapped from files (`RssAnon`) and open
descriptors are read after each tenth of them. Growth is the slope of a line through the readings but the first.

`PLAYHEAD_BENCH_SHARE=0.05` in the environment asks that share of the questions.
"""

import itertools
import os
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from report import Figures
from transcripts import build, tutorial_questions, tutorials

from playhead import Library, Settings
from playhead.tools.embedding.texts import SentenceEncoder
from playhead.tools.errors import PlayheadError

_THREADS, _EACH, _MANY = 16, 200, 10_000
_READINGS = 10


def measure() -> Figures:
    share = float(os.environ.get("PLAYHEAD_BENCH_SHARE", "1"))
    settings = Settings(offline=True, answerer="extractive")
    encoder = SentenceEncoder(settings)
    texts = tutorials()
    vectors = {name: encoder.encode([line.text for line in lines]) for name, lines in texts.items()}
    with tempfile.TemporaryDirectory() as folder:
        build(Path(folder) / ".playhead", texts, vectors, encoder.embedding_id)
        with Library(Path(folder) / ".playhead", settings) as library:
            questions = itertools.cycle([one.text for one in tutorial_questions(["dev", "test"])])
            return {
                "Threads": [_by_threads(library, questions, round(_EACH * share))],
                "One after the other": [_one_by_one(library, questions, round(_MANY * share))],
            }


def _by_threads(library: Library, questions: "itertools.cycle[str]", each: int) -> dict[str, float]:
    def ask(own: list[str]) -> int:
        return sum(_fails(library, question) for question in own)

    work = [[next(questions) for _ in range(each)] for _ in range(_THREADS)]
    began, used = time.perf_counter(), time.process_time()
    with ThreadPoolExecutor(_THREADS) as pool:
        errors = sum(pool.map(ask, work))
    return {
        "threads": _THREADS,
        "questions": _THREADS * each,
        "errors": errors,
        "seconds": round(time.perf_counter() - began, 1),
        "cpu_ms_a_question": round(1000 * (time.process_time() - used) / (_THREADS * each), 1),
    }


def _one_by_one(library: Library, questions: "itertools.cycle[str]", count: int) -> dict[str, float]:
    memory, descriptors, errors = [], [], 0
    for _ in range(_READINGS):
        errors += sum(_fails(library, next(questions)) for _ in range(count // _READINGS))
        memory.append(_anonymous_mb())
        descriptors.append(len(os.listdir("/proc/self/fd")))
    slope = np.polyfit(np.arange(1, _READINGS), memory[1:], 1)[0] / (count // _READINGS)
    return {
        "questions": count,
        "errors": errors,
        "memory_mb_first": round(memory[0]),
        "memory_mb_last": round(memory[-1]),
        "mb_a_thousand_questions": round(1000 * float(slope), 2),
        "descriptors_first": descriptors[0],
        "descriptors_last": descriptors[-1],
    }


def _fails(library: Library, question: str) -> bool:
    try:
        return library.ask(question).status == "failed"
    except PlayheadError:
        return True


def _anonymous_mb() -> float:
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) / 1000 for line in lines if line.startswith("RssAnon"))
