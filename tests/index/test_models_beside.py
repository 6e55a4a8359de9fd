"""Text is read while another thread runs the other models of pictures."""

import threading

import pytest

from playhead.index.indexing.build import index_files
from playhead.index.storage.journal import Journal
from playhead.index.storage.local import LocalStorage
from playhead.tools.errors import LibraryError

from ..fakes import Pictures, Reader, extractors, write_pictures
from ..media import numbered


def meeting(kind, barrier):
    """An extractor that goes on when the other one of the barrier runs, too."""

    class Meeting(kind):
        def observe(self, segments):
            barrier.wait(timeout=30)
            return super().observe(segments)

    return Meeting()


@pytest.fixture
def film(tmp_path):
    (tmp_path / "videos").mkdir()
    write_pictures(tmp_path / "videos/film.mp4", [numbered(1), numbered(2)], [0.0, 2.0])
    return tmp_path / "videos"


def test_text_is_read_while_pictures_are_embedded(tmp_path, film):
    barrier = threading.Barrier(2)
    gear = extractors(reader=meeting(Reader, barrier), images=meeting(Pictures, barrier), detector=None)
    (outcome,) = index_files(LocalStorage(tmp_path / "library"), [film], gear, False, lambda *_: None)
    assert {one.modality: one.state for one in outcome.record.stages if one.modality in ("text", "frame")} == {
        "text": "done",
        "frame": "done",
    }


def test_a_journal_that_cannot_be_written_there_ends_the_run_and_no_thread_stays(tmp_path, film, monkeypatch):
    real = Journal.note

    def full(self, key, entry):
        if "object-" in self._path.name:
            raise LibraryError("the disk is full")
        return real(self, key, entry)

    monkeypatch.setattr(Journal, "note", full)
    with pytest.raises(LibraryError, match="the disk is full"):
        list(index_files(LocalStorage(tmp_path / "library"), [film], extractors(), False, lambda *_: None))
    assert not [one for one in threading.enumerate() if one.name.startswith("playhead-pictures")]
