"""Limits a question to videos by file name, title, folder, channel, tag or date ("in the interview of 3 May")."""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import PurePath

from ...index.metadata_conditions import dates_in
from ...index.records import VideoRecord
from ...tools.media.metadata.records import Metadata
from ...tools.words import MONTHS, ORDINAL_FIGURES, STOP_WORDS, canonical, is_same, pieces, tokens
from ..records import Plan
from .classification import topic_of_summary
from .planning import make_plan
from .time_expressions import moment_of, stretch_of

__all__ = ["named_by", "names_of", "scoped_by_names"]

_DATE = re.compile(r"(?<!\d)(?:19|20)\d\d[-_.]?\d\d[-_.]?\d\d(?!\d)")
_SPLIT = re.compile(r"[_\W]+|(?<=[a-z])(?=[A-Z\d])|(?<=\d)(?=[a-z])")
# "in the interview of 3 May", "during lecture two", "in agent327.mp4": up to eight words that may name a video.
_IN_VIDEO = re.compile(
    r"\b(?:in|from|during|of|according to) (?=(?P<what>(?:the |my |our |that |this )?[\w.'’-]+(?: [\w.'’-]+){0,7}?)"
    r"(?: *(?:[?.!,]|\Z)| (?:what|who|when|where|why|how|which|does|do|did|is|are|was|were|say|says|said)\b))",
    re.IGNORECASE,
)
_NAMES_KEPT = 1 << 15  # videos; finding the words takes 0.06 ms for each
# Words for a video that may be missing in its name.
_KINDS = frozenset("video videos clip clips film films movie recording recordings file one".split())


def names_of(record: VideoRecord) -> str:
    """Return the words of a video's file name and folder, its title, channel and tags, and its dates in words, as one text."""
    return _names(PurePath(record.paths[0]), record.metadata)


def scoped_by_names(plan: Plan, records: Mapping[str, VideoRecord]) -> Plan:
    """Limit a plan to the videos that the question names by their file name, folder or date.

    A phrase names videos if the names of some, but not all, videos contain each of its content words; the only video of a
    library may be named, too. A second that the question names ("at 0:04") is no part of the phrase. A request for a summary that
    names videos and nothing else summarises them.

    Args:
        plan: The question; a plan that is already limited to videos is returned unchanged.
        records: The videos of the library by id.
    """
    if plan.video_ids is not None:
        return plan
    if plan.kind in ("needle", "whole") and (topic := topic_of_summary(stretch_of(plan.question)[0])):
        wanted = [word for word in tokens(topic) if word not in (STOP_WORDS - {"may"}) | _KINDS]
        if chosen := named_by(wanted, records):
            return plan.model_copy(update={"kind": "whole", "terms": (), "video_ids": chosen})
    second = moment_of(plan.question)
    asked = second[0] if second else plan.question
    for found in _IN_VIDEO.finditer(asked):
        wanted = [word for word in tokens(found["what"]) if word not in (STOP_WORDS - {"may"}) | _KINDS]
        if not (chosen := named_by(wanted, records)):
            continue
        named = {*wanted, *pieces(found["what"])}
        terms = tuple(term for term in plan.terms if not set(term.text.split()) <= named)
        named_only = plan.kind == "needle" and plan.terms and not terms and not second
        rest = make_plan(f"{asked[: found.start()]} {asked[found.end('what') :]}", chosen, None, plan.options)
        # "At the end of talk.mp4" is a time only without the name.
        names_time = not second and not _given_time(plan) and bool(_given_time(rest))
        if plan.subjects or named_only or names_time:
            return rest.model_copy(update={"question": plan.question} | _given_time(plan))
        return plan.model_copy(update={"video_ids": chosen, "terms": terms or plan.terms})
    return plan


def _given_time(plan: Plan) -> dict[str, object]:
    """The limits in time of a plan that has one."""
    if plan.between is None and plan.part is None:
        return {}
    return {"between": plan.between, "from_end": plan.from_end, "part": plan.part}


def named_by(words: Sequence[str], records: Mapping[str, VideoRecord]) -> tuple[str, ...]:
    """Return the ids of the videos whose names hold all words; none if these are all of several videos, or no word is given."""
    names = ((video_id, _words_of_names(one.paths[0], one.metadata)) for video_id, one in records.items())
    chosen = tuple(video_id for video_id, own in names if words and all(_is_among(word, own) for word in words))
    return () if 1 < len(chosen) == len(records) else chosen


def _names(path: PurePath, metadata: Metadata) -> str:
    parts = (*path.parts[-2:-1], path.stem)
    words = [word for part in parts for word in _SPLIT.split(_DATE.sub(" ", part)) if word]
    days = [*dates_in(path.stem), *(day for one in (metadata.date, metadata.recorded[:10]) for day in dates_in(one))]
    for day in dict.fromkeys(days):
        words += [str(day.day), MONTHS[day.month - 1].capitalize(), str(day.year), day.isoformat()]
    for text in (metadata.title, metadata.channel, *metadata.tags):
        words += [word for word in _SPLIT.split(text) if word]
    words += [str(int(word)) for word in words if word.isdigit() and word.startswith("0")]
    words += [
        ORDINAL_FIGURES[int(word) - 1] for word in words if word.isdigit() and 0 < int(word) <= len(ORDINAL_FIGURES)
    ]
    return " ".join(dict.fromkeys([path.name, *words]))


@lru_cache(maxsize=_NAMES_KEPT)
def _words_of_names(path: str, metadata: Metadata) -> frozenset[str]:
    return frozenset(canonical(word) for word in tokens(_names(PurePath(path), metadata)))


def _is_among(word: str, own: frozenset[str]) -> bool:
    return canonical(word) in own or any(is_same(word, one) for one in own)
