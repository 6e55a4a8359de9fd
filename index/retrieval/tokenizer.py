"""How texts and queries are cut into the terms of the catalogue: by the same rules, so that what was cut alike matches."""

import re
import unicodedata
from collections.abc import Sequence
from itertools import pairwise

from ...tools.words import STOP_WORDS

__all__ = ["match_expression", "terms_of"]

# Characters that are terms by themselves: of scripts that put no spaces between words, and symbols.
_SINGLE = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"  # Thai, Lao, Burmese, Khmer
    "\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\uac00-\ud7af"  # kana, Hangul
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"  # Han
    "\u2190-\u2bff\U0001f000-\U0001faff"  # arrows, notes, emoji
)
_TERM = re.compile(rf"[{_SINGLE}]|[^\W\d_{_SINGLE}]+|\d+")
# What a person writes in one piece, with or without signs inside; or a run of single characters.
_CHUNK = re.compile(rf"[{_SINGLE}]+|[^\W{_SINGLE}](?:(?![{_SINGLE}])[\w\-./:@#&+'])*")
_PART = re.compile(r"[^\W_]+")
_IS_SINGLE = re.compile(f"[{_SINGLE}]")
_GENITIVE = re.compile(r"['\u2019]s\b")
_KANA_VOICING = "\u3099\u309a"
# BM25 looks at each term for each row: a pasted page would take seconds.
_MOST_TERMS = 256


def terms_of(text: str) -> str:
    """A text's terms with spaces between: `ERR_CERT-7b` gives err cert 7 b."""
    return " ".join(_TERM.findall(_folded(text)))


def match_expression(query: str) -> str:
    """An FTS5 expression for a human query; nothing in it is taken as syntax. Empty: it holds no word.

    Its words are joined by OR, without stop words where others remain. A code such as `ORDER-7731` or
    `ERR_CERT_DATE` matches however it was cut: with other signs, with spaces, or written as one word.
    Of scripts without spaces each two characters in a row are a term.
    """
    found: dict[str, None] = {}
    for chunk in _CHUNK.findall(_folded(query)):
        terms = _TERM.findall(chunk)
        parts = _PART.findall(chunk)
        if _IS_SINGLE.match(chunk):
            parts = ["".join(pair) for pair in pairwise(terms)] or terms
        elif len(terms) > 1 and any(c.isdigit() or c == "_" for c in chunk):
            found[_phrase(terms)] = None
            if any(c.isalpha() for c in chunk):
                found[_phrase(_TERM.findall("".join(parts)))] = None
        found.update(dict.fromkeys(_phrase(_TERM.findall(part)) for part in parts))
    telling = [phrase for phrase in found if phrase.strip('"') not in STOP_WORDS]
    return " OR ".join((telling or list(found))[:_MOST_TERMS])


def _folded(text: str) -> str:
    """Without case, accents, vowel points, genitives and different forms of one character: `Ｃａｆé's` gives cafe."""
    if not text.isascii():
        apart = unicodedata.normalize("NFKD", text)
        bare = (c for c in apart if c in _KANA_VOICING or not unicodedata.category(c).startswith("M"))
        text = unicodedata.normalize("NFKC", "".join(bare))
    return _GENITIVE.sub("", text.casefold())


def _phrase(terms: Sequence[str]) -> str:
    return '"' + " ".join(terms) + '"'
