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


def test_a_large_models_sentence_is_only_held_to_its_numbers() -> None:
    claim = Claim(text="Das Budget wuchs um 12 %.", verdict="unverified", citations=(Citation.of(ROWS[0]),))
    assert grounded(claim, "Wie hat es sich verändert?", ROWS, same_language=False).claim == claim
    wrong = claim.model_copy(update={"text": "Das Budget wuchs um 21 %."})
    assert grounded(wrong, "Wie hat es sich verändert?", ROWS, same_language=False).claim is None
