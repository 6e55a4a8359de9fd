"""The token budget of one question: counts what the video LLM reads and writes, failed requests included.

Each request reserves its tokens before it starts, so that requests which run in parallel never exceed the budget
together. What a server does not report costs what was reserved.
"""

import threading
from collections.abc import Callable, Sequence

from pydantic import BaseModel

from ...tools.errors import AnswerFormatError, PicturesRefusedError, RequestTooLongError, ServerError
from ...tools.llm.capabilities import Capabilities
from ...tools.llm.pictures import picture_tokens
from ...tools.llm.protocol import Part, Reply, TokenUsage, VideoLLM

__all__ = ["Metered", "TokensSpentError"]

# Fewer tokens are too few for an answer: the request is not sent.
_FEWEST_ANSWER_TOKENS = 48


class TokensSpentError(ServerError):
    """The budget has no room for this request: nothing was sent."""


class Metered:
    """A video LLM with a budget. One object may be used by many threads."""

    def __init__(self, llm: VideoLLM, most: int, spent: TokenUsage | None = None) -> None:
        """Wrap a model.

        Args:
            llm: The model.
            most: Limit of tokens, read and written together.
            spent: Tokens that a resumed question has already used.
        """
        self._llm = llm
        self._most = most
        self._used = sum(filter(None, (spent.prompt_tokens, spent.completion_tokens))) if spent else 0
        self._reserved = 0
        self._lock = threading.Lock()

    @property
    def source(self) -> str:
        """The model's name."""
        return self._llm.source

    @property
    def capabilities(self) -> Capabilities:
        """What the model can do."""
        return self._llm.capabilities

    @property
    def share(self) -> float:
        """The share of the budget that is spent: 1 is all of it. What a server does not report counts as reserved."""
        return self._used / self._most

    def ask(
        self,
        parts: Sequence[Part],
        *,
        instructions: str = "",
        max_tokens: int = 1024,
        kind: type[BaseModel] | None = None,
        seconds: float | None = None,
        on_text: Callable[[str], None] | None = None,
        words: tuple[str, str] | None = None,
    ) -> Reply:
        """As `VideoLLM.ask`. The answer is cut where the budget ends.

        Raises:
            TokensSpentError: The budget has no room for the request.
            ServerError: No usable answer came, or none in time.
        """
        can = self._llm.capabilities
        texts = [instructions, *(part for part in parts if isinstance(part, str))]
        prompt = sum(map(can.tokens_of, texts))
        prompt += sum(picture_tokens(part) for part in parts if not isinstance(part, str))
        with self._lock:
            left = self._most - self._used - self._reserved - prompt
            if left < min(_FEWEST_ANSWER_TOKENS, max_tokens):
                raise TokensSpentError(f"max_tokens={self._most} are used")
            answer = min(max_tokens, left)
            self._reserved += prompt + answer
        cost = prompt + answer
        try:
            reply = self._llm.ask(
                parts,
                instructions=instructions,
                max_tokens=answer,
                kind=kind,
                seconds=seconds,
                on_text=on_text,
                words=words,
            )
            cost = _cost(reply, prompt, answer)
        except AnswerFormatError as error:
            if error.usage is not None:
                cost = _cost(error.usage, prompt, answer)
            raise
        except (PicturesRefusedError, RequestTooLongError):
            cost = 0  # the server refuses such a request before it reads it
            raise
        finally:
            with self._lock:
                self._reserved -= prompt + answer
                self._used += cost
        return reply


def _cost(reported: Reply | TokenUsage, prompt: int, answer: int) -> int:
    """The tokens of one request: those that the server reports, else those reserved."""
    read, written = reported.prompt_tokens, reported.completion_tokens
    return (prompt if read is None else read) + (answer if written is None else written)
