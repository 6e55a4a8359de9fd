"""The speaker that a question names: "What did Ada say about the budget?" is searched in what Ada says.

A name counts as the speaker only if a word such as "say" follows it, or "according to" precedes it: in "Who mentions Ada?" it is the
topic. "How long does each speaker talk?" asks for speaking times.
"""

import re
from collections.abc import Sequence

from ...tools.extractors.registry import asked_as
from ...tools.words import STOP_WORDS, tokens
from ..records import Plan, Subject, Term
from .terms import places_of

__all__ = ["with_speaker"]

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
_ACCORDING = re.compile(r"\baccording to\s+\Z", re.IGNORECASE)
_NEXT_WORDS = re.compile(r"\W*(?:\w+\W+)?\w+")


def with_speaker(plan: Plan, titles: Sequence[str]) -> Plan:
    """Return the plan limited to the speaker that its question names; unchanged if it names none.

    Args:
        plan: The plan of the question.
        titles: Names and numbers of the library's speakers, such as `Ada Park` and `Speaker 2`.
    """
    named = {form: title for title in titles for form in _forms(title, titles)}
    found = [(form, title) for form, title in named.items() if _speaks(form, plan.question)]
    form, title = max(found, key=lambda one: len(one[0]), default=("", ""))
    words = frozenset(tokens(form))
    if _HOW_LONG.search(plan.question) and not _topics(plan.question, words):
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


def _forms(title: str, titles: Sequence[str]) -> list[str]:
    """How a question may name a speaker: the title, and each of its words that no other title has."""
    others = {word for other in titles if other != title for word in tokens(other)}
    single = [word for word in title.split() if len(word) > 1 and not set(tokens(word)) & (others | STOP_WORDS)]
    is_number = bool(re.fullmatch(r"Speaker \d+", title))
    return [title] if is_number else [title, *single]


def _speaks(form: str, question: str) -> bool:
    for found in re.finditer(rf"\b{re.escape(form)}\b", question, re.IGNORECASE):
        after = _NEXT_WORDS.match(question, found.end())
        if _ACCORDING.search(question[: found.start()]) or _HOW_LONG.search(question):
            return True
        if after and set(asked_as("said")) & set(places_of(f" x{after[0]}")):
            return True
    return False


def _topics(question: str, named: frozenset[str]) -> set[str]:
    return set(tokens(question)) - STOP_WORDS - _NO_TOPIC - named


def _without(terms: Sequence[Term], words: frozenset[str]) -> tuple[Term, ...]:
    return tuple(term for term in terms if not set(tokens(term.text)) & words)


def _spoken(subject: Subject, words: frozenset[str], form: str) -> Subject:
    query = " ".join(re.sub(rf"\b{re.escape(form)}\b", " ", subject.query, flags=re.IGNORECASE).split())
    terms = _without(subject.terms, words)
    return subject.model_copy(update={"query": query or subject.query, "terms": terms, "modalities": asked_as("said")})
