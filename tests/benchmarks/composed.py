"""One question asked with a language model: what it composed, each with its weight, and the answer that was given."""

from typing import NamedTuple

from transcripts import video_id

from playhead import Answer, Claim, Library
from playhead.agent.graph.events import Answered, AnswerWeighed, ClaimJudged, ClaimsDrafted

__all__ = ["Attempt", "Composed", "asked"]


class Attempt(NamedTuple):
    """What a model composed from one passage.

    Attributes:
        claims: Its claims, given or not.
        weighed: How likely they are right; None: they were dropped, or there is no model.
    """

    claims: tuple[Claim, ...]
    weighed: AnswerWeighed | None


class Composed(NamedTuple):
    """What came of one question.

    Attributes:
        attempts: In their order; the last one was given if any was.
        answer: What was given in the end.
    """

    attempts: tuple[Attempt, ...]
    answer: Answer


def asked(library: Library, question: str, video: str | None = None) -> Composed:
    """Ask a question of a library, or of one video of TutorialVQA.

    Args:
        library: The library.
        question: As typed.
        video: The video's name.
    """
    attempts: list[Attempt] = []
    for event in library.stream(question, videos=video_id(video) if video else None):
        if isinstance(event, ClaimsDrafted):
            attempts.append(Attempt((), None))
        elif isinstance(event, ClaimJudged):
            attempts[-1] = Attempt((*attempts[-1].claims, event.claim), attempts[-1].weighed)
        elif isinstance(event, AnswerWeighed):
            attempts[-1] = attempts[-1]._replace(weighed=event)
        elif isinstance(event, Answered):
            return Composed(tuple(attempts), event.answer)
    raise AssertionError("a stream ends with an answer")
