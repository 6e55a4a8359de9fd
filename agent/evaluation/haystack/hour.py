"""The script of one composed hour: what is shown and what is said at each time, drawn from one random generator.

An hour is a row of blocks without gaps: slides, photographs, stretches of clips. Slides do not move, and share what
the others leave of the time. The same seed gives the same hour.
"""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from ....tools.errors import QueryError
from ....tools.records import Span
from .pictures import CLIPS, PHOTOS, Sight
from .sentences import COUNTED, COUNTED_IN, FILLERS, POOLS, SAID, STAMPS, WRITTEN, Family
from .voice import RATE, Samples, speak

__all__ = ["FPS", "Block", "Fact", "Hour", "Slide", "Spoken", "plan_hour", "scaled"]

FPS = 25
_FULL_SECONDS = 1200  # from this length on an hour has everything
_LEAD, _GAP, _TAIL = 0.8, 0.7, 0.6  # seconds of silence before, between and after the sentences of a block
_LEAST_SLIDE, _LEAST_PHOTO = 5.0, 7.0  # seconds
_ALIKE_SAID, _ALIKE_WRITTEN = 6, 6  # near duplicates, the needle among them
_HELD_BACK = 3  # of each pool: for questions about what never happens


@dataclass(frozen=True)
class Fact:
    """A filled sentence or slide family: its blanks, and the questions about it."""

    family: Family
    blanks: dict[str, str]

    def fill(self, text: str) -> str:
        """A text of the family with its blanks filled."""
        return text.format_map(self.blanks)


@dataclass(frozen=True)
class Slide:
    """A title, rows below it, perhaps a code and a stamp; `look` chooses its colours."""

    title: str
    rows: tuple[str, ...]
    code: str
    look: int
    stamp: str = ""
    fact: Fact | None = None

    @property
    def lines(self) -> list[str]:
        """All text on it."""
        return [line for line in (self.title, *self.rows, self.code, self.stamp) if line]


@dataclass(frozen=True)
class Spoken:
    """A spoken sentence with its position, from the first audible sample to the last."""

    text: str
    first: int
    samples: Samples
    fact: Fact | None

    @property
    def span(self) -> Span:
        """The span in which it is audible."""
        return Span(start=round(self.first / RATE, 3), end=round((self.first + len(self.samples)) / RATE, 3))


@dataclass(frozen=True)
class Block:
    """A picture or a clip, the frames `[first, last)` that it fills, and what is said over it."""

    picture: Slide | Sight
    first: int
    last: int
    spoken: tuple[Spoken, ...]

    @property
    def span(self) -> Span:
        """The span in which it is visible."""
        return Span(start=self.first / FPS, end=self.last / FPS)


@dataclass(frozen=True)
class Hour:
    """A composed hour, and the values that it leaves out on purpose.

    Attributes:
        blocks: In order, without gaps.
        said: Spoken facts with their near duplicates, by family; the first of each family is the needle.
        written: The same for slides.
        words: Counted words, with the number of times each is said.
        held_back: Values of each pool that the video never contains.
        unseen: Sights that are not shown.
        scale: Share of a full hour's questions; below 1 for a short video.
    """

    blocks: tuple[Block, ...]
    said: tuple[tuple[Fact, ...], ...]
    written: tuple[tuple[Fact, ...], ...]
    words: dict[str, int]
    held_back: dict[str, tuple[str, ...]]
    unseen: tuple[Sight, ...]
    scale: float


def scaled(count: int, scale: float) -> int:
    """Scale a number for a full hour down to a shorter video; at least 1."""
    return max(1, round(count * scale))


def plan_hour(seed: str, seconds: int, clips: Path | None) -> Hour:
    """Plan the pictures and sentences of one video.

    Args:
        seed: Seed of all random choices.
        seconds: How long it is.
        clips: A folder with real clips; None: photographs only.

    Raises:
        QueryError: The video is too short for its content.
        MissingExtraError: eSpeak is not installed.
    """
    rng = random.Random(seed)  # noqa: S311 (seeded on purpose, not secret)
    scale = min(1.0, seconds / _FULL_SECONDS)
    pools = {name: rng.sample(values, len(values)) for name, values in POOLS.items()}
    keys = {family.key for family in (*SAID, *WRITTEN)}
    held_back = {name: tuple(pools[name].pop() for _ in range(_HELD_BACK)) for name in POOLS if name in keys}
    families = rng.sample(SAID, len(SAID))
    needles = scaled(12, scale)
    spoken = [_alike(rng, pools, one, _ALIKE_SAID) for one in families[:needles]]
    distractors = [_alike(rng, pools, one, 2) for one in families[needles : needles + scaled(10, scale)]]
    written = [_alike(rng, pools, one, _ALIKE_WRITTEN) for one in rng.sample(WRITTEN, scaled(12, scale))]
    words = {word: rng.randint(2, 5) for word in rng.sample(COUNTED, scaled(2, scale))}
    lines = [_Line(fact.fill(fact.family.text), fact) for facts in (*spoken, *distractors) for fact in facts]
    lines += [_Line(one.format(word=word)) for word, count in words.items() for one in rng.sample(COUNTED_IN, count)]
    lines += [_Line(text) for text in rng.sample(FILLERS, scaled(len(FILLERS), scale))]
    slides = _slides(rng, [fact for facts in written for fact in facts], [*words])
    sights, unseen = _sights(rng, scale, clips)
    drafts = _drafts(rng, [*slides, *sights], lines)
    return Hour(
        blocks=_placed(rng, drafts, seconds),
        said=tuple(map(tuple, spoken)),
        written=tuple(map(tuple, written)),
        words=words,
        held_back=held_back,
        unseen=unseen,
        scale=scale,
    )


class _Line(NamedTuple):
    """A sentence to be spoken."""

    text: str
    fact: Fact | None = None


_Draft = tuple[Slide | Sight, list[_Line]]


def _alike(rng: random.Random, pools: dict[str, list[str]], family: Family, count: int) -> list[Fact]:
    """Near duplicates: no two have the same key."""
    facts: list[Fact] = []
    while len(facts) < count:
        blanks = {name: rng.choice(values) for name, values in pools.items()}
        blanks |= {name: _number(rng, name) for name in ("n2", "n2b", "n3", "n4", "n4b", "digit", "clock", "code")}
        if all(fact.blanks[family.key] != blanks[family.key] for fact in facts):
            facts.append(Fact(family, blanks))
    return facts


def _number(rng: random.Random, name: str) -> str:
    if name == "clock":
        return f"{rng.randint(5, 22):02d}:{rng.choice(range(0, 60, 5)):02d}"
    if name == "code":
        return f"{rng.choice('ABCDEFGHKLMNPRSTUVW')}{rng.choice('ABCDEFGHKLMNPRSTUVW')}-{rng.randint(201, 989)}"
    lowest, highest = {"digit": (2, 9), "n2": (11, 28), "n2b": (11, 28), "n3": (112, 989)}.get(name, (1203, 9876))
    return str(rng.randint(lowest, highest))


def _slides(rng: random.Random, facts: Sequence[Fact], words: Sequence[str]) -> list[Slide]:
    """Make one slide for each fact, some with a stamp, and one slide for each counted word."""
    slides = []
    for fact in facts:
        title, *rows = (_capital(fact.fill(line)) for line in (fact.family.text, *fact.family.rows))
        slides.append(Slide(title, tuple(rows), fact.fill(fact.family.code), rng.randrange(1 << 16), "", fact))
    free = rng.sample(range(len(slides)), len(slides))
    for stamp in rng.sample(STAMPS, min(2, len(slides) // 8 + 1)):
        for place in [free.pop() for _ in range(min(len(free), rng.randint(2, 4)))]:
            old = slides[place]
            slides[place] = Slide(old.title, old.rows, old.code, old.look, stamp, old.fact)
    for word in words:
        below = (f"Photo of a {word}", f"Page {_number(rng, 'n3')}")
        slides.append(Slide(f"The {word}", below, "", rng.randrange(1 << 16)))
    return slides


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _sights(rng: random.Random, scale: float, clips: Path | None) -> tuple[list[Sight], tuple[Sight, ...]]:
    """Choose the sights to show, two photographs several times, and those to leave out."""
    photos = rng.sample(PHOTOS, len(PHOTOS))
    there = [clip for clip in CLIPS if clips is not None and (clips / clip.file).is_file()]
    moving = rng.sample(there, len(there))
    segments, films = scaled(6, scale), min(len(moving), scaled(7, scale))
    shown = [*photos[:segments], *moving[:films]]
    for photo in photos[: min(2, segments // 2)]:
        shown += [photo] * rng.randint(1, 3)
    return shown, (*photos[segments:], *moving[films:])


def _drafts(rng: random.Random, pictures: list[Slide | Sight], lines: list[_Line]) -> list[_Draft]:
    """Order the pictures without direct repetition; every second slide and third photograph has speech."""
    rng.shuffle(pictures)
    while any(one is other for one, other in pairwise(pictures)):
        rng.shuffle(pictures)
    drafts: list[_Draft] = [(picture, []) for picture in pictures]
    slides = [draft for draft in drafts if isinstance(draft[0], Slide)]
    photos = [draft for draft in drafts if isinstance(draft[0], Sight) and not draft[0].is_clip]
    spoken_over = rng.sample(slides, math.ceil(len(slides) * 0.6)) + rng.sample(photos, math.ceil(len(photos) / 3))
    rng.shuffle(spoken_over)
    rng.shuffle(lines)
    for number, line in enumerate(lines):
        spoken_over[number % len(spoken_over)][1].append(line)
    return drafts


def _placed(rng: random.Random, drafts: Sequence[_Draft], seconds: int) -> tuple[Block, ...]:
    """Synthesise the speech, and give each block its span."""
    voices = iter(speak([line.text for _, said in drafts for line in said]))
    sounds = [[next(voices) for _ in said] for _, said in drafts]
    needed = [_needed(picture, sound) for (picture, _), sound in zip(drafts, sounds, strict=True)]
    left = seconds * FPS - sum(needed)
    if left < 0:
        raise QueryError(
            f"{seconds} s are too short: what is shown and said takes {sum(needed) / FPS:.0f} s; compose longer videos"
        )
    slack = _shared(rng, left, [isinstance(picture, Slide) for picture, _ in drafts])
    blocks: list[Block] = []
    now = 0
    for (picture, said), sound, frames, more in zip(drafts, sounds, needed, slack, strict=True):
        blocks.append(Block(picture, now, now + frames + more, _in_place(rng, said, sound, now, more)))
        now += frames + more
    return tuple(blocks)


def _needed(picture: Slide | Sight, sound: Sequence[Samples]) -> int:
    """Return the smallest number of frames of a block."""
    if isinstance(picture, Sight) and picture.is_clip:
        return round((picture.end - picture.start) * FPS)
    least = _LEAST_SLIDE if isinstance(picture, Slide) else _LEAST_PHOTO
    talk = _LEAD + sum(len(one) / RATE + _GAP for one in sound) - _GAP + _TAIL
    return math.ceil(max(least, talk if sound else 0.0) * FPS)


def _shared(rng: random.Random, frames: int, may: Sequence[bool]) -> list[int]:
    """Distribute frames at random among the blocks that may be longer."""
    weights = [rng.uniform(0.2, 1.0) if one else 0.0 for one in may]
    total, given, shares = sum(weights), 0.0, []
    for weight in weights:
        shares.append(round(frames * (given + weight) / total) - round(frames * given / total))
        given += weight
    return shares


def _in_place(
    rng: random.Random, said: Sequence[_Line], sound: Sequence[Samples], first_frame: int, slack: int
) -> tuple[Spoken, ...]:
    """Place the sentences of a block one after the other, with a random start."""
    now = round((first_frame / FPS + _LEAD + rng.random() * slack / FPS) * RATE)
    spoken = []
    for line, samples in zip(said, sound, strict=True):
        spoken.append(Spoken(line.text, now, samples, line.fact))
        now += len(samples) + round(_GAP * RATE)
    return tuple(spoken)
