"""Fit the weights of the reader on the tuning halves: `python tests/benchmarks/fit_reader.py`.

Questions are TutorialVQA's, of the first half of its videos by name, each asked of its own video and of another tutorial
or a football match, which cannot answer it, and with one of its words replaced by a word of another match; the typed questions (`bench_typed.py`); and those about composed hours
(`bench_needles.py`), which are indexed first if they were not before. A candidate is right if it overlaps the true span. Two steps, few numbers: a conditional logit ranks the
candidates of a question by `Features`; Platt scaling of the best one's logit, of its distance to the best other moment, and of its coverage makes it a
probability. With that the threshold follows from what a wrong answer costs. The held-out halves give the risk that is stored with it.
"""

import json
import random
import re
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from bench_typed import library_of_typed, typed_questions
from haystacks import SEEDS, Haystack, make_haystack
from report import real_data
from scipy.optimize import minimize
from transcripts import Line, build, football, tutorial_questions, tutorials, video_id

import playhead.agent.answering.reader as reader_module
from playhead.agent.answering.candidates import Candidate, Features, candidates_of, text_of, with_names
from playhead.agent.answering.reader import MOST_GAP, NO_RIVAL_GAP, ReaderWeights, Regression, holds_exact, same_place
from playhead.agent.answering.retrieval import retrieve
from playhead.agent.evaluation.metrics.abstention import aurc, risk_coverage
from playhead.agent.question.planning import make_plan
from playhead.agent.question.spelling import corrected
from playhead.agent.records import Plan
from playhead.index.retrieval.search import Search
from playhead.index.storage.local import LocalStorage
from playhead.tools.embedding.texts import SentenceEncoder
from playhead.tools.settings import Settings
from playhead.tools.words import STOP_WORDS, tokens

COMMAND = "python tests/benchmarks/fit_reader.py"
QUESTIONS = 130  # of TutorialVQA, of each half
RIDGES = (0.1, 0.3, 1.0, 3.0)
# What a wrong answer costs, where a right one is worth 1 and none is worth 0. A wrong quote names its place, and is
# seen to be wrong; nevertheless most of what is answered must be right.
WRONG = 0.7
_WORDS_A_SECOND = 2.5
_DENSE = Features._fields
_LEXICAL = tuple(name for name in _DENSE if not name.startswith("cosine"))


class Asked(NamedTuple):
    """A question's candidates: features, which are right, and which hold its exact terms."""

    kind: str
    features: npt.NDArray[np.float64]
    right: npt.NDArray[np.bool_]
    exact: npt.NDArray[np.bool_]
    same: npt.NDArray[np.bool_]  # of each two candidates: whether they are the same moment


def main() -> None:
    """Fit, evaluate on the held-out halves, and write `reader_weights.json`."""
    with tempfile.TemporaryDirectory() as folder:
        tuned, held_out = (list(_tutorials(Path(folder), half)) for half in (0, 1))
    for is_held_out, one in _typed():
        (held_out if is_held_out else tuned).append(one)
    for seed, role in SEEDS.items():
        (held_out if role == "held out" else tuned).extend(_hours(make_haystack(seed)))
    weights = fitted(tuned, held_out)
    path = Path(reader_module.__file__).with_name("reader_weights.json")
    path.write_text(json.dumps(weights.model_dump(), indent=2) + "\n", encoding="utf-8")
    print(json.dumps(weights.model_dump(), indent=2))


def fitted(tuned: Sequence[Asked], held_out: Sequence[Asked]) -> ReaderWeights:
    """Fit on the tuning halves, print the figures of both, and take the risk from the held-out ones."""
    ridge = _ridge(tuned)
    dense, lexical = _fit(tuned, _DENSE, ridge), _fit(tuned, _LEXICAL, ridge)
    calibration = _calibration(tuned, dense)
    threshold = WRONG / (1 + WRONG)
    for name, of in (("tuned", tuned), ("held out", held_out)):
        for kind in sorted({one.kind for one in of}):
            found = [_best(one, dense, calibration) for one in of if one.kind == kind]
            print(name, kind, _figures(found, threshold))
        print(name, "all", _figures([_best(one, dense, calibration) for one in of], threshold))
    answered = [right for score, right in (_best(one, dense, calibration) for one in held_out) if score >= threshold]
    return ReaderWeights(
        command=COMMAND,
        fitted_on=f"{len(tuned)} questions of the tuning halves; risk on {len(held_out)} of the held-out halves",
        dense=Regression(features=dense, calibration=calibration),
        lexical=Regression(features=lexical, calibration=_calibration(tuned, lexical)),
        threshold=round(threshold, 3),
        risk=round(1 - float(np.mean(answered)), 3) if answered else 0.0,
    )


def _tutorials(folder: Path, half: int) -> Iterator[Asked]:
    videos = {name: _timed(lines) for name, lines in tutorials().items()}
    matches = dict(sorted(football().items())[:3])
    names = sorted(videos)
    own = names[: len(names) // 2] if half == 0 else names[len(names) // 2 :]
    encoder, library = SentenceEncoder(Settings()), folder / str(half)
    transcripts = {name: videos[name] for name in own} | matches
    vectors = {name: encoder.encode([line.text for line in lines]) for name, lines in transcripts.items()}
    build(library, transcripts, vectors, encoder.embedding_id)
    search = Search(LocalStorage(library), Settings(), encoder)
    chance = random.Random(half)
    strange = _long_words(line.text for _, lines in sorted(football().items())[3:6] for line in lines)
    asked = {(q.video, q.text.strip().casefold()): q for q in tutorial_questions(["train", "dev", "test"])}
    pool = [q for q in asked.values() if q.video in own]
    for number, question in enumerate(chance.sample(pool, min(QUESTIONS, len(pool)))):
        lines = videos[question.video]
        truth = (lines[question.first].start, lines[question.last].end)
        yield _asked("own", question.text, question.video, truth, search)
        other = chance.choice([n for n in own if n != question.video] if number % 2 else sorted(matches))
        if number % 4 < 2:
            yield _asked("never", question.text, other, None, search)
        said = _long_words(line.text for line in lines)
        if changed := _with_another_word(question.text, sorted(strange - said), chance):
            yield _asked("one word replaced", changed, question.video, None, search)


def _long_words(texts: Iterable[str]) -> set[str]:
    return {word for text in texts for word in tokens(text) if len(word) > 4 and word.isalpha()} - STOP_WORDS


def _with_another_word(question: str, words: Sequence[str], chance: random.Random) -> str | None:
    """A question with one of its required terms replaced; None if it has none as a word."""
    terms = [term.text for term in make_plan(question).terms if term.required]
    patterns = [
        rf"\b{re.escape(term)}\w*" for term in terms if re.search(rf"\b{re.escape(term)}", question, re.IGNORECASE)
    ]
    if not patterns:
        return None
    return re.sub(chance.choice(patterns), chance.choice(words), question, count=1, flags=re.IGNORECASE)


def _typed() -> Iterator[tuple[bool, Asked]]:
    """The typed questions that are plain needles, each with whether it is held out."""
    search = Search(LocalStorage(library_of_typed().folder), Settings())
    ids = {"/".join(Path(one.paths[0]).parts[-2:]): video_id for video_id, one in search.records.items()}
    for row in typed_questions():
        plan = make_plan(
            corrected(row["questions"][0], search)[0], (ids[row["asked_of"]],) if row["asked_of"] else None
        )
        is_plain = plan.kind == "needle" and not (plan.is_moment or plan.anchor or plan.ordinal) and plan.terms
        if len(row["questions"]) > 1 or not is_plain:
            continue
        found = retrieve(plan, search)
        plan = with_names(plan, found)
        candidates = candidates_of(plan, found, search)
        right = []
        for one in candidates:
            is_inside = ids.get(row["video"]) == one.evidence.video_id
            is_inside = is_inside and any(
                one.evidence.start < end and one.evidence.end > start for start, end in row["spans"]
            )
            text = one.evidence.text if one.evidence.modality == "text" else text_of(one.around(1))
            right.append(is_inside and re.search(row["words"], text.casefold()) is not None)
        yield row["held_out"], _judged("typed" if row["spans"] else "typed never", plan, candidates, right)


def _judged(kind: str, plan: Plan, candidates: Sequence[Candidate], right: Sequence[bool]) -> Asked:
    features = np.array([one.features for one in candidates], float).reshape(-1, len(_DENSE))
    exact = [holds_exact(plan, one) for one in candidates]
    same = [[same_place(one.evidence, other.evidence) for other in candidates] for one in candidates]
    return Asked(kind, features, *(np.array(values, bool) for values in (right, exact, same)))


def _hours(haystack: Haystack) -> Iterator[Asked]:
    """The questions about composed hours that are plain needles."""
    search = Search(LocalStorage(haystack.library.folder), Settings())
    ids = {Path(one.paths[0]).name: video_id for video_id, one in search.records.items()}
    for one in haystack.questions:
        plan = make_plan(one.question)
        if one.kind in ("said", "written", "shown", "never") and plan.kind == "needle" and plan.terms:
            spans = [(span.start, span.end) for span in one.spans]
            yield _asked_of(f"hours {one.kind}", one.question, ids[one.video], spans, search)


def _asked(kind: str, text: str, video: str, truth: tuple[float, float] | None, search: Search) -> Asked:
    return _asked_of(kind, text, video_id(video), [truth] if truth else [], search)


def _asked_of(kind: str, text: str, of: str, spans: Sequence[tuple[float, float]], search: Search) -> Asked:
    plan = make_plan(text, (of,))
    candidates = candidates_of(plan, retrieve(plan, search), search)
    right = [
        any(one.evidence.start < end - 1e-6 and one.evidence.end > start + 1e-6 for start, end in spans)
        for one in candidates
    ]
    return _judged(kind, plan, candidates, right)


def _timed(lines: Sequence[Line]) -> list[Line]:
    timed, now = [], 0.0
    for line in lines:
        end = now + max(1, len(line.text.split())) / _WORDS_A_SECOND
        timed.append(Line(now, end, line.text))
        now = end
    return timed


def _fit(asked: Sequence[Asked], names: Sequence[str], ridge: float) -> dict[str, float]:
    """Coefficients that rank right candidates before wrong ones of the same question; none is negative.

    Conditional logit (McFadden 1974): the probability that the chosen candidate is right, by a softmax over the
    question's candidates, with a ridge penalty.
    """
    columns = [_DENSE.index(name) for name in names]
    lists = [(one.features[one.exact][:, columns], one.right[one.exact]) for one in asked if one.exact.any()]
    lists = [(x, right) for x, right in lists if right.any() and not right.all()]

    def loss(beta: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[np.float64]]:
        total, slope = ridge * float(beta @ beta) / 2, ridge * beta
        for x, right in lists:
            share = np.exp(x @ beta - (x @ beta).max())
            share /= share.sum()
            held = share[right].sum()
            total -= np.log(held)
            slope = slope + share @ x - share[right] @ x[right] / held
        return total, slope

    found = minimize(loss, np.zeros(len(columns)), jac=True, method="L-BFGS-B", bounds=[(0, None)] * len(columns))
    return {name: round(float(value), 4) for name, value in zip(names, found.x, strict=True) if value > 0}


def _ridge(asked: Sequence[Asked]) -> float:
    """The ridge with the lowest AURC in five-fold cross-validation over the tuning questions that have an answer."""
    answerable = [one for one in asked if one.right.any()]
    worth = {}
    for ridge in RIDGES:
        found = []
        for fold in range(5):
            fitting = [one for number, one in enumerate(answerable) if number % 5 != fold]
            weights = _fit(fitting, _DENSE, ridge)
            calibration = _calibration(fitting, weights)
            found += [_best(one, weights, calibration) for number, one in enumerate(answerable) if number % 5 == fold]
        worth[ridge] = aurc([float(right) for _, right in found], [score for score, _ in found]) or 1.0
    return min(RIDGES, key=lambda ridge: worth[ridge])


class Top(NamedTuple):
    """The best candidate: its logit, its distance to the best other moment, its coverage, and whether it is right."""

    logit: float
    gap: float
    cover: float
    right: bool


def _top(one: Asked, weights: dict[str, float]) -> Top | None:
    if not len(one.features) or not one.exact.any():
        return None
    logits = one.features @ [weights.get(name, 0.0) for name in _DENSE]
    logits = np.where(one.exact, logits, -np.inf)
    best = int(logits.argmax())
    others = logits[~one.same[best] & one.exact]
    gap = min(MOST_GAP, float(logits[best] - others.max())) if len(others) else NO_RIVAL_GAP
    cover = float(one.features[best, _DENSE.index("cover_3")])
    return Top(float(logits[best]), gap, cover, bool(one.right[best]))


def _calibration(asked: Sequence[Asked], weights: dict[str, float]) -> dict[str, float]:
    """Platt scaling of the best candidate's logit, gap and coverage over all questions, by ridge logistic regression.

    Newton's method (Hastie et al. 2009, section 4.4.1).
    """
    tops = [top for one in asked if (top := _top(one, weights))]
    x = np.array([[1.0, top.logit, top.gap, top.cover] for top in tops])
    y = np.array([top.right for top in tops], float)
    beta, penalty = np.zeros(4), np.diag([1e-6, 0.1, 0.1, 0.1])
    for _ in range(50):
        p = 1 / (1 + np.exp(-x @ beta))
        beta += np.linalg.solve((x * (p * (1 - p))[:, None]).T @ x + penalty, x.T @ (y - p) - penalty @ beta)
    return dict(zip(("intercept", "logit", "gap", "cover"), (round(float(value), 4) for value in beta), strict=True))


def _best(one: Asked, weights: dict[str, float], calibration: dict[str, float]) -> tuple[float, bool]:
    """Score of the best candidate, and whether it is right."""
    if (top := _top(one, weights)) is None:
        return 0.0, False
    c = calibration
    value = c["intercept"] + c["logit"] * top.logit + c["gap"] * top.gap + c["cover"] * top.cover
    return float(1 / (1 + np.exp(-value))), top.right


def _figures(found: Sequence[tuple[float, bool]], threshold: float) -> dict[str, float]:
    right, score = [float(r) for _, r in found], [s for s, _ in found]
    _, risk = risk_coverage(right, score)
    at = {f"risk@{c}": round(float(risk[max(0, int(c * len(right)) - 1)]), 3) for c in (0.2, 0.4, 0.6, 0.8, 1.0)}
    answered = [r for s, r in found if s >= threshold]
    return {
        "questions": len(found),
        "AURC": round(aurc(right, score) or 0.0, 4),
        "R@1": round(float(np.mean(right)), 3),
        "answered": round(len(answered) / len(found), 3),
        "answered right": round(sum(answered) / len(found), 3),
        **at,
    }


if __name__ == "__main__":
    real_data("tutorialvqa")
    main()
