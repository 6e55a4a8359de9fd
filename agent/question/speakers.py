"""The person that a question names: "What did Ada say about the budget?" is searched in what Ada says.

A name counts as the speaker only if a word such as "say" follows it, or "according to" precedes it: in "Who mentions Ada?" it is the
topic. "How long does each speaker talk?" asks for speaking times. "When is Ada in the picture?" asks where her face is recognised.
"""

import re
from collections.abc import Sequence

from ...tools.extractors.registry import asked_as
from ...tools.words import STOP_WORDS, tokens
from ..records import Plan, Subject, Term
from .terms import places_of
from .time_expressions import moment_of, part_of, stretch_of

__all__ = ["with_person", "with_speaker"]

_SPEAKS = r"(?:speaks?|spoke|speaking|talks?|talked|talking)"
_HOW_LONG = re.compile(
    rf"\bhow (?:long|much)\b.*\b{_SPEAKS}\b|\bwho(?:se)? \w*\s?{_SPEAKS} (?:the )?(?:most|longest|least|shortest)\b"
    rf"|\b{_SPEAKS} times?\b",
    re.IGNORECASE,
)
# Words of a question about speaking times that name no topic.
_NO_TOPIC = frozenset(
    "long longest shortest much most least each every everyone everybody all person people participant guest voice time "
    "times total altogether speaking speak speaks spoke talk talks talked talking speaker video".split()
)
# Words of a question about where a person is seen that name no topic.
_SEEN_ONLY = frozenset(
    "picture pictures screen video film clip recording shot frame image camera see seen sees show shown shows visible appear "
    "appears appeared appearance appearances find part long much time times total often first last person people face "
    "everyone everybody".split()
)
_ASKS_WHO = re.compile(r"\s*who\b", re.IGNORECASE)
_ASKS_WHAT = re.compile(r"\b(?:what|which|why)\b", re.IGNORECASE)
_ACCORDING = re.compile(r"\baccording to\s+\Z", re.IGNORECASE)
_NEXT_WORDS = re.compile(r"\W*(?:\w+\W+)?\w+")


def with_speaker(plan: Plan, titles: Sequence[str]) -> Plan:
    """Return the plan limited to the speaker that its question names; unchanged if it names none.

    Args:
        plan: The plan of the question.
        titles: Names and numbers of the library's speakers, such as `Ada Park` and `Speaker 2`.
    """
    if plan.kind == "length":
        return plan
    named = {form: title for title in titles for form in _forms(title, titles)}
    found = [(form, title) for form, title in named.items() if _speaks(form, plan.question)]
    form, title = max(found, key=lambda one: len(one[0]), default=("", ""))
    words = frozenset(tokens(form))
    if _HOW_LONG.search(plan.question) and not _topics(plan.question, words, _NO_TOPIC):
        return plan.model_copy(update={"kind": "speaking", "speaker": title, "terms": (), "is_moment": False})
    if not title or plan.kind == "whole":
        return plan
    terms = _without(plan.terms, words)
    query = " ".join(re.sub(rf"\b{re.escape(form)}\b(?:'s)?", " ", plan.query, flags=re.IGNORECASE).split())
    said = asked_as("said")
    subjects = tuple(_spoken(subject, words, form) for subject in plan.subjects)
    is_all = plan.kind == "needle" and not terms and plan.anchor is None
    return plan.model_copy(
        update={
            "speaker": title,
            "terms": terms,
            "query": query or plan.query,
            "subjects": subjects,
            "modalities": said,
            "is_moment": plan.is_moment or is_all,
        }
    )


def with_person(plan: Plan, titles: Sequence[str]) -> Plan:
    """Return the plan of a question that asks when a person is in the picture; other plans are returned unchanged.

    A question that asks for more ("When does Ada smile?") is not one of them: faces do not answer it.

    Args:
        plan: The plan of the question.
        titles: Names and numbers of the library's people, such as `Ada Park` and `Person 2`.
    """
    if not titles or plan.kind not in ("needle", "count") or plan.speaker or plan.place or plan.anchor or plan.phrases:
        return plan
    if _ASKS_WHAT.search(plan.question) or not set(asked_as("shown")) & set(plan.modalities):
        return plan
    forms = {form: title for title in titles for form in _forms(title, titles)}
    named = [form for form in forms if re.search(rf"\b{re.escape(form)}\b", plan.question, re.IGNORECASE)]
    form = max(named, key=len, default="")
    asks_for_all = _ASKS_WHO.match(plan.question) and places_of(f" {plan.question}") == asked_as("shown")
    rest = stretch_of(plan.question)[0]
    rest = (part_of(rest) or moment_of(rest) or (rest,))[0]
    if not (form or asks_for_all) or _topics(rest, frozenset(tokens(form)), _SEEN_ONLY):
        return plan
    person = forms.get(form, "")
    changes = {
        "kind": "seen",
        "person": person,
        "terms": (),
        "subjects": (),
        "is_moment": False,
        "modalities": ("person",),
    }
    return plan.model_copy(update=changes)


def _forms(title: str, titles: Sequence[str]) -> list[str]:
    """How a question may name a speaker: the title, and each of its words that no other title has."""
    others = {word for other in titles if other != title for word in tokens(other)}
    single = [word for word in title.split() if len(word) > 1 and not set(tokens(word)) & (others | STOP_WORDS)]
    is_number = bool(re.fullmatch(r"(?:Speaker|Person) \d+", title))
    return [title] if is_number else [title, *single]


def _speaks(form: str, question: str) -> bool:
    for found in re.finditer(rf"\b{re.escape(form)}\b", question, re.IGNORECASE):
        after = _NEXT_WORDS.match(question, found.end())
        if _ACCORDING.search(question[: found.start()]) or _HOW_LONG.search(question):
            return True
        if after and set(asked_as("said")) & set(places_of(f" x{after[0]}")):
            return True
    return False


def _topics(question: str, named: frozenset[str], empty: frozenset[str]) -> set[str]:
    """The words of a question that are neither a name nor without meaning for its form."""
    return set(tokens(question)) - STOP_WORDS - empty - named


def _without(terms: Sequence[Term], words: frozenset[str]) -> tuple[Term, ...]:
    return tuple(term for term in terms if not set(tokens(term.text)) & words)


def _spoken(subject: Subject, words: frozenset[str], form: str) -> Subject:
    query = " ".join(re.sub(rf"\b{re.escape(form)}\b", " ", subject.query, flags=re.IGNORECASE).split())
    terms = _without(subject.terms, words)
    return subject.model_copy(update={"query": query or subject.query, "terms": terms, "modalities": asked_as("said")})
