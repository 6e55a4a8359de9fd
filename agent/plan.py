"""From a question to a plan, by rules. It knows English, and does not pretend to understand more than it does."""

import re

from ..tools.records import MODALITIES, Modality, Span, parse_clock
from ..tools.words import STOP_WORDS, canonical, sounds_like_code, tokens
from .records import Plan, Term

__all__ = ["make_plan"]

# Words that tell where to look. "What does the slide say" asks for what is written: written comes first.
_WRITTEN = frozenset("written write writes wrote slide slides headline caption captions subtitle label reads".split())
_SHOWN = frozenset("show shows shown showing see seen visible depicted displayed picture pictures photo photos".split())
_SHOWN_PHRASES = re.compile(r"\b(look(s|ed)? like|on (the )?camera|in (the )?(picture|frame|background))\b")
_SAID = frozenset(
    "say says said saying speak speaks spoke spoken speaker talk talks talked talking mention mentions mentioned "
    "tell tells told hear hears heard discuss discusses discussed explain explains explained announce announces "
    "announced narrator lecturer presenter voice quote quotes quoted".split()
)
_ON_SCREEN = re.compile(
    r"\b(text|words?|title|code|number|sign) (is |are )?(on|in) (the |a )?(screen|picture|frame|slide)"
)
_PLACES: tuple[tuple[str, tuple[Modality, ...]], ...] = (
    ("written", ("text",)),
    ("said", ("speech",)),
    ("shown", ("frame", "object", "caption")),
)

# What a question is made of, not what it is about.
_FRAME = (
    _WRITTEN
    | _SHOWN
    | _SAID
    | frozenset(
        "video videos clip film movie footage recording scene scenes moment moments screen image images frame frames "
        "appear appears appeared appearing display displays word words text texts look looks looked like find found "
        "people person someone somebody anyone anybody everyone something anything ask asks asked answer please there "
        "summarise summarize summary overview describe description read state states stated mean means meant call called calls titled".split()
    )
)
# Verbs and nouns that any answer may leave out: "what time does it start" is answered by "Beta: 09:30".
_LIGHT = frozenset(
    "amount begin begins come comes cost costs date day days end ends ended get gets give gives given go goes going gone "
    "got happen happens happened hour hours kind long many much make makes made month name names named number numbers "
    "occur percent percentage place reason second seconds start starts started take takes taken thing things time times "
    "took type types use uses used want wants way week year minute minutes happening contain contains content include "
    "includes about topic subject exactly actually really tell us know known let need needs".split()
)

# Alike to a model, different to a person: never taken for one another.
_DISTINCT = frozenset(
    "monday tuesday wednesday thursday friday saturday sunday january february march april june july august september "
    "october november december black white red green blue yellow orange purple brown pink grey gray silver gold copper "
    "north south east west left right top bottom first last second third increase decrease increased decreased more less "
    "before after yes open closed win lost won lose hot cold old new male female man woman boy girl".split()
)

_QUOTED = re.compile(r"[\"“”«»„]([^\"“”«»„]{2,200})[\"“”«»„]|(?<!\w)'([^']{3,200})'(?!\w)")
_CLOCK = r"(\d{1,3}:\d{2}(?::\d{2})?(?:\.\d+)?)"
_BETWEEN = re.compile(rf"\b(?:between|from)\s+{_CLOCK}\s*(?:and|to|until|till|-|–)\s*{_CLOCK}", re.IGNORECASE)
_AFTER = re.compile(rf"\b(?:after|since|from)\s+{_CLOCK}", re.IGNORECASE)
_BEFORE = re.compile(rf"\b(?:before|until|till|up to)\s+{_CLOCK}", re.IGNORECASE)
_EDGE = re.compile(
    r"\b(?:in|during|within|over|of)\s+(?:the\s+)?(first|last|final|opening|closing)\s+(?:(\w+)\s+)?(second|minute|hour)s?\b",
    re.IGNORECASE,
)
_UNITS = {"second": 1.0, "minute": 60.0, "hour": 3600.0}
_FAR = 1e7  # seconds: past the end of any video


def make_plan(question: str, video_ids: tuple[str, ...] | None = None, between: Span | None = None) -> Plan:
    """What to look for, and where.

    Args:
        question: As a person asks it.
        video_ids: Only these videos; None: all.
        between: Only this stretch of each video; what the question says of time is used if None.
    """
    rest, span, from_end = _time(question)
    phrases = tuple(" ".join((a or b).split()) for a, b in _QUOTED.findall(rest))
    words = set(tokens(rest))
    places = [
        modality
        for place, modalities in _PLACES
        if {
            "written": bool(words & _WRITTEN) or bool(_ON_SCREEN.search(rest.casefold())),
            "said": bool(words & _SAID),
            "shown": bool(words & _SHOWN) or bool(_SHOWN_PHRASES.search(rest.casefold())),
        }[place]
        for modality in modalities
    ]
    if "text" in places:  # "what does the slide say", "what is written on the screen"
        places = ["text"]
    elif "speech" in places:
        places = ["speech"]
    return Plan(
        question=question,
        query=_description(rest) or " ".join(rest.split()),
        terms=_terms(rest, phrases),
        phrases=phrases,
        modalities=tuple(places) or MODALITIES,
        between=between or span,
        from_end=from_end and between is None,
        video_ids=video_ids,
    )


def _time(question: str) -> tuple[str, Span | None, bool]:
    """The question without what it says of time; the span that it names; whether that counts from the end."""
    if found := _BETWEEN.search(question):
        start, end = parse_clock(found[1]), parse_clock(found[2])
        if end > start:
            return _without(question, found), Span(start=start, end=end), False
    if (found := _EDGE.search(question)) and (count := _count(found[2])):
        length = count * _UNITS[found[3].casefold()]
        at_end = found[1].casefold() in ("last", "final", "closing")
        return _without(question, found), Span(start=0, end=length), at_end
    if found := _AFTER.search(question):
        return _without(question, found), Span(start=parse_clock(found[1]), end=_FAR), False
    if (found := _BEFORE.search(question)) and parse_clock(found[1]) > 0:
        return _without(question, found), Span(start=0, end=parse_clock(found[1])), False
    return question, None, False


def _without(question: str, found: re.Match[str]) -> str:
    return question[: found.start()] + " " + question[found.end() :]


def _count(word: str | None) -> float:
    """A number in figures or words; no word is one ("the last minute"); 0 where it is none."""
    if word is None:
        return 1.0
    number = canonical(word.casefold())
    return float(number) if number.isdigit() else {"few": 3.0, "couple": 2.0}.get(word.casefold(), 0.0)


def _description(question: str) -> str:
    """The question without what makes it one: "What does she say about the red car?" → "the red car"."""
    kept = [chunk.strip('?!.,;:"“”«»()[]') for chunk in question.split()]
    kept = [chunk for chunk in kept if chunk]
    telling = [number for number, chunk in enumerate(kept) if _tells(chunk)]
    if not telling:
        return ""
    first, last = telling[0], telling[-1]
    between = [chunk for chunk in kept[first : last + 1] if not set(tokens(chunk)) <= _FRAME]
    return " ".join(between)


def _tells(chunk: str) -> bool:
    words = tokens(chunk)
    return bool(words) and not set(words) <= (STOP_WORDS | _FRAME)


def _terms(question: str, phrases: tuple[str, ...]) -> tuple[Term, ...]:
    """What an answer must be about: phrases, codes, names, numbers, and the content words left over."""
    terms: dict[str, Term] = {}
    rest = question
    for phrase in phrases:
        spelled = " ".join(tokens(phrase))
        if spelled:
            terms[spelled] = Term(text=spelled, exact=True)
        rest = rest.replace(phrase, " ")
    chunks = re.findall(r"\w[\w\-./:@#&+'’]*", rest)
    titled = sum(chunk[0].isupper() for chunk in chunks) > len(chunks) / 2  # Every Word Is Capitalised
    for number, chunk in enumerate(chunks):
        words = tokens(chunk)
        if sounds_like_code(chunk) and len(words) > 1:
            terms[" ".join(words)] = Term(text=" ".join(words), exact=True)
            continue
        named = chunk[0].isupper() and number > 0 and not titled
        for word in words:
            if word in STOP_WORDS or word in _FRAME or (word in _LIGHT and not named):
                continue
            if len(word) < 2 and not word.isdigit():
                continue
            exact = named or word in _DISTINCT or any(c.isdigit() for c in canonical(word))
            terms.setdefault(word, Term(text=word, exact=exact))
    return tuple(terms.values())
