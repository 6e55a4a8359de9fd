"""The few lines from which a small model writes: it names the ids that answer a question, then it reads these lines alone.

In one request a 1.5B model names the right lines, but writes its answer from others. Of 65 questions about narrated talks it answered 51
rightly in one request, 60 in two. The prompt describes a whole answer, but the form has only the ids and `found`, which is not used:
with a prompt that asks for ids alone, the model chooses worse lines.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, create_model

from ...index.records import Evidence
from ...prompts import render
from ...tools.llm.protocol import TokenUsage, VideoLLM
from ...tools.llm.structured import ask_structured
from .compose import Asked
from .drafts import ids_type
from .model_input import fitted, together, write_brief

__all__ = ["selected"]

# Ids that the model names. Of more it names whole stretches.
_MOST_NAMED = 2
# Sentences with a longer pause between them do not follow each other.
_PAUSE_SECONDS = 1.5
# What is said this long before or after a slide appears is read with it.
_SLIDE_SECONDS = 4.0
_ANSWER_TOKENS = 160


class _Selection(BaseModel):
    model_config = ConfigDict(extra="ignore")

    if TYPE_CHECKING:  # `_selection` makes them.
        ids: list[str]
        found: bool


def selected(
    llm: VideoLLM, asked: Asked, rows: Sequence[Evidence], *, seconds: float | None = None
) -> tuple[list[Evidence], TokenUsage]:
    """Choose the lines that answer a question, with those next to them.

    Args:
        llm: The model.
        asked: The question.
        rows: Lines, best first.
        seconds: Time for it.

    Returns:
        The lines that the model names, then those next to them; and what it cost. All lines if it names none of them.

    Raises:
        AnswerFormatError: The model did not answer in the form asked for, twice.
        ServerError: No usable answer came, or none in time.
    """
    can, instructions = llm.capabilities, render("select")
    chosen = fitted(rows, (), can, can.tokens_of(instructions) + can.tokens_of(asked.text) + 2 * _ANSWER_TOKENS)
    brief = write_brief(chosen.rows, (), slides=True)
    draft, usage = ask_structured(
        llm,
        [*brief.parts, asked.text],
        _selection(tuple(brief.ids)),
        instructions=instructions,
        max_tokens=_ANSWER_TOKENS,
        seconds=seconds,
    )
    named = [brief.ids[name] for name in draft.ids[:_MOST_NAMED] if name in brief.ids]
    if not named:
        return list(rows), usage
    near = [ones for ones in together(chosen.rows) if ones not in named and any(_is_next(ones, one) for one in named)]
    return [row for ones in (*named, *near) for row in ones], usage


@lru_cache(maxsize=64)
def _selection(ids: tuple[str, ...]) -> type[_Selection]:
    fields: dict[str, Any] = {"ids": (ids_type(ids, _MOST_NAMED), ...), "found": (bool, ...)}
    return create_model("Selection", __base__=_Selection, **fields)


def _is_next(some: tuple[Evidence, ...], others: tuple[Evidence, ...]) -> bool:
    """Whether two sentences follow each other, or a sentence is said as a slide appears."""
    first, second = sorted((some[0], others[0]), key=lambda one: one.start)
    if first.video_id != second.video_id:
        return False
    if "text" in (first.modality, second.modality):
        return second.start - first.start <= _SLIDE_SECONDS
    return second.start - first.end <= _PAUSE_SECONDS
