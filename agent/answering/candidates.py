"""Candidates: the retrieved evidence, each with its neighbours and the features that the reader scores.

One sentence rarely contains everything that a question asks for. A candidate is an observation together with the
observations around it: the sentences before and after, or the other lines of the same slide.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from ...index.records import Evidence
from ...index.retrieval.search import Search
from ...tools.extractors.registry import boxed, labels, modality_names, sentences
from ...tools.records import Span
from ...tools.words import STOP_WORDS, canonical, names, stem, tokens
from ..question.file_names import names_of
from ..question.terms import without_request
from ..records import Plan, Term
from .matching import held_terms, same_words
from .scopes import scopes_of

__all__ = [
    "REACH",
    "Candidate",
    "Features",
    "adds_to",
    "candidates_of",
    "covered",
    "says_nothing_new",
    "spans_asked_about",
    "text_of",
    "with_names",
]

# Neighbours on each side; chosen with passages of seven sentences on the tuning half of TutorialVQA.
REACH = 3
# Sentences further apart than this do not belong together.
PAUSE_SECONDS = 15.0
_ASKS_NUMBER = re.compile(
    r"\b(?:how (?:many|much|long|old|far|often|big|high|tall|late)|when|what (?:year|date|day|time|number|percentage|price))\b",
    re.IGNORECASE,
)
_ASKS = re.compile(r"\b(?:who|whom|whose|what|which|when|where|why|how)\b", re.IGNORECASE)
_ASKS_FOR_MORE = re.compile(r"\b(?:who|whom|whose|what|which|why|how)\b", re.IGNORECASE)
# From this number of content words that the question does not contain on, more of them make no difference.
MOST_NEW_WORDS = 3
_SENTENCE_END = (".", "?", "!", "…", ":", ";")


class Features(NamedTuple):
    """The features of one candidate for one question; each number lies between -1 and 1.

    `cosine` and `cover` describe the observation alone; `_1` and `_3` include one or three neighbours on each side.
    A text is compared with the whole question, a picture with the question's description. Cosines of several observations
    are their mean. Coverage is the share of the question's terms that a text holds
    literally, each weighted by its rarity in the library.
    """

    cosine: float
    cosine_1: float
    cosine_3: float
    cover: float
    cover_1: float
    cover_3: float
    adds: float  # content words that the question does not contain: three or more give 1
    asked_modality: float  # 1: the question names the modality ("said", "shown")
    is_picture: float


@dataclass(frozen=True)
class Candidate:
    """An observation that may answer a question.

    Attributes:
        evidence: The observation itself, with its cosine to the question in `similarity`; of a picture to the description.
        before: The neighbours before it, nearest first.
        after: The neighbours after it, nearest first; of a line of text, the other lines of its slide.
        names: Words of the video's file name, folder and title: facts that hold for all of the video.
        shows: Whether the image encoder finds the queried thing in the picture, or the detector calls it by the asked name.
        features: The input of the reader; see `Features`.
    """

    evidence: Evidence
    before: tuple[Evidence, ...] = ()
    after: tuple[Evidence, ...] = ()
    names: str = ""
    shows: bool = False
    features: "Features | None" = None

    def around(self, reach: int) -> tuple[Evidence, ...]:
        """The observation with its neighbours up to `reach` on each side, in time order."""
        if self.evidence.modality == "text":
            return (self.evidence, *self.after) if reach else (self.evidence,)
        return (*reversed(self.before[:reach]), self.evidence, *self.after[:reach])

    @property
    def sentence(self) -> tuple[Evidence, ...]:
        """The observations of one sentence: a transcript may split a sentence into several lines."""
        if self.evidence.modality != "speech":
            return (self.evidence,)
        begins = not self.evidence.text[:1].islower()
        ends = self.evidence.text.rstrip().endswith(_SENTENCE_END)
        first = [one for one in self.before[:1] if not begins and not one.text.rstrip().endswith(_SENTENCE_END)]
        last = [one for one in self.after[:1] if not ends and one.text[:1].islower()]
        return (*first, self.evidence, *last)

    @property
    def explained(self) -> list[Evidence]:
        """The lines that a label or title announces: those to its right at its height ("Directed by"), otherwise those below it."""
        box = self.evidence.box
        others = [(one, one.box) for one in self.after if one.box]
        if box is None:
            return []
        middle = (box.top + box.bottom) / 2
        beside = [one for one, other in others if other.left >= box.right and other.top < middle < other.bottom]
        below = [
            one for one, other in others if other.top > box.top and other.left < box.right and other.right > box.left
        ]
        return beside or below

    @property
    def is_title(self) -> bool:
        """Whether it is the title of a slide: the topmost line, at least as tall as every other one."""
        box, others = self.evidence.box, [one.box for one in self.after if one.box]
        return (
            self.evidence.modality == "text"
            and box is not None
            and bool(others)
            and all(box.top < one.top and box.bottom - box.top >= one.bottom - one.top for one in others)
        )

    @property
    def heading(self) -> Evidence | None:
        """The title of the slide that contains a line of text: the topmost line, if it is the tallest."""
        boxed = [one for one in self.after if one.box]
        if self.evidence.modality != "text" or self.evidence.box is None or not boxed:
            return None
        top = min(boxed, key=lambda one: one.box.top if one.box else 1.0)
        if top.box is None or top.box.top >= self.evidence.box.top:
            return None
        return top if top.box.bottom - top.box.top >= self.evidence.box.bottom - self.evidence.box.top else None


def candidates_of(plan: Plan, found: Sequence[Evidence], search: Search) -> list[Candidate]:
    """Give each evidence its neighbours, with their similarity to the question.

    Args:
        plan: The question.
        found: The retrieved evidence, best first, without duplicates.
        search: The library.
    """
    made: dict[str, Candidate] = {}
    asked = spans_asked_about(plan, search, found)
    for group in _groups(found):
        first, modality = group[0], group[0].modality
        names = names_of(search.records[first.video_id])
        if modality not in sentences():
            for one in group:
                shows = _is_asked_for(plan, one.text) if modality in boxed() else search.shows(plan.query, one)
                made[one.evidence_id] = Candidate(one, names=names, shows=shows)
            continue
        margin = PAUSE_SECONDS * REACH if modality != "text" else 0.001
        window = Span(
            start=max(0.0, min(one.start for one in group) - margin), end=max(one.end for one in group) + margin
        )
        # All lines of a slide belong together; of sentences, the nearest ones do.
        around = None if modality == "text" else {one.evidence_id for one in group}
        rows = search.compare(without_request(plan.wording), modality, first.video_id, window, around, REACH)
        if asked:  # A neighbour outside of the spans that are asked about is no answer.
            spans = asked.get(first.video_id, ())
            rows = [row for row in rows if any(row.span.overlap(span) > 0 for span in spans)]
        place = {row.evidence_id: number for number, row in enumerate(rows)}
        for one in group:
            if one.evidence_id not in place:
                made[one.evidence_id] = Candidate(one, names=names)
                continue
            at = place[one.evidence_id]
            known = one.model_copy(update={"similarity": rows[at].similarity})
            before, after = _lines_shown_with(known, rows) if modality == "text" else _neighbours(rows, at)
            made[one.evidence_id] = Candidate(known, before, after, names)
    weights = _rarities(plan.terms, search) if plan.terms and found else {}
    return [replace(made[one.evidence_id], features=_features(made[one.evidence_id], plan, weights)) for one in found]


def spans_asked_about(plan: Plan, search: Search, found: Sequence[Evidence]) -> dict[str, list[Span]]:
    """Return the spans of each video that may contain the answer; empty if all of them may."""
    spans: dict[str, list[Span]] = {}
    scopes = scopes_of(plan, search)
    if scopes is None and plan.between:
        return {one.video_id: [plan.between] for one in found}
    for scope in scopes or ():
        spans.setdefault(scope.video_id, []).append(scope.span)
    return spans


def with_names(plan: Plan, found: Sequence[Evidence]) -> Plan:
    """Mark the terms that the library writes as names: "london" in a question means London.

    A term is a name if the transcripts always spell it with a capital letter, at least once inside a sentence.
    """
    spoken = [one.text for one in found if one.modality == "speech"]
    named = {word for text in spoken for word in names(text)}
    common = {word for text in spoken for word in tokens(" ".join(w for w in text.split() if w[:1].islower()))}
    terms = tuple(
        term.model_copy(update={"exact": True, "required": True})
        if term.text in named and term.text not in common
        else term
        for term in plan.terms
    )
    return plan.model_copy(update={"terms": terms})


def covered(candidate: Candidate, terms: Sequence[Term]) -> list[Term]:
    """Return the terms that the candidate's own observation holds literally."""
    return held_terms(terms, text_of(candidate.sentence))


def adds_to(plan: Plan, rows: Sequence[Evidence], other: Evidence) -> bool:
    """Whether a neighbour adds a term of the question, or the number it asks for, to some observations.

    Words with a capital letter may be names, and names are never taken from another sentence.
    """
    held = held_terms(plan.terms, text_of(rows))
    lower = other.text if other.modality == "text" else " ".join(w for w in other.text.split() if w[:1].islower())
    if any(term.required and not term.exact and term not in held for term in held_terms(plan.terms, lower)):
        return True
    return not _gives_number(plan, rows) and _gives_number(plan, [other])


def says_nothing_new(plan: Plan, evidence: Evidence) -> bool:
    """Whether all content words of an observation are in the question: "Directed by" for "Who directed it?"."""
    return _ASKS.search(plan.wording) is not None and not _new_words(plan, [evidence])


def text_of(rows: Sequence[Evidence]) -> str:
    """Join the texts of some observations."""
    return " ".join(row.text for row in rows)


def _is_asked_for(plan: Plan, label: str) -> bool:
    """Whether a detector's label says all that a question asks for: `person` for "Are there people?".

    "Who is the person?" asks for more.
    """
    wanted = [word for term in plan.terms for word in tokens(term.text)]
    return same_words(wanted, tokens(label)) and not _ASKS_FOR_MORE.search(plan.wording)


def _features(candidate: Candidate, plan: Plan, weights: Mapping[str, float]) -> Features:
    rows = [candidate.around(reach) for reach in (0, 1, REACH)]
    # A line of a slide is short: its cosine is computed for the line alone, its coverage for the whole slide.
    cosines = [sum(row.similarity for row in some) / len(some) for some in rows]
    covers = [_coverage(plan.terms, weights, [*(row.text for row in some), candidate.names]) for some in rows]
    modality = candidate.evidence.modality
    return Features(
        cosine=cosines[0],
        cosine_1=cosines[1],
        cosine_3=cosines[2],
        cover=covers[0],
        cover_1=covers[1],
        cover_3=covers[2],
        adds=min(1.0, len(_new_words(plan, rows[modality != "text"])) / MOST_NEW_WORDS),
        asked_modality=float(plan.modalities != modality_names() and modality in plan.modalities),
        is_picture=float(modality in labels()),
    )


def _gives_number(plan: Plan, rows: Sequence[Evidence]) -> bool:
    """Whether the question asks for a number and some observations contain one that the question does not."""
    if not _ASKS_NUMBER.search(plan.wording):
        return False
    known = _numbers(plan.wording)
    return any(_numbers(row.text) - known for row in rows)


def _new_words(plan: Plan, rows: Sequence[Evidence]) -> list[str]:
    """Return the content words of some observations that the question does not contain."""
    asked = {stem(canonical(word)) for word in tokens(plan.wording)}
    return [word for word in tokens(text_of(rows)) if word not in STOP_WORDS and stem(canonical(word)) not in asked]


def _rarities(terms: Sequence[Term], search: Search) -> dict[str, float]:
    """The weight of each term: its inverse document frequency in the library (Spärck Jones 1972), at least 0.1."""
    words = list(dict.fromkeys(word for term in terms for word in term.text.split()))
    total, counts = search.counts(words)
    weight = {word: max(0.1, math.log((total + 1) / (counts[word] + 0.5))) for word in words}
    return {term.text: max(weight[word] for word in term.text.split()) for term in terms}


def _coverage(terms: Sequence[Term], weights: Mapping[str, float], texts: Sequence[str]) -> float:
    """Return the share of the terms that some texts contain, weighted by rarity; 0 without terms.

    Where one member of a list joined by "or" is contained, the others do not count.
    """
    held = {term for text in texts for term in held_terms(terms, text)}
    names = {term.text for term in held}
    asked = [one for one in terms if one in held or not any(names.issuperset(other) for other in one.alternatives)]
    whole = sum(weights[term.text] for term in asked)
    return sum(weights[term.text] for term in held) / whole if whole else 0.0


def _numbers(text: str) -> set[str]:
    return {canonical(word) for word in tokens(text) if canonical(word)[:1].isdigit()}


def _groups(found: Sequence[Evidence]) -> list[list[Evidence]]:
    """Group evidence of one modality and video with gaps of less than a minute."""
    groups: list[list[Evidence]] = []
    for one in sorted(found, key=lambda e: (e.video_id, e.modality, e.start)):
        last = groups[-1][-1] if groups else None
        if last and (last.video_id, last.modality) == (one.video_id, one.modality) and one.start - last.end < 60:
            groups[-1].append(one)
        else:
            groups.append([one])
    return groups


def _neighbours(rows: Sequence[Evidence], at: int) -> tuple[tuple[Evidence, ...], tuple[Evidence, ...]]:
    before: list[Evidence] = []
    for number in range(at - 1, max(-1, at - 1 - REACH), -1):
        if rows[number + 1].start - rows[number].end > PAUSE_SECONDS:
            break
        before.append(rows[number])
    after: list[Evidence] = []
    for number in range(at + 1, min(len(rows), at + 1 + REACH)):
        if rows[number].start - rows[number - 1].end > PAUSE_SECONDS:
            break
        after.append(rows[number])
    return tuple(before), tuple(after)


def _lines_shown_with(one: Evidence, rows: Sequence[Evidence]) -> tuple[tuple[Evidence, ...], tuple[Evidence, ...]]:
    """Return the other text lines that are visible at the same time, from top to bottom."""
    shown = [row for row in rows if row.evidence_id != one.evidence_id and row.span.overlap(one.span) > 0]
    top = sorted(shown, key=lambda row: row.box.top if row.box else row.start)
    return (), tuple(top[:24])
