"""Places where speech recognition may have misheard a counted word.

A word that is recognised wrongly is written as words that sound like it, and the recogniser is less sure of them: "pumpkin"
became "pump kid", "balcony" became "melcony". Such places are named as doubtful. They are never counted.

Sound is judged from the spelling of English: words are written with one sign a sound, as Metaphone does (Philips 1990) but with
their vowels, and compared by an edit distance in which similar sounds cost less (as in ALINE, Kondrak 2000).
"""

import re
from collections.abc import Sequence
from functools import lru_cache

from ....index.records import Evidence
from ....tools.words import tokens
from ...question.spelling import has_rare_word
from ...records import Citation, Term
from ..matching import mentions
from ..quotes import cite_words

__all__ = ["misheard", "similarity", "sounds_of"]

# Chosen on composed hours, 200 spoken sentences and four minutes of real speech (`tests/benchmarks/bench_misheard.py`). A lower
# limit names more places without need.
_LEAST = 0.72  # least similarity
_LEAST_RARE = 0.6  # the same of words of which one is rare in English: "peng" is more likely a mistake than "pen"
_SURE = 0.9  # words of a higher probability were heard rightly
_MOST_WORDS = 3  # words that a word was heard as
# A shorter word sounds like too many others.
_LEAST_LETTERS = 6

# Spellings of one sound, in the order in which they are replaced.
_SPELLINGS = tuple(
    (re.compile(pattern), sign)
    for pattern, sign in (
        ("ph", "f"), ("ck", "k"), ("wh", "w"), ("igh", "i"), ("gh", ""), ("qu", "kw"), ("x", "ks"), ("th", "θ"), ("sh|tch|ch", "ʃ"),
        ("c(?=[eiy])", "s"), ("[cq]", "k"), ("y", "i"), (r"(.)\1+", r"\1"),
    )
)  # fmt: skip
_SILENT_E = re.compile(r"(?<=.[^aeiou])e$")
_VOWELS = frozenset("aeiou")
# Consonants that are made at one place of the mouth, and those that are made in one manner.
_PLACES = ("pb", "td", "kg", "fv", "sz", "ʃj", "mn", "lr", "wh")
_MANNERS = ("pbtdkg", "fvθszʃjh", "mn", "lrw")
_PLACE_OF = {sign: number for number, signs in enumerate(_PLACES) for sign in signs}
_MANNER_OF = {sign: number for number, signs in enumerate(_MANNERS) for sign in signs}
_OTHER_VOWEL, _SAME_PLACE, _SAME_MANNER = 0.25, 0.4, 0.6
_VOWEL_MISSING, _CONSONANT_MISSING = 0.4, 0.9


def misheard(term: Term, rows: Sequence[Evidence]) -> list[Citation]:
    """Return the places at which a word may have been said and was not recognised, at most one in each row, in order.

    A place is up to three neighbouring words that sound like the term, with one word among them of which the recogniser is not
    sure. Words of fewer than six letters are not looked for, nor are names of several words, numbers and codes.

    Args:
        term: The counted word.
        rows: Speech with the times and probabilities of its words.
    """
    word = term.text.casefold()
    if len(word) < _LEAST_LETTERS or not word.isascii() or not word.isalpha():
        return []
    wanted = sounds_of(word)
    found = (_likeliest(term, wanted, row) for row in rows)
    return [place for place in found if place is not None]


def _likeliest(term: Term, wanted: str, row: Evidence) -> Citation | None:
    """The place in a row that sounds most like a term, if it sounds like it and is no mention of it."""
    words = [word.text for word in row.words]
    probabilities = [1.0 if word.probability is None else word.probability for word in row.words]
    mentioned = {number for first, last in mentions(term, words) for number in range(first, last)}
    best: tuple[float, int, int] | None = None
    for first in range(len(words)):
        for last in range(first + 1, min(len(words), first + _MOST_WORDS) + 1):
            if first in mentioned or last - 1 in mentioned:
                break
            if min(probabilities[first:last]) >= _SURE:
                continue
            written = " ".join(words[first:last])
            similar = similarity(wanted, sounds_of(written))
            least = _LEAST_RARE if has_rare_word(written) else _LEAST
            if similar >= least and similar > (best[0] if best else 0):
                best = (similar, first, last)
    return cite_words(row, *best[1:]) if best else None


@lru_cache(maxsize=65536)
def sounds_of(text: str) -> str:
    """Return words as one sign a sound, without spaces: `sounds_of("phone booth") == "fonboθ"`."""
    sounds = ""
    for word in tokens(text):
        signs = "".join(sign for sign in word if sign.isascii() and sign.isalpha())
        for spelling, sign in _SPELLINGS:
            signs = spelling.sub(sign, signs)
        sounds += _SILENT_E.sub("", signs)
    return sounds


@lru_cache(maxsize=65536)
def similarity(one: str, other: str) -> float:
    """Return how alike two words sound, from 0 to 1: 1 minus their weighted edit distance (Wagner and Fischer 1974).

    Args:
        one: From `sounds_of`.
        other: From `sounds_of`.
    """
    size, other_size = sum(map(_missing, one)), sum(map(_missing, other))
    largest = max(size, other_size)
    if not one or not other or abs(size - other_size) > (1 - _LEAST_RARE) * largest:
        return 0.0
    row = [0.0]
    for sign in other:
        row.append(row[-1] + _missing(sign))
    for sign in one:
        last, row = row, [row[0] + _missing(sign)]
        for number, against in enumerate(other):
            ways = (
                last[number + 1] + _missing(sign),
                row[-1] + _missing(against),
                last[number] + _other(sign, against),
            )
            row.append(min(ways))
    return max(0.0, 1 - row[-1] / largest)


def _missing(sign: str) -> float:
    return _VOWEL_MISSING if sign in _VOWELS else _CONSONANT_MISSING


def _other(sign: str, against: str) -> float:
    """Return the cost of one sound for another."""
    if sign == against:
        return 0.0
    if (sign in _VOWELS) != (against in _VOWELS):
        return 1.0
    if sign in _VOWELS:
        return _OTHER_VOWEL
    if sign in _PLACE_OF and _PLACE_OF[sign] == _PLACE_OF.get(against):
        return _SAME_PLACE
    return _SAME_MANNER if sign in _MANNER_OF and _MANNER_OF[sign] == _MANNER_OF.get(against) else 1.0
