"""Opens a library's folder, and what a call needs at its first use: search index, models, conversations."""

import os
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from ...index.indexing.extractor_set import Extractors
from ...index.people.known import KnownPeople
from ...index.retrieval.search import Search
from ...index.storage.local import LocalStorage
from ...tools.errors import LibraryError, SettingsError
from ...tools.llm.backends import is_set, video_llm
from ...tools.llm.protocol import VideoLLM
from ...tools.settings import Settings
from ..display import notebook
from ..display.answer_page import answer_page
from ..graph.threads import open_checkpointer
from ..library_folder import library_folder
from ..looking.detector import FrameModels
from ..records import register_html

__all__ = ["OpenLibrary"]

# What a library opens at first use.
_OPENED = ("_search", "_saver", "_extractors", "_frame_models", "_llm")


class OpenLibrary:
    """An open library: its folder, settings, storage and models."""

    def __init__(self, folder: Path | str, settings: Settings | None = None) -> None:
        """Open the library of a folder. Nothing is written before something is indexed.

        Args:
            folder: A folder of videos, one of its sub-folders, one of the videos, or the library's own folder
                (`talks/.playhead`). Where no library exists yet, it will be made in `.playhead` inside the folder.
            settings: Models and limits. None: from the environment and the user's settings file.

        Raises:
            LibraryError: The library's own place is a file, or the library has a newer format.
            SettingsError: A setting in the environment or the settings file is not valid.
        """
        self.settings: Settings = settings or Settings()
        notebook.register(type(self))
        register_html(answer_page)
        self._opened_by = os.getpid()
        self._storage = LocalStorage(library_folder(Path(folder)))

    def __repr__(self) -> str:
        return f"Library({str(self.folder)!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the search index and the stored conversations, and release the models; later calls open them again."""
        for name in _OPENED:
            opened = self.__dict__.pop(name, None)
            if os.getpid() == self._opened_by:  # after a fork they belong to the parent process
                _close(opened)
        self._opened_by = os.getpid()

    @property
    def folder(self) -> Path:
        """The library's folder."""
        return self._store.folder

    def warm(self) -> None:
        """Load what the first question would load: the search index, the encoders of queries, the model.

        Raises:
            LibraryError: The library is empty or damaged.
            ServerError: The model cannot be started.
        """
        self._opened().find("warm", 1)
        if self._llm is not None:
            _ = self._llm.capabilities

    @property
    def _store(self) -> LocalStorage:
        """The library's storage. After a fork it opens everything again: the parent's connections cannot be used."""
        if os.getpid() != self._opened_by:
            self.close()
            self._storage = LocalStorage(self._storage.folder)
        return self._storage

    @cached_property
    def _extractors(self) -> Extractors:
        return Extractors.gather(self.settings)

    @cached_property
    def _frame_models(self) -> FrameModels:
        gathered, missing = self._extractors, self._extractors.missing
        detector, encoder = gathered.get("object"), gathered.get("frame")
        if detector is None and encoder is None:
            reasons = "; ".join(f"{modality}: {missing[modality]}" for modality in ("object", "frame"))
            raise SettingsError(f"no model can examine frames ({reasons}): set objects_model or image_model")
        return FrameModels(detector, encoder)

    @cached_property
    def _voices(self) -> KnownPeople:
        return self._search.voices

    @cached_property
    def _faces(self) -> KnownPeople:
        return self._search.faces

    @cached_property
    def _search(self) -> Search:
        return Search(self._store, self.settings)

    @cached_property
    def _llm(self) -> VideoLLM | None:
        """The video LLM that answers. None: answers quote the evidence."""
        wanted = self.settings.answerer
        if wanted == "extractive" or (wanted is None and not is_set(self.settings)):
            return None
        return video_llm(self.settings)

    @cached_property
    def _saver(self) -> Any:
        return open_checkpointer(self.folder)

    def _opened(self) -> Search:
        """The search over this library, which holds at least one video."""
        if not self._store.videos_folder.is_dir() or not self._search.records:
            raise LibraryError(f"no video is indexed in {self.folder}: run `playhead index FOLDER` first")
        return self._search


def _close(opened: Any) -> None:
    """Close a search index, a client or a checkpointer; a model without `close` is released by Python."""
    connection = getattr(opened, "conn", opened)
    if close := getattr(connection, "close", None):
        close()
