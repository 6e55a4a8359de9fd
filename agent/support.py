"""Does evidence support an answer? Each term of the question is looked for by itself.

Overlap of words as a whole is fooled: "the price of gold doubled" passes where copper was said. So
no term may be missing: it is in the evidence literally, or by a word that means the same, or, for
ordinary words, the same video speaks of it nearby.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..index.records import Evidence
from ..tools.embed import Vectors
from ..tools.words import STOP_WORDS, canonical, tokens
from .records import Plan, Term

__all__ = ["Support", "supports"]

Embed = Callable[[Sequence[str]], Vectors | None]
Nearby = Callable[[Evidence, float], Sequence[Evidence]]
Shows = Callable[[str, Evidence], bool]

# MiniLM's cosine of single words: cup–mug 0.71, rocket–missile 0.68, car–vehicle 0.87 against cat–dog 0.66,
# coffee–tea 0.62, gold–copper 0.45 (weekdays, colours and other closed sets are exact terms).
ALIKE_WORDS = 0.68
# What is said in the same breath: a sentence before or after, the other lines of a slide.
CONTEXT_SECONDS = 5.0
# What the talk is about at that moment: a word that was named once is a pronoun afterwards.
TOPIC_SECONDS = 60.0


@dataclass(frozen=True)
class Support:
    """How an evidence covers the terms of a question.

    Attributes:
        evidence: The evidence itself.
        literal: Terms that it holds literally.
        alike: Terms that a word of it, or its picture, means.
        context: Evidence beside it that holds further terms.
        topic: Terms that are named in the context, or further off.
        missing: Terms that are nowhere near.
    """

    evidence: Evidence
    literal: tuple[Term, ...]
    alike: tuple[Term, ...]
    context: tuple[Evidence, ...]
    topic: tuple[Term, ...]
    missing: tuple[Term, ...]

    @property
    def holds(self) -> bool:
        """Whether the evidence bears on the question itself, and no term is missing."""
        return not self.missing and bool(self.literal or self.alike)

    @property
    def strength(self) -> float:
        """0 to 1: the share of terms in the evidence itself; those that are only alike count a little less."""
        count = len(self.literal) + len(self.alike) + len(self.topic) + len(self.missing)
        return (len(self.literal) + 0.8 * len(self.alike)) / count if count else 0.0


def supports(plan: Plan, evidence: Sequence[Evidence], embed: Embed, nearby: Nearby, shows: Shows) -> list[Support]:
    """How each evidence covers the terms of a plan.

    Args:
        plan: What the question is about.
        evidence: What was found.
        embed: Unit vectors of words; None where there is no text encoder.
        nearby: Evidence of the same kind in the same video, within so many seconds.
        shows: Whether a picture shows what a query describes.
    """
    if not plan.terms:
        return []
    means = _meanings([term for term in plan.terms if not term.exact], evidence, embed)
    return [_support(plan, one, means, nearby, shows) for one in evidence]


def _support(plan: Plan, evidence: Evidence, means: Mapping[str, set[str]], nearby: Nearby, shows: Shows) -> Support:
    literal = [term for term in plan.terms if _holds(evidence.text, term)]
    left = [term for term in plan.terms if term not in literal]
    if left and evidence.modality == "frame" and shows(plan.query, evidence):
        alike = [term for term in left if not term.exact]
    else:
        words = set(tokens(evidence.text))
        alike = [term for term in left if words & means.get(term.text, set())]
    left = [term for term in left if term not in alike]
    context: list[Evidence] = []
    topic: list[Term] = []
    if left and (literal or alike):
        for other in nearby(evidence, CONTEXT_SECONDS):
            held = [term for term in left if _holds(other.text, term)]
            if held:
                context.append(other)
                topic += held
                left = [term for term in left if term not in held]
    if left and (literal or alike) and not any(term.exact for term in left):
        around = nearby(evidence, TOPIC_SECONDS)
        topic += [term for term in left if any(_holds(other.text, term) for other in around)]
    return Support(
        evidence=evidence,
        literal=tuple(literal),
        alike=tuple(alike),
        context=tuple(context),
        topic=tuple(topic),
        missing=tuple(term for term in left if term not in topic),
    )


def _holds(text: str, term: Term) -> bool:
    words, wanted = tokens(text), term.text.split()
    if len(wanted) == 1:
        return canonical(wanted[0]) in _canonical(words)
    in_a_row = any(words[first : first + len(wanted)] == wanted for first in range(len(words) - len(wanted) + 1))
    return in_a_row or "".join(wanted) in words  # ORDER7731 was read for ORDER-7731


def _canonical(words: Iterable[str]) -> set[str]:
    return {canonical(word) for word in words}


def _meanings(terms: Sequence[Term], evidence: Sequence[Evidence], embed: Embed) -> dict[str, set[str]]:
    """For each term, the words of the evidence that mean the same to the text encoder."""
    words = sorted({w for one in evidence for w in tokens(one.text) if w not in STOP_WORDS and len(w) > 1})
    vectors = embed([*(term.text for term in terms), *words]) if terms and words else None
    if vectors is None:
        return {}
    cosines = vectors[: len(terms)] @ vectors[len(terms) :].T
    return {
        term.text: {words[column] for column in np.flatnonzero(row >= ALIKE_WORDS)}
        for term, row in zip(terms, cosines, strict=True)
    }
