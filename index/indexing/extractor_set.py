"""Finds the extractors that are available, and the reason why others are not, once before extraction starts."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from ...tools.device import resolve_device
from ...tools.embedding.protocol import CorpusEncoder
from ...tools.embedding.texts import SentenceEncoder
from ...tools.errors import MissingExtraError, ServerError, WeightsError
from ...tools.extractors.reading.text_changes import TEXT_CHANGES
from ...tools.extractors.registry import SWITCHED_OFF, spec_of, stage_names
from ...tools.extractors.specification import ModalitySpec, UnavailableError
from ...tools.media.frames import CLIPS
from ...tools.records import Modality, Span
from ...tools.settings import Settings
from .captioning import SCENES
from .change_detection import GATE
from .merging.merges import MERGE_PARAMETERS

__all__ = ["Extractors"]

_T = TypeVar("_T")

# Segments in one batch of a model: 50 MB of 1080p on a CPU; a GPU needs larger batches.
_AT_ONCE = {"cpu": 8, "cuda": 32}


@dataclass(frozen=True)
class Extractors:
    """The extractors of one run. Models load at first use.

    Attributes:
        settings: The settings that they were made with.
        by_modality: The available extractors.
        missing: For each modality without an extractor, the reason, and how to install it.
        texts: The text encoder; may be missing.
        texts_missing: Why there is no text encoder.
        at_once: Segments in one batch of a model.
    """

    settings: Settings
    by_modality: Mapping[Modality, Any]
    missing: Mapping[Modality, str]
    texts: CorpusEncoder | None
    texts_missing: str | None
    at_once: int = _AT_ONCE["cpu"]
    _fingerprints: dict[tuple[object, ...], str] = field(default_factory=dict, init=False, repr=False, compare=False)

    @classmethod
    def gather(cls, settings: Settings) -> "Extractors":
        """Look for every extractor's library and weights.

        Raises:
            SettingsError: A setting names something that does not exist.
        """
        texts, texts_missing = _made(lambda: SentenceEncoder(settings))
        shared = _Shared(texts)
        made: dict[Modality, Any] = {}
        missing: dict[Modality, str] = {}
        for spec in map(spec_of, stage_names()):
            if is_off(spec, settings):
                missing[spec.name] = SWITCHED_OFF
                continue
            extractor, why = _made(lambda make=spec.make: make(settings, shared))  # type: ignore[misc]
            if why is None:
                made[spec.name] = extractor
            else:
                missing[spec.name] = why
        return cls(settings, made, missing, texts, texts_missing, _AT_ONCE[resolve_device(settings)])

    def get(self, modality: Modality) -> Any:
        """The extractor of a modality; None where it is missing."""
        return self.by_modality.get(modality)

    def source(self, modality: Modality) -> str:
        """`name@version` of a modality's extractor; empty where it is missing."""
        extractor = self.get(modality)
        return extractor.source if extractor is not None else ""

    def fingerprint(self, modality: Modality, subtitles: str = "", windows: Sequence[Span] = ()) -> str:
        """12 hex digits over everything that a modality's observations of a given file depend on.

        Args:
            modality: The modality.
            subtitles: Identity of the subtitles that replace its extractor.
            windows: The stretches that are indexed; empty: the whole file.
        """
        key = (modality, subtitles, *windows)
        if key not in self._fingerprints:
            self._fingerprints[key] = self._fingerprint(modality, subtitles, windows)
        return self._fingerprints[key]

    def _fingerprint(self, modality: Modality, subtitles: str, windows: Sequence[Span]) -> str:
        spec, extractor, settings = spec_of(modality), self.get(modality), self.settings
        depends: list[Any] = [subtitles or self.source(modality)]
        if not subtitles:
            depends += [[getattr(settings, field) for field in spec.depends_on], spec.method()]
            depends += [getattr(extractor, name, "") for name in ("fingerprint", "embedding_id")]
        if spec.reads in ("frames", "scenes"):
            depends += [settings.sample_seconds, settings.decoder, settings.stream, GATE]
        if spec.ignores_text:
            depends += [TEXT_CHANGES]
        if spec.reads == "clips":
            depends += [settings.decoder, settings.stream, CLIPS]
        if spec.reads == "scenes":
            depends += [SCENES]
        if spec.merge != "none":
            depends += [spec.merge, MERGE_PARAMETERS]
        if windows:
            depends += [[(window.start, window.end) for window in windows]]
        return hashlib.blake2b(json.dumps(depends).encode(), digest_size=6).hexdigest()


@dataclass(frozen=True)
class _Shared:
    texts: CorpusEncoder | None


def is_off(spec: ModalitySpec, settings: Settings) -> bool:
    """Whether the settings skip a modality."""
    return spec.name in settings.skip or bool(spec.setting and settings.model_for(spec.setting) == "off")


def _made(make: Callable[[], _T]) -> tuple[_T | None, str | None]:
    try:
        return make(), None
    except (MissingExtraError, ServerError, UnavailableError, WeightsError) as error:
        return None, str(error)
