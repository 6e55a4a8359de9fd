"""Answers that code computes from stored observations: how often, how many, in which order, and where in the picture.

Nothing is estimated. If a number, an order or a position is not certain, the answer has no claim, and the trace
reports what was found. A missing observation does not prove that something never happened.
"""

import re
from collections.abc import Sequence
from itertools import pairwise

from pydantic import Field

from ....index.localization.slides import slide_changes
from ....index.localization.spatial import Pair, Size, foremost, is_on_side, is_side, is_to, moment, most_at_once, pairs
from ....index.records import Evidence
from ....index.retrieval.search import Search
from ....tools.extractors.registry import spec_of
from ....tools.records import Record, Span, Text
from ....tools.words import STOP_WORDS, canonical, stem, tokens
from ...records import Citation, Claim, Place, Plan, Relation, Subject
from ..quotes import MOST_CLAIMS, quote_evidence
from ..ranking import ranked
from ..reader import Reader
from ..retrieval import retrieve
from ..scopes import scopes_of
from .lengths import MOST_COMPARED, length_claims
from .misheard import misheard
from .moving import moving_claims
from .occurrences import Occurrence, boxes_of, most_in_a_frame, occurrences, seconds_in_frames, speech_of
from .presence import seen_claims, speaking_claims
from .slides import MOST_VIDEOS, titled_slides
from .statements import (
    at_once_text,
    different_text,
    in_a_frame_text,
    number_of,
    order_text,
    side_text,
    size_text,
    slides_text,
    times_text,
    to_text,
)

__all__ = ["Tally", "is_tallied", "tally"]

# Confidence if a text contains the words of the question, and if the reader scored the evidence.
_LITERAL, _SIMILAR = 1.0, 0.8
# Most videos in the answer: the first ones by path with the requested occurrence.
_MOST_VIDEOS = 10

# Asks how often something happens, not how many things are visible "at the same time".
_TIMES = re.compile(
    r"\b(?:times|often|occurrences?|appearances?|mentions?|(?:each|every|all) (?:the )?time|how many (?:\w+ )?slides)\b",
    re.IGNORECASE,
)
_SLIDES = re.compile(r"\b(?:how many|number of|count of|count) (?:\w+ )?slides?\b", re.IGNORECASE)
_DIFFERENT = re.compile(r"\b(?:different|distinct|unique|individual)\b", re.IGNORECASE)
_MOST_CITED = 200
# Unsure words are read in at most this many videos: there is no index of how words sound.
_MOST_SCANNED = 10
# A number of boxes in one frame counts if frames have it for two samples of two seconds.
_SURE_SECONDS = 4.0
_WHO = re.compile(r"\s*who\b", re.IGNORECASE)
# Asks for the last of a kind, not which of two things began later.
_LAST = re.compile(r"\blast\b", re.IGNORECASE)
# Words of a "how many" question that do not describe the counted thing: all other words must be part of the label.
_IN_VIEW = frozenset(
    "appear appears appearing appeared available camera clip count detected displayed ever film frame frames footage "
    "image images instant many maximum moment most movie number once one picture pictures present recording "
    "same scene screen second seconds see seen shot show showing shown shows simultaneously single time together total "
    "totally video videos view visible minute minutes hour hours last first middle half start beginning end ending "
    "begin begins between during around different distinct unique individual".split()
)


class Tally(Record):
    """The result of a computation."""

    claims: tuple[Claim, ...] = Field(default=(), description="The claims, not yet checked against their citations.")
    missing: tuple[str, ...] = Field(default=(), description="The subjects that were not found.")
    summary: Text = Field(description="What was found, for the trace.")
    confidence: float = Field(
        default=0.0, ge=0, le=1, description="How sure the result is; higher if the words of the question were found."
    )


def is_tallied(plan: Plan) -> bool:
    """Whether the answer to a plan is computed from stored observations."""
    return (
        bool(plan.motion)
        or plan.kind in ("count", "order", "compare", "speaking", "seen", "length")
        or (plan.kind == "needle" and not plan.is_moment and (plan.ordinal is not None or plan.place is not None))
    )


def tally(plan: Plan, search: Search, reader: Reader) -> Tally:
    """Compute the answer of a plan that `is_tallied`.

    Args:
        plan: What is counted, ordered, compared or located, in which videos and spans.
        search: The library.
        reader: Scores evidence that does not contain the words of the question.

    Raises:
        LibraryError: A video's folder is damaged.
    """
    if plan.motion:
        claims = moving_claims(plan, search)
        missing = () if claims else (f"{plan.subjects[0].query} {plan.motion}".strip(),)
        summary = "; ".join(claim.text for claim in claims) or f"nothing {plan.motion}"
        return Tally(claims=tuple(claims), missing=missing, summary=summary, confidence=_LITERAL if claims else 0.0)
    if plan.kind == "count":
        if not plan.subjects[0].terms and _SLIDES.search(_without_phrases(plan)):
            return _all_slides(plan, search)
        is_often = _TIMES.search(_without_phrases(plan))
        return _how_often(plan, search, reader) if is_often else _how_many(plan, search)
    if plan.kind in ("speaking", "seen"):
        claims = speaking_claims(plan, search) if plan.kind == "speaking" else seen_claims(plan, search)
        summary = "; ".join(claim.text for claim in claims) or "nobody is recognised there"
        return Tally(claims=tuple(claims), summary=summary, confidence=_LITERAL if claims else 0.0)
    if plan.kind == "length":
        claims = length_claims(plan, search)
        summary = (
            "; ".join(claim.text for claim in claims)
            or f"no single video is the longest or shortest, or there are more than {MOST_COMPARED}"
        )
        return Tally(claims=tuple(claims), summary=summary, confidence=_LITERAL if claims else 0.0)
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
    """Count occurrences, with one citation each. Similar evidence is not counted: the list may be incomplete."""
    (subject, *_) = plan.subjects
    found = [one for one in occurrences(subject, plan, search, reader) if _has_words(one, plan)]
    if not found:
        return _nothing([subject])
    if not all(one.is_literal for one in found):
        return Tally(
            summary=f"“{subject.query}” does not occur in these words; similar moments, not counted: {len(found)}"
        )
    cited = [one.citation for one in found]
    if _SLIDES.search(_without_phrases(plan)):
        cited = [part for one in found for part in _on_slides(one, search)]
    doubtful = _misheard(subject, plan, search, found)
    text = times_text(len(cited), doubtful)
    claim = Claim(text=text, verdict="unverified", citations=(*cited, *doubtful), basis="count")
    videos = len({one.video_id for one in found})
    summary = f"“{subject.query}” {text}" + (f" in {videos} videos" if videos > 1 else "")
    return Tally(claims=(claim,), summary=summary, confidence=_LITERAL if not doubtful else _SIMILAR)


def _all_slides(plan: Plan, search: Search) -> Tally:
    """Count the slides with titles, in videos that they fill by half or more. Lines that are added belong to the same slide."""
    scopes = {scope.video_id: scope.span for scope in scopes_of(plan, search) or ()}
    among = plan.video_ids if plan.video_ids is not None else tuple(search.records)
    if len(among) > MOST_VIDEOS:
        return Tally(summary=f"slides are counted in {MOST_VIDEOS} videos at most: name some")
    claims = []
    for video_id in sorted(among, key=lambda one: search.records[one].paths):
        within = scopes.get(video_id) or plan.between
        slides = titled_slides(video_id, search)
        titles = tuple(Citation.of(title) for span, title in slides if within is None or span.overlap(within) > 0)
        if titles:
            claims.append(Claim(text=slides_text(titles), verdict="unverified", citations=titles, basis="count"))
    if not claims:
        return Tally(summary="slides with titles fill half of no video")
    summary = "; ".join(claim.text for claim in claims)
    return Tally(claims=tuple(claims[:_MOST_VIDEOS]), summary=summary, confidence=_LITERAL)


def _misheard(subject: Subject, plan: Plan, search: Search, found: Sequence[Occurrence]) -> list[Citation]:
    """Return where a word that is only spoken may have been said and was not recognised, in the videos that have it."""
    wanted = [term for term in subject.terms if term.required]
    videos = list(dict.fromkeys(one.video_id for one in found))
    if len(wanted) != 1 or len(videos) > _MOST_SCANNED or any(one.citation.modality != "speech" for one in found):
        return []
    rows = speech_of(plan, videos, search)
    if plan.speaker:
        rows = [one for one in search.attributed(rows) if one.speaker == plan.speaker]
    return misheard(wanted[0], rows)


def _on_slides(one: Occurrence, search: Search) -> list[Citation]:
    """Return one citation for each slide that shows the words: a line may stay while the slide below it changes."""
    cited = one.citation
    if cited.modality != "text":
        return [cited]
    counted = {evidence.evidence_id for evidence in one.evidence}
    around = search.of_video(one.video_id, ["text"], Span(start=one.start, end=one.end))
    changes = slide_changes([row.span for row in around if row.evidence_id not in counted])
    edges = [cited.start, *(second for second in changes if cited.start < second < cited.end), cited.end]
    return [cited.model_copy(update={"start": start, "end": end}) for start, end in pairwise(edges)]


def _has_words(one: Occurrence, plan: Plan) -> bool:
    """Whether a text contains a quoted word in exactly this form: “goals” is not the word “goal”."""
    quoted = [word for phrase in plan.phrases for word in tokens(phrase) if not any(sign.isdigit() for sign in word)]
    return any(set(quoted) <= set(tokens(text)) for text in (one.citation.quote, *(e.text for e in one.evidence[1:])))


def _how_many(plan: Plan, search: Search) -> Tally:
    """Return the largest number of boxes that are visible at the same time."""
    (subject, *_) = plan.subjects
    terms = tuple(term for term in subject.terms if not _DIFFERENT.fullmatch(term.text))
    subject = subject.model_copy(update={"terms": terms})
    if unknown := _beyond_label(plan, subject):
        return Tally(summary=f"boxes do not show “{' '.join(unknown)}”: {subject.query} were not counted")
    boxes = boxes_of(subject.model_copy(update={"modalities": ("object",)}), plan, search)
    if not boxes:
        return _nothing([subject])
    frame = most_in_a_frame(plan, boxes, search)
    if _DIFFERENT.search(plan.question):
        is_sure = frame is None or seconds_in_frames(frame, plan, search) >= _SURE_SECONDS
        return _how_many_different(boxes, frame, is_sure=is_sure)
    if frame is not None:
        text = in_a_frame_text(frame.text)
        claim = Claim(text=text, verdict="unverified", citations=(Citation.of(frame),), basis="count")
        return Tally(claims=(claim,), summary=text, confidence=_LITERAL)
    found = most_at_once(boxes)
    claim = Claim(
        text=at_once_text(found, found[0].text),
        verdict="unverified",
        citations=tuple(map(Citation.of, found)),
        basis="count",
    )
    in_one_frame = len({one.frame for one in found}) == 1
    return Tally(claims=(claim,), summary=claim.text, confidence=_LITERAL if in_one_frame else _SIMILAR)


def _how_many_different(boxes: Sequence[Evidence], frame: Evidence | None, *, is_sure: bool) -> Tally:
    """Count different things: at least those of one frame, at most the tracks; exact only where both are equal.

    A track ends where a thing is hidden or a shot ends, so one thing may have several. A number that frames show only briefly is not
    relied on: detectors find one thing twice in single frames.
    """
    label, tracks = boxes[0].text, len(boxes)
    least = number_of(frame.text) if frame is not None and is_sure else 1
    videos = len({one.video_id for one in boxes})
    if least != tracks or not is_sure or tracks > _MOST_CITED or videos > 1:
        why = f" in {videos} videos" if videos > 1 else ""
        return Tally(
            summary=f"at least {least}, at most {tracks} different{why}: {label}; which tracks are the same is not known"
        )
    claim = Claim(
        text=different_text(least, label),
        verdict="unverified",
        citations=tuple(Citation.of(one) for one in ([frame] if frame is not None else []) + list(boxes)),
        basis="count",
    )
    return Tally(claims=(claim,), summary=claim.text, confidence=_LITERAL)


def _beyond_label(plan: Plan, subject: Subject) -> list[str]:
    """Return the words of the question about attributes or actions, which a detector's label does not contain."""
    known = {stem(canonical(word)) for term in subject.terms for word in tokens(term.text)}
    return [
        word
        for word in tokens(plan.question)
        if word not in STOP_WORDS | _IN_VIEW and not word[0].isdigit() and stem(canonical(word)) not in known
    ]


def _nth(plan: Plan, search: Search, reader: Reader) -> Tally:
    """Return the nth occurrence of each video; videos are counted separately, because they share no timeline."""
    assert plan.ordinal is not None
    subject = Subject(query=plan.query, terms=plan.terms, modalities=plan.modalities)
    found = occurrences(subject, plan, search, reader)
    if not found:
        return _nothing([subject])
    by_video = _by_video(found)
    number = plan.ordinal if plan.ordinal < 0 else plan.ordinal - 1
    chosen = [ours[number] for ours in by_video.values() if -len(ours) <= number < len(ours)]
    summary = ", ".join(f"{times_text(len(ours))} in {ours[0].evidence[0].name}" for ours in by_video.values())
    summary = f"“{subject.query}” {summary}; the question asks for number {plan.ordinal}"
    claims = tuple(_quoting(one, plan) for one in chosen[:_MOST_VIDEOS])
    return Tally(claims=claims, summary=summary, confidence=_confidence(chosen))


def _in_order(plan: Plan, search: Search, reader: Reader) -> Tally:
    """Order the subjects by their first occurrence in one video, or by their last one if the question asks for the last."""
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
        return Tally(claims=tuple(claims[:_MOST_VIDEOS]), summary=claims[0].text, confidence=_confidence(chosen))
    why = "begin at the same second" if shared else "occur in no video together"
    return Tally(summary=f"all are found, but {why}: there is no order")


def _compared(plan: Plan, search: Search, reader: Reader) -> Tally:
    """Return the best quote for each subject, if every subject has one."""
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
    summary = f"each of {', '.join(f'“{subject.query}”' for subject in plan.subjects)} is found"
    return Tally(claims=tuple(dict.fromkeys(claims)), summary=summary, confidence=round(min(scores), 3))


def _placed(plan: Plan, place: Place, search: Search) -> Tally:
    """Locate things by their boxes: the first moments of a named thing, otherwise one moment of each label."""
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
        return Tally(summary=f"{relation} is a position in the picture, not one relative to another thing")
    labels = {other.text for other in others}
    things = [one for one in things if is_named or one.text not in labels]
    found = pairs(things, others, relation)
    claims = [
        _claim(to_text(relation, one.text, other.text), [one, other]) for one, other, _ in _chosen(found, is_named)
    ]
    summary = (
        f"{len(things)} boxes compared with {len(others)} of {', '.join(sorted(labels))}: {len(found)} pairs match"
    )
    return Tally(claims=tuple(claims), summary=summary, confidence=_LITERAL if claims else 0.0)


def _on_side(relation: Relation, things: Sequence[Evidence], is_named: bool) -> Tally:
    if not is_side(relation):
        return Tally(summary=f"{relation} is a position relative to another thing, not one in the picture")
    there = [Pair(one, one, moment([one])) for one in things if one.box and is_on_side(relation, one.box)]
    claims = [_claim(side_text(relation, one.text), [one]) for one, _, _ in _chosen(there, is_named)]
    summary = f"{len(there)} of {len(things)} boxes are there"
    return Tally(claims=tuple(claims), summary=summary, confidence=_LITERAL if claims else 0.0)


def _foremost(size: Size, things: Sequence[Evidence]) -> Tally:
    """Return the biggest or smallest box of one label; a frame with only one box of the label does not count."""
    labels = {one.text.casefold() for one in things}
    if len(labels) > 1:
        return Tally(summary=f"boxes of different things are not compared: {', '.join(sorted(labels))}")
    frames: dict[tuple[str, int | None, float | None], list[Evidence]] = {}
    for one in things:
        if one.frame_seconds is not None:
            frames.setdefault(one.frame, []).append(one)
    rows = [one for together in frames.values() if len(together) > 1 for one in together]
    if not rows:
        return Tally(summary=f"no frame has two boxes of {', '.join(labels)}")
    first = rows[foremost(size, [one.box for one in rows if one.box])]
    together = [one for one in rows if one.frame == first.frame]
    claim = _claim(size_text(size, first.text), [first, *(one for one in together if one is not first)])
    summary = f"the {size} of {len(together)} in its frame, and of {len(rows)} in all"
    return Tally(claims=(claim,), summary=summary, confidence=_LITERAL)


def _chosen(found: Sequence[Pair], is_named: bool) -> list[Pair]:
    """Choose the boxes to report: the first moments of a named thing, otherwise one per label, the most frequent first."""
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
    """Quote the evidence of an occurrence, at the time of the matched words."""
    cited = _whole_citation(one)
    text = cited.quote or f"a picture of: {plan.query}"
    return Claim(text=text, verdict="unverified", citations=(cited,))


def _whole_citation(one: Occurrence) -> Citation:
    """Cite the whole sentence, with the time of the matched words."""
    return one.citation.model_copy(update={"quote": one.evidence[0].text})


def _nothing(subjects: Sequence[Subject]) -> Tally:
    missing = tuple(subject.query for subject in subjects if subject.query)
    return Tally(missing=missing, summary=f"not found: {', '.join(missing) or 'anything with a box'}")


def _by_video(found: Sequence[Occurrence]) -> dict[str, list[Occurrence]]:
    ours: dict[str, list[Occurrence]] = {}
    for one in found:
        ours.setdefault(one.video_id, []).append(one)
    return ours


def _confidence(found: Sequence[Occurrence]) -> float:
    return 0.0 if not found else min(_LITERAL if one.is_literal else _SIMILAR for one in found)
