"""How often texts contain the terms of a query.

Texts with spaces between words are cut together: each word becomes the number of its stem, and the stems of the query are
compared with these numbers. Other texts are cut one by one.
"""

import itertools
import re
from collections.abc import Iterator, Sequence
from functools import cache

import numpy as np
import numpy.typing as npt

from ....tools.words import stem
from .tokenizer import ASCII_TERM, SPACED_TERM, QueryTerm, TextTerms, folded, is_spaced, names_in

__all__ = ["counts_in"]

Numbers = npt.NDArray[np.float64]

# The character between two texts that are cut together.
_BETWEEN = "\0"
_ASCII_OR_END, _SPACED_OR_END = (re.compile(rf"{term.pattern}|{_BETWEEN}") for term in (ASCII_TERM, SPACED_TERM))
_END, _UNKNOWN = -1, -2
# Words whose numbers are kept from call to call: about 15 MB.
_MOST_WORDS = 1 << 17
# A text with one of these, or with a point before another character, may hold a name with signs.
_IS_SIGN = np.isin(np.arange(256), [ord(sign) for sign in "+#&@-"])
_ENDS_WORD = np.array([chr(code).isspace() or chr(code) == _BETWEEN for code in range(256)])


def counts_in(terms: Sequence[QueryTerm], texts: Sequence[str]) -> tuple[Numbers, Numbers]:
    """How often each text contains each term, shape `(texts, terms)`, and the lengths of the texts, in terms."""
    counts, lengths = np.zeros((len(texts), len(terms))), np.zeros(len(texts))
    ascii_texts, spaced, others = _sorted_by_script(texts)
    for rows, together in (
        ([*ascii_texts], folded(_BETWEEN.join(ascii_texts.values()))),
        ([*spaced], _BETWEEN.join(spaced.values())),
    ):
        counts[rows], lengths[rows] = _counts_in_words(terms, together, len(rows))
        for place, text in _with_signs(together):
            names = names_in(text)
            if names.changes_words:
                others.append(rows[place])
            else:
                counts[rows[place]] += [sum(map(names.all.count, _single(term))) for term in terms]
    for row in others:
        cut = TextTerms(texts[row])
        counts[row], lengths[row] = [cut.count(term) for term in terms], len(cut)
    return counts, lengths


def _sorted_by_script(texts: Sequence[str]) -> tuple[dict[int, str], dict[int, str], list[int]]:
    """Return the ASCII texts by row, other texts with spaces between words by row and folded, and the rows of the rest."""
    ascii_texts, spaced, others = {}, {}, []
    for row, text in enumerate(texts):
        if _BETWEEN in text:
            others.append(row)
        elif text.isascii():
            ascii_texts[row] = text
        elif is_spaced(folded_text := folded(text)):
            spaced[row] = folded_text
        else:
            others.append(row)
    return ascii_texts, spaced, others


def _counts_in_words(terms: Sequence[QueryTerm], together: str, texts: int) -> tuple[Numbers, Numbers]:
    """As `counts_in`, for folded texts with a character between two; names with signs are not counted."""
    numbers = _numbers_of_words()
    pieces = (_ASCII_OR_END if together.isascii() else _SPACED_OR_END).findall(together)
    found = np.fromiter(map(numbers.__getitem__, pieces), np.int64, len(pieces))
    text_of = np.cumsum(found == _END)
    lengths = np.bincount(text_of[found != _END], minlength=texts)
    counts = np.zeros((texts, len(terms)))
    for column, term in enumerate(terms):
        for form in term.forms:
            is_here = found == numbers.of_stem(form[0])
            for distance, part in enumerate(form[1:], 1):
                is_here[-distance:] = False
                is_here[:-distance] &= found[distance:] == numbers.of_stem(part)
            counts[:, column] += np.bincount(text_of[is_here], minlength=texts)
    return counts, lengths.astype(float)


def _with_signs(together: str) -> Iterator[tuple[int, str]]:
    """Yield the number and the text of each text that may contain a name with signs."""
    codes = np.minimum(np.frombuffer(together.encode("utf-32-le", "surrogatepass"), np.uint32), 255)
    is_sign = _IS_SIGN[codes]
    is_sign[:-1] |= (codes[:-1] == ord(".")) & ~_ENDS_WORD[codes[1:]]
    text_of = np.cumsum(codes == ord(_BETWEEN))
    if is_sign.any():
        texts = together.split(_BETWEEN)
        for place in np.unique(text_of[is_sign]).tolist():
            yield place, texts[place]


def _single(term: QueryTerm) -> list[str]:
    return [form[0] for form in term.forms if len(form) == 1]


class _Numbers(dict[str, int]):
    """The number of each word's stem."""

    def __init__(self) -> None:
        super().__init__({_BETWEEN: _END})
        self._stems: dict[str, int] = {}
        self._next = itertools.count()

    def __missing__(self, word: str) -> int:
        self[word] = self._stems.setdefault(stem(word), next(self._next))
        return self[word]

    def of_stem(self, stem: str) -> int:
        """The number of a stem; `_UNKNOWN`: no word had it."""
        return self._stems.get(stem, _UNKNOWN)


@cache
def _kept_numbers() -> _Numbers:
    return _Numbers()


def _numbers_of_words() -> _Numbers:
    numbers = _kept_numbers()
    if len(numbers) > _MOST_WORDS:
        _kept_numbers.cache_clear()
    return numbers
