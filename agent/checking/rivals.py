"""What a line has in place of a number, code, weekday or month of a claim; whether it denies the claim; a name that begins it."""

import re
from collections.abc import Iterable, Sequence

from ...tools.words import MONTHS, STOP_WORDS, WEEKDAYS, canonical, pieces, sounds_like_code, tokens
from ..question.spelling import has_rare_word
from ..records import Term

__all__ = ["denies", "first_name", "is_name", "rivals_of"]

# The negations of English: a closed class.
_NEGATION = re.compile(
    r"\b(?:no|not|never|none|nobody|nothing|nowhere|neither|nor|without|cannot)\b|n['’]t\b", re.IGNORECASE
)
_FIRST_WORD = re.compile(r"\W*(?P<word>[A-ZÀ-Þ][^\W\d_]+)(?P<rest>(?:[^\w\s-]*\s.*)?)\Z", re.DOTALL)
# Function words that follow a subject; others ("Yesterday the price rose") follow an adverb.
_VERBS = frozenset(
    "is are was were be been has have had do does did can could will would shall should may might must not and or".split()
)
_PLURAL = re.compile(r"(?P<y>\w+)ies|(?P<es>\w+(?:s|x|z|ch|sh|o))es|(?P<s>\w+)s")
_CHUNK = re.compile(r"\w[\w\-./:@#&+]*")


def rivals_of(missing: Sequence[Term], claimed: Sequence[Term], text: str) -> list[str]:
    """Return the words of a line that are of the same kind as a term it lacks, and that the claim does not have.

    A number has numbers as rivals, a clock time clock times, a weekday weekdays, a month months, and a code those
    codes that share a part with it: `ORDER-7731` for `ORDER-7732`. Names have none: "Sales grew in Germany" does not
    contradict "Anna said that sales grew".

    Args:
        missing: The exact terms of the claim that the line does not hold.
        claimed: All exact terms of the claim.
        text: The line.
    """
    known = {canonical(piece) for term in claimed for piece in (*tokens(term.text), *pieces(term.text))}
    codes = [chunk for chunk in _CHUNK.findall(text) if sounds_like_code(chunk)]
    plain = tokens(" ".join(chunk for chunk in _CHUNK.findall(text) if chunk not in codes))
    words = [word for word in dict.fromkeys(plain) if canonical(word) not in known]
    found: list[str] = []
    for term in missing:
        if _is_code(term):
            found += [code for code in codes if _is_variant(term.text, code)]
        else:
            kind = _kind(term.text)
            found += [word for word in words if kind and _kind(word) == kind]
    return list(dict.fromkeys(found))


def is_name(term: Term) -> bool:
    """Whether an exact term is a name: nothing else can be its rival."""
    return not _is_code(term) and not _kind(term.text)


def denies(text: str) -> bool:
    """Whether an English sentence is negated: it has an odd number of negations."""
    return len(_NEGATION.findall(text)) % 2 == 1


def first_name(claim: str) -> set[str]:
    """Return the first word of a claim if it may be a name: "Peter wrote the report" does not follow from "David wrote it".

    Its capital letter does not tell, so an English sentence does: a noun without an article or a plural ending that begins
    a sentence is a name, or a thing that has no plural ("Training", "Revenue"). A line that shows the claim has that word, too.
    """
    found = _FIRST_WORD.match(claim)
    if found is None or found["word"].casefold() in STOP_WORDS or found["rest"].split()[:1] == []:
        return set()
    word, following = found["word"].casefold(), tokens(found["rest"])[:1]
    is_adverb = bool(following) and following[0] in STOP_WORDS and following[0] not in _VERBS
    return set() if _is_plural(word) or is_adverb else {word}


def _is_plural(word: str) -> bool:
    """Whether an English word has the ending of a plural, and is a word without it: "customers", not "james"."""
    found = _PLURAL.fullmatch(word)
    return found is not None and not has_rare_word(
        f"{found['es'] or found['y'] or found['s']}{'y' if found['y'] else ''}"
    )


def _is_code(term: Term) -> bool:
    return " " in term.text or sounds_like_code(term.text)


def _is_variant(code: str, other: str) -> bool:
    """Whether two codes differ, and share a part."""
    ours, theirs = _parts(pieces(code)), _parts(pieces(other))
    return ours != theirs and not set(ours).isdisjoint(theirs)


def _parts(found: Iterable[str]) -> list[str]:
    return [canonical(piece) for piece in found]


def _kind(word: str) -> str:
    word = canonical(word)
    if word in WEEKDAYS:
        return "weekday"
    if word in MONTHS:
        return "month"
    if word[:1].isdigit():
        return "time" if ":" in word else "number"
    return ""
