"""Records: which characters a text keeps."""

import unicodedata

import pytest

from playhead.tools.records import clean_text, parse_clock

BIDI_CONTROLS = {*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F, 0x061C}


def test_of_all_of_unicode_control_characters_become_spaces_and_surrogates_and_bidi_controls_are_removed():
    every = [chr(code) for code in range(0x110000)]
    kept = [c for c in every if ord(c) not in BIDI_CONTROLS and unicodedata.category(c) != "Cs"]
    spaced = "".join(" " if unicodedata.category(c) in ("Cc", "Zl", "Zp") else c for c in kept)
    assert clean_text("".join(every)) == " ".join(spaced.split())


def test_a_text_is_one_line():
    assert clean_text(" one\r\n\ttwo\u2028three\x1b[31m \u202eruof ") == "one two three [31m ruof"


@pytest.mark.parametrize(("text", "seconds"), [("1:02:03.5", 3723.5), ("75:09", 4509.0), ("4:5", 245.0), ("90", 90.0)])
def test_a_clock_time_in_seconds(text: str, seconds: float) -> None:
    assert parse_clock(text) == seconds


@pytest.mark.parametrize("text", ["9:99", "1:60:00", "1:00:75", "1:2:3:4", "noon", ""])
def test_what_no_clock_shows_is_no_time(text: str) -> None:
    with pytest.raises(ValueError, match="is not a time: write HH:MM:SS, MM:SS or seconds; after a colon up to 59"):
        parse_clock(text)
