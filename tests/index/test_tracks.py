"""Detections of successive segments become one observation: lines that stay, things that move."""

from playhead.index.indexing.merging.tracks import merge_detections, numbers_at_once, track_objects, tracks_of
from playhead.tools.records import Box, Observation, Span

from ..fakes import BOX, observation


def seen(text, start, end, box=BOX, score=0.5):
    return observation(text, start, end, modality="text", box=box, score=score, frame_seconds=start)


def test_what_stays_is_one_observation():
    best = seen("Agenda", 1, 2, score=0.9)
    kept = merge_detections([seen("Agenda", 0, 1), best, seen("AGENDA", 2.4, 3), seen("Agenda", 3.6, 4)])
    assert [(o.text, o.span, o.score, o.frame_seconds) for o in kept] == [
        ("Agenda", Span(start=0, end=3), 0.9, 1),
        ("Agenda", Span(start=3.6, end=4), 0.5, 3.6),
    ]


def test_two_of_a_kind_stay_two():
    """Two people side by side in two segments, in any order: two tracks."""
    left = Box(left=0, top=0, right=0.3, bottom=1)
    right = Box(left=0.7, top=0, right=1, bottom=1)
    kept = merge_detections(
        [
            seen("person", 0, 1, left),
            seen("person", 0, 1, right),
            seen("person", 1, 2, right),
            seen("person", 1, 2, left),
        ]
    )
    assert [(o.span, o.box) for o in kept] == [(Span(start=0, end=2), left), (Span(start=0, end=2), right)]


def test_without_a_place_nothing_is_joined():
    assert len(merge_detections([seen("x", 0, 1, None), seen("x", 1, 2, None)])) == 2
    assert merge_detections([]) == []


def test_many_segments_are_joined_in_time():
    kept = merge_detections([seen(f"line {n % 10}", n // 10, n // 10 + 1) for n in range(20_000)])
    assert [o.span for o in kept] == [Span(start=0, end=2000)] * 10


def at(left, top, width=0.1, height=0.3):
    return Box(left=left, top=top, right=left + width, bottom=top + height)


def test_what_moves_is_one_track():
    """A dog that runs near half its length a sample, and is missed once; its best detection is kept."""
    film = [seen("dog", 2 * n, 2 * n + 2, at(0.1 + 0.045 * n, 0.4), 0.5 + 0.05 * n) for n in range(8) if n != 4]
    (track,) = track_objects(film)
    assert (track.span, track.box, track.frame_seconds) == (Span(start=0, end=16), film[-1].box, 14)
    assert len(merge_detections(film)) == 7


def test_tracks_end_where_nothing_goes_on():
    """After two missed samples, at another end of the picture, as something else, and of another size."""
    first = seen("dog", 0, 2, at(0.1, 0.4))
    others = [
        seen("dog", 5, 7, at(0.1, 0.4)),
        seen("dog", 2, 4, at(0.6, 0.4)),
        seen("cat", 2, 4, at(0.1, 0.4)),
        seen("dog", 2, 4, at(0.0, 0.1, 0.4, 0.9)),
    ]
    for other in others:
        assert [track.span for track in track_objects([first, other])] == [first.span, other.span]


def test_a_track_ends_at_a_cut_to_a_thing_of_other_colours():
    def shown(start, colours):
        place = Box(left=0.2, top=0.2, right=0.5, bottom=0.8)
        return seen("person", start, start + 2, place).model_copy(update={"vector": colours})

    red, dark_red, blue = (0.8, 0.6, 0.0), (0.6, 0.8, 0.0), (0.0, 0.6, 0.8)
    tracks = tracks_of([shown(0, red), shown(2, dark_red), shown(4, blue), shown(6, blue)])
    assert [[one.span.start for one in track] for track in tracks] == [[0, 2], [4, 6]]
    assert len(tracks_of([shown(0, ()), shown(2, blue)])) == 1


def test_two_that_pass_each_other_stay_two():
    """The nearer box goes on, in any order within a segment."""
    left = [at(0.30, 0.4), at(0.36, 0.4), at(0.42, 0.4)]
    right = [at(0.45, 0.4), at(0.52, 0.4), at(0.60, 0.4)]
    film = []
    for n, (a, b) in enumerate(zip(left, right, strict=True)):
        both = [seen("person", 2 * n, 2 * n + 2, a, 0.8), seen("person", 2 * n, 2 * n + 2, b, 0.5 + 0.1 * n)]
        film += both[:: 1 if n % 2 else -1]
    assert [(track.span, track.box) for track in sorted(track_objects(film), key=lambda o: o.box.left)] == [
        (Span(start=0, end=6), left[0]),
        (Span(start=0, end=6), right[2]),
    ]


def test_the_number_of_boxes_in_a_frame_is_kept_while_it_stays():
    def at(start, *lefts):
        return [
            Observation(
                modality="object", span=Span(start=start, end=start + 1), text="dog", score=0.9, source="d@1",
                box=Box(left=left, top=0.1, right=left + 0.1, bottom=0.2), frame_seconds=start,
            )
            for left in lefts
        ]  # fmt: skip

    rows = [*at(0, 0.1), *at(1, 0.1, 0.5), *at(2, 0.1, 0.5), *at(3, 0.1, 0.5, 0.8), *at(4, 0.1), *at(5, 0.1, 0.5)]
    found = numbers_at_once(rows)
    assert [(o.modality, o.text, o.span.start, o.span.end) for o in found] == [
        ("number", "2 dog", 1, 3),
        ("number", "3 dog", 3, 4),
        ("number", "2 dog", 5, 6),
    ]
