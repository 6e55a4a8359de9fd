"""What works here: one line for each part, before anything is indexed or asked."""

import importlib.metadata
import importlib.util
import platform
from typing import Literal

from pydantic import Field

from ..index.indexing.extractor_set import Extractors
from ..index.retrieval.vectors import faiss_state
from ..tools.device import resolve_device
from ..tools.errors import PlayheadError
from ..tools.extractors.registry import modalities
from ..tools.llm.backends import check, is_set
from ..tools.media.container import nvdec_complaint
from ..tools.records import Record
from ..tools.settings import Settings

__all__ = ["Finding", "examine"]


class Finding(Record):
    """The state of one part."""

    part: str = Field(description="What was looked at.")
    state: Literal["ready", "missing"] = Field(description="Whether it can work here.")
    detail: str = Field(description="Model and version; or what is missing, and how to get it.")


def examine(settings: Settings) -> list[Finding]:
    """The state of every part that the settings name. No model is loaded, nothing is downloaded.

    Raises:
        SettingsError: A setting asks for what does not exist.
    """
    extractors = Extractors.gather(settings)
    findings = [
        Finding(part="python", state="ready", detail=f"{platform.python_version()} on {platform.machine()}"),
        Finding(part="device", state="ready", detail=f"{resolve_device(settings)} (device={settings.device})"),
        _decoder(settings),
        _faiss(),
    ]
    for spec in modalities():
        missing = extractors.missing.get(spec.name)
        detail = extractors.source(spec.name) if missing is None else missing
        findings.append(Finding(part=spec.title, state="ready" if missing is None else "missing", detail=detail))
    texts = extractors.texts
    if texts:
        findings.append(Finding(part="text embeddings", state="ready", detail=texts.embedding_id))
    else:
        findings.append(Finding(part="text embeddings", state="missing", detail=extractors.texts_missing or ""))
    findings.append(_video_llm(settings))
    return findings


def _decoder(settings: Settings) -> Finding:
    module = "decord" if settings.decoder == "decord" else "av"
    if settings.decoder == "nvdec" and (complaint := nvdec_complaint()):
        detail = f"no NVIDIA GPU decodes pictures here ({complaint}): set decoder to pyav"
        return Finding(part="decoder", state="missing", detail=detail)
    if importlib.util.find_spec(module) is None:
        return Finding(part="decoder", state="missing", detail=f"pip install 'playhead[{settings.decoder}]'")
    return Finding(part="decoder", state="ready", detail=f"{settings.decoder} {importlib.metadata.version(module)}")


def _faiss() -> Finding:
    try:
        return Finding(part="faiss", state="ready", detail=faiss_state())
    except PlayheadError as error:
        return Finding(part="faiss", state="missing", detail=str(error))


def _video_llm(settings: Settings) -> Finding:
    if not is_set(settings):
        detail = "none is set (video_llm_url): answers quote the evidence"
        return Finding(part="video LLM", state="missing", detail=detail)
    state = check(settings)
    return Finding(part="video LLM", state="ready" if state.ok else "missing", detail=state.words)
