"""The client of a served video LLM: sends text and timed frames, gets words back, over the OpenAI protocol.

It uses only what vLLM, SGLang, `transformers serve` and hosted services agree on: one user message of
interleaved `<12.0 seconds>` texts and JPEG data URIs. What not all of them have, it can do without.
"""

import itertools
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from pydantic import BaseModel, Field

from ..errors import AnswerFormatError, ServerError, SettingsError
from ..records import clean_text
from ..settings import Settings
from .connection import Server
from .pictures import Shown, jpeg_base64
from .protocol import Budget, ModelState, Part, Reply, TokenUsage, pieces, time_mark, unarmed
from .structured import json_schema

if TYPE_CHECKING:
    import openai
    from openai.types.chat import ChatCompletionContentPartParam, ChatCompletionMessageParam

__all__ = ["OpenAIVideoLLM", "check_server"]

# After the first try. A server that took its time and gave no answer is not asked again.
RETRIES = 2
CHECK_SECONDS = 3.0
# vLLM (since 0.19) leaves out all frames of a JPEG sequence after the 32nd, without a word.
FRAMES_A_VIDEO = 32

_CUT = ("length", "content_filter")
# How servers say that they do not know `response_format`, or not what stands in it.
_FORMAT_REFUSED = (400, 422)


class OpenAIVideoLLM:
    """A `VideoLLM` behind an OpenAI-compatible server. One object may be used by many threads."""

    def __init__(self, settings: Settings) -> None:
        """Find out which model to ask; the server is contacted only if the settings do not name it.

        Raises:
            SettingsError: URL or key cannot be used, or the server offers no single model to choose.
            ServerError: The model is not set and the server does not say what it serves.
        """
        self._server = Server(settings, settings.video_llm_timeout, RETRIES)
        self._model = settings.video_llm_model or _only_model(self._server)
        self._as_video = settings.video_llm_frames == "video"
        self._takes_format = True
        self.source = f"{clean_text(self._model)}@{self._server.host}"

    def ask(
        self,
        parts: Sequence[Part],
        *,
        instructions: str = "",
        max_tokens: int = 1024,
        kind: type[BaseModel] | None = None,
        seconds: float | None = None,
    ) -> Reply:
        """As `VideoLLM.ask`. Sampling is off (temperature 0): the same frames give the same words.

        `kind` goes out as `response_format`. Servers that know none ignore it, or refuse the request:
        then it is sent again without, and so are all later ones.
        """
        budget = Budget(seconds)
        content = _videos(pieces(parts)) if self._as_video else _images(pieces(parts))
        messages: list[ChatCompletionMessageParam] = [{"role": "user", "content": list(content)}]
        if instructions:
            messages.insert(0, {"role": "system", "content": unarmed(instructions)})
        if kind is None or not self._takes_format:
            return self._completed(messages, max_tokens, None, budget)
        try:
            return self._completed(messages, max_tokens, kind, budget)
        except ServerError as error:
            if getattr(error.__cause__, "status_code", None) not in _FORMAT_REFUSED:
                raise
        reply = self._completed(messages, max_tokens, None, budget)
        self._takes_format = False
        return reply

    def _completed(
        self,
        messages: "Sequence[ChatCompletionMessageParam]",
        max_tokens: int,
        kind: type[BaseModel] | None,
        budget: Budget,
    ) -> Reply:
        import openai

        async def request(client: openai.AsyncOpenAI) -> bytes:
            raw = await client.chat.completions.with_raw_response.create(
                model=self._model,
                messages=messages,
                max_tokens=max_tokens,
                temperature=0.0,
                response_format={
                    "type": "json_schema",
                    "json_schema": {"name": "answer", "schema": json_schema(kind)},
                }
                if kind
                else openai.omit,
            )
            return raw.content

        started = time.monotonic()
        answer = self._server.parsed(_Completion, self._server.send(request, budget.left))
        choice, usage = answer.choices[0], answer.usage or _Usage()
        text = choice.message.content or choice.message.refusal or ""
        if not clean_text(text):
            raise AnswerFormatError(
                f"video LLM at {self._server.url}: the answer has no words (finish_reason {choice.finish_reason!r}, "
                f"max_tokens {max_tokens}): does model {self._model!r} take pictures? A reasoning model needs more tokens",
                TokenUsage(
                    requests=1,
                    prompt_tokens=usage.prompt_tokens,
                    completion_tokens=usage.completion_tokens,
                    seconds=time.monotonic() - started,
                ),
            )
        return Reply(
            text=text.strip(),
            prompt_tokens=usage.prompt_tokens,
            completion_tokens=usage.completion_tokens,
            truncated=choice.finish_reason in _CUT,
        )


def check_server(settings: Settings) -> ModelState:
    """As `check`: asks for `/models`; a server that cannot list them is asked for `/health`.

    `transformers serve` without a hub cache cannot list them.
    """
    import openai

    try:
        server = Server(settings, CHECK_SECONDS, 0)
    except SettingsError as error:
        return ModelState(ok=False, words=str(error))
    wanted = settings.video_llm_model
    try:
        served = _models(server)
    except ServerError as error:
        hopeless = (openai.APIConnectionError, openai.AuthenticationError, openai.PermissionDeniedError, TimeoutError)
        if isinstance(error.__cause__, hopeless):
            return ModelState(ok=False, words=str(error))
        return _healthy(settings, server, error)
    if wanted is None and len(served) != 1:
        return ModelState(ok=False, words=_choose(server, served))
    if wanted is not None and wanted not in served:
        words = f"video LLM at {server.url} does not list {wanted!r} but {_listed(served)}: check video_llm_model"
        return ModelState(ok=False, words=words)
    return ModelState(ok=True, words=f"video LLM at {server.url} serves {wanted or clean_text(served[0])}")


class _Message(BaseModel):
    content: str | None = None
    refusal: str | None = None


class _Choice(BaseModel):
    message: _Message
    finish_reason: str | None = None


class _Usage(BaseModel):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None


class _Completion(BaseModel):
    choices: list[_Choice] = Field(min_length=1)
    usage: _Usage | None = None


class _Model(BaseModel):
    id: str


class _Models(BaseModel):
    data: list[_Model]


def _models(server: Server) -> list[str]:
    """Names of what is served."""

    async def request(client: "openai.AsyncOpenAI") -> bytes:
        return (await client.models.with_raw_response.list()).content

    return [model.id for model in server.parsed(_Models, server.send(request)).data]


def _only_model(server: Server) -> str:
    try:
        served = _models(server)
    except ServerError as error:
        raise ServerError(f"{error}; video_llm_model is not set: set it") from error
    if len(served) != 1:
        raise SettingsError(_choose(server, served))
    return served[0]


def _choose(server: Server, served: Sequence[str]) -> str:
    return f"video LLM at {server.url} lists {_listed(served)}: set video_llm_model to the one to use"


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(clean_text(name)[:100] for name in names[:5]) or "no models"
    return f"{shown} and {len(names) - 5} more" if len(names) > 5 else shown


def _healthy(settings: Settings, server: Server, error: ServerError) -> ModelState:
    """The finding for a server whose list of models could not be read because of `error`."""
    # /health lies beside /v1, not in it; and uvicorn resets a connection after an error of its own: take a new one.
    try:
        Server(settings, CHECK_SECONDS, 0).send(
            lambda client: client.get(f"{str(client.base_url).rstrip('/').removesuffix('/v1')}/health", cast_to=str)
        )
    except ServerError:
        return ModelState(ok=False, words=str(error))
    up = f"video LLM at {server.url} is up, but does not list its models"
    if settings.video_llm_model is None:
        return ModelState(ok=False, words=f"{up}: set video_llm_model")
    return ModelState(ok=True, words=f"{up}; {settings.video_llm_model} is taken on trust")


def _images(content: Iterable[str | Shown]) -> "Iterator[ChatCompletionContentPartParam]":
    """Every picture by itself, each frame after its time."""
    for piece in content:
        if isinstance(piece, str):
            yield {"type": "text", "text": piece}
            continue
        if piece.seconds is not None:
            yield {"type": "text", "text": time_mark(piece.seconds)}
        yield {"type": "image_url", "image_url": {"url": f"data:image/jpeg;base64,{jpeg_base64(piece.image)}"}}


def _videos(content: Iterable[str | Shown]) -> "Iterator[ChatCompletionContentPartParam]":
    """As vLLM takes videos: neighbouring frames of one size as one JPEG sequence, after all their times.

    What cannot be part of a video (a grid, a frame by itself) stays a picture.
    """
    for size, group in itertools.groupby(content, _frame_size):
        run = list(group)
        for start in range(0, len(run), FRAMES_A_VIDEO):
            frames = [piece for piece in run[start : start + FRAMES_A_VIDEO] if isinstance(piece, Shown)]
            if size is None or len(frames) < 2:
                yield from _images(run[start : start + FRAMES_A_VIDEO])
                continue
            yield {"type": "text", "text": " ".join(time_mark(frame.seconds or 0.0) for frame in frames)}
            url = f"data:video/jpeg;base64,{','.join(jpeg_base64(frame.image) for frame in frames)}"
            yield {"type": "video_url", "video_url": {"url": url}}  # type: ignore[misc]  # vLLM's own kind of part


def _frame_size(piece: str | Shown) -> tuple[int, int] | None:
    return piece.image.size if isinstance(piece, Shown) and piece.seconds is not None else None
