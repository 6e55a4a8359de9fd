"""Words of natural text: tokenization, stop words, stems, the comparison of two words, and complete sentences."""

import re
import threading
import unicodedata
from collections.abc import Iterable
from functools import lru_cache

__all__ = [
    "CONNECTED_SCRIPTS",
    "MONTHS",
    "NUMBER_WORDS",
    "ORDINALS",
    "ORDINAL_FIGURES",
    "SIGNED_NAME",
    "STOP_WORDS",
    "WEEKDAYS",
    "canonical",
    "full_sentences",
    "is_same",
    "names",
    "pieces",
    "sounds_like_code",
    "split_run",
    "stem",
    "tokens",
]

# Scripts whose words have attached prefixes and endings, or are written without spaces: Hebrew, Arabic, Indic scripts,
# Thai, Lao, Burmese, Khmer; with their vowel signs.
CONNECTED_SCRIPTS = (
    "\u05d0-\u05ea\u0620-\u064a\u066e-\u06d3\u06fa-\u06ff\u0750-\u077f\u0900-\u0963\u0971-\u0de5\u0df2-\u0df3"
    "\u0e01-\u0e4e\u0e80-\u0ece\u0edc-\u0edf\u1000-\u103f\u1050-\u108f\u1780-\u17d3"
)
# Scripts that ICU splits into words by a dictionary.
_WITHOUT_SPACES = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff"
    "\uf900-\ufaff\U00020000-\U0003ffff]+"
)
# `C#`, `C++`, `.NET`, `R&D`, in lower case: names that differ from `C` or `net` by their sign.
SIGNED_NAME = re.compile(
    r"(?<![\w.+#&@/])(?:[^\W\d_]++(?:\+\+|#)|\.[^\W\d_][^\W_]++|[^\W\d_]{1,3}&[^\W\d_]{1,3}|[^\W\d_] & [^\W\d_])(?![\w+#&@])"
)

# Words without meaning for a search.
STOP_WORDS = frozenset(
    "a about all also an and any are as at be because been being both but by can cannot could did do does doing done "
    "each either ever every for from had has have having he her hers him his how i if in into is it its itself just "
    "may me might more most must my neither no nor not of off on once only onto or other our ours out over own same "
    "shall she should so some such than that the their theirs them then there these they this those though through to "
    "too under until up upon us very was we were what whatever when where whether which while who whom whose why will "
    "with within without would yes yet you your yours".split()
)

WEEKDAYS = tuple("monday tuesday wednesday thursday friday saturday sunday".split())
MONTHS = tuple("january february march april may june july august september october november december".split())
ORDINALS = tuple("first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth".split())
ORDINAL_FIGURES = tuple("1st 2nd 3rd 4th 5th 6th 7th 8th 9th 10th 11th 12th".split())

_ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
).split()
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
_NUMBERS = (
    {word: str(value) for value, word in enumerate(_ONES)}
    | {word: str(value) for value, word in zip(range(20, 100, 10), _TENS, strict=True)}
    | dict(zip(ORDINALS, ORDINAL_FIGURES, strict=True))
)
NUMBER_WORDS = (*_ONES, *_TENS)
_SCALES = {"hundred": 100, "thousand": 1_000, "million": 1_000_000, "billion": 1_000_000_000}
_ONE = "|".join(NUMBER_WORDS)
_TWENTY_FIVE = re.compile(rf"\b({'|'.join(_TENS)})[ -]({'|'.join(_ONES[1:10])})\b")
_SCALE = "|".join(_SCALES)
_TWO_HUNDRED_FIVE = re.compile(
    rf"\b(a|{_ONE}|\d{{1,12}}(?:\.\d{{1,6}})?) ({_SCALE})\b(?:(?: and)? ({_ONE}|\d{{1,6}})\b(?! (?:{_SCALE})))?"
)

# Irregular forms; the first of each group is the canonical one. Ambiguous forms are not listed: left, rose, saw.
_IRREGULAR = {
    form: forms.split()[0]
    for forms in (
        "begin began begun|break broke broken|bring brought|build built|bus buses|buy bought|catch caught|"
        "child children|choose chose chosen|come came|draw drew drawn|drink drank drunk|drive drove driven|"
        "eat ate eaten|fall fell fallen|feel felt|fight fought|find found|fly flew flown|foot feet|"
        "forget forgot forgotten|freeze froze frozen|gas gases|get got gotten|give gave given|go went gone goes|"
        "grow grew grown|hear heard|hide hid hidden|hold held|keep kept|know knew known|lend lent|lens lenses|"
        "lose lost|make made|man men|mean meant|meet met|mouse mice|pay paid|person people|ride rode ridden|"
        "run ran|say said|sell sold|send sent|shake shook shaken|show shown|sing sang sung|sink sank sunk|"
        "sit sat|sleep slept|speak spoke spoken|spend spent|stand stood|steal stole stolen|swim swam swum|"
        "take took taken|teach taught|tell told|think thought|throw threw thrown|tooth teeth|"
        "understand understood|wear wore worn|win won|woman women|write wrote written|gray grey"
    ).split("|")
    for form in forms.split()
}

_MARKS = "\u0900-\u0903\u093a-\u094f\u0951-\u0957\u0962\u0963\u0981-\u0983\u09bc-\u09cd\u0a01-\u0dff\u0e31\u0e34-\u0e4e\u0eb1-\u0ecd\u102b-\u103e\u17b4-\u17d3"
_TOKEN = re.compile(
    rf"{SIGNED_NAME.pattern}|\d{{1,3}}(?:,\d{{3}})+(?:\.\d+)?|[^\W\d_]{{0,9}}\d+(?:[.:]\d+)+|(?:[^\W_]|[{_MARKS}])+"
)
# A prefix of one or two letters is joined: `Wi-Fi` becomes `wifi`, `e-mail` becomes `email`.
_PREFIXED = re.compile(r"(?<![\w\-])([a-z]{1,2})-([a-z]{2,})(?![\w\-])")
_CONTRACTED = re.compile(r"\b(?:ca|wo|sha)n't\b|n't\b|'(?:s|ll|ve|re|d|m)\b")
_KANA_VOICING = "\u3099\u309a"  # か and が are different letters
_CHUNK = re.compile(r"[^\W_][\w'’\-]*")

# Up to the last full stop (with a closing quote or bracket) that ends a sentence, not a decimal point.
_FULL_SENTENCES = re.compile(r".*(?:[.?!…][\"'”’»)\]]*(?=\s|$)|[。？！][」』”]*)", re.DOTALL)

# The endings of a verb or noun after the letters that all its forms share: walk, walked; make, making; carry, carries.
_ENDINGS = (
    frozenset(("", "s", "es", "ed", "ing")),
    frozenset(("e", "es", "ed", "ing")),
    frozenset(("y", "ies", "ied", "ying")),
)


def tokens(text: str) -> list[str]:
    """Runs of letters and digits, without case and accents; numbers stay whole.

    `ERR_CERT-7 grew by 1,200.5 or twenty-five` gives err, cert, 7, grew, by, 1200.5, or, 25.
    """
    folded = _folded(text).replace("\u2019", "'")
    folded = _TWENTY_FIVE.sub(lambda found: str(int(_NUMBERS[found[1]]) + int(_NUMBERS[found[2]])), folded)
    folded = _TWO_HUNDRED_FIVE.sub(_in_digits, _TWO_HUNDRED_FIVE.sub(_in_digits, folded))  # two hundred thousand
    folded = _PREFIXED.sub(r"\1\2", _CONTRACTED.sub(" ", folded))
    return [part for token in _TOKEN.findall(folded) for part in _parts(token.replace(",", ""))]


@lru_cache(maxsize=1 << 14)
def split_run(run: str) -> tuple[str, ...]:
    """Split text of one script into words: at spaces, or with ICU's dictionaries where the script has no spaces.

    `今年的预算` gives 今年, 的, 预算.
    """
    if not _WITHOUT_SPACES.search(run):
        return tuple(run.split())
    from icu4py.breakers import WordBreaker

    return tuple(word for word in WordBreaker(run, "en") if word.strip())


_own = threading.local()  # of each thread: a stemmer holds the word that it works at


@lru_cache(maxsize=50_000)
def stem(word: str) -> str:
    """The word's stem (Porter 2, English). `budgets` and `budget` have the same stem, but `animal` and `animation` too."""
    if not hasattr(_own, "stemmer"):
        import Stemmer

        _own.stemmer = Stemmer.Stemmer("english")
    return str(_own.stemmer.stemWord(word))


@lru_cache(maxsize=50_000)
def canonical(word: str) -> str:
    """One form for spellings of the same word: digits for numbers (twelve, 09:30), American for British."""
    if word in _NUMBERS:
        return _NUMBERS[word]
    if word[:1].isdigit():
        return re.sub(r"^0+(?=\d+:)", "", word)
    word = _IRREGULAR.get(word, word)
    word = re.sub(r"(?<=...)our(?=(s|ed|ing|ful|able)?$)", "or", word)
    word = re.sub(r"(?<=..og)ue(?=s?$)", "", word)
    return re.sub(r"(?<=...)is(?=(e|es|ed|ing|ation|ations|er|ers)$)", "iz", word)


@lru_cache(maxsize=50_000)
def is_same(one: str, other: str) -> bool:
    """Whether two words are forms of the same word: grow and grew, colour and colors, but not animal and animation."""
    one, other = canonical(one), canonical(other)
    if one == other or one[:1].isdigit() or other[:1].isdigit() or stem(one) != stem(other):
        return one == other
    shared = one[
        : next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    ]
    tails = {_undoubled(word[len(shared) :], shared[-1:]) for word in (one, other)}
    return any(tails <= endings for endings in _ENDINGS) or (shared.endswith("e") and tails <= {"", "s", "d"})


def pieces(text: str) -> list[str]:
    """Runs of letters and numbers: `ORDER-7731`, `order 7731` and `Order7731` all give order, 7731."""
    return [piece for token in tokens(text) for piece in re.findall(r"\d+(?:[.:]\d+)*|\D+", token)]


def names(text: str) -> set[str]:
    """Words that are written as names: with a capital letter that is not at the start of a sentence."""
    found: set[str] = set()
    if text.isupper():
        return found
    for chunk in _CHUNK.finditer(text):
        before = text[max(0, chunk.start() - 9) : chunk.start()].rstrip(" \"'“‘(")[-1:]
        if chunk[0][0].isupper() and before not in ("", *".!?:;•·|"):
            words = set(tokens(chunk[0]))
            if words <= STOP_WORDS - {"i", "may", "will"}:  # May and Will are names
                return set()  # Every Word Is Capitalised
            found |= words - {"i"}
    return found


def full_sentences(text: str) -> str:
    """The complete sentences at the start of a text that was cut off; empty if there are none."""
    found = _FULL_SENTENCES.match(text)
    return found.group() if found else ""


def sounds_like_code(text: str) -> bool:
    """Whether a chunk such as `ORDER-7731`, `ERR_CERT_DATE` or `v2` is an identifier and not a word."""
    return "_" in text or (any(c.isdigit() for c in text) and any(c.isalpha() for c in text))


def _parts(token: str) -> Iterable[str]:
    """Split a token: a name with a sign also gives the word in it; a script without spaces gives its words."""
    if SIGNED_NAME.fullmatch(token):
        bare = token.strip("#+.& ")
        return (token.replace(" ", ""), *((bare,) if len(bare) > 1 and "&" not in bare else ()))
    return split_run(token) if not token.isascii() and _WITHOUT_SPACES.search(token) else (token,)


def _folded(text: str) -> str:
    if text.isascii():
        return text.lower()
    apart = unicodedata.normalize("NFKD", text.casefold())
    bare = (c for c in apart if c in _KANA_VOICING or "\u0900" <= c <= "\u17ff" or not _is_mark(c))
    return unicodedata.normalize("NFKC", "".join(bare)).casefold()  # ℠ has capitals inside


def _is_mark(character: str) -> bool:
    return unicodedata.category(character).startswith("M")


def _in_digits(found: re.Match[str]) -> str:
    first, scale, rest = found.groups()
    first = "1" if first == "a" else _NUMBERS.get(first, first)
    value = float(first) * _SCALES[scale] + int(_NUMBERS.get(rest, rest) if rest else 0)
    return f"{value:.6f}".rstrip("0").rstrip(".")


def _undoubled(tail: str, last: str) -> str:
    """The ending without a doubled consonant: `planned` and `plan` share `plan`, and `ned` becomes `ed`."""
    return tail[1:] if tail[:1] == last and tail[1:] in ("ed", "ing") else tail
