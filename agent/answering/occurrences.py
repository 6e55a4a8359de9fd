"""Every moment at which something is said, written or shown: all that the index holds, not the best of it.

Retrieval ranks; to count, to put in order or to tell the second from the last, nothing may be left out. So all
different texts of a stretch are read, which is quick: they are few beside the moments at which they are seen.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from pydantic import Field

from ...index.records import Evidence
from ...index.retrieval.search import Search
from ...tools.extractors.registry import boxed, labels, sentences, spec_of
from ...tools.records import Modality, Record, Seconds, Span
from ..question.scopes import scopes_of
from ..records import Citation, Plan, Subject
from .labels import labels_of
from .quotes import cite_words
from .support import Support, mentions, supports, texts_with

__all__ = ["Occurrence", "boxes_of", "occurrences"]

# Sentences and lines in which something alike is looked for, of each kind: to embed every word of an hour took 20 s.
MOST_ALIKE = 50

# Videos, and a stretch of each; None: all.
_Stretch = tuple[tuple[str, ...] | None, Span | None]


class Occurrence(Record):
    """One moment of one video at which something occurs."""

    video_id: str = Field(description="The video's content hash.")
    start: Seconds = Field(description="First second: of the words in question, where their times are known.")
    end: Seconds = Field(description="First second after it.")
    evidence: tuple[Evidence, ...] = Field(description="What shows it, the surest first.")
    citation: Citation = Field(description="Of the first evidence; of speech, the words in question.")
    is_literal: bool = Field(
        description="Whether it is named as asked, or by the only label that means it; not by something that is alike."
    )


@dataclass(frozen=True)
class _Item:
    """One evidence of an occurrence; of speech, one mention: the `number`th of its sentence."""

    support: Support
    citation: Citation
    number: int = 0

    @property
    def evidence(self) -> Evidence:
        return self.support.evidence


def occurrences(subject: Subject, plan: Plan, search: Search) -> list[Occurrence]:
    """All occurrences of a subject, by video and time.

    It occurs where evidence holds (`support.supports`) all that it is about, itself or in the same breath. Where
    nothing is named as asked, what only means the same counts, but of words only in what retrieval ranks highest:
    such occurrences (`is_literal` is false) need not be all there are. Each mention in speech is an occurrence, also a second
    one in the same sentence; what is seen is one as long as it is in view, whatever it is seen by; and what is said
    of a thing while it is seen belongs to that.

    Args:
        subject: What occurs, and where it is perceived.
        plan: In which videos, and when.
        search: The library.

    Raises:
        LibraryError: A video's folder is damaged.
    """
    if not any(term.required for term in subject.terms):
        return []
    stretches = _stretches(plan, search)
    held: list[Support] = []
    for group in (sentences(), labels()):  # words are looked for in words, things in pictures
        among = tuple(modality for modality in group if modality in subject.modalities)
        named = _held(subject, among, stretches, search)
        held += named or _held(subject, among, stretches, search, by_meaning=True)
    items = [item for support in held for item in _items(subject, support) if _lies_in(item.citation, stretches)]
    found = [_occurrence(together) for together in _together(items)]
    return sorted(found, key=lambda one: (one.citation.video, one.video_id, one.start, one.end))


def boxes_of(subject: Subject, plan: Plan, search: Search) -> list[Evidence]:
    """All boxes of a thing, by video and time: as the detector names it; of what is only written, lines of text.

    Args:
        subject: The thing, and where it is perceived; without terms, whatever has a box.
        plan: In which videos, and when.
        search: The library.

    Raises:
        LibraryError: A video's folder is damaged.
    """
    stretches = _stretches(plan, search)
    modality = next((one for one in boxed() if one in subject.modalities), None)
    if modality is None:
        return []
    found: dict[str, Evidence] = {}
    if modality == "text" and subject.terms:
        found = {one.evidence.evidence_id: one.evidence for one in _held(subject, ("text",), stretches, search)}
    else:
        for video_ids, span in stretches:
            labels = search.texts(modality, video_ids, span)
            labels = labels_of(subject, labels, search.embed) if subject.terms else labels
            rows = search.with_texts(labels, modality, video_ids, span) if labels else []
            found |= {one.evidence_id: one for one in rows}
    in_place = [one for one in found.values() if one.box]
    return sorted(in_place, key=lambda one: (one.video, one.video_id, one.start))


def _stretches(plan: Plan, search: Search) -> list[_Stretch]:
    scopes = scopes_of(plan, search)
    if scopes is None:
        return [(plan.video_ids, plan.between)]
    return [((scope.video_id,), scope.span) for scope in scopes]


def _lies_in(cited: Citation, stretches: Iterable[_Stretch]) -> bool:
    return any(
        (video_ids is None or cited.video_id in video_ids) and (span is None or cited.span.overlap(span) > 0)
        for video_ids, span in stretches
    )


def _held(
    subject: Subject,
    modalities: tuple[Modality, ...],
    stretches: Iterable[_Stretch],
    search: Search,
    *,
    by_meaning: bool = False,
) -> list[Support]:
    """All evidence that holds for a subject: what is named as asked, or, by meaning, also what is alike."""
    rows: dict[str, Evidence] = {}
    labelled: dict[str, Support] = {}
    for video_ids, span in stretches:
        for modality in modalities:
            found: list[Evidence] = []
            words = None if by_meaning or modality not in sentences() else _words_of(subject)
            texts = [] if by_meaning and modality in sentences() else search.texts(modality, video_ids, span, words)
            if by_meaning and modality in sentences():
                found = search.find(subject.query, MOST_ALIKE, (modality,), video_ids, span)
            elif modality == "object" and not by_meaning:
                if labels := labels_of(subject, texts, search.embed):
                    boxes = search.with_texts(labels, modality, video_ids, span)
                    labelled |= {one.evidence_id: Support(one, literal=subject.terms) for one in boxes}
            elif texts := texts_with(subject.terms, texts, search.embed if by_meaning else None):
                found = search.with_texts(texts, modality, video_ids, span)
            if by_meaning and modality == "frame":
                found += search.similar(subject.query, modality, video_ids, span)
            rows |= {one.evidence_id: one for one in found}
    asked = Plan(question=subject.query, query=subject.query, terms=subject.terms, modalities=modalities)
    judged: list[Support] = []
    if rows and by_meaning:
        judged = supports(asked, list(rows.values()), search.embed, search.nearby, search.shows)
    elif rows:
        judged = supports(asked, list(rows.values()), lambda _: None, search.nearby, lambda *_: False)
    return [*labelled.values(), *(support for support in judged if support.holds)]


def _words_of(subject: Subject) -> str:
    """The words of which a text must contain one: also neighbours written as one word."""
    required = [term.text for term in subject.terms if term.required]
    joined = [one.text + other.text for one, other in pairwise(subject.terms)]
    return " ".join([*required, *joined])


def _items(subject: Subject, support: Support) -> list[_Item]:
    """An evidence once; a sentence once for each time that it names the subject as asked."""
    evidence = support.evidence
    if evidence.modality == "speech" and not support.alike and not support.topic:
        words = [word.text for word in evidence.words] or evidence.text.split()
        named = [mentions(term, words) for term in subject.terms if term.required]
        cited = [_mention(evidence, words, *place) for place in min(named, key=len)]
        if cited:
            return [_Item(support, citation, number) for number, citation in enumerate(cited)]
    return [_Item(support, Citation.of(evidence))]


def _mention(evidence: Evidence, words: Sequence[str], first: int, last: int) -> Citation:
    narrow = cite_words(evidence, first, last) if evidence.words else None
    return narrow or Citation.of(evidence).model_copy(update={"quote": " ".join(words[first:last])})


def _together(items: Sequence[_Item]) -> list[list[_Item]]:
    """Items that are one occurrence, together."""
    merge_detections = _Joined(len(items))
    by_time = sorted(range(len(items)), key=lambda n: (items[n].evidence.video_id, items[n].citation.start))
    seen = [number for number in by_time if items[number].evidence.modality != "speech"]
    spoken = [number for number in by_time if items[number].evidence.modality == "speech"]
    _join_seen(items, seen, merge_detections)
    _join_spoken(items, spoken, merge_detections)
    _join_said_while_seen(items, spoken, seen, merge_detections)
    together: dict[int, list[_Item]] = {}
    for number, item in enumerate(items):
        together.setdefault(merge_detections.root(number), []).append(item)
    return list(together.values())


class _Joined:
    """Which numbers belong together (Tarjan 1975, disjoint sets)."""

    def __init__(self, count: int) -> None:
        self._above = list(range(count))

    def root(self, number: int) -> int:
        """The number that stands for all that belong to this one."""
        while self._above[number] != number:
            self._above[number] = self._above[self._above[number]]
            number = self._above[number]
        return number

    def join(self, one: int, other: int) -> None:
        """Let two belong together, and all that belong to them."""
        self._above[self.root(other)] = self.root(one)


def _join_seen(items: Sequence[_Item], seen: Sequence[int], merge_detections: _Joined) -> None:
    """What is seen, as long as it is in view."""
    last, reach = -1, 0.0
    for number in seen:
        one = items[number].evidence
        if last >= 0 and items[last].evidence.video_id == one.video_id and one.start <= reach:
            merge_detections.join(last, number)
        else:
            reach = 0.0
        last, reach = number, max(reach, one.end + spec_of(one.modality).away_seconds)


def _join_spoken(items: Sequence[_Item], spoken: Sequence[int], merge_detections: _Joined) -> None:
    """A sentence and the one beside it that it takes a word from; and one that stands twice at the same time."""
    of_evidence = {items[number].evidence.evidence_id: number for number in spoken}
    latest: dict[tuple[str, str, int], int] = {}
    for number in spoken:
        item = items[number]
        for other in item.support.context:
            if other.evidence_id in of_evidence:
                merge_detections.join(number, of_evidence[other.evidence_id])
        same = (item.evidence.video_id, item.evidence.text.casefold(), item.number)
        if same in latest and item.evidence.start < items[latest[same]].evidence.end:
            merge_detections.join(latest[same], number)
        latest[same] = number


def _join_said_while_seen(
    items: Sequence[_Item], spoken: Sequence[int], seen: Sequence[int], merge_detections: _Joined
) -> None:
    views: dict[str, list[tuple[float, float, int]]] = {}
    for number in seen:
        one, views_of = items[number].evidence, views.setdefault(items[number].evidence.video_id, [])
        if views_of and merge_detections.root(views_of[-1][2]) == merge_detections.root(number):
            start, end, _ = views_of.pop()
            views_of.append((start, max(end, one.end), number))
        else:
            views_of.append((one.start, one.end, number))
    for number in spoken:
        cited, views_of = items[number].citation, views.get(items[number].evidence.video_id, [])
        place = bisect_right(views_of, (cited.end,)) - 1
        while place >= 0 and views_of[place][1] > cited.start:
            if views_of[place][0] < cited.end:
                merge_detections.join(views_of[place][2], number)
            place -= 1


def _occurrence(items: Sequence[_Item]) -> Occurrence:
    order = [*sentences(), *labels()]
    best = sorted(
        items, key=lambda one: (bool(one.support.alike), order.index(one.evidence.modality), one.citation.start)
    )
    return Occurrence(
        video_id=best[0].evidence.video_id,
        start=min(one.citation.start for one in best),
        end=max(one.citation.end for one in best),
        evidence=tuple({one.evidence.evidence_id: one.evidence for one in best}.values()),
        citation=best[0].citation,
        is_literal=not best[0].support.alike,
    )
