"""Frame choice and picture sizes: properties of both, and examples worked out by hand."""

import math
from collections.abc import Sequence
from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from playhead.agent.evaluation.systems.frame_choosers import top_k
from playhead.index.localization.frame_choice import Candidate, Picture, assign_sizes, choose_frames, size_at, stretched
from playhead.tools.errors import QueryError
from playhead.tools.records import Span

RELEVANCES = st.floats(0, 1)
CALMLY = settings(max_examples=60)


def row(relevances: Sequence[float], lasts: float = 1.0) -> list[Candidate]:
    """Candidates that follow each other without gaps, each seen at its start."""
    spans = [Span(start=i * lasts, end=(i + 1) * lasts) for i in range(len(relevances))]
    return [Candidate(span.start, relevance, span) for span, relevance in zip(spans, relevances, strict=True)]


def times(chosen: Sequence[Candidate]) -> list[float]:
    return [candidate.seconds for candidate in chosen]


def widest_gap(chosen: Sequence[Candidate], end: float) -> float:
    return max(b - a for a, b in pairwise([0.0, *times(chosen), end]))


@st.composite
def candidates(draw: st.DrawFn, most: int = 40) -> list[Candidate]:
    """Of any times and spans, which may overlap; some, all or none with a vector."""
    seconds = draw(st.lists(st.integers(0, 5000), min_size=0, max_size=most, unique=True))
    made = []
    for second in seconds:
        lasts = draw(st.floats(0.04, 600))
        vector = None
        if draw(st.booleans()):
            raw = np.array(draw(st.lists(st.floats(-1, 1, width=32), min_size=3, max_size=3)))
            raw[2] += 1.5
            vector = (raw / np.linalg.norm(raw)).astype(np.float16)
        made.append(Candidate(second / 4, draw(RELEVANCES), Span(start=second / 4, end=second / 4 + lasts), vector))
    return made


@CALMLY
@given(candidates(), st.integers(1, 50), RELEVANCES)
def test_chooses_exactly_k_in_order_for_any_input_order(given: list[Candidate], k: int, weight: float) -> None:
    chosen = choose_frames(given, k, weight)
    assert len(chosen) == min(k, len(given))
    assert set(map(id, chosen)) <= set(map(id, given))
    assert times(chosen) == sorted(set(times(chosen)))
    assert choose_frames(given[::-1], k, weight) == chosen
    if k >= len(given):
        assert set(chosen) == set(given)


@CALMLY
@given(candidates(), st.integers(1, 20), RELEVANCES, st.data())
def test_a_frame_that_is_chosen_stays_chosen_when_its_relevance_rises(
    given: list[Candidate], k: int, weight: float, data: st.DataObject
) -> None:
    for one in choose_frames(given, k, weight):
        raised = Candidate(one.seconds, data.draw(st.floats(one.relevance, 1)), one.span, one.vector)
        assert raised in choose_frames([raised if c is one else c for c in given], k, weight)


@CALMLY
@given(candidates(most=8), st.integers(1, 4), RELEVANCES)
def test_greedy_reaches_its_share_of_the_best(given: list[Candidate], k: int, weight: float) -> None:
    if len(given) <= k:
        return
    best = max(worth(chosen, given, k, weight) for chosen in combinations(given, k))
    assert worth(choose_frames(given, k, weight), given, k, weight) >= (1 - 1 / math.e) * best - 0.01


@CALMLY
@given(candidates(), RELEVANCES)
def test_one_frame_is_the_best_one(given: list[Candidate], weight: float) -> None:
    if given:
        best = max(worth([one], given, 1, weight) for one in given)
        assert worth(choose_frames(given, 1, weight), given, 1, weight) >= best - 0.002


def worth(chosen: Sequence[Candidate], given: Sequence[Candidate], k: int, weight: float) -> float:
    """The objective as the docstring says it, by sampling moments instead of integrals."""
    total = sum(c.span.duration for c in given)
    vectors = [c.vector.astype(np.float64) for c in given if c.vector is not None]
    usual = np.mean([a @ b for a in vectors for b in vectors]) - 0.001 if vectors else 0.0

    def near(a: Candidate, b: Candidate) -> float:
        moments = np.linspace(a.span.start, a.span.end, 201)
        away = np.maximum(0, np.maximum(b.span.start - moments, moments - b.span.end))
        return float(np.mean(np.maximum(0, 1 - away * k / total)))

    def alike(a: Candidate, b: Candidate) -> float:
        if a is b:
            return 1.0
        cosine = 0.0 if a.vector is None or b.vector is None else float(a.vector.astype(float) @ b.vector)
        return float(np.clip((cosine - usual) / (1 - usual), 0, 1))

    kinds = (near, alike) if vectors else (near,)
    covers = [sum(a.span.duration / total * max(kind(a, b) for b in chosen) for a in given) for kind in kinds]
    return weight * sum(c.relevance for c in chosen) / k + (1 - weight) * float(np.mean(covers))


@CALMLY
@given(candidates(), st.integers(1, 20))
def test_all_weight_on_relevance_is_top_k(given: list[Candidate], k: int) -> None:
    assert choose_frames(given, k, relevance_weight=1) == top_k(given, k)


@CALMLY
@given(st.integers(60, 200), st.integers(4, 16), st.floats(0, 0.2), st.floats(0.8, 1), st.data())
def test_covers_more_than_top_k_when_scores_cluster(
    n: int, k: int, low: float, high: float, data: st.DataObject
) -> None:
    size = data.draw(st.integers(k, max(k, n // 4)))
    first = data.draw(st.integers(0, n - size))
    frames = row([high if first <= i < first + size else low for i in range(n)])
    chosen = choose_frames(frames, k)
    assert widest_gap(chosen, n) < widest_gap(top_k(frames, k), n)
    assert any(c.relevance == high for c in chosen)


def test_one_relevance_for_all_is_spread_evenly() -> None:
    assert times(choose_frames(row([0.5] * 101), 1)) == [50]
    gaps = [b - a for a, b in pairwise([0.0, *times(choose_frames(row([0.5] * 100), 10)), 100.0])]
    assert max(gaps) <= 18


def test_the_needle_and_the_rest_of_the_video() -> None:
    """An hour, two seconds a frame, one good minute: half of the frames go there, the others keep an eye on all."""
    hour = row([0.9 if 600 <= i < 630 else 0.1 for i in range(1800)], lasts=2)
    chosen = choose_frames(hour, 32)
    assert sum(c.relevance == 0.9 for c in chosen) == 17
    assert widest_gap(chosen, 3600) == 230


def test_a_single_frame_is_the_relevant_one() -> None:
    assert times(choose_frames(row([0, 0, 0, 0, 0, 0, 0.9, 0]), 1)) == [6]


def test_a_picture_that_is_static_long_needs_one_frame_only() -> None:
    """One slide for 600 s, then ten that change every 6 s: its frame covers it all, the others go to the ten."""
    spans = [(0, 600), *[(600 + 6 * i, 606 + 6 * i) for i in range(10)]]
    slides = [Candidate(a + 1, 0.5, Span(start=a, end=b)) for a, b in spans]
    assert [t < 600 for t in times(choose_frames(slides, 4))] == [True, False, False, False]


def test_of_similar_frames_one_is_enough() -> None:
    """Two cameras in turn, A A A B A A A A: without looks the middle counts, with them both cameras do."""
    vectors = {"A": np.array([1, 0], np.float32), "B": np.array([0, 1], np.float32)}
    frames = [Candidate(i, 0.5, Span(start=i, end=i + 1), vectors[camera]) for i, camera in enumerate("AAAAAAAABA")]
    blind = [Candidate(c.seconds, c.relevance, c.span) for c in frames]
    assert 8 not in times(choose_frames(blind, 2))
    assert 8 in times(choose_frames(frames, 2))


def test_of_two_candidates_with_one_time_the_more_relevant_counts() -> None:
    span = Span(start=0, end=1)
    weak, strong = Candidate(0, 0.2, span), Candidate(0, 0.8, span)
    assert choose_frames([strong, weak], 5) == (strong,)


def test_says_what_is_wrong() -> None:
    frames = row([0.1, 0.9])
    with pytest.raises(QueryError, match="k=0: at least 1 frame"):
        choose_frames(frames, 0)
    with pytest.raises(QueryError, match=r"relevance_weight=1\.5: 0 .* to 1 .* is allowed"):
        choose_frames(frames, 1, relevance_weight=1.5)
    span = Span(start=0, end=1)
    with pytest.raises(ValueError, match=r"relevance of a candidate must be 0 to 1, got 1\.2"):
        Candidate(0, 1.2, span)
    with pytest.raises(ValueError, match="must be 0 to 1, got nan"):
        Candidate(0, math.nan, span)
    with pytest.raises(ValueError, match="must be at least 0 seconds, got -1"):
        Candidate(-1, 0.5, span)
    with pytest.raises(ValueError, match=r"must have length 1, got 2\.000"):
        Candidate(0, 0.5, span, np.array([2.0, 0.0]))
    embedding_ids = [Candidate(i, 0.5, span, np.eye(i + 2)[0]) for i in range(2)]
    with pytest.raises(QueryError, match=r"equal lengths.*\[\(2,\), \(3,\)\]"):
        choose_frames(embedding_ids, 1)


def test_stretched() -> None:
    assert stretched([0.2, 0.25, 0.3]) == pytest.approx([0, 0.5, 1])
    assert stretched([0.3, 0.3]) == [0, 0]
    assert stretched([]) == []
    with pytest.raises(ValueError, match="finite numbers"):
        stretched([0.1, math.inf])


@CALMLY
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False)))
def test_stretched_scores_are_relevances_in_the_same_order(scores: list[float]) -> None:
    out = stretched(scores)
    assert all(0 <= score <= 1 for score in out)
    assert [out[i] for i in np.argsort(scores, kind="stable")] == sorted(out)


def patches(width: int, height: int) -> int:
    """As Qwen3-VL counts: a token for each 32×32 pixels, at least 64 for a picture."""
    return max(64, math.ceil(width / 32) * math.ceil(height / 32))


def cost(pictures: Sequence[Picture], sides: Sequence[int]) -> int:
    return sum(patches(*size_at(p.width, p.height, side)) for p, side in zip(pictures, sides, strict=True))


SHAPES = st.sampled_from([(1920, 1080), (1280, 720), (1080, 1920), (640, 480), (320, 240), (90, 60)])
PICTURES = st.lists(st.builds(lambda r, shape: Picture(r, *shape), RELEVANCES, SHAPES), max_size=40)


@CALMLY
@given(PICTURES, st.integers(0, 20000), st.integers(32, 512), st.integers(0, 1000))
def test_sizes_keep_budget_floor_and_ceiling_and_waste_nothing(
    pictures: list[Picture], extra: int, floor: int, above: int
) -> None:
    own = [max(p.width, p.height) for p in pictures]
    budget = cost(pictures, [floor] * len(pictures)) + extra
    sides = assign_sizes(pictures, budget, patches, floor=floor, ceiling=floor + above)
    assert cost(pictures, sides) <= budget
    for i, side in enumerate(sides):
        assert min(floor, own[i]) <= side <= min(floor + above, own[i])
        if side < min(floor + above, own[i]):
            larger = [*sides[:i], min(floor + above, own[i]), *sides[i + 1 :]]
            dearer = [s for s in range(side + 1, larger[i] + 1) if cost(pictures[i : i + 1], [s]) > 64]
            assert not dearer or cost(pictures, larger) > budget


@CALMLY
@given(st.lists(RELEVANCES, min_size=1, max_size=40), SHAPES, st.integers(64, 30000))
def test_of_one_shape_the_more_relevant_is_never_smaller(
    relevances: list[float], shape: tuple[int, int], budget: int
) -> None:
    pictures = [Picture(relevance, *shape) for relevance in relevances]
    try:
        sides = assign_sizes(pictures, budget, patches)
    except QueryError:
        assert cost(pictures, [256] * len(pictures)) > budget
        return
    ranked = sorted(zip(relevances, sides, strict=True))
    assert [side for _, side in ranked] == sorted(sides) or all(
        a[1] <= b[1] for a, b in pairwise(ranked) if a[0] < b[0]
    )


@CALMLY
@given(PICTURES, st.integers(0, 5000), st.integers(0, 2**32))
def test_any_way_to_count_tokens_keeps_the_budget(pictures: list[Picture], budget: int, seed: int) -> None:
    """Even one by which larger pictures may cost less."""

    def odd(width: int, height: int) -> int:
        return 1 + hash((width, height, seed)) % 997

    try:
        sides = assign_sizes(pictures, budget, odd)
    except QueryError:
        return
    assert sum(odd(*size_at(p.width, p.height, side)) for p, side in zip(pictures, sides, strict=True)) <= budget


def test_sizes_by_hand() -> None:
    """Tokens by the square of relevance: of 80 tokens 64 and 16, which are 8×8 and 4×4 patches of 32 pixels."""
    pictures = [Picture(0.5, 1024, 1024), Picture(1.0, 1024, 1024)]

    def tokens(width: int, height: int) -> int:
        return (width // 32) * (height // 32)

    assert assign_sizes(pictures, 80, tokens, floor=32, ceiling=1024) == (128, 256)
    # 97 would buy the next step of the first (25) and not that of the second (81): 64 + 25 = 89.
    assert assign_sizes(pictures, 96, tokens, floor=32, ceiling=1024) == (160, 256)
    assert assign_sizes(pictures, 97, tokens, floor=32, ceiling=1024) == (128, 288)
    assert assign_sizes([], 0, tokens) == ()


def test_patches_that_cost_nothing_more_are_used() -> None:
    """A wide picture of 256 pixels costs the least there is, 64 tokens, as one of 320 does (10 × 6)."""
    assert assign_sizes([Picture(0.0, 1920, 1080)], 64, patches) == (320,)


def test_a_larger_picture_that_costs_less_is_taken() -> None:
    def tiled(width: int, height: int) -> int:
        return 10 if max(width, height) < 300 else 8

    assert assign_sizes([Picture(0.0, 320, 240)], 8, tiled) == (320,)


def test_a_budget_below_the_floor_is_an_error() -> None:
    with pytest.raises(QueryError, match="3 pictures of 256 pixels cost 192 tokens, and 191 are allowed: show fewer"):
        assign_sizes([Picture(1.0, 1920, 1080)] * 3, 191, patches)
    with pytest.raises(QueryError, match="floor=900 and ceiling=768"):
        assign_sizes([], 10, patches, floor=900)
    with pytest.raises(ValueError, match="must have at least 1×1 pixels, got 0×5"):
        Picture(1.0, 0, 5)


def test_size_at() -> None:
    assert size_at(1920, 1080, 768) == (768, 432)
    assert size_at(1080, 1920, 500) == (281, 500)
    assert size_at(640, 360, 768) == (640, 360)
    assert size_at(5000, 2, 100) == (100, 1)
