"""Pieces of HTML that a notebook and the one-file answer share: tables, pictures, timelines. Text is always escaped.

There is no script here, and no address of another machine: a piece works in a mail attachment.
"""

import base64
import html
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from urllib.parse import quote

from ...index.records import Evidence
from ...tools.extractors.registry import participle
from ...tools.records import Span, clean_text, clock
from ..records import CLOSEST_HEADING, Answer, Citation, Claim
from .pictures import cited_picture, stored_picture

__all__ = [
    "EVIDENCE_HEAD",
    "citations_by_video",
    "claim_rows",
    "closest_rows",
    "escaped",
    "evidence_cells",
    "lines_above",
    "media_url",
    "picture",
    "player",
    "table",
    "timeline",
]

EVIDENCE_HEAD = ("", "when", "video", "how", "what")
_TIMELINE_WIDTH, _TIMELINE_HEIGHT = 600, 18
_MARKS = {"supported": "✓", "verbatim": "“ ”", "refuted": "✗", "unverified": "?"}


def escaped(text: str) -> str:
    """Return text as nothing but text, on one line."""
    return html.escape(clean_text(text))


def picture(data: bytes | None, width: int = 240, about: str = "") -> str:
    """Return a WebP as an `<img>` that holds the picture itself; empty: there is none."""
    if data is None:
        return ""
    encoded = base64.b64encode(data).decode("ascii")
    return f'<img src="data:image/webp;base64,{encoded}" width="{width}" alt="{escaped(about)}">'


def media_url(video: Path, folder: Path) -> str | None:
    """Return the relative address of a video from a folder; None: the video is on another drive or not there."""
    if not video.is_file():
        return None
    try:
        return quote(Path(os.path.relpath(video, folder)).as_posix())
    except ValueError:
        return None


def player(source: str | None, span: Span, width: int = 360) -> str:
    """Return a `<video>` that starts and stops with a span (W3C media fragment); empty: there is no source."""
    if source is None:
        return ""
    fragment = f"#t={span.start:.2f},{span.end:.2f}" if not source.startswith("data:") else ""
    return f'<video controls preload="metadata" width="{width}" src="{html.escape(source)}{fragment}"></video>'


def timeline(duration: float, spans: Sequence[Span], label: str) -> str:
    """Return a video from start to end as SVG, with spans marked."""
    width, height, length = _TIMELINE_WIDTH, _TIMELINE_HEIGHT, max(duration, 1e-6)
    marks = "".join(
        f'<rect x="{span.start / length * width:.1f}" y="0" rx="2" height="{height}" fill="#d0401a" '
        f'width="{max(3.0, span.duration / length * width):.1f}"><title>{span}</title></rect>'
        for span in spans
    )
    return (
        f'<svg viewBox="0 0 {width} {height}" width="100%" height="{height}" preserveAspectRatio="none" role="img" '
        f'aria-label="{escaped(label)}"><rect width="{width}" height="{height}" rx="3" fill="#8884"/>{marks}</svg>'
    )


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; cells are HTML already."""
    left = ' style="text-align:left;vertical-align:top"'
    top = "".join(f"<th{left}>{escaped(one)}</th>" for one in head)
    lines = ("".join(f"<td{left}>{cell}</td>" for cell in row) for row in rows)
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    return f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"


def claim_rows(claim: Claim, players: Sequence[str] = ()) -> str:
    """Return a claim with its verdict, its picture, its quotes with their places, and players."""
    mark = _MARKS.get(claim.verdict, "")
    shown = picture(cited_picture(claim.citations), 320, f"picture of {claim.text[:80]}")
    quotes = "".join(f"<li>{_cited(one, claim)}</li>" for one in claim.shown_citations)
    more = f"<li>and {claim.hidden_places} more</li>" if claim.hidden_places else ""
    return (
        f"<div><p><b>{escaped(claim.text)}</b> <small>{mark} {escaped(claim.verdict)}</small></p>"
        f"<div>{shown}{''.join(players)}</div><ul>{quotes}{more}</ul></div>"
    )


def lines_above(answer: Answer) -> str:
    """Return the words of the question that were corrected, and the chosen option, as paragraphs; empty: there are none."""
    corrected = f"<p><small>{escaped(answer.corrected_words)}</small></p>" if answer.corrections else ""
    return corrected + (f"<p><b>{escaped(answer.option_text)}</b></p>" if answer.option_text else "")


def closest_rows(answer: Answer) -> str:
    """Return the passages nearest to a question without an answer, with their pictures; empty: there are none."""
    if not answer.closest:
        return ""
    rows = [
        evidence_cells(one, picture(stored_picture(one.keyframe) if one.keyframe else None, 120, one.text))
        for one in answer.closest
    ]
    return f"<p>{escaped(CLOSEST_HEADING)}</p>{table(EVIDENCE_HEAD, rows)}"


def citations_by_video(answer: Answer) -> dict[str, list[Citation]]:
    """Return the citations of an answer by the path of their video."""
    cited: dict[str, list[Citation]] = {}
    for citation in (one for claim in answer.claims for one in claim.citations):
        cited.setdefault(citation.video, []).append(citation)
    return cited


def evidence_cells(one: Evidence, image: str) -> list[str]:
    """Return the cells of a piece of evidence: picture, when, where, how, what."""
    when = f"{clock(one.start)}–{clock(one.end)}"
    return [image, escaped(when), escaped(one.name), escaped(participle(one.modality)), escaped(one.text)]


def _cited(one: Citation, claim: Claim) -> str:
    """A place with all that is cited there, unless that is the claim."""
    quotes = dict.fromkeys(clean_text(other.quote) for other in claim.citations if other.place == one.place)
    there = " · ".join(filter(None, quotes))
    return escaped(one.place if there == clean_text(claim.text) else f"{one.place}: {there}")
