"""Words: how text is cut, and when two words are the same."""

import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from playhead.tools.words import canonical, is_same, names, pieces, sounds_like_code, stem, tokens


@pytest.mark.parametrize(
    ("text", "cut"),
    [
        ("ERR_CERT-7", ["err", "cert", "7"]),
        ("The speaker\u2019s budget: it's 1,200.5 euros.", ["the", "speaker", "budget", "it", "1200.5", "euros"]),
        ("I'll say we've, they're, don't, can't, won't", ["i", "say", "we", "they", "do"]),
        ("at 09:30, 3.5mm, v2.15", ["at", "09:30", "3.5", "mm", "v2.15"]),
        ("twenty-five and Two Hundred and five", ["25", "and", "205"]),
        ("2.5 million, a hundred, two hundred thousand", ["2500000", "100", "200000"]),
        ("one two three", ["one", "two", "three"]),
        ("Café, İstanbul, ﬁle, ＡＢＣ", ["cafe", "istanbul", "file", "abc"]),
        ("かが", ["か", "が"]),  # the voicing mark stays; ICU knows no such word
        ("今年的预算", ["今年", "的", "预算"]),
        ("", []),
        ("?!… \u202e", []),
    ],
)
def test_tokens(text, cut):
    assert tokens(text) == cut


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("grow", "grew"), ("budget", "budgets"), ("planned", "plan"), ("study", "studies"), ("make", "making"),
        ("agree", "agreed"), ("twelve", "12"), ("first", "1st"), ("09:30", "9:30"), ("colour", "colors"),
        ("organise", "organizing"), ("dialogue", "dialogs"), ("grey", "gray"), ("people", "person"), ("bus", "buses"),
        ("women", "woman"), ("movie", "movies"), ("running", "run"),
    ],
)  # fmt: skip
def test_forms_of_one_word_are_the_same(one, other):
    assert is_same(one, other)
    assert is_same(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("animal", "animation"), ("universe", "university"), ("organ", "organization"), ("past", "paste"),
        ("general", "generation"), ("author", "authority"), ("policy", "police"), ("12", "13"), ("12", "120"),
        ("9:30", "9:03"), ("25", "20"), ("1.5", "15"), ("gold", "copper"), ("noise", "nose"), ("second", "seconds"),
    ],
)  # fmt: skip
def test_other_words_are_not_though_some_share_a_stem(one, other):
    assert not is_same(one, other)
    assert not is_same(other, one)


def test_threads_stem_without_disturbing_each_other():
    words = [
        f"{a}{b}{ending}"
        for a in ("plan", "relat", "organ")
        for b in ("iz", "at", "en")
        for ending in ("ation", "ing", "ed", "es")
    ]
    words = [f"{word}{number}" for number in "abcdefgh" for word in words]
    right = {word: stem(word) for word in words}
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(8) as pool:
            for _ in range(3):
                stem.cache_clear()
                for found in pool.map(lambda _: {word: stem(word) for word in words}, range(8)):
                    assert found == right
    finally:
        sys.setswitchinterval(interval)


def test_stems_are_broader_than_words():
    assert stem("animal") == stem("animation") == "anim"
    assert canonical("colours") == "colors"
    assert canonical("12") == canonical("twelve") == "12"


@pytest.mark.parametrize("text", ["ORDER-7731", "order 7731", "Order7731", "order_7731"])
def test_a_code_has_the_same_pieces_however_it_is_written(text):
    assert pieces(text) == ["order", "7731"]


def test_a_version_is_no_other_version():
    assert pieces("v2.1") == ["v", "2.1"]
    assert pieces("v2.15") == ["v", "2.15"]
    assert pieces("10.0.0.1") == ["10.0.0.1"]


@pytest.mark.parametrize(
    ("chunk", "is_code"), [("ORDER-7731", True), ("ERR_CERT_DATE", True), ("v2", True), ("budget", False), ("7", False)]
)
def test_what_sounds_like_a_code(chunk, is_code):
    assert sounds_like_code(chunk) is is_code


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("What does Angela Merkel say?", {"angela", "merkel"}),
        ("In Germany I think I'll stay. Berlin waits: Later.", {"germany"}),
        ("What Does The Slide Say About London?", set()),
        ("WHERE IS LONDON", set()),
        ("the “Big Apple” and NASA", {"big", "apple", "nasa"}),
        ("", set()),
    ],
)
def test_names_are_capitals_that_their_place_does_not_explain(text, found):
    assert names(text) == found


@given(st.text(), st.text(max_size=20))
@example("℠ and ™", "")
@example(".A0", "")
def test_no_text_is_too_odd(text, word):
    for token in tokens(text):
        assert token
        assert token == token.casefold()
        assert is_same(token, token)
        assert tokens(token)[0] == token or not token.isascii()  # `.net` gives net, too
    assert isinstance(names(text), set)
    assert is_same(word, word)
    assert all(piece for piece in pieces(text))


@pytest.mark.parametrize(
    "text", ["a" * 100_000, "1," * 50_000, "two hundred " * 9_000, "Ab's " * 20_000, "1.1:" * 25_000]
)
def test_long_texts_take_no_time(text):
    began = time.process_time()
    tokens(text)
    names(text)
    pieces(text)
    assert time.process_time() - began < 2
