"""The texts of a video's metadata that a search finds: title, channel and tags, the description, names of chapters.

Each is a row of the search index with the modality `metadata`. It is made from the record when a video is published, so a
sidecar that changed needs no new extraction. It is no observation: nothing was said or shown, and no answer quotes it.
"""

from ..tools.records import Observation, Span
from .records import VideoRecord

__all__ = ["METADATA", "metadata_texts"]

METADATA = "metadata"
_BETWEEN = " · "


def metadata_texts(record: VideoRecord) -> list[Observation]:
    """Return the texts of a video's metadata, by time.

    Title, channel and tags are one text, which spans the whole video; so does the description. The name of a chapter of
    the source spans its chapter, as far as the video goes. A video of no length has none.

    Args:
        record: The video.
    """
    if record.duration <= 0:
        return []
    metadata, whole = record.metadata, Span(start=0, end=record.duration)
    named = _BETWEEN.join(filter(None, [metadata.title, metadata.channel, ", ".join(metadata.tags)]))
    texts = [(whole, named), (whole, metadata.description)]
    for chapter in metadata.chapters:
        start, end = chapter.span.start, min(chapter.span.end, record.duration)
        if start < end:
            texts.append((Span(start=start, end=end), chapter.title))
    return [
        Observation(modality=METADATA, span=span, text=text, score=1.0, source=METADATA) for span, text in texts if text
    ]
