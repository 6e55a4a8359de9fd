"""The answerer with a video LLM: it reads rows and frames, makes claims that cite their ids, and has each claim checked.

A model's own times, ids that it was not given and claims without a citation never reach an answer.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from ...index.records import Evidence
from ...prompts import render
from ...tools.llm.protocol import TokenUsage, VideoLLM
from ...tools.llm.structured import ask_structured
from ...tools.media.frames import Decoder
from ...tools.records import Span
from ..records import Citation, Claim, Turn, Verdict
from .model_input import SizedFrame, quoted, quoted_question, write_brief

__all__ = ["Draft", "compose", "gather", "verify"]

_MOST_CLAIMS = 8
_MOST_MISSING = 6
_MOST_CITATIONS = 12


class _ClaimDraft(BaseModel):
    model_config = ConfigDict(extra="ignore")

    text: str = Field(min_length=1, max_length=600, description="One statement.")
    evidence: list[str] = Field(max_length=12, description="Ids such as E3 or F2.")


class _AnswerDraft(BaseModel):
    model_config = ConfigDict(extra="ignore")

    answerable: bool = Field(description="Whether the evidence answers the question.")
    claims: list[_ClaimDraft] = Field(default_factory=list, max_length=_MOST_CLAIMS)
    option: str | None = Field(default=None, max_length=8, description="The letter of the answer, if there is a list.")
    missing: list[str] = Field(default_factory=list, max_length=_MOST_MISSING, description="What to look for next.")


class _VerdictDraft(BaseModel):
    model_config = ConfigDict(extra="ignore")

    verdict: Verdict


class Draft(BaseModel):
    """What the model made of the evidence.

    Attributes:
        claims: Those that cite evidence it was given; unverified as yet.
        missing: What it would look for next.
        dropped: Claims without a citation that exists.
        option: Which of the answers it chose, from 0; None: none of them.
        usage: What it cost.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    claims: tuple[Claim, ...]
    missing: tuple[str, ...]
    dropped: int
    option: int | None = None
    usage: TokenUsage


def compose(
    llm: VideoLLM,
    question: str,
    rows: Sequence[Evidence],
    frames: Sequence[SizedFrame],
    *,
    turns: Sequence[Turn] = (),
    options: Sequence[str] = (),
    task: Literal["answer", "chapter"] = "answer",
    decoder: Decoder = "pyav",
    max_tokens: int = 1024,
    seconds: float | None = None,
) -> Draft:
    """Have a question answered from evidence, in claims.

    Args:
        llm: Whom to ask.
        question: As asked; it stands quoted beside the evidence.
        rows: Stored text evidence.
        frames: Stored stills to show.
        turns: What was asked before in the conversation.
        options: Answers to choose from.
        task: Answer the question; or note what one chapter of a video holds, as LLoVi does before it answers (Zhang
            et al. 2024, section 3.2).
        decoder: What decodes the stills.
        max_tokens: The answer is cut after so many.
        seconds: Time for it.

    Raises:
        AnswerFormatError: The model did not answer in the form asked for, twice.
        ServerError: No usable answer came, or none in time.
        MediaError: A video's file cannot be read.
    """
    heading = quoted_question(question, turns) + _listed(options)
    brief = write_brief(f"{heading}\nEvidence:", rows, frames, decoder)
    draft, usage = ask_structured(
        llm, brief.parts, _AnswerDraft, instructions=render(task), max_tokens=max_tokens, seconds=seconds
    )
    return _draft(draft, {name: (Citation.of(one),) for name, one in brief.ids.items()}, options, usage)


def gather(
    llm: VideoLLM,
    question: str,
    notes: Sequence[Claim],
    *,
    turns: Sequence[Turn] = (),
    options: Sequence[str] = (),
    max_tokens: int = 1536,
    seconds: float | None = None,
) -> Draft:
    """Have a question about whole videos answered from the notes on their chapters (LLoVi, Zhang et al. 2024).

    A claim made of notes cites what they cite.

    Args:
        llm: Whom to ask.
        question: As asked; it stands quoted beside the notes.
        notes: What was noted of each chapter, by video and time.
        turns: What was asked before in the conversation.
        options: Answers to choose from.
        max_tokens: The answer is cut after so many.
        seconds: Time for it.

    Raises:
        AnswerFormatError: The model did not answer in the form asked for, twice.
        ServerError: No usable answer came, or none in time.
    """
    lines = [quoted_question(question, turns) + _listed(options), "Notes:", ""]
    cited: dict[str, tuple[Citation, ...]] = {}
    for number, note in enumerate(notes, start=1):
        cited[f"N{number}"] = note.citations
        first, last = min(c.start for c in note.citations), max(c.end for c in note.citations)
        name = Path(note.citations[0].video).name
        lines.append(f"N{number} {Span(start=first, end=last)} in {quoted(name)}: {quoted(note.text)}")
    draft, usage = ask_structured(
        llm, ["\n".join(lines)], _AnswerDraft, instructions=render("whole"), max_tokens=max_tokens, seconds=seconds
    )
    return _draft(draft, cited, options, usage)


def verify(
    llm: VideoLLM,
    claim: Claim,
    evidence: Sequence[Evidence],
    frames: Sequence[SizedFrame],
    *,
    decoder: Decoder = "pyav",
    seconds: float | None = None,
) -> tuple[Verdict, TokenUsage]:
    """Have one claim checked against what it cites, and nothing else.

    Args:
        llm: Whom to ask.
        claim: The claim.
        evidence: The stored text evidence that it cites.
        frames: The stills that it cites.
        decoder: What decodes the stills.
        seconds: Time for it.

    Raises:
        AnswerFormatError: The model did not answer in the form asked for, twice.
        ServerError: No usable answer came, or none in time.
        MediaError: A video's file cannot be read.
    """
    brief = write_brief(f"Statement: {quoted(claim.text)}\nEvidence:", evidence, frames, decoder)
    draft, usage = ask_structured(
        llm, brief.parts, _VerdictDraft, instructions=render("verify"), max_tokens=256, seconds=seconds
    )
    return draft.verdict, usage


def _listed(options: Sequence[str]) -> str:
    """Answers to choose from, as the model reads them."""
    lettered = [f"\n{chr(ord('A') + number)}: {quoted(text)}" for number, text in enumerate(options)]
    return "\nAnswers to choose from:" + "".join(lettered) if lettered else ""


def _draft(
    draft: _AnswerDraft, cited: Mapping[str, tuple[Citation, ...]], options: Sequence[str], usage: TokenUsage
) -> Draft:
    """A draft without the claims that cite nothing that was given, and with the answer chosen if there is one."""
    claims = [_claim(one, cited) for one in draft.claims] if draft.answerable else []
    letter = (draft.option or "").strip().rstrip(".)").upper()
    place = ord(letter) - ord("A") if len(letter) == 1 else -1
    return Draft(
        claims=tuple(claim for claim in claims if claim.citations),
        missing=tuple(text for text in draft.missing if text.strip()),
        dropped=sum(not claim.citations for claim in claims),
        option=place if draft.answerable and 0 <= place < len(options) else None,
        usage=usage,
    )


def _claim(draft: _ClaimDraft, cited: Mapping[str, tuple[Citation, ...]]) -> Claim:
    named = dict.fromkeys(name.strip().upper() for name in draft.evidence)
    citations = dict.fromkeys(citation for name in named for citation in cited.get(name, ()))
    return Claim(text=draft.text, verdict="unverified", citations=tuple(citations)[:_MOST_CITATIONS])
