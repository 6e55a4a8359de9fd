"""Grounding: the span that similarities over time point at."""

import gzip
import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from playhead.agent.question.time_expressions import grounding_query
from playhead.index.localization.grounding import Channel, GroundingQuery, SpanPosterior, span_posterior, word_match
from playhead.tools.records import Span

MINUTE = Span(start=0, end=60)


def seconds(window: Span = MINUTE) -> list[Span]:
    return [Span(start=t, end=t + 1) for t in np.arange(window.start, window.end)]


def peaks(*at: tuple[float, float], window: Span = MINUTE) -> Channel:
    """One row a second, alike to the text within some spans."""
    rows = seconds(window)
    return Channel(rows, [0.6 if any(a <= row.start < b for a, b in at) else 0.2 for row in rows])


def best(posterior: SpanPosterior, mode: str = "balanced", **values) -> Span:
    return posterior.best(mode, **values)[0].span


def test_words_count_by_their_rarity_in_the_video() -> None:
    rows = ["A dog runs", "Two dogs jump over a ball", "a dog sleeps", "the ball rolls past the dog"]
    assert word_match("the dogs and the ball", rows) == pytest.approx([0, math.log(5 / 2.5), 0, math.log(5 / 2.5)])
    assert word_match("why is he sleeping with the ball", rows) == pytest.approx(
        [0, math.log(5 / 2.5), math.log(5 / 1.5), math.log(5 / 2.5)]
    )
    assert word_match("?", rows).tolist() == [0, 0, 0, 0]
    assert word_match("dog", []).tolist() == []


def test_without_rows_and_words_every_place_is_alike() -> None:
    posterior = span_posterior(MINUTE, [])
    inside = posterior.inside()
    assert inside == pytest.approx(inside[::-1])
    span = best(posterior)
    assert (span.start + span.end) / 2 == pytest.approx(30, abs=2)
    assert span.duration > 40


@pytest.mark.parametrize("truth", [(0, 6), (20, 29), (52, 60)])
def test_the_span_of_alike_rows_is_found(truth: tuple[float, float]) -> None:
    span = best(span_posterior(MINUTE, [peaks(truth)]))
    assert span.iou(Span(start=truth[0], end=truth[1])) > 0.75
    short = best(span_posterior(MINUTE, [peaks(truth)]), "precise")
    assert 2 <= short.duration < span.duration
    assert short.overlap(Span(start=truth[0], end=truth[1])) == pytest.approx(short.duration)


def test_rows_may_overlap_and_leave_gaps() -> None:
    said = Channel([Span(start=4, end=9), Span(start=6, end=7), Span(start=40, end=52)], [0.3, 0.1, 0.9])
    assert best(span_posterior(MINUTE, [said])).iou(Span(start=40, end=52)) > 0.7


def test_channels_count_equally_in_any_unit() -> None:
    dense, words = peaks((10, 16)), peaks((10, 16), (40, 46))
    expected = span_posterior(MINUTE, [dense, words]).probability
    rescaled = Channel(words.spans, 1000 * np.array(words.scores) - 7)
    assert span_posterior(MINUTE, [rescaled, dense]).probability == pytest.approx(expected)


def test_rows_alike_to_everything_say_nothing() -> None:
    flat = Channel(seconds(), [0.7] * 60)
    assert np.array_equal(span_posterior(MINUTE, [flat]).probability, span_posterior(MINUTE, []).probability)


@pytest.mark.parametrize(("place", "expected"), [(0.05, 5), (0.5, 30), (0.95, 54)])
def test_the_place_decides_between_equals(place: float, expected: float) -> None:
    rows = peaks((2, 8), (27, 33), (51, 57))
    span = best(span_posterior(MINUTE, [rows], GroundingQuery(text="x", place=place)))
    assert (span.start + span.end) / 2 == pytest.approx(expected, abs=2)


@pytest.mark.parametrize(("relation", "expected"), [("after", (44, 50)), ("before", (10, 16))])
def test_the_order_of_clauses_decides_between_equals(relation: str, expected: tuple[float, float]) -> None:
    asked = GroundingQuery(text="x", relation=relation, anchor="y")
    span = best(span_posterior(MINUTE, [peaks((10, 16), (44, 50))], asked, [peaks((28, 32))]))
    assert span.iou(Span(start=expected[0], end=expected[1])) > 0.6
    without = span_posterior(MINUTE, [peaks((10, 16), (44, 50))], asked)
    assert np.array_equal(without.probability, span_posterior(MINUTE, [peaks((10, 16), (44, 50))]).probability)


def test_a_window_is_all_that_is_seen_of_a_video() -> None:
    later = Span(start=3000, end=3060)
    moved = peaks((3020, 3029), window=Span(start=2900, end=3100))
    span = best(span_posterior(later, [moved]))
    here = best(span_posterior(MINUTE, [peaks((20, 29))]))
    assert (span.start - 3000, span.end - 3000) == pytest.approx((here.start, here.end))
    assert best(span_posterior(later, [peaks((3000, 3060), window=later)])).end <= 3060


@settings(max_examples=60)
@given(
    st.floats(0.2, 4000),
    st.lists(st.tuples(st.floats(0, 4000), st.floats(0.1, 500), st.floats(-1e6, 1e6)), max_size=12),
    st.sampled_from(["balanced", "precise"]),
    st.sampled_from([None, 0.0, 0.5, 1.0]),
    st.sampled_from([None, "after", "before"]),
)
def test_mass_is_finite_and_spans_keep_their_promises(
    duration: float, rows: list[tuple[float, float, float]], mode: str, place: float | None, relation: str | None
) -> None:
    window = Span(start=10, end=10 + duration)
    channel = Channel([Span(start=a, end=a + length) for a, length, _ in rows], [score for *_, score in rows])
    asked = GroundingQuery(text="x", place=place, relation=relation, anchor="y" if relation else "")
    posterior = span_posterior(window, [channel], asked, [channel])
    assert np.isfinite(posterior.probability).all()
    assert posterior.probability.min() >= 0
    assert posterior.probability.sum() == pytest.approx(1)
    assert posterior.inside().max() <= 1 + 1e-9
    found = posterior.best(mode, k=4, shortest_seconds=3)
    assert 1 <= len(found) <= 4
    assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)
    for number, one in enumerate(found):
        assert window.start <= one.span.start < one.span.end <= window.end
        assert one.span.duration >= min(3, duration) - 1e-3
        assert all(one.span.overlap(other.span) < 1e-6 for other in found[:number])


def test_the_expected_scores_are_those_of_spans() -> None:
    posterior = span_posterior(MINUTE, [peaks((12, 20))], GroundingQuery(text="x", place=0.3))
    first, last = np.triu_indices(48)
    spans = [Span(start=a * 1.25, end=(b + 1) * 1.25) for a, b in zip(first, last, strict=True)]
    for mode, gain in (("balanced", Span.iou), ("precise", lambda one, true: one.overlap(true) / one.duration)):
        chosen = posterior.best(mode, shortest_seconds=5)[0]
        expected = sum(p * gain(chosen.span, true) for p, true in zip(posterior.probability, spans, strict=True))
        assert chosen.score == pytest.approx(expected)
        for other in spans[::97]:
            if other.duration >= 5:
                worth = sum(p * gain(other, true) for p, true in zip(posterior.probability, spans, strict=True))
                assert worth <= expected + 1e-9


@pytest.mark.parametrize("scores", [[0.1], [0.1, math.nan], [[0.1, 0.2]], [0.1, math.inf]])
def test_a_broken_channel_is_an_error(scores: Sequence) -> None:
    with pytest.raises(ValueError, match="a channel of 2 rows needs the same number of finite scores"):
        span_posterior(MINUTE, [Channel(seconds()[:2], scores)])


def test_words_alone_ground_real_questions(real_data: Callable[[str], Path]) -> None:
    with gzip.open(real_data("nextgqa/captions.jsonl.gz"), "rt", encoding="utf-8") as lines:
        videos = {video["video_id"]: video for video in map(json.loads, lines)}
    with real_data("nextgqa/questions.jsonl").open(encoding="utf-8") as lines:
        questions = [json.loads(line) for line in lines][::24]
    ious, whole, inside = [], [], []
    for question in questions:
        video, truth = videos[question["video_id"]], [Span(start=a, end=b) for a, b in question["spans"]]
        window, asked = Span(start=0, end=video["duration"]), grounding_query(question["question"])
        times, captions = zip(*video["captions"], strict=True)
        rows = [Span(start=t, end=t + 1) for t in times]
        channels = [Channel(rows, word_match(asked.text, captions))]
        anchors = [Channel(rows, word_match(asked.anchor, captions))]
        posterior = span_posterior(window, channels, asked, anchors)
        ious.append(max(best(posterior).iou(true) for true in truth))
        whole.append(max(window.iou(true) for true in truth))
        short = best(posterior, "precise")
        inside.append(max(short.overlap(true) / short.duration for true in truth))
    assert np.mean(ious) > np.mean(whole) + 0.05
    assert np.mean(inside) > 0.35
