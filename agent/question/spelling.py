"""Corrects typing errors of English questions: a word that the library does not contain by one that is one edit away.

An English word is never changed: "gold" is not a typing error for "cold" in the library.
The words with their frequencies and the edits are pyspellchecker's (Norvig 2007, "How to Write a Spelling Corrector").
"""

import math
import re
from functools import lru_cache
from typing import Any

from ...index.metadata_texts import METADATA
from ...index.retrieval.search import Search
from ...tools.words import STOP_WORDS
from ..records import Correction

__all__ = ["corrected", "has_rare_word", "is_english"]

_WORD = re.compile(r"(?<![\w'’\-./@])[a-z]{3,20}(?![\w'’\-/@])")
_LETTERS = re.compile(r"[^\W\d_]{2,}")
# Geometric mean of the English frequencies of a question's words; an unknown word counts as a tenth of an occurrence. The
# lowest of TutorialVQA's and the typed English questions with four words is 10**-6.1, the highest of German ones 10**-7.2.
_RAREST_ENGLISH = 1e-7
_FEWEST_WORDS = 4  # fewer words are too few to tell
# Common words of questions, which need not be in the library.
_QUESTION_WORDS = frozenset(
    "video videos mentioned mention said says shown show about please tell find".split()
) | frozenset(word for word in STOP_WORDS if len(word) > 2)


def corrected(question: str, search: Search) -> tuple[str, tuple[Correction, ...]]:
    """Correct the typing errors of a question; names, codes, numbers and quoted phrases stay as they are.

    Args:
        question: The question as typed.
        search: The library; it contains every corrected word.

    Returns:
        The corrected question, and the corrections.
    """
    quoted = [found.span() for found in re.finditer(r"[\"“”«»„][^\"“”«»„]*[\"“”«»„]", question)]
    found = [
        one
        for one in _WORD.finditer(question)
        if one[0] not in _QUESTION_WORDS and not any(start <= one.start() < end for start, end in quoted)
    ]
    words = list(dict.fromkeys(one[0] for one in found))
    _, counts = search.counts(words)
    _, named = search.counts(words, (METADATA,))
    unknown = [word for word in words if not counts[word] and not named[word]]
    if not unknown or not is_english(question):
        return question, ()
    fixes = {word: fix for word in unknown if (fix := _fix(word, search))}
    text = _WORD.sub(lambda one: fixes.get(one[0], one[0]), question)
    return text, tuple(Correction(written=word, read=fix) for word, fix in fixes.items())


@lru_cache(maxsize=65536)
def has_rare_word(text: str) -> bool:
    """Whether one word of a text is rarer in English than one word in ten million; words of one or two letters are not."""
    of = _speller().word_frequency
    return any(
        of[word] < _RAREST_ENGLISH * of.total_words for word in _LETTERS.findall(text.casefold()) if len(word) > 2
    )


def is_english(question: str) -> bool:
    """Whether the words of a question are common in English; True for fewer than four words."""
    words = _LETTERS.findall(question.casefold())
    if len(words) < _FEWEST_WORDS:
        return True
    of = _speller().word_frequency
    logs = [math.log((of[word] or 0.1) / of.total_words) for word in words]
    return math.exp(sum(logs) / len(logs)) >= _RAREST_ENGLISH


def _fix(word: str, search: Search) -> str | None:
    """Return the most likely intended word; None if the word is English, or no word is one edit away."""
    speller = _speller()
    if speller.known([word]):
        return None
    near = speller.edit_distance_1(word)
    counts = dict.fromkeys(near & _QUESTION_WORDS, 1)
    if len(word) > 3:
        counts |= {one: count for one, count in search.counts(sorted(near))[1].items() if count and len(one) > 2}
    # Two swapped letters are the most frequent error, and the first letter is rarely wrong.
    ranked = sorted(
        counts, key=lambda one: (sorted(one) != sorted(word), one[0] != word[0], not speller.known([one]), -counts[one])
    )
    return ranked[0] if ranked else None


@lru_cache(maxsize=1)
def _speller() -> Any:
    from spellchecker import SpellChecker  # type: ignore[import-not-found, import-untyped, unused-ignore]

    return SpellChecker(language="en", distance=1)
