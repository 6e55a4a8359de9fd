"""The client of a served video LLM: sends text and timed frames, receives text, over the OpenAI protocol.

It uses what llama.cpp, vLLM, SGLang, `transformers serve` and hosted services have in common: one user message of interleaved
`<12.0 seconds>` texts and JPEG data URIs. Parameters that only some of them take are left out once one refuses them.
"""

import itertools
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, Field

from ...errors import AnswerFormatError, PicturesRefusedError, RequestTooLongError, ServerError, SettingsError
from ...records import clean_text
from ...settings import Settings
from ..capabilities import Capabilities, CapabilityCache, from_error, from_metadata
from ..pictures import Shown, jpeg_base64
from ..protocol import Budget, ModelState, Part, Reply, TokenUsage, log_odds, pieces, time_mark, without_control_tokens
from ..structured import json_schema
from .connection import Server
from .streaming import ContinuedText, streamed_body

if TYPE_CHECKING:
    import openai
    from openai.types.chat import ChatCompletionContentPartParam, ChatCompletionMessageParam

__all__ = ["OpenAIVideoLLM", "check_server"]

# Retries after the first try. There is no retry after a timeout.
RETRIES = 2
CHECK_SECONDS = 3.0
# vLLM (since 0.19) drops all frames of a JPEG sequence after the 32nd, without an error.
FRAMES_A_VIDEO = 32
# The most that hosted services give.
TOP_TOKENS = 20

_CUT = ("length", "content_filter")
# HTTP status of servers that do not support `response_format`, or its content.
_FORMAT_REFUSED = (400, 422)
# What says nothing of a model: no answer, a wrong key, a busy server, and a proxy or a server whose model is not loaded yet.
_SAYS_NOTHING = (None, 401, 408, 425, 429, 502, 503, 504)
# Parameters that one request may lose: the format, the temperature, the stream, and the name of the token limit.
_MOST_CORRECTIONS = 5


class OpenAIVideoLLM:
    """A `VideoLLM` behind an OpenAI-compatible server. One object may be used by many threads."""

    def __init__(self, settings: Settings, *, is_kept: bool = True) -> None:
        """Find out which model to ask; the server is contacted only if the settings do not name it.

        Args:
            settings: URL, key and model.
            is_kept: Whether later processes may use what this one learns of the model.

        Raises:
            SettingsError: URL or key cannot be used, or the server offers no single model to choose.
            ServerError: The model is not set and the server does not say what it serves.
        """
        self._server = Server(settings, settings.video_llm_timeout, RETRIES)
        self._model = settings.video_llm_model or _only_model(self._server)
        self._as_video = settings.video_llm_frames == "video"
        self.source = f"{clean_text(self._model)}@{self._server.host}"
        self._learnt = CapabilityCache(f"{self._model}@{self._server.url}", is_kept=is_kept)
        self._settings = settings
        self._probing = threading.Lock()

    @property
    def capabilities(self) -> Capabilities:
        """What the model can do: asked of the server until it answers, kept, and corrected by its errors."""
        self.probe()
        return self._learnt.value

    def probe(self) -> None:
        """Ask the server what the model can do, unless it has already said so. If it is down, the next call asks again."""
        with self._probing:
            if not self._learnt.is_known:
                facts = _probed(Server(self._settings, CHECK_SECONDS, 0), self._model)
                if facts is not None:
                    self._learnt.found(facts)

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
        """As `VideoLLM.ask`. Sampling is off (temperature 0): the same frames give the same words.

        `kind` goes out as `response_format`. A parameter that the server refuses is left out from then on.
        """
        budget = Budget(seconds)
        content = list(pieces(parts))
        if not self._learnt.value.sees_pictures and any(isinstance(piece, Shown) for piece in content):
            raise PicturesRefusedError(f"video LLM {self.source} reads text only: send no frames")
        user = _videos(content) if self._as_video else _images(content)
        messages: list[ChatCompletionMessageParam] = [{"role": "user", "content": list(user)}]
        if instructions:
            messages.insert(0, {"role": "system", "content": without_control_tokens(instructions)})
        for _ in range(_MOST_CORRECTIONS):
            refused_format = False
            try:
                reply = self._completed(
                    self._body(messages, max_tokens, kind, words), max_tokens, budget, on_text, words
                )
            except ServerError as error:
                what, changes = from_error(_status(error), _said(error))
                refused_format = what == "" and kind is not None and _status(error) in _FORMAT_REFUSED
                if not self._corrected(what, changes, error) and not (
                    refused_format and self._learnt.value.json_schema
                ):
                    raise
            else:
                self._notice(messages, content, reply)
                return reply
            if refused_format:  # The server does not say what it refuses: if it answers without, it was the format.
                reply = self._completed(
                    self._body(messages, max_tokens, None, words), max_tokens, budget, on_text, words
                )
                self._learnt.update(json_schema=False)
                return reply
        raise ServerError(f"video LLM at {self._server.url} refused each form of the request: look into its log")

    def _body(
        self,
        messages: "Sequence[ChatCompletionMessageParam]",
        max_tokens: int,
        kind: type[BaseModel] | None,
        words: tuple[str, str] | None,
    ) -> dict[str, Any]:
        """The request in the parameters that the server takes."""
        can = self._learnt.value
        body: dict[str, Any] = {"model": self._model, "messages": list(messages), can.max_tokens_name: max_tokens}
        if can.takes_temperature:
            body["temperature"] = 0.0
        if words and can.log_probabilities:
            body |= {"logprobs": True, "top_logprobs": TOP_TOKENS}
        if kind is not None and can.json_schema:
            schema = {"name": "answer", "schema": json_schema(kind)}
            body["response_format"] = {"type": "json_schema", "json_schema": schema}
        return body

    def _corrected(self, what: str, changes: Mapping[str, Any], error: ServerError) -> bool:
        """Correct the record; returns whether the same request may now succeed.

        Raises:
            PicturesRefusedError: It takes no pictures, or fewer.
            RequestTooLongError: The request is longer than its context.
        """
        is_new = bool(changes) and self._learnt.update(**changes)
        if what == "pictures":
            raise PicturesRefusedError(str(error)) from error
        if what == "too long":
            raise RequestTooLongError(str(error)) from error
        return what == "parameter" and is_new

    def _notice(self, messages: Sequence[Any], content: Sequence[str | Shown], reply: Reply) -> None:
        """Learn from an answer how long this model's tokens are, and whether it thinks first."""
        if reply.prompt_tokens and reply.prompt_tokens >= 200 and not any(isinstance(one, Shown) for one in content):
            length = sum(len(str(message["content"]).encode()) for message in messages[:-1])
            length += sum(len(piece.encode()) for piece in content if isinstance(piece, str))
            seen = round(max(0.5, 0.97 * length / reply.prompt_tokens), 2)
            if seen < self._learnt.value.bytes_per_token - 0.15:
                self._learnt.update(bytes_per_token=seen)
        if reply.thought and not self._learnt.value.reasons:
            self._learnt.update(reasons=True)

    def _completed(
        self,
        body: Mapping[str, Any],
        max_tokens: int,
        budget: Budget,
        on_text: Callable[[str], None] | None,
        words: tuple[str, str] | None,
    ) -> Reply:
        started = time.monotonic()
        if on_text is not None and self._learnt.value.streams:
            streamed = {**body, "stream": True, "stream_options": {"include_usage": True}}
            live = ContinuedText(on_text)
            content = self._server.send(lambda client: streamed_body(client, streamed, live.new_try()), budget.left)
        else:
            content = self._server.send(lambda client: _whole_body(client, body), budget.left)
        answer = self._server.parsed(_Completion, content)
        choice, usage = answer.choices[0], answer.usage or _Usage()
        text = choice.message.content or choice.message.refusal or ""
        thought = bool(choice.message.reasoning_content or choice.message.reasoning) or "</think" in text
        if not clean_text(text):
            if thought or choice.message.reasoning_content is not None:
                self._learnt.update(reasons=True)
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
            thought=thought,
            log_odds=log_odds(choice.first_token, words) if words else None,
        )


async def _whole_body(client: "openai.AsyncOpenAI", body: Mapping[str, Any]) -> bytes:
    raw = await client.chat.completions.with_raw_response.create(**body)
    return raw.content


def _status(error: ServerError) -> int | None:
    return getattr(error.__cause__, "status_code", None)


def _said(error: ServerError) -> str:
    """The body of the error answer: the message shows 300 characters of it at most."""
    response = getattr(error.__cause__, "response", None)
    return response.text if response is not None else ""


def _probed(server: Server, model: str) -> dict[str, Any] | None:
    """What the server says of the model without generating anything, in two requests; None: it answered neither."""

    async def get(client: "openai.AsyncOpenAI", path: str) -> Any:
        return await client.get(path, cast_to=object)

    root = server.url.removesuffix("/v1")
    found: list[Mapping[str, Any]] = []
    has_answered = False
    for url in (f"{server.url}/models", f"{root}/props"):
        try:
            body = server.send(lambda client, url=url: get(client, url), CHECK_SECONDS)  # type: ignore[misc]
            has_answered = True
        except ServerError as error:
            body = {}
            has_answered |= _status(error) not in _SAYS_NOTHING
        found.append(body if isinstance(body, Mapping) else {})
    if not has_answered:
        return None
    listed = found[0].get("data")
    entries = [one for one in listed if isinstance(one, Mapping)] if isinstance(listed, list) else []
    ours = next((one for one in entries if one.get("id") == model), entries[0] if len(entries) == 1 else {})
    return from_metadata(ours, found[1])


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
    reasoning_content: str | None = None
    reasoning: str | None = None


class _Token(BaseModel):
    token: str
    logprob: float


class _Position(BaseModel):
    top_logprobs: list[_Token] = []


class _LogProbabilities(BaseModel):
    content: list[_Position] | None = None


class _Choice(BaseModel):
    message: _Message
    finish_reason: str | None = None
    logprobs: _LogProbabilities | None = None

    @property
    def first_token(self) -> dict[str, float]:
        """Log-probabilities of the likeliest first tokens of the answer; empty if the server gave none."""
        tokens = self.logprobs.content if self.logprobs else None
        return {one.token: one.logprob for one in tokens[0].top_logprobs} if tokens else {}


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
    return ModelState(ok=True, words=f"{up}; {settings.video_llm_model} was not checked")


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
