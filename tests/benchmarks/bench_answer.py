"""Answering without a video LLM: how often a question is answered, rightly, and how often it should not have been.

TutorialVQA, 150 questions (seed 0) on each half of the videos. The rules were tuned on the first half; the second
was only measured. A sentence lasts as long as its words take at 150 a minute. An answer is right if a claim of it
cites a second of the sentences that answer the question; the set names one such place a question, though others may
answer it, too. "First hit" is the first result of `Library.search`, which never refuses. Risk by coverage: answers in the
order of their confidence, then the declined questions with their first hit; the area under the curve is the mean risk.

What should be refused: the held-out questions asked of a football match (SoccerNet-Echoes), and of their own video with
one of their required words replaced by one that has nothing to do with it. Of another tutorial, drawn at random, some
can be answered: all are about the same program.
"""

import random
import re
import statistics
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from report import Figures, percent
from transcripts import Line, Question, build, football, tutorial_questions, tutorials, video_id

from playhead import Answer, Library, Settings
from playhead.agent.evaluation.metrics.abstention import aurc, risk_coverage
from playhead.agent.question.planning import make_plan
from playhead.agent.records import Citation
from playhead.index.records import Evidence
from playhead.tools.embedding.texts import SentenceEncoder

_QUESTIONS = 150
_WORDS_A_SECOND = 2.5
_STRANGE = (
    "helicopter volcano trumpet penguin vaccine parliament motorcycle earthquake bakery satellite mortgage orchestra "
    "dinosaur submarine refugee glacier pharmacy telescope wedding tractor kangaroo cathedral inflation lawyer emperor"
).split()


def measure() -> Figures:
    videos = {name: _timed(lines) for name, lines in tutorials().items()}
    matches = dict(sorted(football().items())[:3])
    encoder = SentenceEncoder(Settings())
    names = sorted(videos)
    rows, risks, refused, took = [], [], [], []
    with tempfile.TemporaryDirectory() as folder:
        transcripts = videos | matches
        vectors = {name: encoder.encode([line.text for line in lines]) for name, lines in transcripts.items()}
        build(Path(folder) / "library", transcripts, vectors, encoder.embedding_id)
        library = Library(Path(folder) / "library", Settings())
        library.ask("warm up")
        for half, own in (("tuned on", names[: len(names) // 2]), ("held out", names[len(names) // 2 :])):
            asked, seconds = [], []
            for question in _sample(own):
                began = time.perf_counter()
                answer = library.ask(question.text, videos=video_id(question.video))
                seconds.append(time.perf_counter() - began)
                first = library.search(question.text, 1, videos=video_id(question.video))
                asked.append((answer, *_rights(answer, first, question, videos[question.video])))
            rows.append({"videos": half} | _shares(asked))
            risks.append({"videos": half} | _risk(asked))
            took.append({"videos": half} | _times(seconds))
        for of, questions in _wrong(_sample(own), names, sorted(matches)).items():
            answers = [library.ask(text, videos=video_id(name)) for text, name in questions]
            refused.append({"asked of": of, "questions": len(answers), "answered_percent": _answered(answers)})
    return {
        "Its own video": rows,
        "Risk by coverage": risks,
        "What should be refused": refused,
        "Seconds an ask": took,
    }


def _wrong(questions: Sequence[Question], videos: Sequence[str], matches: Sequence[str]) -> dict[str, list[tuple]]:
    """Questions, each with the video or match that cannot answer it."""
    chance = random.Random(1)
    strange = [(_with_a_strange_word(q.text, chance), q.video) for q in questions]
    return {
        "another tutorial": [(q.text, chance.choice([v for v in videos if v != q.video])) for q in questions],
        "a football match": [(q.text, chance.choice(matches)) for q in questions],
        "its own video, one word replaced": [(text, video) for text, video in strange if text],
    }


def _timed(lines: Iterable[Line]) -> list[Line]:
    timed, now = [], 0.0
    for line in lines:
        end = now + max(1, len(line.text.split())) / _WORDS_A_SECOND
        timed.append(Line(now, end, line.text))
        now = end
    return timed


def _sample(videos: Sequence[str]) -> list[Question]:
    """Questions on some videos, each asked once."""
    asked = {(q.video, q.text.strip().casefold()): q for q in tutorial_questions(["train", "dev", "test"])}
    return random.Random(0).sample([q for q in asked.values() if q.video in videos], _QUESTIONS)


def _rights(
    answer: Answer, found: Sequence[Evidence], question: Question, lines: Sequence[Line]
) -> tuple[bool, bool, bool]:
    """Whether the first claim is right, any claim is, and the first search result is."""

    def is_right(cited: Citation | Evidence) -> bool:
        return cited.start < lines[question.last].end - 1e-6 and cited.end > lines[question.first].start + 1e-6

    claims = [any(map(is_right, claim.citations)) for claim in answer.claims]
    return bool(claims) and claims[0], any(claims), any(map(is_right, found))


def _shares(asked: Sequence[tuple[Answer, bool, bool, bool]]) -> dict[str, float]:
    answered = [one for one in asked if one[0].claims]
    return {
        "questions": len(asked),
        "answered_percent": _answered([one[0] for one in asked]),
        "of_these_first_claim_right_percent": percent(np.mean([one[1] for one in answered])),
        "of_these_any_claim_right_percent": percent(np.mean([one[2] for one in answered])),
        "first_hit_right_percent": percent(np.mean([one[3] for one in asked])),
        "of_answered_first_hit_right_percent": percent(np.mean([one[3] for one in answered])),
    }


def _risk(asked: Sequence[tuple[Answer, bool, bool, bool]]) -> dict[str, float]:
    """Share of wrong ones among the surest answers; declined questions come last, with the first search result."""
    rights = [float(one[1] if one[0].claims else one[3]) for one in asked]
    confidence = [one[0].confidence if one[0].claims else -1.0 for one in asked]
    _, risk = risk_coverage(rights, confidence)
    at = {f"risk_at_{c:.0%}": round(float(risk[max(0, int(c * len(rights)) - 1)]), 3) for c in (0.2, 0.4, 0.6, 0.8, 1)}
    return {"aurc": round(aurc(rights, confidence) or 0.0, 3)} | at


def _answered(answers: Sequence[Answer]) -> float:
    return percent(np.mean([answer.status == "answered" for answer in answers]))


def _times(seconds: Sequence[float]) -> dict[str, float]:
    return {
        "median": round(statistics.median(seconds), 3),
        "p95": round(float(np.quantile(seconds, 0.95)), 3),
        "longest": round(max(seconds), 3),
    }


def _with_a_strange_word(question: str, chance: random.Random) -> str:
    """The question about something else; empty where it names too little."""
    terms = [t.text for t in make_plan(question).terms if t.required and not t.exact]
    if len(terms) < 2:
        return ""
    return re.sub(rf"\b{re.escape(chance.choice(terms))}\b", chance.choice(_STRANGE), question.casefold())
