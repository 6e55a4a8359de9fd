"""Questions as people type them, without a model: right, closest passage given, refused, wrong.

315 questions over three narrated slide talks, two readings of real speech, and real footage (`typed_media.py`): numbers,
paraphrases, typing errors, keywords, yes/no, comparisons, which video, follow-ups, file names, German, French and Spanish,
and 57 that ask for what is not there. Each is asked of its own video; those about "which video", file names, and several
videos are asked of the whole library. `right`: the first claim cites the true span and holds the expected words, or all
claims together cite the true span in each of several videos. `closest`: declined, and one of the nearest passages overlaps
the true span. 117 are held out, among them all new ones about the programming tutorial, and all French and Spanish ones:
the reader is fitted on the others (`fit_reader.py`). The questions that lie beside the real footage are a part of their own.
"""

import json
import re
import uuid
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from haystacks import detector_settings
from report import Figures, real_data
from typed_media import CLIPS, write_media

from playhead import Answer, Library
from playhead.tools.settings import cache_folder

__all__ = ["answer", "library_of_typed", "measure", "outcome", "questions_beside_footage", "typed_questions"]

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


def questions_beside_footage() -> list[dict[str, Any]]:
    """The questions that lie beside the real footage, in the form of `typed_questions`."""
    rows = map(json.loads, real_data("real/questions.jsonl").read_text(encoding="utf-8").splitlines())
    made = []
    for row in rows:
        (video,) = [f"{kind}/{row['video']}" for kind in CLIPS if f"real/{row['video']}" in CLIPS[kind]]
        made.append(
            {"kind": row["kind"], "asked_of": video, "video": video, "questions": [row["question"]], "words": ""}
            | {"spans": row["spans"]}
        )
    return made


def measure() -> Figures:
    library = library_of_typed()
    asked = [(part, one) for one in typed_questions() for part in ["held out" if one["held_out"] else "tuned on"]]
    asked += [("beside the footage", one) for one in questions_beside_footage()]
    rows = [(part, one, outcome(one, answer(library, one))) for part, one in asked]
    parts = list(dict.fromkeys(part for part, _, _ in rows))
    by_part = [
        _counted(f"{part}, {name}", [out for of, one, out in rows if of == part and bool(one["spans"]) == is_there])
        for part in parts
        for name, is_there in (("answerable", True), ("not there", False))
    ]
    by_kind = [
        _counted(f"{part}, {kind}", [out for of, one, out in rows if of == part and one["kind"] == kind])
        for part in parts[:2]
        for kind in sorted({one["kind"] for of, one, _ in rows if of == part})
    ]
    return {"Typed questions": by_part, "Typed questions by kind": by_kind}


def _counted(name: str, outcomes: Sequence[str]) -> dict[str, str | int]:
    counts = Counter(outcomes)
    columns = ("right", "closest", "refused", "wrong")
    return {"questions": name, "number": counts.total()} | {column: counts[column] for column in columns}


def answer(library: Library, one: dict[str, Any]) -> Answer:
    """The answer to a question, or to the last question of a thread."""
    among = None if one["kind"] == "scope" or one["asked_of"] is None else Path(one["asked_of"]).name
    thread = uuid.uuid4().hex if len(one["questions"]) > 1 else None
    return [library.ask(question, videos=among, thread_id=thread) for question in one["questions"]][-1]


def outcome(one: dict[str, Any], given: Answer) -> str:
    """`right`, `closest`, `refused` or `wrong`."""
    places = [{"video": one["video"], "spans": one["spans"]}, *one.get("also", [])]

    def is_inside(cited: Any, place: dict[str, Any]) -> bool:
        name = "/".join(Path(cited.video).parts[-2:])
        return name == place["video"] and any(cited.start < end and cited.end > start for start, end in place["spans"])

    if given.status != "answered":
        return "closest" if any(is_inside(cited, places[0]) for cited in given.closest) else "refused"
    claims = given.claims if len(places) > 1 else given.claims[:1]
    cited = [citation for claim in claims for citation in claim.citations]
    text = " ".join([*(claim.text for claim in claims), *(citation.quote for citation in cited)]).casefold()
    are_inside = all(any(is_inside(citation, place) for citation in cited) for place in places)
    return "right" if are_inside and re.search(one["words"], text) is not None else "wrong"
