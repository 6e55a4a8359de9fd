"""Classifies a question by rules: a moment, a number, an order, a comparison or a summary; and splits it into parts.

The rules recognise common phrasings; every other question is a needle and is searched as a whole.
"""

import re
from dataclasses import dataclass, replace
from typing import Literal

from ...tools.words import ORDINAL_FIGURES, ORDINALS
from ..records import Kind, Relation
from .terms import asks_how_to, expanded, names_something, places_of, terms_of

__all__ = ["ASKS", "Shape", "nth_of", "options_of", "shape_of"]

_ORDINALS = {word: number for words in (ORDINALS, ORDINAL_FIGURES) for number, word in enumerate(words, 1)} | {
    "last": -1,
    "final": -1,
}
_ORDINAL = "|".join(_ORDINALS)


@dataclass(frozen=True)
class Shape:
    """A question split into parts.

    Attributes:
        kind: Form of the answer.
        rest: The remaining text to search for.
        subjects: Things to count, compare or order, as written.
        ordinal: Number of the occurrence: 1 the first, -1 the last.
        relation: Relation in time to `event`: after, before or during.
        event: The event, as written.
        event_ordinal: Number of the event's occurrence.
        place: Position of `thing` in the picture, or relative to `other`.
        thing: The thing with this position, as written; empty: any thing.
        other: The reference of the position; empty: the picture.
    """

    kind: Kind
    rest: str
    subjects: tuple[str, ...] = ()
    ordinal: int | None = None
    relation: Literal["after", "before", "during"] | None = None
    event: str = ""
    event_ordinal: int | None = None
    place: Relation | None = None
    thing: str = ""
    other: str = ""


# A whole sentence, and not only a name for something: "And what does she say about trains?"
ASKS = re.compile(
    r"\A(?:what|when|where|who|whom|whose|which|why|how|is|are|was|were|do|does|did|can|could|will|would|should|has|have"
    r"|had|tell|show|find|list|describe|explain|summari[sz]e)\b",
    re.IGNORECASE,
)
_LABELLED = re.compile(r"(?:\A|(?<=[\s,;]))[(\[]?([A-Za-z]|[1-9])[).:\]]\s+")
_MOST_OPTIONS = 10
# What separates the last option from a question after it: "A) Anna B) Ben: who leads the team?".
_QUESTION_AFTER = re.compile(r"(?:[:.;?!,]|\s[-–—])\s+|\n+")


def options_of(question: str) -> tuple[str, tuple[str, ...]]:
    """Split off the answer options: labelled `A) …`, `(b) …` or `1. …`, in order from the first label.

    They follow the question, or stand before it: then it begins with a question word or ends with a question mark.
    """
    marks = list(_LABELLED.finditer(question))
    for number, mark in enumerate(marks):
        if mark[1].upper() not in ("A", "1"):
            continue
        first, run = ord(mark[1]), [mark]
        for other in marks[number + 1 :]:
            if ord(other[1]) == first + len(run):
                run.append(other)
        if not 2 <= len(run) <= _MOST_OPTIONS:
            continue
        ends = [other.start() for other in run[1:]] + [len(question)]
        options = tuple(question[one.end() : end].strip(" \t\r\n,;") for one, end in zip(run, ends, strict=True))
        asked = question[: mark.start()].rstrip(" \t\r\n([,;")
        if not asked.strip():
            asked, last = _question_after(question[run[-1].end() :])
            options = (*options[:-1], last)
        if asked and all(options):
            return asked, options
    return question, ()


def _question_after(text: str) -> tuple[str, str]:
    """Return the question that follows the last option, and that option. The question is empty if none follows."""
    for edge in reversed(list(_QUESTION_AFTER.finditer(text))):
        asked = text[edge.end() :].strip()
        if asked and (ASKS.match(asked) or asked.endswith("?")):
            return asked, text[: edge.start()].strip(" \t\r\n,;")
    return "", text


def shape_of(question: str) -> Shape:
    """Split a question into parts; its clock times and answer options are already removed."""
    text = " ".join(question.split()).rstrip(" ?!.")
    for read in (_whole, _compared, _ordered, _counted):
        if shape := read(text):
            return shape
    if asks_how_to(text):
        return Shape("needle", question)
    shape = _anchored(text)
    shape = _occurrence(shape)
    shape = _placed(shape)
    return shape if shape != Shape("needle", text) else Shape("needle", question)


_WHOLE = re.compile(
    r"\b(?:summari[sz]e|summary of|summary|overview of|overview|outline of|outline|gist of|gist|table of contents"
    r"|main (?:points?|topics?|ideas?|themes?|messages?|takeaways?|arguments?|parts?|subjects?)"
    r"|key (?:points?|takeaways?|messages?|ideas?)|take-?aways?|topics?|chapters"
    r"|what (?:is|was|are|were) .{0,40}\babout\Z|what (?:happens|happened|is happening|goes on)\Z"
    r"|what (?:happens|happened) (?:in|during|throughout)\b|describe|tell me about)\b",
    re.IGNORECASE,
)
# "What does the man on the stage talk about?" asks for a summary of the talk.
_TALKS_ABOUT = re.compile(
    r"what (?:do|does|did|is|are|was|were) [^,]{1,60}? (?:talk|talking|speak|speaking|lecture|lecturing) about\Z",
    re.IGNORECASE,
)
# Words in a request for a summary about its source and length.
_SUMMARISED = re.compile(
    r"\b(?:brief(?:ly)?|short(?:ly)?|quick(?:ly)?|general|whole|entire|full|complete|content(?:s)?|covered|discussed|"
    r"main|key|in (?:one|two|three|a few|\d+) (?:sentences?|words?|lines?|points?|bullets?)|bullet points?|"
    r"films?|movies?|talks?|lectures?|presentations?|recordings?|meetings?|interviews?|episodes?|conversations?|"
    r"lessons?|sessions?|debates?|speech(?:es)?|keynotes?|webinars?|podcasts?|shows?|documentary|documentaries|stor(?:y|ies)|"
    r"give|write|make|list|provide|was|were|it|this|that|these)\b",
    re.IGNORECASE,
)


def _whole(text: str) -> Shape | None:
    """Parse a question about a whole video: nothing is left without the words for a summary and for a video."""
    if _TALKS_ABOUT.match(text):
        return Shape("whole", text)
    parts = _summarised(text)
    return None if parts is None or any(terms_of(part, ()) for part in parts) else Shape("whole", text)


def topic_of_summary(question: str) -> str | None:
    """Return the words of a request for a summary that name what is summarised: "summarise code_tutorial.mp4".

    Returns:
        The words; without content where the whole library is meant; None: the question asks for no summary.
    """
    parts = _summarised(expanded(question).strip(" ?!."))
    return None if parts is None else " ".join(parts)


def _summarised(text: str) -> tuple[str, str] | None:
    """The words around and inside the words for a summary: "what is … about"."""
    if not (found := _WHOLE.search(text)):
        return None
    about = found[0][5:] if found[0].casefold().startswith("what ") else ""
    return _SUMMARISED.sub(" ", f"{text[: found.start()]} {text[found.end() :]}"), _SUMMARISED.sub(" ", about)


_COMPARE = (
    re.compile(r"\bcompare (?P<a>.+?) (?:and|with|to|against|versus|vs\.?) (?P<b>.+)\Z", re.IGNORECASE),
    re.compile(r"\b(?:differences?|similarit(?:y|ies)) between (?P<a>.+?) and (?P<b>.+)\Z", re.IGNORECASE),
    re.compile(
        r"\bhow (?:do|does|did|is|are|was|were) (?P<a>.+?) (?:differ|different|compared?) (?:from|to|with) (?P<b>.+)\Z",
        re.IGNORECASE,
    ),
)


def _compared(text: str) -> Shape | None:
    for pattern in _COMPARE:
        if (found := pattern.search(text)) and _all_name_something(found["a"], found["b"]):
            return Shape("compare", f"{found['a']} and {found['b']}", (found["a"], found["b"]))
    return None


_WHICH_FIRST = re.compile(
    r"\b(?:which|what|who)\b.{0,60}?\b(?P<which>first|last|earlier|later)\b.{0,40}?[,:;] ?(?P<a>.+?),? or (?P<b>.+)\Z",
    re.IGNORECASE,
)
_IS_BEFORE = re.compile(
    r"\A(?:is|was|are|were|do|does|did|has|have|had) (?P<a>.+?) (?P<how>before|after) (?P<b>.+)\Z", re.IGNORECASE
)
_IN_WHAT_ORDER = re.compile(
    r"\bin (?:what|which) order (?:are|were|do|did|is|was|does)? ?(?P<list>.+? and .+)\Z", re.IGNORECASE
)
_ANY = re.compile(r"\b(?:any\w*|some\w*|who|what|how|which|where|why)\b", re.IGNORECASE)


def _ordered(text: str) -> Shape | None:
    if (found := _WHICH_FIRST.search(text)) and _all_name_something(found["a"], found["b"]):
        ordinal = 1 if found["which"].casefold() in ("first", "earlier") else -1
        where = _kept_places(text[: found.start("a")])
        parts = found["a"].split(", ")
        parts = [*(parts if _all_name_something(*parts) else [found["a"]]), found["b"]]
        return Shape("order", text, tuple(f"{part} {where}".strip() for part in parts), ordinal)
    if (found := _IN_WHAT_ORDER.search(text)) and len(parts := re.split(r", (?:and )?| and ", found["list"])) > 1:
        where = _kept_places(text)
        if _all_name_something(*parts):
            return Shape("order", text, tuple(f"{part} {where}".strip() for part in parts), 1)
    found = _IS_BEFORE.search(text)
    if found and not _ANY.search(found["a"]) and _all_name_something(found["a"], found["b"]):
        return Shape("order", text, (found["a"], found["b"]), 1 if found["how"].casefold() == "before" else -1)
    return None


def _kept_places(text: str) -> str:
    """Return the words for the modality of a list's items: "Which is mentioned first, …" → "mentioned"."""
    where = places_of(text)
    return "" if not where else "mentioned" if "speech" in where else "written" if "text" in where else "shown"


def _all_name_something(*parts: str) -> bool:
    return all(map(names_something, parts))


_OBSERVED = (
    r"(?:mention|say|said|tell|told|talk|speak|spoke|hear|use the (?:word|term|phrase)|refer|repeat|show|seen|see\b|appear"
    r"|visible|written|displayed|read)"
)
_HOW_OFTEN = re.compile(
    rf"\A(?:in total,? )?how (?:many times|often)\b(?=.*\b{_OBSERVED}| (?:is|was) there\b)|\b(?:number of times|count how (?:many times|often))\b"
    rf"|\A(?:count|list) (?:all|every|each) (?:time|mention|occurrence|appearance)s?\b",
    re.IGNORECASE,
)
_HOW_MANY_THINGS = re.compile(
    r"\bhow many (?P<what>[\w' -]{2,60}?) (?:is|are|was|were|can be|can (?:we|you|i|one)|(?:do|did|does) (?:we|you|i|one)|appears?|appeared|stand|"
    r"sit|walk)\b|\b(?:the )?(?:number|count) of (?P<of>[\w' -]{2,60}?) (?:that are )?(?=shown|seen|visible|on|in)",
    re.IGNORECASE,
)
_HOW_MANY_SLIDES = re.compile(
    r"\b(?:on |in )?how many (?:different )?(?:slides?|pages?|titles?|captions?|signs?) (?:(?:is|are|was|were|has|have|do|does|"
    r"contain|show|say|mention|list|with)\b)?(?P<rest>.+)\Z",
    re.IGNORECASE,
)
_ALL_SLIDES = re.compile(
    r"\b(?:how many|number of|count of|count) (?:different |the )*slides?\b(?P<rest>.*)\Z", re.IGNORECASE
)
_IN_VIEW = re.compile(
    r"\b(?:shown|seen|see|visible|in view|appear\w*|at once|at the same time|together|standing|sitting|walking"
    r"|(?:in|on) (?:the |this |that |any |one |each )?(?:picture|frame|image|scene|screen|camera|shot|photo|photograph|background|foreground|yard|street|room|stage)s?)\b",
    re.IGNORECASE,
)


def _counted(text: str) -> Shape | None:
    if found := _HOW_OFTEN.search(text):
        rest = f"{text[: found.start()]} {text[found.end() :]}"
        return Shape("count", text, (" ".join(rest.split()),)) if _all_name_something(rest) else None
    if (found := _ALL_SLIDES.search(text)) and not terms_of(found["rest"], ()):
        return Shape("count", text, ("slides",))
    if found := _HOW_MANY_SLIDES.search(text):
        what = re.sub(r"\bwritten(?: on them)?\b|\bon them\b", " ", found["rest"])
        return Shape("count", text, (f"{' '.join(what.split())} written",)) if _all_name_something(what) else None
    if (found := _HOW_MANY_THINGS.search(text)) and _IN_VIEW.search(text):
        what = found["what"] or found["of"]
        return Shape("count", text, (f"{what} shown",)) if terms_of(what, ()) else None
    return None


_CLAUSES = (
    re.compile(
        r"\A(?:right |just |immediately |shortly |soon )?(?P<how>after|once|before|until|while|when|as soon as) (?!(?:do|does|did|is|are|was|were|will|can|could|has|have|had)\b)(?P<event>[^,]+), (?P<main>.+)\Z",
        re.IGNORECASE,
    ),
    re.compile(
        r"\A(?P<main>.+?),? (?:right |just |immediately |directly |shortly |soon )?(?P<how>after|once|before|until|while|when|as soon as|at the moment) (?P<event>.+)\Z",
        re.IGNORECASE,
    ),
)
_HOW: dict[str, Literal["after", "before", "during"]] = {
    "after": "after", "once": "after", "as soon as": "after", "before": "before", "until": "before", "while": "during",
    "when": "during", "at the moment": "during",
}  # fmt: skip
# "When we …" and "after you …" describe no event in a video; "after that" does not name its event.
_NO_EVENT = re.compile(r"\A(?:(?:i|you|we|one|that|this|it|all|then|the fact)\b|\d)", re.IGNORECASE)
# "By when must …?" asks for a time.
_NO_CLAUSE = re.compile(r"(?:and|what|when|by|since|until|till|from)?", re.IGNORECASE)
_PART = re.compile(
    r"\A(?:the )?(?:video|clip|film|movie|talk|recording)?\s*(?:starts?|begins?|ends?|is over)\Z", re.IGNORECASE
)
# Superfluous with "before" and "after", which already return the nearest: "the last thing that she says before …".
_NEXT_THING = re.compile(
    r"\bthe (?:very )?(?:first|last|next) (?:thing|words?|sentence|line)s?\b(?: that)?", re.IGNORECASE
)
# Verbs of order: "What comes after the cat?", "what follows the cat?", "what comes next after the cat?".
_COMES = re.compile(r"\bwhat (?:comes|came|is|was)(?: next)?\Z", re.IGNORECASE)
_FOLLOWS = re.compile(
    r"\Awhat (?:(?:directly|immediately) )?(?P<verb>follow|precede)(?:s|d|ed)? (?!from\b)(?P<event>.+)\Z", re.IGNORECASE
)
_NTH = re.compile(rf"\A(?:the )?(?P<nth>{_ORDINAL}) (?:time (?:that )?)?(?P<what>.+)\Z", re.IGNORECASE)


def _anchored(text: str) -> Shape:
    """Parse a question about the time after, before or during an event."""
    if found := _FOLLOWS.match(text):
        text = f"what happens {'after' if found['verb'].casefold() == 'follow' else 'before'} {found['event']}"
    for pattern in _CLAUSES:
        found = pattern.search(text)
        if not found or _NO_EVENT.search(found["event"]) or _PART.search(found["event"]):
            continue
        main = _COMES.sub("what happens", _NEXT_THING.sub(" ", found["main"]).strip())
        event, ordinal = found["event"], None
        if nth := _NTH.search(event):
            event, ordinal = nth["what"], _ORDINALS[nth["nth"].casefold()]
        if _all_name_something(event) and not _NO_CLAUSE.fullmatch(main.strip()):
            return Shape(
                "needle",
                " ".join(main.split()),
                relation=_HOW[found["how"].casefold()],
                event=event,
                event_ordinal=ordinal,
            )
    return Shape("needle", text)


_VERBS = r"(?:appear|mention|show|say|said|see|saw|talk|speak|spoke|writ|introduc|hear|refer|display|visible|use)\w*"
# One of all spoken sentences, also without a topic.
_THING_SAID = re.compile(
    rf"\b(?:the |her |his |their )?(?:very )?(?P<nth>{_ORDINAL}) (?:thing|sentence|remark|statement)\b(?: that)?",
    re.IGNORECASE,
)
_AT_ITS_END = re.compile(r"(?<! to) (?P<nth>first|last)\Z", re.IGNORECASE)
_OCCURRENCE = (
    re.compile(
        rf"\b(?:for )?the (?P<nth>{_ORDINAL}) (?:time|occurrence|appearance|mention|instance)\b(?: (?:that|when|of|where))?",
        re.IGNORECASE,
    ),
    _THING_SAID,
    re.compile(rf"\b(?P<nth>first|last)\b(?= {_VERBS})", re.IGNORECASE),
    re.compile(r"(?<=\w)\s+(?P<nth>first|last)\Z", re.IGNORECASE),
)


def nth_of(text: str) -> tuple[str, int] | None:
    """Split off the number of a sentence in the video ("the last thing she said"); the number is None if not given."""
    text = text.rstrip(" ?!.")
    if not (found := _THING_SAID.search(text) or _AT_ITS_END.search(text)):
        return None
    rest = f"{text[: found.start()]} {text[found.end() :]}"
    return (rest, _ORDINALS[found["nth"].casefold()]) if places_of(rest) else None


def _occurrence(shape: Shape) -> Shape:
    """Parse the number of an occurrence: "When is the cat first shown?", "the last time that she mentions gold"."""
    for pattern in _OCCURRENCE:
        found = pattern.search(shape.rest)
        if not found:
            continue
        rest = f"{shape.rest[: found.start()]} {shape.rest[found.end() :]}"
        at_end = pattern is _OCCURRENCE[-1]
        if ((at_end or pattern is _THING_SAID) and not places_of(rest)) or not _all_name_something(rest):
            continue
        return replace(shape, rest=" ".join(rest.split()), ordinal=_ORDINALS[found["nth"].casefold()])
    return shape


_SIDES: tuple[tuple[Relation, str], ...] = (
    ("left", r"(?:to the |on the |the )?left (?:side )?of"),
    ("right", r"(?:to the |on the |the )?right (?:side )?of"),
    ("above", r"above|on top of|over"),
    ("below", r"below|under|underneath|beneath"),
    ("beside", r"next to|beside|near|close to|alongside"),
    ("behind", r"behind|at the back of"),
)
_TO_OTHER = [
    (
        relation,
        re.compile(
            rf"\A(?P<lead>what|who|which(?: \w+)?|what \w+|where|when|is|are|was|were|does|do)\b(?P<thing>.*?)\b(?:{words}) (?P<other>(?:the |a |an )?[\w -]+)\Z",
            re.IGNORECASE,
        ),
    )
    for relation, words in _SIDES
]
_TO_PICTURE = re.compile(
    r"\b(?:on|at|in|to) the (?P<side>left|right|top|bottom|centre|center|middle)(?:[- ]hand)?(?: (?:side|half|part|edge))?"
    r"(?: of the (?:picture|frame|image|screen|shot|photo|scene))?\Z",
    re.IGNORECASE,
)
_PICTURE_SIDES: dict[str, Relation] = {
    "left": "left", "right": "right", "top": "above", "bottom": "below", "centre": "centre", "center": "centre", "middle": "centre",
}  # fmt: skip
_SIZE = re.compile(r"\b(?:the )?(?P<size>biggest|largest|smallest|tiniest) (?P<thing>[\w-]+)", re.IGNORECASE)
# Subjects of a position that name no thing: "What is left of the dog?", "Who stands next to her?".
_NOTHING_NAMED = re.compile(
    r"\b(?:is|are|was|were|do|does|we|you|see|seen|shown|visible|stands?|standing|sits?|sitting|lies|lying|there|it|object|objects|thing|things)\b",
    re.IGNORECASE,
)


def _placed(shape: Shape) -> Shape:
    """Parse a position in the picture that stored boxes can answer."""
    text = shape.rest
    if found := _TO_PICTURE.search(text):
        thing = re.sub(
            r"\A(?:what|which|who|where|when|is|are|was|were)\b", "", text[: found.start()].strip(), flags=re.IGNORECASE
        )
        return replace(
            shape,
            place=_PICTURE_SIDES[found["side"].casefold()],
            thing=" ".join(_NOTHING_NAMED.sub(" ", thing).split()),
        )
    for relation, pattern in _TO_OTHER:
        if found := pattern.search(text):
            lead = re.sub(r"\A(?:what|which)\b", "", found["lead"], flags=re.IGNORECASE)
            thing = " ".join(_NOTHING_NAMED.sub(" ", f"{lead} {found['thing']}").split())
            thing = re.sub(r"\A(?:who|where|when)\b", "", thing, flags=re.IGNORECASE).strip()
            return replace(shape, place=relation, thing=thing, other=found["other"])
    if (found := _SIZE.search(text)) and places_of(text)[:1] == ("frame",):
        size: Relation = "biggest" if found["size"].casefold() in ("biggest", "largest") else "smallest"
        return replace(shape, place=size, thing=found["thing"])
    return shape
