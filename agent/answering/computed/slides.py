"""The slides of videos, for questions that count or number them: "How many slides are there?", "What is said on slide 3?"."""

import re

from ....index.localization.chapters import slides_fill
from ....index.localization.slides import TextLine, slides_of
from ....index.records import Evidence
from ....index.retrieval.search import Search
from ....tools.records import Span
from ....tools.words import ORDINAL_FIGURES, ORDINALS
from ...question.planning import make_plan
from ...question.terms import places_of, terms_of, without_request
from ...records import Plan, Scope

__all__ = ["MOST_VIDEOS", "on_slide", "titled_slides"]

_NUMBERS = {word: number for words in (ORDINALS, ORDINAL_FIGURES) for number, word in enumerate(words, 1)}
_NUMBERS |= {"last": -1, "final": -1}
_NTH_SLIDE = re.compile(
    rf"\b(?:(?:on|in|at|of|during) )?(?:(?:the )?(?:very )?(?P<nth>{'|'.join(_NUMBERS)}) slide"
    r"|(?:the )?slide (?:number |no\.? ?|# ?)?(?P<number>[1-9]\d{0,2}))\b",
    re.IGNORECASE,
)
_SHORTEST = 0.001
# Of 20 videos the slides of talks with titles fill 0.58 of the video or more; what looks like a slide in a film of code or
# in credits fills 0.38 at most.
_SHARE = 0.5
# Slides are found from the lines of each video: in more videos they are not looked for.
MOST_VIDEOS = 50


def titled_slides(video_id: str, search: Search) -> list[tuple[Span, Evidence]]:
    """Return when each slide of a video is shown, and its title, in order; empty if slides with titles do not fill half of it.

    Args:
        video_id: The video.
        search: The library.
    """
    lines = [row for row in search.of_video(video_id, ["text"]) if row.box is not None]
    slides = slides_of([TextLine(row.span, row.text, row.box) for row in lines if row.box is not None])
    whole = Span(start=0, end=max(search.records[video_id].duration, _SHORTEST))
    if not slides_fill([slide.span for slide in slides], whole, _SHARE):
        return []
    return [(slide.span, lines[slide.title]) for slide in slides]


def on_slide(plan: Plan, search: Search) -> Plan:
    """Limit a plan to the slide that its question names by a number: "the last slide", "slide 3".

    It means that slide of each video that has it. Where nothing else is named, the lines of the slide answer, or what is said
    meanwhile if that is asked for. Other plans, and plans for a slide that no video has, are returned unchanged.

    Args:
        plan: The question, after its videos are chosen.
        search: The library.
    """
    is_limited = plan.between or plan.scopes is not None or plan.anchor
    if plan.kind != "needle" or plan.phrases or is_limited or not (found := _NTH_SLIDE.search(plan.question)):
        return plan
    among = plan.video_ids if plan.video_ids is not None else tuple(search.records)
    if len(among) > MOST_VIDEOS:
        return plan
    number = int(found["number"]) if found["number"] else _NUMBERS[found["nth"].casefold()]
    place = number if number < 0 else number - 1
    scopes = []
    for video_id in among:
        slides = titled_slides(video_id, search)
        if -len(slides) <= place < len(slides):
            scopes.append(Scope(video_id=video_id, span=slides[place][0]))
    if not scopes:
        return plan
    before, after = plan.question[: found.start()], plan.question[found.end() :]
    rest = without_request(f"{before} {after}")
    asked = make_plan(rest, plan.video_ids, None, plan.options)
    # "What does the slide say?" asks for writing, "What is said on the slide?" for speech.
    where = "on the slide" if found[0].casefold().startswith("on ") else "the slide"
    places = places_of(" ".join(f"{before} {where} {after}".split()))
    modalities = tuple(one for one in places if one != "text") or ("text",)
    known = {term.text for term in plan.terms}  # without the name of a video
    terms = tuple(term for term in terms_of(rest, modalities) if term.text in known)
    return asked.model_copy(
        update={
            "kind": "needle",
            "question": plan.question,
            "modalities": modalities,
            "terms": terms,
            "scopes": tuple(scopes),
            "is_moment": not terms,
            "ordinal": None,
        }
    )
