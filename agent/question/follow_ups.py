"""Completes a follow-up question by rules: missing parts come from the question before it.

Rewriting a question so that it needs no conversation is Elgohary et al. 2019, "Can You Unpack That? Learning to
Rewrite Questions-in-Context"; the rules are our own, handle English only, and do not change a complete question.
"""

import re
from collections.abc import Sequence
from itertools import pairwise

from ...tools.extractors.registry import modality_names
from ...tools.records import Span, clock
from ...tools.words import MONTHS, STOP_WORDS, WEEKDAYS, names, tokens
from ..records import Plan, Turn
from .classification import ASKS, options_of
from .planning import make_plan
from .terms import description_of, names_something, phrases_of, places_of
from .time_expressions import FAR, moment_of, part_of, stretch_of

__all__ = ["plan_in_thread"]

# "What happens after that?" is answered from the observations in this many seconds after the last citation.
NEXT_SECONDS = 10.0

_OPENER = re.compile(
    r"\A(?:(?:and|or|but|so|also|ok(?:ay)?)\b,?\s*(?:what about\b|how about\b)?|what about\b|how about\b)\s*",
    re.IGNORECASE,
)
_AFTER_THAT = re.compile(
    r",? ?\b(?:(?:right |just |immediately |directly |soon )?(?:after (?:that|this|it)|afterwards?)"
    r"|(?:next|later)(?=\W*\Z)|then(?=\W*\Z)(?<!\bit then)(?<!\bthat then))",
    re.IGNORECASE,
)
_BEFORE_THAT = re.compile(
    r",? ?\b(?:(?:right |just |immediately |directly )?before (?:that|this|it)|beforehand)\b", re.IGNORECASE
)
_AT_THAT_TIME = re.compile(
    r",? ?\b(?:at (?:that|this|the same) (?:time|moment|point|second)|meanwhile"
    r"|(?:(?<=\bsaid )|(?<=\bwritten )|(?<=\bshown )|(?<=\bhappens ))there(?=\W*\Z)"
    r"|(?P<kept>(?:(?:on|in|at) )?that (?:slide|scene|shot|frame|picture|image|part|passage)))\b",
    re.IGNORECASE,
)
_HAPPENS = re.compile(r"\A(?:what|who|where|is|are|was|were|does|do|did|which)\b|\A\W*\Z", re.IGNORECASE)
# "It" and "they" as pronouns for a thing; not "it" for the weather, for the time, or before a clause.
_THING = re.compile(
    r"\b(?:is|are|was|were|do|does|did|has|have|had|can|could|will|would) (?:it|they)\b"
    r"(?! (?:true|possible|clear|rain\w*|snow\w*|dark|cold|hot|late|early)\b)(?!.*\b(?:that|to)\b)|\b(?:it|them)(?=\W*\Z)",
    re.IGNORECASE,
)
_THE_TIME = re.compile(r"\bwhat (?:time|day|date|year) (?:is|was) it\b", re.IGNORECASE)
_PERSON = re.compile(
    r"\b(?:is|was|does|did|has|had|can|could|will|would) (?:he|she)\b|\b(?:him|her)(?=\W*\Z)", re.IGNORECASE
)
_IT = r"it|they|them|(?:that|those|these|this)(?=\W*\Z| (?:is|are|was|were|then|mean|take|happen))"
_OBJECT = re.compile(rf"\b(?:(?P<say>says?|said|tells?|told) )?(?:{_IT})\b", re.IGNORECASE)
_PRONOUN = re.compile(rf"\b(?:{_IT}|he|she|him|her)\b", re.IGNORECASE)
_BARE = re.compile(
    r"\A(?:why|when|where|who|how|since when|until when|how (?:long|much|many|often|many times)|which (?:one|slide))\W*\Z",
    re.IGNORECASE,
)
_ABOUT = re.compile(r"\babout (?P<what>.+)\Z", re.IGNORECASE)

# Preposition before a date that is added to a question without one: "What about 2019?" → "… in 2019?"
_WHEN = {"year": "in ", "month": "in ", "day": "on ", "number": ""}
_COLOURS = frozenset("black white red green blue yellow orange purple brown pink grey gray silver gold copper".split())


def plan_in_thread(
    question: str,
    turns: Sequence[Turn],
    video_ids: tuple[str, ...] | None = None,
    between: Span | None = None,
    options: tuple[str, ...] = (),
) -> Plan:
    """Make a plan for a question that may follow others.

    A question with "it" or "that" and no other topic, or with only another topic ("What about 2019?"), is completed
    with the words, videos and times of the question before. "After that" means after the citations of its answer. The
    plan's `question` is the complete one. Any other question is planned unchanged.

    Args:
        question: The question as typed.
        turns: The earlier questions with their answers, the oldest first.
        video_ids: Only these videos; None: all, or those of the question that this one follows.
        between: Only this span of each video; None: the time expressions of the question are used.
        options: The answer options; empty: those that the question lists.
    """
    video_ids, options = tuple(video_ids) if video_ids is not None else None, tuple(options)  # from a checkpoint: lists
    if not turns:
        return make_plan(question, video_ids, between, options)
    before = turns[-1]
    if between is None and (plan := _in_sequence(question, before, video_ids, options)):
        return plan
    full = _in_full(question, before.plan.question)
    if full is None:
        return make_plan(question, video_ids, between, options)
    return _scoped(make_plan(full, video_ids or before.plan.video_ids, between, options), before.plan)


def _scoped(plan: Plan, before: Plan) -> Plan:
    """Add the time and modalities of the earlier question to a plan without its own."""
    changes: dict[str, object] = {}
    if plan.between is None and plan.part is None:
        names_nothing = plan.kind == "needle" and not any(term.required for term in plan.terms)
        if names_nothing or not before.is_moment:
            changes = {"between": before.between, "from_end": before.from_end, "part": before.part}
        if names_nothing and before.is_moment:
            changes |= {"is_moment": True, "terms": ()}
    if plan.modalities == modality_names() and not places_of(plan.question):
        changes["modalities"] = before.modalities
    return plan.model_copy(update=changes)


def _in_sequence(
    question: str, before: Turn, video_ids: tuple[str, ...] | None, options: tuple[str, ...]
) -> Plan | None:
    """Plan a question about the time before, after or at the last citations; None for any other question."""
    if not before.citations:
        return None
    cited = before.citations[0]
    start, end = cited.start, cited.end
    for pattern, near, whole in (
        (_AFTER_THAT, (end, end + NEXT_SECONDS), (end, FAR)),
        (_BEFORE_THAT, (max(0.0, start - NEXT_SECONDS), start), (0.0, start)),
        (_AT_THAT_TIME, (start, end), (start, end)),
    ):
        if not (found := pattern.search(question)):
            continue
        rest = _OPENER.sub("", f"{question[: found.start()]}{question[found.end() :]}").strip(" ?!.,")
        is_moment = not names_something(rest)
        first, last = near if is_moment else whole
        if not first < last or (is_moment and not _HAPPENS.search(rest)):
            continue
        times = f"from {clock(first)} to {clock(last)}" if last < FAR else f"after {clock(first)}"
        completed = (
            f"{question[: found.start()]} {found.groupdict().get('kept') or ''} {times}{question[found.end() :]}"
        )
        completed = _OPENER.sub("", " ".join(completed.split())) if rest else f"what happens {times}?"
        changes: dict[str, object] = {"question": _capital(completed)}
        if is_moment:
            where = places_of(question) or modality_names()
            changes |= {"kind": "needle", "is_moment": True, "terms": (), "subjects": (), "modalities": where}
        plan = make_plan(rest or completed, video_ids or (cited.video_id,), Span(start=first, end=last), options)
        return plan.model_copy(update=changes)
    return None


def _in_full(question: str, before: str) -> str | None:
    """Return the completed question; None if it is already complete."""
    opener = _OPENER.match(question)
    said = question[opener.end() :] if opener and opener[0] else question
    said = " ".join(said.split()).rstrip(" ?!.,")
    opens = bool(opener and opener[0])
    earlier = _timeless(before)
    topic = _topic(earlier)
    if opens and (time := next(filter(_is_only_a_time, (said, f"in {said}")), None)):
        return f"{earlier} {time}?"
    if _BARE.search(said) or not names_something(said):
        return _completed(said, topic) if _leaves_out(question, said, opens) else None
    if opens and not ASKS.search(said):
        return _swapped(said, names(question), earlier, topic)
    if topic and _THING.search(said) and not _THE_TIME.search(said):
        return _completed(said, topic)
    person = [word for word in re.findall(r"[\w'’-]+", earlier) if set(tokens(word)) & names(earlier)]
    if person and _PERSON.search(said) and not names(said):
        return f"{_capital(said)}, {' '.join(person)}?"
    return None


def _leaves_out(question: str, said: str, opens: bool) -> bool:
    """Whether a question without a topic refers to an earlier topic, not to a whole video or a time."""
    if opens or _BARE.search(said):
        return True
    alone = make_plan(question)
    if alone.kind == "whole" or alone.is_moment or _THE_TIME.search(said):
        return False
    return bool(_PRONOUN.search(said)) and (alone.between is None or bool(_OBJECT.search(said)))


def _completed(said: str, topic: str) -> str:
    """Insert the topic in place of its pronoun, otherwise at the end of the question."""
    mine = set(tokens(said)) - STOP_WORDS
    while topic and mine & set(tokens(topic.split()[0])):  # "Who built the bridge?", "When was it built?"
        topic = topic.partition(" ")[2]
    if not topic:
        return f"{_capital(said)}?"
    if found := _OBJECT.search(said):
        completion = f"{found['say']} something about {topic}" if found["say"] else topic
        return f"{_capital(said[: found.start()] + completion + said[found.end() :])}?"
    return f"{_capital(said)}: {topic}?"


def _swapped(said: str, named: set[str], earlier: str, topic: str) -> str:
    """Replace the topic of the earlier question by another one: "What about 2019?"."""
    words = [
        word for word in re.findall(r"[\w'’.:-]*\w", said) if not set(tokens(word)) <= STOP_WORDS | {"one", "ones"}
    ]
    kinds = {_sort(word, named) for word in words}
    if len(kinds) == 1 and (kind := kinds.pop()):
        theirs = names(earlier)
        places = [found for found in re.finditer(r"[\w'’.:-]*\w", earlier) if _sort(found[0], theirs) == kind]
        if places and not re.search(r"[\w'’]+", _between(earlier, places)):
            return f"{earlier[: places[0].start()]}{' '.join(words)}{earlier[places[-1].end() :]}?"
        if kind in _WHEN:
            return f"{earlier} {'' if said != words[0] else _WHEN[kind]}{said}?"
    if topic and not places_of(f" {said}"):
        return f"{earlier.replace(topic, said, 1)}?"
    return f"{_capital(said)}?"


def _between(text: str, places: Sequence[re.Match[str]]) -> str:
    """Return the text between neighbouring matches."""
    return " ".join(text[one.end() : other.start()] for one, other in pairwise(places))


def _sort(word: str, named: set[str]) -> str:
    """Return the class of an exact word, which only a word of the same class can replace; empty: no exact word."""
    low = word.casefold()
    if re.fullmatch(r"(?:1[5-9]|20)\d\d", low):
        return "year"
    if low[:1].isdigit():
        return "number"
    for sort, known in (("day", WEEKDAYS), ("month", MONTHS), ("colour", _COLOURS)):
        if low in known:
            return sort
    return "name" if named and set(tokens(word)) <= named else ""


def _timeless(question: str) -> str:
    """Return a question without its answer options and time expressions."""
    text = stretch_of(options_of(question)[0])[0]
    for read in (part_of, moment_of):
        if found := read(text):
            text = found[0]
    return " ".join(text.split()).rstrip(" ?!.,")


def _is_only_a_time(said: str) -> bool:
    # Behind another word, as in the question that it completes: there "the last minute" needs its preposition.
    rest = _timeless(f"it {said}").removeprefix("it").strip()
    return rest != " ".join(said.split()).rstrip(" ?!.,") and not names_something(rest) and not ASKS.search(rest)


def _topic(question: str) -> str:
    """Return the topic of a question as written; empty if it names nothing."""
    if quoted := [phrase for _, phrase in phrases_of(question)]:
        return " ".join(f'"{phrase}"' for phrase in quoted)
    if (about := _ABOUT.search(question)) and names_something(about["what"]):
        return about["what"]
    names_it = {word for term in make_plan(question).terms if term.required for word in term.text.split()}
    words = description_of(question).split()
    while words and not names_it & set(tokens(words[0])):
        del words[0]
    while words and not names_it & set(tokens(words[-1])):
        del words[-1]
    if not words:
        return ""
    whole = re.search(rf"(?:\b(?:the|an?|his|her|its|their) )?{re.escape(' '.join(words))}", question, re.IGNORECASE)
    return whole[0] if whole else " ".join(words)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
