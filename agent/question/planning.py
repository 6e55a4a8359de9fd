"""Turns a question into a plan by rules, for English only."""

import re

from ...tools.extractors.registry import asked_as, modality_names
from ...tools.records import Span
from ...tools.words import tokens
from ..records import Anchor, Place, Plan, Subject, Term
from .classification import Shape, nth_of, options_of, shape_of
from .terms import (
    description_of,
    expanded,
    names_something,
    phrases_of,
    places_of,
    subject_of,
    terms_of,
    without_request,
)
from .time_expressions import moment_of, part_of, stretch_of

__all__ = ["make_plan"]

# Longer text is not a question; more terms match no evidence, and each costs time.
MOST_CHARACTERS = 4000
# Longest span whose whole speech is an answer: a few sentences do not answer for ten minutes.
MOST_MOMENT_SECONDS = 30.0

# "Is it shown?" asks about one thing that it does not name; "What does it say on the slide?" asks for all that is there.
_UNNAMED = re.compile(r"\b(?:it|they|them)\b(?! says?\b)|\b(?:that|this|those|these)(?=\W*\Z)", re.IGNORECASE)
_ENUMERATOR = re.compile(r"\A\s*\(?\d{1,3}[.)]\s*(?=[^\W\d])")  # "3. What is …": a list was pasted


def make_plan(
    question: str,
    video_ids: tuple[str, ...] | None = None,
    between: Span | None = None,
    options: tuple[str, ...] = (),
) -> Plan:
    """Make the plan of a question: what to search, where, and the form of the answer.

    Args:
        question: The question as typed; only the first 4000 characters are read.
        video_ids: Only these videos; None: all.
        between: Only this span of each video; None: the time expressions of the question are used.
        options: The answer options; empty: those that the question lists.
    """
    asked, listed = options_of(question[:MOST_CHARACTERS])
    asked = without_request(_ENUMERATOR.sub("", expanded(asked)))
    rest, span, from_end = stretch_of(asked)
    part, shape, ordinal, is_written = None, shape_of(rest), None, False
    stretch = between or span
    if shape == Shape("needle", rest) and (nth := nth_of(rest)) and not names_something(nth[0]):
        (rest, ordinal), shape = nth, Shape("needle", nth[0])
    elif not stretch:
        if (ending := part_of(rest)) and (ending.is_card or not names_something(ending.rest)):
            rest, part, is_written = ending.rest, ending.part, ending.is_written
            shape = shape_of(rest)
        elif (second := moment_of(rest)) and (shape.kind == "count" or not names_something(second[0])):
            rest, span = second
            shape = shape_of(rest) if shape.kind == "count" else Shape("needle", rest)
    elif from_end and stretch.duration == 1 and shape.kind == "whole":
        shape = Shape("needle", rest)  # "What happens 20 seconds before the end?" asks for what is there
    is_short = stretch is not None and stretch.duration <= MOST_MOMENT_SECONDS and not names_something(rest)
    is_moment = shape == Shape("needle", rest) and bool(
        (part and not names_something(rest))
        or ordinal
        or (span and span.duration == 1 and not names_something(rest))
        or (is_short and places_of(rest))
        or (not stretch and _names_place_only(rest))
    )
    plan = _plan(question, shape)
    if is_written and not set(asked_as("said")) & set(places_of(f" {rest}")):
        plan = plan.model_copy(update={"modalities": asked_as("written")})
    # "What does he do after 2:00?" names nothing: what happens in that stretch is summarised.
    is_all = bool(stretch) and plan.kind == "needle" and not (is_moment or plan.phrases or names_something(rest))
    if is_all and tokens(rest)[:1] in ([], ["what"]):
        plan = plan.model_copy(update={"kind": "whole", "terms": ()})
    return plan.model_copy(
        update={
            "between": between or span,
            "from_end": from_end and between is None,
            "part": part,
            "is_moment": is_moment,
            "ordinal": ordinal or plan.ordinal,
            "terms": () if is_moment else plan.terms,
            "video_ids": video_ids,
            "options": options or listed,
        }
    )


def _names_place_only(rest: str) -> bool:
    """Whether a question names only a modality and no topic: "What does the slide say?"."""
    places = places_of(rest)
    return bool(places and tokens(rest)) and not _UNNAMED.search(rest) and not terms_of(rest, places)


def _plan(question: str, shape: Shape) -> Plan:
    """Make the plan of a question without its time and videos."""
    rest = shape.rest
    places = places_of(rest)
    subjects = tuple(subject_of(part, question, places or modality_names()) for part in shape.subjects)
    terms: dict[str, Term] = {}
    for term in (*(terms_of(rest, places) if shape.kind == "needle" else ()), *(t for s in subjects for t in s.terms)):
        same = terms.setdefault(term.text, term)
        if term.required and not same.required:
            terms[term.text] = term
    return Plan(
        kind=shape.kind,
        question=question,
        query=description_of(" ".join(shape.subjects) or rest) or " ".join(rest.split()) or question,
        terms=tuple(terms.values()),
        phrases=tuple(dict.fromkeys(phrase for about, phrase in phrases_of(rest) if not about)),
        # "What does he talk about?" asks for all that tells the topics, headings too.
        modalities=modality_names() if shape.kind == "whole" else places or modality_names(),
        subjects=subjects,
        ordinal=shape.ordinal,
        anchor=Anchor(relation=shape.relation, event=subject_of(shape.event, question), ordinal=shape.event_ordinal)
        if shape.relation
        else None,
        place=_place(shape, question),
    )


def _place(shape: Shape, question: str) -> Place | None:
    if shape.place is None:
        return None
    thing = subject_of(shape.thing, question) if shape.thing else Subject(query="", terms=())
    other = subject_of(shape.other, question) if shape.other else None
    return Place(relation=shape.place, thing=thing, other=other)
