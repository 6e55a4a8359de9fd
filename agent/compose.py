"""The answerer with a video LLM: it reads rows and frames, makes claims that cite their ids, and has each claim checked.

A model's own times, ids that it was not given and claims without a citation never reach an answer.
"""

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict, Field

from ..index.records import Evidence
from ..prompts import render
from ..tools.records import Modality
from ..tools.structured import ask_structured
from ..tools.video import Decoder
from ..tools.video_llm import TokenUsage, VideoLLM
from .brief import Brief, SizedFrame, quoted, write_brief
from .records import Citation, Claim, SubQuery, Verdict

__all__ = ["Draft", "compose", "describe", "verify"]

_MOST_CLAIMS = 8
_MOST_MISSING = 6


class _ClaimDraft(BaseModel):
    model_config = ConfigDict(extra="ignore")

    text: str = Field(min_length=1, max_length=600, description="One statement.")
    evidence: list[str] = Field(max_length=12, description="Ids such as E3 or F2.")


class _AnswerDraft(BaseModel):
    model_config = ConfigDict(extra="ignore")

    answerable: bool = Field(description="Whether the evidence answers the question.")
    claims: list[_ClaimDraft] = Field(default_factory=list, max_length=_MOST_CLAIMS)
    missing: list[str] = Field(default_factory=list, max_length=_MOST_MISSING, description="What to look for next.")


class _PlanDraft(BaseModel):
    model_config = ConfigDict(extra="ignore")

    said: list[str] = Field(default_factory=list, max_length=3)
    written: list[str] = Field(default_factory=list, max_length=3)
    shown: list[str] = Field(default_factory=list, max_length=3)
    described: list[str] = Field(default_factory=list, max_length=3)


class _VerdictDraft(BaseModel):
    model_config = ConfigDict(extra="ignore")

    verdict: Verdict


class Draft(BaseModel):
    """What the model made of the evidence.

    Attributes:
        claims: Those that cite evidence it was given; unverified as yet.
        missing: What it would look for next.
        dropped: Claims without a citation that exists.
        usage: What it cost.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    claims: tuple[Claim, ...]
    missing: tuple[str, ...]
    dropped: int
    usage: TokenUsage


def describe(llm: VideoLLM, question: str, seconds: float | None = None) -> tuple[tuple[SubQuery, ...], TokenUsage]:
    """Descriptions of what may have been said, written, shown or described, to search for beside the question's own.

    Decoupling the query by kind of evidence is Video-RAG's (Luo et al. 2024, section 3.2).

    Args:
        llm: Whom to ask.
        question: As asked.
        seconds: Time for it.

    Raises:
        AnswerFormatError: The model did not answer in the form asked for, twice.
        ServerError: No usable answer came, or none in time.
    """
    draft, usage = ask_structured(
        llm,
        [f"Question: {quoted(question)}"],
        _PlanDraft,
        instructions=render("plan"),
        max_tokens=512,
        seconds=seconds,
    )
    kinds: tuple[tuple[list[str], tuple[Modality, ...]], ...] = (
        (draft.said, ("speech",)),
        (draft.written, ("text",)),
        (draft.shown, ("object", "frame")),
        (draft.described, ("caption",)),
    )
    queries = [SubQuery(text=text, modalities=where) for texts, where in kinds for text in texts]
    return tuple(query for query in queries if query.text), usage


def compose(
    llm: VideoLLM,
    question: str,
    rows: Sequence[Evidence],
    frames: Sequence[SizedFrame],
    *,
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
        decoder: What decodes the stills.
        max_tokens: The answer is cut after so many.
        seconds: Time for it.

    Raises:
        AnswerFormatError: The model did not answer in the form asked for, twice.
        ServerError: No usable answer came, or none in time.
        MediaError: A video's file cannot be read.
    """
    brief = write_brief(f"Question: {quoted(question)}\nEvidence:", rows, frames, decoder)
    draft, usage = ask_structured(
        llm, brief.parts, _AnswerDraft, instructions=render("answer"), max_tokens=max_tokens, seconds=seconds
    )
    claims = [_claim(one, brief) for one in draft.claims] if draft.answerable else []
    return Draft(
        claims=tuple(claim for claim in claims if claim.citations),
        missing=tuple(text for text in draft.missing if text.strip()),
        dropped=sum(not claim.citations for claim in claims),
        usage=usage,
    )


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


def _claim(draft: _ClaimDraft, brief: Brief) -> Claim:
    cited = dict.fromkeys(name.strip().upper() for name in draft.evidence)
    return Claim(
        text=draft.text,
        verdict="unverified",
        citations=tuple(Citation.of(brief.ids[name]) for name in cited if name in brief.ids),
    )
