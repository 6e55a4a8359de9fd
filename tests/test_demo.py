"""The demo tells the truth: each answer about the sample film against what is known of its every second."""

import pytest

from playhead import Library
from playhead.tools.records import Span
from playhead.tools.words import canonical, tokens


def spoken(truth, words: str) -> Span:
    """The span of the one sentence in which these words are said."""
    (sentence,) = [one for one in truth["said"] if words in one["text"]]
    return Span(start=sentence["start"], end=sentence["end"])


def slide(truth, line: str) -> Span:
    """The span of the one slide with this line."""
    (found,) = [one for one in truth["written"] if line in one["lines"]]
    return Span(start=found["start"], end=found["end"])


def photo(truth, what: str) -> Span:
    """The span of a photograph."""
    (found,) = [one for one in truth["shown"] if one["what"] == what]
    return Span(start=found["start"], end=found["end"])


def cited(library: Library, question: str):
    """The answer's first claim, and its first citation."""
    answer = library.ask(question)
    assert answer.status == "answered", answer
    claim = answer.claims[0]
    assert claim.verdict in ("verbatim", "supported")
    assert answer.confidence > 0.3
    return claim, claim.citations[0]


# What was said.


@pytest.mark.parametrize(
    ("question", "sentence", "words"),
    [
        ("What does the speaker say about the budget for travel?", "budget for travel", {"grew", "12"}),
        ("How many engineers do they want to hire?", "engineers", {"three", "engineers"}),
        ("Who will join the search team?", "search team", {"two", "london"}),
        ("How long was the website down?", "website was down", {"half", "hour"}),
        ("When does she talk about the new battery?", "battery", {"two", "days"}),
        ("What is the next study about?", "next study", {"clean", "water"}),
        ("When does she talk about the deadline for the first release?", "deadline", {"close"}),
    ],
)
def test_what_was_said_is_cited_where_it_was_said(talk_library, truth, question, sentence, words):
    claim, citation = cited(talk_library, question)
    assert citation.modality == "speech"
    assert {canonical(word) for word in words} <= {canonical(word) for word in tokens(claim.text)}
    true = spoken(truth, sentence)
    assert citation.start == pytest.approx(true.start, abs=0.5)
    assert citation.end == pytest.approx(true.end, abs=0.5)


@pytest.mark.parametrize(
    ("phrase", "sentence"),
    [
        ("clean drinking water", "clean drinking water"),
        ("half an hour", "half an hour"),
        ("ten cities", "ten cities"),
        ("New Battery", "new battery"),
    ],
)
def test_a_quoted_phrase_is_cited_by_its_own_words(talk_library, truth, phrase, sentence):
    _, citation = cited(talk_library, f'Where does she say "{phrase}"?')
    assert tokens(citation.quote) == tokens(phrase)
    true = spoken(truth, sentence)
    assert citation.span.duration < true.duration
    assert true.start - 0.5 <= citation.start < citation.end <= true.end + 0.5


def test_where_the_words_of_a_phrase_are_in_their_sentence(talk_library, truth):
    """Words are spoken one after another: the last ones of a sentence end it, the first ones begin it."""
    true = spoken(truth, "ten cities")
    assert cited(talk_library, 'Where does she say "ten cities"?')[1].end == pytest.approx(true.end, abs=0.5)
    true = spoken(truth, "website was down")
    assert cited(talk_library, 'Where does she say "last month"?')[1].start == pytest.approx(true.start, abs=0.5)


# What was written.


@pytest.mark.parametrize(
    ("question", "line"),
    [
        ("What does the slide say about the certificate?", "Cause: certificate expired"),
        ("What is written about the office rent?", "Office rent unchanged"),
        ("When is the launch?", "Launch: 1 September"),
        ("Where is ORDER-7731 written?", "ORDER-7731"),
        ("What is ERR_CERT_DATE?", "ERR_CERT_DATE"),
    ],
)
def test_what_was_written_is_cited_as_long_as_it_is_shown(talk_library, truth, question, line):
    _, citation = cited(talk_library, question)
    assert (citation.modality, citation.quote) == ("text", line)
    true = slide(truth, line)
    assert citation.start == pytest.approx(true.start, abs=0.05)
    assert citation.end == pytest.approx(true.end, abs=0.05)


def test_each_line_of_each_slide_is_found_at_its_second(talk_library, truth):
    lines = [(line, slide) for slide in truth["written"] for line in slide["lines"]]
    assert len(lines) == 19
    for line, slide in lines:
        best = talk_library.search(line, k=1, modalities="text")[0]
        assert tokens(best.text) == tokens(line)
        assert (best.start, best.end) == pytest.approx((slide["start"], slide["end"]), abs=0.05)


def test_nothing_is_read_that_is_not_written(talk_library, truth):
    written = {line for slide in truth["written"] for line in slide["lines"]}
    read = [one for one in talk_library.observed("talk.mp4")[1] if one.modality == "text"]
    slides = [Span(start=one["start"], end=one["end"]) for one in truth["written"]]
    for one in read:
        if any(one.span.overlap(slide) for slide in slides):
            assert one.text in written


# What was shown.


@pytest.mark.parametrize(
    ("question", "what"),
    [
        ("When is a cat shown?", "cat"),
        ("When do we see a kitten?", "cat"),
        ("Where can a cup of coffee be seen?", "coffee cup"),
        ("Is a coffee cup visible?", "coffee cup"),
    ],
)
def test_what_was_shown_is_found_by_its_picture(talk_library, truth, question, what):
    _, citation = cited(talk_library, question)
    assert citation.modality == "frame"
    assert citation.span.iou(photo(truth, what)) >= 0.9
    assert citation.keyframe is not None


def test_the_pictures_rank_before_all_others(talk_library, truth):
    for query, what in (("a cat", "cat"), ("a cup of coffee", "coffee cup")):
        best = talk_library.search(query, k=1, modalities="frame")[0]
        assert best.span.iou(photo(truth, what)) >= 0.9


# What never happens.


@pytest.mark.parametrize(
    "question",
    [
        "What does the speaker say about penguins?",
        "When is the wedding?",
        "What does the slide say about the wedding?",
        "When is a helicopter shown?",
        "When is a dog shown?",
        "Where is ORDER-7732 written?",
        "What does ORDER-7732 mean?",
        "What is the price of gold?",
        'Where does she say "the price of gold"?',
        "What does the speaker say about the budget for training elephants?",
    ],
)
def test_what_never_happens_is_not_answered(talk_library, question):
    answer = talk_library.ask(question)
    assert (answer.status, answer.claims, answer.confidence) == ("insufficient", (), 0.0)
    assert answer.text.startswith("Nothing in the indexed videos answers this for certain.")


def test_said_is_not_shown_and_shown_is_not_said(talk_library):
    """The battery is spoken of over the picture of a cat: each is found in its own way, and in no other."""
    assert talk_library.ask("When is a battery shown?").status == "insufficient"
    assert talk_library.ask("What does the speaker say about a cat?").status == "insufficient"
    assert talk_library.ask("What does the speaker say about the certificate?").status == "insufficient"


def test_a_stretch_bounds_the_answer(talk_library, truth):
    question = "What does the speaker say about the budget for travel?"
    true = spoken(truth, "budget for travel")
    assert talk_library.ask(question, between=(0, true.start - 0.5)).status == "insufficient"
    assert talk_library.ask(question, between=(0, true.end)).status == "answered"
