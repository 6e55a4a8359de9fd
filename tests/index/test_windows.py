"""Indexing of a stretch of a video: what is extracted, where it is in time, and what later runs add."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from playhead import Library
from playhead.index.indexing.build import index_files
from playhead.index.indexing.extractor_set import Extractors
from playhead.index.storage.local import LocalStorage
from playhead.index.windows import windows_to_index
from playhead.tools.errors import QueryError
from playhead.tools.media.audio import RATE, audio_blocks, whole_track
from playhead.tools.media.streams import probe
from playhead.tools.records import Span

from ..fakes import calls, extractors, record
from ..media import beep, write_media


def span(start: float, end: float) -> Span:
    return Span(start=start, end=end)


@pytest.fixture(scope="session")
def long_film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten pictures of a second each; keyframes at 0, 4 and 8 s; a tone at 6.5 s."""
    folder = tmp_path_factory.mktemp("long")
    return write_media(folder / "film.mp4", range(10), sound=beep(6.5, 10.0), options={"g": "4", "bf": "0"})


@pytest.fixture
def store(tmp_path: Path, long_film: Path) -> LocalStorage:
    shutil.copy(long_film, tmp_path / "film.mp4")
    return LocalStorage(tmp_path / ".playhead")


def index(store: LocalStorage, window: Span | None, *, force: bool = False, gear: Extractors | None = None) -> str:
    gear = gear or extractors()
    (outcome,) = index_files(store, [store.folder.parent], gear, force, lambda *_: None, window=window)
    return outcome.detail if outcome.state == "failed" else outcome.state


def read(store: LocalStorage) -> list[tuple[str, float, float]]:
    """The numbers that were read, with their times."""
    (found,) = store.read().values()
    rows = (one for one in store.table(found).observations if one.modality == "text")
    return [(one.text, one.span.start, round(one.span.end, 2)) for one in rows]


def windows(store: LocalStorage) -> list[tuple[float, float]]:
    (found,) = store.read().values()
    return [(one.start, one.end) for one in found.info.windows]


WINDOW = [("number 3", 3.5, 4), ("number 4", 4, 5), ("number 5", 5, 6), ("number 6", 6, 6.2)]


def test_a_window_is_indexed_at_the_times_of_the_video(store):
    assert index(store, span(3.5, 6.2)) == "indexed"
    assert read(store) == WINDOW
    assert windows(store) == [(3.5, 6.2)]
    (found,) = store.read().values()
    assert found.duration == pytest.approx(10, abs=0.1)
    assert found.notes == ()
    assert index(store, span(3.5, 6.2)) == index(store, span(4, 5)) == "unchanged"


def test_windows_add_up_and_the_whole_follows(store):
    index(store, span(3.5, 6.2))
    assert index(store, span(8, 20)) == "indexed"
    last = pytest.approx(10, abs=0.1)
    assert read(store) == [*WINDOW, ("number 8", 8, 9), ("number 9", 9, last)]
    assert windows(store) == [(3.5, 6.2), (8, last)]
    (before,) = store.read().values()
    assert index(store, None) == "indexed"
    assert [number for number, _, _ in read(store)] == [f"number {n}" for n in range(10)]
    assert windows(store) == []
    (after,) = store.read().values()
    assert after.stage("text").fingerprint != before.stage("text").fingerprint
    assert index(store, span(1, 2)) == "unchanged"  # the whole holds it
    assert index(store, span(1, 2), force=True) == "indexed"
    assert read(store) == [("number 1", 1, 2)]


def tables(store: LocalStorage) -> list:
    (found,) = store.read().values()
    table = store.table(found)
    return [table.observations, table.text_vectors.tolist(), table.image_vectors.tolist()]


# The window of 3.5 to 6.2 s has four pictures, each window before or after it two: one batch for each.
@pytest.mark.parametrize("added", [span(8, 20), span(0, 2)], ids=["after", "before"])
def test_a_window_is_added_without_extracting_the_first_again(store, added):
    first, second = extractors(), extractors()
    index(store, span(3.5, 6.2), gear=first)
    index(store, added, gear=second)
    assert calls(first) == {"speaker": 1, "reader": 1, "detector": 1, "encoder": 1, "captions": 1}
    assert calls(second) == calls(first)
    together = tables(store)
    for left in (store.folder / "staging").iterdir():  # without results of earlier runs, both are extracted
        shutil.rmtree(left)
    (found,) = store.read().values()
    store.remove(found.video_id)
    third = extractors()
    index(store, span(3.5, 6.2))
    for left in (store.folder / "staging").iterdir():
        shutil.rmtree(left)
    index(store, added, gear=third)
    assert calls(third)["reader"] == 2
    assert tables(store) == together


def test_results_that_were_forced_replace_the_earlier_ones(store):
    gear = [extractors() for _ in range(3)]
    for number, one in enumerate(gear):  # models of the same name that hear something else
        one.by_modality["speech"].words = f"words {number}"
    index(store, span(0, 2), gear=gear[0])
    index(store, span(0, 2), gear=gear[1], force=True)
    index(store, span(8, 20), gear=gear[2])
    (found,) = store.read().values()
    assert [one.text for one in store.table(found).of("speech")] == ["words 1"]


def test_when_the_whole_is_indexed_no_results_stay(store):
    index(store, span(3.5, 6.2))
    assert len(list((store.folder / "staging").iterdir())) == 1
    index(store, None)
    assert list((store.folder / "staging").iterdir()) == []


def test_a_window_after_the_end_fails_alone(store, long_film):
    assert (
        index(store, span(60, 70))
        == "film.mp4 ends at 00:00:10.0, before the window [00:01:00–00:01:10]: choose another"
    )


def test_earlier_windows_are_joined():
    info = record().info  # of a minute
    known = record().model_copy(update={"info": info.model_copy(update={"windows": (span(10, 20),)})})
    assert windows_to_index(None, info, known) == ()
    assert windows_to_index(span(30, 90), info, None) == (span(30, 60),)
    assert windows_to_index(span(15, 30), info, known) == (span(10, 30),)
    assert windows_to_index(span(20.5, 30), info, known) == (span(10, 30),)
    assert windows_to_index(span(40, 50), info, known) == (span(10, 20), span(40, 50))
    assert windows_to_index(span(0, 60), info, known) == ()
    assert windows_to_index(span(15, 30), info, known, force=True) == (span(15, 30),)
    assert windows_to_index(span(15, 30), info, record()) == ()
    with pytest.raises(QueryError, match=r"ends at 00:01:00\.0, before the window"):
        windows_to_index(span(60, 70), info, None)


@pytest.mark.parametrize(("codec", "ending"), [("pcm_s16le", "mkv"), ("aac", "mp4"), ("aac", "ts")])
def test_the_sound_of_a_window_is_that_of_the_whole(codec, ending, tmp_path):
    """Up to a millisecond: timestamps are rounded to it in some containers."""
    rng = np.random.default_rng(0)
    noise = np.convolve(rng.standard_normal(12 * 48_000), np.ones(48) / 48, "same").astype(np.float32)  # below 1 kHz
    info = probe(write_media(tmp_path / f"noise.{ending}", range(12), sound=noise, sound_codec=codec))
    whole = whole_track(info)
    part = info.model_copy(update={"windows": (span(2.5, 4.25), span(9, 10))})
    (first, second) = audio_blocks(part)
    for block, start, end in ((first, 2.5, 4.25), (second, 9, 10)):
        assert block.start == start
        wanted = whole[round(start * RATE) : round(end * RATE)]
        assert block.samples.shape == wanted.shape
        lags = range(-RATE // 1000, RATE // 1000 + 1)
        assert max(np.corrcoef(np.roll(block.samples, lag), wanted)[0, 1] for lag in lags) > 0.95


def test_subtitles_of_a_window_only(tmp_path, write_talk, no_models):
    write_talk(tmp_path / "talk.mp4", [(0.5, 1.5, "Before it."), (2.0, 3.0, "Inside it."), (4.0, 4.5, "After it.")])
    library = Library(tmp_path)
    library.index(tmp_path, window=(1.8, 3.5))
    (video,) = library.videos()
    _, rows = library.observed(video.video_id)
    assert [row.text for row in rows if row.text] == ["Inside it."]
    assert [(one.start, one.end) for one in library.chapters(video.video_id)] == [(1.8, 3.5)]
    refused = library.ask("What is said before it about penguins?")
    assert "Indexed in part only: talk.mp4 (00:00:01–00:00:04)." in refused.text
