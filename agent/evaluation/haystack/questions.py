"""Questions about a composed hour with true spans, computed from the written frames and audio samples."""

import random
from collections.abc import Iterator, Sequence
from itertools import chain, cycle, pairwise
from typing import Literal

from pydantic import Field

from ....tools.records import Record, Span, Text
from .hour import Block, Fact, Hour, Slide, scaled
from .pictures import Asked, Sight
from .sentences import ABSENT, POOLS

__all__ = ["HaystackKind", "HaystackQuestion", "ask_about"]

HaystackKind = Literal["said", "written", "shown", "before-after", "count", "never"]

# Numbers of questions in a full hour.
_SHOWN, _CLASSES, _BEFORE_AFTER, _COUNTS = 8, 5, 6, 5
_SOON = 45.0  # seconds until the next sentence, for "right after" to be natural

_SHOWN_ASKED = (
    "When does the video show {it}?",
    "Where in the video can we see {it}?",
    "At what moment can {it} be seen?",
    "In which part of the video is there a picture of {it}?",
    "When is there a shot of {it}?",
)
_SAID_COUNTED = (
    "How many times does the speaker mention a {it}?",
    "How often is the word “{it}” said?",
    "How many times is a {it} talked about?",
)
_SHOWN_COUNTED = ("How many times does the video show {it}?", "How often can {it} be seen in the video?")
_WRITTEN_COUNTED = (
    "On how many slides is the word “{it}” written?",
    "How many slides have “{it}” written on them?",
)


class HaystackQuestion(Record):
    """A question about one composed video, with its truth."""

    question_id: str = Field(min_length=1, description="Unique in its folder: `hour_1-said-03`.")
    video: str = Field(description="Name of the video's file.")
    kind: HaystackKind = Field(description="Kind of the answer; `never`: the video does not contain it.")
    detail: str = Field(description="Exact kind, for example `absent name` or `said after a slide`.")
    question: Text = Field(description="As a person would ask it.")
    spans: tuple[Span, ...] = Field(description="True spans, any of which answers; empty: the video has no answer.")
    answer: Text = Field(default="", description="The right words; empty: none are known.")
    count: int | None = Field(default=None, description="The right number of a counting question.")


def ask_about(hour: Hour, seed: str, video: str) -> list[HaystackQuestion]:
    """Return all questions about an hour, by kind. The same seed gives the same questions.

    Args:
        hour: The script.
        seed: Seed of the wording.
        video: Name of the video's file; the ids of the questions begin with its stem.
    """
    asker = _Asker(hour, random.Random(f"questions of {seed}"), video)  # noqa: S311 (no secret)
    by_kind = (asker.said(), asker.written(), asker.shown(), asker.before_after(), asker.counts(), asker.never())
    return list(chain.from_iterable(by_kind))


class _Asker:
    """Makes the questions about one hour."""

    def __init__(self, hour: Hour, rng: random.Random, video: str) -> None:
        self._hour, self._rng, self._video = hour, rng, video
        self._slides = [(block, block.picture) for block in hour.blocks if isinstance(block.picture, Slide)]
        self._sights = [(block, block.picture) for block in hour.blocks if isinstance(block.picture, Sight)]
        self._spoken = [one for block in hour.blocks for one in block.spoken]

    def said(self) -> list[HaystackQuestion]:
        """Ask about the needle of each group of near duplicates, and about the known speech of real clips."""
        asked = [
            self._made("said", "near duplicates", self._of(facts[0]), [spoken.span], spoken.text)
            for facts in self._hour.said
            for spoken in self._spoken
            if spoken.fact is facts[0]
        ]
        return self._numbered([*asked, *self._of_clips("said")])

    def written(self) -> list[HaystackQuestion]:
        """Ask the same as `said` about slides."""
        asked = [
            self._made("written", "near duplicates", self._of(facts[0]), [block.span], " / ".join(slide.lines))
            for facts in self._hour.written
            for block, slide in self._slides
            if slide.fact is facts[0]
        ]
        return self._numbered([*asked, *self._of_clips("written")])

    def shown(self) -> list[HaystackQuestion]:
        """Ask about the content of photographs and clips, in free text and by object class."""
        sights = sorted({sight for _, sight in self._sights})
        wanted = scaled(_SHOWN, self._hour.scale)
        asked = [
            self._shown("free text", self._rng.choice(sight.described if sight.labels else sight.names), [sight])
            for sight in self._rng.sample(sights, min(wanted, len(sights)))
        ]
        labels = sorted({label for sight in sights for label in sight.labels})
        asked += [
            self._shown("detector class", f"a {label}", [sight for sight in sights if label in sight.labels])
            for label in self._rng.sample(labels, min(scaled(_CLASSES, self._hour.scale), len(labels)))
        ]
        return self._numbered(asked)

    def before_after(self) -> list[HaystackQuestion]:
        """Ask what comes before or after something that occurs once; each relation in turn."""
        by_detail: dict[str, list[HaystackQuestion]] = {}
        found = list(self._relations())
        self._rng.shuffle(found)
        for one in found:
            by_detail.setdefault(one.detail, []).append(one)
        rows = [by_detail[detail] for detail in sorted(by_detail)]
        in_turn = [row[n] for n in range(max(map(len, rows), default=0)) for row in rows if n < len(row)]
        return self._numbered(in_turn[: scaled(_BEFORE_AFTER, self._hour.scale)])

    def counts(self) -> list[HaystackQuestion]:
        """Ask how often a word is said, a picture shown or a stamp written."""
        asked: list[list[HaystackQuestion]] = [[], [], []]
        spoken = {word for _, sight in self._sights for word in sight.says}
        for word in self._hour.words:
            if word in spoken:
                continue
            spans = [one.span for one in self._spoken if word in one.text]
            asked[0].append(self._counted("said", self._rng.choice(_SAID_COUNTED).format(it=word), spans))
        for sight in sorted({sight for _, sight in self._sights}):
            spans = [block.span for block, other in self._sights if other is sight]
            question = self._rng.choice(_SHOWN_COUNTED).format(it=sight.name)
            if len(spans) > 1:
                asked[1].append(self._counted("shown", question, spans))
        for stamp in sorted({slide.stamp for _, slide in self._slides} - {""}):
            spans = [block.span for block, slide in self._slides if slide.stamp == stamp]
            asked[2].append(self._counted("written", self._rng.choice(_WRITTEN_COUNTED).format(it=stamp), spans))
        in_turn = [row[n] for n in range(max(map(len, asked))) for row in asked if n < len(row)]
        return self._numbered(in_turn[: scaled(_COUNTS, self._hour.scale)])

    def never(self) -> list[HaystackQuestion]:
        """Ask what the video does not contain: absent names, keys of other facts, changed numbers, other modalities."""
        hour, rng = self._hour, self._rng
        said, written = cycle(rng.sample(hour.said, len(hour.said))), cycle(rng.sample(hour.written, len(hour.written)))
        things = [sight.name for sight in hour.unseen if sight.labels] + list(ABSENT)
        things = rng.sample(things, 2)
        asked = [
            *(("absent name, said", self._of(self._without(next(said)))) for _ in range(2)),
            ("name of another fact, said", self._of(self._swapped(next(said)))),
            *(("absent key, written", self._of(self._without(next(written)))) for _ in range(2)),
            ("said, never written", self._as_written(next(said)[0])),
            ("written, never said", f"What does the speaker say about {self._called(next(written)[0])}?"),
            *(("absent thing, shown", rng.choice(_SHOWN_ASKED).format(it=thing)) for thing in things),
        ]
        chosen = rng.sample(asked, scaled(len(asked), hour.scale))
        return self._numbered([self._made("never", detail, question, []) for detail, question in chosen])

    def _shown(self, detail: str, it: str, sights: Sequence[Sight]) -> HaystackQuestion:
        spans = [block.span for block, sight in self._sights if sight in sights]
        return self._made("shown", detail, self._rng.choice(_SHOWN_ASKED).format(it=it), spans, it)

    def _of(self, fact: Fact) -> str:
        return fact.fill(self._rng.choice(fact.family.questions))

    def _called(self, fact: Fact) -> str:
        return fact.fill(fact.family.called)

    def _as_written(self, fact: Fact) -> str:
        """Ask for a slide about a fact that is only spoken."""
        about = next(one for one in fact.family.questions if " about " in one).partition(" about ")[2]
        return f"What do the slides say about {fact.fill(about)}"

    def _without(self, facts: Sequence[Fact]) -> Fact:
        """Return the fact with a key that nothing else in the video has."""
        key = facts[0].family.key
        absent = self._hour.held_back.get(key)
        if absent is not None:
            return Fact(facts[0].family, facts[0].blanks | {key: self._rng.choice(absent)})
        value = facts[0].blanks[key]  # a number or code: two of its digits change places
        known = {fact.blanks[key] for fact in facts}
        digits = [place for place, sign in enumerate(value) if sign.isdigit()]
        for one, other in pairwise([*digits, digits[0]]):
            signs = list(value)
            signs[one], signs[other] = signs[other], signs[one]
            if "".join(signs) not in known and signs[digits[0]] != "0":
                return Fact(facts[0].family, facts[0].blanks | {key: "".join(signs)})
        return Fact(facts[0].family, facts[0].blanks | {key: value[::-1]})

    def _swapped(self, facts: Sequence[Fact]) -> Fact:
        """Return the fact with a key that only other facts have."""
        key = facts[0].family.key
        own = {fact.blanks[key] for fact in facts}
        others = {
            one.fact.blanks[key]
            for one in self._spoken
            if one.fact and one.fact.family.key == key and one.fact.family is not facts[0].family
        }
        candidates = sorted(others - own) or sorted(set(POOLS[key]) - own)
        return Fact(facts[0].family, facts[0].blanks | {key: self._rng.choice(candidates)})

    def _of_clips(self, kind: HaystackKind) -> Iterator[HaystackQuestion]:
        for block, sight in self._sights:
            for asked in sight.asked:
                if asked.kind == kind:
                    span = _in_hour(asked, block, sight)
                    yield self._made(kind, "real clip", asked.question, [span])

    def _relations(self) -> Iterator[HaystackQuestion]:
        sights = [sight for _, sight in self._sights]
        blocks = self._hour.blocks
        for before, block, after in zip((None, *blocks[:-1]), blocks, (*blocks[1:], None), strict=True):
            if isinstance(block.picture, Sight) and sights.count(block.picture) == 1:
                yield from self._around_sight(before, block, after, block.picture)
            elif isinstance(block.picture, Slide) and block.picture.fact is not None and not block.spoken:
                yield from self._after_slide(block, after, self._called(block.picture.fact))

    def _around_sight(
        self, before: Block | None, block: Block, after: Block | None, sight: Sight
    ) -> Iterator[HaystackQuestion]:
        for other, when in ((before, "before"), (after, "after")):
            if other is not None and isinstance(other.picture, Slide):
                question = f"What is written on the slide right {when} the video shows {sight.name}?"
                yield self._related(f"written {when} a sight", question, other.span, " / ".join(other.picture.lines))
        if sight.is_clip:
            return
        if block.spoken:
            question = f"What does the speaker say while the video shows {sight.name}?"
            yield self._made(
                "before-after",
                "said while a sight",
                question,
                [one.span for one in block.spoken],
                block.spoken[0].text,
            )
        last = [one for one in self._spoken if block.span.start - _SOON <= one.span.end <= block.span.start]
        if last and not block.spoken and self._is_static(last[-1].span.end, block.span.start):
            question = f"What is the last thing the speaker says before the video shows {sight.name}?"
            yield self._related("said before a sight", question, last[-1].span, last[-1].text)

    def _after_slide(self, block: Block, after: Block | None, called: str) -> Iterator[HaystackQuestion]:
        if after is not None and isinstance(after.picture, Sight):
            question = f"What is shown right after the slide about {called}?"
            yield self._related("shown after a slide", question, after.span, after.picture.name)
        end = block.span.end
        soon = [one for one in self._spoken if end <= one.span.start <= end + _SOON]
        if soon and self._is_static(end, soon[0].span.start):
            question = f"What does the speaker say right after the slide about {called}?"
            yield self._related("said after a slide", question, soon[0].span, soon[0].text)

    def _is_static(self, start: float, end: float) -> bool:
        """Whether no clip is shown then; a clip may have speech of its own."""
        clips = [block.span for block, sight in self._sights if sight.is_clip]
        return not any(span.start < end and span.end > start for span in clips)

    def _related(self, detail: str, question: str, span: Span, answer: str) -> HaystackQuestion:
        return self._made("before-after", detail, question, [span], answer)

    def _counted(self, detail: str, question: str, spans: Sequence[Span]) -> HaystackQuestion:
        made = self._made("count", detail, question, spans, str(len(spans)))
        return made.model_copy(update={"count": len(spans)})

    def _made(
        self, kind: HaystackKind, detail: str, question: str, spans: Sequence[Span], answer: str = ""
    ) -> HaystackQuestion:
        stem = self._video.rpartition(".")[0]
        return HaystackQuestion(
            question_id=f"{stem}-{kind}",
            video=self._video,
            kind=kind,
            detail=detail,
            question=question,
            spans=tuple(spans),
            answer=answer,
        )

    def _numbered(self, questions: Sequence[HaystackQuestion]) -> list[HaystackQuestion]:
        return [
            one.model_copy(update={"question_id": f"{one.question_id}-{number:02d}"})
            for number, one in enumerate(questions, start=1)
        ]


def _in_hour(asked: Asked, block: Block, sight: Sight) -> Span:
    return Span(
        start=round(block.span.start + asked.start - sight.start, 3),
        end=round(block.span.start + min(asked.end, sight.end) - sight.start, 3),
    )
