"""Does evidence support an answer? Each term of the question is looked for by itself.

Overlap of words as a whole is fooled: "the price of gold doubled" passes where copper was said. So
no required term may be missing: it is in the evidence literally, or by a word that means the same, or
the same video speaks of it nearby.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise, permutations

import numpy as np

from ...index.records import Evidence
from ...tools.embedding.protocol import Vectors
from ...tools.words import STOP_WORDS, canonical, is_same, names, pieces, stem, tokens
from ..question.terms import DISTINCT
from ..records import Plan, Term

__all__ = ["Embed", "Support", "likeness", "mentions", "supports", "texts_with"]

Embed = Callable[[Sequence[str]], Vectors | None]
Nearby = Callable[[Evidence, float], Sequence[Evidence]]
Shows = Callable[[str, Evidence], bool]

# Single words are asked for in this sentence: MiniLM then tells "the same" from "of the same kind" better
# (200 pairs, area under the curve 0.83 against 0.72 for the bare words). car–vehicle 0.91, price–cost 0.83,
# delete–remove 0.79 against teacher–student 0.74, lion–tiger 0.69, cat–dog 0.68, gold–copper 0.56.
_ASKED_AS = "a synonym for {}"
ALIKE_WORDS = 0.78
# Words that begin alike lie near each other for their letters: plum and plumber 0.82, photo and photograph 0.95.
ALIKE_SPELLED_WORDS = 0.9
# What is said in the same breath: a sentence before or after, the other lines of a slide.
CONTEXT_SECONDS = 5.0
# What the talk is about at that moment: a word that was named once is a pronoun afterwards.
TOPIC_SECONDS = 60.0
# A sentence that shares words with a question may be about something else ("save a file", "the goalkeeper saved
# it"): 99.9 % of unrelated sentences lie below this cosine (tests/benchmarks/results/floors.json).
RELATED = 0.3
_SENTENCES = ("speech", "text", "caption")

# Near each other to a model, and never the same: opposites, and roles that face each other.
_CONTRARY = {
    frozenset((stem(one), stem(other)))
    for sides in (
        "husband/wife|mother/father|uncle/aunt|brother/sister|son/daughter|king/queen|man/woman|male/female|"
        "boy/girl|parent/child|teacher/student pupil|boss employer/employee worker|doctor physician/patient|"
        "host/guest|friend ally/enemy foe|plaintiff/defendant|lender creditor/borrower debtor|lend/borrow|"
        "buyer/seller|buy purchase/sell|purchase/sale|profit gain/loss|income/expense|"
        "cheap inexpensive/expensive costly|rich wealthy/poor|win victory/lose defeat loss|winner/loser|"
        "attack offense/defense|war/peace|democrat/republican|catholic/protestant|guilty/innocent|strong/weak|"
        "wet/dry|clean/dirty|safe/dangerous|hard/soft|hard difficult/easy simple|long tall/short|high tall/low|"
        "big large huge/small little tiny|wide broad/narrow|thick/thin|deep/shallow|full/empty|heavy/light|"
        "light bright/dark|loud/quiet|fast quick/slow|early/late|old/new young|near/far|hot warm/cold cool|"
        "happy/sad|love/hate|alive/dead|birth/death|true/false|same/different|positive/negative|"
        "majority/minority|maximum/minimum|maximize/minimize|success/failure|accept/reject|include/exclude|"
        "enable/disable|increase grow rise/decrease reduce shrink fall drop|expand/collapse shrink|up/down|"
        "above over/below under|front/back|inside/outside|indoor/outdoor|horizontal/vertical|open/close shut|"
        "start begin/stop end finish|beginning/end|arrive/depart leave|arrival/departure|push/pull|lock/unlock|"
        "add insert/remove delete subtract|create build/destroy delete|hire/fire|import/export|upload/download|"
        "input/output|read/write|encrypt/decrypt|encode/decode|copy/paste|question/answer reply response|"
        "morning/noon/afternoon/evening/night|day/night|summer/winter/spring/autumn fall|predator/prey"
    ).split("|")
    for side, against in permutations(sides.split("/"), 2)
    for one in side.split()
    for other in against.split()
}
_NEGATIONS = ("un", "in", "im", "il", "ir", "dis", "non", "de", "anti", "mis")


@dataclass(frozen=True)
class Support:
    """How an evidence covers the terms of a question.

    Attributes:
        evidence: The evidence itself.
        literal: Terms that it holds literally.
        alike: Terms that a word of it, or its picture, means.
        context: Evidence beside it that holds further terms.
        topic: Required terms that are named in the context, or further back.
        missing: Required terms that are nowhere near.
        is_related: Whether the evidence as a whole is about the question.
        is_moment: The question asks for whatever is perceived then.
    """

    evidence: Evidence
    literal: tuple[Term, ...] = ()
    alike: tuple[Term, ...] = ()
    context: tuple[Evidence, ...] = ()
    topic: tuple[Term, ...] = ()
    missing: tuple[Term, ...] = ()
    is_related: bool = True
    is_moment: bool = False

    @property
    def holds(self) -> bool:
        """Whether no required term is missing, and the evidence itself holds half of them at least."""
        own = sum(term.required for term in (*self.literal, *self.alike))
        return self.is_moment or (self.is_related and not self.missing and own >= max(1, len(self.topic)))

    @property
    def strength(self) -> float:
        """0 to 1: the share of terms in the evidence itself; those that are only alike count a little less."""
        count = len(self.literal) + len(self.alike) + len(self.topic) + len(self.missing)
        return (len(self.literal) + 0.8 * len(self.alike)) / count if count else float(self.is_moment)


@dataclass(frozen=True)
class _Read:
    """A text as terms are looked for in it.

    Attributes:
        words: Its words in their canonical form.
        common: Its words but for names.
        lower: Its words that are written in lower case.
        by_stem: Its words, and each two in a row written as one, by their stem.
        pieces: Its runs of letters and numbers.
    """

    words: frozenset[str]
    common: frozenset[str]
    lower: frozenset[str]
    by_stem: Mapping[str, frozenset[str]]
    pieces: tuple[str, ...]


def supports(plan: Plan, evidence: Sequence[Evidence], embed: Embed, nearby: Nearby, shows: Shows) -> list[Support]:
    """How each evidence covers the terms of a plan.

    Args:
        plan: What the question is about.
        evidence: What was found.
        embed: Unit vectors of words; None where there is no text encoder.
        nearby: Evidence of the same kind in the same video, within so many seconds.
        shows: Whether a picture shows what a query describes.
    """
    if plan.is_moment:
        return [Support(one, is_moment=True) for one in evidence]
    if not plan.terms:
        return []
    means = _meanings(plan.terms, [one.text for one in evidence], embed)
    return [_support(plan, one, means, nearby, shows) for one in evidence]


def texts_with(terms: Sequence[Term], texts: Sequence[str], embed: Embed | None = None) -> list[str]:
    """Those of many texts that hold a required term: what else there is cannot support an answer.

    Args:
        terms: What an answer must be about.
        texts: What there is; each once.
        embed: Unit vectors of words; None: only forms of the terms themselves count.
    """
    wanted = [term for term in terms if term.required]
    keys = {key for term in wanted for key in _keys(term.text)}
    keys |= {key for one, other in pairwise(terms) for key in _keys(one.text + other.text)}
    means = _meanings(wanted, texts, embed) if embed else {}
    by_meaning = frozenset().union(*means.values())
    return [
        text
        for text in texts
        if not keys.isdisjoint(_keys(text)) or any(stem(word) in by_meaning for word in tokens(text))
    ]


def likeness(word: str, others: Sequence[str], embed: Embed) -> list[float]:
    """How near each of some words is in meaning to one word, as cosines; 0 where there is no text encoder."""
    vectors = embed([_ASKED_AS.format(one) for one in (word, *others)])
    return [0.0] * len(others) if vectors is None else (vectors[1:] @ vectors[0]).tolist()


def mentions(term: Term, words: Sequence[str]) -> list[tuple[int, int]]:
    """Where a term stands literally in a row of words: of each place the first word, and the one after its last."""
    wanted = [canonical(piece) for piece in pieces(term.text)]
    if " " not in term.text:
        keys = _keys(term.text)
        return [
            (number, number + 1)
            for number, word in enumerate(words)
            if not keys.isdisjoint(_keys(word)) and _holds(_read(word), term)
        ]
    spoken = [(number, canonical(piece)) for number, word in enumerate(words) for piece in pieces(word)]
    places: list[tuple[int, int]] = []
    for first in range(len(spoken) - len(wanted) + 1):
        run = spoken[first : first + len(wanted)]
        if [piece for _, piece in run] == wanted and (not places or places[-1][1] <= run[0][0]):
            places.append((run[0][0], run[-1][0] + 1))
    return places


def _keys(text: str) -> set[str]:
    """What a text shares with every term that it holds; cheaper than to look for the term."""
    words = tokens(text)
    spelled = [*words, *(one + other for one, other in pairwise(words))]
    return {stem(canonical(word)) for word in spelled} | {stem(canonical(piece)) for piece in pieces(text)}


def _support(plan: Plan, evidence: Evidence, means: Mapping[str, set[str]], nearby: Nearby, shows: Shows) -> Support:
    literal = _literal(plan.terms, evidence.text)
    left = [term for term in plan.terms if term not in literal]
    if left and evidence.modality == "frame" and shows(plan.query, evidence):
        alike = [term for term in left if not term.exact]
    else:
        alike = [term for term in left if _means(evidence.text, term, means)]
    left = [term for term in left if term.required and term not in alike]
    has_own = any(term.required for term in (*literal, *alike))
    context: list[Evidence] = []
    topic: list[Term] = []
    if left and has_own:
        for other in nearby(evidence, CONTEXT_SECONDS):
            held = _named(left, other.text, means)
            if held:
                context.append(other)
                topic += held
                left = [term for term in left if term not in held]
    if left and has_own and evidence.similarity >= RELATED and not any(term.exact for term in left):
        around = [one for one in nearby(evidence, TOPIC_SECONDS) if one.start <= evidence.start]
        topic += [term for term in left if any(_named([term], other.text, means) for other in around)]
    return Support(
        evidence=evidence,
        literal=tuple(literal),
        alike=tuple(alike),
        context=tuple(context),
        topic=tuple(topic),
        missing=tuple(term for term in left if term not in topic),
        is_related=_is_related(evidence, literal),
    )


def _is_related(evidence: Evidence, literal: Sequence[Term]) -> bool:
    """Whether a sentence is about the question as a whole; two of its terms, or a name, number or code, say so too."""
    if evidence.modality not in _SENTENCES or evidence.similarity == 0 or evidence.similarity >= RELATED:
        return True
    return any(term.exact for term in literal) or sum(term.required for term in literal) > 1


def _named(terms: Sequence[Term], text: str, means: Mapping[str, set[str]]) -> list[Term]:
    literal = _literal(terms, text)
    return [term for term in terms if term in literal or _means(text, term, means)]


def _means(text: str, term: Term, means: Mapping[str, set[str]]) -> bool:
    wanted = means.get(term.text, set())
    return any(stem(word) in wanted for word in _read(text).common) if wanted else False


def _literal(terms: Sequence[Term], text: str) -> list[Term]:
    """The terms that a text holds literally; two in a row may be written as one word: art board, artboard."""
    read = _read(text)
    held = {term for term in terms if _holds(read, term)}
    for one, other in pairwise(terms):
        if not (one.exact or other.exact) and _holds(read, Term(text=one.text + other.text, exact=False)):
            held |= {one, other}
    return [term for term in terms if term in held]


def _holds(read: _Read, term: Term) -> bool:
    if " " in term.text:
        wanted = tuple(canonical(piece) for piece in pieces(term.text))
        ends = range(len(wanted), len(read.pieces) + 1)
        return any(read.pieces[end - len(wanted) : end] == wanted for end in ends)
    if canonical(term.text) in read.words:
        return True
    if term.text in DISTINCT:
        return False
    forms = {word for word in read.by_stem.get(stem(canonical(term.text)), ()) if is_same(term.text, word)}
    # A name has no other form: Williams is not William; but a network is what somebody means by Networks.
    return bool(forms & read.lower if term.exact else forms)


@lru_cache(maxsize=4096)
def _read(text: str) -> _Read:
    words = tokens(text)
    by_stem: dict[str, frozenset[str]] = {}
    for word in {*words, *(one + other for one, other in pairwise(words))}:
        key = stem(canonical(word))
        by_stem[key] = by_stem.get(key, frozenset()) | {word}
    return _Read(
        words=frozenset(map(canonical, words)),
        common=frozenset(words) - names(text),
        lower=frozenset(tokens(" ".join(chunk for chunk in text.split() if chunk.islower()))),
        by_stem=by_stem,
        pieces=tuple(canonical(piece) for piece in pieces(text)),
    )


def _meanings(terms: Sequence[Term], texts: Iterable[str], embed: Embed) -> dict[str, set[str]]:
    """For each term that is not exact, the stems of words in the texts that mean the same to the text encoder."""
    terms = [term for term in terms if not term.exact]
    if not terms:
        return {}
    by_stem: dict[str, str] = {}
    for word in sorted({word for text in texts for word in _read(text).common}, key=lambda w: (len(w), w)):
        if word not in STOP_WORDS and len(word) > 2 and not word[0].isdigit():
            by_stem.setdefault(stem(word), word)
    words = list(by_stem.values())
    vectors = embed([_ASKED_AS.format(word) for word in (*(t.text for t in terms), *words)]) if words else None
    if vectors is None:
        return {}
    cosines = vectors[: len(terms)] @ vectors[len(terms) :].T
    return {
        term.text: {
            stem(words[column])
            for column in np.flatnonzero(row >= ALIKE_WORDS)
            if _may_mean(term.text, words[column], float(row[column]))
        }
        for term, row in zip(terms, cosines, strict=True)
    }


def _may_mean(one: str, other: str, cosine: float) -> bool:
    if frozenset((stem(one), stem(other))) in _CONTRARY:
        return False
    short, long = sorted((one, other), key=len)
    if any(stem(long) == stem(negation + short) for negation in _NEGATIONS):
        return False
    spelled_alike = one[:4] == other[:4] or short in long
    return cosine >= ALIKE_SPELLED_WORDS or stem(one) == stem(other) or not spelled_alike
