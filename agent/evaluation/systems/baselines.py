"""Published methods to answer a question about a video, and this agent, with the same protocol and budget.

Each baseline asks the video LLM once: without any video (`blind`), with frames from different selection methods,
with retrieved text and frames (Video-RAG), or with captions only (LLoVi).
"""

import hashlib
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ....index.localization.frame_choice import Candidate, stretched
from ....index.records import Evidence
from ....prompts import render
from ....tools.errors import AnswerFormatError, QueryError
from ....tools.extractors.registry import cited_as_text, participle
from ....tools.llm.pictures import Picture, cells_of, make_grid
from ....tools.llm.protocol import Part, TokenUsage, VideoLLM
from ....tools.llm.structured import ask_structured
from ....tools.media.frames import frames_at, probe
from ....tools.records import Modality
from ....tools.settings import Settings
from ...composing.model_input import quoted
from ...library import Library
from ...records import Usage
from ..metrics.choices import read_option
from ..records import Budget, Prediction, Question, letter
from .frame_choosers import TStarGoal, aks, t_star, top_k

__all__ = ["BASELINES", "AgentSystem", "Baseline", "Shown", "baseline", "settings_for"]

_LONGEST_SIDE = 512
_ANSWER_TOKENS = 64
# Text lines of each modality for Video-RAG; characters of captions for LLoVi.
_ROWS_A_MODALITY = 10
_CAPTION_CHARACTERS = 40_000
_GRID = 4  # T* here looks at grids of 4 × 4, which a video LLM can read; its detector looks at 8 × 8
_SEEN, _UNSEEN = 0.9, 0.0


@dataclass(frozen=True)
class Shown:
    """The input of the video LLM, and the cost of its selection.

    Attributes:
        seconds: Times of the frames, in order.
        rows: Text, in order of time.
        looked: Number of frames shown during the selection.
        usage: Tokens used during the selection.
    """

    seconds: tuple[float, ...] = ()
    rows: tuple[Evidence, ...] = ()
    looked: int = 0
    usage: TokenUsage = field(default_factory=TokenUsage)


@dataclass(frozen=True)
class _Place:
    """The video of a question, indexed or only a file, with everything that a baseline may use.

    Attributes:
        question: The question.
        budget: Limits for the question.
        seed: Seed of all random choices.
        llm: The video LLM.
        library: The indexed videos; None: nothing is indexed.
    """

    question: Question
    budget: Budget
    seed: int
    llm: VideoLLM
    library: Library | None

    @property
    def file(self) -> Path:
        if self.question.file is None:
            raise QueryError(f"the video {self.question.video} is missing: question {self.question.question_id}")
        return self.question.file

    def evidence(self, modality: Modality) -> list[Evidence]:
        _, held = self._indexed().observed(self.file)
        return [one for one in held if one.modality == modality]

    def found(self, modality: Modality, k: int) -> list[Evidence]:
        return self._indexed().search(self.question.question, k, modalities=modality, videos=self.file)

    def candidates(self) -> list[Candidate]:
        """The stored segment keyframes; the relevance of each is the similarity of its picture to the question."""
        segments = self.evidence("frame")
        similarity = {one.evidence_id: one.similarity for one in self.found("frame", max(1, len(segments)))}
        relevance = (
            stretched([similarity.get(one.evidence_id, -1.0) for one in segments])
            if similarity
            else [0.0] * len(segments)
        )
        return [
            Candidate(one.start if one.frame_seconds is None else one.frame_seconds, value, one.span)
            for one, value in zip(segments, relevance, strict=True)
        ]

    def _indexed(self) -> Library:
        if self.library is None:
            raise QueryError("this baseline searches what is indexed: name a library with --library")
        return self.library


def _blind(_: _Place) -> Shown:
    """The question only: measures guessing from options and common sense."""
    return Shown()


def _one_random_frame(place: _Place) -> Shown:
    """One random frame; it is enough for over half of Video-MME (VideoEval-Pro, Ma et al. 2025, section 2)."""
    drawn = random.Random(f"{place.seed}/{place.question.question_id}").random()  # noqa: S311 (not secret)
    return Shown((drawn * _duration(place),))


def _uniform(place: _Place) -> Shown:
    """The middle of each of K equal parts (Temporal Segment Networks, Wang et al. 2016)."""
    count = place.budget.frames
    return Shown(tuple((i + 0.5) * _duration(place) / count for i in range(count)))


def _top_k(place: _Place) -> Shown:
    """The K segment keyframes most similar to the question."""
    return Shown(tuple(one.seconds for one in top_k(place.candidates(), place.budget.frames)))


def _aks(place: _Place) -> Shown:
    """Adaptive Keyframe Sampling, as published (see `agent.evaluation.systems.frame_choosers.aks`)."""
    return Shown(tuple(one.seconds for one in aks(place.candidates(), place.budget.frames)))


def _t_star(place: _Place) -> Shown:
    """T*, as published (see `agent.evaluation.systems.frame_choosers.t_star`), the video LLM being the detector: it names cells of a grid."""
    looked, usage = 0, TokenUsage()

    def look(seconds: Sequence[float]) -> list[list[float]]:
        nonlocal looked, usage
        grid = make_grid(list(frames_at(place.file, seconds)), columns=_GRID)
        looked += len(seconds)
        orders = render("look", count=str(len(seconds)))
        try:
            named, cost = ask_structured(
                place.llm,
                (f"To find: {quoted(place.question.question)}", grid),
                cells_of(grid),
                instructions=orders,
                max_tokens=256,
            )
        except AnswerFormatError as error:
            usage += error.usage or TokenUsage()
            return [[_UNSEEN] for _ in seconds]
        usage += cost
        return [[_SEEN if number in named.cells else _UNSEEN] for number in range(1, len(seconds) + 1)]

    places = [float(second) for second in range(max(1, int(_duration(place))))]
    goal = TStarGoal(k=place.budget.frames, budget=2 * place.budget.frames, grid=_GRID, seed=place.seed)
    searched = t_star(places, look, goal)
    return Shown(searched.chosen, looked=looked, usage=usage)


def _video_rag(place: _Place) -> Shown:
    """Video-RAG in a single turn (Luo et al. 2024): K uniform frames, with matching speech, text and objects."""
    rows = [one for modality in cited_as_text() for one in place.found(modality, _ROWS_A_MODALITY)]
    return Shown(_uniform(place).seconds, tuple(sorted(rows, key=lambda one: one.start)))


def _llovi(place: _Place) -> Shown:
    """Captions only (LLoVi, Zhang et al. 2024): all in order, uniformly subsampled to the limit of characters."""
    captions = place.evidence("caption")
    total = sum(len(one.text) for one in captions)
    step = max(1, -(-total // _CAPTION_CHARACTERS))
    return Shown(rows=tuple(captions[::step]))


_GATHERS: dict[str, Callable[[_Place], Shown]] = {
    "blind": _blind,
    "one-random-frame": _one_random_frame,
    "uniform": _uniform,
    "top-k": _top_k,
    "aks": _aks,
    "t-star": _t_star,
    "video-rag": _video_rag,
    "llovi": _llovi,
}
BASELINES = (*_GATHERS, "agent")


class Baseline:
    """A baseline: selects input by one method and asks the video LLM once."""

    def __init__(
        self,
        name: str,
        llm: VideoLLM,
        library: Library | None = None,
        masked: Sequence[Modality] = (),
        seed: int = 0,
    ) -> None:
        """Choose the method.

        Args:
            name: A name of `BASELINES`, except `agent`.
            llm: The video LLM that answers.
            library: The library for baselines that search, without the masked modalities.
            masked: Hidden modalities; without `frame` the model sees no frames.
            seed: Seed of all random choices.

        Raises:
            QueryError: There is no such baseline.
        """
        if name not in _GATHERS:
            raise QueryError(f"no baseline {name!r}: there are {', '.join(BASELINES)}")
        self.name = name
        self.fingerprint = _hash(name, llm.source, seed, masked, library.settings.fingerprint() if library else "")
        self._llm, self._library, self._seed = llm, library, seed
        self._sees = "frame" not in masked

    def answer(self, question: Question, budget: Budget) -> Prediction:
        """Select the input, ask once, and parse the answer.

        Raises:
            MediaError: The video cannot be read.
            ServerError: The video LLM does not answer.
            QueryError: The video is missing, or not indexed although the baseline needs it.
        """
        began = time.perf_counter()
        place = _Place(question, budget, self._seed, self._llm, self._library)
        shown = _GATHERS[self.name](place)
        frames = list(frames_at(place.file, shown.seconds)) if shown.seconds and self._sees else []
        parts: list[Part] = [_asked(question, shown.rows)]
        parts += [Picture(frame, _LONGEST_SIDE) for frame in frames]
        orders = render("choose" if question.options else "short_answer")
        reply = self._llm.ask(parts, instructions=orders, max_tokens=_ANSWER_TOKENS, seconds=budget.seconds)
        used = TokenUsage.of(reply)
        usage = shown.usage + used
        option = read_option(reply.text, question.options) if question.options else None
        return Prediction(
            question_id=question.question_id,
            status="insufficient" if question.options and option is None else "answered",
            answer=reply.text,
            option=option,
            frames=tuple(frame.seconds for frame in frames),
            usage=Usage(
                seconds=time.perf_counter() - began,
                rounds=1,
                evidence=len(shown.rows),
                frames=len(frames) + shown.looked,
                prompt_tokens=usage.prompt_tokens,
                completion_tokens=usage.completion_tokens,
            ),
        )


class AgentSystem:
    """This agent, as `Library.ask` answers."""

    name = "agent"

    def __init__(self, library: Library, masked: Sequence[Modality] = ()) -> None:
        """Ask a library.

        Args:
            library: The library without the masked modalities; its settings are the agent's.
            masked: Hidden modalities.
        """
        self._library = library
        self.fingerprint = _hash("agent", library.settings.fingerprint(), masked)

    def answer(self, question: Question, budget: Budget) -> Prediction:
        """Ask, within the budget's frames, tokens, seconds and rounds.

        Raises:
            PlayheadError: As `Library.ask`.
        """
        del budget  # the library's settings contain the budget: see `settings_for`
        asked = self._library.ask(question.question, videos=question.file or question.video, options=question.options)
        return Prediction.of(question, asked)


def baseline(
    name: str,
    llm: VideoLLM | None,
    library: Library | None,
    masked: Sequence[Modality] = (),
    seed: int = 0,
) -> Baseline | AgentSystem:
    """Return the system with a name.

    Raises:
        QueryError: There is no such system, or it needs a library or a video LLM that is not set.
    """
    if name == "agent":
        if library is None:
            raise QueryError("the agent answers from a library: name one with --library")
        return AgentSystem(library, masked)
    if llm is None:
        raise QueryError(f"the baseline {name!r} asks a video LLM: set video_llm_url or video_llm_model")
    return Baseline(name, llm, library, masked, seed)


def settings_for(settings: Settings, budget: Budget) -> Settings:
    """Return settings that limit the agent to a budget."""
    return settings.model_copy(
        update={
            "max_frames": max(1, budget.frames),
            "max_tokens": budget.tokens,
            "max_seconds": budget.seconds,
            "max_rounds": budget.rounds,
        }
    )


def _asked(question: Question, rows: Sequence[Evidence]) -> str:
    lines = [f"Question: {quoted(question.question)}"]
    lines += [f"{letter(i)}. {quoted(option)}" for i, option in enumerate(question.options)]
    if rows:
        lines += ["", "Text of the video:"]
        lines += [f"{row.span} {participle(row.modality)}: {quoted(row.text)}" for row in rows]
    return "\n".join(lines)


def _duration(place: _Place) -> float:
    return place.question.duration or probe(place.file).duration


def _hash(*parts: object) -> str:
    return hashlib.blake2b(repr(parts).encode(), digest_size=6).hexdigest()
