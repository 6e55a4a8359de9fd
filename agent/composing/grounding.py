"""Whether a composed claim follows from lines that the model read, checked without a model.

A small model writes the right words and cites the wrong line (it names the right one of six passages in 0.35 of cases,
where retrieval's first is right in 0.47). So the words decide: numbers in digits, names and codes of a claim must occur in a
line, and a claim cites the lines that hold its words. The words that it shares with the question need a line as well: the reason alone
("night shifts") does not say what it is the reason for.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ...index.records import Evidence
from ...tools.words import NUMBER_WORDS, ORDINALS, STOP_WORDS, canonical, names, stem, tokens
from ..question.spelling import is_english
from ..records import Citation, Claim

__all__ = ["Grounded", "grounded"]

# From this share of a claim's own words on, the cited lines support it.
ENOUGH = 0.5
# More lines than these are not needed to show one sentence.
_MOST_LINES = 3
# A line this close, in seconds, to a cited one may say what the answer is about: the sentence before, the title of a slide.
_NEXT_SECONDS = 3.0
# "12th" and "12" are one day; "first", "1st" and "1" are one number.
_ORDINAL = re.compile(r"(?<=\d)(?:st|nd|rd|th)\b", re.IGNORECASE)
_CARDINALS = (
    dict(zip(ORDINALS, NUMBER_WORDS[1:], strict=False))
    | {f"{word}th": word for word in NUMBER_WORDS[13:20]}
    | {f"{word[:-1]}ieth": word for word in NUMBER_WORDS[20:]}
)
_TWENTY_FIRST = re.compile(rf"\b({'|'.join(NUMBER_WORDS[20:])})-({'|'.join(ORDINALS[:9])})\b", re.IGNORECASE)
_WITH_DIGITS = re.compile(r"\S*\d\S*")
# "2024:71,000" as it is read off a slide: no clock has 2024 hours.
_NO_CLOCK = re.compile(r"(?<=\d{3}):")


@dataclass(frozen=True)
class Grounded:
    """A checked claim.

    Attributes:
        claim: The claim, with the lines that hold its words as citations; None: it does not follow from any line.
        detail: What was found, for the trace.
    """

    claim: Claim | None
    detail: str


def grounded(claim: Claim, question: str, rows: Sequence[Evidence], *, same_language: bool = True) -> Grounded:
    """Check a claim against the lines that the model read.

    Args:
        claim: What the model wrote, with its citations; frames among them are kept.
        question: Words that the claim repeats from the question prove nothing.
        rows: The lines that the model read.
        same_language: Whether claim and lines are in one language, and in one wording: a large model's sentence is
            verified by the model, and a German one holds no English words. If not, only numbers and codes are compared.

    Returns:
        The claim as `supported` where half of its own words or more occur in the lines it cites, else `unverified`;
        no claim where a number in digits, a name or a code occurs in no line, or none of its words does. "One of them" states
        no number: numbers in words are words like others. Of a claim that is not English only numbers and codes
        must occur in a line: each German noun has a capital, and its endings differ.
    """
    asked = _keys(question)
    is_in_english = is_english(question) and is_english(claim.text)  # a short claim is in the language of its question
    named = _named(claim.text) if same_language and is_in_english else set()
    exact = (_digit_keys(claim.text) | named) - asked
    own = _keys(claim.text) - asked
    held = {row.evidence_id: _keys(row.text) for row in rows}
    everything = set().union(*held.values()) if held else set()
    pictures = tuple(citation for citation in claim.citations if citation.modality == "frame")
    invented = sorted(exact - everything)
    if invented and not pictures:
        return Grounded(None, f"{', '.join(invented)} occurs in no line")
    if not same_language:
        return Grounded(claim, "its numbers and codes occur in the lines")
    wanted = own | exact
    if not wanted:  # "Yes." and sentences that only repeat the question.
        return Grounded(claim.model_copy(update={"verdict": "unverified"}), "it has no words of its own")
    cited = [citation.evidence_id for citation in claim.citations]
    lines = _lines(wanted, exact, rows, held, cited)
    if not lines:
        if pictures:
            return Grounded(claim.model_copy(update={"citations": pictures}), "it rests on frames")
        if not is_in_english:
            return Grounded(
                claim.model_copy(update={"verdict": "unverified"}), "no line holds its words in the same form"
            )
        return Grounded(None, "none of its words occurs in a line")
    found = set().union(*(held[row.evidence_id] for row in lines)) & wanted
    lines = _with_subject(_keys(claim.text) | asked, lines, rows, held)
    share = len(found) / len(wanted)
    verdict = "supported" if share >= ENOUGH and exact <= found else "unverified"
    moved = [row for row in lines if row.evidence_id not in cited]
    detail = f"{share:.0%} of its words occur in {len(lines)} lines" + (
        f", {len(moved)} of them not cited" if moved else ""
    )
    citations = (*(Citation.of(row) for row in lines), *pictures)
    return Grounded(claim.model_copy(update={"verdict": verdict, "citations": citations}), detail)


def _lines(
    wanted: set[str], exact: set[str], rows: Sequence[Evidence], held: dict[str, set[str]], cited: Sequence[str]
) -> list[Evidence]:
    """The fewest lines that hold the wanted words, in no order: those that the model cites first, then the ones that hold most."""
    chosen: list[Evidence] = []
    left = set(wanted)
    while left and len(chosen) < _MOST_LINES:

        def worth(row: Evidence, left: set[str] = left) -> tuple[float, bool]:
            ours = held[row.evidence_id] & left
            is_cited = row.evidence_id in cited
            return len(ours) + len(ours & exact) + (0.5 if is_cited and ours else 0.0), is_cited

        best = max((row for row in rows if row not in chosen), key=worth, default=None)
        if best is None or not held[best.evidence_id] & left:
            break
        # A further line must add a number or a name, or be one that the model cites.
        if chosen and not held[best.evidence_id] & left & exact and best.evidence_id not in cited:
            break
        chosen.append(best)
        left -= held[best.evidence_id]
    return chosen


def _with_subject(
    words: set[str], chosen: Sequence[Evidence], rows: Sequence[Evidence], held: dict[str, set[str]]
) -> list[Evidence]:
    """Add the neighbouring line that holds most of the words which the chosen lines lack. Sorted by video and time.

    "Why did the sailors stop working?": "Reason: night shifts" alone does not say that they did.
    """
    lines = list(chosen)
    left = words - set().union(*(held[row.evidence_id] for row in lines))
    near = [row for row in rows if row not in lines and any(_is_next_to(row, one) for one in lines)]
    best = max(near, key=lambda row: len(held[row.evidence_id] & left), default=None)
    if best is not None and held[best.evidence_id] & left and len(lines) < _MOST_LINES:
        lines.append(best)
    return sorted(lines, key=lambda row: (row.video, row.start))


def _is_next_to(one: Evidence, other: Evidence) -> bool:
    near = one.start < other.end + _NEXT_SECONDS and one.end > other.start - _NEXT_SECONDS
    return one.video_id == other.video_id and near


def _keys(text: str) -> set[str]:
    """The content words of a text: numbers and ordinals in digits, words by their stem."""
    text = _TWENTY_FIRST.sub(lambda found: f"{found[1]}-{_CARDINALS[found[2].lower()]}", text)
    words = (word for word in tokens(_ORDINAL.sub("", _NO_CLOCK.sub(": ", text))) if word not in STOP_WORDS)
    plain = (canonical(_CARDINALS.get(word, word)) for word in words)
    return {word if word[:1].isdigit() else stem(word) for word in plain}


def _digit_keys(text: str) -> set[str]:
    """Numbers and codes that a text writes with digits: 2.5 million gives 2500000, "one of them" gives none."""
    keys = {key for key in _keys(text) if any(letter.isdigit() for letter in key)}
    in_words = _keys(_WITH_DIGITS.sub(" ", text))
    in_digits = {key for chunk in _WITH_DIGITS.findall(text) for key in _keys(chunk)}
    return {key for key in keys if key in in_digits or key not in in_words}


def _named(text: str) -> set[str]:
    """Names of a text, without numbers in words: "World War Two" gives world and war."""
    return {key for name in names(text) for key in _keys(name) if not key[:1].isdigit()}
