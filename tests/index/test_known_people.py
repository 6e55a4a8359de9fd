"""Speakers of a library: the same voice in several videos, names, and who speaks in an evidence."""

import json

import numpy as np
import pytest

from playhead.agent.records import Citation
from playhead.index.people.known import KnownPeople
from playhead.index.records import StageReport
from playhead.index.storage.local import LocalStorage
from playhead.tools.errors import LibraryError, QueryError
from playhead.tools.extractors.registry import stage_names

from ..fakes import commit, observation

A, B = "aa" * 16, "bb" * 16
ADA, BOB, EVE = (tuple(row) for row in np.eye(8)[:3].tolist())


def turn(label, start, end, vector=()):
    return observation(label, start, end, modality="speaker", source="voices@1", vector=vector)


def keep(store, video_id, *observations):
    stages = tuple(StageReport(modality=name, state="done") for name in stage_names())
    commit(store, observations, video_id=video_id, stages=stages)


@pytest.fixture
def store(tmp_path):
    """Ada and Bob speak in the first video; Eve, and Ada under another label, in the second."""
    store = LocalStorage(tmp_path / "library")
    store.create()
    keep(
        store, A,
        observation("the budget grew", 1, 5), observation("who says so", 6, 8), observation("both at once", 9, 13),
        turn("Speaker 1", 0, 5.5, ADA), turn("Speaker 2", 5.8, 8.5, BOB), turn("Speaker 1", 8.6, 9.2),
    )  # fmt: skip
    keep(store, B, turn("Speaker 1", 0, 30, EVE), turn("Speaker 2", 31, 40, ADA))
    return store


def listed(voices):
    return [
        (one.number, one.title, round(one.seconds, 1), [(w.video_id, w.label) for w in one.videos])
        for one in voices.people()
    ]


def test_the_same_voice_in_two_videos_is_one_speaker(store):
    assert listed(KnownPeople(store)) == [
        (1, "Speaker 1", 30, [(B, "Speaker 1")]),
        (2, "Speaker 2", 15.1, [(B, "Speaker 2"), (A, "Speaker 1")]),
        (3, "Speaker 3", 2.7, [(A, "Speaker 2")]),
    ]


def test_a_name_holds_in_all_videos_and_those_to_come(store):
    voices = KnownPeople(store)
    named = voices.name(2, "Ada")
    assert (named.title, len(named.videos)) == ("Ada", 2)
    keep(store, "cc" * 16, turn("Speaker 1", 0, 4, tuple(0.9 * x + 0.3 * y for x, y in zip(ADA, EVE, strict=True))))
    assert len(KnownPeople(store).find("ada").videos) == 3
    voices.name(2, "Ada L.")
    assert [one.name for one in KnownPeople(store).people() if one.name] == ["Ada L."]


def test_forgetting_deletes_the_name_and_the_voice(store):
    voices = KnownPeople(store)
    voices.name(2, "Ada")
    assert "Ada" in (store.folder / "speakers.json").read_text()
    voices.forget("ADA")
    assert json.loads((store.folder / "speakers.json").read_text()) == {"voices": []}
    # Without vectors the voice is no longer the same in both videos.
    assert [one.title for one in voices.people()] == ["Speaker 1", "Speaker 2", "Speaker 3", "Speaker 4"]
    kept = [o.vector for video in (A, B) for o in store.table(store.record(video)).of("speaker") if o.vector]
    assert sorted(kept) == sorted([BOB, EVE])
    with pytest.raises(QueryError, match="nobody is named 'Ada'"):
        voices.forget("Ada")


def test_who_speaks_in_an_evidence(store):
    from playhead.index.retrieval.search import Search
    from playhead.tools.settings import Settings

    voices = KnownPeople(store)
    voices.name(2, "Ada")
    rows = voices.attributed(Search(store, Settings()).of_video(A, ["speech"]))
    assert [(row.text, row.speaker) for row in rows] == [
        ("the budget grew", "Ada"),
        ("who says so", "Speaker 3"),
        ("both at once", ""),
    ]


@pytest.mark.parametrize(
    ("number", "name", "why"), [(4, "Ada", "no speaker 4: there are 3"), (1, " \n", "the name is empty")]
)
def test_names_that_cannot_be_given(store, number, name, why):
    with pytest.raises(QueryError, match=why):
        KnownPeople(store).name(number, name)


def test_a_damaged_file_of_names_is_reported(store):
    (store.folder / "speakers.json").write_text('{"voices": [{}]}')
    with pytest.raises(LibraryError, match="damaged"):
        KnownPeople(store).people()


def test_a_library_without_speakers(tmp_path):
    store = LocalStorage(tmp_path / "library")
    store.create()
    keep(store, A, observation("hello"))
    assert KnownPeople(store).people() == ()
    with pytest.raises(QueryError, match="no speakers are indexed"):
        KnownPeople(store).find("Ada")


def test_where_two_speak_at_once_for_half_of_a_sentence_no_speaker_is_given(tmp_path):
    from playhead.index.retrieval.search import Search
    from playhead.tools.settings import Settings

    store = LocalStorage(tmp_path / "library")
    store.create()
    keep(
        store, A, turn("Speaker 1", 0, 20, ADA),
        observation("yes we can", 0, 4), observation("and then", 5, 9), observation("it rains", 10, 14),
        observation("overlapping speech", 0.5, 3, modality="overlap"),
        observation("overlapping speech", 8.25, 11, modality="overlap"),
    )  # fmt: skip
    rows = KnownPeople(store).attributed(Search(store, Settings()).of_video(A, ["speech"]))
    assert [(row.text, row.speaker, row.overlap_seconds) for row in rows] == [
        ("yes we can", "", 2.5),
        ("and then", "Speaker 1", 0.75),
        ("it rains", "Speaker 1", 1.0),
    ]
    assert Citation.of(rows[1]).place.endswith("said by Speaker 1 (two at once for 0.8 s)")


def test_overlaps_are_marked_without_speakers(tmp_path):
    from playhead.index.retrieval.search import Search
    from playhead.tools.settings import Settings

    store = LocalStorage(tmp_path / "library")
    store.create()
    keep(store, A, observation("yes", 0, 4), observation("overlapping speech", 3, 5, modality="overlap"))
    search = Search(store, Settings())
    assert [row.overlap_seconds for row in search.attributed(search.of_video(A, ["speech"]))] == [1.0]
