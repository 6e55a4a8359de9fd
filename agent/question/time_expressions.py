"""What a question says of time: clocks, minutes, the first and the last of a video. By rules."""

import re

from ...tools.records import Span, parse_clock
from ...tools.words import canonical, tokens
from ..records import Part

__all__ = ["FAR", "moment_of", "part_of", "stretch_of"]

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
_PART = re.compile(
    r"\b(?:at|in|near|towards?|around) the (?:very )?(start|beginning|opening|middle|end|close)"
    r"(?: of (?:the|this|each|every) (?:video|clip|film|movie|recording|talk|lecture|presentation|episode))?(?=\s*[?.!]*\Z|,)",
    re.IGNORECASE,
)
_UNITS = {"second": 1.0, "sec": 1.0, "minute": 60.0, "min": 60.0, "hour": 3600.0}
_PARTS = {"half": 0.5, "quarter": 0.25, "few": 3.0, "couple": 2.0, "several": 3.0}
FAR = 1e7  # seconds: past the end of any video


def stretch_of(question: str) -> tuple[str, Span | None, bool]:
    """The question without what it says of time; the span that it names; whether that counts from the video's end."""
    if found := _BETWEEN.search(question) or _MINUTES.search(question):
        start, end = (parse_clock(edge) if ":" in edge else 60.0 * float(edge) for edge in found.groups())
        if start != end:
            return _without(question, found), Span(start=min(start, end), end=max(start, end)), False
    if (found := _EDGE.search(question)) and (count := _count(found[3])):
        length = min(FAR / 2, count * _UNITS[found[4].casefold()])
        at_end = found[2].casefold() in ("last", "final", "closing")
        if found[1].casefold() != "after":
            return _without(question, found), Span(start=0, end=length), at_end
        if not at_end:
            return _without(question, found), Span(start=length, end=FAR), False
    if found := _AFTER.search(question):
        return _without(question, found), Span(start=_seconds(found), end=FAR), False
    if (found := _BEFORE.search(question)) and _seconds(found) > 0:
        return _without(question, found), Span(start=0, end=_seconds(found)), False
    return question, None, False


def part_of(question: str) -> tuple[str, Part] | None:
    """The question without the part of a video that it names ("at the end"), and that part; None: it names none."""
    if not (found := _PART.search(question)):
        return None
    word = found[1].casefold()
    part: Part = "end" if word in ("end", "close", "closing") else "middle" if word == "middle" else "start"
    return _without(question, found), part


def moment_of(question: str) -> tuple[str, Span] | None:
    """The question without the one second that it names ("at 12:30", "at minute 3"), and that second; None: it names none."""
    if not (found := _AT.search(question)):
        return None
    start = _seconds(found)
    return _without(question, found), Span(start=start, end=start + 1)


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
