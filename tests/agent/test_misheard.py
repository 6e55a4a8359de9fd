"""Words that were misheard: how alike words sound, and the places that are named as doubtful."""

import pytest

from playhead.agent.answering.computed.misheard import misheard, similarity, sounds_of
from playhead.agent.records import Term
from playhead.index.records import Evidence
from playhead.tools.records import Word


@pytest.mark.parametrize(
    ("text", "sounds"),
    [("phone", "fon"), ("Pen with", "penwiθ"), ("scissors", "sisors"), ("squirrel", "skwirel"), ("night", "nit")],
)
def test_words_are_written_as_they_sound(text, sounds):
    assert sounds_of(text) == sounds


@pytest.mark.parametrize(
    ("word", "transcribed", "other"),
    [
        ("pillow", "billow", "window"),
        ("balcony", "melcony", "company"),
        ("pumpkin", "pump kid", "pocket"),
        ("kettle", "cattle", "castle in"),
        ("penguin", "peng with", "question"),
    ],
)
def test_what_was_transcribed_for_a_word_is_more_like_it_than_another_word(word, transcribed, other):
    assert similarity(sounds_of(word), sounds_of(transcribed)) > similarity(sounds_of(word), sounds_of(other))


def test_the_similarity_is_one_of_equal_sounds_and_zero_of_very_different_lengths():
    assert similarity(sounds_of("pillow"), sounds_of("pillow")) == 1
    assert similarity(sounds_of("pillow"), sounds_of("I")) == 0
    assert similarity(sounds_of("pillow"), sounds_of("42")) == 0


def row(number, *words):
    """A spoken row of words with their probabilities, half a second each."""
    at = 10.0 * number
    spoken = tuple(
        Word(text=text, start=at + 0.5 * n, end=at + 0.5 * n + 0.4, probability=probability)
        for n, (text, probability) in enumerate(words)
    )
    text = " ".join(word.text for word in spoken)
    common = {"video_id": "aa", "video": "/a.mp4", "modality": "speech", "source": "w@1", "score": 0.0}
    return Evidence(evidence_id=str(number), start=at, end=spoken[-1].end, text=text, words=spoken, **common)


def test_unsure_words_that_sound_like_the_word_are_named_once_a_row():
    rows = [
        row(0, ("an", 1.0), ("old", 1.0), ("billow", 0.4), ("was", 1.0), ("there.", 1.0)),
        row(1, ("an", 1.0), ("old", 1.0), ("billow", 0.99)),  # transcribed surely
        row(2, ("the", 1.0), ("pillow", 0.3)),  # recognised
        row(3, ("the", 0.2), ("window", 0.2)),
    ]
    found = misheard(Term(text="pillow", exact=False), rows)
    assert [(one.evidence_id, one.quote, one.start, one.end) for one in found] == [("0", "billow", 1.0, 1.4)]


def test_a_word_that_is_rare_in_english_needs_to_sound_less_alike():
    """The rows of a composed hour: "a penguin in it" was transcribed twice as other words."""
    rows = [
        row(0, ("a", 0.7), ("peng", 0.37), ("with", 0.53), ("it.", 1.0)),
        row(1, ("a", 0.7), ("pen", 0.17), ("with", 0.7)),
    ]
    found = misheard(Term(text="penguin", exact=False), rows)
    assert [(one.evidence_id, one.quote) for one in found] == [("0", "peng")]


def test_short_words_numbers_and_names_of_two_words_are_not_looked_for():
    rows = [row(0, ("bet", 0.1), ("pedal", 0.1), ("1924", 0.1), ("Anna", 0.1), ("Silver", 0.1))]
    for text in ("bed", "petal", "1924", "Ana Silva"):
        assert misheard(Term(text=text, exact=True), rows) == []
