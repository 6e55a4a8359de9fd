"""Finding the sentences that answer a question: words only, meaning only, and both fused as `Search` does.

TutorialVQA, its test questions over the transcripts that are here (45 of the set's videos): a result is a
sentence, and hits if it lies in the span of sentences that answers the question. All videos are searched, or
only the question's own. "Words" is `Search.find` in a library without vectors, "search" with MiniLM's; then the best
rows of `Search.passages`, of which no two are neighbours. The random row is the chance of sentences drawn at random.
"Candidates" are what the reader scores, from `find` as the product takes them and from `passages`: whether one of them
answers, and whether the reader's first does; 150 questions of the dev split.

The published row stands for scale only: BM25 over the whole set, another number of videos and other questions.
"""

import math
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from report import Figures, percent
from transcripts import Question, build, tutorial_questions, tutorials, video_id

from playhead.agent.answering.ranking import ranked
from playhead.agent.answering.reader import feature_reader
from playhead.agent.question.planning import make_plan
from playhead.index.records import Evidence
from playhead.index.retrieval.passages import Passage
from playhead.index.retrieval.search import Search
from playhead.tools.embedding.texts import SentenceEncoder
from playhead.tools.settings import Settings

_DEPTHS = (1, 5, 10)
_CANDIDATE_QUESTIONS = 150
_NAMES = ("first_percent", "in_five_percent", "in_ten_percent")

# Where a result lies: the video's id, and the number of its sentence.
_Place = tuple[str, int]
_Ranked = Callable[[Question, tuple[str, ...] | None], list[_Place]]


def measure() -> Figures:
    videos, questions = tutorials(), tutorial_questions(["test"])
    encoder = SentenceEncoder(Settings())
    vectors = {name: encoder.encode([line.text for line in lines]) for name, lines in videos.items()}
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        store = build(Path(folder) / "library", videos, vectors, encoder.embedding_id)
        bare = build(Path(folder) / "words", videos, None, "")
        methods = _methods(Search(store, Settings(), encoder), Search(bare, Settings(), encoder))
        for scope in ("all videos", "its own video"):
            for method, ranked in methods.items():
                hits = []
                for question in questions:
                    own = (video_id(question.video),)
                    hits.append(_first_hit(ranked(question, own if scope == "its own video" else None), question))
                shares = [percent(np.mean(np.array(hits) <= depth)) for depth in _DEPTHS]
                rows.append({"searched": scope, "method": method, **dict(zip(_NAMES, shares, strict=True))})
            counts = {name: len(lines) for name, lines in videos.items()}
            shares = [_chance(questions, counts, depth, scope == "its own video") for depth in _DEPTHS]
            rows.append({"searched": scope, "method": "random", **dict(zip(_NAMES, shares, strict=True))})
    rows.append({"searched": "whole set", "method": "BM25, published", **dict(zip(_NAMES, (25, 47, 57), strict=True))})
    size = {"videos": len(videos), "sentences": sum(map(len, videos.values())), "questions": len(questions)}
    return {"TutorialVQA": [size], "Sentences that answer": rows, "Candidates": candidates()}


def candidates() -> list[dict[str, object]]:
    """Compare three ways to choose what the reader scores."""
    videos, questions = tutorials(), tutorial_questions(["dev"])
    questions = questions[:: max(1, len(questions) // _CANDIDATE_QUESTIONS)][:_CANDIDATE_QUESTIONS]
    encoder = SentenceEncoder(Settings())
    vectors = {name: encoder.encode([line.text for line in lines]) for name, lines in videos.items()}
    with tempfile.TemporaryDirectory() as folder:
        search = Search(build(Path(folder) / "library", videos, vectors, encoder.embedding_id), Settings(), encoder)
        ways: dict[str, Callable[[str], list[Evidence]]] = {
            "30 of find": lambda query: search.find(query, 30),
            "best rows of 30 passages": lambda query: [one.best for one in search.passages(query, 30)],
            "all rows of 10 passages": lambda query: _all_rows(search.passages(query, 10)),
        }
        return [{"candidates": name, **_read(way, questions, search)} for name, way in ways.items()]


def _all_rows(passages: Sequence[Passage]) -> list[Evidence]:
    rows = [row for one in passages for row in (one.best, *one.rows)]
    return list({row.evidence_id: row for row in rows}.values())


def _read(way: Callable[[str], list[Evidence]], questions: Sequence[Question], search: Search) -> dict[str, object]:
    """Shares of questions with an answer among the candidates, and with an answer as the reader's first."""
    reader, has_answer, first_answers = feature_reader(), 0, 0
    for question in questions:
        plan = make_plan(question.text)
        found = way(plan.query)
        scored = ranked(plan, found, search, reader)
        has_answer += _first_hit(list(map(_place, found)), question) < math.inf
        first_answers += _first_hit([_place(one.evidence) for one in scored[:1]], question) == 1
    return {
        "with_an_answer_percent": percent(has_answer / len(questions)),
        "reader_first_percent": percent(first_answers / len(questions)),
    }


def _methods(search: Search, by_words: Search) -> dict[str, _Ranked]:
    depth = max(_DEPTHS)

    def words(question: Question, within: tuple[str, ...] | None) -> list[_Place]:
        return [_place(one) for one in by_words.find(question.text, depth, video_ids=within)]

    def rows(question: Question, within: tuple[str, ...] | None) -> list[_Place]:
        return [_place(one) for one in search.find(question.text, depth, video_ids=within)]

    def passages(question: Question, within: tuple[str, ...] | None) -> list[_Place]:
        return [_place(one.best) for one in search.passages(question.text, depth, video_ids=within)]

    return {"words": words, "search": rows, "best rows of passages": passages}


def _place(found: Evidence) -> _Place:
    return found.video_id, round(found.start)


def _first_hit(ranking: Sequence[_Place], question: Question) -> float:
    """Rank of the first result in the answer's span, from 1; infinite if there is none."""
    own = video_id(question.video)
    hits = (
        rank
        for rank, (video, number) in enumerate(ranking, 1)
        if video == own and question.first <= number <= question.last
    )
    return next(hits, math.inf)


def _chance(questions: Sequence[Question], counts: dict[str, int], depth: int, own_video: bool) -> float:
    shares = []
    for question in questions:
        there = counts[question.video] if own_video else sum(counts.values())
        right = question.last - question.first + 1
        shares.append(1 - math.comb(there - right, depth) / math.comb(there, depth))
    return percent(float(np.mean(shares)))
