"""Titles of chapters as stored captions: the span of the chapter, the model in the source, title and abstract in the text."""

from ...index.records import Evidence
from ...tools.records import Observation, Span

__all__ = ["is_title", "title_and_abstract", "title_observation", "titling_model"]

_SOURCE = "chapter-titles+"
_BETWEEN = " — "


def title_observation(span: Span, title: str, abstract: str, model: str) -> Observation:
    """Return a caption that holds a chapter's title and its abstract, which may be empty.

    Args:
        span: The chapter.
        title: Its title.
        abstract: One sentence.
        model: The model that wrote them, as `name@version`.
    """
    text = _BETWEEN.join(filter(None, [title.replace(_BETWEEN, ", "), abstract]))
    return Observation(modality="caption", span=span, text=text, score=1.0, source=f"{_SOURCE}{model}")


def is_title(caption: Evidence | Observation) -> bool:
    """Whether a caption is the title of a chapter."""
    return caption.modality == "caption" and caption.source.startswith(_SOURCE)


def titling_model(caption: Evidence) -> str:
    """The model that wrote a title."""
    return caption.source.removeprefix(_SOURCE)


def title_and_abstract(caption: Evidence) -> tuple[str, str]:
    """Title and abstract of a stored title."""
    title, _, abstract = caption.text.partition(_BETWEEN)
    return title, abstract
