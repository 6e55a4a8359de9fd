"""Which extractors can work here, and why the others cannot: asked once, before anything is perceived."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from ...tools.device import resolve_device
from ...tools.embedding.images import image_encoder
from ...tools.embedding.protocol import CorpusEncoder, ImageEncoder
from ...tools.embedding.texts import SentenceEncoder
from ...tools.errors import MissingExtraError, ServerError, WeightsError
from ...tools.extractors.captions import Captioner
from ...tools.extractors.objects import Detector, ObjectDetector
from ...tools.extractors.ocr import READING, TextReader, text_reader
from ...tools.extractors.speech import HEARING, Speech, Transcriber
from ...tools.llm.backends import is_set
from ...tools.records import Modality
from ...tools.settings import Settings
from .captioning import SCENES, Captioning
from .change_detection import GATE
from .tracks import MERGING

__all__ = ["Extractors"]

_T = TypeVar("_T")

# Segments that are looked at together: 50 MB of 1080p; a GPU wants more to be busy.
_AT_ONCE = {"cpu": 8, "cuda": 32}


@dataclass(frozen=True)
class Extractors:
    """The extractors of one run; None where one cannot or should not work. Models load at first use.

    Attributes:
        settings: What they were made with.
        missing: For each stage that cannot run, why, and how to get it.
        texts_missing: The same for the text encoder; None: it is there.
        at_once: Segments that are looked at together.
    """

    settings: Settings
    speech: Transcriber | None
    reader: TextReader | None
    detector: Detector | None
    images: ImageEncoder | None
    captioner: Captioning | None
    texts: CorpusEncoder | None
    missing: dict[Modality, str]
    texts_missing: str | None
    at_once: int = _AT_ONCE["cpu"]

    @classmethod
    def gather(cls, settings: Settings) -> "Extractors":
        """Look for every extractor's library and weights.

        Raises:
            SettingsError: A setting asks for what does not exist.
        """
        missing: dict[Modality, str] = {}

        def stage(modality: Modality, wanted: bool, make: Callable[[], _T]) -> _T | None:
            if not wanted:
                missing[modality] = "switched off"
                return None
            made, why = _made(make)
            if why is not None:
                missing[modality] = why
            return made

        texts, texts_missing = _made(lambda: SentenceEncoder(settings))

        on = {
            name: settings.model_for(name) != "off" for name in ("speech_model", "ocr", "objects_model", "image_model")
        }
        captioner = None
        if is_set(settings):
            captioner = stage("caption", True, lambda: Captioner(settings))
        else:
            missing["caption"] = "no video-LLM server: serve one and set video_llm_url"
        return cls(
            settings=settings,
            speech=stage("speech", on["speech_model"], lambda: Speech(settings)),
            reader=stage("text", on["ocr"], lambda: text_reader(settings)),
            detector=stage("object", on["objects_model"], lambda: ObjectDetector(settings)),
            images=stage("frame", on["image_model"], lambda: image_encoder(settings, texts)),
            captioner=captioner,
            texts=texts,
            missing=missing,
            texts_missing=texts_missing,
            at_once=_AT_ONCE[resolve_device(settings)],
        )

    def source(self, modality: Modality) -> str:
        """`name@version` of a stage's extractor; empty where it is missing."""
        extractor = {
            "speech": self.speech,
            "text": self.reader,
            "object": self.detector,
            "frame": self.images,
            "caption": self.captioner,
        }[modality]
        return extractor.source if extractor is not None else ""

    def fingerprint(self, modality: Modality, sidecar: str = "") -> str:
        """12 hex digits over all that a stage's observations of a given file depend on.

        Args:
            modality: The stage.
            sidecar: Identity of the subtitles used in place of transcription.
        """
        settings = self.settings
        depends: list[Any] = [sidecar or self.source(modality)]
        if modality == "speech":
            depends += [None if sidecar else [settings.language, *HEARING]]
        else:
            depends += [settings.sample_seconds, settings.decoder, GATE]
        if modality in ("text", "object"):
            depends += [MERGING]
        if modality == "text":
            depends += [READING]
        if modality == "object":
            depends += [settings.objects_vocabulary, settings.objects_score]
        if modality == "caption" and self.captioner is not None:
            depends += [self.captioner.fingerprint, SCENES]
        if modality == "frame" and self.images is not None:
            depends += [self.images.embedding_id]
        return hashlib.blake2b(json.dumps(depends).encode(), digest_size=6).hexdigest()


def _made(make: Callable[[], _T]) -> tuple[_T | None, str | None]:
    try:
        return make(), None
    except (MissingExtraError, ServerError, WeightsError) as error:
        return None, str(error)
