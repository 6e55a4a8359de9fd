"""Evidence as a video LLM reads it: numbered lines and frames in the order of time, and the question at the end.

A line is short, since a small model on two cores reads 67 tokens a second: its second of start, how it is known, its text.
Text from videos is quoted as JSON strings: no quote can end early and pass for our own words. Everything is fitted into
the tokens that the model has: the best lines first, then frames.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from ...index.records import Evidence
from ...tools.errors import MediaError, PicturesRefusedError, RequestTooLongError
from ...tools.extractors.registry import participle
from ...tools.llm.capabilities import Capabilities
from ...tools.llm.pictures import SMALLEST_SIDE, Picture
from ...tools.llm.protocol import Part
from ...tools.media.frames import Decoder, frames_at
from ..records import Turn

__all__ = [
    "Brief",
    "SizedFrame",
    "fitted",
    "limited",
    "on_one_slide",
    "quoted",
    "quoted_question",
    "room_for_evidence",
    "sent_shorter",
    "together",
    "write_brief",
]

# A follow-up question may refer to this many earlier questions, and to this much of each answer.
EARLIER_TURNS = 3
EARLIER_CHARACTERS = 600
# For a model whose server does not name its context.
USUAL_CONTEXT = 16_384
# The chat template, the time marks of frames, and what the estimate of tokens is wrong by.
MARGIN_TOKENS = 96
# Frames are worth the more where a question is about pictures; lines are needed in any case.
FRAMES_SHARE = 0.7
# A longer line of text is cut: no answer needs more of one.
MOST_CHARACTERS = 700
SMALLEST_FRAME = 224
# A request that is too long is sent again with two thirds of the evidence, then with four ninths.
_SHORTER = 2 / 3
_MOST_TRIES = 4
# Lines of text that appear within a second are of one slide.
_SAME_SLIDE_SECONDS = 1.0

_Result = TypeVar("_Result")


@dataclass(frozen=True)
class SizedFrame:
    """A segment keyframe to be shown.

    Attributes:
        evidence: The stored `frame` evidence.
        seconds: The true time of the frame.
        longest_side: At which size, in pixels.
    """

    evidence: Evidence
    seconds: float
    longest_side: int


@dataclass(frozen=True)
class Brief:
    """What the model reads.

    Attributes:
        parts: Text and pictures, in their order.
        ids: What each id refers to: one line or frame, or the lines of one slide.
        unread: Why frames are missing, one message for each video whose file cannot be read.
    """

    parts: tuple[Part, ...]
    ids: dict[str, tuple[Evidence, ...]]
    unread: tuple[str, ...] = ()


@dataclass(frozen=True)
class Fitted:
    """The evidence that fits into a request.

    Attributes:
        rows: Lines of text evidence, best first.
        frames: Frames, at the size at which they fit.
    """

    rows: tuple[Evidence, ...]
    frames: tuple[SizedFrame, ...]


def fitted(
    rows: Sequence[Evidence], frames: Sequence[SizedFrame], can: Capabilities, taken: int, scale: float = 1.0
) -> Fitted:
    """Choose the lines and frames that fit into the model's context, and shrink frames where that helps.

    Args:
        rows: Text evidence, best first.
        frames: Frames to show; of a model that sees none, none is left.
        can: The model's context, and how long its tokens are.
        taken: Tokens that instructions, question and answer take.
        scale: The share of the room that is used: less than 1 after the server called a request too long.
    """
    room = room_for_evidence(can, taken, scale)
    shown = list(frames) if can.sees_pictures else []
    if can.most_pictures is not None:
        shown = _spread(shown, can.most_pictures)
    shown = _shrunk(shown, int(room * (FRAMES_SHARE if rows else 1.0)))
    room -= sum(map(_frame_tokens, shown))
    kept: list[Evidence] = []
    for row in rows:
        cost = can.tokens_of(_line("E99", (row,))) + 1
        if not any(other.video == row.video for other in kept):
            cost += can.tokens_of(_heading(row)) + 1
        if cost > room:
            break
        room -= cost
        kept.append(row)
    return Fitted(tuple(kept), tuple(shown))


def room_for_evidence(can: Capabilities, taken: int, scale: float = 1.0) -> int:
    """The tokens that evidence may take, where all else takes `taken`; `scale` as for `fitted`."""
    return int(((can.context or USUAL_CONTEXT) - taken - MARGIN_TOKENS) * scale)


def sent_shorter(send: Callable[[float], _Result]) -> _Result:
    """Send a request. If the server calls it too long, send it again with less evidence; if it refuses pictures, with fewer.

    Args:
        send: Sends it with a share of the evidence that fits: 1, then less. It reads the model's capabilities, which a
            refusal has corrected, for each try.

    Raises:
        RequestTooLongError: It was too long four times.
        PicturesRefusedError: The last of four tries was refused for its pictures.
    """
    scale = 1.0
    for _ in range(_MOST_TRIES - 1):
        try:
            return send(scale)
        except RequestTooLongError:
            scale *= _SHORTER
        except PicturesRefusedError:
            continue
    return send(scale)


def write_brief(
    rows: Sequence[Evidence], frames: Sequence[SizedFrame], decoder: Decoder = "pyav", *, slides: bool = False
) -> Brief:
    """Lines `E1 …` and frames `F1 …`, below the name of their video, in the order of time.

    Frames of a video whose file cannot be read are left out, and the reason is kept.

    Args:
        rows: Text evidence.
        frames: Segment keyframes to decode and show.
        decoder: What decodes them.
        slides: Whether the lines of one slide are one line with one id.
    """
    pictures, unread = _decoded(frames, decoder)
    lines_of = together(rows) if slides else [(row,) for row in rows]
    items: list[tuple[str, float, int, tuple[Evidence, ...], Picture | None]] = []
    items += [(ones[0].video, ones[0].start, 0, ones, None) for ones in lines_of]
    items += [(sized.evidence.video, sized.seconds, 1, (sized.evidence,), picture) for sized, picture in pictures]
    parts: list[Part] = []
    ids: dict[str, tuple[Evidence, ...]] = {}
    lines: list[str] = []
    last = ""
    for video, _, _, ones, picture in sorted(items, key=lambda item: item[:3]):
        if video != last:
            lines.append(_heading(ones[0]))
            last = video
        name = f"{'F' if picture else 'E'}{sum(one.startswith('F' if picture else 'E') for one in ids) + 1}"
        ids[name] = ones
        if picture is None:
            lines.append(_line(name, ones))
            continue
        parts += ["\n".join([*lines, f"{name} a frame:"]), picture]
        lines = []
    if lines:
        parts.append("\n".join(lines))
    return Brief(tuple(parts), ids, tuple(unread))


def together(rows: Sequence[Evidence]) -> list[tuple[Evidence, ...]]:
    """Put the lines of each slide together, from top to bottom; every other line stays alone. Best first, as the rows are."""
    groups: list[list[Evidence]] = []
    for row in rows:
        ours = next((group for group in groups if on_one_slide(group[0], row)), None)
        if ours is None:
            groups.append([row])
        else:
            ours.append(row)
    return [tuple(sorted(group, key=lambda one: one.box.top if one.box else 0.0)) for group in groups]


def on_one_slide(one: Evidence, other: Evidence) -> bool:
    """Whether two lines of text appear together."""
    is_text = one.modality == other.modality == "text" and one.video_id == other.video_id
    return is_text and abs(one.start - other.start) < _SAME_SLIDE_SECONDS


def quoted_question(question: str, turns: Sequence[Turn] = ()) -> str:
    """A question after the last ones of its conversation and their answers, each in quotes."""
    earlier = [
        f"Earlier question: {quoted(turn.question)}\nIts answer: {quoted(turn.text[:EARLIER_CHARACTERS])}"
        for turn in turns[-EARLIER_TURNS:]
    ]
    return "\n".join([*earlier, f"Question: {quoted(question)}"])


def quoted(text: str) -> str:
    """Text as a JSON string: nothing in it can end the quotation."""
    return json.dumps(text, ensure_ascii=False)


def limited(text: str) -> str:
    """A line of text, cut where it is longer than any answer needs."""
    return text if len(text) <= MOST_CHARACTERS else f"{text[:MOST_CHARACTERS]} …"


def _line(name: str, rows: tuple[Evidence, ...]) -> str:
    text = " · ".join(row.text for row in rows)
    return f"{name} {rows[0].start:.0f} s {participle(rows[0].modality)}: {quoted(limited(text))}"


def _heading(one: Evidence) -> str:
    return f"Video {quoted(one.name)}:"


def _decoded(frames: Sequence[SizedFrame], decoder: Decoder) -> tuple[list[tuple[SizedFrame, Picture]], list[str]]:
    """The pictures of frames, and why some are missing."""
    by_stream: dict[tuple[str, int | None], list[SizedFrame]] = {}
    for frame in frames:
        by_stream.setdefault((frame.evidence.video, frame.evidence.stream), []).append(frame)
    made: list[tuple[SizedFrame, Picture]] = []
    unread: list[str] = []
    for (video, stream), ours in by_stream.items():
        wanted = sorted(ours, key=lambda frame: frame.seconds)
        try:
            decoded = list(frames_at(Path(video), [frame.seconds for frame in wanted], stream, decoder))
        except MediaError as error:
            unread.append(str(error))
            continue
        made += [(sized, Picture(frame, sized.longest_side)) for sized, frame in zip(wanted, decoded, strict=True)]
    return made, unread


def _frame_tokens(frame: SizedFrame) -> int:
    """For a 16:9 frame."""
    width, height = frame.longest_side, frame.longest_side * 9 // 16
    return -(-width // SMALLEST_SIDE) * -(-height // SMALLEST_SIDE) + 2 + 24  # and its id, name and time


def _shrunk(frames: Sequence[SizedFrame], room: int) -> list[SizedFrame]:
    """Frames within a number of tokens: smaller ones first, then fewer."""
    shown = list(frames)
    while shown and sum(map(_frame_tokens, shown)) > room:
        if all(frame.longest_side <= SMALLEST_FRAME for frame in shown):
            shown = _spread(shown, len(shown) - 1)
        else:
            smaller = [max(SMALLEST_FRAME, int(frame.longest_side * 0.85)) for frame in shown]
            shown = [
                replace(one, longest_side=min(one.longest_side, side)) for one, side in zip(shown, smaller, strict=True)
            ]
            if all(frame.longest_side <= SMALLEST_FRAME for frame in shown):
                continue
    return shown


def _spread(frames: Sequence[SizedFrame], count: int) -> list[SizedFrame]:
    """At most `count` of the frames, evenly over their order."""
    if len(frames) <= count:
        return list(frames)
    return [frames[(2 * place + 1) * len(frames) // (2 * count)] for place in range(count)]
