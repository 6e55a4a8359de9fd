"""Writes an answer as one HTML file: question, claims with verdicts, pictures, timelines, players. No network is needed."""

import base64
import io
from pathlib import Path

from ...tools.errors import MediaError
from ...tools.media.clips import ClipStyle, write_clip
from ...tools.media.streams import probe
from ...tools.records import Span, clean_text, clock
from ..records import Answer, Citation, Claim
from .markup import citations_by_video, claim_rows, closest_rows, escaped, lines_above, media_url, player, timeline

__all__ = ["answer_page", "timelines"]

# Embedded clips are small enough for a mail: at most this many, this long and this high.
_MOST_CLIPS, _CLIP_SECONDS, _CLIP_HEIGHT = 8, 30.0, 360

_STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { margin: 0 auto; max-width: 56rem; padding: 1.5rem; background: light-dark(#faf9f6, #12161f); color: light-dark(#1a2233, #eef1f6); }
h1 { font-size: 1.4rem; } p { overflow-wrap: anywhere; } li { overflow-wrap: anywhere; }
section { background: light-dark(#fff, #1b212d); border: 1px solid light-dark(#dedbd3, #343d4f); border-radius: .7rem; padding: .4rem 1.2rem; margin: 1rem 0; }
img, video { max-width: 100%; height: auto; border-radius: .4rem; margin: .2rem .6rem .2rem 0; vertical-align: top; }
small, footer { color: light-dark(#515b70, #aab4c6); } svg { display: block; margin: .3rem 0 1rem; }
"""
_POLICY = "default-src 'none'; img-src data:; media-src 'self' file: data:; style-src 'unsafe-inline'"


def answer_page(answer: Answer, *, embed: bool = False, folder: Path | None = None) -> str:
    """Return an answer as one HTML document.

    Args:
        answer: The answer.
        embed: Put short clips of the cited moments into the document; else it plays the original files, where they
            are reached from `folder` by a relative path.
        folder: Where the document will be stored; None: beside the first cited video.

    Raises:
        MediaError: Clips are wanted and a video cannot be read.
    """
    cited = citations_by_video(answer)
    place = folder or next((Path(video).parent for video in cited), Path())
    budget = _MOST_CLIPS
    parts = []
    for claim in answer.claims:
        players, budget = _players(claim, embed, place, budget)
        parts.append(f"<section>{claim_rows(claim, players)}</section>")
    if not answer.claims:
        parts.append(f"<section><p>{escaped(answer.text)}</p>{closest_rows(answer)}</section>")
    usage = f"{answer.usage.seconds:.1f} s, {answer.usage.rounds} rounds, confidence {answer.confidence:.2f}"
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        f"<title>{escaped(answer.question)}</title><style>{_STYLE}</style></head><body><main>"
        f"<h1>{escaped(answer.question)}</h1>{lines_above(answer)}{timelines(answer)}{''.join(parts)}</main>"
        f"<footer><small>{escaped(answer.status)} · {usage} · made by Playhead</small></footer></body></html>\n"
    )


def _players(claim: Claim, embed: bool, folder: Path, budget: int) -> tuple[list[str], int]:
    """A player for the first citation of each video of a claim."""
    players, seen = [], set()
    for one in claim.shown_citations:
        if one.video in seen or budget < 1:
            continue
        seen.add(one.video)
        span = Span(start=one.start, end=min(one.end, one.start + _CLIP_SECONDS))
        source = _clip(one, span) if embed else media_url(Path(one.video), folder)
        budget -= 1
        players.append(player(source, span))
    return players, budget


def _clip(cited: Citation, span: Span) -> str:
    out = io.BytesIO()
    write_clip(Path(cited.video), span, out, ClipStyle(max_height=_CLIP_HEIGHT), cited.stream)
    return f"data:video/mp4;base64,{base64.b64encode(out.getvalue()).decode('ascii')}"


def timelines(answer: Answer) -> str:
    """Return a timeline for each cited video, with the cited spans marked."""
    cited = citations_by_video(answer)
    return "".join(_line(Path(video), [one.span for one in citations]) for video, citations in cited.items())


def _line(video: Path, spans: list[Span]) -> str:
    try:
        duration = probe(video).duration
    except MediaError:  # the file is not here: the answer is still worth reading
        duration = max(span.end for span in spans)
    name = clean_text(video.name)
    return f"<p><small>{escaped(name)} · {clock(duration)[:-2]}</small></p>{timeline(duration, spans, f'cited moments of {name}')}"
