"""The answerer with a video LLM: one request over lines and frames gives claims that cite their ids.

A larger model writes several claims, each of which is verified. A small one writes one sentence about one passage. A model's
own times, ids that it was not given and claims without a citation never reach an answer.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from ...index.records import Evidence
from ...prompts import render
from ...tools.llm.capabilities import Capabilities
from ...tools.llm.protocol import Reply, TokenUsage, VideoLLM
from ...tools.llm.structured import THOUGHTS_FACTOR, ask_structured, without_thoughts
from ...tools.media.frames import Decoder
from ...tools.records import Span, clean_text
from ...tools.words import full_sentences
from ..records import Citation, Claim, Turn, Verdict
from .drafts import AnswerDraft, ClaimDraft, ClaimsDraft, VerdictDraft, answer_draft, claims_draft
from .model_input import (
    Brief,
    SizedFrame,
    fitted,
    quoted,
    quoted_question,
    room_for_evidence,
    sent_shorter,
    write_brief,
)

__all__ = ["Asked", "Draft", "compose", "gather", "verify", "write_sentence"]

_MOST_CITATIONS = 12
_MOST_LETTERS = 600
_ANSWER_TOKENS = {"answer": 160, "claims": 700, "chapter": 500}
_SENTENCE_TOKENS = 80
# Each id takes about three tokens in the schema, and a server may put the schema into the prompt.
_SCHEMA_TOKENS = 200

Task = Literal["answer", "claims", "chapter"]


class Draft(BaseModel):
    """What the model made of the evidence.

    Attributes:
        claims: Those that cite evidence it was given; unverified as yet.
        is_found: Whether the model says that the evidence answers the question.
        missing: What it would look for next.
        dropped: Claims without a citation that exists.
        option: Which of the answers it chose, from 0; None: none of them.
        left_out: Notes on chapters for which the request had no room.
        frames: How many frames it was shown.
        unread: Why other frames were not shown, one message for each video whose file cannot be read.
        rows: The lines that it read, in their order.
        usage: What it cost.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    claims: tuple[Claim, ...]
    is_found: bool
    missing: tuple[str, ...]
    dropped: int
    option: int | None = None
    left_out: int = 0
    frames: int = 0
    unread: tuple[str, ...] = ()
    rows: tuple[Evidence, ...] = ()
    usage: TokenUsage


@dataclass(frozen=True)
class Asked:
    """A question as the model reads it.

    Attributes:
        question: As asked; it is quoted at the end of the request.
        turns: What was asked before in the conversation.
        options: Answers to choose from.
    """

    question: str
    turns: Sequence[Turn] = ()
    options: Sequence[str] = ()

    @property
    def text(self) -> str:
        """The question with what belongs to it."""
        lettered = [f"\n{chr(ord('A') + number)}: {quoted(text)}" for number, text in enumerate(self.options)]
        listed = "\nAnswers to choose from:" + "".join(lettered) if lettered else ""
        return quoted_question(self.question, self.turns) + listed


def compose(
    llm: VideoLLM,
    asked: Asked,
    rows: Sequence[Evidence],
    frames: Sequence[SizedFrame] = (),
    *,
    task: Task = "answer",
    decoder: Decoder = "pyav",
    seconds: float | None = None,
    on_text: Callable[[str], None] | None = None,
) -> Draft:
    """Answer a question from evidence, in one request.

    A model that takes no pictures is sent no frames; one with a short context is not sent the last lines.

    Args:
        llm: The model.
        asked: The question.
        rows: Stored text evidence, best first.
        frames: Segment keyframes to show.
        task: `answer`: one sentence. `claims`: several. `chapter`: notes on one chapter, as LLoVi takes them before it
            answers (Zhang et al. 2024, section 3.2).
        decoder: What decodes the frames.
        seconds: Time for it.
        on_text: Called with each new piece of the answer's JSON text.

    Raises:
        AnswerFormatError: The model did not answer in the form asked for, twice.
        ServerError: No usable answer came, or none in time.
    """
    instructions = render(task)

    def send(scale: float) -> Draft:
        can = llm.capabilities
        taken = can.tokens_of(instructions) + can.tokens_of(asked.text) + _ANSWER_TOKENS[task] + _SCHEMA_TOKENS
        chosen = fitted(rows, frames, can, taken, scale)
        brief = write_brief(chosen.rows, chosen.frames, decoder, slides=task == "answer")
        draft, usage = ask_structured(
            llm,
            [*brief.parts, asked.text],
            _form(task, brief, len(asked.options)),
            instructions=instructions,
            max_tokens=_ANSWER_TOKENS[task],
            seconds=seconds,
            on_text=on_text,
        )
        return _drafted(draft, brief, asked.options, usage)

    return sent_shorter(send)


def write_sentence(
    llm: VideoLLM,
    asked: Asked,
    passage: Sequence[Evidence],
    *,
    seconds: float | None = None,
    on_text: Callable[[str], None] | None = None,
) -> Draft:
    """Answer a question from one passage, in one sentence without JSON: a small model writes it in half the time.

    The claim cites the whole passage; the check keeps the lines that hold its words. Of an answer that was cut off, the
    complete sentences are kept: the rest could say the opposite of what was meant. There is no claim if none is left.

    Args:
        llm: The model.
        asked: The question.
        passage: A slide and the sentences said with it.
        seconds: Time for it.
        on_text: Called with each new piece of the sentence.

    Raises:
        ServerError: No usable answer came, or none in time.
    """
    instructions = f"{render('read')} {render('earlier')}" if asked.turns else render("read")
    question, can = f"{asked.text}\n{render('one_sentence')}", llm.capabilities
    taken = can.tokens_of(instructions) + can.tokens_of(question) + _SENTENCE_TOKENS
    began = time.monotonic()

    def send(scale: float) -> tuple[Reply, tuple[Evidence, ...]]:
        rows = fitted(passage, (), llm.capabilities, taken, scale).rows
        reply = llm.ask(
            [*write_brief(rows, (), slides=True).parts, question],
            instructions=instructions,
            max_tokens=_SENTENCE_TOKENS * (THOUGHTS_FACTOR if can.reasons else 1),
            seconds=seconds,
            on_text=None if can.reasons else on_text,
        )
        return reply, rows

    reply, rows = sent_shorter(send)
    usage = TokenUsage.of(reply, time.monotonic() - began)
    text = _shortened(clean_text(without_thoughts(reply.text)), is_cut=reply.truncated)
    citations = tuple(map(Citation.of, rows))[:_MOST_CITATIONS]
    claims = (Claim(text=text, verdict="unverified", citations=citations),) if text else ()
    return Draft(claims=claims, is_found=bool(text), missing=(), dropped=0, rows=rows, usage=usage)


def gather(
    llm: VideoLLM,
    asked: Asked,
    notes: Sequence[Claim],
    *,
    seconds: float | None = None,
    on_text: Callable[[str], None] | None = None,
) -> Draft:
    """Answer a question about whole videos from the notes on their chapters (LLoVi, Zhang et al. 2024).

    A claim made of notes cites what they cite. Of more notes than fit, the last ones of each video are left out.

    Args:
        llm: The model.
        asked: The question.
        notes: What was noted of each chapter, by video and time.
        seconds: Time for it.
        on_text: Called with each new piece of the answer's JSON text.

    Raises:
        AnswerFormatError: The model did not answer in the form asked for, twice.
        ServerError: No usable answer came, or none in time.
    """
    instructions = render("whole")

    def send(scale: float) -> Draft:
        can = llm.capabilities
        taken = can.tokens_of(instructions) + can.tokens_of(asked.text) + _ANSWER_TOKENS["claims"] + _SCHEMA_TOKENS
        kept = _fitted_notes(notes, can, room_for_evidence(can, taken, scale))
        cited = {f"N{number}": note.citations for number, note in enumerate(kept, start=1)}
        draft, usage = ask_structured(
            llm,
            ["\n".join(map(_note_line, cited, kept)), asked.text],
            claims_draft(tuple(cited), len(asked.options)),
            instructions=instructions,
            max_tokens=_ANSWER_TOKENS["claims"],
            seconds=seconds,
            on_text=on_text,
        )
        source = _Source(cited, len(asked.options), usage)
        made = _cited(draft.claims, getattr(draft, "option", ""), draft.found, (), source)
        return made.model_copy(update={"left_out": len(notes) - len(kept)})

    return sent_shorter(send)


def verify(
    llm: VideoLLM,
    question: str,
    claim: Claim,
    evidence: Sequence[Evidence],
    frames: Sequence[SizedFrame],
    *,
    decoder: Decoder = "pyav",
    seconds: float | None = None,
) -> tuple[Verdict, TokenUsage]:
    """Check one claim against what it cites: whether that shows it, and whether it answers the question.

    Args:
        llm: The model.
        question: What the claim answers.
        claim: The claim.
        evidence: The stored text evidence that it cites.
        frames: The keyframes that it cites.
        decoder: What decodes them.
        seconds: Time for it.

    Raises:
        AnswerFormatError: The model did not answer in the form asked for, twice.
        ServerError: No usable answer came, or none in time.
    """
    instructions = render("verify")
    asked = f"{quoted_question(question)}\nStatement: {quoted(claim.text)}"

    def send(scale: float) -> tuple[Verdict, TokenUsage]:
        can = llm.capabilities
        chosen = fitted(evidence, frames, can, can.tokens_of(instructions) + can.tokens_of(asked) + 64, scale)
        brief = write_brief(chosen.rows, chosen.frames, decoder)
        draft, usage = ask_structured(
            llm, [*brief.parts, asked], VerdictDraft, instructions=instructions, max_tokens=64, seconds=seconds
        )
        return draft.verdict, usage

    return sent_shorter(send)


@dataclass(frozen=True)
class _Source:
    """What a draft was made from: citations by id, the number of options, the cost."""

    cited: Mapping[str, tuple[Citation, ...]]
    options: int
    usage: TokenUsage


def _form(task: Task, brief: Brief, options: int) -> type[AnswerDraft] | type[ClaimsDraft]:
    if task == "answer":
        return answer_draft(tuple(brief.ids), options)
    return claims_draft(tuple(brief.ids), options, 4 if task == "chapter" else 8)


def _drafted(draft: AnswerDraft | ClaimsDraft, brief: Brief, options: Sequence[str], usage: TokenUsage) -> Draft:
    cited = {name: tuple(map(Citation.of, ones)) for name, ones in brief.ids.items()}
    source = _Source(cited, len(options), usage)
    rows = tuple(one for name, ones in brief.ids.items() if name.startswith("E") for one in ones)
    if isinstance(draft, ClaimsDraft):
        made = _cited(draft.claims, getattr(draft, "option", ""), draft.found, draft.missing, source)
    else:
        text = _shortened(clean_text(draft.answer))
        claims = [ClaimDraft(answer=text, ids=draft.ids)] if text else []
        letter = getattr(draft, "option", "")
        made = _cited(claims, letter, draft.found, (), source)
    frames = sum(name.startswith("F") for name in brief.ids)
    return made.model_copy(update={"frames": frames, "unread": brief.unread, "rows": rows})


def _fitted_notes(notes: Sequence[Claim], can: Capabilities, room: int) -> list[Claim]:
    """The notes that fit into a number of tokens, at least one. The last note of the video with the most notes is left out first."""
    kept = list(notes)
    costs = [can.tokens_of(_note_line(f"N{number}", note)) + 1 for number, note in enumerate(notes, start=1)]
    while sum(costs) > room and len(kept) > 1:
        videos = [note.citations[0].video for note in kept]
        longest = max(reversed(videos), key=videos.count)
        last = len(videos) - 1 - videos[::-1].index(longest)
        del kept[last], costs[last]
    return kept


def _note_line(name: str, note: Claim) -> str:
    first, last = min(c.start for c in note.citations), max(c.end for c in note.citations)
    video = Path(note.citations[0].video).name
    return f"{name} {Span(start=first, end=last)} in {quoted(video)}: {quoted(note.text)}"


def _shortened(text: str, *, is_cut: bool = False) -> str:
    """A text of at most 600 letters. Of a longer one, and of one that was cut off, only the complete sentences."""
    return full_sentences(text[:_MOST_LETTERS]) if is_cut or len(text) > _MOST_LETTERS else text


def _cited(
    drafts: Sequence[ClaimDraft],
    letter: str,
    is_found: bool,
    missing: Sequence[str],
    source: "_Source",
) -> Draft:
    """A draft without the claims that cite nothing that was given, and with the answer chosen if there is one."""
    claims = [_claim(one, source.cited) for one in drafts]
    place = ord(letter) - ord("A") if len(letter) == 1 else -1
    return Draft(
        claims=tuple(claim for claim in claims if claim.citations),
        is_found=is_found,
        missing=tuple(text for text in missing if text.strip()),
        dropped=sum(not claim.citations for claim in claims),
        option=place if 0 <= place < source.options else None,
        usage=source.usage,
    )


def _claim(draft: ClaimDraft, cited: Mapping[str, tuple[Citation, ...]]) -> Claim:
    citations = dict.fromkeys(citation for name in draft.ids for citation in cited.get(name, ()))
    return Claim(text=draft.answer, verdict="unverified", citations=tuple(citations)[:_MOST_CITATIONS])
