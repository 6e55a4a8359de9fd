"""Evidence as a video LLM reads it: numbered rows of quoted text, and frames after their times.

What comes from a video stands in JSON strings, so no quote can end early and pass for our own words.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ...index.records import Evidence
from ...tools.extractors.registry import participle
from ...tools.llm.pictures import Picture
from ...tools.llm.protocol import Part
from ...tools.media.frames import Decoder, frames_at
from ..records import Turn

__all__ = ["Brief", "SizedFrame", "quoted", "quoted_question", "write_brief"]

# What a follow-up question may refer to: so many earlier questions, and so much of each answer.
EARLIER_TURNS = 3
EARLIER_CHARACTERS = 600


@dataclass(frozen=True)
class SizedFrame:
    """A stored still to be shown.

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
    """What the model reads, and what its ids stand for."""

    parts: tuple[Part, ...]
    ids: dict[str, Evidence]


def write_brief(
    heading: str, rows: Sequence[Evidence], frames: Sequence[SizedFrame], decoder: Decoder = "pyav"
) -> Brief:
    """Rows `E1 …` and frames `F1 …` below a heading.

    Args:
        heading: Our own words, or a question as `quoted`.
        rows: What was perceived, in the order to read it.
        frames: Segments to decode and show.
        decoder: What decodes them.

    Raises:
        MediaError: A video's file cannot be read.
    """
    ids: dict[str, Evidence] = {}
    lines = [heading, ""]
    for number, row in enumerate(rows, start=1):
        ids[f"E{number}"] = row
        lines.append(f"E{number} {row.span} {participle(row.modality)} in {quoted(row.name)}: {quoted(row.text)}")
    parts: list[Part] = ["\n".join(lines)]
    number = 0
    for video, ours in _by_video(frames).items():
        wanted = sorted(ours, key=lambda frame: frame.seconds)
        decoded = frames_at(Path(video), [frame.seconds for frame in wanted], decoder=decoder)
        for sized, frame in zip(wanted, decoded, strict=True):
            number += 1
            ids[f"F{number}"] = sized.evidence
            parts += [f"F{number} in {quoted(sized.evidence.name)}", Picture(frame, sized.longest_side)]
    return Brief(tuple(parts), ids)


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


def _by_video(frames: Sequence[SizedFrame]) -> dict[str, list[SizedFrame]]:
    grouped: dict[str, list[SizedFrame]] = {}
    for frame in frames:
        grouped.setdefault(frame.evidence.video, []).append(frame)
    return grouped
