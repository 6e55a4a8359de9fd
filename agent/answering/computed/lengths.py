"""How long videos are: questions about it, and claims that cite the lengths in the records of videos.

A question about the length of anything else ("How long is the bridge in the video?") is not one of these: next to the words
for a length it may only name videos.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePath
from typing import Literal

from ....index.records import Evidence, VideoRecord
from ....index.retrieval.search import Search
from ....index.video_lengths import LENGTH, length_id
from ....tools.words import tokens
from ...question.file_names import named_by
from ...question.terms import without_request
from ...records import Citation, Claim, Plan
from .statements import lasts_text, videos_text

__all__ = ["MOST_COMPARED", "length_claims", "with_length"]

_LENGTH = re.compile(
    r"\bhow (?:long|many (?:hours|minutes|seconds)(?: long)?)\b"
    r"|\b(?:length|duration|running time|run ?time|playing time)s?(?: of)?\b"
    r"|\b(?:longer|longest|shorter|shortest)\b|\A\W*when (?=.*\b(?:ends?|stops?|finish(?:es)?)\W*\Z)",
    re.IGNORECASE,
)
_EXTREME = re.compile(r"\b(?:(?P<long>longer|longest)|(?P<short>shorter|shortest))\b", re.IGNORECASE)
_HOW_MANY = re.compile(
    r"\A\W*how many (?:video|clip|film|movie|recording|file)s (?:(?:are|is) (?:there|here|indexed|(?:there )?in (?:the|this|my) \w+)"
    r"|(?:do|did) (?:i|we|you) have)\W*\Z",
    re.IGNORECASE,
)
_VIDEOS = frozenset(
    "video videos clip clips film films movie movies recording recordings footage file files talk talks lecture lectures "
    "presentation presentations episode episodes".split()
)
# Words beside a length and a video that name nothing.
_EMPTY = frozenset(
    "the a an this that these those is are was were what's do does did it its my our all each every both which what one ones "
    "last lasts lasted run runs take takes go goes on play plays end ends stop stops finish finishes whole entire long "
    "exactly about".split()
)
_NEXT_NAME = re.compile(r",|\b(?:or|and|than)\b", re.IGNORECASE)
# Most videos whose lengths are listed, and most that are compared: a comparison cites each of them.
_MOST_LISTED, MOST_COMPARED = 10, 200


def with_length(plan: Plan, records: Mapping[str, VideoRecord]) -> Plan:
    """Return the plan of a question that asks how long videos are; other plans are returned unchanged.

    Args:
        plan: The plan of the question. If it is limited to videos, only these are meant.
        records: The videos of the library by id.
    """
    asked = without_request(plan.question)
    if _HOW_MANY.match(asked):
        return _length_plan(plan, plan.video_ids)
    if plan.phrases or not (found := _LENGTH.search(asked)):
        return plan
    rest = f"{asked[: found.start()]} {asked[found.end() :]}"
    words = [tokens(part) for part in _NEXT_NAME.split(rest)]
    names = [[word for word in part if word not in _EMPTY | _VIDEOS] for part in words]
    is_of_video = any(not _VIDEOS.isdisjoint(part) for part in words) or _is_file_name(rest, records)
    if not is_of_video or any(part[-1] not in _VIDEOS and _VIDEOS & set(part) for part in _named_parts(words, names)):
        return plan
    chosen = [named_by(part, records) for part in names if part]
    if not all(chosen):
        return plan
    named = dict.fromkeys(one for ids in chosen for one in ids)
    if not named:
        return _length_plan(plan, plan.video_ids)
    among = plan.video_ids if plan.video_ids is not None else records
    return _length_plan(plan, tuple(one for one in named if one in among))


def length_claims(plan: Plan, search: Search) -> list[Claim]:
    """Return one claim for each video, the longest first; or one that compares or counts all of them.

    No claim names the longest or shortest of equally long videos. Of more than 200 videos none compares or counts.

    Args:
        plan: Of the kind `length`.
        search: The library.
    """
    records = search.records
    among = [one for one in (records if plan.video_ids is None else plan.video_ids) if one in records]
    among.sort(key=lambda one: (-records[one].duration, PurePath(records[one].paths[0]).name))
    is_counted = bool(_HOW_MANY.match(without_request(plan.question)))
    extreme = _extreme_of(plan.question)
    if is_counted or extreme:
        if len(among) > MOST_COMPARED:
            return []
    else:
        among = among[:_MOST_LISTED]
    found = [one for one in map(search.evidence, map(length_id, among)) if one]
    if not found:
        return []
    if is_counted:
        return [_claim(found, videos_text)]
    if extreme == "shortest":
        found.reverse()
    equal = [one for one in found if one.text == found[0].text]
    if not extreme or len(found) == 1 or len(equal) > 1:
        return [_claim([one], lasts_text) for one in (equal if extreme else found)][:_MOST_LISTED]
    return [_claim(found, lasts_text)]


def _length_plan(plan: Plan, video_ids: tuple[str, ...] | None) -> Plan:
    return Plan(
        kind="length",
        question=plan.question,
        query=plan.query,
        terms=(),
        modalities=(LENGTH,),
        video_ids=video_ids,
        options=plan.options,
    )


def _extreme_of(question: str) -> Literal["longest", "shortest"] | None:
    """Return which of several videos a question asks for; None: it asks for the length of each."""
    if not (found := _EXTREME.search(question)):
        return None
    return "longest" if found["long"] else "shortest"


def _named_parts(words: list[list[str]], names: list[list[str]]) -> list[list[str]]:
    """Return the parts of a question that hold a name, without the words that name nothing."""
    return [[word for word in part if word not in _EMPTY] for part, named in zip(words, names, strict=True) if named]


def _is_file_name(text: str, records: Mapping[str, VideoRecord]) -> bool:
    """Whether a text holds the whole file name of a video."""
    text = text.casefold()
    return any(PurePath(path).name.casefold() in text for one in records.values() for path in one.paths)


def _claim(lengths: list[Evidence], text_of: Callable[[Sequence[Citation]], str]) -> Claim:
    cited = tuple(map(Citation.of, lengths))
    return Claim(text=text_of(cited), verdict="unverified", citations=cited, basis="length")
