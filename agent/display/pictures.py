"""Makes the picture of a cited moment: the keyframe, with the boxes of the cited lines and objects drawn on it."""

import io
import logging
from collections.abc import Sequence

from ...index.storage.keyframe_references import milliseconds_of, read_keyframe
from ...tools.errors import PlayheadError
from ...tools.extractors.registry import spec_of
from ...tools.records import Box, clean_text
from ..records import Citation

__all__ = ["cited_picture", "stored_picture"]

_log = logging.getLogger(__name__)

_DARK, _LIGHT = (0, 0, 0), (255, 221, 0)
_LABEL_PIXELS = 11
_LABEL_CHARACTERS = 40


def cited_picture(citations: Sequence[Citation]) -> bytes | None:
    """Return the WebP of a cited moment with the cited boxes of that frame drawn on it; None: no keyframe is stored.

    A box of another frame is not drawn, because the object may have moved. The keyframe with the most boxes is
    chosen; of several such, the first.

    Args:
        citations: Of one claim.
    """
    boxes: dict[str, list[tuple[Box, str]]] = {}
    pictures: dict[str, bytes] = {}
    for one in citations:
        if not one.keyframe:
            continue
        if one.keyframe not in boxes and (picture := stored_picture(one.keyframe)):
            boxes[one.keyframe], pictures[one.keyframe] = [], picture
        if one.keyframe in boxes and one.box and _shows_frame(one.keyframe, one.frame_seconds):
            # A line of text is readable in the picture: no label covers it.
            boxes[one.keyframe].append((one.box, "" if spec_of(one.modality).text_is_visible else one.quote))
    if not boxes:
        return None
    keyframe = max(boxes, key=lambda reference: len(boxes[reference]))
    if not boxes[keyframe]:
        return pictures[keyframe]
    try:
        return _drawn(pictures[keyframe], list(dict.fromkeys(boxes[keyframe])))
    except (OSError, SyntaxError):  # Pillow cannot read it: a viewer may still show a part of it
        return pictures[keyframe]


def stored_picture(reference: str) -> bytes | None:
    """The bytes of a keyframe; None if it is not stored any more or damaged."""
    try:
        keyframe = read_keyframe(reference)
    except PlayheadError as error:
        _log.info("no picture: %s", error)
        return None
    return keyframe.picture if keyframe else None


def _shows_frame(reference: str, seconds: float | None) -> bool:
    """Whether a keyframe is the frame at that time."""
    return seconds is not None and milliseconds_of(reference) == round(seconds * 1000)


def _drawn(picture: bytes, boxes: Sequence[tuple[Box, str]]) -> bytes:
    """A WebP with boxes and their labels. A light line inside a dark one is visible on any background."""
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
