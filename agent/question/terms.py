"""Parses the words of a question by rules: modalities, the terms of an answer, and a description to search for."""

import re
from collections.abc import Set

from ...tools.extractors.registry import asked_as, modality_names
from ...tools.records import Modality
from ...tools.words import MONTHS, ORDINALS, STOP_WORDS, WEEKDAYS, canonical, names, pieces, sounds_like_code, tokens
from ..records import Subject, Term
from .alternatives import COMMA, STOP, with_alternatives

__all__ = [
    "MOST_TERMS",
    "asks_how_to",
    "description_of",
    "expanded",
    "phrases_of",
    "places_of",
    "subject_of",
    "terms_of",
    "without_request",
]

# More terms match no evidence, and each costs time.
MOST_TERMS = 64

_PICTURES = "pictures?|photos?|photographs?|images?|frames?|footage|shots?|views?|close-ups?"
_WRITINGS = "slides?|headlines?|captions?|subtitles?|labels?|signs?|titles?|posters?|banners?|whiteboards?|blackboards?"

# Phrases that name a modality. "What does the slide say?" asks for written text, although it contains "say".
_WRITTEN = re.compile(
    rf"\bwritten\b(?! by\b)|\b(?:which|what) (?:slides?|text)\b"
    rf"|\b(?:{_WRITINGS})(?: [\w'-]+){{0,4}}? (?:says?|said|reads?|shows?|lists?|states?|tells?|mentions?|contains?|gives?|gave|names?|announces?)\b"
    rf"|\baccording to (?:the |an? |this |that )?(?:[\w-]+ )?(?:{_WRITINGS})\b"
    rf"|\b(?:on|in) (?:the |an? |this |that |any |which |what )?(?:[\w-]+ )?(?:{_WRITINGS})\b"
    rf"|\b(?:text|{_WRITINGS}) (?:is |are |was |were )?(?:shown|visible|seen|displayed|appears?)\b"
    r"|\bcan (?:be|you|we|one|i) read\b|\A\W*(?:the |any |all )?(?:text|writing)\W*\Z"
    rf"|\b(?:text|words?|code|numbers?|letters?)(?: is| are)? (?:on|in) (?:the |an? )?(?:screen|{_PICTURES})\b"
)
_WRITING_ABOUT = re.compile(
    rf"\b(?:{_WRITINGS}) (?:about|on|with|titled|called|of|for|that|which|listing|showing)\b|\b(?:{_WRITINGS})\Z",
    re.IGNORECASE,
)
# A slide that is asked for as a whole: "the slide with the budget", "Where is the budget slide?".
_SLIDE_WITH = re.compile(
    r"\A\W*(?:(?:where|when|which|what) (?:is|are|was|were) )?(?:the |an? |any |all |every |that |this )?"
    r"(?:(?:[\w'-]+ ){0,2}?slides? (?:about|on|with|titled|called|for|of|that|which|where|listing|showing)\b"
    rf"|(?!(?:{'|'.join(ORDINALS)}|last|next|previous)\b)(?:[\w'-]+ ){{1,3}}?slides?\W*\Z)"
)
# Requests to the program are excluded: "Tell me …", "Explain …".
_SAID = re.compile(
    r"(?<=\W)(?:say|says|said|saying|speaks?|spoke|spoken|speaking|talk(?:s|ed|ing)? (?:about|of|to|with)"
    r"|mention(?:s|ed)?|tells?(?! me\b| us\b)|told|discuss(?:es|ed)?|explain(?:s|ed)?|announce[sd]?"
    r"|according to|(?<!who is the )(?:speaker|narrator|lecturer|presenter))\b"
)
_AUDIBLE = re.compile(r"(?<=\W)(?:hears?|heard|hearing)\b")
_SHOWN = re.compile(
    rf"(?<=\W)(?:(?:videos?|clips?|films?|movies?|recordings?|cameras?|{_PICTURES}) shows?|(?:videos?|clips?|films?|{_PICTURES}) show|shown|showing|seen|visible|depict(?:s|ed)|displayed|looks? like"
    rf"|on (?:the )?camera|(?:you|we) (?:can )?see|in the (?:{_PICTURES}|background|foreground)|(?:{_PICTURES}) of)\b"
)
# "What does it say about the certificate?", "Which video mentions it?": it is said or written.
_IT_SAYS = re.compile(
    r"(?<!in the )(?<!in this )\b(?:it|(?:video|clip|film|movie|recording|talk|lecture|presentation)s?) (?:also |really |ever )?(?:says?|said|mentions?|mentioned)\b"
)
# "What is on the screen?" asks for writing and pictures alike.
_ON_SCREEN = re.compile(
    r"\bwhat(?:'s|’s| is| was| are| were| appears?| stands?| (?:do|can|did) (?:you|we|i) see| can be seen) on (?:the )?screen\b"
)
# An action of the user names no modality: "How do I show the rulers?", "What do I do to add a title?".
_DOING = re.compile(
    r"\bhow (?:to|do|can|could|should|would|must)\b"
    r"|\b(?:do|can|could|should|must|may|would|will|if|when|after|before) i\b"
)
# Phrases for the position in a video; not part of the description.
_ACCORDING = re.compile(rf",? *\baccording to (?:the |an? |this |that )?(?:[\w-]+ )?(?:{_WRITINGS})\b", re.IGNORECASE)
_DEPICTED = re.compile(rf"\b(?:{_PICTURES}) of (?=\w)", re.IGNORECASE)
_INSIDE = re.compile(
    rf"\b(?:in|on|of|during|from|throughout|at) (?:the|this|these|that|those|any|which|what|each) (?:whole |entire )?"
    rf"(?:videos?|clips?|films?|movies?|recordings?|screens?|scenes?|talks?|lectures?|presentations?|{_PICTURES}"
    rf"|{_WRITINGS})\b",
    re.IGNORECASE,
)
_ONCE = re.compile(r"\b(?:after|before|if|once|when) (?:i|you|we)\b", re.IGNORECASE)

# Function words of questions, not topics.
_ASKING = frozenset(
    "say says said saying speak speaks spoke spoken speaking talk talks talked talking mention mentions mentioned "
    "tell tells told according hear hears heard discuss discusses discussed explain explains explained speaker narrator "
    "lecturer presenter show shows shown showing see seen visible depicted displayed displays look looks looked like "
    "appear appears appeared appearing written reads find describe quote quotes summarise summarize summary overview video videos "
    "clip clips footage recording recordings moment moments someone somebody anyone anybody everyone something "
    "anything happen happens happened happening many much please mean means meant titled stated states let us me".split()
)
# Those that may be the topic of a question without another topic.
_CONTENT = frozenset("recording lecturer narrator presenter speaker hear titled overview".split())
_SURFACES = re.compile(rf"(?:{_PICTURES}|{_WRITINGS}|screens?|words?|texts?|writing|read|background|foreground)\Z")
# Sources of text, which need not contain their own name: "What does the schedule say about …?"
_SOURCE = re.compile(
    r"\b(schedule|agenda|table|chart|graph|diagram|document|report|page|list|menu|map|letter|article|paper|programme?|"
    r"board|display|notes?|email|message|book|manual|form|contract|code)s? (?:says?|said|reads?|shows?|lists?|states?|"
    r"tells?|mentions?|contains?|means?|stands? for|looks? like)\b"
)
# Words that an answer may omit: "What time does it start?" is answered by "Beta: 09:30".
_LIGHT = frozenset(
    "able above access across actually again against allow allows along already among amount announce announced "
    "announces another answer answers around ask asked asks available begin begins behind below benefit beside "
    "besides best better between beyond call called calls certain come comes contain contains content cost costs date "
    "code codes day days despite different during employ enable end ended ends even exactly except exist exists film films found "
    "get gets give given gives go goes going gone good got great help helps hour hours include includes inside kind "
    "know known later located long made make makes method minute minutes month movie movies name named names near "
    "need needed needs now number numbers occur ok okay one outside part particular parts people per percent "
    "percentage perform person place placed possible purpose put really reason regarding rest scene scenes seconds "
    "set since specific start started starts step steps still subject sure take taken takes thing things time times "
    "took topic toward towards type types usage use used uses using utilise utilize various versus via vs want wants "
    "way ways week weeks work works year years".split()
)
# Names, also in lower case; "May", which is also a verb, has its own rule.
_CALENDAR = {*WEEKDAYS, *MONTHS} - {"may"}
# Request phrases before the question: "Can you give me the quote about …", "show me where …".
_REQUEST = re.compile(
    r"\A(?:(?:please|hey|hi|hello|ok(?:ay)?|so|well)\b,? *"
    r"|(?:can|could|would|will) (?:you|u|we)(?: please)? (?=(?:give|show|find|tell|get|play|quote|search|look)\b)"
    r"|(?:do you know|i(?:'d| would)? (?:want|like|need|love) to (?:know|see|hear|find|learn)(?: out)?) *"
    r"|i(?:'m| am) (?:looking|searching) for *"
    r"|(?:give|show|find|tell|get|play)(?: (?:me|us))(?! about\b) *(?!\Z)"
    r"|(?:find|search for|look for|go to|jump to|take me to) *(?!\Z)"
    r"|(?:the |a |an |any |all |every )?(?:exact )?(?:quotes?|parts?|places?|moments?|bits?|clips?|passages?)"
    r" (?:about|of|where|when|in which|that|on|with|for) *(?=\S))",
    re.IGNORECASE,
)
# "Which two extensions …?" asks for two things; an answer need not contain the word "two".
_ASKED_COUNT = re.compile(
    r"\b(?:which|what|the|these|those|his|her|their|its|our|give|list|name|in)(?: \w+)? "
    r"(two|three|four|five|six|seven|eight|nine|ten)\b(?! (?:hundred|thousand|million|billion|percent|per|o'clock)\b)",
    re.IGNORECASE,
)

_CHUNK = re.compile(r"\w[\w\-./:@#&+'’]*")
_CONTRACTED = re.compile(r"\b(what|who|where|when|why|how)['’]s\b", re.IGNORECASE)
_COUNTED = re.compile(r"\d+(?:st|nd|rd|th|s)?(?:-[a-z]+)*")  # "2nd", "1990s", "12-year-old" are not codes
_THE_WORD = re.compile(r"\b(?:words?|phrase|term|expression|sentence|name|text)s?\s+(?=[\"“”«»„'])", re.IGNORECASE)
# The month, not the verb: with a capital letter, next to a day or a preposition of a month.
_MAY = re.compile(
    r"\b(?:\d{1,2}(?:st|nd|rd|th)?(?: of)?|[Ii]n|since|until|by|last|next|this|early|late|of|on|for|during|before|after) May\b"
    r"|\bMay \d|\A\W*May\W*\Z"
)
_QUOTED = re.compile(r"[\"“”«»„]([^\"“”«»„]{2,200})[\"“”«»„]|(?<!\w)'([^']{3,200})'(?!\w)")
_PIECE = re.compile(rf"{_QUOTED.pattern}|(?P<chunk>{_CHUNK.pattern})|[^\w\s]")


def asks_how_to(question: str) -> bool:
    """Whether the question asks for instructions: "How do I show the rulers?"."""
    return bool(_DOING.search(question.casefold()))


def expanded(question: str) -> str:
    """Write contracted question words in full: "what's it about" → "what is it about"."""
    return _CONTRACTED.sub(r"\1 is", question)


def without_request(question: str) -> str:
    """Remove request words from the start: "give me the quote about trains" → "trains"."""
    rest = question
    while found := _REQUEST.match(rest):
        rest = rest[found.end() :]
    return rest if tokens(rest) else question


def names_something(text: str) -> bool:
    """Whether a question or a part of one names something to search for."""
    return any(term.required for term in terms_of(text, places_of(f" {text}")))


def places_of(question: str) -> tuple[Modality, ...]:
    """Return the modalities that an answer must come from; empty: any."""
    text = question.casefold()
    if asks_how_to(question):
        return ()
    is_written = bool(_WRITTEN.search(text) or _SLIDE_WITH.match(text))
    text = _SOURCE.sub(" ", _WRITTEN.sub(" ", text))
    places: list[Modality] = []
    if is_written:
        places += asked_as("written")
    if _IT_SAYS.search(text):
        places = places or [*asked_as("said"), *asked_as("written")]
    elif _SAID.search(text):
        places += asked_as("said")
    elif _AUDIBLE.search(text):
        places += [*asked_as("said"), *asked_as("heard")]
    if _ON_SCREEN.search(text) and not places:
        places += [*asked_as("written"), *asked_as("shown")]
    elif _SHOWN.search(text) and not places:
        places += asked_as("shown")
    return tuple(places)


def description_of(question: str) -> str:
    """Turn a question into a description: "What does she say about the red car?" → "the red car"."""
    question = _ACCORDING.sub(" ", question)
    if found := _DEPICTED.search(question):
        question = question[found.end() :]
    kept = [chunk.strip('?!.,;:"“”«»()[]') for chunk in question.split()]
    kept = [chunk for chunk in kept if chunk]
    naming = [number for number, chunk in enumerate(kept) if _names(chunk)]
    # "In which part is there a red car?": light words at both ends of the description are removed, inside they stay.
    heavy = [number for number in naming if not set(tokens(kept[number])) <= _LIGHT] or naming
    if not heavy:
        return ""
    inside = [chunk for chunk in kept[heavy[0] : heavy[-1] + 1] if not set(tokens(chunk)) <= _ASKING]
    return " ".join(inside[:MOST_TERMS])


def _names(chunk: str) -> bool:
    words = tokens(chunk)
    return bool(words) and not set(words) <= (STOP_WORDS | _ASKING)


def phrases_of(question: str) -> list[tuple[bool, str]]:
    """Return the quoted phrases, each with whether the question is about it, not about its position."""
    return [
        (question[: found.start()].casefold().rstrip().endswith(" about"), " ".join((found[1] or found[2]).split()))
        for found in _QUOTED.finditer(question)
    ]


def terms_of(question: str, places: tuple[Modality, ...], named: Set[str] | None = None) -> tuple[Term, ...]:
    """Return the terms of an answer: phrases, codes, names, numbers, and the other content words.

    Args:
        question: The question, or a part of it.
        places: The modalities that the question names.
        named: The words that are names; None: derived from the text.
    """
    terms: dict[str, Term] = {}
    rest = _QUOTED.sub(" ", _THE_WORD.sub(" ", question))
    exact = [" ".join(tokens(phrase)) for _, phrase in phrases_of(question)]
    exact += [" ".join(pieces(chunk)) for chunk in _CHUNK.findall(rest) if _is_code(chunk)]
    for spelled in filter(None, exact):
        terms[spelled] = Term(text=spelled, exact=True)
    rest = _CHUNK.sub(lambda found: " " if _is_code(found[0]) else found[0], rest)
    named = names(rest) if named is None else named
    rest = (_ONCE if asks_how_to(rest) else _INSIDE).sub(" ", rest)
    counted = {found.casefold() for found in _ASKED_COUNT.findall(rest)}
    sources, has_may = set(_SOURCE.findall(rest.casefold())), bool(_MAY.search(rest))
    for word in tokens(rest):
        is_month = has_may and word == "may"
        is_name = word in named or is_month
        if (word in STOP_WORDS and not is_month) or (len(word) < 2 and not is_name and not word.isdigit()):
            continue
        if not is_name and (word in _ASKING or (places and "speech" not in places and _SURFACES.match(word))):
            continue
        is_number = any(c.isdigit() for c in canonical(word)) and word not in {*ORDINALS, *counted, "one"}
        is_exact = is_name or word in _CALENDAR or is_number
        is_light = word in _LIGHT or word in sources
        terms.setdefault(word, Term(text=word, exact=is_exact, required=is_exact or not is_light))
    terms = with_alternatives(terms, _sequence(question))
    found = tuple(terms.values())[:MOST_TERMS]
    if not found and not places:  # "What is he recording?" has no other topic than "recording"
        found = tuple(Term(text=word, exact=False) for word in dict.fromkeys(tokens(rest)) if word in _CONTENT)
    if any(term.required for term in found):
        return found
    return tuple(term.model_copy(update={"required": True}) for term in found)


def _sequence(question: str) -> list[str]:
    """Return the texts of phrases and codes, the other words, and the punctuation of a question, in their order."""
    found: list[str] = []
    for piece in _PIECE.finditer(question):
        chunk = piece["chunk"]
        if chunk is None:
            phrase = next(filter(None, piece.groups()), "")
            found.append(" ".join(tokens(phrase)) if phrase else COMMA if piece[0] == COMMA else STOP)
        elif _is_code(chunk):
            found.append(" ".join(pieces(chunk)))
        else:
            found += [*tokens(chunk), *([STOP] if chunk[-1] in ".:" else [])]
    return found


def subject_of(text: str, question: str, otherwise: tuple[Modality, ...] = ()) -> Subject:
    """Return the thing or event that a part of a question names.

    Args:
        text: The part.
        question: The whole question, which shows the names.
        otherwise: Modalities if the part names none; empty: all.
    """
    where = ("text",) if _WRITING_ABOUT.search(text) else places_of(f" {text}")
    return Subject(
        query=description_of(text) or " ".join(text.split()),
        terms=terms_of(text, where, names(question)) or terms_of(text, where),
        modalities=where or otherwise or modality_names(),
    )


def _is_code(chunk: str) -> bool:
    return sounds_like_code(chunk) and len(pieces(chunk)) > 1 and not _COUNTED.fullmatch(chunk)
