"""Titles of chapters, written by the language model from the chapter's lines, and stored as captions."""

import logging
from collections.abc import Callable, Sequence

from ...index.indexing.build import IndexProgress
from ...index.indexing.captioning import replace_captions
from ...index.indexing.jobs import Outcome
from ...index.retrieval.search import Search
from ...index.retrieval.search_index.publishing import Publisher
from ...index.storage.backend import StorageBackend
from ...index.storage.local import LocalStorage
from ...tools.embedding.texts import SentenceEncoder
from ...tools.errors import MissingExtraError, ServerError, SettingsError, WeightsError
from ...tools.llm.backends import is_set, video_llm
from ...tools.llm.protocol import VideoLLM
from ...tools.settings import Settings
from ..answering.stored_titles import is_title, title_observation
from ..answering.summary import Chapter, contents
from ..composing.titles import titled

__all__ = ["store_titles", "title_writer", "titled_chapter"]

_log = logging.getLogger(__name__)


def titled_chapter(llm: VideoLLM, chapter: Chapter, search: Search, seconds: float) -> Chapter:
    """Return a chapter with a title and an abstract by the model; unchanged where it has no lines.

    Args:
        llm: The model.
        chapter: From `contents`.
        search: The library.
        seconds: Time for it.

    Raises:
        ServerError: The model gave no usable answer.
    """
    cited = [*filter(None, [chapter.heading]), *chapter.quotes]
    best = [one for one in (search.evidence(citation.evidence_id) for citation in cited) if one]
    spoken = search.of_video(chapter.video_id, ["speech"], chapter.span)
    rows = list({one.evidence_id: one for one in (*best, *spoken)}.values())
    written, _ = titled(llm, rows, seconds=seconds)
    if written is None:
        return chapter
    changes = {"title": written.title, "abstract": written.abstract, "titled_by": llm.source}
    return chapter.model_copy(update=changes)


def title_writer(
    storage: StorageBackend, settings: Settings, progress: IndexProgress
) -> Callable[[Sequence[Outcome]], None]:
    """Return what stores the titles of the chapters of a run's videos; where `chapter_titles` is not set, nothing.

    Args:
        storage: The library; one at a URL gets no titles.
        settings: They name the model.
        progress: Called with the file, its number, the number of files, `titling`, and chapters done and in total.

    Raises:
        SettingsError: Titles are wanted, and no language model is set.
        WeightsError: The model is not available.
        MissingExtraError: A library that it needs is not installed.
    """
    if not settings.chapter_titles or not isinstance(storage, LocalStorage):
        return lambda _: None
    if not is_set(settings):
        raise SettingsError("chapter_titles needs a language model: `playhead model use NAME`, or set video_llm_url")
    llm = video_llm(settings)
    return lambda outcomes: store_titles(storage, Search(storage, settings), llm, outcomes, settings, progress)


def store_titles(
    storage: LocalStorage,
    search: Search,
    llm: VideoLLM,
    outcomes: Sequence[Outcome],
    settings: Settings,
    progress: IndexProgress,
) -> None:
    """Store titles of the chapters of the videos that were indexed now, and of those that lack some.

    Chapters that the source of the video names keep their titles. A model that fails is reported, and ends it.

    Args:
        storage: The library.
        search: The same library.
        llm: The model.
        outcomes: The videos of a run.
        settings: They name the text encoder, and the time for one chapter.
        progress: As in `title_writer`.

    Raises:
        LibraryError: A video cannot be written.
    """
    videos = [(one.path, one.record, one.state) for one in outcomes if one.record is not None and one.state != "same"]
    for number, (path, record, state) in enumerate(videos, start=1):
        chapters = [one for one in contents(record.video_id, search) if one.titled_by != "source"]
        ours = [one for one in chapters if one.heading or one.quotes]
        if not ours or (state != "indexed" and all(chapter.title for chapter in ours)):
            continue
        captions = []
        for place, chapter in enumerate(ours):
            progress(path, number, len(videos), "titling", place, len(ours))
            try:
                made = titled_chapter(llm, chapter, search, settings.max_seconds)
            except ServerError as error:
                _log.warning("%s: no titles of chapters (%s); run `playhead index` again", path, error)
                return
            captions.append(title_observation(chapter.span, made.title, made.abstract, llm.source))
        replace_captions(storage, search.records[record.video_id], captions, is_title, _encoder(settings))
        Publisher(storage).publish({record.video_id})


def _encoder(settings: Settings) -> SentenceEncoder | None:
    """The text encoder, if it is there: without it titles are searched by their words, as all texts are."""
    if settings.model_for("text_model") == "off":
        return None
    try:
        return SentenceEncoder(settings)
    except (WeightsError, MissingExtraError):
        return None
