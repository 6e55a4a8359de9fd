"""Chapters: borders lie where the subject changes, on edges that were perceived, and the chapters cover the stretch."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from playhead.index.chapters import MOST_CHAPTERS, SHORTEST_SECONDS, Strand, chapters
from playhead.tools.embed import unit
from playhead.tools.records import Span

WHOLE = Span(start=0, end=600)


def talk(subjects: list[int], seconds: float = 5.0, seed: int = 0, noise: float = 0.3) -> Strand:
    """Sentences of equal length; each is about a numbered subject, put in its own words."""
    rng = np.random.default_rng(seed)
    directions = np.eye(64)
    vectors = np.stack([directions[subject] + noise * rng.normal(size=64) / 8 for subject in subjects])
    spans = [Span(start=n * seconds, end=(n + 1) * seconds) for n in range(len(subjects))]
    return Strand(spans, unit(vectors))


def starts(spans: list[Span]) -> list[float]:
    return [span.start for span in spans]


def test_a_border_lies_where_the_subject_changes():
    strand = talk([0] * 40 + [1] * 50 + [2] * 30)
    found = chapters(WHOLE, [strand], [span.start for span in strand.spans])
    assert starts(found) == [0, 200, 450]
    assert found[-1].end == 600


def test_a_word_on_something_else_is_no_chapter():
    strand = talk([0] * 60 + [1] + [0] * 59)
    assert chapters(WHOLE, [strand], [span.start for span in strand.spans]) == [WHOLE]


def test_two_strands_agree_on_a_border():
    said, shown = talk([0] * 60 + [1] * 60, noise=3.0), talk([0] * 60 + [1] * 60, seed=1, noise=3.0)
    found = chapters(WHOLE, [said, shown], [span.start for span in said.spans])
    assert any(abs(start - 300) <= 20 for start in starts(found))


def test_a_border_is_moved_to_what_was_perceived():
    strand = talk([0] * 60 + [1] * 60)
    assert starts(chapters(WHOLE, [strand], [303.25])) == [0, 303.25]
    assert starts(chapters(WHOLE, [strand], [400.0]))[1] == pytest.approx(300, abs=2)


@pytest.mark.parametrize("strands", [[], [talk([0])]])
def test_nothing_to_compare_is_one_chapter(strands):
    assert chapters(WHOLE, strands) == [WHOLE]


def test_a_short_video_is_one_chapter():
    assert chapters(Span(start=0, end=30), [talk([0] * 3 + [1] * 3)]) == [Span(start=0, end=30)]


def test_a_vector_is_wanted_for_each_row():
    strand = Strand([Span(start=0, end=1), Span(start=1, end=2)], np.zeros((3, 4), np.float32))
    with pytest.raises(ValueError, match=r"2 vectors expected, got an array of shape \(3, 4\)"):
        chapters(WHOLE, [strand])


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.integers(0, 9), min_size=2, max_size=200),
    st.floats(1, 60),
    st.lists(st.floats(0, 5000), max_size=20),
    st.integers(0, 3),
)
def test_chapters_cover_the_stretch_in_order(subjects, seconds, edges, seed):
    strand = talk(subjects, seconds, seed)
    whole = Span(start=0, end=len(subjects) * seconds)
    found = chapters(whole, [strand], edges)
    assert (found[0].start, found[-1].end) == (whole.start, whole.end)
    assert all(before.end == after.start for before, after in pairwise(found))
    assert len(found) <= MOST_CHAPTERS
    assert len(found) == 1 or min(span.duration for span in found) >= SHORTEST_SECONDS - 1e-6
