"""Answers that code computes from stored observations: how often, how many, which came first, and where.

Nothing is estimated. Where a number, an order or a place is not certain, there is no claim, and the trace says what was
found instead: an index without something does not prove that it never happened.
"""

import re
from collections.abc import Sequence

from pydantic import Field

from ...index.localization.spatial import Pair, Size, foremost, is_on_side, is_side, is_to, moment, most_at_once, pairs
from ...index.records import Evidence
from ...index.retrieval.search import Search
from ...tools.extractors.registry import spec_of
from ...tools.records import Record, Text
from ...tools.words import STOP_WORDS, canonical, stem, tokens
from ..records import Citation, Claim, Place, Plan, Relation, Subject
from .evidence import retrieve
from .occurrences import Occurrence, boxes_of, occurrences
from .quotes import MOST_CLAIMS, quote_evidence
from .ranking import ranked
from .reader import Reader
from .statements import at_once_text, order_text, side_text, size_text, times_text, to_text

__all__ = ["Tally", "is_tallied", "tally"]

# Confidence in a thing that is named as asked, and in one that the reader scored.
_LITERAL, _SIMILAR = 1.0, 0.8
# Of many videos, the first ones by path that hold the occurrence asked for.
_MOST_VIDEOS = 10

# Of what happens again and again, and not how many are there "at the same time".
_TIMES = re.compile(
    r"\b(?:times|often|occurrences?|appearances?|mentions?|(?:each|every|all) (?:the )?time|how many (?:\w+ )?slides)\b",
    re.IGNORECASE,
)
_WHO = re.compile(r"\s*who\b", re.IGNORECASE)
# The last of a kind is asked for, and not which of two only began later.
_LAST = re.compile(r"\blast\b", re.IGNORECASE)
# Words of a question for how many are shown that say nothing of which: all others must be part of the label.
_IN_VIEW = frozenset(
    "appear appears appearing appeared available camera clip count detected displayed ever film frame frames footage "
    "image images instant many maximum moment most movie number once one picture pictures present recording "
    "same scene screen second seconds see seen shot show showing shown shows simultaneously single time together total "
    "totally video videos view visible minute minutes hour hours last first middle half start beginning end ending "
    "begin begins between during around".split()
)


class Tally(Record):
    """What was computed."""

    claims: tuple[Claim, ...] = Field(default=(), description="Each to be checked against its citations.")
    missing: tuple[str, ...] = Field(default=(), description="What occurs nowhere where it was looked for.")
    told: Text = Field(description="What was found, for the trace.")
    confidence: float = Field(default=0.0, ge=0, le=1, description="How literally that is what was asked for.")


def is_tallied(plan: Plan) -> bool:
    """Whether a plan's answer is computed from rows."""
    return plan.kind in ("count", "order", "compare") or (
        plan.kind == "needle" and not plan.is_moment and (plan.ordinal is not None or plan.place is not None)
    )


def tally(plan: Plan, search: Search, reader: Reader) -> Tally:
    """Compute the answer of a plan that `is_tallied`.

    Args:
        plan: What is counted, put in order, compared or placed, where and when.
        search: The library.
        reader: Scores what is not named as asked.

    Raises:
        LibraryError: A video's folder is damaged.
    """
    if plan.kind == "count":
        is_often = _TIMES.search(_without_phrases(plan))
        return _how_often(plan, search, reader) if is_often else _how_many(plan, search)
    if plan.kind == "order":
        return _in_order(plan, search, reader)
    if plan.kind == "compare":
        return _compared(plan, search, reader)
    if plan.place is not None:
        return _placed(plan, plan.place, search)
    return _nth(plan, search, reader)


def _without_phrases(plan: Plan) -> str:
    question = plan.question.casefold()
    for phrase in plan.phrases:
        question = question.replace(phrase.casefold(), " ")
    return question


def _how_often(plan: Plan, search: Search, reader: Reader) -> Tally:
    """One citation for each occurrence. What is only similar is not counted: how much more of it there is is unknown."""
    (subject, *_) = plan.subjects
    found = [one for one in occurrences(subject, plan, search, reader) if _has_words(one, plan)]
    if not found:
        return _nothing([subject])
    if not all(one.is_literal for one in found):
        return Tally(
            told=f"“{subject.query}” is not named as asked; {len(found)} times something similar is not counted"
        )
    claim = Claim(
        text=times_text(len(found)),
        verdict="unverified",
        citations=tuple(one.citation for one in found),
        basis="count",
    )
    videos = len({one.video_id for one in found})
    told = f"“{subject.query}” {times_text(len(found))}" + (f" in {videos} videos" if videos > 1 else "")
    return Tally(claims=(claim,), told=told, confidence=_LITERAL)


def _has_words(one: Occurrence, plan: Plan) -> bool:
    """Whether a quoted word is there as it is quoted, and in no other form: goals are not the word “goal”."""
    quoted = [word for phrase in plan.phrases for word in tokens(phrase) if not any(sign.isdigit() for sign in word)]
    return any(set(quoted) <= set(tokens(text)) for text in (one.citation.quote, *(e.text for e in one.evidence[1:])))


def _how_many(plan: Plan, search: Search) -> Tally:
    """The largest number of boxes that are in the picture together."""
    (subject, *_) = plan.subjects
    if untold := _untold(plan, subject):
        return Tally(told=f"boxes do not tell “{' '.join(untold)}”: {subject.query} were not counted")
    found = most_at_once(boxes_of(subject.model_copy(update={"modalities": ("object",)}), plan, search))
    if not found:
        return _nothing([subject])
    claim = Claim(
        text=at_once_text(found, found[0].text),
        verdict="unverified",
        citations=tuple(map(Citation.of, found)),
        basis="count",
    )
    in_one_frame = len({one.frame_seconds for one in found}) == 1
    return Tally(claims=(claim,), told=claim.text, confidence=_LITERAL if in_one_frame else _SIMILAR)


def _untold(plan: Plan, subject: Subject) -> list[str]:
    """Words of the question that say which are meant, or what they do: a label does not hold them."""
    known = {stem(canonical(word)) for term in subject.terms for word in tokens(term.text)}
    return [
        word
        for word in tokens(plan.question)
        if word not in STOP_WORDS | _IN_VIEW and not word[0].isdigit() and stem(canonical(word)) not in known
    ]


def _nth(plan: Plan, search: Search, reader: Reader) -> Tally:
    """The occurrence of that number in time, of each video by itself: there is no time that all videos share."""
    assert plan.ordinal is not None
    subject = Subject(query=plan.query, terms=plan.terms, modalities=plan.modalities)
    found = occurrences(subject, plan, search, reader)
    if not found:
        return _nothing([subject])
    by_video = _by_video(found)
    number = plan.ordinal if plan.ordinal < 0 else plan.ordinal - 1
    chosen = [ours[number] for ours in by_video.values() if -len(ours) <= number < len(ours)]
    told = ", ".join(f"{times_text(len(ours))} in {ours[0].evidence[0].name}" for ours in by_video.values())
    told = f"“{subject.query}” {told}; number {plan.ordinal} is asked for"
    claims = tuple(_quoting(one, plan) for one in chosen[:_MOST_VIDEOS])
    return Tally(claims=claims, told=told, confidence=_confidence(chosen))


def _in_order(plan: Plan, search: Search, reader: Reader) -> Tally:
    """What comes first, by the first occurrence of each in one video; by the last of each where the last is asked for."""
    number = -1 if plan.ordinal == -1 and _LAST.search(_without_phrases(plan)) else 0
    found = [_by_video(occurrences(subject, plan, search, reader)) for subject in plan.subjects]
    if missing := [subject for subject, ours in zip(plan.subjects, found, strict=True) if not ours]:
        return _nothing(missing)
    claims, chosen = [], []
    shared = [video_id for video_id in found[0] if all(video_id in ours for ours in found)]
    for video_id in shared:
        ordered = sorted((ours[video_id][number] for ours in found), key=lambda one: one.citation.start)
        cited = tuple(map(_whole_citation, ordered))
        if len({one.start for one in cited}) == len(cited):
            claims.append(
                Claim(
                    text=order_text([one.quote or f"a picture, {one.span}" for one in cited]),
                    verdict="unverified",
                    citations=cited,
                    basis="order",
                )
            )
            chosen += ordered
    if claims:
        return Tally(claims=tuple(claims[:_MOST_VIDEOS]), told=claims[0].text, confidence=_confidence(chosen))
    why = "begin at the same second" if shared else "occur in no video together"
    return Tally(told=f"all are found, but {why}: there is no order")


def _compared(plan: Plan, search: Search, reader: Reader) -> Tally:
    """The best quote for each, if there is one for each."""
    claims: list[Claim] = []
    scores: list[float] = []
    missing: list[Subject] = []
    for subject in plan.subjects:
        asked = plan.model_copy(
            update={
                "kind": "needle",
                "query": subject.query,
                "terms": subject.terms,
                "modalities": subject.modalities,
                "subjects": (),
                "more": (),
            }
        )
        scored = ranked(asked, retrieve(asked, search), search, reader)
        if quoted := quote_evidence(asked, scored, reader.threshold)[:1]:
            claims += quoted
            scores.append(scored[0].score)
        else:
            missing.append(subject)
    if missing:
        return _nothing(missing)
    told = f"each of {', '.join(f'“{subject.query}”' for subject in plan.subjects)} is found"
    return Tally(claims=tuple(dict.fromkeys(claims)), told=told, confidence=round(min(scores), 3))


def _placed(plan: Plan, place: Place, search: Search) -> Tally:
    """Where things lie, by their boxes: the first moments of a thing that is named, else one of each thing there is."""
    thing = place.thing
    asked = tuple(one for one in thing.modalities if one in plan.modalities) if not thing.terms else thing.modalities
    things = boxes_of(thing.model_copy(update={"modalities": asked}), plan, search)
    if not thing.terms and _WHO.match(plan.question):
        things = [one for one in things if one.text.casefold() == "person"]
    if not things:
        return _nothing([thing])
    if place.relation == "biggest" or place.relation == "smallest":
        return _foremost(place.relation, things)
    if place.other is None:
        return _on_side(place.relation, things, bool(thing.terms))
    others = boxes_of(place.other, plan, search)
    if not others:
        return _nothing([place.other])
    return _to_other(place.relation, things, others, bool(thing.terms))


def _to_other(relation: Relation, things: Sequence[Evidence], others: Sequence[Evidence], is_named: bool) -> Tally:
    if not is_to(relation):
        return Tally(told=f"{relation} is told of the picture, not of another thing")
    labels = {other.text for other in others}
    things = [one for one in things if is_named or one.text not in labels]
    found = pairs(things, others, relation)
    claims = [
        _claim(to_text(relation, one.text, other.text), [one, other]) for one, other, _ in _chosen(found, is_named)
    ]
    told = f"{len(things)} boxes beside {len(others)} of {', '.join(sorted(labels))}: {len(found)} pairs lie so"
    return Tally(claims=tuple(claims), told=told, confidence=_LITERAL if claims else 0.0)


def _on_side(relation: Relation, things: Sequence[Evidence], is_named: bool) -> Tally:
    if not is_side(relation):
        return Tally(told=f"{relation} is told of another thing, not of the picture")
    there = [Pair(one, one, moment([one])) for one in things if one.box and is_on_side(relation, one.box)]
    claims = [_claim(side_text(relation, one.text), [one]) for one, _, _ in _chosen(there, is_named)]
    told = f"{len(there)} of {len(things)} boxes stand there"
    return Tally(claims=tuple(claims), told=told, confidence=_LITERAL if claims else 0.0)


def _foremost(size: Size, things: Sequence[Evidence]) -> Tally:
    """The biggest or smallest box of one label that has others of it beside it: alone in its frame it is neither."""
    labels = {one.text.casefold() for one in things}
    if len(labels) > 1:
        return Tally(told=f"boxes of different things are not compared: {', '.join(sorted(labels))}")
    frames: dict[tuple[str, float], list[Evidence]] = {}
    for one in things:
        if one.frame_seconds is not None:
            frames.setdefault((one.video_id, one.frame_seconds), []).append(one)
    rows = [one for together in frames.values() if len(together) > 1 for one in together]
    if not rows:
        return Tally(told=f"no two boxes of {', '.join(labels)} are of one frame")
    first = rows[foremost(size, [one.box for one in rows if one.box])]
    together = [one for one in rows if (one.video_id, one.frame_seconds) == (first.video_id, first.frame_seconds)]
    claim = _claim(size_text(size, first.text), [first, *(one for one in together if one is not first)])
    told = f"the {size} of {len(together)} in its frame, and of {len(rows)} in all"
    return Tally(claims=(claim,), told=told, confidence=_LITERAL)


def _chosen(found: Sequence[Pair], is_named: bool) -> list[Pair]:
    """Of what lies so, what is told: of a thing that is named its first moments, else each label, the commonest first."""
    groups: dict[object, list[Pair]] = {}
    last, reach = -1, 0.0
    for pair in found:
        video_id = pair.one.video_id
        if is_named and (last < 0 or groups[last][-1].one.video_id != video_id or pair.span.start > reach):
            last, reach = last + 1, 0.0
        reach = max(reach, pair.span.end + spec_of(pair.one.modality).away_seconds)
        groups.setdefault(last if is_named else (video_id, pair.one.text.casefold()), []).append(pair)
    together = list(groups.values())
    if not is_named:
        together.sort(key=lambda ours: -len(ours))
    return [ours[0] for ours in together][:MOST_CLAIMS]


def _claim(text: str, boxes: Sequence[Evidence]) -> Claim:
    """A claim on boxes of one frame, at its second."""
    span = moment(boxes)
    cited = [Citation.of(one).model_copy(update={"start": span.start, "end": span.end}) for one in boxes]
    return Claim(text=text, verdict="unverified", citations=tuple(cited), basis="place")


def _quoting(one: Occurrence, plan: Plan) -> Claim:
    """A quote of what holds, at the second at which the words in question are said."""
    cited = _whole_citation(one)
    text = cited.quote or f"a picture of: {plan.query}"
    return Claim(text=text, verdict="unverified", citations=(cited,))


def _whole_citation(one: Occurrence) -> Citation:
    """The time of the words in question, and all of their sentence."""
    return one.citation.model_copy(update={"quote": one.evidence[0].text})


def _nothing(subjects: Sequence[Subject]) -> Tally:
    missing = tuple(subject.query for subject in subjects if subject.query)
    return Tally(missing=missing, told=f"nowhere: {', '.join(missing) or 'anything with a box'}")


def _by_video(found: Sequence[Occurrence]) -> dict[str, list[Occurrence]]:
    ours: dict[str, list[Occurrence]] = {}
    for one in found:
        ours.setdefault(one.video_id, []).append(one)
    return ours


def _confidence(found: Sequence[Occurrence]) -> float:
    return 0.0 if not found else min(_LITERAL if one.is_literal else _SIMILAR for one in found)
