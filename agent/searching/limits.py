"""The place that a query asks for: "What is written on the title card?", "the first minute", "flour after 5:00".

The question's own parser finds it, as for `ask`. What was parsed as a place is not searched as words.
"""

from collections.abc import Sequence
from typing import NamedTuple

from ...index.retrieval.search import Search
from ...tools.extractors.registry import modality_names, participle, sentences
from ...tools.records import Modality, clock
from ...tools.words import tokens
from ..answering.computed.slides import on_slide
from ..answering.matching import held_terms
from ..answering.scopes import PART_SECONDS, PART_SHARE, at_second, scopes_of
from ..question.classification import ASKS
from ..question.planning import make_plan
from ..question.time_expressions import FAR
from ..question.wall_clock import at_wall_clock
from ..records import Plan, Term

__all__ = ["Limit", "is_question", "limit_of", "modalities_in_words"]

# A place is looked up in each video: in a larger library, in the first ones only.
MOST_VIDEOS = 50
# Lines that are compared with the whole query, word by word.
_LINES = 10
_ARTICLES = ("the", "a", "an")


class Limit(NamedTuple):
    """What a search is limited to.

    Attributes:
        plan: The query, with its place.
        text: The place as a sentence.
    """

    plan: Plan
    text: str


def limit_of(
    query: str, search: Search, modalities: Sequence[Modality] | None, video_ids: Sequence[str] | None
) -> Limit | None:
    """Return the place that a query names; None: it names none.

    A phrase that is not a question ("opening titles") is a place only if no line of the library holds it: else these words are
    searched.

    Args:
        query: As typed.
        search: The library.
        modalities: Only these; None: those that the query asks for.
        video_ids: Only these videos; None: all.
    """
    plan = make_plan(query, None if video_ids is None else tuple(video_ids))
    if plan.kind not in ("needle", "whole"):
        return None
    timed = at_wall_clock(plan, search.records)
    plan = timed[0] if timed else on_slide(at_second(plan, search), search)
    if not (plan.between or plan.part or plan.scopes) or plan.anchor:
        return None
    is_all = plan.is_moment or plan.kind == "whole" or not plan.terms
    if is_all and not is_question(query) and _is_held(query, search, plan):
        return None
    among = tuple(search.records) if plan.video_ids is None else plan.video_ids
    kinds = tuple(modalities) if modalities else plan.modalities
    plan = plan.model_copy(update={"is_moment": is_all, "modalities": kinds})
    note = ""
    if len(among) > MOST_VIDEOS and (is_all or plan.part or plan.from_end):
        plan = plan.model_copy(update={"video_ids": among[:MOST_VIDEOS]})
        note = f" of the first {MOST_VIDEOS} of {len(among)} videos"
    if plan.part or plan.scopes:  # the words of the place are in the description
        plan = plan.model_copy(update={"query": " ".join(term.text for term in plan.terms) or plan.query})
    place = f": {timed[1].read}" if timed else _place(plan, search)
    return Limit(plan, f"Limited to what is {modalities_in_words(kinds)}{place}{note}.")


def modalities_in_words(modalities: Sequence[Modality]) -> str:
    """Return modalities as participles: `said or written`; for all of them, `indexed`."""
    if set(modalities) >= set(modality_names()):
        return "indexed"
    return " or ".join(dict.fromkeys(participle(one) for one in modalities))


def is_question(query: str) -> bool:
    """Whether a query is a question or a request, not only words."""
    return query.rstrip().endswith("?") or ASKS.match(query.lstrip()) is not None


def _is_held(query: str, search: Search, plan: Plan) -> bool:
    """Whether a line holds all words of a query in their order."""
    words = tokens(query)
    phrase = Term(text=" ".join(words[words[0] in _ARTICLES :]), exact=True)
    return any(held_terms([phrase], one.text) for one in search.find(query, _LINES, sentences(), plan.video_ids))


def _place(plan: Plan, search: Search) -> str:
    """The place of a plan in words, such as ` at the start of each video (its first 10 %, at least 30 s)`."""
    scopes = scopes_of(plan, search)
    if scopes is not None and len(scopes) == 1:
        return f", {scopes[0].span}"
    if plan.part:
        which = {"start": "first", "middle": "middle", "end": "last"}[plan.part]
        return f" at the {plan.part} of each video (its {which} {PART_SHARE:.0%}, at least {PART_SECONDS:.0f} s)"
    if plan.scopes is not None or plan.between is None:
        return f" on that slide of {len(scopes or ())} videos"
    if plan.from_end:
        return f" in the last {plan.between.end:g} s of each video"
    if plan.between.end >= FAR / 2:
        return f" after {clock(plan.between.start)[:-2]}"
    return f", {plan.between}"
