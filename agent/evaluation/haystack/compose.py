"""A benchmark that anyone can reproduce: hour-long videos composed from a seed, and questions with true spans.

Slides with text, photographs, a synthetic voice and, if there are some, real clips lie in a row; near duplicates with
other names, numbers and dates lie near each needle, words are said that are never shown, and the other way round.
Needles in a haystack of frames are an old idea (V-NIAH of LongVA, Zhang et al. 2024, arXiv 2406.16852, section 4);
here each has a span in seconds, and some are not there.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path

from ....tools.errors import QueryError
from .film import write_film
from .hour import plan_hour
from .questions import HaystackKind, HaystackQuestion, ask_about

__all__ = ["QUESTIONS", "VIDEOS", "HaystackKind", "HaystackQuestion", "code_hash", "compose_hours", "read_questions"]

# In a composed folder: the videos alone, so that no file next to them holds the truth; and the truth.
VIDEOS = "videos"
QUESTIONS = "questions.jsonl"
_SHORTEST_MINUTES = 2


def compose_hours(
    folder: Path,
    seed: int,
    hours: int,
    clips: Path | None = None,
    minutes: int = 60,
    progress: Callable[[str], None] | None = None,
) -> list[HaystackQuestion]:
    """Write `hours` videos to `folder/videos` and their questions to `folder/questions.jsonl`.

    The same seed and clips give the same questions, byte by byte. An existing video is kept.

    Args:
        folder: Target folder; created if missing.
        seed: Seed of all random choices.
        hours: How many videos.
        clips: A folder that holds real clips (those of `pictures.CLIPS` are used); None: photographs only.
        minutes: Length of each video; below 20 it has fewer questions.
        progress: Called with the name of each video before it is made.

    Raises:
        QueryError: A number is too small.
        MissingExtraError: eSpeak or scikit-image is not installed.
        MediaError: A clip cannot be read.
    """
    if hours < 1 or minutes < _SHORTEST_MINUTES:
        raise QueryError(
            f"hours={hours}, minutes={minutes}: at least 1 video of at least {_SHORTEST_MINUTES} minutes is composed"
        )
    (folder / VIDEOS).mkdir(parents=True, exist_ok=True)
    questions: list[HaystackQuestion] = []
    for number in range(1, hours + 1):
        drawn, path = f"{seed}/{number}", folder / VIDEOS / f"hour_{number}.mp4"
        hour = plan_hour(drawn, 60 * minutes, clips)
        questions += ask_about(hour, drawn, path.name)
        if not path.exists():
            if progress:
                progress(path.name)
            unfinished = path.with_name(f".{path.name}")
            write_film(unfinished, hour, clips)
            unfinished.replace(path)
    text = "".join(f"{one.model_dump_json()}\n" for one in questions)
    (folder / QUESTIONS).write_text(text, encoding="utf-8")
    return questions


def read_questions(folder: Path) -> list[HaystackQuestion]:
    """The questions of a composed folder.

    Raises:
        QueryError: The folder holds no composed videos.
    """
    path = folder / QUESTIONS
    if not path.exists():
        raise QueryError(f"{folder} holds no {QUESTIONS}: compose it first")
    return [HaystackQuestion.model_validate_json(line) for line in path.read_text(encoding="utf-8").splitlines()]


def code_hash() -> str:
    """Return 8 hex digits of a hash over the composing code: a change of the code gives other videos."""
    parts = sorted(path for path in Path(__file__).parent.glob("*.py") if path.name != "needles.py")
    return hashlib.blake2b(b"".join(part.read_bytes() for part in parts), digest_size=4).hexdigest()
