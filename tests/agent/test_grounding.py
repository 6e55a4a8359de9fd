"""Whether a composed claim follows from the lines that the model read, without a model."""

import pytest

from playhead.agent.composing.grounding import grounded
from playhead.agent.records import Citation, Claim
from playhead.index.records import Evidence

LINES = (
    "The budget for travel grew by twelve percent this year.",
    "Most of it will pay for visits to our customers.",
    "The strongest region was Brazil.",
    "Cause: certificate expired",
    "Alice flew to Paris.",
    "Bob flew to London on 3 May.",
)


def line(number: int) -> Evidence:
    return Evidence(
        evidence_id=f"a-{number}",
        video_id="a",
        video="/v/a.mp4",
        start=float(number),
        end=number + 1.0,
        modality="speech",
        text=LINES[number],
        score=1,
        source="x",
    )


ROWS = [line(number) for number in range(len(LINES))]


def check(text: str, question: str, *cited: int) -> tuple[str, list[int]]:
    """The verdict (`none`: no claim is left) and the numbers of the lines that are cited."""
    claim = Claim(text=text, verdict="unverified", citations=tuple(Citation.of(ROWS[n]) for n in cited))
    result = grounded(claim, question, ROWS).claim
    if result is None:
        return "none", []
    return result.verdict, [int(citation.evidence_id.split("-")[1]) for citation in result.citations]


@pytest.mark.parametrize(
    ("text", "question", "cited", "verdict", "lines"),
    [
        ("It grew by 12%.", "How did the budget change?", (0,), "supported", [0]),
        ("It grew by 12 percent.", "How did the budget change?", (1,), "supported", [0]),  # the wrong line was cited
        ("It grew by 13%.", "How did the budget change?", (0,), "none", []),  # no line has that number
        ("Because the certificate expired.", "Why could nobody log in?", (3, 1), "supported", [3]),
        ("It was Germany that won.", "Who won?", (2,), "none", []),
        ("Penguins.", "What is shown?", (0,), "none", []),
        ("Yes.", "Did the budget grow?", (0,), "unverified", [0]),
    ],
)
def test_words_decide_what_is_cited(
    text: str, question: str, cited: tuple[int, ...], verdict: str, lines: list[int]
) -> None:
    assert check(text, question, *cited) == (verdict, lines)


def at(number: int, start: float, end: float, text: str) -> Evidence:
    return line(0).model_copy(update={"evidence_id": f"b-{number}", "start": start, "end": end, "text": text})


STRIKE = (
    at(0, 1.0, 3.5, "In April our sailors stopped working."),
    at(1, 0.0, 9.0, "Reason: night shifts"),
    at(2, 4.3, 7.0, "Nobody could reach the island during that time."),
    at(3, 60.0, 62.0, "The sailors are glad that they stopped working on the old ship."),
)


@pytest.mark.parametrize(
    ("text", "question", "lines"),
    [
        ("The sailors stopped working because of night shifts.", "Why did the sailors stop working?", ["b-1", "b-0"]),
        ("Because of night shifts.", "Why did the sailors stop working?", ["b-1", "b-0"]),
        ("Night shifts.", "What was the reason?", ["b-1"]),  # no other line says more of the question
    ],
)
def test_the_line_next_to_it_that_says_what_an_answer_is_about_is_cited_too(
    text: str, question: str, lines: list[str]
) -> None:
    claim = Claim(text=text, verdict="unverified", citations=(Citation.of(STRIKE[1]),))
    result = grounded(claim, question, STRIKE).claim
    assert result is not None
    assert [citation.evidence_id for citation in result.citations] == lines


def test_a_line_that_is_far_away_does_not_say_what_an_answer_is_about() -> None:
    claim = Claim(text="Because of night shifts.", verdict="unverified", citations=(Citation.of(STRIKE[1]),))
    result = grounded(claim, "Why did the sailors stop working?", STRIKE[1:]).claim
    assert result is not None
    assert [citation.evidence_id for citation in result.citations] == ["b-1"]


def test_a_large_models_sentence_is_only_held_to_its_numbers() -> None:
    claim = Claim(text="Das Budget wuchs um 12 %.", verdict="unverified", citations=(Citation.of(ROWS[0]),))
    assert grounded(claim, "Wie hat es sich verändert?", ROWS, same_language=False).claim == claim
    wrong = claim.model_copy(update={"text": "Das Budget wuchs um 21 %."})
    assert grounded(wrong, "Wie hat es sich verändert?", ROWS, same_language=False).claim is None


def test_a_number_that_a_colon_joins_to_a_year_is_read() -> None:
    row = at(0, 9.0, 18.0, "2024:71,000")
    claim = Claim(text="71,000", verdict="unverified", citations=(Citation.of(row),))
    assert grounded(claim, "How many people travelled in 2024?", [row]).claim.verdict == "supported"


def test_an_ordinal_is_the_number_of_its_day() -> None:
    assert check("Bob flew on May 3rd.", "When did Bob fly?") == ("supported", [5])
    assert check("Bob flew on May 4th.", "When did Bob fly?")[0] == "none"


def kept(text: str, *lines: str, question: str = "What happens?", same_language: bool = True) -> str:
    """The verdict on a claim that cites the first of the lines (`none`: no claim is left)."""
    rows = [at(number, 9.0 * number, 9.0 * number + 8, line) for number, line in enumerate(lines)]
    claim = Claim(text=text, verdict="unverified", citations=(Citation.of(rows[0]),))
    result = grounded(claim, question, rows, same_language=same_language).claim
    return "none" if result is None else result.verdict


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("Berlin is one of the cities that she visited.", "She visited Berlin and other cities."),
        ("First, the engineer checks the pump.", "The engineer checks the pump, then the valve."),
        ("The talk has two parts: history and theory.", "The talk covers history, and the theory after it."),
        ("One reason is the night shifts.", "Reason: night shifts"),
        ("The war that ended it was World War Two.", "the second world war ended it"),
        ("The first prize went to Ana.", "1st prize: Ana"),
        ("Ana opens the valve in the 2nd step.", "In the second step Ana opens the valve."),
        ("It was built in the 21st century.", "It was built in the twenty-first century."),
        ("The 13th floor is empty.", "The thirteenth floor is empty."),
        ("It costs 2.5 million.", "It costs 2,500,000."),
    ],
)
def test_numbers_in_words_are_words_like_others(text: str, line: str) -> None:
    assert kept(text, line) == "supported"
    assert kept(text, line, same_language=False) == "unverified"  # kept as it is


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("They gave 46 doses.", "They gave 40 doses."),
        ("They gave 46 of the forty doses.", "They gave 40 doses."),
        ("Two of the 2 pumps failed.", "Three pumps failed."),
        ("It costs 2.5 million.", "It costs 3.5 million."),
        ("The 2nd prize went to Ana.", "The first prize went to Ana."),
        ("Model B12 failed.", "Model B13 failed."),
    ],
)
def test_numbers_in_digits_must_occur_in_a_line(text: str, line: str) -> None:
    assert kept(text, line) == "none"
    assert kept(text, line, same_language=False) == "none"


@pytest.mark.parametrize(
    ("text", "question", "verdict"),
    [
        ("Der Grund war die Nachtschicht.", "Warum streikten die Matrosen?", "unverified"),
        ("Die Nachtschicht.", "Warum streikten die Matrosen?", "unverified"),  # too short to have a language
        ("Wegen der vielen Nachtschichten streikten sie.", "Was war der Grund?", "supported"),
        ("Der Grund waren 31 Nachtschichten.", "Warum streikten die Matrosen?", "none"),  # the line says 12
        ("Der Grund war die Baureihe B13.", "Warum streikten die Matrosen?", "none"),
        ("The reason was Wilhelm.", "Why did the sailors strike?", "none"),  # an English claim is held to its names
        ("Penguins.", "Why did the sailors strike?", "none"),
    ],
)
def test_nouns_of_a_german_claim_are_no_names(text: str, question: str, verdict: str) -> None:
    assert kept(text, "Wegen der 12 vielen Nachtschichten streikten im April alle.", question=question) == verdict
