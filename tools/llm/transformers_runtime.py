"""A video LLM in this process: any image-text model that transformers can load, with its own processor.

For one user on one machine: requests run one after the other. A server is faster, and may enforce
a JSON schema; here only the instructions describe the format.
"""

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from ..device import resolve_device
from ..errors import (
    AnswerFormatError,
    MissingExtraError,
    PlayheadError,
    RequestTooLongError,
    ServerError,
    SettingsError,
    WeightsError,
)
from ..records import clean_text
from ..settings import Settings
from ..weights import Weights, find
from .capabilities import Capabilities
from .pictures import Shown
from .protocol import Budget, ModelState, Part, Reply, TokenUsage, log_odds, pieces, time_mark, without_control_tokens

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, ProcessorMixin

__all__ = ["LocalVideoLLM", "check_weights"]

# The likeliest first tokens of an answer that are compared.
_TOP_TOKENS = 20


class LocalVideoLLM:
    """A `VideoLLM` run by transformers. One object may be used by many threads; they wait for each other."""

    def __init__(self, settings: Settings) -> None:
        """Find the weights; the model loads at first use.

        Raises:
            SettingsError: No model is set, the device is not there, or frames are to be sent as a video.
            WeightsError: The weights are not available.
            MissingExtraError: transformers is not installed.
        """
        weights = _weights(settings, offline=settings.offline)
        self.source = weights.source
        self._folder = weights.path
        self._device = resolve_device(settings)
        self._timeout = settings.video_llm_timeout
        self._lock = threading.Lock()
        self._model: _Model | None = None

    @property
    def capabilities(self) -> Capabilities:
        """What the model can do: it sees pictures, and is held to no schema. Loads the model."""
        with self._lock:
            model = self._model = self._model or _load(self._folder, self._device)
        billions = sum(parameter.numel() for parameter in model.network.parameters()) / 1e9
        return Capabilities(context=model.window, json_schema=False, streams=False, billions=billions)

    def ask(
        self,
        parts: Sequence[Part],
        *,
        instructions: str = "",
        max_tokens: int = 1024,
        kind: type[BaseModel] | None = None,  # noqa: ARG002 (the instructions say the form)
        seconds: float | None = None,
        on_text: Callable[[str], None] | None = None,  # noqa: ARG002 (the answer comes as a whole)
        words: tuple[str, str] | None = None,
    ) -> Reply:
        """As `VideoLLM.ask`. Sampling is off. Words that the time cuts off are given as far as they go.

        Reading the request cannot be interrupted: it may end later than `seconds`.
        """
        content, budget = list(pieces(parts)), Budget(seconds)
        if not self._lock.acquire(timeout=min(budget.left, threading.TIMEOUT_MAX)):
            raise self._late(seconds)
        try:
            model = self._model = self._model or _load(self._folder, self._device)
            limit = min(budget.left, self._timeout)
            if limit <= 0:
                raise self._late(seconds)
            return self._answered(model, content, instructions, max_tokens, limit, words)
        finally:
            self._lock.release()

    def _answered(
        self,
        model: "_Model",
        content: Sequence[str | Shown],
        instructions: str,
        max_tokens: int,
        seconds: float,
        words: tuple[str, str] | None,
    ) -> Reply:
        import torch
        from jinja2 import TemplateError

        try:
            inputs = model.read(content, instructions)
            asked = inputs["input_ids"].shape[1]
            if asked + max_tokens > model.window:
                raise RequestTooLongError(
                    f"video LLM {self.source} takes {model.window} tokens, this needs {asked} and {max_tokens} for the "
                    "answer: send fewer or smaller frames"
                )
            with torch.inference_mode():
                generated = model.network.generate(
                    **inputs,
                    max_new_tokens=max_tokens,
                    max_time=seconds,
                    eos_token_id=model.ends or None,
                    do_sample=False,
                    temperature=None,
                    top_p=None,
                    top_k=None,
                    return_dict_in_generate=True,
                    output_logits=words is not None,
                )
            written = generated.sequences[0, asked:].tolist()
        except (ValueError, TemplateError) as error:
            raise ServerError(
                f"video LLM {self.source} cannot read this ({clean_text(str(error))[:300]}): does it take pictures?"
            ) from error
        except RuntimeError as error:  # among them torch.OutOfMemoryError
            raise ServerError(
                f"video LLM {self.source} failed on {self._device} ({clean_text(str(error))[:300]}): "
                "send fewer or smaller frames, or take a smaller model"
            ) from error
        text = model.processor.decode(written, skip_special_tokens=True).strip()
        if not clean_text(text):
            raise AnswerFormatError(
                f"video LLM {self.source}: the answer has no words (max_tokens {max_tokens}): ask otherwise",
                TokenUsage(requests=1, prompt_tokens=asked, completion_tokens=len(written)),
            )
        return Reply(
            text=text,
            prompt_tokens=asked,
            completion_tokens=len(written),
            truncated=written[-1] not in model.ends,
            log_odds=log_odds(model.likeliest(generated.logits[0][0]), words) if words else None,
        )

    def _late(self, seconds: float | None) -> ServerError:
        return ServerError(
            f"video LLM {self.source} was loading or busy for all of the {seconds:g} s that it was given: give it more"
        )


@dataclass(frozen=True)
class _Model:
    """A loaded model.

    Attributes:
        network: It generates.
        processor: Its tokenizer, chat template and image processor.
        control: Tokens that no text of ours may contain.
        ends: Tokens with which an answer ends by itself.
        window: Tokens that it takes, question and answer together.
    """

    network: "PreTrainedModel"
    processor: "ProcessorMixin"
    control: tuple[str, ...]
    ends: tuple[int, ...]
    window: int

    def read(self, content: Iterable[str | Shown], instructions: str) -> Any:
        """Tensors of one request, on the model's device."""
        parts: list[dict[str, Any]] = []
        for piece in content:
            if isinstance(piece, str):
                parts.append({"type": "text", "text": self._harmless(piece)})
                continue
            if piece.seconds is not None:
                parts.append({"type": "text", "text": time_mark(piece.seconds)})
            parts.append({"type": "image", "image": piece.image})
        messages = [{"role": "user", "content": parts}]
        if instructions:
            system = [{"type": "text", "text": self._harmless(without_control_tokens(instructions))}]
            messages.insert(0, {"role": "system", "content": system})
        tensors = self.processor.apply_chat_template(
            messages, add_generation_prompt=True, tokenize=True, return_dict=True, return_tensors="pt"
        )
        return tensors.to(self.network.device, dtype=self.network.dtype)

    def likeliest(self, logits: "torch.Tensor") -> dict[str, float]:
        """Log-probabilities of the likeliest first tokens."""
        values, tokens = logits.log_softmax(-1).topk(_TOP_TOKENS)
        return {
            self.processor.decode([token]): value for token, value in zip(tokens.tolist(), values.tolist(), strict=True)
        }

    def _harmless(self, text: str) -> str:
        for token in self.control:
            text = text.replace(token, f"{token[0]} {token[1:]}")
        return text


def check_weights(settings: Settings) -> ModelState:
    """As `check`: whether the weights are on this machine; nothing is downloaded."""
    try:
        weights = _weights(settings, offline=True)
        device = resolve_device(settings)
    except PlayheadError as error:
        return ModelState(ok=False, words=str(error))
    return ModelState(ok=True, words=f"video LLM in this process: {weights.source} on {device}")


def _weights(settings: Settings, *, offline: bool) -> Weights:
    try:
        import transformers  # noqa: F401  (reports a missing extra at once)
    except ModuleNotFoundError as error:
        raise MissingExtraError("a video LLM in this process", "transformers", "gpu") from error
    if settings.video_llm_model is None:
        raise SettingsError(
            "video_llm_model is not set: with video_llm_backend='transformers' it is a hub name or a path, e.g. "
            "PLAYHEAD_VIDEO_LLM_MODEL=Qwen/Qwen3-VL-8B-Instruct"
        )
    if settings.video_llm_frames == "video":
        raise SettingsError(
            "video_llm_frames='video' is for servers: set it to 'images', or video_llm_backend='server'"
        )
    return find(settings.video_llm_model, "video_llm_model", offline=offline)


def _load(folder: Path, device: str) -> _Model:
    from transformers import AutoModelForImageTextToText, AutoProcessor
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()
    try:
        processor = AutoProcessor.from_pretrained(folder, local_files_only=True)
        network = AutoModelForImageTextToText.from_pretrained(folder, dtype="auto", local_files_only=True)
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise WeightsError(
            f"{folder} holds no model for pictures and text that transformers can load "
            f"({clean_text(str(error))[:300]}): check video_llm_model"
        ) from error
    tokenizer = processor.tokenizer
    special = [token.content for token in tokenizer.added_tokens_decoder.values() if token.special]
    places = [getattr(processor, name, None) for name in ("image_token", "video_token")]
    configured = network.generation_config.eos_token_id
    ends = {*([configured] if isinstance(configured, int) else configured or ()), tokenizer.eos_token_id} - {None}
    return _Model(
        network=network.to(device).eval(),
        processor=processor,
        control=tuple(
            token for token in dict.fromkeys((*special, *places)) if isinstance(token, str) and len(token) > 1
        ),
        ends=tuple(sorted(ends)),
        window=network.config.get_text_config().max_position_embeddings,
    )
