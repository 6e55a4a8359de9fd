"""Shows the steps of a question on a terminal while it is answered, one line for each."""

import sys
from collections import Counter
from collections.abc import Sequence
from typing import Self

from rich.console import Console
from rich.text import Text

from ...tools.errors import ServerError
from ...tools.extractors.registry import modality_names, participle
from ...tools.records import Modality, clean_text, clock
from ..graph.events import (
    Answered,
    AnswerWeighed,
    ChapterRead,
    ClaimJudged,
    ClaimsDrafted,
    Event,
    EvidenceFound,
    FramesLookedAt,
    PlanMade,
)
from ..records import Answer, Plan

__all__ = ["AskingView"]

# A time beyond this is after the end of any video.
_FAR = 1e6
_VERDICTS = ("supported", "verbatim", "refuted", "unverified")
_MARKS = {"refuted": "✗", "unverified": "?"}


class AskingView:
    """Draws the steps of a question on stderr, where that is a terminal."""

    def __init__(self, *, quiet: bool, thread: str | None = None) -> None:
        """Draw on a terminal only.

        Args:
            quiet: Draw nothing.
            thread: The conversation. If its question is interrupted, print how to continue.
        """
        self._thread = thread
        self._console = Console(stderr=True, quiet=quiet or not sys.stderr.isatty(), highlight=False)
        self._status = self._console.status("starting …")
        self._verdicts: list[str] = []
        self._answer: Answer | None = None

    def __enter__(self) -> Self:
        self._status.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._status.stop()
        if self._thread is not None and kind is not None and issubclass(kind, (KeyboardInterrupt, ServerError)):
            name = clean_text(self._thread)
            print(
                f"playhead: stopped. Finished steps are kept: continue with --resume --thread {name!r}", file=sys.stderr
            )

    @property
    def answer(self) -> Answer:
        """The answer, after its event was shown."""
        assert self._answer is not None
        return self._answer

    def note(self, text: str) -> None:
        """Print one line."""
        self._line(text)

    def show(self, event: Event) -> None:
        """Show one step."""
        match event:
            case PlanMade():
                self._plan(event)
                self._now("searching")
            case EvidenceFound():
                self._evidence(event)
                self._now("reading")
            case FramesLookedAt():
                self._frames(event)
                self._now("answering")
            case ChapterRead():
                self._line(f"{event.span} {_count(len(event.notes), 'note')}")
                self._now("reading chapters")
            case ClaimsDrafted():
                self._judged()
                self._verdicts = []
                self._line(f"{_count(len(event.claims), 'claim')} drafted")
                self._now("checking")
            case ClaimJudged():
                self._verdicts.append(event.claim.verdict)
                if doubt := event.claim.doubt:
                    self._line(f"{_MARKS[doubt]} {doubt}: {event.claim.text}")
            case AnswerWeighed():
                if not event.is_given:
                    self._line(f"the answer from this passage is not given: {event.probability:.0%} likely to be right")
            case Answered():
                self._judged()
                self._answer = event.answer

    def _plan(self, event: PlanMade) -> None:
        plan = event.plan
        if plan.question != event.question:
            self._line(f"understood as “{plan.question}”")
        if plan.kind == "whole":
            self._line(f"reading chapter by chapter{_when(plan)}")
        elif plan.is_moment:
            self._line(f"reading {_where(plan.modalities)}{_when(plan)}")
        else:
            self._line(f"looking for “{plan.query}” in {_where(plan.modalities)}{_when(plan)}")
        for query in plan.more:
            self._line(f"looking for “{query.text}” in {_where(query.modalities)}")

    def _evidence(self, event: EvidenceFound) -> None:
        more = "more " if event.round > 1 else ""
        best = ""
        if event.evidence:
            first = event.evidence[0]
            best = f": {first.span} {participle(first.modality)} {first.text}"
        self._line(f"{_count(len(event.evidence), f'{more}piece')} of evidence{best}")

    def _frames(self, event: FramesLookedAt) -> None:
        videos = ", ".join(dict.fromkeys(frame.name for frame in event.frames))
        of = f" of {videos}" if videos else ""
        grids = f", chosen from {event.inspected} small ones" if event.inspected else ""
        self._line(f"looking at {_count(len(event.frames), 'frame')}{of}{grids}")

    def _judged(self) -> None:
        if self._verdicts:
            counts = Counter(self._verdicts)
            summed = ", ".join(f"{counts[verdict]} {verdict}" for verdict in _VERDICTS if counts[verdict])
            self._line(f"{_count(len(self._verdicts), 'claim')} checked: {summed}")

    def _line(self, text: str) -> None:
        self._console.print(Text(clean_text(text), style="dim"), no_wrap=True, overflow="ellipsis")

    def _now(self, doing: str) -> None:
        self._status.update(f"{doing} …")


def _count(number: int, of: str) -> str:
    return f"{number} {of}{'' if number == 1 else 's'}"


def _where(modalities: Sequence[Modality]) -> str:
    names = ", ".join(participle(one) for one in modalities)
    return "everything" if set(modalities) == set(modality_names()) else f"what is {names}"


def _when(plan: Plan) -> str:
    if plan.part is not None:
        return f", at the {plan.part}"
    if plan.between is None:
        return ""
    if plan.from_end:
        end = clock(plan.between.end)
        return f", {end} before the end" if plan.between.start else f", in the last {end}"
    return f", after {clock(plan.between.start)}" if plan.between.end >= _FAR else f", {plan.between}"
