"""Chooses the evidence lines and keyframes that a video LLM receives, and their size.

Stored evidence gives the prior of the search. If a video has more segments than the model may see, a temporal
search shows the model grids of small frames until it is sure, and the result selects the keyframes.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ...index.localization.frame_choice import Candidate, assign_sizes, choose_frames, size_at
from ...index.localization.frame_choice import Picture as Size
from ...index.localization.temporal_search import Goal, Searched, Timeline, posteriors, search
from ...index.records import Evidence
from ...index.retrieval.search import Search
from ...prompts import render
from ...tools.errors import AnswerFormatError, MediaError
from ...tools.extractors.registry import cited_as_text
from ...tools.llm.pictures import cells_of, make_grid
from ...tools.llm.protocol import Budget, TokenUsage, VideoLLM
from ...tools.llm.structured import ask_structured
from ...tools.media.frames import frames_at
from ...tools.records import Span
from ...tools.settings import Settings
from ..answering.scopes import scopes_of
from ..composing.model_input import SizedFrame, quoted
from ..records import Plan
from .detector import priors_of

__all__ = ["Looked", "frames_cited", "frames_within", "look"]

# Most evidence lines of each modality, so that text does not crowd out the frames.
ROWS_A_MODALITY = 10
MOST_VIDEOS = 3
GRID = 16
# Score of a grid cell that the model names, and of a cell that it does not name.
NAMED, PASSED = 0.9, 0.05
# Score of a cell without a usable answer: half of a sure score, which is neutral.
UNTOLD = 0.35
# Qwen-VL reads one token for 32 × 32 pixels; other models are near it.
_TOKEN_SIDE = 32
# Smaller frames are unreadable: fewer frames are shown instead.
_SMALLEST_SIDE = 256
# Size of a cited keyframe when a claim is verified.
CHECKED_SIDE = 512


@dataclass(frozen=True)
class Looked:
    """The input of the model that answers.

    Attributes:
        rows: Text evidence, by video and time.
        frames: Keyframes of segments, at the size in which they are shown.
        inspected: Number of small frames shown in grids during the search.
        usage: Cost of the grids.
        unread: Why frames are missing, one message for each video whose file cannot be read.
    """

    rows: tuple[Evidence, ...]
    frames: tuple[SizedFrame, ...]
    inspected: int
    usage: TokenUsage
    unread: tuple[str, ...] = ()


def look(
    plan: Plan,
    evidence: Sequence[Evidence],
    library: Search,
    settings: Settings,
    llm: VideoLLM,
    most: int,
    seconds: float,
) -> Looked:
    """Choose evidence lines and keyframes for a plan.

    Args:
        plan: The question.
        evidence: The retrieved evidence, best first.
        library: The library that stores the keyframes.
        settings: Budgets of tokens, and the decoder.
        llm: Looks at grids of frames.
        most: Largest number of frames, those in grids included.
        seconds: Time limit.

    Raises:
        ServerError: The model did not answer.
    """
    rows: list[Evidence] = []
    for modality in dict.fromkeys(one.modality for one in evidence if one.modality in cited_as_text()):
        rows += [one for one in evidence if one.modality == modality and one.text][:ROWS_A_MODALITY]
    videos = _videos(plan, evidence, library)
    budget = Budget(seconds)
    frames: list[SizedFrame] = []
    unread: list[str] = []
    inspected, usage = 0, TokenUsage()
    for number, video_id in enumerate(videos):
        share = (most - len(frames) - inspected) // (len(videos) - number)
        segments = [one for one in _main_frames(library, video_id) if _within(one, plan, library)]
        if not segments or share < 1:
            continue
        try:
            found = _relevance(plan, segments, evidence, share, llm, settings, budget, len(videos) - number)
        except MediaError as error:
            unread.append(str(error))
            continue
        inspected += found.inspected
        usage += found.usage
        shown = share - found.inspected
        tokens = settings.frame_tokens * shown // settings.max_frames
        frames += _sized(segments, found.posteriors, shown, library, tokens)
    return Looked(
        rows=tuple(sorted(rows, key=lambda one: (one.video, one.start))),
        frames=tuple(frames),
        inspected=inspected,
        usage=usage,
        unread=tuple(unread),
    )


def frames_cited(evidence: Sequence[Evidence]) -> list[SizedFrame]:
    """Return the keyframes among the cited evidence, for verification."""
    return [SizedFrame(one, _second(one), CHECKED_SIDE) for one in evidence if one.modality == "frame"]


def frames_within(video_id: str, scenes: Sequence[Span], library: Search, most: int) -> list[SizedFrame]:
    """Return a limited number of keyframes, by time: one from the middle of each scene, the longest scenes first.

    If there are more frames than scenes, the longest scenes get several, as far apart as possible.
    """
    segments = _main_frames(library, video_id)
    chosen: dict[Evidence, None] = {}
    for number, scene in enumerate(sorted(scenes, key=lambda one: (-one.duration, one.start))):
        share = most // len(scenes) + (number < most % len(scenes))
        for place in range(share):
            moment = scene.start + (place + 0.5) / share * scene.duration
            chosen.update(dict.fromkeys(one for one in segments if one.start <= moment < one.end))
    return [SizedFrame(one, _second(one), CHECKED_SIDE) for one in sorted(chosen, key=_second)]


@dataclass(frozen=True)
class _Relevance:
    posteriors: tuple[float, ...]
    inspected: int
    usage: TokenUsage


def _videos(plan: Plan, evidence: Sequence[Evidence], library: Search) -> list[str]:
    """Return the videos with most of the evidence; without evidence those of the question, if they are few."""
    worth: dict[str, float] = {}
    for one in evidence:
        worth[one.video_id] = worth.get(one.video_id, 0.0) + one.score
    if not worth:
        asked = plan.video_ids if plan.video_ids is not None else tuple(library.records)
        return list(asked) if len(asked) <= MOST_VIDEOS else []
    return sorted(worth, key=lambda video_id: (-worth[video_id], video_id))[:MOST_VIDEOS]


def _main_frames(library: Search, video_id: str) -> list[Evidence]:
    """Return the segments of a video's main stream, which do not overlap."""
    main = library.records[video_id].info.stream
    return [one for one in library.of_video(video_id, ["frame"]) if one.stream == main]


def _within(segment: Evidence, plan: Plan, library: Search) -> bool:
    scopes = scopes_of(plan, library)
    if scopes is None:
        return plan.between is None or segment.span.overlap(plan.between) > 0
    return any(scope.video_id == segment.video_id and segment.span.overlap(scope.span) > 0 for scope in scopes)


def _relevance(
    plan: Plan,
    segments: Sequence[Evidence],
    evidence: Sequence[Evidence],
    share: int,
    llm: VideoLLM,
    settings: Settings,
    budget: Budget,
    videos: int,
) -> _Relevance:
    """Return the relevance of each segment: from stored evidence, and from a search if not all can be shown."""
    timeline = Timeline(
        bins=tuple(segment.span for segment in segments),
        scenes=tuple(range(len(segments))),  # a segment starts at a change of the picture
        seconds=tuple(_second(segment) for segment in segments),
    )
    ours = [one for one in evidence if one.video_id == segments[0].video_id]
    priors = priors_of(ours)
    goal = Goal(
        kind="needle",
        targets=(plan.query,),
        frames=max(1, share // 2),
        frames_a_round=GRID,
        seconds=max(1.0, budget.left / videos / 2),
    )
    if len(segments) <= share or share < 2:
        return _Relevance(tuple(posteriors(timeline, priors, goal)[0].tolist()), 0, TokenUsage())
    usage = TokenUsage()

    def see(moments: Sequence[float]) -> list[list[float]]:
        nonlocal usage
        grid = make_grid(list(frames_at(Path(segments[0].video), moments, segments[0].stream, settings.decoder)))
        parts = (f"To find: {quoted(plan.query)}", grid)
        orders = render("look", count=str(len(moments)))
        try:
            cells, cost = ask_structured(
                llm, parts, cells_of(grid), instructions=orders, max_tokens=256, seconds=max(1.0, budget.left)
            )
        except AnswerFormatError as error:
            usage += error.usage or TokenUsage()
            return [[UNTOLD] for _ in moments]
        usage += cost
        named = set(cells.cells)
        return [[NAMED if number in named else PASSED] for number in range(1, len(moments) + 1)]

    searched: Searched = search(timeline, priors, see, goal)
    peak = max(1e-9, float(searched.posterior[0].max()))
    return _Relevance(tuple((searched.posterior[0] / peak).tolist()), inspected=len(searched.looked), usage=usage)


def _sized(
    segments: Sequence[Evidence], relevance: Sequence[float], k: int, library: Search, tokens: int
) -> list[SizedFrame]:
    picture = library.records[segments[0].video_id].info.video
    assert picture is not None
    k = min(k, tokens // _tokens_of(*size_at(picture.width, picture.height, _SMALLEST_SIDE)))
    if k < 1:
        return []
    candidates = [
        Candidate(seconds=_second(segment), relevance=min(1.0, value), span=segment.span)
        for segment, value in zip(segments, relevance, strict=True)
    ]
    by_second = {_second(segment): segment for segment in segments}
    chosen = choose_frames(candidates, k)
    sides = assign_sizes(
        [Size(relevance=one.relevance, width=picture.width, height=picture.height) for one in chosen],
        tokens,
        _tokens_of,
        floor=_SMALLEST_SIDE,
    )
    return [SizedFrame(by_second[one.seconds], one.seconds, side) for one, side in zip(chosen, sides, strict=True)]


def _tokens_of(width: int, height: int) -> int:
    return math.ceil(width / _TOKEN_SIDE) * math.ceil(height / _TOKEN_SIDE)


def _second(segment: Evidence) -> float:
    return segment.start if segment.frame_seconds is None else segment.frame_seconds
