"""What a line has in place of a number, code, weekday or month of a claim; and whether it denies what the claim says."""

import re
from collections.abc import Iterable, Sequence

from ...tools.words import MONTHS, WEEKDAYS, canonical, pieces, sounds_like_code, tokens
from ..records import Term

__all__ = ["denies", "rivals_of"]

# The negations of English: a closed class.
_NEGATION = re.compile(
    r"\b(?:no|not|never|none|nobody|nothing|nowhere|neither|nor|without|cannot)\b|n['’]t\b", re.IGNORECASE
)
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
        if " " in term.text or sounds_like_code(term.text):
            found += [code for code in codes if _is_variant(term.text, code)]
        else:
            kind = _kind(term.text)
            found += [word for word in words if kind and _kind(word) == kind]
    return list(dict.fromkeys(found))


def denies(text: str) -> bool:
    """Whether an English sentence is negated: it has an odd number of negations."""
    return len(_NEGATION.findall(text)) % 2 == 1


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
