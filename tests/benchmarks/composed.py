"""One question asked with a language model: what it composed before it was weighed, and the answer that was given."""

from typing import NamedTuple

from transcripts import video_id

from playhead import Answer, Claim, Library
from playhead.agent.graph.events import Answered, AnswerWeighed, ClaimJudged, ClaimsDrafted

__all__ = ["Composed", "asked"]


class Composed(NamedTuple):
    """What came of one question.

    Attributes:
        claims: What the model composed, given or not.
        weighed: How likely that is right; None: nothing was composed, the model said that nothing was found, or there is
            no model.
        answer: What was given in the end.
    """

    claims: tuple[Claim, ...]
    weighed: AnswerWeighed | None
    answer: Answer


def asked(library: Library, question: str, video: str | None = None) -> Composed:
    """Ask a question of a library, or of one video of TutorialVQA.

    Args:
        library: The library.
        question: As typed.
        video: The video's name.
    """
    claims: tuple[Claim, ...] = ()
    weighed: AnswerWeighed | None = None
    for event in library.stream(question, videos=video_id(video) if video else None):
        if isinstance(event, ClaimsDrafted):
            claims = ()
        elif isinstance(event, ClaimJudged):
            claims += (event.claim,)
        elif isinstance(event, AnswerWeighed):
            weighed = event
        elif isinstance(event, Answered):
            return Composed(claims, weighed, event.answer)
    raise AssertionError("a stream ends with an answer")
