"""Which backend runs the video LLM, as the settings name it: a server, or this process."""

from ..device import resolve_device
from ..errors import SettingsError
from ..settings import Settings
from .connection import listening_at
from .in_process import LocalVideoLLM, check_weights
from .protocol import ModelState, VideoLLM
from .server import OpenAIVideoLLM, check_server

__all__ = ["check", "is_set", "serve_command", "video_llm"]


def video_llm(settings: Settings) -> VideoLLM:
    """The video LLM that the settings name.

    Raises:
        SettingsError: The settings name none, or one that cannot be used.
        ServerError: The server does not say what it serves, and no model is set.
        WeightsError: The weights of a model for this process cannot be had.
        MissingExtraError: A library that it needs is not installed.
    """
    if settings.video_llm_backend == "in-process":
        return LocalVideoLLM(settings)
    return OpenAIVideoLLM(settings)


def is_set(settings: Settings) -> bool:
    """Whether the settings name a video LLM at all."""
    named = settings.video_llm_model if settings.video_llm_backend == "in-process" else settings.video_llm_url
    return bool(named)


def check(settings: Settings) -> ModelState:
    """Whether the video LLM that the settings name can be used, within 6 s at worst; nothing is generated."""
    if settings.video_llm_backend == "in-process":
        return check_weights(settings)
    return check_server(settings)


def serve_command(settings: Settings) -> list[str]:
    """The command that serves `video_llm_model` where `video_llm_url` looks for it (without one: port 8000 here).

    vLLM where torch sees a CUDA device, else `transformers serve`.

    Raises:
        SettingsError: No model is set, the URL is not one where a model can be served, or the model runs in this process.
    """
    model = settings.video_llm_model
    if settings.video_llm_backend == "in-process":
        raise SettingsError("video_llm_backend='in-process' needs no server: set it to 'server' to serve the model")
    if model is None:
        raise SettingsError(
            "video_llm_model is not set: name what to serve, a hub name or a path, e.g. "
            "PLAYHEAD_VIDEO_LLM_MODEL=Qwen/Qwen3-VL-8B-Instruct"
        )
    host, port = listening_at(settings.video_llm_url)
    where = ["--host", host, "--port", str(port)]
    if resolve_device(settings) == "cuda":
        # `auto`: the whole 256k tokens of a Qwen3-VL do not fit beside it on most GPUs, and vLLM would not start.
        return ["vllm", "serve", model, *where, "--max-model-len", "auto"]
    return ["transformers", "serve", model, *where, "--device", "cpu"]
