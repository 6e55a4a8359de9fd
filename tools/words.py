"""Words of human text: how they are cut, which ones tell something, and when two are the same."""

import re
import unicodedata
from functools import lru_cache
from typing import Any

__all__ = ["STOP_WORDS", "canonical", "sounds_like_code", "stem", "tokens"]

# Words that say nothing of what is asked for.
STOP_WORDS = frozenset(
    "a about all also an and any are as at be because been being both but by can could did do does doing done each "
    "either ever every for from had has have having he her hers him his how i if in into is it its itself just may me "
    "might more most must my neither no nor not of off on once only onto or other our ours out over own same shall she "
    "should so some such than that the their theirs them then there these they this those though through to too under "
    "until up upon us very was we were what whatever when where whether which while who whom whose why will with "
    "within without would yes yet you your yours".split()
)

_NUMBERS = dict(
    zip(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
        "seventeen eighteen nineteen twenty".split(),
        map(str, range(21)),
        strict=True,
    )
) | {"thirty": "30", "forty": "40", "fifty": "50", "sixty": "60", "seventy": "70", "eighty": "80", "ninety": "90"}


def tokens(text: str) -> list[str]:
    """Runs of letters and digits, case folded: `ERR_CERT-7` gives err, cert, 7."""
    folded = unicodedata.normalize("NFKC", text).casefold().replace("\u2019", "'")
    return re.findall(r"[^\W_]+", re.sub(r"'s\b", "", folded))


@lru_cache(maxsize=50_000)
def stem(word: str) -> str:
    """The word's stem (Porter 2, English): what `budgets` and `budget` share."""
    return str(_stemmer().stemWord(word))


@lru_cache(maxsize=50_000)
def canonical(word: str) -> str:
    """One form for words that mean the same literally: stems, and digits for number words."""
    return _NUMBERS.get(word, stem(word))


def sounds_like_code(text: str) -> bool:
    """Whether a chunk such as `ORDER-7731`, `ERR_CERT_DATE` or `v2` is a name made by a machine."""
    return "_" in text or (any(c.isdigit() for c in text) and any(c.isalpha() for c in text))


@lru_cache(maxsize=1)
def _stemmer() -> Any:
    import snowballstemmer

    return snowballstemmer.stemmer("english")
