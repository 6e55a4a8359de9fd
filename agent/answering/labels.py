"""Which of a detector's labels name a thing, and which only hold its word: a hot dog is no dog, a cell phone is a phone."""

from collections.abc import Sequence

from ...tools.words import is_same, tokens
from ..records import Subject
from .support import Embed, likeness

__all__ = ["labels_of"]

# Another label stands for a thing only if it is this near (phone – cell phone 0.90, sofa – couch 0.89, bike – bicycle
# 0.94; kitten – cat 0.84), and no further one is nearly so (vehicle – car 0.91, but truck 0.79).
_SURE, _DOUBTFUL = 0.85, 0.7
# No single label is all of these.
_COLLECTIVE = frozenset(
    "vehicle animal pet creature mammal furniture food fruit vegetable item object thing appliance device machine tool "
    "utensil toy equipment traffic".split()
)


def labels_of(subject: Subject, labels: Sequence[str], embed: Embed) -> list[str]:
    """The labels that stand for a thing, and for nothing else: those that say the same; else the only one that means it.

    Args:
        subject: The thing. "Red cars" are none: no label tells their colour.
        labels: What a detector found.
        embed: Unit vectors of words; None where there is no text encoder.
    """
    wanted = [word for term in subject.terms if term.required for word in tokens(term.text)]
    same = [label for label in labels if _are_same(wanted, tokens(label))]
    if same or not labels or len(wanted) != 1 or any(term.exact for term in subject.terms):
        return same
    if any(is_same(wanted[0], word) for word in _COLLECTIVE):
        return []
    ranked = sorted(zip(likeness(wanted[0], labels, embed), labels, strict=True), reverse=True)
    is_sure = ranked[0][0] >= _SURE and all(cosine < _DOUBTFUL for cosine, _ in ranked[1:])
    return [ranked[0][1]] if is_sure else []


def _are_same(ones: Sequence[str], others: Sequence[str]) -> bool:
    """Whether two names have the same words, in any order and form."""
    return 0 < len(ones) == len(others) and all(any(is_same(one, other) for other in others) for one in ones)
