"""A `VideoLLM` in llama.cpp, in a separate process that all Playhead processes of the user share."""

import threading
from collections.abc import Callable, Sequence
from typing import Protocol

from pydantic import BaseModel, SecretStr

from ...errors import PlayheadError, ServerError
from ...settings import Settings
from ..capabilities import Capabilities
from ..openai_server.client import OpenAIVideoLLM
from ..openai_server.streaming import ContinuedText
from ..protocol import ModelState, Part, Reply
from .runtime import LlamaProcess, find_gguf, start

__all__ = ["LlamaCppLLM", "check_llama_cpp"]


class LlamaCppLLM:
    """A `VideoLLM` run by llama.cpp. One object may be used by many threads; requests wait for each other."""

    def __init__(self, settings: Settings) -> None:
        """Find the files, and begin to load the model in the background, while evidence is retrieved.

        Raises:
            SettingsError: No model is set.
            WeightsError: The files are not available.
            MissingExtraError: xllamacpp is not installed.
        """
        self._model = find_gguf(settings, offline=settings.offline)
        self._settings = settings
        self._lock = threading.Lock()
        self._running: tuple[LlamaProcess, OpenAIVideoLLM] | None = None
        self.source = self._model.source
        threading.Thread(target=self._prepare, name="playhead-llama", daemon=True).start()

    @property
    def capabilities(self) -> Capabilities:
        """What the model can do: its process is asked once it runs."""
        return self._client()[1].capabilities

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
        """As `VideoLLM.ask`. A grammar forces the answer to follow the JSON schema.

        A process that ended in the meantime is started again, once.
        """
        live = ContinuedText(on_text) if on_text is not None else None

        def asked(client: _Asks) -> Reply:
            return client.ask(
                parts,
                instructions=instructions,
                max_tokens=max_tokens,
                kind=kind,
                seconds=seconds,
                on_text=live.new_try() if live is not None else None,
                words=words,
            )

        process, client = self._client()
        process.touch()
        try:
            reply = asked(client)
        except ServerError as error:
            if process.is_alive or getattr(error.__cause__, "status_code", None) is not None:
                raise
            with self._lock:
                self._running = None
            process, client = self._client()
            reply = asked(client)
        process.touch()
        return reply

    def _client(self) -> tuple[LlamaProcess, OpenAIVideoLLM]:
        with self._lock:
            if self._running is None:
                process = self._start()
                settings = self._settings.model_copy(
                    update={
                        "video_llm_url": process.url,
                        "video_llm_key": SecretStr(process.token),
                        "video_llm_model": self._model.file.name,
                        "video_llm_frames": "images",
                    }
                )
                # A later process may load another model of this name at this port.
                self._running = (process, OpenAIVideoLLM(settings, is_kept=False))
            process, client = self._running
        client.probe()
        return process, client

    def _start(self) -> LlamaProcess:
        return start(self._model, self._settings.video_llm_context, self._settings.video_llm_idle_minutes)

    def _prepare(self) -> None:
        # Only the process: two threads must not import the client's libraries at once.
        try:
            self._start()
        except PlayheadError:
            return  # The first request starts it again, and reports what is wrong.


class _Asks(Protocol):
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
    ) -> Reply: ...


def check_llama_cpp(settings: Settings) -> ModelState:
    """As `check`: whether the files are on this machine; nothing is downloaded or started."""
    try:
        model = find_gguf(settings, offline=True)
    except PlayheadError as error:
        return ModelState(ok=False, words=str(error))
    pictures = "reads frames" if model.mmproj else "reads text only"
    return ModelState(ok=True, words=f"video LLM in llama.cpp: {model.source}, {pictures}")
