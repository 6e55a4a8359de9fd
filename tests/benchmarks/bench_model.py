"""Answers composed by real language models (Qwen2.5-Coder of 1.5B and 0.5B, 4 bits, llama.cpp), against quotes without a model.

Narrated slide talks (`narrated_talks.py`): spoken, written, paraphrased and "why" questions, and questions about what never
happens; what decides whether the model's answer is given is fitted on five of them with the 1.5B model, the others are held
out. Right: the answer's text has what is asked for, and a citation overlaps the scene. Refused: no claim. Seconds are wall
time of `Library.ask`, the model loaded; "CPU s" is what the model's process used for it. Then TutorialVQA, held-out videos:
right if a claim cites a second of the sentences that answer the question; some questions are asked of another tutorial. The
curve: of each question about its own video, the likeliest answer that was composed, given or not; the share of wrong ones.
`PLAYHEAD_BENCH_TUTORIAL=N` chooses how many of TutorialVQA's questions (default 30), `PLAYHEAD_BENCH_TALKS` the talks and
`PLAYHEAD_BENCH_MODELS` the models by their names, with commas.
"""

import os
import random
import statistics
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from composed import Attempt, asked
from narrated import library_of_talk
from narrated_talks import TALKS, Asked, Scenes
from report import Figures, percent
from transcripts import Line, Question, build, tutorial_questions, tutorials

from playhead import Answer, Claim, Library, Settings
from playhead.agent.evaluation.metrics.abstention import aurc, risk_coverage
from playhead.tools.embedding.texts import SentenceEncoder
from playhead.tools.llm.llama_cpp.runtime import running

MODEL = "qwen2.5-coder-1.5b"
_MODELS = f"{MODEL},qwen2.5-coder-0.5b"
_COVERAGES = (0.2, 0.4, 0.6, 0.8, 1.0)
_TICKS = os.sysconf("SC_CLK_TCK")

Row = dict[str, str | float | None]


def measure() -> Figures:
    """The figures."""
    talks, tutorials_held_out = "Slide talks", "TutorialVQA, held out"
    curve = "TutorialVQA, held out: share of wrong ones among the likeliest, %"
    figures: dict[str, list[Row]] = {talks: [], tutorials_held_out: [], curve: []}
    count = int(os.environ.get("PLAYHEAD_BENCH_TUTORIAL", "30"))
    named = os.environ.get("PLAYHEAD_BENCH_TALKS", ",".join(talk.name for talk in TALKS)).split(",")
    models = os.environ.get("PLAYHEAD_BENCH_MODELS", _MODELS).split(",")
    with tempfile.TemporaryDirectory() as folder:
        for name in ("quotes", *models):
            settings = quote_settings() if name == "quotes" else model_settings(name)
            for talk in TALKS:
                if talk.name in named:
                    library, scenes = library_of_talk(Path(folder), talk, settings)
                    of = f"{talk.name}, {'held out' if talk.held_out else 'tuned on'}"
                    figures[talks] += _talk_rows(name, of, library, talk.questions, scenes)
            if count:
                rows, composed = _tutorial_rows(name, settings, count)
                figures[tutorials_held_out] += rows
                figures[curve] += [_curve(name, composed)] if composed else []
    return {title: rows for title, rows in figures.items() if rows}


def quote_settings() -> Settings:
    """Settings without a model."""
    return Settings(offline=True, objects_model="off", max_seconds=900)


def model_settings(model: str = MODEL) -> Settings:
    """Settings with a model; on a busy machine a request may take minutes."""
    return Settings(
        offline=True,
        objects_model="off",
        max_seconds=900,
        video_llm_backend="llama.cpp",
        video_llm_model=model,
        video_llm_timeout=600,
    )


def tutorial_library(
    settings: Settings, half: int
) -> tuple[Library, Callable[[Question], tuple[float, float]], list[str], list[Question]]:
    """A library of TutorialVQA's transcripts.

    Args:
        settings: Of the library.
        half: 0: the first half of its videos by name; 1: the other.

    Returns:
        The library, what gives a question's true span, the names of the half's videos, and their questions.
    """
    videos = {name: _timed(lines) for name, lines in tutorials().items()}
    folder = Path(tempfile.mkdtemp()) / "tutorials"
    encoder = SentenceEncoder(Settings())
    vectors = {name: encoder.encode_all([line.text for line in lines]) for name, lines in videos.items()}
    build(folder, videos, vectors, encoder.embedding_id)
    names = sorted(videos)
    ours = names[len(names) // 2 :] if half else names[: len(names) // 2]
    asked = {(q.video, q.text.strip().casefold()): q for q in tutorial_questions(["train", "dev", "test"])}

    def span(question: Question) -> tuple[float, float]:
        lines = videos[question.video]
        return lines[question.first].start, lines[question.last].end

    return Library(folder, settings), span, ours, [q for q in asked.values() if q.video in ours]


def cites(claims: Sequence[Claim], start: float, end: float) -> bool:
    """Whether a claim cites evidence that overlaps a span."""
    return any(c.start < end and c.end > start for claim in claims for c in claim.citations)


def _talk_rows(name: str, of: str, library: Library, questions: Sequence[Asked], scenes: Scenes) -> list[Row]:
    library.ask("What is this about?")  # loads the model
    answers: list[tuple[Asked, Answer, float]] = []
    for one in questions:
        before = _cpu_seconds()
        attempts, answer = asked(library, one.question)
        answers.append((one, answer, _cpu_seconds() - before))
        is_right = one.checked_on(scenes)(answer.claims)
        said = [
            (one.checked_on(scenes)(claims), weighed, [claim.text for claim in claims]) for claims, weighed in attempts
        ]
        print(f"{name} | {of} | {one.kind} | {one.question} | {is_right} | {answer} | {said}", flush=True)
    rows: list[Row] = []
    kinds = dict.fromkeys(one.kind for one in questions)
    for kind in [*kinds, "all that is answered in it"]:
        ours = [one for one in answers if one[0].kind == kind or (kind not in kinds and one[0].kind != "never")]
        right = sum(one.checked_on(scenes)(answer.claims) for one, answer, _ in ours)
        refused = sum(not answer.claims for _, answer, _ in ours)
        rows.append(
            {
                "answers": name,
                "talk": of,
                "questions": kind,
                "n": len(ours),
                "right": None if kind == "never" else right,
                "refused": refused,
                "wrong": len(ours) - refused - right,
                "median s": round(statistics.median(answer.usage.seconds for _, answer, _ in ours), 2),
                "worst s": round(max(answer.usage.seconds for _, answer, _ in ours), 2),
                "median CPU s": round(statistics.median(cpu for _, _, cpu in ours), 2),
                "tokens": round(
                    statistics.mean((a.usage.prompt_tokens or 0) + (a.usage.completion_tokens or 0) for _, a, _ in ours)
                ),
            }
        )
    return rows


def _timed(lines: Sequence[Line]) -> list[Line]:
    """Lines with the seconds that their words take at 150 a minute."""
    timed, now = [], 0.0
    for line in lines:
        end = now + max(1, len(line.text.split())) / 2.5
        timed.append(Line(now, end, line.text))
        now = end
    return timed


def _tutorial_rows(name: str, settings: Settings, count: int) -> tuple[list[Row], list[tuple[bool, float]]]:
    """The rows, and whether the likeliest answer that was composed about a question's own video is right, with its probability."""
    library, span, names, questions = tutorial_library(settings, 1)
    chance = random.Random(0)
    rows: list[Row] = []
    curve: list[tuple[bool, float]] = []
    for of, number in (("its own video", count), ("another tutorial", count // 3)):
        answered = right = 0
        seconds: list[float] = []
        for question in chance.sample(questions, number):
            is_own = of == "its own video"
            video = question.video if is_own else chance.choice([one for one in names if one != question.video])
            attempts, answer = asked(library, question.text, video)
            is_right = is_own and cites(answer.claims, *span(question))
            answered += bool(answer.claims)
            right += is_right
            seconds.append(answer.usage.seconds)
            likeliest = max((one for one in attempts if one.weighed), key=_probability, default=None)
            if is_own and likeliest is not None:
                curve.append((cites(likeliest.claims, *span(question)), _probability(likeliest)))
            print(f"{name} | {of} | {is_right} | {question.text} | {answer.status} | {attempts} | {answer}", flush=True)
        rows.append(
            {
                "answers": name,
                "asked of": of,
                "n": number,
                "answered %": percent(answered / number),
                "right %": percent(right / number) if is_own else None,
                "wrong %": percent((answered - right) / number),
                "median s": round(statistics.median(seconds), 2),
            }
        )
    return rows, curve


def _probability(attempt: Attempt) -> float:
    return attempt.weighed.probability if attempt.weighed else 0.0


def _curve(name: str, composed: Sequence[tuple[bool, float]]) -> Row:
    right, likely = [float(one) for one, _ in composed], [one for _, one in composed]
    _, risk = risk_coverage(right, likely)
    at = {f"{share:.0%}": percent(risk[round(share * len(composed)) - 1]) for share in _COVERAGES}
    return {"answers": name, "composed": len(composed), **at, "AURC": round(aurc(right, likely) or 0.0, 3)}


def _cpu_seconds() -> float:
    """CPU time of the model's processes so far."""
    total = 0.0
    for process in running():
        try:
            fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        total += (int(fields[11]) + int(fields[12])) / _TICKS
    return total
