"""Names that are proposed for speakers: said in an introduction, or written while only this person speaks.

A proposal is never applied: a person reads the evidence and names the speaker. English introductions only.
"""

import re
from collections.abc import Mapping, Sequence

from pydantic import Field

from ...tools.records import Observation, Record, Span, Text
from ..storage.local import LocalStorage
from .known import KnownPeople, Person

__all__ = ["ProposedName", "proposed_names"]

_NAME = r"(?P<name>[A-Z][\w'’\-]+(?: (?:van|von|de|da|di|el|al|bin)(?= ))?(?: [A-Z][\w'’\-]+){0,2})"
# The speaker says the own name. A single word after "I'm" may be a place or a nation: it is proposed, with its sentence.
_OWN = re.compile(rf"\b(?:[Ii]['’]m|[Ii] am|[Mm]y name is|[Mm]y name['’]s) {_NAME}")
# Another person is announced, who speaks next.
_NEXT = re.compile(
    rf"\b(?:[Ww]elcome|introduce|joined by|speaker is|guest is|over to|with us is) (?:Dr\.? |Professor )?{_NAME}"
)
# Somebody who is announced begins to speak within this time.
_SOON_SECONDS = 15.0
# A name in the lower third: two or three words with capitals, shown in the lower part of the picture.
_WRITTEN = re.compile(r"[^\W\d_][\w'’\-]+(?: [^\W\d_][\w'’.\-]*){1,2}")
_LOWER_THIRD = 0.6
# Share of the time of a written name during which one person speaks, and nobody else.
_LEAST_SHARE = 0.6


class ProposedName(Record):
    """A name that a speaker may have, with the evidence."""

    number: int = Field(ge=1, description="The speaker's number.")
    name: Text = Field(description="The name as said or written. Untrusted.")
    how: str = Field(description="`said` by the speaker, `announced` by another, or `written` in the picture.")
    video_id: str = Field(description="The video's content hash.")
    video: str = Field(description="Absolute path of the video's file.")
    span: Span = Field(description="When.")
    quote: Text = Field(description="The sentence or line. Untrusted.")


def proposed_names(storage: LocalStorage, voices: KnownPeople) -> list[ProposedName]:
    """Return the names that are said or written for speakers without a name, by speaker and time.

    Raises:
        LibraryError: A video's folder is damaged.
    """
    speakers = [one for one in voices.people() if not one.name]
    owners = {(part.video_id, part.label): one for one in speakers for part in one.videos}
    found: list[ProposedName] = []
    for video_id in dict.fromkeys(video_id for video_id, _ in owners):
        record = storage.record(video_id)
        if record is None:
            continue
        table = storage.table(record)
        turns = table.of("speaker")
        rows = [*_said(table.of("speech"), turns), *_written(table.of("text"), turns)]
        video = str(storage.file_of(record))
        found += _proposals(rows, owners, video_id, video)
    return sorted(found, key=lambda one: (one.number, one.video, one.span.start))


_Row = tuple[str, str, str, Observation]  # label of the speaker, name, how, evidence


def _proposals(
    rows: Sequence[_Row], owners: Mapping[tuple[str, str], Person], video_id: str, video: str
) -> list[ProposedName]:
    made: dict[tuple[int, str], ProposedName] = {}
    for label, name, how, seen in rows:
        owner = owners.get((video_id, label))
        if owner is not None:
            made.setdefault(
                (owner.number, name.casefold()),
                ProposedName(
                    number=owner.number,
                    name=name,
                    how=how,
                    video_id=video_id,
                    video=video,
                    span=seen.span,
                    quote=seen.text,
                ),
            )
    return list(made.values())


def _said(sentences: Sequence[Observation], turns: Sequence[Observation]) -> list[_Row]:
    rows: list[_Row] = []
    for sentence in sentences:
        label = _speaking(sentence.span, turns)
        if label:
            rows += [(label, found["name"], "said", sentence) for found in _OWN.finditer(sentence.text)]
        for found in _NEXT.finditer(sentence.text):
            after = [
                turn
                for turn in turns
                if turn.text != label and -1.0 <= turn.span.start - sentence.span.end <= _SOON_SECONDS
            ]
            if after:
                rows.append((after[0].text, found["name"], "announced", sentence))
    return rows


def _written(lines: Sequence[Observation], turns: Sequence[Observation]) -> list[_Row]:
    rows: list[_Row] = []
    for line in lines:
        is_low = line.box is not None and line.box.top >= _LOWER_THIRD
        if not (is_low and _WRITTEN.fullmatch(line.text) and _has_capitals(line.text)):
            continue
        if label := _speaking(line.span, turns):
            rows.append((label, line.text.title() if line.text.isupper() else line.text, "written", line))
    return rows


def _has_capitals(text: str) -> bool:
    return all(word[0].isupper() for word in text.split())


def _speaking(span: Span, turns: Sequence[Observation]) -> str:
    """The label of the only speaker during a span; empty if several speak, or nobody does."""
    shares: dict[str, float] = {}
    for turn in turns:
        if seconds := turn.span.overlap(span):
            shares[turn.text] = shares.get(turn.text, 0.0) + seconds
    label = max(shares, key=lambda text: shares[text], default="")
    spoken = sum(shares.values())
    is_alone = bool(label) and shares[label] >= 0.9 * spoken and shares[label] >= _LEAST_SHARE * span.duration
    return label if is_alone else ""
