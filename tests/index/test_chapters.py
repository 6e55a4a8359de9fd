"""Chapters: borders are where the subject changes, at starts of observations; scenes: where the picture changes."""

from itertools import accumulate, pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from playhead import Library
from playhead.index.localization.chapters import (
    MOST_CHAPTERS,
    SHORTEST_SCENE_SECONDS,
    SHORTEST_SECONDS,
    Chapter,
    EmbeddedSeries,
    chapters,
    scene_tree,
)
from playhead.tools.embedding.protocol import unit
from playhead.tools.records import Span

WHOLE = Span(start=0, end=600)


def talk(subjects: list[int], seconds: float = 5.0, seed: int = 0, noise: float = 0.3) -> EmbeddedSeries:
    """Sentences of equal length; each is about a numbered subject, put in its own words."""
    rng = np.random.default_rng(seed)
    directions = np.eye(64)
    vectors = np.stack([directions[subject] + noise * rng.normal(size=64) / 8 for subject in subjects])
    spans = [Span(start=n * seconds, end=(n + 1) * seconds) for n in range(len(subjects))]
    return EmbeddedSeries(spans, unit(vectors))


def starts(spans: list[Span]) -> list[float]:
    return [span.start for span in spans]


def test_a_border_is_where_the_subject_changes():
    one = talk([0] * 40 + [1] * 50 + [2] * 30)
    found = chapters(WHOLE, [one], [span.start for span in one.spans])
    assert starts(found) == [0, 200, 450]
    assert found[-1].end == 600


def test_a_word_on_something_else_is_no_chapter():
    one = talk([0] * 60 + [1] + [0] * 59)
    assert chapters(WHOLE, [one], [span.start for span in one.spans]) == [WHOLE]


def test_two_series_agree_on_a_border():
    said, shown = talk([0] * 60 + [1] * 60, noise=3.0), talk([0] * 60 + [1] * 60, seed=1, noise=3.0)
    found = chapters(WHOLE, [said, shown], [span.start for span in said.spans])
    assert any(abs(start - 300) <= 20 for start in starts(found))


def test_a_border_is_moved_to_the_start_of_an_observation():
    one = talk([0] * 60 + [1] * 60)
    assert starts(chapters(WHOLE, [one], [303.25])) == [0, 303.25]
    assert starts(chapters(WHOLE, [one], [400.0]))[1] == pytest.approx(300, abs=2)


def test_a_jingle_near_a_border_is_the_border():
    one = talk([0] * 60 + [1] * 60)
    sentences = [span.start for span in one.spans]
    assert starts(chapters(WHOLE, [one], sentences, (), [308.0])) == [0, 308]
    assert starts(chapters(WHOLE, [one], sentences, [302.0], [308.0])) == [0, 308]
    assert starts(chapters(WHOLE, [one], sentences, (), [150.0, 330.0])) == [0, 300]


@pytest.mark.parametrize("series", [[], [talk([0])]])
def test_nothing_to_compare_is_one_chapter(series):
    assert chapters(WHOLE, series) == [WHOLE]


def test_a_short_video_is_one_chapter():
    assert chapters(Span(start=0, end=30), [talk([0] * 3 + [1] * 3)]) == [Span(start=0, end=30)]


def test_a_vector_is_wanted_for_each_row():
    one = EmbeddedSeries([Span(start=0, end=1), Span(start=1, end=2)], np.zeros((3, 4), np.float32))
    with pytest.raises(ValueError, match=r"2 vectors expected, got an array of shape \(3, 4\)"):
        chapters(WHOLE, [one])


@settings(max_examples=60)
@given(
    st.lists(st.integers(0, 9), min_size=2, max_size=200),
    st.floats(1, 60),
    st.lists(st.floats(0, 5000), max_size=20),
    st.integers(0, 3),
)
def test_chapters_cover_the_stretch_in_order(subjects, seconds, edges, seed):
    one = talk(subjects, seconds, seed)
    whole = Span(start=0, end=len(subjects) * seconds)
    found = chapters(whole, [one], edges)
    assert (found[0].start, found[-1].end) == (whole.start, whole.end)
    assert all(before.end == after.start for before, after in pairwise(found))
    assert len(found) <= MOST_CHAPTERS
    assert len(found) == 1 or min(span.duration for span in found) >= SHORTEST_SECONDS - 1e-6


def shown(pictures: list[tuple[int, float]], noise: float = 0.0, seed: int = 0) -> EmbeddedSeries:
    """Segments one after the other: what each shows (a numbered thing), and for how long."""
    ends = list(accumulate(seconds for _, seconds in pictures))
    spans = [Span(start=end - seconds, end=end) for end, (_, seconds) in zip(ends, pictures, strict=True)]
    rng = np.random.default_rng(seed)
    return EmbeddedSeries(
        spans, unit(np.stack([np.eye(64)[what] + noise * rng.normal(size=64) / 8 for what, _ in pictures]))
    )


def scene_starts(one: EmbeddedSeries) -> list[float]:
    """Where the scenes begin, of a stretch in which only pictures are known, and which is too short for chapters."""
    whole = Span(start=0, end=one.spans[-1].end)
    (chapter,) = scene_tree(whole, [], (), one)
    assert chapter.span == whole
    return starts(list(chapter.scenes))


@pytest.mark.parametrize(
    ("pictures", "expected"),
    [
        ([(0, 9.0), (1, 10.0), (2, 8.5)], [0, 9, 19]),
        ([(0, 9.0), (0, 6.0), (0, 8.0), (1, 10.0)], [0, 23]),  # three slides alike, then a photograph
        ([(0, 2.0)] * 8 + [(1, 2.0)] * 6, [0, 16]),  # film: a segment every two seconds
        ([(0, 3.0), (1, 3.0)] * 6 + [(2, 12.0)], [0, 36]),  # two faces in turn are one scene
        ([(0, 12.0), (1, 0.5), (0, 12.0)], [0]),  # a flash is not a start
        ([(0, 3.0), (1, 20.0), (2, 3.0)], [0, 3, 23]),  # short ones at the ends are
        ([(0, 30.0)], [0]),
    ],
)
def test_a_scene_begins_where_the_picture_turns_to_something_else(pictures, expected):
    assert scene_starts(shown(pictures)) == pytest.approx(expected)


def test_the_threshold_of_difference_depends_on_the_video():
    """An encoder that finds all pictures alike (cosine 0.8 of strangers) gives the same scenes."""
    one = shown([(0, 8.0), (1, 9.0), (1, 7.0), (2, 10.0)], noise=0.1)
    common = np.eye(64)[63] * 2
    near = EmbeddedSeries(one.spans, unit(one.vectors + common))
    assert float(near.vectors[0] @ near.vectors[1]) == pytest.approx(0.8, abs=0.02)
    assert scene_starts(one) == scene_starts(near) == [0, 8, 24]


def test_noise_is_no_turn():
    assert scene_starts(shown([(0, 4.0)] * 40, noise=0.3)) == [0]


def test_what_was_not_embedded_is_passed_over():
    one = shown([(0, 9.0), (1, 2.0), (0, 9.0)])
    one.vectors[1] = 0
    assert scene_starts(one) == [0]
    one.vectors[:] = 0
    assert scene_starts(one) == [0]


def test_a_vector_is_wanted_for_each_picture():
    with pytest.raises(ValueError, match=r"1 vectors expected, got an array of shape \(2, 4\)"):
        scene_tree(WHOLE, [], (), EmbeddedSeries([WHOLE], np.zeros((2, 4), np.float32)))


def test_a_border_of_chapters_near_a_turn_of_the_picture_is_that_turn():
    said = talk([0] * 60 + [1] * 60)
    near = shown([(0, 304.5), (1, 295.5)])
    assert scene_tree(WHOLE, [said], starts(said.spans), near) == [
        Chapter(Span(start=0, end=304.5), (Span(start=0, end=304.5),)),
        Chapter(Span(start=304.5, end=600), (Span(start=304.5, end=600),)),
    ]
    far = shown([(0, 340.0), (1, 260.0)])
    assert scene_tree(WHOLE, [said], starts(said.spans), far) == [
        Chapter(Span(start=0, end=300), (Span(start=0, end=300),)),
        Chapter(Span(start=300, end=600), (Span(start=300, end=340), Span(start=340, end=600))),
    ]


def test_without_pictures_each_chapter_is_one_scene():
    one = talk([0] * 40 + [1] * 50 + [2] * 30)
    found = scene_tree(WHOLE, [one], starts(one.spans))
    assert [chapter.span for chapter in found] == chapters(WHOLE, [one], starts(one.spans))
    assert all(chapter.scenes == (chapter.span,) for chapter in found)


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.integers(0, 5), st.floats(0.1, 40)), min_size=1, max_size=60),
    st.lists(st.integers(0, 9), max_size=100),
    st.floats(0, 1),
    st.floats(0, 200),
    st.integers(0, 3),
)
def test_scenes_cover_their_chapter_and_begin_where_a_picture_does(pictures, subjects, noise, start, seed):
    one = shown(pictures, noise, seed)
    series = [one, talk(subjects, 6.0, seed)] if subjects else [one]
    edges = [span.start for one in series for span in one.spans]
    whole = Span(start=start, end=max(one.spans[-1].end, start + 1))
    found = scene_tree(whole, series, edges, one)
    assert [chapter.span.start for chapter in found] == [start, *(chapter.span.end for chapter in found[:-1])]
    assert found[-1].span.end == whole.end
    begins = {span.start for span in one.spans}
    for chapter in found:
        assert (chapter.scenes[0].start, chapter.scenes[-1].end) == (chapter.span.start, chapter.span.end)
        assert all(before.end == after.start for before, after in pairwise(chapter.scenes))
        assert {scene.start for scene in chapter.scenes[1:]} <= begins
        assert len(chapter.scenes) == 1 or min(s.duration for s in chapter.scenes) >= SHORTEST_SCENE_SECONDS - 1e-6
    assert scene_tree(whole, series, edges, one) == found


def test_the_scenes_of_the_sample_are_its_slides_and_photographs(talk_library: Library, truth):
    """Cover and budget slide look alike to the encoder; all other pictures of the sample do not."""
    turns = [one["start"] for kind in ("written", "shown") for one in truth[kind] if one["start"] > 9]
    chapters_found = talk_library.chapters("talk.mp4")
    begins = [scene.start for chapter in chapters_found for scene in chapter.scenes]
    assert begins == pytest.approx([0, *sorted(turns)], abs=0.1)
