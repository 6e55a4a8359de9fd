"""From a question to a plan, by rules. It knows English, and does not pretend to understand more than it does."""

import re

from ..tools.records import MODALITIES, Modality, Span, parse_clock
from ..tools.words import STOP_WORDS, canonical, names, pieces, sounds_like_code, tokens
from .records import Plan, Term

__all__ = ["make_plan"]

# What follows is no longer a question; no evidence holds more terms, and each costs time.
MOST_CHARACTERS = 4000
MOST_TERMS = 64

_PICTURES = "pictures?|photos?|photographs?|images?|frames?|footage"
_WRITINGS = "slides?|headlines?|captions?|subtitles?|labels?|signs?|titles?|posters?|banners?|whiteboards?|blackboards?"

# What tells where to look: "What does the slide say?" asks for what is written, though it has "say" in it.
_WRITTEN = re.compile(
    rf"\bwritten\b(?! by\b)|\b(?:which|what) slides?\b"
    rf"|\b(?:{_WRITINGS})(?: [\w'-]+){{0,4}}? (?:says?|said|reads?|shows?|lists?|states?|tells?|mentions?|contains?)\b"
    rf"|\b(?:on|in) (?:the |an? |this |that |any |which |what )?(?:[\w-]+ )?(?:{_WRITINGS})\b"
    rf"|\b(?:text|words?|code|numbers?|letters?)(?: is| are)? (?:on|in) (?:the |an? )?(?:screen|{_PICTURES})\b"
)
# An order to us is none of these: "Tell me …", "Explain …".
_SAID = re.compile(
    r"(?<=\W)(?:say|says|said|saying|speaks?|spoke|spoken|speaking|talk(?:s|ed|ing)? (?:about|of|to|with)"
    r"|mention(?:s|ed)?|tells?(?! me\b| us\b)|told|hear|hears|heard|discuss(?:es|ed)?|explain(?:s|ed)?|announce[sd]?"
    r"|according to|(?<!who is the )(?:speaker|narrator|lecturer|presenter))\b"
)
_SHOWN = re.compile(
    rf"(?<=\W)(?:shows?(?! me\b| us\b)|shown|showing|seen|visible|depict(?:s|ed)|displayed|looks? like"
    rf"|on (?:the )?camera|(?:you|we) (?:can )?see|in the (?:{_PICTURES}|background|foreground)|(?:{_PICTURES}) of)\b"
)
# What the asker wants to do is no place to look: "How do I show the rulers?", "What do I do to add a title?".
_DOING = re.compile(
    r"\bhow (?:to|do|can|could|should|would|must)\b"
    r"|\b(?:do|can|could|should|must|may|would|will|if|when|after|before) i\b"
)
# Where something is in a video; no part of what it is.
_INSIDE = re.compile(
    rf"\b(?:in|on|of|during|from|throughout|at) (?:the|this|these|that|those|any|which|what|each) (?:whole |entire )?"
    rf"(?:videos?|clips?|films?|movies?|recordings?|screens?|scenes?|talks?|lectures?|presentations?|{_PICTURES}"
    rf"|{_WRITINGS})\b",
    re.IGNORECASE,
)
_ONCE = re.compile(r"\b(?:after|before|if|once|when) (?:i|you|we)\b", re.IGNORECASE)

# What a question is made of, not what it is about.
_ASKING = frozenset(
    "say says said saying speak speaks spoke spoken speaking talk talks talked talking mention mentions mentioned "
    "tell tells told hear hears heard discuss discusses discussed explain explains explained announce announces "
    "announced speaker narrator lecturer presenter show shows shown showing see seen visible depicted displayed "
    "displays look looks looked like appear appears appeared appearing written reads find found describe summarise "
    "summarize summary overview video videos clip clips footage recording recordings moment moments someone somebody "
    "anyone anybody everyone something anything happen happens happened happening many much ask asks asked answer "
    "answers please mean means meant call called calls titled stated states let us me".split()
)
_SURFACES = re.compile(rf"(?:{_PICTURES}|{_WRITINGS}|screens?|words?|texts?|background|foreground)\Z")
# Words that an answer may leave out: "What time does it start?" is answered by "Beta: 09:30".
_LIGHT = frozenset(
    "able above access across actually again against allow allows along already among amount another around available "
    "begin begins behind below benefit beside besides best better between beyond certain come comes contain contains "
    "content cost costs date day days despite different during employ enable end ended ends even exactly except exist "
    "exists film films get gets give given gives go goes going gone good got great help helps hour hours include "
    "includes inside kind know known later located long made make makes method minute minutes month movie movies name "
    "named names near need needed needs now number numbers occur ok okay one outside part particular parts people per "
    "percent percentage perform person place placed possible purpose put really reason regarding rest scene scenes "
    "seconds set since specific start started starts step steps still subject sure take taken takes thing things time "
    "times took topic toward towards type types usage use used uses using utilise utilize various versus via vs want "
    "wants way ways week weeks work works year years".split()
)
# Alike to a model, different to a person: nothing alike stands for them.
_DISTINCT = frozenset(
    "monday tuesday wednesday thursday friday saturday sunday january february march april june july august september "
    "october november december black white red green blue yellow orange purple brown pink grey gray silver gold "
    "copper north south east west left right top bottom first second third last before after more less".split()
)

_ENUMERATOR = re.compile(r"\A\s*\(?\d{1,3}[.)]\s*(?=[^\W\d])")  # "3. What is …": a list was pasted
_CHUNK = re.compile(r"\w[\w\-./:@#&+'’]*")
_COUNTED = re.compile(r"\d+(?:st|nd|rd|th|s)?(?:-[a-z]+)*")  # "2nd", "1990s", "12-year-old" are no codes
_QUOTED = re.compile(r"[\"“”«»„]([^\"“”«»„]{2,200})[\"“”«»„]|(?<!\w)'([^']{3,200})'(?!\w)")

_CLOCK = r"(\d{1,3}:\d{2}(?::\d{2})?(?:\.\d{1,3})?)(?![\w:])"
_TIME = rf"(?:{_CLOCK}|minute +(\d{{1,4}})\b)"
_BETWEEN = re.compile(rf"\b(?:between|from) +{_CLOCK} *(?:and|to|until|till|-|–) *{_CLOCK}", re.IGNORECASE)
_MINUTES = re.compile(
    r"\b(?:between|from) +minutes? +(\d{1,4}) *(?:and|to|until|till|-|–) *(?:minute +)?(\d{1,4})\b", re.IGNORECASE
)
_AFTER = re.compile(rf"\b(?:after|since|from) +{_TIME}", re.IGNORECASE)
_BEFORE = re.compile(rf"\b(?:before|until|till|up to) +{_TIME}", re.IGNORECASE)
_AT = re.compile(rf"\b(?:at|around|in) +{_TIME}", re.IGNORECASE)
_EDGE = re.compile(
    r"\b(in|during|within|over|of|after) +(?:the +)?(first|last|final|opening|closing) +((?:[\w.\-]+ +){0,4}?)"
    r"(second|sec|minute|min|hour)s?\b",
    re.IGNORECASE,
)
_UNITS = {"second": 1.0, "sec": 1.0, "minute": 60.0, "min": 60.0, "hour": 3600.0}
_PARTS = {"half": 0.5, "quarter": 0.25, "few": 3.0, "couple": 2.0, "several": 3.0}
_FAR = 1e7  # seconds: past the end of any video


def make_plan(question: str, video_ids: tuple[str, ...] | None = None, between: Span | None = None) -> Plan:
    """What to look for, and where.

    Args:
        question: As a person asks it; only the first 4000 characters are read.
        video_ids: Only these videos; None: all.
        between: Only this stretch of each video; what the question says of time is used if None.
    """
    rest, span, from_end = _time(_ENUMERATOR.sub("", question[:MOST_CHARACTERS]))
    places = _places(rest)
    terms = _terms(rest, places)
    is_moment = False
    if not (span or between) and (found := _AT.search(rest)):
        others = _terms(_without(rest, found), places)
        if not any(term.required for term in others):  # else it asks about the time: "Which train leaves at 9:30?"
            start = _seconds(found)
            rest, span, terms, is_moment = _without(rest, found), Span(start=start, end=start + 1), (), True
    if not any(term.required for term in terms):
        terms = tuple(term.model_copy(update={"required": True}) for term in terms)
    return Plan(
        question=question,
        query=_description(rest) or " ".join(rest.split()) or question,
        terms=terms,
        phrases=tuple(dict.fromkeys(phrase for about, phrase in _phrases(rest) if not about)),
        modalities=places or MODALITIES,
        between=between or span,
        from_end=from_end and between is None,
        is_moment=is_moment,
        video_ids=video_ids,
    )


def _time(question: str) -> tuple[str, Span | None, bool]:
    """The question without what it says of time; the span that it names; whether that counts from the end."""
    if found := _BETWEEN.search(question) or _MINUTES.search(question):
        start, end = (parse_clock(edge) if ":" in edge else 60.0 * float(edge) for edge in found.groups())
        if start != end:
            return _without(question, found), Span(start=min(start, end), end=max(start, end)), False
    if (found := _EDGE.search(question)) and (count := _count(found[3])):
        length = min(_FAR / 2, count * _UNITS[found[4].casefold()])
        at_end = found[2].casefold() in ("last", "final", "closing")
        if found[1].casefold() != "after":
            return _without(question, found), Span(start=0, end=length), at_end
        if not at_end:
            return _without(question, found), Span(start=length, end=_FAR), False
    if found := _AFTER.search(question):
        return _without(question, found), Span(start=_seconds(found), end=_FAR), False
    if (found := _BEFORE.search(question)) and _seconds(found) > 0:
        return _without(question, found), Span(start=0, end=_seconds(found)), False
    return question, None, False


def _seconds(found: re.Match[str]) -> float:
    """The time that `_TIME` found."""
    clock, minute = found.groups()
    return parse_clock(clock) if clock else 60.0 * float(minute)


def _without(question: str, found: re.Match[str]) -> str:
    return question[: found.start()] + " " + question[found.end() :]


def _count(text: str) -> float:
    """A number in figures or words: "ten", "2.5", "half an"; without any it is one ("the last minute"); 0 is none."""
    total = 0.0
    words = [word for word in tokens(text) if word not in ("a", "an", "and", "of")]
    for word in words:
        number = canonical(word)
        if re.fullmatch(r"[0-9]{1,9}(?:\.[0-9]+)?", number):
            total += float(number)
        elif word in _PARTS:
            total += _PARTS[word]
        else:
            return 0.0
    return total if words else 1.0


def _places(question: str) -> tuple[Modality, ...]:
    """Where an answer must come from; empty: anywhere."""
    text = question.casefold()
    if _DOING.search(text):
        return ()
    is_written = bool(_WRITTEN.search(text))
    text = _WRITTEN.sub(" ", text)
    places: list[Modality] = []
    if is_written:
        places += ["text"]
    if _SAID.search(text):
        places += ["speech"]
    if _SHOWN.search(text) and not places:
        places += ["frame", "object", "caption"]
    return tuple(places)


def _description(question: str) -> str:
    """The question without what makes it one: "What does she say about the red car?" → "the red car"."""
    kept = [chunk.strip('?!.,;:"“”«»()[]') for chunk in question.split()]
    kept = [chunk for chunk in kept if chunk]
    telling = [number for number, chunk in enumerate(kept) if _tells(chunk)]
    if not telling:
        return ""
    inside = [chunk for chunk in kept[telling[0] : telling[-1] + 1] if not set(tokens(chunk)) <= _ASKING]
    return " ".join(inside[:MOST_TERMS])


def _tells(chunk: str) -> bool:
    words = tokens(chunk)
    return bool(words) and not set(words) <= (STOP_WORDS | _ASKING)


def _phrases(question: str) -> list[tuple[bool, str]]:
    """The quoted phrases; each with whether something is asked about it, not where it occurs."""
    return [
        (question[: found.start()].casefold().rstrip().endswith(" about"), " ".join((found[1] or found[2]).split()))
        for found in _QUOTED.finditer(question)
    ]


def _terms(question: str, places: tuple[Modality, ...]) -> tuple[Term, ...]:
    """What an answer must be about: phrases, codes, names, numbers, and the content words left over."""
    terms: dict[str, Term] = {}
    rest = _QUOTED.sub(" ", question)
    exact = [" ".join(tokens(phrase)) for _, phrase in _phrases(question)]
    exact += [" ".join(pieces(chunk)) for chunk in _CHUNK.findall(rest) if _is_code(chunk)]
    for spelled in filter(None, exact):
        terms[spelled] = Term(text=spelled, exact=True)
    rest = _CHUNK.sub(lambda found: " " if _is_code(found[0]) else found[0], rest)
    named = names(rest)
    rest = (_ONCE if _DOING.search(rest.casefold()) else _INSIDE).sub(" ", rest)
    for word in tokens(rest):
        is_name = word in named
        if word in STOP_WORDS or (len(word) < 2 and not is_name and not word.isdigit()):
            continue
        if not is_name and (word in _ASKING or (places and "speech" not in places and _SURFACES.match(word))):
            continue
        is_exact = is_name or word in _DISTINCT or (any(c.isdigit() for c in canonical(word)) and word != "one")
        terms.setdefault(word, Term(text=word, exact=is_exact, required=is_exact or word not in _LIGHT))
    return tuple(terms.values())[:MOST_TERMS]


def _is_code(chunk: str) -> bool:
    return sounds_like_code(chunk) and len(pieces(chunk)) > 1 and not _COUNTED.fullmatch(chunk)
