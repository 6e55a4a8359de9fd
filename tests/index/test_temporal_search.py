"""Temporal search on synthetic videos: what it may spend, what it believes, and how soon it finds."""

import itertools
import math
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from playhead.index.localization.temporal_search import Goal, Prior, Searched, Timeline, posteriors, search
from playhead.index.localization.two_state_chain import Chain, log_odds
from playhead.tools.records import Span


def goal(kind: str = "needle", **values) -> Goal:
    return Goal(**{"kind": kind, "targets": ("a red cup",), **values})


def seen(*spans: tuple[float, float], score: float = 0.95, else_: float = 0.02) -> Callable[[Sequence[float]], list]:
    """A look at one target that is there in some spans."""
    return lambda seconds: [[score if any(a <= s < b for a, b in spans) else else_] for s in seconds]


def prior(start: float, end: float, weight: float = 0.4, target: int = 0) -> Prior:
    return Prior(target=target, span=Span(start=start, end=end), weight=weight)


videos = st.builds(
    Timeline.even,
    st.floats(0.5, 300),
    st.lists(st.floats(0, 300), max_size=12),
    st.floats(0.5, 10),
)
priors = st.lists(
    st.builds(
        lambda target, start, length, weight: prior(start, start + length, weight, target),
        st.integers(0, 1),
        st.floats(0, 300),
        st.floats(0.1, 50),
        st.floats(0, 1),
    ),
    max_size=8,
)
kinds = st.sampled_from(["needle", "order", "compare", "count", "first", "last"])


def guesses(seed: int) -> Callable[[Sequence[float]], np.ndarray]:
    """A look at two targets that says anything, but always the same of the same second."""

    def look(seconds: Sequence[float]) -> np.ndarray:
        return np.array([np.random.default_rng([seed, int(1000 * s)]).random(2) ** 3 for s in seconds])

    return look


def test_bins_never_reach_over_a_cut() -> None:
    timeline = Timeline.even(10.0, cuts=[7.0, 3.0, 12.0, 0.0, 3.0], bin_seconds=2.0)
    assert [(span.start, span.end) for span in timeline.bins] == [
        (0, 1.5),
        (1.5, 3),
        (3, 5),
        (5, 7),
        (7, 8.5),
        (8.5, 10),
    ]
    assert timeline.scenes == (0, 0, 1, 1, 2, 2)
    assert timeline.seconds == (0.75, 2.25, 4, 6, 7.75, 9.25)
    assert len(Timeline.even(300.0, cuts=[299.99999999999994, 1e-12], bin_seconds=300).bins) == 1


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.floats(0.1, 9), st.booleans(), st.floats(-4, 6)), min_size=1, max_size=7),
    st.floats(0.01, 0.5),
    st.floats(0.5, 20),
)
def test_posteriors_are_those_of_all_histories(
    bins: list[tuple[float, bool, float]], base: float, stays: float
) -> None:
    seconds = np.cumsum([gap for gap, *_ in bins])
    scenes = np.cumsum([cut for _, cut, _ in bins])
    evidence = np.array([one for *_, one in bins])
    chances = []
    histories = list(itertools.product((0, 1), repeat=len(bins)))
    for history in histories:
        chance = 1.0
        for b, there in enumerate(history):
            same = b > 0 and scenes[b] == scenes[b - 1]
            fade = math.exp(-(seconds[b] - seconds[b - 1]) / (stays * (1 - base))) if same else 0.0
            enters = base + ((history[b - 1] if b else 0) - base) * fade
            chance *= (enters if there else 1 - enters) * math.exp(evidence[b] * there)
        chances.append(chance)
    expected = np.array(chances) @ np.array(histories) / sum(chances)
    assert Chain(seconds.tolist(), scenes.tolist(), base, stays).posteriors(evidence) == pytest.approx(expected)
    lone = Chain([0.0], [0], base, stays).posteriors(np.array([2.0]))
    assert log_odds(lone) == pytest.approx(log_odds(base) + 2)


@pytest.mark.parametrize(
    ("bins", "scenes", "seconds", "said"),
    [
        ([], [], [], "at least one"),
        ([(0, 1), (1, 2)], [0], [0.5, 1.5], "2 bins, 1 scenes"),
        ([(0, 2), (1, 3)], [0, 0], [0.5, 1.5], "must not overlap"),
        ([(0, 2)], [0], [2.0], "second 2.0"),
    ],
)
def test_a_broken_timeline_says_what_is_wrong(bins: list, scenes: list, seconds: list, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Timeline(tuple(Span(start=a, end=b) for a, b in bins), tuple(scenes), tuple(seconds))
    with pytest.raises(ValueError, match="duration=-1"):
        Timeline.even(-1)


@settings(max_examples=150)
@given(
    timeline=videos,
    hints=priors,
    kind=kinds,
    frames=st.integers(1, 40),
    batch=st.integers(1, 7),
    seed=st.integers(0, 99),
)
def test_budget_mass_and_reproducibility(
    timeline: Timeline, hints: list[Prior], kind: str, frames: int, batch: int, seed: int
) -> None:
    wanted = goal(kind, targets=("cup", "hand"), frames=frames, frames_a_round=batch, seed=seed)
    asked: list[list[float]] = []

    def look(seconds: Sequence[float]) -> np.ndarray:
        asked.append(list(seconds))
        return guesses(seed)(seconds)

    found = search(timeline, hints, look, wanted)
    flat = [second for seconds in asked for second in seconds]
    assert tuple(flat) == found.looked
    assert len(set(flat)) == len(flat) <= frames  # never twice, never too many
    assert set(flat) <= set(timeline.seconds)
    assert all(1 <= len(seconds) <= batch for seconds in asked)
    assert found.rounds == len(asked)
    assert np.array_equal(found.scores, guesses(seed)(flat).reshape(-1, 2))
    assert found.posterior.shape == (2, len(timeline.bins))
    assert np.isfinite(found.posterior).all()
    assert (found.posterior > 0).all()
    assert found.posterior.sum(axis=1) == pytest.approx([1, 1])
    if found.stopped == "frames":
        assert len(flat) == frames
    for moment in found.moments:
        assert timeline.bins[0].start <= moment.span.start < moment.span.end <= timeline.bins[-1].end
        scores = [found.scores[flat.index(second), moment.target] for second in moment.looked]
        assert moment.sure == any(score >= wanted.sure for score in scores)
    again = search(timeline, hints, guesses(seed), wanted)
    assert (again.looked, again.moments, again.stopped) == (found.looked, found.moments, found.stopped)
    assert np.array_equal(again.posterior, found.posterior)


@settings(max_examples=60)
@given(timeline=videos, hints=priors, truth=st.floats(0, 299), seed=st.integers(0, 9))
def test_a_certain_look_outweighs_every_prior(timeline: Timeline, hints: list[Prior], truth: float, seed: int) -> None:
    spans = [span for span in timeline.bins if span.start <= truth < span.end]
    there = seen(*[(span.start, span.end) for span in spans])
    single = [Prior(target=0, span=hint.span, weight=hint.weight) for hint in hints]
    found = search(timeline, single, there, goal(frames=10_000, seed=seed))
    if spans:
        assert found.stopped == "found"
        assert found.moments[0].sure
        assert found.moments[0].span.overlap(spans[0]) > 0
    else:
        assert found.stopped == "covered"
        assert sorted(found.looked) == list(timeline.seconds)
        assert not any(moment.sure for moment in found.moments)


def test_evidence_does_not_leak_over_a_cut() -> None:
    timeline = Timeline.even(60.0, cuts=[30.0], bin_seconds=2.0)
    flat = posteriors(timeline, [], goal())
    hinted = posteriors(timeline, [prior(26, 30, 0.8)], goal())
    assert np.array_equal(hinted[0, 15:], flat[0, 15:])
    assert hinted[0, 14] > hinted[0, 10] > hinted[0, 0] > flat[0, 0]
    before = search(timeline, [prior(28, 30, 0.8)], seen((28, 30)), goal(frames=1))
    assert before.looked == (29.0,)
    [moment] = before.moments
    assert (moment.span.end, moment.span.start >= 24) == (30, True)
    after = before.posterior[0, 15:]
    assert after == pytest.approx(np.full(15, after[0]))
    assert before.posterior[0, 13] > 5 * after[0]


def test_a_look_that_says_no_lowers_its_own_scene_only() -> None:
    timeline = Timeline.even(60.0, cuts=[30.0], bin_seconds=2.0)
    hints = [prior(10, 12, 0.5), prior(40, 42, 0.4)]
    found = search(timeline, hints, seen(), goal(frames=1))
    assert found.looked == (11.0,)
    odds = found.posterior[0] / found.posterior[0, 29]
    expected = posteriors(timeline, hints, goal())[0]
    assert odds[15:] == pytest.approx(expected[15:] / expected[29])
    assert (odds[:15] < expected[:15] / expected[29]).all()


def test_the_middles_of_priors_are_inspected_first_by_weight() -> None:
    timeline = Timeline.even(600.0, bin_seconds=1.0)
    hints = [prior(100 * n, 100 * n + 12, 0.6 * 0.8**n) for n in (3, 0, 4, 2, 1)]
    found = search(timeline, hints, seen(else_=0.0), goal(frames=5, frames_a_round=1))
    assert [second // 100 for second in found.looked] == [0, 1, 2, 3, 4]
    assert [second % 100 for second in found.looked] == pytest.approx([6] * 5, abs=0.5)


def test_a_prior_that_touches_a_scene_adds_next_to_nothing() -> None:
    timeline = Timeline.even(60.0, cuts=[30.0], bin_seconds=1.0)
    base = posteriors(timeline, [], goal())[0, 45]
    grazed = posteriors(timeline, [prior(20, 30.5, 0.8)], goal())[0]
    halved = posteriors(timeline, [prior(25, 35, 0.8)], goal())[0]
    assert grazed[30] == pytest.approx(base, rel=0.01)
    assert grazed[20:30].max() > 5 * base
    assert halved[30] == pytest.approx(halved[29])
    assert halved[30] > 2 * base


def test_a_prior_within_one_long_bin_counts_whole() -> None:
    timeline = Timeline((Span(start=0, end=30), Span(start=30, end=90)), (0, 1), (1.0, 31.0))
    known = posteriors(timeline, [prior(40, 44, 0.4)], goal(moment_seconds=3.0))[0]
    assert known[1] == pytest.approx(0.4)


def test_each_target_has_its_own_posterior() -> None:
    timeline = Timeline.even(100.0)
    wanted = goal("order", targets=("cup", "hand"), frames=50)

    def look(seconds: Sequence[float]) -> list:
        return [[0.95 if 20 <= s < 26 else 0.01, 0.95 if 70 <= s < 76 else 0.01] for s in seconds]

    found = search(timeline, [prior(20, 24, 0.6), prior(70, 74, 0.6, target=1)], look, wanted)
    assert found.stopped == "found"
    assert len(found.looked) == 4  # one round
    best = {target: next(m for m in found.moments if m.target == target) for target in (0, 1)}
    assert best[0].span.overlap(Span(start=20, end=26)) > 3
    assert best[1].span.overlap(Span(start=70, end=76)) > 3
    assert best[0].sure
    assert best[1].sure
    assert not best[0].span.overlap(best[1].span)


def test_without_a_prior_it_looks_evenly() -> None:
    timeline = Timeline.even(3600.0, cuts=np.arange(7, 3600, 11.3), bin_seconds=2.0)
    found = search(timeline, [], seen(), goal(frames=31, frames_a_round=4))
    gaps = np.diff(sorted([0.0, *found.looked, 3600.0]))
    assert found.stopped == "frames"
    assert gaps.max() <= 2.6 * gaps[1:-1].min()
    assert gaps.max() < 2.2 * 3600 / 32


def test_a_count_covers_and_does_not_retire_its_target() -> None:
    timeline = Timeline.even(300.0, cuts=[100.0, 200.0])
    spans = [(20, 27), (120, 127), (150, 157), (280, 287)]
    found = search(timeline, [prior(120, 126, 0.8)], seen(*spans), goal("count", frames=500))
    assert found.stopped == "covered"
    sure = sorted(moment.span.start for moment in found.moments if moment.sure)
    assert len(sure) == 4
    assert sure == pytest.approx([a for a, _ in spans], abs=4)
    looked = np.array(found.looked)
    assert all(np.abs(looked - second).min() <= 3 for second in np.arange(1, 300))
    assert len(looked) < 0.7 * len(timeline.bins)


@pytest.mark.parametrize(("kind", "first"), [("first", 20), ("last", 280)])
def test_first_and_last_cover_only_what_can_change_the_result(kind: str, first: float) -> None:
    timeline = Timeline.even(300.0, cuts=[100.0, 200.0])
    spans = [(20, 28), (150, 158), (280, 288)]
    found = search(timeline, [prior(first, first + 8, 0.8), prior(150, 158, 0.8)], seen(*spans), goal(kind, frames=500))
    assert found.stopped == "covered"
    assert found.moments[0].sure
    assert found.moments[0].span.overlap(Span(start=first, end=first + 8)) >= 4
    beyond = [s for s in found.looked if (s > 158 if kind == "first" else s < 150)]
    assert len(beyond) <= 1  # at most what the first round took along
    whole = search(timeline, [], seen(*spans), goal("count", frames=500))
    assert len(found.looked) < len(whole.looked) / 2


def test_the_budget_of_seconds_ends_it() -> None:
    now = [0.0]

    def look(seconds: Sequence[float]) -> list:
        now[0] += 2.0
        return [[0.0]] * len(seconds)

    found = search(Timeline.even(600.0), [], look, goal(seconds=7.0, frames_a_round=2), clock=lambda: now[0])
    assert found.stopped == "seconds"
    assert found.rounds == 3  # a fourth would end after 8 s
    assert now[0] == 6.0


@pytest.mark.parametrize(
    ("scores", "said"), [([[0.5, 0.5]], "shape"), ([[1.5]], "0 to 1"), ([[float("nan")]], "0 to 1"), ([], "shape")]
)
def test_a_look_that_returns_no_scores_is_an_error(scores: list, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        search(Timeline.even(1.0), [], lambda _: scores, goal())


def test_a_prior_for_no_target_is_an_error() -> None:
    with pytest.raises(ValueError, match="target 3"):
        search(Timeline.even(9.0), [prior(0, 1, target=3)], seen(), goal())


def hour(seed: int) -> tuple[Timeline, list[Prior], tuple[float, float]]:
    """An hour of 600 shots, a needle of 8 s, its prior among 25 that are wrong, each as strong as it may be."""
    rng = np.random.default_rng(seed)
    start = rng.uniform(0, 3592)
    hints = [prior(a, a + 4, w) for a, w in zip(rng.uniform(0, 3596, 25), rng.uniform(0.05, 0.5, 25), strict=True)]
    hints.append(prior(start + 2, start + 6, rng.uniform(0.2, 0.5)))
    return Timeline.even(3600.0, cuts=rng.uniform(0, 3600, 600)), hints, (start, start + 8)


def test_a_needle_is_found_with_far_fewer_looks_than_by_sampling_evenly() -> None:
    used, found = [], []
    for seed in range(30):
        timeline, hints, needle = hour(seed)
        searched: Searched = search(timeline, hints, seen(needle), goal(frames=64, frames_a_round=1, seed=seed))
        used.append(len(searched.looked))
        found.append(
            searched.stopped == "found" and Span(start=needle[0], end=needle[1]).overlap(searched.moments[0].span) > 0
        )
    assert np.mean(found) >= 0.85
    # By even sampling a frame hits with a chance of 8 in 3600: 64 frames find one needle in seven.
    assert np.median(used) <= 16
