"""The capabilities of a model: read from its server, corrected by its errors, stored in the user's cache.

There are no lists of models here: each fact is read from the server (`/props` and `/v1/models` of llama.cpp, `/v1/models` of vLLM
and SGLang) or from the text of an error.
"""

import json
import os
import re
import tempfile
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError

from ..records import Record
from ..settings import cache_folder

__all__ = ["Capabilities", "CapabilityCache", "from_error", "from_metadata"]

# A server on the same address may serve another model of the same name, or with another context, tomorrow.
_KEPT_SECONDS = 7 * 24 * 3600
SMALL_BILLIONS = 4.0


class Capabilities(Record):
    """The inputs and outputs that a model supports. The defaults are those of a hosted vision model."""

    sees_pictures: bool = Field(default=True, description="Whether it takes pictures.")
    most_pictures: int | None = Field(default=None, ge=0, description="Pictures in one request; None: not known.")
    context: int | None = Field(default=None, ge=1, description="Tokens of request and answer together.")
    json_schema: bool = Field(default=True, description="Whether `response_format` with a JSON schema is accepted.")
    enforces_schema: bool = Field(default=False, description="Whether a grammar forces answers to follow that schema.")
    max_tokens_name: Literal["max_tokens", "max_completion_tokens"] = Field(
        default="max_tokens", description="The parameter that limits the answer."
    )
    takes_temperature: bool = Field(default=True, description="Whether `temperature` is accepted.")
    streams: bool = Field(default=True, description="Whether `stream` is accepted.")
    log_probabilities: bool = Field(default=True, description="Whether `logprobs` is accepted, and answered.")
    reasons: bool = Field(default=False, description="Whether it writes thoughts before the answer.")
    bytes_per_token: float = Field(
        default=3.0, gt=0, description="UTF-8 bytes of one of its tokens, the fewest seen in a long request."
    )
    billions: float | None = Field(default=None, gt=0, description="Number of weights, in billions; None: not known.")

    @property
    def is_small(self) -> bool:
        """Whether it has fewer than four billion weights.

        Qwen2.5-Coder-1.5B answers one plain request well (10 of 10) and judges badly: it is asked to compose only.
        """
        return self.billions is not None and self.billions < SMALL_BILLIONS

    def tokens_of(self, text: str) -> int:
        """How many of its tokens a text takes, rounded up."""
        return int(len(text.encode()) / self.bytes_per_token) + 1


class CapabilityCache:
    """The capabilities of one model, in the user's cache folder. May be used by many threads.

    Nothing is stored until the server has described its model: the defaults are only assumptions.
    """

    def __init__(self, key: str, *, is_kept: bool = True) -> None:
        """Read what an earlier process learnt.

        Args:
            key: The model and its server.
            is_kept: Whether the capabilities are read from the cache folder and written there.
        """
        self._key = key
        self._lock = threading.Lock()
        self._is_kept = is_kept
        stored = _stored().get(key) if is_kept else None
        self.is_known = stored is not None
        self._corrections: dict[str, Any] = {}
        self._value = stored or Capabilities()

    @property
    def value(self) -> Capabilities:
        """What is known now."""
        return self._value

    def found(self, facts: Mapping[str, Any]) -> None:
        """Take what the server says of its model. What its answers have already corrected stays so."""
        with self._lock:
            self._value = self._value.model_copy(update={**facts, **self._corrections})
            self.is_known = True
            self._keep()

    def update(self, **changes: Any) -> bool:
        """Correct the record; returns whether anything is new."""
        with self._lock:
            new = self._value.model_copy(update=changes)
            changed = new != self._value
            self._value = new
            self._corrections |= changes
            if changed:
                self._keep()
            return changed

    def _keep(self) -> None:
        if self._is_kept and self.is_known:
            _store(self._key, self._value)


def from_metadata(model: Mapping[str, Any], props: Mapping[str, Any]) -> dict[str, Any]:
    """The capabilities in an entry of `/v1/models` and in llama.cpp's `/props`; what is not said is left out."""
    found: dict[str, Any] = {}
    modalities = props.get("modalities")
    architecture = model.get("architecture")
    if isinstance(modalities, Mapping) and isinstance(modalities.get("vision"), bool):
        found["sees_pictures"] = modalities["vision"]
    elif isinstance(architecture, Mapping) and isinstance(architecture.get("input_modalities"), list):
        found["sees_pictures"] = "image" in architecture["input_modalities"]
    if generation_settings := props.get("default_generation_settings"):
        found["enforces_schema"] = isinstance(generation_settings, Mapping)
    elif model.get("owned_by") in ("llamacpp", "vllm", "sglang"):
        found["enforces_schema"] = True
    meta = model.get("meta") if isinstance(model.get("meta"), Mapping) else {}
    assert isinstance(meta, Mapping)
    generation = props.get("default_generation_settings")
    context = (
        (generation.get("n_ctx") if isinstance(generation, Mapping) else None)
        or meta.get("n_ctx")
        or model.get("max_model_len")  # vLLM, SGLang
        or model.get("context_length")  # OpenRouter, LM Studio
    )
    if isinstance(context, int) and context > 0:
        found["context"] = context
    parameters = meta.get("n_params")
    if isinstance(parameters, int) and parameters > 0:
        found["billions"] = round(parameters / 1e9, 3)
    return found


_NO_PICTURES = re.compile(
    r"image input is not supported|not a multimodal model|does not support (?:image|vision|multimodal)|"
    r"(?:image|vision|image_url)\S* (?:input )?(?:is|are) not supported|no vision|only supports? text|"
    r"unknown variant .?image_url|mmproj",
    re.IGNORECASE,
)
_FEWER_PICTURES = re.compile(r"at most (\d+) image", re.IGNORECASE)
_CONTEXT = re.compile(
    r"exceed_context_size|maximum context length|context (?:length|size|window)|longer than the maximum model length|"
    r"too many tokens|prompt is too long",
    re.IGNORECASE,
)
_CONTEXT_NUMBER = re.compile(
    r"(?:maximum context length (?:is|of) |n_ctx\W+|maximum model length of |context (?:size|length|window)\D{1,12})(\d+)",
    re.IGNORECASE,
)
_FORMAT = re.compile(r"response_format|json_schema|json schema|grammar|guided|structured output", re.IGNORECASE)


def from_error(status: int | None, text: str) -> tuple[str, dict[str, Any]]:
    """Read the limits of a model from an error.

    Args:
        status: HTTP status; None: no answer came.
        text: The body.

    Returns:
        What went wrong (`pictures`, `too long`, `parameter`, or nothing that is known: an empty text), and the
        capabilities to correct.
    """
    if status is None or status in (401, 403, 404, 408, 429):
        return "", {}
    if found := _FEWER_PICTURES.search(text):
        most = int(found.group(1))
        return "pictures", {"most_pictures": most, **({"sees_pictures": False} if most == 0 else {})}
    if _NO_PICTURES.search(text):
        return "pictures", {"sees_pictures": False}
    if status == 413 or _CONTEXT.search(text):
        number = _CONTEXT_NUMBER.search(text)
        return "too long", {"context": int(number.group(1))} if number and int(number.group(1)) >= 128 else {}
    if status not in (400, 422):
        return "", {}
    if "max_completion_tokens" in text:
        return "parameter", {"max_tokens_name": "max_completion_tokens"}
    if "logprobs" in text:
        return "parameter", {"log_probabilities": False}
    if "temperature" in text:
        return "parameter", {"takes_temperature": False}
    if _FORMAT.search(text):
        return "parameter", {"json_schema": False}
    if "stream" in text:
        return "parameter", {"streams": False}
    return "", {}


_file_lock = threading.Lock()


def _file() -> Path:
    return cache_folder() / "llm" / "capabilities.json"


def _raw() -> dict[str, Any]:
    try:
        stored = json.loads(_file().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return stored if isinstance(stored, dict) else {}


def _stored() -> dict[str, Capabilities]:
    found = {}
    for key, entry in _raw().items():
        try:
            if time.time() - float(entry["at"]) < _KEPT_SECONDS:
                found[key] = Capabilities.model_validate(entry["capabilities"])
        except (ValidationError, KeyError, TypeError, ValueError):
            continue
    return found


def _store(key: str, value: Capabilities) -> None:
    """Add one entry, atomically. A cache that cannot be written costs a probe in each process, nothing else."""
    with _file_lock:
        entries = _raw() | {key: {"at": time.time(), "capabilities": value.model_dump()}}
        try:
            _file().parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            handle, name = tempfile.mkstemp(dir=_file().parent)
            with os.fdopen(handle, "w", encoding="utf-8") as out:
                json.dump(entries, out)
            os.replace(name, _file())
        except OSError:
            return
