"""Checks what works on this machine: one line for each part. Loads no model and downloads nothing."""

import importlib.metadata
import importlib.util
import platform
from typing import Literal

from pydantic import Field

from ..index.indexing.extractor_set import Extractors
from ..index.retrieval.vectors.faiss_index import faiss_state
from ..tools.device import resolve_device
from ..tools.errors import PlayheadError
from ..tools.extractors.registry import spec_of, stage_names
from ..tools.llm.backends import check, is_set
from ..tools.media.container import nvdec_error
from ..tools.records import Record
from ..tools.settings import Settings

__all__ = ["Check", "check_parts"]


class Check(Record):
    """The state of one part."""

    part: str = Field(description="What was checked.")
    state: Literal["ready", "missing"] = Field(description="Whether it works on this machine.")
    detail: str = Field(description="Model and version; or what is missing and how to get it.")


def check_parts(settings: Settings) -> list[Check]:
    """Return the state of every part that the settings name.

    Raises:
        SettingsError: A setting names something that does not exist.
    """
    extractors = Extractors.gather(settings)
    checks = [
        Check(part="python", state="ready", detail=f"{platform.python_version()} on {platform.machine()}"),
        Check(part="device", state="ready", detail=f"{resolve_device(settings)} (device={settings.device})"),
        _decoder(settings),
        _faiss(),
    ]
    for spec in map(spec_of, stage_names()):
        missing = extractors.missing.get(spec.name)
        detail = extractors.source(spec.name) if missing is None else missing
        checks.append(Check(part=spec.title, state="ready" if missing is None else "missing", detail=detail))
    texts = extractors.texts
    if texts:
        checks.append(Check(part="text embeddings", state="ready", detail=texts.embedding_id))
    else:
        checks.append(Check(part="text embeddings", state="missing", detail=extractors.texts_missing or ""))
    checks.append(_video_llm(settings))
    return checks


def _decoder(settings: Settings) -> Check:
    module = "decord" if settings.decoder == "decord" else "av"
    if settings.decoder == "nvdec" and (complaint := nvdec_error()):
        detail = f"no NVIDIA GPU decodes video here ({complaint}): set decoder to pyav"
        return Check(part="decoder", state="missing", detail=detail)
    if importlib.util.find_spec(module) is None:
        return Check(part="decoder", state="missing", detail=f"pip install 'playhead[{settings.decoder}]'")
    return Check(part="decoder", state="ready", detail=f"{settings.decoder} {importlib.metadata.version(module)}")


def _faiss() -> Check:
    try:
        return Check(part="faiss", state="ready", detail=faiss_state())
    except PlayheadError as error:
        return Check(part="faiss", state="missing", detail=str(error))


def _video_llm(settings: Settings) -> Check:
    if not is_set(settings):
        detail = "none is set: answers quote the evidence (`playhead model list` shows models; or set video_llm_url)"
        return Check(part="video LLM", state="missing", detail=detail)
    state = check(settings)
    return Check(part="video LLM", state="ready" if state.ok else "missing", detail=state.words)
