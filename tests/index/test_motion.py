"""What tracked things do, from their boxes: synthetic tracks in all directions."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from playhead.index.indexing.merging.motion import motions
from playhead.index.indexing.merging.tracks import track_objects, tracks_of
from playhead.tools.records import Box, Observation, Span

MIRRORED = {"left": "right", "right": "left", "up": "up", "down": "down", "top": "top", "bottom": "bottom"}


def seen(x, y, width, height, start, label="dog", seconds=1.0):
    box = Box.from_pixels((x - width / 2, y - height / 2, x + width / 2, y + height / 2), 1, 1)
    return Observation(
        modality="object",
        span=Span(start=start, end=start + seconds),
        text=label,
        score=0.9,
        source="d@1",
        box=box,
        frame_seconds=start,
    )


def track(places, size=0.1, start=10.0, growth=1.0):
    return [seen(x, y, size * growth**n, size * growth**n, start + n) for n, (x, y) in enumerate(places)]


def facts(*tracks, end=100.0):
    return [one.text.removeprefix("dog ") for one in motions(tracks, end)]


def line(first, last, count=12):
    return list(zip(np.linspace(first[0], last[0], count), np.linspace(first[1], last[1], count), strict=True))


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        ((0.05, 0.5), (0.5, 0.5), {"enters from the left", "moves to the right"}),
        ((0.95, 0.5), (0.5, 0.5), {"enters from the right", "moves to the left"}),
        ((0.5, 0.5), (0.96, 0.5), {"leaves at the right", "moves to the right"}),
        ((0.5, 0.05), (0.5, 0.6), {"enters from the top", "moves down"}),
        ((0.3, 0.3), (0.6, 0.32), {"moves to the right"}),
        ((0.5, 0.5), (0.52, 0.5), set()),
    ],
)
def test_the_way_of_a_thing(first, last, expected):
    assert set(facts(track(line(first, last)))) == expected


STEP = st.integers(-6, 6)


@given(st.integers(40, 216), st.integers(40, 216), STEP, STEP, st.integers(3, 20))
def test_a_mirrored_track_does_the_mirrored_things(x, y, across, down, count):
    """Places are 256ths, so that mirroring is exact."""
    places = [((x + n * across) / 256, (y + n * down) / 256) for n in range(count)]
    assume(all(16 <= 256 * value <= 240 for place in places for value in place))
    mirrored = [(1 - a, b) for a, b in places]

    def mirror(fact):
        return " ".join(MIRRORED.get(word, word) for word in fact.split())

    assert sorted(map(mirror, facts(track(places, size=0.125)))) == sorted(facts(track(mirrored, size=0.125)))


@given(st.floats(0.2, 0.8), st.floats(0.2, 0.8), st.integers(2, 9), st.integers(0, 2**32 - 1))
def test_a_thing_that_stays_does_nothing(x, y, count, seed):
    rng = np.random.default_rng(seed)
    places = [(x + dx, y + dy) for dx, dy in rng.uniform(-0.02, 0.02, (count, 2))]
    assert facts(track(places)) == []


def resting(x, y, label="door", size=0.1, start=5.0, count=30):
    return [seen(x, y, size, size, start + n, label) for n in range(count)]


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        (resting(0.75, 0.5), ["moves to the right", "moves towards the door"]),
        (resting(0.75, 0.5, "dog"), ["moves to the right"]),  # of its own label
        (resting(0.45, 0.95), ["moves to the right"]),  # beside its way
        (resting(0.05, 0.5), ["moves to the right"]),  # behind it
        (resting(0.95, 0.5, size=0.02), ["moves to the right"]),  # less than half of the distance goes
        (resting(0.75, 0.5, start=200.0), ["moves to the right"]),  # later
    ],
)
def test_a_thing_moves_towards_what_its_way_leads_to(other, expected):
    assert facts(track(line((0.2, 0.5), (0.5, 0.5))), other) == expected


def test_a_thing_that_comes_itself_is_not_moved_towards():
    door = [seen(0.95 - 0.02 * n, 0.5, 0.1, 0.1, 10.0 + n, "car") for n in range(12)]
    found = facts(track(line((0.2, 0.5), (0.5, 0.5))), door)
    assert not any("towards" in fact for fact in found)


def test_of_two_things_the_nearer_one_is_moved_towards():
    found = motions([track(line((0.2, 0.5), (0.5, 0.5))), resting(0.65, 0.5, "car"), resting(0.8, 0.5)], 100.0)
    (fact,) = [one for one in found if "towards" in one.text]
    assert (fact.text, fact.span.start, fact.span.end, fact.frame_seconds) == ("dog moves towards the car", 10, 22, 21)


def test_turning_around_has_the_time_of_the_turn():
    there_and_back = line((0.3, 0.5), (0.7, 0.5), 9) + line((0.65, 0.5), (0.3, 0.5), 8)
    (turn,) = motions([track(there_and_back)], 100.0)
    assert (turn.text, turn.span.start, turn.span.end) == ("dog turns around", 17, 20)


def test_coming_nearer_and_going_away():
    assert facts(track([(0.5, 0.5)] * 6, growth=1.2)) == ["approaches"]
    assert facts(track([(0.5, 0.5)] * 6, size=0.3, growth=0.8)) == ["moves away"]


def test_the_first_and_last_moments_of_a_video_are_no_entry_and_no_exit():
    assert "enters from the left" not in facts(track(line((0.05, 0.5), (0.5, 0.5)), start=0.0))
    assert "leaves at the right" not in facts(track(line((0.5, 0.5), (0.95, 0.5))), end=22.0)


def test_a_cut_is_no_entry():
    one, other = (track(line((0.05, y), (0.5, y))) for y in (0.3, 0.7))
    assert facts(one, other) == ["moves to the right", "moves to the right"]
    before = track(line((0.8, 0.8), (0.8, 0.8), 20), start=5.0)  # goes on over the moment: no cut
    assert facts(one, other, before).count("enters from the left") == 2


def test_a_fact_has_the_box_and_frame_of_its_track():
    entered = next(one for one in motions([track(line((0.05, 0.5), (0.5, 0.5)))], 100.0) if "enters" in one.text)
    assert (entered.modality, entered.span.start, entered.span.end, entered.frame_seconds) == ("motion", 10, 13, 12)
    assert entered.box is not None
    assert (entered.box.left + entered.box.right) / 2 == pytest.approx(0.05 + 2 * 0.45 / 11)


def test_nothing_is_concluded_from_boxes_that_do_not_overlap():
    assert facts(track(line((0.05, 0.5), (0.9, 0.5), 5))) == []


def test_tracks_of_several_labels_are_merged_as_before():
    rows = [o for n in range(5) for o in (seen(0.1 + 0.05 * n, 0.5, 0.1, 0.1, n), seen(0.8, 0.5, 0.1, 0.1, n, "cat"))]
    assert [len(one) for one in tracks_of(rows)] == [5, 5]
    assert [(o.text, o.span.start, o.span.end) for o in track_objects(rows)] == [("dog", 0, 5), ("cat", 0, 5)]
