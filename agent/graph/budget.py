"""The token budget of one question: counts what the video LLM reads and writes, and lets no request begin past it."""

from collections.abc import Sequence

from pydantic import BaseModel

from ...tools.errors import ServerError
from ...tools.llm.protocol import Part, Reply, TokenUsage, VideoLLM

__all__ = ["Metered", "TokensSpentError"]


class TokensSpentError(ServerError):
    """The budget was spent before this request: nobody was asked."""


class Metered:
    """A video LLM with a budget. Requests that run already are let go on, so it may be passed by those."""

    def __init__(self, llm: VideoLLM, most: int, spent: TokenUsage | None = None) -> None:
        """Wrap a model.

        Args:
            llm: Whom to ask.
            most: Tokens, read and written together.
            spent: What a question that is gone on with has cost already.
        """
        self._llm = llm
        self._most = most
        self._spent = spent or TokenUsage()

    @property
    def source(self) -> str:
        """The model as it calls itself."""
        return self._llm.source

    @property
    def share(self) -> float:
        """How much of the budget is spent: 1 is all of it."""
        return ((self._spent.prompt_tokens or 0) + (self._spent.completion_tokens or 0)) / self._most

    def ask(
        self,
        parts: Sequence[Part],
        *,
        instructions: str = "",
        max_tokens: int = 1024,
        kind: type[BaseModel] | None = None,
        seconds: float | None = None,
    ) -> Reply:
        """As `VideoLLM.ask`.

        Raises:
            TokensSpentError: The budget is spent.
            ServerError: No usable answer came, or none in time.
        """
        if self.share >= 1:
            raise TokensSpentError(f"max_tokens={self._most} are used")
        reply = self._llm.ask(parts, instructions=instructions, max_tokens=max_tokens, kind=kind, seconds=seconds)
        cost = TokenUsage(requests=1, prompt_tokens=reply.prompt_tokens, completion_tokens=reply.completion_tokens)
        self._spent += cost
        return reply
