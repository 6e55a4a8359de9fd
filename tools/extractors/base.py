"""What a modality is: one specification for each, and the protocols of its extractor.

This module imports no model and no library: a command that only prints a word of it stays quick.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from ..errors import PlayheadError
from ..records import Modality, Observation, check_modality
from ..settings import Settings

__all__ = [
    "AskedAs",
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
# together. `sound`: the whole track, in windows of about two minutes.
Reads = Literal["frames", "scenes", "sound"]
# How its observations become longer ones. `lines`: lines of text, whose readings may differ. `same place`: the same text in the same box. `track`: the same label near
# its last box. `same text`: the same text in the next segment, wherever it is.
Merge = Literal["none", "lines", "same place", "track", "same text"]
# Which words of a question ask for it: "what does she say", "what is written", "what is shown", "what is heard".
AskedAs = Literal["said", "written", "shown", "heard"]


class UnavailableError(PlayheadError):
    """An extractor cannot work with these settings; the message says why, and what to set."""


class Extractor(Protocol):
    """What all extractors have.

    Attributes:
        source: The model, as `name@version`: stored with each observation, and part of the fingerprint.
    """

    source: str


class FrameExtractor(Extractor, Protocol):
    """Reads frames."""

    def observe(self, segments: Sequence[Any]) -> Any:
        """The observations of a batch of `Segment`, segment by segment, each with its segment's span.

        An extractor with `own_vectors` returns them and their unit vectors, float32, shape `(n, dimensions)`.
        """


class SoundExtractor(Extractor, Protocol):
    """Reads sound."""

    def process_window(self, window: Any, progress: Callable[[float], None]) -> list[Any]:
        """What one window holds, as data that JSON can store: the same for the same window.

        Args:
            window: Sound, as `tools.extractors.speech.Window`.
            progress: Called with the second up to which it listened, now and then; what it raises ends the work.
        """


class SharedModels(Protocol):
    """Models that several extractors use."""

    @property
    def texts(self) -> Any:
        """The text encoder (`tools.embedding.protocol.TextEncoder`); None where it cannot be had."""


@dataclass(frozen=True, kw_only=True)
class ModalitySpec:
    """One modality: how it is extracted, merged, searched, asked for and shown.

    Third parties register one by an entry point of the group `playhead.extractors`. Its module is imported by every
    command: it imports heavy libraries inside `make`, not at its top.

    Attributes:
        name: Identifier, lower case, e.g. `speech`: stored in libraries, and accepted by `--in`.
        participle: What people call it, as in "what was said": shown beside each result, and accepted by `--in`.
        title: What its extractor does, for `playhead doctor`: "text in the picture".
        reads: What the extractor reads.
        make: Makes the extractor; its model loads at first use. It raises `UnavailableError`, `WeightsError`,
            `MissingExtraError` or `ServerError` where it cannot work: then its stage is skipped, with that message.
        asked_as: Which words of a question ask for it.
        holds: `sentences` of words; or `labels` of things.
        setting: The field of `Settings` that names its model and takes `off`; empty: it has none.
        depends_on: Fields of `Settings` that change its observations, beside its model.
        method: Returns the constants and the version of the method, as data that JSON can store: observations are
            extracted again when it changes.
        merge: How the observations of successive segments are merged.
        assemble: For `sound`: turns what `process_window` returned for all windows, in order, into observations.
        restore: For `sound`: the result of `process_window` from what JSON stored; it may raise ValueError or TypeError.
        own_vectors: Whether the extractor embeds its observations itself; else the text encoder embeds their texts.
        away_seconds: What is seen again within this time had not gone: for counting.
        has_boxes: Whether its observations have a place in the picture.
        cited_as: Whether its text is quoted, or its frame is shown: a label that a classifier guessed is no quote.
        text_is_visible: Whether its text can be read in the picture already: then it is not drawn beside its box.
        reads_text: For `frames`: whether one changed character matters. Then the extractor gets every segment; else one
            frame of each different picture.
        subtitles: Whether subtitles can take the place of its extractor.
        searched: Whether a search looks into it unless asked to: a label such as `Speaker 2` answers nothing.
        optional: Whether it is usual that it is missing: then an answer does not report that.
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
    subtitles: bool = False
    searched: bool = True
    optional: bool = False

    def __post_init__(self) -> None:
        check_modality(self.name)
        if (self.reads == "sound") != (self.assemble is not None):
            raise ValueError(f"modality {self.name}: `assemble` is given for sound, and only for sound")
        if self.own_vectors and self.reads != "frames":
            raise ValueError(f"modality {self.name}: only an extractor of frames has vectors of its own")
