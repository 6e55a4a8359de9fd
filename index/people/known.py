"""The people of a library, by voice or by face (`Kind`): who is the same in several videos, their names, who speaks in an evidence.

Names and the vectors that they belong to are in `speakers.json` and `people.json` in the library's folder: nothing else holds a name.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import Field, ValidationError

from ...tools.embedding.protocol import Vectors, unit
from ...tools.errors import LibraryError, QueryError
from ...tools.extractors.speakers import SAME_VOICE, average_link
from ...tools.records import Observation, Record, Span, Text
from ..records import Evidence, VideoRecord
from ..storage.files.atomic import write_bytes, writing
from ..storage.local import LocalStorage
from .forgetting import without_vectors

__all__ = ["VOICE", "Kind", "KnownPeople", "Person", "PersonInVideo"]

# A sentence belongs to a speaker who speaks during this share of it at least, and to nobody if two people speak at once for as much of it.
_LEAST_SHARE = 0.5
# The modality of overlapping speech.
_OVERLAP = "overlap"


@dataclass(frozen=True)
class Kind:
    """What is recognised: voices or faces.

    Attributes:
        stage: The modality of its observations.
        noun: What a person without a name is called.
        file: In the library's folder: names, with their vectors.
        same: Returns the least cosine of two vectors of one person, for the model that made them.
        hint: How to index it, for messages.
    """

    stage: str
    noun: str
    file: str
    same: Callable[[str], float]
    hint: str


VOICE = Kind("speaker", "Speaker", "speakers.json", lambda _: SAME_VOICE, "speakers_model=resemblyzer")


class PersonInVideo(Record):
    """A person in one video, by voice or by face."""

    video_id: str = Field(description="The video's content hash.")
    video: str = Field(description="Absolute path of the video's file.")
    label: str = Field(description="How the video's observations call the person.")
    seconds: float = Field(ge=0, description="How long the person speaks, or is seen.")
    turns: int = Field(ge=1, description="How often.")
    sample: Span = Field(description="The longest turn or appearance.")


class Person(Record):
    """A person, by voice or by face, in one or several videos."""

    number: int = Field(ge=1, description="1 speaks most, or is seen longest.")
    name: Text = Field(default="", description="As the user named the person; empty: there is no name.")
    seconds: float = Field(ge=0, description="How long the person speaks, or is seen, in all videos.")
    videos: tuple[PersonInVideo, ...] = Field(description="Where, by length.")
    noun: str = Field(default="Speaker", exclude=True, description="What it is called without a name.")

    @property
    def title(self) -> str:
        """The name, else `Speaker 2`."""
        return self.name or f"{self.noun} {self.number}"


class _Named(Record):
    """A name and its vector."""

    name: Text
    source: str
    vector: tuple[float, ...]


class _Names(Record):
    """The contents of `speakers.json` or `people.json`."""

    voices: tuple[_Named, ...] = ()


class _Part(Record):
    """A person in one video, with the vector of voice or face."""

    where: PersonInVideo
    source: str
    vector: tuple[float, ...]


class KnownPeople:
    """The people of one library: its speakers, or those whose faces are recognised."""

    def __init__(self, storage: LocalStorage, kind: Kind = VOICE) -> None:
        """Read nothing yet."""
        self.stage = kind.stage
        self._storage, self._kind = storage, kind
        self._turns: dict[tuple[str, str, str], list[Observation]] = {}
        self._known: tuple[tuple[object, ...], tuple[Person, ...]] = ((), ())

    def people(self) -> tuple[Person, ...]:
        """All of them, who speaks most or is seen longest first.

        Raises:
            LibraryError: A video's folder or the file of names is damaged.
        """
        records = [one for one in self._storage.read().values() if one.stage(self._kind.stage).state == "done"]
        names = self._names() if records else _Names()
        state = (*((one.video_id, one.commit) for one in records), names)
        if state != self._known[0]:
            parts = [part for record in records for part in self._parts(record)]
            self._known = (state, _numbered(parts, names.voices, self._kind))
        return self._known[1]

    def name(self, number: int, name: str) -> Person:
        """Name a speaker, in all videos and those to come; a name that another voice has moves to this one.

        Raises:
            QueryError: There is no such speaker, or the name is empty.
            LibraryError: The library cannot be written.
        """
        speaker = next((one for one in self.people() if one.number == number), None)
        if speaker is None:
            raise QueryError(f"no {self._kind.noun.casefold()} {number}: there are {len(self.people())}")
        places = {(one.video_id, one.label) for one in speaker.videos}
        records = self._storage.read({video for video, _ in places})
        parts = [part for record in records.values() for part in self._parts(record)]
        chosen = [part for part in parts if (part.where.video_id, part.where.label) in places]
        made = _Named(name=name, source=chosen[0].source, vector=tuple(map(float, _mean(chosen))))
        if not made.name:
            raise QueryError("the name is empty: give one")
        others = [one for one in self._names().voices if one.name not in (made.name, speaker.name)]
        self._write(_Names(voices=(*others, made)))
        return next(one for one in self.people() if one.name == made.name)

    def forget(self, name: str) -> None:
        """Delete a name, its vector, and the vectors of this person in all videos; older versions of the videos too.

        What was said stays indexed. A video that is indexed again with `force` gets new vectors.

        Raises:
            QueryError: Nobody has that name.
            LibraryError: The library cannot be written.
        """
        voices = self._names().voices
        known = next((one for one in self.people() if one.name.casefold() == name.strip().casefold()), None)
        left = tuple(one for one in voices if one.name.casefold() != name.strip().casefold())
        if len(left) == len(voices):
            raise QueryError(f"nobody is named {name!r}: {self._listed(one.name for one in voices)}")
        for place in known.videos if known else ():
            without_vectors(self._storage, place.video_id, self._kind.stage, place.label)
        self._write(_Names(voices=left))

    def find(self, text: str) -> Person:
        """The speaker with a name, or a number: `Ada`, `Speaker 2` or `2`.

        Raises:
            QueryError: There is none.
        """
        wanted = text.strip().casefold()
        for one in self.people():
            if wanted in (one.title.casefold(), str(one.number), f"{self._kind.noun} {one.number}".casefold()):
                return one
        raise QueryError(
            f"no {self._kind.noun.casefold()} {text!r}: {self._listed(one.title for one in self.people())}"
        )

    def attributed(self, evidence: Sequence[Evidence]) -> list[Evidence]:
        """Evidence of speech with its speaker, where one is known, and with the time for which two people speak at once.

        Where that is half of its time or more, no speaker is given. Other evidence is returned as it is.
        """
        titles = {(p.video_id, p.label): one.title for one in self.people() for p in one.videos}
        records = self._storage.read({one.video_id for one in evidence if one.modality == "speech"})
        return [self._attributed(one, records.get(one.video_id), titles) for one in evidence]

    def said_by(self, title: str, find: Callable[[int], Sequence[Evidence]], k: int) -> list[Evidence]:
        """The best evidence of what a speaker says: the search goes as deep as that needs.

        Args:
            title: A speaker's title.
            find: Returns the best evidence of speech, at most as much as its argument.
            k: At most this much evidence.
        """
        depth = 4 * k
        while True:
            found = find(depth)
            said = [one for one in self.attributed(found) if one.speaker == title]
            if len(said) >= k or len(found) < depth:
                return said[:k]
            depth *= 4

    def _attributed(
        self, evidence: Evidence, record: VideoRecord | None, titles: Mapping[tuple[str, str], str]
    ) -> Evidence:
        if evidence.modality != "speech" or record is None:
            return evidence
        overlaps = self._rows_of(record, _OVERLAP)
        seconds = sum(one.span.overlap(evidence.span) for one in overlaps)
        is_one_voice = seconds < _LEAST_SHARE * evidence.span.duration
        title = titles.get((evidence.video_id, self._label(evidence, record)), "") if is_one_voice else ""
        changes = {"speaker": title} if title else {}
        return evidence.model_copy(update=changes | ({"overlap_seconds": round(seconds, 3)} if seconds else {}))

    def _label(self, evidence: Evidence, record: VideoRecord) -> str:
        shares: dict[str, float] = {}
        for turn in self._turns_of(record):
            shares[turn.text] = shares.get(turn.text, 0.0) + turn.span.overlap(evidence.span)
        label = max(shares, key=lambda text: shares[text], default="")
        return label if label and shares[label] >= _LEAST_SHARE * evidence.span.duration else ""

    def _turns_of(self, record: VideoRecord) -> list[Observation]:
        return self._rows_of(record, self._kind.stage)

    def _rows_of(self, record: VideoRecord, stage: str) -> list[Observation]:
        key = (record.video_id, record.commit, stage)
        if key not in self._turns:
            self._turns[key] = self._storage.table(record).of(stage)
        return self._turns[key]

    def _parts(self, record: VideoRecord) -> list[_Part]:
        turns = self._turns_of(record)
        parts = []
        for label in dict.fromkeys(turn.text for turn in turns):
            own = [turn for turn in turns if turn.text == label]
            vector = next((turn.vector for turn in own if turn.vector), ())
            longest = max(own, key=lambda turn: turn.span.duration)
            where = PersonInVideo(
                video_id=record.video_id,
                video=str(self._storage.file_of(record)),
                label=label,
                seconds=sum(turn.span.duration for turn in own),
                turns=len(own),
                sample=longest.span,
            )
            parts.append(_Part(where=where, source=longest.source, vector=vector))
        return parts

    def _names(self) -> _Names:
        path = self._file
        try:
            return _Names(**json.loads(path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return _Names()
        except (OSError, UnicodeDecodeError, ValueError, TypeError, ValidationError) as error:
            raise LibraryError(
                f"{path} is damaged ({error}): restore it, or delete it and name the speakers again"
            ) from error

    def _write(self, names: _Names) -> None:
        with writing(self._storage.folder):
            write_bytes(self._file, names.model_dump_json().encode())

    def _listed(self, titles: Iterable[str]) -> str:
        names = ", ".join(titles)
        return (
            f"there are {names}"
            if names
            else f"no {self._kind.noun.casefold()}s are indexed (set {self._kind.hint} and index again)"
        )

    @property
    def _file(self) -> Path:
        return self._storage.folder / self._kind.file


def _numbered(parts: Sequence[_Part], named: Sequence[_Named], kind: Kind) -> tuple[Person, ...]:
    """Parts grouped by voice: by the named voices first, then among themselves."""
    groups: list[tuple[str, list[_Part]]] = [(one.name, []) for one in named]
    pairs = [(_cosine(part, one), number, row) for number, part in enumerate(parts) for row, one in enumerate(named)]
    taken: dict[int, int] = {}
    # Two of one video are two persons: the nearest gets the name.
    for _, number, row in sorted((one for one in pairs if one[0] >= kind.same(parts[one[1]].source)), reverse=True):
        has_video = any(one.where.video_id == parts[number].where.video_id for one in groups[row][1])
        if number not in taken and not has_video:
            taken[number] = row
            groups[row][1].append(parts[number])
    left = [part for number, part in enumerate(parts) if number not in taken]
    for source in sorted({part.source for part in left}):
        groups += [("", group) for group in _grouped([one for one in left if one.source == source], kind.same(source))]
    made = [(name, group, sum(part.where.seconds for part in group)) for name, group in groups if group]
    made.sort(key=lambda one: (-one[2], one[1][0].where.video, one[1][0].where.label))
    return tuple(
        Person(
            number=number,
            name=name,
            noun=kind.noun,
            seconds=seconds,
            videos=tuple(sorted((part.where for part in group), key=lambda where: -where.seconds)),
        )
        for number, (name, group, seconds) in enumerate(made, start=1)
    )


def _grouped(parts: Sequence[_Part], same: float) -> list[list[_Part]]:
    """Parts of one model: the same voice in several videos; two speakers of one video are two voices."""
    length = max(len(part.vector) for part in parts)
    vectors = unit(np.array([part.vector or (0.0,) * length for part in parts]))
    distances = (1 - vectors @ vectors.T).astype(np.float64)
    _, codes = np.unique([part.where.video_id for part in parts], return_inverse=True)
    distances[codes[:, None] == codes[None, :]] = np.inf
    return [[parts[row] for row in group] for group in average_link(distances, 1 - same)]


def _cosine(one: _Part | _Named, other: _Part | _Named) -> float:
    """Of two voices; -1 where they cannot be compared."""
    if one.source != other.source or not one.vector or len(one.vector) != len(other.vector):
        return -1.0
    first, second = unit(np.array([one.vector, other.vector]))
    return float(first @ second)


def _mean(parts: Sequence[_Part]) -> Vectors:
    return unit(np.mean([unit(np.array(part.vector)) for part in parts], axis=0))
