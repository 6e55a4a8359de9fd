"""What earlier answers of a library rested on: hints for similar questions, never evidence.

A hint names stored observations that answered a similar question. They are read again from the library, and the new
answer is checked against them as against any other line. A hint whose observations changed is dropped.
"""

import fcntl
import json
import logging
from collections.abc import Sequence
from pathlib import Path

from pydantic import Field, ValidationError

from ...index.records import Evidence
from ...index.retrieval.search import Search
from ...index.storage.files.atomic import write_bytes
from ...tools.records import Record
from ..records import Answer

__all__ = ["Hint", "hinted", "remember"]

logger = logging.getLogger(__name__)

_FILE, _LOCK = "answers.jsonl", "answers.lock"
# The oldest are forgotten.
_MOST_KEPT = 500
# Cosine of two questions from which on what answered one is worth reading for the other.
SIMILAR = 0.8


class Hint(Record):
    """What answered a question."""

    question: str = Field(description="As it was understood.")
    evidence: dict[str, str] = Field(description="Text of each cited observation, by its id.")


def remember(folder: Path, question: str, answer: Answer) -> None:
    """Keep what a verified answer rests on; a library that cannot be written keeps nothing."""
    cited = {
        citation.evidence_id: citation.quote
        for claim in answer.claims
        if claim.verdict == "supported"
        for citation in claim.citations
    }
    if answer.status != "answered" or not cited:
        return
    file = folder / _FILE
    try:
        with (folder / _LOCK).open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # other processes remember answers of the same library
            kept = [hint for hint in _read(folder) if hint.question != question]
            lines = [hint.model_dump_json() for hint in [*kept, Hint(question=question, evidence=cited)][-_MOST_KEPT:]]
            write_bytes(file, ("\n".join(lines) + "\n").encode())
    except OSError as error:
        logger.info("the answer is not remembered: %s cannot be written (%s)", file, error)


def hinted(question: str, folder: Path, search: Search) -> list[Evidence]:
    """The stored observations that answered the most similar earlier question; none where no question is similar.

    Args:
        question: As understood.
        folder: The library's folder.
        search: Reads the observations again. One that is gone, or has another text, drops the hint.
    """
    hints = _read(folder)
    if not hints:
        return []
    vectors = search.embed([question, *(hint.question for hint in hints)])
    if vectors is None:
        return []
    cosines = vectors[1:] @ vectors[0]
    best = int(cosines.argmax())
    if cosines[best] < SIMILAR:
        return []
    found: list[Evidence] = []
    for evidence_id, text in hints[best].evidence.items():
        stored = search.evidence(evidence_id)
        if stored is None or text not in stored.text:
            return []
        found.append(stored)
    return search.attributed(found)


def _read(folder: Path) -> Sequence[Hint]:
    try:
        lines = (folder / _FILE).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return []
    hints: list[Hint] = []
    for line in lines:
        try:
            hints.append(Hint.model_validate(json.loads(line)))
        except (ValidationError, ValueError):
            continue
    return hints
