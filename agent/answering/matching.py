"""Literal matching: which terms of a question a text holds, and where.

Counting, ordering and the reader's constraint on exact terms use it, so it never uses similarity.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from ...tools.words import canonical, is_same, pieces, stem, tokens
from ..records import Term

__all__ = ["held_terms", "mentions", "same_words", "texts_with"]


@dataclass(frozen=True)
class _Text:
    """A text, prepared for matching.

    Attributes:
        words: The words in their canonical form.
        lower: The words that are written in lower case.
        by_stem: The words by stem.
        joined: Each pair of neighbouring words as one word.
        pieces: The sequences of letters and digits.
    """

    words: frozenset[str]
    lower: frozenset[str]
    by_stem: Mapping[str, frozenset[str]]
    joined: tuple[str, ...]
    pieces: tuple[str, ...]


def held_terms(terms: Sequence[Term], text: str) -> list[Term]:
    """Return the terms that a text holds literally.

    Two neighbouring terms may be written as one word: "art board" is held by "artboard".
    """
    prepared = _prepared(text)
    held = {term for term in terms if _holds(prepared, term)}
    for one, other in pairwise(terms):
        if not (one.exact or other.exact) and _holds(prepared, Term(text=one.text + other.text, exact=False)):
            held |= {one, other}
    return [term for term in terms if term in held]


def texts_with(terms: Sequence[Term], texts: Iterable[str]) -> list[str]:
    """Return the texts that may hold a required term: a cheap filter before `held_terms`."""
    wanted = [term for term in terms if term.required]
    keys = {key for term in wanted for key in _keys(term.text)}
    keys |= {key for one, other in pairwise(terms) for key in _keys(one.text + other.text)}
    return [text for text in texts if not keys.isdisjoint(_keys(text))]


def mentions(term: Term, words: Sequence[str]) -> list[tuple[int, int]]:
    """Find a term in a sequence of words.

    Returns:
        For each mention the index of its first word, and the index after its last word.
    """
    wanted = [canonical(piece) for piece in pieces(term.text)]
    if " " not in term.text:
        keys = _keys(term.text)
        return [
            (number, number + 1)
            for number, word in enumerate(words)
            if not keys.isdisjoint(_keys(word)) and _holds(_prepared(word), term)
        ]
    spoken = [(number, canonical(piece)) for number, word in enumerate(words) for piece in pieces(word)]
    places: list[tuple[int, int]] = []
    for first in range(len(spoken) - len(wanted) + 1):
        run = spoken[first : first + len(wanted)]
        if [piece for _, piece in run] == wanted and (not places or places[-1][1] <= run[0][0]):
            places.append((run[0][0], run[-1][0] + 1))
    return places


def same_words(ones: Sequence[str], others: Sequence[str]) -> bool:
    """Whether two names consist of the same words, in any order and form: "hot dog" is not "dog"."""
    return 0 < len(ones) == len(others) and all(any(is_same(one, other) for other in others) for one in ones)


def _keys(text: str) -> set[str]:
    """Return the keys that a text shares with every term that it contains."""
    words = tokens(text)
    spelled = [*words, *(one + other for one, other in pairwise(words))]
    return {stem(canonical(word)) for word in spelled} | {stem(canonical(piece)) for piece in pieces(text)}


def _holds(text: _Text, term: Term) -> bool:
    if " " in term.text:
        wanted = tuple(canonical(piece) for piece in pieces(term.text))
        ends = range(len(wanted), len(text.pieces) + 1)
        return any(text.pieces[end - len(wanted) : end] == wanted for end in ends)
    if canonical(term.text) in text.words:
        return True
    forms = {word for word in text.by_stem.get(stem(canonical(term.text)), ()) if is_same(term.text, word)}
    # A stem costs 0.05 ms the first time, and joined words are rarely seen again: most differ in their first letters.
    forms |= {word for word in text.joined if word[:2] == term.text[:2] and is_same(term.text, word)}
    # A name has no other form: "Williams" is not "William". A common word may be capitalised: "Networks" means "networks".
    return bool(forms & text.lower if term.exact else forms)


@lru_cache(maxsize=4096)
def _prepared(text: str) -> _Text:
    words = tokens(text)
    by_stem: dict[str, frozenset[str]] = {}
    for word in set(words):
        key = stem(canonical(word))
        by_stem[key] = by_stem.get(key, frozenset()) | {word}
    return _Text(
        words=frozenset(map(canonical, words)),
        lower=frozenset(tokens(" ".join(chunk for chunk in text.split() if chunk.islower()))),
        by_stem=by_stem,
        joined=tuple(one + other for one, other in pairwise(words)),
        pieces=tuple(canonical(piece) for piece in pieces(text)),
    )
