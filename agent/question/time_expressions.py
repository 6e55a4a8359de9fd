"""The time parser: parses the time expressions of an English question by rules.

It parses clock times ("between 10:00 and 12:30"), relative spans ("in the last ten minutes"), parts of a video
("at the end", "on the title card") and the order of two clauses ("after she sat down"). `ask`, `find` and `search` use no
other parser. A language model never sets a time: its proposal counts only if this parser finds it in the question.
"""

import re
from typing import Literal, NamedTuple

from ...index.localization.grounding import GroundingQuery
from ...tools.records import Span, parse_clock
from ...tools.words import NUMBER_WORDS, canonical, tokens
from ..records import Part
from .terms import asks_how_to

__all__ = [
    "FAR",
    "DayTimes",
    "InPart",
    "Recent",
    "day_times_of",
    "grounding_query",
    "lengths_of",
    "moment_of",
    "part_of",
    "recent_of",
    "stretch_of",
]

FAR = 1e7  # seconds: past the end of any video

_CLOCK = r"(\d{1,3}:[0-5]\d(?::[0-5]\d)?(?:\.\d{1,3})?)(?![\w:])"
_TIME = rf"(?:{_CLOCK}|minute +(\d{{1,4}})\b)"
_BETWEEN = re.compile(rf"\b(?:between|from) +{_CLOCK} *(?:and|to|until|till|-|–) *{_CLOCK}", re.IGNORECASE)
_MINUTES = re.compile(
    r"\b(?:between|from) +minutes? +(\d{1,4}) *(?:and|to|until|till|-|–) *(?:minute +)?(\d{1,4})\b", re.IGNORECASE
)
_AFTER = re.compile(rf"\b(?:after|since|from) +{_TIME}", re.IGNORECASE)
_BEFORE = re.compile(rf"\b(?:before|until|till|up to) +{_TIME}", re.IGNORECASE)
_AT = re.compile(rf"\b(?:at|around|in) +{_TIME}", re.IGNORECASE)
_ALONE = re.compile(rf"\A\W*{_TIME}\W*\Z", re.IGNORECASE)
_WHOLE = (
    r"(?:the|this|each|every) (?:video|clip|film|movie|recording|talk|lecture|presentation|episode|tutorial|lesson|course"
    r"|documentary|interview|meeting|webinar|podcast|session)"
)
_FROM_EDGE = (
    r"(?:the +)?(?P<edge>first|last|final|opening|closing) +(?P<count>(?:[\w.\-]+ +){0,4}?)"
    r"(?P<unit>second|sec|minute|min|hour)(?P<plural>s?)\b"
)
_EDGE = re.compile(rf"\b(?P<how>in|during|within|over|of|after) +{_FROM_EDGE}", re.IGNORECASE)
# The whole query: "the first minute", "last 30 seconds of the talk".
_EDGE_ALONE = re.compile(rf"\A\W*(?P<how>){_FROM_EDGE}(?: of {_WHOLE})?\W*\Z", re.IGNORECASE)
_AT_END = r"(?=\s*[?.!]*\Z|,)"
_PART = re.compile(
    r"\b(?:(?:at|in|near|towards?|around) the (?:very )?(?:(?P<start>start|beginning|opening)|(?P<middle>middle)|end|close)"
    r"|(?:in|during|within) the (?:very )?(?:(?P<first>first|opening)|last|final|closing) (?:seconds|moments|minutes))"
    rf"(?: of {_WHOLE})?{_AT_END}"
    rf"|\b(?:when|as|after|before) (?:{_WHOLE}|it) (?:(?P<starts>starts?|begins?)|ends?|finishes|is over){_AT_END}",
    re.IGNORECASE,
)
# What a video begins or ends with: "on the title card", "What does the last slide say?", "end credits".
_FIRST, _LAST = r"(?:opening|first|initial|starting)", r"(?:closing|last|final|end|ending)"
_TITLES = (
    r"title[- ](?:cards?|screens?|pages?|slides?|sequence|frames?)|titles?|credits?|cards?|slides?|captions?|pages?"
)
_PICTURES = r"screens?|scenes?|shots?|frames?|pictures?|images?|sequence"
_CARD = re.compile(
    r"(?P<before>\b(?:on|in|during|at|from|of|by) )?\b(?P<the>(?:the|this|its|an?) )?(?:very )?"
    rf"(?:(?P<start>{_FIRST} (?:(?P<first_text>{_TITLES})|(?P<first_picture>{_PICTURES}))"
    r"|(?P<title>title[- ](?:cards?|screens?|pages?|slides?|sequence))|intro(?:duction)? sequence|intro)"
    rf"|(?:{_LAST} (?:(?P<last_text>{_TITLES})|(?P<last_picture>{_PICTURES}))|(?P<credits>credits)|outro))"
    rf"(?: of {_WHOLE})?\b(?!-)(?P<more> (?=(?:of|with|that|which|where|about|for|and|or|to)\b))?"
    r"(?P<verb> (?=(?:says?|reads?|shows?|lists?|states?|tells?|mentions?|contains?|names?)\b))?",
    re.IGNORECASE,
)
# These are named without a preposition, too; a "last slide" may be one of many.
_NAMED_CARD = re.compile(
    r"(?:opening|closing|end|ending) (?:titles?|credits?|cards?|screens?)\b|title[- ](?:card|screen|page|slide|sequence)",
    re.IGNORECASE,
)
_UNITS = {"second": 1.0, "sec": 1.0, "minute": 60.0, "min": 60.0, "hour": 3600.0}
_PARTS = {"half": 0.5, "quarter": 0.25, "few": 3.0, "couple": 2.0, "several": 3.0}
# "90 seconds", "4m30s", "one hour and ten minutes", "half an hour".
_AMOUNT = rf"(?:(?:{'|'.join(NUMBER_WORDS)}|half|quarter|an?|and|of)[ -])+?"
_LENGTH = (
    rf"(?:(?:\d{{1,5}}(?:\.\d{{1,3}})? ?|\b{_AMOUNT})(?:hours?|hrs?|minutes?|mins?|seconds?|secs?)\b"
    r"|\d{1,5} ?[hms](?![a-z]))"
)
_LENGTHS = rf"({_LENGTH}(?:(?: and|,)? ?{_LENGTH})*)"
_LENGTH_AFTER = re.compile(
    rf"\b(?:at|after|before|until|till|since) (?:about |around )?{_LENGTHS}(?! of\b)", re.IGNORECASE
)
_LENGTH_BETWEEN = re.compile(rf"\b(?:between|from) {_LENGTHS} (?:and|to|until|till) {_LENGTHS}", re.IGNORECASE)
_LENGTH_IN = re.compile(rf"\b{_LENGTHS} in(?:to (?:it|(?:the|this) \w+))?(?=\W*\Z)", re.IGNORECASE)
# "20 seconds before the end" is a second, "in the 20 seconds before the end" a stretch.
_BEFORE_END = re.compile(
    rf"(?:\b(?:(?P<stretch>in|during|over|within) (?:the )?|at ))?(?:\b(?:about|around) )?(?P<length>{_LENGTHS}) (?:before|from) "
    rf"(?:the (?:very )?end(?: of {_WHOLE})?(?! of\b)|(?:it|{_WHOLE}) (?:ends|stops|finishes|is over)\b)",
    re.IGNORECASE,
)
# "10:40", "10:40:30", "3 pm": a time of day, for recordings whose time of day is known.
_DAY_TIME = r"(\d{1,2}(?::[0-5]\d){0,2}(?: ?[ap]\.?m\b)?)(?![\w:])"
_DAY_BETWEEN = re.compile(rf"\b(?:between|from) +{_DAY_TIME} *(?:and|to|until|till|-|–) *{_DAY_TIME}", re.IGNORECASE)
_DAY_SINCE = re.compile(rf"\b(?:since|after|from) +(?:(?:[\w'’]+ +){{0,4}}?at +)?{_DAY_TIME}", re.IGNORECASE)
_DAY_BEFORE = re.compile(rf"\b(?:before|until|till|up to) +{_DAY_TIME}", re.IGNORECASE)
_DAY_AT = re.compile(rf"\b(?:at|around) +{_DAY_TIME}", re.IGNORECASE)
# "What did she just say?", "what just happened?"
_JUST = re.compile(
    r"(?:(?<=\bwhat )|\b(?:did|was|were|has|have|had)\b(?: \w+){0,3}? )(just)(?= (?!an?\b|the\b|before\b|after\b)\w)"
    r"|\b(just now)\b",
    re.IGNORECASE,
)
_JUST_SECONDS = 30.0

# The middle of a span as a share of the video, with the standard deviation of that share.
_PLACES = {"start": 0.05, "middle": 0.5, "end": 0.95}
_HALVES = {"first": 0.25, "second": 0.75}
_PLACE_WIDTH, _HALF_WIDTH = 0.1, 0.15
_MEDIUM = r"(?:video|clip|film|movie|recording)"
_OF_IT = rf"(?: (?:part|of|in))*(?: (?:the )?{_MEDIUM})?\b(?! of\b)"
_PLACE = re.compile(
    r"\b(?:(?:right|just|very) )?(?:at|in|near|nearing|towards?|during|around|from|by|before) (?:the )?(?:very )?"
    rf"(?:(?P<start>start(?:ing)?|beginn?ing)|(?P<middle>middle)|(?P<end>end(?:ing)?)){_OF_IT}"
    rf"|\b(?:(?P<s>at first|initially)|(?P<m>half ?way through the {_MEDIUM})|(?P<e>finally|eventually|at last))\b"
)
_HALF = re.compile(
    rf"\b(?:in|during) the (?:(?P<first>first)|(?P<second>second|last)) half{_OF_IT}"
    rf"|\b(?:(?P<b>before)|(?P<a>after)) the middle{_OF_IT}"
)
_IN_VIDEO = re.compile(rf"\b(?:in|of|throughout|through) (?:the|this) {_MEDIUM}\b")
_RELATION = re.compile(r"\b(?:(after|once)|(before|until|till))\b(?! (?:all|a while|that|this|long)\b)")
_LEADING = re.compile(r"^(after|once|before|until|till) (.+?)(?:,| (?=(?:what|why|how|where|who|which)\b)) *(.+)$")
_QUESTION_WORDS = re.compile(
    r"^(?:what|why|how|where|who|whom|whose|which|when)\b(?: happen\w* to| (?:is|was|are|were) there)?"
    r"(?: (?:did|does|do|is|was|are|were|has|have|had|can|could|will|would|should))? *"
)
_DOES = re.compile(r"\b(?:do|doing|react|respond)$")


def stretch_of(question: str) -> tuple[str, Span | None, bool]:
    """Parse the span that a question names.

    Returns:
        The question without the time expression; the span in seconds, None if there is none; and whether the span
        counts backwards from the end of the video: then 19 to 20 is the second that begins 20 s before it.
    """
    if found := _BETWEEN.search(question) or _MINUTES.search(question):
        start, end = (parse_clock(edge) if ":" in edge else 60.0 * float(edge) for edge in found.groups())
        if start != end:
            return _without(question, found), Span(start=min(start, end), end=max(start, end)), False
    if (found := _BEFORE_END.search(question)) and (length := min(FAR / 2, _length(found["length"]))):
        return _without(question, found), Span(start=0 if found["stretch"] else max(0.0, length - 1), end=length), True
    found = _EDGE.search(question) or _EDGE_ALONE.search(question)
    # "In the opening seconds" names no length: it is a part.
    if found and (found["count"] or not found["plural"]) and (count := _count(found["count"])):
        length = min(FAR / 2, count * _UNITS[found["unit"].casefold()])
        at_end = found["edge"].casefold() in ("last", "final", "closing")
        if found["how"].casefold() != "after":
            return _without(question, found), Span(start=0, end=length), at_end
        if not at_end:
            return _without(question, found), Span(start=length, end=FAR), False
    if found := _AFTER.search(question):
        return _without(question, found), Span(start=_seconds(found), end=FAR), False
    if (found := _BEFORE.search(question)) and _seconds(found) > 0:
        return _without(question, found), Span(start=0, end=_seconds(found)), False
    return question, None, False


class InPart(NamedTuple):
    """The part of a video that a question names.

    Attributes:
        rest: The question without it; a card is written as "the slide".
        part: Which part.
        is_card: Whether the question names something that is shown there, such as a title card or the last scene.
        is_written: Whether that is writing.
    """

    rest: str
    part: Part
    is_card: bool = False
    is_written: bool = False


def part_of(question: str) -> InPart | None:
    """Parse the part of a video that a question names ("at the end", "on the title card"); None if it names none."""
    if found := _PART.search(question):
        is_start = found["start"] or found["first"] or found["starts"]
        return InPart(_without(question, found), "middle" if found["middle"] else "start" if is_start else "end")
    if asks_how_to(question):
        return None
    return next(filter(None, (_card(question, found) for found in _CARD.finditer(question))), None)


def _card(question: str, found: re.Match[str]) -> InPart | None:
    """Parse a card; None where it may be something else: "the last picture" alone is a thing, "in the last picture" a place."""
    rest = f"{question[: found.start()]} {question[found.end() :]}"
    is_alone = not tokens(rest)
    is_one_of_many = found["more"] or not (found["before"] or found["verb"] or is_alone)
    if is_one_of_many and not _NAMED_CARD.search(found[0]):
        return None
    is_written = bool(found["first_text"] or found["title"] or found["last_text"] or found["credits"])
    picture = found["first_picture"] or found["last_picture"]
    name = "the slide" if is_written else f"the {picture}" if picture else ""
    before = "on" if found["before"] and is_written else (found["before"] or "") if name else ""
    is_start = found["start"] or found["title"] or "intro" in found[0].casefold()
    named = f"{question[: found.start()]} {before} {name} {question[found.end() :]}"
    return InPart(" ".join(named.split()), "start" if is_start else "end", is_card=True, is_written=is_written)


def moment_of(question: str) -> tuple[str, Span] | None:
    """Parse the single second that a question names ("at 12:30", "at minute 3"), or is ("12:30?").

    Returns:
        The question without it, and that second; None if it names none.
    """
    if not (found := _AT.search(question) or _ALONE.search(question)):
        return None
    start = _seconds(found)
    return _without(question, found), Span(start=start, end=start + 1)


def lengths_of(question: str) -> list[tuple[str, int, int, float]]:
    """Parse the lengths that may be times of a video: "after 2 min", "at 4m30s", "between 10 s and 1 minute", "1 hour in".

    Returns:
        The text before each ("after ", or "at " where it is left out), where the expression starts and ends, and its seconds.
    """
    if _BEFORE_END.search(question):
        return []
    if found := _LENGTH_BETWEEN.search(question):
        edges = [("", *found.span(number), _length(found[number])) for number in (1, 2)]
    elif found := _LENGTH_AFTER.search(question):
        edges = [("", *found.span(1), _length(found[1]))]
    elif found := _LENGTH_IN.search(question):
        edges = [("at ", *found.span(), _length(found[1]))]
    else:
        return []
    return [] if any(not seconds for *_, seconds in edges) else edges


class DayTimes(NamedTuple):
    """A stretch of a day that a question names.

    Attributes:
        rest: The question without it.
        written: The expression, as typed.
        first: Its first second, from midnight; None: from the start.
        last: The first second after it; None: to the end.
    """

    rest: str
    written: str
    first: float | None
    last: float | None


def day_times_of(question: str) -> DayTimes | None:
    """Parse the times of day that a question names: "since 10:40", "between 10:00 and 10:30", "at 3 pm" (a minute)."""
    for pattern in (_DAY_BETWEEN, _DAY_SINCE, _DAY_BEFORE, _DAY_AT):
        found = pattern.search(question)
        times = [_second_of_day(one) for one in found.groups()] if found else []
        if not found or None in times:
            continue
        first, last = times[0], times[-1]
        assert first is not None
        if pattern is _DAY_SINCE:
            last = None
        elif pattern is _DAY_BEFORE:
            first = None
        elif pattern is _DAY_AT:
            last = first + (1 if found[1].count(":") == 2 else 60)
        return DayTimes(_without(question, found), found[0], first, last)
    return None


class Recent(NamedTuple):
    """What a question counts back from the end.

    Attributes:
        rest: The question without it.
        written: The expression, as typed.
        seconds: How long it is.
        is_now: Whether it means the present ("just"), not the end of a video ("in the last five minutes").
    """

    rest: str
    written: str
    seconds: float
    is_now: bool


def recent_of(question: str) -> Recent | None:
    """Parse what counts back from the end: "just" (30 s), "in the last five minutes"."""
    if found := _JUST.search(question):
        word = 1 if found[1] else 2
        return Recent(question[: found.start(word)] + question[found.end(word) :], found[word], _JUST_SECONDS, True)
    rest, span, at_end = stretch_of(question)
    written = _EDGE.search(question) or _EDGE_ALONE.search(question)
    return Recent(rest, written[0], span.end, False) if span is not None and at_end and written else None


def grounding_query(question: str) -> GroundingQuery:
    """Split a question into a description, its place in the video, and a clause before or after it.

    Clauses of the same moment (when, while, as) stay together.

    Example:
        "What did the boy do after he fell at the end?" gives the text "the boy", after "he fell", near the end.
    """
    rest = " ".join(question.casefold().replace("?", " ").split())
    place, width = None, _PLACE_WIDTH
    if half := _HALF.search(rest):
        place, width = _HALVES["first" if half["first"] or half["b"] else "second"], _HALF_WIDTH
        rest = f"{rest[: half.start()]} {rest[half.end() :]}"
    if named := _PLACE.search(rest):
        place = _PLACES[
            "start" if named["start"] or named["s"] else "middle" if named["middle"] or named["m"] else "end"
        ]
        width = _PLACE_WIDTH
        rest = _PLACE.sub(" ", rest)
    rest = " ".join(_IN_VIDEO.sub(" ", rest).split())
    main, word, anchor = rest, "", ""
    if leading := _LEADING.match(rest):
        word, anchor, main = leading[1], leading[2], leading[3]
    elif (found := _RELATION.search(rest)) and rest[: found.start()].strip() and rest[found.end() :].strip():
        main, word, anchor = rest[: found.start()].strip(), found[0], rest[found.end() :].strip()
    main = main.strip(" ,.")
    text = _DOES.sub("", _QUESTION_WORDS.sub("", main)).strip() or main or question
    relation: Literal["after", "before"] | None = None
    if anchor:
        relation = "after" if word in ("after", "once") else "before"
    return GroundingQuery(text=text, place=place, place_width=width, relation=relation, anchor=anchor)


def _seconds(found: re.Match[str]) -> float:
    """The time that `_TIME` matched, in seconds."""
    clock, minute = found.groups()
    return parse_clock(clock) if clock else 60.0 * float(minute)


def _length(text: str) -> float:
    """The seconds of "4 minutes 30 seconds"; 0: it is no exact length of time, as "5 m", which may be metres."""
    total = 0.0
    pieces = re.findall(_LENGTH, text, re.IGNORECASE)
    for piece in pieces:
        amount, unit = re.fullmatch(r"(.*?)([a-z]+)", piece, re.IGNORECASE).groups()  # type: ignore[union-attr]
        words = tokens(amount)
        count = _count(amount) if words else 0.0
        if not count or (len(pieces) == 1 and unit in ("h", "m")):
            return 0.0
        total += count * {"h": 3600.0, "m": 60.0, "s": 1.0}[unit[0].casefold()]
    return total


def _second_of_day(text: str) -> float | None:
    """The seconds from midnight to "10:40" or "3 pm"; None: it is no time of day."""
    half = re.search(r"([ap])\.?m", text, re.IGNORECASE)
    parts = [int(part) for part in re.findall(r"\d+", text)]
    if (len(parts) == 1 and not half) or parts[0] > (12 if half else 23):
        return None
    if half:
        parts[0] = parts[0] % 12 + (12 if half[1].casefold() == "p" else 0)
    hours, minutes, seconds = [*parts, 0, 0][:3]
    return 3600.0 * hours + 60.0 * minutes + seconds


def _without(question: str, found: re.Match[str]) -> str:
    return question[: found.start()] + " " + question[found.end() :]


def _count(text: str) -> float:
    """Parse a number in digits or words ("ten", "2.5", "half an"); 1 without a word ("the last minute"); 0 if unknown."""
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
