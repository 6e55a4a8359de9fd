"""Readings of text become lines: one observation for as long as a line is shown."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from playhead.index.indexing.merging import text_lines
from playhead.index.indexing.merging.text_lines import are_variants, merge_lines
from playhead.tools.records import Box, Span

from ..fakes import observation

ROW = Box(left=0.1, top=0.5, right=0.6, bottom=0.54)


def read(text, start, end, box=ROW, score=0.95):
    return observation(text, start, end, modality="text", box=box, score=score, frame_seconds=start)


def lines(*readings):
    return [(line.text, line.span.start, line.span.end) for line in merge_lines(readings)]


def test_a_line_that_is_typed_is_one_observation():
    typed = ["pri", "print(", "print(total", "print(total)"]
    readings = [read(text, 10 + 0.5 * n, 10.5 + 0.5 * n) for n, text in enumerate(typed[:-1])]
    assert lines(*readings, read("print(total)", 11.5, 60)) == [("print(total)", 10, 60)]


def test_a_line_that_another_text_replaces_is_two():
    """A digit, a letter, a word: also where each is shown for less time than a sample of a moving picture."""
    for before, after in [
        ("The budget is 310 EUR", "The budget is 810 EUR"),
        ("the cat sat on the mat today", "the bat sat on the mat today"),
        ("I have four apples", "I have five apples"),
        ("Chapter 1", "Chapter 12"),
    ]:
        hold = 3.1 if before == "Chapter 1" else 1.2
        assert lines(read(before, 0, hold), read(after, hold, 2 * hold)) == [(before, 0, hold), (after, hold, 2 * hold)]


def test_a_moment_s_misreading_is_the_line():
    readings = [read("runApp(const MyApp());", 0, 10), read("runAppl(const MyApp());", 10, 10.8)]
    readings.append(read("runApp(const MyApp());", 10.8, 30))
    assert lines(*readings) == [("runApp(const MyApp());", 0, 30)]


def test_a_line_that_is_covered_for_a_moment_goes_on():
    assert lines(read("Stateless Widget", 0, 10), read("Stateless Widget", 12, 20)) == [("Stateless Widget", 0, 20)]
    assert lines(read("No", 5.4, 6.6), read("No", 8, 9)) == [("No", 5.4, 6.6), ("No", 8, 9)]
    assert len(lines(read("Stateless Widget", 0, 10), read("Stateless Widget", 15, 20))) == 2


def test_texts_in_turn_stay_apart():
    """Two slides shown in turn, a second each."""
    readings = [read(("Blink 51", "Wink 62")[n % 2], n, n + 1) for n in range(6)]
    assert lines(*readings) == [(one.text, one.span.start, one.span.end) for one in readings]


def test_lines_at_other_places_stay_apart():
    below = Box(left=0.1, top=0.6, right=0.6, bottom=0.64)
    assert len(lines(read("total", 0, 5), read("total", 5, 10, below))) == 2
    assert len(lines(read("tot", 4, 5), read("total", 5, 10, below))) == 2


@pytest.mark.parametrize(
    ("text", "score", "seconds", "is_kept"),
    [
        ("了", 0.64, 30, False),
        ("4", 0.99, 30, True),
        ("laxp", 0.72, 0.5, False),
        ("laxp", 0.72, 8, True),
        ("tolt", 0.55, 8, False),
    ],
)
def test_noise_is_dropped(text, score, seconds, is_kept):
    assert bool(lines(read(text, 0, seconds, score=score))) is is_kept


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        ("Quarterly results", "Quaterly results", True),
        ("Stateless Widget", "Statelesswidget", True),
        ("Room 310", "Room 810", False),
        ("Room 310", "Room 31O", False),
        ("I have four apples", "I have five apples", False),
        ("Plan A", "Plan B", False),
    ],
)
def test_variants(a, b, same):
    assert are_variants(a, b) is are_variants(b, a) is same


def test_lines_of_a_board_that_is_filmed_by_hand_are_followed():
    """The camera trembles; the reader errs, differently each time; textures are read once, unsurely."""
    spoken = ["Conservation of energy", "Conservaton of energy", "Conservation of enerqy", "Conservation of energy"]
    moving, readings = [], []
    for n, text in enumerate(spoken * 3):
        span = Span(start=2 * n, end=2 * n + 2)
        moving.append(span)
        box = Box(left=0.2 + 0.03 * (n % 3), top=0.3 + 0.04 * (n % 2), right=0.7, bottom=0.4 + 0.04 * (n % 2))
        readings.append(read(text, span.start, span.end, box, score=0.97 if text == spoken[0] else 0.85))
        readings.append(read(f"i{n}x", span.start, span.end, Box(left=0.7, top=0.8, right=0.8, bottom=0.9), score=0.7))
    merged = merge_lines(readings, moving)
    assert [(line.text, line.span.start, line.span.end) for line in merged] == [("Conservation of energy", 0, 24)]


def test_misreadings_and_the_beginning_of_a_written_line_are_that_line():
    """Readings of one place of a board, two seconds each: written letter by letter, then misread now and then."""
    spoken = ["sugar is bui", "sugar is built from CO2", "sugar is built from CO2", "sgar i bult fom CO2"]
    spoken += ["sugar is built from COZ", "sugar is built from CO2", "sugar is built from CO2"]
    moving = [Span(start=2 * n, end=2 * n + 2) for n in range(len(spoken))]
    readings = [
        read(text, span.start, span.end, score=0.7 if text.startswith("sgar") else 0.97)
        for text, span in zip(spoken, moving, strict=True)
    ]
    merged = merge_lines(readings, moving)
    assert [(line.text, line.span.start, line.span.end) for line in merged] == [("sugar is built from CO2", 0, 14)]


def test_values_of_a_clock_over_a_moving_picture_stay_apart():
    moving = [Span(start=2 * n, end=2 * n + 2) for n in range(3)]
    texts = ["12:49:08 left", "12:49:10 left", "12:49:12 left"]
    readings = [
        read(text, span.start, span.end, score=score)
        for text, span, score in zip(texts, moving, (0.97, 0.93, 0.97), strict=True)
    ]
    assert [line.text for line in merge_lines(readings, moving)] == texts


def test_two_readings_of_equal_support_stay():
    """Either may be the right one."""
    moving = [Span(start=2 * n, end=2 * n + 2) for n in range(6)]
    texts = ["room 411 or 417", "room 4l1 or 417"] * 3
    readings = [read(text, span.start, span.end) for text, span in zip(texts, moving, strict=True)]
    assert {line.text for line in merge_lines(readings, moving)} == set(texts)


def test_captions_of_moving_pictures_stay_apart():
    moving = [Span(start=0, end=2), Span(start=2, end=4), Span(start=4, end=6)]
    texts = ["I have four apples", "I have five apples", "310 EUR"]
    readings = [read(text, span.start, span.end) for text, span in zip(texts, moving, strict=True)]
    assert [line.text for line in merge_lines(readings, moving)] == texts


texts = st.sampled_from(["alpha", "alph", "alpha beta", "gamma 1", "gamma 2", "x"])
readings = st.lists(st.tuples(texts, st.floats(0.1, 5), st.floats(0.6, 1)), min_size=1, max_size=20)


@settings(max_examples=100)
@given(readings)
def test_lines_cover_only_what_was_read_and_short_gaps(film):
    """Each line's text was read inside its span; spans begin and end where readings do; equal inputs give equal lines."""
    made, at = [], 0.0
    for text, seconds, score in film:
        made.append(read(text, at, at + seconds, score=score))
        at += seconds
    merged = merge_lines(made)
    assert merged == merge_lines(made)
    for line in merged:
        assert line.span.start in {one.span.start for one in made}
        assert line.span.end in {one.span.end for one in made}
        assert any(one.text == line.text and line.span.overlap(one.span) > 0 for one in made)


def test_chains_are_compared_with_those_near_in_time_only(monkeypatch):
    """An hour of code has 300,000 readings: to compare all chains takes hours."""
    compared = []
    real = text_lines._Chain.misreads
    monkeypatch.setattr(text_lines._Chain, "misreads", lambda one, other: compared.append(one) or real(one, other))
    counts = []
    for screens in (10, 40):
        compared.clear()
        spans = [Span(start=4.0 * number, end=4.0 * number + 1) for number in range(screens)]
        rows = [Box(left=0.1, top=row / 10, right=0.6, bottom=row / 10 + 0.04) for row in range(5)]
        words = ["alpha", "bravo", "charlie", "delta", "echo"]
        readings = [
            read(f"{word} of screen {number}", span.start, span.end, box)
            for number, span in enumerate(spans)
            for word, box in zip(words, rows, strict=True)
        ]
        assert len(merge_lines(readings, spans)) == 5 * screens
        counts.append(len(compared))
    assert counts == [10 * 5 * 4, 40 * 5 * 4]
