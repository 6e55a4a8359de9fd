"""The connection to an OpenAI-compatible server: address, key, retries, deadlines, and error messages.

It is independent of the model. Requests run in one event loop in a separate thread, so that a deadline is always kept: the
timeout of a blocking client restarts with each byte, so a server that sends one byte every second would never reach it.
"""

import asyncio
import math
import random
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import SplitResult, urlsplit

from pydantic import BaseModel, ValidationError

from ...errors import ServerError, SettingsError
from ...records import clean_text
from ...settings import Settings
from ..capabilities import from_error
from ..protocol import Budget

if TYPE_CHECKING:
    import openai

__all__ = ["Server", "listening_at"]

CONNECT_SECONDS = 5.0
# Seconds between retries, doubled each time, minus up to a quarter at random, so that clients do not retry all at once.
FIRST_PAUSE = 0.5

_TRY_AGAIN = (408, 409, 425, 429)
_ADVICE = {
    401: "check video_llm_key",
    403: "check video_llm_key",
    404: "check video_llm_model, and that video_llm_url ends where the API begins, usually with /v1",
    413: "send fewer frames",
    429: "the server is too busy: try later",
}

_Result = TypeVar("_Result")
_Body = TypeVar("_Body", bound=BaseModel)


class Server:
    """An address with its client. Its key is never shown. One object may be used by many threads."""

    def __init__(self, settings: Settings, seconds: float, retries: int) -> None:
        """Nothing is sent yet.

        Args:
            settings: URL and key.
            seconds: How long one try may take.
            retries: Number of retries, for errors that may pass: 408, 409, 425, 429, 5xx,
                and failed or broken connections.

        Raises:
            SettingsError: URL or key cannot be used.
        """
        import openai

        address = _address(settings.video_llm_url)
        self.host = address.netloc.rpartition("@")[2]
        self.url = f"{address.scheme}://{self.host}{address.path.rstrip('/')}"
        self._key = settings.video_llm_key.get_secret_value().strip() or "none"
        if not (self._key.isascii() and self._key.isprintable()):
            raise SettingsError(
                "video_llm_key holds a character that no HTTP header takes: set it again, in plain ASCII"
            )
        self._seconds, self._retries = seconds, retries
        self._client = openai.AsyncOpenAI(
            base_url=settings.video_llm_url,
            api_key=self._key,
            timeout=openai.Timeout(None, connect=min(seconds, CONNECT_SECONDS)),
            max_retries=0,
        )

    def send(
        self, request: "Callable[[openai.AsyncOpenAI], Awaitable[_Result]]", seconds: float | None = None
    ) -> _Result:
        """Send a request, with retries.

        Args:
            request: Called once a try.
            seconds: Time for all tries and the pauses between them.

        Raises:
            ServerError: No answer, or an error. Its cause is the openai client's error, or a `TimeoutError`.
        """
        return _wait_for(self._sent(request, Budget(seconds)))

    def parsed(self, kind: type[_Body], content: bytes) -> _Body:
        """The body of an answer.

        Raises:
            ServerError: It has another form.
        """
        try:
            return kind.model_validate_json(content)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"]) or "body"
            raise ServerError(
                f"video LLM at {self.url}: the answer is not in the OpenAI protocol ({where}: {first['msg']}), it begins "
                f"{self.quoted(content.decode(errors='replace'))}: check video_llm_url"
            ) from error

    def quoted(self, text: str) -> str:
        """The server's message, on one line of 300 characters at most. Some servers echo the key."""
        shown = text if self._key == "none" else text.replace(self._key, "***")
        return repr(clean_text(shown)[:300])

    async def _sent(self, request: "Callable[[openai.AsyncOpenAI], Awaitable[_Result]]", budget: Budget) -> _Result:
        import openai

        tries = 0
        while True:
            tries += 1
            short = budget.left < self._seconds
            try:
                async with asyncio.timeout(min(self._seconds, budget.left)):
                    return await request(self._client)
            except TimeoutError as error:
                raise self._late(budget if short else None) from error
            except openai.APIError as error:
                if tries > self._retries or not _may_pass(error):
                    raise self._failure(error, tries) from error
                pause = _pause(error, tries)
                if pause >= min(budget.left, self._seconds):
                    raise self._failure(error, tries, wait=pause) from error
            await asyncio.sleep(pause)

    def _late(self, budget: Budget | None) -> ServerError:
        if budget is None:
            what = f"no answer within {self._seconds:g} s: send fewer frames, or raise video_llm_timeout"
        else:
            what = f"no answer within the {budget.seconds:.3g} s that it was given: send fewer frames, or give it more"
        return ServerError(f"video LLM at {self.url}: {what}")

    def _failure(self, error: "openai.APIError", tries: int, wait: float | None = None) -> ServerError:
        """One line: where, what happened, what to do."""
        import openai

        after = f"{tries} tries" if tries > 1 else "1 try"
        if isinstance(error, openai.APIConnectionError):
            what = f"cannot be reached ({after}, {self.quoted(_root_words(error))}): is the server running? Check video_llm_url"
        elif isinstance(error, openai.APIStatusError):
            status, body = error.status_code, error.body
            if isinstance(body, dict):
                body = body.get("message") or body.get("detail") or body
            said = self.quoted(str(body or error.response.text))
            advice = (
                "look into the server's log"
                if status >= 500
                else "does the model take pictures, and this number of them?"
            )
            times = f" after {after}" if tries > 1 else ""
            later = f", to be asked again in {wait:.3g} s" if wait else ""
            what = f"HTTP {status}{times}, {said}{later}: {_ADVICE.get(status, advice)}"
        else:
            what = f"{self.quoted(str(error))}: look into the server's log"
        return ServerError(f"video LLM at {self.url}: {what}")


def listening_at(url: str | None) -> tuple[str, int]:
    """Host and port on which a server must listen to be found by `video_llm_url`; without one, port 8000 of this machine.

    Raises:
        SettingsError: No server can be started there.
    """
    if not url:
        return "127.0.0.1", 8000
    address = _address(url)
    if address.scheme == "https":
        raise SettingsError(f"video_llm_url={address.hostname!r} is served elsewhere (https): give http://host:port/v1")
    return address.hostname or "", address.port or 80


def _address(url: str | None) -> SplitResult:
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
            f"video_llm_url={shown!r} is not a server's address: give http://host:port/v1 or https://…, without a query (?…)"
        )
    return parts


def _pause(error: "openai.APIError", tries: int) -> float:
    """Seconds until the next try: as the server asks, else longer each time."""
    import openai

    asked = _asked_pause(error.response.headers) if isinstance(error, openai.APIStatusError) else None
    return FIRST_PAUSE * 2 ** (tries - 1) * (1 - random.random() / 4) if asked is None else asked  # noqa: S311 (keeps no secret)


def _root_words(error: BaseException) -> str:
    """The message of an error's first cause: the operating system's message is more precise than the client's."""
    words = ""
    cause: BaseException | None = error
    while cause:
        error = cause.exceptions[0] if isinstance(cause, BaseExceptionGroup) else cause
        words = (str(error) if isinstance(error, Exception) else "") or words
        cause = error.__cause__ or error.__context__
    return words


def _may_pass(error: "openai.APIError") -> bool:
    import openai

    if isinstance(error, openai.APIStatusError):
        if from_error(error.status_code, error.response.text)[0]:
            return False  # llama.cpp answers 500 to a picture that its model cannot read: it will do so again
        return error.status_code >= 500 or error.status_code in _TRY_AGAIN
    return isinstance(error, openai.APIConnectionError)


def _asked_pause(headers: Mapping[str, str]) -> float | None:
    """Seconds that a server asks to wait (RFC 9110, `Retry-After`: a number or a date; some say milliseconds)."""
    for name, per_second in (("retry-after-ms", 1000), ("retry-after", 1)):
        try:
            seconds = float(headers.get(name, "")) / per_second
        except ValueError:
            continue
        if math.isfinite(seconds):
            return max(0.0, seconds)
    try:
        return max(0.0, parsedate_to_datetime(headers.get("retry-after", "")).timestamp() - time.time())
    except (ValueError, OverflowError):
        return None


class _Loop:
    """The event loop of this process. Callers may have one of their own (notebooks), or be many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None

    def running(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                threading.Thread(target=self._loop.run_forever, name="playhead-video-llm", daemon=True).start()
            return self._loop


_LOOP = _Loop()


def _wait_for(work: Coroutine[Any, Any, _Result]) -> _Result:
    future = asyncio.run_coroutine_threadsafe(work, _LOOP.running())
    try:
        return future.result()
    finally:
        future.cancel()  # has no effect on a finished request; after Ctrl-C it closes the connection
