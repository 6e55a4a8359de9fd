"""Questions as people type them, without a model: right, closest passage given, refused, wrong.

157 questions over three narrated slide talks, two readings of real speech, and real clips (`typed_media.py`): numbers,
paraphrases, typing errors, yes/no, which video, follow-ups, file names, and things that never happen. Each is asked of
its own video, those about "which video" and file names of the whole library. `right`: the first claim cites the true
span and holds the expected words; `closest`: declined, and one of the nearest passages overlaps it. A third is held out:
the reader is fitted on the others (`fit_reader.py`).
"""

import json
import re
import uuid
from collections import Counter
from pathlib import Path
from typing import Any

from haystacks import detector_settings
from report import Figures
from typed_media import write_media

from playhead import Answer, Library
from playhead.tools.settings import cache_folder

__all__ = ["library_of_typed", "measure", "typed_questions"]

_QUESTIONS = Path(__file__).with_name("typed_questions.jsonl")


def typed_questions() -> list[dict[str, Any]]:
    """The questions, each with its video, true spans, and the words that a right answer holds."""
    return [json.loads(line) for line in _QUESTIONS.read_text(encoding="utf-8").splitlines()]


def library_of_typed() -> Library:
    """The media, written and indexed once in the user's cache folder.

    Raises:
        Skipped: The real data is not there.
    """
    folder = cache_folder() / "benchmarks" / "typed"
    write_media(folder)
    library = Library(folder / ".playhead", detector_settings())
    library.index(folder)
    return library


def measure() -> Figures:
    library = library_of_typed()
    rows = [(one, _outcome(one, _asked(library, one))) for one in typed_questions()]
    table = []
    for part in ("all", "tuned on", "held out"):
        chosen = [(one, out) for one, out in rows if part == "all" or one["held_out"] == (part == "held out")]
        for kind, of in (("answerable", True), ("never", False)):
            counts = Counter(out for one, out in chosen if bool(one["spans"]) == of)
            names = ("right", "closest", "refused", "wrong")
            table.append({"questions": f"{part}, {kind}", "number": counts.total()} | {n: counts[n] for n in names})
    return {"Typed questions": table}


def _asked(library: Library, one: dict[str, Any]) -> Answer:
    among = None if one["kind"] == "scope" or one["asked_of"] is None else Path(one["asked_of"]).name
    thread = uuid.uuid4().hex if len(one["questions"]) > 1 else None
    return [library.ask(question, videos=among, thread_id=thread) for question in one["questions"]][-1]


def _outcome(one: dict[str, Any], answer: Answer) -> str:
    def is_inside(cited: Any) -> bool:
        name = "/".join(Path(cited.video).parts[-2:])
        return name == one["video"] and any(cited.start < end and cited.end > start for start, end in one["spans"])

    if answer.status != "answered":
        return "closest" if one["spans"] and any(map(is_inside, answer.closest)) else "refused"
    first = answer.claims[0]
    text = " ".join([first.text, *(citation.quote for citation in first.citations)]).casefold()
    is_right = any(map(is_inside, first.citations)) and re.search(one["words"], text) is not None
    return "right" if is_right else "wrong"
