"""Lets a running page answer questions of the command line. Its models are loaded already.

`playhead ui` writes its address and a token to a file in the user's cache folder. `playhead ask` reads that file, and asks the
page if library, version and settings are the same. A page that other machines can reach writes no such file, because the steps
of an answer contain the paths of files.
"""

import hashlib
import hmac
import json
import os
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import Field, TypeAdapter, ValidationError

from ... import __version__
from ...tools.errors import (
    LibraryError,
    MediaError,
    PlayheadError,
    QueryError,
    ServerError,
    SettingsError,
    WeightsError,
)
from ...tools.records import Record
from ...tools.settings import Settings, cache_folder
from ..graph.events import Answered, Event

__all__ = ["PageQuestion", "RunningPage", "announced", "error_line", "running_page", "steps"]

# Connecting; an answer may take as long as its model needs.
_CONNECT_SECONDS = 1.0
_EVENTS: TypeAdapter[Event] = TypeAdapter(Event)
_ERRORS = (QueryError, LibraryError, SettingsError, MediaError, WeightsError, ServerError)


class RunningPage(Record):
    """Where a page listens, as its file in the cache folder says."""

    url: str = Field(description="`http://127.0.0.1:PORT`.")
    token: str = Field(description="The secret that gives access to the page.")
    process: int = Field(ge=1, description="Id of its process.")
    version: str = Field(description="Version of Playhead.")
    settings: str = Field(description="Digest (HMAC) of its settings, with the token as key.")


class PageQuestion(Record):
    """A question of the command line."""

    question: str = Field(min_length=1, max_length=10_000, description="In plain words.")
    videos: tuple[str, ...] | None = Field(default=None, description="Paths or names of videos; None: all.")
    where: tuple[str, ...] = Field(default=(), description="Conditions on the videos.")
    between: tuple[float, float] | None = Field(default=None, description="Only this stretch, in seconds.")
    thread: str | None = Field(default=None, description="Name of a conversation.")


@contextmanager
def announced(library: Path, settings: Settings, url: str, token: str) -> Iterator[None]:
    """Keep a file in the cache folder that names a running page, until the context ends.

    Args:
        library: Folder of the library.
        settings: Those of the page.
        url: Its address on this machine.
        token: The secret that gives access to it.
    """
    file = _file_of(library)
    page = RunningPage(
        url=url, token=token, process=os.getpid(), version=__version__, settings=_settings_digest(settings, token)
    )
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with tempfile.NamedTemporaryFile("w", dir=file.parent, delete=False, encoding="utf-8") as written:  # mode 0600
        written.write(page.model_dump_json())
    os.replace(written.name, file)
    try:
        yield
    finally:
        if (known := _read(file)) is not None and known.process == page.process:
            file.unlink(missing_ok=True)


def running_page(library: Path, settings: Settings) -> RunningPage | None:
    """Return the running page of a library with these settings and this version, or None.

    Args:
        library: Folder of the library.
        settings: Those of the question.
    """
    page = _read(_file_of(library))
    if page is None or page.version != __version__ or page.settings != _settings_digest(settings, page.token):
        return None
    address = urlsplit(page.url)
    try:
        os.kill(page.process, 0)
        socket.create_connection((address.hostname or "", address.port or 0), _CONNECT_SECONDS).close()
    except OSError:
        return None
    return page


def steps(page: RunningPage, asked: PageQuestion) -> Iterator[Event]:
    """Ask a page, and yield each step as it happens; the answer is last.

    Args:
        page: A page that runs.
        asked: The question.

    Raises:
        PlayheadError: What the page's library raises; `ServerError` if the page ends before the answer.
    """
    import httpx2  # Loads at first use: most questions are answered without a page.

    headers = {"authorization": f"Bearer {page.token}"}
    timeout = httpx2.Timeout(None, connect=_CONNECT_SECONDS)
    try:
        with (
            httpx2.Client(timeout=timeout, trust_env=False) as client,
            client.stream("POST", f"{page.url}/api/steps", headers=headers, json=asked.model_dump()) as response,
        ):
            response.raise_for_status()
            for line in response.iter_lines():
                data = json.loads(line)
                if data.get("kind") == "error":
                    raise _error_of(data)
                event = _EVENTS.validate_json(line)
                yield event
                if isinstance(event, Answered):
                    return
    except (httpx2.HTTPError, ValueError) as error:
        raise ServerError(
            f"the page at {page.url} gave no answer ({error}): stop it, or ask again with --no-page"
        ) from error
    raise ServerError(f"the page at {page.url} ended before the answer: ask again with --no-page")


def error_line(error: PlayheadError) -> str:
    """An error as a line of the stream of steps."""
    kind = next((one for one in _ERRORS if isinstance(error, one)), PlayheadError)
    return json.dumps({"kind": "error", "class": kind.__name__, "error": str(error)}) + "\n"


def _error_of(data: dict[str, str]) -> PlayheadError:
    kind = next((one for one in _ERRORS if one.__name__ == data.get("class")), PlayheadError)
    return kind(data.get("error", ""))


def _file_of(library: Path) -> Path:
    name = hashlib.sha256(str(library.resolve()).encode()).hexdigest()[:16]
    return cache_folder() / "pages" / f"{name}.json"


def _settings_digest(settings: Settings, token: str) -> str:
    """Return a digest of the settings, keys included. Without the token nothing can be learnt from it."""
    shown = settings.model_dump(mode="json")
    shown["video_llm_key"] = settings.video_llm_key.get_secret_value()
    return hmac.new(token.encode(), json.dumps(shown, sort_keys=True).encode(), hashlib.sha256).hexdigest()


def _read(file: Path) -> RunningPage | None:
    try:
        return RunningPage.model_validate_json(file.read_text(encoding="utf-8"))
    except (OSError, ValidationError):
        return None
