"""The specification of a modality, and the protocols of its extractor.

This module imports no model and no heavy library, because every command imports it.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from ..errors import PlayheadError
from ..records import Clip, Modality, Observation, check_modality
from ..settings import Settings

__all__ = [
    "AskedAs",
    "ClipExtractor",
    "Extractor",
    "FrameExtractor",
    "Merge",
    "ModalitySpec",
    "Reads",
    "SharedModels",
    "SoundExtractor",
    "UnavailableError",
]

# What an extractor reads. `frames`: one frame of each segment, in batches. `scenes`: up to four frames of about 20 s
# together. `clips`: every 3 s in which the picture moves, as frames at equal distances. `sound`: the whole audio track, in windows of
# about two minutes. `metadata`: what the source says about the video; no extractor reads it, and it is no stage of indexing.
Reads = Literal["frames", "scenes", "clips", "sound", "metadata"]
# How observations of successive segments are merged. `lines`: lines of text, whose readings may differ. `same place`: the
# same text in the same box. `track`: the same label near its last box. `same text`: the same text at any place. `faces`: by their vectors.
Merge = Literal["none", "lines", "same place", "track", "same text", "faces"]
# The verb by which a question asks for the modality: "what does she say", "what is written", "what is shown", "what is heard".
AskedAs = Literal["said", "written", "shown", "heard"]


class UnavailableError(PlayheadError):
    """An extractor cannot work with these settings; the message gives the reason, and the setting to change."""


class Extractor(Protocol):
    """The base of all extractors.

    Attributes:
        source: The model, as `name@version`: stored with each observation, and part of the fingerprint.
    """

    source: str


class FrameExtractor(Extractor, Protocol):
    """Reads frames."""

    def observe(self, segments: Sequence[Any]) -> Any:
        """Return the observations of a batch of `Segment`, segment by segment, each with its segment's span.

        An extractor with `own_vectors` also returns their unit vectors, float32, shape `(n, dimensions)`.
        """


class ClipExtractor(Extractor, Protocol):
    """Reads clips.

    Attributes:
        frames: How many frames it reads of each clip.
    """

    frames: int

    def observe(self, clips: Sequence[Clip]) -> list[Observation]:
        """Return the observations of a batch of clips; with `own_vectors` each has its unit vector in `Observation.vector`."""


class SoundExtractor(Extractor, Protocol):
    """Reads sound."""

    def process_window(self, window: Any, progress: Callable[[float], None]) -> list[Any]:
        """Return the result for one window, as data that JSON can store. The same window gives the same result.

        Args:
            window: Sound, as `tools.extractors.speech.Window`.
            progress: Called at intervals with the second that is reached; an error that it raises ends the work.
        """


class SharedModels(Protocol):
    """Models that several extractors use."""

    @property
    def texts(self) -> Any:
        """The text encoder (`tools.embedding.protocol.TextEncoder`); None if it is not available."""


@dataclass(frozen=True, kw_only=True)
class ModalitySpec:
    """One modality: how it is extracted, merged, searched, asked for and shown.

    A package registers a modality by an entry point of the group `playhead.extractors`. Every command imports its module, so
    the module must import heavy libraries inside `make`, not at its top.

    Attributes:
        name: Identifier, lower case, e.g. `speech`: stored in libraries, and accepted by `--in`.
        participle: Its verb form, as in "what was said": shown with each result, and accepted by `--in`.
        title: What its extractor does, for `playhead doctor`: "text in the picture".
        reads: The input of the extractor.
        make: Makes the extractor; its model loads at first use. It raises `UnavailableError`, `WeightsError`,
            `MissingExtraError` or `ServerError` if it is not available: then its stage is skipped, with that message.
        asked_as: The verb by which a question asks for it.
        holds: `sentences`, or `labels` of things.
        setting: The field of `Settings` that names its model and takes `off`; empty: it has no such field.
        depends_on: Fields of `Settings` that change its observations, besides its model.
        method: Returns the constants and the version of the method, as data that JSON can store: observations are
            extracted again when it changes.
        merge: How the observations of successive segments are merged.
        assemble: For `sound`: turns what `process_window` returned for all windows, in order, into observations.
        restore: For `sound`: the result of `process_window` from what JSON stored; it may raise ValueError or TypeError.
        own_vectors: Whether the extractor embeds its observations itself; else the text encoder embeds their texts. Of `clips`, each
            observation has its vector, and its source is the embedding model id.
        away_seconds: For counting: a thing that reappears within this time counts as the same appearance.
        has_boxes: Whether its observations have boxes in the picture.
        cited_as: `text`: an answer quotes its text. `picture`: an answer shows its frame, because a label by a classifier
            is not a quote.
        text_is_visible: Whether its text is readable in the picture. Then it is not drawn next to its box.
        reads_text: For `frames`: whether it reads text. Then the extractor gets every segment; else one frame of each
            different picture.
        ignores_text: For `frames`: whether text does not matter to it. Then a picture that differs from the one before in text
            only repeats its results.
        subtitles: Whether subtitles can replace its extractor.
        searched: Whether a search includes it by default. A label such as `Speaker 2` does not answer a question.
        derived_from: The modality from whose observations it is computed; then it has no extractor and is no stage of its own.
        optional: Whether it is often missing. Then an answer does not report that it is.
    """

    name: Modality
    participle: str
    title: str
    reads: Reads
    make: Callable[[Settings, SharedModels], Any]
    asked_as: AskedAs
    holds: Literal["sentences", "labels"]
    setting: str = ""
    depends_on: tuple[str, ...] = ()
    method: Callable[[], Sequence[object]] = tuple
    merge: Merge = "none"
    assemble: Callable[[Iterable[Any], str], Iterator[Observation]] | None = None
    restore: Callable[[Any], list[Any]] = field(default=list)
    own_vectors: bool = False
    away_seconds: float = 0.5
    has_boxes: bool = False
    cited_as: Literal["text", "picture"] = "text"
    text_is_visible: bool = False
    reads_text: bool = False
    ignores_text: bool = False
    subtitles: bool = False
    searched: bool = True
    derived_from: Modality = ""
    optional: bool = False

    def __post_init__(self) -> None:
        check_modality(self.name)
        if (self.reads == "sound") != (self.assemble is not None):
            raise ValueError(f"modality {self.name}: `assemble` is given for sound, and only for sound")
        if self.own_vectors and self.reads not in ("frames", "clips"):
            raise ValueError(f"modality {self.name}: only an extractor of frames or clips has vectors of its own")
