"""The haystack benchmark: indexes composed hours, asks every question about its own hour, and scores the answers."""

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ....tools.errors import MediaError
from ....tools.settings import Settings
from ...library import Library
from ...looking.moments import Moment
from ...records import Answer
from .compose import VIDEOS, HaystackQuestion, compose_hours

__all__ = ["KINDS", "Asked", "overlaps", "run_haystack"]

KINDS = ("said", "written", "shown", "before-after", "count", "never")
_FOUND = ("said", "written", "shown")
_PERHAPS = re.compile(r"\d+ times?, perhaps (\d+)")
_NUMBERS = "zero one two three four five six seven eight nine ten eleven twelve".split()


@dataclass(frozen=True)
class Asked:
    """A question with its answer and cost.

    Attributes:
        question: The question with its truth.
        answer: Playhead's answer.
        seconds: Wall time.
        frames: Number of decoded frames.
    """

    question: HaystackQuestion
    answer: Answer
    seconds: float
    frames: int = 0

    @property
    def is_hedged(self) -> bool:
        """Whether a number is given with a larger one that may be right: `2 times, perhaps 3`."""
        return _PERHAPS.search(self.answer.text) is not None

    @property
    def _holds_count(self) -> bool:
        count, least = self.question.count, _number_in(self.answer.text)
        perhaps = _PERHAPS.search(self.answer.text)
        most = int(perhaps[1]) if perhaps else least
        return count is not None and least is not None and most is not None and least <= count <= most

    @property
    def is_right(self) -> bool:
        """Whether the first claim cites a true second, a number is correct, and a question without truth is declined.

        A number that is hedged is correct if the true one is between its limits.
        """
        asked, said = self.question, self.answer
        if asked.kind == "never":
            return said.status == "insufficient"
        if asked.kind == "count":
            return said.status == "answered" and self._holds_count
        return bool(said.claims) and any(
            span.overlap(cited.span) > 0 for cited in said.claims[0].citations for span in asked.spans
        )


def run_haystack(
    out: Path,
    settings: Settings,
    seed: int = 0,
    hours: int = 1,
    minutes: int = 60,
    clips: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Compose hours from a seed, index them, and ask all their questions.

    Args:
        out: Folder for videos, library and answers (`answers.jsonl`); existing ones are reused.
        settings: Models and budgets.
        seed: Seed of all random choices.
        hours: How many videos.
        minutes: Length of each video.
        clips: Folder of real clips to insert; None: slides, voice and photographs only.
        progress: Called with the number of asked questions and the number of all.

    Returns:
        By kind of question: the number of questions; `right`, `answered`, `refused` and `R@1` (`find`'s first moment
        overlaps the truth) as fractions; and the cost. Reproducible for the same seed and settings, except the seconds.

    Raises:
        MediaError: A composed video could not be indexed.
        MissingExtraError: eSpeak or scikit-image is not installed.
    """
    out.mkdir(parents=True, exist_ok=True)
    questions = compose_hours(out, seed, hours, clips, minutes)
    library = Library(out / "library", settings)
    for outcome in library.index(out / VIDEOS):
        if outcome.state == "failed":
            raise MediaError(f"{outcome.path}: {outcome.detail}")
    asked, first = [], {}
    with (out / "answers.jsonl").open("w", encoding="utf-8") as kept:
        for number, question in enumerate(questions, start=1):
            video = out / VIDEOS / question.video
            began = time.perf_counter()
            one = Asked(question, library.ask(question.question, videos=video), time.perf_counter() - began)
            asked.append(one)
            if question.kind in _FOUND:
                first[question.question_id] = overlaps(question, library.find(question.question, 1, videos=video))
            kept.write(one.answer.model_dump_json(exclude={"thread_id", "trace"}) + "\n")
            if progress:
                progress(number, len(questions))
    found: dict[str, Any] = {"dataset": "haystack", "seed": seed, "hours": hours, "minutes": minutes}
    for kind in KINDS:
        of_kind = [one for one in asked if one.question.kind == kind]
        if of_kind:
            found[kind] = _scores(of_kind, [first[q] for q in (o.question.question_id for o in of_kind) if q in first])
    return found


def overlaps(question: HaystackQuestion, results: Sequence[Moment]) -> bool:
    """Whether any of some results overlaps a true span."""
    return any(span.overlap(one.span) > 0 for one in results for span in question.spans)


def _scores(asked: Sequence[Asked], first: Sequence[bool]) -> dict[str, Any]:
    def share(is_so: Callable[[Asked], bool]) -> float:
        return sum(map(is_so, asked)) / len(asked)

    scores: dict[str, Any] = {
        "questions": len(asked),
        "right": share(lambda one: one.is_right),
        "answered": share(lambda one: one.answer.status == "answered"),
        "refused": share(lambda one: one.answer.status == "insufficient"),
        "hedged": share(lambda one: one.is_hedged),
        "cost": {"seconds": sum(one.seconds for one in asked) / len(asked)},
    }
    return scores | ({"R@1": sum(first) / len(first)} if first else {})


def _number_in(text: str) -> int | None:
    for word in re.findall(r"\d+|[a-z]+", text.casefold()):
        if word.isdigit():
            return int(word)
        if word in _NUMBERS:
            return _NUMBERS.index(word)
    return None
