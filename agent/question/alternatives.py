"""Parses lists joined by "or": of the names, numbers and codes in such a list, an answer needs one.

It reads the order of the words only. Whether the members are people, places or things is not known.
"""

from collections.abc import Mapping, Sequence

from ...tools.words import MONTHS, STOP_WORDS, WEEKDAYS
from ..records import Term

__all__ = ["COMMA", "STOP", "with_alternatives"]

# Punctuation in a sequence of words: a comma separates the members of a list, anything else ends it.
COMMA, STOP = ",", "."
_ARTICLES = {"a", "an", "the"}
_PARTICLE = 3  # letters, at most, of a word between two parts of a name: "Karl von Frisch"


def with_alternatives(terms: Mapping[str, Term], sequence: Sequence[str]) -> dict[str, Term]:
    """Return the terms with the alternatives of each term that a list joined by "or" holds.

    Args:
        terms: The terms of a question by their texts.
        sequence: The question as texts of terms, other words, `COMMA` and `STOP`.
    """
    found = dict(terms)
    for number, word in enumerate(sequence):
        if word != "or":
            continue
        members = _members(_after_stop(sequence[:number]), sequence[number + 1 :], terms)
        for own in members:
            others = tuple(other for other in members if other != own)
            found |= {text: terms[text].model_copy(update={"alternatives": others}) for text in own}
    return found


def _members(before: Sequence[str], after: Sequence[str], terms: Mapping[str, Term]) -> list[tuple[str, ...]]:
    """Return the members of a list, the last first, each as texts of terms: "Anna, Ben or Carla"."""
    chunks = _split(before)
    if len(chunks) > 1 and not chunks[-1]:  # "Anna, Ben, or Carla"
        chunks.pop()
    end = next((number for number, word in enumerate(after) if word in (COMMA, STOP)), len(after))
    lead, last = _first_member(after[:end], terms)
    asks_who = "who" in before and set(after[len(lead) + len(last) :]) <= {STOP}
    members = [last]
    for number, chunk in enumerate(reversed(chunks)):
        rest, member = _last_member(chunk, terms)
        is_start = _without_articles(rest) not in ([], _without_articles(lead))
        is_like = not number or _kind(member, terms) in {_kind(one, terms) for one in members}
        # "Who went to London, Anna or Ben?": the list answers "who", and London is not in it.
        is_place = number and is_start and asks_who and rest[-1] in STOP_WORDS
        if not member or not is_like or is_place:
            break
        members.append(member)
        if is_start:
            break
    return [one for one in members if one]


def _after_stop(words: Sequence[str]) -> Sequence[str]:
    """Return the words after the last `STOP`."""
    return words[max((number + 1 for number, word in enumerate(words) if word == STOP), default=0) :]


def _split(words: Sequence[str]) -> list[list[str]]:
    chunks: list[list[str]] = [[]]
    for word in words:
        if word == COMMA:
            chunks.append([])
        else:
            chunks[-1].append(word)
    return chunks


def _without_articles(words: Sequence[str]) -> list[str]:
    return [word for word in words if word not in _ARTICLES]


def _first_member(words: Sequence[str], terms: Mapping[str, Term]) -> tuple[Sequence[str], tuple[str, ...]]:
    """Return the function words at the start, and the terms after them: "in 1992" → in, 1992."""
    start = next((number for number, word in enumerate(words) if word not in STOP_WORDS or word in terms), len(words))
    return words[:start], _run(words[start:], terms)


def _last_member(words: Sequence[str], terms: Mapping[str, Term]) -> tuple[Sequence[str], tuple[str, ...]]:
    """Return the words before the last terms, and these: "did he meet Ana Silva" → did he meet, Ana Silva."""
    member = _run(words[::-1], terms)[::-1]
    return words[: len(words) - len(member)], member


def _run(words: Sequence[str], terms: Mapping[str, Term]) -> tuple[str, ...]:
    """Return the terms at the start: all names, numbers and codes, or all other words. "von" is a part of a name."""
    run: list[str] = []
    for number, word in enumerate(words):
        following = words[number + 1] if number + 1 < len(words) else ""
        is_inside = len(word) <= _PARTICLE and following in terms and terms[following].exact
        if word not in terms or (run and terms[word].exact != terms[run[0]].exact and not is_inside):
            break
        run.append(word)
    return tuple(run)


def _kind(member: tuple[str, ...], terms: Mapping[str, Term]) -> str:
    """What a member is: "In 2019, Anna or Ben?" is no list of three."""
    if not member or not terms[member[0]].exact:
        return "thing"
    if any(character.isdigit() for text in member for character in text):
        return "number"
    return "day" if set(member) <= {*WEEKDAYS, *MONTHS} else "name"
