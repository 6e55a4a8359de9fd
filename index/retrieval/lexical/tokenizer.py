"""Cut texts and queries into index terms. Texts and queries are cut by the same rules, so equal words match.

- Latin, Greek, Cyrillic and similar scripts: words, without case and accents, stemmed.
- Chinese, Japanese, Korean: overlapping pairs of characters. Thai, Arabic, Hebrew, Indic and similar scripts:
  overlapping triples. A query word is a sequence of these, so it is found inside a longer run (CJK analysers of
  Lucene do the same). Queries are split into words by ICU's dictionaries.
- Names with signs (`C#`, `C++`, `.NET`, `R&D`), dotted names, hosts and e-mail addresses (`Node.js`) are terms of
  their own. Hyphenated words are also indexed as one word (`Wi-Fi`: wi, fi, wifi).
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from ....tools.words import CONNECTED_SCRIPTS, SIGNED_NAME, STOP_WORDS, split_run, stem

__all__ = [
    "ASCII_TERM",
    "SPACED_TERM",
    "NamesIn",
    "QueryTerm",
    "TextTerms",
    "folded",
    "is_spaced",
    "match_expression",
    "names_in",
    "query_terms",
    "terms_of",
]

# Scripts of which two characters carry about as much as a word's stem; of the others three are needed.
_PAIRED = (
    "\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff"
)
_SYMBOLS = "\u2190-\u2bff\U0001f000-\U0001faff"  # arrows, notes, emoji: one term each
_RUN = f"{_PAIRED}{CONNECTED_SCRIPTS}{_SYMBOLS}"
_TERM = re.compile(rf"[{_PAIRED}]+|[{CONNECTED_SCRIPTS}]+|[{_SYMBOLS}]|[^\W\d_{_RUN}]+|\d+")
_CHUNK = re.compile(rf"[{_PAIRED}]+|[{CONNECTED_SCRIPTS}]+|[{_SYMBOLS}]|(?:(?![{_RUN}\s])[\w\-./:@#&+'])+")
_PART = re.compile(r"[^\W_]+")
_IS_SYMBOL, _IS_RUN = re.compile(f"[{_SYMBOLS}]"), re.compile(f"[{_RUN}]")
_IS_PAIRED, _IS_CONNECTED = re.compile(f"[{_PAIRED}]"), re.compile(f"[{CONNECTED_SCRIPTS}]")
_GENITIVE = re.compile(r"['\u2019]s\b")
_KANA_VOICING = "\u3099\u309a"
# Letters that differ between keyboards, as Lucene's Arabic and Persian normalisers fold them.
_ARABIC = str.maketrans("\u0649\u06cc\u0643\u0629", "\u064a\u064a\u06a9\u0647")
# Possessive, so that the time is linear in the length of a text.
_ADDRESS = re.compile(r"(?<![\w.+\-])[\w.+\-]++@[\w\-]++(?:\.[\w\-]++)++")
_DOTTED = re.compile(r"(?<![\w.@/\-])[^\W\d_][\w\-]*+(?:\.[^\W_][\w\-]*+)++")
_HYPHENATED = re.compile(r"(?<![\w\-])[^\W\d_]++(?:-[^\W\d_]++){1,2}(?![\w\-])")
# What a name with a sign, an address, a dotted or a hyphenated word has; most sentences have none, and are cut faster.
_SIGN = re.compile(r"[+#&@\-]|\.\S")
_SIGNS_OF_NAMES = "+#&."  # one of them is in each `SIGNED_NAME`
# The terms of a folded ASCII text, and of one for which `is_spaced` is true.
ASCII_TERM, SPACED_TERM = re.compile(r"[a-z]+|[0-9]+"), re.compile(r"[^\W\d_]+|\d+")
_SPOKEN = {"#": ("sharp",), "+": ("plus",), ".": ("dot",), "&": ("and",)}
# BM25 evaluates each term for each row: a pasted page would take seconds.
_MAX_TERMS = 256
_MAX_CHARACTERS = 8_000
_SHORTEST_PART = 3
_HALF = 0.5


@dataclass(frozen=True)
class QueryTerm:
    """One thing that a query names.

    Attributes:
        text: As written, folded.
        forms: Alternative spellings; each is a sequence of index terms that follow one another.
        is_run: Whether it is of a script in which words are found inside a run: then `text` is compared as a substring.
        is_code: Whether it is a name with signs, digits or underscores.
    """

    text: str
    forms: tuple[tuple[str, ...], ...]
    is_run: bool = False
    is_code: bool = False

    @property
    def expressions(self) -> tuple[str, ...]:
        """The FTS5 expressions of its parts. A row must match all of them; of a run some are enough, because words carry endings."""
        if self.is_run and len(self.text) < _gram_length(self.text):
            return (f'"{self.text}" *',)
        if self.is_run:
            return tuple(f'"{gram}"' for gram in dict.fromkeys(self.forms[0]))
        return (" OR ".join('"' + " ".join(form) + '"' for form in self.forms),)

    @property
    def expression(self) -> str:
        """The FTS5 expression that matches a row with any of its parts."""
        return " OR ".join(self.expressions)


class TextTerms:
    """The terms of one text, to count query terms in it."""

    def __init__(self, text: str) -> None:
        """Cut the text."""
        self.folded = folded(text)
        self.words, self.names = _cut(self.folded)

    def __len__(self) -> int:
        return len(self.words)

    def count(self, term: QueryTerm) -> float:
        """How often the text contains a term; for a part of a run, the share of its characters, at most 0.5."""
        if term.is_run:
            if whole := self.folded.count(term.text):
                return float(whole)
            grams = term.forms[0]
            share = sum(gram in self.words for gram in grams) / len(grams)
            return share / 2 if share >= _HALF and len(grams) > 1 else 0.0
        return float(sum(self._occurrences(form) for form in term.forms))

    def _occurrences(self, form: tuple[str, ...]) -> int:
        if len(form) == 1:
            return self.words.count(form[0]) + self.names.count(form[0])
        if form[0] not in self.words:
            return 0
        size = len(form)
        return sum(self.words[i : i + size] == form for i in range(len(self.words) - size + 1))


def terms_of(text: str) -> str:
    """Return a text's index terms, separated by spaces: `ERR_CERT-7b` gives err cert 7 b."""
    words, names = _cut(folded(text))
    return " ".join([*words, *names])


def query_terms(query: str) -> list[QueryTerm]:
    """Return what a human query names, without stop words unless there is nothing else; nothing is taken as syntax.

    A code such as `ORDER-7731` or `ERR_CERT_DATE` matches with other signs, with spaces, or written as one word.
    """
    found: dict[tuple[tuple[str, ...], ...], QueryTerm] = {}
    rest = folded(query[:_MAX_CHARACTERS])
    for pattern in (_ADDRESS, SIGNED_NAME):
        for written in pattern.finditer(rest):
            term = _signed(written[0]) if pattern is SIGNED_NAME else _dotted(written[0])
            found.setdefault(term.forms, term)
        rest = pattern.sub(" ", rest)
    for chunk in _CHUNK.findall(rest):
        for term in _of_chunk(chunk.strip("-./:@#&+'")):
            found.setdefault(term.forms, term)
    telling = [term for term in found.values() if term.text not in STOP_WORDS]
    return (telling or list(found.values()))[:_MAX_TERMS]


def match_expression(query: str) -> str:
    """Return an FTS5 expression for a human query: its terms joined by OR. Empty: it has no word."""
    return " OR ".join(term.expression for term in query_terms(query))


def _of_chunk(chunk: str) -> list[QueryTerm]:
    terms = _cut_words(chunk)
    if not terms:
        return []
    if _IS_SYMBOL.match(chunk):
        return [QueryTerm(chunk, ((chunk,),))]
    if _is_run(chunk):
        return [_run(word) for word in split_run(chunk)]
    if _DOTTED.fullmatch(chunk):
        return [_dotted(chunk)]
    parts = [tuple(_cut_words(part)) for part in _PART.findall(chunk)]
    single = [QueryTerm("".join(part), (part,)) for part in parts if part]
    if any(c.isdigit() or c == "_" for c in chunk) and len(terms) > 1:
        joined = tuple(_cut_words("".join(_PART.findall(chunk))))
        forms = tuple(dict.fromkeys((tuple(terms), joined))) if any(c.isalpha() for c in chunk) else (tuple(terms),)
        return [QueryTerm(chunk, forms, is_code=True), *single]
    if _HYPHENATED.fullmatch(chunk):
        whole = QueryTerm(chunk, (tuple(terms), (stem(chunk.replace("-", "")),)))
        return [whole, *(term for term in single if len(term.text) >= _SHORTEST_PART)]
    return [QueryTerm(written, (part,)) for written, part in zip(_PART.findall(chunk), parts, strict=True) if part]


def _run(word: str) -> QueryTerm:
    return QueryTerm(word, (tuple(_grams(word, tail=False)),), is_run=True)


def _signed(written: str) -> QueryTerm:
    """`c#` also as it is spoken: c sharp."""
    written = written.replace(" ", "")
    spoken: list[str] = []
    for piece in re.findall(r"[^\W_]+|[#+.&]", written):
        spoken += _SPOKEN.get(piece, (stem(piece),))
    return QueryTerm(written, ((written,), tuple(spoken)), is_code=True)


def _dotted(written: str) -> QueryTerm:
    parts = tuple(_cut_words(written))
    forms = ((written,), parts, (stem("".join(_PART.findall(written))),))
    return QueryTerm(written, tuple(dict.fromkeys(forms)), is_code=True)


def is_spaced(folded: str) -> bool:
    """Whether all of a folded text is in scripts with spaces between words, without symbols."""
    return not _IS_RUN.search(folded)


@dataclass(frozen=True)
class NamesIn:
    """The names with signs in a folded text.

    Attributes:
        all: Signed names, addresses, dotted names, and hyphenated words as one word.
        rest: The text whose words are its terms: `C` is not a term of `C#`, but `net` is one of `.NET`.
        changes_words: Whether `rest` is another text.
    """

    all: tuple[str, ...]
    rest: str
    changes_words: bool


def names_in(folded: str) -> NamesIn:
    """Find the names with signs in a folded text."""
    names: list[str] = []
    rest = folded
    if any(sign in folded for sign in _SIGNS_OF_NAMES):
        names = [written.replace(" ", "") for written in SIGNED_NAME.findall(folded)]
        rest = SIGNED_NAME.sub(lambda found: found[0] if len(_PART.findall(found[0])[0]) > 1 else " ", folded)
    if "@" in folded:
        names += _ADDRESS.findall(folded)
    if "." in folded:
        for written in _DOTTED.findall(folded):
            names += [written, stem("".join(_PART.findall(written)))]
    if "-" in folded:
        names += [stem(written.replace("-", "")) for written in _HYPHENATED.findall(folded)]
    return NamesIn(tuple(names), rest, rest != folded)


@lru_cache(maxsize=1 << 12)
def _cut(folded: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The terms in order, and the names with signs in them."""
    if not _SIGN.search(folded):
        return tuple(_cut_words(folded)), ()
    names = names_in(folded)
    return tuple(_cut_words(names.rest)), names.all


def _cut_words(folded: str) -> list[str]:
    if folded.isascii():
        return [stem(piece) for piece in ASCII_TERM.findall(folded)]
    words: list[str] = []
    for piece in _TERM.findall(folded):
        words += _grams(piece) if _is_run(piece) else [stem(piece)]
    return words


def _is_run(piece: str) -> bool:
    return bool(_IS_PAIRED.match(piece) or _IS_CONNECTED.match(piece))


def _gram_length(piece: str) -> int:
    return 2 if _IS_PAIRED.match(piece) else 3


def _grams(run: str, *, tail: bool = True) -> list[str]:
    """Overlapping pairs or triples; in texts also the shorter ends, so that a prefix search finds the last character."""
    size = _gram_length(run)
    if len(run) < size:
        return [run]
    grams: Sequence[str] = [run[i : i + size] for i in range(len(run) - size + 1)]
    return [*grams, *(run[-short:] for short in range(size - 1, 0, -1))] if tail else list(grams)


def folded(text: str) -> str:
    """Return a text without case, accents, vowel points, genitives and different forms of one character: `Ｃａｆé's` gives cafe.

    The vowel signs of Indic scripts, Thai and Lao are letters and stay.
    """
    if not text.isascii():
        apart = unicodedata.normalize("NFKD", text)
        text = unicodedata.normalize("NFKC", apart.translate(_WITHOUT_ACCENTS)).translate(_ARABIC)
    folded = text.casefold()
    return _GENITIVE.sub("", folded) if "'" in folded or "\u2019" in folded else folded


class _Accents(dict[int, int | None]):
    """What `str.translate` makes of each character: nothing of accents and vowel points."""

    def __missing__(self, code: int) -> int | None:
        self[code] = code if _keeps(chr(code)) else None
        return self[code]


def _keeps(character: str) -> bool:
    if character in _KANA_VOICING or not unicodedata.category(character).startswith("M"):
        return True
    return "\u0900" <= character <= "\u109f" or "\u1780" <= character <= "\u17ff"


_WITHOUT_ACCENTS = _Accents()
