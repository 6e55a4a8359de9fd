"""Where things are in a picture: the predicates' symmetries, and pairs of boxes that are there together."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from playhead.index.localization.spatial import foremost, is_on_side, most_at_once, pairs, relates
from playhead.index.records import Evidence
from playhead.tools.records import Box

RELATIONS = ("left", "right", "above", "below", "beside", "behind")
MIRROR = {"left": "right", "right": "left", "above": "above", "below": "below", "beside": "beside", "behind": "behind"}
# Shares in eighths are exact in binary, so that a moved or mirrored box is the same to the last bit.
EIGHTHS = st.integers(0, 8)


def box(left: float, top: float, right: float, bottom: float) -> Box:
    return Box(left=left, top=top, right=right, bottom=bottom)


@st.composite
def boxes(draw: st.DrawFn) -> Box:
    """A box within the picture, with some area."""
    (left, right), (top, bottom) = (sorted(draw(st.lists(EIGHTHS, min_size=2, max_size=2, unique=True))) for _ in "xy")
    return box(left / 8, top / 8, right / 8, bottom / 8)


def mirrored(one: Box) -> Box:
    return box(1 - one.right, one.top, 1 - one.left, one.bottom)


def upside_down(one: Box) -> Box:
    return box(one.left, 1 - one.bottom, one.right, 1 - one.top)


def turned(one: Box) -> Box:
    """Across becomes down."""
    return box(one.top, one.left, one.bottom, one.right)


def moved(one: Box, across: float, down: float) -> Box:
    """Half as large, and somewhere else."""
    return box(*((edge / 2 + by) for edge, by in zip(one.model_dump().values(), (across, down) * 2, strict=True)))


def seen(label: str, place: Box | None, start: float = 0.0, end: float = 2.0, **fields) -> Evidence:
    """A detected thing."""
    return Evidence(
        **{
            "evidence_id": f"{label}-{start}-{place}", "video_id": "ab" * 16, "video": "/a.mp4", "start": start,
            "end": end, "modality": "object", "text": label, "score": 0.5, "source": "fake@1", "box": place,
            "frame_seconds": start,
        }
        | fields
    )  # fmt: skip


LEFT, MIDDLE, RIGHT = box(0.1, 0.4, 0.3, 0.6), box(0.4, 0.4, 0.6, 0.6), box(0.7, 0.4, 0.9, 0.6)
TOP, BOTTOM = box(0.4, 0.1, 0.6, 0.3), box(0.4, 0.7, 0.6, 0.9)


@pytest.mark.parametrize(
    ("one", "other", "true"),
    [
        (LEFT, RIGHT, {"left"}),
        (LEFT, MIDDLE, {"left", "beside"}),
        (MIDDLE, LEFT, {"right", "beside"}),
        (TOP, BOTTOM, {"above"}),
        (BOTTOM, MIDDLE, {"below"}),
        (box(0.1, 0.1, 0.2, 0.2), box(0.8, 0.8, 0.9, 0.9), {"left", "above"}),  # on the diagonal both are said
        (box(0.1, 0.1, 0.2, 0.2), box(0.3, 0.8, 0.4, 0.9), {"above"}),
        (box(0.0, 0.0, 1.0, 1.0), MIDDLE, set()),
        (box(0.1, 0.3, 0.5, 0.6), box(0.3, 0.4, 0.9, 0.9), {"left", "beside", "behind"}),
        (box(0.3, 0.2, 0.7, 0.7), box(0.2, 0.1, 0.8, 0.9), {"behind"}),
        (box(0.3, 0.2, 0.7, 0.9), box(0.2, 0.1, 0.8, 0.9), set()),  # on one line of the ground
        (MIDDLE, MIDDLE, set()),
    ],
)
def test_how_a_box_is_placed_to_another(one, other, true):
    assert {relation for relation in RELATIONS if relates(relation, one, other)} == true


def test_what_two_share_may_be_half_of_the_narrower():
    bus = box(0.2, 0.2, 0.9, 0.9)
    assert relates("left", box(0.1, 0.4, 0.3, 0.9), bus)
    assert not relates("left", box(0.14, 0.4, 0.3, 0.9), bus)  # it is in front of it


def test_beside_means_near_and_at_one_height():
    assert relates("beside", LEFT, box(0.49, 0.4, 0.69, 0.6))
    assert not relates("beside", LEFT, box(0.51, 0.4, 0.71, 0.6))
    assert relates("beside", LEFT, box(0.4, 0.49, 0.6, 0.69))
    assert not relates("beside", LEFT, box(0.4, 0.51, 0.6, 0.71))


@given(boxes(), boxes())
def test_right_is_the_mirror_of_left_and_below_of_above(one, other):
    assert relates("left", one, other) == relates("right", other, one)
    assert relates("above", one, other) == relates("below", other, one)
    for relation in RELATIONS:
        assert relates(relation, one, other) == relates(MIRROR[relation], mirrored(one), mirrored(other))
    assert relates("above", one, other) == relates("below", upside_down(one), upside_down(other))
    assert relates("left", one, other) == relates("above", turned(one), turned(other))


@given(boxes(), boxes())
def test_relations_hold_one_way_only_except_beside(one, other):
    for relation in RELATIONS:
        both = relates(relation, one, other) and relates(relation, other, one)
        assert both == (relation == "beside" and relates("beside", one, other))


@given(boxes(), boxes(), st.sampled_from((0, 0.125, 0.25, 0.5)), st.sampled_from((0, 0.125, 0.25, 0.5)))
def test_only_the_relative_place_of_two_boxes_matters(one, other, across, down):
    for relation in RELATIONS:
        assert relates(relation, one, other) == relates(relation, moved(one, across, down), moved(other, across, down))


@pytest.mark.parametrize(
    ("place", "true"),
    [
        (LEFT, {"left"}),
        (RIGHT, {"right"}),
        (TOP, {"above"}),
        (BOTTOM, {"below"}),
        (MIDDLE, {"centre"}),
        (box(0.0, 0.0, 0.2, 0.2), {"left", "above"}),
        (box(0.1, 0.0, 0.8, 1.0), {"centre"}),
        (box(0.1, 0.0, 0.7, 0.2), {"left", "above"}),
    ],
)
def test_on_which_side_of_the_picture_a_box_is(place, true):
    assert {side for side in ("left", "right", "above", "below", "centre") if is_on_side(side, place)} == true


@given(boxes())
def test_nothing_is_on_two_opposite_sides(one):
    assert not (is_on_side("left", one) and is_on_side("right", one))
    assert is_on_side("left", one) == is_on_side("right", mirrored(one))
    assert is_on_side("above", one) == is_on_side("below", upside_down(one))
    assert is_on_side("centre", one) == is_on_side("centre", mirrored(one))


@given(st.lists(boxes(), min_size=1, max_size=5))
def test_exactly_one_is_the_biggest_and_one_the_smallest(some):
    areas = [(one.right - one.left) * (one.bottom - one.top) for one in some]
    assert areas[foremost("biggest", some)] == max(areas)
    assert areas[foremost("smallest", some)] == min(areas)
    assert foremost("biggest", [*some, some[0]]) == foremost("biggest", some)


def test_without_boxes_none_is_the_biggest():
    with pytest.raises(ValueError, match="at least 1"):
        foremost("biggest", [])


def test_pairs_are_of_one_frame_and_at_its_second():
    dog = seen("dog", RIGHT, 2, 6, frame_seconds=5.5)
    same = seen("cat", LEFT, 5, 9, frame_seconds=5.5)
    other = seen("cat", LEFT, 5, 9, frame_seconds=5.0, evidence_id="other")
    elsewhere = seen("cat", LEFT, 5, 9, frame_seconds=5.5, video_id="cd" * 16)
    (pair,) = pairs([same, other, elsewhere], [dog], "left")
    assert (pair.one, pair.other, pair.span.start, pair.span.end) == (same, dog, 5.5, 6)
    assert pairs([dog], [dog], "left") == pairs([dog], [same], "left") == []
    assert pairs([seen("cat", None, 5, 9, frame_seconds=5.5)], [dog], "left") == []
    unknown = [seen(label, place, frame_seconds=None) for label, place in (("cat", LEFT), ("dog", RIGHT))]
    assert pairs(unknown, unknown, "left") == []


def test_pairs_are_in_order_of_time():
    dogs = [seen("dog", RIGHT, start, start + 2, frame_seconds=start) for start in (4.0, 0.0, 8.0)]
    cats = [seen("cat", LEFT, start, start + 2, frame_seconds=start) for start in (8.0, 4.0, 6.0, 0.0)]
    assert [pair.span.start for pair in pairs(cats, dogs, "left")] == [0, 4, 8]


spans = st.lists(st.tuples(st.integers(0, 12), st.integers(1, 6)), max_size=8)


@given(spans)
def test_the_most_at_once_are_all_there_at_some_second_and_no_second_has_more(given_spans):
    assume(given_spans)
    rows = [seen("cat", LEFT, s, s + d, evidence_id=f"c{n}") for n, (s, d) in enumerate(given_spans)]
    most = most_at_once(rows)
    assert max(one.start for one in most) < min(one.end for one in most)
    assert len(most) == max(sum(one.start <= second < one.end for one in rows) for second in range(20))


def test_the_most_at_once_are_of_one_video_the_earliest_from_the_left():
    here = [seen("cat", RIGHT, 0, 2), seen("cat", LEFT, 1, 3), seen("cat", MIDDLE, 3, 5), seen("cat", LEFT, 4, 5)]
    there = [seen("cat", LEFT, 1, 2, video_id="cd" * 16)]
    assert most_at_once([*here, *there]) == [here[1], here[0]]
    assert most_at_once([]) == []
