"""Shows answers in a notebook: registers the display of each record with IPython. The records do not import this."""

import base64
import re
import sys
from collections.abc import Sequence

from ..records import Answer, Citation
from .pictures import cited_picture

__all__ = ["answer_markdown", "register"]

# Other characters are surely text. A backslash does not suffice: `\(` is mathematics in a notebook.
_SIGNS = re.compile(r"[^\w\s,;?%'’“”–—…·]|_")


def register() -> None:
    """Register the displays of the records with the running IPython shell; do nothing outside IPython."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    if shell is not None:
        shell.display_formatter.formatters["text/markdown"].for_type(Answer, answer_markdown)


def answer_markdown(answer: Answer) -> str:
    """Return an answer as Markdown, with a picture of each cited moment."""
    if not answer.claims:
        return f"**{_escaped(answer.status)}** — {_escaped(answer.text)}"
    parts = []
    for claim in answer.claims:
        mark = "" if claim.verdict == "supported" else f" _({claim.verdict})_"
        parts.append(f"{_escaped(claim.text)} {_escaped(claim.places)}{mark}\n\n{_picture(claim.citations)}".strip())
    return "\n\n".join(parts)


def _picture(citations: Sequence[Citation]) -> str:
    picture = cited_picture(citations)
    if picture is None:
        return ""
    data = base64.b64encode(picture).decode("ascii")
    return f"![keyframe](data:image/webp;base64,{data})"


def _escaped(text: str) -> str:
    """Text as nothing but text: other characters as numbered entities, which are never syntax."""
    return _SIGNS.sub(lambda found: f"&#{ord(found[0])};", text)
