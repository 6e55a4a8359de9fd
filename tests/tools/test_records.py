"""Records: which characters a text keeps."""

import unicodedata

from playhead.tools.records import clean_text

BIDI_CONTROLS = {*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F, 0x061C}


def test_of_all_of_unicode_control_characters_become_spaces_and_surrogates_and_bidi_controls_are_removed():
    every = [chr(code) for code in range(0x110000)]
    kept = [c for c in every if ord(c) not in BIDI_CONTROLS and unicodedata.category(c) != "Cs"]
    spaced = "".join(" " if unicodedata.category(c) in ("Cc", "Zl", "Zp") else c for c in kept)
    assert clean_text("".join(every)) == " ".join(spaced.split())


def test_a_text_is_one_line():
    assert clean_text(" one\r\n\ttwo\u2028three\x1b[31m \u202eruof ") == "one two three [31m ruof"
