"""Does a language model judge passages better than the reader? Log-odds of "yes" beside the reader's probability.

Questions of TutorialVQA's held-out videos, each asked of its own video's transcript (a sentence's place is its length at
2.5 words a second). The reader's four best moments are judged by Qwen2.5-Coder-1.5B in llama.cpp: one request each, one
token, and the log-odds of "yes" against "no" among its twenty likeliest first tokens. A moment is right if its sentence
overlaps the true span. `together` adds weighted log-odds to the reader's logit; weights are fitted on the questions of all
other videos (leave one video out). AURC is that of each way's first moment with its score as the confidence.
"""

import json
import math
import os
import random
import tempfile
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from fit_reader import _timed
from report import Figures, Skipped, percent
from scipy.optimize import minimize
from transcripts import build, tutorial_questions, tutorials, video_id

from playhead.agent.answering.candidates import Candidate, candidates_of, text_of, with_names
from playhead.agent.answering.reader import feature_reader, same_place
from playhead.agent.answering.retrieval import retrieve
from playhead.agent.evaluation.metrics.abstention import aurc
from playhead.agent.question.planning import make_plan
from playhead.index.retrieval.search import Search
from playhead.index.storage.local import LocalStorage
from playhead.tools.embedding.texts import SentenceEncoder
from playhead.tools.errors import PlayheadError
from playhead.tools.llm.llama_cpp.runtime import LlamaProcess, find_gguf, start
from playhead.tools.settings import Settings

_QUESTIONS = int(os.environ.get("PLAYHEAD_BENCH_JUDGED", "40"))
_MOMENTS = 4
_LEAST = -12.0  # log-odds where a word is not among the likeliest tokens
_TASK = "Does the passage of the video answer the question? Say yes or no."


@dataclass(frozen=True)
class Judged:
    """A question's best moments: the reader's logits, the model's log-odds, and which are right."""

    video: str
    reader: tuple[float, ...]
    model: tuple[float, ...]
    right: tuple[bool, ...]


def measure() -> Figures:
    chosen = Settings(video_llm_backend="llama.cpp", video_llm_model="qwen2.5-coder-1.5b")
    try:
        process = start(find_gguf(chosen, offline=True), 2048, 10.0)
    except PlayheadError as error:
        raise Skipped(str(error)) from error
    with tempfile.TemporaryDirectory() as folder:
        judged = _judged(Path(folder), process)
    ways = {
        "reader": [one.reader for one in judged],
        "model": [one.model for one in judged],
        "together": _together(judged),
    }
    rows: list[dict[str, str | float | None]] = []
    for name, scores in ways.items():
        first = [int(np.argmax(of)) for of in scores]
        right = [float(one.right[place]) for one, place in zip(judged, first, strict=True)]
        risk = aurc(right, [of[place] for of, place in zip(scores, first, strict=True)])
        rows.append(
            {
                "judge": name,
                "questions": len(judged),
                "first_right_percent": percent(float(np.mean(right))),
                "any_right_percent": percent(float(np.mean([any(one.right) for one in judged]))),
                "aurc": None if risk is None else round(risk, 3),
            }
        )
    yes = [score for one in judged for score, right in zip(one.model, one.right, strict=True) if right]
    no = [score for one in judged for score, right in zip(one.model, one.right, strict=True) if not right]
    spread = [
        {
            "moments": name,
            "number": len(of),
            "median_log_odds": round(float(np.median(of)), 2),
            "yes_percent": percent(float(np.mean(np.array(of) > 0))),
        }
        for name, of in (("right", yes), ("wrong", no))
    ]
    return {"First moment": rows, "Log-odds of yes": spread}


def _judged(folder: Path, process: LlamaProcess) -> list[Judged]:
    videos = {name: _timed(lines) for name, lines in tutorials().items()}
    names = sorted(videos)
    own = {name: videos[name] for name in names[len(names) // 2 :]}
    encoder = SentenceEncoder(Settings())
    vectors = {name: encoder.encode([line.text for line in lines]) for name, lines in own.items()}
    build(folder, own, vectors, encoder.embedding_id)
    search = Search(LocalStorage(folder), Settings(), encoder)
    asked = {(q.video, q.text.strip().casefold()): q for q in tutorial_questions(["train", "dev", "test"])}
    pool = [q for q in asked.values() if q.video in own]
    found = []
    for question in random.Random(1).sample(pool, _QUESTIONS):
        plan = make_plan(question.text, (video_id(question.video),))
        evidence = retrieve(plan, search)
        plan = with_names(plan, evidence)
        candidates = candidates_of(plan, evidence, search)
        scores = feature_reader().score(plan, candidates)
        best = _moments(candidates, scores)
        if not best:
            continue
        lines = own[question.video]
        start_, end = lines[question.first].start, lines[question.last].end
        found.append(
            Judged(
                question.video,
                tuple(_logit(scores[place]) for place in best),
                tuple(_log_odds(process, question.text, text_of(candidates[place].around(1))) for place in best),
                tuple(candidates[p].evidence.start < end and candidates[p].evidence.end > start_ for p in best),
            )
        )
    return found


def _moments(candidates: Sequence[Candidate], scores: Sequence[float]) -> list[int]:
    """The places of the best candidates, each of another moment."""
    chosen: list[int] = []
    for place in sorted(range(len(scores)), key=lambda place: -scores[place]):
        if not any(same_place(candidates[place].evidence, candidates[other].evidence) for other in chosen):
            chosen.append(place)
        if len(chosen) == _MOMENTS:
            break
    return chosen


def _log_odds(process: LlamaProcess, question: str, passage: str) -> float:
    """The question comes first: its tokens are read once for all of its passages."""
    words = f"Question: {json.dumps(question)}\nPassage: {json.dumps(passage)}\n{_TASK}"
    body = {
        "messages": [{"role": "system", "content": _TASK}, {"role": "user", "content": words}],
        "max_tokens": 1,
        "temperature": 0,
        "logprobs": True,
        "top_logprobs": 20,
    }
    request = urllib.request.Request(
        f"{process.url}/chat/completions",
        json.dumps(body).encode(),
        {"Content-Type": "application/json", "Authorization": f"Bearer {process.token}"},
    )
    with urllib.request.urlopen(request, timeout=600) as answer:
        likeliest = json.load(answer)["choices"][0]["logprobs"]["content"][0]["top_logprobs"]
    process.touch()
    share = {"yes": 0.0, "no": 0.0}
    for one in likeliest:
        word = one["token"].strip().casefold()
        if word in share:
            share[word] += math.exp(one["logprob"])
    odds = math.log(max(share["yes"], 1e-12)) - math.log(max(share["no"], 1e-12))
    return min(-_LEAST, max(_LEAST, odds))


def _together(judged: Sequence[Judged]) -> list[tuple[float, ...]]:
    """The reader's logit and weighted log-odds; the weights of a video's questions come from all other videos."""
    found = []
    for one in judged:
        others = [other for other in judged if other.video != one.video]
        inputs = np.array([(r, m, 1.0) for o in others for r, m in zip(o.reader, o.model, strict=True)])
        right = np.array([float(is_right) for o in others for is_right in o.right])

        def loss(weights: np.ndarray, inputs: np.ndarray = inputs, right: np.ndarray = right) -> float:
            logits = inputs @ weights
            return float(np.mean(np.logaddexp(0, logits) - right * logits) + 0.001 * (weights[:2] ** 2).sum())

        weights = minimize(loss, np.array([1.0, 0.0, 0.0]), method="BFGS").x
        found.append(
            tuple(
                float(r * weights[0] + m * weights[1] + weights[2]) for r, m in zip(one.reader, one.model, strict=True)
            )
        )
    return found


def _logit(probability: float) -> float:
    kept = min(1 - 1e-6, max(1e-6, probability))
    return math.log(kept / (1 - kept))
