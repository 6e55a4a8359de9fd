"""Answers composed by a real language model (Qwen2.5-Coder-1.5B, 4 bits, llama.cpp), against quotes without a model.

A narrated slide talk (`narrated.py`): spoken, written, paraphrased and "why" questions, and questions about what never
happens. Right: the answer's text has what is asked for, and a citation overlaps the scene. Refused: no claim. Seconds are
wall time of `Library.ask`, the model loaded; "CPU s" is what the model's process used for it, which does not depend on
what else runs. Then TutorialVQA, held-out videos: right if a claim cites a second of the sentences that answer the
question. `PLAYHEAD_BENCH_TUTORIAL=N` chooses how many of its questions (default 30).
"""

import os
import random
import statistics
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from narrated import QUESTIONS, Asked, make_talk
from report import Figures, percent
from transcripts import Line, Question, build, tutorial_questions, tutorials, video_id

from playhead import Answer, Library, Settings
from playhead.tools.embedding.texts import SentenceEncoder
from playhead.tools.llm.llama_cpp.runtime import running

_MODEL = "qwen2.5-coder-1.5b"
_TICKS = os.sysconf("SC_CLK_TCK")


def measure() -> Figures:
    """The figures."""
    talk, scenes = _talk()
    figures: dict[str, list[dict[str, str | float | None]]] = {"Slide talk": [], "TutorialVQA, held out": []}
    tutorial, videos, asked = _tutorial()
    for name, settings in (("quotes", _settings()), (_MODEL, _settings(_MODEL))):
        figures["Slide talk"] += _talk_rows(name, Library(talk, settings), scenes)
        if asked:
            figures["TutorialVQA, held out"].append(_tutorial_row(name, Library(tutorial, settings), videos, asked))
    return figures


def _settings(model: str | None = None) -> Settings:
    chosen = {"video_llm_backend": "llama.cpp", "video_llm_model": model} if model else {}
    return Settings(offline=True, objects_model="off", max_seconds=900, video_llm_timeout=600, **chosen)


def _talk() -> tuple[Path, list[tuple[float, float]]]:
    folder = Path(os.environ.get("PLAYHEAD_BENCH_FOLDER", tempfile.mkdtemp())) / "review"
    film, scenes = make_talk(folder)
    library = Library(folder / ".playhead", _settings())
    library.index(film)
    return library.folder, scenes


def _talk_rows(
    name: str, library: Library, scenes: Sequence[tuple[float, float]]
) -> list[dict[str, str | float | None]]:
    library.ask("What is this about?")  # loads the model
    answers: list[tuple[Asked, Answer, float]] = []
    for asked in QUESTIONS:
        before = _cpu_seconds()
        answer = library.ask(asked.question)
        answers.append((asked, answer, _cpu_seconds() - before))
        print(
            f"{name} | {asked.kind} | {asked.question} | {answer.status} | {answer} | {answer.usage.seconds:.1f}",
            flush=True,
        )
    rows: list[dict[str, str | float | None]] = []
    for kind in dict.fromkeys(asked.kind for asked in QUESTIONS):
        ours = [one for one in answers if one[0].kind == kind]
        right = sum(_is_right(asked, answer, scenes) for asked, answer, _ in ours)
        refused = sum(not answer.claims for _, answer, _ in ours)
        rows.append(
            {
                "answers": name,
                "questions": kind,
                "n": len(ours),
                "right %": None if kind == "never" else percent(right / len(ours)),
                "refused %": percent(refused / len(ours)),
                "median s": round(statistics.median(answer.usage.seconds for _, answer, _ in ours), 2),
                "worst s": round(max(answer.usage.seconds for _, answer, _ in ours), 2),
                "median CPU s": round(statistics.median(cpu for _, _, cpu in ours), 2),
                "tokens": round(
                    statistics.mean((a.usage.prompt_tokens or 0) + (a.usage.completion_tokens or 0) for _, a, _ in ours)
                ),
            }
        )
    return rows


def _is_right(asked: Asked, answer: Answer, scenes: Sequence[tuple[float, float]]) -> bool:
    if asked.kind == "never" or not answer.claims:
        return False
    start, end = scenes[asked.scene]
    cited = [citation for claim in answer.claims for citation in claim.citations]
    text = " ".join(claim.text for claim in answer.claims)
    return asked.is_right(text) and any(c.start < end and c.end > start for c in cited)


def _tutorial() -> tuple[Path, dict[str, list[Line]], list[Question]]:
    """A library of TutorialVQA's transcripts, and questions on the held-out half of its videos."""
    count = int(os.environ.get("PLAYHEAD_BENCH_TUTORIAL", "30"))
    if not count:
        return Path(), {}, []
    videos = {name: _timed(lines) for name, lines in tutorials().items()}
    folder = Path(tempfile.mkdtemp()) / "tutorials"
    encoder = SentenceEncoder(Settings())
    vectors = {name: encoder.encode_all([line.text for line in lines]) for name, lines in videos.items()}
    build(folder, videos, vectors, encoder.embedding_id)
    held_out = sorted(videos)[len(videos) // 2 :]
    asked = {(q.video, q.text.strip().casefold()): q for q in tutorial_questions(["train", "dev", "test"])}
    chosen = random.Random(0).sample([q for q in asked.values() if q.video in held_out], count)
    return folder, videos, chosen


def _timed(lines: Sequence[Line]) -> list[Line]:
    """Lines with the seconds that their words take at 150 a minute."""
    timed, now = [], 0.0
    for line in lines:
        end = now + max(1, len(line.text.split())) / 2.5
        timed.append(Line(now, end, line.text))
        now = end
    return timed


def _tutorial_row(
    name: str, library: Library, videos: Mapping[str, Sequence[Line]], asked: Sequence[Question]
) -> dict[str, str | float | None]:
    answered = right = 0
    seconds: list[float] = []
    for question in asked:
        answer = library.ask(question.text, videos=video_id(question.video))
        lines = videos[question.video]
        start, end = lines[question.first].start, lines[question.last].end
        cited = [citation for claim in answer.claims for citation in claim.citations]
        is_right = any(c.start < end and c.end > start for c in cited)
        answered += bool(answer.claims)
        right += is_right
        seconds.append(answer.usage.seconds)
        print(f"{name} | {is_right} | {question.text} | {answer.status} | {answer}", flush=True)
    return {
        "answers": name,
        "n": len(asked),
        "answered %": percent(answered / len(asked)),
        "right %": percent(right / len(asked)),
        "wrong %": percent((answered - right) / len(asked)),
        "median s": round(statistics.median(seconds), 2),
    }


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
