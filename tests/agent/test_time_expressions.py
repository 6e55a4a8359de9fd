"""The time parser: what a question says of the place and order in time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playhead.agent.question.time_expressions import grounding_query, lengths_of
from playhead.index.localization.grounding import GroundingQuery


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("Why did the boy bend down?", {"text": "the boy bend down"}),
        ("what is the woman holding", {"text": "the woman holding"}),
        ("why are there two dogs on the sofa", {"text": "two dogs on the sofa"}),
        ("Who wins?", {"text": "wins"}),
        ("the red car", {"text": "the red car"}),
        ("why did the man wave at the end of the video?", {"text": "the man wave", "place": 0.95}),
        ("how is the cat sitting right at the beginning", {"text": "the cat sitting", "place": 0.05}),
        ("Why does she stop in the middle of the video?", {"text": "she stop", "place": 0.5}),
        ("what does he finally throw", {"text": "he throw", "place": 0.95}),
        ("why does she run to the middle of the bridge", {"text": "she run to the middle of the bridge"}),
        ("why did he reach the end of the slide", {"text": "he reach the end of the slide"}),
        ("what is the baby doing in this video", {"text": "the baby"}),
        ("how did she dance in the second half of the film", {"text": "she dance", "place": 0.75, "place_width": 0.15}),
        ("why did it fall before the middle of the video", {"text": "it fall", "place": 0.25, "place_width": 0.15}),
        (
            "What did the boy do after he fell at the end?",
            {"text": "the boy", "relation": "after", "anchor": "he fell", "place": 0.95},
        ),
        (
            "how does the dog react before the door opens",
            {"text": "the dog", "relation": "before", "anchor": "the door opens"},
        ),
        (
            "After the goal, what does the keeper do?",
            {"text": "the keeper", "relation": "after", "anchor": "the goal"},
        ),
        ("before she sits who speaks", {"text": "speaks", "relation": "before", "anchor": "she sits"}),
        ("what does she do when the bell rings", {"text": "she do when the bell rings"}),
        ("after?", {"text": "after"}),
        ("", {"text": ""}),
    ],
)
def test_what_a_question_says_of_time(question: str, expected: dict) -> None:
    assert grounding_query(question) == GroundingQuery(**expected)


@given(st.text(max_size=80))
def test_any_text_can_be_asked(text: str) -> None:
    asked = grounding_query(text)
    assert bool(asked.text) >= bool(text.strip(" ?.,"))
    assert (asked.relation is None) == (asked.anchor == "")


@pytest.mark.parametrize(
    ("question", "found"),
    [
        ("what happens after 2 min", [("2 min", 120)]),
        ("What is said at 4m30s?", [("4m30s", 270)]),
        ("what's on screen at 90 seconds", [("90 seconds", 90)]),
        ("What is shown at 4 minutes 30 seconds in talk.mp4?", [("4 minutes 30 seconds", 270)]),
        ("what happens before two and a half minutes", [("two and a half minutes", 150)]),
        ("What is said between 10 s and 1 minute?", [("10 s", 10), ("1 minute", 60)]),
        ("what happens one hour and ten minutes in?", [("one hour and ten minutes in", 4200)]),
        ("Wer spricht after half an hour", [("half an hour", 1800)]),
        ("What happens after 2 minutes of boiling?", []),
        ("What can you do in 5 minutes?", []),
        ("What swims at 5 m?", []),
        ("What is said after a few minutes?", []),
        ("What comes after the minute?", []),
    ],
)
def test_a_length_may_be_a_time_of_a_video(question: str, found: list[tuple[str, float]]) -> None:
    assert [(question[start:end], seconds) for _, start, end, seconds in lengths_of(question)] == found
