"""Titles and one-line abstracts of chapters, written by a model from what was said and written in them.

Timed captions from speech by a language model: HowToCaption (Shvetsova et al. 2024). The times stay the chapter's own.
"""

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict, Field

from ...index.records import Evidence
from ...prompts import render
from ...tools.llm.protocol import TokenUsage, VideoLLM
from ...tools.llm.structured import ask_structured
from ...tools.records import clean_text
from ..records import Citation, Claim
from .grounding import grounded
from .model_input import fitted, write_brief

__all__ = ["ChapterTitle", "titled"]

_ANSWER_TOKENS = 120
# A small model on two cores reads 67 tokens a second: this many lines take about five seconds a chapter.
MOST_LINES = 16


class ChapterTitle(BaseModel):
    """A title and an abstract."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    abstract: str = Field(max_length=400)
    title: str = Field(min_length=1, max_length=120)


def titled(
    llm: VideoLLM, rows: Sequence[Evidence], *, seconds: float | None = None
) -> tuple[ChapterTitle | None, TokenUsage]:
    """Write a chapter's title and abstract.

    Args:
        llm: The model.
        rows: What was said and written in the chapter, the most telling first.
        seconds: Time for it.

    Returns:
        Title and abstract; an abstract with a number or code that no line holds is left empty. None without any line.

    Raises:
        AnswerFormatError: The model did not answer in the form asked for, twice.
        ServerError: No usable answer came, or none in time.
    """
    can, instructions = llm.capabilities, render("titles")
    chosen = fitted(rows[:MOST_LINES], (), can, can.tokens_of(instructions) + _ANSWER_TOKENS + 100)
    brief = write_brief(chosen.rows, ())
    if not brief.ids:
        return None, TokenUsage()
    draft, usage = ask_structured(
        llm, brief.parts, ChapterTitle, instructions=instructions, max_tokens=_ANSWER_TOKENS, seconds=seconds
    )
    claim = Claim(text=draft.abstract, verdict="unverified", citations=tuple(map(Citation.of, chosen.rows[:1])))
    kept = grounded(claim, "", chosen.rows, same_language=False).claim is not None
    clean = {"title": clean_text(draft.title), "abstract": clean_text(draft.abstract) if kept else ""}
    return draft.model_copy(update=clean), usage
