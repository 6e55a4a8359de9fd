"""Multiple choice without a model: finds the answer option that the quoted evidence contains. Never guesses."""

from collections.abc import Sequence

from ...tools.words import is_same, tokens
from ..question.terms import terms_of
from ..records import Claim, Plan

__all__ = ["chosen_option"]


def chosen_option(plan: Plan, claims: Sequence[Claim]) -> int | None:
    """Return the index of the only option whose content words are all in the best claim; None if none or several are."""
    if not plan.options or not claims:
        return None
    said = tokens(" ".join([claims[0].text, *(citation.quote for citation in claims[0].citations)]))
    fitting = []
    for number, option in enumerate(plan.options):
        wanted = [word for term in terms_of(option, ()) for word in term.text.split()]
        if wanted and all(any(is_same(word, other) for other in said) for word in wanted):
            fitting.append(number)
    return fitting[0] if len(fitting) == 1 else None
