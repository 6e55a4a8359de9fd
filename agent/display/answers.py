"""Answers and evidence for people: in a terminal, and in a notebook. Text from videos stays text."""

import base64
import io
import re
from collections.abc import Sequence
from pathlib import Path

from ...tools.extractors.registry import spec_of
from ...tools.records import Box, clean_text
from ..records import Answer, Citation

__all__ = ["answer_markdown", "cited_picture"]

_DARK, _LIGHT = (0, 0, 0), (255, 221, 0)
_LABEL_PIXELS = 11
_LABEL_CHARACTERS = 40

# Nothing else is surely text: a backslash in front leaves \( as mathematics in a notebook, and makes links of addresses.
_SIGNS = re.compile(r"[^\w\s,;?%'’“”–—…·]|_")


def answer_markdown(answer: Answer) -> str:
    """An answer as Markdown for a notebook, with a picture of each cited moment."""
    if not answer.claims:
        return f"**{_escaped(answer.status)}** — {_escaped(answer.text)}"
    parts = []
    for claim in answer.claims:
        spans = claim.spans_text(named=True)
        mark = "" if claim.verdict == "supported" else f" _({claim.verdict})_"
        parts.append(f"{_escaped(claim.text)} {_escaped(spans)}{mark}\n\n{_picture(claim.citations)}".strip())
    return "\n\n".join(parts)


def _picture(citations: Sequence[Citation]) -> str:
    shown = cited_picture(citations)
    if shown is None:
        return ""
    data = base64.b64encode(shown).decode("ascii")
    return f"![keyframe](data:image/webp;base64,{data})"


def cited_picture(citations: Sequence[Citation]) -> bytes | None:
    """The WebP of a cited moment, with the cited boxes of that very frame drawn on it; None if there is none.

    A box of another frame is not drawn: what it stands for may have moved. The picture is the one with the most
    boxes; of several such, or without any, the first that is there.

    Args:
        citations: Of one claim.
    """
    boxes: dict[str, list[tuple[Box, str]]] = {}
    for one in citations:
        if one.keyframe and (one.keyframe in boxes or Path(one.keyframe).is_file()):
            drawn = boxes.setdefault(one.keyframe, [])
            if one.box and one.frame_seconds is not None and _shows_frame(one.keyframe, one.frame_seconds):
                drawn.append((one.box, "" if spec_of(one.modality).text_is_visible else one.quote))
    if not boxes:
        return None
    keyframe = max(boxes, key=lambda path: len(boxes[path]))
    picture = Path(keyframe).read_bytes()
    if not boxes[keyframe]:
        return picture
    try:
        return _drawn(picture, list(dict.fromkeys(boxes[keyframe])))
    except (OSError, SyntaxError):  # the file is damaged: a viewer may still show a part of it
        return picture


def _shows_frame(keyframe: str, seconds: float) -> bool:
    """Whether a keyframe is the frame at that time: its name is its milliseconds."""
    return Path(keyframe).stem == f"{round(seconds * 1000):010d}"


def _drawn(picture: bytes, boxes: Sequence[tuple[Box, str]]) -> bytes:
    """A WebP with boxes: a light line within a dark one, seen on any ground; and the labels they have."""
    from PIL import ImageDraw, ImageFont
    from PIL.WebPImagePlugin import WebPImageFile  # Ultralytics alters `Image.open` for all of the process

    image = WebPImageFile(io.BytesIO(picture)).convert("RGB")
    width, height = image.size
    pen, font = ImageDraw.Draw(image), ImageFont.load_default(_LABEL_PIXELS)
    for box, _ in boxes:
        left, top = round(box.left * (width - 1)), round(box.top * (height - 1))
        right, bottom = round(box.right * (width - 1)), round(box.bottom * (height - 1))
        pen.rectangle((left, top, right, bottom), outline=_DARK, width=4)
        if right - left > 2 and bottom - top > 2:
            pen.rectangle((left + 1, top + 1, right - 1, bottom - 1), outline=_LIGHT, width=2)
    for box, label in boxes:
        if not (text := clean_text(label)[:_LABEL_CHARACTERS]):
            continue
        _, _, across, down = pen.textbbox((0, 0), text, font=font)
        left = max(0, min(round(box.left * width), width - 1 - round(across) - 4))
        top = max(0, min(round(box.top * height), height - 1 - round(down) - 4))
        pen.rectangle((left, top, left + round(across) + 4, top + round(down) + 4), fill="black")
        pen.text((left + 2, top + 2), text, font=font, fill="white")
    out = io.BytesIO()
    image.save(out, "WEBP", quality=85)
    return out.getvalue()


def _escaped(text: str) -> str:
    """Text as nothing but text: signs as numbered characters, which are never syntax."""
    return _SIGNS.sub(lambda found: f"&#{ord(found[0])};", text)
