"""Occurrences: every moment at which something is said, written or shown.

Retrieval ranks and returns only the best results; counting, ordering and "the second time" need all moments. So
every distinct text of the span is read. This is fast, because many observations share the same text.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from pydantic import Field

from ....index.records import Evidence
from ....index.retrieval.search import Search
from ....tools.extractors.registry import boxed, labels, sentences, spec_of
from ....tools.records import Modality, Record, Seconds, Span
from ....tools.words import tokens
from ...records import Citation, Plan, Subject
from ..matching import held_terms, mentions, same_words, texts_with
from ..quotes import cite_words
from ..ranking import ranked
from ..reader import Reader
from ..scopes import scopes_of
from .statements import number_of

__all__ = ["Occurrence", "boxes_of", "most_in_a_frame", "occurrences", "same_labels", "seconds_in_frames", "speech_of"]

# If no text contains the words of the question, the reader scores this many retrieved results of each modality.
MOST_SIMILAR = 50
# A neighbouring sentence within this many seconds may complete a sentence ("Now to the budget. It grew for travel.").
CONTEXT_SECONDS = 5.0
# A detector's label means the same as another word only if it is this similar (phone – cell phone 0.90, sofa – couch 0.89,
# bike – bicycle 0.94) and no other label is nearly so (vehicle – car 0.91, but truck 0.79).
_SURE, _DOUBTFUL = 0.85, 0.7
# MiniLM separates synonyms from words of one kind better in this sentence: area under the curve 0.83 against 0.72.
_ASKED_AS = "a synonym for {}"

# Videos with a span of each; None: the whole video.
_Stretch = tuple[tuple[str, ...] | None, Span | None]


class Occurrence(Record):
    """One moment of one video at which something occurs."""

    video_id: str = Field(description="The video's content hash.")
    start: Seconds = Field(description="First second; of the matched words if their times are known.")
    end: Seconds = Field(description="First second after it.")
    evidence: tuple[Evidence, ...] = Field(description="The evidence for it, the most confident first.")
    citation: Citation = Field(description="Text of the first evidence; of speech only the matched words.")
    is_literal: bool = Field(
        description="Whether a text contains the words of the question, or the only label with this meaning; False: the reader scored it."
    )


@dataclass(frozen=True)
class _Hit:
    """Evidence for the subject, with the neighbours that complete it."""

    evidence: Evidence
    context: tuple[Evidence, ...] = ()
    is_literal: bool = True


@dataclass(frozen=True)
class _Item:
    """One piece of evidence of an occurrence; of speech one mention, the `number`th in its sentence."""

    hit: _Hit
    citation: Citation
    number: int = 0

    @property
    def evidence(self) -> Evidence:
        return self.hit.evidence


def occurrences(subject: Subject, plan: Plan, search: Search, reader: Reader) -> list[Occurrence]:
    """Return all occurrences of a subject, by video and time.

    The subject occurs where evidence, together with the sentences next to it, contains all terms literally. Names,
    numbers and codes must be in the evidence itself. If no text contains the terms, the results that the reader scores
    as an answer count: such occurrences (`is_literal` is false) may be incomplete. Each mention in speech is an
    occurrence, also a second one in the same sentence. A visible thing is one occurrence as long as it is in view;
    speech about the thing during that time belongs to the same occurrence.

    Args:
        subject: What occurs, and in which modalities.
        plan: Which videos, and which span of each.
        search: The library.
        reader: Scores evidence that does not contain the words of the question.

    Raises:
        LibraryError: The folder of a video is damaged.
    """
    if not any(term.required for term in subject.terms):
        return []
    stretches = _stretches(plan, search)
    hits: list[_Hit] = []
    for group in (sentences(), labels()):  # words are searched in text, things in pictures
        among = tuple(modality for modality in group if modality in subject.modalities)
        named = _named(subject, among, stretches, search)
        hits += named or _similar(subject, among, stretches, search, reader)
    if plan.speaker:
        hits = [hit for hit in hits if search.attributed([hit.evidence])[0].speaker == plan.speaker]
    items = [item for hit in hits for item in _items(subject, hit) if _lies_in(item.citation, stretches)]
    found = [_occurrence(together) for together in _together(items)]
    return sorted(found, key=lambda one: (one.citation.video, one.video_id, one.start, one.end))


def speech_of(plan: Plan, video_ids: Sequence[str], search: Search) -> list[Evidence]:
    """Return all speech of some videos in the plan's spans, by video and time.

    Args:
        plan: Which videos, and which span of each.
        video_ids: Of the plan's videos, only these.
        search: The library.
    """
    found: dict[str, Evidence] = {}
    for among, span in _stretches(plan, search):
        for video_id in video_ids:
            if among is None or video_id in among:
                found |= {one.evidence_id: one for one in search.of_video(video_id, ["speech"], span)}
    return list(found.values())


def boxes_of(subject: Subject, plan: Plan, search: Search) -> list[Evidence]:
    """Return all boxes of a thing, by video and time: detected objects, or lines of text if the thing is only written.

    Args:
        subject: The thing, and its modalities; without terms every observation with a box counts.
        plan: Which videos, and which span of each.
        search: The library.

    Raises:
        LibraryError: The folder of a video is damaged.
    """
    stretches = _stretches(plan, search)
    modality = next((one for one in boxed() if one in subject.modalities), None)
    if modality is None:
        return []
    found: dict[str, Evidence] = {}
    if modality == "text" and subject.terms:
        found = {one.evidence.evidence_id: one.evidence for one in _named(subject, ("text",), stretches, search)}
    else:
        for video_ids, span in stretches:
            labels = search.texts(modality, video_ids, span)
            labels = same_labels(subject, labels, search) if subject.terms else labels
            rows = search.with_texts(labels, modality, video_ids, span) if labels else []
            found |= {one.evidence_id: one for one in rows}
    in_place = [one for one in found.values() if one.box]
    return sorted(in_place, key=lambda one: (one.video, one.video_id, one.start))


def most_in_a_frame(plan: Plan, boxes: Sequence[Evidence], search: Search) -> Evidence | None:
    """Return the frame with the most boxes of these labels, the earliest of them; None: no frame has two.

    Args:
        plan: Which videos, and which span of each.
        boxes: The boxes of the things, of which the labels count.
        search: The library.
    """
    wanted = {one.text.casefold() for one in boxes}
    found: list[Evidence] = []
    for video_ids, span in _stretches(plan, search):
        texts = [t for t in search.texts("number", video_ids, span) if t.partition(" ")[2].casefold() in wanted]
        found += search.with_texts(texts, "number", video_ids, span) if texts else []
    return min(found, key=lambda one: (-number_of(one.text), one.video, one.start), default=None)


def seconds_in_frames(number: Evidence, plan: Plan, search: Search) -> float:
    """Return for how many seconds frames have this number of boxes, in all of the plan's videos and spans.

    Args:
        number: From `most_in_a_frame`.
        plan: Which videos, and which span of each.
        search: The library.
    """
    rows = [
        one for ids, span in _stretches(plan, search) for one in search.with_texts([number.text], "number", ids, span)
    ]
    return sum(one.end - one.start for one in rows)


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


def _named(
    subject: Subject, modalities: tuple[Modality, ...], stretches: Iterable[_Stretch], search: Search
) -> list[_Hit]:
    """Return all evidence that contains the terms of the subject."""
    hits: dict[str, _Hit] = {}
    for video_ids, span in stretches:
        for modality in modalities:
            words = _words_of(subject) if modality in sentences() else None
            texts = search.texts(modality, video_ids, span, words)
            if modality in labels() and modality in boxed():
                named = same_labels(subject, texts, search)
                rows = search.with_texts(named, modality, video_ids, span) if named else []
                hits |= {one.evidence_id: _Hit(one) for one in rows}
            elif texts := [text for text in texts_with(subject.terms, texts) if _may_name(subject, text, modality)]:
                rows = search.with_texts(texts, modality, video_ids, span)
                hits |= {hit.evidence.evidence_id: hit for one in rows if (hit := _literal_hit(subject, one, search))}
    return list(hits.values())


def _may_name(subject: Subject, text: str, modality: Modality) -> bool:
    """Whether a text may name the subject: the last word of a label says what it is, so a "book jacket" is not a book.

    A label may have several names: "Male speech, man speaking".
    """
    if modality not in labels():
        return True
    wanted = [term for term in subject.terms if term.required]
    words = [word for term in wanted for word in tokens(term.text)]
    names = [tokens(name) for name in text.split(",")]
    return any(held_terms(wanted, " ".join(name[-1:])) or same_words(words, name) for name in names)


def _literal_hit(subject: Subject, evidence: Evidence, search: Search) -> _Hit | None:
    wanted = [term for term in subject.terms if term.required]
    own = held_terms(wanted, evidence.text)
    left = [term for term in wanted if term not in own]
    if not own or any(term.exact for term in left) or len(left) > len(own):
        return None
    context: list[Evidence] = []
    for other in search.nearby(evidence, CONTEXT_SECONDS) if left else ():
        if held := held_terms(left, other.text):
            context.append(other)
            left = [term for term in left if term not in held]
    return None if left else _Hit(evidence, tuple(context))


def _similar(
    subject: Subject, modalities: tuple[Modality, ...], stretches: Iterable[_Stretch], search: Search, reader: Reader
) -> list[_Hit]:
    """Return the retrieved evidence that the reader scores as an answer; for pictures the image encoder decides."""
    if any(term.exact for term in subject.terms):
        return []
    asked = Plan(question=subject.query, query=subject.query, terms=subject.terms, modalities=modalities)
    rows: dict[str, Evidence] = {}
    for video_ids, span in stretches:
        for modality in modalities:
            if spec_of(modality).cited_as == "picture":
                shown = search.similar(subject.query, modality, video_ids, span)
                rows |= {one.evidence_id: one for one in shown if search.shows(subject.query, one)}
            elif modality in sentences():
                found = search.find(subject.query, MOST_SIMILAR, (modality,), video_ids, span)
                scored = ranked(asked, found, search, reader)
                rows |= {one.evidence.evidence_id: one.evidence for one in scored if one.score >= reader.threshold}
    return [_Hit(one, is_literal=False) for one in rows.values()]


def _words_of(subject: Subject) -> str | None:
    """Return the words of which a text must contain at least one, also neighbours joined into one word; None: no filter.

    The index stores numbers as they are written; "12" may be written as "twelve".
    """
    required = [term.text for term in subject.terms if term.required]
    if any(text.isdigit() for text in required):
        return None
    joined = [one.text + other.text for one, other in pairwise(subject.terms)]
    return " ".join([*required, *joined])


def same_labels(subject: Subject, known: Sequence[str], search: Search) -> list[str]:
    """Return the detector's labels with the meaning of a thing: a "hot dog" is not a "dog", a "cell phone" is a phone."""
    wanted = [word for term in subject.terms if term.required for word in tokens(term.text)]
    same = [label for label in known if same_words(wanted, tokens(label))]
    if same or not known or len(wanted) != 1 or any(term.exact for term in subject.terms):
        return same
    vectors = search.embed([_ASKED_AS.format(one) for one in (wanted[0], *known)])
    if vectors is None:
        return []
    ordered = sorted(zip((vectors[1:] @ vectors[0]).tolist(), known, strict=True), reverse=True)
    is_sure = ordered[0][0] >= _SURE and all(cosine < _DOUBTFUL for cosine, _ in ordered[1:])
    return [ordered[0][1]] if is_sure else []


def _items(subject: Subject, hit: _Hit) -> list[_Item]:
    """Return one item per evidence; for a sentence one item per mention of the subject."""
    evidence = hit.evidence
    if evidence.modality == "speech" and hit.is_literal and not hit.context:
        words = [word.text for word in evidence.words] or evidence.text.split()
        named = [mentions(term, words) for term in subject.terms if term.required]
        cited = [_mention(evidence, words, *place) for place in min(named, key=len)]
        if cited:
            return [_Item(hit, citation, number) for number, citation in enumerate(cited)]
    return [_Item(hit, Citation.of(evidence))]


def _mention(evidence: Evidence, words: Sequence[str], first: int, last: int) -> Citation:
    narrow = cite_words(evidence, first, last) if evidence.words else None
    return narrow or Citation.of(evidence).model_copy(update={"quote": " ".join(words[first:last])})


def _together(items: Sequence[_Item]) -> list[list[_Item]]:
    """Group the items of one occurrence."""
    disjoint = _DisjointSets(len(items))
    by_time = sorted(range(len(items)), key=lambda n: (items[n].evidence.video_id, items[n].citation.start))
    seen = [number for number in by_time if items[number].evidence.modality != "speech"]
    spoken = [number for number in by_time if items[number].evidence.modality == "speech"]
    _join_seen(items, seen, disjoint)
    _join_spoken(items, spoken, disjoint)
    _join_said_while_seen(items, spoken, seen, disjoint)
    together: dict[int, list[_Item]] = {}
    for number, item in enumerate(items):
        together.setdefault(disjoint.root(number), []).append(item)
    return list(together.values())


class _DisjointSets:
    """Disjoint sets of numbers with union and find (Tarjan 1975)."""

    def __init__(self, count: int) -> None:
        self._above = list(range(count))

    def root(self, number: int) -> int:
        """Return the representative of a number's set."""
        while self._above[number] != number:
            self._above[number] = self._above[self._above[number]]
            number = self._above[number]
        return number

    def join(self, one: int, other: int) -> None:
        """Merge the sets of two numbers."""
        self._above[self.root(other)] = self.root(one)


def _join_seen(items: Sequence[_Item], seen: Sequence[int], disjoint: _DisjointSets) -> None:
    """Merge visible items for as long as the thing stays in view."""
    last, reach = -1, 0.0
    for number in seen:
        one = items[number].evidence
        if last >= 0 and items[last].evidence.video_id == one.video_id and one.start <= reach:
            disjoint.join(last, number)
        else:
            reach = 0.0
        last, reach = number, max(reach, one.end + spec_of(one.modality).away_seconds)


def _join_spoken(items: Sequence[_Item], spoken: Sequence[int], disjoint: _DisjointSets) -> None:
    """Merge a sentence with the neighbour that it takes a word from, and duplicates at the same time."""
    of_evidence = {items[number].evidence.evidence_id: number for number in spoken}
    latest: dict[tuple[str, str, int], int] = {}
    for number in spoken:
        item = items[number]
        for other in item.hit.context:
            if other.evidence_id in of_evidence:
                disjoint.join(number, of_evidence[other.evidence_id])
        same = (item.evidence.video_id, item.evidence.text.casefold(), item.number)
        if same in latest and item.evidence.start < items[latest[same]].evidence.end:
            disjoint.join(latest[same], number)
        latest[same] = number


def _join_said_while_seen(
    items: Sequence[_Item], spoken: Sequence[int], seen: Sequence[int], disjoint: _DisjointSets
) -> None:
    views: dict[str, list[tuple[float, float, int]]] = {}
    for number in seen:
        one, views_of = items[number].evidence, views.setdefault(items[number].evidence.video_id, [])
        if views_of and disjoint.root(views_of[-1][2]) == disjoint.root(number):
            start, end, _ = views_of.pop()
            views_of.append((start, max(end, one.end), number))
        else:
            views_of.append((one.start, one.end, number))
    for number in spoken:
        cited, views_of = items[number].citation, views.get(items[number].evidence.video_id, [])
        place = bisect_right(views_of, (cited.end,)) - 1
        while place >= 0 and views_of[place][1] > cited.start:
            if views_of[place][0] < cited.end:
                disjoint.join(views_of[place][2], number)
            place -= 1


def _occurrence(items: Sequence[_Item]) -> Occurrence:
    order = [*sentences(), *labels()]
    best = sorted(
        items, key=lambda one: (not one.hit.is_literal, order.index(one.evidence.modality), one.citation.start)
    )
    return Occurrence(
        video_id=best[0].evidence.video_id,
        start=min(one.citation.start for one in best),
        end=max(one.citation.end for one in best),
        evidence=tuple({one.evidence.evidence_id: one.evidence for one in best}.values()),
        citation=best[0].citation,
        is_literal=best[0].hit.is_literal,
    )
