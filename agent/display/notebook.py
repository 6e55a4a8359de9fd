"""Shows records in a notebook as HTML: registers their displays with IPython. The records do not import this."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...index.records import Evidence, VideoRecord
from ...tools.extractors.registry import participle
from ...tools.records import VideoInfo, clock
from ..answering.summary import Chapter
from ..looking.moments import Moment
from ..records import Answer, Citation
from .answer_page import timelines
from .markup import (
    EVIDENCE_HEAD,
    claim_rows,
    closest_rows,
    escaped,
    evidence_cells,
    lines_above,
    media_url,
    picture,
    player,
    table,
)
from .pictures import stored_picture

if TYPE_CHECKING:
    from ..library import Library

__all__ = ["html_of", "register"]

# Pictures in one display: a notebook file holds them all.
_MOST_PICTURES = 12


def register(library_type: type) -> None:
    """Register the displays with the running IPython shell; do nothing outside IPython.

    Args:
        library_type: The class `Library`, which imports this module.
    """
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    if shell is None:
        return
    formatter = shell.display_formatter.formatters["text/html"]
    for kind in (Answer, Evidence, Moment, Chapter, VideoRecord, VideoInfo, list, library_type):
        formatter.for_type(kind, html_of)


def html_of(shown: Any) -> str | None:
    """Return a record, or a list of records of one kind, as HTML; None: it is something else.

    The class keeps a notebook's MathJax away: `$x$` in a video is text.
    """
    made = _html_of(shown)
    return None if made is None else f'<div class="tex2jax_ignore mathjax_ignore">{made}</div>'


def _html_of(shown: Any) -> str | None:
    if isinstance(shown, list):
        kinds = {type(one) for one in shown}
        draw = _LISTS.get(kinds.pop()) if len(kinds) == 1 else None
        return draw(shown) if draw else None
    if hasattr(shown, "videos") and hasattr(shown, "folder"):
        return _library(shown)
    if isinstance(shown, Answer):
        return _answer(shown)
    if isinstance(shown, VideoInfo):
        return _info(shown)
    draw = _LISTS.get(type(shown))
    return draw([shown]) if draw else None


def _answer(answer: Answer) -> str:
    if not answer.claims:
        status = f"<p><b>{escaped(answer.status)}</b>: {escaped(answer.text)}</p>"
        return lines_above(answer) + status + closest_rows(answer)
    here = Path.cwd()
    parts = []
    for claim in answer.claims:
        first = claim.citations[0] if claim.citations else None
        source = _source(first.video, here) if first else None
        parts.append(claim_rows(claim, [player(source, first.span)] if first else []))
    return lines_above(answer) + "".join(parts) + timelines(answer)


def _evidence(found: Sequence[Evidence]) -> str:
    rows = [
        evidence_cells(one, picture(_bytes(one), 120, one.text) if number < _MOST_PICTURES else "")
        for number, one in enumerate(found)
    ]
    return table(EVIDENCE_HEAD, rows)


def _moments(found: Sequence[Moment]) -> str:
    here = Path.cwd()
    rows = []
    for number, one in enumerate(found):
        best = one.evidence[0] if one.evidence else None
        image = picture(_bytes(best), 120, best.text) if best and number < _MOST_PICTURES else ""
        what = f"{participle(best.modality)}: {best.text}" if best else ""
        when = f"{clock(one.start)}–{clock(one.end)}"
        plays = player(_source(one.video, here), one.span, 240) if number < 3 else ""
        name = Path(one.video).name
        rows.append([image, escaped(when), escaped(name), f"{one.score:.2f}", escaped(what), plays])
    return table(("", "when", "video", "score", "best evidence", ""), rows)


def _chapters(chapters: Sequence[Chapter]) -> str:
    rows = []
    for number, one in enumerate(chapters):
        image = picture(_bytes(one), 120, "") if number < _MOST_PICTURES else ""
        quotes = "<br>".join(escaped(quote.quote) for quote in one.quotes)
        head = f"<b>{escaped(one.heading.quote)}</b><br>" if one.heading else ""
        rows.append([image, escaped(f"{clock(one.start)}–{clock(one.end)}"), head + quotes])
    return table(("", "when", "chapter"), rows)


def _videos(records: Sequence[VideoRecord]) -> str:
    rows = []
    for one in records:
        done = ", ".join(participle(stage.modality) for stage in one.stages if stage.state == "done")
        out = ", ".join(participle(stage.modality) for stage in one.stages if stage.state != "done")
        rows.append([escaped(one.paths[0]), clock(one.duration)[:-2], escaped(done), escaped(out), one.video_id[:12]])
    return table(("video", "length", "extracted", "left out", "id"), rows)


def _info(info: VideoInfo) -> str:
    pictures = f"{info.video.width}×{info.video.height} {info.video.codec}" if info.video else "none"
    rows = [
        ("file", info.path.name), ("length", clock(info.duration)), ("container", info.format), ("pictures", pictures),
        ("sound", info.audio.codec if info.audio else "none"),
    ]  # fmt: skip
    return table(("", ""), [[escaped(name), escaped(value)] for name, value in rows])


def _library(library: "Library") -> str:
    return f"<p><b>Library</b> {escaped(library.folder.parent.name)}</p>{_videos(library.videos())}"


def _source(video: str, here: Path) -> str | None:
    """The address of a video for a notebook, which reads files below its own folder only."""
    source = media_url(Path(video), here)
    return None if source is None or source.startswith("..") else source


def _bytes(shown: Evidence | Citation | Chapter) -> bytes | None:
    return stored_picture(shown.keyframe) if shown.keyframe else None


_LISTS: dict[type, Callable[[Any], str]] = {
    Evidence: _evidence, Moment: _moments, Chapter: _chapters, VideoRecord: _videos,
}  # fmt: skip
