"""Literal matching: which terms a text holds, and where it mentions them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from playhead.agent.answering.matching import held_terms, mentions, same_words, texts_with
from playhead.agent.question.planning import make_plan
from playhead.agent.records import Term


@pytest.mark.parametrize(
    ("question", "text", "held"),
    [
        ("Did the budget grow by 12 percent?", "The budgets grew by twelve percent.", ["budget", "grow", "12", "percent"]),
        ("Did the budget grow by 1.5 percent?", "The budget grew by 5 percent in 1 year.", ["budget", "grow", "percent"]),
        ("Were 20 engineers hired?", "Twenty-five engineers were hired.", ["engineers", "hired"]),
        ("Where is ORDER-7731?", "the file ORDER 7731 lies here", ["order 7731"]),
        ("where is order7731?", "the file ORDER-7731 lies here", ["order 7731"]),
        ("Where is ORDER-7731?", "ORDER-77310 is on the table.", []),
        ("What is new in v2.1?", "New in v2.15: search.", ["new"]),
        ("What did Williams say about rent?", "William said that the rent is high.", ["rent"]),
        ("What is said about Neural Networks?", "A neural network has layers.", ["neural", "networks"]),
        ("How do I export an art board?", "Exporting saves each artboard.", ["export", "art", "board"]),
        ("What colour is the roof?", "The color of the roof is red.", ["colour", "roof"]),
        ("What is said about the universe?", "I went to university.", []),
    ],
)  # fmt: skip
def test_terms_that_a_text_holds(question: str, text: str, held: list[str]) -> None:
    assert [term.text for term in held_terms(make_plan(question).terms, text)] == held


def test_where_a_term_is_mentioned() -> None:
    words = "The wind tunnel: Wind, tunnels, and WIND-TUNNEL tests".split()
    assert mentions(Term(text="wind", exact=False), words) == [(1, 2), (3, 4), (6, 7)]
    assert mentions(Term(text="tunnel", exact=False), words) == [(2, 3), (4, 5), (6, 7)]
    assert mentions(Term(text="wind tunnel", exact=True), words) == [(1, 3), (6, 7)]
    assert mentions(Term(text="order 7731", exact=True), ["ORDER-7731,", "order7731", "ORDER", "7732"]) == [
        (0, 1),
        (1, 2),
    ]
    assert mentions(Term(text="12", exact=True), "twelve of 12 or 120".split()) == [(0, 1), (2, 3)]
    assert mentions(Term(text="gold", exact=False), []) == []


def test_texts_that_may_hold_a_term() -> None:
    there = [
        "The vehicle stopped.", "Two cars.", "Nothing else.", "The art board.", "Twelve artboards!", "ORDER7731", "7732",
        "It grew by 12%.", "The colour.", "Karl",
    ]  # fmt: skip

    def found(question: str) -> list[str]:
        return texts_with(make_plan(question).terms, there)

    assert found("car") == ["Two cars."]
    assert found("the artboard") == found("art board") == ["The art board.", "Twelve artboards!"]
    assert found("Where is ORDER-7731?") == ["ORDER7731"]
    assert found("Did it grow by twelve percent?") == ["Twelve artboards!", "It grew by 12%."]
    assert found("colors") == ["The colour."]
    assert found("unicorn") == []


def test_names_with_the_same_words() -> None:
    assert same_words(["traffic", "lights"], ["traffic", "light"])
    assert same_words(["people"], ["person"])
    assert not same_words(["dog"], ["hot", "dog"])
    assert not same_words([], [])


WORDS = "the price of gold copper doubled cat dog London Monday 12 13 twelve ORDER-7731 it a".split()


@settings(max_examples=100)
@given(
    st.lists(st.sampled_from(WORDS)).map(" ".join), st.lists(st.lists(st.sampled_from(WORDS)).map(" ".join), max_size=4)
)
def test_a_text_that_holds_a_term_passes_the_filter(question: str, texts: list[str]) -> None:
    terms = make_plan(question).terms
    among = texts_with(terms, texts)
    for text in texts:
        assert text in among or not any(term.required for term in held_terms(terms, text))
