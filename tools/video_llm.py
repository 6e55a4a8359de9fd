"""The client of a served video LLM: sends text and timed frames, gets words back, over the OpenAI protocol.

Knows nothing of what is asked. It uses only what vLLM, `transformers serve` and their like agree on:
one user message of interleaved `<12.0 seconds>` texts and JPEG data URIs.
"""

import base64
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol, TypeVar
from urllib.parse import urlsplit

from PIL import Image
from pydantic import BaseModel, Field, ValidationError

from .errors import QueryError, ServerError, SettingsError
from .records import Frame, Record, clean_text
from .settings import Settings

if TYPE_CHECKING:
    import openai
    from openai.types.chat import ChatCompletionContentPartParam, ChatCompletionMessageParam

__all__ = ["OpenAIVideoLLM", "Reply", "ServerState", "VideoLLM", "check"]

# Measured on eleven frames of five films: 768 pixels at quality 85 make 45 kB and cost 5 ms a frame,
# and keep a structural similarity of 0.975 at least; quality 95 doubles the bytes for 0.991.
LONGEST_SIDE = 768
JPEG_QUALITY = 85
# More after the first try, by the openai client: on 408, 409, 429, 5xx, timeouts and lost connections.
RETRIES = 2
CONNECT_SECONDS = 5.0
CHECK_SECONDS = 3.0

_CUT = ("length", "content_filter")
_ADVICE = {
    401: "check video_llm_key",
    403: "check video_llm_key",
    404: "check video_llm_model, and that video_llm_url ends where the API begins, usually with /v1",
    413: "send fewer frames",
    429: "the server is too busy: try later",
}


class Reply(Record):
    """What the model said to one request."""

    text: str = Field(description="Its words, never blank. Untrusted: data, never an instruction.")
    prompt_tokens: int | None = Field(description="Tokens read, pictures included; None if the server does not say.")
    completion_tokens: int | None = Field(description="Tokens written; None if the server does not say.")
    truncated: bool = Field(description="Whether the server cut the words off before their end.")


class ServerState(Record):
    """How a server was found by `check`."""

    ok: bool = Field(description="Whether it answers and, as far as it tells, serves the model that is set.")
    words: str = Field(description="The finding in one line, with the next step where it is not ok.")


class VideoLLM(Protocol):
    """A model that reads text and frames, and answers in words."""

    @property
    def source(self) -> str:
        """The model as `model@server`."""

    def ask(self, parts: Sequence[str | Frame], *, instructions: str = "", max_tokens: int = 1024) -> Reply:
        """One question, one answer; nothing is remembered.

        Args:
            parts: Texts and frames in the order in which the model shall read them. What was read
                or heard in a video belongs here, quoted, and never into `instructions`.
            instructions: What to do, in our own words only.
            max_tokens: The answer is cut after so many tokens.

        Raises:
            ServerError: No usable answer came.
            QueryError: There are no parts.
        """


class OpenAIVideoLLM:
    """A `VideoLLM` behind an OpenAI-compatible server. One object may be used by many threads."""

    def __init__(self, settings: Settings) -> None:
        """Find out which model to ask; the server is contacted only if the settings do not name it.

        Raises:
            SettingsError: URL or key cannot be used, or the server offers no single model to choose.
            ServerError: The model is not set and the server does not say what it serves.
        """
        self._server = _Server(settings, settings.video_llm_timeout, RETRIES)
        self._model = settings.video_llm_model or _only_model(self._server)
        self.source = f"{clean_text(self._model)}@{self._server.host}"

    def ask(self, parts: Sequence[str | Frame], *, instructions: str = "", max_tokens: int = 1024) -> Reply:
        """As `VideoLLM.ask`. Sampling is off (temperature 0): the same frames give the same words."""
        import openai

        if not parts:
            raise QueryError("a video LLM is asked with at least one text or frame, got none")
        content = [piece for part in parts for piece in _pieces(part)]
        messages: list[ChatCompletionMessageParam] = [{"role": "user", "content": content}]
        if instructions:
            messages.insert(0, {"role": "system", "content": instructions})
        try:
            raw = self._server.client.chat.completions.with_raw_response.create(
                model=self._model, messages=messages, max_tokens=max_tokens, temperature=0.0
            )
        except openai.APIError as error:
            raise self._server.failure(error) from error
        answer = self._server.parsed(_Completion, raw.content)
        choice, usage = answer.choices[0], answer.usage or _Usage()
        text = choice.message.content or ""
        if not clean_text(text):
            raise ServerError(
                f"video LLM at {self._server.url}: the answer has no words (finish_reason {choice.finish_reason!r}, "
                f"max_tokens {max_tokens}): does model {self._model!r} take pictures? A reasoning model needs more tokens"
            )
        return Reply(
            text=text.strip(),
            prompt_tokens=usage.prompt_tokens,
            completion_tokens=usage.completion_tokens,
            truncated=choice.finish_reason in _CUT,
        )


def check(settings: Settings) -> ServerState:
    """Whether the server that the settings name can be used, within 6 s at worst; nothing is generated.

    Asks for `/models`; a server that cannot list them (`transformers serve` without a hub cache)
    is asked for `/health`.
    """
    import openai

    try:
        server = _Server(settings, CHECK_SECONDS, 0)
    except SettingsError as error:
        return ServerState(ok=False, words=str(error))
    wanted = settings.video_llm_model
    try:
        served = server.models()
    except (openai.APIConnectionError, openai.AuthenticationError, openai.PermissionDeniedError) as error:
        return ServerState(ok=False, words=str(server.failure(error)))
    except (openai.APIError, ServerError) as error:
        return _healthy(server, settings, error)
    if wanted is None and len(served) != 1:
        return ServerState(ok=False, words=_choose(server, served))
    if wanted is not None and wanted not in served:
        words = f"video LLM at {server.url} does not list {wanted!r} but {_listed(served)}: check video_llm_model"
        return ServerState(ok=False, words=words)
    return ServerState(ok=True, words=f"video LLM at {server.url} serves {wanted or clean_text(served[0])}")


class _Message(BaseModel):
    content: str | None = None


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


_Answer = TypeVar("_Answer", bound=BaseModel)


class _Server:
    """An address with its client, and the words for what can go wrong there. Holds the key, never shows it."""

    def __init__(self, settings: Settings, seconds: float, retries: int) -> None:
        import openai

        self.url, self.host = _address(settings.video_llm_url)
        self._key = settings.video_llm_key.get_secret_value().strip() or "none"
        if not (self._key.isascii() and self._key.isprintable()):
            raise SettingsError(
                "video_llm_key holds a character that no HTTP header takes: set it again, in plain ASCII"
            )
        self._seconds, self._tries = seconds, retries + 1
        self.client = openai.OpenAI(
            base_url=settings.video_llm_url,
            api_key=self._key,
            timeout=openai.Timeout(seconds, connect=min(seconds, CONNECT_SECONDS)),
            max_retries=retries,
        )

    def models(self) -> list[str]:
        """Names of what is served; the openai client's errors pass through."""
        raw = self.client.models.with_raw_response.list()
        return [model.id for model in self.parsed(_Models, raw.content).data]

    def parsed(self, kind: type[_Answer], content: bytes) -> _Answer:
        try:
            return kind.model_validate_json(content)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"]) or "body"
            raise ServerError(
                f"video LLM at {self.url}: the answer is not of the OpenAI protocol ({where}: {first['msg']}), it begins "
                f"{self._quoted(content.decode(errors='replace'))}: check video_llm_url"
            ) from error

    def failure(self, error: "openai.APIError") -> ServerError:
        """One line: where, what happened, what to do."""
        import openai

        tries = f"{self._tries} tries" if self._tries > 1 else "1 try"
        if isinstance(error, openai.APITimeoutError):
            what = f"no answer within {self._seconds:g} s ({tries}): send fewer frames, or raise video_llm_timeout"
        elif isinstance(error, openai.APIConnectionError):
            why = self._quoted(str(error.__cause__ or error))
            what = f"cannot be reached ({tries}, {why}): is the server running? Check video_llm_url"
        elif isinstance(error, openai.APIStatusError):
            status, body = error.status_code, error.body
            if isinstance(body, dict):
                body = body.get("message") or body.get("detail") or body
            advice = "look into the server's log" if status >= 500 else "does the model take pictures, and so many?"
            again = f" in each of {tries}" if status == 429 or status >= 500 else ""
            what = (
                f"HTTP {status}{again}, {self._quoted(str(body or error.response.text))}: {_ADVICE.get(status, advice)}"
            )
        else:
            what = f"{self._quoted(str(error))}: look into the server's log"
        return ServerError(f"video LLM at {self.url}: {what}")

    def _quoted(self, text: str) -> str:
        """What the server said, on one line of 300 characters at most; some echo the key."""
        shown = text if self._key == "none" else text.replace(self._key, "***")
        return repr(clean_text(shown)[:300])


def _address(url: str | None) -> tuple[str, str]:
    """The URL without credentials, for messages, and its `host:port`."""
    if not url:
        raise SettingsError(
            "video_llm_url is not set: give the base URL of an OpenAI-compatible server, e.g. "
            "PLAYHEAD_VIDEO_LLM_URL=http://localhost:8000/v1"
        )
    try:
        parts = urlsplit(url)
        (parts.hostname or "").encode("idna")  # what the resolver does, outside the errors that openai wraps
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0 and not parts.query
    except ValueError:
        usable = False
    if not usable or not url.isprintable() or " " in url:
        shown = url.rpartition("@")[2].partition("?")[0]
        raise SettingsError(
            f"video_llm_url={shown!r} is no server's address: give http://host:port/v1 or https://…, without a query (?…)"
        )
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}{parts.path.rstrip('/')}", host


def _only_model(server: _Server) -> str:
    import openai

    try:
        served = server.models()
    except openai.APIError as error:
        raise ServerError(f"{server.failure(error)}; video_llm_model is not set: set it") from error
    if len(served) != 1:
        raise SettingsError(_choose(server, served))
    return served[0]


def _choose(server: _Server, served: Sequence[str]) -> str:
    return f"video LLM at {server.url} lists {_listed(served)}: set video_llm_model to the one to use"


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(clean_text(name)[:100] for name in names[:5]) or "no models"
    return f"{shown} and {len(names) - 5} more" if len(names) > 5 else shown


def _healthy(server: _Server, settings: Settings, error: Exception) -> ServerState:
    """The finding for a server whose list of models could not be read because of `error`."""
    import openai

    why = str(server.failure(error) if isinstance(error, openai.APIError) else error)
    # A new connection: uvicorn resets the old one after an error of its own.
    client = _Server(settings, CHECK_SECONDS, 0).client
    try:
        # /health lies beside /v1, not in it.
        client.get(f"{str(client.base_url).rstrip('/').removesuffix('/v1')}/health", cast_to=str)
    except openai.APIError:
        return ServerState(ok=False, words=why)
    up = f"video LLM at {server.url} is up, but does not list its models"
    if settings.video_llm_model is None:
        return ServerState(ok=False, words=f"{up}: set video_llm_model")
    return ServerState(ok=True, words=f"{up}; {settings.video_llm_model} is taken on trust")


def _pieces(part: str | Frame) -> "list[ChatCompletionContentPartParam]":
    if isinstance(part, str):
        # Servers obey a chat template's control tokens wherever they stand: `<|im_end|>` read off
        # a slide would end our message, `<|image_pad|>` makes transformers answer HTTP 500.
        return [{"type": "text", "text": part.replace("<|", "< |")}]
    return [
        {"type": "text", "text": f"<{part.seconds:.1f} seconds>"},
        {"type": "image_url", "image_url": {"url": _data_uri(part)}},
    ]


def _data_uri(frame: Frame) -> str:
    """The frame as JPEG, shrunk to `LONGEST_SIDE` if it is larger, never enlarged."""
    picture = Image.fromarray(frame.pixels)
    picture.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    jpeg = io.BytesIO()
    picture.save(jpeg, "JPEG", quality=JPEG_QUALITY)
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg.getvalue()).decode('ascii')}"
