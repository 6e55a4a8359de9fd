"""Answers and evidence for people: in a terminal, and in a notebook. Text from videos stays text."""

import base64
import re
from collections.abc import Iterable
from pathlib import Path

from ..tools.records import Modality, clean_text
from .records import Answer, Citation, Claim

__all__ = ["HOW", "answer_markdown", "answer_text"]

HOW: dict[Modality, str] = {
    "speech": "said",
    "text": "written",
    "object": "detected",
    "caption": "described",
    "frame": "shown",
}

# Nothing else is surely text: a backslash in front leaves \( as mathematics in a notebook, and makes links of addresses.
_SIGNS = re.compile(r"[^\w\s,;?%'’“”–—…·]|_")


def answer_text(answer: Answer) -> str:
    """An answer as plain text, each claim with the spans behind it."""
    if not answer.claims:
        return answer.text
    several = len({citation.video_id for claim in answer.claims for citation in claim.citations}) > 1
    return "\n".join(_claim_text(claim, several) for claim in answer.claims)


def answer_markdown(answer: Answer) -> str:
    """An answer as Markdown for a notebook, with a picture of each cited moment."""
    if not answer.claims:
        return f"**{_escaped(answer.status)}** — {_escaped(answer.text)}"
    parts = []
    for claim in answer.claims:
        spans = ", ".join(_place(citation, True) for citation in _distinct(claim.citations))
        mark = "" if claim.verdict == "supported" else f" _({claim.verdict})_"
        parts.append(f"{_escaped(claim.text)} {_escaped(spans)}{mark}\n\n{_picture(claim.citations)}".strip())
    return "\n\n".join(parts)


def _claim_text(claim: Claim, several: bool) -> str:
    spans = ", ".join(_place(citation, several) for citation in _distinct(claim.citations))
    mark = "" if claim.verdict == "supported" else f" ({claim.verdict})"
    return f"{claim.text} {spans}{mark}"


def _place(citation: Citation, named: bool) -> str:
    """`[00:41:07–00:41:32] talk.mp4, said`."""
    name = f" {clean_text(Path(citation.video).name)}," if named else ""
    return f"{citation.span}{name} {HOW[citation.modality]}"


def _distinct(citations: Iterable[Citation]) -> list[Citation]:
    """Citations that look different once they are printed."""
    return list({(c.video_id, str(c.span), c.modality): c for c in reversed(list(citations))}.values())[::-1]


def _picture(citations: Iterable[Citation]) -> str:
    keyframe = next((c.keyframe for c in citations if c.keyframe and Path(c.keyframe).is_file()), None)
    if keyframe is None:
        return ""
    data = base64.b64encode(Path(keyframe).read_bytes()).decode("ascii")
    return f"![keyframe](data:image/jpeg;base64,{data})"


def _escaped(text: str) -> str:
    """Text as nothing but text: signs as numbered characters, which are never syntax."""
    return _SIGNS.sub(lambda found: f"&#{ord(found[0])};", text)
