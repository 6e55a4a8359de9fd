"""Which backend runs the video LLM, as the settings name it: a server, llama.cpp, or transformers in this process."""

from ..device import resolve_device
from ..errors import SettingsError
from ..settings import Settings
from .llama_cpp.client import LlamaCppLLM, check_llama_cpp
from .llama_cpp.runtime import find_gguf
from .openai_server.client import OpenAIVideoLLM, check_server
from .openai_server.connection import listening_at
from .protocol import ModelState, VideoLLM
from .transformers_runtime import LocalVideoLLM, check_weights

__all__ = ["check", "is_set", "may_see_pictures", "serve_command", "video_llm"]


def video_llm(settings: Settings) -> VideoLLM:
    """The video LLM that the settings name.

    Raises:
        SettingsError: The settings name none, or one that cannot be used.
        ServerError: The server does not report its model, and no model is set.
        WeightsError: The weights of a model for this machine are not available.
        MissingExtraError: A library that it needs is not installed.
    """
    chosen = settings.with_profile_llm()
    if chosen.video_llm_backend == "llama.cpp":
        return LlamaCppLLM(chosen)
    if chosen.video_llm_backend == "transformers":
        return LocalVideoLLM(chosen)
    return OpenAIVideoLLM(chosen)


def is_set(settings: Settings) -> bool:
    """Whether the settings name a video LLM at all."""
    chosen = settings.with_profile_llm()
    named = chosen.video_llm_url if chosen.video_llm_backend == "server" else chosen.video_llm_model
    return bool(named)


def may_see_pictures(settings: Settings) -> bool:
    """Whether the video LLM may see pictures, as far as that is known without asking it.

    Raises:
        SettingsError: No model is set.
        WeightsError: Its files are not available.
        MissingExtraError: A library that it needs is not installed.
    """
    chosen = settings.with_profile_llm()
    if chosen.video_llm_backend == "llama.cpp":
        return find_gguf(chosen, offline=chosen.offline).mmproj is not None
    return True


def check(settings: Settings) -> ModelState:
    """Check whether the configured video LLM can be used, in at most 6 s; nothing is generated."""
    chosen = settings.with_profile_llm()
    if chosen.video_llm_backend == "llama.cpp":
        return check_llama_cpp(chosen)
    if chosen.video_llm_backend == "transformers":
        return check_weights(chosen)
    return check_server(chosen)


def serve_command(settings: Settings) -> list[str]:
    """The command that serves `video_llm_model` where `video_llm_url` looks for it (without one: port 8000 here).

    vLLM where torch sees a CUDA device, else `transformers serve`.

    Raises:
        SettingsError: No model is set, the URL is not one where a model can be served, or the model needs no server.
    """
    model = settings.video_llm_model
    if settings.video_llm_backend in ("llama.cpp", "transformers"):
        raise SettingsError(
            f"video_llm_backend={settings.video_llm_backend!r} needs no server: set it to 'server' to serve the model"
        )
    if model is None:
        raise SettingsError(
            "video_llm_model is not set: name what to serve, a hub name or a path, e.g. "
            "PLAYHEAD_VIDEO_LLM_MODEL=Qwen/Qwen3-VL-8B-Instruct"
        )
    host, port = listening_at(settings.video_llm_url)
    where = ["--host", host, "--port", str(port)]
    if resolve_device(settings) == "cuda":
        # `auto`: the whole 256k tokens of a Qwen3-VL do not fit next to it on most GPUs, and vLLM would not start.
        return ["vllm", "serve", model, *where, "--max-model-len", "auto"]
    return ["transformers", "serve", model, *where, "--device", "cpu"]
