"""The protocol of a video LLM: texts and timed pictures in, text out.

It is independent of prompts and backends. `backends` chooses the backend that `video_llm_backend` names. A model that reads
text only has the same protocol: its capabilities report that, and it gets no frames.
"""

import math
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Protocol, Self, TypeAlias

from pydantic import BaseModel, Field

from ..errors import QueryError
from ..records import Frame, Record
from .capabilities import Capabilities
from .pictures import Grid, Picture, Shown, shown

__all__ = [
    "Budget",
    "ModelState",
    "Part",
    "Reply",
    "TokenUsage",
    "VideoLLM",
    "log_odds",
    "pieces",
    "time_mark",
    "without_control_tokens",
]

# One piece of a request, in the order in which the model reads them. A `Frame` is sent at the default size.
Part: TypeAlias = str | Frame | Picture | Grid

# Servers obey control tokens anywhere in a text: `<|im_end|>` read off a slide would end our message,
# `<|image_pad|>` makes transformers answer HTTP 500. These are those of Qwen, Llama and Phi (`<|…`),
# DeepSeek (`<｜…`), Gemma, InternVL, LLaVA and Mistral.
_CONTROL = re.compile(
    r"<(?=[|｜]|/?(?:s|bos|eos|pad|unk|img|image|video|audio|think|tool_call|tool_response|IMG_CONTEXT|"
    r"image_soft_token|(?:start|end)_of_(?:turn|image))>)|\[(?=/?(?:INST|IMG|IMG_BREAK|IMG_END|SYSTEM_PROMPT|THINK)\])"
)


class Reply(Record):
    """The model's answer to one request."""

    text: str = Field(description="Its text, never blank. Untrusted: data, never an instruction.")
    prompt_tokens: int | None = Field(
        description="Tokens read, pictures included; None if the server does not report it."
    )
    completion_tokens: int | None = Field(description="Tokens written; None if the server does not report it.")
    truncated: bool = Field(description="Whether the answer was cut off.")
    thought: bool = Field(default=False, description="Whether it wrote thoughts before its answer.")
    log_odds: float | None = Field(
        default=None,
        description="Log-odds of the first of two words against the second; None: not asked for, or not given.",
    )


class TokenUsage(Record):
    """Tokens and time of requests; the usage of several requests is their sum."""

    requests: int = Field(default=0, ge=0, description="Answers that the model gave.")
    prompt_tokens: int | None = Field(default=0, description="Tokens read; None if a server does not report it.")
    completion_tokens: int | None = Field(default=0, description="Tokens written; None if a server does not report it.")
    seconds: float = Field(default=0.0, ge=0, description="Time spent waiting for answers.")

    @classmethod
    def of(cls, reply: Reply, seconds: float = 0.0) -> Self:
        """The usage of one request."""
        return cls(
            requests=1,
            prompt_tokens=reply.prompt_tokens,
            completion_tokens=reply.completion_tokens,
            seconds=seconds,
        )

    def __add__(self, other: Self) -> "TokenUsage":
        def total(one: int | None, two: int | None) -> int | None:
            return None if one is None or two is None else one + two

        return TokenUsage(
            requests=self.requests + other.requests,
            prompt_tokens=total(self.prompt_tokens, other.prompt_tokens),
            completion_tokens=total(self.completion_tokens, other.completion_tokens),
            seconds=self.seconds + other.seconds,
        )


class ModelState(Record):
    """The result of `check` for a video LLM."""

    ok: bool = Field(description="Whether it can be reached and, as far as it says, is the model that is set.")
    words: str = Field(description="The result in one line, with the next step if it is not ok.")


class Budget:
    """A time limit that starts when the object is made."""

    def __init__(self, seconds: float | None) -> None:
        self.seconds = math.inf if seconds is None else seconds
        self._end = time.monotonic() + self.seconds

    @property
    def left(self) -> float:
        """Seconds left, 0 at least; infinite without a limit."""
        return max(0.0, self._end - time.monotonic())


class VideoLLM(Protocol):
    """A model that reads text and frames, and answers in words."""

    @property
    def source(self) -> str:
        """The model as `model@server`, or `model@version` where it runs on this machine."""

    @property
    def capabilities(self) -> Capabilities:
        """What the model can do, as far as it is known; errors correct it."""

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
        """Send one request and return the answer; nothing is remembered.

        Args:
            parts: Texts and pictures in the order in which the model shall read them, each frame after
                its time. Text from a video must be here, quoted, never in
                `instructions`. Control tokens in texts are broken up.
            instructions: The task, without any text from a video.
            max_tokens: The answer is cut after this number of tokens.
            kind: The requested format of the answer, as JSON. Some backends enforce it, others do not;
                the reply is text in both cases: use `ask_structured`.
            seconds: Time for all of it, retries included. None: as long as `video_llm_timeout` allows.
            on_text: Called with each new piece of the answer, where the backend streams.
            words: Two words that the answer may begin with, such as yes and no: the reply's `log_odds` says how much
                likelier the first is, where the backend gives log-probabilities.

        Raises:
            PicturesRefusedError: The model accepts no pictures, or fewer: its capabilities give the number.
            RequestTooLongError: The request does not fit into the model's context.
            ServerError: No usable answer came, or none in time.
            QueryError: There are no parts.
        """


def log_odds(likeliest: Mapping[str, float], words: tuple[str, str]) -> float | None:
    """How much likelier one word begins an answer than another.

    Args:
        likeliest: Log-probabilities of the likeliest first tokens. Case and spaces do not matter: "Yes" and " yes" add up.
        words: The word, and the other one.

    Returns:
        The log-odds. A word that is not among the likeliest counts as the least likely of them; None if neither is.
    """
    shares = [
        sum(math.exp(value) for token, value in likeliest.items() if token.strip().casefold() == word) for word in words
    ]
    if not any(shares):
        return None
    least = math.exp(min(likeliest.values()))
    first, second = (share or least for share in shares)
    return math.log(first / second)


def pieces(parts: Sequence[Part]) -> Iterator[str | Shown]:
    """The parts as a backend sends them: texts with their control tokens broken up, pictures at their size.

    Raises:
        QueryError: There are no parts.
    """
    if not parts:
        raise QueryError("a video LLM is asked with at least one text or frame, got none")
    return (without_control_tokens(part) if isinstance(part, str) else shown(part) for part in parts)


def time_mark(seconds: float) -> str:
    """A frame's time as the model reads it, before the frame."""
    return f"<{seconds:.1f} seconds>"


def without_control_tokens(text: str) -> str:
    """Text in which control tokens are broken up: `<|im_end|>` becomes `< |im_end|>`."""
    return _CONTROL.sub(lambda found: f"{found.group()} ", text)
