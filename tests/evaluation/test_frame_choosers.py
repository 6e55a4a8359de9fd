"""The published baselines: examples worked out by hand, and the flaws that they are known for."""

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from playhead.agent.evaluation.systems.frame_choosers import Chooser, TStarGoal, aks, t_star, top_k, uniform
from playhead.index.localization.frame_choice import Candidate, choose_frames
from playhead.tools.errors import QueryError
from playhead.tools.records import Span


def row(relevances: Sequence[float]) -> list[Candidate]:
    return [Candidate(i, relevance, Span(start=i, end=i + 1)) for i, relevance in enumerate(relevances)]


def times(chosen: Sequence[Candidate]) -> list[float]:
    return [candidate.seconds for candidate in chosen]


@settings(max_examples=60)
@given(
    st.sampled_from([uniform, top_k, aks, choose_frames]), st.lists(st.floats(0, 1), max_size=80), st.integers(1, 90)
)
def test_every_chooser_chooses_some_of_the_candidates_in_order(choose: Chooser, scores: list[float], k: int) -> None:
    frames = row(scores)
    chosen = choose(frames[::-1], k)
    assert times(chosen) == sorted(set(times(chosen)))
    assert set(chosen) <= set(frames)
    assert len(chosen) <= k
    if choose is not aks:
        assert len(chosen) == min(k, len(frames))


@pytest.mark.parametrize("choose", [uniform, top_k, aks, choose_frames])
def test_no_chooser_takes_less_than_one_frame(choose: Chooser) -> None:
    with pytest.raises(QueryError, match="k=0: at least 1 frame must be chosen"):
        choose(row([0.5]), 0)


def test_uniform_takes_the_middles() -> None:
    assert times(uniform(row([0] * 10), 1)) == [5]
    assert times(uniform(row([0] * 10), 3)) == [1, 5, 8]
    assert times(uniform(row([0] * 12), 4)) == [1, 4, 7, 10]


def test_top_k_takes_the_best_and_of_equals_the_earlier() -> None:
    assert times(top_k(row([0.1, 0.9, 0.5, 0.9, 0.5]), 3)) == [1, 2, 3]


def test_aks_by_hand() -> None:
    """One 1 among seven 0. The best two have the mean 0.5, all have 0.125: 0.375 apart."""
    frames = row([0, 0, 0, 1, 0, 0, 0, 0])
    # More than 0.3: not split, the best two of all (of equals the earlier).
    assert times(aks(frames, 2, threshold=0.3, depth=1)) == [0, 3]
    # Not more than 0.4: split; each half gives its best one, and goes no deeper.
    assert times(aks(frames, 2, threshold=0.4, depth=1)) == [3, 4]


def test_aks_stretches_scores_first() -> None:
    assert times(aks(row([0.5, 0.5, 0.5, 0.6, 0.5, 0.5, 0.5, 0.5]), 2, threshold=0.3, depth=1)) == [0, 3]


def test_aks_splits_only_spans_without_a_clear_maximum() -> None:
    """All: 1 - 0.3125 is not more than 0.8. Left half: 1 - 0.125 is, it gives 4 / 2. Right half: 0.5 - 0.5 is not, so
    its halves give 4 / 4 each."""
    scores = [1.0 if 8 <= i < 12 else 0.0 if i < 32 else 0.5 for i in range(64)]
    assert times(aks(row(scores), 4, depth=2)) == [8, 9, 32, 48]


def test_aks_chooses_too_few_for_small_k() -> None:
    """A flaw of the original, kept: every piece ends at depth 5, where it gives ⌊k / 32⌋ frames."""
    wave = row([0.5 + 0.5 * math.sin(i / 7) for i in range(320)])
    assert {k: len(aks(wave, k)) for k in (8, 31, 32, 63, 64)} == {8: 0, 31: 0, 32: 32, 63: 32, 64: 64}
    assert aks(row([0.3] * 100), 8) == ()


def detector(*tracks: Mapping[float, float]) -> tuple[list[list[float]], Callable[[Sequence[float]], np.ndarray]]:
    """A look that knows each object's score at each second, and what it was asked."""
    asked: list[list[float]] = []

    def look(seconds: Sequence[float]) -> np.ndarray:
        asked.append(list(seconds))
        return np.array([[track.get(second, 0.0) for track in tracks] for second in seconds])

    return asked, look


def test_t_star_by_hand() -> None:
    """Eight frames in grids of 2 × 2; the target is in frame 4: 0.4 in the grid, 0.9 alone. Frame 2 has 0.15."""
    asked: list[list[float]] = []
    in_grid, alone = {2: 0.15, 4: 0.4}, {2: 0.15, 4: 0.9}

    def look(seconds: Sequence[float]) -> list[list[float]]:
        asked.append(list(seconds))
        return [[(alone if len(seconds) == 1 else in_grid).get(int(second), 0.0)] for second in seconds]

    found = t_star(range(8), look, TStarGoal(k=3, budget=8, grid=2))
    assert asked == [[0, 2, 4, 6], [2], [4]]
    assert (found.looked, found.verified, found.found, found.inspected) == ((0, 2, 4, 6), (2, 4), (4,), 4)
    # The 75th percentile of 0, 0.15, 0.4, 0 is 0.2125: only frame 4 is propagated. Its neighbours get 0.4 / 2 (3, 5),
    # 0.4 / 3 (6; 2 has more), 0.4 / 4 (1, 7), 0.4 / 5 (0); then the look alone makes frame 4 0.9.
    assert found.chosen == (3, 4, 5)
    assert t_star(range(8), look, TStarGoal(k=5, budget=8, grid=2)).chosen == (2, 3, 4, 5, 6)


def test_t_star_looks_on_where_nothing_was_seen() -> None:
    """Two grids of four: first every second frame, then the other four, in some order."""
    asked, look = detector({5.0: 0.9})
    found = t_star([float(i) for i in range(8)], look, TStarGoal(k=1, budget=8, grid=2))
    assert asked[0] == [0, 2, 4, 6]
    assert sorted(asked[1]) == [1, 3, 5, 7]
    assert asked[2:] == [[5]]
    assert (found.found, found.chosen, found.inspected) == ((5,), (5,), 8)


def test_t_star_takes_neighbours_that_were_not_inspected() -> None:
    """A flaw of the original, kept: of the eight frames chosen seven are only near the hit."""
    _, look = detector({56.0 * 8: 0.8})
    found = t_star(range(3600), look, TStarGoal(k=8, budget=3600))
    assert found.found == (448,)
    assert set(found.chosen) & set(found.looked) == {448}
    assert all(abs(second - 448) <= 5 for second in found.chosen)


def test_t_star_sees_nothing_and_takes_the_last_frames() -> None:
    """A flaw of the original, kept."""
    _, look = detector({})
    found = t_star(range(200), look, TStarGoal(k=3, budget=64))
    assert (found.chosen, found.found, found.inspected) == ((197, 198, 199), (None,), 64)


def test_t_star_starts_with_the_beginning_of_a_short_video() -> None:
    """A flaw of the original, kept: ⌊127 / 64⌋ is 1."""
    asked, look = detector({})
    t_star(range(127), look, TStarGoal(k=1, budget=64))
    assert asked == [list(range(64))]


def test_t_star_gives_a_target_up_after_its_first_hit() -> None:
    """A flaw of the original, kept: the second time is not looked for."""
    _, look = detector({0.0: 0.9, 1.0: 0.9})
    found = t_star(range(100), look, TStarGoal(k=1, budget=100, grid=4))
    assert (found.found, found.inspected) == ((0,), 16)


def test_t_star_lets_a_sure_cue_confirm_an_unsure_target() -> None:
    """A flaw of the original, kept: a frame has one score. Half of a cue's 0.98 is more than 0.45."""
    track = {0.0: 0.1}
    unsure = t_star(range(4), detector(track, {})[1], TStarGoal(k=1, budget=4, grid=2, threshold=0.45))
    assert unsure.found == (None,)
    by_cue = t_star(range(4), detector(track, {0.0: 0.98})[1], TStarGoal(k=1, budget=4, grid=2, threshold=0.45))
    assert by_cue.found == (0,)


def test_t_star_confirms_one_target_a_frame_and_round() -> None:
    """A flaw of the original, kept: both are in frame 0."""
    both = {0.0: 0.9}
    found = t_star(range(4), detector(both, both)[1], TStarGoal(k=1, budget=4, grid=2, targets=2))
    assert found.found == (0, None)


@settings(max_examples=30)
@given(st.integers(1, 300), st.integers(1, 20), st.integers(1, 400), st.integers(2, 6), st.integers(0, 9), st.data())
def test_t_star_keeps_its_budget_up_to_one_grid(
    n: int, k: int, budget: int, grid: int, seed: int, data: st.DataObject
) -> None:
    hits = data.draw(st.dictionaries(st.integers(0, n - 1), st.floats(0, 1), max_size=5))
    asked, look = detector(hits)
    goal = TStarGoal(k=k, budget=budget, grid=grid, seed=seed)
    found = t_star(range(n), look, goal)
    assert len(found.looked) < budget + grid**2
    assert found.inspected == len({second for call in asked for second in call})
    assert list(found.chosen) == sorted(set(found.chosen))
    assert len(found.chosen) == min(k, n)
    assert t_star(range(n), look, goal) == found
    if found.found[0] is not None:
        assert hits[int(found.found[0])] > 0.5
    elif found.inspected == n:
        assert not any(score > 0.5 for score in hits.values())


def test_t_star_says_what_is_wrong() -> None:
    with pytest.raises(QueryError, match="at least one second"):
        t_star([], detector({})[1], TStarGoal(k=1, budget=1))
    with pytest.raises(ValueError, match=r"scores of shape \(4, 1\).*at least 2"):
        t_star(range(4), detector({})[1], TStarGoal(k=1, budget=4, grid=2, targets=2))
